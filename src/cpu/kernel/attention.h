/* attention.h: what attention forward and backward share. Work is cut into query blocks: one
   sequence, one key/value head and a run of its queries. The rows of a query block are (query, head
   of the group) pairs, so that all query heads of a group share one packed copy of keys and values.
   Keys are taken in tiles of 64 positions counted from the sequence's first position: a tile is one
   page of the cache, or 64 dense rows, and packs to the same numbers either way. Keys that are
   hidden from everybody (mask index -1) are left out when a tile is packed. Which keys of a tile a
   query sees is one 64-bit word.
   Matmuls run in packed elements of four bytes, each of which holds a k_group: a float, a float
   rounded to bf16, or a pair in bf16 where the processor multiplies those; a problem says which. */
#ifndef HEED_CPU_KERNEL_ATTENTION_H
#define HEED_CPU_KERNEL_ATTENTION_H

#include "cpu/gemm/kernels.h"
#include "cpu/kernel/kernel.h"
#include "op/sequence.h"
#include "tensor/scaled_rows.h"

enum {
    TILE = HEED_PAGE_POSITIONS,
    TILE_VECTORS = TILE / HEED_LANES,
    ROWS_AT_ONCE = 12 /* rows of a row block, whose scores are worked on at a time */
};

typedef struct problem {
    const heed_kernel_args *args;
    const heed_attention_attributes *attributes;
    const heed_gemm_kernels *kernels;
    const heed_gemm_tiles *tiles; /* of the matmuls */
    heed_gemm_packers packers;    /* of their operands */
    int k_group;                  /* values of k in one packed element: 1 or 2 */
    bool bf16;                    /* operands are rounded to bf16 */
    const heed_operand *q, *k, *v, *sequences, *query_index, *key_index, *page_table;
    const float *slopes;   /* ALiBi's per-head slopes; NULL if the model does not use ALiBi */
    bool biased;           /* scores need a bias, a soft cap or a scale that is not positive */
    int group;             /* query heads to a key/value head */
    int64_t width, padded; /* of a head; rounded up to whole vectors on any instruction set */
    int64_t packed;        /* elements of a packed row of a head, rounded up likewise */
} problem;

typedef struct sequence {
    int64_t number;
    heed_sequence of;
} sequence;

static inline problem problem_of(const heed_kernel_args *args)
{
    const heed_attention_attributes *attributes = args->attributes;
    const heed_operand *slopes = heed_optional(args, HEED_ATTENTION_SLOPES);
    const heed_gemm_kernels *kernels = heed_gemm_kernels_for(args->isa);
    const heed_gemm_pair_kernels *pairs = attributes->bf16_operands
                                              ? heed_gemm_pair_kernels_for(args->isa)
                                              : NULL;
    problem p = {.slopes = slopes ? slopes->data : NULL,
                 .biased = slopes || attributes->soft_cap > 0 || !(attributes->scale > 0),
                 .args = args,
                 .attributes = attributes,
                 .kernels = kernels,
                 .tiles = &kernels->tile[HEED_GEMM_F32],
                 .packers = kernels->floats,
                 .k_group = 1,
                 .bf16 = attributes->bf16_operands,
                 .q = &args->in[HEED_ATTENTION_Q],
                 .k = &args->in[HEED_ATTENTION_K],
                 .v = &args->in[HEED_ATTENTION_V],
                 .sequences = &args->in[HEED_ATTENTION_SEQUENCES],
                 .query_index = heed_optional(args, HEED_ATTENTION_QUERY_INDEX),
                 .key_index = heed_optional(args, HEED_ATTENTION_KEY_INDEX),
                 .page_table = heed_optional(args, HEED_ATTENTION_PAGE_TABLE),
                 .group = attributes->heads / attributes->kv_heads,
                 .width = attributes->head_width,
                 .padded = heed_align_floats(attributes->head_width)};
    if (p.bf16) p.packers = kernels->bf16;
    if (pairs) {
        p.tiles = &pairs->tile;
        p.packers = pairs->pairs;
        p.k_group = 2;
    }
    p.packed = heed_align_floats((p.width + p.k_group - 1) / p.k_group);
    return p;
}

/* Packed elements that hold `depth` values of k. */
static inline int64_t k_groups_of(const problem *p, int64_t depth)
{
    return (depth + p->k_group - 1) / p->k_group;
}

static inline sequence sequence_at(const problem *p, int64_t number)
{
    return (sequence){number, heed_sequence_of(p->sequences, number, heed_shape_rows(p->q->shape),
                                               heed_shape_rows(p->k->shape), p->page_table)};
}

/* Mask index of query i of the sequence. */
static inline int64_t query_index_at(const problem *p, const sequence *s, int64_t i)
{
    return p->query_index ? integer_at(p->query_index, s->of.query_start + i)
                          : s->of.first_index + i;
}

/* The mask indices that a query sees, both ends included. */
typedef struct span {
    int64_t first, last;
} span;

static inline span span_of(const problem *p, int64_t query)
{
    const heed_attention_attributes *a = p->attributes;
    span s = {INT64_MIN, INT64_MAX};
    if (a->window > 0) s = (span){query - a->window + 1, query + a->window - 1};
    if (a->causal) s.last = query;
    return s;
}

/* One tile of keys: the visible ones, in order. */
typedef struct key_tile {
    int64_t base; /* row of its first position in k and v */
    int count;
    bool unbroken;                /* none is hidden: key j stands in row base + j */
    bool consecutive;             /* mask indices go up by one */
    int64_t min_index, max_index; /* of the mask */
    int32_t index[TILE];
    uint8_t position[TILE]; /* in the tile */
} key_tile;

/* First row of tile `number` in k and v; -1 when the page table leads outside. */
static inline int64_t tile_row(const problem *p, const sequence *s, int64_t number)
{
    const heed_operand *table = p->page_table;
    if (!table) return s->of.key_start + number * TILE;
    if (s->of.table_row < 0 || s->of.table_row >= table->shape.dim[0] ||
        number >= table->shape.dim[1])
        return -1;
    int64_t page = ((const int32_t *)table->data)[s->of.table_row * table->row_stride + number];
    return page >= 0 && (page + 1) * TILE <= p->k->shape.dim[0] ? page * TILE : -1;
}

static inline void find_tile(const problem *p, const sequence *s, int64_t number, key_tile *tile)
{
    int64_t first = number * TILE,
            positions = s->of.keys - first < TILE ? s->of.keys - first : TILE;
    tile->base = tile_row(p, s, number);
    if (tile->base < 0) positions = 0;
    if (!p->key_index) { /* a key's index is its place */
        for (int j = 0; j < TILE; j++) {
            tile->index[j] = (int32_t)(first + j);
            tile->position[j] = (uint8_t)j;
        }
        tile->count = positions > 0 ? (int)positions : 0;
        tile->unbroken = tile->consecutive = true;
        tile->min_index = tile->count ? first : 0;
        tile->max_index = tile->count ? first + positions - 1 : 0;
        return;
    }
    tile->count = 0;
    for (int64_t j = 0; j < positions; j++) {
        int32_t index = integer_at(p->key_index, tile->base + j);
        if (index < 0) continue;
        tile->index[tile->count] = index;
        tile->position[tile->count++] = (uint8_t)j;
    }
    tile->unbroken = tile->count == positions;
    tile->consecutive = true;
    tile->min_index = tile->count ? tile->index[0] : 0;
    tile->max_index = tile->min_index;
    for (int j = 1; j < tile->count; j++) {
        int64_t index = tile->index[j];
        tile->consecutive = tile->consecutive && index == tile->index[j - 1] + 1;
        tile->min_index = index < tile->min_index ? index : tile->min_index;
        tile->max_index = index > tile->max_index ? index : tile->max_index;
    }
}

/* Bits [first, last] of a word, 0 <= first, last < 64. */
static inline uint64_t bits_between(int64_t first, int64_t last)
{
    return last < first ? 0 : ~(uint64_t)0 >> (63 - (last - first)) << first;
}

/* Bit j: key j of the tile is seen from these mask indices. */
static inline uint64_t seen_keys(const key_tile *tile, span s)
{
    if (tile->count == 0 || tile->max_index < s.first || tile->min_index > s.last) return 0;
    if (tile->min_index >= s.first && tile->max_index <= s.last)
        return bits_between(0, tile->count - 1);
    if (tile->consecutive) {
        const int64_t low = s.first > tile->min_index ? s.first - tile->min_index : 0;
        const int64_t high = s.last < tile->max_index ? s.last - tile->min_index : tile->count - 1;
        return bits_between(low, high);
    }
    uint64_t seen = 0;
    for (int j = 0; j < tile->count; j++)
        if (tile->index[j] >= s.first && tile->index[j] <= s.last) seen |= (uint64_t)1 << j;
    return seen;
}

/* All keys of the tile where each of queries [first, last] of the sequence, whose indices go up one
   by one, sees all of them; else 0, and they have to be asked. */
static inline uint64_t seen_by_all(const problem *p, const sequence *s, const key_tile *tile,
                                   int64_t first, int64_t last)
{
    if (p->query_index || last < first) return 0;
    const uint64_t seen = seen_keys(tile, span_of(p, s->of.first_index + first)) &
                          seen_keys(tile, span_of(p, s->of.first_index + last));
    return seen == bits_between(0, tile->count - 1) ? seen : 0;
}

/* Tiles that queries [first, first + count) can reach: without key indices a key's index is its
   place. */
static inline void reachable_tiles(const problem *p, const sequence *s, int64_t first,
                                   int64_t count, int64_t *begin, int64_t *end)
{
    int64_t low = INT64_MAX, high = INT64_MIN;
    *begin = 0;
    *end = (s->of.keys + TILE - 1) / TILE;
    if (p->key_index) return;
    for (int64_t i = first; i < first + count; i++) {
        span seen = span_of(p, query_index_at(p, s, i));
        low = seen.first < low ? seen.first : low;
        high = seen.last > high ? seen.last : high;
    }
    if (low > 0) *begin = low / TILE;
    if (high < s->of.keys) *end = high < 0 ? 0 : high / TILE + 1;
}

/* to (rows,vectors) = [to +] a (rows,depth) b (depth,vectors), one accumulator per element, k
   ascending; b's rows lie b_step apart. Extents of a and b count packed elements. */
typedef struct {
    const float *a;
    ptrdiff_t a_row, a_step;
    const float *b;
    ptrdiff_t b_step;
    int64_t depth;
    float *to;
    ptrdiff_t to_row;
    bool add;
} small_matmul;

/* Width index of the tile for `rows` rows: the widest, unless a narrower one takes more of them at
   once. */
static inline int choose_tile(const problem *p, int rows, int vectors)
{
    int shape = HEED_GEMM_WIDTHS - 1, height = rows < p->kernels->mr ? rows : p->kernels->mr;
    while ((1 << shape) > vectors || !(*p->tiles)[shape][1]) shape--;
    if (shape > 1 && !(*p->tiles)[shape][height] && (*p->tiles)[1][height]) shape = 1;
    return shape;
}

static inline void multiply(const problem *p, int rows, int vectors, const small_matmul *x)
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

/* Rows of floats, or of packed elements, in a copy or where they are. */
typedef struct {
    const float *data;
    ptrdiff_t stride;
} view;

static inline const void *element_of(const heed_operand *x, int64_t row, int64_t column)
{
    return (const char *)x->data + (row * x->row_stride + column) * (x->dtype == HEED_F32 ? 4 : 2);
}

/* One row of a head as floats, zeros after the width. */
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

/* The visible keys of a tile, one after the other: where they are when none is hidden and their
   type can be packed, else as floats in `room` (64,P). */
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

/* The right operand of a sum over keys: out (keys,P). */
static inline void pack_rows(const problem *p, heed_gemm_rows x, int64_t keys, float *out)
{
    p->packers.pack_n(out, (int)p->padded, x, keys, (int)p->width);
}

/* The right operand of a sum over channels: out (E,64), zeros after the last key. */
static inline void pack_columns(const problem *p, heed_gemm_rows x, int keys, float *out)
{
    p->packers.pack_t(out, TILE, x, p->width, keys);
}

/* Rows of a query block are pairs: row r is query r / group of the sequence under head kv_head *
   group + r % group. */
typedef struct {
    const sequence *s;
    int kv_head;
    int64_t first, count;
} pair_rows;

/* These rows of x as floats, in place where they are evenly spaced, else in `room` (count,P);
   `whole_vectors`: they have to be such, zeros after the width. */
static inline view query_rows(const problem *p, const heed_operand *x, const pair_rows *rows,
                              bool whole_vectors, float *room)
{
    const sequence *s = rows->s;
    const int kv_head = rows->kv_head;
    const int64_t left = p->width;
    if (p->group == 1 && (!whole_vectors || p->width == p->padded))
        return (view){float_row(x, s->of.query_start + rows->first) + kv_head * p->width,
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
    return (view){room, p->padded};
}

/* Rows as the left operand of a sum over their channels, in `room` (rows,packed) unless floats will
   do. */
static inline view packed_rows(const problem *p, view x, int64_t rows, float *room)
{
    if (!p->bf16) return x;
    p->packers.pack_a(room, (int)p->packed, (heed_gemm_rows){x.data, HEED_GEMM_F32, x.stride}, rows,
                      (int)p->width);
    return (view){room, p->packed};
}

/* What ALiBi adds to the scores of `head` against the tile: scale * slope * (key - query), or a
   difference of products in bf16. */
static inline void alibi_row(const problem *p, const key_tile *tile, int64_t query, int head,
                             int vectors, float *biases)
{
    const heed_attention_attributes *a = p->attributes;
    const float slope = p->slopes[head];
    for (int j = 0; j < vectors * HEED_LANES; j++)
        biases[j] = j < tile->count ? (float)(tile->index[j] - query) : 0;
    if (a->alibi_bf16) {
        const float from = heed_alibi_product(slope, query);
        for (int j = 0; j < tile->count && j < vectors * HEED_LANES; j++)
            biases[j] = heed_alibi_product(slope, tile->index[j]) - from;
    }
    const heed_v factor = heed_v_set(a->alibi_bf16 ? a->alibi_scale : a->alibi_scale * slope);
    for (int v = 0; v < vectors; v++)
        heed_v_store(biases + v * HEED_LANES,
                     heed_v_mul(factor, heed_v_load(biases + v * HEED_LANES)));
}

/* The mask index of a query, and one of its heads. */
typedef struct {
    int64_t query;
    int head;
} query_head;

/* q.k of one query and head become scores: scaled, capped, biased. `derivatives`, if not NULL,
   receives d score / d q.k. */
static inline void bias_scores(const problem *p, const key_tile *tile, query_head of, int vectors,
                               float *scores, float *derivatives)
{
    const heed_attention_attributes *a = p->attributes;
    const heed_v one = heed_v_set(1), scale = heed_v_set(a->scale), cap = heed_v_set(a->soft_cap);
    float biases[TILE];
    if (p->slopes) alibi_row(p, tile, of.query, of.head, vectors, biases);
    for (int at = 0; at < vectors * HEED_LANES; at += HEED_LANES) {
        heed_v x = heed_v_mul(heed_v_load(scores + at), scale), derivative = scale;
        if (a->soft_cap > 0) {
            heed_v t = heed_v_tanh(heed_v_div(x, cap));
            x = heed_v_mul(cap, t);
            derivative = heed_v_mul(scale, heed_v_mul(heed_v_sub(one, t), heed_v_add(one, t)));
        }
        if (p->slopes) x = heed_v_add(x, heed_v_load(biases + at));
        heed_v_store(scores + at, x);
        if (derivatives) heed_v_store(derivatives + at, derivative);
    }
}

/* 2^x for x <= 0, where a relative error of 3e-6 does not matter: weights that are rounded to bf16.
   0 below -150.45. 1 + x q(x) with q fitted like the polynomials of vector_math.h. */
HEED_INLINE heed_v short_exp2(heed_v x)
{
    static const float q[] = {0x1.62e12cp-1f, 0x1.ec0378p-3f, 0x1.c9fc46p-5f, 0x1.3a02ccp-7f};
    const heed_v rounder = heed_v_set(0x1.8p23f);
    x = heed_v_max(heed_v_set(-150.45f), x);
    heed_v n = heed_v_sub(heed_v_add(x, rounder), rounder), r = heed_v_sub(x, n);
    return heed_v_scale(heed_v_fma(heed_v_polynomial(r, q, 4), r, heed_v_set(1)), n);
}

/* Softmax weights exp(scale * score - shift): what a row multiplies its values by. */
typedef struct {
    heed_v scale, shift;
    bool bf16;
} weight_scale;

HEED_INLINE weight_scale weight_scale_of(const problem *p, float scale, float shift)
{
    const float log2_e = 0x1.715476p+0f;
    return p->bf16 ? (weight_scale){heed_v_set(scale * log2_e), heed_v_set(-shift * log2_e), true}
                   : (weight_scale){heed_v_set(scale), heed_v_set(shift), false};
}

HEED_INLINE heed_v weight_of(const weight_scale *w, heed_v score)
{
    return w->bf16 ? short_exp2(heed_v_fma(score, w->scale, w->shift))
                   : heed_v_exp(heed_v_sub(heed_v_mul(score, w->scale), w->shift));
}

/* No NaN and no infinity in a packed right operand of n elements. */
static inline bool all_finite(const problem *p, const float *x, int64_t n)
{
    const uint32_t high = 0x7F800000u, low = p->k_group > 1 ? 0x7F80u : 0;
    uint32_t found = 0;
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        found |= (uint32_t)((bits & high) == high) | (uint32_t)(low && (bits & low) == low);
    }
    return !found;
}

/* The scores of one row outside `seen` become -inf. A run of bits is masked by comparing places,
   anything else by a table. */
static inline void hide(float *scores, int vectors, uint64_t seen)
{
    static const float ramp[TILE] = {
        0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
        22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
        44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};
    const heed_v nothing = heed_v_set(-__builtin_inff());
    const int low = seen ? __builtin_ctzll(seen) : 0;
    const int high = seen ? 64 - __builtin_clzll(seen) : 0;
    if (seen == bits_between(low, high - 1)) {
        const heed_v first = heed_v_set((float)low - 0.5f), last = heed_v_set((float)high - 0.5f);
        for (int v = 0; v < vectors; v++) {
            heed_v at = heed_v_load(ramp + v * HEED_LANES),
                   x = heed_v_load(scores + v * HEED_LANES);
            x = heed_v_select(heed_v_less(at, last), x, nothing);
            heed_v_store(scores + v * HEED_LANES,
                         heed_v_select(heed_v_less(first, at), x, nothing));
        }
        return;
    }
    for (int j = 0; j < vectors * HEED_LANES; j++)
        if (!(seen >> j & 1)) scores[j] = -__builtin_inff();
}

/* Do the sequences cover rows [0, rows) one after another without gap or overlap? `field` is the
   start, the length follows. */
static inline bool covers(const problem *p, int field, int64_t rows)
{
    int64_t next = 0;
    for (int64_t b = 0; b < heed_shape_rows(p->sequences->shape); b++) {
        const int32_t *table = (const int32_t *)p->sequences->data + b * p->sequences->row_stride;
        if (table[field + 1] == 0) continue;
        if (table[field] != next) return false;
        next += table[field + 1];
    }
    return next == rows;
}

/* Zeros in the rows of x that no sequence covers. */
static inline void clear_uncovered(const problem *p, int field, const heed_operand *x)
{
    int64_t columns = heed_shape_columns(x->shape);
    for (int64_t i = 0; i < heed_shape_rows(x->shape); i++) {
        bool covered = false;
        for (int64_t b = 0; b < heed_shape_rows(p->sequences->shape) && !covered; b++) {
            const int32_t *table = (const int32_t *)p->sequences->data +
                                   b * p->sequences->row_stride;
            covered = i >= table[field] && i < (int64_t)table[field] + table[field + 1];
        }
        for (int64_t j = 0; j < columns && !covered; j++) float_row(x, i)[j] = 0;
    }
}

#endif
