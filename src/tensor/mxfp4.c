/* mxfp4.c: decodes MXFP4: 32 numbers of 4 bits that share a power of two, x = 2^(e - 127) * number.
   A number is an E2M1 float: a sign, two bits of exponent and one bit of fraction.

     offset  bytes  content
          0      1  exponent e
          1     16  byte i holds number i (low nibble) and number i + 16 (high nibble)

   Source: OCP Microscaling Formats 1.0, section 5; ggml's block_mxfp4. */
#include "tensor/qblock_internal.h"

void heed_mxfp4_decode(const void *block, float *values)
{
    static const float numbers[16] = {0, 0.5f,  1,  1.5f,  2,  3,  4,  6,
                                      0, -0.5f, -1, -1.5f, -2, -3, -4, -6};
    const uint8_t *bytes = block;
    float scale = ldexpf(1, bytes[0] - 127);
    for (int i = 0; i < 16; i++) {
        values[i] = scale * numbers[bytes[1 + i] & 15];
        values[i + 16] = scale * numbers[bytes[1 + i] >> 4];
    }
}
