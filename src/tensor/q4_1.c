/* q4_1.c: decodes and encodes Q4_1: 32 numbers of 4 bits with a scale and a minimum, x = d * q + m.

     offset  bytes  content
          0      2  scale d
          2      2  minimum m
          4     16  q: byte i holds number i (low nibble) and number i + 16 (high nibble)

   Source: ggml's block_q4_1. */
#include "tensor/qblock_internal.h"

void heed_q4_1_decode(const void *block, float *values)
{
    const uint8_t *bytes = block, *nibbles = bytes + 4;
    float d = heed_get_f16(bytes), m = heed_get_f16(bytes + 2);
    for (int i = 0; i < 16; i++) {
        values[i] = d * (float)(nibbles[i] & 15) + m;
        values[i + 16] = d * (float)(nibbles[i] >> 4) + m;
    }
}

void heed_q4_1_encode(const float *values, void *block)
{
    uint8_t *bytes = block;
    float low = values[0], high = values[0];
    for (int i = 1; i < 32; i++) {
        low = values[i] < low ? values[i] : low;
        high = values[i] > high ? values[i] : high;
    }
    float reciprocal = heed_reciprocal((high - low) / 15);
    heed_put_f16(bytes, (high - low) / 15);
    heed_put_f16(bytes + 2, low);
    for (int i = 0; i < 16; i++)
        bytes[4 + i] = (uint8_t)(heed_round_between((values[i] - low) * reciprocal, 0, 15) |
                                 heed_round_between((values[i + 16] - low) * reciprocal, 0, 15)
                                     << 4);
}
