#include "cpu/gemm/blocks.h"
#include "cpu/gemm/cut.h"

#include <string.h>

static void copy_tile(float *to, ptrdiff_t to_stride, const float *from, ptrdiff_t from_stride, int rows, int columns)
{
    for (int r = 0; r < rows; r++) memcpy(to + r * to_stride, from + r * from_stride, (size_t)columns * sizeof *to);
}

/* What a unit works on at one time: steps [k, k + depth), rows [m, m + rows) in `tiles` tiles, and scratch. */
typedef struct {
    const heed_gemm *gemm;
    const heed_gemm_cut *cut;
    int64_t k, depth, steps, m, rows, tiles; /* steps: packed elements for this depth */
    float *chains, *packed_a, *packed_b;
} block;

/* The block's rows of A. */
static void pack_rows(const block *w)
{
    const heed_gemm *g = w->gemm;
    const heed_gemm_packers *packers = &w->cut->packers;
    const int width = (int)packed_a_width(w->cut, g, w->rows, w->depth);
    if (g->a_transposed) packers->straight(w->packed_a, width, g->a + w->k * g->a_stride + w->m, HEED_GEMM_F32, g->a_stride, w->depth, (int)w->rows);
    else packers->lengthwise(w->packed_a, width, g->a + w->m * g->a_stride + w->k, HEED_GEMM_F32, g->a_stride, w->rows, (int)w->depth);
}

/* Rows [*first, *end) of the block's tile t: heights differ by one at most, but for tiles that are packed as such. */
static int tile_rows(const block *w, int64_t t, int64_t *first)
{
    if (w->cut->ahead_a && w->gemm->a_transposed) {
        *first = w->m + t * w->cut->tall;
        return (int)smaller(w->cut->tall, w->m + w->rows - *first);
    }
    *first = w->m + w->rows * t / w->tiles;
    return (int)(w->m + w->rows * (t + 1) / w->tiles - *first);
}

/* The lines that a tile ends in come while it is computed: C, to be written, and what is added to it. */
static void fetch_lines(const float *at, ptrdiff_t stride, int rows, int columns, bool write)
{
    enum { LINE = 64 / sizeof(float) };
    for (int r = 0; r < rows; r++, at += stride)
        for (int j = 0; j < columns; j += LINE) {
            if (write) __builtin_prefetch(at + j, 1);
            else __builtin_prefetch(at + j);
        }
}

/* One tile of C at (m, n): begins its chains or takes them up from C, and leaves them there, finished after the last step. */
static void run_tile(const block *w, heed_gemm_tile *tile, int index, int64_t m, int rows, int64_t n)
{
    const heed_gemm *g = w->gemm;
    const heed_gemm_kernels *kernels = w->cut->kernels;
    const int width = kernels->lanes << index, columns = (int)smaller(width, g->n - n);
    const bool last = w->k + w->depth >= g->k, epilogue = g->bias || g->activation || g->gate || g->residual;
    float *out = g->c + m * g->c_stride + n;
    tile->from = w->k > 0 || g->accumulate ? out : NULL;
    tile->from_stride = g->c_stride;
    tile->to = out;
    tile->to_stride = g->c_stride;
    if (columns < width && tile->from) {
        copy_tile(w->chains, width, out, g->c_stride, rows, columns);
        tile->from = w->chains;
        tile->from_stride = width;
    }
    if (columns < width || (last && epilogue)) {
        tile->to = w->chains;
        tile->to_stride = width;
    }
    if (!w->cut->few) {
        fetch_lines(out, g->c_stride, rows, columns, true);
        if (last && g->residual) fetch_lines(g->residual + m * g->residual_stride + n, g->residual_stride, rows, columns, false);
    }
    (*w->cut->tiles)[index][rows](tile);
    if (last && epilogue) kernels->finish(g, m, n, rows, columns, w->chains, width);
    else if (columns < width) copy_tile(out, g->c_stride, w->chains, width, rows, columns);
}

/* Where the block's A lies: row m of it at a + (m - w->m) * a_row, transposed tiles that were packed ahead at a + t * a_tile. */
static const float *place_a(const block *w, heed_gemm_tile *tile, ptrdiff_t *a_tile)
{
    enum { STEPS_AHEAD = 12 }; /* the processor does not foresee that a transposed A goes from row to row */
    const heed_gemm *g = w->gemm;
    const heed_gemm_cut *c = w->cut;
    const int64_t step = w->k / c->pair;
    ptrdiff_t stride = g->a_stride;
    const float *a = g->a_transposed ? g->a + w->k * stride + w->m : g->a + w->m * stride + w->k;
    *a_tile = 0;
    if (c->pack_a) {
        a = w->packed_a;
        stride = packed_a_width(c, g, w->rows, w->depth);
    }
    if (c->ahead_a) {
        stride = packed_a_width(c, g, g->a_transposed ? c->tall : g->m, g->k);
        a = (const float *)g->packed_a + (g->a_transposed ? (w->m / c->tall * steps_of(c, g->k) + step) * stride : w->m * stride + step);
        if (g->a_transposed) *a_tile = steps_of(c, g->k) * stride;
    }
    tile->a_row = g->a_transposed ? 1 : stride;
    tile->a_step = g->a_transposed ? stride : 1;
    tile->a_ahead = g->a_transposed ? STEPS_AHEAD * stride : 0;
    return a;
}

/* All tiles of the block against the panels at `b`, one tile wide. */
static void run_tiles(const block *w, const heed_gemm_tile *place, int index, int64_t n)
{
    heed_gemm_tile tile = *place;
    ptrdiff_t a_tile;
    const float *a = place_a(w, &tile, &a_tile);
    tile.depth = w->steps;
    for (int64_t t = 0; t < w->tiles; t++) {
        int64_t m;
        int rows = tile_rows(w, t, &m);
        tile.a = a_tile ? a + t * a_tile : a + (m - w->m) * tile.a_row;
        run_tile(w, &tile, index, m, rows, n);
    }
}

/* Panels [first, end) of B for one block of rows; `fresh` when the packed ones are not there yet from an earlier block. */
static void run_panels(const block *w, int64_t first, int64_t end, bool fresh, bool keep)
{
    const heed_gemm_cut *c = w->cut;
    const heed_gemm *g = w->gemm;
    const int64_t width = c->kernels->panel, lanes = c->kernels->lanes;
    const int tallest = (int)(c->ahead_a && g->a_transposed ? smaller(w->rows, c->tall) : divide_up(w->rows, w->tiles));
    for (int64_t panel = first; panel < end;) {
        const int64_t n = panel * width, vectors = divide_up(smaller((end - panel) * width, g->n - n), lanes);
        int index = HEED_GEMM_WIDTHS - 1;
        while (index > 0 && (!(*c->tiles)[index][tallest] || 1 << index > vectors)) index--;
        const int64_t panels = larger((1 << index) / HEED_GEMM_PANEL_VECTORS, 1);
        heed_gemm_tile place = {.b_panel = stored_steps(c, g->k) * width, .b_step = width};
        if (c->pack_b) {
            const int64_t together = HEED_GEMM_MAX_WIDTH / width, at = panel - first; /* a multiple of `panels` */
            float *packed = w->packed_b + (keep ? at : at % together) * w->steps * width;
            if (fresh && at % together == 0) heed_gemm_pack_panels(c, g, panel, smaller(together, end - panel), w->k, w->depth, packed, w->steps * width);
            place.b = packed;
            place.b_panel = w->steps * width;
        } else if (c->ahead_b) {
            place.b_panel = steps_of(c, g->k) * width;
            place.b = (const float *)g->packed_b + panel * place.b_panel + w->k / c->pair * width;
        } else if (g->b_kind == HEED_GEMM_B_NN) {
            place.b = element(g->b, c->type, w->k * g->b_stride + n);
            place.b_panel = width;
            place.b_step = g->b_stride;
        } else place.b = element(g->b, c->type, panel * place.b_panel + stored_steps(c, w->k) * width);
        run_tiles(w, &place, index, n);
        panel += panels;
    }
}

static void run_unit(const heed_gemm *g, const heed_gemm_cut *c, int64_t unit, float *scratch)
{
    block w = {.gemm = g, .cut = c, .chains = scratch, .packed_a = scratch + CHAINS_BYTES / sizeof(float)};
    w.packed_b = w.packed_a + packed_a_elements(c, g, most_block_rows(c), c->depth_block);
    const int64_t i = unit % c->grid_rows, j = unit / c->grid_rows, tall = c->tall;
    const int64_t first_row = c->row_tiles * i / c->grid_rows * tall;
    const int64_t end_row = smaller(c->row_tiles * (i + 1) / c->grid_rows * tall, g->m);
    const int64_t first_panel = c->steps * j / c->grid_columns * c->step, end_panel = smaller(c->steps * (j + 1) / c->grid_columns * c->step, c->panels);
    const int64_t tiles = divide_up(end_row - first_row, tall), blocks = divide_up(tiles, ROW_BLOCK);
    for (int64_t panel = first_panel; panel < end_panel; panel += c->panel_block) {
        const int64_t stop = smaller(panel + c->panel_block, end_panel);
        w.k = 0;
        do {
            w.depth = smaller(c->depth_block, g->k - w.k);
            w.steps = steps_of(c, w.depth);
            for (int64_t r = 0; r < blocks; r++) {
                w.m = first_row + tiles * r / blocks * tall;
                w.rows = smaller(first_row + tiles * (r + 1) / blocks * tall, end_row) - w.m;
                w.tiles = divide_up(w.rows, tall);
                if (c->pack_a) pack_rows(&w);
                run_panels(&w, panel, stop, r == 0, blocks > 1);
                if (g->finished && w.k + w.depth >= g->k) {
                    const int64_t column = panel * c->kernels->panel;
                    g->finished(g, w.m, w.rows, column, smaller(stop * c->kernels->panel, g->n) - column);
                }
            }
            w.k += c->depth_block;
        } while (w.k < g->k);
    }
}

void heed_gemm_run(const heed_gemm *gemm, heed_isa isa, int part, int parts, void *scratch)
{
    if (heed_gemm_is_blocks(gemm)) {
        heed_block_gemm_run(gemm, isa, part, parts, scratch);
        return;
    }
    if (gemm->m <= 0 || gemm->n <= 0) return;
    heed_gemm_cut c = heed_gemm_cut_of(gemm, isa);
    const int64_t units = c.grid_rows * c.grid_columns;
    for (int64_t unit = units * part / parts; unit < units * (part + 1) / parts; unit++) run_unit(gemm, &c, unit, scratch);
}
