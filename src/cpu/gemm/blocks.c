/* Products over blocks: how one is cut, and the walk over tiles. Each part rounds the rows that it reads. */
#include "cpu/gemm/blocks.h"
#include "cpu/gemm/kernels.h"

/* A part has one chunk of rows, whose rounded form stays in the second-level cache while panels pass by; it is worth while for so many
   columns at least. Parts of few rows have about FEW_PART_WORK elements of B. */
enum { CHUNK_BYTES = 1 << 18, CHUNK_ROWS = 64, PART_COLUMNS = 256, MAX_PARTS = 64, MAX_FEW_PARTS = 32, FEW_PART_WORK = 1 << 17 };
enum { CHAINS_BYTES = HEED_BLOCK_MAX_ROWS * HEED_BLOCK_MAX_LANES * (int)sizeof(float) };

typedef struct {
    const heed_block_kernels *kernels;
    heed_block_tile_kernel *const *tile; /* by rows */
    int64_t runs, panels;
    int64_t chunk;                       /* rows of a chunk */
    int64_t grid_rows, grid_columns;
} cut;

static int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

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
    const int64_t tall = c.kernels->rows, fit = CHUNK_BYTES / (larger(c.runs, 1) * (int64_t)sizeof(heed_q8_run));
    c.chunk = larger(smaller(fit - fit % tall, CHUNK_ROWS), tall);
    c.grid_rows = larger(divide_up(g->m, c.chunk), 1);
    double work = (double)g->n * (double)larger(g->k, 1) * (1 + (double)g->m / 8) / FEW_PART_WORK;
    int64_t wanted = g->m <= tall ? (int64_t)(work < MAX_FEW_PARTS ? work : MAX_FEW_PARTS) : g->n / PART_COLUMNS;
    c.grid_columns = larger(smaller(wanted, smaller(c.panels, larger(MAX_PARTS / c.grid_rows, 1))), 1);
    return c;
}

int heed_block_gemm_parts(const heed_gemm *gemm, heed_isa isa)
{
    if (gemm->m <= 0 || gemm->n <= 0) return 1;
    cut c = cut_product(gemm, isa);
    return (int)smaller(c.grid_rows * c.grid_columns, MAX_PARTS);
}

size_t heed_block_gemm_scratch(const heed_gemm *gemm, heed_isa isa)
{
    cut c = cut_product(gemm, isa);
    return (CHAINS_BYTES + (size_t)(smaller(c.chunk, larger(gemm->m, 1)) * larger(c.runs, 1)) * sizeof(heed_q8_run) + 63) & ~(size_t)63;
}

static void run_unit(const heed_gemm *g, const cut *c, int64_t unit, void *scratch, heed_gemm_finish_kernel *finish, size_t panel_step)
{
    float *chains = scratch;
    heed_q8_run *rounded = (heed_q8_run *)((char *)scratch + CHAINS_BYTES);
    const int64_t i = unit % c->grid_rows, j = unit / c->grid_rows, lanes = c->kernels->lanes, tall = c->kernels->rows;
    const int64_t first_row = i * c->chunk, end_row = smaller(first_row + c->chunk, g->m);
    const int64_t first_panel = c->panels * j / c->grid_columns, end_panel = c->panels * (j + 1) / c->grid_columns;
    const int64_t rows = end_row - first_row, tiles = divide_up(rows, tall);
    for (int64_t r = 0; r < rows; r++) c->kernels->round(g->a + (first_row + r) * g->a_stride, c->runs, rounded + r * c->runs);
    heed_block_tile tile = {.a_row = c->runs, .blocks = g->k / (int64_t)heed_dtypes[g->b_dtype].block, .to = chains, .to_stride = lanes};
    for (int64_t panel = first_panel; panel < end_panel; panel++) {
        tile.panel = (const uint8_t *)g->b + (size_t)panel * panel_step;
        for (int64_t t = 0; t < tiles; t++) {
            const int64_t from = rows * t / tiles, count = rows * (t + 1) / tiles - from;
            tile.a = rounded + from * c->runs;
            c->tile[count](&tile);
            finish(g, first_row + from, panel * lanes, (int)count, (int)smaller(lanes, g->n - panel * lanes), chains, lanes);
        }
    }
}

void heed_block_gemm_run(const heed_gemm *gemm, heed_isa isa, int part, int parts, void *scratch)
{
    if (gemm->m <= 0 || gemm->n <= 0) return;
    const heed_gemm_kernels *plain = heed_gemm_kernels_for(isa);
    cut c = cut_product(gemm, isa);
    const size_t panel_step = heed_block_panel_step(isa, gemm->b_dtype, gemm->k);
    const int64_t units = c.grid_rows * c.grid_columns;
    for (int64_t unit = units * part / parts; unit < units * (part + 1) / parts; unit++) run_unit(gemm, &c, unit, scratch, plain->finish, panel_step);
}
