/* matmul_norm.h: matmuls of few rows, with a norm before them or without. Every thread prepares all
   rows in its scratch memory, which costs less than a barrier: it normalizes them, and packs bf16
   operands. Fusion puts no norm before a matmul of more rows (cpu/rules.h). */
#ifndef HEED_CPU_KERNEL_MATMUL_NORM_H
#define HEED_CPU_KERNEL_MATMUL_NORM_H

#include "cpu/kernel/matmul_prepack.h"
#include "cpu/kernel/norm.h"
#include "cpu/rules.h"

/* Normalizes rows [begin, end) of a into out (end - begin,K). */
static inline void normalize_a(const heed_kernel_args *args, int64_t begin, int64_t end, float *out)
{
    const heed_fused_matmul_attributes *p = args->attributes;
    const heed_operand *a = &args->in[HEED_FUSED_A];
    int64_t width = a->shape.dim[1];
    norm how = {.layer = p->norm == HEED_FUSED_NORM_LAYER,
                .eps = p->eps,
                .offset = p->offset,
                .width = width,
                .gain = heed_optional(args, HEED_FUSED_NORM_GAIN),
                .bias = heed_optional(args, HEED_FUSED_NORM_BIAS)};
    for (int64_t i = begin; i < end; i++)
        normalize_row(&how, float_row(a, i), out + (i - begin) * width);
}

/* Lets all matmuls read normalized rows instead of a. */
static inline void read_normalized(matmuls *all, const float *rows)
{
    for (int i = 0; i < all->count; i++) {
        all->gemm[i].a = rows;
        all->gemm[i].a_stride = all->gemm[i].k;
    }
}

static inline size_t normalized_bytes(const heed_kernel_args *args)
{
    const heed_operand *a = &args->in[HEED_FUSED_A];
    return heed_align((size_t)(a->shape.dim[0] * a->shape.dim[1]) * sizeof(float));
}

/* Few rows: every thread prepares what a single part would prepare. */
static inline bool matmul_fits_few_rows(const heed_kernel_args *args)
{
    const size_t packed = prepack_shared(args);
    if (!matmul_fits(args)) return false;
    return norm_before(args) != HEED_FUSED_NORM_NONE
               ? args->out[0].shape.dim[0] <= HEED_CPU_FUSED_ROWS
               : packed > 0 && packing_parts(packed, args->isa) == 1;
}

static inline size_t few_rows_normalized(const heed_kernel_args *args)
{
    return norm_before(args) != HEED_FUSED_NORM_NONE ? normalized_bytes(args) : 0;
}

static inline size_t few_rows_scratch(const heed_kernel_args *args)
{
    return few_rows_normalized(args) + prepack_shared(args) + matmul_scratch(args);
}

/* The addresses in scratch memory differ from thread to thread, so parts set them. */
static inline void few_rows_prepare(const heed_kernel_args *args)
{
    matmuls *all = args->prepared;
    *all = matmuls_of(args);
    if (norm_before(args) != HEED_FUSED_NORM_NONE) read_normalized(all, NULL);
    plan_prepack(all, args->isa);
    find_parts(all, args->isa);
}

static inline void few_rows_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    matmuls all = *prepared_matmuls(args);
    const size_t normalized = few_rows_normalized(args);
    char *room = (char *)call->scratch + normalized;
    if (normalized) read_normalized(&all, call->scratch);
    place_packed(&all, room);
    if (!call->scratch_valid) {
        if (normalized) normalize_a(args, 0, args->in[HEED_FUSED_A].shape.dim[0], call->scratch);
        if (all.packed) prepack(&all, args->isa, 0, 1);
    }
    run_numbered(&all, args->isa, call->part, room + all.packed);
}

HEED_KERNEL(matmul_few_rows) = {
    .name = "k_matmul_few_rows",
    .op = HEED_OP_MATMUL,
    .fits = matmul_fits_few_rows,
    .scratch = few_rows_scratch,
    .prepared = matmul_prepared,
    .prepare = few_rows_prepare,
    .produces_tiles = matmul_produces_tiles,
    .parts = matmul_parts,
    .run = few_rows_run,
};
HEED_KERNEL(fused_matmul_few_rows) = {
    .name = "k_fused_matmul_few_rows",
    .op = HEED_OP_FUSED_MATMUL,
    .fits = matmul_fits_few_rows,
    .scratch = few_rows_scratch,
    .prepared = matmul_prepared,
    .prepare = few_rows_prepare,
    .produces_tiles = matmul_produces_tiles,
    .parts = matmul_parts,
    .run = few_rows_run,
};

#endif
