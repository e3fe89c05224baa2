/* unroll.h: macros for inlined functions and unrolled loops in kernels. */
#ifndef HEED_CPU_UNROLL_H
#define HEED_CPU_UNROLL_H

#if defined(__clang__)
#define HEED_UNROLL _Pragma("clang loop unroll(full)")
#else
#define HEED_UNROLL _Pragma("GCC unroll 16")
#endif
#define HEED_INLINE static inline __attribute__((always_inline))

#endif
