/* attributes.h: the attributes of nodes, one plain struct for each op that has any. Attributes are
   compared byte by byte, so builders start from a zeroed struct. */
#ifndef HEED_GRAPH_ATTRIBUTES_H
#define HEED_GRAPH_ATTRIBUTES_H

#include "tensor/dtype.h"
#include <heed/graph.h>

typedef enum heed_binary_kind {
    HEED_BINARY_ADD,
    HEED_BINARY_SUBTRACT,
    HEED_BINARY_MULTIPLY,
    HEED_BINARY_DIVIDE
} heed_binary_kind;

/* clang-format off */
typedef struct { int32_t kind; } heed_binary_attributes; /* heed_binary_kind */
typedef struct { int32_t kind; } heed_unary_attributes; /* heed_unary_kind */
typedef struct { double factor, offset; } heed_scale_attributes;
typedef struct { int32_t dtype; } heed_cast_attributes;
typedef struct { int32_t kind, axis, keep; } heed_reduce_attributes; /* axis >= 0 */
typedef struct {
    heed_shape shape; /* of x */
    heed_reduce_attributes reduce;
    int32_t reserved;
} heed_reduce_backward_attributes;
/* bf16_operands: operands are rounded to bf16 (heed_round_operand) */
typedef struct { int32_t transpose_a, transpose_b, bf16_operands; } heed_matmul_attributes;
typedef struct { float eps, offset; } heed_norm_attributes;
/* norm: heed_fused_norm, LAYER or RMS */
typedef struct { float eps; int32_t norm; } heed_norm_gain_attributes;
/* of scatter_add, reshape, broadcast and sequence_mean_backward: the shape of the result;
   scatter_add leaves out rows whose index is skipped - 1 */
typedef struct { heed_shape shape; int64_t skipped; } heed_shape_attributes;
/* places of the inputs of scatter_add */
enum { HEED_SCATTER_X, HEED_SCATTER_INDEX, HEED_SCATTER_STATE };
/* row frozen - 1 of the table gets no gradient; 0: all rows do */
typedef struct { int64_t frozen; } heed_gather_attributes;
typedef struct { int64_t begin, end; } heed_slice_attributes;
/* begin: the first column of x in y; width: the columns of y */
typedef struct { int64_t begin, width; } heed_pad_columns_attributes;
typedef struct { float rate; int32_t stream; } heed_dropout_attributes;
typedef struct { float factor; } heed_rotary_table_attributes;
/* inverse: rotates the other way, which is the gradient */
typedef struct { int32_t heads, interleaved, inverse; } heed_rotary_attributes;
typedef struct { float smoothing; } heed_cross_entropy_attributes;
/* bf16_operands: those of its matmuls, as in heed_matmul_attributes */
typedef struct { float smoothing; int32_t bf16_operands; } heed_linear_loss_attributes;
/* count: elements chosen from each row; of top_k_backward: columns of the result */
typedef struct { int64_t count; } heed_top_k_attributes;
/* of expert_permutation and expert_load */
typedef struct { int64_t experts; } heed_expert_count_attributes;
/* heed_unary_kind; HEED_UNARY_LINEAR for none */
typedef struct { int32_t transpose_b, activation, bf16_operands; } heed_expert_matmul_attributes;
typedef struct { int32_t bf16_operands; } heed_expert_outer_attributes;
typedef struct { float limit; } heed_clamp_attributes;
typedef struct { float alpha, limit; } heed_clamped_swiglu_attributes;
/* clang-format on */

typedef struct {
    int32_t heads, kv_heads, head_width, causal, window, want_weights, stream, alibi_bf16;
    float scale, dropout, soft_cap, alibi_scale;
    /* bf16_operands: q, k, v, dy and the weights are rounded to bf16 (heed_round_operand) */
    int32_t masked_mean, bf16_operands;
    int64_t max_queries, max_keys;
} heed_attention_attributes;

/* Places of the inputs of `attention` and of `attention_backward`, which has y, lse and dy after
   them. Those from HEED_ATTENTION_QUERY_INDEX to HEED_ATTENTION_SINKS are optional. */
enum {
    HEED_ATTENTION_Q,
    HEED_ATTENTION_K,
    HEED_ATTENTION_V,
    HEED_ATTENTION_SEQUENCES,
    HEED_ATTENTION_QUERY_INDEX,
    HEED_ATTENTION_KEY_INDEX,
    HEED_ATTENTION_PAGE_TABLE,
    HEED_ATTENTION_SLOPES,
    HEED_ATTENTION_SINKS,
    HEED_ATTENTION_INPUTS,
    HEED_ATTENTION_Y = HEED_ATTENTION_INPUTS,
    HEED_ATTENTION_LSE,
    HEED_ATTENTION_DY,
    HEED_ATTENTION_BACKWARD_INPUTS
};

/* Slope times index as in Falcon's ALiBi: both factors and the product are rounded to bf16. */
static inline float heed_alibi_product(float slope, int64_t index)
{
    float factor = heed_bf16_to_f32(heed_f32_to_bf16(slope)),
          at = heed_bf16_to_f32(heed_f32_to_bf16((float)index));
    return heed_bf16_to_f32(heed_f32_to_bf16(factor * at));
}

/* Places of the inputs of `linear_cross_entropy` (which ends with the bias) and of its backward
   op. */
enum {
    HEED_LINEAR_LOSS_X,
    HEED_LINEAR_LOSS_WEIGHT,
    HEED_LINEAR_LOSS_LABELS,
    HEED_LINEAR_LOSS_BIAS,
    HEED_LINEAR_LOSS_DROW,
    HEED_LINEAR_LOSS_STATE,
    HEED_LINEAR_LOSS_INPUTS
};

/* Places of the inputs of `expert_matmul`, and of the state of `expert_outer`. */
enum {
    HEED_EXPERT_X,
    HEED_EXPERT_WEIGHT,
    HEED_EXPERT_OFFSETS,
    HEED_EXPERT_BIAS,
    HEED_EXPERT_GATE,
    HEED_EXPERT_INPUTS,
    HEED_EXPERT_OUTER_STATE = 3
};

/* A matmul after the fusion pass: [norm of a's rows] matmul [+ bias] [activation] [* gate] [+
   residual], or accumulating. */
typedef struct {
    int32_t transpose_a, transpose_b, bf16_operands;
    int32_t activation; /* heed_unary_kind; HEED_UNARY_LINEAR for none */
    int32_t norm;       /* heed_fused_norm, applied to the rows of a */
    float eps, offset;  /* of the norm */
    /* the number of weights: 1, or 2 to 4 for matmuls over the same rows, outputs side by side */
    int32_t joined;
    /* with 2 weights: the output is the first result (with bias and activation) times the second
       one (with bias) */
    int32_t gated;
} heed_fused_matmul_attributes;

typedef enum heed_fused_norm {
    HEED_FUSED_NORM_NONE,
    HEED_FUSED_NORM_LAYER,
    HEED_FUSED_NORM_RMS
} heed_fused_norm;

enum { HEED_FUSED_JOINED = 4 }; /* the most weights */

/* Places of the inputs of `fused_matmul`; absent ones are HEED_NONE. With a state the sum starts
   from its old value and the output is its next version. Each joined weight may have a bias. */
enum {
    HEED_FUSED_A,
    HEED_FUSED_GATE,
    HEED_FUSED_RESIDUAL,
    HEED_FUSED_STATE,
    HEED_FUSED_NORM_GAIN,
    HEED_FUSED_NORM_BIAS,
    HEED_FUSED_B,
    HEED_FUSED_BIAS = HEED_FUSED_B + HEED_FUSED_JOINED,
    HEED_FUSED_INPUTS = HEED_FUSED_BIAS + HEED_FUSED_JOINED
};

#endif
