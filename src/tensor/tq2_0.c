/* tq2_0.c: decodes TQ2_0: 256 ternary numbers (-1, 0 or 1) in 2 bits each with one scale, x = d *
   (q - 1).

     offset  bytes  content
          0     64  q: bits 2j and 2j+1 of byte 32h + i hold number 128h + 32j + i (h 0-1, j 0-3)
         64      2  scale d

   Source: ggml's block_tq2_0. */
#include "tensor/qblock_internal.h"

void heed_tq2_0_decode(const void *block, float *values)
{
    const uint8_t *bytes = block;
    float d = heed_get_f16(bytes + 64);
    for (int i = 0; i < 256; i++)
        values[i] = d * (float)((bytes[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3) - 1);
}
