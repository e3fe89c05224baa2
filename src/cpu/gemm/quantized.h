/* quantized.h: matmuls over quantized weights, as tensor/qblock_dot.h defines them: their packed
   panels, and what an instruction set brings to them. Internal to src/cpu.

   A packed panel is L rows of W side by side, L being the lanes of a vector; it is a row of
   qblocks, k ascending. A qblock of a panel holds
     HEED_SCALES_ONE      L scales d (f16); the run
     HEED_SCALES_MINIMUM  L scales, L minima (f16); the run
     HEED_SCALES_RUNS     L scales, L scales of minima (f16); of each of 8 runs L scales, L minima
                          (bytes), then the run
     HEED_SCALES_HALVES   L scales (f16); of each of 8 runs L scales of its first half, L of its
                          second (signed bytes), then the run
   and a run is, in vectors of L times four bytes, byte b of lane n standing for q[4g + b] of row n
   in group g = 0 ... 7:
     4 bits   4 vectors: v has group v in the low nibbles, group v + 4 in the high ones
     5 bits   the same; 1 vector: bit g is the fifth bit of group g
     6 bits   the same; 2 vectors: vector h has in bits 2i and 2i + 1 the high bits of group 4h + i
     8 bits   8 vectors, one a group
   as many bytes as on disk, but for RUNS (148 instead of 144, scales in whole bytes). The last
   panel is filled up with zeros. */
#ifndef HEED_CPU_GEMM_QUANTIZED_H
#define HEED_CPU_GEMM_QUANTIZED_H

#include "cpu/gemm/gemm.h"
#include "tensor/qblock_dot.h"

/* rows of a tile at most, columns at most */
enum { HEED_QGEMM_CHUNK_ROWS = 64, HEED_QGEMM_MAX_WIDTH = 32 };

/* One or two panels times rows of quantized activations: the sums over `blocks` qblocks, to[r][n]
   with all columns of the panels side by side. */
typedef struct heed_qgemm_tile {
    const uint8_t *panel;
    ptrdiff_t panel_stride; /* bytes from one panel to the next */
    const heed_q8_run *a;   /* rows side by side, runs a_run apart */
    ptrdiff_t a_run;
    int rows;
    int64_t blocks;
    float *to;
} heed_qgemm_tile;
typedef void heed_qgemm_tile_kernel(const heed_qgemm_tile *tile);
/* heed_q8_run_make on `runs` runs of values that follow each other, into places `apart` from each
   other. */
typedef void heed_qgemm_quantize_kernel(const float *values, const heed_qblock_traits *traits,
                                        int64_t runs, ptrdiff_t apart, heed_q8_run *out);

typedef enum heed_qgemm_shape {
    HEED_QGEMM_ONE_ROW,
    HEED_QGEMM_ONE_PANEL,
    HEED_QGEMM_TWO_PANELS,
    HEED_QGEMM_SHAPES
} heed_qgemm_shape;
/* A part has at least `part_columns` columns of a chunk of rows; if there is one chunk only, it has
   about `part_work` elements of B, as with floats (heed_gemm_costs). Chunks of 64 rows are
   measured: 71 to 80 % of the peak of bytes on AVX-512, where tiles of 8 rows reach 42 %. */
#define HEED_QGEMM_PARTS .part_columns = 128, .part_work = 1 << 16
typedef struct heed_qgemm_kernels {
    int lanes;
    int64_t part_columns, part_work;
    /* in the order of heed_qblock_traits_table; NULL: use narrower ones */
    heed_qgemm_tile_kernel *tile[HEED_QBLOCK_TRAITS][HEED_QGEMM_SHAPES];
    heed_qgemm_quantize_kernel *quantize;
} heed_qgemm_kernels;

extern const heed_qgemm_kernels heed_qgemm_kernels_generic;
#if defined(__x86_64__)
extern const heed_qgemm_kernels heed_qgemm_kernels_avx2, heed_qgemm_kernels_avx512,
    heed_qgemm_kernels_vnni;
#endif

/* Does this matmul read quantized panels? */
static inline bool heed_gemm_is_quantized(const heed_gemm *gemm)
{
    return gemm->b_kind == HEED_GEMM_B_PANELS && heed_qblock_traits_of(gemm->b_dtype) != NULL;
}

/* Rows of A, quantized once for all matmuls over them with weights of the same type. They lie in
   chunks of HEED_QGEMM_CHUNK_ROWS rows; in a chunk of R rows run r of row i stands at r * R + i. */
size_t heed_qgemm_quantized_bytes(int64_t m, int64_t k);
/* A (m,k) for weights of this type. */
typedef struct heed_qgemm_operand {
    heed_isa isa;
    heed_dtype dtype;
    int64_t m, k;
} heed_qgemm_operand;
/* Quantizes rows [first, end), of which `a` is the first, a_stride apart. */
void heed_qgemm_quantize(const heed_qgemm_operand *operand, const float *a, int64_t a_stride,
                         int64_t first, int64_t end, void *quantized);

/* What gemm.h says of matmuls and panels, for these. */
int heed_qgemm_parts(const heed_gemm *gemm, heed_isa isa);
size_t heed_qgemm_scratch(const heed_gemm *gemm, heed_isa isa);
void heed_qgemm_run(const heed_gemm *gemm, heed_isa isa, int part, int parts, void *scratch);
bool heed_qgemm_panel_bytes(heed_isa isa, heed_dtype dtype, int64_t rows, int64_t columns,
                            size_t *bytes);
/* Bytes from one panel to the next. */
size_t heed_qgemm_panel_stride(heed_isa isa, heed_dtype dtype, int64_t columns);
/* From rows of qblocks of the same type that lie end to end. */
void heed_qgemm_pack(const heed_gemm_panels *panels, int64_t first, int64_t count,
                     const void *source);
void heed_qgemm_gather(const heed_gemm_panels *panels, int64_t row, float *out);

#endif
