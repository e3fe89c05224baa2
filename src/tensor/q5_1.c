/* q5_1.c: decodes and encodes Q5_1: 32 numbers of 5 bits with a scale and a minimum, x = d * q + m.

     offset  bytes  content
          0      2  scale d
          2      2  minimum m
          4      4  the fifth bits: bit i % 8 of byte i / 8 belongs to number i
          8     16  low four bits: byte i holds number i (low nibble) and i + 16 (high nibble)

   Source: ggml's block_q5_1. */
#include "tensor/qblock_internal.h"

void heed_q5_1_decode(const void *block, float *values)
{
    const uint8_t *bytes = block, *fifth = bytes + 4, *nibbles = bytes + 8;
    float d = heed_get_f16(bytes), m = heed_get_f16(bytes + 2);
    for (int i = 0; i < 32; i++) {
        int q = (i < 16 ? nibbles[i] & 15 : nibbles[i - 16] >> 4) | (fifth[i / 8] >> i % 8 & 1)
                                                                        << 4;
        values[i] = d * (float)q + m;
    }
}

void heed_q5_1_encode(const float *values, void *block)
{
    uint8_t *bytes = block;
    float low = values[0], high = values[0];
    for (int i = 1; i < 32; i++) {
        low = values[i] < low ? values[i] : low;
        high = values[i] > high ? values[i] : high;
    }
    float reciprocal = heed_reciprocal((high - low) / 31);
    heed_put_f16(bytes, (high - low) / 31);
    heed_put_f16(bytes + 2, low);
    memset(bytes + 4, 0, 20);
    for (int i = 0; i < 32; i++) {
        int q = heed_round_between((values[i] - low) * reciprocal, 0, 31);
        bytes[4 + i / 8] |= (uint8_t)(q >> 4 << i % 8);
        bytes[8 + i % 16] |= (uint8_t)((q & 15) << (i < 16 ? 0 : 4));
    }
}
