/* peak.h: what a backend's threads reach together on this machine, measured: the yardstick of profiles. */
#ifndef HEED_CPU_PEAK_H
#define HEED_CPU_PEAK_H

#include "cpu/backend.h"

/* The loops of one instruction set; `operations` counts the f32 multiplications and additions of one round of fma. */
typedef struct heed_peak_loops {
    float (*fma)(int64_t rounds);
    float (*read)(const float *data, int64_t count);
    double operations;
} heed_peak_loops;
extern const heed_peak_loops heed_peak_loops_generic, heed_peak_loops_avx2, heed_peak_loops_avx512;

/* Operations and bytes read from memory (a block far larger than the caches) per second; the best of a few rounds, about half a
   second in all. HEED_E_NOMEM when no block can be had. */
heed_status heed_cpu_peak(const heed_backend *backend, double *operations, double *bytes, heed_error *error);

#endif
