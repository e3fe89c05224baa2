/* liveness.c: which values share which memory. Time is counted in regions, since the steps of a
   region run interleaved. A value lives from the region that makes it to the last region that reads
   it. Values are placed from the largest to the smallest, each at the lowest offset where it
   overlaps no value that lives at the same time:

      offset ^
             |        +-----------+
             |        |     c     |            a and b live one after the other and share memory;
             |  +-----+--+  +-----+--+         c lives while both do, so it lies above them
             |  |   a    |  |   b    |
             +--+--------+--+--------+-----> regions

   Source: Pisarchyk & Lee 2020, "Efficient memory management for deep neural net inference" (greedy
   by size). */
#include "graph/attributes.h"
#include "graph/gaps.h"
#include "graph/plan_internal.h"
#include "tensor/alignment.h"
#include "tensor/dtype.h"
#include "graph/rewrite.h"

#include <stdlib.h>
#include <string.h>

size_t heed_plan_element(const heed_plan *plan, heed_dtype dtype)
{
    return plan->double_precision && dtype == HEED_F32 ? sizeof(double) : heed_dtypes[dtype].bytes;
}

bool heed_plan_value_bytes(const heed_plan *plan, heed_value value, size_t *bytes)
{
    const heed_shape *shape = &plan->graph->values[value].shape;
    *bytes = heed_plan_element(plan, plan->graph->values[value].dtype);
    for (int i = 0; i < shape->rank; i++)
        if (!heed_multiply_size(*bytes, (size_t)shape->dim[i], bytes)) return false;
    return *bytes <= SIZE_MAX / 4;
}

/* One root value: its life in regions, both ends included, and its size. */
typedef struct {
    heed_value root;
    int32_t from, to;
    size_t bytes;
} life;

typedef struct {
    heed_plan *plan;
    int32_t *from, *to; /* by root value: first and last region of its life */
    int32_t *last_read; /* by value: the last step that reads it; INT32_MAX if it is kept */
} liveness;

static heed_place *place_of(const liveness *state, heed_value value)
{
    return &state->plan->places[value];
}

bool heed_plan_views_rows(const heed_plan *plan, const heed_node *node)
{
    const heed_value_info *in = &plan->graph->values[node->in[0]],
                          *out = &plan->graph->values[node->out[0]];
    if (!plan->reuse || plan->overwritten[node->in[0]] || !(node->op->flags & HEED_OP_VIEW) ||
        in->layout != HEED_LAYOUT_ROWS || in->dtype != out->dtype)
        return false;
    if (node->id == HEED_OP_SLICE) return in->shape.rank == 2;
    return node->id == HEED_OP_RESHAPE && in->shape.rank > 1 && out->shape.rank > 1 &&
           in->shape.dim[0] == out->shape.dim[0] && in->shape.extent == out->shape.extent;
}

/* Lets output 0 of a view op share the memory of its input, if the rows of the result lie evenly in
   it. Returns whether it does. */
static bool try_view(const liveness *state, const heed_node *node)
{
    const heed_graph *graph = state->plan->graph;
    heed_value in = node->in[0], out = node->out[0];
    const heed_shape *source = &graph->values[in].shape, *target = &graph->values[out].shape;
    heed_place from = *place_of(state, in);
    if (from.where == HEED_PLACE_NOWHERE || state->plan->overwritten[in] ||
        graph->values[in].layout != HEED_LAYOUT_ROWS ||
        graph->values[in].dtype != graph->values[out].dtype)
        return false;
    size_t shift = 0;
    int64_t stride = from.row_stride;
    if (node->id == HEED_OP_SLICE && source->rank <= 2) {
        shift = (size_t)((const heed_slice_attributes *)node->attributes)->begin *
                heed_plan_element(state->plan, graph->values[in].dtype);
        if (source->rank < 2) stride = 1;
    } else if (node->id == HEED_OP_RESHAPE && from.row_stride == heed_shape_columns(*source)) {
        stride = heed_shape_columns(*target);
    } else if (!heed_plan_views_rows(state->plan, node)) return false;
    *place_of(state, out) = (heed_place){from.where, from.root, from.offset + shift, stride};
    return true;
}

/* Lets output 0 overwrite input 0, if this step is the last one to read it and no view shares its
   memory. Returns whether it does. */
static bool try_in_place(const liveness *state, const heed_node *node, int32_t step,
                         const int32_t *sharers)
{
    const heed_graph *graph = state->plan->graph;
    const heed_step *steps = state->plan->steps;
    heed_value in = node->in[0], out = node->out[0];
    if (in <= 0 || graph->values[in].kind != HEED_VALUE_COMPUTED || state->last_read[in] != step)
        return false;
    heed_place from = *place_of(state, in);
    if (from.where != HEED_PLACE_WORKSPACE ||
        graph->values[from.root].kind != HEED_VALUE_COMPUTED || sharers[from.root] > 1)
        return false;
    if (graph->values[in].dtype != graph->values[out].dtype ||
        !heed_shape_equal(graph->values[in].shape, graph->values[out].shape))
        return false;
    for (int j = 1; j < node->n_in; j++)
        if (node->in[j] == in) return false;
    /* In a tile region, other threads may still read values made before the region, so these must
       not be overwritten. */
    if (state->plan->regions[steps[step].region].produces_tiles &&
        steps[graph->values[in].node].region != steps[step].region)
        return false;
    *place_of(state, out) = from;
    return true;
}

/* Fills last_read. */
static void find_last_reads(liveness *state)
{
    heed_plan *plan = state->plan;
    for (size_t i = 0; i < plan->n_steps; i++)
        for (int j = 0; j < plan->steps[i].node->n_in; j++)
            if (plan->steps[i].node->in[j] > 0)
                state->last_read[plan->steps[i].node->in[j]] = (int32_t)i;
    for (size_t i = 0; i < plan->graph->n_outputs; i++)
        state->last_read[plan->graph->outputs[i]] = INT32_MAX;
}

/* Decides for each computed value whether it has memory of its own or shares that of another value,
   its root; extends the life of the root. */
static void assign_roots(liveness *state, int32_t *sharers)
{
    heed_plan *plan = state->plan;
    const bool reuse = plan->reuse;
    for (size_t i = 0; i < plan->n_steps; i++) {
        const heed_node *node = plan->steps[i].node;
        heed_value written = heed_node_state(node);
        for (int j = 0; j < node->n_out; j++) {
            heed_value out = node->out[j];
            heed_place *place = place_of(state, out);
            bool shared = false;
            if (j == 0 && written != HEED_NONE) {
                *place = *place_of(state, written);
                shared = true;
            } else if (j == 0 && reuse && (node->op->flags & HEED_OP_VIEW))
                shared = plan->steps[i].view = try_view(state, node);
            if (j == 0 && !shared && reuse && (node->op->flags & HEED_OP_IN_PLACE))
                shared = try_in_place(state, node, (int32_t)i, sharers);
            if (!shared)
                *place = (heed_place){HEED_PLACE_WORKSPACE, out, 0,
                                      heed_shape_columns(plan->graph->values[out].shape)};
            heed_value root = place->root;
            if (place->where != HEED_PLACE_WORKSPACE ||
                plan->graph->values[root].kind != HEED_VALUE_COMPUTED)
                continue;
            /* A view shares its root for good, so that the root may not be overwritten any more. An
               in-place result takes the place of its input. */
            sharers[root] += root == out || (node->op->flags & HEED_OP_VIEW) ? 1 : 0;
            int32_t region = plan->steps[i].region, last = state->last_read[out];
            int32_t until = region;
            if (last >= 0 && last != INT32_MAX) until = plan->steps[last].region;
            if (last == INT32_MAX || plan->keep_all) until = INT32_MAX;
            if (root == out) {
                state->from[root] = region;
                state->to[root] = region;
            }
            if (until > state->to[root]) state->to[root] = until;
        }
    }
}

/* Sorts by size, the largest first; equal ones by number, so that plans are deterministic. */
static int by_size(const void *a, const void *b)
{
    const life *x = a, *y = b;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
    return x->root < y->root ? -1 : 1;
}

/* Places all lives, from `base` on: greedily by size, or one after another if memory is not to be
   reused. */
static heed_status place_lives(liveness *state, life *lives, size_t count, size_t base,
                               heed_error *error)
{
    const bool reuse = state->plan->reuse;
    heed_gaps *gaps = heed_gaps_new((int32_t)state->plan->n_regions);
    bool ok = gaps != NULL;
    size_t end = base;
    if (reuse) qsort(lives, count, sizeof *lives, by_size);
    for (size_t i = 0; ok && i < count; i++) {
        const life *own = &lives[i];
        const size_t offset = reuse ? heed_gaps_lowest(gaps, own->from, own->to, own->bytes, base)
                                    : end;
        if (!heed_add_size(offset, own->bytes, &(size_t){0})) {
            heed_gaps_free(gaps);
            return heed_fail_memory(error, SIZE_MAX, "the activations");
        }
        if (reuse) ok = heed_gaps_take(gaps, own->from, own->to, own->bytes, offset);
        if (offset + own->bytes > end) end = offset + own->bytes;
        state->plan->places[own->root].offset = offset;
    }
    heed_gaps_free(gaps);
    if (!ok) return heed_fail_memory(error, count * sizeof *lives, "the memory plan");
    state->plan->values_bytes = end;
    return HEED_OK;
}

/* Places inputs at the start of the workspace, then computed values after them. */
static heed_status place_all(liveness *state, life *lives, int32_t *sharers, heed_error *error)
{
    heed_plan *plan = state->plan;
    heed_graph *graph = plan->graph;
    size_t inputs_end = 0, count = 0;
    for (size_t i = 1; i < graph->n_values; i++) {
        const heed_value_info *info = &graph->values[i];
        size_t bytes;
        state->last_read[i] = -1;
        if (info->kind == HEED_VALUE_COMPUTED) continue;
        if (!heed_plan_value_bytes(plan, (heed_value)i, &bytes))
            return heed_fail_memory(error, SIZE_MAX, info->name);
        heed_place place = {HEED_PLACE_EXTERNAL, (heed_value)i, 0, heed_shape_columns(info->shape)};
        if (info->kind == HEED_VALUE_INPUT) {
            place.where = HEED_PLACE_WORKSPACE;
            place.offset = inputs_end;
            if (!heed_add_size(inputs_end, heed_align(bytes), &inputs_end))
                return heed_fail_memory(error, bytes, info->name);
        }
        plan->places[i] = place;
    }
    find_last_reads(state);
    assign_roots(state, sharers);
    for (size_t i = 1; i < graph->n_values; i++) {
        if (graph->values[i].kind != HEED_VALUE_COMPUTED ||
            plan->places[i].where != HEED_PLACE_WORKSPACE || plan->places[i].root != (heed_value)i)
            continue;
        size_t bytes;
        if (!heed_plan_value_bytes(plan, (heed_value)i, &bytes))
            return heed_fail_memory(error, SIZE_MAX, "an activation");
        lives[count++] = (life){(heed_value)i, state->from[i], state->to[i], heed_align(bytes)};
    }
    HEED_TRY(place_lives(state, lives, count, inputs_end, error));
    /* values that share memory get the offset of their root, plus their own shift if they are
       views */
    for (size_t i = 1; i < graph->n_values; i++) {
        heed_place *place = &plan->places[i];
        if (graph->values[i].kind == HEED_VALUE_COMPUTED && place->where == HEED_PLACE_WORKSPACE &&
            place->root != (heed_value)i && graph->values[place->root].kind == HEED_VALUE_COMPUTED)
            place->offset += plan->places[place->root].offset;
    }
    return HEED_OK;
}

heed_status heed_plan_place(heed_plan *plan, heed_error *error)
{
    size_t n = plan->graph->n_values;
    liveness state = {.plan = plan};
    plan->places = heed_allocate(n, sizeof *plan->places);
    state.from = heed_allocate(n, sizeof *state.from);
    state.to = heed_allocate(n, sizeof *state.to);
    state.last_read = heed_allocate(n, sizeof *state.last_read);
    life *lives = heed_allocate(n, sizeof *lives);
    int32_t *sharers = heed_allocate(n, sizeof *sharers);
    heed_status status;
    if (!plan->places || !state.from || !state.to || !state.last_read || !lives || !sharers)
        status = heed_fail_memory(error, n * sizeof *lives, "the memory plan");
    else status = place_all(&state, lives, sharers, error);
    free(state.from);
    free(state.to);
    free(state.last_read);
    free(lives);
    free(sharers);
    return status;
}
