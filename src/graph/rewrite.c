/* rewrite.c: rewriting a graph, for passes. */
#include "graph/rewrite.h"

#include "base/memory.h"
#include <stdlib.h>

heed_status heed_graph_rewrite_begin(heed_graph_rewrite *rewrite, heed_graph *graph,
                                     heed_error *error)
{
    *rewrite = (heed_graph_rewrite){0}; /* no graph: not begun, and must not be ended */
    heed_value *replacement = heed_allocate(graph->n_values, sizeof *replacement);
    if (!replacement)
        return heed_fail_memory(error, graph->n_values * sizeof *replacement, "a graph pass");
    *rewrite = (heed_graph_rewrite){
        .graph = graph, .n_values = graph->n_values, .replacement = replacement};
    for (size_t i = 1; i < graph->n_values; i++) rewrite->replacement[i] = (heed_value)i;
    rewrite->old = graph->nodes;
    rewrite->n_old = graph->n_nodes;
    graph->nodes = NULL;
    graph->n_nodes = graph->nodes_capacity = 0;
    return HEED_OK;
}

heed_value heed_graph_rewrite_find(const heed_graph_rewrite *rewrite, heed_value value)
{
    return value <= 0 || (size_t)value >= rewrite->n_values ? value : rewrite->replacement[value];
}

void heed_graph_rewrite_replace(heed_graph_rewrite *rewrite, heed_value value, heed_value other)
{
    if (value <= 0 || (size_t)value >= rewrite->n_values) return;
    rewrite->replacement[value] = other;
}

void heed_graph_rewrite_push(heed_graph_rewrite *rewrite, const heed_node *node)
{
    heed_graph *graph = rewrite->graph;
    if (!heed_grow(&graph->nodes, &graph->nodes_capacity, graph->n_nodes + 1, sizeof *node)) {
        heed_fail_memory(&graph->error, graph->n_nodes * sizeof *node, "the graph");
        return;
    }
    heed_node *pushed = &graph->nodes[graph->n_nodes];
    *pushed = *node;
    for (int i = 0; i < node->n_in; i++)
        pushed->in[i] = heed_graph_rewrite_find(rewrite, node->in[i]);
    for (int i = 0; i < node->n_out; i++)
        graph->values[node->out[i]].node = (int32_t)graph->n_nodes;
    graph->n_nodes++;
}

void heed_graph_rewrite_as(heed_graph *graph, const heed_node *node)
{
    graph->scope = node ? node->scope : "";
    graph->clone = node ? node->clone : 0;
    graph->in_gradient = node && node->is_gradient;
}

heed_status heed_graph_rewrite_end(heed_graph_rewrite *rewrite, heed_error *error)
{
    heed_graph *graph = rewrite->graph;
    for (size_t i = 0; i < graph->n_outputs; i++) {
        graph->outputs[i] = heed_graph_rewrite_find(rewrite, graph->outputs[i]);
        if (graph->outputs[i] > 0) graph->values[graph->outputs[i]].is_output = true;
    }
    free(rewrite->old);
    free(rewrite->replacement);
    *rewrite = (heed_graph_rewrite){0};
    return heed_graph_status(graph, error);
}

heed_value heed_node_state(const heed_node *node)
{
    int place = node->op->state_input;
    return (node->op->flags & HEED_OP_WRITES_STATE) && place < node->n_in && node->in[place] > 0
               ? node->in[place]
               : HEED_NONE;
}

bool heed_node_reads_overwritten(const heed_node *node, const bool *overwritten)
{
    for (int j = 0; j < node->n_in; j++) {
        const bool state = (node->op->flags & HEED_OP_WRITES_STATE) && j == node->op->state_input;
        if (node->in[j] > 0 && overwritten[node->in[j]] && !state) return true;
    }
    return false;
}

bool *heed_graph_overwritten(const heed_graph *graph)
{
    bool *overwritten = heed_allocate(graph->n_values, sizeof *overwritten);
    for (size_t i = 0; overwritten && i < graph->n_nodes; i++) {
        const heed_value written = heed_node_state(&graph->nodes[i]);
        if (written != HEED_NONE) overwritten[written] = true;
    }
    return overwritten;
}

int32_t *heed_graph_uses(const heed_graph *graph)
{
    int32_t *uses = heed_allocate(graph->n_values, sizeof *uses);
    bool *overwritten = heed_graph_overwritten(graph);
    if (!uses || !overwritten) {
        free(uses);
        free(overwritten);
        return NULL;
    }
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const heed_node *node = &graph->nodes[i];
        for (int j = 0; j < node->n_in; j++)
            if (node->in[j] > 0) uses[node->in[j]]++;
        if (heed_node_reads_overwritten(node, overwritten))
            for (int j = 0; j < node->n_out; j++) uses[node->out[j]]++;
    }
    for (size_t i = 0; i < graph->n_outputs; i++) uses[graph->outputs[i]]++;
    free(overwritten);
    return uses;
}
