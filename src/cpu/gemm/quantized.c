/* quantized.c: how a quantized matmul is cut, and the loops over its tiles. Rows of A are quantized
   in row blocks of mc = 64; a cell of the grid is one row block times a range of panels. In the
   numbering of gemm.c:
      heed_qgemm_run  loops 5 and 3: the cells of a part, row blocks fastest
      run_panels      loop 2: one or two panels of W at a time
      the tile        the loop over k, run by run, and within a run loop 1 over the rows of the
                      block: the run of W stays in registers, the sums in the first-level cache
   There is no loop over kc or nc: sums never leave the tile. */
#include "cpu/gemm/quantized.h"
#include "cpu/gemm/cut_internal.h"
#include "tensor/alignment.h"

enum { TILE_BYTES = HEED_QGEMM_MC * HEED_QGEMM_MAX_WIDTH * (int)sizeof(float) };

static const heed_qgemm_kernels *kernels_for(heed_isa isa)
{
#if defined(__x86_64__)
    if (isa == HEED_ISA_AVX512)
        return heed_isa_has_vnni() ? &heed_qgemm_kernels_vnni : &heed_qgemm_kernels_avx512;
    if (isa == HEED_ISA_AVX2) return &heed_qgemm_kernels_avx2;
#endif
    (void)isa;
    return &heed_qgemm_kernels_generic;
}

heed_qgemm_cut heed_qgemm_cut_of(const heed_gemm *g, heed_isa isa)
{
    if (g->grid) return g->grid->quantized;
    heed_qgemm_cut c = {
        .kernels = kernels_for(isa),
        .finish = heed_gemm_kernels_for(isa)->finish,
        .k_runs = g->k / HEED_RUN,
        .k_qblocks = g->k / (int64_t)heed_dtypes[g->b_dtype].qblock,
        .panel_stride = (ptrdiff_t)heed_qgemm_panel_stride(isa, g->b_dtype, g->k),
    };
    c.tile = c.kernels->tile[heed_qblock_traits_of(g->b_dtype) - heed_qblock_traits_table];
    c.panels = heed_larger(heed_divide_up(g->n, c.kernels->lanes), 1);
    c.wide = g->m > 1 && c.tile[HEED_QGEMM_TWO_PANELS] ? 2 : 1;
    c.panels_per_group = heed_gemm_panels_per_group(g->tile_columns, c.wide * c.kernels->lanes) *
                         c.wide;
    c.panel_groups = heed_divide_up(c.panels, c.panels_per_group);
    c.grid_rows = heed_larger(heed_divide_up(g->m, HEED_QGEMM_MC), 1);
    const double work = (double)g->n * (double)heed_larger(g->k, 1) * (1 + (double)g->m / 8) /
                        (double)c.kernels->part_work;
    const int64_t most_parts = c.kernels->most_parts;
    int64_t wanted = work < (double)most_parts ? (int64_t)work : most_parts;
    if (c.grid_rows > 1) wanted = g->n / c.kernels->part_columns;
    const int64_t most = heed_smaller(c.panel_groups, heed_larger(most_parts / c.grid_rows, 1));
    c.grid_columns = heed_larger(heed_smaller(wanted, most), 1);
    return c;
}

int heed_qgemm_parts(const heed_gemm *gemm, heed_isa isa)
{
    if (gemm->m <= 0 || gemm->n <= 0) return 1;
    const heed_qgemm_cut c = heed_qgemm_cut_of(gemm, isa);
    return (int)heed_smaller(c.grid_rows * c.grid_columns, c.kernels->most_parts);
}

size_t heed_qgemm_quantized_bytes(int64_t m, int64_t k)
{
    return (size_t)(m * (k / HEED_RUN)) * sizeof(heed_q8_run);
}

/* The block of quantized rows that begins with row `first`. */
static heed_q8_run *row_block_of(const void *quantized, int64_t first, int64_t runs)
{
    return (heed_q8_run *)quantized + first * runs;
}

void heed_qgemm_quantize(const heed_qgemm_operand *operand, const float *a, int64_t a_stride,
                         int64_t first, int64_t end, void *quantized)
{
    const heed_qgemm_kernels *kernels = kernels_for(operand->isa);
    const heed_qblock_traits *traits = heed_qblock_traits_of(operand->dtype);
    const int64_t runs = operand->k / HEED_RUN;
    for (int64_t i = first; i < end; i++) {
        const int64_t block = i - i % HEED_QGEMM_MC,
                      rows = heed_smaller(operand->m - block, HEED_QGEMM_MC);
        kernels->quantize(a + (i - first) * a_stride, traits, runs, rows,
                          row_block_of(quantized, block, runs) + (i - block));
    }
}

size_t heed_qgemm_scratch(const heed_gemm *gemm, heed_isa isa)
{
    (void)isa;
    const int64_t rows = heed_smaller(HEED_QGEMM_MC, heed_larger(gemm->m, 1));
    const size_t own = gemm->a_runs ? 0 : heed_qgemm_quantized_bytes(rows, gemm->k);
    return heed_align(TILE_BYTES + own);
}

/* Loop 2: the tiles of one row block over panels [first, end). */
static void run_panels(const heed_gemm *g, const heed_qgemm_cut *c, int64_t row,
                       heed_qgemm_tile *tile, int64_t first, int64_t end)
{
    const int64_t lanes = c->kernels->lanes;
    for (int64_t panel = first, width; panel < end; panel += width) {
        const bool two = end - panel > 1 && c->wide > 1;
        heed_qgemm_shape shape = two ? HEED_QGEMM_TWO_PANELS : HEED_QGEMM_ONE_PANEL;
        if (tile->rows == 1) shape = HEED_QGEMM_ONE_ROW;
        width = shape == HEED_QGEMM_TWO_PANELS ? 2 : 1;
        tile->panel = (const uint8_t *)g->b + panel * tile->panel_stride;
        c->tile[shape](tile);
        const int64_t column = panel * lanes, columns = heed_smaller(width * lanes, g->n - column);
        c->finish(g, (heed_gemm_area){row, tile->rows, column, columns}, tile->to, width * lanes);
    }
}

void heed_qgemm_run(const heed_gemm *gemm, heed_isa isa, int part, int parts, void *scratch)
{
    if (gemm->m <= 0 || gemm->n <= 0) return;
    const heed_qgemm_cut c = heed_qgemm_cut_of(gemm, isa);
    const int64_t cells = c.grid_rows * c.grid_columns;
    heed_qgemm_tile tile = {.panel_stride = c.panel_stride, .to = scratch, .blocks = c.k_qblocks};
    for (int64_t cell = cells * part / parts; cell < cells * (part + 1) / parts; cell++) {
        const int64_t j = cell / c.grid_rows, row = cell % c.grid_rows * HEED_QGEMM_MC;
        tile.rows = (int)heed_smaller(HEED_QGEMM_MC, gemm->m - row);
        tile.a_run = tile.rows;
        tile.a = row_block_of(gemm->a_runs, row, c.k_runs);
        if (!gemm->a_runs) {
            void *own = (char *)scratch + TILE_BYTES;
            const heed_qgemm_operand operand = {isa, gemm->b_dtype, tile.rows, gemm->k};
            heed_qgemm_quantize(&operand, gemm->a + row * gemm->a_stride, gemm->a_stride, 0,
                                tile.rows, own);
            tile.a = own;
        }
        const int64_t first = c.panel_groups * j / c.grid_columns * c.panels_per_group;
        const int64_t end = heed_smaller(
            c.panel_groups * (j + 1) / c.grid_columns * c.panels_per_group, c.panels);
        run_panels(gemm, &c, row, &tile, first, end);
        if (gemm->tile_done) {
            const int64_t column = first * c.kernels->lanes;
            gemm->tile_done(
                gemm, (heed_gemm_area){row, tile.rows, column,
                                       heed_smaller(end * c.kernels->lanes, gemm->n) - column});
        }
    }
}
