/* update_internal.h: the updates of parameters on the CPU: one table per instruction set. The table
   of HEED_ISA_GENERIC is heed_update_generic of graph/update.h. */
#ifndef HEED_CPU_UPDATE_INTERNAL_H
#define HEED_CPU_UPDATE_INTERNAL_H

#include "graph/update.h"

extern const heed_update_table heed_update_avx2, heed_update_avx512;

#endif
