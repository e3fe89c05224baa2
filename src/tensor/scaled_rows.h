/* scaled_rows.h: rows of int8 numbers in which each run of `width` numbers has its own f32 scale.
   The KV cache stores keys and values this way; a run is one head of one position. A row is

     runs * width   int8 numbers, run by run
     runs * 4       f32 scales, one per run

   A number is scale * byte, where scale is the largest |x| of the run divided by 127. If a run
   holds NaN or infinity, its scale is NaN, and so is every number of it. */
#ifndef HEED_TENSOR_SCALED_ROWS_H
#define HEED_TENSOR_SCALED_ROWS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

enum { HEED_SCALE_BYTES = 4 };

/* Returns the bytes of a row. */
static inline int64_t heed_scaled_row_bytes(int64_t runs, int64_t width)
{
    return runs * (width + HEED_SCALE_BYTES);
}

/* The scale of a run, and the factor that turns its numbers into bytes. */
typedef struct heed_run_scale {
    float scale, reciprocal;
} heed_run_scale;

/* Computes both from the largest |x| of the run. A scale that would be subnormal becomes zero. */
static inline heed_run_scale heed_run_scale_of(float max)
{
    if (!(max <= 0x1.fffffep127f)) return (heed_run_scale){NAN, 0};
    float scale = max / 127;
    return scale < 0x1p-126f ? (heed_run_scale){0, 0} : (heed_run_scale){scale, 127 / max};
}

/* Returns the byte that stands for x. */
static inline int8_t heed_run_byte(heed_run_scale by, float x)
{
    return by.reciprocal > 0 ? (int8_t)rintf(x * by.reciprocal) : 0;
}

/* Stores the scale of run `run` in its row. */
static inline void heed_run_put_scale(int8_t *row, int64_t runs, int64_t width, int64_t run,
                                      heed_run_scale by)
{
    memcpy(row + runs * width + run * HEED_SCALE_BYTES, &by.scale, sizeof by.scale);
}

/* Quantizes `width` floats into run `run` of a row. */
static inline void heed_scaled_run_encode(int8_t *row, int64_t runs, int64_t width, int64_t run,
                                          const float *x)
{
    uint32_t most = 0; /* magnitudes compare as integers, NaN above infinity */
    for (int64_t e = 0; e < width; e++) {
        uint32_t bits;
        memcpy(&bits, x + e, sizeof bits);
        bits &= 0x7FFFFFFFu;
        most = bits > most ? bits : most;
    }
    float max;
    memcpy(&max, &most, sizeof max);
    const heed_run_scale by = heed_run_scale_of(max);
    for (int64_t e = 0; e < width; e++) row[run * width + e] = heed_run_byte(by, x[e]);
    heed_run_put_scale(row, runs, width, run, by);
}

/* Returns the scale of run `run`. */
static inline float heed_scaled_run_scale(const int8_t *row, int64_t runs, int64_t width,
                                          int64_t run)
{
    float scale;
    memcpy(&scale, row + runs * width + run * HEED_SCALE_BYTES, sizeof scale);
    return scale;
}

/* Decodes run `run` of a row to `width` floats. */
static inline void heed_scaled_run_decode(const int8_t *row, int64_t runs, int64_t width,
                                          int64_t run, float *x)
{
    const float scale = heed_scaled_run_scale(row, runs, width, run);
    for (int64_t e = 0; e < width; e++) x[e] = scale * (float)row[run * width + e];
}

#endif
