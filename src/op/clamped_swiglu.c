/* The gated unit of gpt-oss.
   Formula:  y = (clamp(u, -limit, limit) + 1) g sigmoid(alpha g) with g = min(gate, limit)
   Inputs:   gate, u (...,D) f32 of one shape
   Output:   y (...,D) f32
   Gradient: clamped_swiglu_backward, inputs dy, gate and u, outputs dgate and du; 0 beyond the
             limits
   Errors:   HEED_E_SHAPE, HEED_E_DTYPE; HEED_E_ARG unless limit > 0 and alpha is finite
   Source:   gpt-oss model card, 2025 */
#include "op/check.h"
#include "op/unary.h"

HEED_REFERENCE(clamped_swiglu);
HEED_REFERENCE(clamped_swiglu_backward);

static inline real REAL(clamp)(real x, real low, real high)
{
    if (x < low) return low;
    return x > high ? high : x;
}

void REAL(heed_clamped_swiglu_reference)(const heed_kernel_args *args)
{
    const heed_clamped_swiglu_attributes *attributes = args->attributes;
    const heed_operand *gate = &args->in[0], *up = &args->in[1], *y = &args->out[0];
    real limit = (real)attributes->limit, alpha = (real)attributes->alpha;
    int64_t columns = heed_shape_columns(y->shape);
    for (int64_t i = 0; i < heed_shape_rows(y->shape); i++)
        for (int64_t j = 0; j < columns; j++) {
            real g = REAL(row)(gate, i)[j], u = REAL(clamp)(REAL(row)(up, i)[j], -limit, limit);
            g = g > limit ? limit : g;
            REAL(row)(y, i)[j] = (u + 1) * (g * R(heed_sigmoid)(alpha * g));
        }
}

void REAL(heed_clamped_swiglu_backward_reference)(const heed_kernel_args *args)
{
    const heed_clamped_swiglu_attributes *attributes = args->attributes;
    const heed_operand *dy = &args->in[0], *gate = &args->in[1];
    const heed_operand *up = &args->in[2], *dgate = &args->out[0];
    const heed_operand *dup = &args->out[1];
    real limit = (real)attributes->limit, alpha = (real)attributes->alpha;
    int64_t columns = heed_shape_columns(dy->shape);
    for (int64_t i = 0; i < heed_shape_rows(dy->shape); i++)
        for (int64_t j = 0; j < columns; j++) {
            real d = REAL(row)(dy, i)[j], g = REAL(row)(gate, i)[j], u = REAL(row)(up, i)[j];
            real at = g > limit ? limit : g, s = R(heed_sigmoid)(alpha * at),
                 derivative = s + alpha * at * s * (1 - s);
            REAL(row)
            (dgate, i)[j] = g > limit ? 0 : d * (REAL(clamp)(u, -limit, limit) + 1) * derivative;
            REAL(row)(dup, i)[j] = u < -limit || u > limit ? 0 : d * (at * s);
        }
}

#if !HEED_REAL_DOUBLE
static heed_status infer(heed_infer *infer, heed_error *error)
{
    const heed_clamped_swiglu_attributes *attributes = infer->attributes;
    HEED_TRY(heed_check_f32(infer, error));
    for (int i = 1; i < infer->n_in; i++)
        if (!heed_shape_equal(infer->shape[i], infer->shape[0]))
            return heed_infer_fail(infer, error, HEED_E_SHAPE, "equal shapes");
    if (!(attributes->limit > 0) || !isfinite(attributes->alpha))
        return heed_infer_fail(infer, error, HEED_E_ARG, "a limit above 0 and a finite alpha");
    infer->out_shape[0] = infer->out_shape[1] = infer->shape[0];
    return HEED_OK;
}

static heed_status gradient(heed_graph *graph, const heed_node *node, const heed_value *dout,
                            heed_value *din, heed_error *error)
{
    (void)error;
    heed_value out[2] = {HEED_BAD, HEED_BAD};
    heed_emit(graph, HEED_OP_CLAMPED_SWIGLU_BACKWARD,
              (heed_value[]){dout[0], node->in[0], node->in[1]}, 3, node->attributes, out);
    din[0] = out[0];
    din[1] = out[1];
    return HEED_OK;
}

heed_value heed_clamped_swiglu(heed_graph *graph, heed_value gate, heed_value up, float alpha,
                               float limit)
{
    heed_clamped_swiglu_attributes attributes = {.alpha = alpha, .limit = limit};
    return heed_emit(graph, HEED_OP_CLAMPED_SWIGLU, (heed_value[]){gate, up}, 2, &attributes, NULL);
}

const heed_op heed_op_clamped_swiglu = {
    .name = "clamped_swiglu",
    .in_min = 2,
    .in_max = 2,
    .n_out = 1,
    .attribute_size = sizeof(heed_clamped_swiglu_attributes),
    .flags = HEED_OP_ROW_LOCAL | HEED_OP_IN_PLACE,
    .infer = infer,
    .gradient = gradient,
    HEED_REFERENCES(clamped_swiglu),
};
const heed_op heed_op_clamped_swiglu_backward = {
    .name = "clamped_swiglu_backward",
    .in_min = 3,
    .in_max = 3,
    .n_out = 2,
    .attribute_size = sizeof(heed_clamped_swiglu_attributes),
    .flags = HEED_OP_ROW_LOCAL | HEED_OP_IN_PLACE,
    .infer = infer,
    .no_gradient = "second derivatives are not taken",
    HEED_REFERENCES(clamped_swiglu_backward)};
#endif
