/* random.h: the random numbers of op/random.h, 64 channels at a time. */
#ifndef HEED_CPU_KERNEL_RANDOM_H
#define HEED_CPU_KERNEL_RANDOM_H

#include "cpu/kernel/kernel.h"
#include "op/random.h"

enum { RANDOM_BLOCKS = 16, RANDOM_WORDS = 4 * RANDOM_BLOCKS };

/* factors[j] = scale if channel 64 * run + j is kept, otherwise 0. Philox4x32-10 runs on 16
   counters side by side, which compilers turn into vector code. */
static inline void dropout_factors(const heed_random_row *row, uint32_t threshold, float scale,
                                   int64_t run, float factors[RANDOM_WORDS])
{
    uint32_t c[4][RANDOM_BLOCKS], k0 = row->key[0], k1 = row->key[1];
    for (int i = 0; i < RANDOM_BLOCKS; i++) {
        c[0][i] = (uint32_t)(run * RANDOM_BLOCKS) + (uint32_t)i;
        c[1][i] = row->position;
        c[2][i] = row->sample;
        c[3][i] = row->stream;
    }
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u)
        for (int i = 0; i < RANDOM_BLOCKS; i++) {
            uint64_t a = (uint64_t)0xD2511F53u * c[0][i], b = (uint64_t)0xCD9E8D57u * c[2][i];
            c[0][i] = (uint32_t)(b >> 32) ^ c[1][i] ^ k0;
            c[1][i] = (uint32_t)b;
            c[2][i] = (uint32_t)(a >> 32) ^ c[3][i] ^ k1;
            c[3][i] = (uint32_t)a;
        }
    for (int i = 0; i < RANDOM_BLOCKS; i++)
        for (int w = 0; w < 4; w++) factors[4 * i + w] = c[w][i] >> 8 >= threshold ? scale : 0;
}

#endif
