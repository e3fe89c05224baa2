/* attention.h: what attention forward and backward share. Work is cut into units of one sequence, one key/value head and a run
   of its queries; the rows of a unit are (query, head of the group) pairs, so that all query heads of a group share one packed
   copy of keys and values. Keys are taken in tiles of 64 positions counted from the sequence's first position: a tile is one
   cache block, or 64 dense rows, and packs to the same numbers either way. Keys that are hidden from everybody (mask index -1)
   are left out when a tile is packed. Which keys of a tile a query sees is one 64-bit word. */
#ifndef HEED_CPU_KERNEL_ATTENTION_H
#define HEED_CPU_KERNEL_ATTENTION_H

#include "cpu/gemm/kernels.h"
#include "cpu/kernel/kernel.h"
#include "op/sequence.h"

enum {
    TILE = HEED_BLOCK_POSITIONS,
    TILE_VECTORS = TILE / HEED_LANES,
    BAND = 6 /* rows whose scores are worked on at a time */
};

static inline int64_t padded_width(int64_t width)
{
    return (width + 15) / 16 * 16;
}

typedef struct problem {
    const heed_kernel_args *args;
    const heed_attention_attributes *attributes;
    const heed_gemm_kernels *kernels;
    const heed_operand *q, *k, *v, *sequences, *query_index, *key_index, *block_table;
    const float *slopes;   /* of the heads; NULL without ALiBi */
    bool bent;             /* scores are more than a positive scale times q.k */
    int group;             /* query heads to a key/value head */
    int64_t width, padded; /* of a head; rounded up to whole vectors on any instruction set */
} problem;

typedef struct sequence { int64_t number; heed_sequence of; } sequence;

static inline problem problem_of(const heed_kernel_args *args)
{
    const heed_attention_attributes *attributes = args->attributes;
    const heed_operand *slopes = optional_input(args, HEED_ATTENTION_SLOPES);
    return (problem){.slopes = slopes ? slopes->data : NULL, .bent = slopes || attributes->soft_cap > 0 || !(attributes->scale > 0),
        .args = args, .attributes = attributes, .kernels = heed_gemm_kernels_for(args->isa),
        .q = &args->in[HEED_ATTENTION_Q], .k = &args->in[HEED_ATTENTION_K], .v = &args->in[HEED_ATTENTION_V],
        .sequences = &args->in[HEED_ATTENTION_SEQUENCES], .query_index = optional_input(args, HEED_ATTENTION_QUERY_INDEX),
        .key_index = optional_input(args, HEED_ATTENTION_KEY_INDEX), .block_table = optional_input(args, HEED_ATTENTION_BLOCK_TABLE),
        .group = attributes->heads / attributes->kv_heads, .width = attributes->head_width, .padded = padded_width(attributes->head_width)};
}

static inline sequence sequence_at(const problem *p, int64_t number)
{
    return (sequence){number, heed_sequence_of(p->sequences, number, heed_shape_rows(p->q->shape), heed_shape_rows(p->k->shape), p->block_table)};
}

/* Mask index of query i of the sequence. */
static inline int64_t query_index_at(const problem *p, const sequence *s, int64_t i)
{
    return p->query_index ? integer_at(p->query_index, s->of.query_start + i) : s->of.first_index + i;
}

/* The mask indices that a query sees, both ends included. */
typedef struct span { int64_t first, last; } span;

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
    int64_t base;               /* row of its first position in k and v */
    int count;
    bool whole;                 /* none is hidden: key j stands in row base + j */
    bool consecutive;           /* mask indices go up by one */
    int64_t smallest, largest;  /* mask index */
    int32_t index[TILE];
    uint8_t place[TILE];        /* position in the tile */
} key_tile;

/* First row of tile `number` in k and v; -1 when the block table leads outside. */
static inline int64_t tile_row(const problem *p, const sequence *s, int64_t number)
{
    const heed_operand *table = p->block_table;
    if (!table) return s->of.key_start + number * TILE;
    if (s->of.table_row < 0 || s->of.table_row >= table->shape.dim[0] || number >= table->shape.dim[1]) return -1;
    int64_t block = ((const int32_t *)table->data)[s->of.table_row * table->row_stride + number];
    return block >= 0 && (block + 1) * TILE <= p->k->shape.dim[0] ? block * TILE : -1;
}

static inline void find_tile(const problem *p, const sequence *s, int64_t number, key_tile *tile)
{
    int64_t first = number * TILE, positions = s->of.keys - first < TILE ? s->of.keys - first : TILE;
    tile->base = tile_row(p, s, number);
    if (tile->base < 0) positions = 0;
    tile->count = 0;
    for (int64_t j = 0; j < positions; j++) {
        int32_t index = p->key_index ? integer_at(p->key_index, tile->base + j) : (int32_t)(first + j);
        if (index < 0) continue;
        tile->index[tile->count] = index;
        tile->place[tile->count++] = (uint8_t)j;
    }
    tile->whole = tile->count == positions;
    tile->consecutive = true;
    tile->smallest = tile->count ? tile->index[0] : 0;
    tile->largest = tile->smallest;
    for (int j = 1; j < tile->count; j++) {
        int64_t index = tile->index[j];
        tile->consecutive = tile->consecutive && index == tile->index[j - 1] + 1;
        tile->smallest = index < tile->smallest ? index : tile->smallest;
        tile->largest = index > tile->largest ? index : tile->largest;
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
    if (tile->count == 0 || tile->largest < s.first || tile->smallest > s.last) return 0;
    if (tile->smallest >= s.first && tile->largest <= s.last) return bits_between(0, tile->count - 1);
    if (tile->consecutive)
        return bits_between(s.first > tile->smallest ? s.first - tile->smallest : 0,
                            s.last < tile->largest ? s.last - tile->smallest : tile->count - 1);
    uint64_t seen = 0;
    for (int j = 0; j < tile->count; j++)
        if (tile->index[j] >= s.first && tile->index[j] <= s.last) seen |= (uint64_t)1 << j;
    return seen;
}

/* Tiles that queries [first, first + count) can reach: without key indices a key's index is its place. */
static inline void reachable_tiles(const problem *p, const sequence *s, int64_t first, int64_t count, int64_t *begin, int64_t *end)
{
    int64_t low = INT64_MAX, high = INT64_MIN;
    *begin = 0, *end = (s->of.keys + TILE - 1) / TILE;
    if (p->key_index) return;
    for (int64_t i = first; i < first + count; i++) {
        span seen = span_of(p, query_index_at(p, s, i));
        low = seen.first < low ? seen.first : low;
        high = seen.last > high ? seen.last : high;
    }
    if (low > 0) *begin = low / TILE;
    if (high < s->of.keys) *end = high < 0 ? 0 : high / TILE + 1;
}

/* to (rows,vectors) = [to +] a (rows,depth) b (depth,vectors), one ascending chain per element; b's rows lie b_step apart. */
typedef struct { const float *a; ptrdiff_t a_row, a_step; const float *b; ptrdiff_t b_step; int64_t depth; float *to; ptrdiff_t to_row; bool add; } small_product;

static inline void multiply(const heed_gemm_kernels *kernels, int rows, int vectors, const small_product *x)
{
    int shape = HEED_GEMM_WIDTHS - 1;
    for (int v = 0; v < vectors;) {
        while ((1 << shape) > vectors - v || !kernels->tile[HEED_GEMM_F32][shape][1]) shape--;
        for (int r = 0; r < rows;) {
            int tall = rows - r < HEED_GEMM_MAX_ROWS ? rows - r : HEED_GEMM_MAX_ROWS;
            while (!kernels->tile[HEED_GEMM_F32][shape][tall]) tall--;
            float *to = x->to + r * x->to_row + v * HEED_LANES;
            heed_gemm_tile tile = {.a = x->a + r * x->a_row, .a_row = x->a_row, .a_step = x->a_step, .b = x->b + v * HEED_LANES,
                .b_panel = HEED_GEMM_PANEL_VECTORS * HEED_LANES, .b_step = x->b_step, .depth = x->depth, .from = x->add ? to : NULL,
                .to = to, .from_stride = x->to_row, .to_stride = x->to_row};
            kernels->tile[HEED_GEMM_F32][shape][tall](&tile);
            r += tall;
        }
        v += 1 << shape;
    }
}

/* Rows of floats in a packed copy or where they are. */
typedef struct { const float *data; ptrdiff_t stride; } view;

static inline heed_gemm_type type_of(heed_dtype dtype)
{
    return dtype == HEED_F16 ? HEED_GEMM_F16 : dtype == HEED_BF16 ? HEED_GEMM_BF16 : HEED_GEMM_F32;
}

static inline const void *element_of(const heed_operand *x, int64_t row, int64_t column)
{
    return (const char *)x->data + (row * x->row_stride + column) * (x->dtype == HEED_F32 ? 4 : 2);
}

/* The visible keys of a tile, one a row of `padded` floats behind each other. */
static inline void pack_rows(const problem *p, const heed_operand *x, const key_tile *tile, int kv_head, float *out)
{
    int64_t column = kv_head * p->width;
    if (tile->whole) {
        p->kernels->straight(out, (int)p->padded, element_of(x, tile->base, column), type_of(x->dtype), x->row_stride, tile->count, (int)p->width);
        return;
    }
    for (int j = 0; j < tile->count; j++)
        p->kernels->straight(out + j * p->padded, (int)p->padded, element_of(x, tile->base + tile->place[j], column), type_of(x->dtype),
                             x->row_stride, 1, (int)p->width);
}

/* The same without a copy where rows are whole vectors and none is hidden. */
static inline view view_rows(const problem *p, const heed_operand *x, const key_tile *tile, int kv_head, float *room)
{
    if (tile->whole && x->dtype == HEED_F32 && p->width == p->padded)
        return (view){float_row(x, tile->base) + kv_head * p->width, x->row_stride};
    pack_rows(p, x, tile, kv_head, room);
    return (view){room, p->padded};
}

/* The visible keys of a tile as columns: out (E,64), zeros behind the last. `spare` holds 64 rows. */
static inline void pack_columns(const problem *p, const heed_operand *x, const key_tile *tile, int kv_head, float *out, float *spare)
{
    const void *source = element_of(x, tile->base, kv_head * p->width);
    heed_gemm_type type = type_of(x->dtype);
    ptrdiff_t stride = x->row_stride;
    if (!tile->whole) {
        pack_rows(p, x, tile, kv_head, spare);
        source = spare, type = HEED_GEMM_F32, stride = p->padded;
    }
    p->kernels->transposing(out, TILE, source, type, stride, p->width, tile->count);
}

/* Rows of a unit are pairs: row r is query r / group of the sequence under head kv_head * group + r % group. Writes rows
   [first, first + count) of x, `padded` floats each, zeros behind the width. */
static inline void pack_queries(const problem *p, const heed_operand *x, const sequence *s, int kv_head, int64_t first, int64_t count,
                                float *out)
{
    int64_t query = first / p->group, head = first % p->group, left = p->width;
    for (; count > 0; count--, out += p->padded) {
        const float *from = float_row(x, s->of.query_start + query) + (kv_head * p->group + head) * left;
        for (int64_t e = 0; e < p->padded; e += HEED_LANES) heed_v_store(out + e, load_some(from + e, left - e));
        if (++head == p->group) head = 0, query++;
    }
}

/* The same without a copy where the rows are evenly spaced; `whole`: they have to be whole vectors too. */
static inline view view_queries(const problem *p, const heed_operand *x, const sequence *s, int kv_head, int64_t first, int64_t count, bool whole, float *room)
{
    if (p->group == 1 && (!whole || p->width == p->padded))
        return (view){float_row(x, s->of.query_start + first) + kv_head * p->width, x->row_stride};
    pack_queries(p, x, s, kv_head, first, count, room);
    return (view){room, p->padded};
}

/* What ALiBi adds to the scores of `head` against the tile: scale * slope * (key - query); rounded, a difference of bf16 products. */
static inline void alibi_row(const problem *p, const key_tile *tile, int64_t query, int head, int vectors, float *biases)
{
    const heed_attention_attributes *a = p->attributes;
    const float slope = p->slopes[head];
    for (int j = 0; j < vectors * HEED_LANES; j++) biases[j] = j < tile->count ? (float)(tile->index[j] - query) : 0;
    if (a->alibi_rounded) {
        const float from = heed_alibi_product(slope, query);
        for (int j = 0; j < tile->count && j < vectors * HEED_LANES; j++) biases[j] = heed_alibi_product(slope, tile->index[j]) - from;
    }
    const heed_v factor = heed_v_set(a->alibi_rounded ? a->alibi_scale : a->alibi_scale * slope);
    for (int v = 0; v < vectors; v++) heed_v_store(biases + v * HEED_LANES, heed_v_mul(factor, heed_v_load(biases + v * HEED_LANES)));
}

/* q.k of one query and head become scores: scaled, capped, biased. steps, if not NULL, receives d score / d q.k. */
static inline void bend_scores(const problem *p, const key_tile *tile, int64_t query, int head, int vectors, float *scores, float *steps)
{
    const heed_attention_attributes *a = p->attributes;
    const heed_v one = heed_v_set(1), scale = heed_v_set(a->scale), cap = heed_v_set(a->soft_cap);
    float biases[TILE];
    if (p->slopes) alibi_row(p, tile, query, head, vectors, biases);
    for (int at = 0; at < vectors * HEED_LANES; at += HEED_LANES) {
        heed_v x = heed_v_mul(heed_v_load(scores + at), scale), step = scale;
        if (a->soft_cap > 0) {
            heed_v t = heed_v_tanh(heed_v_div(x, cap));
            x = heed_v_mul(cap, t);
            step = heed_v_mul(scale, heed_v_mul(heed_v_sub(one, t), heed_v_add(one, t)));
        }
        if (p->slopes) x = heed_v_add(x, heed_v_load(biases + at));
        heed_v_store(scores + at, x);
        if (steps) heed_v_store(steps + at, step);
    }
}

/* No NaN and no infinity in rows of n floats, n a multiple of the lanes. */
static inline bool all_finite(view x, int rows, int64_t n)
{
    const heed_v zero = heed_v_zero();
    heed_v sum = zero;
    for (int r = 0; r < rows; r++)
        for (int64_t i = 0; i < n; i += HEED_LANES) sum = heed_v_fma(heed_v_load(x.data + r * x.stride + i), zero, sum);
    return heed_v_sum(sum) == 0;
}

/* The scores of one row outside `seen` become -inf. A run of bits is masked by comparing places, anything else by a table. */
static inline void hide(float *scores, int vectors, uint64_t seen)
{
    static const float ramp[TILE] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28,
        29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63};
    const heed_v nothing = heed_v_set(-__builtin_inff());
    int low = seen ? __builtin_ctzll(seen) : 0, high = seen ? 64 - __builtin_clzll(seen) : 0;
    if (seen == bits_between(low, high - 1)) {
        const heed_v first = heed_v_set((float)low - 0.5f), last = heed_v_set((float)high - 0.5f);
        for (int v = 0; v < vectors; v++) {
            heed_v at = heed_v_load(ramp + v * HEED_LANES), x = heed_v_load(scores + v * HEED_LANES);
            x = heed_v_select(heed_v_less(at, last), x, nothing);
            heed_v_store(scores + v * HEED_LANES, heed_v_select(heed_v_less(first, at), x, nothing));
        }
        return;
    }
    for (int j = 0; j < vectors * HEED_LANES; j++)
        if (!(seen >> j & 1)) scores[j] = -__builtin_inff();
}

/* Do the sequences cover rows [0, rows) one after another without gap or overlap? `field` is the start, the length follows. */
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
            const int32_t *table = (const int32_t *)p->sequences->data + b * p->sequences->row_stride;
            covered = i >= table[field] && i < (int64_t)table[field] + table[field + 1];
        }
        for (int64_t j = 0; j < columns && !covered; j++) float_row(x, i)[j] = 0;
    }
}

#endif
