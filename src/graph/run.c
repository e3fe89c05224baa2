/* Running: every thread walks the groups; a barrier stands between groups. Of a group's parts each thread has a range of its own, which
   it takes in ascending order, so that it reads memory in one stream; when that is used up it takes from the ranges of others. */
#include "graph/plan_internal.h"

#include "base/clock.h"
#include <stdatomic.h>
#include <string.h>

typedef struct {
    const heed_plan *plan;
    heed_workspace *workspace;
    const heed_watch *watch;
    heed_kernel_args *args;      /* by step, in the workspace */
    atomic_int *counters;        /* parts taken, by thread and phase */
    heed_status status;          /* of a watched run, written by thread 0 between barriers */
    /* The group in which thread 0 was told to stop; SIZE_MAX: it was not. */
    atomic_size_t stopped_in;
    heed_error *error;
} run_state;

static heed_status check_counts(const heed_plan *plan, const heed_binding *binding, const heed_runtime *runtime, heed_error *error)
{
    const heed_graph *graph = plan->graph;
    size_t bound = binding ? binding->count : 0;
    if (bound < graph->n_externals)
        return heed_fail(error, HEED_E_ARG, "the plan binds %zu weights and states, %zu were given", graph->n_externals, bound);
    for (size_t i = 0; i < graph->n_externals; i++)
        if (!binding->data[i]) return heed_fail(error, HEED_E_ARG, "\"%s\" is bound to nothing", graph->values[graph->externals[i]].name);
    for (size_t i = 0; i < graph->n_values; i++) {
        const heed_value_info *info = &graph->values[i];
        if (info->kind != HEED_VALUE_INPUT || info->shape.extent == HEED_EXTENT_FIXED) continue;
        int64_t count = runtime->count[info->shape.extent];
        if (count < 0 || count > info->shape.dim[0])
            return heed_fail(error, HEED_E_ARG, "\"%s\": %lld live rows, the plan was made for at most %lld", info->name, (long long)count,
                             (long long)info->shape.dim[0]);
    }
    return HEED_OK;
}

/* Addresses and live extents of every operand of every step. */
static void resolve(const run_state *state, const heed_binding *binding, const heed_runtime *runtime)
{
    const heed_plan *plan = state->plan;
    heed_operand *operands = (heed_operand *)(state->workspace->data + plan->operands_offset);
    for (size_t i = 0; i < plan->n_steps; i++) {
        const heed_node *node = plan->steps[i].node;
        heed_operand *own = operands + plan->steps[i].operand;
        for (int j = 0; j < node->n_in + node->n_out; j++) {
            heed_value value = j < node->n_in ? node->in[j] : node->out[j - node->n_in];
            own[j] = heed_plan_operand(plan, value);
            if (value < 0) continue;
            const heed_place *place = &plan->places[value];
            char *base = place->where == HEED_PLACE_WORKSPACE ? state->workspace->data : binding->data[plan->graph->values[place->root].external];
            own[j].data = base + place->offset;
            if (own[j].shape.extent != HEED_EXTENT_FIXED && own[j].shape.rank) own[j].shape.dim[0] = runtime->count[own[j].shape.extent];
        }
        state->args[i] = (heed_kernel_args){.op = node->op, .in = own, .out = own + node->n_in, .n_in = node->n_in, .n_out = node->n_out,
            .attributes = node->attributes, .runtime = runtime, .isa = plan->backend->isa, .shared = state->workspace->data + plan->shared_offset,
            .grain = plan->groups[plan->steps[i].group].grain};
    }
    memset(state->counters, 0, plan->n_counters * (size_t)plan->threads * sizeof *state->counters);
}

struct heed_followers { const run_state *state; const heed_group *group; };

/* Where blocks are whole rows of the leader, a follower has its own rows whole, however wide. */
void heed_follow(const struct heed_followers *followers, heed_block block)
{
    const heed_group *group = followers->group;
    const bool whole = group->grain % heed_shape_columns(followers->state->args[group->first].out[0].shape) == 0;
    for (int32_t s = group->first + 1; s < group->first + group->count; s++) {
        const heed_step *step = &followers->state->plan->steps[s];
        const int64_t from = whole ? 0 : block.column - step->shift;
        const int64_t to = whole ? step->columns : from + block.columns;
        heed_block own = {.row = block.row, .rows = block.rows, .column = from < 0 ? 0 : from};
        own.columns = (to < step->columns ? to : step->columns) - own.column;
        if (step->view || own.columns <= 0) continue;
        heed_kernel_args args = followers->state->args[s];
        args.block = &own;
        step->kernel->run(&args, 0, 1);
    }
}

static void run_part(const run_state *state, const heed_group *group, int phase, int part, int parts, bool again, void *scratch)
{
    const struct heed_followers followers = {state, group};
    for (int32_t s = group->first; s < group->first + (group->led ? 1 : group->count); s++) {
        const heed_step *step = &state->plan->steps[s];
        heed_kernel_args args = state->args[s];
        if (step->view) continue;
        args.scratch = scratch;
        args.phase = phase;
        args.again = again && (group->led || group->count == 1);
        args.followers = group->led && group->count > 1 ? &followers : NULL;
        if (step->kernel) step->kernel->run(&args, part, parts);
        else if (state->plan->double_precision) step->node->op->reference64(&args);
        else step->node->op->reference(&args);
    }
}

static int parts_of(const run_state *state, const heed_group *group, int phase)
{
    const heed_step *step = &state->plan->steps[group->first];
    if (!step->kernel) return 1;
    heed_kernel_args args = state->args[group->first];
    args.phase = phase;
    if (step->kernel->parts) return step->kernel->parts(&args);
    int64_t rows = heed_shape_rows(args.out[0].shape);
    int64_t parts = (rows + HEED_ROWS_PER_PART - 1) / HEED_ROWS_PER_PART;
    if (parts < 1) return 1;
    return (int)(parts > 1 << 20 ? 1 << 20 : parts);
}

/* First part of a thread's range; that of thread 0 is the longest. */
static int first_part(int parts, int thread, int threads)
{
    return (int)(((int64_t)parts * thread + threads - 1) / threads);
}

/* Whether the run is to stop. Thread 0 alone asks who may cancel it, at the beginning of each group
   and before each of its own parts; once it was told so no thread takes another part. The threads
   leave after the last barrier of a group, where they compare its number: thread 0 may be in the
   next group by the time the slowest of them looks. */
static bool stops(run_state *state, size_t group, int thread)
{
    size_t stopped_in = atomic_load_explicit(&state->stopped_in, memory_order_relaxed);
    if (thread == 0 && stopped_in == SIZE_MAX && heed_cancelled(state->workspace->cancel)) {
        atomic_store_explicit(&state->stopped_in, group, memory_order_relaxed);
        return true;
    }
    return stopped_in != SIZE_MAX;
}

static void run_phase(run_state *state, const heed_group *group, int phase, int thread, int threads,
                      void *scratch)
{
    const int parts = parts_of(state, group, phase);
    const size_t number = (size_t)(group - state->plan->groups);
    bool again = false;
    for (int i = 0; i < threads; i++) {
        const int owner = (thread + i) % threads, first = first_part(parts, owner, threads), count = first_part(parts, owner + 1, threads) - first;
        atomic_int *taken = &state->counters[(size_t)owner * state->plan->n_counters + (size_t)(group->counter + phase)];
        while (atomic_load_explicit(taken, memory_order_relaxed) < count &&
               !stops(state, number, thread)) {
            const int part = atomic_fetch_add_explicit(taken, 1, memory_order_relaxed);
            if (part >= count) break;
            run_part(state, group, phase, first + part, parts, again, scratch);
            again = true;
        }
    }
}

static void walk(void *argument, int thread, int threads)
{
    run_state *state = argument;
    const heed_plan *plan = state->plan;
    void *scratch = state->workspace->data + plan->scratch_offset + (size_t)thread * plan->scratch_bytes;
    for (size_t g = 0; g < plan->n_groups; g++) {
        const heed_group *group = &plan->groups[g];
        if (thread == 0) stops(state, g, thread);
        double start = state->watch && thread == 0 ? heed_clock_seconds() : 0;
        const heed_kernel *kernel = plan->steps[group->first].kernel;
        int phases = kernel && kernel->live_phases ? kernel->live_phases(&state->args[group->first]) : group->phases;
        for (int phase = 0; phase < phases; phase++) {
            run_phase(state, group, phase, thread, threads, scratch);
            if (threads > 1) heed_pool_barrier(plan->backend->pool);
        }
        if (atomic_load_explicit(&state->stopped_in, memory_order_relaxed) <= g) return;
        if (!state->watch) continue;
        if (thread == 0) state->status = heed_watch_group(state->watch, plan, group, state->args, heed_clock_seconds() - start, state->error);
        if (threads > 1) heed_pool_barrier(plan->backend->pool);
        if (state->status != HEED_OK) return;
    }
}

heed_status heed_plan_run(const heed_plan *plan, heed_workspace *workspace, const heed_binding *binding, const heed_runtime *runtime,
                          const heed_watch *watch, heed_error *error)
{
    HEED_TRY(check_counts(plan, binding, runtime, error));
    if (workspace->bytes < plan->total_bytes)
        return heed_fail(error, HEED_E_ARG, "the workspace has %zu bytes, the plan needs %zu; reserve it first", workspace->bytes, plan->total_bytes);
    run_state state = {.plan = plan,
                       .workspace = workspace,
                       .watch = watch ? watch : plan->backend->watch,
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
