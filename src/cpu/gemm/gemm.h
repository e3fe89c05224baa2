/* gemm.h: matmuls on the CPU. C (M,N) = [old C +] A (M,K) . B (K,N), then bias, activation, gate,
   residual.

   One accumulation order: every element of C is summed in one accumulator, acc = fma(A[m][k],
   B[k][n], acc) with k ascending, in f32, from 0 or from the old C. One row, few rows, many rows,
   packed or not, any block size, any part, any instruction set: the same order, hence the same
   bits. f16 and bf16 elements of B are widened exactly before they are multiplied.

   With `bf16_operands` the elements of A and B are rounded to bf16 first (heed_round_operand: to
   nearest even, subnormal numbers count as zeros); the order is the same, one fused multiply-add
   each, k ascending. Where vdpbf16ps does it, subnormal sums count as zeros too: elsewhere they do
   not, and that is all by which instruction sets differ.

   Quantized B (rows of qblocks, W (N,K), as PANELS or NT): formats with traits are multiplied as
   tensor/qblock_dot.h says, from panels alone, and are never accumulated onto old C; other formats
   are decoded to f32 as they are packed, from NT alone.

   After the sum, in this order: + bias[n]; activation; * gate[m][n]; + residual[m][n].

   Kernels cannot fail and allocate nothing: the caller checks shapes beforehand and hands over
   scratch. */
#ifndef HEED_CPU_GEMM_GEMM_H
#define HEED_CPU_GEMM_GEMM_H

#include "base/cpu.h"
#include "graph/pack.h"
#include <heed/dtype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How B lies in memory. A weight W (O,I) is stored output row by output row, as torch stores a
   Linear weight. */
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

/* C is cut into a grid of cells, which parts consist of. */
typedef struct heed_gemm_grid {
    int64_t rows, columns;
} heed_gemm_grid;

/* One matmul. Strides count elements between rows and may exceed the row. Any of m, n, k may be 0:
   nothing is written if m or n is 0; with k = 0 the sum is empty (0, or old C) and what follows it
   still happens. C overlaps no other operand, with one exception: gate or residual may stand in C
   itself (gate_in_c, residual_in_c; then without accumulate). Absent pointers are NULL. */
typedef struct heed_gemm {
    int64_t m, n, k;
    /* (M,K) rows a_stride apart; with a_transposed (K,M) rows a_stride apart */
    const float *a;
    int64_t a_stride;
    bool a_transposed;
    /* quantized matmul: the rows of A as heed_qgemm_quantize left them; if NULL, every part
       quantizes the rows that it reads */
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
    void *packed_a, *packed_b; /* then where: shared by all threads, 64-byte aligned */
    const float *bias;         /* (N) */
    int activation;            /* heed_unary_kind; 0 is none */
    const float *gate;         /* (M,N) rows gate_stride apart */
    int64_t gate_stride;
    bool gate_in_c;        /* the old C is the gate, and `gate` is not read */
    const float *residual; /* (M,N) rows residual_stride apart */
    int64_t residual_stride;
    bool residual_in_c; /* the old C is the residual, and `residual` is not read */
    /* If not NULL, called for every finished tile of C, by the thread that finished it, while the
       tile is in its caches. Tiles begin and end at multiples of `tile_columns` columns (0 and 1:
       any), or with the row. */
    void (*tile_done)(const struct heed_gemm *gemm, heed_gemm_area area);
    const void *tile_argument; /* whatever `tile_done` needs */
    int64_t tile_columns;
    /* heed_gemm_find_grid's, for the very extents, strides and kinds; 0: found anew by each call */
    heed_gemm_grid grid;
} heed_gemm;

/* The grid of this matmul, which takes a search that all its parts can share. A quantized matmul
   needs none, and gets 0. */
heed_gemm_grid heed_gemm_find_grid(const heed_gemm *gemm, heed_isa isa);
/* Independent parts of this matmul, at least 1, from extents, strides and kinds alone (never from
   threads or from pointers' values); equal work each as far as tiles allow. Any thread may run any
   part in any order; no part waits for another. */
int heed_gemm_parts(const heed_gemm *gemm, heed_isa isa);
/* Bytes of scratch that one thread needs to run parts; scratch is 64-byte aligned. Enough for the
   maximal m, n and k is enough for smaller ones with the same kinds and a_stride. Pointers do not
   matter. */
size_t heed_gemm_scratch(const heed_gemm *gemm, heed_isa isa);
/* Runs part `part` of `parts`. `parts` is usually heed_gemm_parts(); any number >= 1 gives the same
   bits. */
void heed_gemm_run(const heed_gemm *gemm, heed_isa isa, int part, int parts, void *scratch);

/* ---- prepacked operands: packed once for all parts, instead of by every part for itself ----
   Worth a barrier if operands are rounded to bf16 and there are many rows; the bits are the same.
   The calls give the bytes that packed_a and packed_b need for the matmul with `prepacked` set,
   each a multiple of 64. Matmuls of one A by several B may share packed_a. */
void heed_gemm_prepack_bytes(const heed_gemm *gemm, heed_isa isa, size_t *a, size_t *b);
/* Packs share `part` of `parts` of A and of B, whichever of packed_a and packed_b are there; any
   number of parts, in any order. */
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
/* Bytes of the panels of W (rows,columns), a multiple of 64; false when the size overflows. */
bool heed_gemm_panel_bytes(heed_isa isa, heed_dtype dtype, int64_t rows, int64_t columns,
                           size_t *bytes);

/* The panels of one weight; data 64-byte aligned, heed_gemm_panel_bytes() long. dtype HEED_F32,
   HEED_F16, HEED_BF16 or a quantized type with traits. */
typedef struct heed_gemm_panels {
    void *data;
    heed_isa isa;
    heed_dtype dtype;
    int64_t rows, columns; /* of W: O, I */
} heed_gemm_panels;

/* Writes rows [first, first + count) of W, so that several tensors can be joined in one weight. The
   call that writes row O-1 also zeroes the filling columns. Ranges of rows that share no panel may
   be packed by several threads. Quantized panels take rows of the same qblocks, end to end. */
void heed_gemm_pack(const heed_gemm_panels *panels, int64_t first, int64_t count,
                    const heed_pack_source *source);
/* The bf16 working copy of a trained weight is two such panels of bf16: of W (O,I), which forward
   matmuls read as they lie, and after them, at the next multiple of 64 bytes, of W^T (I,O), which
   gradients to the input read so. Bytes of both, and in *first of those of W; false when the size
   overflows. */
bool heed_gemm_copy_bytes(heed_isa isa, int64_t rows, int64_t columns, size_t *first,
                          size_t *bytes);
/* Writes rows [first, first + count) of W (rows,columns), floats `stride` apart, into the copy
   (dtype BF16), each element as heed_round_operand has it. first is a multiple of the panels'
   width, and count too unless the last row is among them. Such ranges may be written by several
   threads. */
void heed_gemm_copy_rows(const heed_gemm_panels *copy, int64_t first, int64_t count,
                         const float *source, int64_t stride);
/* Row `row` of W, widened: out (I). Embedding look-up in a tied weight, and the way back to a
   file. */
void heed_gemm_gather(const heed_gemm_panels *panels, int64_t row, float *out);

#endif
