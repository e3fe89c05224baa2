/* embedding.c: builds the input of the first layer. */
#include "nn/block_internal.h"

heed_value heed_nn_embedding_build(heed_graph *graph, const heed_nn_embedding *embedding)
{
    heed_value x = embedding->vectors;
    if (x == HEED_NONE)
        x = heed_embedding(graph, embedding->token_table, embedding->ids, embedding->padding);
    if (embedding->scale != 1) x = heed_scale(graph, x, embedding->scale, 0);
    if (embedding->row_scale != HEED_NONE) x = heed_multiply(graph, x, embedding->row_scale);
    bool projected = embedding->projection.weight != HEED_NONE;
    bool last = embedding->order == HEED_EMBEDDING_PROJECTED_LAST;
    if (projected && !last) x = heed_nn_apply(graph, x, &embedding->projection);
    if (embedding->type_table != HEED_NONE)
        x = heed_add(graph, x, heed_gather(graph, embedding->type_table, embedding->types));
    if (embedding->position_table != HEED_NONE)
        x = heed_add(graph, x,
                     heed_embedding(graph, embedding->position_table, embedding->positions,
                                    embedding->padding_position));
    x = heed_nn_normalize(graph, x, &embedding->norm);
    if (embedding->visible != HEED_NONE) x = heed_multiply(graph, x, embedding->visible);
    x = heed_nn_dropout(graph, x, embedding->samples, embedding->dropout);
    return projected && last ? heed_nn_apply(graph, x, &embedding->projection) : x;
}
