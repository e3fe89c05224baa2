#include "cpu/gemm/kernels.h"

#include <string.h>

/* Blocks, in elements: DEPTH_BLOCK steps of k and COLUMN_BLOCK columns of B, packed, stay in the second-level cache while the rows
   of a part pass by. PART_WORK multiply-adds are worth being a part of their own. */
enum { DEPTH_BLOCK = 256, COLUMN_BLOCK = 512, MAX_PARTS = 64, PART_WORK = 1 << 20, FEW_PART_WORK = 1 << 16 };

/* How one product is cut. Everything here follows from the description alone. */
typedef struct {
    const heed_gemm_kernels *kernels;
    heed_gemm_type type;
    int64_t row_tiles, panels;       /* of C */
    int64_t grid_rows, grid_columns; /* C is cut into this many units */
    int64_t depth_block, panel_block;
    bool few;                        /* one row tile covers M */
    bool pack_a, pack_b;
} cut;

static int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

const heed_gemm_kernels *heed_gemm_kernels_for(heed_isa isa)
{
#if defined(__x86_64__)
    if (isa == HEED_ISA_AVX512) return &heed_gemm_kernels_avx512;
    if (isa == HEED_ISA_AVX2) return &heed_gemm_kernels_avx2;
#endif
    (void)isa;
    return &heed_gemm_kernels_generic;
}

static heed_gemm_type type_of(heed_dtype dtype)
{
    return dtype == HEED_F16 ? HEED_GEMM_F16 : dtype == HEED_BF16 ? HEED_GEMM_BF16 : HEED_GEMM_F32;
}

/* One row tile: units are runs of panels. */
static void cut_few(cut *c, const heed_gemm *g)
{
    double work = (double)g->n * (double)larger(g->k, 1) * (1 + (double)g->m / 8) / FEW_PART_WORK;
    int64_t wanted = larger(smaller((int64_t)(work < MAX_PARTS ? work : MAX_PARTS), c->panels), 1);
    c->grid_rows = 1;
    c->grid_columns = divide_up(c->panels, divide_up(c->panels, wanted));
}

/* A grid of about equal units, a power of two in number, in the shape that wastes least: each unit packs its own rows of A and its own
   columns of B, and the largest unit makes the others wait. */
static void cut_many(cut *c, const heed_gemm *g)
{
    const int rows = c->kernels->rows, panel = c->kernels->panel;
    double work = (double)g->m * (double)g->n * (double)larger(g->k, 1) / PART_WORK;
    int64_t wanted = 1, best_rows = 1, best_columns = 1;
    while (wanted < MAX_PARTS && (double)(2 * wanted) <= (wanted < 8 ? work : work / 4)) wanted *= 2;
    double best = 0;
    for (int64_t grid_rows = 1; grid_rows <= wanted; grid_rows *= 2) {
        int64_t unit_rows = divide_up(c->row_tiles, grid_rows) * rows, unit_columns = divide_up(c->panels, wanted / grid_rows) * panel;
        double per_step = (double)unit_rows * (double)unit_columns / (2 * c->kernels->lanes); /* in multiply-adds of two vectors */
        double cost = per_step + (double)unit_rows * (double)divide_up(unit_columns, COLUMN_BLOCK) / 4 + (c->pack_b ? (double)unit_columns / 2 : 0);
        if (grid_rows > c->row_tiles || wanted / grid_rows > c->panels) cost *= 2;
        if (grid_rows == 1 || cost < best) best = cost, best_rows = grid_rows, best_columns = wanted / grid_rows;
    }
    c->grid_rows = smaller(best_rows, c->row_tiles);
    c->grid_columns = smaller(best_columns, c->panels);
}

static cut cut_product(const heed_gemm *g, heed_isa isa)
{
    cut c = {.kernels = heed_gemm_kernels_for(isa), .type = type_of(g->b_dtype)};
    const int64_t rows = c.kernels->rows, panel = c.kernels->panel;
    c.row_tiles = larger(divide_up(g->m, rows), 1);
    c.panels = larger(divide_up(g->n, panel), 1);
    c.few = c.row_tiles <= 1;
    c.pack_a = !c.few;
    c.pack_b = g->b_kind == HEED_GEMM_B_NT || g->b_kind == HEED_GEMM_B_PANELS_TRANSPOSED ||
               (g->b_kind == HEED_GEMM_B_NN && (!c.few || g->n % panel)) || (c.row_tiles > 2 && c.type != HEED_GEMM_F32);
    /* A block of depth leaves its chains in C, which must not be where gate or residual still wait to be read. */
    bool over_c = g->c && (g->gate == g->c || g->residual == g->c);
    bool one_block = over_c || !(c.pack_a || c.pack_b);
    c.depth_block = larger(one_block ? g->k : smaller(g->k, DEPTH_BLOCK), 1);
    c.panel_block = over_c || c.few ? HEED_GEMM_MAX_WIDTH / panel : COLUMN_BLOCK / panel;
    if (c.few) cut_few(&c, g);
    else cut_many(&c, g);
    return c;
}

int heed_gemm_parts(const heed_gemm *gemm, heed_isa isa)
{
    if (gemm->m <= 0 || gemm->n <= 0) return 1;
    cut c = cut_product(gemm, isa);
    return (int)(c.grid_rows * c.grid_columns);
}

/* Scratch is three pieces: chains of one tile, a packed tile of A, a packed block of B. */
enum { CHAINS_BYTES = HEED_GEMM_MAX_ROWS * HEED_GEMM_MAX_WIDTH * (int)sizeof(float), PACKED_ROWS = 16 };

size_t heed_gemm_scratch(const heed_gemm *gemm, heed_isa isa)
{
    cut c = cut_product(gemm, isa);
    size_t depth = (size_t)c.depth_block, a = c.pack_a ? depth * PACKED_ROWS : 0;
    bool perhaps = !c.pack_b && gemm->b_kind == HEED_GEMM_B_NN; /* a smaller n may end in a part of a panel, and be packed */
    if (perhaps) depth = (size_t)larger(smaller(gemm->k, DEPTH_BLOCK), 1);
    size_t b = c.pack_b || perhaps ? depth * (size_t)(smaller(c.panel_block, c.panels) * c.kernels->panel) : 0;
    return (CHAINS_BYTES + (a + b) * sizeof(float) + 63) & ~(size_t)63;
}

/* The block of B at work: `panels` panels from `panel` on, `depth` steps from `k` on; where its panels lie. */
typedef struct {
    const void *data;
    heed_gemm_type type;
    ptrdiff_t panel_stride, step;
    int64_t panel, panels, k, depth;
} b_block;

static const void *element(const void *data, heed_gemm_type type, int64_t at)
{
    return (const char *)data + at * (type == HEED_GEMM_F32 ? 4 : 2);
}

/* One panel of B, steps [k, k + depth), widened into out. */
static void pack_panel(const cut *c, const heed_gemm *g, int64_t panel, int64_t k, int64_t depth, float *out)
{
    const int width = c->kernels->panel;
    const int64_t n = panel * width;
    const int valid = (int)smaller(width, g->n - n);
    switch (g->b_kind) {
    case HEED_GEMM_B_PANELS:
        c->kernels->straight(out, width, element(g->b, c->type, (panel * g->k + k) * width), c->type, width, depth, width);
        break;
    case HEED_GEMM_B_NN:
        c->kernels->straight(out, width, element(g->b, c->type, k * g->b_stride + n), c->type, g->b_stride, depth, valid);
        break;
    case HEED_GEMM_B_NT:
        c->kernels->transposing(out, width, element(g->b, c->type, n * g->b_stride + k), c->type, g->b_stride, depth, valid);
        break;
    case HEED_GEMM_B_PANELS_TRANSPOSED: /* step k is row k of W: lane k % width of W's panel k / width */
        for (int64_t end = k + depth; k < end;) {
            int64_t lane = k % width, steps = smaller(width - lane, end - k);
            const void *source = element(g->b, c->type, (k / width * g->n + n) * width + lane);
            c->kernels->transposing(out, width, source, c->type, width, steps, valid);
            out += steps * width;
            k += steps;
        }
        break;
    }
}

static b_block block_of_b(const cut *c, const heed_gemm *g, int64_t panel, int64_t panels, int64_t k, int64_t depth, float *packed)
{
    const int64_t width = c->kernels->panel;
    b_block b = {.type = c->type, .panel = panel, .panels = panels, .k = k, .depth = depth};
    if (c->pack_b) {
        for (int64_t i = 0; i < panels; i++) pack_panel(c, g, panel + i, k, depth, packed + i * depth * width);
        b.data = packed, b.type = HEED_GEMM_F32, b.panel_stride = depth * width, b.step = width;
    } else if (g->b_kind == HEED_GEMM_B_NN) {
        b.data = element(g->b, c->type, k * g->b_stride + panel * width), b.panel_stride = width, b.step = g->b_stride;
    } else b.data = element(g->b, c->type, (panel * g->k + k) * width), b.panel_stride = g->k * width, b.step = width;
    return b;
}

static void copy_rows(float *to, ptrdiff_t to_stride, const float *from, ptrdiff_t from_stride, int rows, int columns)
{
    for (int r = 0; r < rows; r++) memcpy(to + r * to_stride, from + r * from_stride, (size_t)columns * sizeof *to);
}

/* One tile of C at (m, n): begins its chains or takes them up from C, and leaves them there, finished after the last block. */
static void run_one(const heed_gemm *g, const cut *c, const b_block *b, heed_gemm_tile *tile, int index, int64_t m, int rows, int64_t n,
                    float *chains)
{
    const int width = c->kernels->lanes << index, columns = (int)smaller(width, g->n - n);
    const bool last = b->k + b->depth >= g->k, epilogue = g->bias || g->activation || g->gate || g->residual;
    float *out = g->c + m * g->c_stride + n;
    tile->from = b->k > 0 || g->accumulate ? out : NULL, tile->from_stride = g->c_stride;
    tile->to = out, tile->to_stride = g->c_stride;
    if (columns < width && tile->from) {
        copy_rows(chains, width, out, g->c_stride, rows, columns);
        tile->from = chains, tile->from_stride = width;
    }
    if (columns < width || (last && epilogue)) tile->to = chains, tile->to_stride = width;
    c->kernels->tile[b->type][index][rows](tile);
    if (last && epilogue) c->kernels->finish(g, m, n, rows, columns, chains, width);
    else if (columns < width) copy_rows(out, g->c_stride, chains, width, rows, columns);
}

/* The tiles of `rows` rows from m on against the whole block of B, as wide as the registers hold. */
static void run_row(const heed_gemm *g, const cut *c, const b_block *b, int64_t m, int rows, float *chains, float *packed_a)
{
    const int lanes = c->kernels->lanes, panel = c->kernels->panel;
    heed_gemm_tile tile = {.b_panel = b->panel_stride, .b_step = b->step, .depth = b->depth};
    const float *a = g->a_transposed ? g->a + b->k * g->a_stride + m : g->a + m * g->a_stride + b->k;
    if (c->pack_a) {
        const int width = (int)divide_up(rows, lanes) * lanes;
        (g->a_transposed ? c->kernels->straight : c->kernels->transposing)(packed_a, width, a, HEED_GEMM_F32, g->a_stride, b->depth, rows);
        tile.a = packed_a, tile.a_row = 1, tile.a_step = width;
    } else tile.a = a, tile.a_row = g->a_transposed ? 1 : g->a_stride, tile.a_step = g->a_transposed ? g->a_stride : 1;
    for (int64_t done = 0; done < b->panels;) {
        const int64_t n = (b->panel + done) * panel, vectors = divide_up(smaller((b->panels - done) * panel, g->n - n), lanes);
        int index = HEED_GEMM_WIDTHS - 1;
        while (index > 0 && (!c->kernels->tile[b->type][index][rows] || 1 << index > vectors)) index--;
        tile.b = element(b->data, b->type, done * b->panel_stride);
        run_one(g, c, b, &tile, index, m, rows, n, chains);
        done += larger((1 << index) / HEED_GEMM_PANEL_VECTORS, 1);
    }
}

static void run_unit(const heed_gemm *g, const cut *c, int64_t unit, float *scratch)
{
    float *chains = scratch, *packed_a = chains + CHAINS_BYTES / sizeof(float);
    float *packed_b = packed_a + (c->pack_a ? c->depth_block * PACKED_ROWS : 0);
    const int64_t i = unit % c->grid_rows, j = unit / c->grid_rows, tall = c->kernels->rows;
    const int64_t first_row = c->row_tiles * i / c->grid_rows * tall, end_row = smaller(c->row_tiles * (i + 1) / c->grid_rows * tall, g->m);
    const int64_t first_panel = c->panels * j / c->grid_columns, end_panel = c->panels * (j + 1) / c->grid_columns;
    const int64_t tiles = divide_up(end_row - first_row, tall), rows = end_row - first_row;
    for (int64_t panel = first_panel; panel < end_panel; panel += c->panel_block) {
        int64_t k = 0;
        do {
            int64_t depth = smaller(c->depth_block, g->k - k);
            b_block b = block_of_b(c, g, panel, smaller(c->panel_block, end_panel - panel), k, depth, packed_b);
            for (int64_t t = 0; t < tiles; t++) { /* tiles of about equal height */
                int64_t m = rows * t / tiles, end = rows * (t + 1) / tiles;
                run_row(g, c, &b, first_row + m, (int)(end - m), chains, packed_a);
            }
            k += c->depth_block;
        } while (k < g->k);
    }
}

void heed_gemm_run(const heed_gemm *gemm, heed_isa isa, int part, int parts, void *scratch)
{
    if (gemm->m <= 0 || gemm->n <= 0) return;
    cut c = cut_product(gemm, isa);
    const int64_t units = c.grid_rows * c.grid_columns;
    for (int64_t unit = units * part / parts; unit < units * (part + 1) / parts; unit++) run_unit(gemm, &c, unit, scratch);
}
