/* Element-wise arithmetic of two values.
   Formula:  y = a + b, a - b, a * b or a / b
   Inputs:   a (...,D) f32
             b f32 with the shape of a, or (D), or (...,1), or one element (op/broadcast.h)
   Output:   y (...,D) f32
   Gradient: of a and of b; that of b is summed over the axes along which it was repeated
   Errors:   HEED_E_SHAPE if b does not fit a; HEED_E_DTYPE unless f32 */
#include "op/broadcast.h"
#include "op/check.h"

HEED_REFERENCE(binary);

static inline real REAL(apply)(int32_t kind, real a, real b)
{
    switch (kind) {
    case HEED_BINARY_ADD: return a + b;
    case HEED_BINARY_SUBTRACT: return a - b;
    case HEED_BINARY_MULTIPLY: return a * b;
    default: return a / b;
    }
}

void REAL(heed_binary_reference)(const heed_kernel_args *args)
{
    const heed_operand *a = &args->in[0], *b = &args->in[1], *y = &args->out[0];
    int32_t kind = ((const heed_binary_attributes *)args->attributes)->kind;
    heed_broadcast_kind fit = heed_broadcast_of(b->shape, a->shape);
    int64_t width = heed_width(a), columns = heed_shape_columns(a->shape);
    for (int64_t i = 0; i < heed_shape_rows(a->shape); i++)
        for (int64_t j = 0; j < columns; j++) REAL(row)
    (y, i)[j] = REAL(apply)(kind, REAL(row)(a, i)[j], REAL(broadcast_at)(b, fit, i, j, width));
}

#if !HEED_REAL_DOUBLE
static heed_status infer(heed_infer *infer, heed_error *error)
{
    int32_t kind = ((const heed_binary_attributes *)infer->attributes)->kind;
    if (kind < HEED_BINARY_ADD || kind > HEED_BINARY_DIVIDE)
        return heed_infer_fail(infer, error, HEED_E_ARG, "a kind of heed_binary_kind");
    HEED_TRY(heed_check_f32(infer, error));
    if (heed_broadcast_of(infer->shape[1], infer->shape[0]) == HEED_BROADCAST_MISFIT)
        return heed_infer_fail(infer, error, HEED_E_SHAPE,
                               "the second with the shape of the first, (D) against (...,D), "
                               "(...,1) against (...,D), or one element");
    infer->out_shape[0] = infer->shape[0];
    return HEED_OK;
}

static heed_value emit(heed_graph *graph, heed_binary_kind kind, heed_value a, heed_value b)
{
    heed_binary_attributes attributes = {.kind = (int32_t)kind};
    return heed_emit(graph, HEED_OP_BINARY, (heed_value[]){a, b}, 2, &attributes, NULL);
}

static heed_status gradient(heed_graph *graph, const heed_node *node, const heed_value *dout,
                            heed_value *din, heed_error *error)
{
    (void)error;
    heed_value a = node->in[0], b = node->in[1], dy = dout[0], db = dy;
    switch (((const heed_binary_attributes *)node->attributes)->kind) {
    case HEED_BINARY_ADD: din[0] = dy; break;
    case HEED_BINARY_SUBTRACT:
        din[0] = dy;
        db = heed_scale(graph, dy, -1, 0);
        break;
    case HEED_BINARY_MULTIPLY:
        din[0] = emit(graph, HEED_BINARY_MULTIPLY, dy, b);
        db = emit(graph, HEED_BINARY_MULTIPLY, dy, a);
        break;
    default: /* d(a/b)/db = -y/b */
        din[0] = emit(graph, HEED_BINARY_DIVIDE, dy, b);
        db = heed_scale(graph, emit(graph, HEED_BINARY_MULTIPLY, din[0], node->out[0]), -1, 0);
    }
    din[1] = heed_reduce_to(graph, db, heed_value_shape(graph, b));
    return HEED_OK;
}

heed_value heed_add(heed_graph *graph, heed_value a, heed_value b)
{
    return emit(graph, HEED_BINARY_ADD, a, b);
}

heed_value heed_subtract(heed_graph *graph, heed_value a, heed_value b)
{
    return emit(graph, HEED_BINARY_SUBTRACT, a, b);
}

heed_value heed_multiply(heed_graph *graph, heed_value a, heed_value b)
{
    return emit(graph, HEED_BINARY_MULTIPLY, a, b);
}

heed_value heed_divide(heed_graph *graph, heed_value a, heed_value b)
{
    return emit(graph, HEED_BINARY_DIVIDE, a, b);
}

const heed_op heed_op_binary = {
    .name = "binary",
    .in_min = 2,
    .in_max = 2,
    .n_out = 1,
    .attribute_size = sizeof(heed_binary_attributes),
    .flags = HEED_OP_ROW_LOCAL | HEED_OP_IN_PLACE,
    .infer = infer,
    .gradient = gradient,
    HEED_REFERENCES(binary),
};
#endif
