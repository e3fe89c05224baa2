/* softmax.h: softmax over the last axis, cross-entropy, and their gradients; op/softmax.c and
   op/cross_entropy.c have the formulas. A row takes three passes:
   1. maximum      m = max x                       max_of_row
   2. exponentials y = exp(x - m), sum of y        exponentiate_row
   3. weights      y / sum                         softmax_row
   Sums and maxima use 64 accumulators (kernel.h). */
#ifndef HEED_CPU_KERNEL_SOFTMAX_H
#define HEED_CPU_KERNEL_SOFTMAX_H

#include "cpu/kernel/kernel.h"

/* The maximum of a row, which skips NaN; -inf if there is no other element. */
static inline float max_of_row(const float *x, int64_t width)
{
    const heed_v nothing = heed_v_set(-__builtin_inff());
    accumulators most = accumulators_of(-__builtin_inff());
    HEED_FOR_ACCUMULATORS(j, v, width)
    {
        const int64_t at = j + v * HEED_LANES, left = width - at;
        heed_v y = load_some(x + at, left);
        if (left < HEED_LANES) {
            float room[HEED_LANES];
            heed_v_store(room, nothing);
            heed_v_store_part(room, y, left);
            y = heed_v_load(room);
        }
        most.vector[v] = heed_v_max(y, most.vector[v]);
    }
    return accumulators_max(most);
}

/* y = exp(x - shift), unless y is NULL. Returns the sum. */
HEED_INLINE float exponentiate_row(const float *x, float *y, int64_t width, float shift)
{
    accumulators sum = accumulators_of(0);
    const heed_v by = heed_v_set(shift);
    HEED_FOR_ACCUMULATORS(j, v, width)
    {
        const int64_t at = j + v * HEED_LANES, left = width - at;
        heed_v e = heed_v_exp(heed_v_sub(load_some(x + at, left), by));
        if (y) store_some(y + at, e, left);
        sum.vector[v] = heed_v_add(sum.vector[v], first_lanes(e, left));
    }
    return accumulators_sum(sum);
}

/* Is an element NaN? The maximum skips NaN, so this is asked only if it is -inf. */
static inline bool has_nan(const float *x, int64_t width)
{
    for (int64_t j = 0; j < width; j++)
        if (x[j] != x[j]) return true;
    return false;
}

static inline void softmax_row(const float *x, float *y, int64_t width)
{
    float max = max_of_row(x, width);
    if (max == -__builtin_inff() && !has_nan(x, width)) {
        for (int64_t j = 0; j < width; j++) y[j] = 0;
        return;
    }
    const heed_v sum = heed_v_set(exponentiate_row(x, y, width, max));
    for (int64_t j = 0; j < width; j += HEED_LANES)
        store_some(y + j, heed_v_div(load_some(y + j, width - j), sum), width - j);
}

static inline void softmax_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    int64_t begin, end, width = heed_width(&args->in[0]),
                        columns = heed_shape_columns(args->in[0].shape);
    rows_of_part(args, call, &begin, &end);
    for (int64_t i = begin; i < end; i++)
        for (int64_t at = 0; at < columns; at += width)
            softmax_row(float_row(&args->in[0], i) + at, float_row(&args->out[0], i) + at, width);
}

/* dx = y * (dy - y.dy). */
static inline void softmax_row_backward(const float *y, const float *dy, float *dx, int64_t width)
{
    accumulators sum = accumulators_of(0);
    HEED_FOR_ACCUMULATORS(j, v, width)
    {
        const int64_t at = j + v * HEED_LANES, left = width - at;
        sum.vector[v] = heed_v_fma(load_some(y + at, left), load_some(dy + at, left),
                                   sum.vector[v]);
    }
    const heed_v dot = heed_v_set(accumulators_sum(sum)); /* y.dy */
    for (int64_t j = 0; j < width; j += HEED_LANES)
        store_some(
            dx + j,
            heed_v_mul(load_some(y + j, width - j), heed_v_sub(load_some(dy + j, width - j), dot)),
            width - j);
}

static inline void softmax_backward_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    int64_t begin, end, width = heed_width(&args->in[0]),
                        columns = heed_shape_columns(args->in[0].shape);
    rows_of_part(args, call, &begin, &end);
    for (int64_t i = begin; i < end; i++)
        for (int64_t at = 0; at < columns; at += width)
            softmax_row_backward(float_row(&args->in[0], i) + at, float_row(&args->in[1], i) + at,
                                 float_row(&args->out[0], i) + at, width);
}

/* ---- cross-entropy ---- */

/* The sum of x - shift. */
static inline float sum_of_differences(const float *x, int64_t width, float shift)
{
    accumulators sum = accumulators_of(0);
    const heed_v by = heed_v_set(shift);
    HEED_FOR_ACCUMULATORS(j, v, width)
    {
        const int64_t at = j + v * HEED_LANES, left = width - at;
        sum.vector[v] = heed_v_add(sum.vector[v],
                                   first_lanes(heed_v_sub(load_some(x + at, left), by), left));
    }
    return accumulators_sum(sum);
}

/* The loss of a row in nats. */
static inline float cross_entropy_of_row(const float *x, int64_t width, int32_t label,
                                         float smoothing)
{
    const float max = max_of_row(x, width);
    const float loss = log_of(exponentiate_row(x, NULL, width, max)) -
                       (1 - smoothing) * (x[label] - max);
    return smoothing > 0 ? loss - smoothing * sum_of_differences(x, width, max) / (float)width
                         : loss;
}

static inline void cross_entropy_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    float smoothing = ((const heed_cross_entropy_attributes *)args->attributes)->smoothing;
    int64_t begin, end, width = args->in[0].shape.dim[1];
    rows_of_part(args, call, &begin, &end);
    for (int64_t i = begin; i < end; i++) {
        int32_t label = integer_at(&args->in[1], i);
        *float_row(&args->out[0], i) = label < 0 || label >= width
                                           ? 0
                                           : cross_entropy_of_row(float_row(&args->in[0], i), width,
                                                                  label, smoothing);
    }
}

/* Turns dx = exp(x - max), whose sum is `sum`, into dloss * (softmax(x) - target). */
static inline void gradient_of_exponentials(float *dx, int64_t width, float sum, int32_t label,
                                            float smoothing, float dloss)
{
    float rest = smoothing / (float)width;
    float own = dloss * (dx[label] / sum - ((1 - smoothing) + rest));
    const heed_v times = heed_v_set(dloss), total = heed_v_set(sum), target = heed_v_set(rest);
    for (int64_t j = 0; j < width; j += HEED_LANES)
        store_some(
            dx + j,
            heed_v_mul(times, heed_v_sub(heed_v_div(load_some(dx + j, width - j), total), target)),
            width - j);
    dx[label] = own;
}

static inline void cross_entropy_row_backward(const float *x, float *dx, int64_t width,
                                              int32_t label, float smoothing, float dloss)
{
    float sum = exponentiate_row(x, dx, width, max_of_row(x, width));
    gradient_of_exponentials(dx, width, sum, label, smoothing, dloss);
}

static inline void cross_entropy_backward_run(const heed_kernel_args *args,
                                              const heed_kernel_call *call)
{
    float smoothing = ((const heed_cross_entropy_attributes *)args->attributes)->smoothing;
    int64_t begin, end, width = args->in[0].shape.dim[1];
    rows_of_part(args, call, &begin, &end);
    for (int64_t i = begin; i < end; i++) {
        int32_t label = integer_at(&args->in[1], i);
        float *dx = float_row(&args->out[0], i);
        if (label >= 0 && label < width)
            cross_entropy_row_backward(float_row(&args->in[0], i), dx, width, label, smoothing,
                                       *float_row(&args->in[2], i));
        else
            for (int64_t j = 0; j < width; j++) dx[j] = 0;
    }
}

static inline bool cross_entropy_fits(const heed_kernel_args *args)
{
    return is_f32_rows(&args->in[0]) && (args->n_in < 3 || is_f32_rows(&args->in[2]));
}

HEED_KERNEL(softmax) = {
    .name = "k_softmax_f32", .op = HEED_OP_SOFTMAX, .fits = all_f32_rows, .run = softmax_run};
HEED_KERNEL(softmax_backward) = {
    .name = "k_softmax_backward_f32",
    .op = HEED_OP_SOFTMAX_BACKWARD,
    .fits = all_f32_rows,
    .run = softmax_backward_run,
};
HEED_KERNEL(cross_entropy) = {
    .name = "k_cross_entropy_f32",
    .op = HEED_OP_CROSS_ENTROPY,
    .fits = cross_entropy_fits,
    .run = cross_entropy_run,
};
HEED_KERNEL(cross_entropy_backward) = {
    .name = "k_cross_entropy_backward_f32",
    .op = HEED_OP_CROSS_ENTROPY_BACKWARD,
    .fits = cross_entropy_fits,
    .run = cross_entropy_backward_run,
};

#endif
