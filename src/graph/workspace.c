/* workspace.c: the memory that plans run in, and access to its inputs and outputs. */
#include "graph/plan_internal.h"

#include <stdlib.h>
#include <string.h>

heed_workspace *heed_workspace_new(void)
{
    return heed_allocate(1, sizeof(heed_workspace));
}

void heed_workspace_free(heed_workspace *workspace)
{
    if (!workspace) return;
    heed_free_aligned(workspace->data);
    free(workspace->filled);
    free(workspace);
}

heed_status heed_workspace_reserve(heed_workspace *workspace, const heed_plan *plan,
                                   heed_error *error)
{
    workspace->filled_for = NULL;
    if (!heed_grow(&workspace->filled, &workspace->filled_capacity, plan->n_inputs + 1,
                   sizeof *workspace->filled))
        return heed_fail_memory(error, plan->n_inputs, "the list of inputs");
    if (workspace->bytes >= plan->total_bytes && workspace->data) return HEED_OK;
    heed_free_aligned(workspace->data);
    workspace->bytes = 0;
    workspace->data = heed_allocate_aligned(plan->total_bytes);
    if (!workspace->data) return heed_fail_memory(error, plan->total_bytes, "activations");
    workspace->bytes = plan->total_bytes;
    return HEED_OK;
}

void heed_workspace_set_cancel(heed_workspace *workspace, heed_cancel cancel)
{
    workspace->cancel = cancel;
}

size_t heed_workspace_bytes(const heed_workspace *workspace)
{
    return workspace->bytes;
}

/* ---- inputs ---- */

/* Marks the inputs that a step reads, and those that are outputs themselves. */
static void mark_read(const heed_plan *plan, bool *is_read)
{
    for (size_t i = 0; i < plan->n_steps; i++) {
        const heed_node *node = plan->steps[i].node;
        for (int j = 0; j < node->n_in; j++)
            if (node->in[j] > 0) is_read[node->in[j]] = true;
    }
    for (size_t i = 0; i < plan->graph->n_outputs; i++) is_read[plan->graph->outputs[i]] = true;
}

heed_status heed_plan_list_inputs(heed_plan *plan, heed_error *error)
{
    const heed_graph *graph = plan->graph;
    bool *is_read = heed_allocate(graph->n_values, sizeof *is_read);
    plan->inputs = heed_allocate(graph->n_inputs + 1, sizeof *plan->inputs);
    if (!is_read || !plan->inputs) {
        free(is_read);
        return heed_fail_memory(error, graph->n_inputs * sizeof *plan->inputs,
                                "the list of inputs");
    }
    mark_read(plan, is_read);
    for (size_t i = 1; i < graph->n_values; i++) {
        const heed_value_info *info = &graph->values[i];
        if (info->input < 0) continue;
        plan->inputs[info->input] = (heed_plan_input_info){
            .name = info->name,
            .dtype = info->dtype,
            .shape = info->shape,
            .value = (heed_value)i,
            .is_read = is_read[i],
        };
    }
    plan->n_inputs = graph->n_inputs;
    free(is_read);
    return HEED_OK;
}

const heed_plan_input_info *heed_plan_inputs(const heed_plan *plan, size_t *count)
{
    *count = plan->n_inputs;
    return plan->inputs;
}

/* The index of an input in plan->inputs; -1 if there is none of this name. */
static int32_t find_input(const heed_plan *plan, const char *name)
{
    return plan->graph->values[heed_graph_find(plan->graph, name)].input;
}

bool heed_plan_has_input(const heed_plan *plan, const char *name)
{
    return find_input(plan, name) >= 0;
}

void *heed_plan_input(const heed_plan *plan, heed_workspace *workspace, const char *name)
{
    const int32_t i = find_input(plan, name);
    if (i < 0 || workspace->bytes < plan->total_bytes) return NULL;
    if (workspace->filled_capacity <= plan->n_inputs) return NULL; /* never reserved */
    if (workspace->filled_for != plan) {
        memset(workspace->filled, 0, plan->n_inputs * sizeof *workspace->filled);
        workspace->filled_for = plan;
    }
    workspace->filled[i] = true;
    return workspace->data + plan->places[plan->inputs[i].value].offset;
}

/* ---- outputs ---- */

bool heed_plan_has_output(const heed_plan *plan, const char *name)
{
    return heed_name_table_find(&plan->graph->named_outputs, name) >= 0;
}

heed_status heed_plan_output(const heed_plan *plan, const heed_workspace *workspace,
                             const char *name, heed_operand *output, heed_error *error)
{
    const int32_t i = heed_name_table_find(&plan->graph->named_outputs, name);
    if (i < 0) return heed_fail(error, HEED_E_ARG, "the plan has no output \"%s\"", name);
    return heed_plan_value(plan, workspace, plan->graph->outputs[i], output, error);
}

heed_status heed_plan_value(const heed_plan *plan, const heed_workspace *workspace,
                            heed_value value, heed_operand *output, heed_error *error)
{
    if (value <= 0 || (size_t)value >= plan->graph->n_values ||
        plan->places[value].where != HEED_PLACE_WORKSPACE || workspace->bytes < plan->total_bytes)
        return heed_fail(error, HEED_E_ARG, "value %d does not lie in the workspace", value);
    *output = heed_plan_operand(plan, value);
    output->data = workspace->data + plan->places[value].offset;
    if (output->shape.extent != HEED_EXTENT_FIXED && output->shape.rank)
        output->shape.dim[0] = workspace->count[output->shape.extent];
    return HEED_OK;
}
