/* Matmuls on AVX2: 16 registers of 8 floats. The tile of 6 rows x 2 vectors takes 12 for sums, 2
   for B and one for A. */
#include "cpu/gemm/tiles_pack.h"

#if defined(__x86_64__)

/* Three passes: 32-bit elements of pairs of rows, 64-bit pairs, then 128-bit halves change
   places. */
static void transpose_block(heed_v block[HEED_LANES])
{
    __m256 a[8], b[8];
    HEED_UNROLL for (int i = 0; i < 8; i += 2)
    {
        a[i] = _mm256_unpacklo_ps(block[i], block[i + 1]);
        a[i + 1] = _mm256_unpackhi_ps(block[i], block[i + 1]);
    }
    HEED_UNROLL for (int i = 0; i < 8; i += 4) HEED_UNROLL for (int h = 0; h < 2; h++)
    {
        __m256d low = _mm256_castps_pd(a[i + h]), high = _mm256_castps_pd(a[i + 2 + h]);
        b[i + 2 * h] = _mm256_castpd_ps(_mm256_unpacklo_pd(low, high));
        b[i + 2 * h + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(low, high));
    }
    /* b[4g + c]: in half q, column 4q + c of rows 4g .. 4g+3 */
    HEED_UNROLL for (int c = 0; c < 4; c++)
    {
        block[c] = _mm256_permute2f128_ps(b[c], b[4 + c], 0x20);
        block[4 + c] = _mm256_permute2f128_ps(b[c], b[4 + c], 0x31);
    }
}

#define SIX_ROWS(X, i, v) X(i, v, 1) X(i, v, 2) X(i, v, 3) X(i, v, 4) X(i, v, 5) X(i, v, 6)
#define SHAPES(X) SIX_ROWS(X, 0, 1) SIX_ROWS(X, 1, 2) X(2, 4, 1) X(2, 4, 2) X(2, 4, 3) X(3, 8, 1)
SHAPES(TILE_TYPES)

const heed_gemm_kernels heed_gemm_kernels_avx2 = {
    .lanes = HEED_LANES,
    .nr = HEED_GEMM_PANEL_VECTORS * HEED_LANES,
    .mr = 6,
    .blocking = {.mc = 48, .kc = 512, .nc = 2048},
    .costs = HEED_GEMM_COSTS_OF_AVX512,
    .prepacking = HEED_GEMM_PREPACKING_OF_AVX512,
    .experts = HEED_GEMM_EXPERT_COSTS,
    .loss_chunks = HEED_GEMM_LOSS_CHUNKS,
    SHAPES(TILE_ENTRIES) PACKERS,
    .finish = finish,
};

#endif
