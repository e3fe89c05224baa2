/* IQ4_NL: 32 numbers as one of 16 levels that lie denser around zero; x = d * level[q]. Bytes:
      2  scale d
     16  nibbles: low ones numbers 0-15, high ones 16-31 */
#include "tensor/qblock_internal.h"

const int8_t heed_iq4_levels[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                    1,    13,   25,  38,  53,  69,  89,  113};

void heed_iq4_nl_decode(const void *block, float *values)
{
    const uint8_t *bytes = block, *nibbles = bytes + 2;
    float d = heed_get_f16(bytes);
    for (int i = 0; i < 16; i++) {
        values[i] = d * (float)heed_iq4_levels[nibbles[i] & 15];
        values[i + 16] = d * (float)heed_iq4_levels[nibbles[i] >> 4];
    }
}

static int nearest_level(float value)
{
    int q = 0;
    while (q < 15 && value > 0.5f * (float)(heed_iq4_levels[q] + heed_iq4_levels[q + 1])) q++;
    return q;
}

/* Squared error left by the best scale for the levels that `scale` picks; that scale replaces
   it. */
static double improve(const float *values, float *scale)
{
    float reciprocal = heed_reciprocal(*scale);
    double product = 0, square = 0, energy = 0;
    for (int i = 0; i < 32; i++) {
        double level = heed_iq4_levels[nearest_level(values[i] * reciprocal)], x = values[i];
        product += x * level;
        square += level * level;
        energy += x * x;
    }
    *scale = (float)(product / square); /* no level is 0 */
    return energy - product * product / square;
}

void heed_iq4_nl_encode(const float *values, void *block)
{
    /* what the largest number may become */
    static const float reaches[] = {-127, -120, -110, -134, 113, 106, 98, 120};
    uint8_t *bytes = block;
    float max = 0, best = 0;
    double least = -1;
    for (int i = 0; i < 32; i++)
        if (fabsf(values[i]) > fabsf(max)) max = values[i];
    for (size_t i = 0; max != 0 && i < sizeof reaches / sizeof *reaches; i++) {
        float scale = max / reaches[i];
        double error = improve(values, &scale);
        if (least < 0 || error < least) {
            least = error;
            best = scale;
        }
    }
    float reciprocal = heed_reciprocal(heed_put_f16(bytes, best));
    for (int i = 0; i < 16; i++)
        bytes[2 + i] = (uint8_t)(nearest_level(values[i] * reciprocal) |
                                 nearest_level(values[i + 16] * reciprocal) << 4);
}
