/* ffn.c: linear layers and the feed-forward sublayer. */
#include "nn/block_internal.h"

heed_value heed_nn_apply(heed_graph *graph, heed_value x, const heed_nn_linear *linear)
{
    return heed_linear(graph, x, linear->weight, linear->bias);
}

heed_value heed_nn_feed_forward_build(heed_graph *graph, heed_value x,
                                      const heed_nn_feed_forward *ffn)
{
    heed_value hidden = heed_nn_apply(graph, x, ffn->gated ? &ffn->gate : &ffn->up);
    if (ffn->activation != HEED_UNARY_LINEAR) hidden = heed_unary(graph, ffn->activation, hidden);
    if (ffn->gated) hidden = heed_multiply(graph, hidden, heed_nn_apply(graph, x, &ffn->up));
    hidden = heed_nn_dropout(graph, hidden, ffn->samples, ffn->dropout);
    return heed_nn_apply(graph, hidden, &ffn->down);
}
