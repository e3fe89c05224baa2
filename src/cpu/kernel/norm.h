/* norm.h: layer and RMS normalization and their gradients; op/norm.c has the formulas. Sums along a
   row use 64 accumulators (kernel.h). The gradients of gain and bias are sums over rows, in two
   phases: groups of rows, whose number depends on the live rows, are summed in ascending order;
   then the groups are added in ascending order, column by column. */
#ifndef HEED_CPU_KERNEL_NORM_H
#define HEED_CPU_KERNEL_NORM_H

#include "cpu/kernel/kernel.h"

/* How to normalize; layer: as a layer norm, otherwise as an RMS norm. */
typedef struct norm {
    bool layer;
    float eps, offset;
    int64_t width;
    const heed_operand *gain, *bias; /* NULL: a gain of 1, no bias */
} norm;

typedef struct {
    float mean, rstd;
} statistics;

/* The sum of x - shift, or of its square. */
HEED_INLINE float sum_of_row(const float *x, int64_t width, float shift, bool squared)
{
    accumulators sum = accumulators_of(0);
    const heed_v by = heed_v_set(shift);
    HEED_FOR_ACCUMULATORS(j, v, width)
    {
        const int64_t at = j + v * HEED_LANES, left = width - at;
        heed_v y = first_lanes(heed_v_sub(load_some(x + at, left), by), left);
        sum.vector[v] = squared ? heed_v_fma(y, y, sum.vector[v]) : heed_v_add(sum.vector[v], y);
    }
    return accumulators_sum(sum);
}

static inline statistics statistics_of(const norm *n, const float *x)
{
    float width = (float)n->width, mean = n->layer ? sum_of_row(x, n->width, 0, false) / width : 0;
    float variance = sum_of_row(x, n->width, mean, true) / width + n->eps, root[HEED_LANES];
    heed_v_store(root, heed_v_sqrt(heed_v_set(variance)));
    return (statistics){mean, 1 / root[0]};
}

/* Gain plus offset for columns from j on; 1 without a gain. */
HEED_INLINE heed_v gain_at(const norm *n, int64_t j, int64_t left)
{
    return n->gain ? heed_v_add(load_vector(n->gain, j, left), heed_v_set(n->offset))
                   : heed_v_set(1);
}

/* xhat = (x - mean) * rstd. */
HEED_INLINE heed_v xhat_at(const statistics *s, const float *x, int64_t left)
{
    return heed_v_mul(heed_v_sub(load_some(x, left), heed_v_set(s->mean)), heed_v_set(s->rstd));
}

static inline void normalize_row(const norm *n, const float *x, float *y)
{
    statistics s = statistics_of(n, x);
    for (int64_t j = 0; j < n->width; j += HEED_LANES) {
        int64_t left = n->width - j;
        const heed_v xhat = xhat_at(&s, x + j, left), out = heed_v_mul(xhat, gain_at(n, j, left));
        store_some(y + j, n->bias ? heed_v_add(out, load_vector(n->bias, j, left)) : out, left);
    }
}

static inline norm norm_of(const heed_kernel_args *args, bool layer, int x)
{
    const heed_norm_attributes *a = args->attributes;
    return (norm){.layer = layer,
                  .eps = a->eps,
                  .offset = a->offset,
                  .width = heed_width(&args->in[x]),
                  .gain = heed_optional(args, x + 1),
                  .bias = x == 0 ? heed_optional(args, 2) : NULL};
}

/* `consumes_tiles`: columns that are normalized together, such as a head. */
static inline int64_t whole_norms(const heed_kernel_args *args)
{
    return heed_width(&args->in[0]);
}

static inline void normalize_part(const heed_kernel_args *args, const heed_kernel_call *call,
                                  bool layer)
{
    norm n = norm_of(args, layer, 0);
    int64_t begin, end, first, last;
    rows_of_part(args, call, &begin, &end);
    columns_of_tile(call, heed_shape_columns(args->in[0].shape), &first, &last);
    for (int64_t i = begin; i < end; i++)
        for (int64_t at = first; at < last; at += n.width)
            normalize_row(&n, float_row(&args->in[0], i) + at, float_row(&args->out[0], i) + at);
}

/* dx = (g - mean(g) - xhat mean(g xhat)) * rstd with g = dy * gain. An RMS norm leaves out
   mean(g). */
static inline void normalize_row_backward(const norm *n, const float *dy, const float *x, float *dx)
{
    statistics s = statistics_of(n, x);
    accumulators sum_g = accumulators_of(0), sum_g_xhat = accumulators_of(0);
    HEED_FOR_ACCUMULATORS(j, v, n->width)
    {
        const int64_t at = j + v * HEED_LANES, left = n->width - at;
        const heed_v g = heed_v_mul(load_some(dy + at, left), gain_at(n, at, left));
        /* dy, and with it g, is 0 after the end of the row */
        sum_g.vector[v] = heed_v_add(sum_g.vector[v], g);
        sum_g_xhat.vector[v] = heed_v_fma(g, xhat_at(&s, x + at, left), sum_g_xhat.vector[v]);
    }
    const heed_v rstd = heed_v_set(s.rstd);
    const heed_v mean_g = heed_v_set(n->layer ? accumulators_sum(sum_g) / (float)n->width : 0);
    const heed_v mean_g_xhat = heed_v_set(accumulators_sum(sum_g_xhat) / (float)n->width);
    for (int64_t j = 0; j < n->width; j += HEED_LANES) {
        int64_t left = n->width - j;
        const heed_v g = heed_v_mul(load_some(dy + j, left), gain_at(n, j, left)),
                     xhat = xhat_at(&s, x + j, left);
        store_some(
            dx + j,
            heed_v_mul(heed_v_sub(heed_v_sub(g, mean_g), heed_v_mul(xhat, mean_g_xhat)), rstd),
            left);
    }
}

static inline void normalize_part_backward(const heed_kernel_args *args,
                                           const heed_kernel_call *call, bool layer)
{
    norm n = norm_of(args, layer, 1);
    int64_t begin, end, columns = heed_shape_columns(args->in[1].shape);
    rows_of_part(args, call, &begin, &end);
    for (int64_t i = begin; i < end; i++)
        for (int64_t at = 0; at < columns; at += n.width)
            normalize_row_backward(&n, float_row(&args->in[0], i) + at,
                                   float_row(&args->in[1], i) + at,
                                   float_row(&args->out[0], i) + at);
}

static inline void layer_norm_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    normalize_part(args, call, true);
}
static inline void rms_norm_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    normalize_part(args, call, false);
}
static inline void layer_norm_backward_run(const heed_kernel_args *args,
                                           const heed_kernel_call *call)
{
    normalize_part_backward(args, call, true);
}
static inline void rms_norm_backward_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    normalize_part_backward(args, call, false);
}

/* ---- gradients of gain and bias ---- */

enum { GAIN_GROUPS = 16, GAIN_GROUP_ROWS = 32, GAIN_COLUMNS = 256 };

/* Groups in which the live rows are summed. */
static inline int64_t gain_groups(const heed_kernel_args *args)
{
    int64_t groups = (heed_shape_rows(args->in[1].shape) + GAIN_GROUP_ROWS - 1) / GAIN_GROUP_ROWS;
    return part_count(groups, GAIN_GROUPS);
}

/* For each group: sums for the gain, then for the bias. */
static inline size_t gain_shared(const heed_kernel_args *args)
{
    return (size_t)(GAIN_GROUPS * 2 * heed_width(&args->in[1])) * sizeof(float);
}

static inline int gain_parts(const heed_kernel_args *args, int phase)
{
    return (int)(phase == 0 ? gain_groups(args)
                            : (heed_width(&args->in[1]) + GAIN_COLUMNS - 1) / GAIN_COLUMNS);
}

/* Phase 0 of the gradients of gain and bias: sums over one group of rows, ascending. */
static inline void sum_row_group(const heed_kernel_args *args, int64_t group, int64_t groups)
{
    const heed_norm_gain_attributes *a = args->attributes;
    norm n = {.layer = a->norm == HEED_FUSED_NORM_LAYER,
              .eps = a->eps,
              .width = heed_width(&args->in[1])};
    float *gain = (float *)args->shared + group * 2 * n.width, *bias = gain + n.width;
    int64_t begin, end, columns = heed_shape_columns(args->in[1].shape);
    heed_part_range(heed_shape_rows(args->in[1].shape), (int)group, (int)groups, &begin, &end);
    for (int64_t j = 0; j < 2 * n.width; j++) gain[j] = 0;
    for (int64_t i = begin; i < end; i++)
        for (int64_t at = 0; at < columns; at += n.width) {
            const float *dy = float_row(&args->in[0], i) + at, *x = float_row(&args->in[1], i) + at;
            statistics s = statistics_of(&n, x);
            for (int64_t j = 0; j < n.width; j += HEED_LANES) {
                int64_t left = n.width - j;
                const heed_v g = load_some(dy + j, left);
                store_some(gain + j,
                           heed_v_fma(g, xhat_at(&s, x + j, left), load_some(gain + j, left)),
                           left);
                if (n.layer) store_some(bias + j, heed_v_add(g, load_some(bias + j, left)), left);
            }
        }
}

/* Phase 1 adds up the sums of the groups, ascending, column by column. */
static inline void norm_gain_backward_run(const heed_kernel_args *args,
                                          const heed_kernel_call *call)
{
    int64_t width = heed_width(&args->in[1]), groups = gain_groups(args), end = width;
    if (call->phase == 0) {
        sum_row_group(args, call->part, call->parts);
        return;
    }
    if (call->part + 1 < call->parts) end = (int64_t)(call->part + 1) * GAIN_COLUMNS;
    for (int out = 0; out < 2; out++) {
        if (heed_shape_elements(args->out[out].shape) == 0) continue;
        for (int64_t j = (int64_t)call->part * GAIN_COLUMNS; j < end; j++) {
            float sum = 0;
            for (int64_t g = 0; g < groups; g++)
                sum += ((const float *)args->shared)[(g * 2 + out) * width + j];
            *float_row(&args->out[out], j) = sum;
        }
    }
}

HEED_KERNEL(layer_norm) = {
    .name = "k_layer_norm_f32",
    .op = HEED_OP_LAYER_NORM,
    .fits = all_f32_rows,
    .consumes_tiles = whole_norms,
    .run = layer_norm_run,
};
HEED_KERNEL(rms_norm) = {.name = "k_rms_norm_f32",
                         .op = HEED_OP_RMS_NORM,
                         .fits = all_f32_rows,
                         .consumes_tiles = whole_norms,
                         .run = rms_norm_run};
HEED_KERNEL(layer_norm_backward) = {
    .name = "k_layer_norm_backward_f32",
    .op = HEED_OP_LAYER_NORM_BACKWARD,
    .fits = all_f32_rows,
    .run = layer_norm_backward_run,
};
HEED_KERNEL(rms_norm_backward) = {
    .name = "k_rms_norm_backward_f32",
    .op = HEED_OP_RMS_NORM_BACKWARD,
    .fits = all_f32_rows,
    .run = rms_norm_backward_run,
};
HEED_KERNEL(norm_gain_backward) = {
    .name = "k_norm_gain_backward_f32",
    .op = HEED_OP_NORM_GAIN_BACKWARD,
    .fits = all_f32_rows,
    .shared = gain_shared,
    .phases = 2,
    .parts = gain_parts,
    .run = norm_gain_backward_run,
};

#endif
