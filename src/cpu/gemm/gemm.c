#include "cpu/gemm/blocks.h"
#include "cpu/gemm/kernels.h"

#include <string.h>

/* A block of ROW_BLOCK tiles of rows and DEPTH_BLOCK packed steps stays in the second-level cache while COLUMN_BLOCK columns of B
   pass by, panel after panel; of pairs, which make the step twice as long, half as many columns. Rows of A a multiple of CACHE_WAY bytes apart share the same lines of the first-level cache: tiles
   then have at most CACHE_WAYS rows. */
enum { DEPTH_BLOCK = 512, COLUMN_BLOCK = 2048, ROW_BLOCK = 8, CACHE_WAY = 4096, CACHE_WAYS = 8 };
/* Parts: at most MAX_PARTS; one costs about PART_COST vector multiply-adds beside its work; with few rows, one for so many
   elements of B. */
enum { MAX_PARTS = 64, MAX_FEW_PARTS = 32, PART_COST = 4000, FEW_PART_WORK = 1 << 16 };

/* How one product is cut. Everything here follows from the description alone. */
typedef struct {
    const heed_gemm_kernels *kernels;
    const heed_gemm_tiles *tiles;      /* for the B they read: as stored, or packed */
    heed_gemm_packers packers;
    heed_gemm_type type;               /* of B as stored: panels of bf16 are pairs */
    int64_t tall;                    /* rows of a tile */
    int64_t row_tiles, panels;       /* of C */
    int64_t grid_rows, grid_columns; /* C is cut into this many units */
    int64_t depth_block, panel_block;
    int64_t pair;                      /* steps of k in a packed element: 1 or 2 */
    bool few;                          /* one row tile covers M */
    bool pack_a, pack_b;               /* every unit for itself */
    bool ahead_a, ahead_b;             /* or all before */
} cut;

static int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

const heed_gemm_kernels *heed_gemm_kernels_for(heed_isa isa)
{
    return HEED_FOR_ISA(isa, heed_gemm_kernels);
}

const heed_gemm_pair_kernels *heed_gemm_pair_kernels_for(heed_isa isa)
{
#if defined(__x86_64__)
    if (isa == HEED_ISA_AVX512 && heed_isa_has_bf16()) return &heed_gemm_pair_kernels_bf16;
#endif
    (void)isa;
    return NULL;
}

heed_gemm_type heed_gemm_type_of(heed_dtype dtype)
{
    return dtype == HEED_F16 ? HEED_GEMM_F16 : dtype == HEED_BF16 ? HEED_GEMM_BF16 : HEED_GEMM_F32;
}

/* One row tile: units are runs of panels. */
static void cut_few(cut *c, const heed_gemm *g)
{
    double work = (double)g->n * (double)larger(g->k, 1) * (1 + (double)g->m / 8) / FEW_PART_WORK;
    int64_t wanted = larger(smaller((int64_t)(work < MAX_FEW_PARTS ? work : MAX_FEW_PARTS), c->panels), 1);
    c->grid_rows = 1;
    c->grid_columns = divide_up(c->panels, divide_up(c->panels, wanted));
}

/* The time of one unit of so many row tiles and panels, in multiply-adds of one vector: its share of C, and the packing it does for itself. */
static double unit_cost(const cut *c, const heed_gemm *g, int64_t row_tiles, int64_t panels)
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
static void cut_many(cut *c, const heed_gemm *g)
{
    static const double weights[] = {2 * 1, 4 * 0.4, 8 * 0.3, 16 * 0.1}; /* times the threads */
    double best = 0;
    for (int64_t grid_rows = 1; grid_rows <= MAX_PARTS && grid_rows < 2 * c->row_tiles; grid_rows *= 2) {
        const int64_t rows = smaller(grid_rows, c->row_tiles), row_tiles = divide_up(c->row_tiles, rows);
        for (int64_t grid_columns = 1; grid_rows * grid_columns <= MAX_PARTS && grid_columns < 2 * c->panels; grid_columns *= 2) {
            const int64_t columns = smaller(grid_columns, c->panels), units = rows * columns;
            double shares = 0;
            for (int i = 0; i < 4; i++) shares += weights[i] * (double)((units + ((int64_t)2 << i) - 1) >> (i + 1));
            const double total = shares * unit_cost(c, g, row_tiles, divide_up(c->panels, columns));
            if (best == 0 || total < best) best = total, c->grid_rows = rows, c->grid_columns = columns;
        }
    }
}

/* All but the grid. */
static cut lay_out(const heed_gemm *g, heed_isa isa)
{
    const bool panels = g->b_kind == HEED_GEMM_B_PANELS || g->b_kind == HEED_GEMM_B_PANELS_TRANSPOSED;
    cut c = {.kernels = heed_gemm_kernels_for(isa), .type = panels && g->b_dtype == HEED_BF16 ? HEED_GEMM_PAIRS : heed_gemm_type_of(g->b_dtype)};
    const heed_gemm_pair_kernels *pairs = g->rounded ? heed_gemm_pair_kernels_for(isa) : NULL;
    const int64_t panel = c.kernels->panel;
    c.packers = pairs ? pairs->pairs : g->rounded ? c.kernels->rounded : c.kernels->floats;
    c.pair = pairs ? 2 : 1;
    c.ahead_a = g->ahead && g->rounded;
    c.pack_a = g->rounded && !g->ahead;
    const bool rows_collide = !g->a_transposed && !g->rounded && g->a_stride % (CACHE_WAY / (int)sizeof(float)) == 0;
    c.tall = rows_collide ? smaller(c.kernels->rows, CACHE_WAYS) : c.kernels->rows;
    c.row_tiles = larger(divide_up(g->m, c.tall), 1);
    c.panels = larger(divide_up(g->n, panel), 1);
    c.few = c.row_tiles <= 1;
    const bool resident_pairs = pairs && g->b_kind == HEED_GEMM_B_PANELS && c.type == HEED_GEMM_PAIRS;
    c.pack_b = (g->rounded && !resident_pairs) || g->b_kind == HEED_GEMM_B_NT || g->b_kind == HEED_GEMM_B_PANELS_TRANSPOSED ||
               (g->b_kind == HEED_GEMM_B_NN && (!c.few || g->n % panel)) || (c.row_tiles > 2 && heed_gemm_type_bytes(c.type) < 4);
    c.ahead_b = c.pack_b && g->ahead;
    c.pack_b = c.pack_b && !g->ahead;
    c.tiles = pairs ? &pairs->tile : &c.kernels->tile[c.pack_b || c.ahead_b ? HEED_GEMM_F32 : c.type];
    /* A block of depth leaves its chains in C, which must not be where gate or residual still wait to be read. */
    bool over_c = g->c && (g->gate == g->c || g->residual == g->c);
    bool one_block = over_c || (c.few && !c.pack_a && !c.pack_b);
    c.depth_block = larger(one_block ? g->k : smaller(g->k, DEPTH_BLOCK * c.pair), 1);
    c.panel_block = (over_c ? HEED_GEMM_MAX_WIDTH : COLUMN_BLOCK / c.pair) / panel;
    return c;
}

static cut cut_product(const heed_gemm *g, heed_isa isa)
{
    cut c = lay_out(g, isa);
    c.grid_rows = c.grid_columns = 1;
    if (c.few) cut_few(&c, g);
    else cut_many(&c, g);
    return c;
}

int heed_gemm_parts(const heed_gemm *gemm, heed_isa isa)
{
    if (heed_gemm_is_blocks(gemm)) return heed_block_gemm_parts(gemm, isa);
    if (gemm->m <= 0 || gemm->n <= 0) return 1;
    cut c = cut_product(gemm, isa);
    return (int)(c.grid_rows * c.grid_columns);
}

/* Scratch is three pieces: chains of one tile, packed rows of A, packed panels of B. */
enum { CHAINS_BYTES = HEED_GEMM_MAX_ROWS * HEED_GEMM_MAX_WIDTH * (int)sizeof(float) };

/* Packed elements for `depth` steps. */
static int64_t steps_of(const cut *c, int64_t depth) { return divide_up(depth, c->pair); }

/* Elements of a packed row of A, whose rows must not be a multiple of CACHE_WAY apart; transposed, of a packed step. */
static int64_t packed_a_width(const cut *c, const heed_gemm *g, int64_t rows, int64_t depth)
{
    const int64_t lanes = c->kernels->lanes;
    return divide_up(g->a_transposed ? rows : steps_of(c, depth), lanes) * lanes + (g->a_transposed ? 0 : lanes);
}

/* Elements of a packed block of A, whose height is at most `rows`. */
static int64_t packed_a_elements(const cut *c, const heed_gemm *g, int64_t rows, int64_t depth)
{
    return c->pack_a ? packed_a_width(c, g, rows, depth) * (g->a_transposed ? steps_of(c, depth) : rows) : 0;
}

static int64_t most_block_rows(const cut *c)
{
    return smaller(c->row_tiles, ROW_BLOCK) * c->tall;
}

size_t heed_gemm_scratch(const heed_gemm *gemm, heed_isa isa)
{
    if (heed_gemm_is_blocks(gemm)) return heed_block_gemm_scratch(gemm, isa);
    cut c = lay_out(gemm, isa);
    size_t depth = (size_t)c.depth_block;
    bool perhaps = !c.pack_b && !gemm->ahead && gemm->b_kind == HEED_GEMM_B_NN; /* a smaller n may end in a part of a panel, and be packed */
    if (perhaps) depth = (size_t)larger(smaller(gemm->k, DEPTH_BLOCK), 1);
    /* Packed panels are kept for a second block of rows; without one, those of one tile's width suffice. */
    int64_t panels = smaller(c.row_tiles > ROW_BLOCK ? c.panel_block : HEED_GEMM_MAX_WIDTH / c.kernels->panel, c.panels);
    size_t b = c.pack_b || perhaps ? (size_t)steps_of(&c, (int64_t)depth) * (size_t)(panels * c.kernels->panel) : 0;
    size_t a = (size_t)packed_a_elements(&c, gemm, most_block_rows(&c), (int64_t)depth);
    return (CHAINS_BYTES + (a + b) * sizeof(float) + 63) & ~(size_t)63;
}

static const void *element(const void *data, heed_gemm_type type, int64_t at)
{
    return (const char *)data + at * heed_gemm_type_bytes(type);
}

/* Elements of B as stored that hold `steps` steps of a column; blocks of depth begin with whole ones. */
static int64_t stored_steps(const cut *c, int64_t steps) { return divide_up(steps, heed_gemm_type_steps(c->type)); }

/* The same of rows in blocks: steps k and depth are multiples of the block. */
static void pack_blocks(float *out, int width, const heed_gemm *g, int64_t n, int64_t k, int64_t depth, int valid)
{
    const heed_dtype_info *type = &heed_dtypes[g->b_dtype];
    const int64_t block = (int64_t)type->block;
    float values[HEED_MAX_BLOCK];
    for (int j = 0; j < width; j++)
        for (int64_t i = 0; i < depth; i += block) {
            if (j < valid) type->decode((const char *)g->b + (size_t)(((n + j) * g->b_stride + k + i) / block) * type->bytes, values);
            for (int64_t l = 0; l < block; l++) out[(i + l) * width + j] = j < valid ? values[l] : 0;
        }
}

/* One panel of B, steps [k, k + depth), into out. */
static void pack_panel(const cut *c, const heed_gemm *g, int64_t panel, int64_t k, int64_t depth, float *out)
{
    const int width = c->kernels->panel;
    const int64_t n = panel * width;
    const int valid = (int)smaller(width, g->n - n);
    switch (g->b_kind) {
    case HEED_GEMM_B_PANELS:
        c->packers.straight(out, width, element(g->b, c->type, (panel * stored_steps(c, g->k) + stored_steps(c, k)) * width), c->type, width, depth, width);
        break;
    case HEED_GEMM_B_NN:
        c->packers.straight(out, width, element(g->b, c->type, k * g->b_stride + n), c->type, g->b_stride, depth, valid);
        break;
    case HEED_GEMM_B_NT:
        if (heed_dtype_is_block(g->b_dtype)) pack_blocks(out, width, g, n, k, depth, valid);
        else c->packers.transposing(out, width, element(g->b, c->type, n * g->b_stride + k), c->type, g->b_stride, depth, valid);
        break;
    case HEED_GEMM_B_PANELS_TRANSPOSED: /* step k is row k of W: lane k % width of W's panel k / width */
        for (int64_t end = k + depth; k < end;) {
            int64_t lane = k % width, steps = smaller(width - lane, end - k);
            const void *source = element(g->b, c->type, (k / width * stored_steps(c, g->n) + stored_steps(c, n)) * width + lane);
            c->packers.transposing(out, width, source, c->type, width, steps, valid);
            out += steps_of(c, steps) * width;
            k += steps;
        }
        break;
    }
}

/* Panels [panel, panel + count), `apart` elements from one to the next; rows of floats are read once for all of them, whole lines. */
static void pack_panels(const cut *c, const heed_gemm *g, int64_t panel, int64_t count, int64_t k, int64_t depth, float *out, ptrdiff_t apart)
{
    const int width = c->kernels->panel;
    if (g->b_kind == HEED_GEMM_B_NN && c->type == HEED_GEMM_F32 && (panel + count) * width <= g->n)
        c->packers.tiles(out, &(heed_gemm_tile_strip){(int)count, width, width, apart}, (const float *)g->b + k * g->b_stride + panel * width, g->b_stride,
                         depth);
    else
        for (int64_t i = 0; i < count; i++) pack_panel(c, g, panel + i, k, depth, out + i * apart);
}

/* ---- operands packed ahead: A as rows one after the other, transposed as tiles of `tall` rows, step by step in vectors; B in panels ---- */

static int64_t ahead_a_elements(const cut *c, const heed_gemm *g)
{
    return g->a_transposed ? c->row_tiles * packed_a_width(c, g, c->tall, g->k) * steps_of(c, g->k) : g->m * packed_a_width(c, g, g->m, g->k);
}

void heed_gemm_ahead_bytes(const heed_gemm *gemm, heed_isa isa, size_t *a, size_t *b)
{
    const cut c = lay_out(gemm, isa);
    *a = c.ahead_a ? ((size_t)ahead_a_elements(&c, gemm) * sizeof(float) + 63) & ~(size_t)63 : 0;
    *b = c.ahead_b ? ((size_t)(c.panels * c.kernels->panel * steps_of(&c, gemm->k)) * sizeof(float) + 63) & ~(size_t)63 : 0;
}

/* Steps [k, k + depth) of `tiles` row tiles of a transposed A, whole vectors where there are any: what fills a step up behind a tile's rows is
   never read. */
static void pack_tiles_ahead(const cut *c, const heed_gemm *g, int64_t t, int64_t tiles, int64_t k, int64_t depth)
{
    const int64_t width = packed_a_width(c, g, c->tall, g->k), apart = steps_of(c, g->k) * width;
    float *out = (float *)g->packed_a + t * apart + k / c->pair * width;
    const float *source = g->a + k * g->a_stride + t * c->tall;
    if ((t + tiles - 1) * c->tall + width <= g->m) {
        c->packers.tiles(out, &(heed_gemm_tile_strip){(int)tiles, (int)c->tall, (int)width, apart}, source, g->a_stride, depth);
        return;
    }
    for (int64_t i = 0; i < tiles; i++)
        c->packers.straight(out + i * apart, (int)width, source + i * c->tall, HEED_GEMM_F32, g->a_stride, depth,
                            (int)smaller(width, g->m - (t + i) * c->tall));
}

void heed_gemm_pack_ahead(const heed_gemm *gemm, heed_isa isa, int part, int parts)
{
    enum { STEPS = 64, SIDE_BY_SIDE = 4 }; /* of neighbouring tiles and panels, while their lines and pages are at hand */
    if (gemm->m <= 0 || gemm->n <= 0) return;
    const cut c = lay_out(gemm, isa);
    const int64_t panel = c.kernels->panel, steps = steps_of(&c, gemm->k);
    const int64_t rows = gemm->m * part / parts, end_row = gemm->m * (part + 1) / parts;
    const int64_t tiles = c.row_tiles * part / parts, end_tile = c.row_tiles * (part + 1) / parts;
    const int64_t panels = c.panels * part / parts, end_panel = c.panels * (part + 1) / parts;
    if (c.ahead_a && gemm->packed_a && !gemm->a_transposed && rows < end_row) {
        const int64_t width = packed_a_width(&c, gemm, gemm->m, gemm->k);
        c.packers.lengthwise((float *)gemm->packed_a + rows * width, (int)width, gemm->a + rows * gemm->a_stride, HEED_GEMM_F32, gemm->a_stride,
                             end_row - rows, (int)gemm->k);
    }
    for (int64_t k = 0; k < gemm->k; k += STEPS) {
        const int64_t depth = smaller(gemm->k - k, STEPS);
        if (c.ahead_a && gemm->packed_a && gemm->a_transposed)
            for (int64_t t = tiles; t < end_tile; t += SIDE_BY_SIDE) pack_tiles_ahead(&c, gemm, t, smaller(end_tile - t, SIDE_BY_SIDE), k, depth);
        if (c.ahead_b && gemm->packed_b)
            for (int64_t p = panels; p < end_panel; p += SIDE_BY_SIDE)
                pack_panels(&c, gemm, p, smaller(end_panel - p, SIDE_BY_SIDE), k, depth, (float *)gemm->packed_b + (p * steps + k / c.pair) * panel,
                            steps * panel);
    }
}

/* ---- running ---- */

static void copy_tile(float *to, ptrdiff_t to_stride, const float *from, ptrdiff_t from_stride, int rows, int columns)
{
    for (int r = 0; r < rows; r++) memcpy(to + r * to_stride, from + r * from_stride, (size_t)columns * sizeof *to);
}

/* What a unit works on at one time: steps [k, k + depth), rows [m, m + rows) in `tiles` tiles, and scratch. */
typedef struct {
    const heed_gemm *gemm;
    const cut *cut;
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
    tile->from = w->k > 0 || g->accumulate ? out : NULL, tile->from_stride = g->c_stride;
    tile->to = out, tile->to_stride = g->c_stride;
    if (columns < width && tile->from) {
        copy_tile(w->chains, width, out, g->c_stride, rows, columns);
        tile->from = w->chains, tile->from_stride = width;
    }
    if (columns < width || (last && epilogue)) tile->to = w->chains, tile->to_stride = width;
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
    const cut *c = w->cut;
    const int64_t step = w->k / c->pair;
    ptrdiff_t stride = g->a_stride;
    const float *a = g->a_transposed ? g->a + w->k * stride + w->m : g->a + w->m * stride + w->k;
    *a_tile = 0;
    if (c->pack_a) a = w->packed_a, stride = packed_a_width(c, g, w->rows, w->depth);
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
    const cut *c = w->cut;
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
            if (fresh && at % together == 0) pack_panels(c, g, panel, smaller(together, end - panel), w->k, w->depth, packed, w->steps * width);
            place.b = packed, place.b_panel = w->steps * width;
        } else if (c->ahead_b) {
            place.b_panel = steps_of(c, g->k) * width;
            place.b = (const float *)g->packed_b + panel * place.b_panel + w->k / c->pair * width;
        } else if (g->b_kind == HEED_GEMM_B_NN) {
            place.b = element(g->b, c->type, w->k * g->b_stride + n), place.b_panel = width, place.b_step = g->b_stride;
        } else place.b = element(g->b, c->type, panel * place.b_panel + stored_steps(c, w->k) * width);
        run_tiles(w, &place, index, n);
        panel += panels;
    }
}

static void run_unit(const heed_gemm *g, const cut *c, int64_t unit, float *scratch)
{
    block w = {.gemm = g, .cut = c, .chains = scratch, .packed_a = scratch + CHAINS_BYTES / sizeof(float)};
    w.packed_b = w.packed_a + packed_a_elements(c, g, most_block_rows(c), c->depth_block);
    const int64_t i = unit % c->grid_rows, j = unit / c->grid_rows, tall = c->tall;
    const int64_t first_row = c->row_tiles * i / c->grid_rows * tall;
    const int64_t end_row = smaller(c->row_tiles * (i + 1) / c->grid_rows * tall, g->m);
    const int64_t first_panel = c->panels * j / c->grid_columns, end_panel = c->panels * (j + 1) / c->grid_columns;
    const int64_t tiles = divide_up(end_row - first_row, tall), blocks = divide_up(tiles, ROW_BLOCK);
    for (int64_t panel = first_panel; panel < end_panel; panel += c->panel_block) {
        const int64_t stop = smaller(panel + c->panel_block, end_panel);
        w.k = 0;
        do {
            w.depth = smaller(c->depth_block, g->k - w.k), w.steps = steps_of(c, w.depth);
            for (int64_t r = 0; r < blocks; r++) {
                w.m = first_row + tiles * r / blocks * tall;
                w.rows = smaller(first_row + tiles * (r + 1) / blocks * tall, end_row) - w.m;
                w.tiles = divide_up(w.rows, tall);
                if (c->pack_a) pack_rows(&w);
                run_panels(&w, panel, stop, r == 0, blocks > 1);
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
    cut c = cut_product(gemm, isa);
    const int64_t units = c.grid_rows * c.grid_columns;
    for (int64_t unit = units * part / parts; unit < units * (part + 1) / parts; unit++) run_unit(gemm, &c, unit, scratch);
}
