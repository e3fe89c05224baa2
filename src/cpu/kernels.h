/* kernels.h: the kernels that kernels.def lists, one object per instruction set. */
#ifndef HEED_CPU_KERNELS_H
#define HEED_CPU_KERNELS_H

#include "graph/op.h"

#define HEED_KERNEL_ENTRY(name)                                                       \
    extern const heed_kernel heed_kernel_##name##_generic, heed_kernel_##name##_avx2, \
        heed_kernel_##name##_avx512;
#include "cpu/kernels.def"
#undef HEED_KERNEL_ENTRY

#endif
