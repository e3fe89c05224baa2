/* pass_fuse_experts.c: fuses matmuls by expert with what follows them, as pass_fuse.c does with
   plain matmuls; heed_pass_fuse calls it.
     expert_matmul [activation] [* gate]  -> one expert_matmul
     state + expert_outer                 -> one expert_outer, which adds to the state
   A value is swallowed only if it has one reader and is neither an output nor a checkpoint. */
#include "graph/attributes.h"
#include "graph/plan.h"
#include "graph/rewrite.h"

#include <stdlib.h>

/* A matmul with what it has absorbed so far. */
typedef struct {
    heed_op_id id;
    heed_value in[HEED_EXPERT_INPUTS];
    heed_expert_matmul_attributes attributes;
    heed_expert_outer_attributes outer;
} grown;

/* What becomes of a node: it stays, a later node of its chain swallows it, or a chain ends here. */
enum { STAYS, SWALLOWED, END };

typedef struct {
    const heed_graph *graph;
    int32_t *uses, *reader; /* by value: how many nodes read it; the last node that does */
    grown *result;          /* by node: what a chain that ends here became */
    uint8_t *outcome;       /* by node: STAYS, SWALLOWED or END */
} epilogue_chains;

static grown begin(const heed_node *node)
{
    grown g = {.id = node->id, .attributes = {.activation = HEED_UNARY_LINEAR}};
    for (int i = 0; i < HEED_EXPERT_INPUTS; i++) g.in[i] = i < node->n_in ? node->in[i] : HEED_NONE;
    if (node->id == HEED_OP_EXPERT_MATMUL)
        g.attributes = *(const heed_expert_matmul_attributes *)node->attributes;
    else g.outer = *(const heed_expert_outer_attributes *)node->attributes;
    return g;
}

/* Absorbs `next`, which reads `value`, if it may come next in the epilogue. Returns whether it
   did. */
static bool absorb(const heed_graph *graph, grown *g, const heed_node *next, heed_value value)
{
    if (g->id == HEED_OP_EXPERT_OUTER) {
        if (next->id != HEED_OP_ACCUMULATE || next->in[1] != value ||
            g->in[HEED_EXPERT_OUTER_STATE] != HEED_NONE)
            return false;
        g->in[HEED_EXPERT_OUTER_STATE] = next->in[0];
        return true;
    }
    if (g->in[HEED_EXPERT_GATE] != HEED_NONE) return false;
    if (next->id == HEED_OP_UNARY && g->attributes.activation == HEED_UNARY_LINEAR) {
        g->attributes.activation = ((const heed_unary_attributes *)next->attributes)->kind;
        return true;
    }
    if (next->id != HEED_OP_BINARY ||
        ((const heed_binary_attributes *)next->attributes)->kind != HEED_BINARY_MULTIPLY)
        return false;
    heed_value other = next->in[0] == value ? next->in[1] : next->in[0];
    if (other == value || !heed_shape_equal(graph->values[other].shape, graph->values[value].shape))
        return false;
    g->in[HEED_EXPERT_GATE] = other;
    return true;
}

/* Grows a chain from node `start` as far as it goes. */
static void grow_chain(const epilogue_chains *state, size_t start)
{
    const heed_node *nodes = state->graph->nodes;
    grown g = begin(&nodes[start]);
    for (size_t at = start;;) {
        heed_value value = nodes[at].out[0];
        const heed_value_info *info = &state->graph->values[value];
        if (state->uses[value] != 1 || info->is_output || info->is_checkpoint) return;
        size_t next = (size_t)state->reader[value];
        if (state->outcome[next] != STAYS || nodes[next].clone != nodes[start].clone ||
            !absorb(state->graph, &g, &nodes[next], value))
            return;
        state->outcome[at] = SWALLOWED;
        at = next;
        state->outcome[at] = END;
        state->result[at] = g;
    }
}

/* Replaces each chain by one op at the place of its last node. */
static heed_status rewrite_chains(const epilogue_chains *state, heed_graph *graph,
                                  heed_error *error)
{
    heed_graph_rewrite rewrite;
    HEED_TRY(heed_graph_rewrite_begin(&rewrite, graph, error));
    for (size_t i = 0; i < rewrite.n_old; i++) {
        const heed_node *node = &rewrite.old[i];
        if (state->outcome[i] == STAYS) heed_graph_rewrite_push(&rewrite, node);
        if (state->outcome[i] != END) continue;
        grown g = state->result[i];
        for (int j = 0; j < HEED_EXPERT_INPUTS; j++)
            g.in[j] = heed_graph_rewrite_find(&rewrite, g.in[j]);
        heed_graph_rewrite_as(graph, node);
        const bool outer = g.id == HEED_OP_EXPERT_OUTER;
        const int n_in = outer ? HEED_EXPERT_OUTER_STATE + 1 : HEED_EXPERT_INPUTS;
        const void *attributes = outer ? (const void *)&g.outer : &g.attributes;
        heed_graph_rewrite_replace(&rewrite, node->out[0],
                                   heed_emit(graph, g.id, g.in, n_in, attributes, NULL));
        heed_graph_rewrite_as(graph, NULL);
    }
    graph->scope = "";
    return heed_graph_rewrite_end(&rewrite, error);
}

heed_status heed_pass_fuse_experts(heed_graph *graph, heed_error *error)
{
    size_t n = graph->n_nodes, found = 0;
    for (size_t i = 0; i < n; i++)
        found += graph->nodes[i].id == HEED_OP_EXPERT_MATMUL ||
                 graph->nodes[i].id == HEED_OP_EXPERT_OUTER;
    if (found == 0) return HEED_OK;
    epilogue_chains state = {
        .graph = graph,
        .uses = heed_graph_uses(graph),
        .reader = heed_allocate(graph->n_values, sizeof *state.reader),
        .result = heed_allocate(n, sizeof *state.result),
        .outcome = heed_allocate(n, 1),
    };
    heed_status status = HEED_OK;
    if (!state.uses || !state.reader || !state.result || !state.outcome)
        status = heed_fail_memory(error, n * sizeof *state.result, "fusion");
    for (size_t i = 0; status == HEED_OK && i < n; i++)
        for (int j = 0; j < graph->nodes[i].n_in; j++)
            if (graph->nodes[i].in[j] > 0) state.reader[graph->nodes[i].in[j]] = (int32_t)i;
    for (size_t i = 0; status == HEED_OK && i < n; i++)
        if (state.outcome[i] == STAYS && (graph->nodes[i].id == HEED_OP_EXPERT_MATMUL ||
                                          graph->nodes[i].id == HEED_OP_EXPERT_OUTER))
            grow_chain(&state, i);
    if (status == HEED_OK) status = rewrite_chains(&state, graph, error);
    free(state.uses);
    free(state.reader);
    free(state.result);
    free(state.outcome);
    return status;
}
