/* Q2_K: 256 numbers of 2 bits in 16 runs of 16; x = d * s * q - dmin * m. Bytes:
     16  of each run scale s (low nibble) and minimum m (high)
     64  pairs of bits: for each half of 128 numbers 32 bytes, whose bits 2j and 2j+1 are the
         numbers 32j to 32j+31
      2  scale d
      2  scale dmin of the minima */
#include "tensor/qblock_internal.h"

void heed_q2_k_decode(const void *block, float *values)
{
    const uint8_t *bytes = block, *pairs = bytes + 16;
    float d = heed_get_f16(bytes + 80), dmin = heed_get_f16(bytes + 82);
    for (int i = 0; i < 256; i++) {
        int q = pairs[i / 128 * 32 + i % 32] >> (i % 128 / 32 * 2) & 3;
        values[i] = d * (float)(bytes[i / 16] & 15) * (float)q - dmin * (float)(bytes[i / 16] >> 4);
    }
}

void heed_q2_k_encode(const float *values, void *block)
{
    uint8_t *bytes = block;
    float scales[16], minima[16], most = 0, deepest = 0;
    for (int i = 0; i < 16; i++) {
        heed_fit_scale_minimum(values + 16 * i, 16, 3, &scales[i], &minima[i]);
        most = scales[i] > most ? scales[i] : most;
        deepest = minima[i] > deepest ? minima[i] : deepest;
    }
    memset(bytes, 0, 84);
    float d = heed_put_f16(bytes + 80, most / 15), dmin = heed_put_f16(bytes + 82, deepest / 15);
    for (int i = 0; i < 16; i++) {
        int scale = heed_round_between(scales[i] * heed_reciprocal(d), 0, 15),
            minimum = heed_round_between(minima[i] * heed_reciprocal(dmin), 0, 15);
        float reciprocal = heed_reciprocal(d * (float)scale), offset = dmin * (float)minimum;
        bytes[i] = (uint8_t)(scale | minimum << 4);
        for (int j = 16 * i; j < 16 * i + 16; j++)
            bytes[16 + j / 128 * 32 + j % 32] |=
                (uint8_t)(heed_round_between((values[j] + offset) * reciprocal, 0, 3)
                          << (j % 128 / 32 * 2));
    }
}
