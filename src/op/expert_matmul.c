/* Matmuls by expert (words of op/expert.h): every slot meets the weights of its expert only.

   expert_matmul
   Formula:  y(s) = W(e) x(s) [+ bias(e)] [activated] [* gate(s)] for the slots s of expert e.
             Sums as in `matmul`: k ascending, in one accumulator, so that a slot's bits depend on
             nothing but its row and its expert. Slots of no expert give zeros.
   Inputs:   x (N,J,K) f32
             W (X,O,K) with transpose_b, else (X,K,O): f32, f16 or bf16; with transpose_b also
               quantized along K, and multiplied as tensor/qblock_dot.h says
             offsets (X+1) i32, as expert_permutation makes them
             bias (X,O) f32, optional
             gate (N,J,O) f32, optional
   Output:   y (N,J,O) f32
   Gradient: expert_matmul for x, expert_outer for W, expert_sum for the bias; none with activation
             or gate, which the fusion pass adds after the gradient

   expert_outer: the gradient of the weights
   Formula:  y(e) = [state(e) +] sum over the slots s of expert e, ascending, of a(s) b(s)^T
   Inputs:   a (N,J,M), b (N,J,K) f32; offsets; state (X,M,K) f32, optional
   Output:   y (X,M,K) f32; with a state its next version: the sums go on from the old values

   expert_sum: the gradient of the bias
   Formula:  y(e) = sum over the slots s of expert e, ascending, of x(s)
   Inputs:   x (N,J,O) f32; offsets
   Output:   y (X,O) f32

   Options:  bf16 operands: expert_matmul and expert_outer round what they multiply to bf16 first,
             as `matmul` does
   Errors:   HEED_E_SHAPE, HEED_E_DTYPE; HEED_E_ARG for an unknown activation
   Source:   Shazeer et al. 2017; Fedus et al. 2021 */
#include "op/expert.h"
#include "op/unary.h"

HEED_REFERENCE(expert_matmul);
HEED_REFERENCE(expert_outer);
HEED_REFERENCE(expert_sum);

/* Column o of slot s, which expert e works on. */
static inline real REAL(column)(const heed_kernel_args *args, int64_t e, int64_t s, int64_t o)
{
    const heed_expert_matmul_attributes *attributes = args->attributes;
    const heed_operand *w = &args->in[HEED_EXPERT_WEIGHT],
                       *bias = heed_optional(args, HEED_EXPERT_BIAS),
                       *gate = heed_optional(args, HEED_EXPERT_GATE);
    const real *x = REAL(slot)(&args->in[HEED_EXPERT_X], s);
    int64_t depth = args->in[HEED_EXPERT_X].shape.dim[2], width = w->shape.dim[2];
    const heed_qblock_traits *traits = attributes->transpose_b ? REAL(integers_of)(w) : NULL;
    real sum = 0;
    if (traits)
        sum = heed_qblock_dot(traits,
                              REAL(qblocks)(w, e) + heed_dtype_bytes(w->dtype, (size_t)(o * width)),
                              (const float *)x, depth);
    for (int64_t k = 0; k < depth && !traits; k++)
        sum = R(fma)(
            REAL(operand)(x[k], attributes->bf16_operands),
            REAL(operand)(
                REAL(element)(w, e, attributes->transpose_b ? o * width + k : k * width + o),
                attributes->bf16_operands),
            sum);
    if (bias) sum += REAL(row)(bias, e)[o];
    sum = REAL(heed_unary_value)(attributes->activation, sum);
    return gate ? sum * REAL(slot)(gate, s)[o] : sum;
}

void REAL(heed_expert_matmul_reference)(const heed_kernel_args *args)
{
    const heed_operand *offsets = &args->in[HEED_EXPERT_OFFSETS], *y = &args->out[0];
    int64_t experts = args->in[HEED_EXPERT_WEIGHT].shape.dim[0], slots = heed_slot_count(y);
    int64_t begin = 0, end = 0;
    for (int64_t e = 0; e < experts; e++) {
        heed_expert_range(offsets, e, slots, &begin, &end);
        for (int64_t s = begin; s < end; s++)
            for (int64_t o = 0; o < y->shape.dim[2]; o++)
                REAL(slot)(y, s)[o] = REAL(column)(args, e, s, o);
    }
    for (int64_t s = end; s < slots; s++)
        for (int64_t o = 0; o < y->shape.dim[2]; o++) REAL(slot)(y, s)[o] = 0;
}

void REAL(heed_expert_outer_reference)(const heed_kernel_args *args)
{
    const heed_operand *a = &args->in[0], *b = &args->in[1];
    const heed_operand *state = heed_optional(args, HEED_EXPERT_OUTER_STATE), *y = &args->out[0];
    int64_t rows = y->shape.dim[1], columns = y->shape.dim[2], begin, end;
    bool bf16 = ((const heed_expert_outer_attributes *)args->attributes)->bf16_operands;
    for (int64_t e = 0; e < y->shape.dim[0]; e++) {
        heed_expert_range(&args->in[2], e, heed_slot_count(a), &begin, &end);
        for (int64_t at = 0; at < rows * columns; at++) {
            real sum = state ? REAL(row)(state, e)[at] : 0;
            for (int64_t s = begin; s < end; s++)
                sum = R(fma)(REAL(operand)(REAL(slot)(a, s)[at / columns], bf16),
                             REAL(operand)(REAL(slot)(b, s)[at % columns], bf16), sum);
            REAL(row)(y, e)[at] = sum;
        }
    }
}

void REAL(heed_expert_sum_reference)(const heed_kernel_args *args)
{
    const heed_operand *x = &args->in[0], *y = &args->out[0];
    int64_t begin, end;
    REAL(clear)(y);
    for (int64_t e = 0; e < y->shape.dim[0]; e++) {
        heed_expert_range(&args->in[1], e, heed_slot_count(x), &begin, &end);
        for (int64_t s = begin; s < end; s++)
            for (int64_t o = 0; o < y->shape.dim[1]; o++) REAL(row)(y, e)[o] += REAL(slot)(x, s)[o];
    }
}

#if !HEED_REAL_DOUBLE
static bool is_offsets(const heed_infer *infer, int input, int64_t experts)
{
    heed_shape shape = infer->shape[input];
    return infer->dtype[input] == HEED_I32 && shape.rank == 1 && !shape.extent &&
           shape.dim[0] >= 2 && (experts < 0 || shape.dim[0] == experts + 1);
}

static bool is_rows_of_slots(heed_shape x)
{
    return x.rank == 3 && x.dim[1] >= 1;
}

static heed_status infer_matmul(heed_infer *infer, heed_error *error)
{
    const heed_expert_matmul_attributes *attributes = infer->attributes;
    heed_shape x = infer->shape[HEED_EXPERT_X], w = infer->shape[HEED_EXPERT_WEIGHT];
    bool bias = infer->n_in > HEED_EXPERT_BIAS && infer->present[HEED_EXPERT_BIAS],
         gate = infer->n_in > HEED_EXPERT_GATE && infer->present[HEED_EXPERT_GATE];
    if (attributes->activation < 0 || attributes->activation >= HEED_UNARY_COUNT)
        return heed_infer_fail(infer, error, HEED_E_ARG, "a known activation");
    if (infer->dtype[HEED_EXPERT_X] != HEED_F32 ||
        !heed_dtype_is_weight(infer->dtype[HEED_EXPERT_WEIGHT]) ||
        (heed_dtype_is_quantized(infer->dtype[HEED_EXPERT_WEIGHT]) &&
         (!attributes->transpose_b || attributes->bf16_operands)) ||
        (bias && infer->dtype[HEED_EXPERT_BIAS] != HEED_F32) ||
        (gate && infer->dtype[HEED_EXPERT_GATE] != HEED_F32))
        return heed_infer_fail(
            infer, error, HEED_E_DTYPE,
            "f32, but for weights: f32, f16, bf16, or the rows of quantized matrices");
    const bool transposed = attributes->transpose_b;
    const int inner = 1 + transposed, outer = 2 - transposed;
    static const char *const expected[] = {"slots (N,J,K), weights (X,K,O), offsets (X+1)",
                                           "slots (N,J,K), weights (X,O,K), offsets (X+1)"};
    if (!is_rows_of_slots(x) || w.rank != 3 || w.extent || w.dim[inner] != x.dim[2] ||
        !is_offsets(infer, HEED_EXPERT_OFFSETS, w.dim[0]))
        return heed_infer_fail(infer, error, HEED_E_SHAPE, expected[transposed]);
    infer->out_shape[0] = heed_slots_shape(x, x.dim[1], w.dim[outer]);
    if (bias &&
        !heed_shape_equal(infer->shape[HEED_EXPERT_BIAS], heed_shape_2(w.dim[0], w.dim[outer])))
        return heed_infer_fail(infer, error, HEED_E_SHAPE, "a bias (X,O)");
    if (gate && !heed_shape_equal(infer->shape[HEED_EXPERT_GATE], infer->out_shape[0]))
        return heed_infer_fail(infer, error, HEED_E_SHAPE, "a gate with the shape of the result");
    return HEED_OK;
}

static heed_status infer_outer(heed_infer *infer, heed_error *error)
{
    heed_shape a = infer->shape[0], b = infer->shape[1];
    bool state = infer->n_in > HEED_EXPERT_OUTER_STATE && infer->present[HEED_EXPERT_OUTER_STATE];
    if (infer->dtype[0] != HEED_F32 || infer->dtype[1] != HEED_F32 ||
        (state && infer->dtype[HEED_EXPERT_OUTER_STATE] != HEED_F32))
        return heed_infer_fail(infer, error, HEED_E_DTYPE, "f32");
    if (!is_rows_of_slots(a) || b.rank != 3 || !heed_same_rows(a, b) || a.dim[1] != b.dim[1] ||
        !is_offsets(infer, 2, -1))
        return heed_infer_fail(infer, error, HEED_E_SHAPE,
                               "slots (N,J,M) and (N,J,K) and offsets (X+1)");
    infer->out_shape[0] = heed_shape_of(
        3, (int64_t[]){infer->shape[2].dim[0] - 1, a.dim[2], b.dim[2]});
    if (state && !heed_shape_equal(infer->shape[HEED_EXPERT_OUTER_STATE], infer->out_shape[0]))
        return heed_infer_fail(infer, error, HEED_E_SHAPE, "a state with the shape of the result");
    return HEED_OK;
}

static heed_status infer_sum(heed_infer *infer, heed_error *error)
{
    if (infer->dtype[0] != HEED_F32)
        return heed_infer_fail(infer, error, HEED_E_DTYPE, "slots of f32");
    if (!is_rows_of_slots(infer->shape[0]) || !is_offsets(infer, 1, -1))
        return heed_infer_fail(infer, error, HEED_E_SHAPE, "slots (N,J,O) and offsets (X+1)");
    infer->out_shape[0] = heed_shape_2(infer->shape[1].dim[0] - 1, infer->shape[0].dim[2]);
    return HEED_OK;
}

static heed_status gradient(heed_graph *graph, const heed_node *node, const heed_value *dout,
                            heed_value *din, heed_error *error)
{
    heed_expert_matmul_attributes attributes = *(const heed_expert_matmul_attributes *)
                                                    node->attributes;
    if (attributes.activation != HEED_UNARY_LINEAR ||
        heed_node_input(node, HEED_EXPERT_GATE) != HEED_NONE)
        return heed_fail(
            error, HEED_E_UNSUPPORTED,
            "expert_matmul: what fusion made has no gradient: it runs after the gradient pass");
    heed_value x = node->in[HEED_EXPERT_X], w = node->in[HEED_EXPERT_WEIGHT];
    heed_value offsets = node->in[HEED_EXPERT_OFFSETS], dy = dout[0];
    bool transposed = attributes.transpose_b;
    heed_expert_outer_attributes outer = {.bf16_operands = attributes.bf16_operands};
    heed_value in[3] = {x, dy, offsets};
    if (transposed) {
        in[0] = dy;
        in[1] = x;
    }
    din[HEED_EXPERT_WEIGHT] = heed_emit(graph, HEED_OP_EXPERT_OUTER, in, 3, &outer, NULL);
    attributes.transpose_b = !transposed;
    din[HEED_EXPERT_X] = heed_emit(graph, HEED_OP_EXPERT_MATMUL, (heed_value[]){dy, w, offsets}, 3,
                                   &attributes, NULL);
    if (heed_node_input(node, HEED_EXPERT_BIAS) != HEED_NONE)
        din[HEED_EXPERT_BIAS] = heed_emit(graph, HEED_OP_EXPERT_SUM, (heed_value[]){dy, offsets}, 2,
                                          NULL, NULL);
    return HEED_OK;
}

static double bytes_of(const heed_operand *x, double share)
{
    return x->shape.rank
               ? share * (double)heed_shape_elements(x->shape) * (double)heed_dtypes[x->dtype].bytes
               : 0;
}

/* The weights of at most as many experts are read as there are slots. */
static heed_cost cost_matmul(const heed_kernel_args *args)
{
    const heed_operand *w = &args->in[HEED_EXPERT_WEIGHT], *y = &args->out[0];
    double slots = (double)heed_slot_count(y),
           share = slots < (double)w->shape.dim[0] ? slots / (double)w->shape.dim[0] : 1;
    heed_cost cost = {
        .flops = 2 * slots * (double)w->shape.dim[1] * (double)w->shape.dim[2],
        .bytes = bytes_of(y, 1),
        .number = heed_matmul_number(
            w->dtype, ((const heed_expert_matmul_attributes *)args->attributes)->bf16_operands)};
    for (int i = 0; i < args->n_in; i++)
        cost.bytes += bytes_of(&args->in[i],
                               i == HEED_EXPERT_WEIGHT || i == HEED_EXPERT_BIAS ? share : 1);
    return cost;
}

static heed_cost cost_outer(const heed_kernel_args *args)
{
    heed_cost cost = {
        .flops = 2 * (double)heed_slot_count(&args->in[0]) *
                 (double)heed_shape_columns(args->out[0].shape),
        .bytes = bytes_of(&args->out[0], 1),
        .number = heed_matmul_number(
            HEED_F32, ((const heed_expert_outer_attributes *)args->attributes)->bf16_operands)};
    for (int i = 0; i < args->n_in; i++) cost.bytes += bytes_of(&args->in[i], 1);
    return cost;
}

heed_value heed_expert_matmul(heed_graph *graph, heed_value x, heed_value weights, heed_value bias,
                              const heed_expert_permutation *permutation)
{
    heed_expert_matmul_attributes attributes = {.transpose_b = 1, .activation = HEED_UNARY_LINEAR};
    return heed_emit(graph, HEED_OP_EXPERT_MATMUL,
                     (heed_value[]){x, weights, permutation->offsets, bias}, 4, &attributes, NULL);
}

const heed_op heed_op_expert_matmul = {
    .name = "expert_matmul",
    .in_min = 3,
    .in_max = HEED_EXPERT_INPUTS,
    .n_out = 1,
    .attribute_size = sizeof(heed_expert_matmul_attributes),
    .infer = infer_matmul,
    .gradient = gradient,
    HEED_REFERENCES(expert_matmul),
    .cost = cost_matmul,
};
const heed_op heed_op_expert_outer = {
    .name = "expert_outer",
    .in_min = 3,
    .in_max = 4,
    .n_out = 1,
    .state_input = HEED_EXPERT_OUTER_STATE,
    .attribute_size = sizeof(heed_expert_outer_attributes),
    .flags = HEED_OP_WRITES_STATE,
    .infer = infer_outer,
    .no_gradient = "second derivatives are not taken",
    HEED_REFERENCES(expert_outer),
    .cost = cost_outer,
};
const heed_op heed_op_expert_sum = {
    .name = "expert_sum",
    .in_min = 2,
    .in_max = 2,
    .n_out = 1,
    .infer = infer_sum,
    .no_gradient = "second derivatives are not taken",
    HEED_REFERENCES(expert_sum),
};
#endif
