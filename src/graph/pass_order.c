/* Accumulations run as soon as their summand is there. The gradient pass leaves them at the graph's end, in the order of the parameters;
   a product fused into one would keep both its operands alive until then, of every layer at once, and gradient checkpointing would
   save nothing. An accumulation reads a state that nothing else reads or writes, so it may stand anywhere behind its summand. */
#include "graph/attributes.h"
#include "graph/plan.h"
#include "graph/rewrite.h"

#include <stdlib.h>

/* Per node: the first accumulation that may stand behind it, and the next one behind the same node, each + 1; accumulations that move. */
typedef struct { int32_t first, next; bool moves; } turn;

static void find_places(const heed_graph *graph, turn *turns)
{
    for (size_t i = graph->n_nodes; i-- > 0;) {
        const heed_node *node = &graph->nodes[i];
        int32_t place = node->id == HEED_OP_ACCUMULATE && graph->values[node->in[0]].external >= 0 ? graph->values[node->in[1]].node : -1;
        if (place < 0) continue;
        turns[i] = (turn){turns[i].first, turns[place].first, true};
        turns[place].first = (int32_t)i + 1;
    }
}

static void push_in_order(heed_graph_rewrite *rewrite, const turn *turns, size_t i)
{
    heed_graph_rewrite_push(rewrite, &rewrite->old[i]);
    for (int32_t at = turns[i].first; at > 0; at = turns[at - 1].next) push_in_order(rewrite, turns, (size_t)at - 1);
}

heed_status heed_pass_order(heed_graph *graph, heed_error *error)
{
    turn *turns = heed_allocate(graph->n_nodes, sizeof *turns);
    heed_graph_rewrite rewrite = {0};
    if (!turns) return heed_fail_memory(error, graph->n_nodes * sizeof *turns, "the order of a graph");
    find_places(graph, turns);
    heed_status status = heed_graph_rewrite_begin(&rewrite, graph, error);
    for (size_t i = 0; status == HEED_OK && i < rewrite.n_old; i++)
        if (!turns[i].moves) push_in_order(&rewrite, turns, i);
    free(turns);
    return status == HEED_OK ? heed_graph_rewrite_end(&rewrite, error) : status;
}
