/* Attention backward, tiled, weights recomputed from lse. With p = exp(score - lse), f the dropout
   factor of a weight and D = sum over channels of dy y:
     dv = sum over queries of p f dy
     ds = p (f dy.v - D) scale (1 - tanh^2 where scores are capped)
     dq = sum over keys of ds k
     dk = sum over queries of ds q
   A part is one sequence and one key/value head, so that no part adds to the rows of another: tiles
   of keys ascending, for each the groups of 96 rows ascending. Rows of no sequence get zeros.
   Source: Dao et al. 2022, appendix B. */
#ifndef HEED_CPU_KERNEL_ATTENTION_BACKWARD_H
#define HEED_CPU_KERNEL_ATTENTION_BACKWARD_H

#include "cpu/kernel/attention.h"
#include "cpu/kernel/random.h"

enum { BLOCK_ROWS = 96, KEYS_AT_ONCE = 12, TOGETHER = 8 };

typedef struct backward_scratch {
    float *key_columns, *value_columns;        /* (E,64) */
    float *key_rows, *dkeys, *dvalues, *spare; /* (64,P) */
    /* (rows,P): q or dy as floats; dy as the matmuls see it */
    float *rows, *dy_bf16;
    /* (rows of the head,packed): q, dy; left operands, unless they are used in place */
    float *queries, *dy;
    /* (rows of the head,P): q, dy; right operands of sums over queries */
    float *query_groups, *dy_groups;
    float *weights, *dscores; /* (rows,64): p f, ds scale */
    /* (rows,64): the same, transposed left operands of sums over queries */
    float *weight_groups, *dscore_groups;
    /* (ROWS_AT_ONCE,64): the same, left operand of a sum over keys */
    float *dscore_rows;
    float *inner;   /* (rows of the head): D */
    float *lse;     /* (rows) */
    float *dq_rows; /* (ROWS_AT_ONCE,P) */
    uint64_t *seen; /* (rows) */
} backward_scratch;

/* q and dy are operands where they lie: evenly spaced whole vectors of floats. */
static inline bool in_place(const problem *p)
{
    return !p->bf16 && p->group == 1 && p->padded == p->width;
}

/* Cuts `memory` (NULL: only measures) and returns the bytes. */
static inline size_t backward_layout(const problem *p, char *memory, backward_scratch *s)
{
    const int64_t padded = p->padded, columns = p->width * TILE, keys = padded * TILE,
                  rows = padded * BLOCK_ROWS, square = BLOCK_ROWS * TILE;
    const int64_t all = (heed_shape_rows(p->q->shape) * p->group + BLOCK_ROWS - 1) / BLOCK_ROWS *
                        BLOCK_ROWS;
    const int64_t left = in_place(p) ? 0 : all * p->packed;
    const int64_t right = p->bf16 ? k_groups_of(p, all) * padded : 0;
    const int64_t rounded_rows = p->bf16 ? rows : 0;
    const struct {
        float **place;
        int64_t count;
    } pieces[] = {
        {&s->key_columns, columns},
        {&s->value_columns, columns},
        {&s->key_rows, keys},
        {&s->dkeys, keys},
        {&s->dvalues, keys},
        {&s->spare, keys},
        {&s->rows, rows},
        {&s->dy_bf16, rounded_rows},
        {&s->queries, left},
        {&s->dy, left},
        {&s->query_groups, right},
        {&s->dy_groups, right},
        {&s->weights, square},
        {&s->dscores, square},
        {&s->weight_groups, square},
        {&s->dscore_groups, square},
        {&s->dscore_rows, ROWS_AT_ONCE * TILE},
        {&s->inner, all + TOGETHER},
        {&s->lse, BLOCK_ROWS},
        {&s->dq_rows, ROWS_AT_ONCE * padded},
    };
    size_t at = 0;
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++, at = heed_align(at)) {
        if (memory) *pieces[i].place = (float *)(memory + at);
        at += (size_t)pieces[i].count * sizeof(float);
    }
    if (memory) s->seen = (uint64_t *)(memory + at);
    return at + BLOCK_ROWS * sizeof(uint64_t);
}

typedef struct backward_head {
    const problem *p;
    const sequence *s;
    backward_scratch *scratch;
    key_tile tile;
    view keys;                    /* of the tile, right operand of a sum over keys */
    view queries, dy;             /* of the head: q and dy, left operands */
    view query_groups, dy_groups; /* the same, right operands */
    int64_t number;               /* of the tile */
    int kv_head;
    bool fresh; /* nothing was added to dkeys and dvalues of this tile */
    bool add;   /* dk and dv are added to: sequences share keys */
} backward_head;

static inline int64_t query_row(const backward_head *u, int64_t row)
{
    return u->s->of.query_start + row / u->p->group;
}

static inline int64_t query_column(const backward_head *u, int64_t row)
{
    return (u->kv_head * u->p->group + row % u->p->group) * u->p->width;
}

/* D = y.dy of a few rows, each summed over the channels in one accumulator as dy.v is: rounding
   then treats both alike, and a row that sees a single key, whose y is that key's v, gets a
   gradient of exactly 0. Rows side by side hide the latency of the accumulators. */
static inline void inner_products(const float *const *a, const float *const *b, int rows,
                                  int64_t width, float *sums)
{
    float sum[TOGETHER] = {0};
    if (rows == TOGETHER)
        for (int64_t e = 0; e < width; e++)
            for (int i = 0; i < TOGETHER; i++) sum[i] = fmaf(a[i][e], b[i][e], sum[i]);
    else
        for (int i = 0; i < rows; i++)
            for (int64_t e = 0; e < width; e++) sum[i] = fmaf(a[i][e], b[i][e], sum[i]);
    for (int i = 0; i < rows; i++) sums[i] = sum[i];
}

/* D of rows [first, first + rows), with dy as the matmuls see it. */
static inline void find_inner(const backward_head *u, int64_t first, int64_t rows)
{
    const problem *p = u->p;
    const heed_operand *y = &p->args->in[HEED_ATTENTION_Y];
    const pair_rows pairs = {u->s, u->kv_head, first, rows};
    view dy = query_rows(p, &p->args->in[HEED_ATTENTION_DY], &pairs, true, u->scratch->rows);
    if (p->bf16) {
        const heed_gemm_rows floats = {dy.data, HEED_GEMM_F32, dy.stride};
        p->kernels->bf16.pack_n(u->scratch->dy_bf16, (int)p->padded, floats, rows, (int)p->width);
        dy = (view){u->scratch->dy_bf16, p->padded};
    }
    for (int64_t r = 0; r < rows; r += TOGETHER) {
        int count = (int)(rows - r < TOGETHER ? rows - r : TOGETHER);
        const float *y_row[TOGETHER], *dy_row[TOGETHER];
        for (int i = 0; i < count; i++) {
            int64_t row = first + r + i;
            y_row[i] = float_row(y, query_row(u, row)) + query_column(u, row);
            dy_row[i] = dy.data + (r + i) * dy.stride;
        }
        inner_products(y_row, dy_row, count, p->width, u->scratch->inner + first + r);
    }
}

/* Rows as the left and as the right operand of matmuls. */
typedef struct {
    view left, right;
} operand_pair;

/* All rows of the head's q or dy as operands, once for all tiles of keys: 96 rows at a time, while
   their floats are at hand. */
static inline operand_pair load_operands(const backward_head *u, const heed_operand *x,
                                         int64_t rows, float *left_room, float *right_room)
{
    const problem *p = u->p;
    pair_rows pairs = {u->s, u->kv_head, 0, rows};
    if (in_place(p)) {
        const view all = query_rows(p, x, &pairs, true, NULL);
        return (operand_pair){all, all};
    }
    const view left = {left_room, p->packed}, right = {right_room, p->padded};
    for (int64_t first = 0; first < rows; first += BLOCK_ROWS) {
        const int64_t count = rows - first < BLOCK_ROWS ? rows - first : BLOCK_ROWS;
        pairs.first = first;
        pairs.count = count;
        const view floats = query_rows(p, x, &pairs, true,
                                       p->bf16 ? u->scratch->rows : left_room + first * p->packed);
        if (!p->bf16) continue;
        packed_rows(p, floats, count, left_room + first * p->packed);
        pack_rows(p, (heed_gemm_rows){floats.data, HEED_GEMM_F32, floats.stride}, count,
                  right_room + first / p->k_group * p->padded);
    }
    return (operand_pair){left, p->bf16 ? right : left};
}

/* Rows [first, ...) of a right operand. */
static inline view groups_from(const problem *p, view groups, int64_t first)
{
    return (view){groups.data + first / p->k_group * groups.stride, groups.stride};
}

static inline void load_lse(const backward_head *u, int64_t first, int64_t rows)
{
    const problem *p = u->p;
    const heed_operand *lse = &p->args->in[HEED_ATTENTION_LSE];
    for (int64_t r = 0; r < rows; r++)
        u->scratch->lse[r] = float_row(
            lse, query_row(u, first + r))[u->kv_head * p->group + (first + r) % p->group];
}

/* q.k and dy.v of one row become p f and ds; hidden keys get zeros. */
static inline void differentiate_row(const backward_head *u, int64_t first, int64_t r, int vectors)
{
    const heed_attention_attributes *a = u->p->attributes;
    float *weights = u->scratch->weights + r * TILE, *dscores = u->scratch->dscores + r * TILE,
          factors[TILE], drawn[RANDOM_WORDS], derivatives[TILE];
    const int64_t row = first + r, query = row / u->p->group;
    const int head = u->kv_head * u->p->group + (int)(row % u->p->group);
    if (a->dropout > 0) {
        heed_random_row random = heed_random_row_of(u->p->args->runtime, a->stream, head,
                                                    u->s->of.sample,
                                                    (int32_t)(u->s->of.first_index + query));
        dropout_factors(&random, heed_dropout_threshold(a->dropout), 1 / (1 - a->dropout),
                        u->number, drawn);
        for (int j = 0; j < TILE; j++)
            factors[j] = j < u->tile.count ? drawn[u->tile.position[j]] : 0;
    }
    const bool biased = u->p->biased;
    const query_head of = {query_index_at(u->p, u->s, query), head};
    if (biased) bias_scores(u->p, &u->tile, of, vectors, weights, derivatives);
    hide(weights, vectors, u->scratch->seen[r]);
    const weight_scale w = weight_scale_of(u->p, biased ? 1 : a->scale, u->scratch->lse[r]);
    const heed_v inner = heed_v_set(u->scratch->inner[row]),
                 scale = heed_v_set(biased ? 1 : a->scale);
    for (int v = 0; v < vectors; v++) {
        int at = v * HEED_LANES;
        heed_v p = weight_of(&w, heed_v_load(weights + at)), dp = heed_v_load(dscores + at),
               dropped = p;
        if (a->dropout > 0) {
            heed_v f = heed_v_load(factors + at);
            dp = heed_v_mul(dp, f);
            dropped = heed_v_mul(p, f);
        }
        heed_v_store(weights + at, dropped);
        heed_v_store(dscores + at,
                     heed_v_mul(heed_v_mul(p, biased ? heed_v_load(derivatives + at) : scale),
                                heed_v_sub(dp, inner)));
    }
}

static inline void clear_weights(const backward_head *u, int64_t r, int vectors)
{
    for (int v = vectors; v < TILE_VECTORS; v++) {
        heed_v_store(u->scratch->weights + r * TILE + v * HEED_LANES, heed_v_zero());
        heed_v_store(u->scratch->dscores + r * TILE + v * HEED_LANES, heed_v_zero());
    }
}

/* dq of rows [r, r + rows) += ds times keys [low, high): directly into dq if its rows are evenly
   spaced whole vectors. */
static inline void add_to_queries(const backward_head *u, int64_t first, int64_t r, int rows,
                                  int low, int high)
{
    const problem *p = u->p;
    backward_scratch *s = u->scratch;
    bool direct = p->group == 1 && p->padded == p->width;
    float *dq = float_row(&p->args->out[0], query_row(u, first + r)) + query_column(u, first + r);
    const float *dscores = s->dscores + r * TILE;
    ptrdiff_t stride = TILE;
    if (p->bf16) {
        stride = heed_align_floats(k_groups_of(p, high));
        p->packers.pack_a(s->dscore_rows, (int)stride,
                          (heed_gemm_rows){dscores, HEED_GEMM_F32, TILE}, rows, high);
        dscores = s->dscore_rows;
    }
    const int64_t begin = low / p->k_group, end = k_groups_of(p, high);
    small_matmul sums = {.a = dscores + begin,
                         .a_row = stride,
                         .a_step = 1,
                         .b = u->keys.data + begin * u->keys.stride,
                         .b_step = u->keys.stride,
                         .depth = end - begin,
                         .to = s->dq_rows,
                         .to_row = p->padded,
                         .add = direct};
    if (direct) {
        sums.to = dq;
        sums.to_row = p->args->out[0].row_stride;
    }
    multiply(p, rows, (int)(p->padded / HEED_LANES), &sums);
    for (int i = 0; i < rows && !direct; i++) {
        float *to = float_row(&p->args->out[0], query_row(u, first + r + i)) +
                    query_column(u, first + r + i);
        for (int64_t e = 0; e < p->width; e += HEED_LANES)
            store_some(to + e,
                       heed_v_add(load_some(to + e, p->width - e),
                                  heed_v_load(s->dq_rows + i * p->padded + e)),
                       p->width - e);
    }
}

/* Prefetches what the next row block reads and adds to. Always inline: gcc drops calls of functions
   that only prefetch. */
HEED_INLINE void fetch_rows(const backward_head *u, int64_t row, int64_t end)
{
    enum { LINE = 64 / sizeof(float) };
    const problem *p = u->p;
    const int64_t packed = k_groups_of(p, p->width);
    for (; row < end; row++) {
        const float *q = u->queries.data + row * u->queries.stride,
                    *dy = u->dy.data + row * u->dy.stride;
        const float *dq = float_row(&p->args->out[0], query_row(u, row)) + query_column(u, row);
        for (int64_t e = 0; e < packed; e += LINE) {
            __builtin_prefetch(q + e, 0, 2);
            __builtin_prefetch(dy + e, 0, 2);
        }
        for (int64_t e = 0; e < p->width; e += LINE) __builtin_prefetch(dq + e, 0, 2);
    }
}

/* Weights and ds of rows [r, r + rows) of the 96 that begin at row `first`, and what they add to
   dq. */
static inline void differentiate_rows(const backward_head *u, int64_t first, int64_t r, int rows)
{
    const problem *p = u->p;
    backward_scratch *s = u->scratch;
    uint64_t any = 0;
    for (int i = 0; i < rows; i++) any |= s->seen[r + i];
    int vectors = any ? (64 - __builtin_clzll(any) + HEED_LANES - 1) / HEED_LANES : 0;
    for (int i = 0; i < rows; i++) clear_weights(u, r + i, s->seen[r + i] ? vectors : 0);
    if (!any) return;
    small_matmul scores =
                     {
                         .a = u->queries.data + (first + r) * u->queries.stride,
                         .a_row = u->queries.stride,
                         .a_step = 1,
                         .b = s->key_columns,
                         .b_step = TILE,
                         .depth = k_groups_of(p, p->width),
                         .to = s->weights + r * TILE,
                         .to_row = TILE,
                     },
                 dp = scores;
    dp.a = u->dy.data + (first + r) * u->dy.stride;
    dp.a_row = u->dy.stride;
    dp.b = s->value_columns;
    dp.to = s->dscores + r * TILE;
    multiply(p, rows, vectors, &scores);
    multiply(p, rows, vectors, &dp);
    for (int i = 0; i < rows; i++) {
        if (!s->seen[r + i]) clear_weights(u, r + i, 0);
        else differentiate_row(u, first, r + i, vectors);
    }
    add_to_queries(u, first, r, rows, __builtin_ctzll(any), 64 - __builtin_clzll(any));
}

/* dk and dv of the tile += what these rows give: for a run of keys the rows from the first to the
   last that see any of them. */
static inline void add_to_keys(const backward_head *u, int64_t first, int64_t rows)
{
    const problem *p = u->p;
    backward_scratch *s = u->scratch;
    const view queries = groups_from(p, u->query_groups, first),
               dy = groups_from(p, u->dy_groups, first);
    const float *weights = s->weights, *dscores = s->dscores;
    if (p->bf16) {
        p->packers.pack_n(s->weight_groups, TILE, (heed_gemm_rows){weights, HEED_GEMM_F32, TILE},
                          rows, TILE);
        p->packers.pack_n(s->dscore_groups, TILE, (heed_gemm_rows){dscores, HEED_GEMM_F32, TILE},
                          rows, TILE);
        weights = s->weight_groups;
        dscores = s->dscore_groups;
    }
    for (int key = 0; key < u->tile.count; key += KEYS_AT_ONCE) {
        int keys = u->tile.count - key < KEYS_AT_ONCE ? u->tile.count - key : KEYS_AT_ONCE;
        uint64_t bits = bits_between(key, key + keys - 1);
        int64_t low = 0, high = rows;
        while (low < high && !(s->seen[low] & bits)) low++;
        while (high > low && !(s->seen[high - 1] & bits)) high--;
        if (low == high && u->fresh) {
            memset(s->dkeys + key * p->padded, 0, (size_t)(keys * p->padded) * sizeof *s->dkeys);
            memset(s->dvalues + key * p->padded, 0,
                   (size_t)(keys * p->padded) * sizeof *s->dvalues);
        }
        if (low == high) continue;
        const int64_t begin = low / p->k_group, end = k_groups_of(p, high);
        small_matmul values =
                         {
                             .a = weights + begin * TILE + key,
                             .a_row = 1,
                             .a_step = TILE,
                             .b = dy.data + begin * dy.stride,
                             .b_step = dy.stride,
                             .depth = end - begin,
                             .to = s->dvalues + key * p->padded,
                             .to_row = p->padded,
                             .add = !u->fresh,
                         },
                     into = values;
        into.a = dscores + begin * TILE + key;
        into.to = s->dkeys + key * p->padded;
        into.b = queries.data + begin * queries.stride;
        into.b_step = queries.stride;
        multiply(p, keys, (int)(p->padded / HEED_LANES), &values);
        multiply(p, keys, (int)(p->padded / HEED_LANES), &into);
    }
}

/* What each of these rows sees of the tile; false when that is nothing. */
static inline bool tile_visible_from(const backward_head *u, int64_t first, int64_t rows)
{
    uint64_t any = 0, seen = 0;
    const uint64_t all = seen_by_all(u->p, u->s, &u->tile, first / u->p->group,
                                     (first + rows - 1) / u->p->group);
    for (int64_t r = 0; r < rows; r++) {
        if (all) seen = all;
        else if (r == 0 || (first + r) % u->p->group == 0)
            seen = seen_keys(&u->tile,
                             span_of(u->p, query_index_at(u->p, u->s, (first + r) / u->p->group)));
        any |= u->scratch->seen[r] = seen;
    }
    return any != 0;
}

static inline void load_tile(backward_head *u)
{
    const problem *p = u->p;
    backward_scratch *s = u->scratch;
    heed_gemm_rows values = visible_rows(p, p->v, &u->tile, u->kv_head, s->spare);
    pack_columns(p, values, u->tile.count, s->value_columns);
    heed_gemm_rows keys = visible_rows(p, p->k, &u->tile, u->kv_head, s->spare);
    pack_columns(p, keys, u->tile.count, s->key_columns);
    pack_rows(p, keys, u->tile.count, s->key_rows);
    u->keys = (view){s->key_rows, p->padded};
}

/* dk and dv of the tile's positions to their rows; hidden keys get zeros. */
static inline void store_tile(const backward_head *u, int64_t positions)
{
    const problem *p = u->p;
    for (int64_t at = 0, j = 0; at < positions; at++) {
        bool visible = j < u->tile.count && u->tile.position[j] == at;
        for (int i = 1; i <= 2; i++) {
            float *to = float_row(&p->args->out[i], u->tile.base + at) + u->kv_head * p->width;
            const float *from = (i == 1 ? u->scratch->dkeys : u->scratch->dvalues) + j * p->padded;
            for (int64_t e = 0; e < p->width; e += HEED_LANES) {
                heed_v x = visible ? heed_v_load(from + e) : heed_v_zero();
                store_some(to + e, u->add ? heed_v_add(load_some(to + e, p->width - e), x) : x,
                           p->width - e);
            }
        }
        j += visible;
    }
}

static inline void backward_head_run(backward_head *u)
{
    const problem *p = u->p;
    int64_t rows = u->s->of.queries * p->group;
    for (int64_t r = 0; r < rows; r++)
        memset(float_row(&p->args->out[0], query_row(u, r)) + query_column(u, r), 0,
               (size_t)p->width * sizeof(float));
    const operand_pair q = load_operands(u, p->q, rows, u->scratch->queries,
                                         u->scratch->query_groups);
    const operand_pair dy = load_operands(u, &p->args->in[HEED_ATTENTION_DY], rows, u->scratch->dy,
                                          u->scratch->dy_groups);
    u->queries = q.left;
    u->query_groups = q.right;
    u->dy = dy.left;
    u->dy_groups = dy.right;
    for (int64_t r = 0; r < rows; r += BLOCK_ROWS)
        find_inner(u, r, rows - r < BLOCK_ROWS ? rows - r : BLOCK_ROWS);
    for (u->number = 0; u->number * TILE < u->s->of.keys; u->number++) {
        find_tile(p, u->s, u->number, &u->tile);
        u->fresh = true;
        for (int64_t first = 0; first < rows; first += BLOCK_ROWS) {
            int64_t count = rows - first < BLOCK_ROWS ? rows - first : BLOCK_ROWS;
            if (!tile_visible_from(u, first, count)) continue;
            if (u->fresh) load_tile(u);
            load_lse(u, first, count);
            for (int64_t r = 0; r < count; r += ROWS_AT_ONCE) {
                const int64_t next = first + r + ROWS_AT_ONCE, after = next + ROWS_AT_ONCE;
                fetch_rows(u, next, after < rows ? after : rows);
                differentiate_rows(u, first, r,
                                   count - r < ROWS_AT_ONCE ? (int)(count - r) : ROWS_AT_ONCE);
            }
            add_to_keys(u, first, count);
            u->fresh = false;
        }
        if (u->fresh) u->tile.count = 0; /* nobody saw it: zeros, as for hidden keys */
        int64_t positions = u->s->of.keys - u->number * TILE;
        store_tile(u, positions < TILE ? positions : TILE);
    }
}

/* ---- the kernel ---- */

static inline bool attention_backward_fits(const heed_kernel_args *args)
{
    const heed_attention_attributes *a = args->attributes;
    if (a->masked_mean || heed_optional(args, HEED_ATTENTION_PAGE_TABLE)) return false;
    const int floats[] = {HEED_ATTENTION_Q, HEED_ATTENTION_K,   HEED_ATTENTION_V,
                          HEED_ATTENTION_Y, HEED_ATTENTION_LSE, HEED_ATTENTION_DY};
    for (size_t i = 0; i < sizeof floats / sizeof *floats; i++)
        if (!is_f32_rows(&args->in[floats[i]])) return false;
    return true;
}

static inline size_t attention_backward_scratch(const heed_kernel_args *args)
{
    problem p = problem_of(args);
    return backward_layout(&p, NULL, &(backward_scratch){0});
}

/* Sequences that share keys, or leave some out, are worked on one after another for each head. */
static inline int attention_backward_parts(const heed_kernel_args *args)
{
    problem p = problem_of(args);
    int64_t parts = p.attributes->kv_heads;
    if (covers(&p, HEED_SEQUENCE_KEY_START, heed_shape_rows(p.k->shape)))
        parts *= heed_shape_rows(p.sequences->shape);
    return parts < 1 ? 1 : (int)parts;
}

static inline void attention_backward_run(const heed_kernel_args *args, int part, int parts)
{
    problem p = problem_of(args);
    backward_scratch scratch;
    backward_layout(&p, args->scratch, &scratch);
    int64_t kv_heads = p.attributes->kv_heads, batch = heed_shape_rows(p.sequences->shape), begin,
            end;
    bool shared = !covers(&p, HEED_SEQUENCE_KEY_START, heed_shape_rows(p.k->shape));
    if (part == 0 && !covers(&p, HEED_SEQUENCE_QUERY_START, heed_shape_rows(p.q->shape)))
        clear_uncovered(&p, HEED_SEQUENCE_QUERY_START, &args->out[0]);
    heed_part_range(shared ? kv_heads : kv_heads * batch, part, parts, &begin, &end);
    for (int64_t at = begin; at < end; at++) {
        int kv_head = (int)(at % kv_heads);
        for (int64_t i = 0; shared && i < heed_shape_rows(p.k->shape); i++)
            for (int64_t e = 0; e < p.width; e++)
                float_row(&args->out[1], i)[kv_head * p.width + e] = float_row(
                    &args->out[2], i)[kv_head * p.width + e] = 0;
        for (int64_t b = shared ? 0 : at / kv_heads; b < (shared ? batch : at / kv_heads + 1);
             b++) {
            sequence s = sequence_at(&p, b);
            backward_head_run(&(backward_head){
                .p = &p, .s = &s, .scratch = &scratch, .kv_head = kv_head, .add = shared});
        }
    }
}

HEED_KERNEL(attention_backward) = {
    .name = "k_attention_backward_f32",
    .op = HEED_OP_ATTENTION_BACKWARD,
    .fits = attention_backward_fits,
    .scratch = attention_backward_scratch,
    .parts = attention_backward_parts,
    .run = attention_backward_run,
};

#endif
