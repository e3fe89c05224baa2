/* pass_order.c: moves accumulations to where their summand is made. The gradient pass leaves them
   at the end of the graph, in the order of the parameters. A matmul fused into one there would keep
   both its operands alive until the end, for all layers at once, and gradient checkpointing would
   save nothing. An accumulation may stand anywhere after its summand and the earlier version of its
   state; what else reads that version, pass_states.c puts before it.

   If a parameter has several uses, state + (a + b) first becomes (state + a) + b, so that each
   summand can be added to the state by itself. */
#include "graph/attributes.h"
#include "graph/plan.h"
#include "graph/rewrite.h"

#include <stdlib.h>

/* ---- one accumulation for each summand ---- */

/* The node that makes `value`, if it is an addition that a single node reads; otherwise NULL.
   `maker` holds the old node of each value. */
static const heed_node *own_sum(const heed_graph_rewrite *rewrite, const int32_t *uses,
                                const int32_t *maker, heed_value value)
{
    const heed_value_info *values = rewrite->graph->values;
    if (maker[value] < 0 || uses[value] != 1 || values[value].is_output ||
        values[value].is_checkpoint)
        return NULL;
    const heed_node *node = &rewrite->old[maker[value]];
    bool sum = node->id == HEED_OP_BINARY &&
               ((const heed_binary_attributes *)node->attributes)->kind == HEED_BINARY_ADD;
    return sum && heed_shape_equal(values[node->in[0]].shape, values[node->in[1]].shape) ? node
                                                                                         : NULL;
}

/* Accumulates all summands of `value` into `state` and returns its next version. Additions that are
   taken apart are left without a reader. */
static heed_value accumulate_all(heed_graph_rewrite *rewrite, const int32_t *uses,
                                 const int32_t *maker, heed_value state, heed_value value)
{
    const heed_node *sum = own_sum(rewrite, uses, maker, value);
    if (!sum)
        return heed_accumulate(rewrite->graph, state, heed_graph_rewrite_find(rewrite, value));
    state = accumulate_all(rewrite, uses, maker, state, sum->in[0]);
    return accumulate_all(rewrite, uses, maker, state, sum->in[1]);
}

/* Turns state + (a + b) into (state + a) + b everywhere. */
static heed_status split_sums(heed_graph *graph, heed_error *error)
{
    int32_t *uses = heed_graph_uses(graph), *maker = heed_allocate(graph->n_values, sizeof *maker);
    heed_graph_rewrite rewrite = {0};
    heed_status status = uses && maker ? HEED_OK
                                       : heed_fail_memory(error, graph->n_values * sizeof *uses,
                                                          "the order of a graph");
    bool split = false;
    for (size_t i = 1; status == HEED_OK && i < graph->n_values; i++)
        maker[i] = graph->values[i].node;
    if (status == HEED_OK) status = heed_graph_rewrite_begin(&rewrite, graph, error);
    for (size_t i = 0; status == HEED_OK && i < rewrite.n_old; i++) {
        const heed_node *node = &rewrite.old[i];
        if (node->id != HEED_OP_ACCUMULATE || !own_sum(&rewrite, uses, maker, node->in[1])) {
            heed_graph_rewrite_push(&rewrite, node);
            continue;
        }
        split = true;
        graph->scope = node->scope;
        graph->in_gradient = node->is_gradient;
        heed_value state = heed_graph_rewrite_find(&rewrite, node->in[0]);
        heed_graph_rewrite_replace(&rewrite, node->out[0],
                                   accumulate_all(&rewrite, uses, maker, state, node->in[1]));
        graph->in_gradient = false;
    }
    graph->scope = "";
    if (rewrite.graph) status = heed_graph_rewrite_end(&rewrite, error);
    free(uses);
    free(maker);
    /* dead additions would still count as readers */
    return status == HEED_OK && split ? heed_pass_dead(graph, error) : status;
}

/* ---- their places ---- */

/* Where a node goes. Accumulations that stand after the same node form a list: `first` begins the
   list of those after this node, `next` is the next one in the list of which this node is part
   (both + 1; 0: none). If it `moves`, it goes after node `after`, and `root` is the place in the
   old order of the unmoved node that it then follows. */
typedef struct {
    int32_t first, next, after, root;
    bool moves;
} turn;

/* Finds for each accumulation the later one of its summand and the earlier version of its state,
   which it will follow. */
static void find_places(const heed_graph *graph, turn *turns)
{
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const heed_node *node = &graph->nodes[i];
        turns[i].root = (int32_t)i;
        if (node->id != HEED_OP_ACCUMULATE) continue;
        /* -1: an external exists from the start */
        int32_t before = graph->values[node->in[0]].node, place = graph->values[node->in[1]].node;
        if (before >= 0 && (place < 0 || turns[before].root > turns[place].root)) place = before;
        if (place < 0) continue;
        turns[i].moves = true;
        turns[i].after = place;
        turns[i].root = turns[place].root;
    }
    for (size_t i = graph->n_nodes; i-- > 0;)
        if (turns[i].moves) {
            turn *place = &turns[turns[i].after];
            turns[i].next = place->first;
            place->first = (int32_t)i + 1;
        }
}

/* Pushes a node, then the accumulations that follow it. */
static void push_in_order(heed_graph_rewrite *rewrite, const turn *turns, size_t i)
{
    heed_graph_rewrite_push(rewrite, &rewrite->old[i]);
    for (int32_t at = turns[i].first; at > 0; at = turns[at - 1].next)
        push_in_order(rewrite, turns, (size_t)at - 1);
}

heed_status heed_pass_order(heed_graph *graph, heed_error *error)
{
    HEED_TRY(split_sums(graph, error));
    turn *turns = heed_allocate(graph->n_nodes, sizeof *turns);
    heed_graph_rewrite rewrite = {0};
    if (!turns)
        return heed_fail_memory(error, graph->n_nodes * sizeof *turns, "the order of a graph");
    find_places(graph, turns);
    heed_status status = heed_graph_rewrite_begin(&rewrite, graph, error);
    for (size_t i = 0; status == HEED_OK && i < rewrite.n_old; i++)
        if (!turns[i].moves) push_in_order(&rewrite, turns, i);
    free(turns);
    return status == HEED_OK ? heed_graph_rewrite_end(&rewrite, error) : status;
}
