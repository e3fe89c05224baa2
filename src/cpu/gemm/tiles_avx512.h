/* tiles_avx512.h: what matmuls of floats and of pairs share on AVX-512: the tiles that 32 registers
   hold, and transposition. */
#ifndef HEED_CPU_GEMM_TILES_AVX512_H
#define HEED_CPU_GEMM_TILES_AVX512_H

#include "cpu/gemm/tiles.h"

/* Four passes, each swapping the off-diagonal halves of pairs of rows: 32-bit elements, 64-bit
   pairs, 128-bit quarters (twice). */
static void transpose_block(heed_v block[HEED_LANES])
{
    __m512 a[16], b[16];
    HEED_UNROLL for (int i = 0; i < 16; i += 2)
    {
        a[i] = _mm512_unpacklo_ps(block[i], block[i + 1]);
        a[i + 1] = _mm512_unpackhi_ps(block[i], block[i + 1]);
    }
    HEED_UNROLL for (int i = 0; i < 16; i += 4) HEED_UNROLL for (int h = 0; h < 2; h++)
    {
        __m512d low = _mm512_castps_pd(a[i + h]), high = _mm512_castps_pd(a[i + 2 + h]);
        b[i + 2 * h] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
        b[i + 2 * h + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
    }
    /* b[4g + c] has in quarter q column 4q + c of rows 4g to 4g + 3 */
    HEED_UNROLL for (int c = 0; c < 4; c++)
    {
        __m512 low = _mm512_shuffle_f32x4(b[c], b[4 + c], 0x88),
               high = _mm512_shuffle_f32x4(b[8 + c], b[12 + c], 0x88);
        block[c] = _mm512_shuffle_f32x4(low, high, 0x88);
        block[8 + c] = _mm512_shuffle_f32x4(low, high, 0xDD);
        low = _mm512_shuffle_f32x4(b[c], b[4 + c], 0xDD);
        high = _mm512_shuffle_f32x4(b[8 + c], b[12 + c], 0xDD);
        block[4 + c] = _mm512_shuffle_f32x4(low, high, 0x88);
        block[12 + c] = _mm512_shuffle_f32x4(low, high, 0xDD);
    }
}

#define SIX_ROWS(X, i, v) X(i, v, 1) X(i, v, 2) X(i, v, 3) X(i, v, 4) X(i, v, 5) X(i, v, 6)
#define TWELVE_ROWS(X, i, v) \
    SIX_ROWS(X, i, v) X(i, v, 7) X(i, v, 8) X(i, v, 9) X(i, v, 10) X(i, v, 11) X(i, v, 12)
#define SHAPES(X) TWELVE_ROWS(X, 0, 1) TWELVE_ROWS(X, 1, 2) SIX_ROWS(X, 2, 4) X(3, 8, 1) X(3, 8, 2)

#endif
