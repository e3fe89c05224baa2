/* attention_tiles.h: tiles of keys. A tile is 64 positions, counted from the sequence's first: one
   page of the cache, or 64 dense rows. Keys that nobody may see (mask index -1) are not listed in a
   tile. Which keys of a tile a query sees is one 64-bit word:

      positions     0   1   2   3   4   5 ...     mask indices 7 8 -1 9 10 11: position 2 is hidden
      keys          0   1       2   3   4 ...     listed keys, numbered without it
      seen bits     1   1       1   0   0 ...     a causal query with mask index 9 */
#ifndef HEED_CPU_KERNEL_ATTENTION_TILES_H
#define HEED_CPU_KERNEL_ATTENTION_TILES_H

#include "cpu/kernel/attention.h"

/* The mask indices that a query sees, both ends included. */
typedef struct visible_span {
    int64_t first, last;
} visible_span;

/* What a query with this mask index sees: keys up to itself if causal, and keys less than `window`
   away if there is a window. */
static inline visible_span span_of(const problem *p, int64_t query)
{
    const heed_attention_attributes *a = p->attributes;
    visible_span s = {INT64_MIN, INT64_MAX};
    if (a->window > 0) s = (visible_span){query - a->window + 1, query + a->window - 1};
    if (a->causal) s.last = query;
    return s;
}

/* The listed keys of one tile, in order. */
typedef struct key_tile {
    int64_t base; /* row of its first position in k and v; -1 if the tile has none */
    int count;
    bool unbroken;                /* no position is hidden: key j stands in row base + j */
    bool consecutive;             /* the mask indices of its keys go up by one */
    int64_t min_index, max_index; /* the smallest and largest mask index */
    int32_t index[TILE];
    uint8_t position[TILE]; /* position of key j in the tile */
} key_tile;

/* First row of tile `number` in k and v; -1 if the page table leads outside of them. */
static inline int64_t tile_row(const problem *p, const query_sequence *s, int64_t number)
{
    const heed_operand *table = p->page_table;
    if (!table) return s->of.key_start + number * TILE;
    if (s->of.table_row < 0 || s->of.table_row >= table->shape.dim[0] ||
        number >= table->shape.dim[1])
        return -1;
    int64_t page = ((const int32_t *)table->data)[s->of.table_row * table->row_stride + number];
    return page >= 0 && (page + 1) * TILE <= p->k->shape.dim[0] ? page * TILE : -1;
}

/* Lists the keys of tile `number` of the sequence. */
static inline void find_tile(const problem *p, const query_sequence *s, int64_t number,
                             key_tile *tile)
{
    int64_t first = number * TILE,
            positions = s->of.keys - first < TILE ? s->of.keys - first : TILE;
    tile->base = tile_row(p, s, number);
    if (tile->base < 0) positions = 0;
    if (!p->key_index) { /* a key's mask index is its position */
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

/* A word with bits first to last set; 0 if last < first. 0 <= first, last < 64. */
static inline uint64_t bits_between(int64_t first, int64_t last)
{
    return last < first ? 0 : ~(uint64_t)0 >> (63 - (last - first)) << first;
}

/* Bit j is set if the mask index of key j lies in the span. */
static inline uint64_t seen_keys(const key_tile *tile, visible_span s)
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

/* Returns bits of all keys of the tile if each of queries [first, last] sees all of them; otherwise
   0, and the caller asks for each query. The mask indices of the queries go up one by one (no
   query_index), so asking the first and the last suffices. */
static inline uint64_t seen_by_all(const problem *p, const query_sequence *s, const key_tile *tile,
                                   int64_t first, int64_t last)
{
    if (p->query_index || last < first) return 0;
    const uint64_t seen = seen_keys(tile, span_of(p, s->of.first_index + first)) &
                          seen_keys(tile, span_of(p, s->of.first_index + last));
    return seen == bits_between(0, tile->count - 1) ? seen : 0;
}

/* Tiles [*begin, *end) hold every key that queries [first, first + count) can see. With key indices
   that is every tile; without them the index of a key is its position. */
static inline void reachable_tiles(const problem *p, const query_sequence *s, int64_t first,
                                   int64_t count, int64_t *begin, int64_t *end)
{
    int64_t low = INT64_MAX, high = INT64_MIN;
    *begin = 0;
    *end = (s->of.keys + TILE - 1) / TILE;
    if (p->key_index) return;
    for (int64_t i = first; i < first + count; i++) {
        visible_span seen = span_of(p, query_index_at(p, s, i));
        low = seen.first < low ? seen.first : low;
        high = seen.last > high ? seen.last : high;
    }
    if (low > 0) *begin = low / TILE;
    if (high < s->of.keys) *end = high < 0 ? 0 : high / TILE + 1;
}

#endif
