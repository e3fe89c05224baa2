/* Values kept within a limit.
   Formula:  y = min(max(x, -limit), limit)
   Inputs:   x (...) f32
   Output:   y (...) f32
   Gradient: clamp_backward, inputs dy and x: dy where |x| <= limit, 0 beyond
   Errors:   HEED_E_DTYPE; HEED_E_SHAPE unless dy and x are alike; HEED_E_ARG unless limit > 0 */
#include "op/check.h"
#include "op/reference.h"

HEED_REFERENCE(clamp);
HEED_REFERENCE(clamp_backward);

void REAL(heed_clamp_reference)(const heed_kernel_args *args)
{
    const heed_operand *x = &args->in[0], *y = &args->out[0];
    real limit = (real)((const heed_clamp_attributes *)args->attributes)->limit;
    int64_t columns = heed_shape_columns(x->shape);
    for (int64_t i = 0; i < heed_shape_rows(x->shape); i++)
        for (int64_t j = 0; j < columns; j++) {
            real value = REAL(row)(x, i)[j];
            if (value < -limit) value = -limit; /* NaN stays */
            if (value > limit) value = limit;
            REAL(row)(y, i)[j] = value;
        }
}

void REAL(heed_clamp_backward_reference)(const heed_kernel_args *args)
{
    const heed_operand *dy = &args->in[0], *x = &args->in[1], *dx = &args->out[0];
    real limit = (real)((const heed_clamp_attributes *)args->attributes)->limit;
    int64_t columns = heed_shape_columns(x->shape);
    for (int64_t i = 0; i < heed_shape_rows(x->shape); i++)
        for (int64_t j = 0; j < columns; j++) {
            real value = REAL(row)(x, i)[j];
            REAL(row)(dx, i)[j] = value < -limit || value > limit ? 0 : REAL(row)(dy, i)[j];
        }
}

#if !HEED_REAL_DOUBLE
static heed_status infer(heed_infer *infer, heed_error *error)
{
    HEED_TRY(heed_check_f32(infer, error));
    if (infer->n_in == 2 && !heed_shape_equal(infer->shape[1], infer->shape[0]))
        return heed_infer_fail(infer, error, HEED_E_SHAPE, "equal shapes");
    if (!(((const heed_clamp_attributes *)infer->attributes)->limit > 0))
        return heed_infer_fail(infer, error, HEED_E_ARG, "a limit above 0");
    infer->out_shape[0] = infer->shape[0];
    return HEED_OK;
}

static heed_status gradient(heed_graph *graph, const heed_node *node, const heed_value *dout,
                            heed_value *din, heed_error *error)
{
    (void)error;
    din[0] = heed_emit(graph, HEED_OP_CLAMP_BACKWARD, (heed_value[]){dout[0], node->in[0]}, 2,
                       node->attributes, NULL);
    return HEED_OK;
}

heed_value heed_clamp(heed_graph *graph, heed_value x, float limit)
{
    heed_clamp_attributes attributes = {.limit = limit};
    return heed_emit(graph, HEED_OP_CLAMP, &x, 1, &attributes, NULL);
}

const heed_op heed_op_clamp = {
    .name = "clamp",
    .in_min = 1,
    .in_max = 1,
    .n_out = 1,
    .attribute_size = sizeof(heed_clamp_attributes),
    .flags = HEED_OP_ROW_LOCAL | HEED_OP_IN_PLACE,
    .infer = infer,
    .gradient = gradient,
    HEED_REFERENCES(clamp),
};
const heed_op heed_op_clamp_backward = {
    .name = "clamp_backward",
    .in_min = 2,
    .in_max = 2,
    .n_out = 1,
    .attribute_size = sizeof(heed_clamp_attributes),
    .flags = HEED_OP_ROW_LOCAL | HEED_OP_IN_PLACE,
    .infer = infer,
    .no_gradient = "second derivatives are not taken",
    HEED_REFERENCES(clamp_backward),
};
#endif
