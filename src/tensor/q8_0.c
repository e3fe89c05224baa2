/* q8_0.c: decodes and encodes Q8_0: 32 numbers of 8 bits with one scale, x = d * q.

     offset  bytes  content
          0      2  scale d
          2     32  q, signed

   Source: ggml's block_q8_0. */
#include "tensor/qblock_internal.h"

void heed_q8_0_decode(const void *block, float *values)
{
    const uint8_t *bytes = block;
    float d = heed_get_f16(bytes);
    for (int i = 0; i < 32; i++) values[i] = d * (float)(int8_t)bytes[2 + i];
}

void heed_q8_0_encode(const float *values, void *block)
{
    uint8_t *bytes = block;
    float max = 0;
    for (int i = 0; i < 32; i++) max = fabsf(values[i]) > max ? fabsf(values[i]) : max;
    heed_put_f16(bytes, max / 127);
    float reciprocal = heed_reciprocal(max / 127);
    for (int i = 0; i < 32; i++)
        bytes[2 + i] = (uint8_t)heed_round_between(values[i] * reciprocal, -127, 127);
}
