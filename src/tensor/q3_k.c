/* Q3_K: 256 numbers of 3 bits in 16 runs of 16; x = d * (s - 32) * (q - 4). Bytes:
     32  the third bits: bit j of byte i of number 32j + i
     64  pairs of bits, as in Q2_K
     12  scales of 6 bits: the low four bits of scale i in a nibble of byte i % 8 (low for i < 8),
         the two others in bits 2(i / 4) of byte 8 + i % 4
      2  scale d */
#include "tensor/qblock_internal.h"

static int scale_of(const uint8_t *packed, int i)
{
    return ((packed[i % 8] >> (i < 8 ? 0 : 4) & 15) | (packed[8 + i % 4] >> (i / 4 * 2) & 3) << 4) -
           32;
}

void heed_q3_k_decode(const void *block, float *values)
{
    const uint8_t *third = block, *pairs = third + 32, *packed = third + 96;
    float d = heed_get_f16(third + 108);
    for (int i = 0; i < 256; i++) {
        int q = (pairs[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3) |
                (third[i % 32] >> (i / 32) & 1) << 2;
        values[i] = d * (float)scale_of(packed, i / 16) * (float)(q - 4);
    }
}

void heed_q3_k_encode(const float *values, void *block)
{
    uint8_t *third = block, *pairs = third + 32, *packed = third + 96;
    float scales[16], most = 0;
    for (int i = 0; i < 16; i++) {
        scales[i] = heed_fit_scale(values + 16 * i, 16, -4, 3);
        if (fabsf(scales[i]) > fabsf(most)) most = scales[i];
    }
    memset(third, 0, 110);
    float d = heed_put_f16(third + 108, most / -32);
    for (int i = 0; i < 16; i++) {
        int scale = heed_round_between(scales[i] * heed_reciprocal(d), -32, 31);
        float reciprocal = heed_reciprocal(d * (float)scale);
        packed[i % 8] |= (uint8_t)((scale + 32) % 16 << (i < 8 ? 0 : 4));
        packed[8 + i % 4] |= (uint8_t)((scale + 32) / 16 << (i / 4 * 2));
        for (int j = 16 * i; j < 16 * i + 16; j++) {
            int q = heed_round_between(values[j] * reciprocal, -4, 3) + 4;
            pairs[j / 128 * 32 + j % 32] |= (uint8_t)((q & 3) << (j % 128 / 32 * 2));
            third[j % 32] |= (uint8_t)(q >> 2 << (j / 32));
        }
    }
}
