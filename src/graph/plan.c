/* plan.c: compiles a graph. Passes rewrite it; every node becomes a step, and steps are joined into
   regions (regions.c); values get their places (liveness.c); the workspace is laid out. */
#include "graph/plan_internal.h"
#include "graph/rewrite.h"
#include "tensor/alignment.h"

#include <stdlib.h>
#include <string.h>

static heed_status run_passes(heed_graph *graph, uint32_t passes, const heed_backend *backend,
                              heed_error *error)
{
    if (passes & HEED_PASS_NONE) return heed_pass_states(graph, error);
    if (passes & HEED_PASS_DEAD) HEED_TRY(heed_pass_dead(graph, error));
    if (passes & HEED_PASS_COMMON) HEED_TRY(heed_pass_common(graph, error));
    if (passes & HEED_PASS_RECOMPUTE) HEED_TRY(heed_pass_recompute(graph, error));
    if (passes & (HEED_PASS_RECOMPUTE | HEED_PASS_FUSE)) HEED_TRY(heed_pass_order(graph, error));
    if (passes & HEED_PASS_FUSE) HEED_TRY(heed_pass_fuse(graph, backend, error));
    /* removes what recompute and fusion left unread */
    if (passes & HEED_PASS_DEAD) HEED_TRY(heed_pass_dead(graph, error));
    return heed_pass_states(graph, error);
}

/* Appends an aligned range of `bytes` bytes; false if the size overflows. */
static bool append(size_t *end, size_t bytes, size_t *offset)
{
    *offset = heed_align(*end);
    return heed_add_size(*offset, bytes, end);
}

/* Lays out what comes after the values in the workspace: plan_internal.h lists it. */
static heed_status lay_out_workspace(heed_plan *plan, heed_error *error)
{
    size_t shared = 0, scratch = 0, prepared = 0;
    for (size_t i = 0; i < plan->n_steps; i++) {
        heed_operand operands[HEED_MAX_INPUTS + HEED_MAX_OUTPUTS];
        heed_kernel_args args = heed_plan_maximal_args(plan, plan->steps[i].node, operands);
        const heed_kernel *kernel = plan->steps[i].kernel;
        args.tile_columns = plan->regions[plan->steps[i].region].tile_columns;
        const size_t own = kernel && kernel->scratch ? kernel->scratch(&args) : 0;
        const size_t common = kernel && kernel->shared ? kernel->shared(&args) : 0;
        plan->steps[i].prepared = prepared;
        if (kernel && kernel->prepared) prepared += heed_align(kernel->prepared(&args));
        if (own > scratch) scratch = own;
        if (common > shared) shared = common;
    }
    plan->scratch_bytes = heed_align(scratch);
    size_t end = plan->values_bytes, all_scratch;
    if (!heed_multiply_size(plan->scratch_bytes, (size_t)plan->threads, &all_scratch) ||
        !append(&end, plan->n_operands * sizeof(heed_operand), &plan->operands_offset) ||
        !append(&end, plan->n_steps * sizeof(heed_kernel_args), &plan->args_offset) ||
        !append(&end, plan->n_regions * sizeof(heed_tile_consumers), &plan->consumers_offset) ||
        !append(&end, prepared, &plan->prepared_offset) ||
        !append(&end, plan->n_counters * (size_t)plan->threads * sizeof(int),
                &plan->counters_offset) ||
        !append(&end, shared, &plan->shared_offset) ||
        !append(&end, all_scratch, &plan->scratch_offset))
        return heed_fail_memory(error, SIZE_MAX, "the workspace");
    plan->total_bytes = end;
    return HEED_OK;
}

heed_status heed_plan_new(const heed_graph *graph, const heed_backend *backend,
                          const heed_plan_options *options, heed_plan **result, heed_error *error)
{
    static const heed_plan_options defaults = {0};
    if (!options) options = &defaults;
    const heed_observer *observer = backend->observer;
    uint32_t passes = options->passes ? options->passes : HEED_PASS_DEFAULT;
    if (observer && observer->no_passes) passes = HEED_PASS_NONE;
    *result = NULL;
    HEED_TRY(heed_graph_status(graph, error));
    heed_plan *plan = heed_allocate(1, sizeof *plan);
    if (!plan) return heed_fail_memory(error, sizeof *plan, "the plan");
    plan->backend = backend;
    plan->double_precision = options->double_precision;
    plan->keep_all = options->keep_all || (observer && (observer->trace || observer->check_finite));
    plan->threads = backend->pool ? heed_pool_threads(backend->pool) : 1;
    plan->graph = heed_graph_copy(graph);
    heed_status status = plan->graph ? run_passes(plan->graph, passes, backend, error)
                                     : heed_fail_memory(error, sizeof *graph, "the plan");
    plan->reuse = !plan->keep_all && !(passes & HEED_PASS_NONE) && (passes & HEED_PASS_REUSE);
    if (status == HEED_OK) status = heed_plan_make_steps(plan, error);
    if (status == HEED_OK) status = heed_plan_list_inputs(plan, error);
    if (status == HEED_OK) status = heed_plan_place(plan, error);
    if (status == HEED_OK) status = lay_out_workspace(plan, error);
    if (status == HEED_OK && observer && observer->compiled)
        observer->compiled(observer->argument, plan);
    if (status == HEED_OK) *result = plan;
    else heed_plan_free(plan);
    return status;
}

void heed_plan_free(heed_plan *plan)
{
    if (!plan) return;
    heed_graph_free(plan->graph);
    free(plan->inputs);
    free(plan->places);
    free(plan->overwritten);
    free(plan->steps);
    free(plan->regions);
    free(plan);
}

size_t heed_plan_bytes(const heed_plan *plan)
{
    return plan->total_bytes;
}

const heed_graph *heed_plan_graph(const heed_plan *plan)
{
    return plan->graph;
}
