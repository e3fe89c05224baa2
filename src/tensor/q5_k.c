/* q5_k.c: decodes and encodes Q5_K: 256 numbers of 5 bits in 8 runs of 32, each with a scale and a
   minimum, x = d * s * q - dmin * m.

     offset  bytes  content
          0      2  d, the scale of the scales
          2      2  dmin, the scale of the minima
          4     12  scales s and minima m of 6 bits (heed_k_scale_minimum)
         16     32  the fifth bits: bit j of byte i belongs to number 32j + i
         48    128  low four bits: byte 32p + i holds 64p + i (low nibble) and 64p + 32 + i (high)

   Source: ggml's block_q5_K. */
#include "tensor/qblock_internal.h"

void heed_q5_k_decode(const void *block, float *values)
{
    const uint8_t *bytes = block, *fifth = bytes + 16, *nibbles = bytes + 48;
    float d = heed_get_f16(bytes), dmin = heed_get_f16(bytes + 2);
    for (int i = 0; i < 8; i++) {
        uint8_t scale, minimum;
        heed_k_scale_minimum(bytes + 4, i, &scale, &minimum);
        float step = d * (float)scale, offset = dmin * (float)minimum;
        for (int j = 0; j < 32; j++) {
            int q = (nibbles[i / 2 * 32 + j] >> (i % 2 * 4) & 15) | (fifth[j] >> i & 1) << 4;
            values[32 * i + j] = step * (float)q - offset;
        }
    }
}

void heed_q5_k_encode(const float *values, void *block)
{
    uint8_t *bytes = block, q[256];
    heed_k_encode_eight(values, 31, bytes, q);
    memset(bytes + 16, 0, 32);
    for (int i = 0; i < 256; i++) bytes[16 + i % 32] |= (uint8_t)(q[i] >> 4 << (i / 32));
    for (int i = 0; i < 128; i++)
        bytes[48 + i] = (uint8_t)((q[i / 32 * 64 + i % 32] & 15) |
                                  (q[i / 32 * 64 + 32 + i % 32] & 15) << 4);
}
