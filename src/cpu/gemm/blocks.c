/* Products over blocks: how one is cut, and the walk over tiles. */
#include "cpu/gemm/blocks.h"
#include "cpu/gemm/cut.h"

/* A part has one chunk of rows; it is worth while for so many columns at least. Parts of one chunk have about FEW_PART_WORK elements of B. */
enum { PART_COLUMNS = 128, MAX_PARTS = 64, MAX_FEW_PARTS = 64, FEW_PART_WORK = 1 << 16 };
enum { SUMS_BYTES = HEED_BLOCK_CHUNK * HEED_BLOCK_MAX_WIDTH * (int)sizeof(float) };

typedef struct {
    const heed_block_kernels *kernels;
    heed_block_tile_kernel *const *tile; /* by heed_block_shape */
    int64_t runs, panels;
    int64_t wide, step;                  /* panels of the widest tile, and those that no part cuts through */
    int64_t grid_rows, grid_columns;
} cut;

static const heed_block_kernels *kernels_for(heed_isa isa)
{
#if defined(__x86_64__)
    if (isa == HEED_ISA_AVX512) return heed_isa_has_vnni() ? &heed_block_kernels_vnni : &heed_block_kernels_avx512;
    if (isa == HEED_ISA_AVX2) return &heed_block_kernels_avx2;
#endif
    (void)isa;
    return &heed_block_kernels_generic;
}

static cut cut_product(const heed_gemm *g, heed_isa isa)
{
    cut c = {.kernels = kernels_for(isa), .runs = g->k / HEED_RUN};
    c.tile = c.kernels->tile[heed_block_traits_of(g->b_dtype) - heed_block_traits_table];
    c.panels = larger(divide_up(g->n, c.kernels->lanes), 1);
    c.wide = g->m > 1 && c.tile[HEED_BLOCK_TWO_PANELS] ? 2 : 1;
    c.step = heed_gemm_whole_panels(g->grain, c.wide * c.kernels->lanes) * c.wide;
    c.grid_rows = larger(divide_up(g->m, HEED_BLOCK_CHUNK), 1);
    const double work = (double)g->n * (double)larger(g->k, 1) * (1 + (double)g->m / 8) / FEW_PART_WORK;
    int64_t wanted = (int64_t)(work < MAX_FEW_PARTS ? work : MAX_FEW_PARTS);
    if (c.grid_rows > 1) wanted = g->n / PART_COLUMNS;
    c.grid_columns = larger(smaller(wanted, smaller(divide_up(c.panels, c.step), larger(MAX_PARTS / c.grid_rows, 1))), 1);
    return c;
}

int heed_block_gemm_parts(const heed_gemm *gemm, heed_isa isa)
{
    if (gemm->m <= 0 || gemm->n <= 0) return 1;
    cut c = cut_product(gemm, isa);
    return (int)smaller(c.grid_rows * c.grid_columns, MAX_PARTS);
}

size_t heed_block_rounded_bytes(int64_t m, int64_t k)
{
    return (size_t)(m * (k / HEED_RUN)) * sizeof(heed_q8_run);
}

/* The chunk that begins with row `first` of m. */
static heed_q8_run *chunk_of(const void *rounded, int64_t first, int64_t runs)
{
    return (heed_q8_run *)rounded + first * runs;
}

void heed_block_round(heed_isa isa, heed_dtype dtype, const float *a, int64_t a_stride, int64_t m, int64_t k, int64_t first, int64_t end, void *rounded)
{
    const heed_block_kernels *kernels = kernels_for(isa);
    const heed_block_traits *traits = heed_block_traits_of(dtype);
    const int64_t runs = k / HEED_RUN;
    for (int64_t i = first; i < end; i++) {
        const int64_t chunk = i - i % HEED_BLOCK_CHUNK, rows = smaller(m - chunk, HEED_BLOCK_CHUNK);
        kernels->round(a + (i - first) * a_stride, traits, runs, rows, chunk_of(rounded, chunk, runs) + (i - chunk));
    }
}

size_t heed_block_gemm_scratch(const heed_gemm *gemm, heed_isa isa)
{
    (void)isa;
    const size_t own = gemm->a_runs ? 0 : heed_block_rounded_bytes(smaller(HEED_BLOCK_CHUNK, larger(gemm->m, 1)), gemm->k);
    return (SUMS_BYTES + own + 63) & ~(size_t)63;
}

/* The tiles of one chunk of rows over panels [first, end). */
static void run_panels(const heed_gemm *g, const cut *c, heed_isa isa, int64_t row, heed_block_tile *tile, int64_t first, int64_t end)
{
    const heed_gemm_kernels *plain = heed_gemm_kernels_for(isa);
    const int64_t lanes = c->kernels->lanes;
    for (int64_t panel = first, width; panel < end; panel += width) {
        const bool two = end - panel > 1 && c->wide > 1;
        heed_block_shape shape = two ? HEED_BLOCK_TWO_PANELS : HEED_BLOCK_ONE_PANEL;
        if (tile->rows == 1) shape = HEED_BLOCK_ONE_ROW;
        width = shape == HEED_BLOCK_TWO_PANELS ? 2 : 1;
        tile->panel = (const uint8_t *)g->b + panel * tile->panel_step;
        c->tile[shape](tile);
        plain->finish(g, row, panel * lanes, tile->rows, (int)smaller(width * lanes, g->n - panel * lanes), tile->to, width * lanes);
    }
}

void heed_block_gemm_run(const heed_gemm *gemm, heed_isa isa, int part, int parts, void *scratch)
{
    if (gemm->m <= 0 || gemm->n <= 0) return;
    const cut c = cut_product(gemm, isa);
    const int64_t units = c.grid_rows * c.grid_columns, steps = divide_up(c.panels, c.step);
    heed_block_tile tile = {.panel_step = (ptrdiff_t)heed_block_panel_step(isa, gemm->b_dtype, gemm->k), .to = scratch,
                            .blocks = gemm->k / (int64_t)heed_dtypes[gemm->b_dtype].block};
    for (int64_t unit = units * part / parts; unit < units * (part + 1) / parts; unit++) {
        const int64_t j = unit / c.grid_rows, row = unit % c.grid_rows * HEED_BLOCK_CHUNK;
        tile.rows = (int)smaller(HEED_BLOCK_CHUNK, gemm->m - row);
        tile.a_run = tile.rows;
        tile.a = chunk_of(gemm->a_runs, row, c.runs);
        if (!gemm->a_runs) {
            void *own = (char *)scratch + SUMS_BYTES;
            heed_block_round(isa, gemm->b_dtype, gemm->a + row * gemm->a_stride, gemm->a_stride, tile.rows, gemm->k, 0, tile.rows, own);
            tile.a = own;
        }
        const int64_t first = steps * j / c.grid_columns * c.step, end = smaller(steps * (j + 1) / c.grid_columns * c.step, c.panels);
        run_panels(gemm, &c, isa, row, &tile, first, end);
        if (gemm->finished) {
            const int64_t column = first * c.kernels->lanes;
            gemm->finished(gemm, row, tile.rows, column, smaller(end * c.kernels->lanes, gemm->n) - column);
        }
    }
}
