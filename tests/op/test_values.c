/* Values of every op: against PyTorch (torch_values.h), or, where that says it all, against a
   sentence in C. In both precisions. */
#include "op_case.h"
#include "support/evaluate.h"
#include "torch_values.h"

/* The numbers of tools/oracle/op_values.py. */
static double number(int64_t at, int input)
{
    return (double)((37 * at + 11 * input) % 23 - 11) / 8;
}

static bool covered[HEED_OP_COUNT];

typedef struct {
    op_case c;
    int out;
    const double *expected;
    size_t count;
} value_case;

BUILD(quotient)
{
    return heed_divide(g, in[0], heed_scale(g, in[1], 1, 3));
}

/* A fused matmul whose inputs lie at the given places. */
static heed_value fused(heed_graph *graph, const heed_fused_matmul_attributes *attributes,
                        const heed_value *in, int n, const int *places)
{
    heed_value all[HEED_FUSED_INPUTS];
    for (int i = 0; i < HEED_FUSED_INPUTS; i++) all[i] = HEED_NONE;
    for (int i = 0; i < n; i++) all[places[i]] = in[i];
    return heed_emit(graph, HEED_OP_FUSED_MATMUL, all, HEED_FUSED_INPUTS, attributes, NULL);
}

BUILD(fused_layer)
{
    heed_fused_matmul_attributes attributes = {
        .transpose_b = 1,
        .activation = HEED_UNARY_GELU,
        .norm = HEED_FUSED_NORM_LAYER,
        .eps = 1e-3f,
        .joined = 1,
    };
    return fused(g, &attributes, in, c->n_in,
                 (int[]){HEED_FUSED_A, HEED_FUSED_B, HEED_FUSED_BIAS, HEED_FUSED_NORM_GAIN,
                         HEED_FUSED_NORM_BIAS, HEED_FUSED_GATE, HEED_FUSED_RESIDUAL});
}

BUILD(fused_joined)
{
    heed_fused_matmul_attributes attributes = {
        .activation = HEED_UNARY_LINEAR,
        .norm = HEED_FUSED_NORM_RMS,
        .eps = 1e-3f,
        .offset = 1,
        .joined = 2,
    };
    return fused(g, &attributes, in, c->n_in,
                 (int[]){HEED_FUSED_A, HEED_FUSED_B, HEED_FUSED_B + 1, HEED_FUSED_NORM_GAIN,
                         HEED_FUSED_BIAS});
}

BUILD(fused_gated)
{
    heed_fused_matmul_attributes attributes = {
        .activation = HEED_UNARY_SILU, .joined = 2, .gated = 1};
    return fused(g, &attributes, in, c->n_in,
                 (int[]){HEED_FUSED_A, HEED_FUSED_B, HEED_FUSED_B + 1, HEED_FUSED_BIAS,
                         HEED_FUSED_BIAS + 1});
}

BUILD(fused_state)
{
    heed_fused_matmul_attributes attributes = {
        .transpose_a = 1, .activation = HEED_UNARY_LINEAR, .joined = 1};
    return fused(g, &attributes, in, c->n_in,
                 (int[]){HEED_FUSED_A, HEED_FUSED_B, HEED_FUSED_STATE});
}

BUILD(rotary_table)
{
    return heed_rotary_table(g, in[0], in[2], (float)c->f[0]);
}

/* p: what is made of slots: 0 their products with rows, 1 outer products, 2 sums by expert. */
BUILD(expert_pieces)
{
    heed_expert_permutation order = heed_expert_sort(g, in[1], 3);
    if (c->p[0] == 0) {
        heed_value y = heed_expert_matmul(g, heed_expert_dispatch(g, in[0], &order, HEED_NONE),
                                          in[2], in[3], &order);
        return heed_emit(g, HEED_OP_EXPERT_DOT, (heed_value[]){y, in[5], order.inverse}, 3, NULL,
                         NULL);
    }
    heed_value x = heed_expert_dispatch(g, in[0], &order, in[4]);
    if (c->p[0] == 2)
        return heed_emit(g, HEED_OP_EXPERT_SUM, (heed_value[]){x, order.offsets}, 2, NULL, NULL);
    heed_value z = heed_expert_dispatch(g, in[5], &order, HEED_NONE);
    return heed_emit(g, HEED_OP_EXPERT_OUTER, (heed_value[]){z, x, order.offsets}, 3, NULL, NULL);
}

#define EXPERT_PIECES F(N_BY(4)), CHOICES, F(CUBE(3, 5, 4)), F(MATRIX(3, 5)), F(N_BY(2)), F(N_BY(5))

#define TORCH(name) torch_##name, sizeof torch_##name / sizeof(double)
#define POSITIONS I(N_ROWS, 0, 1, 2, 7, 0, 300)
/* clang-format off */
#define ATTENTION_CASE(text, p_, options, ...) \
    {text, HEED_OP_ATTENTION, attention, .p = {p_}, \
     .attention = {HEED_TESTS_UNWRAP options}, __VA_ARGS__}
#define ATTENTION(name, p_, options, ...) \
    {ATTENTION_CASE("attention, " #name, p_, options, __VA_ARGS__), 0, TORCH(attention_##name)}, \
    {ATTENTION_CASE("log-sum-exp, " #name, p_, options, __VA_ARGS__), 1, TORCH(lse_##name)}
/* clang-format on */
#define HEED_TESTS_UNWRAP(...) __VA_ARGS__
#define SAME_ROWS(q, k) F(N_BY(q)), F(N_BY(k)), F(N_BY(k))
#define TWO_SEQUENCES .live = {[HEED_EXTENT_ROWS] = 3, [HEED_EXTENT_SEQUENCES] = 2}

#define VALUES(...) \
    (const double[]){__VA_ARGS__}, sizeof((const double[]){__VA_ARGS__}) / sizeof(double)

static const value_case cases[] = {
#define HEED_OP_ROW(symbol, name, built, inputs, expected, ...) \
    {{#name, HEED_OP_##symbol, row_##name, inputs}, 0, expected},
#include "op_rows.def"
#undef HEED_OP_ROW
    {{"quotient", HEED_OP_BINARY, quotient, ONLY(F(N_BY(3)), F(N_BY(1)))},
     0,
     TORCH(quotient_column)},
    {{"mean of rows", HEED_OP_REDUCE, reduce, .p = {HEED_REDUCE_MEAN, 0}, ONLY(F(N_BY(3)))},
     0,
     TORCH(reduce_mean_rows)},
    {{"sum of a middle axis", HEED_OP_REDUCE, reduce, .p = {HEED_REDUCE_SUM, 1},
      ONLY(F(N_BY_BY(3, 2)))},
     0,
     TORCH(reduce_sum_middle)},
    {{"maximum of the last axis", HEED_OP_REDUCE, reduce, .p = {HEED_REDUCE_MAX, -1, 1},
      ONLY(F(N_BY(4)))},
     0,
     TORCH(reduce_max_last)},
    {{"NN", HEED_OP_MATMUL, matmul, .p = {0, 0}, ONLY(F(N_BY(4)), F(MATRIX(4, 3)))},
     0,
     TORCH(matmul_nn)},
    {{"NT", HEED_OP_MATMUL, matmul, .p = {0, 1}, ONLY(F(N_BY(4)), F(MATRIX(3, 4)))},
     0,
     TORCH(matmul_nt)},
    {{"TN", HEED_OP_MATMUL, matmul, .p = {1, 0}, ONLY(F(N_BY(4)), F(N_BY(3)))},
     0,
     TORCH(matmul_tn)},
    {{"TT", HEED_OP_MATMUL, matmul, .p = {1, 1}, ONLY(F(MATRIX(4, 2)), F(MATRIX(3, 4)))},
     0,
     TORCH(matmul_tt)},
    {{"NT in bf16", HEED_OP_MATMUL, matmul, .p = {0, 1},
      ONLY(F(N_BY(4)), HALF(HEED_BF16, MATRIX(3, 4)))},
     0,
     TORCH(matmul_bf16)},
    {{"NT in f16", HEED_OP_MATMUL, matmul, .p = {0, 1},
      ONLY(HALF(HEED_F16, N_BY(4)), HALF(HEED_F16, MATRIX(3, 4)))},
     0,
     TORCH(matmul_bf16)},
    {{"linear", HEED_OP_MATMUL, linear, ONLY(F(N_BY(4)), F(MATRIX(3, 4)), F(VECTOR(3)))},
     0,
     TORCH(linear)},
    {{"layer norm, matmul, bias, gelu, gate, residual", HEED_OP_FUSED_MATMUL, fused_layer,
      ONLY(F(N_BY(4)), F(MATRIX(3, 4)), F(VECTOR(3)), F(VECTOR(4)), F(VECTOR(4)), F(N_BY(3)),
           F(N_BY(3)))},
     0,
     TORCH(fused_layer)},
    {{"RMS norm, two matmuls side by side", HEED_OP_FUSED_MATMUL, fused_joined,
      ONLY(F(N_BY(4)), F(MATRIX(4, 3)), F(MATRIX(4, 2)), F(VECTOR(4)), F(VECTOR(3)))},
     0,
     TORCH(fused_joined)},
    {{"one matmul the gate of another", HEED_OP_FUSED_MATMUL, fused_gated,
      ONLY(F(N_BY(4)), F(MATRIX(4, 3)), F(MATRIX(4, 3)), F(VECTOR(3)), F(VECTOR(3)))},
     0,
     TORCH(fused_gated)},
    {{"matmul on top of a state", HEED_OP_FUSED_MATMUL, fused_state,
      ONLY(F(N_BY(4)), F(N_BY(3)), F(MATRIX(4, 3)))},
     0,
     TORCH(fused_state)},
    {{"layer norm", HEED_OP_LAYER_NORM, layer_norm, .p = {1, 1}, .f = {1e-5},
      ONLY(F(N_BY(6)), F(VECTOR(6)), F(VECTOR(6)))},
     0,
     TORCH(layer_norm)},
    {{"RMS norm", HEED_OP_RMS_NORM, rms_norm, .f = {1e-6, 1}, ONLY(F(N_BY(6)), F(VECTOR(6)))},
     0,
     TORCH(rms_norm)},
    {{"gather", HEED_OP_GATHER, gather, ONLY(F(MATRIX(4, 3)), I(N_ROWS, 2, 0, 2, -1, 4, 2))},
     0,
     TORCH(gather)},
    {{"gather from bf16", HEED_OP_GATHER, gather,
      ONLY(HALF(HEED_BF16, MATRIX(4, 3)), I(N_ROWS, 2, 0, 2, -1, 4, 2))},
     0,
     TORCH(gather)},
    {{"scatter", HEED_OP_SCATTER_ADD, scatter_add, ONLY(F(N_BY(3)), I(N_ROWS, 4, 0, 4, -1, 5, 2))},
     0,
     TORCH(scatter_add)},
    {{"concatenation", HEED_OP_CONCATENATE, concatenate, ONLY(F(N_BY(3)), F(N_BY(1)), F(N_BY(2)))},
     0,
     TORCH(concatenate)},
    {{"slice", HEED_OP_SLICE, slice, .p = {1, 3}, ONLY(F(N_BY_BY(2, 3)))}, 0, TORCH(slice)},
    {{"padding", HEED_OP_PAD_COLUMNS, pad_columns, .p = {2, 6}, ONLY(F(N_BY(3)))},
     0,
     TORCH(pad_columns)},
    {{"transposition", HEED_OP_TRANSPOSE, transpose, ONLY(F(MATRIX(2, 5)))}, 0, TORCH(transpose)},
    ATTENTION(bidirectional, 0, (HEADS(2, 2, 3)), ONLY(SAME_ROWS(6, 6), SELF)),
    ATTENTION(causal, 0, (HEADS(2, 2, 3), .causal = true), ONLY(SAME_ROWS(6, 6), SELF)),
    ATTENTION(grouped, 0, (HEADS(4, 2, 2), .causal = true), ONLY(SAME_ROWS(8, 4), SELF)),
    ATTENTION(window, 0, (HEADS(1, 1, 3), .causal = true, .window = 2),
              ONLY(SAME_ROWS(3, 3), SELF)),
    ATTENTION(window_both, 0, (HEADS(1, 1, 3), .window = 2), ONLY(SAME_ROWS(3, 3), SELF)),
    ATTENTION(cross, 0, (HEADS(2, 1, 3), .want_weights = true, .max_queries = 3, .max_keys = 3),
              ONLY(Q_K_V(6, 3), CROSS)),
    {{"weights", HEED_OP_ATTENTION, attention,
      .attention = {HEADS(2, 1, 3), .want_weights = true, .max_queries = 3, .max_keys = 3},
      ONLY(Q_K_V(6, 3), CROSS)},
     2,
     TORCH(weights_cross)},
    ATTENTION(cached, 0, (HEADS(2, 1, 2), .causal = true, .window = 4), ONLY(Q_K_V(4, 2), CACHED),
              TWO_SEQUENCES),
    ATTENTION(
        indexed, 3, (HEADS(2, 2, 2), .causal = true, .window = 3),
        ONLY(SAME_ROWS(4, 4), SELF, I(N_ROWS, 0, 3, 2, 5, 0, 0), I(N_ROWS, 1, -1, 2, -1, 0, 0))),
    ATTENTION(blocks, 4, (HEADS(2, 1, 2), .causal = true),
              ONLY(F(N_BY(4)), F(MATRIX(192, 2)), F(MATRIX(192, 2)), BLOCKS, BLOCK_TABLE),
              TWO_SEQUENCES),
    ATTENTION(capped, 0, (HEADS(2, 1, 2), .causal = true, .soft_cap = 0.7f),
              ONLY(SAME_ROWS(4, 2), SELF)),
    {{"top three", HEED_OP_TOP_K, top_k, .p = {3}, ONLY(F(N_BY(5)))}, 0, TORCH(top_k)},
    {{"top three, where", HEED_OP_TOP_K, top_k, .p = {3}, ONLY(F(N_BY(5)))}, 1, TORCH(top_k_index)},
    {{"experts", HEED_OP_EXPERT_MATMUL, experts, .p = {0, 3, 4},
      ONLY(F(N_BY(4)), CHOICES, F(CUBE(3, 5, 4)), F(MATRIX(3, 5)), F(N_BY(2)))},
     0,
     TORCH(experts)},
    {{"dot of slots and rows", HEED_OP_EXPERT_DOT, expert_pieces, .p = {0}, ONLY(EXPERT_PIECES)},
     0,
     TORCH(expert_dot)},
    {{"outer products by expert", HEED_OP_EXPERT_OUTER, expert_pieces, .p = {1},
      ONLY(EXPERT_PIECES)},
     0,
     TORCH(expert_outer)},
    {{"sums by expert", HEED_OP_EXPERT_SUM, expert_pieces, .p = {2}, ONLY(EXPERT_PIECES)},
     0,
     TORCH(expert_sum)},
    {{"load", HEED_OP_EXPERT_LOAD, expert_load, ONLY(F(N_BY(1)), CHOICES)}, 0, TORCH(expert_load)},
    {{"clamp", HEED_OP_CLAMP, clamp, .f = {0.75}, ONLY(F(N_BY(3)))}, 0, TORCH(clamp)},
    {{"clamped swiglu", HEED_OP_CLAMPED_SWIGLU, clamped_swiglu, .f = {1.5, 0.75},
      ONLY(F(N_BY(3)), F(N_BY(3)))},
     0,
     TORCH(clamped_swiglu)},
    {{"rotary table", HEED_OP_ROTARY_TABLE, rotary_table, .f = {1.2},
      ONLY(POSITIONS, FIXED(N_BY(1)), F(VECTOR(2)))},
     0,
     TORCH(rotary_table)},
    {{"rotary table by row", HEED_OP_ROTARY_TABLE, rotary_table, .f = {1.2},
      ONLY(POSITIONS, FIXED(N_BY(1)), F(N_BY(2)))},
     0,
     TORCH(rotary_table_by_row)},
    {{"rotary halves", HEED_OP_ROTARY, rotary, .p = {2, 0}, .f = {1},
      ONLY(F(N_BY(8)), POSITIONS, F(VECTOR(2)))},
     0,
     TORCH(rotary_halves)},
    {{"rotary pairs", HEED_OP_ROTARY, rotary, .p = {2, 1}, .f = {1},
      ONLY(F(N_BY(8)), POSITIONS, F(VECTOR(2)))},
     0,
     TORCH(rotary_pairs)},
    {{"rotary on a part", HEED_OP_ROTARY, rotary, .p = {2, 0}, .f = {1},
      ONLY(F(N_BY(14)), POSITIONS, F(VECTOR(2)))},
     0,
     TORCH(rotary_part)},
    {{"mean of sequences", HEED_OP_SEQUENCE_MEAN, sequence_mean, ONLY(F(N_BY(3)), SELF)},
     0,
     TORCH(sequence_mean)},
    {{"cross-entropy", HEED_OP_CROSS_ENTROPY, cross_entropy,
      ONLY(F(N_BY(5)), I(N_ROWS, 4, HEED_IGNORE, 2, 5, 1, 0))},
     0,
     TORCH(cross_entropy)},
    {{"label smoothing", HEED_OP_CROSS_ENTROPY, cross_entropy, .f = {0.1},
      ONLY(F(N_BY(5)), I(N_ROWS, 4, -1, 2, HEED_IGNORE, 1, 0))},
     0,
     TORCH(cross_entropy_smoothed)},
    {{"losses without logits", HEED_OP_LINEAR_CROSS_ENTROPY, linear_cross_entropy, .f = {0.1},
      ONLY(F(N_BY(4)), F(MATRIX(5, 4)), I(N_ROWS, 4, HEED_IGNORE, 2, 5, 1, 0), F(VECTOR(5)))},
     0,
     TORCH(linear_cross_entropy)},
};

static void check(const char *name, bool wide, int64_t at, double found, double expected,
                  double tolerance)
{
    if (!(fabs(found - expected) <= tolerance * fmax(1, fabs(expected))))
        fail_msg("%s, %s: element %lld is %.15g, expected %.15g", name, wide ? "double" : "float",
                 (long long)at, found, expected);
}

static void values_are_those_of_torch(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int wide = 0; wide < 2; wide++) {
            const op_case *c = &cases[i].c;
            heed_graph *graph = heed_graph_new();
            heed_value in[MAX_CASE_INPUTS];
            build_op(c, graph, in);
            assert_ok(heed_graph_status(graph, &error));
            evaluation e = evaluate_new(graph, wide, runtime_of(c));
            for (int k = 0; k < c->n_in; k++)
                for (int64_t at = 0; at < evaluate_count(&e, in[k]); at++)
                    evaluate_set(&e, in[k], at,
                                 c->in[k].integers ? c->in[k].integers[at] : number(at, k));
            evaluate_run(&e, graph->n_nodes);
            evaluate_check_marks(&e);
            heed_value y = graph->nodes[graph->n_nodes - 1].out[cases[i].out];
            for (size_t n = 0; n < graph->n_nodes; n++) covered[graph->nodes[n].id] = true;
            if ((size_t)evaluate_count(&e, y) != cases[i].count)
                fail_msg("%s: %lld values, expected %zu", c->name, (long long)evaluate_count(&e, y),
                         cases[i].count);
            /* f32 attributes (a cap of 0.7, a rate of 0.1) are not the doubles that torch was
               given */
            for (size_t at = 0; at < cases[i].count; at++)
                check(c->name, wide, (int64_t)at, evaluate_get(&e, y, (int64_t)at),
                      cases[i].expected[at], wide ? 1e-7 : 2e-6);
            evaluate_free(&e);
            heed_graph_free(graph);
        }
}

typedef struct {
    heed_op_id op;
    const void *attributes;
    int n;
    const heed_shape *shapes;
    const double *const *numbers;
} one_node;

/* One node over f32 inputs of fixed shapes, in the given precision; out[0] into `result`. */
static void run_one(bool wide, one_node node, double *result)
{
    const heed_op_id op = node.op;
    const void *attributes = node.attributes;
    const heed_shape *shapes = node.shapes;
    const double *const *numbers = node.numbers;
    const int n = node.n;
    heed_graph *graph = heed_graph_new();
    heed_value in[MAX_CASE_INPUTS];
    for (int i = 0; i < n; i++) {
        char name[16];
        snprintf(name, sizeof name, "in%d", i);
        in[i] = heed_input(graph, name, HEED_F32, shapes[i]);
    }
    heed_value y = heed_emit(graph, op, in, n, attributes, NULL);
    assert_ok(heed_graph_status(graph, &error));
    evaluation e = evaluate_new(graph, wide, (heed_runtime){0});
    for (int i = 0; i < n; i++) evaluate_fill(&e, in[i], numbers[i]);
    evaluate_run(&e, graph->n_nodes);
    evaluate_check_marks(&e);
    for (int64_t at = 0; at < evaluate_count(&e, y); at++) result[at] = evaluate_get(&e, y, at);
    covered[op] = true;
    evaluate_free(&e);
    heed_graph_free(graph);
}

static const double points[] = {-30, -12, -3, -1.5, -0.25, 0, 0.5, 2, 5.9, 11, 30};
enum { N_POINTS = sizeof points / sizeof *points };

static const double *const torch_unary[HEED_UNARY_COUNT] = {
    [HEED_UNARY_LINEAR] = torch_unary_linear,
    [HEED_UNARY_RELU] = torch_unary_relu,
    [HEED_UNARY_RELU2] = torch_unary_relu2,
    [HEED_UNARY_RELU6] = torch_unary_relu6,
    [HEED_UNARY_LEAKY_RELU] = torch_unary_leaky_relu,
    [HEED_UNARY_GELU] = torch_unary_gelu,
    [HEED_UNARY_GELU_TANH] = torch_unary_gelu_new,
    [HEED_UNARY_GELU_FAST] = torch_unary_gelu_fast,
    [HEED_UNARY_GELU_10] = torch_unary_gelu_10,
    [HEED_UNARY_QUICK_GELU] = torch_unary_quick_gelu,
    [HEED_UNARY_SILU] = torch_unary_silu,
    [HEED_UNARY_MISH] = torch_unary_mish,
    [HEED_UNARY_LAPLACE] = torch_unary_laplace,
    [HEED_UNARY_HARDSWISH] = torch_unary_hardswish,
    [HEED_UNARY_TANH] = torch_unary_tanh,
    [HEED_UNARY_SIGMOID] = torch_unary_sigmoid,
    [HEED_UNARY_EXP] = torch_unary_exp,
    [HEED_UNARY_LOG] = torch_unary_log,
    [HEED_UNARY_SQRT] = torch_unary_sqrt,
    [HEED_UNARY_RSQRT] = torch_unary_rsqrt,
    [HEED_UNARY_SQUARE] = torch_unary_square,
    [HEED_UNARY_ABS] = torch_unary_abs,
    [HEED_UNARY_NEGATE] = torch_unary_negate,
    [HEED_UNARY_SOFTPLUS] = torch_unary_softplus,
    [HEED_UNARY_SQRT_SOFTPLUS] = torch_unary_sqrtsoftplus};

static bool wants_positive(int kind)
{
    return kind == HEED_UNARY_LOG || kind == HEED_UNARY_SQRT || kind == HEED_UNARY_RSQRT;
}

static const char *const unary_names[] = {
#define HEED_UNARY(symbol, name, formula, derivative) name,
#include <heed/unaries.def>
#undef HEED_UNARY
};

static void functions_are_those_of_transformers(void **state)
{
    (void)state;
    for (int kind = 0; kind < HEED_UNARY_COUNT; kind++)
        for (int wide = 0; wide < 2; wide++) {
            double x[N_POINTS], y[N_POINTS];
            for (int i = 0; i < N_POINTS; i++)
                x[i] = wants_positive(kind) ? fabs(points[i]) + 0.25 : points[i];
            run_one(wide,
                    (one_node){HEED_OP_UNARY, &(heed_unary_attributes){kind}, 1,
                               (heed_shape[]){heed_shape_1(N_POINTS)}, (const double *[]){x}},
                    y);
            for (int i = 0; i < N_POINTS; i++)
                check(unary_names[kind], wide, i, y[i], torch_unary[kind][i], wide ? 1e-14 : 2e-6);
        }
}

/* Far out every function and its slope are what they tend to: no inf * 0, no inf / inf. */
static void functions_are_finite_far_out(void **state)
{
    (void)state;
    const double far[] = {-3e38, -1e20, -1e6, -200, 200, 1e6, 1e20, 3e38},
                 one[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    const heed_shape shape = heed_shape_1(8);
    for (int kind = 0; kind < HEED_UNARY_COUNT; kind++)
        for (int wide = 0; wide < 2; wide++) {
            double y[8], slope[8], x[8];
            for (int i = 0; i < 8; i++) x[i] = wants_positive(kind) ? fabs(far[i]) : far[i];
            run_one(wide,
                    (one_node){HEED_OP_UNARY, &(heed_unary_attributes){kind}, 1, &shape,
                               (const double *[]){x}},
                    y);
            run_one(wide,
                    (one_node){HEED_OP_UNARY_BACKWARD, &(heed_unary_attributes){kind}, 2,
                               (heed_shape[]){shape, shape}, (const double *[]){one, x}},
                    slope);
            for (int i = 0; i < 8; i++) {
                if (isnan(y[i]) || isnan(slope[i]))
                    fail_msg("%s at %g: value %g, slope %g", unary_names[kind], x[i], y[i],
                             slope[i]);
                bool gate = kind == HEED_UNARY_GELU || kind == HEED_UNARY_GELU_TANH ||
                            kind == HEED_UNARY_GELU_FAST || kind == HEED_UNARY_QUICK_GELU ||
                            kind == HEED_UNARY_SILU || kind == HEED_UNARY_MISH ||
                            kind == HEED_UNARY_HARDSWISH;
                if (!gate) continue;
                check(unary_names[kind], wide, i, y[i], x[i] > 0 ? x[i] : 0, 1e-6);
                check(unary_names[kind], wide, i, slope[i], x[i] > 0, 1e-6);
            }
        }
}

static void rows_of_minus_infinity_have_no_softmax(void **state)
{
    (void)state;
    double y[6], x[6] = {-INFINITY, -INFINITY, -INFINITY, 1000, -INFINITY, 1000};
    for (int wide = 0; wide < 2; wide++) {
        run_one(wide,
                (one_node){HEED_OP_SOFTMAX, NULL, 1, (heed_shape[]){heed_shape_2(2, 3)},
                           (const double *[]){x}},
                y);
        const double expected[6] = {0, 0, 0, 0.5, 0, 0.5};
        for (int i = 0; i < 6; i++) check("softmax", wide, i, y[i], expected[i], 0);
    }
}

/* As in PyTorch a row that holds a NaN is NaN throughout, whatever else it holds. */
static void rows_with_nan_are_nan(void **state)
{
    (void)state;
    double y[8], x[8] = {NAN, NAN, -INFINITY, NAN, 3, NAN, 3, 4};
    const heed_shape shape = heed_shape_2(4, 2);
    for (int wide = 0; wide < 2; wide++) {
        run_one(wide, (one_node){HEED_OP_SOFTMAX, NULL, 1, &shape, (const double *const[]){x}}, y);
        for (int i = 0; i < 8; i++)
            if ((isnan(y[i]) != 0) != (i < 6))
                fail_msg("softmax %s, row %d: %g", wide ? "in double" : "in float", i / 2, y[i]);
    }
}

static void shapes_and_repetitions_keep_the_order(void **state)
{
    (void)state;
    double x[6] = {1, 2, 3, 4, 5, 6}, y[12];
    for (int wide = 0; wide < 2; wide++) {
        heed_shape_attributes to = {.shape = heed_shape_of(3, (int64_t[]){1, 3, 2})};
        run_one(wide,
                (one_node){HEED_OP_RESHAPE, &to, 1, (heed_shape[]){heed_shape_2(2, 3)},
                           (const double *[]){x}},
                y);
        for (int i = 0; i < 6; i++) check("reshape", wide, i, y[i], i + 1, 0);
        to.shape = heed_shape_2(4, 3);
        run_one(wide,
                (one_node){HEED_OP_BROADCAST, &to, 1, (heed_shape[]){heed_shape_1(3)},
                           (const double *[]){x}},
                y);
        for (int i = 0; i < 12; i++) check("broadcast", wide, i, y[i], i % 3 + 1, 0);
        to.shape = heed_shape_2(6, 2);
        run_one(wide,
                (one_node){HEED_OP_BROADCAST, &to, 1, (heed_shape[]){heed_shape_2(6, 1)},
                           (const double *[]){x}},
                y);
        for (int i = 0; i < 12; i++) check("broadcast", wide, i, y[i], i / 2 + 1, 0);
        heed_scale_attributes scale = {.factor = 0.5, .offset = -1};
        run_one(wide,
                (one_node){HEED_OP_SCALE, &scale, 1, (heed_shape[]){heed_shape_2(2, 3)},
                           (const double *[]){x}},
                y);
        for (int i = 0; i < 6; i++) check("scale", wide, i, y[i], x[i] / 2 - 1, 0);
    }
}

/* 1 + 2^-8 lies half-way between two bf16 neighbors: even wins. In double a value just above the
   middle rounds to f32 first. */
static void casts_round_to_nearest_even(void **state)
{
    (void)state;
    const double x[5] = {1 + 0x1p-8, 1 + 0x1p-8 + 0x1p-20, 1 + 0x1p-8 + 0x1p-40, 70000, -0x1p-26};
    const double bf16[5] = {1, 1 + 0x1p-7, 1, 70144, -0x1p-26},
                 f16[5] = {1 + 0x1p-8, 1 + 0x1p-8, 1 + 0x1p-8, INFINITY, 0};
    for (int wide = 0; wide < 2; wide++)
        for (int narrow = 0; narrow < 2; narrow++) {
            heed_graph *graph = heed_graph_new();
            heed_value in = heed_input(graph, "x", HEED_F32, heed_shape_1(5));
            heed_value low = heed_cast(graph, in, narrow ? HEED_F16 : HEED_BF16),
                       back = heed_cast(graph, low, HEED_F32);
            evaluation e = evaluate_new(graph, wide, (heed_runtime){0});
            evaluate_fill(&e, in, x);
            evaluate_run(&e, graph->n_nodes);
            for (int i = 0; i < 5; i++)
                assert_true(evaluate_get(&e, back, i) == (narrow ? f16[i] : bf16[i]) &&
                            evaluate_get(&e, low, i) == evaluate_get(&e, back, i));
            assert_int_equal(heed_cast(graph, in, HEED_F32), in);
            covered[HEED_OP_CAST] = true;
            evaluate_free(&e);
            heed_graph_free(graph);
        }
}

static void states_get_their_next_version(void **state)
{
    (void)state;
    for (int wide = 0; wide < 2; wide++) {
        heed_graph *graph = heed_graph_new();
        heed_value cache = heed_state(graph, "cache", HEED_F32, heed_shape_2(4, 2)),
                   sum = heed_state(graph, "sum", HEED_F32, heed_shape_2(1, 2));
        heed_value x = heed_input(graph, "x", HEED_F32, heed_shape_live(HEED_EXTENT_ROWS, 6, 2));
        heed_value slots = heed_input(graph, "slots", HEED_I32,
                                      heed_shape_live(HEED_EXTENT_ROWS, 6, 0));
        heed_value written = heed_cache_write(graph, heed_cache_write(graph, cache, x, slots), x,
                                              slots);
        heed_value total = heed_accumulate(graph, heed_accumulate(graph, sum, sum), sum);
        assert_ok(heed_graph_status(graph, &error));
        evaluation e = evaluate_new(graph, wide, (heed_runtime){.count = {0, 5}});
        evaluate_fill(&e, cache, (double[]){1, 2, 3, 4, 5, 6, 7, 8});
        evaluate_fill(&e, sum, (double[]){10, 20});
        evaluate_fill(&e, x, (double[]){-1, -2, -3, -4, -5, -6, -7, -8, -9, -10});
        evaluate_fill(&e, slots, (double[]){2, -1, 4, 0, 2});
        evaluate_run(&e, graph->n_nodes);
        evaluate_check_marks(&e);
        const double expected[8] = {-7, -8, 3, 4, -9, -10, 7, 8};
        for (int i = 0; i < 8; i++)
            check("cache_write", wide, i, evaluate_get(&e, written, i), expected[i], 0);
        for (int i = 0; i < 2; i++)
            check("accumulate", wide, i, evaluate_get(&e, total, i), 30 * (i + 1), 0);
        covered[HEED_OP_CACHE_WRITE] = covered[HEED_OP_ACCUMULATE] = true;
        evaluate_free(&e);
        heed_graph_free(graph);
    }
}

/* Logits of +-1e4 and of -inf give finite losses and slopes. */
static void cross_entropy_bears_any_logit(void **state)
{
    (void)state;
    for (int wide = 0; wide < 2; wide++) {
        heed_graph *graph = heed_graph_new();
        heed_value logits = heed_input(graph, "x", HEED_F32, heed_shape_2(2, 3)),
                   labels = heed_input(graph, "l", HEED_I32, heed_shape_1(2)), d;
        heed_value y = heed_cross_entropy(graph, logits, labels, 0),
                   loss = heed_reduce(graph, HEED_REDUCE_SUM, y, 0, false);
        assert_ok(heed_graph_gradient(graph, loss, &logits, 1, &d, &error));
        evaluation e = evaluate_new(graph, wide, (heed_runtime){0});
        evaluate_fill(&e, logits, (double[]){1e4, -1e4, 0, 1, -INFINITY, 1});
        evaluate_fill(&e, labels, (double[]){1, 2});
        evaluate_run(&e, graph->n_nodes);
        const double expected[6] = {1, -1, 0, 0.5, 0, -0.5};
        check("cross_entropy", wide, 0, evaluate_get(&e, y, 0), 2e4, 1e-6);
        check("cross_entropy", wide, 1, evaluate_get(&e, y, 1), 0.6931471805599453, 1e-6);
        for (int i = 0; i < 6; i++)
            check("cross_entropy_backward", wide, i, evaluate_get(&e, d, i), expected[i], 1e-6);
        evaluate_free(&e);
        heed_graph_free(graph);
    }
}

/* Ties go to the left, NaN is largest, minus infinity may be chosen; every choice is a column of
   its own. */
static void top_k_orders_whatever_comes(void **state)
{
    (void)state;
    const double x[15] = {1,        3, 3,         3,         2,         NAN,       5,        NAN,
                          INFINITY, 0, -INFINITY, -INFINITY, -INFINITY, -INFINITY, -INFINITY};
    const double places[9] = {1, 2, 3, 0, 2, 3, 0, 1, 2};
    for (int wide = 0; wide < 2; wide++) {
        heed_graph *graph = heed_graph_new();
        heed_value in = heed_input(graph, "x", HEED_F32, heed_shape_2(3, 5)), index,
                   y = heed_top_k(graph, in, 3, &index);
        assert_ok(heed_graph_status(graph, &error));
        evaluation e = evaluate_new(graph, wide, (heed_runtime){0});
        evaluate_fill(&e, in, x);
        evaluate_run(&e, graph->n_nodes);
        evaluate_check_marks(&e);
        for (int i = 0; i < 9; i++) {
            double at = x[i / 3 * 5 + (int)places[i]], found = evaluate_get(&e, y, i);
            assert_true(evaluate_get(&e, index, i) == places[i] &&
                        (found == at || (isnan(found) && isnan(at))));
        }
        evaluate_free(&e);
        heed_graph_free(graph);
    }
}

/* Slots stand by expert, those of one expert in the order of their rows; pairs without an expert
   come last, and their matmuls are 0. */
static void experts_are_sorted_stably(void **state)
{
    (void)state;
    const double choices[8] = {2, 0, -1, 2, 0, 5, 2, 0}, order[8] = {1, 4, 7, 0, 3, 6, 2, 5},
                 place[8] = {3, 0, 6, 4, 1, 7, 5, 2}, offsets[4] = {0, 3, 3, 6};
    for (int wide = 0; wide < 2; wide++) {
        heed_graph *graph = heed_graph_new();
        heed_value index = heed_input(graph, "index", HEED_I32, heed_shape_2(4, 2)),
                   x = heed_input(graph, "x", HEED_F32, heed_shape_2(4, 1));
        heed_value w = heed_input(graph, "w", HEED_F32, heed_shape_of(3, (int64_t[]){3, 1, 1}));
        heed_expert_permutation sorted = heed_expert_sort(graph, index, 3);
        heed_value y = heed_expert_matmul(graph, heed_expert_dispatch(graph, x, &sorted, HEED_NONE),
                                          w, HEED_NONE, &sorted);
        assert_ok(heed_graph_status(graph, &error));
        evaluation e = evaluate_new(graph, wide, (heed_runtime){0});
        evaluate_fill(&e, index, choices);
        evaluate_fill(&e, x, (double[]){1, 2, 3, 4});
        evaluate_fill(&e, w, (double[]){10, 20, 30});
        evaluate_run(&e, graph->n_nodes);
        evaluate_check_marks(&e);
        const double products[8] = {10, 30, 40, 30, 60, 120, 0, 0};
        for (int i = 0; i < 8; i++) {
            assert_true(evaluate_get(&e, sorted.permutation, i) == order[i] &&
                        evaluate_get(&e, sorted.inverse, i) == place[i]);
            assert_true(evaluate_get(&e, y, i) == products[i]);
        }
        for (int i = 0; i < 4; i++) assert_true(evaluate_get(&e, sorted.offsets, i) == offsets[i]);
        covered[HEED_OP_EXPERT_PERMUTATION] = covered[HEED_OP_EXPERT_DISPATCH] = true;
        evaluate_free(&e);
        heed_graph_free(graph);
    }
}

/* Runs last: what is not a gradient must have had its values checked above, or in
   test_dropout.c. */
static void every_op_was_checked(void **state)
{
    (void)state;
    covered[HEED_OP_DROPOUT] = true;
    for (int op = 0; op < HEED_OP_COUNT; op++) {
        const char *backward = strstr(heed_ops[op]->name, "_backward");
        if (!covered[op] && !backward)
            fail_msg("%s: no value of it was checked", heed_ops[op]->name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(values_are_those_of_torch),
                                       cmocka_unit_test(functions_are_those_of_transformers),
                                       cmocka_unit_test(functions_are_finite_far_out),
                                       cmocka_unit_test(rows_of_minus_infinity_have_no_softmax),
                                       cmocka_unit_test(rows_with_nan_are_nan),
                                       cmocka_unit_test(shapes_and_repetitions_keep_the_order),
                                       cmocka_unit_test(casts_round_to_nearest_even),
                                       cmocka_unit_test(states_get_their_next_version),
                                       cmocka_unit_test(cross_entropy_bears_any_logit),
                                       cmocka_unit_test(top_k_orders_whatever_comes),
                                       cmocka_unit_test(experts_are_sorted_stably),
                                       cmocka_unit_test(every_op_was_checked)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
