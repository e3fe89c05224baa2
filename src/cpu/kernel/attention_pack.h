/* attention_pack.h: how the operands of attention's matmuls are packed, and the matmuls.

   A packed element has four bytes and holds one k_group: a float, a float rounded to bf16, or a
   pair of values of k in bf16 if the processor multiplies pairs. The problem says which.
      left operand   (rows,packed): rows of q or dy, k along the row                packed_rows
      right operand  (E,64): keys or values side by side, for sums over channels    pack_columns
                     (keys,P): channels side by side, for sums over keys            pack_rows
   A tile packs to the same numbers from a page of the cache and from dense rows. */
#ifndef HEED_CPU_KERNEL_ATTENTION_PACK_H
#define HEED_CPU_KERNEL_ATTENTION_PACK_H

#include "cpu/kernel/attention_tiles.h"
#include "tensor/scaled_rows.h"

/* to (rows,vectors) = [to +] a (rows,depth) b (depth,vectors), each element in one accumulator, k
   ascending. Row r of a begins at a + r * a_row and its values of k lie a_step apart; rows of b lie
   b_step apart. `depth` and strides of a and b count packed elements. */
typedef struct {
    const float *a;
    ptrdiff_t a_row, a_step;
    const float *b;
    ptrdiff_t b_step;
    int64_t depth;
    float *to;
    ptrdiff_t to_row;
    bool add;
} packed_matmul;

/* The width index of the register tile for `rows` rows and at most `vectors` vectors: the widest,
   unless a panel-wide one takes all rows at once and that one does not. */
static inline int choose_tile(const problem *p, int rows, int vectors)
{
    int shape = HEED_GEMM_WIDTHS - 1, height = rows < p->kernels->mr ? rows : p->kernels->mr;
    while ((1 << shape) > vectors || !(*p->tiles)[shape][1]) shape--;
    if (shape > 1 && !(*p->tiles)[shape][height] && (*p->tiles)[1][height]) shape = 1;
    return shape;
}

/* Computes x for `rows` rows and `vectors` vectors of columns, register tile by register tile. */
static inline void multiply(const problem *p, int rows, int vectors, const packed_matmul *x)
{
    for (int v = 0; v < vectors;) {
        int shape = choose_tile(p, rows, vectors - v);
        for (int r = 0; r < rows;) {
            int height = rows - r < p->kernels->mr ? rows - r : p->kernels->mr;
            while (!(*p->tiles)[shape][height]) height--;
            float *to = x->to + r * x->to_row + v * HEED_LANES;
            heed_gemm_tile tile = {
                .a = x->a + r * x->a_row,
                .a_row = x->a_row,
                .a_step = x->a_step,
                .b = x->b + v * HEED_LANES,
                .b_panel = HEED_GEMM_PANEL_VECTORS * HEED_LANES,
                .b_step = x->b_step,
                .depth = x->depth,
                .from = x->add ? to : NULL,
                .to = to,
                .from_stride = x->to_row,
                .to_stride = x->to_row,
            };
            (*p->tiles)[shape][height](&tile);
            r += height;
        }
        v += 1 << shape;
    }
}

/* Rows of floats or of packed elements, `stride` apart: a copy, or the operand itself. */
typedef struct {
    const float *data;
    ptrdiff_t stride;
} strided_rows;

/* The address of element (row, column) of an operand of floats or 16-bit numbers. */
static inline const void *element_of(const heed_operand *x, int64_t row, int64_t column)
{
    return (const char *)x->data + (row * x->row_stride + column) * (x->dtype == HEED_F32 ? 4 : 2);
}

/* One row of a head as floats, then zeros up to P. */
static inline void widen_row(const problem *p, const heed_operand *x, int64_t row, int kv_head,
                             float *out)
{
    if (x->dtype == HEED_I8) {
        heed_scaled_run_decode((const int8_t *)x->data + row * x->row_stride,
                               p->attributes->kv_heads, p->width, kv_head, out);
        for (int64_t e = p->width; e < p->padded; e++) out[e] = 0;
        return;
    }
    const heed_gemm_rows source = {element_of(x, row, kv_head * p->width),
                                   heed_gemm_type_of(x->dtype), x->row_stride};
    p->kernels->floats.pack_n(out, (int)p->padded, source, 1, (int)p->width);
}

/* The rows of x for the listed keys of a tile, one after the other. They are read where they lie if
   no position is hidden and their type can be packed. Otherwise they are gathered as floats in
   `room` (64,P). */
static inline heed_gemm_rows visible_rows(const problem *p, const heed_operand *x,
                                          const key_tile *tile, int kv_head, float *room)
{
    if (tile->unbroken && x->dtype != HEED_I8)
        return (heed_gemm_rows){element_of(x, tile->base, kv_head * p->width),
                                heed_gemm_type_of(x->dtype), x->row_stride};
    for (int j = 0; j < tile->count; j++)
        widen_row(p, x, tile->base + tile->position[j], kv_head, room + j * p->padded);
    return (heed_gemm_rows){room, HEED_GEMM_F32, p->padded};
}

/* Packs the right operand of a sum over keys: out (keys,P). */
static inline void pack_rows(const problem *p, heed_gemm_rows x, int64_t keys, float *out)
{
    p->packers.pack_n(out, (int)p->padded, x, keys, (int)p->width);
}

/* Packs the right operand of a sum over channels: out (E,64), zeros after the last key. */
static inline void pack_columns(const problem *p, heed_gemm_rows x, int keys, float *out)
{
    p->packers.pack_t(out, TILE, x, p->width, keys);
}

/* Rows [first, first + count) of a sequence under one key/value head. Rows are (query, head) pairs:
   row r is query r / group under head kv_head * group + r % group. */
typedef struct {
    const query_sequence *s;
    int kv_head;
    int64_t first, count;
} pair_rows;

/* These rows of x as floats: in place if they are evenly spaced, else copied to `room` (count,P).
   If `whole_vectors` is set, every row must have P floats, zeros after the width, and is copied
   unless the width is P. */
static inline strided_rows query_rows(const problem *p, const heed_operand *x,
                                      const pair_rows *rows, bool whole_vectors, float *room)
{
    const query_sequence *s = rows->s;
    const int kv_head = rows->kv_head;
    const int64_t left = p->width;
    if (p->group == 1 && (!whole_vectors || p->width == p->padded))
        return (strided_rows){float_row(x, s->of.query_start + rows->first) + kv_head * p->width,
                              x->row_stride};
    float *out = room;
    int64_t query = rows->first / p->group, head = rows->first % p->group, count = rows->count;
    for (; count > 0; count--, out += p->padded) {
        const float *from = float_row(x, s->of.query_start + query) +
                            (kv_head * p->group + head) * left;
        for (int64_t e = 0; e < p->padded; e += HEED_LANES)
            heed_v_store(out + e, load_some(from + e, left - e));
        if (++head == p->group) {
            head = 0;
            query++;
        }
    }
    return (strided_rows){room, p->padded};
}

/* Rows as the left operand of a sum over their channels: x itself for floats, otherwise packed into
   `room` (rows,packed). */
static inline strided_rows packed_rows(const problem *p, strided_rows x, int64_t rows, float *room)
{
    if (!p->bf16) return x;
    p->packers.pack_a(room, (int)p->packed, (heed_gemm_rows){x.data, HEED_GEMM_F32, x.stride}, rows,
                      (int)p->width);
    return (strided_rows){room, p->packed};
}

#endif
