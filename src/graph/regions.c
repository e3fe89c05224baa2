/* regions.c: makes the steps of a plan, finds their kernels, and joins steps into regions: runs of
   steps without a barrier between them. Steps are added in the order of the graph, and each joins
   the last region or begins a new one. A region has three flags, of which several may be set:
   - by_rows: row-local steps over the same rows are cut into the same parts, so that a part runs
     all of them on its rows;
   - single_part: each step is one part, so one thread runs them one after another;
   - produces_tiles: the first step is a matmul that produces tiles of its output, and the others
     (tile consumers) work on each tile as soon as it is finished, like an epilogue. This flag alone
     then decides which steps join.
   Without a flag the region is one step, whose kernel may have several phases, and views. */
#include "base/number.h"
#include "graph/attributes.h"
#include "graph/plan_internal.h"
#include "graph/rewrite.h"

/* Is the step row-local over a live extent, and does its kernel leave it to the plan to cut its
   rows into parts? */
static bool cut_by_rows(const heed_plan *plan, const heed_step *step)
{
    const heed_shape *out = &plan->graph->values[step->node->out[0]].shape;
    return step->kernel && !step->kernel->parts && (step->node->op->flags & HEED_OP_ROW_LOCAL) &&
           out->extent != HEED_EXTENT_FIXED;
}

/* Is this step a single part of a kernel, whatever the live counts are? False for a step that runs
   the reference: that is one part too, but has a region of its own. */
static bool is_single_part(const heed_backend *backend, const heed_step *step,
                           const heed_kernel_args *args)
{
    const heed_kernel *kernel = step->kernel;
    const int64_t most = heed_backend_rules_of(backend)->rows_per_part;
    if (!kernel || kernel->phases > 1) return false;
    return kernel->parts ? kernel->single_part && kernel->single_part(args)
                         : heed_shape_rows(args->out[0].shape) <= most;
}

/* The step of the region that makes this value, or NULL. */
static const heed_step *maker_in(const heed_plan *plan, const heed_region *region, heed_value value)
{
    const int32_t node = value <= 0 ? -1 : plan->graph->values[value].node;
    return node >= region->first && node < region->first + region->count ? &plan->steps[node]
                                                                         : NULL;
}

/* Returns how many values of the region the step reads, or -1 if it cannot join by rows. It can if
   it is row-local, writes no state, has the same rows as the first step of the region, and all
   values that it reads from the region have these rows too. */
static int reads_on_rows(const heed_plan *plan, const heed_region *region, const heed_step *step)
{
    const heed_value_info *values = plan->graph->values;
    const heed_shape *rows = &values[plan->steps[region->first].node->out[0]].shape,
                     *own = &values[step->node->out[0]].shape;
    int count = 0;
    if (!cut_by_rows(plan, step) || heed_node_state(step->node) != HEED_NONE ||
        rows->extent != own->extent || rows->dim[0] != own->dim[0])
        return -1;
    for (int j = 0; j < step->node->n_in; j++) {
        if (!maker_in(plan, region, step->node->in[j])) continue;
        if (values[step->node->in[j]].shape.extent != own->extent) return -1;
        count++;
    }
    return count;
}

/* ---- tile producers and tile consumers ---- */

/* The least common multiple. */
static int64_t common_multiple(int64_t a, int64_t b)
{
    return a / heed_common_divisor(a, b) * b;
}

/* Can the step, first of a region, produce tiles? If so, its output is tile-readable: consumers may
   read it tile by tile, in all columns. */
static bool begins_tiles(const heed_plan *plan, heed_step *step, const heed_kernel_args *args)
{
    const heed_shape *out = &plan->graph->values[step->node->out[0]].shape;
    heed_kernel_args any = *args;
    any.tile_columns = 1;
    if (!plan->reuse || !step->kernel || !step->kernel->produces_tiles || out->rank != 2 ||
        !step->kernel->produces_tiles(&any))
        return false;
    step->width = out->dim[1];
    step->tile_readable = true;
    return true;
}

/* Makes the tiles of the producer begin and end at multiples of `needed` columns as well. Returns
   false, and leaves the region as it is, if the kernel cannot do that or the backend says that it
   does not pay. */
static bool refine_tiles(const heed_plan *plan, heed_region *region, int64_t needed)
{
    const heed_step *first = &plan->steps[region->first];
    heed_operand operands[HEED_MAX_INPUTS + HEED_MAX_OUTPUTS];
    heed_kernel_args producer = heed_plan_maximal_args(plan, first->node, operands);
    producer.tile_columns = common_multiple(region->tile_columns, needed);
    const int64_t columns = producer.out[0].shape.dim[1];
    if (!heed_backend_rules_of(plan->backend)->fuses_tiles(producer.tile_columns, columns) ||
        (producer.tile_columns != region->tile_columns &&
         !first->kernel->produces_tiles(&producer)))
        return false;
    region->tile_columns = producer.tile_columns;
    return true;
}

/* Can the step run on tiles at all? A tile consumer runs in the middle of a part of the producer.
   Hence it has one phase, and uses neither scratch nor shared memory, which are the producer's. */
static bool works_on_tiles(const heed_step *step)
{
    return step->kernel && !step->kernel->scratch && !step->kernel->shared &&
           step->kernel->phases <= 1 && !step->kernel->live_phases;
}

/* Can the step consume each tile of the producer when it is finished? If so, it is set up for that.
   - Its kernel works on tiles that begin and end at multiples of `needed` columns (1, or a head).
   - What it reads from the region is tile-readable and has the rows of the producer.
   - All of that stands in the same columns of the producer, and these begin and end at multiples of
     `needed`.
   - Its output has the same rows and as many columns, or is the next version of a state.
   - The tiles can be cut so, and it pays (refine_tiles). */
static bool may_consume_tiles(const heed_plan *plan, heed_region *region, heed_step *step,
                              const heed_kernel_args *args)
{
    const heed_graph *graph = plan->graph;
    const heed_node *node = step->node;
    const heed_shape *rows = &graph->values[plan->steps[region->first].node->out[0]].shape,
                     *own = &graph->values[node->out[0]].shape;
    const int64_t needed = works_on_tiles(step) && step->kernel->consumes_tiles
                               ? step->kernel->consumes_tiles(args)
                               : 0;
    const bool state = heed_node_state(node) != HEED_NONE;
    const heed_step *source = NULL;
    if (needed < 1) return false;
    for (int j = 0; j < node->n_in; j++) {
        const heed_step *maker = maker_in(plan, region, node->in[j]);
        if (!maker) continue;
        const heed_shape *shape = &graph->values[node->in[j]].shape;
        const bool fits = maker->tile_readable && node->in[j] == maker->node->out[0] &&
                          shape->extent == rows->extent && shape->dim[0] == rows->dim[0];
        if (!fits || (source && (source->producer_column != maker->producer_column ||
                                 source->width != maker->width)))
            return false;
        source = maker;
    }
    if (!source || source->producer_column % needed || source->width % needed) return false;
    if (!state && (own->extent != rows->extent || own->dim[0] != rows->dim[0] ||
                   heed_shape_columns(*own) != source->width))
        return false;
    if (!refine_tiles(plan, region, needed)) return false;
    step->producer_column = source->producer_column;
    step->width = source->width;
    step->tile_readable = !state;
    return true;
}

/* If the rows of the producer are short, its tiles may span whole rows. Then a row-local step over
   the producer's rows can consume them, such as a norm or the choice of experts, if it writes no
   state and its kernel has one phase, no `parts`, no scratch and no shared memory. */
static bool may_consume_rows(const heed_plan *plan, heed_region *region, heed_step *step)
{
    const heed_value_info *values = plan->graph->values;
    const int64_t whole = values[plan->steps[region->first].node->out[0]].shape.dim[1];
    if (!works_on_tiles(step) || reads_on_rows(plan, region, step) < 1 ||
        !refine_tiles(plan, region, whole))
        return false;
    step->width = heed_shape_columns(values[step->node->out[0]].shape);
    step->tile_readable = true;
    return true;
}

/* A view computes nothing, so it joins any region. If its input is tile-readable, so is its
   output, in the columns that the view selects. */
static void place_view(const heed_plan *plan, const heed_region *region, heed_step *step)
{
    const heed_node *node = step->node;
    const heed_step *maker = maker_in(plan, region, node->in[0]);
    if (!maker || !maker->tile_readable || node->in[0] != maker->node->out[0]) return;
    const int64_t begin = node->id == HEED_OP_SLICE
                              ? ((const heed_slice_attributes *)node->attributes)->begin
                              : 0;
    step->producer_column = maker->producer_column + begin;
    step->tile_readable = true;
    step->width = heed_shape_columns(plan->graph->values[node->out[0]].shape);
}

/* Does the step overwrite a version of a state that a step of the region reads? On tiles the write
   of the first tile would precede the read of the second. */
static bool overwrites_read(const heed_plan *plan, const heed_region *region, const heed_step *step)
{
    const heed_value written = heed_node_state(step->node);
    for (int32_t s = region->first; written != HEED_NONE && s < region->first + region->count; s++)
        for (int j = 0; j < plan->steps[s].node->n_in; j++)
            if (plan->steps[s].node->in[j] == written) return true;
    return false;
}

/* ---- all steps ---- */

/* Joins the step to the last region if it can, and says whether it did. */
static bool joins_last(const heed_plan *plan, heed_region *last, heed_step *step,
                       const heed_kernel_args *args)
{
    if (heed_plan_views_rows(plan, step->node)) {
        place_view(plan, last, step);
        return true;
    }
    if (last->produces_tiles && overwrites_read(plan, last, step)) return false;
    if (last->produces_tiles)
        return may_consume_tiles(plan, last, step, args) || may_consume_rows(plan, last, step);
    const bool single_part = is_single_part(plan->backend, step, args);
    if (!(last->single_part && single_part) &&
        !(last->by_rows && reads_on_rows(plan, last, step) >= 0))
        return false;
    last->single_part = last->single_part && single_part;
    return true;
}

/* Appends a step for the node, finds its kernel, and puts it into the last region or a new one. */
static void add_step(heed_plan *plan, const heed_node *node)
{
    heed_operand operands[HEED_MAX_INPUTS + HEED_MAX_OUTPUTS];
    heed_step *step = &plan->steps[plan->n_steps++];
    *step = (heed_step){.node = node, .operand = (int32_t)plan->n_operands};
    plan->n_operands += (size_t)node->n_in + node->n_out;
    heed_kernel_args args = heed_plan_maximal_args(plan, node, operands);
    if (!plan->double_precision) step->kernel = heed_backend_find(plan->backend, node->id, &args);
    heed_region *last = plan->n_regions ? &plan->regions[plan->n_regions - 1] : NULL;
    if (last && joins_last(plan, last, step, &args)) last->count++;
    else {
        heed_region region = {
            .first = (int32_t)(plan->n_steps - 1),
            .count = 1,
            .counter = (int32_t)plan->n_counters,
            .tile_columns = 1,
            .phases = 1,
        };
        region.by_rows = cut_by_rows(plan, step);
        region.single_part = is_single_part(plan->backend, step, &args);
        region.produces_tiles = begins_tiles(plan, step, &args);
        if (step->kernel && step->kernel->phases > 1) region.phases = step->kernel->phases;
        if (step->kernel && step->kernel->live_phases)
            region.phases = step->kernel->live_phases(&args);
        plan->n_counters += (size_t)region.phases;
        plan->regions[plan->n_regions++] = region;
    }
    step->region = (int32_t)plan->n_regions - 1;
}

heed_status heed_plan_make_steps(heed_plan *plan, heed_error *error)
{
    heed_graph *graph = plan->graph;
    plan->steps = heed_allocate(graph->n_nodes, sizeof *plan->steps);
    plan->regions = heed_allocate(graph->n_nodes, sizeof *plan->regions);
    plan->overwritten = heed_graph_overwritten(graph);
    if (!plan->steps || !plan->regions || !plan->overwritten)
        return heed_fail_memory(error, graph->n_nodes * sizeof *plan->steps, "the plan");
    for (size_t i = 0; i < graph->n_nodes; i++) add_step(plan, &graph->nodes[i]);
    return HEED_OK;
}
