/* pack.h: the CPU's table of packing functions (graph/pack.h): packed panels of gemm/gemm.h. */
#ifndef HEED_CPU_PACK_H
#define HEED_CPU_PACK_H

#include "graph/pack.h"

extern const heed_pack_table heed_cpu_packing;

#endif
