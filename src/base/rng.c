/* rng.c: Philox4x32-10 and distributions (rng.h). */
#include "base/rng.h"

#include <math.h>

void heed_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3], k0 = key[0],
             k1 = key[1];
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
        uint64_t a = (uint64_t)0xD2511F53u * c0, b = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)b;
        c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)a;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

uint64_t heed_mix(uint64_t a, uint64_t b)
{
    uint64_t z = a * 0x9E3779B97F4A7C15u + b + 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

uint32_t heed_rng_u32(heed_rng *rng)
{
    uint64_t key = heed_mix(rng->seed, rng->stream), block = rng->drawn / 4;
    uint32_t out[4];
    heed_philox((const uint32_t[4]){(uint32_t)block, (uint32_t)(block >> 32), 0, 0},
                (const uint32_t[2]){(uint32_t)key, (uint32_t)(key >> 32)}, out);
    return out[rng->drawn++ % 4];
}

/* Returns 64 random bits, two draws. */
static uint64_t draw64(heed_rng *rng)
{
    uint64_t high = heed_rng_u32(rng);
    return high << 32 | heed_rng_u32(rng);
}

uint64_t heed_rng_below(heed_rng *rng, uint64_t bound)
{
    if (bound == 0) return 0;
    uint64_t reject_from = UINT64_MAX - UINT64_MAX % bound, value;
    do value = draw64(rng);
    while (value >= reject_from);
    return value % bound;
}

double heed_rng_uniform(heed_rng *rng)
{
    return (double)(draw64(rng) >> 11) * 0x1p-53;
}

double heed_rng_normal(heed_rng *rng)
{
    /* u in (0, 1] keeps the logarithm finite. */
    double u = 1 - heed_rng_uniform(rng), v = heed_rng_uniform(rng);
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}
