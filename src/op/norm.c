/* Layer and RMS normalization over the last axis.
   Formula:  layer_norm: y = (x - mean) / sqrt(mean((x - mean)^2) + eps) * gain + bias
             rms_norm:   y = x / sqrt(mean(x^2) + eps) * (gain + offset)
   Inputs:   x (...,D) f32
             gain (D) f32, fixed, optional: without it the factor is 1
             bias (D) f32, fixed, optional; layer_norm only
   Output:   y (...,D) f32
   Gradient: layer_norm_backward and rms_norm_backward for x, norm_gain_backward for gain and bias;
             they compute mean and variance again
   Errors:   HEED_E_SHAPE for rank < 2 or gain and bias that are not (D); HEED_E_DTYPE unless f32;
             HEED_E_ARG for an eps below 0
   Source:   Ba, Kiros & Hinton 2016; Zhang & Sennrich 2019, eq. 4 */
#include "op/norm.h"
#include "op/check.h"

HEED_REFERENCE(layer_norm);
HEED_REFERENCE(layer_norm_backward);
HEED_REFERENCE(rms_norm);
HEED_REFERENCE(rms_norm_backward);
HEED_REFERENCE(norm_gain_backward);

static inline void REAL(normalize)(const heed_kernel_args *args, heed_fused_norm kind)
{
    const heed_norm_attributes *attributes = args->attributes;
    const heed_operand *x = &args->in[0], *y = &args->out[0], *gain = heed_optional(args, 1),
                       *bias = heed_optional(args, 2);
    int64_t width = heed_width(x), columns = heed_shape_columns(x->shape);
    for (int64_t i = 0; i < heed_shape_rows(x->shape); i++)
        for (int64_t at = 0; at < columns; at += width) {
            const real *from = REAL(row)(x, i) + at;
            real *to = REAL(row)(y, i) + at;
            REAL(heed_row_norm) norm = REAL(heed_norm_of_row)(kind, from, width, attributes->eps);
            for (int64_t j = 0; j < width; j++)
                to[j] = (from[j] - norm.mean) * norm.rstd *
                            REAL(heed_gain_at)(gain, attributes->offset, j) +
                        (bias ? *REAL(row)(bias, j) : 0);
        }
}

/* Inputs dy, x, gain. With g = dy * gain: dx = (g - mean(g) - xhat mean(g xhat)) * rstd. For the
   RMS norm, which subtracts no mean, mean(g) is left out. dx may overwrite dy. */
static inline void REAL(normalize_backward)(const heed_kernel_args *args, heed_fused_norm kind)
{
    const heed_norm_attributes *attributes = args->attributes;
    const heed_operand *dy = &args->in[0], *x = &args->in[1], *dx = &args->out[0],
                       *gain = heed_optional(args, 2);
    int64_t width = heed_width(x), columns = heed_shape_columns(x->shape);
    for (int64_t i = 0; i < heed_shape_rows(x->shape); i++)
        for (int64_t at = 0; at < columns; at += width) {
            const real *from = REAL(row)(x, i) + at, *dy_row = REAL(row)(dy, i) + at;
            real *to = REAL(row)(dx, i) + at, mean_g = 0, mean_g_xhat = 0;
            REAL(heed_row_norm) norm = REAL(heed_norm_of_row)(kind, from, width, attributes->eps);
            for (int64_t j = 0; j < width; j++) {
                real g = dy_row[j] * REAL(heed_gain_at)(gain, attributes->offset, j);
                mean_g += g;
                mean_g_xhat += g * (from[j] - norm.mean) * norm.rstd;
            }
            mean_g = kind == HEED_FUSED_NORM_LAYER ? mean_g / (real)width : 0;
            mean_g_xhat /= (real)width;
            for (int64_t j = 0; j < width; j++) {
                real g = dy_row[j] * REAL(heed_gain_at)(gain, attributes->offset, j);
                to[j] = (g - mean_g - (from[j] - norm.mean) * norm.rstd * mean_g_xhat) * norm.rstd;
            }
        }
}

void REAL(heed_layer_norm_reference)(const heed_kernel_args *args)
{
    REAL(normalize)(args, HEED_FUSED_NORM_LAYER);
}

void REAL(heed_rms_norm_reference)(const heed_kernel_args *args)
{
    REAL(normalize)(args, HEED_FUSED_NORM_RMS);
}

void REAL(heed_layer_norm_backward_reference)(const heed_kernel_args *args)
{
    REAL(normalize_backward)(args, HEED_FUSED_NORM_LAYER);
}

void REAL(heed_rms_norm_backward_reference)(const heed_kernel_args *args)
{
    REAL(normalize_backward)(args, HEED_FUSED_NORM_RMS);
}

/* Inputs dy, x. dgain = sum over rows, ascending, of dy times the normalized x; dbias = sum over
   rows of dy, (0) for the RMS norm. */
void REAL(heed_norm_gain_backward_reference)(const heed_kernel_args *args)
{
    const heed_norm_gain_attributes *attributes = args->attributes;
    const heed_operand *dy = &args->in[0], *x = &args->in[1], *dgain = &args->out[0],
                       *dbias = &args->out[1];
    int64_t width = heed_width(x), columns = heed_shape_columns(x->shape);
    bool layer = attributes->norm == HEED_FUSED_NORM_LAYER;
    REAL(clear)(dgain);
    if (layer) REAL(clear)(dbias);
    for (int64_t i = 0; i < heed_shape_rows(x->shape); i++)
        for (int64_t at = 0; at < columns; at += width) {
            const real *from = REAL(row)(x, i) + at, *dy_row = REAL(row)(dy, i) + at;
            REAL(heed_row_norm)
            norm = REAL(heed_norm_of_row)((heed_fused_norm)attributes->norm, from, width,
                                          attributes->eps);
            for (int64_t j = 0; j < width; j++)
                *REAL(row)(dgain, j) += dy_row[j] * (from[j] - norm.mean) * norm.rstd;
            for (int64_t j = 0; j < width && layer; j++) *REAL(row)(dbias, j) += dy_row[j];
        }
}

#if !HEED_REAL_DOUBLE
/* Shape inference of all five ops: `x` is the place of x, 0, or 1 after dy in the backward ops;
   gain and bias follow. */
static heed_status check(heed_infer *infer, heed_error *error, int x, float eps)
{
    HEED_TRY(heed_check_f32(infer, error));
    if (!(eps >= 0)) return heed_infer_fail(infer, error, HEED_E_ARG, "an eps of at least 0");
    if (infer->shape[x].rank < 2 || infer->shape[x].dim[infer->shape[x].rank - 1] < 1)
        return heed_infer_fail(infer, error, HEED_E_SHAPE, "at least two axes, the last not empty");
    if (x == 1 && !heed_shape_equal(infer->shape[0], infer->shape[1]))
        return heed_infer_fail(infer, error, HEED_E_SHAPE, "dy with the shape of x");
    for (int i = x + 1; i < infer->n_in; i++)
        if (!heed_fits_columns(infer, i, x))
            return heed_infer_fail(infer, error, HEED_E_SHAPE, "gain and bias (D) for x (...,D)");
    infer->out_shape[0] = infer->shape[x];
    return HEED_OK;
}

static heed_status infer(heed_infer *infer, heed_error *error)
{
    return check(infer, error, 0, ((const heed_norm_attributes *)infer->attributes)->eps);
}

static heed_status infer_backward(heed_infer *infer, heed_error *error)
{
    return check(infer, error, 1, ((const heed_norm_attributes *)infer->attributes)->eps);
}

static heed_status infer_gain(heed_infer *infer, heed_error *error)
{
    const heed_norm_gain_attributes *attributes = infer->attributes;
    if (attributes->norm != HEED_FUSED_NORM_LAYER && attributes->norm != HEED_FUSED_NORM_RMS)
        return heed_infer_fail(infer, error, HEED_E_ARG, "the layer or the RMS norm");
    HEED_TRY(check(infer, error, 1, attributes->eps));
    int64_t width = infer->shape[1].dim[infer->shape[1].rank - 1];
    infer->out_shape[0] = heed_shape_1(width);
    infer->out_shape[1] = heed_shape_1(attributes->norm == HEED_FUSED_NORM_LAYER ? width : 0);
    return HEED_OK;
}

static heed_status gradient(heed_graph *graph, const heed_node *node, const heed_value *dout,
                            heed_value *din, heed_error *error)
{
    (void)error;
    const heed_norm_attributes *attributes = node->attributes;
    bool layer = node->id == HEED_OP_LAYER_NORM;
    heed_value x = node->in[0], gain = heed_node_input(node, 1),
               bias = layer ? heed_node_input(node, 2) : HEED_NONE, vectors[2];
    din[0] = heed_emit(graph, layer ? HEED_OP_LAYER_NORM_BACKWARD : HEED_OP_RMS_NORM_BACKWARD,
                       (heed_value[]){dout[0], x, gain}, 3, attributes, NULL);
    if (gain == HEED_NONE && bias == HEED_NONE) return HEED_OK;
    heed_norm_gain_attributes which = {.eps = attributes->eps,
                                       .norm = layer ? HEED_FUSED_NORM_LAYER : HEED_FUSED_NORM_RMS};
    heed_emit(graph, HEED_OP_NORM_GAIN_BACKWARD, (heed_value[]){dout[0], x}, 2, &which, vectors);
    if (gain != HEED_NONE) din[1] = vectors[0];
    if (bias != HEED_NONE) din[2] = vectors[1];
    return HEED_OK;
}

heed_value heed_layer_norm(heed_graph *graph, heed_value x, heed_value gain, heed_value bias,
                           float eps)
{
    heed_norm_attributes attributes = {.eps = eps};
    return heed_emit(graph, HEED_OP_LAYER_NORM, (heed_value[]){x, gain, bias}, 3, &attributes,
                     NULL);
}

heed_value heed_rms_norm(heed_graph *graph, heed_value x, heed_value gain, float eps, float offset)
{
    heed_norm_attributes attributes = {.eps = eps, .offset = offset};
    return heed_emit(graph, HEED_OP_RMS_NORM, (heed_value[]){x, gain}, 2, &attributes, NULL);
}

#define NORM_FLAGS (HEED_OP_ROW_LOCAL | HEED_OP_IN_PLACE)
const heed_op heed_op_layer_norm = {
    .name = "layer_norm",
    .in_min = 1,
    .in_max = 3,
    .n_out = 1,
    .attribute_size = sizeof(heed_norm_attributes),
    .flags = NORM_FLAGS,
    .infer = infer,
    .gradient = gradient,
    HEED_REFERENCES(layer_norm),
};
const heed_op heed_op_layer_norm_backward = {
    .name = "layer_norm_backward",
    .in_min = 2,
    .in_max = 3,
    .n_out = 1,
    .attribute_size = sizeof(heed_norm_attributes),
    .flags = NORM_FLAGS,
    .infer = infer_backward,
    .no_gradient = "second derivatives are not taken",
    HEED_REFERENCES(layer_norm_backward),
};
const heed_op heed_op_rms_norm = {
    .name = "rms_norm",
    .in_min = 1,
    .in_max = 2,
    .n_out = 1,
    .attribute_size = sizeof(heed_norm_attributes),
    .flags = NORM_FLAGS,
    .infer = infer,
    .gradient = gradient,
    HEED_REFERENCES(rms_norm),
};
const heed_op heed_op_rms_norm_backward = {
    .name = "rms_norm_backward",
    .in_min = 2,
    .in_max = 3,
    .n_out = 1,
    .attribute_size = sizeof(heed_norm_attributes),
    .flags = NORM_FLAGS,
    .infer = infer_backward,
    .no_gradient = "second derivatives are not taken",
    HEED_REFERENCES(rms_norm_backward),
};
const heed_op heed_op_norm_gain_backward = {
    .name = "norm_gain_backward",
    .in_min = 2,
    .in_max = 2,
    .n_out = 2,
    .attribute_size = sizeof(heed_norm_gain_attributes),
    .infer = infer_gain,
    .no_gradient = "second derivatives are not taken",
    HEED_REFERENCES(norm_gain_backward),
};
#endif
