/* pass_states.c: orders those who read and write persistent memory. A write yields the next version
   of a state in the same memory, so that memory never holds two versions of it:

      version 0 ----write----> version 1 ----write----> version 2
          |                        |                        |
       readers                  readers                  readers

   Each reader of a version must therefore stand before the node that overwrites it. The graph says
   which version a node reads, not when. If a reader stands after the overwriting node, this pass
   moves that node, and what depends on it, to after the last reader; all others keep their order.
   If the reader depends on the node, no order is right, and the plan is refused.

   Source of the order: Kahn 1962, "Topological sorting of large networks". */
#include "graph/plan.h"
#include "graph/rewrite.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct {
    const heed_graph *graph;
    int32_t *writer; /* by value: the node that overwrites it, or -1 */
    /* which nodes wait for node i: waiting[first[i]] up to waiting[first[i + 1]] */
    int32_t *first, *waiting;
    int32_t *blockers; /* by node: for how many nodes it still waits */
    int32_t *sorted;   /* the nodes in their new order */
    size_t n_sorted;
} state_order;

/* ---- errors ---- */

/* Writes "version 2 of "cache"" to text. */
static const char *version_text(const heed_graph *graph, heed_value value, char text[200])
{
    int version = 0;
    while (graph->values[value].node >= 0) {
        value = heed_node_state(&graph->nodes[graph->values[value].node]);
        version++;
    }
    snprintf(text, 200, "version %d of the state \"%s\"", version, graph->values[value].name);
    return text;
}

/* Writes "gather in layer.0" to text. */
static const char *node_text(const heed_node *node, char text[200])
{
    snprintf(text, 200, "%s%s%s", node->op->name, *node->scope ? " in " : "", node->scope);
    return text;
}

static heed_status fail_order(const state_order *order, heed_value value, int32_t reader,
                              heed_error *error)
{
    char version[200], read[200], write[200];
    const heed_graph *graph = order->graph;
    return heed_fail(error, HEED_E_ARG,
                     "%s: %s reads it and depends on %s, which overwrites it: no order of the two "
                     "is right; read the version that the write returns, or read before it",
                     version_text(graph, value, version), node_text(&graph->nodes[reader], read),
                     node_text(&graph->nodes[order->writer[value]], write));
}

/* ---- who overwrites what ---- */

/* Fills order->writer. HEED_E_ARG if two nodes overwrite the same version, if one reads what it
   overwrites through a second input, or if an overwritten version is an output. */
static heed_status find_writers(state_order *order, heed_error *error)
{
    const heed_graph *graph = order->graph;
    char version[200], one[200], two[200];
    for (size_t i = 0; i < graph->n_values; i++) order->writer[i] = -1;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const heed_node *node = &graph->nodes[i];
        const heed_value written = heed_node_state(node);
        if (written == HEED_NONE) continue;
        if (order->writer[written] >= 0)
            return heed_fail(error, HEED_E_ARG,
                             "%s: %s and %s both overwrite it; the second must write the version "
                             "that the first returns",
                             version_text(graph, written, version),
                             node_text(&graph->nodes[order->writer[written]], one),
                             node_text(node, two));
        order->writer[written] = (int32_t)i;
        for (int j = 0; j < node->n_in; j++)
            if (node->in[j] == written && j != node->op->state_input)
                return fail_order(order, written, (int32_t)i, error);
    }
    for (size_t i = 0; i < graph->n_outputs; i++) {
        const heed_value output = graph->outputs[i];
        if (order->writer[output] < 0) continue;
        return heed_fail(error, HEED_E_ARG,
                         "%s: it is the output \"%s\", but %s overwrites it; make the last version "
                         "the output",
                         version_text(graph, output, version), graph->output_names[i],
                         node_text(&graph->nodes[order->writer[output]], one));
    }
    return HEED_OK;
}

/* Does each reader of a version already stand before the node that overwrites it? */
static bool is_ordered(const state_order *order)
{
    const heed_graph *graph = order->graph;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const heed_node *node = &graph->nodes[i];
        for (int j = 0; j < node->n_in; j++) {
            const int32_t writer = node->in[j] > 0 ? order->writer[node->in[j]] : -1;
            if (writer >= 0 && writer < (int32_t)i) return false;
        }
    }
    return true;
}

/* ---- sorting ---- */

/* Node `to` waits for node `from`. The first round counts, the second one stores. */
static void add_wait(state_order *order, bool store, int32_t from, int32_t to)
{
    if (!store) {
        order->first[from + 1]++;
        order->blockers[to]++;
    } else order->waiting[order->first[from]++] = to;
}

/* A node waits for those that make its inputs; a node that overwrites a version waits for those
   that read it. */
static void add_waits(state_order *order, bool store)
{
    const heed_graph *graph = order->graph;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const heed_node *node = &graph->nodes[i];
        for (int j = 0; j < node->n_in; j++) {
            const heed_value value = node->in[j];
            if (value <= 0) continue;
            const int32_t maker = graph->values[value].node, writer = order->writer[value];
            if (maker >= 0) add_wait(order, store, maker, (int32_t)i);
            if (writer >= 0 && writer != (int32_t)i) add_wait(order, store, (int32_t)i, writer);
        }
    }
}

/* Fills first and waiting. False if out of memory. */
static bool find_waits(state_order *order)
{
    const size_t n = order->graph->n_nodes;
    add_waits(order, false);
    for (size_t i = 0; i < n; i++) order->first[i + 1] += order->first[i];
    order->waiting = heed_allocate((size_t)order->first[n] + 1, sizeof *order->waiting);
    if (!order->waiting) return false;
    add_waits(order, true);
    /* storing has moved each beginning to its end */
    for (size_t i = n; i > 0; i--) order->first[i] = order->first[i - 1];
    order->first[0] = 0;
    return true;
}

/* Takes the nodes in their old order. A node that must wait is taken right after the last of those
   that it waits for. */
static void sort_nodes(state_order *order)
{
    const size_t n = order->graph->n_nodes;
    for (size_t i = 0, done = 0; i < n; i++) {
        if (order->blockers[i] == 0) order->sorted[order->n_sorted++] = (int32_t)i;
        for (; done < order->n_sorted; done++) {
            const int32_t node = order->sorted[done];
            for (int32_t k = order->first[node]; k < order->first[node + 1]; k++) {
                const int32_t next = order->waiting[k];
                /* the loop over i has passed by it */
                if (--order->blockers[next] == 0 && next <= (int32_t)i)
                    order->sorted[order->n_sorted++] = next;
            }
        }
    }
}

/* A node for which this one waits and which waits itself, in a graph that cannot be sorted. *value
   is the version that it reads and this node overwrites, or HEED_NONE if it makes an input. */
static int32_t blocker_of(const state_order *order, int32_t waiting, heed_value *value)
{
    const heed_graph *graph = order->graph;
    const heed_node *node = &graph->nodes[waiting];
    *value = HEED_NONE;
    for (int j = 0; j < node->n_in; j++) {
        const int32_t maker = node->in[j] > 0 ? graph->values[node->in[j]].node : -1;
        if (maker >= 0 && order->blockers[maker] > 0) return maker;
    }
    *value = heed_node_state(node);
    for (size_t i = 0; i < graph->n_nodes; i++)
        for (int j = 0; j < graph->nodes[i].n_in && order->blockers[i] > 0; j++)
            if (graph->nodes[i].in[j] == *value && (int32_t)i != waiting) return (int32_t)i;
    return -1;
}

/* Names a reader and a writer that wait for each other. */
static heed_status fail_circle(const state_order *order, heed_error *error)
{
    const size_t n = order->graph->n_nodes;
    heed_value value = HEED_NONE;
    int32_t node = 0;
    while (order->blockers[node] == 0) node++;
    /* after n steps back from any node that waits, a node lies on a circle */
    for (size_t i = 0; i < n; i++) node = blocker_of(order, node, &value);
    do node = blocker_of(order, node, &value);
    while (value == HEED_NONE);
    return fail_order(order, value, node, error);
}

/* Pushes the nodes in their new order. */
static heed_status apply_order(heed_graph *graph, const state_order *order, heed_error *error)
{
    heed_graph_rewrite rewrite;
    HEED_TRY(heed_graph_rewrite_begin(&rewrite, graph, error));
    for (size_t i = 0; i < order->n_sorted; i++)
        heed_graph_rewrite_push(&rewrite, &rewrite.old[order->sorted[i]]);
    return heed_graph_rewrite_end(&rewrite, error);
}

heed_status heed_pass_states(heed_graph *graph, heed_error *error)
{
    const size_t n = graph->n_nodes;
    state_order order = {
        .graph = graph,
        .writer = heed_allocate(graph->n_values, sizeof *order.writer),
        .first = heed_allocate(n + 1, sizeof *order.first),
        .blockers = heed_allocate(n + 1, sizeof *order.blockers),
        .sorted = heed_allocate(n + 1, sizeof *order.sorted),
    };
    heed_status status = HEED_OK;
    if (!order.writer || !order.first || !order.blockers || !order.sorted)
        status = heed_fail_memory(error, n * sizeof *order.sorted, "the order of states");
    else status = find_writers(&order, error);
    if (status == HEED_OK && !is_ordered(&order)) {
        if (!find_waits(&order))
            status = heed_fail_memory(error, n * sizeof *order.waiting, "the order of states");
        else {
            sort_nodes(&order);
            status = order.n_sorted == n ? apply_order(graph, &order, error)
                                         : fail_circle(&order, error);
        }
    }
    free(order.writer);
    free(order.first);
    free(order.waiting);
    free(order.blockers);
    free(order.sorted);
    return status;
}
