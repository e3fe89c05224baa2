/* observer.c: observing a run: times, values that are not finite, a line for each step. */
#include "graph/plan_internal.h"
#include "tensor/dtype.h"

#include "base/memory.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- profile ---- */

void heed_profile_add(heed_profile *profile, const heed_profile_line *line)
{
    size_t at = 0;
    while (at < profile->count &&
           (profile->lines[at].more != line->more || strcmp(profile->lines[at].op, line->op) ||
            strcmp(profile->lines[at].kernel, line->kernel)))
        at++;
    if (at == profile->count) {
        if (!heed_grow(&profile->lines, &profile->capacity, profile->count + 1,
                       sizeof *profile->lines))
            return;
        profile->lines[profile->count++] = (heed_profile_line){
            .op = line->op, .kernel = line->kernel, .more = line->more};
    }
    heed_profile_line *sum = &profile->lines[at];
    for (int n = 0; n < HEED_NUMBERS; n++) sum->flops[n] += line->flops[n];
    sum->seconds += line->seconds;
    sum->bytes += line->bytes;
    sum->runs += line->runs;
}

void heed_observer_add(const heed_observer *observer, const heed_profile_line *line)
{
    if (!observer->profile) return;
    if (observer->turn) pthread_mutex_lock(observer->turn);
    heed_profile_add(observer->profile, line);
    if (observer->turn) pthread_mutex_unlock(observer->turn);
}

/* Adds a line for a region to the profile: its first step, the number of further ones, and what all
   of them cost. */
static void add_region(heed_profile *profile, const heed_step *steps, const heed_kernel_args *args,
                       int32_t count, double seconds)
{
    heed_profile_line line = {
        .op = steps->node->op->name,
        .kernel = steps->kernel ? steps->kernel->name : "reference",
        .more = -1,
        .seconds = seconds,
        .runs = 1,
    };
    for (int32_t s = 0; s < count; s++) {
        const heed_kernel_args *a = &args[s];
        if (steps[s].view && s > 0) continue; /* computes nothing */
        line.more++;
        heed_cost cost = {0};
        if (a->op->cost) cost = a->op->cost(a);
        else
            for (int j = 0; j < a->n_in + a->n_out; j++)
                if (a->in[j].present)
                    cost.bytes += (double)heed_shape_elements(a->in[j].shape) *
                                  heed_dtype_width(a->in[j].dtype);
        line.flops[cost.number] += cost.flops;
        line.bytes += cost.bytes;
    }
    heed_profile_add(profile, &line);
}

/* May the memory of a value be read as a whole? Caches are address space that is committed only as
   it fills, so they may not. */
static bool is_readable(const heed_graph *graph, heed_value value, const heed_operand *operand)
{
    if (!operand->present || value <= 0 || graph->values[value].kind == HEED_VALUE_STATE ||
        heed_dtype_is_quantized(operand->dtype))
        return false;
    return graph->values[value].node < 0 ||
           graph->nodes[graph->values[value].node].id != HEED_OP_CACHE_WRITE;
}

/* ---- values that are not finite ---- */

/* Returns false, with the place of the first such element, if an f32 operand in rows holds NaN, or
   infinity in output 0 or a value that no node makes. Further outputs may hold infinities, such as
   the log-sum-exp of attention without keys. */
static bool is_finite(const heed_graph *graph, heed_value value, const heed_operand *operand,
                      int64_t *row, int64_t *column)
{
    if (!is_readable(graph, value, operand) || operand->dtype != HEED_F32 ||
        operand->layout != HEED_LAYOUT_ROWS)
        return true;
    int32_t node = graph->values[value].node;
    bool infinities = node >= 0 && graph->nodes[node].out[0] != value;
    int64_t rows = heed_shape_rows(operand->shape), columns = heed_shape_columns(operand->shape);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) {
            float x = ((const float *)operand->data)[i * operand->row_stride + j];
            if (isfinite(x) || (infinities && !isnan(x))) continue;
            *row = i;
            *column = j;
            return false;
        }
    return true;
}

/* HEED_E_ARG if an output of the step is not finite; the message says whether an input was not
   finite either. */
static heed_status check_step(const heed_plan *plan, const heed_node *node,
                              const heed_kernel_args *args, heed_error *error)
{
    int64_t row = 0, column = 0, in_row, in_column;
    int bad = 0, from = 0;
    while (bad < args->n_out &&
           is_finite(plan->graph, node->out[bad], &args->out[bad], &row, &column))
        bad++;
    if (bad == args->n_out) return HEED_OK;
    while (from < args->n_in &&
           is_finite(plan->graph, node->in[from], &args->in[from], &in_row, &in_column))
        from++;
    char label[HEED_SHAPE_TEXT], shape[HEED_SHAPE_TEXT],
        cause[HEED_SHAPE_TEXT + 64] = "its inputs are finite";
    if (from < args->n_in)
        snprintf(cause, sizeof cause, "its input %s is not finite already",
                 heed_value_label(plan->graph, node->in[from], label));
    return heed_fail(
        error, HEED_E_ARG,
        "%s: %s made %g at row %lld, column %lld of its output %s, %s; look at the steps before it "
        "with a trace, lower the "
        "learning rate, or check the weights",
        *node->scope ? node->scope : "the graph", node->op->name,
        (double)((const float *)args->out[bad].data)[row * args->out[bad].row_stride + column],
        (long long)row, (long long)column,
        heed_shape_text(plan->graph, args->out[bad].shape, shape), cause);
}

heed_status heed_observer_region(const heed_observer *observer, const heed_plan *plan,
                                 const heed_region *region, const heed_kernel_args *args,
                                 double seconds, heed_error *error)
{
    const heed_step *steps = plan->steps + region->first;
    heed_status status = HEED_OK;
    args += region->first;
    if (observer->turn) pthread_mutex_lock(observer->turn);
    if (observer->profile) add_region(observer->profile, steps, args, region->count, seconds);
    for (int32_t s = 0; status == HEED_OK && s < region->count; s++) {
        if (observer->trace)
            observer->trace(observer->argument, plan->graph, steps[s].node, &args[s]);
        if (observer->check_finite && !plan->double_precision)
            status = check_step(plan, steps[s].node, &args[s], error);
    }
    if (observer->turn) pthread_mutex_unlock(observer->turn);
    return status;
}

/* ---- trace ---- */

enum { SHOWN = 4 };

/* Appends mean, min and max, how many are not finite, and the first values of an
   operand. */
static void put_numbers(const heed_operand *operand, heed_buffer *out)
{
    int64_t rows = heed_shape_rows(operand->shape), columns = heed_shape_columns(operand->shape),
            odd = 0;
    size_t step = heed_dtypes[operand->dtype].bytes;
    double sum = 0, least = INFINITY, max = -INFINITY;
    float first[SHOWN] = {0};
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) {
            float x;
            heed_convert(&x, HEED_F32,
                         (const char *)operand->data + (size_t)(i * operand->row_stride + j) * step,
                         operand->dtype, 1);
            if (i * columns + j < SHOWN) first[i * columns + j] = x;
            if (!isfinite(x)) {
                odd++;
                continue;
            }
            sum += x;
            if (x < least) least = x;
            if (x > max) max = x;
        }
    if (rows * columns > odd)
        heed_buffer_printf(out, "  mean %.6g min %.6g max %.6g",
                           sum / (double)(rows * columns - odd), least, max);
    if (odd) heed_buffer_printf(out, "  not finite %lld", (long long)odd);
    heed_buffer_text(out, "  [");
    for (int64_t i = 0; i < rows * columns && i < SHOWN; i++)
        heed_buffer_printf(out, "%s%.6g", i ? " " : "", (double)first[i]);
    heed_buffer_text(out, rows * columns > SHOWN ? " ...]\n" : "]\n");
}

void heed_trace_text(const heed_graph *graph, const heed_node *node, const heed_kernel_args *args,
                     heed_buffer *out)
{
    char shape[HEED_SHAPE_TEXT];
    for (int j = 0; j < args->n_out; j++) {
        const heed_operand *operand = &args->out[j];
        heed_buffer_printf(out, "%%%d %s %s %s", node->out[j], node->op->name,
                           heed_shape_text(graph, operand->shape, shape),
                           heed_dtypes[operand->dtype].name);
        heed_node_put_attributes(out, node);
        if (*node->scope) heed_buffer_printf(out, " @%s", node->scope);
        if (node->is_gradient) heed_buffer_text(out, " gradient");
        if (graph->values[node->out[j]].name && *graph->values[node->out[j]].name)
            heed_buffer_printf(out, " \"%s\"", graph->values[node->out[j]].name);
        if (is_readable(graph, node->out[j], operand)) put_numbers(operand, out);
        else heed_buffer_byte(out, '\n');
    }
}
