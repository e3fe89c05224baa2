/* alignment.h: how memory of tensors is aligned: whole cache lines, whole vectors of any
   instruction set. */
#ifndef HEED_TENSOR_ALIGNMENT_H
#define HEED_TENSOR_ALIGNMENT_H

#include "base/number.h"
#include <stddef.h>
#include <stdint.h>

enum { HEED_ALIGNMENT = 64, HEED_ALIGNED_FLOATS = HEED_ALIGNMENT / 4 };

/* The least multiple of 64 that is not less. The caller has checked that it does not wrap. */
static inline size_t heed_align(size_t bytes)
{
    return heed_round_up(bytes, HEED_ALIGNMENT);
}

/* The same for a number of floats. */
static inline int64_t heed_align_floats(int64_t count)
{
    return (count + HEED_ALIGNED_FLOATS - 1) & ~(int64_t)(HEED_ALIGNED_FLOATS - 1);
}

#endif
