/* q2_k.c: decodes and encodes Q2_K: 256 numbers of 2 bits in 16 runs of 16, each with a scale and a
   minimum, x = d * s * q - dmin * m.

     offset  bytes  content
          0     16  byte r holds scale s (low nibble) and minimum m (high nibble) of run r
         16     64  q: bits 2j and 2j+1 of byte 32h + i hold number 128h + 32j + i (h 0-1, j 0-3)
         80      2  d, the scale of the scales
         82      2  dmin, the scale of the minima

   Source: ggml's block_q2_K. */
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
