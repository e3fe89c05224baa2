/* A matmul with what stands before and after it, made by the fusion pass.
   Formula:  joined:       y = (norm(a) B^T + bias), activated, * gate + residual
                           for each weight B, their columns side by side
             gated:        y = activated (norm(a) B0^T + bias0) * (norm(a) B1^T + bias1)
             accumulating: y = state + op(a) op(b); the sum goes on from the old value
             Sums as in `matmul`: k ascending, in one accumulator of fused multiply-adds; then bias,
             activation, gate, residual, in this order. Gated, both weights are (N,K) and nothing
             else is multiplied or added.
   Inputs:   by the places in graph/attributes.h; N is the sum of the N':
             a (M,K), or (K,M) with transpose_a: f32, f16 or bf16; f32 if it is normalized
             1 to 4 weights (N',K) with transpose_b, else (K,N'): f32, f16, bf16, or quantized as
               `matmul` takes them
             their biases (N') f32, optional
             gate, residual, state (M,N) f32, optional
             norm gain and bias (K) f32, optional
   Output:   y (M,N) f32; with a state its next version
   Options:  bf16 operands: elements of a (normalized) and of the weights are rounded to bf16 first
   Gradient: none: the fusion pass runs after the gradient pass
   Errors:   HEED_E_SHAPE, HEED_E_DTYPE; HEED_E_ARG for what does not go together (a norm over
             transposed rows, a state with anything but the plain matmul) */
#include "op/check.h"
#include "op/norm.h"
#include "op/unary.h"

HEED_REFERENCE(fused_matmul);

/* Element (i, k) of op(a), normalized. */
static inline real REAL(left)(const heed_kernel_args *args, REAL(heed_row_norm) norm, int64_t i,
                              int64_t k)
{
    const heed_fused_matmul_attributes *attributes = args->attributes;
    const heed_operand *a = &args->in[HEED_FUSED_A],
                       *bias = heed_optional(args, HEED_FUSED_NORM_BIAS);
    if (attributes->transpose_a) return REAL(element)(a, k, i);
    real value = REAL(element)(a, i, k);
    if (attributes->norm == HEED_FUSED_NORM_NONE) return value;
    real gain = REAL(heed_gain_at)(heed_optional(args, HEED_FUSED_NORM_GAIN), attributes->offset,
                                   k);
    return (value - norm.mean) * norm.rstd * gain + (bias ? *REAL(row)(bias, k) : 0);
}

/* The same sum if b is quantized: a is normalized first, then quantized run by run. */
static real REAL(quantized_sum)(const heed_kernel_args *args, REAL(heed_row_norm) norm,
                                const heed_qblock_traits *traits, const heed_operand *b, int64_t i,
                                int64_t j)
{
    const heed_dtype_info *type = &heed_dtypes[b->dtype];
    int64_t depth = b->shape.dim[1];
    const char *block = REAL(qblocks)(b, j);
    heed_qblock_sum acc = {0};
    for (int64_t k = 0; k < depth; k += (int64_t)type->qblock, block += type->bytes) {
        float x[HEED_MAX_QBLOCK];
        for (int64_t l = 0; l < (int64_t)type->qblock; l++)
            x[l] = (float)REAL(left)(args, norm, i, k + l);
        heed_qblock_sum_add(&acc, traits, block, x);
    }
    return acc.sum;
}

/* Element (i, j) of the matmul by weight `joined`, with its bias; the sum begins with `before`. */
static inline real REAL(sum_of)(const heed_kernel_args *args, REAL(heed_row_norm) norm, int64_t i,
                                int joined, int64_t j, real before)
{
    const heed_fused_matmul_attributes *attributes = args->attributes;
    const heed_operand *a = &args->in[HEED_FUSED_A], *b = &args->in[HEED_FUSED_B + joined],
                       *bias = heed_optional(args, HEED_FUSED_BIAS + joined);
    int64_t depth = a->shape.dim[attributes->transpose_a ? 0 : 1];
    real sum = before;
    const heed_qblock_traits *traits = REAL(integers_of)(b);
    if (traits) sum = REAL(quantized_sum)(args, norm, traits, b, i, j);
    for (int64_t k = 0; k < depth && !traits; k++)
        sum = R(fma)(
            REAL(operand)(REAL(left)(args, norm, i, k), attributes->bf16_operands),
            REAL(operand)(attributes->transpose_b ? REAL(element)(b, j, k) : REAL(element)(b, k, j),
                          attributes->bf16_operands),
            sum);
    return bias ? sum + *REAL(row)(bias, j) : sum;
}

/* Element (i, to) of y, which is column j of weight `joined`. */
static inline real REAL(one)(const heed_kernel_args *args, REAL(heed_row_norm) norm, int64_t i,
                             int joined, int64_t j, int64_t to)
{
    const heed_fused_matmul_attributes *attributes = args->attributes;
    const heed_operand *gate = heed_optional(args, HEED_FUSED_GATE),
                       *residual = heed_optional(args, HEED_FUSED_RESIDUAL);
    const heed_operand *state = heed_optional(args, HEED_FUSED_STATE);
    real sum = REAL(sum_of)(args, norm, i, joined, j, state ? REAL(row)(state, i)[to] : 0);
    sum = REAL(heed_unary_value)(attributes->activation, sum);
    if (attributes->gated) sum *= REAL(sum_of)(args, norm, i, 1, j, 0);
    if (gate) sum *= REAL(row)(gate, i)[to];
    if (residual) sum += REAL(row)(residual, i)[to];
    return sum;
}

void REAL(heed_fused_matmul_reference)(const heed_kernel_args *args)
{
    const heed_fused_matmul_attributes *attributes = args->attributes;
    const heed_operand *a = &args->in[HEED_FUSED_A], *y = &args->out[0];
    REAL(heed_row_norm) norm = {0, 1};
    for (int64_t i = 0; i < y->shape.dim[0]; i++) {
        if (attributes->norm != HEED_FUSED_NORM_NONE)
            norm = REAL(heed_norm_of_row)((heed_fused_norm)attributes->norm, REAL(row)(a, i),
                                          a->shape.dim[1], attributes->eps);
        int64_t to = 0;
        for (int joined = 0; joined < (attributes->gated ? 1 : attributes->joined); joined++) {
            int64_t count =
                args->in[HEED_FUSED_B + joined].shape.dim[attributes->transpose_b ? 0 : 1];
            for (int64_t j = 0; j < count; j++, to++)
                REAL(row)(y, i)[to] = REAL(one)(args, norm, i, joined, j, to);
        }
    }
}

#if !HEED_REAL_DOUBLE
static heed_status check_parts(const heed_infer *infer, heed_error *error)
{
    const heed_fused_matmul_attributes *attributes = infer->attributes;
    const bool *present = infer->present;
    bool norm = attributes->norm != HEED_FUSED_NORM_NONE, bias = false;
    if (attributes->joined < 1 || attributes->joined > 4 || attributes->activation < 0 ||
        attributes->activation >= HEED_UNARY_COUNT || attributes->norm < HEED_FUSED_NORM_NONE ||
        attributes->norm > HEED_FUSED_NORM_RMS || (norm && !(attributes->eps >= 0)))
        return heed_infer_fail(
            infer, error, HEED_E_ARG,
            "1 to 4 joined weights, a known activation, a known norm and an eps of at least 0");
    for (int i = 0; i < 4; i++) {
        bias = bias || present[HEED_FUSED_BIAS + i];
        if (present[HEED_FUSED_B + i] != (i < attributes->joined) ||
            (present[HEED_FUSED_BIAS + i] && i >= attributes->joined))
            return heed_infer_fail(infer, error, HEED_E_ARG,
                                   "as many weights as are joined, and biases of these only");
    }
    if (attributes->gated && (attributes->joined != 2 || present[HEED_FUSED_GATE] ||
                              present[HEED_FUSED_RESIDUAL] || present[HEED_FUSED_STATE]))
        return heed_infer_fail(
            infer, error, HEED_E_ARG,
            "two weights, one the gate of the other, and no further gate, residual or state");
    if ((norm && attributes->transpose_a) ||
        (!norm && (present[HEED_FUSED_NORM_GAIN] || present[HEED_FUSED_NORM_BIAS])))
        return heed_infer_fail(infer, error, HEED_E_ARG,
                               "gain and bias of a norm with a norm, and a norm over rows only");
    if (present[HEED_FUSED_STATE] &&
        (norm || bias || present[HEED_FUSED_GATE] || present[HEED_FUSED_RESIDUAL] ||
         attributes->activation != HEED_UNARY_LINEAR || attributes->joined != 1))
        return heed_infer_fail(infer, error, HEED_E_ARG, "nothing but the matmul with a state");
    for (int i = 0; i < HEED_FUSED_INPUTS; i++) {
        if (!present[i]) continue;
        bool weight = i >= HEED_FUSED_B && i < HEED_FUSED_BIAS,
             widens = weight || (i == HEED_FUSED_A && !norm);
        if (weight && heed_dtype_is_quantized(infer->dtype[i])) {
            if (!attributes->transpose_b || attributes->transpose_a || attributes->bf16_operands ||
                present[HEED_FUSED_STATE] || infer->dtype[HEED_FUSED_A] != HEED_F32)
                return heed_infer_fail(infer, error, HEED_E_DTYPE,
                                       "rows of f32 times the rows of a quantized matrix");
            continue;
        }
        if (widens ? !heed_dtype_is_floating(infer->dtype[i]) : infer->dtype[i] != HEED_F32)
            return heed_infer_fail(infer, error, HEED_E_DTYPE,
                                   "f32, but for matrices that are multiplied: f32, f16 or bf16");
    }
    return HEED_OK;
}

static heed_status infer(heed_infer *infer, heed_error *error)
{
    const heed_fused_matmul_attributes *attributes = infer->attributes;
    heed_shape a = infer->shape[HEED_FUSED_A], y;
    bool transpose_a = attributes->transpose_a, transpose_b = attributes->transpose_b;
    HEED_TRY(check_parts(infer, error));
    if (a.rank != 2 || (attributes->norm != HEED_FUSED_NORM_NONE && a.dim[1] < 1))
        return heed_infer_fail(infer, error, HEED_E_SHAPE, "a matrix");
    y = heed_shape_2(a.dim[transpose_a ? 1 : 0], 0);
    y.extent = transpose_a ? HEED_EXTENT_FIXED : a.extent;
    for (int i = 0; i < attributes->joined; i++) {
        heed_shape b = infer->shape[HEED_FUSED_B + i], bias = infer->shape[HEED_FUSED_BIAS + i];
        const int extent = transpose_a ? a.extent : HEED_EXTENT_FIXED;
        const int b_extent = transpose_b ? HEED_EXTENT_FIXED : b.extent;
        if (b.rank != 2 || b.dim[transpose_b] != a.dim[!transpose_a] || extent != b_extent ||
            (transpose_b && b.extent))
            return heed_infer_fail(infer, error, HEED_E_SHAPE,
                                   transpose_b ? "weights (N,K) for K terms"
                                               : "weights (K,N) for K terms");
        int64_t count = b.dim[transpose_b ? 0 : 1];
        if (infer->present[HEED_FUSED_BIAS + i] &&
            (bias.rank != 1 || bias.extent || bias.dim[0] != count))
            return heed_infer_fail(infer, error, HEED_E_SHAPE,
                                   "a bias (N) for weights of N outputs");
        if (attributes->gated && i == 1 && count != y.dim[1])
            return heed_infer_fail(infer, error, HEED_E_SHAPE, "gated weights of one shape");
        y.dim[1] += attributes->gated && i == 1 ? 0 : count;
    }
    for (int i = HEED_FUSED_GATE; i <= HEED_FUSED_STATE; i++)
        if (infer->present[i] && !heed_shape_equal(infer->shape[i], y))
            return heed_infer_fail(infer, error, HEED_E_SHAPE,
                                   "gate, residual and state with the shape of the result");
    if (!heed_fits_columns(infer, HEED_FUSED_NORM_GAIN, HEED_FUSED_A) ||
        !heed_fits_columns(infer, HEED_FUSED_NORM_BIAS, HEED_FUSED_A))
        return heed_infer_fail(infer, error, HEED_E_SHAPE, "gain and bias (K) of the norm");
    infer->out_shape[0] = y;
    return HEED_OK;
}

static heed_cost cost(const heed_kernel_args *args)
{
    const heed_fused_matmul_attributes *attributes = args->attributes;
    double depth = (double)args->in[HEED_FUSED_A].shape.dim[attributes->transpose_a ? 0 : 1];
    heed_cost cost = {.flops = (attributes->gated ? 4 : 2) * depth *
                               (double)heed_shape_elements(args->out[0].shape)};
    cost.bytes = (double)heed_shape_elements(args->out[0].shape) * heed_dtype_width(HEED_F32);
    for (int i = 0; i < args->n_in; i++)
        if (args->in[i].shape.rank)
            cost.bytes += (double)heed_shape_elements(args->in[i].shape) *
                          heed_dtype_width(args->in[i].dtype);
    cost.number = heed_matmul_number(args->in[HEED_FUSED_B].dtype, attributes->bf16_operands);
    return cost;
}

const heed_op heed_op_fused_matmul = {
    .name = "fused_matmul",
    .in_min = 1,
    .in_max = HEED_FUSED_INPUTS,
    .n_out = 1,
    .state_input = HEED_FUSED_STATE,
    .attribute_size = sizeof(heed_fused_matmul_attributes),
    .flags = HEED_OP_ROW_LOCAL | HEED_OP_WRITES_STATE,
    .infer = infer,
    .no_gradient = "it is made by the fusion pass, after the gradient pass",
    HEED_REFERENCES(fused_matmul),
    .cost = cost};
#endif
