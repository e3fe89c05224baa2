/* q3_k.c: decodes and encodes Q3_K: 256 numbers of 3 bits in 16 runs of 16, each with a scale, x =
   d * (s - 32) * (q - 4).

     offset  bytes  content
          0     32  the third bits: bit j of byte i belongs to number 32j + i
         32     64  the low two bits: bits 2j and 2j+1 of byte 32h + i hold number 128h + 32j + i
         96      8  low four bits of the scales: byte r holds runs r (low nibble) and r + 8 (high)
        104      4  high two bits of the scales: bits 2j and 2j+1 of byte i hold run 4j + i
        108      2  scale d

   Source: ggml's block_q3_K. */
#include "tensor/qblock_internal.h"

/* Returns the scale of run i, s - 32. */
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
