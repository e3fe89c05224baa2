/* experts.c: experts in place of the feed-forward sublayer. */
#include "nn/block_internal.h"

/* Returns the weights (N,J) of the experts that each row chooses. routing->index receives their
   numbers. */
static heed_value route(heed_graph *graph, const heed_nn_experts *experts, heed_nn_routing *routing)
{
    bool first = experts->router_kind == HEED_ROUTER_SOFTMAX_TOP;
    heed_value scores = first ? heed_softmax(graph, routing->logits) : routing->logits;
    heed_value weights = heed_top_k(graph, scores, experts->experts_per_token, &routing->index);
    if (!first) weights = heed_softmax(graph, weights);
    if (!experts->renormalized) return weights;
    return heed_divide(graph, weights, heed_reduce(graph, HEED_REDUCE_SUM, weights, -1, true));
}

/* Returns the hidden layer of the experts from gate and up. */
static heed_value gated(heed_graph *graph, const heed_nn_experts *experts, heed_value gate,
                        heed_value up)
{
    if (experts->swiglu_limit > 0)
        return heed_clamped_swiglu(graph, gate, up, (float)experts->swiglu_alpha,
                                   (float)experts->swiglu_limit);
    return heed_multiply(graph, heed_unary(graph, experts->activation, gate), up);
}

heed_value heed_nn_experts_build(heed_graph *graph, heed_value x, const heed_nn_experts *experts,
                                 heed_nn_routing *routing)
{
    routing->logits = heed_nn_apply(graph, x, &experts->router);
    heed_value weights = route(graph, experts, routing);
    heed_expert_permutation permutation = heed_expert_sort(graph, routing->index, experts->experts);
    heed_value slots = heed_expert_dispatch(graph, x, &permutation, HEED_NONE);
    heed_value gate = heed_expert_matmul(graph, slots, experts->gate.weight, experts->gate.bias,
                                         &permutation);
    heed_value up = heed_expert_matmul(graph, slots, experts->up.weight, experts->up.bias,
                                       &permutation);
    heed_value down = heed_expert_matmul(graph, gated(graph, experts, gate, up),
                                         experts->down.weight, experts->down.bias, &permutation);
    heed_value y = heed_expert_combine(graph, down, &permutation, weights);
    if (experts->shared_router.weight == HEED_NONE) return y;
    heed_value open = heed_unary(graph, HEED_UNARY_SIGMOID,
                                 heed_nn_apply(graph, x, &experts->shared_router));
    return heed_add(
        graph, y,
        heed_multiply(graph, heed_nn_feed_forward_build(graph, x, &experts->shared), open));
}
