/* MXFP4: 32 numbers of 4 bits, sign, two bits of exponent, one of fraction (E2M1), times a power of
   two; x = 2^(e - 127) * number. Bytes:
      1  exponent e
     16  nibbles: low ones numbers 0-15, high ones 16-31
   Source: OCP Microscaling Formats 1.0, section 5. */
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
