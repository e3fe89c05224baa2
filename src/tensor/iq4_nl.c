/* iq4_nl.c: decodes and encodes IQ4_NL: 32 numbers of 4 bits with one scale. Each q selects one of
   16 levels that lie closer together near zero, x = d * level[q].

     offset  bytes  content
          0      2  scale d
          2     16  q: byte i holds number i (low nibble) and number i + 16 (high nibble)

   Source: ggml's block_iq4_nl. */
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

/* Returns the index of the level that is nearest to a number in units of the scale. */
static int nearest_level(float value)
{
    int q = 0;
    while (q < 15 && value > 0.5f * (float)(heed_iq4_levels[q] + heed_iq4_levels[q + 1])) q++;
    return q;
}

/* Picks the nearest levels with *scale, then replaces *scale by the scale that fits these levels
   best. Returns the squared error that is left. */
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
    *scale = (float)(product / square); /* the divisor is positive, because no level is 0 */
    return energy - product * product / square;
}

void heed_iq4_nl_encode(const float *values, void *block)
{
    /* The candidates for the scale map the largest number to each of these. */
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
