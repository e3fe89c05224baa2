/* pass_dead.c: removes dead code. A node is needed if an output depends on it, or a write to
   persistent memory does. */
#include "graph/plan.h"
#include "graph/rewrite.h"

#include <stdlib.h>

heed_status heed_pass_dead(heed_graph *graph, heed_error *error)
{
    bool *needed = heed_allocate(graph->n_values, sizeof *needed);
    if (!needed) return heed_fail_memory(error, graph->n_values, "dead-code removal");
    for (size_t i = 0; i < graph->n_outputs; i++) needed[graph->outputs[i]] = true;
    for (size_t i = graph->n_nodes; i-- > 0;) {
        heed_node *node = &graph->nodes[i];
        bool lives = heed_node_state(node) != HEED_NONE;
        for (int j = 0; j < node->n_out; j++) lives = lives || needed[node->out[j]];
        node->dead = !lives;
        for (int j = 0; lives && j < node->n_in; j++)
            if (node->in[j] > 0) needed[node->in[j]] = true;
    }
    free(needed);
    heed_graph_rewrite rewrite;
    HEED_TRY(heed_graph_rewrite_begin(&rewrite, graph, error));
    for (size_t i = 0; i < rewrite.n_old; i++)
        if (!rewrite.old[i].dead) heed_graph_rewrite_push(&rewrite, &rewrite.old[i]);
    return heed_graph_rewrite_end(&rewrite, error);
}
