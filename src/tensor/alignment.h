/* alignment.h: the alignment of tensor memory. 64 bytes are one cache line and a multiple of the
   vector length of every instruction set. */
#ifndef HEED_TENSOR_ALIGNMENT_H
#define HEED_TENSOR_ALIGNMENT_H

#include "base/number.h"
#include <stddef.h>
#include <stdint.h>

enum { HEED_ALIGNMENT = 64, HEED_ALIGNED_FLOATS = HEED_ALIGNMENT / 4 };

/* Returns `bytes` rounded up to a multiple of 64. The caller has checked that the result does not
   wrap. */
static inline size_t heed_align(size_t bytes)
{
    return heed_round_up(bytes, HEED_ALIGNMENT);
}

/* Returns `count` floats rounded up to a multiple of 16 floats, which are 64 bytes. */
static inline int64_t heed_align_floats(int64_t count)
{
    return (count + HEED_ALIGNED_FLOATS - 1) & ~(int64_t)(HEED_ALIGNED_FLOATS - 1);
}

#endif
