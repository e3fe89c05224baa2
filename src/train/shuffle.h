/* shuffle.h: a random order that can be asked for any place of it: nothing is stored, nothing
   replayed. */
#ifndef HEED_TRAIN_SHUFFLE_H
#define HEED_TRAIN_SHUFFLE_H

#include <stdint.h>

/* Element `index` of a permutation of 0 .. count-1 drawn by (seed, epoch); index < count, count
   below 2^62. A Feistel network over the next even power of two, walked until it lands below count.
   Source: Black & Rogaway 2002, "Ciphers with arbitrary finite domains", method 2. */
uint64_t heed_shuffle_at(uint64_t seed, uint64_t epoch, uint64_t count, uint64_t index);

#endif
