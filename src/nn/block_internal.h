/* block_internal.h: declares the pieces of a layer other than attention. Each appends a few nodes
   to the graph and returns their value. Absent weights are HEED_NONE. */
#ifndef HEED_NN_BLOCK_INTERNAL_H
#define HEED_NN_BLOCK_INTERNAL_H

#include "nn/kinds.h"
#include <heed/graph.h>

/* y = x W^T + b: x (N,I), weight (O,I), bias (O) or HEED_NONE, y (N,O). */
typedef struct heed_nn_linear {
    heed_value weight, bias;
} heed_nn_linear;
heed_value heed_nn_apply(heed_graph *graph, heed_value x, const heed_nn_linear *linear);

/* A norm with its weights. Without `present`, x is returned unchanged. heed_nn_normalize keeps the
   shape of x. */
typedef struct heed_nn_norm {
    heed_norm_kind kind;
    heed_value gain, bias;
    float eps, offset; /* offset 1 if the stored gain is g - 1 */
    bool present;
} heed_nn_norm;
heed_value heed_nn_normalize(heed_graph *graph, heed_value x, const heed_nn_norm *norm);

/* Dropout. `samples` (N,2) holds sample id and position of each row; a rate of 0 appends no
   node. */
heed_value heed_nn_dropout(heed_graph *graph, heed_value x, heed_value samples, double rate);

/* Feed-forward: down(f(up(x))), or gated: down(f(gate(x)) * up(x)). Dropout follows the activation.
   x (N,D), result (N,D). Sources: Vaswani et al. 2017, eq. 2; Shazeer 2020 (gated). */
typedef struct heed_nn_feed_forward {
    heed_nn_linear up, gate, down;
    bool gated;
    heed_unary_kind activation;
    double dropout;
    heed_value samples;
} heed_nn_feed_forward;
heed_value heed_nn_feed_forward_build(heed_graph *graph, heed_value x,
                                      const heed_nn_feed_forward *ffn);

/* Experts. A router chooses experts_per_token experts for each row; their results are summed with
   the router's weights. If there is a shared expert, sigmoid(its gate) times its result is added. x
   (N,D), result (N,D). Sources: Shazeer et al. 2017; Jiang et al. 2024 (Mixtral). */
typedef struct heed_nn_experts {
    heed_nn_linear router;              /* (X,D), (X) */
    heed_nn_linear up, gate, down;      /* (X,F,D), (X,F); (X,D,F), (X,D) */
    int64_t experts, experts_per_token; /* X, J */
    heed_router_kind router_kind;
    bool renormalized;          /* the weights of the chosen experts are divided by their sum */
    heed_unary_kind activation; /* f in down(f(gate(x)) * up(x)) */
    double swiglu_alpha, swiglu_limit; /* limit > 0: down(clamped_swiglu(gate(x), up(x))) instead */
    heed_nn_feed_forward shared;
    heed_nn_linear shared_router; /* (1,D); HEED_NONE if there is no shared expert */
} heed_nn_experts;
/* What the router decided, for outputs and the balance loss: logits (N,X) and the chosen experts
   (N,J) i32. */
typedef struct heed_nn_routing {
    heed_value logits, index;
} heed_nn_routing;
heed_value heed_nn_experts_build(heed_graph *graph, heed_value x, const heed_nn_experts *experts,
                                 heed_nn_routing *routing);

/* The input of the first layer: token rows (or vectors) * scale, plus type rows, plus position
   rows; then norm and dropout. Rows of another width D' are projected to the model's width D,
   before all that or after it, by `order`. ids, positions, types (N); tables (V,D'), (P,D or D'),
   (types,D or D'); projection (D,D'); result (N,D). */
typedef struct heed_nn_embedding {
    heed_value ids, token_table; /* unless `vectors` is set */
    heed_nn_linear projection;   /* its weight is HEED_NONE if nothing is projected */
    heed_embedding_order order;
    int64_t padding;    /* the token whose row is not trained; -1 if all are */
    heed_value vectors; /* (N,D) instead of ids */
    heed_value positions, position_table;
    int64_t padding_position; /* the row of that table that is not trained; -1 if all are */
    heed_value types, type_table;
    double scale;
    heed_value row_scale; /* (N,1): factor of each token row, or HEED_NONE */
    heed_nn_norm norm;
    heed_value visible; /* (N,1): factor of each row after the norm, or HEED_NONE */
    double dropout;
    heed_value samples;
} heed_nn_embedding;
heed_value heed_nn_embedding_build(heed_graph *graph, const heed_nn_embedding *embedding);

/* The norms around a sublayer f, by norm_place. heed_nn_sublayer_input returns what f reads,
   heed_nn_sublayer_output the residual stream after f. */
typedef struct heed_nn_sublayer {
    heed_norm_place place;
    heed_nn_norm norm, post_norm; /* post_norm: the second norm of HEED_NORM_SANDWICH */
    double scale;                 /* factor of what is added to the stream; 0 means 1 */
    double dropout;
    heed_value samples;
} heed_nn_sublayer;
/* Sets *x to the value that f(x) will be added to. */
heed_value heed_nn_sublayer_input(heed_graph *graph, heed_value *x,
                                  const heed_nn_sublayer *sublayer);
heed_value heed_nn_sublayer_output(heed_graph *graph, heed_value x, heed_value fx,
                                   const heed_nn_sublayer *sublayer);

/* ---- heads and losses ---- */

/* Returns norm(f(x W^T + b)), which BERT applies to masked tokens before the output matrix, and
   without the norm, as its pooler, to the first row. */
heed_value heed_nn_transform(heed_graph *graph, heed_value x, const heed_nn_linear *linear,
                             heed_unary_kind activation, const heed_nn_norm *norm);
/* Returns rows scaled to Euclidean length 1: x / sqrt(sum x^2). Rows of zeros stay zero. */
heed_value heed_nn_unit_rows(heed_graph *graph, heed_value x);
/* Returns cap * tanh(x / cap); x if cap is 0. Source: Gemma 2, 2024. */
heed_value heed_nn_soft_cap(heed_graph *graph, heed_value x, double cap);
/* Returns the sum of (x - y)^2 over all elements, shape (1). */
heed_value heed_nn_squared_error(heed_graph *graph, heed_value x, heed_value y);
/* Returns the sum of softplus(x) - x * y over all elements, shape (1): the binary cross-entropy of
   sigmoid(x) against y in [0,1], in nats. */
heed_value heed_nn_binary_cross_entropy(heed_graph *graph, heed_value x, heed_value y);
/* Returns the sum of all elements of a (rows,columns) or (rows) value, shape (1). */
heed_value heed_nn_sum(heed_graph *graph, heed_value x);

#endif
