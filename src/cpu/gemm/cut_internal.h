/* cut_internal.h: how a matmul of floats is cut into parts, blocks and tiles (cut.c), and how its
   operands are packed (pack.c). Internal to src/cpu/gemm.

             nc columns of B, kc deep: packed panels of nr columns, k outermost
                 +--nr--+--nr--+-- ...
              kc |      |      |
                 +------+------+-- ...
       kc
     +----+      +------+------+-- ...
   mr|    |    mr| tile |      |          C: every tile is a sum over k in one accumulator
     +----+      +------+------+            per element; between blocks of kc the sums lie in C
   mr|    |    mr|      |      |
     +----+      +------+------+-- ...
   mc rows of A

   Rows of A a multiple of CACHE_WAY bytes apart share the same lines of the first-level cache:
   tiles then have at most CACHE_WAYS rows. */
#ifndef HEED_CPU_GEMM_CUT_INTERNAL_H
#define HEED_CPU_GEMM_CUT_INTERNAL_H

#include "cpu/gemm/kernels.h"

enum { CACHE_WAY = 4096, CACHE_WAYS = 8 };
/* Scratch is three pieces: the sums of one tile, packed rows of A, packed panels of B. */
enum { SUMS_BYTES = HEED_GEMM_MAX_ROWS * HEED_GEMM_MAX_WIDTH * (int)sizeof(float) };

/* How one matmul is cut. Everything here follows from the description alone. */
typedef struct heed_gemm_cut {
    const heed_gemm_kernels *kernels;
    const heed_gemm_tiles *tiles; /* for the B they read: as stored, or packed */
    heed_gemm_packers packers;
    heed_gemm_type type;       /* of B as stored: panels of bf16 are pairs */
    int64_t mr;                /* rows of a tile */
    int64_t row_tiles, panels; /* of C */
    /* panels of a run, which no part cuts through; number of runs */
    int64_t run_panels, runs;
    int64_t grid_rows, grid_columns; /* C is cut into a grid of this many cells */
    int64_t mc, kc, nc;              /* block sizes: rows, values of k, columns (whole runs) */
    /* nc before it is made of whole runs: what the cost is reckoned with */
    int64_t block_columns;
    int64_t k_group;           /* values of k in one packed element: 1 or 2 */
    bool skinny;               /* one row tile covers M */
    bool pack_a, pack_b;       /* by each cell for itself */
    bool prepack_a, prepack_b; /* or by all threads before the first part */
} heed_gemm_cut;

/* The cut of a matmul; and the same without its grid, which takes a search. */
heed_gemm_cut heed_gemm_cut_of(const heed_gemm *gemm, heed_isa isa);
heed_gemm_cut heed_gemm_lay_out(const heed_gemm *gemm, heed_isa isa);
size_t heed_gemm_cut_scratch(const heed_gemm *gemm, heed_isa isa);

/* Panels of B, or row tiles of A, [first, first + count), k in [k, k + depth). */
typedef struct heed_gemm_pack_range {
    int64_t first, count, k, depth;
} heed_gemm_pack_range;
/* Packs such panels into out, `apart` elements from one to the next. */
void heed_gemm_pack_panels(const heed_gemm_cut *c, const heed_gemm *gemm,
                           heed_gemm_pack_range range, float *out, ptrdiff_t apart);

static inline int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}
static inline int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}
static inline int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* The least number of panels of `nr` columns that end with a multiple of `tile_columns` columns (0:
   1). */
int64_t heed_gemm_whole_panels(int64_t tile_columns, int64_t nr);

/* The k_groups that hold `depth` values of k. */
static inline int64_t k_groups_of(const heed_gemm_cut *c, int64_t depth)
{
    return divide_up(depth, c->k_group);
}

/* Elements of a packed row of A, whose rows must not be a multiple of CACHE_WAY apart; if A is
   transposed, elements of a packed k_group. */
static inline int64_t packed_a_width(const heed_gemm_cut *c, const heed_gemm *g, int64_t rows,
                                     int64_t depth)
{
    const int64_t lanes = c->kernels->lanes;
    if (g->a_transposed) return divide_up(rows, lanes) * lanes;
    return (divide_up(k_groups_of(c, depth), lanes) + 1) * lanes;
}

/* Elements of a packed block of A with at most `rows` rows. */
static inline int64_t packed_a_elements(const heed_gemm_cut *c, const heed_gemm *g, int64_t rows,
                                        int64_t depth)
{
    if (!c->pack_a) return 0;
    return packed_a_width(c, g, rows, depth) * (g->a_transposed ? k_groups_of(c, depth) : rows);
}

/* Does the epilogue read the old C? Then no unfinished sums may lie there. */
static inline bool reads_old_c(const heed_gemm *g)
{
    return g->gate_in_c || g->residual_in_c;
}

static inline int64_t most_block_rows(const heed_gemm_cut *c)
{
    return smaller(c->row_tiles * c->mr, c->mc);
}

/* Elements of B as stored that hold `depth` values of k of a column; blocks begin with whole
   ones. */
static inline int64_t stored_k_groups(const heed_gemm_cut *c, int64_t depth)
{
    return divide_up(depth, heed_gemm_type_k_group(c->type));
}

static inline const void *element(const void *data, heed_gemm_type type, int64_t at)
{
    return (const char *)data + at * heed_gemm_type_bytes(type);
}

#endif
