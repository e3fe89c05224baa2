/* cut.h: how a matmul is cut into parts, and what else all its parts look up. A kernel finds it
   once a run for all of them (heed_gemm_find_grid). */
#ifndef HEED_CPU_GEMM_CUT_H
#define HEED_CPU_GEMM_CUT_H

#include "cpu/gemm/kernels.h"
#include "cpu/gemm/quantized.h"

/* How a matmul of floats is cut (cut.c). All of it follows from the description of the matmul. */
typedef struct heed_gemm_cut {
    const heed_gemm_kernels *kernels;
    /* register tiles for the B that they read: as stored, or packed */
    const heed_gemm_tiles *tiles;
    heed_gemm_packers packers;
    heed_gemm_type type;       /* element type of B as stored: panels of bf16 are pairs */
    int64_t mr;                /* rows of a register tile */
    int64_t row_tiles, panels; /* row tiles and panels of C */
    /* a panel group is never divided between cells, so that tiles end where consumers want it */
    int64_t panels_per_group, panel_groups;
    int64_t grid_rows, grid_columns; /* C is cut into a grid of this many cells */
    int64_t mc, kc, nc;              /* block sizes: rows, values of k, columns (whole groups) */
    /* nc before it is rounded to whole panel groups; costs are computed with it */
    int64_t block_columns;
    int64_t k_group;           /* values of k in one packed element: 1 or 2 */
    bool skinny;               /* one row tile covers M */
    bool pack_a, pack_b;       /* each cell packs the operand for itself */
    bool prepack_a, prepack_b; /* or all threads pack it before the first part */
} heed_gemm_cut;

/* How a quantized matmul is cut (quantized.c). */
typedef struct heed_qgemm_cut {
    const heed_qgemm_kernels *kernels;
    heed_gemm_finish_kernel *finish;     /* the epilogue, that of matmuls of floats */
    heed_qgemm_tile_kernel *const *tile; /* register tiles of this format, by heed_qgemm_shape */
    int64_t k_runs, k_qblocks;           /* runs of HEED_RUN values of k; qblocks of k */
    int64_t panels;                      /* panels of W */
    ptrdiff_t panel_stride;              /* bytes from one panel to the next */
    /* panels of the widest tile; panels of a group, which is never divided between cells; number
       of groups */
    int64_t wide, panels_per_group, panel_groups;
    int64_t grid_rows, grid_columns;
} heed_qgemm_cut;

/* The cut of a matmul: of floats, or quantized (heed_gemm_is_quantized). */
typedef union heed_gemm_grid {
    heed_gemm_cut floats;
    heed_qgemm_cut quantized;
} heed_gemm_grid;

#endif
