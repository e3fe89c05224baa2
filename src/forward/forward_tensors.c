/* forward_tensors.c: reads elements of the named tensors of a forward call and checks shapes and
   ranges. */
#include "forward/forward_internal.h"

#include <string.h>

bool heed_tensor_is_float(const heed_named_tensor *tensor)
{
    return tensor->dtype == HEED_F32;
}

int64_t heed_tensor_integer(const heed_named_tensor *tensor, int64_t at)
{
    switch (tensor->dtype) {
    case HEED_I64: {
        int64_t value;
        memcpy(&value, (const char *)tensor->data + at * 8, 8);
        return value;
    }
    case HEED_I32: {
        int32_t value;
        memcpy(&value, (const char *)tensor->data + at * 4, 4);
        return value;
    }
    case HEED_F32: {
        float value;
        memcpy(&value, (const char *)tensor->data + at * 4, 4);
        return (int64_t)value;
    }
    default: return ((const uint8_t *)tensor->data)[at];
    }
}

double heed_tensor_number(const heed_named_tensor *tensor, int64_t at)
{
    float value;
    if (tensor->dtype != HEED_F32) return (double)heed_tensor_integer(tensor, at);
    memcpy(&value, (const char *)tensor->data + at * 4, 4);
    return value;
}

int64_t heed_tensor_elements(const heed_named_tensor *tensor)
{
    int64_t elements = 1;
    for (int i = 0; i < tensor->rank; i++) elements *= tensor->shape[i];
    return elements;
}

heed_status heed_forward_check_grid(const heed_named_tensor *tensor, const heed_padded *padded,
                                    bool broadcast, heed_error *error)
{
    if (!tensor) return HEED_OK;
    int64_t tokens = heed_tensor_elements(tensor), places = padded->batch * padded->length;
    bool fits = tensor->rank >= 2 && tensor->shape[tensor->rank - 1] == padded->length &&
                (tokens == places || (broadcast && tokens == padded->length));
    if (fits) return HEED_OK;
    return heed_fail(error, HEED_E_SHAPE,
                     "input \"%s\" has another shape than the tokens, which are (%lld,%lld)",
                     tensor->name, (long long)padded->batch, (long long)padded->length);
}

heed_status heed_forward_check_range(const char *name, int64_t value, heed_value_range range,
                                     int64_t place, int64_t length, heed_error *error)
{
    if (value >= range.least && value <= range.most) return HEED_OK;
    return heed_fail(error, HEED_E_ARG,
                     "%s: %lld at sequence %lld, token %lld; %s has %lld to %lld", name,
                     (long long)value, (long long)(place / length), (long long)(place % length),
                     range.owner, (long long)range.least, (long long)range.most);
}
