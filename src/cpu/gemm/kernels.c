/* kernels.c: the tables of kernels by instruction set. */
#include "cpu/gemm/kernels.h"

const heed_gemm_kernels *heed_gemm_kernels_for(heed_isa isa)
{
    return HEED_FOR_ISA(isa, heed_gemm_kernels);
}

const heed_gemm_pair_kernels *heed_gemm_pair_kernels_for(heed_isa isa)
{
#if defined(__x86_64__)
    if (isa == HEED_ISA_AVX512 && heed_isa_has_bf16()) return &heed_gemm_pair_kernels_bf16;
#endif
    (void)isa;
    return NULL;
}

heed_gemm_type heed_gemm_type_of(heed_dtype dtype)
{
    if (dtype == HEED_F16) return HEED_GEMM_F16;
    return dtype == HEED_BF16 ? HEED_GEMM_BF16 : HEED_GEMM_F32;
}
