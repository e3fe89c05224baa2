/* Every argument that an op refuses: the status, and a message that names the op and what it was
   given. */
#include "graph/attributes.h"
#include "graph/ir.h"
#include "op_case.h"
#include "support/test.h"
#include <math.h>

typedef struct {
    bool present;
    heed_value_kind kind;
    heed_dtype dtype;
    heed_shape shape;
} given;

typedef struct {
    heed_op_id op;
    heed_status status;
    const char *part; /* of the message */
    const void *attributes;
    int n_in;
    given in[HEED_MAX_INPUTS];
} error_case;

#undef F
#undef I
/* clang-format off */
#define F(...) {true, HEED_VALUE_INPUT, HEED_F32, __VA_ARGS__}
#define I(...) {true, HEED_VALUE_INPUT, HEED_I32, __VA_ARGS__}
#define H(...) {true, HEED_VALUE_INPUT, HEED_BF16, __VA_ARGS__}
#define S(...) {true, HEED_VALUE_STATE, HEED_F32, __VA_ARGS__}
#define NONE {.present = false}
#define IN(...) sizeof((given[]){__VA_ARGS__}) / sizeof(given), {__VA_ARGS__}
#define NEGATIVE_2(a, b) {.rank = 2, .dim = {a, b}}
/* clang-format on */

#define TO(...)              \
    &(heed_shape_attributes) \
    {                        \
        .shape = __VA_ARGS__ \
    }
#define REDUCE(...)           \
    &(heed_reduce_attributes) \
    {                         \
        __VA_ARGS__           \
    }
#define OPTIONS(...)                                                        \
    &(heed_attention_attributes)                                            \
    {                                                                       \
        .heads = 2, .kv_heads = 1, .head_width = 3, .scale = 1, __VA_ARGS__ \
    }
#define FUSED(joined_, ...)                                             \
    &(heed_fused_matmul_attributes)                                     \
    {                                                                   \
        .joined = joined_, .activation = HEED_UNARY_LINEAR, __VA_ARGS__ \
    }
#define QKV F(N_BY(6)), F(N_BY(3)), F(N_BY(3))
#define TABLE I(B_BY(8))
#define WEIGHTS(heads, tokens)                                                              \
    {                                                                                       \
        .rank = 4, .extent = HEED_EXTENT_SEQUENCES, .dim = { MAX_B, heads, tokens, tokens } \
    }
#define NORM(value)         \
    &(heed_norm_attributes) \
    {                       \
        .eps = value        \
    }
#define TOP_K(count_) (&(heed_top_k_attributes){count_})
#define EXPERTS(count_) (&(heed_expert_count_attributes){count_})
#define EXPERT(transposed) (&(heed_expert_matmul_attributes){transposed, HEED_UNARY_LINEAR, 0})
#define SWIGLU(alpha_, limit_) (&(heed_clamped_swiglu_attributes){alpha_, limit_})
#define NORM_GAIN(...)           \
    &(heed_norm_gain_attributes) \
    {                            \
        __VA_ARGS__              \
    }

static const error_case errors[] = {
#define HEED_OP_ROW(symbol, name, built, inputs, expected, status, part, attributes, wrong) \
    {HEED_OP_##symbol, status, part, attributes, wrong},
#include "op_rows.def"
#undef HEED_OP_ROW
    {HEED_OP_BINARY, HEED_E_SHAPE, "(N:8,3)", &(heed_binary_attributes){HEED_BINARY_ADD},
     IN(F(N_BY(3)), F(VECTOR(4)))},
    {HEED_OP_BINARY, HEED_E_SHAPE, "(S:9,3)", &(heed_binary_attributes){HEED_BINARY_ADD},
     IN(F(N_BY(3)), F(S_BY(3)))},
    {HEED_OP_BINARY, HEED_E_SHAPE, "(8,3)", &(heed_binary_attributes){HEED_BINARY_ADD},
     IN(F(N_BY(3)), F(MATRIX(8, 3)))},
    {HEED_OP_BINARY, HEED_E_SHAPE, "(S:9,1)", &(heed_binary_attributes){HEED_BINARY_ADD},
     IN(F(N_BY(3)), F(S_BY(1)))},
    {HEED_OP_BINARY, HEED_E_SHAPE, "(3)", &(heed_binary_attributes){HEED_BINARY_ADD},
     IN(F(VECTOR(3)), F(N_BY(3)))},
    {HEED_OP_BINARY, HEED_E_SHAPE, "(N:8)", &(heed_binary_attributes){HEED_BINARY_ADD},
     IN(F(MATRIX(2, 8)), F(N_ROWS))},
    {HEED_OP_BINARY, HEED_E_DTYPE, "i32", &(heed_binary_attributes){HEED_BINARY_ADD},
     IN(F(N_ROWS), I(N_ROWS))},
    {HEED_OP_BINARY, HEED_E_DTYPE, "bf16", &(heed_binary_attributes){HEED_BINARY_ADD},
     IN(H(N_ROWS), F(N_ROWS))},
    {HEED_OP_BINARY, HEED_E_ARG, "kind", &(heed_binary_attributes){4}, IN(F(N_ROWS), F(N_ROWS))},
    {HEED_OP_BINARY, HEED_E_ARG, "missing", &(heed_binary_attributes){0}, IN(F(N_ROWS), NONE)},
    {HEED_OP_UNARY, HEED_E_ARG, "kind", &(heed_unary_attributes){HEED_UNARY_COUNT}, IN(F(N_ROWS))},
    {HEED_OP_UNARY, HEED_E_ARG, "kind", &(heed_unary_attributes){-1}, IN(F(N_ROWS))},
    {HEED_OP_UNARY, HEED_E_DTYPE, "bf16", &(heed_unary_attributes){0}, IN(H(N_ROWS))},
    {HEED_OP_UNARY_BACKWARD, HEED_E_SHAPE, "equal", &(heed_unary_attributes){0},
     IN(F(N_BY(3)), F(N_BY(4)))},
    {HEED_OP_SCALE, HEED_E_DTYPE, "i32", &(heed_scale_attributes){1, 0}, IN(I(N_ROWS))},
    {HEED_OP_CAST, HEED_E_DTYPE, "i32", &(heed_cast_attributes){HEED_BF16}, IN(I(N_ROWS))},
    {HEED_OP_CAST, HEED_E_DTYPE, "f16", &(heed_cast_attributes){HEED_I32}, IN(F(N_ROWS))},
    {HEED_OP_CAST, HEED_E_DTYPE, "f16", &(heed_cast_attributes){-1}, IN(F(N_ROWS))},
    {HEED_OP_REDUCE, HEED_E_ARG, "axis", REDUCE(HEED_REDUCE_SUM, 2, 0), IN(F(N_BY(3)))},
    {HEED_OP_REDUCE, HEED_E_ARG, "axis", REDUCE(HEED_REDUCE_SUM, -1, 0), IN(F(N_BY(3)))},
    {HEED_OP_REDUCE, HEED_E_ARG, "axis", REDUCE(HEED_REDUCE_SUM, 0, 0), IN(F(SCALAR))},
    {HEED_OP_REDUCE, HEED_E_ARG, "keep", REDUCE(HEED_REDUCE_SUM, 0, 1), IN(F(N_BY(3)))},
    {HEED_OP_REDUCE, HEED_E_ARG, "max", REDUCE(3, 0, 0), IN(F(N_BY(3)))},
    {HEED_OP_REDUCE, HEED_E_DTYPE, "i32", REDUCE(HEED_REDUCE_SUM, 0, 0), IN(I(N_BY(3)))},
    {HEED_OP_REDUCE_BACKWARD, HEED_E_SHAPE, "reduced",
     (&(heed_reduce_backward_attributes){N_BY(3), {HEED_REDUCE_SUM, 0, 0}, 0}), IN(F(VECTOR(4)))},
    {HEED_OP_REDUCE_BACKWARD, HEED_E_SHAPE, "maximum",
     (&(heed_reduce_backward_attributes){N_BY(3), {HEED_REDUCE_MAX, 0, 0}, 0}), IN(F(VECTOR(3)))},
    {HEED_OP_BROADCAST, HEED_E_SHAPE, "(4)", TO(N_BY(3)), IN(F(VECTOR(4)))},
    {HEED_OP_BROADCAST, HEED_E_SHAPE, "target", TO(NEGATIVE_2(-1, 3)), IN(F(VECTOR(3)))},
    {HEED_OP_BROADCAST, HEED_E_SHAPE, "target", TO(NEGATIVE_2(INT64_MAX / 4, 3)), IN(F(VECTOR(3)))},
    {HEED_OP_MATMUL, HEED_E_SHAPE, "(M,K) and (N,K)", (&(heed_matmul_attributes){0, 1, 0}),
     IN(F(N_BY(4)), F(MATRIX(4, 3)))},
    {HEED_OP_MATMUL, HEED_E_SHAPE, "(M,K) and (K,N)", (&(heed_matmul_attributes){0, 0, 0}),
     IN(F(N_BY(4)), F(MATRIX(3, 4)))},
    {HEED_OP_MATMUL, HEED_E_SHAPE, "(K,M) and (K,N)", (&(heed_matmul_attributes){1, 0, 0}),
     IN(F(N_BY(4)), F(S_BY(4)))},
    {HEED_OP_MATMUL, HEED_E_SHAPE, "(K,M) and (N,K)", (&(heed_matmul_attributes){1, 1, 0}),
     IN(F(N_BY(4)), F(MATRIX(3, 8)))},
    {HEED_OP_MATMUL, HEED_E_SHAPE, "fixed rows", (&(heed_matmul_attributes){0, 1, 0}),
     IN(F(N_BY(4)), F(S_BY(4)))},
    {HEED_OP_MATMUL, HEED_E_SHAPE, "two matrices", (&(heed_matmul_attributes){0, 1, 0}),
     IN(F(N_BY_BY(2, 4)), F(MATRIX(3, 4)))},
    {HEED_OP_MATMUL, HEED_E_DTYPE, "i32", (&(heed_matmul_attributes){0, 1, 0}),
     IN(F(N_BY(4)), I(MATRIX(3, 4)))},
    {HEED_OP_SOFTMAX, HEED_E_SHAPE, "(N:8)", NULL, IN(F(N_ROWS))},
    {HEED_OP_SOFTMAX, HEED_E_DTYPE, "i32", NULL, IN(I(N_BY(2)))},
    {HEED_OP_SOFTMAX_BACKWARD, HEED_E_SHAPE, "equal", NULL, IN(F(N_BY(2)), F(N_BY(3)))},
    {HEED_OP_LAYER_NORM, HEED_E_SHAPE, "gain and bias", NORM(0), IN(F(N_BY(4)), F(VECTOR(5)))},
    {HEED_OP_LAYER_NORM, HEED_E_SHAPE, "gain and bias", NORM(0),
     IN(F(N_BY(4)), NONE, F(MATRIX(1, 4)))},
    {HEED_OP_LAYER_NORM, HEED_E_SHAPE, "two axes", NORM(0), IN(F(VECTOR(4)))},
    {HEED_OP_LAYER_NORM, HEED_E_ARG, "eps", NORM(-1e-5f), IN(F(N_BY(4)))},
    {HEED_OP_LAYER_NORM, HEED_E_DTYPE, "bf16", NORM(0), IN(F(N_BY(4)), H(VECTOR(4)))},
    {HEED_OP_LAYER_NORM_BACKWARD, HEED_E_SHAPE, "dy", NORM(0), IN(F(N_BY(4)), F(N_BY(3)))},
    {HEED_OP_RMS_NORM, HEED_E_SHAPE, "gain and bias", NORM(0), IN(F(N_BY(4)), F(N_ROWS))},
    {HEED_OP_RMS_NORM, HEED_E_ARG, "eps", NORM(NAN), IN(F(N_BY(4)))},
    {HEED_OP_RMS_NORM, HEED_E_SHAPE, "not empty", NORM(0), IN(F(N_BY(0)))},
    {HEED_OP_RMS_NORM_BACKWARD, HEED_E_SHAPE, "gain", NORM(0),
     IN(F(N_BY(4)), F(N_BY(4)), F(VECTOR(3)))},
    {HEED_OP_NORM_GAIN_BACKWARD, HEED_E_ARG, "RMS", NORM_GAIN(1, HEED_FUSED_NORM_NONE),
     IN(F(N_BY(4)), F(N_BY(4)))},
    {HEED_OP_NORM_GAIN_BACKWARD, HEED_E_SHAPE, "dy", NORM_GAIN(1, HEED_FUSED_NORM_RMS),
     IN(F(S_BY(4)), F(N_BY(4)))},
    {HEED_OP_GATHER, HEED_E_DTYPE, "i32", NULL, IN(F(MATRIX(4, 3)), F(N_ROWS))},
    {HEED_OP_GATHER, HEED_E_SHAPE, "table", NULL, IN(F(CUBE(4, 3, 2)), I(N_ROWS))},
    {HEED_OP_GATHER, HEED_E_SHAPE, "index", NULL, IN(F(MATRIX(4, 3)), I(N_BY(1)))},
    {HEED_OP_SCATTER_ADD, HEED_E_SHAPE, "index", TO(MATRIX(4, 3)), IN(F(N_BY(3)), I(S_ROWS))},
    {HEED_OP_SCATTER_ADD, HEED_E_SHAPE, "wide", TO(MATRIX(4, 2)), IN(F(N_BY(3)), I(N_ROWS))},
    {HEED_OP_SCATTER_ADD, HEED_E_DTYPE, "f32", TO(MATRIX(4, 3)), IN(H(N_BY(3)), I(N_ROWS))},
    {HEED_OP_SLICE, HEED_E_SHAPE, "columns", (&(heed_slice_attributes){2, 4}), IN(F(N_BY(3)))},
    {HEED_OP_SLICE, HEED_E_SHAPE, "columns", (&(heed_slice_attributes){2, 1}), IN(F(N_BY(3)))},
    {HEED_OP_SLICE, HEED_E_SHAPE, "columns", (&(heed_slice_attributes){-1, 1}), IN(F(N_BY(3)))},
    {HEED_OP_SLICE, HEED_E_SHAPE, "fixed", (&(heed_slice_attributes){0, 1}), IN(F(N_ROWS))},
    {HEED_OP_SLICE, HEED_E_SHAPE, "fixed", (&(heed_slice_attributes){0, 1}), IN(F(SCALAR))},
    {HEED_OP_PAD_COLUMNS, HEED_E_SHAPE, "room", (&(heed_pad_columns_attributes){2, 4}),
     IN(F(N_BY(3)))},
    {HEED_OP_PAD_COLUMNS, HEED_E_SHAPE, "room", (&(heed_pad_columns_attributes){-1, 4}),
     IN(F(N_BY(3)))},
    {HEED_OP_CONCATENATE, HEED_E_SHAPE, "last axis", NULL, IN(F(N_BY(3)), F(S_BY(3)))},
    {HEED_OP_CONCATENATE, HEED_E_SHAPE, "last axis", NULL, IN(F(N_BY(3)), F(N_BY_BY(1, 3)))},
    {HEED_OP_CONCATENATE, HEED_E_SHAPE, "fixed", NULL, IN(F(N_ROWS), F(N_ROWS))},
    {HEED_OP_CONCATENATE, HEED_E_DTYPE, "i32", NULL, IN(F(N_BY(3)), I(N_BY(3)))},
    {HEED_OP_TRANSPOSE, HEED_E_SHAPE, "fixed", NULL, IN(F(N_BY(3)))},
    {HEED_OP_TRANSPOSE, HEED_E_SHAPE, "matrix", NULL, IN(F(VECTOR(3)))},
    {HEED_OP_RESHAPE, HEED_E_SHAPE, "elements", TO(MATRIX(2, 4)), IN(F(MATRIX(2, 3)))},
    {HEED_OP_RESHAPE, HEED_E_SHAPE, "live", TO(MATRIX(8, 3)), IN(F(N_BY(3)))},
    {HEED_OP_RESHAPE, HEED_E_SHAPE, "live", TO(S_BY(3)), IN(F(N_BY(3)))},
    {HEED_OP_RESHAPE, HEED_E_SHAPE, "elements", TO({.rank = 7}), IN(F(MATRIX(2, 3)))},
    {HEED_OP_DROPOUT, HEED_E_SHAPE, "rows", (&(heed_dropout_attributes){0.5f, 0}),
     IN(F(N_BY(3)), I(S_BY(2)))},
    {HEED_OP_DROPOUT, HEED_E_SHAPE, "rows", (&(heed_dropout_attributes){0.5f, 0}),
     IN(F(N_BY(3)), I(N_BY(3)))},
    {HEED_OP_DROPOUT, HEED_E_ARG, "rate", (&(heed_dropout_attributes){1, 0}),
     IN(F(N_BY(3)), I(N_BY(2)))},
    {HEED_OP_DROPOUT, HEED_E_ARG, "rate", (&(heed_dropout_attributes){NAN, 0}),
     IN(F(N_BY(3)), I(N_BY(2)))},
    {HEED_OP_DROPOUT, HEED_E_ARG, "2^20", (&(heed_dropout_attributes){0.5f, 1 << 20}),
     IN(F(N_BY(3)), I(N_BY(2)))},
    {HEED_OP_DROPOUT, HEED_E_DTYPE, "i32", (&(heed_dropout_attributes){0.5f, 0}),
     IN(F(N_BY(3)), F(N_BY(2)))},
    {HEED_OP_ATTENTION, HEED_E_ARG, "ALiBi", OPTIONS(.window = 0),
     IN(QKV, TABLE, NONE, NONE, NONE, F(VECTOR(2)))},
    {HEED_OP_ATTENTION, HEED_E_SHAPE, "slopes", OPTIONS(.alibi_scale = 1),
     IN(QKV, TABLE, NONE, NONE, NONE, F(VECTOR(3)))},
    {HEED_OP_ATTENTION, HEED_E_SHAPE, "sinks", OPTIONS(.window = 0),
     IN(QKV, TABLE, NONE, NONE, NONE, NONE, F(MATRIX(2, 1)))},
    {HEED_OP_ATTENTION, HEED_E_DTYPE, "sinks of f32", OPTIONS(.window = 0),
     IN(QKV, TABLE, NONE, NONE, NONE, NONE, I(VECTOR(2)))},
    {HEED_OP_ATTENTION, HEED_E_ARG, "heads",
     (&(heed_attention_attributes){.heads = 3, .kv_heads = 2, .head_width = 2, .scale = 1}),
     IN(QKV, TABLE)},
    {HEED_OP_ATTENTION, HEED_E_ARG, "heads",
     (&(heed_attention_attributes){.heads = 0, .kv_heads = 1, .head_width = 2, .scale = 1}),
     IN(QKV, TABLE)},
    {HEED_OP_ATTENTION, HEED_E_ARG, "dropout", OPTIONS(.dropout = 1), IN(QKV, TABLE)},
    {HEED_OP_ATTENTION, HEED_E_ARG, "window", OPTIONS(.window = -1), IN(QKV, TABLE)},
    {HEED_OP_ATTENTION, HEED_E_ARG, "soft cap", OPTIONS(.soft_cap = -1), IN(QKV, TABLE)},
    {HEED_OP_ATTENTION, HEED_E_ARG, "T and S", OPTIONS(.want_weights = 1, .max_keys = -1),
     IN(QKV, TABLE)},
    {HEED_OP_ATTENTION, HEED_E_SHAPE, "(B,H,T,S)",
     OPTIONS(.want_weights = 1, .max_queries = INT64_MAX / 16, .max_keys = 16), IN(QKV, TABLE)},
    {HEED_OP_ATTENTION, HEED_E_SHAPE, "q (N", OPTIONS(.window = 0),
     IN(F(N_BY(5)), F(N_BY(3)), F(N_BY(3)), TABLE)},
    {HEED_OP_ATTENTION, HEED_E_SHAPE, "k and v", OPTIONS(.window = 0),
     IN(F(N_BY(6)), F(N_BY(6)), F(N_BY(6)), TABLE)},
    {HEED_OP_ATTENTION, HEED_E_SHAPE, "k and v", OPTIONS(.window = 0),
     IN(F(N_BY(6)), F(N_BY(3)), F(S_BY(3)), TABLE)},
    {HEED_OP_ATTENTION, HEED_E_SHAPE, "table", OPTIONS(.window = 0), IN(QKV, I(B_BY(7)))},
    {HEED_OP_ATTENTION, HEED_E_DTYPE, "i32", OPTIONS(.window = 0), IN(QKV, F(B_BY(8)))},
    {HEED_OP_ATTENTION, HEED_E_SHAPE, "query index", OPTIONS(.window = 0),
     IN(QKV, TABLE, I(S_ROWS))},
    {HEED_OP_ATTENTION, HEED_E_SHAPE, "key index", OPTIONS(.window = 0),
     IN(F(N_BY(6)), F(S_BY(3)), F(S_BY(3)), TABLE, NONE, I(N_ROWS))},
    {HEED_OP_ATTENTION, HEED_E_SHAPE, "page", OPTIONS(.window = 0),
     IN(QKV, TABLE, NONE, NONE, I(MATRIX(2, 2)))},
    {HEED_OP_ATTENTION, HEED_E_SHAPE, "page", OPTIONS(.window = 0),
     IN(F(N_BY(6)), F(MATRIX(65, 3)), F(MATRIX(65, 3)), TABLE, NONE, NONE, I(MATRIX(2, 2)))},
    {HEED_OP_ATTENTION, HEED_E_ARG, "missing", OPTIONS(.window = 0), IN(QKV)},
    {HEED_OP_ATTENTION_BACKWARD, HEED_E_SHAPE, "lse", OPTIONS(.window = 0),
     IN(QKV, TABLE, NONE, NONE, NONE, NONE, NONE, F(N_BY(6)), F(N_BY(3)), F(N_BY(6)))},
    {HEED_OP_ATTENTION_BACKWARD, HEED_E_SHAPE, "dy", OPTIONS(.window = 0),
     IN(QKV, TABLE, NONE, NONE, NONE, NONE, NONE, F(N_BY(6)), F(N_BY(2)))},
    {HEED_OP_ROTARY_TABLE, HEED_E_DTYPE, "i32", &(heed_rotary_table_attributes){1},
     IN(F(N_ROWS), F(VECTOR(2)))},
    {HEED_OP_ROTARY_TABLE, HEED_E_SHAPE, "frequencies", &(heed_rotary_table_attributes){1},
     IN(I(N_ROWS), F(N_ROWS))},
    {HEED_OP_ROTARY, HEED_E_ARG, "heads", (&(heed_rotary_attributes){3, 0, 0}),
     IN(F(N_BY(8)), F(N_BY(4)))},
    {HEED_OP_ROTARY, HEED_E_ARG, "heads", (&(heed_rotary_attributes){0, 0, 0}),
     IN(F(N_BY(8)), F(N_BY(4)))},
    {HEED_OP_ROTARY, HEED_E_SHAPE, "wider", (&(heed_rotary_attributes){4, 0, 0}),
     IN(F(N_BY(8)), F(N_BY(4)))},
    {HEED_OP_ROTARY, HEED_E_SHAPE, "even", (&(heed_rotary_attributes){2, 0, 0}),
     IN(F(N_BY(8)), F(N_BY(3)))},
    {HEED_OP_ROTARY, HEED_E_SHAPE, "same rows", (&(heed_rotary_attributes){2, 0, 0}),
     IN(F(N_BY(8)), F(S_BY(4)))},
    {HEED_OP_CACHE_WRITE, HEED_E_ARG, "state", NULL, IN(F(MATRIX(4, 3)), F(N_BY(3)), I(N_ROWS))},
    {HEED_OP_CACHE_WRITE, HEED_E_SHAPE, "slots", NULL, IN(S(MATRIX(4, 3)), F(N_BY(3)), I(S_ROWS))},
    {HEED_OP_CACHE_WRITE, HEED_E_SHAPE, "cache", NULL, IN(S(MATRIX(4, 3)), F(N_BY(2)), I(N_ROWS))},
    {HEED_OP_CACHE_WRITE, HEED_E_DTYPE, "i32", NULL, IN(S(MATRIX(4, 3)), F(N_BY(3)), F(N_ROWS))},
    {HEED_OP_ACCUMULATE, HEED_E_ARG, "state", NULL, IN(F(MATRIX(4, 3)), F(MATRIX(4, 3)))},
    {HEED_OP_ACCUMULATE, HEED_E_SHAPE, "equal", NULL, IN(S(MATRIX(4, 3)), F(MATRIX(3, 4)))},
    {HEED_OP_SEQUENCE_MEAN, HEED_E_SHAPE, "(B,8)", NULL, IN(F(N_BY(3)), I(B_BY(7)))},
    {HEED_OP_SEQUENCE_MEAN, HEED_E_DTYPE, "i32", NULL, IN(F(N_BY(3)), F(B_BY(8)))},
    {HEED_OP_PAIR_SCORES, HEED_E_DTYPE, "a choice of i32", NULL,
     IN(F(WEIGHTS(2, 3)), F(B_BY(3)), F(VECTOR(2)))},
    {HEED_OP_PAIR_SCORES, HEED_E_SHAPE, "(B,H,T,T)", NULL,
     IN(F(B_BY(9)), I(B_BY(3)), F(VECTOR(2)))},
    {HEED_OP_PAIR_SCORES, HEED_E_SHAPE, "for the sequences", NULL,
     IN(F(WEIGHTS(2, 3)), I(N_BY(3)), F(VECTOR(2)))},
    {HEED_OP_PAIR_SCORES, HEED_E_SHAPE, "coefficients (H)", NULL,
     IN(F(WEIGHTS(2, 3)), I(B_BY(3)), F(VECTOR(3)))},
    {HEED_OP_SEQUENCE_MEAN_BACKWARD, HEED_E_SHAPE, "(N,D)", TO(N_BY(4)), IN(F(B_BY(3)), TABLE)},
    {HEED_OP_LINEAR_CROSS_ENTROPY, HEED_E_SHAPE, "a weight (V,D)",
     (&(heed_linear_loss_attributes){0}), IN(F(N_BY(3)), F(MATRIX(5, 4)), I(N_ROWS))},
    {HEED_OP_LINEAR_CROSS_ENTROPY, HEED_E_SHAPE, "a bias (V)", (&(heed_linear_loss_attributes){0}),
     IN(F(N_BY(3)), F(MATRIX(5, 3)), I(N_ROWS), F(VECTOR(3)))},
    {HEED_OP_LINEAR_CROSS_ENTROPY, HEED_E_DTYPE, "labels of i32",
     (&(heed_linear_loss_attributes){0}), IN(F(N_BY(3)), F(MATRIX(5, 3)), F(N_ROWS))},
    {HEED_OP_LINEAR_CROSS_ENTROPY, HEED_E_ARG, "smoothing",
     (&(heed_linear_loss_attributes){.smoothing = -1}), IN(F(N_BY(3)), F(MATRIX(5, 3)), I(N_ROWS))},
    {HEED_OP_LINEAR_CROSS_ENTROPY_BACKWARD, HEED_E_SHAPE, "the gradient of the rows",
     (&(heed_linear_loss_attributes){0}), IN(F(N_BY(3)), F(MATRIX(5, 3)), I(N_ROWS))},
    {HEED_OP_CROSS_ENTROPY, HEED_E_SHAPE, "labels", (&(heed_cross_entropy_attributes){0}),
     IN(F(N_BY(3)), I(R_ROWS))},
    {HEED_OP_CROSS_ENTROPY, HEED_E_DTYPE, "i32", (&(heed_cross_entropy_attributes){0}),
     IN(F(N_BY(3)), F(N_ROWS))},
    {HEED_OP_CROSS_ENTROPY, HEED_E_ARG, "smoothing", (&(heed_cross_entropy_attributes){1}),
     IN(F(N_BY(3)), I(N_ROWS))},
    {HEED_OP_CROSS_ENTROPY_BACKWARD, HEED_E_SHAPE, "(R)", (&(heed_cross_entropy_attributes){0}),
     IN(F(N_BY(3)), I(N_ROWS), F(S_ROWS))},
    {HEED_OP_TOP_K, HEED_E_SHAPE, "matrix", TOP_K(1), IN(F(N_BY_BY(2, 3)))},
    {HEED_OP_TOP_K, HEED_E_ARG, "1 to X", TOP_K(4), IN(F(N_BY(3)))},
    {HEED_OP_TOP_K, HEED_E_ARG, "1 to X", TOP_K(0), IN(F(N_BY(3)))},
    {HEED_OP_TOP_K, HEED_E_DTYPE, "i32", TOP_K(1), IN(I(N_BY(3)))},
    {HEED_OP_TOP_K_BACKWARD, HEED_E_SHAPE, "at least as long", TOP_K(1),
     IN(F(N_BY(2)), I(N_BY(2)))},
    {HEED_OP_TOP_K_BACKWARD, HEED_E_DTYPE, "i32", TOP_K(3), IN(F(N_BY(2)), F(N_BY(2)))},
    {HEED_OP_EXPERT_PERMUTATION, HEED_E_DTYPE, "i32", EXPERTS(3), IN(F(N_BY(2)))},
    {HEED_OP_EXPERT_PERMUTATION, HEED_E_SHAPE, "(N,J)", EXPERTS(3), IN(I(N_ROWS))},
    {HEED_OP_EXPERT_PERMUTATION, HEED_E_SHAPE, "2^31", EXPERTS(3), IN(I(MATRIX(INT32_MAX, 2)))},
    {HEED_OP_EXPERT_PERMUTATION, HEED_E_ARG, "experts", EXPERTS(0), IN(I(N_BY(2)))},
    {HEED_OP_EXPERT_LOAD, HEED_E_SHAPE, "counted (N,1)", EXPERTS(3), IN(I(N_BY(2)), F(S_BY(1)))},
    {HEED_OP_EXPERT_LOAD, HEED_E_DTYPE, "f32", EXPERTS(3), IN(I(N_BY(2)), I(N_BY(1)))},
    {HEED_OP_EXPERT_LOAD_BACKWARD, HEED_E_SHAPE, "dy (X)", NULL, IN(F(N_ROWS), I(N_BY(2)))},
    {HEED_OP_EXPERT_LOAD_BACKWARD, HEED_E_DTYPE, "f32", NULL, IN(I(VECTOR(3)), I(N_BY(2)))},
    {HEED_OP_EXPERT_DISPATCH, HEED_E_SHAPE, "(N,D)", NULL, IN(F(S_BY(3)), I(N_BY(2)), I(N_BY(2)))},
    {HEED_OP_EXPERT_DISPATCH, HEED_E_SHAPE, "weights (N,J)", NULL,
     IN(F(N_BY(3)), I(N_BY(2)), I(N_BY(2)), F(N_BY(3)))},
    {HEED_OP_EXPERT_DISPATCH, HEED_E_DTYPE, "i32", NULL, IN(F(N_BY(3)), F(N_BY(2)), I(N_BY(2)))},
    {HEED_OP_EXPERT_COMBINE, HEED_E_SHAPE, "(N,J,D)", NULL,
     IN(F(N_BY_BY(3, 4)), I(N_BY(2)), I(N_BY(2)))},
    {HEED_OP_EXPERT_COMBINE, HEED_E_SHAPE, "permutation, inverse", NULL,
     IN(F(N_BY_BY(2, 4)), I(N_BY(2)), I(N_BY(3)))},
    {HEED_OP_EXPERT_DOT, HEED_E_SHAPE, "rows (N,D)", NULL,
     IN(F(N_BY_BY(2, 4)), F(N_BY(3)), I(N_BY(2)))},
    {HEED_OP_EXPERT_DOT, HEED_E_DTYPE, "i32", NULL, IN(F(N_BY_BY(2, 4)), F(N_BY(4)), F(N_BY(2)))},
    {HEED_OP_EXPERT_MATMUL, HEED_E_SHAPE, "(X,O,K)", EXPERT(1),
     IN(F(N_BY_BY(2, 4)), F(CUBE(3, 4, 5)), I(VECTOR(4)))},
    {HEED_OP_EXPERT_MATMUL, HEED_E_SHAPE, "(X,K,O)", EXPERT(0),
     IN(F(N_BY_BY(2, 4)), F(CUBE(3, 5, 4)), I(VECTOR(4)))},
    {HEED_OP_EXPERT_MATMUL, HEED_E_SHAPE, "offsets (X+1)", EXPERT(0),
     IN(F(N_BY_BY(2, 4)), F(CUBE(3, 4, 5)), I(VECTOR(3)))},
    {HEED_OP_EXPERT_MATMUL, HEED_E_SHAPE, "bias (X,O)", EXPERT(0),
     IN(F(N_BY_BY(2, 4)), F(CUBE(3, 4, 5)), I(VECTOR(4)), F(MATRIX(3, 4)))},
    {HEED_OP_EXPERT_MATMUL, HEED_E_SHAPE, "gate", EXPERT(0),
     IN(F(N_BY_BY(2, 4)), F(CUBE(3, 4, 5)), I(VECTOR(4)), NONE, F(N_BY_BY(2, 4)))},
    {HEED_OP_EXPERT_MATMUL, HEED_E_DTYPE, "bf16", EXPERT(0),
     IN(H(N_BY_BY(2, 4)), F(CUBE(3, 4, 5)), I(VECTOR(4)))},
    {HEED_OP_EXPERT_MATMUL, HEED_E_ARG, "activation", (&(heed_expert_matmul_attributes){0, -1, 0}),
     IN(F(N_BY_BY(2, 4)), F(CUBE(3, 4, 5)), I(VECTOR(4)))},
    {HEED_OP_EXPERT_OUTER, HEED_E_SHAPE, "(N,J,M)", NULL,
     IN(F(N_BY_BY(2, 4)), F(N_BY_BY(3, 4)), I(VECTOR(4)))},
    {HEED_OP_EXPERT_OUTER, HEED_E_SHAPE, "state", NULL,
     IN(F(N_BY_BY(2, 4)), F(N_BY_BY(2, 3)), I(VECTOR(4)), S(CUBE(3, 3, 4)))},
    {HEED_OP_EXPERT_OUTER, HEED_E_DTYPE, "f32", NULL,
     IN(F(N_BY_BY(2, 4)), H(N_BY_BY(2, 3)), I(VECTOR(4)))},
    {HEED_OP_EXPERT_SUM, HEED_E_SHAPE, "offsets", NULL, IN(F(N_BY_BY(2, 4)), I(N_ROWS))},
    {HEED_OP_EXPERT_SUM, HEED_E_DTYPE, "f32", NULL, IN(H(N_BY_BY(2, 4)), I(VECTOR(4)))},
    {HEED_OP_CLAMP, HEED_E_DTYPE, "i32", &(heed_clamp_attributes){1}, IN(I(N_ROWS))},
    {HEED_OP_CLAMP, HEED_E_ARG, "limit", &(heed_clamp_attributes){0}, IN(F(N_BY(3)))},
    {HEED_OP_CLAMP_BACKWARD, HEED_E_SHAPE, "equal", &(heed_clamp_attributes){1},
     IN(F(N_BY(3)), F(N_BY(4)))},
    {HEED_OP_CLAMPED_SWIGLU, HEED_E_SHAPE, "equal", SWIGLU(1, 1), IN(F(N_BY(3)), F(N_BY(4)))},
    {HEED_OP_CLAMPED_SWIGLU, HEED_E_ARG, "limit", SWIGLU(1, 0), IN(F(N_BY(3)), F(N_BY(3)))},
    {HEED_OP_CLAMPED_SWIGLU_BACKWARD, HEED_E_ARG, "alpha", SWIGLU(NAN, 1),
     IN(F(N_BY(3)), F(N_BY(3)), F(N_BY(3)))},
    {HEED_OP_FUSED_MATMUL, HEED_E_ARG, "joined", FUSED(5, .eps = 0),
     IN(F(N_BY(4)), NONE, NONE, NONE, NONE, NONE, F(MATRIX(4, 3)))},
    {HEED_OP_FUSED_MATMUL, HEED_E_ARG, "as many weights", FUSED(2, .eps = 0),
     IN(F(N_BY(4)), NONE, NONE, NONE, NONE, NONE, F(MATRIX(4, 3)))},
    {HEED_OP_FUSED_MATMUL, HEED_E_ARG, "norm", FUSED(1, .norm = 3),
     IN(F(N_BY(4)), NONE, NONE, NONE, NONE, NONE, F(MATRIX(4, 3)))},
    {HEED_OP_FUSED_MATMUL, HEED_E_ARG, "norm", FUSED(1, .norm = 0),
     IN(F(N_BY(4)), NONE, NONE, NONE, F(VECTOR(4)), NONE, F(MATRIX(4, 3)))},
    {HEED_OP_FUSED_MATMUL, HEED_E_ARG, "rows", FUSED(1, .norm = 1, .transpose_a = 1),
     IN(F(MATRIX(4, 4)), NONE, NONE, NONE, NONE, NONE, F(MATRIX(4, 3)))},
    {HEED_OP_FUSED_MATMUL, HEED_E_ARG, "state", FUSED(1, .eps = 0),
     IN(F(N_BY(4)), F(N_BY(3)), NONE, F(N_BY(3)), NONE, NONE, F(MATRIX(4, 3)))},
    {HEED_OP_FUSED_MATMUL, HEED_E_ARG, "two weights", FUSED(1, .gated = 1),
     IN(F(N_BY(4)), NONE, NONE, NONE, NONE, NONE, F(MATRIX(4, 3)))},
    {HEED_OP_FUSED_MATMUL, HEED_E_ARG, "two weights", FUSED(2, .gated = 1),
     IN(F(N_BY(4)), F(N_BY(3)), NONE, NONE, NONE, NONE, F(MATRIX(4, 3)), F(MATRIX(4, 3)))},
    {HEED_OP_FUSED_MATMUL, HEED_E_SHAPE, "one shape", FUSED(2, .gated = 1),
     IN(F(N_BY(4)), NONE, NONE, NONE, NONE, NONE, F(MATRIX(4, 3)), F(MATRIX(4, 2)))},
    {HEED_OP_FUSED_MATMUL, HEED_E_SHAPE, "weights", FUSED(1, .transpose_b = 1),
     IN(F(N_BY(4)), NONE, NONE, NONE, NONE, NONE, F(MATRIX(4, 3)))},
    {HEED_OP_FUSED_MATMUL, HEED_E_SHAPE, "bias", FUSED(1, .eps = 0),
     IN(F(N_BY(4)), NONE, NONE, NONE, NONE, NONE, F(MATRIX(4, 3)), NONE, NONE, NONE, F(VECTOR(4)))},
    {HEED_OP_FUSED_MATMUL, HEED_E_SHAPE, "gate", FUSED(1, .eps = 0),
     IN(F(N_BY(4)), F(N_BY(4)), NONE, NONE, NONE, NONE, F(MATRIX(4, 3)))},
    {HEED_OP_FUSED_MATMUL, HEED_E_SHAPE, "gain", FUSED(1, .norm = 2),
     IN(F(N_BY(4)), NONE, NONE, NONE, F(VECTOR(3)), NONE, F(MATRIX(4, 3)))},
    {HEED_OP_FUSED_MATMUL, HEED_E_DTYPE, "f16", FUSED(1, .eps = 0),
     IN(F(N_BY(4)), NONE, NONE, NONE, NONE, NONE, I(MATRIX(4, 3)))},
    {HEED_OP_FUSED_MATMUL, HEED_E_DTYPE, "bf16", FUSED(1, .norm = 1),
     IN(H(N_BY(4)), NONE, NONE, NONE, NONE, NONE, F(MATRIX(4, 3)))},
};

static void every_wrong_argument_is_named(void **state)
{
    (void)state;
    bool covered[HEED_OP_COUNT] = {false};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        const error_case *c = &errors[i];
        heed_graph *graph = heed_graph_new();
        heed_value in[HEED_MAX_INPUTS];
        for (int k = 0; k < c->n_in; k++) {
            char name[16];
            snprintf(name, sizeof name, "in%d", k);
            if (!c->in[k].present) in[k] = HEED_NONE;
            else if (c->in[k].kind == HEED_VALUE_STATE)
                in[k] = heed_state(graph, name, c->in[k].dtype, c->in[k].shape);
            else in[k] = heed_input(graph, name, c->in[k].dtype, c->in[k].shape);
        }
        assert_ok(heed_graph_status(graph, &error));
        heed_value y = heed_emit(graph, c->op, in, c->n_in, c->attributes, NULL);
        heed_error error = {0};
        heed_status status = heed_graph_status(graph, &error);
        if (y != HEED_BAD || status != c->status || !strstr(error.message, c->part) ||
            !strstr(error.message, heed_ops[c->op]->name) || !strstr(error.message, "expected"))
            if (!(y == HEED_BAD && status == HEED_E_ARG && strstr(error.message, "missing")))
                fail_msg("%s, case %zu: wanted %s with \"%s\", found %s: %s", heed_ops[c->op]->name,
                         i, heed_status_name(c->status), c->part, heed_status_name(status),
                         error.message);
        covered[c->op] = true;
        heed_graph_free(graph);
    }
    for (int op = 0; op < HEED_OP_COUNT; op++)
        if (!covered[op]) fail_msg("%s: no error case", heed_ops[op]->name);
}

/* Builders check what no record sees, and hand a failed value on without a second error. */
static void builders_propagate_the_first_error(void **state)
{
    (void)state;
    heed_graph *graph = heed_graph_new();
    heed_value x = heed_input(graph, "x", HEED_F32, heed_shape_2(2, 3)), parts[9], weights = 7;
    for (int i = 0; i < 9; i++) parts[i] = x;
    assert_int_equal(heed_concatenate(graph, parts, 9), HEED_BAD);
    assert_fails(HEED_E_ARG, "concatenate: 9 parts", heed_graph_status(graph, &error));
    heed_attention_inputs inputs = {x,         x,         x,         x,        HEED_NONE,
                                    HEED_NONE, HEED_NONE, HEED_NONE, HEED_NONE};
    heed_attention_options options = {
        .heads = 1, .kv_heads = 1, .head_width = 3, .want_weights = true};
    heed_value bad = heed_attention(graph, &inputs, &options, &weights);
    assert_int_equal(bad, HEED_BAD);
    assert_int_equal(weights, HEED_BAD);
    assert_int_equal(heed_reduce(graph, HEED_REDUCE_SUM, bad, -1, false), HEED_BAD);
    assert_int_equal(heed_broadcast(graph, bad, bad), HEED_BAD);
    assert_int_equal(heed_cast(graph, bad, HEED_F16), HEED_BAD);
    assert_int_equal(heed_linear(graph, bad, x, HEED_NONE), HEED_BAD);
    assert_int_equal(heed_unary(graph, HEED_UNARY_GELU, bad), HEED_BAD);
    assert_fails(HEED_E_ARG, "concatenate: 9 parts", heed_graph_status(graph, &error));
    heed_graph_free(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_wrong_argument_is_named),
                                       cmocka_unit_test(builders_propagate_the_first_error)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
