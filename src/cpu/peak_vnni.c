/* The peak of vpdpbusd: products of bytes, summed in 32 bits. */
#if defined(__x86_64__)
#include "cpu/peak.h"

#include <immintrin.h>

enum { ACCUMULATORS = 12 };

static float run(int64_t rounds)
{
    __m512i accumulator[ACCUMULATORS], a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(5);
    for (int i = 0; i < ACCUMULATORS; i++) accumulator[i] = _mm512_set1_epi32(i);
    for (int64_t r = 0; r < rounds; r++) {
#pragma GCC unroll 16
        for (int i = 0; i < ACCUMULATORS; i++)
            accumulator[i] = _mm512_dpbusd_epi32(accumulator[i], a, b);
    }
    for (int i = 1; i < ACCUMULATORS; i++)
        accumulator[0] = _mm512_add_epi32(accumulator[0], accumulator[i]);
    return (float)_mm_cvtsi128_si32(_mm512_castsi512_si128(accumulator[0]));
}

const heed_peak_loop heed_peak_int8 = {run, 2.0 * ACCUMULATORS * 64, "vpdpbusd, 512 bits"};

#endif
