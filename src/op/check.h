/* check.h: checks that the shape inference of many ops shares. */
#ifndef HEED_OP_CHECK_H
#define HEED_OP_CHECK_H

#include "graph/attributes.h"
#include "graph/ir.h"
#include "tensor/dtype.h"
#include <string.h>

/* An input of a node; HEED_NONE when it is absent or after the last. */
static inline heed_value heed_node_input(const heed_node *node, int i)
{
    return i < node->n_in ? node->in[i] : HEED_NONE;
}

static inline bool heed_dtype_is_floating(heed_dtype dtype)
{
    return dtype == HEED_F32 || dtype == HEED_F16 || dtype == HEED_BF16;
}

/* Can a frozen matrix be stored in this type: a floating one, or qblocks along its rows? */
static inline bool heed_dtype_is_weight(heed_dtype dtype)
{
    return heed_dtype_is_floating(dtype) || heed_dtype_is_quantized(dtype);
}

/* HEED_E_DTYPE unless every input that is present is f32. */
static inline heed_status heed_check_f32(const heed_infer *infer, heed_error *error)
{
    for (int i = 0; i < infer->n_in; i++)
        if (infer->present[i] && infer->dtype[i] != HEED_F32)
            return heed_infer_fail(infer, error, HEED_E_DTYPE, "f32");
    return HEED_OK;
}

/* Is input `input` absent, or a fixed vector (D), where D is the extent of the last axis of input
   `of`? */
static inline bool heed_fits_columns(const heed_infer *infer, int input, int of)
{
    if (input >= infer->n_in || !infer->present[input]) return true;
    heed_shape vector = infer->shape[input], rows = infer->shape[of];
    return vector.rank == 1 && vector.extent == HEED_EXTENT_FIXED &&
           vector.dim[0] == rows.dim[rows.rank - 1];
}

/* Does axis 0 of two shapes count the same thing? */
static inline bool heed_same_rows(heed_shape a, heed_shape b)
{
    return a.rank && b.rank && a.extent == b.extent && a.dim[0] == b.dim[0];
}

/* Is the input a sequence table, (B,8) i32? */
static inline bool heed_is_sequence_table(const heed_infer *infer, int input)
{
    heed_shape shape = infer->shape[input];
    return infer->dtype[input] == HEED_I32 && shape.rank == 2 &&
           shape.dim[1] == HEED_SEQUENCE_FIELDS;
}

/* A shape as an attribute. Padding and unused axes are zero, since attributes are compared byte by
   byte. */
static inline heed_shape_attributes heed_attributes_of_shape(heed_shape shape)
{
    heed_shape_attributes attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.shape.rank = shape.rank;
    attributes.shape.extent = shape.extent;
    for (int i = 0; i < shape.rank && i < HEED_MAX_RANK; i++)
        attributes.shape.dim[i] = shape.dim[i];
    return attributes;
}

/* Is this a valid shape: rank and extent in range, no negative axis, and fewer than 2^63
   elements? */
static inline bool heed_shape_is_valid(heed_shape shape)
{
    if (shape.rank < 0 || shape.rank > HEED_MAX_RANK || shape.extent >= HEED_MAX_EXTENTS)
        return false;
    if (shape.rank == 0) return shape.extent == HEED_EXTENT_FIXED;
    int64_t elements = 1;
    for (int i = 0; i < shape.rank; i++) {
        if (shape.dim[i] < 0 || (shape.dim[i] && elements > INT64_MAX / 8 / shape.dim[i]))
            return false;
        elements *= shape.dim[i] ? shape.dim[i] : 1;
    }
    return true;
}

#endif
