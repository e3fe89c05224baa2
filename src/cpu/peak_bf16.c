/* The peak of vdpbf16ps: products of pairs of bf16, summed in f32. */
#if defined(__x86_64__)
#include "cpu/peak.h"

#include <immintrin.h>
#include <string.h>

enum { ACCUMULATORS = 12 };

static float run(int64_t rounds)
{
    __m512 accumulator[ACCUMULATORS];
    __m512i ones = _mm512_set1_epi16(0x3F80);
    __m512bh a, b;
    memcpy(&a, &ones, sizeof a);
    memcpy(&b, &ones, sizeof b);
    for (int i = 0; i < ACCUMULATORS; i++) accumulator[i] = _mm512_set1_ps((float)i);
    for (int64_t r = 0; r < rounds; r++) {
#pragma GCC unroll 16
        for (int i = 0; i < ACCUMULATORS; i++)
            accumulator[i] = _mm512_dpbf16_ps(accumulator[i], a, b);
    }
    for (int i = 1; i < ACCUMULATORS; i++)
        accumulator[0] = _mm512_add_ps(accumulator[0], accumulator[i]);
    return _mm512_cvtss_f32(accumulator[0]);
}

const heed_peak_loop heed_peak_bf16 = {run, 2.0 * ACCUMULATORS * 32, "vdpbf16ps, 512 bits"};

#endif
