/* pass_recompute.c: gradient checkpointing. Checkpoints divide the forward pass into segments.
   Values that the backward pass needs are computed again, right before the first gradient node that
   reads them, unless they are kept. Kept are
   - checkpoints and outputs;
   - what a later segment reads, such as rotary tables and the output of an encoder;
   - what a node makes that writes a state, or reads a version of one that is overwritten later;
   - all values of the last segment, whose backward pass follows at once.

      forward:   [segment 0] checkpoint [segment 1] checkpoint [segment 2]
      backward:  gradient of 2, clones of 1, gradient of 1, clones of 0, gradient of 0

   Clones carry the number of their segment + 1, so that no later pass merges them with the
   originals, which carry 0.
   Source: Chen et al. 2016, "Training deep nets with sublinear memory cost". */
#include "graph/plan.h"
#include "graph/rewrite.h"

#include <stdlib.h>

typedef struct {
    heed_graph_rewrite rewrite;
    /* by value: the segment of its forward node; -1 for inputs, externals and gradients */
    int32_t *segment;
    bool *keep;        /* by value: whether it is kept rather than recomputed */
    heed_value *clone; /* by value: its clone, or HEED_NONE */
    int32_t *maker;    /* by value: its node among the old nodes */
    int32_t last;      /* the number of the last segment */
    bool *overwritten; /* by value: a version of a state that a node overwrites */
} recompute;

/* Numbers the segments, and marks the values that are kept. */
static void number_segments(recompute *state, const heed_graph *graph)
{
    int32_t current = 0;
    for (size_t i = 1; i < graph->n_values; i++) {
        state->segment[i] = -1;
        state->clone[i] = HEED_NONE;
        state->keep[i] = true;
    }
    for (size_t i = 0; i < state->rewrite.n_old; i++) {
        const heed_node *node = &state->rewrite.old[i];
        if (node->is_gradient) continue;
        bool ends = false;
        /* a clone that reads a state would read it after the write */
        bool bound = heed_node_state(node) != HEED_NONE ||
                     heed_node_reads_overwritten(node, state->overwritten);
        /* values that a later segment reads are kept, such as rotary tables and encoder output */
        for (int j = 0; j < node->n_in; j++)
            if (node->in[j] > 0 && state->segment[node->in[j]] >= 0 &&
                state->segment[node->in[j]] != current)
                state->keep[node->in[j]] = true;
        for (int j = 0; j < node->n_out; j++) {
            const heed_value_info *info = &graph->values[node->out[j]];
            state->segment[node->out[j]] = current;
            state->maker[node->out[j]] = (int32_t)i;
            state->keep[node->out[j]] = info->is_output || info->is_checkpoint || bound;
            ends = ends || info->is_checkpoint;
        }
        current += ends;
    }
    state->last = current;
}

/* What a gradient node reads instead of `value`: itself if it is kept, otherwise its clone, which
   is made, with the clones that it needs, on first use. */
static heed_value clone_value(recompute *state, heed_value value)
{
    if (value <= 0 || (size_t)value >= state->rewrite.n_values) return value;
    int32_t segment = state->segment[value];
    if (state->keep[value] || segment < 0 || segment == state->last) return value;
    if (state->clone[value] != HEED_NONE) return state->clone[value];
    const heed_node *node = &state->rewrite.old[state->maker[value]];
    heed_value in[HEED_MAX_INPUTS], out[HEED_MAX_OUTPUTS];
    for (int j = 0; j < node->n_in; j++) in[j] = clone_value(state, node->in[j]);
    heed_graph *graph = state->rewrite.graph;
    graph->scope = node->scope;
    graph->clone = segment + 1;
    heed_emit(graph, node->id, in, node->n_in, node->attributes, out);
    graph->clone = 0;
    for (int j = 0; j < node->n_out; j++) state->clone[node->out[j]] = out[j];
    return state->clone[value];
}

heed_status heed_pass_recompute(heed_graph *graph, heed_error *error)
{
    recompute state = {.overwritten = heed_graph_overwritten(graph)};
    if (!state.overwritten)
        return heed_fail_memory(error, graph->n_values, "gradient checkpointing");
    heed_status status = heed_graph_rewrite_begin(&state.rewrite, graph, error);
    if (status != HEED_OK) {
        free(state.overwritten);
        return status;
    }
    size_t n = graph->n_values;
    state.segment = heed_allocate(n, sizeof *state.segment);
    state.keep = heed_allocate(n, sizeof *state.keep);
    state.clone = heed_allocate(n, sizeof *state.clone);
    state.maker = heed_allocate(n, sizeof *state.maker);
    if (!state.segment || !state.keep || !state.clone || !state.maker)
        heed_fail_memory(&graph->error, n * sizeof *state.clone, "gradient checkpointing");
    else {
        number_segments(&state, graph);
        graph->in_gradient = true; /* clones belong to the backward pass */
        for (size_t i = 0; i < state.rewrite.n_old && graph->error.status == HEED_OK; i++) {
            heed_node node = state.rewrite.old[i];
            for (int j = 0; node.is_gradient && j < node.n_in; j++)
                node.in[j] = clone_value(&state, node.in[j]);
            heed_graph_rewrite_push(&state.rewrite, &node);
        }
        graph->in_gradient = false;
        graph->scope = "";
    }
    free(state.segment);
    free(state.keep);
    free(state.clone);
    free(state.maker);
    free(state.overwritten);
    return heed_graph_rewrite_end(&state.rewrite, error);
}
