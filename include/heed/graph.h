/* heed/graph.h: builds a computation by hand, as a graph of values. Each value is assigned once;
   there is no aliasing and no control flow. Each function below that returns a heed_value is a
   builder: it appends a node to the graph and returns the id of its result.

   Errors. A builder that fails returns HEED_BAD and records its error in the graph, unless an error
   is recorded already. Every later builder then returns HEED_BAD too, so code can write formulas
   and check heed_graph_status once at the end. Builders fail with HEED_E_SHAPE if shapes do not fit
   each other, with HEED_E_DTYPE if types do not, with HEED_E_ARG for an option out of range, and
   with HEED_E_NOMEM. Where no type is named, values are f32.

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
typedef int32_t heed_value; /* the id of a value in its graph, from 1 */

enum {
    /* an optional input or a gradient that is absent; fields that are left out of a struct of
       inputs have this value */
    HEED_NONE = 0,
    HEED_BAD = -1,     /* the result of a failed builder */
    HEED_MAX_RANK = 6, /* the most axes of a shape */
    HEED_IGNORE = -100 /* a label that is not scored */
};

/* What axis 0 of a value counts. Extents other than FIXED are live: they have a maximum when the
   graph is compiled and a count, up to that maximum, in each run. */
typedef enum heed_extent {
    HEED_EXTENT_FIXED,
    HEED_EXTENT_ROWS,        /* N: rows of all query sequences laid end to end */
    HEED_EXTENT_SOURCE_ROWS, /* S: rows on the key side if they are not N: those of the encoder */
    HEED_EXTENT_SEQUENCES,   /* B: sequences */
    HEED_EXTENT_GATHERED,    /* R: rows picked out of N, for example those with a label */
    HEED_EXTENT_COUNT        /* the first that heed_extent_new returns */
} heed_extent;

enum { HEED_MAX_EXTENTS = 16 }; /* the most extents of a graph, those above included */

typedef struct heed_shape {
    int8_t rank;                /* number of axes; 0 is a scalar with one element */
    uint8_t extent;             /* heed_extent of axis 0 */
    int64_t dim[HEED_MAX_RANK]; /* outermost first; dim[0] is the maximum if the extent is live */
} heed_shape;

/* Return shapes with fixed extents, and one whose axis 0 is live. A rank above HEED_MAX_RANK is
   refused by the builder that is given the shape. */
heed_shape heed_shape_of(int rank, const int64_t *dims);
heed_shape heed_shape_scalar(void);
heed_shape heed_shape_1(int64_t a);
heed_shape heed_shape_2(int64_t a, int64_t b);
/* (maximum, columns), or (maximum) if columns is 0 */
heed_shape heed_shape_live(heed_extent extent, int64_t maximum, int64_t columns);

/* ---- graph ---- */
heed_graph *heed_graph_new(void); /* NULL if memory is out; free with heed_graph_free */
void heed_graph_free(heed_graph *graph);
/* Returns the status of the first builder that failed and copies its message to *error; HEED_OK if
   none failed. */
heed_status heed_graph_status(const heed_graph *graph, heed_error *error);

/* Declares a further extent of this graph, such as patches or characters. With a multiple, its
   count is always `multiple` times that of `base`, another live extent, and callers do not set it;
   with base HEED_EXTENT_FIXED and multiple 1, it has a count of its own. The letter, A to Z, stands
   for it in dumps and errors. Returns HEED_EXTENT_FIXED after an error: HEED_E_ARG for a letter or
   a multiple out of range, a base that the graph does not have, or more than HEED_MAX_EXTENTS
   extents. */
heed_extent heed_extent_new(heed_graph *graph, char letter, heed_extent base, int64_t multiple);

/* Declares a run-time argument, whose memory the caller fills before the first run of a plan that
   reads it, and again whenever it changes. Names are copied and must be unique in a graph. */
heed_value heed_input(heed_graph *graph, const char *name, heed_dtype dtype, heed_shape shape);
/* Declare a weight whose memory is bound from outside: a constant is frozen and may be packed
   before the first run; a parameter is trained. */
heed_value heed_constant(heed_graph *graph, const char *name, heed_dtype dtype, heed_shape shape);
heed_value heed_parameter(heed_graph *graph, const char *name, heed_dtype dtype, heed_shape shape);
/* Declares memory that outlives a run, such as a cache or an accumulated gradient. An op that
   writes it yields its next version in the same memory. */
heed_value heed_state(heed_graph *graph, const char *name, heed_dtype dtype, heed_shape shape);
/* Makes a value an output: it is computed even if nothing else uses it, and can be read under this
   name after a run. Names of outputs must be unique in a graph. */
void heed_output(heed_graph *graph, const char *name, heed_value value);
/* Names the place in the model, for example "layer.3.attention", of all nodes that are built from
   now on. Dumps, traces, profiles and errors show it. */
void heed_scope(heed_graph *graph, const char *format, ...) HEED_PRINTF(2, 3);
/* Marks a value that gradient checkpointing keeps for the backward pass; the values between two
   such values are computed again. */
void heed_checkpoint(heed_graph *graph, heed_value value);

/* Appends the nodes that compute the gradient of `loss`, a value with one element, with respect to
   wrt[0..n). dwrt[i] has the shape of wrt[i]; it is HEED_NONE if the loss does not depend on
   wrt[i]. HEED_E_UNSUPPORTED names an op that has no gradient, and why. */
heed_status heed_graph_gradient(heed_graph *graph, heed_value loss, const heed_value *wrt, int n,
                                heed_value *dwrt, heed_error *error);

/* Return the shape and the type of a value. */
heed_shape heed_value_shape(const heed_graph *graph, heed_value value);
heed_dtype heed_value_dtype(const heed_graph *graph, heed_value value);

/* ---- element-wise ---- */
/* y = a + b, a - b, a * b and a / b, element by element. b is broadcast to the shape of a: it has
   this shape, or is (D) for an a of (...,D), or has one element, or is (...,1) for an a of
   (...,D). */
heed_value heed_add(heed_graph *graph, heed_value a, heed_value b);
heed_value heed_subtract(heed_graph *graph, heed_value a, heed_value b);
heed_value heed_multiply(heed_graph *graph, heed_value a, heed_value b);
heed_value heed_divide(heed_graph *graph, heed_value a, heed_value b);

/* The element-wise functions of one argument. unaries.def has the formula and derivative of
   each. */
typedef enum heed_unary_kind {
#define HEED_UNARY(symbol, name, formula, derivative) HEED_UNARY_##symbol,
#include <heed/unaries.def>
#undef HEED_UNARY
    HEED_UNARY_COUNT
} heed_unary_kind;
/* y = the function of this kind of x, element by element. */
heed_value heed_unary(heed_graph *graph, heed_unary_kind kind, heed_value x);
/* y = x * factor + offset. */
heed_value heed_scale(heed_graph *graph, heed_value x, double factor, double offset);
/* y = min(max(x, -limit), limit), limit > 0. */
heed_value heed_clamp(heed_graph *graph, heed_value x, float limit);
/* Converts x to another floating type; numbers are rounded to nearest even. */
heed_value heed_cast(heed_graph *graph, heed_value x, heed_dtype dtype);

/* ---- reductions, matmuls, normalization ---- */
typedef enum heed_reduce_kind {
    HEED_REDUCE_SUM,
    HEED_REDUCE_MEAN,
    HEED_REDUCE_MAX
} heed_reduce_kind;
/* Reduces one axis to its sum, mean or maximum and removes it. If axis 0 is live, only the live
   rows count. axis < 0 counts from the end. With `keep`, the axis stays with extent 1; it must then
   be the last. */
heed_value heed_reduce(heed_graph *graph, heed_reduce_kind kind, heed_value x, int axis, bool keep);
/* Matrix multiplication: y(M,N) = a(M,K) b(K,N). With transpose_b, b is (N,K), as PyTorch stores
   the weight of a Linear. With transpose_a, a is (K,M), and the sums run over its live rows. a and
   b are f32, f16 or bf16; with transpose_b, b may also be a quantized constant. y is f32. */
heed_value heed_matmul(heed_graph *graph, heed_value a, heed_value b, bool transpose_a,
                       bool transpose_b);
/* y(N,O) = x(N,K) weight(O,K)^T + bias(O); bias may be HEED_NONE. Types as in heed_matmul. */
heed_value heed_linear(heed_graph *graph, heed_value x, heed_value weight, heed_value bias);
/* Softmax over the last axis. The maximum of a row is subtracted first. */
heed_value heed_softmax(heed_graph *graph, heed_value x);
/* Layer normalization over the last axis: y = (x - mean) / sqrt(var + eps) * gain + bias. gain and
   bias are (D) or HEED_NONE. Source: Ba, Kiros & Hinton 2016. */
heed_value heed_layer_norm(heed_graph *graph, heed_value x, heed_value gain, heed_value bias,
                           float eps);
/* RMS normalization over the last axis: y = x / sqrt(mean(x^2) + eps) * (gain + offset). gain is
   (D) or HEED_NONE. offset is 1 for models that store gain - 1, such as Gemma, and 0 for others.
   Source: Zhang & Sennrich 2019, eq. 4. */
heed_value heed_rms_norm(heed_graph *graph, heed_value x, heed_value gain, float eps, float offset);

/* ---- rows and shapes ---- */
/* Gathers rows: y[i] = table[index[i]]. table is (V,D) in f32, f16, bf16 or a quantized type, and V
   may be live; index is (N) i32; y is (N,D) f32. An index outside [0,V), such as -1, gives a row of
   zeros. */
heed_value heed_gather(heed_graph *graph, heed_value table, heed_value index);
/* Does the same, but row `frozen` of the table gets no gradient, which suits the padding row of an
   embedding. If frozen < 0, every row gets a gradient. */
heed_value heed_embedding(heed_graph *graph, heed_value table, heed_value index, int64_t frozen);
/* Adds rows: y is zero, then y[index[i]] += x[i] with i ascending. This is the gradient of
   heed_gather. x is (N,D), index is (N) i32, and y has the given shape (rows,D). */
heed_value heed_scatter_add(heed_graph *graph, heed_value x, heed_value index, heed_shape shape);
/* y = columns [begin, end) of the last axis of x. */
heed_value heed_slice(heed_graph *graph, heed_value x, int64_t begin, int64_t end);
/* Concatenates `count` parts, at most 8, along the last axis. Their other extents must agree. */
heed_value heed_concatenate(heed_graph *graph, const heed_value *parts, int count);
/* Transposes x (A,B) to (B,A). Both extents must be fixed. */
heed_value heed_transpose(heed_graph *graph, heed_value x);
/* Returns the elements of x in another shape. If axis 0 is live, it keeps its extent, or becomes a
   multiple of it or what it is a multiple of (heed_extent_new): (N,4*E) becomes (4N,E). */
heed_value heed_reshape(heed_graph *graph, heed_value x, heed_shape shape);
/* Repeats x to the shape of `like`. The shapes must fit as b and a of heed_add do. */
heed_value heed_broadcast(heed_graph *graph, heed_value x, heed_value like);
/* Inverted dropout: y = x * m / (1 - rate), where m is 1 with probability 1 - rate, else 0. The
   draw depends on seed, step, stream, sample, position and channel alone. rows is (N,2) i32: sample
   id and position of each row. A rate of 0 returns x. Source: Srivastava et al. 2014. */
heed_value heed_dropout(heed_graph *graph, heed_value x, heed_value rows, float rate);

/* ---- sequences ---- */
/* The fields of a row of the sequence table (B,8) i32. A row describes one sequence: which rows of
   q, k and v belong to it. */
typedef enum heed_sequence_field {
    HEED_SEQUENCE_QUERY_START, /* first row in q */
    HEED_SEQUENCE_QUERY_LENGTH,
    HEED_SEQUENCE_KEY_START, /* first row in k and v; not read with a page table */
    HEED_SEQUENCE_KEY_LENGTH,
    HEED_SEQUENCE_FIRST_INDEX, /* mask index of the first query; mask indices of keys begin at 0 */
    HEED_SEQUENCE_SAMPLE,      /* sample id, by which dropout draws */
    HEED_SEQUENCE_TABLE_ROW,   /* row of the page table */
    HEED_SEQUENCE_RESERVED,
    HEED_SEQUENCE_FIELDS
} heed_sequence_field;

enum { HEED_PAGE_POSITIONS = 64 }; /* positions in one page of a KV cache */

/* {0}: one head that sees everything. */
typedef struct heed_attention_options {
    int heads, kv_heads; /* H and K; K divides H. 0: one head; as many key/value heads as heads */
    int head_width;      /* E of q, k and v; 0: the columns of q divided by heads */
    heed_optional_real scale; /* scores are scale * q.k; not set: 1 / sqrt(E) */
    bool causal;              /* a query sees keys up to its own mask index */
    /* Above 0: a query sees keys whose mask index is less than this below its own and, unless
       causal, less than this above it. 0: no limit. */
    int window;
    float dropout;                 /* rate of dropout on the softmax weights; 0: none */
    bool want_weights;             /* also return the softmax weights; this takes a slower kernel */
    int64_t max_queries, max_keys; /* T and S of those weights */
    float soft_cap;                /* scores become cap * tanh(score / cap); 0: no cap */
    float alibi_scale;             /* factor of the ALiBi biases, above 0; 0: 1 */
    bool alibi_bf16;               /* round slope * index to bf16, as Falcon does */
    /* a query that sees no key attends to all keys of its sequence equally, instead of giving
       zeros */
    bool masked_mean;
} heed_attention_options;

/* Inputs of an attention. Optional inputs that are absent are HEED_NONE. */
typedef struct heed_attention_inputs {
    heed_value q, k, v;   /* (N,H*E), (S,K*E), (S,K*E) */
    heed_value sequences; /* (B,8) i32, the sequence table */
    /* (N) i32 mask index of each query; absent: FIRST_INDEX + row within the sequence */
    heed_value query_index;
    /* (S) i32 mask index of each key, where -1 hides the key; absent: its place in the sequence */
    heed_value key_index;
    /* (rows,pages) i32, the page table. If it is present, k and v are caches of (pages * 64, K*E),
       and position j of a sequence is row page_table[table row][j / 64] * 64 + j % 64. */
    heed_value page_table;
    /* (H) f32 slopes of ALiBi: scores += alibi_scale * slope * (key index - query index). They get
       no gradient. */
    heed_value slopes;
    /* (H) f32: one more score in each head's softmax, whose weight adds nothing to y */
    heed_value sinks;
} heed_attention_inputs;

/* Scaled dot-product attention within each sequence, with softmax in f32:
   y (N,H*E) = softmax(scale * q k^T + mask) v. A query that sees no key gives zeros. With
   want_weights, *weights becomes the value of the softmax weights (B,H,T,S), which are 0 where
   nothing is seen; `weights` may be NULL.
   Source: Vaswani et al. 2017, eq. 1; Dao et al. 2022; Press et al. 2022 (ALiBi); Xiao et al. 2024
   (sinks). */
heed_value heed_attention(heed_graph *graph, const heed_attention_inputs *inputs,
                          const heed_attention_options *options, heed_value *weights);
/* Makes the table of heed_rotary: y (N,W) = factor * cos(position * frequency), then factor *
   sin(position * frequency). positions is (N) i32; frequencies is (W/2), or (N,W/2) if each row has
   its own. */
heed_value heed_rotary_table(heed_graph *graph, heed_value positions, heed_value frequencies,
                             float factor);
/* Rotary position embedding on the first W channels of every head. x is (N,heads*E) and table (N,W)
   is made by heed_rotary_table. If interleaved, pairs of channels are (2i, 2i+1), as in GPT-J; else
   (i, i + W/2), as in GPT-NeoX and Llama. Source: Su et al. 2021. */
heed_value heed_rotary(heed_graph *graph, heed_value x, heed_value table, int heads,
                       bool interleaved);
/* Writes x (N,D) into a state: y, the next version of cache (rows,D), has x[i] in row slots[i].
   slots is (N) i32; negative slots are skipped, and the others must differ from each other. */
heed_value heed_cache_write(heed_graph *graph, heed_value cache, heed_value x, heed_value slots);
/* y (B,D) = the mean of each sequence's query rows in x (N,D). sequences is (B,8). An empty
   sequence gives zeros. */
heed_value heed_sequence_mean(heed_graph *graph, heed_value x, heed_value sequences);
/* Scores pairs of tokens by attention weights (B,H,T,T), without a gradient: y (B,P,P) is the sum
   over heads of coefficients (H) times w + w transposed, less its average product correction.
   choice (B,P) i32 has the row of its sequence that each p stands for, -1 for a row of zeros.
   Source: Rao et al. 2021. */
heed_value heed_pair_scores(heed_graph *graph, heed_value weights, heed_value choice,
                            heed_value coefficients);

/* ---- experts: each row chooses J of X experts, and only these are computed ---- */
/* Returns the `count` largest elements of each row of x (N,X), the largest first, as (N,count).
   *index becomes their columns, (N,count) i32. */
heed_value heed_top_k(heed_graph *graph, heed_value x, int64_t count, heed_value *index);
/* The order of pairs by expert. Pair p is choice p % J of row p / J. A slot is a place in this
   order; values by slot are (N,J,D). */
typedef struct heed_expert_permutation {
    heed_value permutation; /* (N,J) i32: the pair of every slot */
    heed_value inverse;     /* (N,J) i32: the slot of every pair */
    heed_value offsets;     /* (X+1) i32: the first slot of every expert, and the end of the last */
} heed_expert_permutation;
/* Sorts pairs by expert. index (N,J) i32 has the experts that each row chose. */
heed_expert_permutation heed_expert_sort(heed_graph *graph, heed_value index, int64_t experts);
/* Counts how busy experts are: y (X) is, for each expert, the sum of `counted` (N,1) over the rows
   that chose it. index is (N,J) i32. */
heed_value heed_expert_load(heed_graph *graph, heed_value index, heed_value counted,
                            int64_t experts);
/* Dispatch takes rows x (N,D) to their slots (N,J,D). Combine takes slots x (N,J,D) back to rows
   (N,D), each the sum of its slots. Both multiply by weights (N,J) of the pairs, or by 1 if weights
   is HEED_NONE. */
heed_value heed_expert_dispatch(heed_graph *graph, heed_value x,
                                const heed_expert_permutation *permutation, heed_value weights);
heed_value heed_expert_combine(heed_graph *graph, heed_value x,
                               const heed_expert_permutation *permutation, heed_value weights);
/* y (N,J,O): multiplies every slot of x (N,J,K) by the matrix of its expert. weights is (X,O,K) in
   f32, f16 or bf16; bias is (X,O) or HEED_NONE. */
heed_value heed_expert_matmul(heed_graph *graph, heed_value x, heed_value weights, heed_value bias,
                              const heed_expert_permutation *permutation);
/* The gated unit of gpt-oss: y = (clamp(up, -limit, limit) + 1) g sigmoid(alpha g), where
   g = min(gate, limit). gate and up have the same shape; limit is above 0. */
heed_value heed_clamped_swiglu(heed_graph *graph, heed_value gate, heed_value up, float alpha,
                               float limit);

/* ---- losses and gradients ---- */
/* Softmax cross-entropy of each row, in nats: y[r] = -(1-s) log p[label] - s mean_v log p[v], where
   s is the smoothing, in [0,1). logits is (R,V), labels is (R) i32, y is (R). A row whose label is
   HEED_IGNORE, or any other number outside [0,V), gives 0 and no gradient; callers check labels. */
heed_value heed_cross_entropy(heed_graph *graph, heed_value logits, heed_value labels,
                              float smoothing);
/* Does the same for the logits x weight^T + bias, which are never stored as a whole. x is (R,D),
   weight is (V,D) in f32, f16 or bf16, bias is (V) or HEED_NONE. */
heed_value heed_linear_cross_entropy(heed_graph *graph, heed_value x, heed_value weight,
                                     heed_value bias, heed_value labels, float smoothing);
/* Returns the next version of a state, which is state + x. */
heed_value heed_accumulate(heed_graph *graph, heed_value state, heed_value x);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
