/* Q6_K: 256 numbers of 6 bits in 16 runs of 16; x = d * s * (q - 32). Bytes:
     128  low nibbles: for each half of 128 numbers 64 bytes, whose low nibbles are the first 64
          numbers
      64  the two high bits: for each half 32 bytes, whose bits 2j and 2j+1 belong to the numbers
          32j to 32j+31
      16  scales s, signed
       2  scale d */
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
