/* TQ2_0: 256 numbers out of -1, 0, 1; x = d * (q - 1). Bytes:
     64  pairs of bits: for each half of 128 numbers 32 bytes, whose bits 2j and 2j+1 are the
         numbers 32j to 32j+31
      2  scale d */
#include "tensor/qblock_internal.h"

void heed_tq2_0_decode(const void *block, float *values)
{
    const uint8_t *bytes = block;
    float d = heed_get_f16(bytes + 64);
    for (int i = 0; i < 256; i++)
        values[i] = d * (float)((bytes[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3) - 1);
}
