/* Scale by a constant and add another one.
   Formula:  y = x * factor + offset, both rounded to the precision of the plan
   Inputs:   x (...) f32
   Output:   y (...) f32
   Gradient: dy * factor
   Errors:   HEED_E_DTYPE unless f32 */
#include "op/check.h"
#include "op/reference.h"

HEED_REFERENCE(scale);

void REAL(heed_scale_reference)(const heed_kernel_args *args)
{
    const heed_operand *x = &args->in[0], *y = &args->out[0];
    const heed_scale_attributes *attributes = args->attributes;
    real factor = (real)attributes->factor, offset = (real)attributes->offset;
    int64_t columns = heed_shape_columns(x->shape);
    for (int64_t i = 0; i < heed_shape_rows(x->shape); i++)
        for (int64_t j = 0; j < columns; j++)
            REAL(row)(y, i)[j] = REAL(row)(x, i)[j] * factor + offset;
}

#if !HEED_REAL_DOUBLE
static heed_status infer(heed_infer *infer, heed_error *error)
{
    HEED_TRY(heed_check_f32(infer, error));
    infer->out_shape[0] = infer->shape[0];
    return HEED_OK;
}

static heed_status gradient(heed_graph *graph, const heed_node *node, const heed_value *dout,
                            heed_value *din, heed_error *error)
{
    (void)error;
    double factor = ((const heed_scale_attributes *)node->attributes)->factor;
    din[0] = factor == 1 ? dout[0] : heed_scale(graph, dout[0], factor, 0);
    return HEED_OK;
}

heed_value heed_scale(heed_graph *graph, heed_value x, double factor, double offset)
{
    heed_scale_attributes attributes = {.factor = factor, .offset = offset};
    return heed_emit(graph, HEED_OP_SCALE, &x, 1, &attributes, NULL);
}

const heed_op heed_op_scale = {
    .name = "scale",
    .in_min = 1,
    .in_max = 1,
    .n_out = 1,
    .attribute_size = sizeof(heed_scale_attributes),
    .flags = HEED_OP_ROW_LOCAL | HEED_OP_IN_PLACE,
    .infer = infer,
    .gradient = gradient,
    HEED_REFERENCES(scale),
};
#endif
