/* Cast: the same values in another floating type, rounded to nearest even.
   Inputs:   x (...) f32, f16 or bf16
   Output:   y (...) f32, f16 or bf16. In a double-precision plan a value of type f32 holds doubles;
             casting it rounds to f32 first and then to the narrow type, so that the rounding is
             that of the float plan whenever the double is a float.
   Gradient: dy, in f32 (the rounding counts as the identity)
   Errors:   HEED_E_DTYPE unless both types are floating */
#include "op/check.h"
#include "op/reference.h"

HEED_REFERENCE(cast);

void REAL(heed_cast_reference)(const heed_kernel_args *args)
{
    const heed_operand *x = &args->in[0], *y = &args->out[0];
    int64_t columns = heed_shape_columns(x->shape);
    for (int64_t i = 0; i < heed_shape_rows(x->shape); i++)
        for (int64_t j = 0; j < columns; j++) {
            real value = REAL(element)(x, i, j);
            int64_t at = i * y->row_stride + j;
            if (y->dtype == HEED_F16) ((uint16_t *)y->data)[at] = heed_f32_to_f16((float)value);
            else if (y->dtype == HEED_BF16)
                ((uint16_t *)y->data)[at] = heed_f32_to_bf16((float)value);
            else ((real *)y->data)[at] = value;
        }
}

#if !HEED_REAL_DOUBLE
static heed_status infer(heed_infer *infer, heed_error *error)
{
    heed_dtype target = (heed_dtype)((const heed_cast_attributes *)infer->attributes)->dtype;
    if (!heed_dtype_is_floating(infer->dtype[0]) || !heed_dtype_is_floating(target))
        return heed_infer_fail(infer, error, HEED_E_DTYPE,
                               "source and target among f32, f16 and bf16");
    infer->out_shape[0] = infer->shape[0];
    infer->out_dtype[0] = target;
    return HEED_OK;
}

static heed_status gradient(heed_graph *graph, const heed_node *node, const heed_value *dout,
                            heed_value *din, heed_error *error)
{
    (void)node;
    (void)error;
    din[0] = heed_cast(graph, dout[0], HEED_F32);
    return HEED_OK;
}

heed_value heed_cast(heed_graph *graph, heed_value x, heed_dtype dtype)
{
    if (x > 0 && heed_value_dtype(graph, x) == dtype) return x;
    heed_cast_attributes attributes = {.dtype = (int32_t)dtype};
    return heed_emit(graph, HEED_OP_CAST, &x, 1, &attributes, NULL);
}

const heed_op heed_op_cast = {
    .name = "cast",
    .in_min = 1,
    .in_max = 1,
    .n_out = 1,
    .attribute_size = sizeof(heed_cast_attributes),
    .flags = HEED_OP_ROW_LOCAL,
    .infer = infer,
    .gradient = gradient,
    HEED_REFERENCES(cast),
};
#endif
