/* Q4_0: 32 numbers of 4 bits; x = d * (q - 8). Bytes:
      2  scale d
     16  nibbles: low ones numbers 0-15, high ones 16-31 */
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

/* The number of the largest magnitude becomes -8, which has no counterpart on the other side. */
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
