/* qblock_fit.c: chooses scales when numbers are quantized (qblock_internal.h). */
#include "tensor/qblock_internal.h"

enum { CANDIDATES = 12, ROUNDS = 3 };

/* Rounds the values in units of `scale` and returns the scale that fits these integers best,
   sum(xq) / sum(qq). *error becomes the sum of squared errors that it leaves. */
static float improve(const float *values, int count, float scale, int low, int high, double *error)
{
    float reciprocal = heed_reciprocal(scale);
    double product = 0, square = 0, energy = 0;
    for (int i = 0; i < count; i++) {
        double q = heed_round_between(values[i] * reciprocal, low, high), x = values[i];
        product += x * q;
        square += q * q;
        energy += x * x;
    }
    *error = square > 0 ? energy - product * product / square : energy;
    return square > 0 ? (float)(product / square) : 0;
}

float heed_fit_scale(const float *values, int count, int low, int high)
{
    float max = 0, best = 0;
    for (int i = 0; i < count; i++)
        if (fabsf(values[i]) > fabsf(max)) max = values[i];
    if (max == 0) return 0;
    double least = -1;
    for (int i = 0; i <= CANDIDATES; i++)
        /* The largest number may map to the longer side of the range or to the shorter one. */
        for (int side = 0; side < 2; side++) {
            float reach = (side ? (float)high : (float)low) *
                          (0.85f + 0.3f * (float)i / CANDIDATES);
            double error;
            float scale = improve(values, count, max / reach, low, high, &error);
            if (least < 0 || error < least) {
                least = error;
                best = scale;
            }
        }
    return best;
}

/* Rounds the values with the given scale and minimum, then replaces both by the least-squares
   solution of x = scale * q - minimum for these integers, with minimum >= 0 and scale >= 0. *error
   becomes the sum of squared errors. */
static void improve_both(const float *values, int count, int high, float *scale, float *minimum,
                         double *error)
{
    float reciprocal = heed_reciprocal(*scale);
    double q1 = 0, q2 = 0, x1 = 0, xq = 0, x2 = 0, n = count;
    for (int i = 0; i < count; i++) {
        double q = heed_round_between((values[i] + *minimum) * reciprocal, 0, high), x = values[i];
        q1 += q;
        q2 += q * q;
        x1 += x;
        xq += x * q;
        x2 += x * x;
    }
    const double divisor = n * q2 - q1 * q1;
    double s = divisor > 0 ? (n * xq - q1 * x1) / divisor : 0;
    double m = divisor > 0 ? (s * q1 - x1) / n : -x1 / n;
    if (m < 0) {
        m = 0;
        s = q2 > 0 ? xq / q2 : 0;
    }
    if (s < 0) s = 0;
    *error = x2 + s * s * q2 + n * m * m - 2 * s * xq + 2 * m * x1 - 2 * s * m * q1;
    *scale = (float)s;
    *minimum = (float)m;
}

void heed_fit_scale_minimum(const float *values, int count, int high, float *scale, float *minimum)
{
    float low = 0, top = values[0];
    for (int i = 0; i < count; i++) {
        if (values[i] < low) low = values[i];
        if (values[i] > top) top = values[i];
    }
    *scale = 0;
    *minimum = -low;
    if (!(top > low)) return;
    double least = -1;
    for (int i = 0; i <= CANDIDATES; i++) {
        float s = (top - low) / ((float)high * (0.85f + 0.3f * (float)i / CANDIDATES)), m = -low;
        double error = 0;
        for (int round = 0; round < ROUNDS; round++)
            improve_both(values, count, high, &s, &m, &error);
        if (least < 0 || error < least) {
            least = error;
            *scale = s;
            *minimum = m;
        }
    }
}

void heed_k_encode_eight(const float *values, int high, uint8_t *block, uint8_t *integers)
{
    float scales[8], minima[8], most = 0, deepest = 0;
    for (int i = 0; i < 8; i++) {
        heed_fit_scale_minimum(values + 32 * i, 32, high, &scales[i], &minima[i]);
        most = scales[i] > most ? scales[i] : most;
        deepest = minima[i] > deepest ? minima[i] : deepest;
    }
    float d = heed_put_f16(block, most / 63), dmin = heed_put_f16(block + 2, deepest / 63);
    uint8_t *packed = block + 4;
    memset(packed, 0, 12);
    for (int i = 0; i < 8; i++) {
        int scale = heed_round_between(scales[i] * heed_reciprocal(d), 0, 63),
            minimum = heed_round_between(minima[i] * heed_reciprocal(dmin), 0, 63);
        if (i < 4) {
            packed[i] |= (uint8_t)scale;
            packed[i + 4] |= (uint8_t)minimum;
        } else {
            packed[i + 4] = (uint8_t)((scale & 15) | (minimum & 15) << 4);
            packed[i - 4] |= (uint8_t)(scale >> 4 << 6);
            packed[i] |= (uint8_t)(minimum >> 4 << 6);
        }
        float step = d * (float)scale, offset = dmin * (float)minimum,
              reciprocal = heed_reciprocal(step);
        for (int j = 0; j < 32; j++)
            integers[32 * i + j] = (uint8_t)heed_round_between(
                (values[32 * i + j] + offset) * reciprocal, 0, high);
    }
}
