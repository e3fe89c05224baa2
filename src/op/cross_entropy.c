/* Softmax cross-entropy in nats, one number a row, with label smoothing s.
   Formula:  y = log sum exp(x) - (1 - s) x[label] - s mean(x)
             A row whose label is outside [0,V), HEED_IGNORE among them, gives 0 and no gradient.
   Inputs:   logits x (R,V) f32
             labels (R) i32
   Output:   y (R) f32
   Gradient: cross_entropy_backward, inputs logits, labels and drow (R):
             dlogits (R,V) = drow * (softmax(x) - (1 - s) [v = label] - s / V)
   Errors:   HEED_E_SHAPE, HEED_E_DTYPE; HEED_E_ARG for a smoothing outside [0,1)
   Source:   Szegedy et al. 2016, section 7 */
#include "op/check.h"
#include "op/reference.h"

HEED_REFERENCE(cross_entropy);
HEED_REFERENCE(cross_entropy_backward);

/* The largest logit of a row, and the sum of exp(x - max). */
static inline real REAL(partition)(const real *x, int64_t width, real *max)
{
    real sum = 0;
    *max = x[0];
    for (int64_t j = 1; j < width; j++) *max = x[j] > *max ? x[j] : *max;
    for (int64_t j = 0; j < width; j++) sum += R(exp)(x[j] - *max);
    return sum;
}

void REAL(heed_cross_entropy_reference)(const heed_kernel_args *args)
{
    const heed_operand *logits = &args->in[0], *labels = &args->in[1], *y = &args->out[0];
    real smoothing = (real)((const heed_cross_entropy_attributes *)args->attributes)->smoothing;
    int64_t width = logits->shape.dim[1];
    for (int64_t i = 0; i < logits->shape.dim[0]; i++) {
        const real *x = REAL(row)(logits, i);
        int32_t label = *REAL(integers)(labels, i);
        *REAL(row)(y, i) = 0;
        if (label < 0 || label >= width) continue;
        real max, mean = 0, sum = REAL(partition)(x, width, &max);
        for (int64_t j = 0; j < width && smoothing > 0; j++) mean += x[j] - max;
        real loss = R(log)(sum) - (1 - smoothing) * (x[label] - max);
        *REAL(row)(y, i) = smoothing > 0 ? loss - smoothing * mean / (real)width : loss;
    }
}

void REAL(heed_cross_entropy_backward_reference)(const heed_kernel_args *args)
{
    const heed_operand *logits = &args->in[0], *labels = &args->in[1], *drow = &args->in[2],
                       *dlogits = &args->out[0];
    real smoothing = (real)((const heed_cross_entropy_attributes *)args->attributes)->smoothing;
    int64_t width = logits->shape.dim[1];
    for (int64_t i = 0; i < logits->shape.dim[0]; i++) {
        const real *x = REAL(row)(logits, i);
        real *dx = REAL(row)(dlogits, i), max = 0, dloss = *REAL(row)(drow, i);
        int32_t label = *REAL(integers)(labels, i);
        bool scored = label >= 0 && label < width;
        real sum = scored ? REAL(partition)(x, width, &max) : 1;
        for (int64_t j = 0; j < width; j++) {
            real target = (j == label ? 1 - smoothing : 0) + smoothing / (real)width;
            dx[j] = scored ? dloss * (R(exp)(x[j] - max) / sum - target) : 0;
        }
    }
}

#if !HEED_REAL_DOUBLE
static heed_status check(heed_infer *infer, heed_error *error)
{
    heed_shape logits = infer->shape[0], labels = infer->shape[1];
    float smoothing = ((const heed_cross_entropy_attributes *)infer->attributes)->smoothing;
    if (infer->dtype[0] != HEED_F32 || infer->dtype[1] != HEED_I32 ||
        (infer->n_in == 3 && infer->dtype[2] != HEED_F32))
        return heed_infer_fail(infer, error, HEED_E_DTYPE, "logits of f32 and labels of i32");
    if (logits.rank != 2 || labels.rank != 1 || !heed_same_rows(logits, labels))
        return heed_infer_fail(infer, error, HEED_E_SHAPE, "logits (R,V) and labels (R)");
    if (infer->n_in == 3 && !heed_shape_equal(infer->shape[2], labels))
        return heed_infer_fail(infer, error, HEED_E_SHAPE, "the gradient of the rows (R)");
    if (!(smoothing >= 0 && smoothing < 1))
        return heed_infer_fail(infer, error, HEED_E_ARG, "a label smoothing in [0, 1)");
    return HEED_OK;
}

static heed_status infer(heed_infer *infer, heed_error *error)
{
    HEED_TRY(check(infer, error));
    infer->out_shape[0] = infer->shape[1];
    return HEED_OK;
}

static heed_status infer_backward(heed_infer *infer, heed_error *error)
{
    HEED_TRY(check(infer, error));
    infer->out_shape[0] = infer->shape[0];
    return HEED_OK;
}

static heed_status gradient(heed_graph *graph, const heed_node *node, const heed_value *dout,
                            heed_value *din, heed_error *error)
{
    (void)error;
    din[0] = heed_emit(graph, HEED_OP_CROSS_ENTROPY_BACKWARD,
                       (heed_value[]){node->in[0], node->in[1], dout[0]}, 3, node->attributes,
                       NULL);
    return HEED_OK;
}

heed_value heed_cross_entropy(heed_graph *graph, heed_value logits, heed_value labels,
                              float smoothing)
{
    heed_cross_entropy_attributes attributes = {.smoothing = smoothing};
    return heed_emit(graph, HEED_OP_CROSS_ENTROPY, (heed_value[]){logits, labels}, 2, &attributes,
                     NULL);
}

const heed_op heed_op_cross_entropy = {
    .name = "cross_entropy",
    .in_min = 2,
    .in_max = 2,
    .n_out = 1,
    .attribute_size = sizeof(heed_cross_entropy_attributes),
    .flags = HEED_OP_ROW_LOCAL,
    .infer = infer,
    .gradient = gradient,
    HEED_REFERENCES(cross_entropy),
};
const heed_op heed_op_cross_entropy_backward = {
    .name = "cross_entropy_backward",
    .in_min = 3,
    .in_max = 3,
    .n_out = 1,
    .attribute_size = sizeof(heed_cross_entropy_attributes),
    .flags = HEED_OP_ROW_LOCAL | HEED_OP_IN_PLACE,
    .infer = infer_backward,
    .no_gradient = "second derivatives are not taken",
    HEED_REFERENCES(cross_entropy_backward)};
#endif
