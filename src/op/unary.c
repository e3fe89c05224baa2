/* Element-wise functions of one argument.
   Formula:  y = f(x); formulas and sources stand in include/heed/unaries.def
   Inputs:   x (...) f32
   Output:   y (...) f32
   Gradient: unary_backward: dx = dy * f'(x)
   Errors:   HEED_E_ARG for an unknown kind; HEED_E_DTYPE unless f32 */
#include "op/unary.h"
#include "op/check.h"

HEED_REFERENCE(unary);
HEED_REFERENCE(unary_backward);

void REAL(heed_unary_reference)(const heed_kernel_args *args)
{
    const heed_operand *x = &args->in[0], *y = &args->out[0];
    int32_t kind = ((const heed_unary_attributes *)args->attributes)->kind;
    int64_t columns = heed_shape_columns(x->shape);
    for (int64_t i = 0; i < heed_shape_rows(x->shape); i++)
        for (int64_t j = 0; j < columns; j++)
            REAL(row)(y, i)[j] = REAL(heed_unary_value)(kind, REAL(row)(x, i)[j]);
}

/* Inputs dy, x; dx may overwrite dy. */
void REAL(heed_unary_backward_reference)(const heed_kernel_args *args)
{
    const heed_operand *dy = &args->in[0], *x = &args->in[1], *dx = &args->out[0];
    int32_t kind = ((const heed_unary_attributes *)args->attributes)->kind;
    int64_t columns = heed_shape_columns(x->shape);
    for (int64_t i = 0; i < heed_shape_rows(x->shape); i++)
        for (int64_t j = 0; j < columns; j++) REAL(row)
    (dx, i)[j] = REAL(row)(dy, i)[j] * REAL(heed_unary_derivative)(kind, REAL(row)(x, i)[j]);
}

#if !HEED_REAL_DOUBLE
static heed_status infer(heed_infer *infer, heed_error *error)
{
    int32_t kind = ((const heed_unary_attributes *)infer->attributes)->kind;
    if (kind < 0 || kind >= HEED_UNARY_COUNT)
        return heed_infer_fail(infer, error, HEED_E_ARG, "a kind of heed_unary_kind");
    HEED_TRY(heed_check_f32(infer, error));
    if (infer->n_in == 2 && !heed_shape_equal(infer->shape[0], infer->shape[1]))
        return heed_infer_fail(infer, error, HEED_E_SHAPE, "equal shapes");
    infer->out_shape[0] = infer->shape[0];
    return HEED_OK;
}

static heed_status gradient(heed_graph *graph, const heed_node *node, const heed_value *dout,
                            heed_value *din, heed_error *error)
{
    (void)error;
    din[0] = heed_emit(graph, HEED_OP_UNARY_BACKWARD, (heed_value[]){dout[0], node->in[0]}, 2,
                       node->attributes, NULL);
    return HEED_OK;
}

heed_value heed_unary(heed_graph *graph, heed_unary_kind kind, heed_value x)
{
    if (kind == HEED_UNARY_LINEAR) return x;
    heed_unary_attributes attributes = {.kind = (int32_t)kind};
    return heed_emit(graph, HEED_OP_UNARY, &x, 1, &attributes, NULL);
}

const heed_op heed_op_unary = {
    .name = "unary",
    .in_min = 1,
    .in_max = 1,
    .n_out = 1,
    .attribute_size = sizeof(heed_unary_attributes),
    .flags = HEED_OP_ROW_LOCAL | HEED_OP_IN_PLACE,
    .infer = infer,
    .gradient = gradient,
    HEED_REFERENCES(unary),
};
const heed_op heed_op_unary_backward = {
    .name = "unary_backward",
    .in_min = 2,
    .in_max = 2,
    .n_out = 1,
    .attribute_size = sizeof(heed_unary_attributes),
    .flags = HEED_OP_ROW_LOCAL | HEED_OP_IN_PLACE,
    .infer = infer,
    .no_gradient = "second derivatives are not taken",
    HEED_REFERENCES(unary_backward),
};
#endif
