/* gemm.h: matmuls on the CPU: C (M,N) = [old C +] A (M,K) B (K,N), then bias, activation, gate,
   residual.

   Order of sums: every element of C is summed in one accumulator, acc = fma(A[m][k], B[k][n], acc),
   with k ascending, in f32, from 0 or from the old C. The order is the same for one row or many,
   packed or not, for any block size, part and instruction set, and so are the bits. Elements of B
   in f16 and bf16 are widened exactly before they are multiplied.

   bf16_operands: elements of A and B are first rounded to bf16 (heed_round_operand: to nearest
   even, subnormal numbers count as zeros). The order is the same. The instruction vdpbf16ps also
   counts subnormal sums as zeros; that is the only difference between instruction sets.

   Quantized B: rows of qblocks, W (N,K), as PANELS or NT. Formats with traits are multiplied as
   tensor/qblock_dot.h says, from panels only, and are never added to the old C. Other formats are
   decoded to f32 when they are packed, from NT only.

   Epilogue, in this order: + bias[n]; activation; * gate[m][n]; + residual[m][n].

   Kernels cannot fail and allocate nothing: the caller checks shapes and provides scratch
   memory. */
#ifndef HEED_CPU_GEMM_GEMM_H
#define HEED_CPU_GEMM_GEMM_H

#include "base/cpu.h"
#include "graph/pack.h"
#include <heed/dtype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How B lies in memory. A weight W (O,I) is stored one output after another, as torch stores the
   weight of a Linear. */
typedef enum heed_gemm_b_kind {
    HEED_GEMM_B_PANELS, /* packed panels of W (N,K): B = W^T, the forward matmul */
    /* packed panels of W (K,N): B = W, the gradient to the input, read from the same panels */
    HEED_GEMM_B_PANELS_TRANSPOSED,
    HEED_GEMM_B_NT, /* rows (N,K), b_stride elements apart: B = b^T */
    HEED_GEMM_B_NN  /* rows (K,N), b_stride elements apart: B = b */
} heed_gemm_b_kind;

/* A rectangle of C. */
typedef struct heed_gemm_area {
    int64_t row, rows, column, columns;
} heed_gemm_area;

/* C is cut into a grid of cells. A part is one cell or several. cut.h has the grid, and block sizes
   and kernels with it. */
union heed_gemm_grid;

/* One matmul. Strides count elements from row to row and may exceed the row. Absent pointers are
   NULL.
   - Any of m, n, k may be 0. If m or n is 0, nothing is written. If k is 0, the sum is 0 or the old
     C, and the epilogue follows.
   - C overlaps no other operand, with one exception: gate or residual may be C itself (gate_in_c,
     residual_in_c), but not with accumulate. */
typedef struct heed_gemm {
    int64_t m, n, k;
    /* (M,K) rows a_stride apart; with a_transposed (K,M) rows a_stride apart */
    const float *a;
    int64_t a_stride;
    bool a_transposed;
    /* quantized matmul: the rows of A as heed_qgemm_quantize wrote them; NULL: every cell
       quantizes the rows that it reads, also if another cell did (matmuls by expert) */
    const void *a_runs;
    heed_gemm_b_kind b_kind;
    heed_dtype b_dtype; /* HEED_F32, HEED_F16, HEED_BF16, or a quantized type */
    const void *b;
    int64_t b_stride; /* only for NT and NN; panels have no stride */
    float *c;         /* (M,N) rows c_stride apart */
    int64_t c_stride;
    bool accumulate;    /* the sum starts from the old C */
    bool bf16_operands; /* elements of A and B are rounded to bf16; never with quantized B */
    /* heed_gemm_prepack packs the operands of this matmul before any part runs */
    bool prepacked;
    void *packed_a, *packed_b; /* where it puts them: shared by all threads, 64-byte aligned */
    const float *bias;         /* (N) */
    int activation;            /* heed_unary_kind; 0 is none */
    const float *gate;         /* (M,N) rows gate_stride apart */
    int64_t gate_stride;
    bool gate_in_c;        /* the old C is the gate, and `gate` is not read */
    const float *residual; /* (M,N) rows residual_stride apart */
    int64_t residual_stride;
    bool residual_in_c; /* the old C is the residual, and `residual` is not read */
    /* If not NULL, it is called for each finished tile of C, by the thread that finished it, while
       the tile is in its caches. Tiles begin and end at multiples of `tile_columns` columns (0 and
       1: any), or at the end of the row. */
    void (*tile_done)(const struct heed_gemm *gemm, heed_gemm_area area);
    const void *tile_argument; /* whatever `tile_done` needs */
    int64_t tile_columns;
    /* what heed_gemm_find_grid found for this matmul, whatever its addresses; NULL: every call
       finds it again */
    const union heed_gemm_grid *grid;
} heed_gemm;

/* Finds the grid of this matmul, which all parts can share: addresses do not matter. It takes a
   search, unless the matmul is quantized. */
void heed_gemm_find_grid(const heed_gemm *gemm, heed_isa isa, union heed_gemm_grid *grid);
/* The number of independent parts of this matmul, at least 1. It depends on the description of the
   matmul and on the instruction set, never on threads or addresses. Parts have equal work as far as
   tiles allow. Any thread may run any part in any order; no part waits for another. */
int heed_gemm_parts(const heed_gemm *gemm, heed_isa isa);
/* Bytes of scratch memory that one thread needs to run parts, 64-byte aligned. What suffices for
   the maximal m, n and k suffices for smaller ones with the same kinds and a_stride. Pointers do
   not matter. */
size_t heed_gemm_scratch(const heed_gemm *gemm, heed_isa isa);
/* Runs part `part` of `parts`. `parts` is usually heed_gemm_parts(); any number >= 1 gives the same
   bits. */
void heed_gemm_run(const heed_gemm *gemm, heed_isa isa, int part, int parts, void *scratch);

/* ---- prepacked operands: packed once for all parts, instead of by every part for itself ----
   Worth a barrier if operands are rounded to bf16 and there are many rows; the bits are the same.
   The calls give the bytes that packed_a and packed_b need for the matmul with `prepacked` set,
   each a multiple of 64. Matmuls of one A by several B may share packed_a. */
void heed_gemm_prepack_bytes(const heed_gemm *gemm, heed_isa isa, size_t *a, size_t *b);
/* Packs share `part` of `parts` of A and of B, as far as packed_a and packed_b are set. There may
   be any number of shares, in any order. */
void heed_gemm_prepack(const heed_gemm *gemm, heed_isa isa, int part, int parts);

/* ---- packed panels: the resident layout of a weight W (O,I) ----
   nr columns of B (rows of W) stand side by side, k outermost; nr = heed_gemm_panel_width(isa).

         nr = 4, W (6,3), oi = element (o,i)        the last panel is filled up with zeros
         panel 0: 00 10 20 30 | 01 11 21 31 | 02 12 22 32
         panel 1: 40 50  0  0 | 41 51  0  0 | 42 52  0  0
                     k = 0         k = 1         k = 2

   f32, f16  element (o,i) stands at ((o / nr) * I + i) * nr + o % nr
   bf16      two values of k share an element of 4 bytes, as vdpbf16ps takes them; (o,i) stands in
             element ((o / nr) * ceil(I / 2) + i / 2) * nr + o % nr, an even i in its high half;
             beside the last of an odd I stands 0
   quantized as gemm/quantized.h says */
int heed_gemm_panel_width(heed_isa isa);
/* Bytes of the panels of W (rows,columns), a multiple of 64; false if the size overflows. */
bool heed_gemm_panel_bytes(heed_isa isa, heed_dtype dtype, int64_t rows, int64_t columns,
                           size_t *bytes);

/* The panels of one weight. data is 64-byte aligned and heed_gemm_panel_bytes() long; dtype is
   HEED_F32, HEED_F16, HEED_BF16 or a quantized type with traits. */
typedef struct heed_gemm_panels {
    void *data;
    heed_isa isa;
    heed_dtype dtype;
    int64_t rows, columns; /* rows and columns of W: O and I */
} heed_gemm_panels;

/* Packs rows [first, first + count) of W. Several tensors may be joined in one weight, range after
   range. The call that packs row O-1 also zeroes the columns that fill up the last panel. Ranges of
   rows that share no panel may be packed by several threads. Quantized panels take rows of the same
   qblocks, end to end. */
void heed_gemm_pack(const heed_gemm_panels *panels, int64_t first, int64_t count,
                    const heed_pack_source *source);
/* The bf16 working copy of a trained weight is two sets of panels of bf16: those of W (O,I), which
   forward matmuls read, and after them, at the next multiple of 64 bytes, those of W^T (I,O), which
   matmuls for the gradient of the input read. Gives the bytes of both, and in *first those of W;
   false if the size overflows. */
bool heed_gemm_copy_bytes(heed_isa isa, int64_t rows, int64_t columns, size_t *first,
                          size_t *bytes);
/* Writes rows [first, first + count) of W (rows,columns), floats `stride` apart, into both panels
   of the copy (dtype BF16), rounded by heed_round_operand. first is a multiple of the panel width,
   and count too unless the last row is among them. Several threads may write such ranges. */
void heed_gemm_copy_rows(const heed_gemm_panels *copy, int64_t first, int64_t count,
                         const float *source, int64_t stride);
/* Row `row` of W, widened to floats: out (I). Embeddings read a tied weight so, and files are
   written so. */
void heed_gemm_gather(const heed_gemm_panels *panels, int64_t row, float *out);

#endif
