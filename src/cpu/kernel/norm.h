/* Layer and RMS normalisation and their gradients; formulas in op/norm.c. A row's sums run in chains (kernel.h). The gradients of
   gain and bias sum over rows: blocks of rows, as many as the live rows decide, sum in ascending order, then the blocks are added
   in ascending order, column by column. */
#ifndef HEED_CPU_KERNEL_NORM_H
#define HEED_CPU_KERNEL_NORM_H

#include "cpu/kernel/kernel.h"

typedef struct norm {
    bool layer;
    float eps, offset;
    int64_t width;
    const heed_operand *gain, *bias; /* NULL: 1 and 0 */
} norm;

typedef struct { float mean, inverse; } statistics;

/* Sum of (x - shift) or of its square. */
HEED_INLINE float sum_of_row(const float *x, int64_t width, float shift, bool squared)
{
    chains sum = chains_of(0);
    const heed_v by = heed_v_set(shift);
    for (int64_t j = 0; j < width; j += CHAINS)
        HEED_UNROLL for (int v = 0; v < CHAIN_VECTORS; v++) {
            int64_t at = j + v * HEED_LANES, left = width - at;
            if (left <= 0) continue;
            heed_v y = first_lanes(heed_v_sub(load_some(x + at, left), by), left);
            sum.part[v] = squared ? heed_v_fma(y, y, sum.part[v]) : heed_v_add(sum.part[v], y);
        }
    return chains_sum(sum);
}

static inline statistics statistics_of(const norm *n, const float *x)
{
    float width = (float)n->width, mean = n->layer ? sum_of_row(x, n->width, 0, false) / width : 0;
    float variance = sum_of_row(x, n->width, mean, true) / width + n->eps, root[HEED_LANES];
    heed_v_store(root, heed_v_sqrt(heed_v_set(variance)));
    return (statistics){mean, 1 / root[0]};
}

/* Gain (with its offset), 1 without one, for columns j ... */
HEED_INLINE heed_v gain_at(const norm *n, int64_t j, int64_t left)
{
    return n->gain ? heed_v_add(load_vector(n->gain, j, left), heed_v_set(n->offset)) : heed_v_set(1);
}

static inline void normalise_row(const norm *n, const float *x, float *y)
{
    statistics s = statistics_of(n, x);
    const heed_v mean = heed_v_set(s.mean), inverse = heed_v_set(s.inverse);
    for (int64_t j = 0; j < n->width; j += HEED_LANES) {
        int64_t left = n->width - j;
        heed_v normal = heed_v_mul(heed_v_sub(load_some(x + j, left), mean), inverse), out = heed_v_mul(normal, gain_at(n, j, left));
        store_some(y + j, n->bias ? heed_v_add(out, load_vector(n->bias, j, left)) : out, left);
    }
}

static inline norm norm_of(const heed_kernel_args *args, bool layer, int x)
{
    const heed_norm_attributes *a = args->attributes;
    return (norm){.layer = layer, .eps = a->eps, .offset = a->offset, .width = width_of(&args->in[x]), .gain = optional_input(args, x + 1),
                  .bias = x == 0 ? optional_input(args, 2) : NULL};
}

/* What is normalised together, a head perhaps. */
static inline int64_t whole_norms(const heed_kernel_args *args)
{
    return width_of(&args->in[0]);
}

static inline void normalise_part(const heed_kernel_args *args, int part, int parts, bool layer)
{
    norm n = norm_of(args, layer, 0);
    int64_t begin, end, first, last;
    rows_of_part(args, part, parts, &begin, &end);
    columns_of_block(args, heed_shape_columns(args->in[0].shape), &first, &last);
    for (int64_t i = begin; i < end; i++)
        for (int64_t at = first; at < last; at += n.width) normalise_row(&n, float_row(&args->in[0], i) + at, float_row(&args->out[0], i) + at);
}

/* dx = (g - mean(g) - n mean(g n)) * inverse with g = dy * gain and n the normalised x; no mean(g) without a mean. */
static inline void normalise_row_backward(const norm *n, const float *dy, const float *x, float *dx)
{
    statistics s = statistics_of(n, x);
    chains sum = chains_of(0), along = chains_of(0);
    const heed_v mean = heed_v_set(s.mean), inverse = heed_v_set(s.inverse);
    for (int64_t j = 0; j < n->width; j += CHAINS)
        HEED_UNROLL for (int v = 0; v < CHAIN_VECTORS; v++) {
            int64_t at = j + v * HEED_LANES, left = n->width - at;
            if (left <= 0) continue;
            heed_v g = heed_v_mul(load_some(dy + at, left), gain_at(n, at, left)), normal = heed_v_mul(heed_v_sub(load_some(x + at, left), mean), inverse);
            sum.part[v] = heed_v_add(sum.part[v], g); /* dy and with it g are 0 behind the end */
            along.part[v] = heed_v_fma(g, normal, along.part[v]);
        }
    const heed_v middle = heed_v_set(n->layer ? chains_sum(sum) / (float)n->width : 0), slope = heed_v_set(chains_sum(along) / (float)n->width);
    for (int64_t j = 0; j < n->width; j += HEED_LANES) {
        int64_t left = n->width - j;
        heed_v g = heed_v_mul(load_some(dy + j, left), gain_at(n, j, left)), normal = heed_v_mul(heed_v_sub(load_some(x + j, left), mean), inverse);
        store_some(dx + j, heed_v_mul(heed_v_sub(heed_v_sub(g, middle), heed_v_mul(normal, slope)), inverse), left);
    }
}

static inline void normalise_part_backward(const heed_kernel_args *args, int part, int parts, bool layer)
{
    norm n = norm_of(args, layer, 1);
    int64_t begin, end, columns = heed_shape_columns(args->in[1].shape);
    rows_of_part(args, part, parts, &begin, &end);
    for (int64_t i = begin; i < end; i++)
        for (int64_t at = 0; at < columns; at += n.width)
            normalise_row_backward(&n, float_row(&args->in[0], i) + at, float_row(&args->in[1], i) + at, float_row(&args->out[0], i) + at);
}

static inline void layer_norm_run(const heed_kernel_args *args, int part, int parts) { normalise_part(args, part, parts, true); }
static inline void rms_norm_run(const heed_kernel_args *args, int part, int parts) { normalise_part(args, part, parts, false); }
static inline void layer_norm_backward_run(const heed_kernel_args *args, int part, int parts) { normalise_part_backward(args, part, parts, true); }
static inline void rms_norm_backward_run(const heed_kernel_args *args, int part, int parts) { normalise_part_backward(args, part, parts, false); }

/* ---- gradients of gain and bias ---- */

enum { GAIN_BLOCKS = 16, GAIN_BLOCK_ROWS = 32, GAIN_COLUMNS = 256 };

/* Blocks that the live rows are summed in. */
static inline int64_t gain_blocks(const heed_kernel_args *args)
{
    int64_t blocks = (heed_shape_rows(args->in[1].shape) + GAIN_BLOCK_ROWS - 1) / GAIN_BLOCK_ROWS;
    return part_count(blocks, GAIN_BLOCKS);
}

/* Of each block: sums for the gain, then for the bias. */
static inline size_t gain_shared(const heed_kernel_args *args)
{
    return (size_t)(GAIN_BLOCKS * 2 * width_of(&args->in[1])) * sizeof(float);
}

static inline int gain_parts(const heed_kernel_args *args)
{
    return (int)(args->phase == 0 ? gain_blocks(args) : (width_of(&args->in[1]) + GAIN_COLUMNS - 1) / GAIN_COLUMNS);
}

static inline void sum_block(const heed_kernel_args *args, int64_t block, int64_t blocks)
{
    const heed_norm_gain_attributes *a = args->attributes;
    norm n = {.layer = a->norm == HEED_FUSED_NORM_LAYER, .eps = a->eps, .width = width_of(&args->in[1])};
    float *gain = (float *)args->shared + block * 2 * n.width, *bias = gain + n.width;
    int64_t begin, end, columns = heed_shape_columns(args->in[1].shape);
    heed_part_range(heed_shape_rows(args->in[1].shape), (int)block, (int)blocks, &begin, &end);
    for (int64_t j = 0; j < 2 * n.width; j++) gain[j] = 0;
    for (int64_t i = begin; i < end; i++)
        for (int64_t at = 0; at < columns; at += n.width) {
            const float *dy = float_row(&args->in[0], i) + at, *x = float_row(&args->in[1], i) + at;
            statistics s = statistics_of(&n, x);
            const heed_v mean = heed_v_set(s.mean), inverse = heed_v_set(s.inverse);
            for (int64_t j = 0; j < n.width; j += HEED_LANES) {
                int64_t left = n.width - j;
                heed_v slope = load_some(dy + j, left), normal = heed_v_mul(heed_v_sub(load_some(x + j, left), mean), inverse);
                store_some(gain + j, heed_v_fma(slope, normal, load_some(gain + j, left)), left);
                if (n.layer) store_some(bias + j, heed_v_add(slope, load_some(bias + j, left)), left);
            }
        }
}

static inline void norm_gain_backward_run(const heed_kernel_args *args, int part, int parts)
{
    int64_t width = width_of(&args->in[1]), blocks = gain_blocks(args), end = width;
    if (args->phase == 0) {
        sum_block(args, part, parts);
        return;
    }
    if (part + 1 < parts) end = (int64_t)(part + 1) * GAIN_COLUMNS;
    for (int out = 0; out < 2; out++) {
        if (heed_shape_elements(args->out[out].shape) == 0) continue;
        for (int64_t j = (int64_t)part * GAIN_COLUMNS; j < end; j++) {
            float sum = 0;
            for (int64_t b = 0; b < blocks; b++) sum += ((const float *)args->shared)[(b * 2 + out) * width + j];
            *float_row(&args->out[out], j) = sum;
        }
    }
}

HEED_KERNEL(layer_norm) = {.name = "k_layer_norm_f32", .op = HEED_OP_LAYER_NORM, .fits = all_f32_rows, .follows = whole_norms, .run = layer_norm_run};
HEED_KERNEL(rms_norm) = {.name = "k_rms_norm_f32", .op = HEED_OP_RMS_NORM, .fits = all_f32_rows, .follows = whole_norms, .run = rms_norm_run};
HEED_KERNEL(layer_norm_backward) = {.name = "k_layer_norm_backward_f32", .op = HEED_OP_LAYER_NORM_BACKWARD, .fits = all_f32_rows,
    .run = layer_norm_backward_run};
HEED_KERNEL(rms_norm_backward) = {.name = "k_rms_norm_backward_f32", .op = HEED_OP_RMS_NORM_BACKWARD, .fits = all_f32_rows,
    .run = rms_norm_backward_run};
HEED_KERNEL(norm_gain_backward) = {.name = "k_norm_gain_backward_f32", .op = HEED_OP_NORM_GAIN_BACKWARD, .fits = all_f32_rows,
    .shared = gain_shared, .phases = 2, .parts = gain_parts, .run = norm_gain_backward_run};

#endif
