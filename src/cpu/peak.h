/* peak.h: what a backend's threads reach on this machine, measured: the yardstick of profiles. */
#ifndef HEED_CPU_PEAK_H
#define HEED_CPU_PEAK_H

#include "cpu/backend.h"
#include <heed/peak.h>

/* One round of `run` is `operations` multiplications and additions; `how` names the instruction.
   run returns something that depends on all. */
typedef struct heed_peak_loop {
    float (*run)(int64_t rounds);
    double operations;
    const char *how;
} heed_peak_loop;

/* The loops of one instruction set. read: `count` floats, a multiple of 8 * 16, as `streams` (1 or
   8) runs side by side. */
typedef struct heed_peak_loops {
    heed_peak_loop f32, int8;
    float (*read)(const float *data, int64_t count, int streams);
} heed_peak_loops;
extern const heed_peak_loops heed_peak_loops_generic, heed_peak_loops_avx2, heed_peak_loops_avx512;
/* For AVX-512, if the processor has these instructions. */
extern const heed_peak_loop heed_peak_int8, heed_peak_bf16;

/* Fills the record; the best of some rounds that go through all measurements in turn, about a
   second in all. HEED_E_NOMEM when no block larger than the caches can be had. */
heed_status heed_cpu_peak(const heed_backend *backend, heed_peak *peak, heed_error *error);

#endif
