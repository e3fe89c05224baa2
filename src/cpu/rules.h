/* rules.h: what pays on a CPU, in one place: the answers that the passes and regions ask of the
   backend (graph/backend.h), and the row counts by which kernels of matmuls choose. */
#ifndef HEED_CPU_RULES_H
#define HEED_CPU_RULES_H

#include "graph/backend.h"

/* Rows are normalized or quantized before a matmul in one of three ways: by a step of their own; in
   a phase of the matmul, for all threads, which costs a barrier; or by every thread for itself,
   which costs each thread all rows. */
enum {
    /* up to here a norm is fused into a matmul over floats; rows of matmuls over quantized panels
       are prepared anyway, and their norm is always fused */
    HEED_CPU_NORM_ROWS = 8,
    /* up to here every thread normalizes all rows for itself. Fusion stops before, so more rows
       (k_fused_matmul_norm) occur only in graphs that are built with a fused matmul. */
    HEED_CPU_OWN_NORM_ROWS = 16,
    /* up to here every thread quantizes all rows for itself */
    HEED_CPU_OWN_QUANTIZED_ROWS = 8
};

extern const heed_backend_rules heed_cpu_rules;

#endif
