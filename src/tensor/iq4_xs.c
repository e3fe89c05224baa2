/* iq4_xs.c: decodes IQ4_XS: 256 numbers of 4 bits in 8 runs of 32, each with a scale. Each q
   selects one of the levels of IQ4_NL, x = d * (s - 32) * level[q].

     offset  bytes  content
          0      2  scale d
          2      2  high two bits of the scales: bits 2r and 2r+1 of a 16-bit number hold run r
          4      4  low four bits of the scales: byte i holds runs 2i (low nibble) and 2i + 1 (high)
          8    128  q: byte 16r + i holds numbers 32r + i (low nibble) and 32r + 16 + i (high)

   Source: ggml's block_iq4_xs. */
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
