/* q4_0.c: decodes and encodes Q4_0: 32 numbers of 4 bits with one scale, x = d * (q - 8).

     offset  bytes  content
          0      2  scale d
          2     16  q: byte i holds number i (low nibble) and number i + 16 (high nibble)

   Source: ggml's block_q4_0. */
#include "tensor/qblock_internal.h"

void heed_q4_0_decode(const void *block, float *values)
{
    const uint8_t *bytes = block, *nibbles = bytes + 2;
    float d = heed_get_f16(bytes);
    for (int i = 0; i < 16; i++) {
        values[i] = d * (float)((nibbles[i] & 15) - 8);
        values[i + 16] = d * (float)((nibbles[i] >> 4) - 8);
    }
}

/* The number with the largest magnitude becomes -8, the end of the range that has no positive
   counterpart. */
void heed_q4_0_encode(const float *values, void *block)
{
    uint8_t *bytes = block;
    float max = 0;
    for (int i = 0; i < 32; i++)
        if (fabsf(values[i]) > fabsf(max)) max = values[i];
    heed_put_f16(bytes, max / -8);
    float reciprocal = heed_reciprocal(max / -8);
    for (int i = 0; i < 16; i++)
        bytes[2 + i] = (uint8_t)((heed_round_between(values[i] * reciprocal, -8, 7) + 8) |
                                 (heed_round_between(values[i + 16] * reciprocal, -8, 7) + 8) << 4);
}
