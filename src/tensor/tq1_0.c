/* TQ1_0: 256 numbers out of -1, 0, 1; x = d * (digit - 1). Bytes:
     48  with five ternary digits each: byte i of the first 32 holds numbers 32n + i, byte i of the
         next 16 numbers 160 + 16n + i
      4  with four digits each: numbers 240 + 4n + i
      2  scale d
   A byte b holds its digits as the fraction b / 256 in base 3, rounded up, so that digit n is the
   integer part of 3 * (b * 3^n mod 256) / 256. */
#include "tensor/qblock_internal.h"

static float *decode_run(const uint8_t *bytes, int count, int digits, float d, float *values)
{
    static const uint8_t powers[5] = {1, 3, 9, 27, 81};
    for (int n = 0; n < digits; n++)
        for (int i = 0; i < count; i++)
            *values++ = d * (float)(((uint8_t)(bytes[i] * powers[n]) * 3 >> 8) - 1);
    return values;
}

void heed_tq1_0_decode(const void *block, float *values)
{
    const uint8_t *bytes = block;
    float d = heed_get_f16(bytes + 52);
    values = decode_run(bytes, 32, 5, d, values);
    values = decode_run(bytes + 32, 16, 5, d, values);
    decode_run(bytes + 48, 4, 4, d, values);
}
