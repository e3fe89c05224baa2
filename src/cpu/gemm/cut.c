/* cut.c: decides how a matmul is cut: into which grid of cells, with which block sizes, and who
   packs which operand. cut_internal.h draws it. */
#include "cpu/gemm/cut_internal.h"

#include "base/number.h"
#include "tensor/alignment.h"

int64_t heed_gemm_panels_per_group(int64_t tile_columns, int64_t nr)
{
    return heed_larger(tile_columns, 1) / heed_common_divisor(heed_larger(tile_columns, 1), nr);
}

/* If there is one row tile, cells are ranges of panel groups: as many as give each at least
   costs.skinny_cell / (1 + m / 8) elements of B, but at most costs.most_skinny_cells. Larger
   weights have larger ranges. */
static void cut_skinny(heed_gemm_cut *c, const heed_gemm *g)
{
    const heed_gemm_costs *costs = &c->kernels->costs;
    const double work = (double)g->n * (double)heed_larger(g->k, 1) * (1 + (double)g->m / 8) /
                        costs->skinny_cell;
    const int64_t most = heed_smaller(costs->most_skinny_cells, c->panel_groups);
    const int64_t wanted = heed_larger(work < (double)most ? (int64_t)work : most, 1);
    c->grid_rows = 1;
    c->grid_columns = heed_divide_up(c->panel_groups, heed_divide_up(c->panel_groups, wanted));
}

/* The time of one cell with this many row tiles and panels, in multiply-adds of one vector: its
   share of C, reading or packing its operands, and a fixed cost. */
static double cell_cost(const heed_gemm_cut *c, const heed_gemm *g, int64_t row_tiles,
                        int64_t panels)
{
    const heed_gemm_costs *costs = &c->kernels->costs;
    const double rows = (double)(row_tiles * c->mr), columns = (double)(panels * c->kernels->nr);
    double cost = rows * columns / (double)(c->kernels->lanes * c->k_group) +
                  columns * (c->pack_b ? costs->pack_b[g->b_kind] : costs->read_b);
    cost += rows * (c->pack_a ? costs->pack_a : costs->read_a) *
            (double)heed_divide_up((int64_t)columns, c->block_columns);
    return cost * (double)g->k + costs->cell;
}

/* The cells of the thread that runs most of them, times the number of threads: the number of cells
   if all threads had as many. A sum over 2, 4, 8 and 16 threads, by costs.thread_weights. */
static double weighted_cells(const heed_gemm_cut *c, int64_t cells)
{
    double sum = 0;
    for (int i = 0; i < HEED_GEMM_THREAD_COUNTS; i++) {
        const int64_t threads = (int64_t)2 << i;
        sum += c->kernels->costs.thread_weights[i] * (double)threads *
               (double)heed_divide_up(cells, threads);
    }
    return sum;
}

/* Chooses a grid of about equal cells, in powers of two: the one that takes the least time on the
   numbers of threads that are weighed. More cells balance better; fewer cells pack less often. */
static void cut_many(heed_gemm_cut *c, const heed_gemm *g)
{
    const int64_t most = c->kernels->costs.most_cells;
    double best = 0;
    for (int64_t grid_rows = 1; grid_rows <= most && grid_rows < 2 * c->row_tiles; grid_rows *= 2) {
        const int64_t rows = heed_smaller(grid_rows, c->row_tiles),
                      row_tiles = heed_divide_up(c->row_tiles, rows);
        for (int64_t grid_columns = 1;
             grid_rows * grid_columns <= most && grid_columns < 2 * c->panel_groups;
             grid_columns *= 2) {
            const int64_t columns = heed_smaller(grid_columns, c->panel_groups);
            const int64_t cells = rows * columns;
            const int64_t panels = heed_divide_up(c->panel_groups, columns) * c->panels_per_group;
            const double total = weighted_cells(c, cells) * cell_cost(c, g, row_tiles, panels);
            if (best == 0 || total < best) {
                best = total;
                c->grid_rows = rows;
                c->grid_columns = columns;
            }
        }
    }
}

/* Decides which operands are packed, who packs them, and which register tiles read them. */
static void choose_packing(heed_gemm_cut *c, const heed_gemm *g,
                           const heed_gemm_pair_kernels *pairs)
{
    const bool resident_pairs = pairs && g->b_kind == HEED_GEMM_B_PANELS &&
                                c->type == HEED_GEMM_PAIRS;
    const bool ragged_rows = g->b_kind == HEED_GEMM_B_NN && (!c->skinny || g->n % c->kernels->nr);
    const bool widened_often = c->row_tiles > 2 && heed_gemm_type_bytes(c->type) < 4;
    const bool pack_b = (g->bf16_operands && !resident_pairs) || g->b_kind == HEED_GEMM_B_NT ||
                        g->b_kind == HEED_GEMM_B_PANELS_TRANSPOSED || ragged_rows || widened_often;
    c->pack_a = g->bf16_operands && !g->prepacked;
    c->prepack_a = g->bf16_operands && g->prepacked;
    c->pack_b = pack_b && !g->prepacked;
    c->prepack_b = pack_b && g->prepacked;
    c->packers = g->bf16_operands ? c->kernels->bf16 : c->kernels->floats;
    c->tiles = &c->kernels->tile[pack_b ? HEED_GEMM_F32 : c->type];
    c->k_group = 1;
    if (!pairs) return;
    c->packers = pairs->pairs;
    c->tiles = &pairs->tile;
    c->k_group = 2;
}

heed_gemm_cut heed_gemm_lay_out(const heed_gemm *g, heed_isa isa)
{
    if (g->grid) return g->grid->floats;
    const bool panels = g->b_kind == HEED_GEMM_B_PANELS ||
                        g->b_kind == HEED_GEMM_B_PANELS_TRANSPOSED;
    const bool stored_pairs = panels && g->b_dtype == HEED_BF16;
    heed_gemm_cut c = {.kernels = heed_gemm_kernels_for(isa),
                       .type = stored_pairs ? HEED_GEMM_PAIRS : heed_gemm_type_of(g->b_dtype)};
    const heed_gemm_pair_kernels *pairs = g->bf16_operands ? heed_gemm_pair_kernels_for(isa) : NULL;
    const heed_gemm_blocking *blocking = pairs ? &pairs->blocking : &c.kernels->blocking;
    const int64_t nr = c.kernels->nr;
    const bool rows_collide = !g->a_transposed && !g->bf16_operands &&
                              g->a_stride % (CACHE_WAY / (int)sizeof(float)) == 0;
    c.mr = rows_collide ? heed_smaller(c.kernels->mr, CACHE_WAYS) : c.kernels->mr;
    c.mc = blocking->mc / c.kernels->mr * c.mr;
    c.row_tiles = heed_larger(heed_divide_up(g->m, c.mr), 1);
    c.panels = heed_larger(heed_divide_up(g->n, nr), 1);
    c.panels_per_group = heed_gemm_panels_per_group(g->tile_columns, nr);
    c.panel_groups = heed_divide_up(c.panels, c.panels_per_group);
    c.skinny = c.row_tiles <= 1;
    choose_packing(&c, g, pairs);
    /* Between blocks of kc the sums lie in C. If the epilogue reads the old C, there can be only
       one block. */
    const bool one_block = reads_old_c(g) || (c.skinny && !c.pack_a && !c.pack_b);
    c.kc = heed_larger(one_block ? g->k : heed_smaller(g->k, blocking->kc), 1);
    c.block_columns = blocking->nc;
    const int64_t most_columns = reads_old_c(g) ? HEED_GEMM_MAX_WIDTH : blocking->nc;
    const int64_t group_columns = c.panels_per_group * nr;
    c.nc = heed_larger(most_columns / group_columns, 1) * group_columns;
    return c;
}

heed_gemm_cut heed_gemm_cut_of(const heed_gemm *g, heed_isa isa)
{
    heed_gemm_cut c = heed_gemm_lay_out(g, isa);
    if (g->grid) return c;
    c.grid_rows = c.grid_columns = 1;
    if (c.skinny) cut_skinny(&c, g);
    else cut_many(&c, g);
    return c;
}

size_t heed_gemm_cut_scratch(const heed_gemm *gemm, heed_isa isa)
{
    const heed_gemm_cut c = heed_gemm_lay_out(gemm, isa);
    size_t depth = (size_t)c.kc;
    /* With a smaller n the last panel may be cut off, and then B is packed. */
    const bool perhaps = !c.pack_b && !gemm->prepacked && gemm->b_kind == HEED_GEMM_B_NN;
    if (perhaps) depth = (size_t)heed_larger(heed_smaller(gemm->k, c.kernels->blocking.kc), 1);
    /* If there is a second block of rows, packed panels are kept for it; otherwise those of one
       register tile suffice. */
    const bool second_block = c.row_tiles * c.mr > c.mc;
    const int64_t columns = heed_smaller(second_block ? c.nc : HEED_GEMM_MAX_WIDTH,
                                         c.panels * c.kernels->nr);
    const size_t b = c.pack_b || perhaps ? (size_t)k_groups_of(&c, (int64_t)depth) * (size_t)columns
                                         : 0;
    const size_t a = (size_t)packed_a_elements(&c, gemm, most_block_rows(&c), (int64_t)depth);
    return heed_align(SUMS_BYTES + (a + b) * sizeof(float));
}
