/* scaled_rows.h: rows of int8 in runs of `width`, each run with a scale of its own: `runs` *
   `width` numbers of a byte, then `runs` scales as f32. A number is scale * byte, with scale =
   largest |x| of the run / 127; a run that holds NaN or infinity is NaN throughout. Keys and values
   of a cache are kept so: a run is one head of one position. */
#ifndef HEED_TENSOR_SCALED_ROWS_H
#define HEED_TENSOR_SCALED_ROWS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

enum { HEED_SCALE_BYTES = 4 };

static inline int64_t heed_scaled_row_bytes(int64_t runs, int64_t width)
{
    return runs * (width + HEED_SCALE_BYTES);
}

/* What a run is kept with: its scale, and what its numbers are multiplied by. */
typedef struct heed_run_scale {
    float scale, reciprocal;
} heed_run_scale;

/* From the largest |x| of the run. Scales that would be subnormal are zeros. */
static inline heed_run_scale heed_run_scale_of(float max)
{
    if (!(max <= 0x1.fffffep127f)) return (heed_run_scale){NAN, 0};
    float scale = max / 127;
    return scale < 0x1p-126f ? (heed_run_scale){0, 0} : (heed_run_scale){scale, 127 / max};
}

static inline int8_t heed_run_byte(heed_run_scale by, float x)
{
    return by.reciprocal > 0 ? (int8_t)rintf(x * by.reciprocal) : 0;
}

static inline void heed_run_put_scale(int8_t *row, int64_t runs, int64_t width, int64_t run,
                                      heed_run_scale by)
{
    memcpy(row + runs * width + run * HEED_SCALE_BYTES, &by.scale, sizeof by.scale);
}

static inline void heed_scaled_run_encode(int8_t *row, int64_t runs, int64_t width, int64_t run,
                                          const float *x)
{
    uint32_t most = 0; /* sizes compare as integers, NaN the largest */
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

static inline float heed_scaled_run_scale(const int8_t *row, int64_t runs, int64_t width,
                                          int64_t run)
{
    float scale;
    memcpy(&scale, row + runs * width + run * HEED_SCALE_BYTES, sizeof scale);
    return scale;
}

static inline void heed_scaled_run_decode(const int8_t *row, int64_t runs, int64_t width,
                                          int64_t run, float *x)
{
    const float scale = heed_scaled_run_scale(row, runs, width, run);
    for (int64_t e = 0; e < width; e++) x[e] = scale * (float)row[run * width + e];
}

#endif
