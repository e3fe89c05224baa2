/* block_internal.h: the pieces between attentions, each a few builder calls. Absent weights are
   HEED_NONE. */
#ifndef HEED_NN_BLOCK_INTERNAL_H
#define HEED_NN_BLOCK_INTERNAL_H

#include "nn/kinds.h"
#include <heed/graph.h>

/* y = x W^T + b; weight (O,I), bias (O) or HEED_NONE. */
typedef struct heed_nn_linear {
    heed_value weight, bias;
} heed_nn_linear;
heed_value heed_nn_apply(heed_graph *graph, heed_value x, const heed_nn_linear *linear);

/* A norm with its weights; gain HEED_NONE in a norm that is not there (x is returned as it is). */
typedef struct heed_nn_norm {
    heed_norm_kind kind;
    heed_value gain, bias;
    float eps, offset; /* offset 1: the gain is stored as g - 1 */
    bool present;
} heed_nn_norm;
heed_value heed_nn_normalize(heed_graph *graph, heed_value x, const heed_nn_norm *norm);

/* Dropout as a model has it: rows (N,2) {sample id, position} and a rate; a rate of 0 is no op. */
heed_value heed_nn_dropout(heed_graph *graph, heed_value x, heed_value samples, double rate);

/* Feed-forward: down(f(up(x))), or gated: down(f(gate(x)) * up(x)). Dropout after the activation.
   x (N,D) -> (N,D). Sources: Vaswani et al. 2017, eq. 2; Shazeer 2020 (gated). */
typedef struct heed_nn_feed_forward {
    heed_nn_linear up, gate, down;
    bool gated;
    heed_unary_kind activation;
    double dropout;
    heed_value samples;
} heed_nn_feed_forward;
heed_value heed_nn_feed_forward_build(heed_graph *graph, heed_value x,
                                      const heed_nn_feed_forward *ffn);

/* Experts: each row goes to the few that its router chooses, and their results are summed with the
   router's weights; besides, if there is a shared expert, sigmoid(its gate) times its result. x
   (N,D) -> (N,D). Sources: Shazeer et al. 2017; Jiang et al. 2024 (Mixtral). */
typedef struct heed_nn_experts {
    heed_nn_linear router;              /* (X,D), (X) */
    heed_nn_linear up, gate, down;      /* (X,F,D), (X,F); (X,D,F), (X,D) */
    int64_t experts, experts_per_token; /* X, J */
    heed_router_kind router_kind;
    bool renormalized;                 /* weights of the chosen are divided by their sum */
    heed_unary_kind activation;        /* down(f(gate(x)) * up(x)), or, with a limit: */
    double swiglu_alpha, swiglu_limit; /* down(clamped_swiglu(gate(x), up(x))) */
    heed_nn_feed_forward shared;
    heed_nn_linear shared_router; /* (1,D); HEED_NONE: no shared expert */
} heed_nn_experts;
/* What the router said, for outputs and for balancing: logits (N,X), the experts chosen (N,J)
   i32. */
typedef struct heed_nn_routing {
    heed_value logits, index;
} heed_nn_routing;
heed_value heed_nn_experts_build(heed_graph *graph, heed_value x, const heed_nn_experts *experts,
                                 heed_nn_routing *routing);

/* The stream below the first layer: token rows (or vectors) * scale, projected to the model's width
   if they are narrower, + position rows + type rows, norm, dropout. ids, positions, types (N);
   tables (V,D'), (P,D), (types,D); projection (D,D'); result (N,D). */
typedef struct heed_nn_embedding {
    heed_value ids, token_table; /* or */
    heed_value projection;       /* HEED_NONE: D' = D */
    int64_t padding;             /* the token whose row is not trained; -1: all are */
    heed_value vectors;          /* (N,D) instead of ids */
    heed_value positions, position_table;
    heed_value types, type_table;
    double scale;
    heed_nn_norm norm;
    double dropout;
    heed_value samples;
} heed_nn_embedding;
heed_value heed_nn_embedding_build(heed_graph *graph, const heed_nn_embedding *embedding);

/* The norms around a sublayer f, by norm_place: heed_nn_sublayer_input gives what f reads from the
   residual stream, heed_nn_sublayer_output the stream after f. */
typedef struct heed_nn_sublayer {
    heed_norm_place place;
    heed_nn_norm norm, post_norm; /* post_norm: the second one of HEED_NORM_SANDWICH */
    double scale;                 /* of what is added to the stream; 0 counts as 1 */
    double dropout;
    heed_value samples;
} heed_nn_sublayer;
/* *x becomes what f(x) is added to. */
heed_value heed_nn_sublayer_input(heed_graph *graph, heed_value *x,
                                  const heed_nn_sublayer *sublayer);
heed_value heed_nn_sublayer_output(heed_graph *graph, heed_value x, heed_value fx,
                                   const heed_nn_sublayer *sublayer);

/* ---- what stands on top ---- */

/* tanh(x W^T + b): BERT's pooler. */
heed_value heed_nn_pooler(heed_graph *graph, heed_value x, const heed_nn_linear *linear);
/* norm(f(x W^T + b)): what BERT's masked words go through before the output matrix. */
heed_value heed_nn_transform(heed_graph *graph, heed_value x, const heed_nn_linear *linear,
                             heed_unary_kind activation, const heed_nn_norm *norm);
/* Rows scaled to Euclidean length 1: x / sqrt(sum x^2); rows of zeros stay zero. */
heed_value heed_nn_unit_rows(heed_graph *graph, heed_value x);
/* cap * tanh(x / cap); cap 0 returns x. Source: Gemma 2, 2024. */
heed_value heed_nn_soft_cap(heed_graph *graph, heed_value x, double cap);
/* Sum over all elements of (x - y)^2, one element. */
heed_value heed_nn_squared_error(heed_graph *graph, heed_value x, heed_value y);
/* Sum over all elements of softplus(x) - x * y: binary cross-entropy of sigmoid(x) against y in
   [0,1], in nats. */
heed_value heed_nn_binary_cross_entropy(heed_graph *graph, heed_value x, heed_value y);
/* Sum of all elements of a (rows,columns) or (rows) value, shape (1). */
heed_value heed_nn_sum(heed_graph *graph, heed_value x);

#endif
