/* position_alibi.c: the slopes of ALiBi. */
#include "nn/position.h"

#include <math.h>

void heed_alibi_slopes(float *slopes, int64_t heads, double most)
{
    int64_t power = 1;
    while (2 * power <= heads) power *= 2;
    for (int64_t h = 0; h < heads; h++) {
        double share = (double)(h + 1) / (double)power;
        if (h >= power) share = (double)(2 * (h - power) + 1) / (double)(2 * power);
        slopes[h] = (float)exp2(-most * share);
    }
}
