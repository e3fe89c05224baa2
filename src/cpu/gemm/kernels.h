/* kernels.h: what an instruction set contributes to matmuls: register tiles, packing of operands,
   the epilogue, block sizes. Internal to src/cpu. The words are those of BLIS: a register tile has
   at most mr rows, a packed panel of B is nr columns wide, and blocks have mc rows, kc values of k
   and nc columns. */
#ifndef HEED_CPU_GEMM_KERNELS_H
#define HEED_CPU_GEMM_KERNELS_H

#include "cpu/gemm/gemm.h"

enum {
    HEED_GEMM_MAX_ROWS = 12,   /* the largest mr */
    HEED_GEMM_MAX_WIDTH = 128, /* columns of the widest register tile */
    /* tiles are 1, 2, 4 or 8 vectors wide: width index i means 2^i vectors */
    HEED_GEMM_WIDTHS = 4,
    HEED_GEMM_PANEL_VECTORS = 2, /* nr in vectors */
    /* numbers of threads that a grid is made for: number i means 2^(i + 1) threads */
    HEED_GEMM_THREAD_COUNTS = 4
};

/* Element types of B. An element of PAIRS has 4 bytes and holds a k_group of two, (k, k + 1), in
   bf16, the first in its high half, so two rows of B share one row of elements. Packed panels of
   bf16 are of this type (gemm.h). */
typedef enum heed_gemm_type {
    HEED_GEMM_F32,
    HEED_GEMM_F16,
    HEED_GEMM_BF16,
    HEED_GEMM_PAIRS,
    HEED_GEMM_TYPES
} heed_gemm_type;
heed_gemm_type heed_gemm_type_of(heed_dtype dtype); /* the type of rows of this dtype */
static inline ptrdiff_t heed_gemm_type_bytes(heed_gemm_type type)
{
    return type == HEED_GEMM_F16 || type == HEED_GEMM_BF16 ? 2 : 4;
}
static inline int64_t heed_gemm_type_k_group(heed_gemm_type type)
{
    return type == HEED_GEMM_PAIRS ? 2 : 1;
}

/* The micro-kernel: one register tile. It computes
     to[r][j] = from[r][j] + sum over k of a[r * a_row + k * a_step] * b(k, j)
   in one accumulator for each element, k ascending; if from is NULL, sums begin with 0. b(k, j)
   stands at
     b[(j / nr) * b_panel + k * b_step + j % nr]
   and for PAIRS in the pair at b[(j / nr) * b_panel + k / 2 * b_step + j % nr].
   If both operands are packed pairs (heed_gemm_pair_kernels), k counts k_groups in all of this, and
   elements of a are pairs as well. */
typedef struct heed_gemm_tile {
    const float *a;
    ptrdiff_t a_row, a_step;
    ptrdiff_t a_ahead; /* elements from the address in use to the one to prefetch */
    const void *b;
    ptrdiff_t b_panel, b_step; /* elements from panel to panel, from row to row */
    int64_t depth;             /* values of k, or k_groups */
    const float *from;
    float *to;
    ptrdiff_t from_stride, to_stride;
} heed_gemm_tile;

typedef void heed_gemm_tile_kernel(const heed_gemm_tile *tile);

/* Rows of elements in memory, `stride` elements apart. With PAIRS rows 2i and 2i + 1 are one row of
   elements. */
typedef struct heed_gemm_rows {
    const void *data;
    heed_gemm_type type;
    ptrdiff_t stride;
} heed_gemm_rows;

/* Writes `rows` rows of `width` packed elements of 4 bytes. The width is a multiple of the lanes;
   columns from `valid` on become 0. */
typedef void heed_gemm_pack_kernel(float *out, int width, heed_gemm_rows source, int64_t rows,
                                   int valid);

/* Several tiles or panels side by side. For number t, `rows` rows of floats from source + t *
   stride on become packed k_groups of `width` elements at out + t * apart. */
typedef struct heed_gemm_tile_strip {
    int tiles, stride, width;
    ptrdiff_t apart;
} heed_gemm_tile_strip;
typedef void heed_gemm_pack_tiles_kernel(float *out, const heed_gemm_tile_strip *strip,
                                         const float *source, ptrdiff_t source_stride,
                                         int64_t rows);

/* How operands of a matmul are packed. A packed element holds one k_group: a float, or a pair (k, k
   + 1) in bf16. The first of a pair stands in the high half, which vdpbf16ps multiplies first. A
   value of k after the last one is 0. With g the number of a k_group:
     pack_n  out[g][j] from source[k * stride + j], `rows` counts k: B as rows (K,N), A transposed
     pack_t  out[g][j] from source[j * stride + k], `rows` counts k: B as rows (N,K)
     pack_a  out[i][g] from source[i * stride + k], `valid` counts k: A as rows (M,K)
     tiles   pack_n for several tiles or panels side by side, if all of them are whole vectors: rows
             are read once, in whole cache lines */
typedef struct heed_gemm_packers {
    heed_gemm_pack_kernel *pack_n, *pack_t, *pack_a;
    heed_gemm_pack_tiles_kernel *tiles;
} heed_gemm_packers;

/* Register tiles by width index and number of rows; NULL if the registers do not suffice. */
typedef heed_gemm_tile_kernel *heed_gemm_tiles[HEED_GEMM_WIDTHS][HEED_GEMM_MAX_ROWS + 1];

/* The epilogue of the matmul for one tile: takes finished sums, whose rows lie `stride` apart, and
   writes C. */
typedef void heed_gemm_finish_kernel(const heed_gemm *gemm, heed_gemm_area area, const float *sums,
                                     ptrdiff_t stride);

/* Block sizes: rows of A (a multiple of mr), values of k, columns of B. A block of mc rows by kc
   stays in the second-level cache, the panel of B at work in the first-level cache, and nc columns
   of B come out of the third-level cache. */
typedef struct heed_gemm_blocking {
    int mc, kc, nc;
} heed_gemm_blocking;

/* What a cell costs beside its multiplications, in multiply-adds of one vector. cut.c chooses the
   grid of cells by it. */
typedef struct heed_gemm_costs {
    double cell; /* a cell, whatever is in it */
    /* each value of k of a row of A, once for each nc columns: packed by the cell, or read as it
       lies */
    double pack_a, read_a;
    /* each value of k of a column of B: packed by the cell (by heed_gemm_b_kind), or read as it
       lies */
    double pack_b[HEED_GEMM_B_NN + 1], read_b;
    double skinny_cell; /* elements of B that make a cell worthwhile if one row tile covers M */
    int64_t most_cells, most_skinny_cells; /* the most cells, and if one row tile covers M */
    /* how much the time on 2, 4, 8 and 16 threads counts: grids are made for few threads first */
    double thread_weights[HEED_GEMM_THREAD_COUNTS];
} heed_gemm_costs;

/* Set by hand with bench/gemm.c on AVX-512. Packing is bound by memory: an element takes 0.25 to
   0.5 cycles if it comes from the second- or third-level cache and 1.2 to 2.4 if it comes from
   memory (measured with bf16 operands); the costs lie in between.
   AVX2 and generic use the same costs. Measured there, in multiply-adds of a vector for an element
   of B from the caches (packed NN, NT): AVX-512 0.54, 0.73; AVX2 1.9, 2.5; generic 0.21, 0.27. So
   these costs are two to four times too low for AVX2 and four times too high for generic. Doubled
   on AVX2 they change 7 of the 39 grids of `bench_gemm train`, which one thread then computes 1 to
   8 percent faster; what more threads lose by fewer parts was not measured, so they stand.
   Most cells, on two threads, geometric mean of the 39 shapes of `bench_gemm train` beside 64 (best
   of three rounds): 16 cells 0.71 on AVX-512 and 0.97 on AVX2, 256 cells 0.72 and 0.98. Most skinny
   cells, tokens/s of decoding SmolLM2-135M in f32, best of three: with 8, 32, 128 cells 28.7, 31.2,
   26.4 on AVX-512, 54.0, 51.6, 24.4 on AVX2. The weights of threads are set by hand. */
#define HEED_GEMM_COSTS_OF_AVX512                                                          \
    {                                                                                      \
        .cell = 4000, .pack_a = 0.8, .read_a = 0.25,                                       \
        .pack_b = {[HEED_GEMM_B_PANELS] = 0.8,                                             \
                   [HEED_GEMM_B_PANELS_TRANSPOSED] = 1,                                    \
                   [HEED_GEMM_B_NT] = 1.3,                                                 \
                   [HEED_GEMM_B_NN] = 1.1},                                                \
        .read_b = 0.15, .skinny_cell = 1 << 16, .most_cells = 64, .most_skinny_cells = 32, \
        .thread_weights = {1, 0.4, 0.3, 0.1},                                              \
    }

/* When operands that are rounded to bf16 are packed once for all parts, in a phase of its own. */
typedef struct heed_gemm_prepacking {
    int64_t most_bytes; /* if the operands need more bytes, parts pack for themselves */
    /* rows from which on a B that has to be packed is packed in that phase */
    int64_t rows;
    int64_t part_bytes; /* bytes of operands for each part of that phase */
    /* if A alone is packed, and for one matmul, parts do it for themselves up to this k and this
       many columns: that is faster */
    int64_t own_depth, own_columns;
} heed_gemm_prepacking;

/* Measured on AVX-512 with vdpbf16ps, two threads, in GFLOP/s: both operands of 2048^3 packed once
   399 instead of 320. A alone packed by the parts, into the cache: 1024 rows of 768 over 768 413
   instead of 383, 3072 of 384 over 384 363 instead of 338; but 1024 of 3072 over 768 371 instead of
   388, and no difference over 3072 columns. 32 MB: heads over large vocabularies pack for
   themselves. Other instruction sets use the same numbers. */
#define HEED_GEMM_PREPACKING_OF_AVX512                                                \
    {                                                                                 \
        .most_bytes = 32 << 20, .rows = 24, .part_bytes = 1 << 17, .own_depth = 1024, \
        .own_columns = 2048                                                           \
    }

/* How matmuls by expert are shared among parts. Each expert that has rows gets parts by its share
   of the work. */
typedef struct heed_gemm_expert_costs {
    int64_t parts;      /* about as many for all experts together */
    int64_t fixed_rows; /* reading the weights of an expert costs as much as so many of its rows */
    int64_t part_elements; /* elements of weights that make a part worthwhile for fixed_rows */
} heed_gemm_expert_costs;

/* The bits of a matmul do not depend on its parts, so neither do those of experts. Every
   instruction set has the same numbers, those of skinny matmuls: an expert with r rows has a part
   for each 65,536 / (1 + r / 8) elements of its weights. Nothing was measured with experts. */
#define HEED_GEMM_EXPERT_COSTS                                 \
    {                                                          \
        .parts = 64, .fixed_rows = 8, .part_elements = 1 << 16 \
    }

/* Rows of logits that linear_cross_entropy makes at once: a chunk. */
typedef struct heed_gemm_loss_chunks {
    int64_t most_bytes;            /* of logits, as long as rows are at least least_rows */
    int64_t least_rows, most_rows; /* chunks are multiples of least_rows */
} heed_gemm_loss_chunks;

/* Sums go on from chunk to chunk, so the rows of a chunk change no bit. Every instruction set has
   the same numbers. Measured on AVX-512 with two threads: 64 MB of logits instead of 128 MB made an
   update of GPT-2 3 percent longer. */
#define HEED_GEMM_LOSS_CHUNKS                                      \
    {                                                              \
        .most_bytes = 1 << 27, .least_rows = 64, .most_rows = 1024 \
    }

typedef struct heed_gemm_kernels {
    /* lanes: floats of a vector; nr: columns of a panel; mr: rows of the tallest tile */
    int lanes, nr, mr;
    heed_gemm_blocking blocking;
    heed_gemm_costs costs;
    heed_gemm_prepacking prepacking;
    heed_gemm_expert_costs experts;
    heed_gemm_loss_chunks loss_chunks;
    heed_gemm_tiles tile[HEED_GEMM_TYPES];
    heed_gemm_packers floats; /* packed elements are floats */
    heed_gemm_packers bf16;   /* packed elements are floats rounded to bf16 */
    /* packed elements are pairs, as in resident panels of bf16; only pack_n and pack_t */
    heed_gemm_packers bf16_pairs;
    heed_gemm_finish_kernel *finish;
} heed_gemm_kernels;

/* Matmuls of bf16 pairs; the rest comes from the kernels with the same lanes. */
typedef struct heed_gemm_pair_kernels {
    heed_gemm_blocking blocking;
    heed_gemm_tiles tile;
    heed_gemm_packers pairs;
} heed_gemm_pair_kernels;

extern const heed_gemm_kernels heed_gemm_kernels_generic;
#if defined(__x86_64__)
extern const heed_gemm_kernels heed_gemm_kernels_avx2, heed_gemm_kernels_avx512;
extern const heed_gemm_pair_kernels heed_gemm_pair_kernels_bf16;
#endif
const heed_gemm_kernels *heed_gemm_kernels_for(heed_isa isa);
/* NULL if this processor has no instruction for pairs: bf16 operands are then multiplied as
   floats. */
const heed_gemm_pair_kernels *heed_gemm_pair_kernels_for(heed_isa isa);

#endif
