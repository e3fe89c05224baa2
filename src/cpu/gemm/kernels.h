/* kernels.h: what an instruction set brings to the products: register tiles, packing of operands, the epilogue. Internal to
   src/cpu/gemm. */
#ifndef HEED_CPU_GEMM_KERNELS_H
#define HEED_CPU_GEMM_KERNELS_H

#include "cpu/gemm/gemm.h"

enum {
    HEED_GEMM_MAX_ROWS = 12,      /* rows of the tallest register tile */
    HEED_GEMM_MAX_WIDTH = 128,    /* columns of the widest */
    HEED_GEMM_WIDTHS = 4,         /* tiles are 1, 2, 4 or 8 vectors wide; index i is 2^i vectors */
    HEED_GEMM_PANEL_VECTORS = 2   /* a panel is 2 vectors wide */
};

/* Element types of B, as an index. An element of PAIRS has 4 bytes and holds two steps in bf16, (k, k + 1), the first in its high half: two
   rows of steps share one row of elements. Panels of bf16 are such (gemm.h). */
typedef enum heed_gemm_type { HEED_GEMM_F32, HEED_GEMM_F16, HEED_GEMM_BF16, HEED_GEMM_PAIRS, HEED_GEMM_TYPES } heed_gemm_type;
heed_gemm_type heed_gemm_type_of(heed_dtype dtype); /* of rows */
static inline ptrdiff_t heed_gemm_type_bytes(heed_gemm_type type) { return type == HEED_GEMM_F16 || type == HEED_GEMM_BF16 ? 2 : 4; }
static inline int64_t heed_gemm_type_steps(heed_gemm_type type) { return type == HEED_GEMM_PAIRS ? 2 : 1; }

/* One register tile over `depth` steps: to[r][j] = chain over k of a[r * a_row + k * a_step] * b(k, j), begun with from[r][j],
   or with 0 where from is NULL. b(k, j) stands at b[(j / P) * b_panel + k * b_step + j % P] for panels of P columns; of PAIRS, in the pair
   at b[(j / P) * b_panel + k / 2 * b_step + j % P]. */
typedef struct heed_gemm_tile {
    const float *a;
    ptrdiff_t a_row, a_step;
    ptrdiff_t a_ahead;         /* elements: fetch a this far ahead into the cache */
    const void *b;
    ptrdiff_t b_panel, b_step; /* elements */
    int64_t depth;
    const float *from;
    float *to;
    ptrdiff_t from_stride, to_stride;
} heed_gemm_tile;

typedef void heed_gemm_tile_kernel(const heed_gemm_tile *tile);

/* Writes `rows` rows of `width` packed elements of 4 bytes; the source has `stride` elements between its rows (rows 2i and 2i + 1 of PAIRS are
   one row of elements); width is a multiple of the lanes, and columns from `valid` on are 0. */
typedef void heed_gemm_pack_kernel(float *out, int width, const void *source, heed_gemm_type type, ptrdiff_t stride, int64_t rows,
                                   int valid);

/* Tile or panel t, `tall` columns behind the one before: `rows` rows of floats from source + t * tall, `stride` apart, become packed steps of
   `width` elements at out + t * apart. */
typedef struct heed_gemm_tile_strip { int tiles, tall, width; ptrdiff_t apart; } heed_gemm_tile_strip;
typedef void heed_gemm_pack_tiles_kernel(float *out, const heed_gemm_tile_strip *strip, const float *source, ptrdiff_t stride, int64_t rows);

/* How operands of a product are packed. A packed element is a float, or a pair of steps (k, k + 1) in bf16, the first in its high
   half: vdpbf16ps begins with that one. A step beyond the last is 0.
     straight      out[step][j] from source[k * stride + j], `rows` counting k: B as rows (K,N), A transposed, panels
     transposing   out[step][j] from source[j * stride + k], `rows` counting k: B as rows (N,K)
     lengthwise    out[i][step] from source[i * stride + k], `valid` counting k: A as rows (M,K)
     tiles         straight for several tiles or panels side by side, none of them ending in a part of a vector: rows are read once, whole lines */
typedef struct heed_gemm_packers {
    heed_gemm_pack_kernel *straight, *transposing, *lengthwise;
    heed_gemm_pack_tiles_kernel *tiles;
} heed_gemm_packers;

/* The tiles by width index and rows; NULL where the registers do not suffice. */
typedef heed_gemm_tile_kernel *heed_gemm_tiles[HEED_GEMM_WIDTHS][HEED_GEMM_MAX_ROWS + 1];

/* Epilogue of the product for rows [m, m + rows) and columns [n, n + columns): takes the finished chains, writes C. */
typedef void heed_gemm_finish_kernel(const heed_gemm *gemm, int64_t m, int64_t n, int rows, int columns, const float *chains,
                                     ptrdiff_t stride);

typedef struct heed_gemm_kernels {
    int lanes, panel, rows;                                        /* floats a vector, columns a panel, rows of the tallest tile */
    heed_gemm_tiles tile[HEED_GEMM_TYPES];
    heed_gemm_packers floats, rounded;                             /* floats as they are, and rounded to bf16 */
    heed_gemm_packers joined;                                      /* rounded, two steps to an element: what resident panels of bf16 hold; only
                                                                      straight and transposing */
    heed_gemm_finish_kernel *finish;
} heed_gemm_kernels;

/* Products of pairs, beside the kernels of the same lanes. */
typedef struct heed_gemm_pair_kernels {
    heed_gemm_tiles tile;
    heed_gemm_packers pairs;
} heed_gemm_pair_kernels;

extern const heed_gemm_kernels heed_gemm_kernels_generic;
#if defined(__x86_64__)
extern const heed_gemm_kernels heed_gemm_kernels_avx2, heed_gemm_kernels_avx512;
extern const heed_gemm_pair_kernels heed_gemm_pair_kernels_bf16;
#endif
const heed_gemm_kernels *heed_gemm_kernels_for(heed_isa isa);
/* NULL where rounded operands are multiplied as floats. */
const heed_gemm_pair_kernels *heed_gemm_pair_kernels_for(heed_isa isa);

#endif
