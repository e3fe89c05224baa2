/* Attention forward for one query block, with an online softmax over tiles of keys. Every row keeps
      m  the maximum score so far
      l  the sum of exp(score - m) so far
      o  the sum of exp(score - m) times the value of the key so far
   and works through its keys like this (attend_query_block):
      for each chunk of 1024 positions, counted from the sequence's first:
        clear      m = -inf, l = 0, o = 0                               clear_partial
        for each tile of 64 positions, for each row block:              attend_rows
          1. scores       s = scale * q.k, capped and biased, hidden keys -inf
          2. new maximum  m' = max(m, max s)
          3. rescale      l and o times exp(m - m')
          4. weights      p = exp(s - m'), l += sum p, then dropout on p
          5. accumulate   o += p v
        merge      the chunk's m, l, o into those of earlier chunks     merge_rows
      sink       a learned score without a value: adds to l only        take_sink
      finish     y = o / l, lse = m + log l                             finish_query_block
   The chunks of a query block may also be computed by different threads (attention_forward.h).

   Scores are sums over channels and o is a sum over keys, each in one accumulator in ascending
   order. Keys that a row does not see take no part in its sums. Hence the bits of a row do not
   depend on the rows that are computed with it, nor on tiles that it does not see.

   Source: Milakov & Gimelshein 2018 (online softmax); Dao et al. 2022 (FlashAttention). */
#ifndef HEED_CPU_KERNEL_ATTENTION_QUERY_BLOCK_H
#define HEED_CPU_KERNEL_ATTENTION_QUERY_BLOCK_H

#include "cpu/kernel/attention_pack.h"
#include "cpu/kernel/attention_scores.h"
#include "cpu/kernel/random.h"

/* Rows of a query block at most; tiles of a chunk. */
enum { QUERY_BLOCK_ROWS = 192, CHUNK_TILES = 16 };

/* m, l and o of some rows, as three arrays: (rows), (rows), (rows,P). */
typedef struct partial {
    float *max, *total, *sums;
} partial;

/* A thread's scratch memory for one query block. */
typedef struct forward_scratch {
    float *keys;                   /* (E,64): packed keys of the tile */
    float *values, *spare, *alone; /* (64,P): packed values; gathered rows; values of one row */
    float *rows, *queries;         /* (rows,P): q as floats; q as the packed left operand */
    float *scores, *weights;       /* (ROWS_AT_ONCE,64): scores, later weights; packed weights */
    /* (queries): the keys of the tile that each query sees, as bits */
    uint64_t *seen;
    partial whole, chunk;
} forward_scratch;

/* Queries of a query block. Blocks are half as large if there are few rows, so that all threads get
   some. The bits of the result do not depend on it. */
static inline int64_t queries_of_block(const heed_attention_attributes *a, int64_t queries)
{
    int64_t group = a->heads / a->kv_heads,
            count = (queries * group < 8 * QUERY_BLOCK_ROWS ? QUERY_BLOCK_ROWS / 2
                                                            : QUERY_BLOCK_ROWS) /
                    group;
    return count < 1 ? 1 : count;
}

/* Divides `memory` among the fields of s and returns the bytes that this takes. With memory = NULL
   it only counts them. */
static inline size_t forward_layout(const heed_attention_attributes *a, char *memory,
                                    forward_scratch *s)
{
    int64_t padded = heed_align_floats(a->head_width), queries = queries_of_block(a, INT32_MAX),
            rows = heed_align_floats(queries * (a->heads / a->kv_heads));
    const struct {
        float **place;
        int64_t count;
    } pieces[] = {
        {&s->keys, a->head_width * TILE},
        {&s->values, TILE * padded},
        {&s->spare, TILE * padded},
        {&s->alone, TILE * padded},
        {&s->rows, rows * padded},
        {&s->queries, rows * padded},
        {&s->scores, ROWS_AT_ONCE * TILE},
        {&s->weights, ROWS_AT_ONCE * TILE},
        {&s->whole.max, rows},
        {&s->whole.total, rows},
        {&s->whole.sums, rows * padded},
        {&s->chunk.max, rows},
        {&s->chunk.total, rows},
        {&s->chunk.sums, rows * padded},
    };
    size_t at = 0;
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++, at = heed_align(at)) {
        if (memory) *pieces[i].place = (float *)(memory + at);
        at += (size_t)pieces[i].count * sizeof(float);
    }
    if (memory) s->seen = (uint64_t *)(memory + at);
    return at + (size_t)queries * sizeof(uint64_t);
}

/* Queries [first, first + queries) of a sequence under the query heads of one key/value head. */
typedef struct query_block {
    const problem *p;
    const query_sequence *s;
    forward_scratch *scratch;
    partial to; /* m, l, o of the chunk that is being computed */
    key_tile tile;
    strided_rows q, values; /* packed left operand of the scores; packed right operand of o */
    /* what max_score and softmax_weights multiply q.k by; 1 if bias_scores did it already */
    float scale;
    int64_t number; /* the number of the tile in the sequence */
    /* whether the values of the tile were searched for NaN and infinity; whether they have none */
    bool checked, finite;
    int64_t first, queries;
    int kv_head;
} query_block;

/* The mask index and the query head of a row. */
static inline query_head query_head_of(const query_block *block, int64_t row)
{
    const int group = block->p->group;
    return (query_head){query_index_at(block->p, block->s, block->first + row / group),
                        block->kv_head * group + (int)(row % group)};
}

/* Step 1: the scores of rows [row, row + rows) against the tile; hidden keys get -inf. Returns the
   number of vectors, counted from key 0, up to the last visible key, and in `seen` the visible keys
   of each row. */
static inline int score_rows(const query_block *block, int64_t row, int rows,
                             uint64_t seen[ROWS_AT_ONCE])
{
    const problem *p = block->p;
    uint64_t any = 0;
    for (int r = 0; r < rows; r++) any |= seen[r] = block->scratch->seen[(row + r) / p->group];
    if (!any) return 0;
    int vectors = (64 - __builtin_clzll(any) + HEED_LANES - 1) / HEED_LANES;
    multiply(p, rows, vectors,
             &(packed_matmul){.a = block->q.data + row * block->q.stride,
                              .a_row = block->q.stride,
                              .a_step = 1,
                              .b = block->scratch->keys,
                              .b_step = TILE,
                              .depth = k_groups_of(p, p->width),
                              .to = block->scratch->scores,
                              .to_row = TILE});
    for (int r = 0; r < rows && p->biased; r++)
        bias_scores(p, &block->tile, query_head_of(block, row + r), vectors,
                    block->scratch->scores + r * TILE, NULL);
    for (int r = 0; r < rows; r++)
        if (seen[r] != bits_between(0, vectors * HEED_LANES - 1))
            hide(block->scratch->scores + r * TILE, vectors, seen[r]);
    return vectors;
}

/* Step 4 for one row: q.k become weights exp(scale * q.k - m). Returns their sum. */
static inline float softmax_weights(const problem *p, float *scores, int vectors, float scale,
                                    float m)
{
    accumulators sum = accumulators_of(0);
    const weight_scale w = weight_scale_of(p, scale, m);
    HEED_UNROLL for (int v = 0; v < TILE_VECTORS; v++)
    {
        if (v >= vectors) continue; /* clang unrolls no loop that is left early */
        heed_v x = weight_of(&w, heed_v_load(scores + v * HEED_LANES));
        heed_v_store(scores + v * HEED_LANES, x);
        sum.vector[v] = x;
    }
    return accumulators_sum(sum);
}

/* Step 2 for one row: the maximum of q.k; -inf if no key is visible. */
static inline float max_score(const float *scores, int vectors)
{
    accumulators most = accumulators_of(-__builtin_inff());
    HEED_UNROLL for (int v = 0; v < TILE_VECTORS; v++) if (v < vectors)
        most.vector[v] = heed_v_max(heed_v_load(scores + v * HEED_LANES), most.vector[v]);
    return accumulators_max(most);
}

/* Multiplies the weights of one row by the dropout factors of its keys: 0, or 1 / (1 - dropout).
   `row` counts from the query block. */
static inline void drop_weights(const query_block *block, int64_t row, float *scores)
{
    const heed_attention_attributes *a = block->p->attributes;
    int64_t query = block->first + row / block->p->group;
    heed_random_row random = heed_random_row_of(
        block->p->args->runtime, a->stream,
        block->kv_head * block->p->group + (int)(row % block->p->group), block->s->of.sample,
        (int32_t)(block->s->of.first_index + query));
    float factors[RANDOM_WORDS];
    dropout_factors(&random, heed_dropout_threshold(a->dropout), 1 / (1 - a->dropout),
                    block->number, factors);
    for (int j = 0; j < block->tile.count; j++) scores[j] *= factors[block->tile.position[j]];
}

/* Keys [low, high) of the tile. */
typedef struct {
    int low, high;
} key_range;

/* Step 5 for several rows: o += weights times packed values of the given keys. */
static inline void add_values(const query_block *block, const float *scores, int rows,
                              key_range keys, strided_rows values, float *sums)
{
    const problem *p = block->p;
    const float *weights = scores;
    ptrdiff_t stride = TILE;
    if (p->bf16) {
        stride = heed_align_floats(k_groups_of(p, keys.high));
        p->packers.pack_a(block->scratch->weights, (int)stride,
                          (heed_gemm_rows){scores, HEED_GEMM_F32, TILE}, rows, keys.high);
        weights = block->scratch->weights;
    }
    const int64_t begin = keys.low / p->k_group, end = k_groups_of(p, keys.high);
    multiply(p, rows, (int)(p->padded / HEED_LANES),
             &(packed_matmul){.a = weights + begin,
                              .a_row = stride,
                              .a_step = 1,
                              .b = values.data + begin * values.stride,
                              .b_step = values.stride,
                              .depth = end - begin,
                              .to = sums,
                              .to_row = p->padded,
                              .add = true});
}

/* Step 5 for one row, if values that it does not see may be NaN or infinite: those are replaced by
   zeros, since 0 times infinity is NaN. */
static inline void add_values_alone(const query_block *block, const float *scores, uint64_t bits,
                                    float *sums)
{
    const problem *p = block->p;
    float *rows = block->scratch->spare;
    for (int j = 0; j < block->tile.count; j++) {
        if (bits >> j & 1)
            widen_row(p, p->v, block->tile.base + block->tile.position[j], block->kv_head,
                      rows + j * p->padded);
        else memset(rows + j * p->padded, 0, (size_t)p->padded * sizeof *rows);
    }
    pack_rows(p, (heed_gemm_rows){rows, HEED_GEMM_F32, p->padded}, block->tile.count,
              block->scratch->alone);
    const key_range keys = {__builtin_ctzll(bits), 64 - __builtin_clzll(bits)};
    add_values(block, scores, 1, keys, (strided_rows){block->scratch->alone, p->padded}, sums);
}

/* o of the row block. The weights of hidden keys are 0, so that one matmul over all keys that any
   row sees leaves the sums of the other rows as they are. Only if a value is not finite (0 times
   infinity is NaN) the rows are taken one by one. */
static inline void add_row_values(query_block *block, int64_t row, int rows,
                                  const uint64_t seen[ROWS_AT_ONCE])
{
    const problem *p = block->p;
    uint64_t all = ~(uint64_t)0, any = 0;
    for (int r = 0; r < rows; r++) {
        all &= seen[r];
        any |= seen[r];
    }
    if (!any) return;
    int low = __builtin_ctzll(any), high = 64 - __builtin_clzll(any);
    bool alike = all == bits_between(low, high - 1) && low % p->k_group == 0 &&
                 (high % p->k_group == 0 || high == block->tile.count);
    if (!alike && !block->checked) {
        block->finite = true;
        block->checked = true;
        for (int64_t i = 0; i < k_groups_of(p, block->tile.count) && block->finite; i++)
            block->finite = all_finite(p, block->values.data + i * block->values.stride, p->padded);
    }
    if (alike || block->finite)
        add_values(block, block->scratch->scores, rows, (key_range){low, high}, block->values,
                   block->to.sums + row * p->padded);
    else
        for (int r = 0; r < rows; r++)
            if (seen[r])
                add_values_alone(block, block->scratch->scores + r * TILE, seen[r],
                                 block->to.sums + (row + r) * p->padded);
}

/* Is a visible score of the row NaN? The maximum skips NaN, so this is asked only if the maximum is
   -inf. */
static inline bool sees_nan(const float *scores, uint64_t seen)
{
    for (; seen; seen &= seen - 1)
        if (scores[__builtin_ctzll(seen)] != scores[__builtin_ctzll(seen)]) return true;
    return false;
}

/* The online softmax for one row block and one tile (the steps are those above):
   1. scores
   2. new maximum m
   3. rescale l and o by exp(old m - new m)
   4. weights exp(score - m), added to l
   5. accumulate o += weights times values */
static inline void attend_rows(query_block *block, int64_t row, int rows)
{
    const problem *p = block->p;
    float *scores = block->scratch->scores;
    uint64_t seen[ROWS_AT_ONCE];
    float old[TILE] = {0};
    const int vectors = score_rows(block, row, rows, seen); /* step 1 */
    if (!vectors) return;
    for (int r = 0; r < rows; r++) { /* step 2 */
        if (!seen[r]) continue;
        float m = block->scale * max_score(scores + r * TILE, vectors),
              before = block->to.max[row + r];
        if (before > m) m = before;
        if (m == -__builtin_inff()) {
            if (sees_nan(scores + r * TILE, seen[r])) m = __builtin_nanf("");
            else seen[r] = 0; /* all visible scores are -inf: no weight */
        }
        if (!seen[r]) continue;
        old[r] = before - m;
        block->to.max[row + r] = m;
    }
    for (int r = 0; r < rows; r += HEED_LANES)
        heed_v_store(old + r, heed_v_exp(heed_v_load(old + r)));
    for (int r = 0; r < rows; r++) { /* steps 3 and 4 */
        if (!seen[r]) {
            for (int j = 0; j < vectors * HEED_LANES; j++) scores[r * TILE + j] = 0;
            continue;
        }
        float *sums = block->to.sums + (row + r) * p->padded;
        block->to.total[row + r] = block->to.total[row + r] * old[r] +
                                   softmax_weights(p, scores + r * TILE, vectors, block->scale,
                                                   block->to.max[row + r]);
        const heed_v factor = heed_v_set(old[r]);
        if (old[r] != 1)
            for (int64_t e = 0; e < p->padded; e += HEED_LANES)
                heed_v_store(sums + e, heed_v_mul(factor, heed_v_load(sums + e)));
        if (p->attributes->dropout > 0) drop_weights(block, row + r, scores + r * TILE);
    }
    add_row_values(block, row, rows, seen); /* step 5 */
}

/* Loads the indices of the tile and which of its keys each query sees; false if no query sees
   any. */
static inline bool tile_visible(query_block *block)
{
    uint64_t any = 0;
    find_tile(block->p, block->s, block->number, &block->tile);
    const uint64_t all = seen_by_all(block->p, block->s, &block->tile, block->first,
                                     block->first + block->queries - 1);
    for (int64_t i = 0; i < block->queries; i++)
        any |= block->scratch->seen[i] = all ? all
                                             : seen_keys(&block->tile,
                                                         span_of(block->p,
                                                                 query_index_at(block->p, block->s,
                                                                                block->first + i)));
    return any != 0;
}

/* Packs the keys of the tile, and its values unless the query block has few rows and they can be
   read where they lie. With many rows packing pays: unpacked rows lie far apart and evict one
   another from the cache. */
static inline void load_forward_tile(query_block *block, int64_t rows)
{
    const problem *p = block->p;
    forward_scratch *s = block->scratch;
    block->checked = false;
    pack_columns(p, visible_rows(p, p->k, &block->tile, block->kv_head, s->spare),
                 block->tile.count, s->keys);
    heed_gemm_rows values = visible_rows(p, p->v, &block->tile, block->kv_head, s->spare);
    block->values = (strided_rows){s->values, p->padded};
    if (block->tile.unbroken && values.type == HEED_GEMM_F32 && !p->bf16 && p->width == p->padded &&
        rows <= ROWS_AT_ONCE)
        block->values = (strided_rows){values.data, values.stride};
    else pack_rows(p, values, block->tile.count, s->values);
}

/* m = -inf, l = 0, o = 0. */
static inline void clear_partial(const problem *p, partial to, int64_t rows)
{
    memset(to.sums, 0, (size_t)(rows * p->padded) * sizeof *to.sums);
    for (int64_t r = 0; r < rows; r++) {
        to.max[r] = -__builtin_inff();
        to.total[r] = 0;
    }
}

/* Packs q, which all tiles of the query block read. */
static inline void load_query_block(query_block *block)
{
    const problem *p = block->p;
    int64_t rows = block->queries * p->group;
    block->scale = p->biased ? 1 : p->attributes->scale;
    const pair_rows pairs = {block->s, block->kv_head, block->first * p->group, rows};
    block->q = packed_rows(p, query_rows(p, p->q, &pairs, false, block->scratch->rows), rows,
                           block->scratch->queries);
}

/* m, l, o over tiles [begin, end) of one chunk, into block->to. */
static inline void attend_tiles(query_block *block, int64_t begin, int64_t end)
{
    int64_t rows = block->queries * block->p->group;
    clear_partial(block->p, block->to, rows);
    for (block->number = begin; block->number < end; block->number++) {
        if (!tile_visible(block)) continue;
        load_forward_tile(block, rows);
        for (int64_t row = 0; row < rows; row += ROWS_AT_ONCE)
            attend_rows(block, row, rows - row < ROWS_AT_ONCE ? (int)(rows - row) : ROWS_AT_ONCE);
    }
}

/* Merges m, l, o of later keys, `more`, into those of earlier keys, `to`: m is the larger of both,
   and l and o of each are rescaled to it before they are added. */
static inline void merge_rows(const problem *p, partial to, partial more, int64_t rows)
{
    for (int64_t r = 0; r < rows; r++) {
        float *sums = to.sums + r * p->padded;
        const float *added = more.sums + r * p->padded, before = to.max[r];
        float m = more.max[r];
        if (m == -__builtin_inff()) continue;
        if (before == -__builtin_inff()) {
            memcpy(sums, added, (size_t)p->padded * sizeof *sums);
            to.max[r] = m;
            to.total[r] = more.total[r];
            continue;
        }
        if (before > m) m = before;
        const float old = exp_of(before - m), fresh = exp_of(more.max[r] - m);
        const heed_v keep = heed_v_set(old), take = heed_v_set(fresh);
        for (int64_t e = 0; e < p->padded; e += HEED_LANES)
            heed_v_store(sums + e, heed_v_fma(heed_v_load(added + e), take,
                                              heed_v_mul(keep, heed_v_load(sums + e))));
        to.max[r] = m;
        to.total[r] = fmaf(more.total[r], fresh, to.total[r] * old);
    }
}

/* Adds the sink of the head, a score without a value, to m and l of row r. Returns exp(old m - new
   m), by which the caller still has to rescale o. */
static inline float take_sink(const query_block *block, int64_t r)
{
    const heed_operand *sinks = heed_optional(block->p->args, HEED_ATTENTION_SINKS);
    if (!sinks) return 1;
    const float sink =
        ((const float *)sinks->data)[block->kv_head * block->p->group + r % block->p->group];
    const float before = block->to.max[r], m = before > sink ? before : sink;
    if (sink == -__builtin_inff()) return 1;
    const float old = before == -__builtin_inff() ? 0 : exp_of(before - m);
    block->to.total[r] = block->to.total[r] * old + exp_of(sink - m);
    block->to.max[r] = m;
    return old;
}

/* y = o / l and lse = m + log l; zeros for a row that saw no key. */
static inline void finish_query_block(const query_block *block)
{
    const problem *p = block->p;
    const heed_operand *y = &p->args->out[0], *lse = &p->args->out[1];
    int64_t query = block->s->of.query_start + block->first, head = 0,
            rows = block->queries * p->group;
    for (int64_t r = 0; r < rows; r++) {
        float *to = float_row(y, query) + (block->kv_head * p->group + head) * p->width;
        float old = take_sink(block, r), m = block->to.max[r];
        float total = block->to.total[r];
        bool fully_masked = m == -__builtin_inff();
        const heed_v times = heed_v_set(fully_masked ? 0 : old / total);
        for (int64_t e = 0; e < p->width; e += HEED_LANES)
            store_some(to + e, heed_v_mul(heed_v_load(block->to.sums + r * p->padded + e), times),
                       p->width - e);
        float_row(lse, query)[block->kv_head * p->group + head] = fully_masked ? 0
                                                                               : m + log_of(total);
        if (++head == p->group) {
            head = 0;
            query++;
        }
    }
}

/* All of it for one query block; the first chunk ends where the next multiple of 1024 positions
   begins. */
static inline void attend_query_block(query_block *block)
{
    forward_scratch *s = block->scratch;
    int64_t rows = block->queries * block->p->group, begin, end;
    load_query_block(block);
    reachable_tiles(block->p, block->s, block->first, block->queries, &begin, &end);
    block->to = s->whole;
    attend_tiles(block, begin,
                 end < (begin / CHUNK_TILES + 1) * CHUNK_TILES
                     ? end
                     : (begin / CHUNK_TILES + 1) * CHUNK_TILES);
    for (int64_t from = (begin / CHUNK_TILES + 1) * CHUNK_TILES; from < end; from += CHUNK_TILES) {
        block->to = s->chunk;
        attend_tiles(block, from, end < from + CHUNK_TILES ? end : from + CHUNK_TILES);
        merge_rows(block->p, s->whole, s->chunk, rows);
    }
    block->to = s->whole;
    finish_query_block(block);
}

#endif
