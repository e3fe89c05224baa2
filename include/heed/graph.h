/* heed/graph.h: building a computation by hand. A graph is pure: values in single assignment, no
   aliasing, no control flow. Builders return a value id; a builder that fails returns HEED_BAD and
   records the first error in the graph, and HEED_BAD propagates through every later builder, so
   that model code reads as formulas and checks once at the end.

   Shapes are written (rows, columns), outermost first. Their letters (docs/glossary.md):
     N  live rows of a ragged batch    D  model width           E  width of one head
     S  live rows on the key side      H  attention heads       F  width of the feed-forward (d_ff)
     R  gathered rows                  K  key/value heads       V  vocabulary
     B  sequences */
#ifndef HEED_GRAPH_H
#define HEED_GRAPH_H

#include <heed/dtype.h>
#include <heed/optional.h>
#include <heed/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default) /* what the shared library exports */
#endif

typedef struct heed_graph heed_graph;
typedef int32_t heed_value; /* ids begin with 1 */

enum {
    HEED_NONE = 0, /* an optional input or gradient that is absent; so are the fields left out of a
                      struct of inputs */
    HEED_BAD = -1, /* what a failed builder returns */
    HEED_MAX_RANK = 6,
    HEED_IGNORE = -100 /* a label that is not scored */
};

/* What axis 0 of a value counts. Extents other than FIXED have a maximum when a plan is made and a
   count when it runs. */
typedef enum heed_extent {
    HEED_EXTENT_FIXED,
    HEED_EXTENT_ROWS,        /* N: rows of all query sequences laid end to end */
    HEED_EXTENT_SOURCE_ROWS, /* S: rows of the other side of an encoder-decoder */
    HEED_EXTENT_SEQUENCES,   /* B */
    HEED_EXTENT_GATHERED,    /* R: rows picked out of N (labels, last positions) */
    HEED_EXTENT_COUNT
} heed_extent;

typedef struct heed_shape {
    int8_t rank;                /* 0 is a scalar with one element */
    uint8_t extent;             /* heed_extent of axis 0 */
    int64_t dim[HEED_MAX_RANK]; /* outermost first; dim[0] is the maximum when the extent is live */
} heed_shape;

/* heed_shape literals: fixed, or live in axis 0. */
heed_shape heed_shape_of(int rank, const int64_t *dims);
heed_shape heed_shape_scalar(void);
heed_shape heed_shape_1(int64_t a);
heed_shape heed_shape_2(int64_t a, int64_t b);
/* (maximum, columns); rank 1 when columns is 0 */
heed_shape heed_shape_live(heed_extent extent, int64_t maximum, int64_t columns);

/* ---- graph ---- */
heed_graph *heed_graph_new(void); /* NULL when out of memory */
void heed_graph_free(heed_graph *graph);
/* the first error of any builder */
heed_status heed_graph_status(const heed_graph *graph, heed_error *error);

/* Run-time arguments: filled by the caller in the workspace before each run. Names are unique in a
   graph. */
heed_value heed_input(heed_graph *graph, const char *name, heed_dtype dtype, heed_shape shape);
/* Weights bound from outside: frozen (may be packed ahead) or trained. */
heed_value heed_constant(heed_graph *graph, const char *name, heed_dtype dtype, heed_shape shape);
heed_value heed_parameter(heed_graph *graph, const char *name, heed_dtype dtype, heed_shape shape);
/* Persistent memory that outlives a run (caches, accumulated gradients); writing ops yield its next
   version in the same memory. */
heed_value heed_state(heed_graph *graph, const char *name, heed_dtype dtype, heed_shape shape);
/* Keeps a value: it survives dead-code removal and is readable under this name after a run. */
void heed_output(heed_graph *graph, const char *name, heed_value value);
/* Names the nodes built from here on ("layer.3.attention") in dumps, traces, profiles and
   errors. */
void heed_scope(heed_graph *graph, const char *format, ...) HEED_PRINTF(2, 3);
/* Ends a recompute segment at this value: with gradient checkpointing only such values are kept for
   the backward pass. */
void heed_checkpoint(heed_graph *graph, heed_value value);

/* Appends the gradient of `loss` (one element) with respect to wrt[0..n): dwrt[i] has the shape of
   wrt[i], or is HEED_NONE where the loss does not reach. Errors: HEED_E_UNSUPPORTED naming an op
   that has no gradient and why. */
heed_status heed_graph_gradient(heed_graph *graph, heed_value loss, const heed_value *wrt, int n,
                                heed_value *dwrt, heed_error *error);

/* The shape and type of a value. */
heed_shape heed_value_shape(const heed_graph *graph, heed_value value);
heed_dtype heed_value_dtype(const heed_graph *graph, heed_value value);

/* ---- element-wise ---- */
/* Broadcasting: b may have the shape of a; or (D) against (...,D); or one element; or (...,1)
   against (...,D). f32. */
heed_value heed_add(heed_graph *graph, heed_value a, heed_value b);
heed_value heed_subtract(heed_graph *graph, heed_value a, heed_value b);
heed_value heed_multiply(heed_graph *graph, heed_value a, heed_value b);
heed_value heed_divide(heed_graph *graph, heed_value a, heed_value b);

/* Element-wise functions of one argument; `unaries.def` holds formula and derivative of each. */
typedef enum heed_unary_kind {
#define HEED_UNARY(symbol, name, formula, derivative) HEED_UNARY_##symbol,
#include <heed/unaries.def>
#undef HEED_UNARY
    HEED_UNARY_COUNT
} heed_unary_kind;
heed_value heed_unary(heed_graph *graph, heed_unary_kind kind, heed_value x);
/* y = x * factor + offset. */
heed_value heed_scale(heed_graph *graph, heed_value x, double factor, double offset);
/* y = min(max(x, -limit), limit), limit > 0. */
heed_value heed_clamp(heed_graph *graph, heed_value x, float limit);
/* Values of another floating type, rounded to nearest even. */
heed_value heed_cast(heed_graph *graph, heed_value x, heed_dtype dtype);

/* ---- reductions, matmuls, normalization ---- */
typedef enum heed_reduce_kind {
    HEED_REDUCE_SUM,
    HEED_REDUCE_MEAN,
    HEED_REDUCE_MAX
} heed_reduce_kind;
/* Reduces one axis away; axis 0 of a live value reduces its live rows. axis < 0 counts from the
   end. keep: the axis stays with extent 1 (last axis only). */
heed_value heed_reduce(heed_graph *graph, heed_reduce_kind kind, heed_value x, int axis, bool keep);
/* Matrix multiplication. y(M,N) = a(M,K) b. transpose_b: b is (N,K) as torch stores a Linear
   weight, else (K,N). transpose_a: a is (K,M), the contraction runs over its live rows. b may be
   f16 or bf16; y is f32. */
heed_value heed_matmul(heed_graph *graph, heed_value a, heed_value b, bool transpose_a,
                       bool transpose_b);
/* x (N,K) w (O,K) [bias (O) or HEED_NONE] -> (N,O): matmul and add. */
heed_value heed_linear(heed_graph *graph, heed_value x, heed_value weight, heed_value bias);
/* Softmax over the last axis, shifted by the row's maximum. */
heed_value heed_softmax(heed_graph *graph, heed_value x);
/* Layer normalization over the last axis: y = (x - mean) / sqrt(var + eps) * gain + bias; gain,
   bias (D) or HEED_NONE. Source: Ba, Kiros & Hinton 2016. */
heed_value heed_layer_norm(heed_graph *graph, heed_value x, heed_value gain, heed_value bias,
                           float eps);
/* RMS normalization over the last axis: y = x / sqrt(mean(x^2) + eps) * (gain + offset); gain (D)
   or HEED_NONE; offset 1 is Gemma's way of storing the gain. Source: Zhang & Sennrich 2019, eq.
   4. */
heed_value heed_rms_norm(heed_graph *graph, heed_value x, heed_value gain, float eps, float offset);

/* ---- rows and shapes ---- */
/* y[i] = table[index[i]]: embedding look-up and row gather. table (V,D) f32|f16|bf16 or live rows;
   index (N) i32 -> (N,D) f32. An index outside [0,V) gives a row of zeros (negative indices mean
   "no row"). */
heed_value heed_gather(heed_graph *graph, heed_value table, heed_value index);
/* The same, but row `frozen` of the table gets no gradient, as the padding row of an embedding;
   frozen < 0: all do. */
heed_value heed_embedding(heed_graph *graph, heed_value table, heed_value index, int64_t frozen);
/* y (rows,D) zero but for y[index[i]] += x[i], i ascending; the gradient of gather. like gives the
   shape of y. */
heed_value heed_scatter_add(heed_graph *graph, heed_value x, heed_value index, heed_shape shape);
/* Columns [begin, end) of the last axis. */
heed_value heed_slice(heed_graph *graph, heed_value x, int64_t begin, int64_t end);
/* Concatenates along the last axis; all other extents agree. At most 8 parts. */
heed_value heed_concatenate(heed_graph *graph, const heed_value *parts, int count);
/* (A,B) -> (B,A); both extents fixed. */
heed_value heed_transpose(heed_graph *graph, heed_value x);
/* The same elements in another shape; axis 0 keeps its extent when it is live. */
heed_value heed_reshape(heed_graph *graph, heed_value x, heed_shape shape);
/* Repeats x along the axes in which it lacks extent, under the rules of heed_add, to the shape of
   `like`. */
heed_value heed_broadcast(heed_graph *graph, heed_value x, heed_value like);
/* Inverted dropout: y = x * m / (1 - rate), m Bernoulli(1 - rate) drawn by (seed, step, stream,
   sample, position, channel). rows (N,2) i32 = {sample id, position} of each row. A rate of 0
   returns x. Source: Srivastava et al. 2014. */
heed_value heed_dropout(heed_graph *graph, heed_value x, heed_value rows, float rate);

/* ---- sequences ---- */
/* One row of the sequence table (B,8) i32; says which rows of q and k belong together. */
typedef enum heed_sequence_field {
    HEED_SEQUENCE_QUERY_START, /* first row in q */
    HEED_SEQUENCE_QUERY_LENGTH,
    HEED_SEQUENCE_KEY_START, /* first row in dense k and v; unused with a page table */
    HEED_SEQUENCE_KEY_LENGTH,
    HEED_SEQUENCE_FIRST_INDEX, /* mask index of the first query row (keys count from 0) */
    HEED_SEQUENCE_SAMPLE,      /* sample id, for dropout */
    HEED_SEQUENCE_TABLE_ROW,   /* row of the page table */
    HEED_SEQUENCE_RESERVED,
    HEED_SEQUENCE_FIELDS
} heed_sequence_field;

enum { HEED_PAGE_POSITIONS = 64 }; /* positions in one page of a KV cache */

typedef struct heed_attention_options {
    int heads, kv_heads;      /* H, K; H % K == 0. 0: one head; as many as heads */
    int head_width;           /* E of q, k and v; 0: the columns of q divided by heads */
    heed_optional_real scale; /* scores = scale * q.k; not set: 1 / sqrt(E) */
    bool causal;              /* key index <= query index */
    /* > 0: query index - key index < window (|distance| < window when not causal) */
    int window;
    float dropout;                 /* on the weights, after softmax */
    bool want_weights;             /* second output: weights (B,H,T,S) f32 by the untiled kernel */
    int64_t max_queries, max_keys; /* T and S of the weights output */
    float soft_cap;                /* 0 = off; cap * tanh(score / cap) */
    float alibi_scale;             /* of the biases that `slopes` give, above 0; 0: 1 */
    bool alibi_bf16;               /* slope * index is rounded to bf16, as Falcon computes it */
    /* a query that sees no key attends to all keys of its sequence alike, instead of giving
       zeros */
    bool masked_mean;
} heed_attention_options;

/* Inputs of an attention. Absent optional ones are HEED_NONE. */
typedef struct heed_attention_inputs {
    heed_value q, k, v;   /* (N,H*E), (S,K*E), (S,K*E) */
    heed_value sequences; /* (B,8) i32 */
    /* (N) i32 mask index of each query; absent: FIRST_INDEX + row within the sequence */
    heed_value query_index;
    /* (S) i32 mask index of each key; -1 hides the key; absent: its place in the sequence */
    heed_value key_index;
    /* (rows,pages) i32: k and v are caches (pages*64, K*E), position j of a sequence lies in row
       page_table[table row][j / 64] * 64 + j % 64 */
    heed_value page_table;
    /* (H) f32, ALiBi: scores += alibi_scale * slope * (key index - query index); fixed, not
       trained */
    heed_value slopes;
    /* (H) f32: one more score for each head's softmax, whose weight goes nowhere */
    heed_value sinks;
} heed_attention_inputs;

/* Scaled dot-product attention, softmax in f32, every sequence by itself:
   y (N,H*E) = softmax(scale * q k^T + mask) v. A query that sees no key gives zeros. If wanted and
   not NULL, weights receives (B,H,T,S), zeros outside.
   Source: Vaswani et al. 2017, eq. 1; Dao et al. 2022; Press et al. 2022 (ALiBi); Xiao et al. 2024
   (sinks). */
heed_value heed_attention(heed_graph *graph, const heed_attention_inputs *inputs,
                          const heed_attention_options *options, heed_value *weights);
/* cos and sin of position * frequency: positions (N) i32, frequencies (E/2) f32, or (N,E/2) by row
   -> (N,E): cosines then sines, times factor. */
heed_value heed_rotary_table(heed_graph *graph, heed_value positions, heed_value frequencies,
                             float factor);
/* Rotary position embedding on the first `2*table columns/2` channels of every head. x (N,heads*E),
   table from heed_rotary_table. interleaved: pairs are (2i,2i+1) (GPT-J), else (i, i+half)
   (GPT-NeoX, Llama). Source: Su et al. 2021. */
heed_value heed_rotary(heed_graph *graph, heed_value x, heed_value table, int heads,
                       bool interleaved);
/* Next version of a cache (rows,D) with x[i] at row slots[i]; negative slots are skipped, the
   others differ from each other. */
heed_value heed_cache_write(heed_graph *graph, heed_value cache, heed_value x, heed_value slots);
/* Mean over each sequence's query rows: x (N,D), sequences (B,8) -> (B,D). Empty sequences give
   zeros. */
heed_value heed_sequence_mean(heed_graph *graph, heed_value x, heed_value sequences);

/* ---- experts: rows choose J of X experts each, and only these are evaluated ---- */
/* The `count` largest elements of every row of x (N,X), largest first (N,count); *index: the
   columns where they stood, (N,count) i32. */
heed_value heed_top_k(heed_graph *graph, heed_value x, int64_t count, heed_value *index);
/* Choices in the order of experts. Pair p is choice p % J of row p / J; a slot is a pair in this
   order, and values by slot are (N,J,D). */
typedef struct heed_expert_permutation {
    heed_value permutation; /* (N,J) i32: the pair of every slot */
    heed_value inverse;     /* (N,J) i32: the slot of every pair */
    heed_value offsets;     /* (X+1) i32: the first slot of every expert, and after the last */
} heed_expert_permutation;
heed_expert_permutation heed_expert_sort(heed_graph *graph, heed_value index, int64_t experts);
/* (X) f32: over the pairs that chose each expert, the sum of counted (N,1) f32 of their rows. */
heed_value heed_expert_load(heed_graph *graph, heed_value index, heed_value counted,
                            int64_t experts);
/* Rows (N,D) to slots (N,J,D), and slots back to the sum of each row's, both times weights (N,J)
   or, with HEED_NONE, times 1. */
heed_value heed_expert_dispatch(heed_graph *graph, heed_value x,
                                const heed_expert_permutation *permutation, heed_value weights);
heed_value heed_expert_combine(heed_graph *graph, heed_value x,
                               const heed_expert_permutation *permutation, heed_value weights);
/* Every slot times the weights of its expert: x (N,J,K), weights (X,O,K) f32, f16 or bf16, bias
   (X,O) or HEED_NONE -> (N,J,O). */
heed_value heed_expert_matmul(heed_graph *graph, heed_value x, heed_value weights, heed_value bias,
                              const heed_expert_permutation *permutation);
/* (clamp(up, -limit, limit) + 1) g sigmoid(alpha g), g = min(gate, limit): the gated unit of
   gpt-oss. */
heed_value heed_clamped_swiglu(heed_graph *graph, heed_value gate, heed_value up, float alpha,
                               float limit);

/* ---- losses and gradients ---- */
/* Softmax cross-entropy in nats, one row each: y[r] = -(1-s) log p[label] - s mean_v log p[v]; 0
   where label is HEED_IGNORE. logits (R,V), labels (R) i32 -> (R). Labels outside [0,V) other than
   HEED_IGNORE count as ignored; callers check them. */
heed_value heed_cross_entropy(heed_graph *graph, heed_value logits, heed_value labels,
                              float smoothing);
/* The same for logits that are never stored: x (R,D), weight (V,D) f32, f16 or bf16, bias (V) or
   HEED_NONE, labels (R) i32 -> (R). */
heed_value heed_linear_cross_entropy(heed_graph *graph, heed_value x, heed_value weight,
                                     heed_value bias, heed_value labels, float smoothing);
/* Next version of a state: state + x. */
heed_value heed_accumulate(heed_graph *graph, heed_value state, heed_value x);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
