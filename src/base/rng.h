/* rng.h: counter-based random numbers. The same key and counter give the same number on any thread,
   in any batch and on any machine. Source: Salmon, Moraes, Dror & Shaw 2011, "Parallel random
   numbers: as easy as 1, 2, 3", Philox4x32-10. */
#ifndef HEED_BASE_RNG_H
#define HEED_BASE_RNG_H

#include <stdint.h>

/* Computes one Philox4x32-10 block: `out` from a 128-bit counter and a 64-bit key. */
void heed_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* Mixes two words into one with the finalizer of splitmix64. It makes keys from pairs such as
   (seed, step). */
uint64_t heed_mix(uint64_t a, uint64_t b);

/* A sequential stream of random numbers, for shuffling, sampling and initial weights. The key is
   heed_mix(seed, stream), and the counter is the number of 32-bit draws so far. A copy of the
   struct resumes the stream at this place. */
typedef struct heed_rng {
    uint64_t seed, stream, drawn;
} heed_rng;
uint32_t heed_rng_u32(heed_rng *rng);
/* Uniform in [0, bound), without bias. Returns 0 if bound is 0. */
uint64_t heed_rng_below(heed_rng *rng, uint64_t bound);
double heed_rng_uniform(heed_rng *rng); /* uniform in [0, 1), 53 bits */
/* Normal with mean 0 and variance 1, by the method of Box & Muller 1958. Uses one of the two
   values. */
double heed_rng_normal(heed_rng *rng);

/* Maps 32 random bits to a float in [0, 1) with 24 bits. */
static inline float heed_unit_float(uint32_t bits)
{
    return (float)(bits >> 8) * 0x1p-24f;
}

#endif
