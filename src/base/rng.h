/* rng.h: counter-based random numbers (invariant 9): the same coordinates give the same number on
   any thread, batch or machine. Source: Salmon, Moraes, Dror & Shaw 2011, "Parallel random numbers:
   as easy as 1, 2, 3", Philox4x32-10. */
#ifndef HEED_BASE_RNG_H
#define HEED_BASE_RNG_H

#include <stdint.h>

/* One Philox4x32-10 block: 128-bit counter, 64-bit key. */
void heed_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* Mixes two words into one well spread word (splitmix64 finalizer); used to build keys from (seed,
   step). */
uint64_t heed_mix(uint64_t a, uint64_t b);

/* A sequential stream for host code (shuffling, sampling, initial weights): key = (seed, stream),
   counter = draws so far. Plain data: copy it to save it, write it back to resume. */
typedef struct heed_rng {
    uint64_t seed, stream, drawn;
} heed_rng;
uint32_t heed_rng_u32(heed_rng *rng);
/* uniform in [0, bound), unbiased; 0 when bound is 0 */
uint64_t heed_rng_below(heed_rng *rng, uint64_t bound);
double heed_rng_uniform(heed_rng *rng); /* [0, 1), 53 bits */
/* mean 0, variance 1 (Box & Muller 1958) */
double heed_rng_normal(heed_rng *rng);

/* u32 to a float in [0, 1) with 24 bits. */
static inline float heed_unit_float(uint32_t bits)
{
    return (float)(bits >> 8) * 0x1p-24f;
}

#endif
