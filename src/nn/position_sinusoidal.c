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

void heed_sinusoid_table_fairseq(float *table, int64_t rows, int64_t width)
{
    int64_t half = width / 2;
    float step = (float)(log(10000) / (double)(half > 1 ? half - 1 : 1));
    for (int64_t row = 0; row < rows; row++) {
        float *out = table + row * width;
        if (width % 2 == 1) out[width - 1] = 0;
        for (int64_t i = 0; i < half; i++) {
            float angle = (float)row * expf(-step * (float)i);
            out[i] = sinf(angle);
            out[half + i] = cosf(angle);
        }
    }
}
