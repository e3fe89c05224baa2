/* position_sinusoidal.c: the sinusoidal table of positions. */
#include "nn/position.h"

#include <math.h>

void heed_sinusoid_table(float *table, int64_t rows, int64_t width, heed_sinusoid_order order)
{
    int64_t sines = (width + 1) / 2;
    for (int64_t row = 0; row < rows; row++)
        for (int64_t i = 0; i < sines; i++) {
            double angle = (double)row / pow(10000, 2 * (double)i / (double)width);
            float *out = table + row * width;
            const bool halves = order == HEED_SINUSOID_HALVES;
            const int64_t sine = halves ? i : 2 * i;
            const int64_t cosine = halves ? sines + i : 2 * i + 1;
            out[sine] = (float)sin(angle);
            /* an odd width has one sine more */
            if (cosine < width) out[cosine] = (float)cos(angle);
        }
}
