/* q4_k.c: decodes and encodes Q4_K: 256 numbers of 4 bits in 8 runs of 32, each with a scale and a
   minimum, x = d * s * q - dmin * m.

     offset  bytes  content
          0      2  d, the scale of the scales
          2      2  dmin, the scale of the minima
          4     12  scales s and minima m of 6 bits (heed_k_scale_minimum)
         16    128  q: byte 32p + i holds numbers 64p + i (low nibble) and 64p + 32 + i (high)

   Source: ggml's block_q4_K. */
#include "tensor/qblock_internal.h"

void heed_q4_k_decode(const void *block, float *values)
{
    const uint8_t *bytes = block, *nibbles = bytes + 16;
    float d = heed_get_f16(bytes), dmin = heed_get_f16(bytes + 2);
    for (int i = 0; i < 8; i++) {
        uint8_t scale, minimum;
        heed_k_scale_minimum(bytes + 4, i, &scale, &minimum);
        float step = d * (float)scale, offset = dmin * (float)minimum;
        for (int j = 0; j < 32; j++)
            values[32 * i + j] = step * (float)(nibbles[i / 2 * 32 + j] >> (i % 2 * 4) & 15) -
                                 offset;
    }
}

void heed_q4_k_encode(const float *values, void *block)
{
    uint8_t *bytes = block, q[256];
    heed_k_encode_eight(values, 15, bytes, q);
    for (int i = 0; i < 128; i++)
        bytes[16 + i] = (uint8_t)(q[i / 32 * 64 + i % 32] | q[i / 32 * 64 + 32 + i % 32] << 4);
}
