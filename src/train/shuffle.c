#include "train/shuffle.h"

#include "base/rng.h"

enum { ROUNDS = 6 };

uint64_t heed_shuffle_at(uint64_t seed, uint64_t epoch, uint64_t count, uint64_t index)
{
    int half = 1;
    while (half < 31 && ((uint64_t)1 << 2 * half) < count) half++;
    uint64_t mask = ((uint64_t)1 << half) - 1, key = heed_mix(seed, heed_mix(epoch, count));
    do {
        uint64_t left = index >> half, right = index & mask;
        for (int round = 0; round < ROUNDS; round++) {
            uint64_t next = left ^ (heed_mix(key + (uint64_t)round, right) & mask);
            left = right;
            right = next;
        }
        index = left << half | right;
    } while (index >= count);
    return index;
}
