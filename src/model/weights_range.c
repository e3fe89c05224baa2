/* Finds numbers that an element type cannot hold, before anything is written or rounded, and names
   them. */
#include "model/weights_range.h"

#include "base/memory.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Can this type hold a tensor with these values? */
static bool holds(const heed_value_target *target, heed_dtype dtype, const float *values,
                  size_t count)
{
    bool plain = dtype == HEED_F32 || dtype == HEED_BF16 || dtype == HEED_F16;
    bool quantized = target->may_quantize && heed_dtypes[dtype].encode && target->columns > 0;
    if (!plain && !quantized) return false;
    if (quantized && heed_dtype_fit(dtype, target->columns) != dtype) return false;
    return heed_dtype_overflow(dtype, values, count) == count;
}

/* Writes the names of all types that hold these values. */
static void list_types(const heed_value_target *target, const float *values, size_t count,
                       char *text, size_t room)
{
    size_t at = 0;
    text[0] = 0;
    for (int i = 0; i < HEED_DTYPE_COUNT && at + 16 < room; i++)
        if (holds(target, (heed_dtype)i, values, count))
            at += (size_t)snprintf(text + at, room - at, "%s%s", at ? ", " : "",
                                   heed_dtypes[i].name);
}

/* Returns the largest number of a type, for messages. */
static const char *limit_of(heed_dtype dtype)
{
    if (dtype == HEED_F16) return "its largest number is 65504";
    if (dtype == HEED_BF16) return "its largest number is 3.3895e38";
    return "the scale of its block would be beyond f16";
}

heed_status heed_values_fit(const heed_value_target *target, const float *values, size_t count,
                            heed_element_place place, heed_error *error)
{
    char types[160];
    size_t at = heed_dtype_overflow(target->dtype, values, count);
    if (at == count) return HEED_OK;
    list_types(target, values, count, types, sizeof types);
    const char *holds = strchr(types, ',') ? "hold" : "holds";
    heed_status status = heed_fail(
        error, HEED_E_UNSUPPORTED,
        "tensor \"%s\": element %zu is %.9g, too large for %s (%s); %s %s it: choose with %s",
        target->name, place.first + at * place.step, (double)values[at],
        heed_dtypes[target->dtype].name, limit_of(target->dtype), types, holds, target->option);
    if (target->where) heed_error_prefix(error, "%s", target->where);
    return status;
}

heed_status heed_stored_values_fit(const heed_value_target *target, heed_stored_window *window,
                                   size_t count, heed_error *error)
{
    enum { AT_ONCE = 4096 }; /* a multiple of the qblock of every type */
    const heed_dtype dtype = window->tensor->dtype;
    float *values = heed_allocate(AT_ONCE, sizeof *values);
    if (!values) return heed_fail_memory(error, AT_ONCE * sizeof *values, target->name);
    heed_status status = HEED_OK;
    for (size_t at = 0; status == HEED_OK && at < count; at += AT_ONCE) {
        size_t some = count - at < AT_ONCE ? count - at : AT_ONCE;
        const void *source = NULL;
        status = heed_stored_window_get(window, heed_dtype_bytes(dtype, at),
                                        heed_dtype_bytes(dtype, some), &source, error);
        if (status != HEED_OK) break;
        heed_convert(values, HEED_F32, source, dtype, some);
        status = heed_values_fit(target, values, some, (heed_element_place){at, 1}, error);
    }
    free(values);
    return status;
}
