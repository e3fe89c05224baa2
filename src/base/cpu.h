/* cpu.h: what the processor can do, and what the user allows (HEED_ISA, -t, OMP_NUM_THREADS). */
#ifndef HEED_BASE_CPU_H
#define HEED_BASE_CPU_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>

/* Instruction-set levels, each containing the one before. AVX2 means AVX2 + FMA + F16C; AVX-512
   means F, BW, CD, DQ and VL. */
typedef enum heed_isa { HEED_ISA_GENERIC, HEED_ISA_AVX2, HEED_ISA_AVX512, HEED_ISA_COUNT } heed_isa;

heed_isa heed_isa_detect(void);          /* what processor and operating system support */
const char *heed_isa_name(heed_isa isa); /* "generic", "avx2", "avx512" */
/* The object name_generic, name_avx2 or name_avx512, by address: what is compiled once per
   instruction set. */
#if defined(__x86_64__)
#define HEED_FOR_ISA(isa, name)                                                          \
    ((__typeof__(&name##_generic)[HEED_ISA_COUNT]){[HEED_ISA_GENERIC] = &name##_generic, \
                                                   [HEED_ISA_AVX2] = &name##_avx2,       \
                                                   [HEED_ISA_AVX512] = &name##_avx512}[(isa)])
#else
#define HEED_FOR_ISA(isa, name) ((void)(isa), &name##_generic)
#endif
bool heed_isa_has_bf16(void); /* vdpbf16ps */
bool heed_isa_has_vnni(void); /* vpdpbusd in 512 bits */
/* The level to use: HEED_ISA if it is set, else the best. HEED_E_ARG for an unknown name or one
   this machine lacks. */
heed_status heed_isa_choose(heed_isa *isa, heed_error *error);

/* Where a number of threads comes from. */
typedef enum heed_threads_why {
    HEED_THREADS_ASKED,       /* the caller, -t */
    HEED_THREADS_ENVIRONMENT, /* OMP_NUM_THREADS */
    HEED_THREADS_PROCESSORS,  /* the processors that this process may run on */
    HEED_THREADS_QUOTA        /* the processor time that its control groups grant */
} heed_threads_why;

typedef struct heed_threads {
    int processors; /* that this process may use: by affinity, and within its quota rounded up */
    int wished;     /* threads that were asked for, 1 to 256 */
    int used; /* the smaller of the two: threads that share a processor only wait for each other */
    double quota; /* processors' worth of time, where it is less than the processors; 0 elsewhere */
    heed_threads_why why;
    char note[192]; /* what is wrong with OMP_NUM_THREADS; "" for nothing */
} heed_threads;

/* Threads to use when `wanted` are asked for; with 0 OMP_NUM_THREADS counts, else the
   processors. */
void heed_threads_choose(heed_threads *threads, int wanted);
int heed_thread_count(int wanted); /* heed_threads.wished */
int heed_processor_count(void);    /* heed_threads.processors, without an upper bound */

/* Reads OMP_NUM_THREADS as OpenMP does: one positive integer or several with commas between, with
   blanks around each. The first counts. False when `text` is anything else. */
bool heed_thread_list_read(const char *text, int *first);
/* Processors' worth of time that the control groups of this process grant, the smallest along its
   path; 0: no limit. `root` stands before /proc and /sys, "" for this machine. */
double heed_cpu_quota(const char *root);
/* Bytes of the cache of a level (2, 3) that the first processor reads data through; 0 when the
   system does not say. */
size_t heed_cache_level_bytes(int level);
/* Name of the processor, "unknown" when the system does not say. */
void heed_cpu_name(char *name, int capacity);

#endif
