/* Products over weights in blocks (cpu/gemm/blocks.h): rows of activations are rounded once for all products of a step, normalised before if need
   be, by every thread for itself where they are few, or in a phase of their own. */
#ifndef HEED_CPU_KERNEL_PRODUCT_BLOCKS_H
#define HEED_CPU_KERNEL_PRODUCT_BLOCKS_H

#include "cpu/kernel/product.h"

enum { FEW_BLOCK_ROWS = 8 };

static inline bool product_fits_blocks(const heed_kernel_args *args)
{
    const products all = products_of(args);
    for (int i = 0; i < all.count; i++)
        if (!heed_gemm_is_blocks(&all.gemm[i]) || all.gemm[i].b_dtype != all.gemm[0].b_dtype) return false;
    return product_fits(args);
}

static inline bool product_fits_few_blocks(const heed_kernel_args *args)
{
    return args->out[0].shape.dim[0] <= FEW_BLOCK_ROWS && product_fits_blocks(args);
}

static inline size_t row_bytes_of_left(const heed_kernel_args *args)
{
    return ((size_t)args->in[0].shape.dim[1] * sizeof(float) + 63) & ~(size_t)63;
}

static inline size_t rounded_bytes(const heed_kernel_args *args)
{
    return (heed_block_rounded_bytes(args->in[0].shape.dim[0], args->in[0].shape.dim[1]) + 63) & ~(size_t)63;
}

/* Rows [begin, end) of a, rounded, to their places. */
static inline void round_left(const heed_kernel_args *args, const products *all, int64_t begin, int64_t end, float *room, void *rounded)
{
    const heed_gemm *g = &all->gemm[0];
    const bool normalised = norm_before(args) != HEED_FUSED_NORM_NONE;
    for (int64_t i = begin; i < end; i++) {
        if (normalised) normalise_left(args, i, i + 1, room);
        heed_block_round(args->isa, g->b_dtype, normalised ? room : g->a + i * g->a_stride, 0, g->m, g->k, i, i + 1, rounded);
    }
}

static inline void run_rounded(const heed_kernel_args *args, products *all, const void *rounded, int part, void *scratch)
{
    for (int i = 0; i < all->count; i++) all->gemm[i].a_runs = rounded;
    run_numbered(all, args->isa, part, scratch);
}

static inline size_t few_blocks_scratch(const heed_kernel_args *args)
{
    return row_bytes_of_left(args) + rounded_bytes(args) + product_scratch(args);
}

static inline void few_blocks_run(const heed_kernel_args *args, int part, int parts)
{
    products all = products_of(args);
    char *rounded = (char *)args->scratch + row_bytes_of_left(args);
    (void)parts;
    if (!args->again) round_left(args, &all, 0, all.gemm[0].m, args->scratch, rounded);
    run_rounded(args, &all, rounded, part, rounded + rounded_bytes(args));
}

static inline size_t blocks_scratch(const heed_kernel_args *args)
{
    return row_bytes_of_left(args) + product_scratch(args);
}

static inline void blocks_run(const heed_kernel_args *args, int part, int parts)
{
    products all = products_of(args);
    if (args->phase == 0) {
        int64_t begin, end;
        heed_part_range(all.gemm[0].m, part, parts, &begin, &end);
        round_left(args, &all, begin, end, args->scratch, args->shared);
        return;
    }
    run_rounded(args, &all, args->shared, part, (char *)args->scratch + row_bytes_of_left(args));
}

#define BLOCK_KERNELS(op_name, op_id)                                                                                                           \
    HEED_KERNEL(op_name##_few_blocks) = {.name = "k_" #op_name "_few_blocks", .op = op_id, .fits = product_fits_few_blocks,                     \
        .scratch = few_blocks_scratch, .leads = product_leads, .parts = product_parts, .run = few_blocks_run};                                  \
    HEED_KERNEL(op_name##_blocks) = {.name = "k_" #op_name "_blocks", .op = op_id, .fits = product_fits_blocks, .scratch = blocks_scratch,      \
        .shared = rounded_bytes, .phases = 2, .leads = product_leads, .parts = norm_product_parts, .run = blocks_run}
BLOCK_KERNELS(product, HEED_OP_PRODUCT);
BLOCK_KERNELS(fused_product, HEED_OP_FUSED_PRODUCT);

#endif
