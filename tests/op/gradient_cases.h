/* gradient_cases.h: one line per form of every op that has a gradient. */
#ifndef HEED_TESTS_GRADIENT_CASES_H
#define HEED_TESTS_GRADIENT_CASES_H

#include "op_case.h"

/* clang-format off */
#define BINARY(kind, text) \
    {text " of equal shapes", HEED_OP_BINARY, binary, .p = {kind}, \
     ONLY(F(N_BY(3)), DRAWN(POSITIVE, N_BY(3)))}, {text " with a row", HEED_OP_BINARY, binary, \
     .p = {kind}, ONLY(F(N_BY(3)), DRAWN(POSITIVE, VECTOR(3)))}, {text " with a row, fixed cube", \
     HEED_OP_BINARY, binary, .p = {kind}, \
     ONLY(F(CUBE(2, 3, 4)), DRAWN(POSITIVE, VECTOR(4)))}, {text " with a row, live cube", \
     HEED_OP_BINARY, binary, .p = {kind}, \
     ONLY(F(N_BY_BY(3, 2)), DRAWN(POSITIVE, VECTOR(2)))}, {text " with a column", HEED_OP_BINARY, \
     binary, .p = {kind}, \
     ONLY(F(N_BY(3)), DRAWN(POSITIVE, N_BY(1)))}, {text " with a column of a cube", \
     HEED_OP_BINARY, binary, .p = {kind}, \
     ONLY(F(N_BY_BY(2, 3)), DRAWN(POSITIVE, N_BY_BY(2, 1)))}, {text " with a scalar", \
     HEED_OP_BINARY, binary, .p = {kind}, \
     ONLY(F(N_BY(3)), DRAWN(POSITIVE, SCALAR))}, {text " with one element", HEED_OP_BINARY, \
     binary, .p = {kind}, \
     ONLY(F(CUBE(2, 2, 2)), DRAWN(POSITIVE, MATRIX(1, 1)))}, {text " of live vectors", \
     HEED_OP_BINARY, binary, .p = {kind}, \
     ONLY(F(N_ROWS), DRAWN(POSITIVE, N_ROWS))}, {text " of scalars", HEED_OP_BINARY, binary, \
     .p = {kind}, ONLY(F(SCALAR), DRAWN(POSITIVE, SCALAR))}, {text " of nothing", HEED_OP_BINARY, \
     binary, .p = {kind}, ONLY(F(N_BY(3)), DRAWN(POSITIVE, VECTOR(3))), \
     .live = {[HEED_EXTENT_ROWS] = -1}}

#define REDUCTION(kind, text) \
    {text " of live rows", HEED_OP_REDUCE, reduce, .p = {kind, 0}, \
     ONLY(DRAWN(DISTINCT, N_BY(3)))}, {text " of no rows", HEED_OP_REDUCE, reduce, \
     .p = {kind, 0}, ONLY(DRAWN(DISTINCT, N_BY(3))), \
     .live = {[HEED_EXTENT_ROWS] = -1}}, {text " of a live vector", HEED_OP_REDUCE, reduce, \
     .p = {kind, 0}, ONLY(DRAWN(DISTINCT, N_ROWS))}, {text " of a live vector, kept", \
     HEED_OP_REDUCE, reduce, .p = {kind, -1, 1}, \
     ONLY(DRAWN(DISTINCT, N_ROWS))}, {text " of the last axis", HEED_OP_REDUCE, reduce, \
     .p = {kind, -1}, ONLY(DRAWN(DISTINCT, N_BY(4)))}, {text " of the last axis, kept", \
     HEED_OP_REDUCE, reduce, .p = {kind, 1, 1}, \
     ONLY(DRAWN(DISTINCT, N_BY(4)))}, {text " of a middle axis", HEED_OP_REDUCE, reduce, \
     .p = {kind, 1}, ONLY(DRAWN(DISTINCT, N_BY_BY(3, 2)))}, {text " of the first axis of a cube", \
     HEED_OP_REDUCE, reduce, .p = {kind, 0}, ONLY(DRAWN(DISTINCT, CUBE(3, 2, 2)))}
/* clang-format on */

static const op_case gradient_cases[] = {
    BINARY(HEED_BINARY_ADD, "sum"),
    BINARY(HEED_BINARY_SUBTRACT, "difference"),
    BINARY(HEED_BINARY_MULTIPLY, "multiplication"),
    BINARY(HEED_BINARY_DIVIDE, "quotient"),
#define HEED_OP_ROW(symbol, name, built, inputs, ...) {#name, HEED_OP_##symbol, row_##name, inputs},
#include "op_rows.def"
#undef HEED_OP_ROW
    {"a value used three times", HEED_OP_BINARY, twice, ONLY(F(N_BY(3)))},
#define HEED_UNARY(symbol, name, formula, derivative) \
    {name, HEED_OP_UNARY, unary, .p = {HEED_UNARY_##symbol}, ONLY(DRAWN(KINKLESS, N_BY(5)))},
#include <heed/unaries.def>
#undef HEED_UNARY
    {"scale", HEED_OP_SCALE, scale, .f = {-1.75, 3}, ONLY(F(N_BY(3)))},
    {"offset", HEED_OP_SCALE, scale, .f = {1, 3}, ONLY(F(CUBE(2, 2, 2)))},
    {"widening bf16", HEED_OP_CAST, cast, .p = {HEED_F32}, ONLY(HALF(HEED_BF16, N_BY(3)))},
    {"widening f16", HEED_OP_CAST, cast, .p = {HEED_F32}, ONLY(HALF(HEED_F16, MATRIX(2, 3)))},
    REDUCTION(HEED_REDUCE_SUM, "sum"),
    REDUCTION(HEED_REDUCE_MEAN, "mean"),
    REDUCTION(HEED_REDUCE_MAX, "maximum"),
    {"a scalar repeated", HEED_OP_BROADCAST, broadcast, ONLY(F(SCALAR), FIXED(N_BY(3)))},
    {"one element repeated", HEED_OP_BROADCAST, broadcast, ONLY(F(VECTOR(1)), FIXED(MATRIX(2, 3)))},
    {"a row repeated", HEED_OP_BROADCAST, broadcast, ONLY(F(VECTOR(3)), FIXED(N_BY(3)))},
    {"a row repeated in a cube", HEED_OP_BROADCAST, broadcast,
     ONLY(F(VECTOR(3)), FIXED(N_BY_BY(2, 3)))},
    {"a column repeated", HEED_OP_BROADCAST, broadcast, ONLY(F(N_BY(1)), FIXED(N_BY(3)))},
    {"a column of a cube repeated", HEED_OP_BROADCAST, broadcast,
     ONLY(F(CUBE(2, 3, 1)), FIXED(CUBE(2, 3, 2)))},
    {"nothing to repeat", HEED_OP_BROADCAST, broadcast, ONLY(F(N_BY(3)), FIXED(N_BY(3)))},
    {"NN, live rows", HEED_OP_MATMUL, matmul, .p = {0, 0}, ONLY(F(N_BY(4)), F(MATRIX(4, 3)))},
    {"NN, fixed", HEED_OP_MATMUL, matmul, .p = {0, 0}, ONLY(F(MATRIX(2, 4)), F(MATRIX(4, 3)))},
    {"NT, live rows", HEED_OP_MATMUL, matmul, .p = {0, 1}, ONLY(F(N_BY(4)), F(MATRIX(3, 4)))},
    {"NT, no rows", HEED_OP_MATMUL, matmul, .p = {0, 1}, ONLY(F(N_BY(4)), F(MATRIX(3, 4))),
     .live = {[HEED_EXTENT_ROWS] = -1}},
    {"TN, over live rows", HEED_OP_MATMUL, matmul, .p = {1, 0}, ONLY(F(N_BY(4)), F(N_BY(3)))},
    {"TN, over no rows", HEED_OP_MATMUL, matmul, .p = {1, 0}, ONLY(F(N_BY(4)), F(N_BY(3))),
     .live = {[HEED_EXTENT_ROWS] = -1}},
    {"TN, fixed", HEED_OP_MATMUL, matmul, .p = {1, 0}, ONLY(F(MATRIX(4, 2)), F(MATRIX(4, 3)))},
    {"TT", HEED_OP_MATMUL, matmul, .p = {1, 1}, ONLY(F(MATRIX(4, 2)), F(MATRIX(3, 4)))},
    {"NT with bf16 weights", HEED_OP_MATMUL, matmul, .p = {0, 1},
     ONLY(F(N_BY(4)), HALF(HEED_BF16, MATRIX(3, 4)))},
    {"NN with f16 weights", HEED_OP_MATMUL, matmul, .p = {0, 0},
     ONLY(F(N_BY(4)), HALF(HEED_F16, MATRIX(4, 3)))},
    {"NT of two bf16 matrices", HEED_OP_MATMUL, matmul, .p = {0, 1},
     ONLY(HALF(HEED_BF16, N_BY(4)), HALF(HEED_BF16, MATRIX(3, 4)))},
    {"linear", HEED_OP_MATMUL, linear, ONLY(F(N_BY(4)), F(MATRIX(3, 4)))},
    {"linear with bias", HEED_OP_MATMUL, linear, ONLY(F(N_BY(4)), F(MATRIX(3, 4)), F(VECTOR(3)))},
    {"softmax of a cube", HEED_OP_SOFTMAX, softmax, ONLY(F(CUBE(2, 3, 4)))},
    {"layer norm", HEED_OP_LAYER_NORM, layer_norm, .p = {1, 1}, .f = {1e-5},
     ONLY(F(N_BY(6)), F(VECTOR(6)), F(VECTOR(6)))},
    {"layer norm of a cube", HEED_OP_LAYER_NORM, layer_norm, .p = {1, 1}, .f = {1e-3},
     ONLY(F(N_BY_BY(2, 6)), F(VECTOR(6)), F(VECTOR(6)))},
    {"layer norm, gain alone", HEED_OP_LAYER_NORM, layer_norm, .p = {1, 0}, .f = {1e-3},
     ONLY(F(MATRIX(3, 6)), F(VECTOR(6)))},
    {"layer norm, bias alone", HEED_OP_LAYER_NORM, layer_norm, .p = {0, 1}, .f = {1e-3},
     ONLY(F(N_BY(6)), F(VECTOR(6)))},
    {"layer norm, bare", HEED_OP_LAYER_NORM, layer_norm, .f = {1e-5}, ONLY(F(N_BY(6)))},
    {"layer norm of no rows", HEED_OP_LAYER_NORM, layer_norm, .p = {1, 1}, .f = {1e-5},
     ONLY(F(N_BY(6)), F(VECTOR(6)), F(VECTOR(6))), .live = {[HEED_EXTENT_ROWS] = -1}},
    {"RMS norm", HEED_OP_RMS_NORM, rms_norm, .f = {1e-6}, ONLY(F(N_BY(6)), F(VECTOR(6)))},
    {"RMS norm, gain stored less one", HEED_OP_RMS_NORM, rms_norm, .f = {1e-6, 1},
     ONLY(F(N_BY_BY(2, 6)), F(VECTOR(6)))},
    {"RMS norm, bare", HEED_OP_RMS_NORM, rms_norm, .f = {1e-3, 1}, ONLY(F(MATRIX(3, 6)))},
    {"embedding, ids repeated and outside", HEED_OP_GATHER, gather,
     ONLY(F(MATRIX(4, 3)), I(N_ROWS, 2, 0, 2, -1, 4, 2))},
    {"embedding from bf16", HEED_OP_GATHER, gather,
     ONLY(HALF(HEED_BF16, MATRIX(4, 3)), I(N_ROWS, 2, 0, 2, 1, 3, 2))},
    {"rows picked from live rows", HEED_OP_GATHER, gather, ONLY(F(N_BY(3)), I(R_ROWS, 5, 6, 0))},
    {"scatter into fixed rows", HEED_OP_SCATTER_ADD, scatter_add,
     ONLY(F(N_BY(3)), I(N_ROWS, 4, 0, 4, -1, 5, 2))},
    {"scatter into live rows", HEED_OP_SCATTER_ADD, scatter_add, .p = {1},
     ONLY(F(N_BY(3)), I(N_ROWS, 6, 0, 6, -1, 7, 2))},
    {"slice", HEED_OP_SLICE, slice, .p = {1, 4}, ONLY(F(N_BY(5)))},
    {"slice of a cube", HEED_OP_SLICE, slice, .p = {0, 2}, ONLY(F(N_BY_BY(2, 3)))},
    {"slice of a vector", HEED_OP_SLICE, slice, .p = {2, 3}, ONLY(F(VECTOR(4)))},
    {"empty slice", HEED_OP_SLICE, slice, .p = {2, 2}, ONLY(F(N_BY(4)))},
    {"padding", HEED_OP_PAD_COLUMNS, pad_columns, .p = {2, 6}, ONLY(F(N_BY(3)))},
    {"padding of a cube", HEED_OP_PAD_COLUMNS, pad_columns, .p = {1, 4}, ONLY(F(N_BY_BY(2, 3)))},
    {"concatenation", HEED_OP_CONCATENATE, concatenate, ONLY(F(N_BY(3)), F(N_BY(1)), F(N_BY(2)))},
    {"concatenation of cubes", HEED_OP_CONCATENATE, concatenate,
     ONLY(F(N_BY_BY(2, 3)), F(N_BY_BY(2, 1)))},
    {"concatenation of vectors", HEED_OP_CONCATENATE, concatenate,
     ONLY(F(VECTOR(2)), F(VECTOR(3)))},
    {"concatenation of one", HEED_OP_CONCATENATE, concatenate, ONLY(F(N_BY(3)))},
    {"transposition", HEED_OP_TRANSPOSE, transpose, ONLY(F(MATRIX(2, 5)))},
    {"reshape of live rows", HEED_OP_RESHAPE, reshape, .p = {3, MAX_N, 3, 2}, ONLY(F(N_BY(6)))},
    {"reshape to a live vector", HEED_OP_RESHAPE, reshape, .p = {1, MAX_N}, ONLY(F(N_BY(1)))},
    {"reshape of a fixed matrix", HEED_OP_RESHAPE, reshape, .p = {2, 6, 2}, ONLY(F(CUBE(2, 2, 3)))},
    {"reshape to a scalar", HEED_OP_RESHAPE, reshape, .p = {0}, ONLY(F(MATRIX(1, 1)))},
    {"dropout", HEED_OP_DROPOUT, dropout, .f = {0.4},
     ONLY(F(N_BY(7)), I(N_BY(2), 3, 0, 3, 1, 3, 2, 9, 0, 9, 1, 4, 0))},
    {"dropout of a cube", HEED_OP_DROPOUT, dropout, .f = {0.25},
     ONLY(F(N_BY_BY(2, 5)), I(N_BY(2), 3, 0, 3, 1, 3, 2, 9, 0, 9, 1, 4, 0))},
    {"bidirectional", HEED_OP_ATTENTION, attention, .attention = {HEADS(2, 2, 3)},
     ONLY(F(N_BY(6)), F(N_BY(6)), F(N_BY(6)), SELF)},
    {"causal", HEED_OP_ATTENTION, attention, .attention = {HEADS(2, 2, 3), .causal = true},
     ONLY(F(N_BY(6)), F(N_BY(6)), F(N_BY(6)), SELF)},
    {"causal, grouped heads", HEED_OP_ATTENTION, attention,
     .attention = {HEADS(4, 2, 2), .causal = true}, ONLY(F(N_BY(8)), F(N_BY(4)), F(N_BY(4)), SELF)},
    {"one key/value head", HEED_OP_ATTENTION, attention, .attention = {HEADS(3, 1, 2)},
     ONLY(F(N_BY(6)), F(N_BY(2)), F(N_BY(2)), SELF)},
    {"causal window", HEED_OP_ATTENTION, attention,
     .attention = {HEADS(1, 1, 3), .causal = true, .window = 2},
     ONLY(F(N_BY(3)), F(N_BY(3)), F(N_BY(3)), SELF)},
    {"window both ways", HEED_OP_ATTENTION, attention, .attention = {HEADS(1, 1, 3), .window = 2},
     ONLY(F(N_BY(3)), F(N_BY(3)), F(N_BY(3)), SELF)},
    {"cross", HEED_OP_ATTENTION, attention, .attention = {HEADS(2, 1, 3)},
     ONLY(Q_K_V(6, 3), CROSS)},
    {"queries after a past", HEED_OP_ATTENTION, attention,
     .attention = {HEADS(2, 1, 2), .causal = true, .window = 4}, ONLY(Q_K_V(4, 2), CACHED),
     .live = {[HEED_EXTENT_ROWS] = 3, [HEED_EXTENT_SEQUENCES] = 2}},
    {"index arrays, hidden keys", HEED_OP_ATTENTION, attention, .p = {3},
     .attention = {HEADS(2, 2, 2), .causal = true, .window = 3},
     ONLY(F(N_BY(4)), F(N_BY(4)), F(N_BY(4)), SELF, I(N_ROWS, 0, 3, 2, 5, 0, 0),
          I(N_ROWS, 1, -1, 2, -1, 0, 0))},
    {"hidden keys, bidirectional", HEED_OP_ATTENTION, attention, .p = {2},
     .attention = {HEADS(1, 1, 2)}, ONLY(Q_K_V(2, 2), CROSS, I(S_ROWS, 0, -1, 0, -1, 1, -1, 0))},
    {"blocks", HEED_OP_ATTENTION, attention, .p = {4},
     .attention = {HEADS(2, 1, 2), .causal = true},
     ONLY(F(N_BY(4)), F(MATRIX(192, 2)), F(MATRIX(192, 2)), BLOCKS, BLOCK_TABLE),
     .live = {[HEED_EXTENT_ROWS] = 3, [HEED_EXTENT_SEQUENCES] = 2}},
    {"dropout of weights", HEED_OP_ATTENTION, attention,
     .attention = {HEADS(2, 1, 2), .dropout = 0.4f}, ONLY(Q_K_V(4, 2), CROSS)},
    {"soft cap", HEED_OP_ATTENTION, attention,
     .attention = {HEADS(2, 1, 2), .soft_cap = 0.7f, .causal = true},
     ONLY(F(N_BY(4)), F(N_BY(2)), F(N_BY(2)), SELF)},
    {"alibi", HEED_OP_ATTENTION, attention, .p = {8},
     .attention = {HEADS(2, 1, 2), .alibi_scale = 0.8f, .causal = true},
     ONLY(F(N_BY(4)), F(N_BY(2)), F(N_BY(2)), SELF, FIXED(VECTOR(2)))},
    {"alibi in bf16, soft cap", HEED_OP_ATTENTION, attention, .p = {8},
     .attention = {HEADS(2, 2, 2), .alibi_scale = 1, .alibi_bf16 = true, .soft_cap = 0.7f},
     ONLY(F(N_BY(4)), F(S_BY(4)), F(S_BY(4)), CROSS, FIXED(VECTOR(2)))},
    {"sinks", HEED_OP_ATTENTION, attention, .p = {16},
     .attention = {HEADS(4, 2, 2), .causal = true},
     ONLY(F(N_BY(8)), F(N_BY(4)), F(N_BY(4)), SELF, F(VECTOR(4)))},
    {"sinks, hidden keys, dropout", HEED_OP_ATTENTION, attention, .p = {18},
     .attention = {HEADS(1, 1, 2), .dropout = 0.4f},
     ONLY(Q_K_V(2, 2), CROSS, I(S_ROWS, 0, -1, 0, -1, 1, -1, 0), F(VECTOR(1)))},
    {"sinks, alibi, soft cap", HEED_OP_ATTENTION, attention, .p = {24},
     .attention = {HEADS(2, 1, 2), .alibi_scale = 1, .soft_cap = 0.7f, .causal = true},
     ONLY(F(N_BY(4)), F(N_BY(2)), F(N_BY(2)), SELF, FIXED(VECTOR(2)), F(VECTOR(2)))},
    {"weights kept", HEED_OP_ATTENTION, attention,
     .attention = {HEADS(2, 1, 2), .want_weights = true, .max_queries = 3, .max_keys = 2},
     ONLY(Q_K_V(4, 2), CROSS)},
    {"no sequences", HEED_OP_ATTENTION, attention, .attention = {HEADS(2, 1, 2)},
     ONLY(Q_K_V(4, 2), CROSS), .live = {[HEED_EXTENT_SEQUENCES] = -1}},
    {"no rows", HEED_OP_ATTENTION, attention, .attention = {HEADS(2, 1, 2)},
     ONLY(Q_K_V(4, 2), CROSS),
     .live =
         {[HEED_EXTENT_SEQUENCES] = -1, [HEED_EXTENT_ROWS] = -1, [HEED_EXTENT_SOURCE_ROWS] = -1}},
    {"rotary halves", HEED_OP_ROTARY, rotary, .p = {2, 0}, .f = {1},
     ONLY(F(N_BY(8)), I(N_ROWS, 0, 1, 2, 7, 0, 300), FIXED(VECTOR(2)))},
    {"rotary pairs", HEED_OP_ROTARY, rotary, .p = {2, 1}, .f = {1.2},
     ONLY(F(N_BY(8)), I(N_ROWS, 0, 1, 2, 7, 0, 300), FIXED(VECTOR(2)))},
    {"rotary on a part", HEED_OP_ROTARY, rotary, .p = {2, 0}, .f = {1},
     ONLY(F(N_BY(14)), I(N_ROWS, 0, 1, 2, 7, 0, 3), FIXED(VECTOR(2)))},
    {"rotary pairs on a part", HEED_OP_ROTARY, rotary, .p = {2, 1}, .f = {1},
     ONLY(F(N_BY(10)), I(N_ROWS, 0, 1, 2, 7, 0, 3), FIXED(VECTOR(2)))},
    {"mean of sequences", HEED_OP_SEQUENCE_MEAN, sequence_mean, ONLY(F(N_BY(3)), SELF)},
    {"cross-entropy", HEED_OP_CROSS_ENTROPY, cross_entropy, ONLY(F(R_BY(5)), I(R_ROWS, 4, 0, 2))},
    {"ignored labels", HEED_OP_CROSS_ENTROPY, cross_entropy,
     ONLY(F(N_BY(5)), I(N_ROWS, 4, HEED_IGNORE, 2, 5, -1, 0))},
    {"label smoothing", HEED_OP_CROSS_ENTROPY, cross_entropy, .f = {0.1},
     ONLY(F(N_BY(5)), I(N_ROWS, 4, HEED_IGNORE, 2, 5, 1, 0))},
    {"losses without logits", HEED_OP_LINEAR_CROSS_ENTROPY, linear_cross_entropy,
     ONLY(F(R_BY(4)), F(MATRIX(5, 4)), I(R_ROWS, 4, 0, 2))},
    {"losses without logits, bias, smoothing, ignored labels", HEED_OP_LINEAR_CROSS_ENTROPY,
     linear_cross_entropy, .f = {0.1},
     ONLY(F(N_BY(4)), F(MATRIX(5, 4)), I(N_ROWS, 4, HEED_IGNORE, 2, 5, -1, 0), F(VECTOR(5)))},
    {"losses of no rows", HEED_OP_LINEAR_CROSS_ENTROPY, linear_cross_entropy,
     ONLY(F(R_BY(4)), F(MATRIX(5, 4)), I(R_ROWS, 0), F(VECTOR(5))),
     .live = {[HEED_EXTENT_GATHERED] = -1}},
    {"top two", HEED_OP_TOP_K, top_k, .p = {2}, ONLY(DRAWN(DISTINCT, N_BY(5)))},
    {"the largest", HEED_OP_TOP_K, top_k, .p = {1}, ONLY(DRAWN(DISTINCT, N_BY(3)))},
    {"all, sorted", HEED_OP_TOP_K, top_k, .p = {3}, ONLY(DRAWN(DISTINCT, N_BY(3)))},
    {"experts", HEED_OP_EXPERT_MATMUL, experts, .p = {0, 3, 4},
     ONLY(F(N_BY(4)), CHOICES, F(CUBE(3, 5, 4)), F(MATRIX(3, 5)), F(N_BY(2)))},
    {"experts without slots, pairs without experts", HEED_OP_EXPERT_MATMUL, experts, .p = {0, 3, 4},
     ONLY(F(N_BY(4)), SOME_CHOICES, F(CUBE(3, 5, 4)), F(MATRIX(3, 5)), F(N_BY(2)))},
    {"experts in bf16, without bias", HEED_OP_EXPERT_MATMUL, experts, .p = {0, 0, 3},
     ONLY(F(N_BY(4)), CHOICES, HALF(HEED_BF16, CUBE(3, 5, 4)), F(N_BY(2)))},
    {"experts for no rows", HEED_OP_EXPERT_MATMUL, experts, .p = {0, 3, 4},
     ONLY(F(N_BY(4)), I(N_BY(2), 0), F(CUBE(3, 5, 4)), F(MATRIX(3, 5)), F(N_BY(2))),
     .live = {[HEED_EXTENT_ROWS] = -1}},
    {"weighted rows to experts", HEED_OP_EXPERT_DISPATCH, experts, .p = {3},
     ONLY(F(N_BY(4)), CHOICES, F(CUBE(3, 5, 4)), F(N_BY(2)))},
    {"unweighted sum of experts", HEED_OP_EXPERT_COMBINE, experts,
     ONLY(F(N_BY(4)), CHOICES, F(CUBE(3, 5, 4)))},
    {"load of experts", HEED_OP_EXPERT_LOAD, expert_load, ONLY(F(N_BY(1)), SOME_CHOICES)},
    {"clamp", HEED_OP_CLAMP, clamp, .f = {0.62}, ONLY(DRAWN(DISTINCT, N_BY(5)))},
    {"clamped swiglu", HEED_OP_CLAMPED_SWIGLU, clamped_swiglu, .f = {1.702, 3},
     ONLY(DRAWN(KINKLESS, N_BY(5)), DRAWN(KINKLESS, N_BY(5)))},
    {"clamped swiglu of slots", HEED_OP_CLAMPED_SWIGLU, clamped_swiglu, .f = {0.5, 6},
     ONLY(DRAWN(KINKLESS, N_BY_BY(2, 3)), DRAWN(KINKLESS, N_BY_BY(2, 3)))},
    {"no labels", HEED_OP_CROSS_ENTROPY, cross_entropy, .f = {0.1}, ONLY(F(R_BY(5)), I(R_ROWS, 0)),
     .live = {[HEED_EXTENT_GATHERED] = -1}},
};

#endif
