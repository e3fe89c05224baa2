/* weights_range.h: numbers that an element type cannot hold are errors that name them. */
#ifndef HEED_MODEL_WEIGHTS_RANGE_H
#define HEED_MODEL_WEIGHTS_RANGE_H

#include "base/error.h"
#include "io/stored.h"
#include "tensor/dtype.h"

/* What a tensor is to become. */
typedef struct heed_value_target {
    const char *where;  /* the file, which begins the message; NULL: none is named */
    const char *name;   /* of the tensor */
    const char *option; /* with which the type was chosen */
    heed_dtype dtype;
    int64_t columns;   /* of its rows; 0: it cannot be quantized */
    bool may_quantize; /* may quantized types be named as a remedy? */
} heed_value_target;

/* Where values lie in their tensor: the element that is the first of them, and the distance from
   one to the next. */
typedef struct heed_element_place {
    size_t first, step;
} heed_element_place;

/* HEED_E_UNSUPPORTED if one of the values is too large for the type: names the tensor, the element,
   its value and the types that hold all of the values. The values of a quantized type begin with a
   whole qblock. */
heed_status heed_values_fit(const heed_value_target *target, const float *values, size_t count,
                            heed_element_place place, heed_error *error);
/* The same for all elements of a stored tensor, which lie in its order. */
heed_status heed_stored_values_fit(const heed_value_target *target, heed_stored_window *window,
                                   size_t count, heed_error *error);

#endif
