/* pack.c: packs the operands of one matmul. Cells call it for themselves, or a phase before the
   first part calls it for all of them. */
#include "cpu/gemm/cut_internal.h"

#include "tensor/alignment.h"
#include "tensor/dtype.h"

/* Packs one panel of B from rows (N,K) of qblocks, decoded to floats. k and depth are multiples of
   the qblock. */
static void pack_qblocks(const heed_gemm_cut *c, const heed_gemm *g, heed_gemm_pack_range range,
                         float *out)
{
    const heed_dtype_info *type = &heed_dtypes[g->b_dtype];
    const int64_t block = (int64_t)type->qblock, nr = c->kernels->nr, n = range.first * nr;
    float values[HEED_MAX_QBLOCK];
    for (int64_t j = 0; j < nr; j++)
        for (int64_t i = 0; i < range.depth; i += block) {
            const size_t at = (size_t)(((n + j) * g->b_stride + range.k + i) / block) * type->bytes;
            if (n + j < g->n) type->decode((const char *)g->b + at, values);
            for (int64_t l = 0; l < block; l++)
                out[(i + l) * nr + j] = n + j < g->n ? values[l] : 0;
        }
}

/* Packs one panel of B from resident panels of W (K,N): row k of W stands in lane k % nr of its
   panel k / nr, so a run of lanes is a run of k. */
static void pack_transposed_panels(const heed_gemm_cut *c, const heed_gemm *g,
                                   heed_gemm_pack_range range, float *out)
{
    const int nr = c->kernels->nr;
    const int64_t n = range.first * nr, end = range.k + range.depth;
    const int valid = (int)heed_smaller(nr, g->n - n);
    for (int64_t k = range.k; k < end;) {
        const int64_t lane = k % nr, depth = heed_smaller(nr - lane, end - k);
        const int64_t at = (k / nr * stored_k_groups(c, g->n) + stored_k_groups(c, n)) * nr + lane;
        c->packers.pack_t(out, nr, (heed_gemm_rows){element(g->b, c->type, at), c->type, nr}, depth,
                          valid);
        out += k_groups_of(c, depth) * nr;
        k += depth;
    }
}

/* Packs the first panel of the range into out, whatever the kind of B. */
static void pack_panel(const heed_gemm_cut *c, const heed_gemm *g, heed_gemm_pack_range range,
                       float *out)
{
    const int nr = c->kernels->nr;
    const int64_t k = range.k, n = range.first * nr;
    const int valid = (int)heed_smaller(nr, g->n - n);
    heed_gemm_rows b = {.type = c->type, .stride = g->b_stride};
    switch (g->b_kind) {
    case HEED_GEMM_B_PANELS:
        b.data = element(g->b, c->type,
                         (range.first * stored_k_groups(c, g->k) + stored_k_groups(c, k)) * nr);
        b.stride = nr;
        c->packers.pack_n(out, nr, b, range.depth, nr);
        break;
    case HEED_GEMM_B_NN:
        b.data = element(g->b, c->type, k * g->b_stride + n);
        c->packers.pack_n(out, nr, b, range.depth, valid);
        break;
    case HEED_GEMM_B_NT:
        if (heed_dtype_is_quantized(g->b_dtype)) {
            pack_qblocks(c, g, range, out);
            break;
        }
        b.data = element(g->b, c->type, n * g->b_stride + k);
        c->packers.pack_t(out, nr, b, range.depth, valid);
        break;
    case HEED_GEMM_B_PANELS_TRANSPOSED: pack_transposed_panels(c, g, range, out); break;
    }
}

/* If B is rows of floats and no panel is cut off, rows are read once for all panels, in whole cache
   lines. */
void heed_gemm_pack_panels(const heed_gemm_cut *c, const heed_gemm *g, heed_gemm_pack_range range,
                           float *out, ptrdiff_t apart)
{
    const int nr = c->kernels->nr;
    if (g->b_kind == HEED_GEMM_B_NN && c->type == HEED_GEMM_F32 &&
        (range.first + range.count) * nr <= g->n) {
        const heed_gemm_tile_strip strip = {(int)range.count, nr, nr, apart};
        c->packers.tiles(out, &strip,
                         (const float *)g->b + range.k * g->b_stride + range.first * nr,
                         g->b_stride, range.depth);
        return;
    }
    for (int64_t i = 0; i < range.count; i++, range.first++, out += apart)
        pack_panel(c, g, range, out);
}

/* ---- prepacked operands ----
   A as rows one after the other, if transposed as tiles of mr rows, a k_group at a time in whole
   vectors; B in panels. */

/* Elements of all of A, packed. */
static int64_t prepacked_a_elements(const heed_gemm_cut *c, const heed_gemm *g)
{
    if (g->a_transposed)
        return c->row_tiles * packed_a_width(c, g, c->mr, g->k) * k_groups_of(c, g->k);
    return g->m * packed_a_width(c, g, g->m, g->k);
}

void heed_gemm_prepack_bytes(const heed_gemm *gemm, heed_isa isa, size_t *a, size_t *b)
{
    const heed_gemm_cut c = heed_gemm_lay_out(gemm, isa);
    const int64_t b_elements = c.panels * c.kernels->nr * k_groups_of(&c, gemm->k);
    *a = c.prepack_a ? heed_align((size_t)prepacked_a_elements(&c, gemm) * sizeof(float)) : 0;
    *b = c.prepack_b ? heed_align((size_t)b_elements * sizeof(float)) : 0;
}

/* Packs row tiles of a transposed A, in whole vectors if A has enough rows after them. What follows
   the rows of a tile in its k_groups is never read. */
static void prepack_tiles(const heed_gemm_cut *c, const heed_gemm *g, heed_gemm_pack_range range)
{
    const int64_t t = range.first, width = packed_a_width(c, g, c->mr, g->k),
                  apart = k_groups_of(c, g->k) * width;
    float *out = (float *)g->packed_a + t * apart + range.k / c->k_group * width;
    const float *source = g->a + range.k * g->a_stride + t * c->mr;
    if ((t + range.count - 1) * c->mr + width <= g->m) {
        const heed_gemm_tile_strip strip = {(int)range.count, (int)c->mr, (int)width, apart};
        c->packers.tiles(out, &strip, source, g->a_stride, range.depth);
        return;
    }
    for (int64_t i = 0; i < range.count; i++) {
        const heed_gemm_rows rows = {source + i * c->mr, HEED_GEMM_F32, g->a_stride};
        c->packers.pack_n(out + i * apart, (int)width, rows, range.depth,
                          (int)heed_smaller(width, g->m - (t + i) * c->mr));
    }
}

/* Packs panels of B to their place among all panels. */
static void prepack_panels(const heed_gemm_cut *c, const heed_gemm *g, heed_gemm_pack_range range)
{
    const int64_t nr = c->kernels->nr, groups = k_groups_of(c, g->k);
    float *out = (float *)g->packed_b + (range.first * groups + range.k / c->k_group) * nr;
    heed_gemm_pack_panels(c, g, range, out, groups * nr);
}

/* Packs rows [first, end) of an A that is not transposed. */
static void prepack_rows(const heed_gemm_cut *c, const heed_gemm *g, int64_t first, int64_t end)
{
    if (first >= end) return;
    const int64_t width = packed_a_width(c, g, g->m, g->k);
    const heed_gemm_rows rows = {g->a + first * g->a_stride, HEED_GEMM_F32, g->a_stride};
    c->packers.pack_a((float *)g->packed_a + first * width, (int)width, rows, end - first,
                      (int)g->k);
}

void heed_gemm_prepack(const heed_gemm *gemm, heed_isa isa, int part, int parts)
{
    /* 64 values of k of 8 neighboring tiles or panels at a time, while their lines and pages are in
       the caches */
    enum { DEPTH = 64, SIDE_BY_SIDE = 8 };
    if (gemm->m <= 0 || gemm->n <= 0) return;
    const heed_gemm_cut c = heed_gemm_lay_out(gemm, isa);
    const bool a = c.prepack_a && gemm->packed_a, b = c.prepack_b && gemm->packed_b;
    const int64_t tiles = c.row_tiles * part / parts, end_tile = c.row_tiles * (part + 1) / parts;
    const int64_t panels = c.panels * part / parts, end_panel = c.panels * (part + 1) / parts;
    if (a && !gemm->a_transposed)
        prepack_rows(&c, gemm, gemm->m * part / parts, gemm->m * (part + 1) / parts);
    for (int64_t k = 0; k < gemm->k; k += DEPTH) {
        const int64_t depth = heed_smaller(gemm->k - k, DEPTH);
        for (int64_t t = tiles; a && gemm->a_transposed && t < end_tile; t += SIDE_BY_SIDE)
            prepack_tiles(
                &c, gemm,
                (heed_gemm_pack_range){t, heed_smaller(end_tile - t, SIDE_BY_SIDE), k, depth});
        for (int64_t p = panels; b && p < end_panel; p += SIDE_BY_SIDE)
            prepack_panels(
                &c, gemm,
                (heed_gemm_pack_range){p, heed_smaller(end_panel - p, SIDE_BY_SIDE), k, depth});
    }
}
