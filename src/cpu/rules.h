/* rules.h: what pays on a CPU, in one place: the answers that the passes and regions ask of the
   backend (graph/backend.h), and the row counts by which kernels of matmuls choose. */
#ifndef HEED_CPU_RULES_H
#define HEED_CPU_RULES_H

#include "graph/backend.h"

/* Rows are prepared for a matmul in one of three ways: by a step of their own; in a phase of the
   matmul, for all threads, which costs a barrier; by every thread for itself, which costs that
   thread all rows. */
enum {
    /* up to here a norm is fused into a matmul over floats; rows of quantized matmuls are prepared
       anyway, and their norm is always fused */
    HEED_CPU_NORM_ROWS = 8,
    /* up to here every thread normalizes all rows for itself */
    HEED_CPU_OWN_NORM_ROWS = 16,
    /* up to here every thread quantizes all rows for itself */
    HEED_CPU_OWN_QUANTIZED_ROWS = 8
};

extern const heed_backend_rules heed_cpu_rules;

#endif
