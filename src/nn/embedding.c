/* embedding.c: builds the input of the first layer. */
#include "nn/block_internal.h"

heed_value heed_nn_embedding_build(heed_graph *graph, const heed_nn_embedding *embedding)
{
    heed_value x = embedding->vectors;
    if (x == HEED_NONE)
        x = heed_embedding(graph, embedding->token_table, embedding->ids, embedding->padding);
    if (embedding->scale != 1) x = heed_scale(graph, x, embedding->scale, 0);
    if (embedding->projection != HEED_NONE)
        x = heed_linear(graph, x, embedding->projection, HEED_NONE);
    if (embedding->type_table != HEED_NONE)
        x = heed_add(graph, x, heed_gather(graph, embedding->type_table, embedding->types));
    if (embedding->position_table != HEED_NONE)
        x = heed_add(graph, x, heed_gather(graph, embedding->position_table, embedding->positions));
    x = heed_nn_normalize(graph, x, &embedding->norm);
    return heed_nn_dropout(graph, x, embedding->samples, embedding->dropout);
}
