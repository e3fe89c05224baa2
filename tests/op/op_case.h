/* op_case.h: a graph of one op as data: its inputs, their numbers, live counts, and how it is
   built. */
#ifndef HEED_TESTS_OP_CASE_H
#define HEED_TESTS_OP_CASE_H

#include "graph/attributes.h"
#include "graph/ir.h"
#include <stdio.h>

/* How the numbers of an input are drawn. INTEGERS stand in the case; EIGHTHS are multiples of 1/8,
   exact in f16 and bf16. */
typedef enum { NORMAL, KINKLESS, POSITIVE, DISTINCT, EIGHTHS } drawing;

typedef struct {
    heed_dtype dtype;
    heed_shape shape;
    drawing drawing;
    const int32_t *integers; /* of the live elements of an i32 input */
    bool fixed;              /* no gradient is asked for */
} case_input;

enum { MAX_CASE_INPUTS = 8 };

typedef struct op_case op_case;
struct op_case {
    const char *name;
    heed_op_id op;
    heed_value (*build)(heed_graph *, const heed_value *in, const op_case *);
    case_input in[MAX_CASE_INPUTS];
    int n_in;
    int p[4];
    double f[2];
    heed_attention_options attention;
    int64_t live[HEED_EXTENT_COUNT]; /* 0: the default below; -1: none at all */
};

/* Maxima and default counts: every live axis is longer than what is in it. */
enum { MAX_N = 8, MAX_S = 9, MAX_B = 5, MAX_R = 4, LIVE_N = 6, LIVE_S = 7, LIVE_B = 4, LIVE_R = 3 };

/* clang-format off */
#define VECTOR(a) {.rank = 1, .dim = {a}}
#define MATRIX(a, b) {.rank = 2, .dim = {a, b}}
#define CUBE(a, b, c) {.rank = 3, .dim = {a, b, c}}
#define SCALAR {.rank = 0}
#define N_ROWS {.rank = 1, .extent = HEED_EXTENT_ROWS, .dim = {MAX_N}}
#define S_ROWS {.rank = 1, .extent = HEED_EXTENT_SOURCE_ROWS, .dim = {MAX_S}}
#define R_ROWS {.rank = 1, .extent = HEED_EXTENT_GATHERED, .dim = {MAX_R}}
#define N_BY(d) {.rank = 2, .extent = HEED_EXTENT_ROWS, .dim = {MAX_N, d}}
#define S_BY(d) {.rank = 2, .extent = HEED_EXTENT_SOURCE_ROWS, .dim = {MAX_S, d}}
#define B_BY(d) {.rank = 2, .extent = HEED_EXTENT_SEQUENCES, .dim = {MAX_B, d}}
#define R_BY(d) {.rank = 2, .extent = HEED_EXTENT_GATHERED, .dim = {MAX_R, d}}
#define N_BY_BY(c, d) {.rank = 3, .extent = HEED_EXTENT_ROWS, .dim = {MAX_N, c, d}}

#define F(shape_) {.dtype = HEED_F32, .shape = shape_}
#define DRAWN(drawing_, shape_) {.dtype = HEED_F32, .shape = shape_, .drawing = drawing_}
#define HALF(dtype_, shape_) {.dtype = dtype_, .shape = shape_, .drawing = EIGHTHS}
#define FIXED(shape_) {.dtype = HEED_F32, .shape = shape_, .fixed = true}
#define I(shape_, ...) \
    {.dtype = HEED_I32, .shape = shape_, .integers = (const int32_t[]){__VA_ARGS__}}
/* clang-format on */

/* ---- builders ---- */
#define BUILD(name)                                                    \
    static inline heed_value name(heed_graph *g, const heed_value *in, \
                                  const op_case *c __attribute__((unused)))

BUILD(binary)
{
    heed_binary_attributes attributes = {.kind = c->p[0]};
    return heed_emit(g, HEED_OP_BINARY, in, 2, &attributes, NULL);
}

BUILD(twice)
{
    return heed_multiply(g, in[0], heed_add(g, in[0], in[0]));
}

BUILD(unary)
{
    heed_unary_attributes attributes = {.kind = c->p[0]};
    return heed_emit(g, HEED_OP_UNARY, in, 1, &attributes, NULL);
}

BUILD(scale)
{
    return heed_scale(g, in[0], c->f[0], c->f[1]);
}
BUILD(cast)
{
    return heed_cast(g, in[0], (heed_dtype)c->p[0]);
}
BUILD(reduce)
{
    return heed_reduce(g, (heed_reduce_kind)c->p[0], in[0], c->p[1], c->p[2]);
}
BUILD(broadcast)
{
    return heed_broadcast(g, in[0], in[1]);
}
BUILD(matmul)
{
    return heed_matmul(g, in[0], in[1], c->p[0], c->p[1]);
}
BUILD(linear)
{
    return heed_linear(g, in[0], in[1], c->n_in == 3 ? in[2] : HEED_NONE);
}
BUILD(softmax)
{
    return heed_softmax(g, in[0]);
}
#define HEED_OP_ROW(symbol, name, built, ...) \
    BUILD(row_##name)                         \
    {                                         \
        return built;                         \
    }
#include "op_rows.def"
#undef HEED_OP_ROW
BUILD(rms_norm)
{
    return heed_rms_norm(g, in[0], c->n_in > 1 ? in[1] : HEED_NONE, (float)c->f[0], (float)c->f[1]);
}

BUILD(layer_norm)
{
    heed_value gain = c->p[0] ? in[1] : HEED_NONE;
    heed_value bias = c->p[1] ? in[1 + c->p[0]] : HEED_NONE;
    return heed_layer_norm(g, in[0], gain, bias, (float)c->f[0]);
}

BUILD(gather)
{
    return heed_gather(g, in[0], in[c->n_in - 1]);
}

BUILD(scatter_add)
{
    heed_shape shape = c->p[0] ? heed_shape_live(HEED_EXTENT_SOURCE_ROWS, MAX_S, 3)
                               : heed_shape_2(5, 3);
    return heed_scatter_add(g, in[0], in[1], shape);
}

BUILD(slice)
{
    return heed_slice(g, in[0], c->p[0], c->p[1]);
}

BUILD(pad_columns)
{
    heed_pad_columns_attributes attributes = {.begin = c->p[0], .width = c->p[1]};
    return heed_emit(g, HEED_OP_PAD_COLUMNS, in, 1, &attributes, NULL);
}

BUILD(concatenate)
{
    return heed_concatenate(g, in, c->n_in);
}
BUILD(transpose)
{
    return heed_transpose(g, in[0]);
}

BUILD(reshape)
{
    heed_shape to = heed_shape_of(c->p[0], (int64_t[]){c->p[1], c->p[2], c->p[3]});
    to.extent = heed_value_shape(g, in[0]).extent;
    return heed_reshape(g, in[0], to);
}

BUILD(dropout)
{
    return heed_dropout(g, in[0], in[1], (float)c->f[0]);
}

/* p: which inputs follow q, k, v and the table: bit 0 query index, bit 1 key index, bit 2 page
   table, bit 3 slopes, bit 4 sinks. */
BUILD(attention)
{
    int at = 4;
    heed_attention_inputs inputs = {in[0],     in[1],     in[2],     in[3],    HEED_NONE,
                                    HEED_NONE, HEED_NONE, HEED_NONE, HEED_NONE};
    if (c->p[0] & 1) inputs.query_index = in[at++];
    if (c->p[0] & 2) inputs.key_index = in[at++];
    if (c->p[0] & 4) inputs.page_table = in[at++];
    if (c->p[0] & 8) inputs.slopes = in[at++];
    if (c->p[0] & 16) inputs.sinks = in[at++];
    return heed_attention(g, &inputs, &c->attention, NULL);
}

BUILD(rotary)
{
    return heed_rotary(g, in[0], heed_rotary_table(g, in[1], in[2], (float)c->f[0]), c->p[0],
                       c->p[1]);
}
BUILD(sequence_mean)
{
    return heed_sequence_mean(g, in[0], in[1]);
}
BUILD(linear_cross_entropy)
{
    return heed_linear_cross_entropy(g, in[0], in[1], c->n_in == 4 ? in[3] : HEED_NONE, in[2],
                                     (float)c->f[0]);
}
BUILD(cross_entropy)
{
    return heed_cross_entropy(g, in[0], in[1], (float)c->f[0]);
}

/* ---- experts: three, of which each row chooses two ---- */

BUILD(top_k)
{
    heed_value index;
    return heed_top_k(g, in[0], c->p[0], &index);
}

/* p: input of the weights of spreading (0: none), of the bias, of the weights of combining. */
BUILD(experts)
{
    heed_expert_permutation order = heed_expert_sort(g, in[1], 3);
    heed_value x = heed_expert_dispatch(g, in[0], &order, c->p[0] ? in[c->p[0]] : HEED_NONE);
    heed_value y = heed_expert_matmul(g, x, in[2], c->p[1] ? in[c->p[1]] : HEED_NONE, &order);
    return heed_expert_combine(g, y, &order, c->p[2] ? in[c->p[2]] : HEED_NONE);
}

BUILD(expert_load)
{
    return heed_expert_load(g, in[1], in[0], 3);
}
BUILD(clamp)
{
    return heed_clamp(g, in[0], (float)c->f[0]);
}
BUILD(clamped_swiglu)
{
    return heed_clamped_swiglu(g, in[0], in[1], (float)c->f[0], (float)c->f[1]);
}

#define CHOICES I(N_BY(2), 0, 2, 1, 0, 2, 1, 0, 1, 2, 0, 2, 1)
/* Expert 1 idle; the third row chooses none. */
#define SOME_CHOICES I(N_BY(2), 2, 0, 0, 2, -1, 3, 0, 2, 2, 0, 2, -7)

/* ---- tables of sequences ----
   Query start, length, key start, length, first index, sample, table row, 0. */
/* Lengths 3, 0, 1, 1; row 5 is in no sequence. */
#define SELF                                                                                       \
    I(B_BY(8), 0, 3, 0, 3, 0, 21, 0, 0, 3, 0, 3, 0, 0, 22, 0, 0, 3, 1, 3, 1, 0, 23, 0, 0, 4, 1, 4, \
      1, 0, 24, 0, 0)
/* The same queries against 2, 1, 0 and 3 keys: the second sequence has keys only, the third sees
   none; key row 6 is in none. */
#define CROSS                                                                                      \
    I(B_BY(8), 0, 3, 0, 2, 0, 21, 0, 0, 3, 0, 2, 1, 0, 22, 0, 0, 3, 1, 3, 0, 0, 23, 0, 0, 4, 1, 3, \
      3, 0, 24, 0, 0)
/* Two queries after four keys that were there before, and one whole sequence of one: S = 7. */
#define CACHED I(B_BY(8), 0, 2, 0, 6, 4, 21, 0, 0, 2, 1, 6, 1, 0, 22, 0, 0)
/* Two sequences with 66 and 3 keys in blocks of 64; they share block 2. */
#define BLOCKS I(B_BY(8), 0, 2, 0, 66, 64, 21, 1, 0, 2, 1, 0, 3, 2, 22, 0, 0)
#define BLOCK_TABLE I(MATRIX(2, 2), 2, 9, 1, 2)

#define HEADS(h, k, e) .heads = h, .kv_heads = k, .head_width = e, .scale = {true, 0.6f}
#define Q_K_V(q, k) F(N_BY(q)), F(S_BY(k)), F(S_BY(k))
#define ONLY(...) \
    .n_in = sizeof((case_input[]){__VA_ARGS__}) / sizeof(case_input), .in = {__VA_ARGS__}

static inline heed_runtime runtime_of(const op_case *c)
{
    heed_runtime runtime = {.seed = 5, .step = 17, .count = {0, LIVE_N, LIVE_S, LIVE_B, LIVE_R}};
    for (int i = 1; i < HEED_EXTENT_COUNT; i++)
        if (c->live[i]) runtime.count[i] = c->live[i] < 0 ? 0 : c->live[i];
    return runtime;
}

/* Declares the inputs of the case, "in0", "in1" ...; returns what it builds of them. */
static inline heed_value build_op(const op_case *c, heed_graph *graph,
                                  heed_value in[MAX_CASE_INPUTS])
{
    for (int i = 0; i < c->n_in; i++) {
        char name[16];
        snprintf(name, sizeof name, "in%d", i);
        in[i] = heed_input(graph, name, c->in[i].dtype, c->in[i].shape);
    }
    return c->build(graph, in, c);
}

#endif
