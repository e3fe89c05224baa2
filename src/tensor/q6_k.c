/* q6_k.c: decodes and encodes Q6_K: 256 numbers of 6 bits in 16 runs of 16, each with a scale, x =
   d * s * (q - 32).

     offset  bytes  content
          0    128  low four bits: byte 64h + i holds 128h + i (low nibble) and 128h + 64 + i (high)
        128     64  high two bits: bits 2j and 2j+1 of byte 32h + i hold number 128h + 32j + i
        192     16  scales s, signed
        208      2  scale d

   Source: ggml's block_q6_K. */
#include "tensor/qblock_internal.h"

void heed_q6_k_decode(const void *block, float *values)
{
    const uint8_t *low = block, *high = low + 128, *scales = low + 192;
    float d = heed_get_f16(low + 208);
    for (int i = 0; i < 256; i++) {
        int half = i / 128, at = i % 128;
        int q = (low[half * 64 + at % 64] >> (at / 64 * 4) & 15) |
                (high[half * 32 + at % 32] >> (at / 32 * 2) & 3) << 4;
        values[i] = d * (float)(int8_t)scales[i / 16] * (float)(q - 32);
    }
}

void heed_q6_k_encode(const float *values, void *block)
{
    uint8_t *low = block, *high = low + 128, *packed = low + 192;
    float scales[16], most = 0;
    for (int i = 0; i < 16; i++) {
        scales[i] = heed_fit_scale(values + 16 * i, 16, -32, 31);
        if (fabsf(scales[i]) > fabsf(most)) most = scales[i];
    }
    memset(low, 0, 210);
    float d = heed_put_f16(low + 208, most / -128);
    for (int i = 0; i < 16; i++) {
        int scale = heed_round_between(scales[i] * heed_reciprocal(d), -128, 127);
        float reciprocal = heed_reciprocal(d * (float)scale);
        packed[i] = (uint8_t)scale;
        for (int j = 16 * i; j < 16 * i + 16; j++) {
            int half = j / 128, at = j % 128,
                q = heed_round_between(values[j] * reciprocal, -32, 31) + 32;
            low[half * 64 + at % 64] |= (uint8_t)((q & 15) << (at / 64 * 4));
            high[half * 32 + at % 32] |= (uint8_t)(q >> 4 << (at / 32 * 2));
        }
    }
}
