/* rules.h: what pays on a CPU, in one place: the answers that the passes and regions ask of the
   backend (graph/backend.h), and the row counts by which kernels of matmuls choose. */
#ifndef HEED_CPU_RULES_H
#define HEED_CPU_RULES_H

#include "graph/backend.h"

enum {
    /* Up to here a norm or a gate is fused into a matmul over floats. Every thread normalizes all
       rows for itself, which costs less than a step of its own with its barrier. Rows of matmuls
       over quantized panels are prepared anyway, and their norm and gate are always fused. */
    HEED_CPU_FUSED_ROWS = 8,
    /* Up to here every thread quantizes all rows for itself; more are quantized in a phase for all
       threads, which costs a barrier. */
    HEED_CPU_OWN_QUANTIZED_ROWS = 8
};

extern const heed_backend_rules heed_cpu_rules;

#endif
