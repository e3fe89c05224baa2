/* Steps, their kernels, and groups of steps that run without a barrier between them. */
#include "base/number.h"
#include "graph/attributes.h"
#include "graph/plan_internal.h"
#include "graph/rewrite.h"

/* A leader cut at multiples of more columns, or into whole rows that are long, loses more than a barrier costs. */
enum { MOST_GRAIN = 256, MOST_WHOLE_COLUMNS = 128 };

static bool cut_by_rows(const heed_plan *plan, const heed_step *step)
{
    const heed_shape *out = &plan->graph->values[step->node->out[0]].shape;
    return step->kernel && !step->kernel->parts && (step->node->op->flags & HEED_OP_ROW_LOCAL) && out->extent != HEED_EXTENT_FIXED;
}

/* Is this step one part, whatever the live counts? */
static bool is_single(const heed_step *step, const heed_kernel_args *args)
{
    const heed_kernel *kernel = step->kernel;
    if (!kernel || kernel->phases > 1) return false;
    return kernel->parts ? kernel->small && kernel->small(args) : heed_shape_rows(args->out[0].shape) <= HEED_ROWS_PER_PART;
}

/* The step of the group that makes this value, or NULL. */
static const heed_step *maker_in(const heed_plan *plan, const heed_group *group, heed_value value)
{
    const int32_t node = value < 0 ? -1 : plan->graph->values[value].node;
    return node >= group->first && node < group->first + group->count ? &plan->steps[node] : NULL;
}

/* Of a row-local step with the very rows of the group's first one: how many values it reads from the group, all of which have these rows; else -1. */
static int reads_on_rows(const heed_plan *plan, const heed_group *group, const heed_step *step)
{
    const heed_value_info *values = plan->graph->values;
    const heed_shape *rows = &values[plan->steps[group->first].node->out[0]].shape, *own = &values[step->node->out[0]].shape;
    int count = 0;
    if (!cut_by_rows(plan, step) || heed_node_state(step->node) != HEED_NONE || rows->extent != own->extent || rows->dim[0] != own->dim[0]) return -1;
    for (int j = 0; j < step->node->n_in; j++) {
        if (!maker_in(plan, group, step->node->in[j])) continue;
        if (values[step->node->in[j]].shape.extent != own->extent) return -1;
        count++;
    }
    return count;
}

/* ---- leaders and followers ---- */

/* The least multiple of both; 0 beyond MOST_GRAIN. */
static int64_t common_multiple(int64_t a, int64_t b)
{
    const int64_t times = a / heed_common_divisor(a, b);
    return times > MOST_GRAIN / b ? 0 : times * b;
}

/* The first step of a group, if its kernel can tell of its blocks: all columns of its output may be followed. */
static bool begin_leading(const heed_plan *plan, heed_step *step, const heed_kernel_args *args)
{
    const heed_shape *out = &plan->graph->values[step->node->out[0]].shape;
    heed_kernel_args any = *args;
    any.grain = 1;
    if (!plan->reuse || !step->kernel || !step->kernel->leads || out->rank != 2 || !step->kernel->leads(&any)) return false;
    step->columns = out->dim[1];
    step->open = true;
    return true;
}

/* Can the leader's blocks also begin and end at multiples of `needed` columns? */
static bool refine_grain(const heed_plan *plan, heed_group *group, int64_t needed)
{
    const heed_step *lead = &plan->steps[group->first];
    heed_operand operands[HEED_MAX_INPUTS + HEED_MAX_OUTPUTS];
    heed_kernel_args leader = heed_plan_maximal_args(plan, lead->node, operands);
    leader.grain = common_multiple(group->grain, needed);
    const int64_t columns = leader.out[0].shape.dim[1];
    if (leader.grain >= columns && columns > MOST_WHOLE_COLUMNS) return false;
    if (leader.grain < 1 || (leader.grain != group->grain && !lead->kernel->leads(&leader))) return false;
    group->grain = leader.grain;
    return true;
}

/* A follower runs while its leader uses the thread's scratch and the memory shared by all. */
static bool works_on_blocks(const heed_step *step)
{
    return step->kernel && !step->kernel->scratch && !step->kernel->shared && step->kernel->phases <= 1 && !step->kernel->live_phases;
}

/* May the step work on every block of the group's leader as it is finished? All that it reads from the group must stand in the columns where it
   works itself, and the leader's blocks must be cut so that it finds whole heads. */
static bool may_follow(const heed_plan *plan, heed_group *group, heed_step *step, const heed_kernel_args *args)
{
    const heed_graph *graph = plan->graph;
    const heed_node *node = step->node;
    const heed_shape *rows = &graph->values[plan->steps[group->first].node->out[0]].shape, *own = &graph->values[node->out[0]].shape;
    const int64_t needed = works_on_blocks(step) && step->kernel->follows ? step->kernel->follows(args) : 0;
    const bool state = heed_node_state(node) != HEED_NONE;
    const heed_step *followed = NULL;
    if (needed < 1) return false;
    for (int j = 0; j < node->n_in; j++) {
        const heed_step *maker = maker_in(plan, group, node->in[j]);
        if (!maker) continue;
        const heed_shape *shape = &graph->values[node->in[j]].shape;
        const bool fits = maker->open && node->in[j] == maker->node->out[0] && shape->extent == rows->extent && shape->dim[0] == rows->dim[0];
        if (!fits || (followed && (followed->shift != maker->shift || followed->columns != maker->columns))) return false;
        followed = maker;
    }
    if (!followed || followed->shift % needed || followed->columns % needed) return false;
    if (!state && (own->extent != rows->extent || own->dim[0] != rows->dim[0] || heed_shape_columns(*own) != followed->columns)) return false;
    if (!refine_grain(plan, group, needed)) return false;
    step->shift = followed->shift;
    step->columns = followed->columns;
    step->open = !state;
    return true;
}

/* Of a leader with short rows blocks may be whole ones: then every row-local step may follow (the choice of experts, a norm). */
static bool may_follow_rows(const heed_plan *plan, heed_group *group, heed_step *step)
{
    const heed_value_info *values = plan->graph->values;
    const int64_t whole = values[plan->steps[group->first].node->out[0]].shape.dim[1];
    if (!works_on_blocks(step) || reads_on_rows(plan, group, step) < 1 || !refine_grain(plan, group, whole)) return false;
    step->columns = heed_shape_columns(values[step->node->out[0]].shape);
    step->open = true;
    return true;
}

/* A view computes nothing: it goes with any group. Of columns that may be followed it tells which ones. */
static void place_view(const heed_plan *plan, const heed_group *group, heed_step *step)
{
    const heed_node *node = step->node;
    const heed_step *maker = maker_in(plan, group, node->in[0]);
    if (!maker || !maker->open || node->in[0] != maker->node->out[0]) return;
    const int64_t begin = node->id == HEED_OP_SLICE ? ((const heed_slice_attributes *)node->attributes)->begin : 0;
    step->shift = maker->shift + begin;
    step->open = true;
    step->columns = heed_shape_columns(plan->graph->values[node->out[0]].shape);
}

/* ---- all steps ---- */

static bool joins_last(const heed_plan *plan, heed_group *last, heed_step *step, const heed_kernel_args *args)
{
    if (heed_plan_views_rows(plan, step->node)) {
        place_view(plan, last, step);
        return true;
    }
    if (last->led) return may_follow(plan, last, step, args) || may_follow_rows(plan, last, step);
    const bool single = is_single(step, args);
    if (!(last->single && single) && !(last->by_rows && reads_on_rows(plan, last, step) >= 0)) return false;
    last->single = last->single && single;
    return true;
}

static void add_step(heed_plan *plan, const heed_node *node)
{
    heed_operand operands[HEED_MAX_INPUTS + HEED_MAX_OUTPUTS];
    heed_step *step = &plan->steps[plan->n_steps++];
    *step = (heed_step){.node = node, .operand = (int32_t)plan->n_operands};
    plan->n_operands += (size_t)node->n_in + node->n_out;
    heed_kernel_args args = heed_plan_maximal_args(plan, node, operands);
    if (!plan->double_precision) step->kernel = heed_backend_find(plan->backend, node->id, &args);
    heed_group *last = plan->n_groups ? &plan->groups[plan->n_groups - 1] : NULL;
    if (last && joins_last(plan, last, step, &args)) last->count++;
    else {
        heed_group group = {.first = (int32_t)(plan->n_steps - 1), .count = 1, .counter = (int32_t)plan->n_counters, .grain = 1, .phases = 1};
        group.by_rows = cut_by_rows(plan, step);
        group.single = is_single(step, &args);
        group.led = begin_leading(plan, step, &args);
        if (step->kernel && step->kernel->phases > 1) group.phases = step->kernel->phases;
        if (step->kernel && step->kernel->live_phases) group.phases = step->kernel->live_phases(&args);
        plan->n_counters += (size_t)group.phases;
        plan->groups[plan->n_groups++] = group;
    }
    step->group = (int32_t)plan->n_groups - 1;
}

heed_status heed_plan_make_steps(heed_plan *plan, heed_error *error)
{
    heed_graph *graph = plan->graph;
    plan->steps = heed_allocate(graph->n_nodes, sizeof *plan->steps);
    plan->groups = heed_allocate(graph->n_nodes, sizeof *plan->groups);
    if (!plan->steps || !plan->groups) return heed_fail_memory(error, graph->n_nodes * sizeof *plan->steps, "the plan");
    for (size_t i = 0; i < graph->n_nodes; i++) add_step(plan, &graph->nodes[i]);
    return HEED_OK;
}
