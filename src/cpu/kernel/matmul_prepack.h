/* matmul_prepack.h: matmuls of bf16 operands that are packed once for all parts, in a phase before
   the matmul, if that is faster than packing in every part. */
#ifndef HEED_CPU_KERNEL_MATMUL_PREPACK_H
#define HEED_CPU_KERNEL_MATMUL_PREPACK_H

#include "cpu/kernel/matmul.h"

static inline const heed_gemm_prepacking *prepacking_of(heed_isa isa)
{
    return &heed_gemm_kernels_for(isa)->prepacking;
}

static inline int packing_parts(size_t bytes, heed_isa isa)
{
    enum { MOST_PACKING_PARTS = 32 };
    return part_count((int64_t)bytes / prepacking_of(isa)->part_bytes, MOST_PACKING_PARTS);
}

/* Plans to prepack the operands of all matmuls: A, which all of them read, then each B that has to
   be packed. Sets all->packed to the bytes. Leaves it at 0 if it is better that parts pack for
   themselves in their scratch memory:
   - if a B has to be packed and rows are few;
   - if only A has to be packed, one matmul reads it and it is small: a phase would cost a barrier
     and the way through memory.
   A run with fewer rows than its plan needs no more bytes. */
static inline void plan_prepack(matmuls *all, heed_isa isa)
{
    size_t bytes = 0, own = 0;
    if (!all->gemm[0].bf16_operands) return;
    for (int i = 0; i < all->count; i++) {
        heed_gemm *g = &all->gemm[i];
        size_t a, b;
        g->prepacked = true;
        heed_gemm_prepack_bytes(g, isa, &a, &b);
        if (i == 0) bytes = a;
        all->packed_b[i] = bytes;
        bytes += b;
        own += b;
    }
    const heed_gemm *first = &all->gemm[0];
    const heed_gemm_prepacking *limits = prepacking_of(isa);
    const bool rows_alone = own == 0 && all->count == 1 && packing_parts(bytes, isa) > 1 &&
                            first->k <= limits->own_depth && first->n <= limits->own_columns;
    if (!rows_alone && (own == 0 || first->m >= limits->rows)) {
        all->packed = bytes;
        return;
    }
    for (int i = 0; i < all->count; i++) all->gemm[i].prepacked = false;
}

/* Lets packed operands, if there are any, lie at `room`. */
static inline void place_packed(matmuls *all, char *room)
{
    for (int i = 0; i < all->count && all->packed; i++) {
        all->gemm[i].packed_a = room;
        all->gemm[i].packed_b = room + all->packed_b[i];
    }
}

static inline void prepack(const matmuls *all, heed_isa isa, int part, int parts)
{
    for (int i = 0; i < all->count; i++) {
        heed_gemm g = all->gemm[i];
        if (i > 0) g.packed_a = NULL; /* it is packed already: all matmuls share it */
        heed_gemm_prepack(&g, isa, part, parts);
    }
}

static inline size_t prepack_shared(const heed_kernel_args *args)
{
    matmuls all = matmuls_of(args);
    plan_prepack(&all, args->isa);
    return all.packed;
}

static inline void prepack_prepare(const heed_kernel_args *args)
{
    matmuls *all = args->prepared;
    *all = matmuls_of(args);
    plan_prepack(all, args->isa);
    place_packed(all, args->shared);
    find_parts(all, args->isa);
}

static inline bool matmul_fits_prepack(const heed_kernel_args *args)
{
    if (!matmul_fits_plain(args)) return false;
    const size_t bytes = prepack_shared(args);
    return bytes > 0 && bytes <= (size_t)prepacking_of(args->isa)->most_bytes;
}

static inline int prepack_parts(const heed_kernel_args *args, int phase)
{
    const matmuls *all = prepared_matmuls(args);
    return phase == 1 ? all->all_parts : packing_parts(all->packed, args->isa);
}

static inline void prepack_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    const matmuls *all = prepared_matmuls(args);
    if (call->phase == 1) run_numbered(all, args->isa, call->part, call->scratch);
    else if (all->packed) prepack(all, args->isa, call->part, call->parts);
}

HEED_KERNEL(matmul_prepack) = {
    .name = "k_matmul_prepack",
    .op = HEED_OP_MATMUL,
    .fits = matmul_fits_prepack,
    .scratch = matmul_scratch,
    .shared = prepack_shared,
    .phases = 2,
    .prepared = matmul_prepared,
    .prepare = prepack_prepare,
    .produces_tiles = matmul_produces_tiles,
    .parts = prepack_parts,
    .run = prepack_run,
};
HEED_KERNEL(fused_matmul_prepack) = {
    .name = "k_fused_matmul_prepack",
    .op = HEED_OP_FUSED_MATMUL,
    .fits = matmul_fits_prepack,
    .scratch = matmul_scratch,
    .shared = prepack_shared,
    .phases = 2,
    .prepared = matmul_prepared,
    .prepare = prepack_prepare,
    .produces_tiles = matmul_produces_tiles,
    .parts = prepack_parts,
    .run = prepack_run,
};

#endif
