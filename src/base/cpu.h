/* cpu.h: what the processor supports, and what the user allows with HEED_ISA, -t and
   OMP_NUM_THREADS. */
#ifndef HEED_BASE_CPU_H
#define HEED_BASE_CPU_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>

/* Instruction-set levels. Each contains the one before. HEED_ISA_AVX2 means AVX2, FMA and F16C.
   HEED_ISA_AVX512 adds AVX-512 F, BW, CD, DQ and VL. */
typedef enum heed_isa { HEED_ISA_GENERIC, HEED_ISA_AVX2, HEED_ISA_AVX512, HEED_ISA_COUNT } heed_isa;

/* the best level that processor and operating system support */
heed_isa heed_isa_detect(void);
const char *heed_isa_name(heed_isa isa); /* "generic", "avx2", "avx512" */
/* The address of name_generic, name_avx2 or name_avx512, for an object that is compiled once per
   instruction set. */
#if defined(__x86_64__)
#define HEED_FOR_ISA(isa, name)                                                          \
    ((__typeof__(&name##_generic)[HEED_ISA_COUNT]){[HEED_ISA_GENERIC] = &name##_generic, \
                                                   [HEED_ISA_AVX2] = &name##_avx2,       \
                                                   [HEED_ISA_AVX512] = &name##_avx512}[(isa)])
#else
#define HEED_FOR_ISA(isa, name) ((void)(isa), &name##_generic)
#endif
bool heed_isa_has_bf16(void); /* whether the processor has vdpbf16ps */
bool heed_isa_has_vnni(void); /* whether the processor has vpdpbusd in 512 bits */
/* Chooses the level to use: the environment variable HEED_ISA if it is set, otherwise the best.
   HEED_E_ARG if the name is unknown or this machine lacks the level. */
heed_status heed_isa_choose(heed_isa *isa, heed_error *error);

/* Says what decided the number of threads. */
typedef enum heed_threads_why {
    HEED_THREADS_ASKED,       /* the caller asked for it (-t) */
    HEED_THREADS_ENVIRONMENT, /* the environment variable OMP_NUM_THREADS */
    HEED_THREADS_PROCESSORS,  /* the processors on which this process may run */
    HEED_THREADS_QUOTA        /* the processor time that its control groups grant */
} heed_threads_why;

typedef struct heed_threads {
    /* processors that this process may use: its affinity mask, and at most its quota rounded up */
    int processors;
    int wished; /* threads that were asked for, 1 to 256 */
    /* The smaller of the two. More threads than processors would only wait for each other. */
    int used;
    double quota; /* the quota in processors if it is below the affinity mask, otherwise 0 */
    heed_threads_why why;
    char note[192]; /* what is wrong with OMP_NUM_THREADS, "" for nothing */
} heed_threads;

/* Decides how many threads to use. `wanted` is what the caller asks for; with 0 the variable
   OMP_NUM_THREADS decides, and without it the processors. */
void heed_threads_choose(heed_threads *threads, int wanted);
int heed_thread_count(int wanted); /* the same decision, returns heed_threads.wished */
int heed_processor_count(void);    /* heed_threads.processors, not limited to 256 */

/* Reads the value of OMP_NUM_THREADS as OpenMP does: one positive integer, or several separated by
   commas, with blanks around each. *first becomes the first. Returns false if `text` is anything
   else. */
bool heed_thread_list_read(const char *text, int *first);
/* Returns how many processors' worth of time the control groups of this process grant, which is the
   smallest quota on its path; 0 means no limit. `root` is put before /proc and /sys and is ""
   except in tests. */
double heed_cpu_quota(const char *root);
/* Returns the bytes of the data cache of a level (2 or 3) of the first processor, or 0 if the
   system does not say. */
size_t heed_cache_level_bytes(int level);
/* Writes the name of the processor, or "unknown" if the system does not say. */
void heed_cpu_name(char *name, int capacity);

#endif
