/* matmul_quantized.h: quantized matmuls (cpu/gemm/quantized.h). Rows of a are normalized, if the
   step has a norm, and quantized, once for all matmuls of the step. If they are few, every thread
   does that for itself; otherwise a phase before the matmul does it for all threads. */
#ifndef HEED_CPU_KERNEL_MATMUL_QUANTIZED_H
#define HEED_CPU_KERNEL_MATMUL_QUANTIZED_H

#include "cpu/kernel/matmul_norm.h"

static inline bool matmul_fits_quantized(const heed_kernel_args *args)
{
    const matmuls all = matmuls_of(args);
    for (int i = 0; i < all.count; i++)
        if (!heed_gemm_is_quantized(&all.gemm[i]) || all.gemm[i].b_dtype != all.gemm[0].b_dtype)
            return false;
    return matmul_fits(args);
}

static inline bool matmul_fits_quantized_few_rows(const heed_kernel_args *args)
{
    return args->out[0].shape.dim[0] <= HEED_CPU_OWN_QUANTIZED_ROWS && matmul_fits_quantized(args);
}

static inline size_t row_bytes_of_a(const heed_kernel_args *args)
{
    return heed_align((size_t)args->in[0].shape.dim[1] * sizeof(float));
}

static inline size_t quantized_bytes(const heed_kernel_args *args)
{
    return heed_align(
        heed_qgemm_quantized_bytes(args->in[0].shape.dim[0], args->in[0].shape.dim[1]));
}

/* Quantizes rows [begin, end) of a into their places. `room` holds one normalized row. */
static inline void quantize_a(const heed_kernel_args *args, const matmuls *all, int64_t begin,
                              int64_t end, float *room, void *quantized)
{
    const heed_gemm *g = &all->gemm[0];
    const bool normalized = norm_before(args) != HEED_FUSED_NORM_NONE;
    const heed_qgemm_operand operand = {args->isa, g->b_dtype, g->m, g->k};
    for (int64_t i = begin; i < end; i++) {
        if (normalized) normalize_a(args, i, i + 1, room);
        heed_qgemm_quantize(&operand, normalized ? room : g->a + i * g->a_stride, 0, i, i + 1,
                            quantized);
    }
}

/* Lets all matmuls read the quantized rows. */
static inline void read_quantized(matmuls *all, const void *quantized)
{
    for (int i = 0; i < all->count; i++) all->gemm[i].a_runs = quantized;
}

static inline size_t quantized_few_rows_scratch(const heed_kernel_args *args)
{
    return row_bytes_of_a(args) + quantized_bytes(args) + matmul_scratch(args);
}

static inline void quantized_few_rows_run(const heed_kernel_args *args,
                                          const heed_kernel_call *call)
{
    matmuls all = *prepared_matmuls(args);
    char *quantized = (char *)call->scratch + row_bytes_of_a(args);
    read_quantized(&all, quantized);
    if (!call->scratch_valid) quantize_a(args, &all, 0, all.gemm[0].m, call->scratch, quantized);
    run_numbered(&all, args->isa, call->part, quantized + quantized_bytes(args));
}

static inline size_t quantized_scratch(const heed_kernel_args *args)
{
    return row_bytes_of_a(args) + matmul_scratch(args);
}

static inline void quantized_prepare(const heed_kernel_args *args)
{
    matmul_prepare(args);
    read_quantized(args->prepared, args->shared);
}

static inline void quantized_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    const matmuls *all = prepared_matmuls(args);
    if (call->phase == 0) {
        int64_t begin, end;
        heed_part_range(all->gemm[0].m, call->part, call->parts, &begin, &end);
        quantize_a(args, all, begin, end, call->scratch, args->shared);
        return;
    }
    run_numbered(all, args->isa, call->part, (char *)call->scratch + row_bytes_of_a(args));
}

enum { ROWS_TO_QUANTIZE = 8 }; /* rows of a part of phase 0 */

/* Phase 0 quantizes rows, phase 1 multiplies. */
static inline int quantized_parts(const heed_kernel_args *args, int phase)
{
    if (phase == 1) return prepared_matmuls(args)->all_parts;
    int64_t parts = (args->in[HEED_FUSED_A].shape.dim[0] + ROWS_TO_QUANTIZE - 1) / ROWS_TO_QUANTIZE;
    return parts < 1 ? 1 : (int)parts;
}

#define QUANTIZED_KERNELS(name_, op_id)                                                   \
    HEED_KERNEL(name_##_quantized_few_rows) = {.name = "k_" #name_ "_quantized_few_rows", \
                                               .op = op_id,                               \
                                               .fits = matmul_fits_quantized_few_rows,    \
                                               .scratch = quantized_few_rows_scratch,     \
                                               .prepared = matmul_prepared,               \
                                               .prepare = matmul_prepare,                 \
                                               .produces_tiles = matmul_produces_tiles,   \
                                               .parts = matmul_parts,                     \
                                               .run = quantized_few_rows_run};            \
    HEED_KERNEL(name_##_quantized) = {.name = "k_" #name_ "_quantized",                   \
                                      .op = op_id,                                        \
                                      .fits = matmul_fits_quantized,                      \
                                      .scratch = quantized_scratch,                       \
                                      .shared = quantized_bytes,                          \
                                      .phases = 2,                                        \
                                      .prepared = matmul_prepared,                        \
                                      .prepare = quantized_prepare,                       \
                                      .produces_tiles = matmul_produces_tiles,            \
                                      .parts = quantized_parts,                           \
                                      .run = quantized_run}
QUANTIZED_KERNELS(matmul, HEED_OP_MATMUL);
QUANTIZED_KERNELS(fused_matmul, HEED_OP_FUSED_MATMUL);

#endif
