/* run.c: runs a plan. Every thread walks all regions, with a barrier after each phase of a region.
   The parts of a phase are divided evenly among the threads. Each thread takes those of its own
   range in ascending order, so that it reads memory in one stream, and then helps with the ranges
   of others. */
#include "graph/plan_internal.h"

#include "base/clock.h"
#include <stdatomic.h>
#include <string.h>

typedef struct {
    const heed_plan *plan;
    heed_workspace *workspace;
    const heed_observer *observer;
    heed_kernel_args *args; /* by step; they lie in the workspace */
    atomic_int *counters;   /* how many parts were taken, by thread and phase */
    /* the status of an observed run, which thread 0 writes between barriers */
    heed_status status;
    /* the region in which thread 0 was told to stop; SIZE_MAX if it was not */
    atomic_size_t stopped_in;
    heed_error *error;
} run_state;

/* HEED_E_ARG unless all externals are bound. */
static heed_status check_binding(const heed_plan *plan, const heed_binding *binding,
                                 heed_error *error)
{
    const heed_graph *graph = plan->graph;
    size_t bound = binding ? binding->count : 0;
    if (bound < graph->n_externals)
        return heed_fail(error, HEED_E_ARG, "the plan binds %zu weights and states, %zu were given",
                         graph->n_externals, bound);
    for (size_t i = 0; i < graph->n_externals; i++)
        if (!binding->data[i])
            return heed_fail(error, HEED_E_ARG, "\"%s\" is bound to nothing",
                             graph->values[graph->externals[i]].name);
    return HEED_OK;
}

/* HEED_E_ARG if the live count of an input exceeds the maximum of the plan. */
static heed_status check_counts(const heed_plan *plan, const heed_runtime *runtime,
                                heed_error *error)
{
    for (size_t i = 0; i < plan->n_inputs; i++) {
        const heed_plan_input_info *input = &plan->inputs[i];
        if (input->shape.extent == HEED_EXTENT_FIXED) continue;
        const int64_t count = runtime->count[input->shape.extent];
        if (count < 0 || count > input->shape.dim[0])
            return heed_fail(error, HEED_E_ARG,
                             "\"%s\": %lld live rows, the plan was made for at most %lld",
                             input->name, (long long)count, (long long)input->shape.dim[0]);
    }
    return HEED_OK;
}

/* HEED_E_ARG if an input that this run reads was not filled. */
static heed_status check_filled(const heed_plan *plan, const heed_workspace *workspace,
                                const heed_runtime *runtime, heed_error *error)
{
    const bool known = workspace->filled_for == plan;
    for (size_t i = 0; i < plan->n_inputs; i++) {
        const heed_plan_input_info *input = &plan->inputs[i];
        if (!input->is_read || (known && workspace->filled[i])) continue;
        if (input->shape.extent != HEED_EXTENT_FIXED && runtime->count[input->shape.extent] == 0)
            continue;
        return heed_fail(error, HEED_E_ARG,
                         "the input \"%s\" was not filled: every input that the plan reads must "
                         "be filled before it runs",
                         input->name);
    }
    return HEED_OK;
}

/* The consumers of the tiles of this step; NULL if it produces none, or if there are no
   consumers. */
static const heed_tile_consumers *consumers_of(const run_state *state, const heed_step *step)
{
    const heed_plan *plan = state->plan;
    const heed_region *region = &plan->regions[step->region];
    if (!region->produces_tiles || region->count < 2 || step != &plan->steps[region->first])
        return NULL;
    heed_tile_consumers *all = (heed_tile_consumers *)(state->workspace->data +
                                                       plan->consumers_offset);
    all[step->region] = (heed_tile_consumers){plan, region, state->args};
    return &all[step->region];
}

/* Gives the operand of a value its address and live count. */
static void make_live(const run_state *state, const heed_binding *binding,
                      const heed_runtime *runtime, heed_value value, heed_operand *operand)
{
    const heed_plan *plan = state->plan;
    const heed_place *place = &plan->places[value];
    char *base = place->where == HEED_PLACE_WORKSPACE
                     ? state->workspace->data
                     : binding->data[plan->graph->values[place->root].external];
    operand->data = base + place->offset;
    if (operand->shape.extent != HEED_EXTENT_FIXED && operand->shape.rank)
        operand->shape.dim[0] = runtime->count[operand->shape.extent];
}

/* Makes the arguments of all steps: those at maximal shapes, with what this run adds to them. Then
   lets kernels prepare. */
static void resolve(const run_state *state, const heed_binding *binding,
                    const heed_runtime *runtime)
{
    const heed_plan *plan = state->plan;
    char *data = state->workspace->data;
    heed_operand *operands = (heed_operand *)(data + plan->operands_offset);
    for (size_t i = 0; i < plan->n_steps; i++) {
        const heed_step *step = &plan->steps[i];
        heed_operand *own = operands + step->operand;
        heed_kernel_args *args = &state->args[i];
        *args = heed_plan_maximal_args(plan, step->node, own);
        for (int j = 0; j < args->n_in + args->n_out; j++)
            if (own[j].present)
                make_live(state, binding, runtime, heed_plan_operand_value(step->node, j), &own[j]);
        args->runtime = runtime;
        args->shared = data + plan->shared_offset;
        args->prepared = data + plan->prepared_offset + step->prepared;
        args->consumers = consumers_of(state, step);
        args->tile_columns = plan->regions[step->region].tile_columns;
        if (step->kernel && step->kernel->prepare) step->kernel->prepare(args);
    }
    memset(state->counters, 0, plan->n_counters * (size_t)plan->threads * sizeof *state->counters);
}

/* Runs every consumer on its columns of the tile. If tiles are whole rows of the producer, a
   consumer has whole rows of its own, however wide they are. */
void heed_tile_done(const heed_tile_consumers *consumers, heed_tile tile)
{
    const heed_region *region = consumers->region;
    const bool whole_rows = region->tile_columns %
                                heed_shape_columns(consumers->args[region->first].out[0].shape) ==
                            0;
    for (int32_t s = region->first + 1; s < region->first + region->count; s++) {
        const heed_step *step = &consumers->plan->steps[s];
        const int64_t from = whole_rows ? 0 : tile.column - step->producer_column;
        const int64_t to = whole_rows ? step->width : from + tile.columns;
        heed_tile own = {.row = tile.row, .rows = tile.rows, .column = from < 0 ? 0 : from};
        own.columns = (to < step->width ? to : step->width) - own.column;
        if (step->view || own.columns <= 0) continue;
        step->kernel->run(&consumers->args[s], &(heed_kernel_call){.parts = 1, .tile = &own});
    }
}

/* Runs one part of all steps of a region. Tile consumers run within their producer. */
static void run_part(const run_state *state, const heed_region *region,
                     const heed_kernel_call *call)
{
    const int32_t count = region->produces_tiles ? 1 : region->count;
    for (int32_t s = region->first; s < region->first + count; s++) {
        const heed_step *step = &state->plan->steps[s];
        const heed_kernel_args *args = &state->args[s];
        if (step->view) continue;
        if (step->kernel) step->kernel->run(args, call);
        else if (state->plan->double_precision) step->node->op->reference64(args);
        else step->node->op->reference(args);
    }
}

/* The number of parts of a phase of a region. */
static int parts_of(const run_state *state, const heed_region *region, int phase)
{
    const heed_step *step = &state->plan->steps[region->first];
    if (!step->kernel) return 1;
    const heed_kernel_args *args = &state->args[region->first];
    if (step->kernel->parts) return step->kernel->parts(args, phase);
    int64_t rows = heed_shape_rows(args->out[0].shape);
    const int64_t size = heed_backend_rules_of(state->plan->backend)->rows_per_part;
    int64_t parts = (rows + size - 1) / size;
    if (parts < 1) return 1;
    return (int)(parts > 1 << 20 ? 1 << 20 : parts);
}

/* The first part of the range of a thread. The range of thread 0 is the longest. */
static int first_part(int parts, int thread, int threads)
{
    return (int)(((int64_t)parts * thread + threads - 1) / threads);
}

/* Does the run stop? Only thread 0 asks whether it is cancelled, at the beginning of each region
   and before each of its own parts. Once it is, no thread takes another part. All threads leave
   after the last barrier of the region in which thread 0 was told: they compare its number, since
   thread 0 may be in the next region by the time the slowest of them looks. */
static bool stops(run_state *state, size_t region, int thread)
{
    size_t stopped_in = atomic_load_explicit(&state->stopped_in, memory_order_relaxed);
    if (thread == 0 && stopped_in == SIZE_MAX && heed_cancelled(state->workspace->cancel)) {
        atomic_store_explicit(&state->stopped_in, region, memory_order_relaxed);
        return true;
    }
    return stopped_in != SIZE_MAX;
}

/* Runs parts of a phase until none is left: first those of the range of this thread, then those of
   the ranges of other threads. */
static void run_phase(run_state *state, const heed_region *region, int phase, int thread,
                      int threads, void *scratch)
{
    const size_t number = (size_t)(region - state->plan->regions);
    /* scratch stays as the kernel left it only if no other kernel runs in between */
    const bool one_kernel = region->produces_tiles || region->count == 1;
    heed_kernel_call next = {
        .phase = phase, .parts = parts_of(state, region, phase), .scratch = scratch};
    for (int i = 0; i < threads; i++) {
        const int owner = (thread + i) % threads, first = first_part(next.parts, owner, threads);
        const int count = first_part(next.parts, owner + 1, threads) - first;
        atomic_int *taken = &state->counters[(size_t)owner * state->plan->n_counters +
                                             (size_t)(region->counter + phase)];
        while (atomic_load_explicit(taken, memory_order_relaxed) < count &&
               !stops(state, number, thread)) {
            const int part = atomic_fetch_add_explicit(taken, 1, memory_order_relaxed);
            if (part >= count) break;
            next.part = first + part;
            run_part(state, region, &next);
            next.scratch_valid = one_kernel;
        }
    }
}

/* What each thread does: all regions in order. */
static void walk(void *argument, int thread, int threads)
{
    run_state *state = argument;
    const heed_plan *plan = state->plan;
    void *scratch = state->workspace->data + plan->scratch_offset +
                    (size_t)thread * plan->scratch_bytes;
    for (size_t g = 0; g < plan->n_regions; g++) {
        const heed_region *region = &plan->regions[g];
        if (thread == 0) stops(state, g, thread);
        double start = state->observer && thread == 0 ? heed_clock_seconds() : 0;
        const heed_kernel *kernel = plan->steps[region->first].kernel;
        int phases = kernel && kernel->live_phases
                         ? kernel->live_phases(&state->args[region->first])
                         : region->phases;
        for (int phase = 0; phase < phases; phase++) {
            run_phase(state, region, phase, thread, threads, scratch);
            if (threads > 1) heed_pool_barrier(plan->backend->pool);
        }
        if (atomic_load_explicit(&state->stopped_in, memory_order_relaxed) <= g) return;
        if (!state->observer) continue;
        if (thread == 0)
            state->status = heed_observer_region(state->observer, plan, region, state->args,
                                                 heed_clock_seconds() - start, state->error);
        if (threads > 1) heed_pool_barrier(plan->backend->pool);
        if (state->status != HEED_OK) return;
    }
}

/* The runtime with the counts of extents that are multiples of others. A count that is out of range
   stays so. */
static heed_runtime complete_counts(const heed_plan *plan, const heed_runtime *runtime)
{
    heed_runtime complete = *runtime;
    for (int i = HEED_EXTENT_COUNT; i < plan->graph->n_extents; i++) {
        const heed_extent_rule rule = heed_extent_rule_of(plan->graph, i);
        const int64_t count = runtime->count[rule.base];
        if ((int)rule.base == i) continue;
        complete.count[i] = count > INT64_MAX / rule.multiple ? INT64_MAX : count * rule.multiple;
    }
    return complete;
}

heed_status heed_plan_run(const heed_plan *plan, heed_workspace *workspace,
                          const heed_binding *binding, const heed_runtime *counts,
                          const heed_observer *observer, heed_error *error)
{
    const heed_runtime complete = complete_counts(plan, counts), *runtime = &complete;
    HEED_TRY(check_binding(plan, binding, error));
    HEED_TRY(check_counts(plan, runtime, error));
    if (workspace->bytes < plan->total_bytes)
        return heed_fail(error, HEED_E_ARG,
                         "the workspace has %zu bytes, the plan needs %zu; reserve it first",
                         workspace->bytes, plan->total_bytes);
    HEED_TRY(check_filled(plan, workspace, runtime, error));
    run_state state = {.plan = plan,
                       .workspace = workspace,
                       .observer = observer ? observer : plan->backend->observer,
                       .error = error,
                       .args = (heed_kernel_args *)(workspace->data + plan->args_offset),
                       .counters = (atomic_int *)(workspace->data + plan->counters_offset),
                       .stopped_in = SIZE_MAX};
    memcpy(workspace->count, runtime->count, sizeof workspace->count);
    resolve(&state, binding, runtime);
    if (plan->backend->pool) heed_pool_run(plan->backend->pool, walk, &state);
    else walk(&state, 0, 1);
    if (state.status != HEED_OK) return state.status;
    bool stopped = atomic_load_explicit(&state.stopped_in, memory_order_relaxed) != SIZE_MAX;
    return stopped ? heed_fail(error, HEED_E_CANCELLED, "stopped while computing") : HEED_OK;
}
