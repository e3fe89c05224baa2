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
    free(workspace);
}

heed_status heed_workspace_reserve(heed_workspace *workspace, const heed_plan *plan,
                                   heed_error *error)
{
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

void *heed_plan_input(const heed_plan *plan, const heed_workspace *workspace, const char *name)
{
    const heed_graph *graph = plan->graph;
    for (size_t i = 1; i < graph->n_values; i++)
        if (graph->values[i].kind == HEED_VALUE_INPUT && !strcmp(graph->values[i].name, name))
            return workspace->bytes >= plan->total_bytes ? workspace->data + plan->places[i].offset
                                                         : NULL;
    return NULL;
}

bool heed_plan_has_output(const heed_plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->graph->n_outputs; i++)
        if (!strcmp(plan->graph->output_names[i], name)) return true;
    return false;
}

heed_status heed_plan_output(const heed_plan *plan, const heed_workspace *workspace,
                             const char *name, heed_operand *output, heed_error *error)
{
    for (size_t i = 0; i < plan->graph->n_outputs; i++)
        if (!strcmp(plan->graph->output_names[i], name))
            return heed_plan_value(plan, workspace, plan->graph->outputs[i], output, error);
    return heed_fail(error, HEED_E_ARG, "the plan has no output \"%s\"", name);
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
