/* peak.h: measures what the threads of a backend can reach on this machine. Profiles are compared
   with it. */
#ifndef HEED_CPU_PEAK_H
#define HEED_CPU_PEAK_H

#include "cpu/backend.h"
#include <heed/peak.h>

/* A loop of arithmetic. One round of `run` makes `operations` multiplications and additions; `how`
   names the instruction. The result of run depends on all of them, so that none is dropped. */
typedef struct heed_peak_loop {
    float (*run)(int64_t rounds);
    double operations;
    const char *how;
} heed_peak_loop;

/* The loops of one instruction set. read adds up `count` floats, a multiple of 8 * 16, which it
   reads as `streams` (1 or 8) runs of addresses side by side. */
typedef struct heed_peak_loops {
    heed_peak_loop f32, int8;
    float (*read)(const float *data, int64_t count, int streams);
} heed_peak_loops;
extern const heed_peak_loops heed_peak_loops_generic, heed_peak_loops_avx2, heed_peak_loops_avx512;
/* For AVX-512, if the processor has these instructions. */
extern const heed_peak_loop heed_peak_int8, heed_peak_bf16;

/* Fills the record: the best of several rounds, each of which makes all measurements in turn; about
   a second in all. HEED_E_NOMEM if no block of memory larger than the caches can be had. */
heed_status heed_cpu_peak(const heed_backend *backend, heed_peak *peak, heed_error *error);

#endif
