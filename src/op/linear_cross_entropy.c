/* Output projection and softmax cross-entropy in one op, so that rows x vocabulary is never stored:
   a kernel works on a few rows at a time.

   linear_cross_entropy
   Formula:  nll = cross_entropy(x weight^T + bias, labels), sums as those of `matmul`.
             A row whose label is outside [0,V) gives 0 and no gradient.
   Inputs:   x (R,D) f32
             weight (V,D) f32, f16 or bf16
             labels (R) i32
             bias (V) f32, optional
   Output:   nll (R) f32

   linear_cross_entropy_backward: the gradient
   Formula:  dlogits = drow * (softmax - target), as cross_entropy_backward
             dx      = dlogits weight     as `matmul` sums it
             dweight = dlogits^T x        as `matmul` sums it
             dbias   = columns of dlogits summed, rows ascending
             It computes the logits again, and with them nll: where drow does not depend on nll, the
             fusion pass lets it be the only one of the two (graph/pass_fuse_loss.c).
   Inputs:   those above, then drow (R) f32; state (V,D) f32, optional
   Outputs:  dweight (V,D): with a state its next version, the sums going on from the old values;
               without elements where the weight is frozen
             dx (R,D)
             dbias (V): without elements if there is no bias
             nll (R)

   Options:  smoothing; bf16 operands: those of all three matmuls are rounded to bf16, as in
             `matmul`, dlogits too
   Errors:   HEED_E_SHAPE, HEED_E_DTYPE; HEED_E_ARG for a smoothing outside [0,1)
   Source:   Wijmans et al. 2024, "Cut your losses in large-vocabulary language models", which
             recomputes; here the logits of some of the rows stand in memory once */
#include "op/check.h"
#include "op/reference.h"

HEED_REFERENCE(linear_cross_entropy);
HEED_REFERENCE(linear_cross_entropy_backward);

typedef struct {
    real max, sum, mean;
} REAL(row_totals);

static inline real REAL(logit)(const heed_kernel_args *args, int64_t i, int64_t j)
{
    const heed_operand *x = &args->in[HEED_LINEAR_LOSS_X],
                       *weight = &args->in[HEED_LINEAR_LOSS_WEIGHT],
                       *bias = heed_optional(args, HEED_LINEAR_LOSS_BIAS);
    bool bf16 = ((const heed_linear_loss_attributes *)args->attributes)->bf16_operands;
    real sum = 0;
    for (int64_t k = 0; k < x->shape.dim[1]; k++)
        sum = R(fma)(REAL(operand)(REAL(row)(x, i)[k], bf16),
                     REAL(operand)(REAL(element)(weight, j, k), bf16), sum);
    return bias ? sum + *REAL(row)(bias, j) : sum;
}

/* The largest logit of a row, the sum of exp(logit - max) and the mean of logit - max. Logits are
   computed twice, so that no row needs to be stored. */
static inline REAL(row_totals) REAL(totals)(const heed_kernel_args *args, int64_t i)
{
    int64_t width = args->in[HEED_LINEAR_LOSS_WEIGHT].shape.dim[0];
    REAL(row_totals) t = {.max = REAL(logit)(args, i, 0)};
    for (int64_t j = 1; j < width; j++) t.max = R(fmax)(t.max, REAL(logit)(args, i, j));
    for (int64_t j = 0; j < width; j++) {
        real difference = REAL(logit)(args, i, j) - t.max;
        t.sum += R(exp)(difference);
        t.mean += difference / (real)width;
    }
    return t;
}

/* The label of row i, or -1 if the row is not scored. */
static inline int32_t REAL(label)(const heed_kernel_args *args, int64_t i)
{
    int32_t label = *REAL(integers)(&args->in[HEED_LINEAR_LOSS_LABELS], i);
    return label < args->in[HEED_LINEAR_LOSS_WEIGHT].shape.dim[0] ? label : -1;
}

static inline real REAL(smoothing)(const heed_kernel_args *args)
{
    return (real)((const heed_linear_loss_attributes *)args->attributes)->smoothing;
}

static inline real REAL(nll)(const heed_kernel_args *args, int64_t i, REAL(row_totals) t)
{
    real smoothing = REAL(smoothing)(args);
    return R(log)(t.sum) - (1 - smoothing) * (REAL(logit)(args, i, REAL(label)(args, i)) - t.max) -
           smoothing * t.mean;
}

void REAL(heed_linear_cross_entropy_reference)(const heed_kernel_args *args)
{
    for (int64_t i = 0; i < args->out[0].shape.dim[0]; i++)
        *REAL(row)(&args->out[0],
                   i) = REAL(label)(args, i) < 0 ? 0 : REAL(nll)(args, i, REAL(totals)(args, i));
}

/* Adds to the gradients what logit (i, j), whose gradient is d, contributes. */
static inline void REAL(add_gradients)(const heed_kernel_args *args, int64_t i, int64_t j, real d)
{
    const heed_operand *x = &args->in[HEED_LINEAR_LOSS_X],
                       *weight = &args->in[HEED_LINEAR_LOSS_WEIGHT];
    bool wanted = args->out[0].shape.dim[0] > 0,
         bf16 = ((const heed_linear_loss_attributes *)args->attributes)->bf16_operands;
    if (args->out[2].shape.dim[0] > 0) *REAL(row)(&args->out[2], j) += d;
    d = REAL(operand)(d, bf16);
    for (int64_t k = 0; k < x->shape.dim[1]; k++) {
        real *dx = &REAL(row)(&args->out[1], i)[k],
             *dw = wanted ? &REAL(row)(&args->out[0], j)[k] : NULL;
        *dx = R(fma)(d, REAL(operand)(REAL(element)(weight, j, k), bf16), *dx);
        if (dw) *dw = R(fma)(d, REAL(operand)(REAL(row)(x, i)[k], bf16), *dw);
    }
}

void REAL(heed_linear_cross_entropy_backward_reference)(const heed_kernel_args *args)
{
    int64_t width = args->in[HEED_LINEAR_LOSS_WEIGHT].shape.dim[0];
    real smoothing = REAL(smoothing)(args);
    if (!heed_optional(args, HEED_LINEAR_LOSS_STATE)) REAL(clear)(&args->out[0]);
    REAL(clear)(&args->out[1]);
    REAL(clear)(&args->out[2]);
    for (int64_t i = 0; i < args->out[1].shape.dim[0]; i++) {
        int32_t label = REAL(label)(args, i);
        *REAL(row)(&args->out[3], i) = 0;
        if (label < 0) continue;
        REAL(row_totals) t = REAL(totals)(args, i);
        *REAL(row)(&args->out[3], i) = REAL(nll)(args, i, t);
        for (int64_t j = 0; j < width; j++) {
            real target = (j == label ? 1 - smoothing : 0) + smoothing / (real)width;
            REAL(add_gradients)
            (args, i, j,
             *REAL(row)(&args->in[HEED_LINEAR_LOSS_DROW], i) *
                 (R(exp)(REAL(logit)(args, i, j) - t.max) / t.sum - target));
        }
    }
}

#if !HEED_REAL_DOUBLE
static heed_status check(heed_infer *infer, heed_error *error)
{
    heed_shape x = infer->shape[HEED_LINEAR_LOSS_X], weight = infer->shape[HEED_LINEAR_LOSS_WEIGHT],
               labels = infer->shape[HEED_LINEAR_LOSS_LABELS];
    float smoothing = ((const heed_linear_loss_attributes *)infer->attributes)->smoothing;
    bool bias = HEED_LINEAR_LOSS_BIAS < infer->n_in && infer->present[HEED_LINEAR_LOSS_BIAS];
    if (infer->dtype[HEED_LINEAR_LOSS_X] != HEED_F32 ||
        !heed_dtype_is_floating(infer->dtype[HEED_LINEAR_LOSS_WEIGHT]) ||
        infer->dtype[HEED_LINEAR_LOSS_LABELS] != HEED_I32 ||
        (bias && infer->dtype[HEED_LINEAR_LOSS_BIAS] != HEED_F32))
        return heed_infer_fail(
            infer, error, HEED_E_DTYPE,
            "x of f32, a weight of f32, f16 or bf16, labels of i32, a bias of f32");
    if (x.rank != 2 || weight.rank != 2 || weight.extent != HEED_EXTENT_FIXED ||
        weight.dim[0] < 1 || weight.dim[1] != x.dim[1] || labels.rank != 1 ||
        !heed_same_rows(x, labels))
        return heed_infer_fail(infer, error, HEED_E_SHAPE,
                               "x (R,D), a weight (V,D) and labels (R)");
    if (bias && !heed_shape_equal(infer->shape[HEED_LINEAR_LOSS_BIAS], heed_shape_1(weight.dim[0])))
        return heed_infer_fail(infer, error, HEED_E_SHAPE, "a bias (V)");
    if (!(smoothing >= 0 && smoothing < 1))
        return heed_infer_fail(infer, error, HEED_E_ARG, "a label smoothing in [0, 1)");
    return HEED_OK;
}

static heed_status infer(heed_infer *infer, heed_error *error)
{
    HEED_TRY(check(infer, error));
    infer->out_shape[0] = infer->shape[HEED_LINEAR_LOSS_LABELS];
    return HEED_OK;
}

static heed_status infer_backward(heed_infer *infer, heed_error *error)
{
    HEED_TRY(check(infer, error));
    heed_shape labels = infer->shape[HEED_LINEAR_LOSS_LABELS],
               weight = infer->shape[HEED_LINEAR_LOSS_WEIGHT];
    bool frozen = heed_value_is_frozen(infer->graph, infer->in[HEED_LINEAR_LOSS_WEIGHT]);
    bool state = HEED_LINEAR_LOSS_STATE < infer->n_in && infer->present[HEED_LINEAR_LOSS_STATE];
    if (HEED_LINEAR_LOSS_DROW >= infer->n_in || !infer->present[HEED_LINEAR_LOSS_DROW] ||
        infer->dtype[HEED_LINEAR_LOSS_DROW] != HEED_F32 ||
        !heed_shape_equal(infer->shape[HEED_LINEAR_LOSS_DROW], labels))
        return heed_infer_fail(infer, error, HEED_E_SHAPE, "the gradient of the rows (R) in f32");
    if (state && (frozen || infer->dtype[HEED_LINEAR_LOSS_STATE] != HEED_F32 ||
                  !heed_shape_equal(infer->shape[HEED_LINEAR_LOSS_STATE], weight)))
        return heed_infer_fail(infer, error, HEED_E_SHAPE,
                               "a state (V,D) of f32 for a weight that is trained");
    infer->out_shape[0] = frozen ? heed_shape_2(0, weight.dim[1]) : weight;
    infer->out_shape[1] = infer->shape[HEED_LINEAR_LOSS_X];
    infer->out_shape[2] = heed_shape_1(infer->present[HEED_LINEAR_LOSS_BIAS] ? weight.dim[0] : 0);
    infer->out_shape[3] = labels;
    return HEED_OK;
}

static heed_status gradient(heed_graph *graph, const heed_node *node, const heed_value *dout,
                            heed_value *din, heed_error *error)
{
    (void)error;
    heed_value in[HEED_LINEAR_LOSS_INPUTS] = {node->in[HEED_LINEAR_LOSS_X],
                                              node->in[HEED_LINEAR_LOSS_WEIGHT],
                                              node->in[HEED_LINEAR_LOSS_LABELS],
                                              heed_node_input(node, HEED_LINEAR_LOSS_BIAS),
                                              dout[0],
                                              HEED_NONE},
               out[4];
    if (heed_emit(graph, HEED_OP_LINEAR_CROSS_ENTROPY_BACKWARD, in, HEED_LINEAR_LOSS_INPUTS,
                  node->attributes, out) < 0)
        return HEED_OK;
    bool frozen = heed_value_is_frozen(graph, node->in[HEED_LINEAR_LOSS_WEIGHT]);
    din[HEED_LINEAR_LOSS_X] = out[1];
    if (!frozen) din[HEED_LINEAR_LOSS_WEIGHT] = out[0];
    if (in[HEED_LINEAR_LOSS_BIAS] != HEED_NONE) din[HEED_LINEAR_LOSS_BIAS] = out[2];
    return HEED_OK;
}

static heed_cost cost_of(const heed_kernel_args *args, double matmuls)
{
    heed_cost cost = {
        .flops = 2 * matmuls *
                 (double)heed_shape_elements(args->in[HEED_LINEAR_LOSS_WEIGHT].shape) *
                 (double)args->in[HEED_LINEAR_LOSS_X].shape.dim[0],
        .number = heed_matmul_number(
            args->in[HEED_LINEAR_LOSS_WEIGHT].dtype,
            ((const heed_linear_loss_attributes *)args->attributes)->bf16_operands)};
    for (int i = 0; i < args->n_in + args->n_out; i++) {
        const heed_operand *operand = i < args->n_in ? &args->in[i] : &args->out[i - args->n_in];
        if (operand->shape.rank)
            cost.bytes += (double)heed_shape_elements(operand->shape) *
                          heed_dtype_width(operand->dtype);
    }
    return cost;
}

static heed_cost cost(const heed_kernel_args *args)
{
    return cost_of(args, 1);
}

static heed_cost cost_backward(const heed_kernel_args *args)
{
    return cost_of(args, args->out[0].shape.dim[0] > 0 ? 3 : 2);
}

heed_value heed_linear_cross_entropy(heed_graph *graph, heed_value x, heed_value weight,
                                     heed_value bias, heed_value labels, float smoothing)
{
    heed_linear_loss_attributes attributes = {.smoothing = smoothing};
    return heed_emit(graph, HEED_OP_LINEAR_CROSS_ENTROPY, (heed_value[]){x, weight, labels, bias},
                     4, &attributes, NULL);
}

const heed_op heed_op_linear_cross_entropy = {
    .name = "linear_cross_entropy",
    .in_min = 3,
    .in_max = 4,
    .n_out = 1,
    .attribute_size = sizeof(heed_linear_loss_attributes),
    .infer = infer,
    .gradient = gradient,
    HEED_REFERENCES(linear_cross_entropy),
    .cost = cost,
};
const heed_op heed_op_linear_cross_entropy_backward = {
    .name = "linear_cross_entropy_backward",
    .in_min = 3,
    .in_max = HEED_LINEAR_LOSS_INPUTS,
    .n_out = 4,
    .state_input = HEED_LINEAR_LOSS_STATE,
    .attribute_size = sizeof(heed_linear_loss_attributes),
    .flags = HEED_OP_WRITES_STATE,
    .infer = infer_backward,
    .no_gradient = "second derivatives are not taken",
    HEED_REFERENCES(linear_cross_entropy_backward),
    .cost = cost_backward};
#endif
