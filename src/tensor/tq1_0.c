/* tq1_0.c: decodes TQ1_0: 256 ternary numbers (-1, 0 or 1) with one scale, x = d * (digit - 1).

     offset  bytes  content
          0     32  five digits a byte: digit n of byte i is number 32n + i
         32     16  five digits a byte: digit n of byte i is number 160 + 16n + i
         48      4  four digits a byte: digit n of byte i is number 240 + 4n + i
         52      2  scale d

   A byte b stands for the fraction b / 256, whose digits in base 3 are the ternary digits. Digit n
   is the integer part of 3 * (b * 3^n mod 256) / 256. Source: ggml's block_tq1_0. */
#include "tensor/qblock_internal.h"

/* Decodes `digits` digits of each of `count` bytes. Returns the address after the last number
   written. */
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
