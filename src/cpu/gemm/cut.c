#include "cpu/gemm/cut.h"

#include "base/number.h"
#include "cpu/gemm/blocks.h"

/* Parts: at most MAX_PARTS; one costs about PART_COST vector multiply-adds beside its work; with few rows, one for so many
   elements of B. */
enum { MAX_PARTS = 64, MAX_FEW_PARTS = 32, PART_COST = 4000, FEW_PART_WORK = 1 << 16 };

int64_t heed_gemm_whole_panels(int64_t grain, int64_t panel)
{
    return larger(grain, 1) / heed_common_divisor(larger(grain, 1), panel);
}

/* One row tile: units are runs of panels. */
static void cut_few(heed_gemm_cut *c, const heed_gemm *g)
{
    double work = (double)g->n * (double)larger(g->k, 1) * (1 + (double)g->m / 8) / FEW_PART_WORK;
    int64_t wanted = larger(smaller((int64_t)(work < MAX_FEW_PARTS ? work : MAX_FEW_PARTS), c->steps), 1);
    c->grid_rows = 1;
    c->grid_columns = divide_up(c->steps, divide_up(c->steps, wanted));
}

/* The time of one unit of so many row tiles and panels, in multiply-adds of one vector: its share of C, and the packing it does for itself. */
static double unit_cost(const heed_gemm_cut *c, const heed_gemm *g, int64_t row_tiles, int64_t panels)
{
    static const double packing[] = {
        [HEED_GEMM_B_PANELS] = 0.8, [HEED_GEMM_B_PANELS_TRANSPOSED] = 1, [HEED_GEMM_B_NT] = 1.3, [HEED_GEMM_B_NN] = 1.1};
    const double rows = (double)(row_tiles * c->tall), columns = (double)(panels * c->kernels->panel);
    double step = rows * columns / (double)(c->kernels->lanes * c->pair) + columns * (c->pack_b ? packing[g->b_kind] : 0.15);
    step += rows * (c->pack_a ? 0.8 : 0.25) * (double)divide_up((int64_t)columns, COLUMN_BLOCK / c->pair);
    return step * (double)g->k + PART_COST;
}

/* A grid of about equal units in powers of two: the one whose time, averaged over 2, 4, 8, 16 threads, is least. More units than
   threads even out; fewer pack less often. Every part looks for it anew, so that divisions count. */
static void cut_many(heed_gemm_cut *c, const heed_gemm *g)
{
    static const double weights[] = {2 * 1, 4 * 0.4, 8 * 0.3, 16 * 0.1}; /* times the threads */
    double best = 0;
    for (int64_t grid_rows = 1; grid_rows <= MAX_PARTS && grid_rows < 2 * c->row_tiles; grid_rows *= 2) {
        const int64_t rows = smaller(grid_rows, c->row_tiles), row_tiles = divide_up(c->row_tiles, rows);
        for (int64_t grid_columns = 1; grid_rows * grid_columns <= MAX_PARTS && grid_columns < 2 * c->steps; grid_columns *= 2) {
            const int64_t columns = smaller(grid_columns, c->steps), units = rows * columns;
            double shares = 0;
            for (int i = 0; i < 4; i++) shares += weights[i] * (double)((units + ((int64_t)2 << i) - 1) >> (i + 1));
            const double total = shares * unit_cost(c, g, row_tiles, divide_up(c->steps, columns) * c->step);
            if (best == 0 || total < best) {
                best = total;
                c->grid_rows = rows;
                c->grid_columns = columns;
            }
        }
    }
}

heed_gemm_cut heed_gemm_lay_out(const heed_gemm *g, heed_isa isa)
{
    const bool panels = g->b_kind == HEED_GEMM_B_PANELS || g->b_kind == HEED_GEMM_B_PANELS_TRANSPOSED;
    heed_gemm_cut c = {.kernels = heed_gemm_kernels_for(isa), .type = panels && g->b_dtype == HEED_BF16 ? HEED_GEMM_PAIRS : heed_gemm_type_of(g->b_dtype)};
    const heed_gemm_pair_kernels *pairs = g->rounded ? heed_gemm_pair_kernels_for(isa) : NULL;
    const int64_t panel = c.kernels->panel;
    c.packers = g->rounded ? c.kernels->rounded : c.kernels->floats;
    if (pairs) c.packers = pairs->pairs;
    c.pair = pairs ? 2 : 1;
    c.ahead_a = g->ahead && g->rounded;
    c.pack_a = g->rounded && !g->ahead;
    const bool rows_collide = !g->a_transposed && !g->rounded && g->a_stride % (CACHE_WAY / (int)sizeof(float)) == 0;
    c.tall = rows_collide ? smaller(c.kernels->rows, CACHE_WAYS) : c.kernels->rows;
    c.row_tiles = larger(divide_up(g->m, c.tall), 1);
    c.panels = larger(divide_up(g->n, panel), 1);
    c.step = heed_gemm_whole_panels(g->grain, panel);
    c.steps = divide_up(c.panels, c.step);
    c.few = c.row_tiles <= 1;
    const bool resident_pairs = pairs && g->b_kind == HEED_GEMM_B_PANELS && c.type == HEED_GEMM_PAIRS;
    c.pack_b = (g->rounded && !resident_pairs) || g->b_kind == HEED_GEMM_B_NT || g->b_kind == HEED_GEMM_B_PANELS_TRANSPOSED ||
               (g->b_kind == HEED_GEMM_B_NN && (!c.few || g->n % panel)) || (c.row_tiles > 2 && heed_gemm_type_bytes(c.type) < 4);
    c.ahead_b = c.pack_b && g->ahead;
    c.pack_b = c.pack_b && !g->ahead;
    const heed_gemm_type read = c.pack_b || c.ahead_b ? HEED_GEMM_F32 : c.type;
    c.tiles = pairs ? &pairs->tile : &c.kernels->tile[read];
    /* A block of depth leaves its chains in C, which must not be where gate or residual still wait to be read. */
    bool over_c = g->c && (g->gate == g->c || g->residual == g->c);
    bool one_block = over_c || (c.few && !c.pack_a && !c.pack_b);
    c.depth_block = larger(one_block ? g->k : smaller(g->k, DEPTH_BLOCK * c.pair), 1);
    c.panel_block = larger((over_c ? HEED_GEMM_MAX_WIDTH : COLUMN_BLOCK / c.pair) / panel / c.step, 1) * c.step;
    return c;
}

heed_gemm_cut heed_gemm_cut_of(const heed_gemm *g, heed_isa isa)
{
    heed_gemm_cut c = heed_gemm_lay_out(g, isa);
    c.grid_rows = c.grid_columns = 1;
    if (c.few) cut_few(&c, g);
    else cut_many(&c, g);
    return c;
}

int heed_gemm_parts(const heed_gemm *gemm, heed_isa isa)
{
    if (heed_gemm_is_blocks(gemm)) return heed_block_gemm_parts(gemm, isa);
    if (gemm->m <= 0 || gemm->n <= 0) return 1;
    heed_gemm_cut c = heed_gemm_cut_of(gemm, isa);
    return (int)(c.grid_rows * c.grid_columns);
}

size_t heed_gemm_scratch(const heed_gemm *gemm, heed_isa isa)
{
    if (heed_gemm_is_blocks(gemm)) return heed_block_gemm_scratch(gemm, isa);
    heed_gemm_cut c = heed_gemm_lay_out(gemm, isa);
    size_t depth = (size_t)c.depth_block;
    bool perhaps = !c.pack_b && !gemm->ahead && gemm->b_kind == HEED_GEMM_B_NN; /* a smaller n may end in a part of a panel, and be packed */
    if (perhaps) depth = (size_t)larger(smaller(gemm->k, DEPTH_BLOCK), 1);
    /* Packed panels are kept for a second block of rows; without one, those of one tile's width suffice. */
    int64_t panels = smaller(c.row_tiles > ROW_BLOCK ? c.panel_block : HEED_GEMM_MAX_WIDTH / c.kernels->panel, c.panels);
    size_t b = c.pack_b || perhaps ? (size_t)steps_of(&c, (int64_t)depth) * (size_t)(panels * c.kernels->panel) : 0;
    size_t a = (size_t)packed_a_elements(&c, gemm, most_block_rows(&c), (int64_t)depth);
    return (CHAINS_BYTES + (a + b) * sizeof(float) + 63) & ~(size_t)63;
}
