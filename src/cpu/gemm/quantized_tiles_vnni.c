/* Quantized matmuls on AVX-512 with VNNI: vpdpbusd multiplies four bytes of each lane and adds the
   products to 32 bits. */
#if defined(__x86_64__)
#include "cpu/gemm/quantized_bytes_avx512.h"

static inline heed_vi dot(heed_vi sum, heed_bytes q, heed_splat x)
{
    return _mm512_dpbusd_epi32(sum, q, x);
}
static inline heed_vi dot_byte(heed_vi sum, heed_bytes q, heed_splat x)
{
    return dot(sum, q, x);
}
#define DOTS_ANY_BYTE 1

#include "cpu/gemm/quantized_tiles.h"

FORMATS(TILES_2)
const heed_qgemm_kernels heed_qgemm_kernels_vnni = {
    .lanes = HEED_LANES,
    HEED_QGEMM_PARTS,
    .tile = {FORMATS(ENTRY_2)},
    .quantize = quantize_runs,
};

#endif
