/* Matmuls on AVX-512: 32 registers of 16 floats. The tile of 12 rows x 2 vectors takes 24 for sums,
   2 for B and one for A. */
#include "cpu/gemm/tiles_pack.h"

#if defined(__x86_64__)
#include "cpu/gemm/tiles_avx512.h"

SHAPES(TILE_TYPES)

const heed_gemm_kernels heed_gemm_kernels_avx512 = {
    .lanes = HEED_LANES,
    .nr = HEED_GEMM_PANEL_VECTORS * HEED_LANES,
    .mr = 12,
    .blocking = {.mc = 96, .kc = 512, .nc = 2048},
    .costs = HEED_GEMM_COSTS_OF_AVX512,
    .prepacking = HEED_GEMM_PREPACKING_OF_AVX512,
    .experts = HEED_GEMM_EXPERT_COSTS,
    .loss_chunks = HEED_GEMM_LOSS_CHUNKS,
    SHAPES(TILE_ENTRIES) PACKERS,
    .finish = finish,
};

#endif
