/* vector.h: vectors of HEED_LANES floats for kernels, with the same names on every instruction set.
   Files called *_avx512.c, *_vnni.c and *_bf16.c are compiled for AVX-512 (16 lanes), *_avx2.c for
   AVX2 (8 lanes), all others as portable C (4 lanes); CMakeLists.txt says with which options.
   Everything is static inline.

   heed_v is a vector of floats, heed_vi of int32_t, heed_vm a mask of lanes.
     heed_v_zero() heed_v_set(x)             all lanes 0, or x
     heed_v_load(p) heed_v_store(p, x)       HEED_LANES floats; p needs no alignment
     heed_v_load_part(p, n)                  only the first n lanes, n >= 0; other lanes load
     heed_v_store_part(p, x, n)              as 0; nothing outside [p, p + n) is touched
     heed_v_load_f16(p) heed_v_load_bf16(p)  16-bit floats, widened; also with _part
     heed_v_add sub mul div sqrt             lane by lane
     heed_v_fma(a, b, c)                     a * b + c with one rounding, on every instruction set
     heed_v_min(a, b) heed_v_max(a, b)       a < b ? a : b and a > b ? a : b, so b if either is NaN
     heed_v_less(a, b)                       mask of a < b
     heed_v_select(m, a, b)                  m ? a : b
     heed_v_scale(x, n)                      x * 2^n, n integral in [-150, 129], one rounding
     heed_v_sum(x) heed_v_hmax(x)            over all lanes: halves are combined, then their halves
                                             and so on (hmax: no NaN in x)
     heed_v_bits heed_v_from_bits heed_vi_*  operations on the bits of floats

   vector_math.h adds heed_v_round_bf16 (exactly heed_round_operand) exp log log1p_unit tanh erf
   sigmoid abs negate copysign. They are accurate to 2 units in the last place unless it says
   otherwise, treat NaN and infinity as C does, and give the same bits on all instruction sets. */
#ifndef HEED_CPU_VECTOR_H
#define HEED_CPU_VECTOR_H

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#include "cpu/vector_avx512.h"
#elif defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)
#include "cpu/vector_avx2.h"
#else
#include "cpu/vector_generic.h"
#endif
#include "cpu/vector_math.h"

#endif
