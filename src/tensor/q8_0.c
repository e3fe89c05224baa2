/* Q8_0: 32 numbers of 8 bits; x = d * q. Bytes:
      2  scale d
     32  the numbers, signed */
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
