/* Q4_K: 256 numbers of 4 bits in 8 runs of 32; x = d * s * q - dmin * m. Bytes:
       2  scale d
       2  scale dmin of the minima
      12  scales s and minima m of 6 bits (heed_k_scale_minimum)
     128  nibbles: for each 64 numbers 32 bytes, whose low nibbles are the first 32 */
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
