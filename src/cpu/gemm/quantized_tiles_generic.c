/* Quantized matmuls in portable C. */
#include "cpu/vector.h"

typedef uint8_t heed_bytes __attribute__((vector_size(16)));

static inline heed_bytes bytes_load(const uint8_t *p)
{
    heed_bytes v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline heed_bytes bytes_low(heed_bytes v)
{
    return v & 15;
}
static inline heed_bytes bytes_high(heed_bytes v)
{
    return v >> 4;
}
static inline heed_bytes bytes_shift(heed_bytes v, int n, uint8_t mask)
{
    return (n < 0 ? v >> -n : v << n) & mask;
}
static inline heed_bytes bytes_or(heed_bytes a, heed_bytes b)
{
    return a | b;
}
typedef const int8_t *heed_splat;
static inline heed_splat splat(const int8_t *p)
{
    return p;
}
/* sum + in each lane the four products of q - zero and the bytes. */
static inline heed_vi dot_from(heed_vi sum, heed_bytes q, heed_splat bytes, int zero)
{
    for (int n = 0; n < HEED_LANES; n++)
        for (int b = 0; b < 4; b++) sum[n] += (q[4 * n + b] - zero) * bytes[b];
    return sum;
}
static inline heed_vi dot(heed_vi sum, heed_bytes q, heed_splat x)
{
    return dot_from(sum, q, x, 0);
}
static inline heed_vi dot_byte(heed_vi sum, heed_bytes q, heed_splat x)
{
    return dot_from(sum, q, x, 128);
}
static inline heed_vi widen(const uint8_t *p)
{
    return (heed_vi){p[0], p[1], p[2], p[3]};
}
static inline heed_vi widen_signed(const uint8_t *p)
{
    return (heed_vi){(int8_t)p[0], (int8_t)p[1], (int8_t)p[2], (int8_t)p[3]};
}

#define HOLD(x) (void)(x)
#define DOTS_ANY_BYTE 0
#include "cpu/gemm/quantized_tiles.h"

FORMATS(TILES_1)
const heed_qgemm_kernels heed_qgemm_kernels_generic = {
    .lanes = HEED_LANES,
    HEED_QGEMM_PARTS,
    .tile = {FORMATS(ENTRY_1)},
    .quantize = quantize_runs,
};
