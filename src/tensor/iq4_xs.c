/* IQ4_XS: 256 numbers as levels of IQ4_NL in 8 runs of 32; x = d * (s - 32) * level[q]. Bytes:
       2  scale d
       2  the two high bits of scale i, in bits 2i
       4  low nibbles of the scales
     128  nibbles: of each run 16 bytes as in IQ4_NL */
#include "tensor/qblock_internal.h"

void heed_iq4_xs_decode(const void *block, float *values)
{
    const uint8_t *bytes = block, *nibbles = bytes + 8;
    float d = heed_get_f16(bytes);
    unsigned high = bytes[2] | (unsigned)bytes[3] << 8;
    for (int i = 0; i < 8; i++) {
        int scale = (bytes[4 + i / 2] >> (i % 2 * 4) & 15) | (int)(high >> (2 * i) & 3) << 4;
        float step = d * (float)(scale - 32);
        for (int j = 0; j < 16; j++) {
            values[32 * i + j] = step * (float)heed_iq4_levels[nibbles[16 * i + j] & 15];
            values[32 * i + 16 + j] = step * (float)heed_iq4_levels[nibbles[16 * i + j] >> 4];
        }
    }
}
