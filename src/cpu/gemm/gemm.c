/* gemm.c: the loops around the micro-kernel, numbered as in BLIS, from the inside. Blocks are drawn
   in cut_internal.h.

      run_cell    loop 5  columns of the cell, nc at a time   B block: third-level cache
                  loop 4  k, kc at a time                     sums lie in C from one kc to the next
                  loop 3  rows of the cell, mc at a time      A block: second-level cache
      run_panels  loop 2  columns, nr (a panel) at a time     panel of B: first-level cache
      run_tiles   loop 1  rows, mr (a row tile) at a time     tile of C: registers
      run_tile    micro-kernel, the loop over k, and after the last block of kc the epilogue

   Loop 2 may take several panels at once if tiles have few rows. A part of a matmul is one cell or
   several of the grid that cut.c chooses. */
#include "cpu/gemm/cut_internal.h"
#include "cpu/gemm/quantized.h"

#include <string.h>

static void copy_tile(float *to, ptrdiff_t to_stride, const float *from, ptrdiff_t from_stride,
                      int rows, int columns)
{
    for (int r = 0; r < rows; r++)
        memcpy(to + r * to_stride, from + r * from_stride, (size_t)columns * sizeof *to);
}

/* The block that is being computed: values of k [k, k + depth), rows [m, m + rows) of A in `tiles`
   row tiles; and the pieces of scratch memory. */
typedef struct {
    const heed_gemm *gemm;
    const heed_gemm_cut *cut;
    /* k_groups: packed elements that hold `depth` values of k */
    int64_t k, depth, k_groups, m, rows, tiles;
    float *sums, *packed_a, *packed_b;
} gemm_block;

/* Packs the rows of A of the block. */
static void pack_rows(const gemm_block *w)
{
    const heed_gemm *g = w->gemm;
    const heed_gemm_packers *packers = &w->cut->packers;
    const int width = (int)packed_a_width(w->cut, g, w->rows, w->depth);
    heed_gemm_rows a = {.type = HEED_GEMM_F32, .stride = g->a_stride};
    if (g->a_transposed) {
        a.data = g->a + w->k * g->a_stride + w->m;
        packers->pack_n(w->packed_a, width, a, w->depth, (int)w->rows);
    } else {
        a.data = g->a + w->m * g->a_stride + w->k;
        packers->pack_a(w->packed_a, width, a, w->rows, (int)w->depth);
    }
}

/* The number of rows of row tile t of the block; *first is the first of them. Row tiles differ by
   one row at most, except those of a prepacked and transposed A, which have mr rows, the last one
   what is left. */
static int tile_rows(const gemm_block *w, int64_t t, int64_t *first)
{
    if (w->cut->prepack_a && w->gemm->a_transposed) {
        *first = w->m + t * w->cut->mr;
        return (int)heed_smaller(w->cut->mr, w->m + w->rows - *first);
    }
    *first = w->m + w->rows * t / w->tiles;
    return (int)(w->m + w->rows * (t + 1) / w->tiles - *first);
}

/* Prefetches the lines of a tile of C, to be written, or of what is added to it, while the tile is
   computed. */
static void fetch_lines(const float *at, ptrdiff_t stride, int rows, int columns, bool write)
{
    enum { LINE = 64 / sizeof(float) };
    for (int r = 0; r < rows; r++, at += stride)
        for (int j = 0; j < columns; j += LINE) {
            if (write) __builtin_prefetch(at + j, 1);
            else __builtin_prefetch(at + j);
        }
}

/* One tile of C at (m, n): its sums begin with 0 or what stands in C, and end in C, through the
   epilogue after the last block of kc. */
static void run_tile(const gemm_block *w, heed_gemm_tile *tile, int index, int64_t m, int rows,
                     int64_t n)
{
    const heed_gemm *g = w->gemm;
    const heed_gemm_kernels *kernels = w->cut->kernels;
    const int width = kernels->lanes << index, columns = (int)heed_smaller(width, g->n - n);
    const bool last = w->k + w->depth >= g->k,
               epilogue = g->bias || g->activation || g->gate || g->residual || reads_old_c(g);
    float *out = g->c + m * g->c_stride + n;
    tile->from = w->k > 0 || g->accumulate ? out : NULL;
    tile->from_stride = g->c_stride;
    tile->to = out;
    tile->to_stride = g->c_stride;
    if (columns < width && tile->from) {
        copy_tile(w->sums, width, out, g->c_stride, rows, columns);
        tile->from = w->sums;
        tile->from_stride = width;
    }
    if (columns < width || (last && epilogue)) {
        tile->to = w->sums;
        tile->to_stride = width;
    }
    if (!w->cut->skinny) {
        fetch_lines(out, g->c_stride, rows, columns, true);
        if (last && g->residual)
            fetch_lines(g->residual + m * g->residual_stride + n, g->residual_stride, rows, columns,
                        false);
    }
    (*w->cut->tiles)[index][rows](tile);
    if (last && epilogue) kernels->finish(g, (heed_gemm_area){m, rows, n, columns}, w->sums, width);
    else if (columns < width) copy_tile(out, g->c_stride, w->sums, width, rows, columns);
}

/* Finds A of the block: row m is at a + (m - w->m) * a_row; row tile t of a transposed prepacked A
   is at a + t * a_tile. */
static const float *place_a(const gemm_block *w, heed_gemm_tile *tile, ptrdiff_t *a_tile)
{
    /* the processor does not prefetch the rows of a transposed A */
    enum { ROWS_AHEAD = 12 };
    const heed_gemm *g = w->gemm;
    const heed_gemm_cut *c = w->cut;
    const int64_t group = w->k / c->k_group;
    ptrdiff_t stride = g->a_stride;
    const float *a = g->a_transposed ? g->a + w->k * stride + w->m : g->a + w->m * stride + w->k;
    *a_tile = 0;
    if (c->pack_a) {
        a = w->packed_a;
        stride = packed_a_width(c, g, w->rows, w->depth);
    }
    if (c->prepack_a) {
        stride = packed_a_width(c, g, g->a_transposed ? c->mr : g->m, g->k);
        a = (const float *)g->packed_a +
            (g->a_transposed ? (w->m / c->mr * k_groups_of(c, g->k) + group) * stride
                             : w->m * stride + group);
        if (g->a_transposed) *a_tile = k_groups_of(c, g->k) * stride;
    }
    tile->a_row = g->a_transposed ? 1 : stride;
    tile->a_step = g->a_transposed ? stride : 1;
    tile->a_ahead = g->a_transposed ? ROWS_AHEAD * stride : 0;
    return a;
}

/* Loop 1, over the rows of the block, mr at a time: each row tile times the panels at place->b,
   which the first-level cache keeps. */
static void run_tiles(const gemm_block *w, const heed_gemm_tile *place, int index, int64_t n)
{
    heed_gemm_tile tile = *place;
    ptrdiff_t a_tile;
    const float *a = place_a(w, &tile, &a_tile);
    tile.depth = w->k_groups;
    for (int64_t t = 0; t < w->tiles; t++) {
        int64_t m;
        const int rows = tile_rows(w, t, &m);
        tile.a = a_tile ? a + t * a_tile : a + (m - w->m) * tile.a_row;
        run_tile(w, &tile, index, m, rows, n);
    }
}

/* Loop 2, over panels [first, end) of B, nr columns (or several panels) at a time, for one block of
   rows, which the second-level cache keeps. If B is packed here: `fresh`, because no earlier block
   of rows did so; `keep`, because a later one reads it again. */
static void run_panels(const gemm_block *w, int64_t first, int64_t end, bool fresh, bool keep)
{
    const heed_gemm_cut *c = w->cut;
    const heed_gemm *g = w->gemm;
    const int64_t nr = c->kernels->nr, lanes = c->kernels->lanes;
    const int tallest = (int)(c->prepack_a && g->a_transposed ? heed_smaller(w->rows, c->mr)
                                                              : heed_divide_up(w->rows, w->tiles));
    for (int64_t panel = first; panel < end;) {
        const int64_t n = panel * nr,
                      vectors = heed_divide_up(heed_smaller((end - panel) * nr, g->n - n), lanes);
        int index = HEED_GEMM_WIDTHS - 1;
        while (index > 0 && (!(*c->tiles)[index][tallest] || 1 << index > vectors)) index--;
        const int64_t panels = heed_larger((1 << index) / HEED_GEMM_PANEL_VECTORS, 1);
        heed_gemm_tile place = {.b_panel = stored_k_groups(c, g->k) * nr, .b_step = nr};
        if (c->pack_b) {
            /* panels that are packed together: a multiple of `panels` */
            const int64_t together = HEED_GEMM_MAX_WIDTH / nr, at = panel - first;
            float *packed = w->packed_b + (keep ? at : at % together) * w->k_groups * nr;
            const heed_gemm_pack_range range = {panel, heed_smaller(together, end - panel), w->k,
                                                w->depth};
            if (fresh && at % together == 0)
                heed_gemm_pack_panels(c, g, range, packed, w->k_groups * nr);
            place.b = packed;
            place.b_panel = w->k_groups * nr;
        } else if (c->prepack_b) {
            place.b_panel = k_groups_of(c, g->k) * nr;
            place.b = (const float *)g->packed_b + panel * place.b_panel + w->k / c->k_group * nr;
        } else if (g->b_kind == HEED_GEMM_B_NN) {
            place.b = element(g->b, c->type, w->k * g->b_stride + n);
            place.b_panel = nr;
            place.b_step = g->b_stride;
        } else
            place.b = element(g->b, c->type, panel * place.b_panel + stored_k_groups(c, w->k) * nr);
        run_tiles(w, &place, index, n);
        panel += panels;
    }
}

/* One cell of the grid. Loop 5 goes over its columns by nc, loop 4 over k by kc, loop 3 over its
   rows by mc. */
static void run_cell(const heed_gemm *g, const heed_gemm_cut *c, int64_t cell, float *scratch)
{
    gemm_block w = {
        .gemm = g, .cut = c, .sums = scratch, .packed_a = scratch + SUMS_BYTES / sizeof(float)};
    w.packed_b = w.packed_a + packed_a_elements(c, g, most_block_rows(c), c->kc);
    const int64_t i = cell % c->grid_rows, j = cell / c->grid_rows, mr = c->mr, nr = c->kernels->nr;
    const int64_t first_row = c->row_tiles * i / c->grid_rows * mr;
    const int64_t end_row = heed_smaller(c->row_tiles * (i + 1) / c->grid_rows * mr, g->m);
    const int64_t first_panel = c->panel_groups * j / c->grid_columns * c->panels_per_group;
    const int64_t end_panel = heed_smaller(
        c->panel_groups * (j + 1) / c->grid_columns * c->panels_per_group, c->panels);
    const int64_t tiles = heed_divide_up(end_row - first_row, mr);
    const int64_t blocks = heed_divide_up(tiles, c->mc / mr), panels = c->nc / nr;
    /* loop 5: nc columns of B, which the third-level cache keeps */
    for (int64_t panel = first_panel; panel < end_panel; panel += panels) {
        const int64_t stop = heed_smaller(panel + panels, end_panel);
        w.k = 0;
        /* loop 4: kc values of k */
        do {
            w.depth = heed_smaller(c->kc, g->k - w.k);
            w.k_groups = k_groups_of(c, w.depth);
            /* loop 3: about mc rows of A, which the second-level cache keeps */
            for (int64_t r = 0; r < blocks; r++) {
                w.m = first_row + tiles * r / blocks * mr;
                w.rows = heed_smaller(first_row + tiles * (r + 1) / blocks * mr, end_row) - w.m;
                w.tiles = heed_divide_up(w.rows, mr);
                if (c->pack_a) pack_rows(&w);
                run_panels(&w, panel, stop, r == 0, blocks > 1);
                if (g->tile_done && w.k + w.depth >= g->k)
                    g->tile_done(g, (heed_gemm_area){w.m, w.rows, panel * nr,
                                                     heed_smaller(stop * nr, g->n) - panel * nr});
            }
            w.k += c->kc;
        } while (w.k < g->k);
    }
}

void heed_gemm_find_grid(const heed_gemm *gemm, heed_isa isa, heed_gemm_grid *grid)
{
    heed_gemm g = *gemm;
    g.grid = NULL;
    if (heed_gemm_is_quantized(&g)) grid->quantized = heed_qgemm_cut_of(&g, isa);
    else grid->floats = heed_gemm_cut_of(&g, isa);
}

int heed_gemm_parts(const heed_gemm *gemm, heed_isa isa)
{
    if (heed_gemm_is_quantized(gemm)) return heed_qgemm_parts(gemm, isa);
    if (gemm->m <= 0 || gemm->n <= 0) return 1;
    const heed_gemm_cut c = heed_gemm_cut_of(gemm, isa);
    return (int)(c.grid_rows * c.grid_columns);
}

size_t heed_gemm_scratch(const heed_gemm *gemm, heed_isa isa)
{
    return heed_gemm_is_quantized(gemm) ? heed_qgemm_scratch(gemm, isa)
                                        : heed_gemm_cut_scratch(gemm, isa);
}

void heed_gemm_run(const heed_gemm *gemm, heed_isa isa, int part, int parts, void *scratch)
{
    if (heed_gemm_is_quantized(gemm)) {
        heed_qgemm_run(gemm, isa, part, parts, scratch);
        return;
    }
    if (gemm->m <= 0 || gemm->n <= 0) return;
    const heed_gemm_cut c = heed_gemm_cut_of(gemm, isa);
    const int64_t cells = c.grid_rows * c.grid_columns;
    for (int64_t cell = cells * part / parts; cell < cells * (part + 1) / parts; cell++)
        run_cell(gemm, &c, cell, scratch);
}
