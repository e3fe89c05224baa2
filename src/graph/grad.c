/* grad.c: the gradient pass (reverse-mode differentiation). In three steps:
   1. mark the values that depend on a value whose gradient is wanted         mark_reached
   2. walk the nodes backward; each op appends its own gradient nodes         walk_back
   3. sum the gradients of a value that is used more than once                collect
   Gradients are summed in the order in which the pass meets the uses, the last use first, so that
   the order depends on the graph alone. A use of a bf16 working copy is a use of its parameter. */
#include "graph/ir.h"

#include <stdlib.h>
#include <string.h>

/* Step 1: marks the values wrt[0 .. n) and all values that depend on them. */
static void mark_reached(const heed_graph *graph, size_t n_nodes, const heed_value *wrt, int n,
                         bool *reached)
{
    for (int i = 0; i < n; i++)
        if (wrt[i] > 0) reached[wrt[i]] = true;
    for (size_t i = 1; i < graph->n_values; i++)
        if (graph->values[i].master > 0) reached[i] = reached[graph->values[i].master];
    for (size_t i = 0; i < n_nodes; i++) {
        const heed_node *node = &graph->nodes[i];
        bool any = false;
        for (int j = 0; j < node->n_in; j++) any = any || (node->in[j] > 0 && reached[node->in[j]]);
        for (int j = 0; j < node->n_out; j++) reached[node->out[j]] = any && !node->dead;
    }
}

/* Step 3: adds the gradients `din` of the inputs of one node to those collected so far. */
static void collect(heed_graph *graph, const heed_node *node, const heed_value *din,
                    const bool *reached, heed_value *gradients)
{
    for (int j = 0; j < node->n_in; j++) {
        heed_value input = node->in[j];
        if (input <= 0 || din[j] == HEED_NONE || !reached[input]) continue;
        if (graph->values[input].master > 0) input = graph->values[input].master;
        gradients[input] = gradients[input] == HEED_NONE
                               ? din[j]
                               : heed_add(graph, gradients[input], din[j]);
    }
}

/* Step 2: gradients of all values, from the last node to the first. */
static heed_status walk_back(heed_graph *graph, size_t n_nodes, const bool *reached,
                             heed_value *gradients, heed_error *error)
{
    for (size_t i = n_nodes; i-- > 0;) {
        heed_node node = graph->nodes[i]; /* a copy, since appending moves the array */
        heed_value dout[HEED_MAX_OUTPUTS], din[HEED_MAX_INPUTS];
        bool flows = false;
        for (int j = 0; j < node.n_out; j++) {
            dout[j] = reached[node.out[j]] ? gradients[node.out[j]] : HEED_NONE;
            flows = flows || dout[j] != HEED_NONE;
        }
        if (!flows) continue;
        for (int j = 0; j < HEED_MAX_INPUTS; j++) din[j] = HEED_NONE;
        if (!node.op->gradient)
            return heed_fail(error, HEED_E_UNSUPPORTED, "%s: %s has no gradient: %s", node.scope,
                             node.op->name,
                             node.op->no_gradient ? node.op->no_gradient : "none was written");
        graph->scope = node.scope;
        HEED_TRY(node.op->gradient(graph, &node, dout, din, error));
        collect(graph, &node, din, reached, gradients);
        HEED_TRY(heed_graph_status(graph, error));
    }
    return HEED_OK;
}

heed_status heed_graph_gradient(heed_graph *graph, heed_value loss, const heed_value *wrt, int n,
                                heed_value *dwrt, heed_error *error)
{
    HEED_TRY(heed_graph_status(graph, error));
    for (int i = 0; i < n; i++) dwrt[i] = HEED_NONE;
    if (loss <= 0 || heed_shape_elements(graph->values[loss].shape) != 1)
        return heed_fail(error, HEED_E_SHAPE,
                         "gradient: the loss must be one number; reduce it first");
    size_t n_values = graph->n_values, n_nodes = graph->n_nodes;
    bool *reached = heed_allocate(n_values, sizeof *reached);
    heed_value *gradients = heed_allocate(n_values, sizeof *gradients);
    heed_status status = HEED_OK;
    if (!reached || !gradients)
        status = heed_fail_memory(error, n_values * sizeof *gradients, "the gradient pass");
    else {
        const char *scope = graph->scope;
        graph->in_gradient = true;
        for (size_t i = 1; i < n_values; i++) gradients[i] = HEED_NONE;
        mark_reached(graph, n_nodes, wrt, n, reached);
        /* d loss / d loss = 1, in the loss's own shape */
        gradients[loss] = heed_scale(graph, loss, 0, 1);
        status = walk_back(graph, n_nodes, reached, gradients, error);
        graph->in_gradient = false;
        graph->scope = scope;
        for (int i = 0; status == HEED_OK && i < n; i++)
            dwrt[i] = wrt[i] > 0 ? gradients[wrt[i]] : HEED_NONE;
        if (status == HEED_OK) status = heed_graph_status(graph, error);
    }
    free(reached);
    free(gradients);
    return status;
}
