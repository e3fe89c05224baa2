/* Matmuls in portable C: vectors of 4 floats, tiles of at most 4 rows x 2 vectors. */
#include "cpu/gemm/tiles_pack.h"

static void transpose_block(heed_v block[HEED_LANES])
{
    heed_v copy[HEED_LANES];
    memcpy(copy, block, sizeof copy);
    for (int i = 0; i < HEED_LANES; i++)
        for (int j = 0; j < HEED_LANES; j++) block[i][j] = copy[j][i];
}

#define FOUR_ROWS(X, i, v) X(i, v, 1) X(i, v, 2) X(i, v, 3) X(i, v, 4)
#define SHAPES(X) FOUR_ROWS(X, 0, 1) FOUR_ROWS(X, 1, 2)
SHAPES(TILE_TYPES)

const heed_gemm_kernels heed_gemm_kernels_generic = {
    .lanes = HEED_LANES,
    .nr = HEED_GEMM_PANEL_VECTORS * HEED_LANES,
    .mr = 4,
    .blocking = {.mc = 32, .kc = 512, .nc = 2048},
    .costs = HEED_GEMM_COSTS_OF_AVX512,
    .prepacking = HEED_GEMM_PREPACKING_OF_AVX512,
    .experts = HEED_GEMM_EXPERT_COSTS,
    .loss_chunks = HEED_GEMM_LOSS_CHUNKS,
    SHAPES(TILE_ENTRIES) PACKERS,
    .finish = finish,
};
