/* Broadcast: repeats x along the axes in which it lacks extent.
   Formula:  y[...,j] = x, x[j] or x[...,0], for x of one element, of shape (D), or of shape (...,1)
   Inputs:   x f32
   Output:   y (...,D) f32, of the shape in the attributes
   Gradient: dy summed over the repeated axes
   Errors:   HEED_E_SHAPE if x does not fit under the rules of heed_add; HEED_E_DTYPE unless f32 */
#include "op/broadcast.h"
#include "op/check.h"

HEED_REFERENCE(broadcast);

void REAL(heed_broadcast_reference)(const heed_kernel_args *args)
{
    const heed_operand *x = &args->in[0], *y = &args->out[0];
    heed_broadcast_kind kind = heed_broadcast_of(x->shape, y->shape);
    int64_t width = heed_width(y), columns = heed_shape_columns(y->shape);
    for (int64_t i = 0; i < heed_shape_rows(y->shape); i++)
        for (int64_t j = 0; j < columns; j++)
            REAL(row)(y, i)[j] = REAL(broadcast_at)(x, kind, i, j, width);
}

#if !HEED_REAL_DOUBLE
heed_value heed_reduce_to(heed_graph *graph, heed_value dy, heed_shape target)
{
    heed_shape shape = heed_value_shape(graph, dy);
    heed_broadcast_kind kind = heed_broadcast_of(target, shape);
    if (kind == HEED_BROADCAST_SAME || dy == HEED_BAD) return dy;
    if (kind == HEED_BROADCAST_COLUMN) return heed_reduce(graph, HEED_REDUCE_SUM, dy, -1, true);
    int keep = kind == HEED_BROADCAST_ROW ? 1 : 0;
    for (int axes = shape.rank; axes > keep; axes--)
        dy = heed_reduce(graph, HEED_REDUCE_SUM, dy, keep ? 0 : -1, false);
    return target.rank == keep ? dy : heed_reshape(graph, dy, target);
}

static heed_status infer(heed_infer *infer, heed_error *error)
{
    heed_shape shape = ((const heed_shape_attributes *)infer->attributes)->shape;
    HEED_TRY(heed_check_f32(infer, error));
    if (!heed_shape_is_valid(shape) ||
        heed_broadcast_of(infer->shape[0], shape) == HEED_BROADCAST_MISFIT)
        return heed_infer_fail(
            infer, error, HEED_E_SHAPE,
            "the target's shape, (D) for a target (...,D), (...,1), or one element");
    infer->out_shape[0] = shape;
    return HEED_OK;
}

static heed_status gradient(heed_graph *graph, const heed_node *node, const heed_value *dout,
                            heed_value *din, heed_error *error)
{
    (void)error;
    din[0] = heed_reduce_to(graph, dout[0], heed_value_shape(graph, node->in[0]));
    return HEED_OK;
}

heed_value heed_broadcast(heed_graph *graph, heed_value x, heed_value like)
{
    if (like <= 0)
        return heed_graph_fail(graph, HEED_E_ARG, "broadcast: the value to be like is missing");
    heed_shape_attributes attributes = heed_attributes_of_shape(heed_value_shape(graph, like));
    return heed_emit(graph, HEED_OP_BROADCAST, &x, 1, &attributes, NULL);
}

const heed_op heed_op_broadcast = {
    .name = "broadcast",
    .in_min = 1,
    .in_max = 1,
    .n_out = 1,
    .attribute_size = sizeof(heed_shape_attributes),
    .flags = HEED_OP_ROW_LOCAL,
    .infer = infer,
    .gradient = gradient,
    HEED_REFERENCES(broadcast),
};
#endif
