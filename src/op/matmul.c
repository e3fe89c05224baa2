/* Matrix multiplication.
   Formula:  y(i,j) = sum over k of a(i,k) b(k,j), k ascending, in one accumulator of fused
             multiply-adds per element
   Inputs:   a (M,K), or (K,M) with transpose_a: f32, f16 or bf16, widened exactly
             b (K,N), or (N,K) with transpose_b: f32, f16 or bf16, widened exactly; or a frozen
               quantized weight (N,K) with its qblocks along the rows, with transpose_b and f32
               rows of a: then as tensor/qblock_dot.h says
             M may be live (rows of a). K may be live where it is axis 0 of both (transpose_a
             without transpose_b): the sum then runs over the live rows. N is fixed.
   Output:   y (M,N) f32
   Options:  bf16 operands (the precision pass; then b is not quantized): each element is rounded to
             bf16 before it is multiplied, dy in the gradients too, while y and sums stay f32
   Gradient: matmuls of the same kind, each in the orientation of its operand
   Errors:   HEED_E_SHAPE if extents do not fit; HEED_E_DTYPE unless floating */
#include "op/check.h"
#include "op/reference.h"

HEED_REFERENCE(matmul);

void REAL(heed_matmul_reference)(const heed_kernel_args *args)
{
    const heed_operand *a = &args->in[0], *b = &args->in[1], *y = &args->out[0];
    const heed_matmul_attributes *attributes = args->attributes;
    bool transpose_a = attributes->transpose_a, transpose_b = attributes->transpose_b,
         bf16 = attributes->bf16_operands;
    int64_t depth = a->shape.dim[transpose_a ? 0 : 1];
    const heed_qblock_traits *traits = transpose_b ? REAL(integers_of)(b) : NULL;
    for (int64_t i = 0; i < y->shape.dim[0]; i++)
        for (int64_t j = 0; j < y->shape.dim[1]; j++) {
            real sum = 0;
            if (traits)
                sum = heed_qblock_dot(traits, REAL(qblocks)(b, j), (const float *)REAL(row)(a, i),
                                      depth);
            for (int64_t k = 0; k < depth && !traits; k++) {
                const real left = transpose_a ? REAL(element)(a, k, i) : REAL(element)(a, i, k);
                const real right = transpose_b ? REAL(element)(b, j, k) : REAL(element)(b, k, j);
                sum = R(fma)(REAL(operand)(left, bf16), REAL(operand)(right, bf16), sum);
            }
            REAL(row)(y, i)[j] = sum;
        }
}

#if !HEED_REAL_DOUBLE
static heed_status infer(heed_infer *infer, heed_error *error)
{
    static const char *const expected[2][2] = {
        {"(M,K) and (K,N)", "(M,K) and (N,K)"},
        {"(K,M) and (K,N)", "(K,M) and (N,K)"},
    };
    const heed_matmul_attributes *attributes = infer->attributes;
    heed_shape a = infer->shape[0], b = infer->shape[1];
    if (!heed_dtype_is_floating(infer->dtype[0]) || !heed_dtype_is_weight(infer->dtype[1]))
        return heed_infer_fail(infer, error, HEED_E_DTYPE,
                               "f32, f16 or bf16, or a quantized second matrix");
    if (heed_dtype_is_quantized(infer->dtype[1]) &&
        (!attributes->transpose_b || attributes->transpose_a || attributes->bf16_operands ||
         infer->dtype[0] != HEED_F32))
        return heed_infer_fail(infer, error, HEED_E_DTYPE,
                               "rows of f32 times the rows of a quantized matrix");
    if (a.rank != 2 || b.rank != 2)
        return heed_infer_fail(infer, error, HEED_E_SHAPE, "two matrices");
    bool transpose_a = attributes->transpose_a, transpose_b = attributes->transpose_b;
    const int a_extent = transpose_a ? a.extent : HEED_EXTENT_FIXED;
    const int b_extent = transpose_b ? HEED_EXTENT_FIXED : b.extent;
    if (a.dim[!transpose_a] != b.dim[transpose_b] || a_extent != b_extent)
        return heed_infer_fail(infer, error, HEED_E_SHAPE, expected[transpose_a][transpose_b]);
    if (transpose_b && b.extent != HEED_EXTENT_FIXED)
        return heed_infer_fail(infer, error, HEED_E_SHAPE,
                               "a second matrix with fixed rows, since they become columns");
    infer->out_shape[0] = heed_shape_2(a.dim[transpose_a], b.dim[!transpose_b]);
    infer->out_shape[0].extent = transpose_a ? HEED_EXTENT_FIXED : a.extent;
    return HEED_OK;
}

static heed_value emit(heed_graph *graph, heed_value a, heed_value b, bool transpose_a,
                       bool transpose_b, bool bf16)
{
    heed_matmul_attributes attributes = {
        .transpose_a = transpose_a, .transpose_b = transpose_b, .bf16_operands = bf16};
    return heed_emit(graph, HEED_OP_MATMUL, (heed_value[]){a, b}, 2, &attributes, NULL);
}

/* With op(a) = a or a^T: d op(a) = dy op(b)^T and d op(b) = op(a)^T dy. Each gradient is computed
   in the orientation in which its operand is stored. */
static heed_status gradient(heed_graph *graph, const heed_node *node, const heed_value *dout,
                            heed_value *din, heed_error *error)
{
    (void)error;
    const heed_matmul_attributes *attributes = node->attributes;
    heed_value a = node->in[0], b = node->in[1], dy = dout[0];
    bool transpose_a = attributes->transpose_a, transpose_b = attributes->transpose_b,
         bf16 = attributes->bf16_operands;
    din[0] = transpose_a ? emit(graph, b, dy, transpose_b, true, bf16)
                         : emit(graph, dy, b, false, !transpose_b, bf16);
    din[1] = transpose_b ? emit(graph, dy, a, true, transpose_a, bf16)
                         : emit(graph, a, dy, !transpose_a, false, bf16);
    return HEED_OK;
}

static heed_cost cost(const heed_kernel_args *args)
{
    heed_cost cost = {0};
    const heed_matmul_attributes *attributes = args->attributes;
    cost.flops = 2.0 * (double)heed_shape_elements(args->out[0].shape) *
                 (double)args->in[0].shape.dim[attributes->transpose_a ? 0 : 1];
    cost.bytes = (double)heed_shape_elements(args->out[0].shape) *
                 heed_dtype_width(args->out[0].dtype);
    for (int i = 0; i < 2; i++)
        cost.bytes += (double)heed_shape_elements(args->in[i].shape) *
                      heed_dtype_width(args->in[i].dtype);
    cost.number = heed_matmul_number(args->in[1].dtype, attributes->bf16_operands);
    return cost;
}

heed_value heed_matmul(heed_graph *graph, heed_value a, heed_value b, bool transpose_a,
                       bool transpose_b)
{
    return emit(graph, a, b, transpose_a, transpose_b, false);
}

heed_value heed_linear(heed_graph *graph, heed_value x, heed_value weight, heed_value bias)
{
    heed_value y = heed_matmul(graph, x, weight, false, true);
    return bias == HEED_NONE ? y : heed_add(graph, y, bias);
}

const heed_op heed_op_matmul = {
    .name = "matmul",
    .in_min = 2,
    .in_max = 2,
    .n_out = 1,
    .attribute_size = sizeof(heed_matmul_attributes),
    .flags = HEED_OP_ROW_LOCAL,
    .infer = infer,
    .gradient = gradient,
    HEED_REFERENCES(matmul),
    .cost = cost,
};
#endif
