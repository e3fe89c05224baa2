/* blocks.h: products over weights in blocks, as tensor/block_dot.h defines them: their panels, and what an instruction set brings to them.
   Internal to src/cpu/gemm.

   A panel is L rows of W side by side, L being the lanes of a vector; it is a row of blocks, k ascending. A block of it holds
     HEED_SCALES_ONE      L scales d (f16); the run
     HEED_SCALES_MINIMUM  L scales, L minima (f16); the run
     HEED_SCALES_RUNS     L scales, L scales of minima (f16); of each of 8 runs L scales, L minima (bytes), then the run
     HEED_SCALES_HALVES   L scales (f16); of each of 8 runs L scales of its first half, L of its second (signed bytes), then the run
   and a run is, in vectors of L times four bytes, byte b of lane n standing for q[4g + b] of row n in group g = 0 ... 7:
     4 bits   4 vectors: v has group v in the low nibbles, group v + 4 in the high ones
     5 bits   the same; 1 vector: bit g is the fifth bit of group g
     6 bits   the same; 2 vectors: vector h has in bits 2i and 2i + 1 the high bits of group 4h + i
     8 bits   8 vectors, one a group
   as many bytes as on disk, but for RUNS (148 instead of 144, scales in whole bytes). The last panel is filled up with zeros. */
#ifndef HEED_CPU_GEMM_BLOCKS_H
#define HEED_CPU_GEMM_BLOCKS_H

#include "cpu/gemm/gemm.h"
#include "tensor/block_dot.h"

enum { HEED_BLOCK_CHUNK = 64, HEED_BLOCK_MAX_WIDTH = 32 }; /* rows of a tile at most, columns at most */

/* One or two panels times rows of rounded activations: the chains over `blocks` blocks, to[r][n] with all columns of the panels side by side. */
typedef struct heed_block_tile {
    const uint8_t *panel;
    ptrdiff_t panel_step; /* bytes from one panel to the next */
    const heed_q8_run *a; /* rows side by side, runs a_run apart */
    ptrdiff_t a_run;
    int rows;
    int64_t blocks;
    float *to;
} heed_block_tile;
typedef void heed_block_tile_kernel(const heed_block_tile *tile);
/* heed_q8_run_make on `runs` runs of values that follow each other, into places `step` apart. */
typedef void heed_block_round_kernel(const float *values, const heed_block_traits *traits, int64_t runs, ptrdiff_t step, heed_q8_run *out);

typedef enum heed_block_shape { HEED_BLOCK_ONE_ROW, HEED_BLOCK_ONE_PANEL, HEED_BLOCK_TWO_PANELS, HEED_BLOCK_SHAPES } heed_block_shape;
typedef struct heed_block_kernels {
    int lanes;
    heed_block_tile_kernel *tile[HEED_BLOCK_TRAITS][HEED_BLOCK_SHAPES]; /* by place in heed_block_traits_table; NULL: use narrower ones */
    heed_block_round_kernel *round;
} heed_block_kernels;

extern const heed_block_kernels heed_block_kernels_generic;
#if defined(__x86_64__)
extern const heed_block_kernels heed_block_kernels_avx2, heed_block_kernels_avx512, heed_block_kernels_vnni;
#endif

/* Does this product read panels of blocks? */
static inline bool heed_gemm_is_blocks(const heed_gemm *gemm)
{
    return gemm->b_kind == HEED_GEMM_B_PANELS && heed_block_traits_of(gemm->b_dtype) != NULL;
}

/* Rows of A, rounded once for all products over them with weights of the same type. They lie in chunks of HEED_BLOCK_CHUNK rows; in a
   chunk of R rows run r of row i stands at r * R + i. Rows [first, end) of m, `a` being row `first`. */
size_t heed_block_rounded_bytes(int64_t m, int64_t k);
void heed_block_round(heed_isa isa, heed_dtype dtype, const float *a, int64_t a_stride, int64_t m, int64_t k, int64_t first, int64_t end, void *rounded);

/* What gemm.h says of products and panels, for these. */
int heed_block_gemm_parts(const heed_gemm *gemm, heed_isa isa);
size_t heed_block_gemm_scratch(const heed_gemm *gemm, heed_isa isa);
void heed_block_gemm_run(const heed_gemm *gemm, heed_isa isa, int part, int parts, void *scratch);
bool heed_block_panel_bytes(heed_isa isa, heed_dtype dtype, int64_t rows, int64_t columns, size_t *bytes);
/* Bytes from one panel to the next. */
size_t heed_block_panel_step(heed_isa isa, heed_dtype dtype, int64_t columns);
/* From rows of blocks of the same type that lie end to end. */
void heed_block_pack(const heed_gemm_panels *panels, int64_t first, int64_t count, const void *source);
void heed_block_gather(const heed_gemm_panels *panels, int64_t row, float *out);

#endif
