/* quantized.h: matmuls with quantized weights, as tensor/qblock_dot.h defines them: their packed
   panels, and what an instruction set contributes to them. Internal to src/cpu.

   A packed panel is L rows of W side by side (L = lanes of a vector). It is a row of qblocks, k
   ascending. A qblock of a panel holds, for all L rows, first the scales and then the runs of 32
   values:

   HEED_SCALES_ONE      | L scales d (f16) | run |
   HEED_SCALES_MINIMUM  | L scales (f16) | L minima (f16) | run |
   HEED_SCALES_RUNS     | L scales (f16) | L scales of minima (f16) |
                        | 8 times: L scales (bytes), L minima (bytes), run |
   HEED_SCALES_HALVES   | L scales (f16) |
                        | 8 times: L scales of the first half of the run (signed bytes), L scales
                        |          of its second half, run |

   A run is vectors of L times four bytes. With g = 0 ... 7 a group of four values of the run, byte
   b of lane n stands for q[4g + b] of row n:

      lane        0               1                     n
      byte b      0  1  2  3      0  1  2  3            0  1  2  3
      row 0: q[4g] ... q[4g+3]    row 1: q[4g] ...      row n: q[4g] ... q[4g+3]

      8 bits   8 vectors, one for each group
      4 bits   4 vectors: vector v has group v in its low nibbles, group v + 4 in its high nibbles
      5 bits   4 vectors likewise, then 1 vector: its bit g is the fifth bit of group g
      6 bits   4 vectors likewise, then 2 vectors: bits 2i and 2i + 1 of vector h are the high bits
               of group 4h + i

   A panel takes as many bytes as its rows do on disk, except for RUNS (148 instead of 144 bytes a
   qblock, since scales are whole bytes). The last panel is filled up with zeros. */
#ifndef HEED_CPU_GEMM_QUANTIZED_H
#define HEED_CPU_GEMM_QUANTIZED_H

#include "cpu/gemm/gemm.h"
#include "tensor/qblock_dot.h"

/* mc: rows of a row block, which is also a tile's rows; columns of a tile at most */
enum { HEED_QGEMM_MC = 64, HEED_QGEMM_MAX_WIDTH = 32 };

/* The micro-kernel: one or two panels times rows of quantized activations. It sums over `blocks`
   qblocks into to[r][n], with the columns of both panels side by side. */
typedef struct heed_qgemm_tile {
    const uint8_t *panel;
    ptrdiff_t panel_stride; /* bytes from one panel to the next */
    const heed_q8_run *a;   /* for each run of k the rows side by side, runs a_run apart */
    ptrdiff_t a_run;
    int rows;
    int64_t blocks;
    float *to;
} heed_qgemm_tile;
typedef void heed_qgemm_tile_kernel(const heed_qgemm_tile *tile);
/* heed_q8_run_make for `runs` consecutive runs of values; results lie `apart` from each other. */
typedef void heed_qgemm_quantize_kernel(const float *values, const heed_qblock_traits *traits,
                                        int64_t runs, ptrdiff_t apart, heed_q8_run *out);

typedef enum heed_qgemm_shape {
    HEED_QGEMM_ONE_ROW,
    HEED_QGEMM_ONE_PANEL,
    HEED_QGEMM_TWO_PANELS,
    HEED_QGEMM_SHAPES
} heed_qgemm_shape;
/* With several row blocks a range of panels has about `part_columns` columns or more. It has fewer
   if N is less, or if it is the last one and a panel group is wide. If there is only one row block,
   of m rows, there are as many ranges as give each at least part_work / (1 + m / 8) elements of B,
   but at most most_parts; larger weights have larger ranges. An element costs more work the
   more rows there are. Blocks of 64 rows were chosen by measurement: they reach 71 to 80 % of
   the peak of int8 on AVX-512, where tiles of 8 rows reach 42 %. */
#define HEED_QGEMM_PARTS .part_columns = 128, .part_work = 1 << 16, .most_parts = 64
typedef struct heed_qgemm_kernels {
    int lanes;
    int64_t part_columns, part_work, most_parts;
    /* in the order of heed_qblock_traits_table; NULL: use a narrower tile */
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

/* Bytes of A (m,k) quantized once for all matmuls that read it with weights of the same type. Rows
   lie in row blocks of HEED_QGEMM_MC rows; in a block of R rows run r of row i stands at r * R
   + i. */
size_t heed_qgemm_quantized_bytes(int64_t m, int64_t k);
/* A (m,k), to be multiplied with weights of this type. */
typedef struct heed_qgemm_operand {
    heed_isa isa;
    heed_dtype dtype;
    int64_t m, k;
} heed_qgemm_operand;
/* Quantizes rows [first, end) of A. `a` is row `first`; rows lie a_stride apart. */
void heed_qgemm_quantize(const heed_qgemm_operand *operand, const float *a, int64_t a_stride,
                         int64_t first, int64_t end, void *quantized);

/* The functions of gemm.h for quantized matmuls. */
int heed_qgemm_parts(const heed_gemm *gemm, heed_isa isa);
size_t heed_qgemm_scratch(const heed_gemm *gemm, heed_isa isa);
void heed_qgemm_run(const heed_gemm *gemm, heed_isa isa, int part, int parts, void *scratch);
bool heed_qgemm_panel_bytes(heed_isa isa, heed_dtype dtype, int64_t rows, int64_t columns,
                            size_t *bytes);
/* Bytes from one panel to the next. */
size_t heed_qgemm_panel_stride(heed_isa isa, heed_dtype dtype, int64_t columns);
/* Packs rows [first, first + count) of W from rows of qblocks of the same type that lie end to
   end. */
void heed_qgemm_pack(const heed_gemm_panels *panels, int64_t first, int64_t count,
                     const void *source);
/* Decodes row `row` of W to floats. */
void heed_qgemm_gather(const heed_gemm_panels *panels, int64_t row, float *out);

#endif
