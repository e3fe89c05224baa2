/* cache_write.h: writes rows of keys or values into their slots of a cache of f32, f16, bf16, or
   bytes with a scale for each head; op/state.c has the formulas. A part owns columns (of a cache of
   bytes: heads), so that of several rows with one slot the last one wins. A tile consumer makes no
   such promise. */
#ifndef HEED_CPU_KERNEL_CACHE_WRITE_H
#define HEED_CPU_KERNEL_CACHE_WRITE_H

#include "cpu/kernel/kernel.h"
#include "tensor/scaled_rows.h"

enum { CACHE_COLUMNS = 256, FEW_CACHE_ROWS = 16 };

/* The number of runs with a scale in a row; 0 unless the cache holds bytes. */
static inline int64_t cache_runs(const heed_kernel_args *args)
{
    return (args->out[0].shape.dim[1] - args->in[1].shape.dim[1]) / HEED_SCALE_BYTES;
}

static inline bool cache_write_single_part(const heed_kernel_args *args)
{
    return heed_shape_rows(args->in[1].shape) <= FEW_CACHE_ROWS;
}

static inline int cache_write_parts(const heed_kernel_args *args, int phase)
{
    (void)phase;
    int64_t parts = cache_write_single_part(args) ? 1 : args->in[1].shape.dim[1] / CACHE_COLUMNS,
            runs = cache_runs(args);
    if (runs && parts > runs) parts = runs;
    return parts < 1 ? 1 : (int)parts;
}

/* Writes columns [first, last) of a row to a slot, in the type of the cache. */
static inline void write_cache_columns(const heed_operand *y, int64_t slot, const float *from,
                                       int64_t first, int64_t last)
{
    if (y->dtype == HEED_F32)
        for (int64_t j = first; j < last; j += HEED_LANES)
            store_some(float_row(y, slot) + j, load_some(from + j, last - j), last - j);
    else if (y->dtype == HEED_F16)
        for (int64_t j = first; j < last; j++)
            ((uint16_t *)y->data)[slot * y->row_stride + j] = heed_f32_to_kept_f16(from[j]);
    else
        heed_convert((uint16_t *)y->data + slot * y->row_stride + first, y->dtype, from + first,
                     HEED_F32, (size_t)(last - first));
}

/* Copies columns [first, last) of row i of the old cache. */
static inline void keep_columns(const heed_operand *y, const heed_operand *cache, int64_t i,
                                int64_t first, int64_t last)
{
    const size_t element = heed_dtypes[y->dtype].bytes;
    if (first >= last) return;
    memcpy((char *)y->data + (size_t)(i * y->row_stride + first) * element,
           (const char *)cache->data + (size_t)(i * cache->row_stride + first) * element,
           (size_t)(last - first) * element);
}

/* `consumes_tiles`: any columns, or whole heads if they have scales. */
static inline int64_t cache_write_tile_columns(const heed_kernel_args *args)
{
    const int64_t runs = cache_runs(args);
    return runs ? args->in[1].shape.dim[1] / runs : 1;
}

/* Copies the old cache if it lies elsewhere, then writes each row to its slot; slots outside of the
   cache are skipped. */
static inline void cache_write_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    const heed_operand *cache = &args->in[0], *x = &args->in[1], *y = &args->out[0];
    int64_t begin = 0, end = heed_shape_rows(x->shape), first, last, runs = cache_runs(args),
            width = x->shape.dim[1];
    heed_part_range(runs ? runs : width, call->part, call->parts, &first, &last);
    if (call->tile) {
        const int64_t together = cache_write_tile_columns(args);
        begin = call->tile->row;
        end = begin + call->tile->rows;
        first = call->tile->column / together;
        last = first + call->tile->columns / together;
    }
    const int64_t run_width = runs ? width / runs : 1;
    for (int64_t i = 0; i < heed_shape_rows(cache->shape) && !args->state_in_place; i++) {
        keep_columns(y, cache, i, first * run_width, last * run_width);
        if (runs)
            keep_columns(y, cache, i, width + first * HEED_SCALE_BYTES,
                         width + last * HEED_SCALE_BYTES);
    }
    for (int64_t i = begin; i < end; i++) {
        int32_t slot = integer_at(&args->in[2], i);
        if (slot < 0 || slot >= heed_shape_rows(y->shape)) continue;
        if (!runs) write_cache_columns(y, slot, float_row(x, i), first, last);
        for (int64_t run = runs ? first : last; run < last; run++)
            heed_scaled_run_encode((int8_t *)y->data + slot * y->row_stride, runs, width / runs,
                                   run, float_row(x, i) + run * (width / runs));
    }
}

static inline bool cache_write_fits(const heed_kernel_args *args)
{
    return is_f32_rows(&args->in[1]);
}

HEED_KERNEL(cache_write) = {
    .name = "k_cache_write",
    .op = HEED_OP_CACHE_WRITE,
    .fits = cache_write_fits,
    .parts = cache_write_parts,
    .single_part = cache_write_single_part,
    .consumes_tiles = cache_write_tile_columns,
    .run = cache_write_run,
};

#endif
