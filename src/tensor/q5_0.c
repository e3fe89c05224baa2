/* q5_0.c: decodes and encodes Q5_0: 32 numbers of 5 bits with one scale, x = d * (q - 16).

     offset  bytes  content
          0      2  scale d
          2      4  the fifth bits: bit i % 8 of byte i / 8 belongs to number i
          6     16  low four bits: byte i holds number i (low nibble) and i + 16 (high nibble)

   Source: ggml's block_q5_0. */
#include "tensor/qblock_internal.h"

void heed_q5_0_decode(const void *block, float *values)
{
    const uint8_t *bytes = block, *fifth = bytes + 2, *nibbles = bytes + 6;
    float d = heed_get_f16(bytes);
    for (int i = 0; i < 32; i++) {
        int q = (i < 16 ? nibbles[i] & 15 : nibbles[i - 16] >> 4) | (fifth[i / 8] >> i % 8 & 1)
                                                                        << 4;
        values[i] = d * (float)(q - 16);
    }
}

void heed_q5_0_encode(const float *values, void *block)
{
    uint8_t *bytes = block;
    float max = 0;
    for (int i = 0; i < 32; i++)
        if (fabsf(values[i]) > fabsf(max)) max = values[i];
    heed_put_f16(bytes, max / -16);
    float reciprocal = heed_reciprocal(max / -16);
    memset(bytes + 2, 0, 20);
    for (int i = 0; i < 32; i++) {
        int q = heed_round_between(values[i] * reciprocal, -16, 15) + 16;
        bytes[2 + i / 8] |= (uint8_t)(q >> 4 << i % 8);
        bytes[6 + i % 16] |= (uint8_t)((q & 15) << (i < 16 ? 0 : 4));
    }
}
