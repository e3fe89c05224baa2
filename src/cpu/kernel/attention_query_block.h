/* One query block of attention forward, tiled with an online softmax. For every row: m the maximum
   score so far, l the sum of exp(score - m), o the weighted sum of values. Its steps
   (attend_query_block):
     for each chunk of 1024 positions, counted from the sequence's first, m, l, o begin with nothing
       for each tile of 64 positions, for each row block (attend_rows)
         scores; the new m; l and o times exp(old m - new m); softmax weights; l += their sum;
         o += weights times values
       what the chunk found is merged into what those before it found (merge_rows)
     a sink is a key that is seen last: it adds to l, and nothing to o (take_sink)
     y = o / l, lse = m + log l (finish_query_block)
   Chunks may be worked on apart (attention_forward.h).

   Scores are sums over the channels, o sums over the keys, each in one accumulator and ascending,
   and keys that a row does not see take no part in its sums: the bits of a row depend neither on
   the rows it is worked on with nor on tiles that it does not see.
   Source: Milakov & Gimelshein 2018; Dao et al. 2022. */
#ifndef HEED_CPU_KERNEL_ATTENTION_QUERY_BLOCK_H
#define HEED_CPU_KERNEL_ATTENTION_QUERY_BLOCK_H

#include "cpu/kernel/attention_pack.h"
#include "cpu/kernel/attention_scores.h"
#include "cpu/kernel/random.h"

enum { QUERY_BLOCK_ROWS = 192, CHUNK_TILES = 16 };

/* m, l and o of some rows: (rows), (rows), (rows,P). */
typedef struct partial {
    float *max, *total, *sums;
} partial;

typedef struct forward_scratch {
    float *keys;                   /* (E,64) */
    float *values, *spare, *alone; /* (64,P) */
    float *rows, *queries;         /* (rows,P): q, and packed */
    float *scores, *weights;       /* (ROWS_AT_ONCE,64): scores, then weights; packed */
    uint64_t *seen;                /* (queries): keys of the tile that each sees */
    partial whole, chunk;
} forward_scratch;

/* Half as large where there are few rows, so that all threads get some. Bits do not depend on
   it. */
static inline int64_t queries_of_block(const heed_attention_attributes *a, int64_t queries)
{
    int64_t group = a->heads / a->kv_heads,
            count = (queries * group < 8 * QUERY_BLOCK_ROWS ? QUERY_BLOCK_ROWS / 2
                                                            : QUERY_BLOCK_ROWS) /
                    group;
    return count < 1 ? 1 : count;
}

/* Cuts `memory` (NULL: only measures) and returns the bytes. */
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

/* Queries [first, first + queries) of a sequence for the query heads of one key/value head. */
typedef struct query_block {
    const problem *p;
    const query_sequence *s;
    forward_scratch *scratch;
    partial to; /* of the chunk in work */
    key_tile tile;
    view q, values;       /* packed */
    float scale;          /* of the scores; 1 if they are biased */
    int64_t number;       /* of the tile */
    bool checked, finite; /* its values were looked at, and are finite */
    int64_t first, queries;
    int kv_head;
} query_block;

/* The query and head of a row. */
static inline query_head query_head_of(const query_block *u, int64_t row)
{
    const int group = u->p->group;
    return (query_head){query_index_at(u->p, u->s, u->first + row / group),
                        u->kv_head * group + (int)(row % group)};
}

/* The scores of rows [row, row + rows) against the tile, hidden ones -inf; returns the vectors that
   hold some. */
static inline int score_rows(const query_block *u, int64_t row, int rows,
                             uint64_t seen[ROWS_AT_ONCE])
{
    const problem *p = u->p;
    uint64_t any = 0;
    for (int r = 0; r < rows; r++) any |= seen[r] = u->scratch->seen[(row + r) / p->group];
    if (!any) return 0;
    int vectors = (64 - __builtin_clzll(any) + HEED_LANES - 1) / HEED_LANES;
    multiply(p, rows, vectors,
             &(small_matmul){.a = u->q.data + row * u->q.stride,
                             .a_row = u->q.stride,
                             .a_step = 1,
                             .b = u->scratch->keys,
                             .b_step = TILE,
                             .depth = k_groups_of(p, p->width),
                             .to = u->scratch->scores,
                             .to_row = TILE});
    for (int r = 0; r < rows && p->biased; r++)
        bias_scores(p, &u->tile, query_head_of(u, row + r), vectors, u->scratch->scores + r * TILE,
                    NULL);
    for (int r = 0; r < rows; r++)
        if (seen[r] != bits_between(0, vectors * HEED_LANES - 1))
            hide(u->scratch->scores + r * TILE, vectors, seen[r]);
    return vectors;
}

/* q.k of a row become exp(scale * q.k - m); returns their sum. */
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

static inline float max_score(const float *scores, int vectors)
{
    accumulators most = accumulators_of(-__builtin_inff());
    HEED_UNROLL for (int v = 0; v < TILE_VECTORS; v++) if (v < vectors)
        most.vector[v] = heed_v_max(heed_v_load(scores + v * HEED_LANES), most.vector[v]);
    return accumulators_max(most);
}

/* Weights of row `row` (r of the row block) times the dropout factor of each key. */
static inline void drop_weights(const query_block *u, int64_t row, float *scores)
{
    const heed_attention_attributes *a = u->p->attributes;
    int64_t query = u->first + row / u->p->group;
    heed_random_row random = heed_random_row_of(
        u->p->args->runtime, a->stream, u->kv_head * u->p->group + (int)(row % u->p->group),
        u->s->of.sample, (int32_t)(u->s->of.first_index + query));
    float factors[RANDOM_WORDS];
    dropout_factors(&random, heed_dropout_threshold(a->dropout), 1 / (1 - a->dropout), u->number,
                    factors);
    for (int j = 0; j < u->tile.count; j++) scores[j] *= factors[u->tile.position[j]];
}

/* Keys [low, high) of the tile. */
typedef struct {
    int low, high;
} key_range;

/* o of `rows` rows += their weights times the values of the keys, packed ones. */
static inline void add_values(const query_block *u, const float *scores, int rows, key_range keys,
                              view values, float *sums)
{
    const problem *p = u->p;
    const float *weights = scores;
    ptrdiff_t stride = TILE;
    if (p->bf16) {
        stride = heed_align_floats(k_groups_of(p, keys.high));
        p->packers.pack_a(u->scratch->weights, (int)stride,
                          (heed_gemm_rows){scores, HEED_GEMM_F32, TILE}, rows, keys.high);
        weights = u->scratch->weights;
    }
    const int64_t begin = keys.low / p->k_group, end = k_groups_of(p, keys.high);
    multiply(p, rows, (int)(p->padded / HEED_LANES),
             &(small_matmul){.a = weights + begin,
                             .a_row = stride,
                             .a_step = 1,
                             .b = values.data + begin * values.stride,
                             .b_step = values.stride,
                             .depth = end - begin,
                             .to = sums,
                             .to_row = p->padded,
                             .add = true});
}

/* The same for one row where values that it does not see are not finite: they become zeros. */
static inline void add_values_alone(const query_block *u, const float *scores, uint64_t bits,
                                    float *sums)
{
    const problem *p = u->p;
    float *rows = u->scratch->spare;
    for (int j = 0; j < u->tile.count; j++) {
        if (bits >> j & 1)
            widen_row(p, p->v, u->tile.base + u->tile.position[j], u->kv_head,
                      rows + j * p->padded);
        else memset(rows + j * p->padded, 0, (size_t)p->padded * sizeof *rows);
    }
    pack_rows(p, (heed_gemm_rows){rows, HEED_GEMM_F32, p->padded}, u->tile.count,
              u->scratch->alone);
    const key_range keys = {__builtin_ctzll(bits), 64 - __builtin_clzll(bits)};
    add_values(u, scores, 1, keys, (view){u->scratch->alone, p->padded}, sums);
}

/* o of the row block. The weights of hidden keys are 0, so that one matmul over all keys that any
   row sees leaves the sums of the other rows as they are. Only if a value is not finite (0 times
   infinity is NaN) the rows are taken one by one. */
static inline void add_row_values(query_block *u, int64_t row, int rows,
                                  const uint64_t seen[ROWS_AT_ONCE])
{
    const problem *p = u->p;
    uint64_t all = ~(uint64_t)0, any = 0;
    for (int r = 0; r < rows; r++) {
        all &= seen[r];
        any |= seen[r];
    }
    if (!any) return;
    int low = __builtin_ctzll(any), high = 64 - __builtin_clzll(any);
    bool alike = all == bits_between(low, high - 1) && low % p->k_group == 0 &&
                 (high % p->k_group == 0 || high == u->tile.count);
    if (!alike && !u->checked) {
        u->finite = true;
        u->checked = true;
        for (int64_t i = 0; i < k_groups_of(p, u->tile.count) && u->finite; i++)
            u->finite = all_finite(p, u->values.data + i * u->values.stride, p->padded);
    }
    if (alike || u->finite)
        add_values(u, u->scratch->scores, rows, (key_range){low, high}, u->values,
                   u->to.sums + row * p->padded);
    else
        for (int r = 0; r < rows; r++)
            if (seen[r])
                add_values_alone(u, u->scratch->scores + r * TILE, seen[r],
                                 u->to.sums + (row + r) * p->padded);
}

/* Asked only for rows without a maximal score. */
static inline bool sees_nan(const float *scores, uint64_t seen)
{
    for (; seen; seen &= seen - 1)
        if (scores[__builtin_ctzll(seen)] != scores[__builtin_ctzll(seen)]) return true;
    return false;
}

/* The steps of the online softmax for one row block and tile:
   1. scores
   2. the new maximum m
   3. l and o times exp(old m - new m)
   4. weights exp(score - m), whose sum is added to l
   5. o += weights times values */
static inline void attend_rows(query_block *u, int64_t row, int rows)
{
    const problem *p = u->p;
    float *scores = u->scratch->scores;
    uint64_t seen[ROWS_AT_ONCE];
    float old[TILE] = {0};
    const int vectors = score_rows(u, row, rows, seen); /* 1 */
    if (!vectors) return;
    for (int r = 0; r < rows; r++) { /* 2 */
        if (!seen[r]) continue;
        float m = u->scale * max_score(scores + r * TILE, vectors), before = u->to.max[row + r];
        if (before > m) m = before;
        if (m == -__builtin_inff()) {
            if (sees_nan(scores + r * TILE, seen[r])) m = __builtin_nanf("");
            else seen[r] = 0; /* scores of -inf have no weight */
        }
        if (!seen[r]) continue;
        old[r] = before - m;
        u->to.max[row + r] = m;
    }
    for (int r = 0; r < rows; r += HEED_LANES)
        heed_v_store(old + r, heed_v_exp(heed_v_load(old + r)));
    for (int r = 0; r < rows; r++) { /* 3 and 4 */
        if (!seen[r]) {
            for (int j = 0; j < vectors * HEED_LANES; j++) scores[r * TILE + j] = 0;
            continue;
        }
        float *sums = u->to.sums + (row + r) * p->padded;
        u->to.total[row + r] = u->to.total[row + r] * old[r] + softmax_weights(p, scores + r * TILE,
                                                                               vectors, u->scale,
                                                                               u->to.max[row + r]);
        const heed_v factor = heed_v_set(old[r]);
        if (old[r] != 1)
            for (int64_t e = 0; e < p->padded; e += HEED_LANES)
                heed_v_store(sums + e, heed_v_mul(factor, heed_v_load(sums + e)));
        if (p->attributes->dropout > 0) drop_weights(u, row + r, scores + r * TILE);
    }
    add_row_values(u, row, rows, seen); /* 5 */
}

/* Finds the tile and what each query sees of it; false when that is nothing. */
static inline bool tile_visible(query_block *u)
{
    uint64_t any = 0;
    find_tile(u->p, u->s, u->number, &u->tile);
    const uint64_t all = seen_by_all(u->p, u->s, &u->tile, u->first, u->first + u->queries - 1);
    for (int64_t i = 0; i < u->queries; i++)
        any |= u->scratch->seen[i] =
            all ? all
                : seen_keys(&u->tile, span_of(u->p, query_index_at(u->p, u->s, u->first + i)));
    return any != 0;
}

/* Values of few rows are read where they are; those of many are packed, since rows far apart crowd
   one another out of the cache. */
static inline void load_forward_tile(query_block *u, int64_t rows)
{
    const problem *p = u->p;
    forward_scratch *s = u->scratch;
    u->checked = false;
    pack_columns(p, visible_rows(p, p->k, &u->tile, u->kv_head, s->spare), u->tile.count, s->keys);
    heed_gemm_rows values = visible_rows(p, p->v, &u->tile, u->kv_head, s->spare);
    u->values = (view){s->values, p->padded};
    if (u->tile.unbroken && values.type == HEED_GEMM_F32 && !p->bf16 && p->width == p->padded &&
        rows <= ROWS_AT_ONCE)
        u->values = (view){values.data, values.stride};
    else pack_rows(p, values, u->tile.count, s->values);
}

static inline void clear_partial(const problem *p, partial to, int64_t rows)
{
    memset(to.sums, 0, (size_t)(rows * p->padded) * sizeof *to.sums);
    for (int64_t r = 0; r < rows; r++) {
        to.max[r] = -__builtin_inff();
        to.total[r] = 0;
    }
}

static inline void load_query_block(query_block *u)
{
    const problem *p = u->p;
    int64_t rows = u->queries * p->group;
    u->scale = p->biased ? 1 : p->attributes->scale;
    const pair_rows pairs = {u->s, u->kv_head, u->first * p->group, rows};
    u->q = packed_rows(p, query_rows(p, p->q, &pairs, false, u->scratch->rows), rows,
                       u->scratch->queries);
}

/* What tiles [begin, end) give, all of one chunk, into u->to. */
static inline void attend_tiles(query_block *u, int64_t begin, int64_t end)
{
    int64_t rows = u->queries * u->p->group;
    clear_partial(u->p, u->to, rows);
    for (u->number = begin; u->number < end; u->number++) {
        if (!tile_visible(u)) continue;
        load_forward_tile(u, rows);
        for (int64_t row = 0; row < rows; row += ROWS_AT_ONCE)
            attend_rows(u, row, rows - row < ROWS_AT_ONCE ? (int)(rows - row) : ROWS_AT_ONCE);
    }
}

/* What row r of `more` found joins what row r of `to` has. */
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

/* The sink joins m and l; what o is multiplied by for it is left to the division. */
static inline float take_sink(const query_block *u, int64_t r)
{
    const heed_operand *sinks = heed_optional(u->p->args, HEED_ATTENTION_SINKS);
    if (!sinks) return 1;
    const float sink = ((const float *)sinks->data)[u->kv_head * u->p->group + r % u->p->group];
    const float before = u->to.max[r], m = before > sink ? before : sink;
    if (sink == -__builtin_inff()) return 1;
    const float old = before == -__builtin_inff() ? 0 : exp_of(before - m);
    u->to.total[r] = u->to.total[r] * old + exp_of(sink - m);
    u->to.max[r] = m;
    return old;
}

/* y = o / l and lse = m + log l; zeros for a row that saw nothing. */
static inline void finish_query_block(const query_block *u)
{
    const problem *p = u->p;
    const heed_operand *y = &p->args->out[0], *lse = &p->args->out[1];
    int64_t query = u->s->of.query_start + u->first, head = 0, rows = u->queries * p->group;
    for (int64_t r = 0; r < rows; r++) {
        float *to = float_row(y, query) + (u->kv_head * p->group + head) * p->width;
        float old = take_sink(u, r), m = u->to.max[r];
        float total = u->to.total[r];
        bool fully_masked = m == -__builtin_inff();
        const heed_v times = heed_v_set(fully_masked ? 0 : old / total);
        for (int64_t e = 0; e < p->width; e += HEED_LANES)
            store_some(to + e, heed_v_mul(heed_v_load(u->to.sums + r * p->padded + e), times),
                       p->width - e);
        float_row(lse, query)[u->kv_head * p->group + head] = fully_masked ? 0 : m + log_of(total);
        if (++head == p->group) {
            head = 0;
            query++;
        }
    }
}

static inline void attend_query_block(query_block *u)
{
    forward_scratch *s = u->scratch;
    int64_t rows = u->queries * u->p->group, begin, end;
    load_query_block(u);
    reachable_tiles(u->p, u->s, u->first, u->queries, &begin, &end);
    u->to = s->whole;
    attend_tiles(u, begin,
                 end < (begin / CHUNK_TILES + 1) * CHUNK_TILES
                     ? end
                     : (begin / CHUNK_TILES + 1) * CHUNK_TILES);
    for (int64_t from = (begin / CHUNK_TILES + 1) * CHUNK_TILES; from < end; from += CHUNK_TILES) {
        u->to = s->chunk;
        attend_tiles(u, from, end < from + CHUNK_TILES ? end : from + CHUNK_TILES);
        merge_rows(u->p, s->whole, s->chunk, rows);
    }
    u->to = s->whole;
    finish_query_block(u);
}

#endif
