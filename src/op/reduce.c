/* Reductions of one axis: sum, mean or maximum.
   Formula:  elements are added in ascending order; sum, mean and maximum of nothing are 0.
             Axis 0 of a live value is reduced over its live rows: the mean divides by the live
             count.
   Inputs:   x (...,A,...) f32
   Output:   y f32 without that axis, or with extent 1 if it is the last and is kept
   Gradient: reduce_backward: dy, dy / count, or dy at the first maximal element
   Errors:   HEED_E_ARG for an axis that x does not have, or keep on another axis than the last;
             HEED_E_DTYPE unless f32 */
#include "op/axes.h"
#include "op/check.h"
#include "op/reference.h"

HEED_REFERENCE(reduce);
HEED_REFERENCE(reduce_backward);

/* The first k at which the slice (o, ., i) has its maximum; a NaN counts as the maximum. */
static inline int64_t REAL(first_max)(const heed_operand *x, heed_axes over, int64_t o, int64_t i)
{
    int64_t best = 0;
    real max = *REAL(flat)(x, o * over.count * over.inner + i);
    for (int64_t k = 1; k < over.count; k++) {
        real value = *REAL(flat)(x, (o * over.count + k) * over.inner + i);
        if (value > max || (isnan(value) && !isnan(max))) {
            max = value;
            best = k;
        }
    }
    return best;
}

static inline real REAL(reduced)(int32_t kind, const heed_operand *x, heed_axes over, int64_t o,
                                 int64_t i)
{
    if (over.count == 0) return 0;
    if (kind == HEED_REDUCE_MAX)
        return *REAL(flat)(x, (o * over.count + REAL(first_max)(x, over, o, i)) * over.inner + i);
    real sum = 0;
    for (int64_t k = 0; k < over.count; k++)
        sum += *REAL(flat)(x, (o * over.count + k) * over.inner + i);
    return kind == HEED_REDUCE_MEAN ? sum / (real)over.count : sum;
}

void REAL(heed_reduce_reference)(const heed_kernel_args *args)
{
    const heed_reduce_attributes *attributes = args->attributes;
    heed_axes over = heed_axes_around(args->in[0].shape, attributes->axis);
    for (int64_t o = 0; o < over.outer; o++)
        for (int64_t i = 0; i < over.inner; i++)
            *REAL(flat)(&args->out[0], o * over.inner + i) = REAL(reduced)(
                attributes->kind, &args->in[0], over, o, i);
}

/* Inputs: dy, and for the maximum also x. */
void REAL(heed_reduce_backward_reference)(const heed_kernel_args *args)
{
    const heed_reduce_backward_attributes *attributes = args->attributes;
    const heed_operand *dx = &args->out[0];
    int32_t kind = attributes->reduce.kind;
    heed_axes over = heed_axes_around(dx->shape, attributes->reduce.axis);
    for (int64_t o = 0; o < over.outer && over.count; o++)
        for (int64_t i = 0; i < over.inner; i++) {
            real dy = *REAL(flat)(&args->in[0], o * over.inner + i);
            int64_t only = kind == HEED_REDUCE_MAX ? REAL(first_max)(&args->in[1], over, o, i) : -1;
            if (kind == HEED_REDUCE_MEAN) dy /= (real)over.count;
            for (int64_t k = 0; k < over.count; k++)
                *REAL(flat)(dx, (o * over.count + k) * over.inner + i) = only < 0 || k == only ? dy
                                                                                               : 0;
        }
}

#if !HEED_REAL_DOUBLE
/* Computes the shape of y; false if the attributes do not fit x. */
static bool reduced_shape(heed_shape x, const heed_reduce_attributes *attributes, heed_shape *y)
{
    int axis = attributes->axis, rank = x.rank;
    if (attributes->kind < HEED_REDUCE_SUM || attributes->kind > HEED_REDUCE_MAX || axis < 0 ||
        axis >= rank)
        return false;
    if (attributes->keep && axis != rank - 1) return false;
    *y = (heed_shape){.rank = (int8_t)(attributes->keep ? rank : rank - 1)};
    y->extent = axis == 0 ? HEED_EXTENT_FIXED : x.extent;
    for (int i = 0; i < rank - 1; i++) y->dim[i] = x.dim[i < axis ? i : i + 1];
    if (attributes->keep) y->dim[axis] = 1;
    return true;
}

static heed_status infer(heed_infer *infer, heed_error *error)
{
    HEED_TRY(heed_check_f32(infer, error));
    if (!reduced_shape(infer->shape[0], infer->attributes, &infer->out_shape[0]))
        return heed_infer_fail(
            infer, error, HEED_E_ARG,
            "sum, mean or max, an axis that exists, and keep with the last axis only");
    return HEED_OK;
}

static heed_status infer_backward(heed_infer *infer, heed_error *error)
{
    const heed_reduce_backward_attributes *attributes = infer->attributes;
    heed_shape reduced;
    HEED_TRY(heed_check_f32(infer, error));
    if (!heed_shape_is_valid(attributes->shape) ||
        !reduced_shape(attributes->shape, &attributes->reduce, &reduced) ||
        !heed_shape_equal(reduced, infer->shape[0]))
        return heed_infer_fail(infer, error, HEED_E_SHAPE,
                               "dy with the shape of the reduced value");
    bool needs_x = attributes->reduce.kind == HEED_REDUCE_MAX;
    if (infer->present[1] != needs_x ||
        (needs_x && !heed_shape_equal(attributes->shape, infer->shape[1])))
        return heed_infer_fail(infer, error, HEED_E_SHAPE,
                               "x, for the maximum only, with the shape of the result");
    infer->out_shape[0] = attributes->shape;
    return HEED_OK;
}

static heed_status gradient(heed_graph *graph, const heed_node *node, const heed_value *dout,
                            heed_value *din, heed_error *error)
{
    (void)error;
    heed_reduce_backward_attributes attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.reduce = *(const heed_reduce_attributes *)node->attributes;
    attributes.shape = heed_attributes_of_shape(heed_value_shape(graph, node->in[0])).shape;
    heed_value in[2] = {dout[0],
                        attributes.reduce.kind == HEED_REDUCE_MAX ? node->in[0] : HEED_NONE};
    din[0] = heed_emit(graph, HEED_OP_REDUCE_BACKWARD, in, 2, &attributes, NULL);
    return HEED_OK;
}

heed_value heed_reduce(heed_graph *graph, heed_reduce_kind kind, heed_value x, int axis, bool keep)
{
    int rank = heed_value_shape(graph, x).rank;
    heed_reduce_attributes attributes = {
        .kind = (int32_t)kind, .axis = axis < 0 ? axis + rank : axis, .keep = keep};
    return heed_emit(graph, HEED_OP_REDUCE, &x, 1, &attributes, NULL);
}

const heed_op heed_op_reduce = {
    .name = "reduce",
    .in_min = 1,
    .in_max = 1,
    .n_out = 1,
    .attribute_size = sizeof(heed_reduce_attributes),
    .infer = infer,
    .gradient = gradient,
    HEED_REFERENCES(reduce),
};
const heed_op heed_op_reduce_backward = {
    .name = "reduce_backward",
    .in_min = 1,
    .in_max = 2,
    .n_out = 1,
    .attribute_size = sizeof(heed_reduce_backward_attributes),
    .infer = infer_backward,
    .no_gradient = "second derivatives are not taken",
    HEED_REFERENCES(reduce_backward),
};
#endif
