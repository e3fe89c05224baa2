/* value_cases.h: one op each, with the values that PyTorch computed for it (torch_values.h), or,
   where a sentence in C says it all, the row of op_rows.def. */
#ifndef HEED_TESTS_OP_VALUE_CASES_H
#define HEED_TESTS_OP_VALUE_CASES_H

#include "op_case.h"
#include "torch_values.h"

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
static inline heed_value fused(heed_graph *graph, const heed_fused_matmul_attributes *attributes,
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

BUILD(pair_scores)
{
    return heed_pair_scores(g, in[0], in[1], in[2]);
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

#define WEIGHTS(heads, tokens)                                                              \
    {                                                                                       \
        .rank = 4, .extent = HEED_EXTENT_SEQUENCES, .dim = { MAX_B, heads, tokens, tokens } \
    }
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
    {{"scores of pairs", HEED_OP_PAIR_SCORES, pair_scores,
      ONLY(F(WEIGHTS(2, 3)), I(B_BY(3), 0, 1, 2, 2, -1, 0, -1, -1, -1, 1, 0, 7), FIXED(VECTOR(2)))},
     0,
     TORCH(pair_scores)},
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

#endif
