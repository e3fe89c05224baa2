#include "cpu/gemm/cut.h"

#include "tensor/dtype.h"

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
static void pack_panel(const heed_gemm_cut *c, const heed_gemm *g, int64_t panel, int64_t k, int64_t depth, float *out)
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
void heed_gemm_pack_panels(const heed_gemm_cut *c, const heed_gemm *g, int64_t panel, int64_t count, int64_t k, int64_t depth, float *out, ptrdiff_t apart)
{
    const int width = c->kernels->panel;
    if (g->b_kind == HEED_GEMM_B_NN && c->type == HEED_GEMM_F32 && (panel + count) * width <= g->n)
        c->packers.tiles(out, &(heed_gemm_tile_strip){(int)count, width, width, apart}, (const float *)g->b + k * g->b_stride + panel * width, g->b_stride,
                         depth);
    else
        for (int64_t i = 0; i < count; i++) pack_panel(c, g, panel + i, k, depth, out + i * apart);
}

/* ---- operands packed ahead: A as rows one after the other, transposed as tiles of `tall` rows, step by step in vectors; B in panels ---- */

static int64_t ahead_a_elements(const heed_gemm_cut *c, const heed_gemm *g)
{
    return g->a_transposed ? c->row_tiles * packed_a_width(c, g, c->tall, g->k) * steps_of(c, g->k) : g->m * packed_a_width(c, g, g->m, g->k);
}

void heed_gemm_ahead_bytes(const heed_gemm *gemm, heed_isa isa, size_t *a, size_t *b)
{
    const heed_gemm_cut c = heed_gemm_lay_out(gemm, isa);
    *a = c.ahead_a ? ((size_t)ahead_a_elements(&c, gemm) * sizeof(float) + 63) & ~(size_t)63 : 0;
    *b = c.ahead_b ? ((size_t)(c.panels * c.kernels->panel * steps_of(&c, gemm->k)) * sizeof(float) + 63) & ~(size_t)63 : 0;
}

/* Steps [k, k + depth) of `tiles` row tiles of a transposed A, whole vectors where there are any: what fills a step up behind a tile's rows is
   never read. */
static void pack_tiles_ahead(const heed_gemm_cut *c, const heed_gemm *g, int64_t t, int64_t tiles, int64_t k, int64_t depth)
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
    enum { STEPS = 64, SIDE_BY_SIDE = 8 }; /* of neighbouring tiles and panels, while their lines and pages are at hand */
    if (gemm->m <= 0 || gemm->n <= 0) return;
    const heed_gemm_cut c = heed_gemm_lay_out(gemm, isa);
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
                heed_gemm_pack_panels(&c, gemm, p, smaller(end_panel - p, SIDE_BY_SIDE), k, depth, (float *)gemm->packed_b + (p * steps + k / c.pair) * panel,
                            steps * panel);
    }
}
