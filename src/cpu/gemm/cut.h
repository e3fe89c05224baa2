/* cut.h: how a product of floats is cut into parts, blocks and tiles (cut.c), and its operands packed (pack.c). Internal to src/cpu/gemm.
   A block of ROW_BLOCK tiles of rows and DEPTH_BLOCK packed steps stays in the second-level cache, with the panel of B at work, while
   COLUMN_BLOCK columns of B pass by out of the third level; of pairs, which make the step twice as long, half as many columns. Rows of A a
   multiple of CACHE_WAY bytes apart share the same lines of the first-level cache: tiles then have at most CACHE_WAYS rows. */
#ifndef HEED_CPU_GEMM_CUT_H
#define HEED_CPU_GEMM_CUT_H

#include "cpu/gemm/kernels.h"

enum { DEPTH_BLOCK = 512, COLUMN_BLOCK = 2048, ROW_BLOCK = 8, CACHE_WAY = 4096, CACHE_WAYS = 8 };
/* Scratch is three pieces: chains of one tile, packed rows of A, packed panels of B. */
enum { CHAINS_BYTES = HEED_GEMM_MAX_ROWS * HEED_GEMM_MAX_WIDTH * (int)sizeof(float) };

/* How one product is cut. Everything here follows from the description alone. */
typedef struct heed_gemm_cut {
    const heed_gemm_kernels *kernels;
    const heed_gemm_tiles *tiles;      /* for the B they read: as stored, or packed */
    heed_gemm_packers packers;
    heed_gemm_type type;               /* of B as stored: panels of bf16 are pairs */
    int64_t tall;                      /* rows of a tile */
    int64_t row_tiles, panels;         /* of C */
    int64_t step, steps;               /* panels that no unit cuts through, and how many such */
    int64_t grid_rows, grid_columns;   /* C is cut into this many units */
    int64_t depth_block, panel_block;
    int64_t pair;                      /* steps of k in a packed element: 1 or 2 */
    bool few;                          /* one row tile covers M */
    bool pack_a, pack_b;               /* every unit for itself */
    bool ahead_a, ahead_b;             /* or all before */
} heed_gemm_cut;

/* The cut of a product; and without its grid, which takes a search. */
heed_gemm_cut heed_gemm_cut_of(const heed_gemm *gemm, heed_isa isa);
heed_gemm_cut heed_gemm_lay_out(const heed_gemm *gemm, heed_isa isa);

/* Panels [panel, panel + count) of B, steps [k, k + depth), into out, `apart` elements from one to the next. */
void heed_gemm_pack_panels(const heed_gemm_cut *c, const heed_gemm *gemm, int64_t panel, int64_t count, int64_t k, int64_t depth, float *out,
                           ptrdiff_t apart);

static inline int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
static inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

/* Panels of `panel` columns, as few as end with a multiple of `grain` columns (0: 1). */
int64_t heed_gemm_whole_panels(int64_t grain, int64_t panel);

/* Packed elements for `depth` steps. */
static inline int64_t steps_of(const heed_gemm_cut *c, int64_t depth) { return divide_up(depth, c->pair); }

/* Elements of a packed row of A, whose rows must not be a multiple of CACHE_WAY apart; transposed, of a packed step. */
static inline int64_t packed_a_width(const heed_gemm_cut *c, const heed_gemm *g, int64_t rows, int64_t depth)
{
    const int64_t lanes = c->kernels->lanes;
    if (g->a_transposed) return divide_up(rows, lanes) * lanes;
    return (divide_up(steps_of(c, depth), lanes) + 1) * lanes;
}

/* Elements of a packed block of A, whose height is at most `rows`. */
static inline int64_t packed_a_elements(const heed_gemm_cut *c, const heed_gemm *g, int64_t rows, int64_t depth)
{
    if (!c->pack_a) return 0;
    return packed_a_width(c, g, rows, depth) * (g->a_transposed ? steps_of(c, depth) : rows);
}

static inline int64_t most_block_rows(const heed_gemm_cut *c)
{
    return smaller(c->row_tiles, ROW_BLOCK) * c->tall;
}

/* Elements of B as stored that hold `steps` steps of a column; blocks of depth begin with whole ones. */
static inline int64_t stored_steps(const heed_gemm_cut *c, int64_t steps) { return divide_up(steps, heed_gemm_type_steps(c->type)); }

static inline const void *element(const void *data, heed_gemm_type type, int64_t at)
{
    return (const char *)data + at * heed_gemm_type_bytes(type);
}

#endif
