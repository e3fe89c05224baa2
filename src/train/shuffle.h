/* shuffle.h: a random order of which any element can be computed directly: nothing is stored and
   nothing is replayed. */
#ifndef HEED_TRAIN_SHUFFLE_H
#define HEED_TRAIN_SHUFFLE_H

#include <stdint.h>

/* Returns element `index` of a permutation of 0 .. count-1 that (seed, epoch) determine; index <
   count, count below 2^62. A Feistel network permutes the numbers below the next even power of two;
   it is applied again until the result is below count. Source: Black & Rogaway 2002, "Ciphers with
   arbitrary finite domains", method 2. */
uint64_t heed_shuffle_at(uint64_t seed, uint64_t epoch, uint64_t count, uint64_t index);

#endif
