/* pass_fuse_loss.c: fusion around the loss and the gradients of tables; heed_pass_fuse calls it.
   Four rewritings:
   1. x * 1, where 1 is the seed of the gradient
      -> x, so that the gradients of a loss need not wait for the loss
   2. linear_cross_entropy and its backward op over the same rows
      -> the backward op alone, which computes the losses on the way; the readers of the losses move
         after it. This is impossible if the gradients depend on the losses.
   3. state + linear_cross_entropy_backward
      -> linear_cross_entropy_backward, which adds to the state
   4. state + scatter_add
      -> scatter_add, which adds to the state */
#include "graph/attributes.h"
#include "graph/plan.h"
#include "graph/rewrite.h"

#include <stdlib.h>
#include <string.h>

/* ---- 1. seeds ---- */

/* Is the value the constant 1: a scale with factor 0 and offset 1? */
static bool is_one(const heed_graph *graph, const heed_node *nodes, heed_value value)
{
    int32_t maker = value <= 0 ? -1 : graph->values[value].node;
    if (maker < 0 || nodes[maker].id != HEED_OP_SCALE) return false;
    const heed_scale_attributes *scale = nodes[maker].attributes;
    return scale->factor == 0 && scale->offset == 1;
}

/* Replaces x * 1 by x. */
static heed_status fuse_seeds(heed_graph *graph, heed_error *error)
{
    /* by node: x if the node is x * 1, otherwise HEED_NONE */
    heed_value *same = heed_allocate(graph->n_nodes, sizeof *same);
    if (!same) return heed_fail_memory(error, graph->n_nodes * sizeof *same, "fusion");
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const heed_node *node = &graph->nodes[i];
        same[i] = HEED_NONE;
        if (node->id != HEED_OP_BINARY ||
            ((const heed_binary_attributes *)node->attributes)->kind != HEED_BINARY_MULTIPLY)
            continue;
        heed_value a = node->in[0], b = node->in[1];
        if (!heed_shape_equal(graph->values[a].shape, graph->values[b].shape) ||
            graph->values[node->out[0]].is_output)
            continue;
        same[i] = is_one(graph, graph->nodes, b) ? a : HEED_NONE;
        if (is_one(graph, graph->nodes, a)) same[i] = b;
    }
    heed_graph_rewrite rewrite;
    heed_status status = heed_graph_rewrite_begin(&rewrite, graph, error);
    for (size_t i = 0; status == HEED_OK && i < rewrite.n_old; i++) {
        if (same[i] == HEED_NONE) heed_graph_rewrite_push(&rewrite, &rewrite.old[i]);
        else
            heed_graph_rewrite_replace(&rewrite, rewrite.old[i].out[0],
                                       heed_graph_rewrite_find(&rewrite, same[i]));
    }
    free(same);
    return status == HEED_OK ? heed_graph_rewrite_end(&rewrite, error) : status;
}

/* ---- 2. losses ---- */

/* Marks the values that depend on marked ones, among the nodes before `end`. */
static void mark_readers(const heed_graph *graph, size_t end, bool *marked)
{
    for (size_t i = 0; i < end; i++)
        for (int j = 0; j < graph->nodes[i].n_in; j++)
            if (graph->nodes[i].in[j] > 0 && marked[graph->nodes[i].in[j]])
                for (int o = 0; o < graph->nodes[i].n_out; o++)
                    marked[graph->nodes[i].out[o]] = true;
}

static bool reads_marked(const heed_node *node, const bool *marked)
{
    for (int j = 0; j < node->n_in; j++)
        if (node->in[j] > 0 && marked[node->in[j]]) return true;
    return false;
}

/* The number of the backward op that can replace the forward node `forward`, or 0. If there is one,
   `late` marks the losses and all that depends on them. */
static size_t find_backward(heed_graph *graph, size_t forward, bool *late)
{
    heed_node *first = &graph->nodes[forward];
    for (size_t i = forward + 1; first->id == HEED_OP_LINEAR_CROSS_ENTROPY && i < graph->n_nodes;
         i++) {
        const heed_node *node = &graph->nodes[i];
        if (node->id != HEED_OP_LINEAR_CROSS_ENTROPY_BACKWARD ||
            memcmp(node->in, first->in, HEED_LINEAR_LOSS_DROW * sizeof *node->in) != 0)
            continue;
        memset(late, 0, graph->n_values * sizeof *late);
        late[first->out[0]] = true;
        mark_readers(graph, i, late);
        if (!reads_marked(node, late)) return i;
        first->note = "the gradients of its losses depend on the losses";
        return 0;
    }
    return 0;
}

/* Drops node `forward`: the losses now come from node `backward`, and nodes that read late values
   move after it. */
static heed_status move_losses(heed_graph *graph, size_t forward, size_t backward, const bool *late,
                               heed_error *error)
{
    heed_graph_rewrite rewrite;
    HEED_TRY(heed_graph_rewrite_begin(&rewrite, graph, error));
    for (size_t i = 0; i < rewrite.n_old; i++) {
        const heed_node *node = &rewrite.old[i];
        if (i == forward)
            heed_graph_rewrite_replace(&rewrite, node->out[0], rewrite.old[backward].out[3]);
        else if (i > backward || !reads_marked(node, late)) heed_graph_rewrite_push(&rewrite, node);
        for (size_t k = forward + 1; i == backward && k < backward; k++)
            if (reads_marked(&rewrite.old[k], late))
                heed_graph_rewrite_push(&rewrite, &rewrite.old[k]);
    }
    return heed_graph_rewrite_end(&rewrite, error);
}

static heed_status fuse_losses(heed_graph *graph, heed_error *error)
{
    bool *late = heed_allocate(graph->n_values, sizeof *late);
    if (!late) return heed_fail_memory(error, graph->n_values, "fusion");
    heed_status status = HEED_OK;
    for (size_t i = 0; status == HEED_OK && i < graph->n_nodes; i++) {
        size_t backward = find_backward(graph, i, late);
        if (backward > 0) status = move_losses(graph, i, backward, late, error);
    }
    free(late);
    return status;
}

/* ---- 3. and 4. states ---- */

/* The place of the state among the inputs of the op that makes the summand of an accumulation; 0 if
   it cannot take one. The losses of a loss op are wanted early, so it only takes a state that
   exists from the start. */
static int place_of_state(const heed_graph *graph, const heed_node *node,
                          const heed_node *accumulation)
{
    if (node->out[0] != accumulation->in[1] || graph->values[node->out[0]].is_output ||
        heed_node_state(node) != HEED_NONE)
        return 0;
    if (node->id == HEED_OP_SCATTER_ADD) return HEED_SCATTER_STATE;
    return node->id == HEED_OP_LINEAR_CROSS_ENTROPY_BACKWARD &&
                   graph->values[accumulation->in[0]].external >= 0
               ? HEED_LINEAR_LOSS_STATE
               : 0;
}

/* Pairs each accumulation with the op that makes its summand, if that can add to the state
   itself. */
static heed_status fuse_states(heed_graph *graph, heed_error *error)
{
    size_t n = graph->n_nodes;
    /* by node: the node of the summand, or of the accumulation, + 1; 0: none */
    int32_t *uses = heed_graph_uses(graph), *partner = heed_allocate(n, sizeof *partner);
    heed_graph_rewrite rewrite = {0};
    heed_status status = uses && partner ? HEED_OK
                                         : heed_fail_memory(error, n * sizeof *partner, "fusion");
    for (size_t i = 0; status == HEED_OK && i < n; i++) {
        const heed_node *node = &graph->nodes[i];
        int32_t summand = node->id == HEED_OP_ACCUMULATE && uses[node->in[1]] == 1
                              ? graph->values[node->in[1]].node
                              : -1;
        if (summand >= 0 && place_of_state(graph, &graph->nodes[summand], node)) {
            partner[i] = summand + 1;
            partner[summand] = (int32_t)i + 1;
        }
    }
    if (status == HEED_OK) status = heed_graph_rewrite_begin(&rewrite, graph, error);
    for (size_t i = 0; status == HEED_OK && i < n; i++) {
        bool ends = rewrite.old[i].id == HEED_OP_ACCUMULATE;
        if (!partner[i]) heed_graph_rewrite_push(&rewrite, &rewrite.old[i]);
        else {
            const heed_node *accumulation = &rewrite.old[ends ? (int32_t)i : partner[i] - 1];
            heed_node node = rewrite.old[ends ? partner[i] - 1 : (int32_t)i];
            /* scatter_add moves to where the accumulation stood */
            if (ends == (node.id == HEED_OP_SCATTER_ADD)) {
                int place = place_of_state(graph, &node, accumulation);
                while (node.n_in <= place) node.in[node.n_in++] = HEED_NONE;
                node.in[place] = accumulation->in[0];
                heed_graph_rewrite_push(&rewrite, &node);
                heed_graph_rewrite_replace(&rewrite, accumulation->out[0], node.out[0]);
            }
        }
    }
    free(uses);
    free(partner);
    return rewrite.graph ? heed_graph_rewrite_end(&rewrite, error) : status;
}

heed_status heed_pass_fuse_loss(heed_graph *graph, heed_error *error)
{
    HEED_TRY(fuse_seeds(graph, error));
    HEED_TRY(fuse_losses(graph, error));
    return fuse_states(graph, error);
}
