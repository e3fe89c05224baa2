/* cut_internal.h: how a matmul of floats is cut into cells, blocks and tiles (cut.c), and how its
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

   What lies where while a tile is computed:
      registers           the sums of one tile: mr x nr, or fewer rows of several panels
      first-level cache   one panel of B, kc deep; each row tile of the block reads it again
      second-level cache  mc rows of A, kc deep; each panel reads them again
      third-level cache   nc columns of B, kc deep; each block of mc rows reads them again

   Packed elements are floats, or pairs of bf16 that hold a k_group of two. A of floats is read as
   it lies; A of bf16 operands is packed:
      A (M,K)       row 0: a(0,0) a(0,1) ... | row 1: a(1,0) a(1,1) ... | ...    k innermost
      A transposed  k 0: a(0,0) a(1,0) ... | k 1: a(0,1) a(1,1) ... | ...        rows of the block
                    innermost, or those of one tile if A is prepacked
   B is packed if it does not lie in panels yet, or if its elements have to be rounded or widened:
      floats        k 0: b(0,0) ... b(0,nr-1) | k 1: b(1,0) ... b(1,nr-1) | ...
      pairs         k 0 and 1: b(0,0)b(1,0) ... b(0,nr-1)b(1,nr-1) | k 2 and 3: ...

   Rows of A a multiple of CACHE_WAY bytes apart fall into the same set of the first-level cache,
   which holds CACHE_WAYS lines: then tiles have at most CACHE_WAYS rows. Both numbers are those of
   the processors that were measured. */
#ifndef HEED_CPU_GEMM_CUT_INTERNAL_H
#define HEED_CPU_GEMM_CUT_INTERNAL_H

#include "base/number.h"
#include "cpu/gemm/cut.h"

enum { CACHE_WAY = 4096, CACHE_WAYS = 8 };
/* Scratch memory is three pieces: the sums of one tile, packed rows of A, packed panels of B. */
enum { SUMS_BYTES = HEED_GEMM_MAX_ROWS * HEED_GEMM_MAX_WIDTH * (int)sizeof(float) };

/* The cut of a matmul, and the cut without its grid, which takes a search. Both are gemm->grid if
   that was found before. */
heed_gemm_cut heed_gemm_cut_of(const heed_gemm *gemm, heed_isa isa);
heed_gemm_cut heed_gemm_lay_out(const heed_gemm *gemm, heed_isa isa);
/* The cut of a quantized matmul (quantized.c): a grid of row blocks by ranges of panels. */
heed_qgemm_cut heed_qgemm_cut_of(const heed_gemm *gemm, heed_isa isa);
/* Bytes of scratch memory that one thread needs. */
size_t heed_gemm_cut_scratch(const heed_gemm *gemm, heed_isa isa);

/* What of an operand to pack: panels of B, or row tiles of A, [first, first + count), and values of
   k [k, k + depth). */
typedef struct heed_gemm_pack_range {
    int64_t first, count, k, depth;
} heed_gemm_pack_range;
/* Packs these panels of B into out; each begins `apart` elements after the one before. */
void heed_gemm_pack_panels(const heed_gemm_cut *c, const heed_gemm *gemm,
                           heed_gemm_pack_range range, float *out, ptrdiff_t apart);

/* The least number of panels, each `nr` columns wide, that end at a multiple of `tile_columns`
   columns; 1 if tile_columns is 0. */
int64_t heed_gemm_panels_per_group(int64_t tile_columns, int64_t nr);

/* The number of k_groups that hold `depth` values of k. */
static inline int64_t k_groups_of(const heed_gemm_cut *c, int64_t depth)
{
    return heed_divide_up(depth, c->k_group);
}

/* The stride of packed A, in elements: of a row, which must not be a multiple of CACHE_WAY bytes,
   or of a k_group if A is transposed. */
static inline int64_t packed_a_width(const heed_gemm_cut *c, const heed_gemm *g, int64_t rows,
                                     int64_t depth)
{
    const int64_t lanes = c->kernels->lanes;
    if (g->a_transposed) return heed_divide_up(rows, lanes) * lanes;
    return (heed_divide_up(k_groups_of(c, depth), lanes) + 1) * lanes;
}

/* Elements of a packed block of A with at most `rows` rows; 0 if cells do not pack A. */
static inline int64_t packed_a_elements(const heed_gemm_cut *c, const heed_gemm *g, int64_t rows,
                                        int64_t depth)
{
    if (!c->pack_a) return 0;
    return packed_a_width(c, g, rows, depth) * (g->a_transposed ? k_groups_of(c, depth) : rows);
}

/* Does the epilogue read the old C? Then C cannot hold unfinished sums. */
static inline bool reads_old_c(const heed_gemm *g)
{
    return g->gate_in_c || g->residual_in_c;
}

/* Rows of the largest block of A. */
static inline int64_t most_block_rows(const heed_gemm_cut *c)
{
    return heed_smaller(c->row_tiles * c->mr, c->mc);
}

/* The number of elements of B as stored that hold `depth` values of k of a column. Blocks begin at
   whole elements. */
static inline int64_t stored_k_groups(const heed_gemm_cut *c, int64_t depth)
{
    return heed_divide_up(depth, heed_gemm_type_k_group(c->type));
}

/* The address of element `at`. */
static inline const void *element(const void *data, heed_gemm_type type, int64_t at)
{
    return (const char *)data + at * heed_gemm_type_bytes(type);
}

#endif
