/* random.h: how the numbers of random ops are counted. The coordinates of a number are (seed, step,
   stream, sample, position, channel), never the row in a batch, so that a mask does not depend on
   neighbors, buckets or threads.

     key     = heed_mix(seed, step), low word first                    one key for each run
     counter = {channel / 4, position, sample, stream * 4096 + plane}  one Philox4x32-10 block
     word    = channel % 4                                             of the four in a block

   The stream is the own number of the node, fixed when the graph is built. The other coordinates
   depend on what dropout is applied to:
   - activations: position is that of the row, channel is the place of the element in the row, plane
     is 0;
   - attention weights: position is the number of the query, FIRST_INDEX plus its row within the
     sequence; channel is the number of the key, from 0 within the sequence; plane is the query
     head.

   Index arrays (masks) change no number. An element is kept if the upper 24 bits of its word reach
   the threshold of the rate. */
#ifndef HEED_OP_RANDOM_H
#define HEED_OP_RANDOM_H

#include "base/rng.h"
#include "graph/op.h"
#include <math.h>

enum { HEED_RANDOM_PLANES = 4096, HEED_RANDOM_STREAMS = 1 << 20 };

/* The coordinates of one row of random numbers: all but the channel. */
typedef struct {
    uint32_t key[2], position, sample, stream;
} heed_random_row;

static inline heed_random_row heed_random_row_of(const heed_runtime *runtime, int32_t stream,
                                                 int plane, int32_t sample, int32_t position)
{
    uint64_t key = heed_mix(runtime->seed, runtime->step);
    return (heed_random_row){{(uint32_t)key, (uint32_t)(key >> 32)},
                             (uint32_t)position,
                             (uint32_t)sample,
                             (uint32_t)stream * HEED_RANDOM_PLANES + (uint32_t)plane};
}

/* The words of channels 4 * block .. 4 * block + 3. */
static inline void heed_random_block(const heed_random_row *row, int64_t block, uint32_t words[4])
{
    heed_philox((const uint32_t[4]){(uint32_t)block, row->position, row->sample, row->stream},
                row->key, words);
}

/* Kept elements have (word >> 8) >= threshold; the chance of being dropped is rate to within
   2^-24. */
static inline uint32_t heed_dropout_threshold(float rate)
{
    return (uint32_t)ceil((double)rate * 0x1p24);
}

/* Words are drawn in blocks of four: `words` holds those of the last block asked for. Channels are
   asked for in ascending order. */
static inline bool heed_dropout_keeps(const heed_random_row *row, uint32_t threshold,
                                      int64_t channel, uint32_t words[4])
{
    if (channel % 4 == 0) heed_random_block(row, channel / 4, words);
    return words[channel % 4] >> 8 >= threshold;
}

#endif
