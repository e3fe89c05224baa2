/* weights_range.h: checks that an element type can hold the values of a tensor; the error names
   those it cannot hold. */
#ifndef HEED_MODEL_WEIGHTS_RANGE_H
#define HEED_MODEL_WEIGHTS_RANGE_H

#include "base/error.h"
#include "io/stored.h"
#include "tensor/dtype.h"

/* A conversion of a tensor: its new type, and what messages say about it. */
typedef struct heed_value_target {
    const char *where;  /* file, with which the message begins; NULL: the message names none */
    const char *name;   /* name of the tensor */
    const char *option; /* command-line option that chose the type */
    heed_dtype dtype;
    int64_t columns;   /* length of a row; 0: the tensor cannot be quantized */
    bool may_quantize; /* the message may recommend quantized types */
} heed_value_target;

/* The place of values in their tensor: the element that is the first of them, and the distance from
   one to the next. */
typedef struct heed_element_place {
    size_t first, step;
} heed_element_place;

/* Returns HEED_E_UNSUPPORTED if one of the values is too large for the type. The message names the
   tensor, the element, its value and the types that hold all of the values. For a quantized type
   the values must begin with a whole qblock. */
heed_status heed_values_fit(const heed_value_target *target, const float *values, size_t count,
                            heed_element_place place, heed_error *error);
/* Checks all elements of a stored tensor in the same way, in the order of the file. */
heed_status heed_stored_values_fit(const heed_value_target *target, heed_stored_window *window,
                                   size_t count, heed_error *error);

#endif
