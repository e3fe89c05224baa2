/* reduce.h: reductions of one axis, means over sequences, and their gradients. Along the last axis
   (or over rows of one element) sums use 64 accumulators (kernel.h); along any other axis every
   column has one accumulator, and elements ascend. */
#ifndef HEED_CPU_KERNEL_REDUCE_H
#define HEED_CPU_KERNEL_REDUCE_H

#include "cpu/kernel/kernel.h"
#include "op/axes.h"
#include "op/sequence.h"

/* The address of element `at` of x, counted over its rows laid end to end. */
static inline float *flat_element(const heed_operand *x, int64_t at)
{
    int64_t columns = heed_shape_columns(x->shape);
    return columns ? float_row(x, at / columns) + at % columns : x->data;
}

/* The sum of a vector operand (D), or of a run of a row. */
static inline float sum_of_vector(const heed_operand *x, int64_t n)
{
    accumulators sum = accumulators_of(0);
    HEED_FOR_ACCUMULATORS(j, v, n)
    {
        const int64_t at = j + v * HEED_LANES;
        sum.vector[v] = heed_v_add(sum.vector[v], load_vector(x, at, n - at));
    }
    return accumulators_sum(sum);
}

/* Outputs [begin, end) of slice o. */
typedef struct {
    int64_t o, begin, end;
} output_range;

/* Sums outputs of a slice (count, inner), which are columns: 64 of them side by side. */
static inline void sum_columns(const heed_operand *x, heed_axes a, output_range out, float divisor,
                               const heed_operand *y)
{
    const int64_t o = out.o, begin = out.begin, end = out.end;
    const heed_v by = heed_v_set(divisor);
    bool over_rows = a.outer == 1 && a.count == heed_shape_rows(x->shape);
    int64_t step = over_rows ? x->row_stride : a.inner;
    for (int64_t i = begin; i < end; i += ACCUMULATORS) {
        int64_t left = end - i;
        accumulators sum = accumulators_of(0);
        const float *from = NULL;
        if (a.count)
            from = (over_rows ? float_row(x, 0) : flat_element(x, o * a.count * a.inner)) + i;
        for (int64_t k = 0; k < a.count; k++, from += step)
            HEED_UNROLL for (int v = 0; v < ACCUMULATOR_VECTORS; v++) if (v * HEED_LANES < left)
                sum.vector[v] = heed_v_add(sum.vector[v],
                                           load_some(from + v * HEED_LANES, left - v * HEED_LANES));
        float room[ACCUMULATORS];
        for (int v = 0; v < ACCUMULATOR_VECTORS; v++)
            heed_v_store(room + v * HEED_LANES, heed_v_div(sum.vector[v], by));
        for (int64_t j = 0; j < left && j < ACCUMULATORS; j++)
            *flat_element(y, o * a.inner + i + j) = room[j];
    }
}

/* A part is a run of outputs. */
enum { REDUCED_PER_PART = 64 };

static inline int reduce_parts(const heed_kernel_args *args, int phase)
{
    (void)phase;
    int64_t parts = (heed_shape_elements(args->out[0].shape) + REDUCED_PER_PART - 1) /
                    REDUCED_PER_PART;
    return part_count(parts, 1 << 16);
}

/* Reduces a run of outputs, slice by slice: along the axis if it is innermost, otherwise columns
   side by side. */
static inline void reduce_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    const heed_reduce_attributes *attributes = args->attributes;
    const heed_operand *x = &args->in[0], *y = &args->out[0];
    heed_axes a = heed_axes_around(x->shape, attributes->axis);
    int64_t begin, end;
    heed_part_range(a.outer * a.inner, call->part, call->parts, &begin, &end);
    float divisor = attributes->kind == HEED_REDUCE_MEAN && a.count ? (float)a.count : 1;
    while (begin < end) {
        int64_t o = begin / a.inner, stop = (o + 1) * a.inner < end ? (o + 1) * a.inner : end;
        if (a.inner == 1) {
            heed_operand run = {.data = x->data,
                                .row_stride = attributes->axis == 0 ? x->row_stride : 1};
            if (a.count) run.data = flat_element(x, o * a.count);
            *flat_element(y, o) = sum_of_vector(&run, a.count) / divisor;
        } else
            sum_columns(x, a, (output_range){o, begin - o * a.inner, stop - o * a.inner}, divisor,
                        y);
        begin = stop;
    }
}

static inline bool reduce_fits(const heed_kernel_args *args)
{
    return all_f32_rows(args) &&
           ((const heed_reduce_attributes *)args->attributes)->kind != HEED_REDUCE_MAX;
}

/* n elements of dy from flat element `at` on, divided by divisor. If `same`, the first of them n
   times. */
static inline void broadcast_gradient(const heed_operand *dy, int64_t at, bool same, float divisor,
                                      float *to, int64_t n)
{
    const heed_v by = heed_v_set(divisor), first = heed_v_set(n > 0 ? *flat_element(dy, at) : 0);
    int64_t columns = heed_shape_columns(dy->shape);
    bool contiguous = columns > 0 &&
                      (dy->row_stride == columns || at / columns == (at + n - 1) / columns);
    for (int64_t j = 0; j < n; j += HEED_LANES) {
        heed_v x = first;
        if (!same && contiguous) x = load_some(flat_element(dy, at) + j, n - j);
        else if (!same) {
            float room[HEED_LANES] = {0};
            for (int64_t k = 0; k < HEED_LANES && j + k < n; k++)
                room[k] = *flat_element(dy, at + j + k);
            x = heed_v_load(room);
        }
        store_some(to + j, heed_v_div(x, by), n - j);
    }
}

/* dx = dy, or dy / count, along the axis. A part is rows of dx. */
static inline void reduce_backward_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    const heed_reduce_backward_attributes *attributes = args->attributes;
    const heed_operand *dy = &args->in[0], *dx = &args->out[0];
    heed_axes a = heed_axes_around(dx->shape, attributes->reduce.axis);
    int64_t begin, end, columns = heed_shape_columns(dx->shape);
    rows_of_part(args, call, &begin, &end);
    float divisor = attributes->reduce.kind == HEED_REDUCE_MEAN ? (float)a.count : 1;
    /* runs that end where a row ends, or `inner` does, or the axis if inner is 1 */
    for (int64_t at = begin * columns; at < end * columns;) {
        int64_t o = at / (a.count * a.inner),
                stop = a.inner == 1 ? (o + 1) * a.count : (at / a.inner + 1) * a.inner,
                row_end = (at / columns + 1) * columns;
        stop = stop < row_end ? stop : row_end;
        broadcast_gradient(dy, o * a.inner + at % a.inner, a.inner == 1, divisor,
                           flat_element(dx, at), stop - at);
        at = stop;
    }
}

static inline bool reduce_backward_fits(const heed_kernel_args *args)
{
    return all_f32_rows(args) &&
           ((const heed_reduce_backward_attributes *)args->attributes)->reduce.kind !=
               HEED_REDUCE_MAX;
}

/* ---- means over sequences ---- */

static inline void sequence_mean_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    const heed_operand *x = &args->in[0], *y = &args->out[0];
    int64_t begin, end, columns = y->shape.dim[1];
    rows_of_part(args, call, &begin, &end);
    for (int64_t b = begin; b < end; b++) {
        heed_sequence s = heed_sequence_of(&args->in[1], b, heed_shape_rows(x->shape), 0, NULL);
        const heed_v count = heed_v_set(s.queries ? (float)s.queries : 1);
        for (int64_t j = 0; j < columns; j += HEED_LANES) {
            heed_v sum = heed_v_zero();
            for (int64_t i = 0; i < s.queries; i++)
                sum = heed_v_add(sum, load_some(float_row(x, s.query_start + i) + j, columns - j));
            store_some(float_row(y, b) + j, heed_v_div(sum, count), columns - j);
        }
    }
}

static inline void sequence_mean_backward_run(const heed_kernel_args *args,
                                              const heed_kernel_call *call)
{
    const heed_operand *dy = &args->in[0], *dx = &args->out[0];
    int64_t begin, end, columns = dx->shape.dim[1];
    rows_of_part(args, call, &begin, &end);
    for (int64_t i = begin; i < end; i++)
        for (int64_t j = 0; j < columns; j++) float_row(dx, i)[j] = 0;
    for (int64_t b = 0; b < heed_shape_rows(dy->shape); b++) {
        heed_sequence s = heed_sequence_of(&args->in[1], b, heed_shape_rows(dx->shape), 0, NULL);
        const int64_t first = s.query_start > begin ? s.query_start : begin;
        const int64_t last = s.query_start + s.queries < end ? s.query_start + s.queries : end;
        const heed_v count = heed_v_set(s.queries ? (float)s.queries : 1);
        for (int64_t i = first; i < last; i++)
            for (int64_t j = 0; j < columns; j += HEED_LANES) {
                float *to = float_row(dx, i) + j;
                store_some(
                    to,
                    heed_v_add(load_some(to, columns - j),
                               heed_v_div(load_some(float_row(dy, b) + j, columns - j), count)),
                    columns - j);
            }
    }
}

static inline bool sequence_mean_fits(const heed_kernel_args *args)
{
    return is_f32_rows(&args->in[0]);
}

HEED_KERNEL(reduce) = {.name = "k_reduce_f32",
                       .op = HEED_OP_REDUCE,
                       .fits = reduce_fits,
                       .parts = reduce_parts,
                       .run = reduce_run};
HEED_KERNEL(reduce_backward) = {
    .name = "k_reduce_backward_f32",
    .op = HEED_OP_REDUCE_BACKWARD,
    .fits = reduce_backward_fits,
    .run = reduce_backward_run,
};
HEED_KERNEL(sequence_mean) = {
    .name = "k_sequence_mean_f32",
    .op = HEED_OP_SEQUENCE_MEAN,
    .fits = sequence_mean_fits,
    .run = sequence_mean_run,
};
HEED_KERNEL(sequence_mean_backward) = {
    .name = "k_sequence_mean_backward_f32",
    .op = HEED_OP_SEQUENCE_MEAN_BACKWARD,
    .fits = sequence_mean_fits,
    .run = sequence_mean_backward_run,
};

#endif
