/* Attention forward, tiled with an online softmax. For every row: m the largest score so far, l the sum of exp(score - m), o the
   weighted sum of values; a tile that raises m multiplies l and o by exp(old m - new m). At the end y = o / l, lse = m + log l.
   A sink is a key that is seen first: m is its score, l is 1, and it adds nothing to o.
   Scores are chains over the channels, o chains over the keys, both ascending, and keys that a row does not see take no part in
   its chains: the bits of a row depend neither on the rows it is worked on with nor on tiles that it does not see.
   Source: Milakov & Gimelshein 2018; Dao et al. 2022. */
#ifndef HEED_CPU_KERNEL_ATTENTION_FORWARD_H
#define HEED_CPU_KERNEL_ATTENTION_FORWARD_H

#include "cpu/kernel/attention.h"
#include "cpu/kernel/random.h"

enum { UNIT_ROWS = 128 };

typedef struct forward_scratch {
    float *keys;             /* (E,64) */
    float *values, *spare;   /* (64,P) */
    float *queries, *sums;   /* (rows,P): q, and o */
    float *largest, *total;  /* (rows): m and l */
    float *band;             /* (BAND,64): scores, then weights */
    uint64_t *seen;          /* (queries): keys of the tile that each sees */
} forward_scratch;

static inline int64_t queries_of_unit(const heed_attention_attributes *a)
{
    int64_t count = UNIT_ROWS / (a->heads / a->kv_heads);
    return count < 1 ? 1 : count;
}

/* Cuts `memory` (NULL: only measures) and returns the bytes. */
static inline size_t forward_layout(const heed_attention_attributes *a, char *memory, forward_scratch *s)
{
    int64_t padded = padded_width(a->head_width), queries = queries_of_unit(a), rows = (queries * (a->heads / a->kv_heads) + 15) / 16 * 16;
    const struct { float **place; int64_t count; } pieces[] = {{&s->keys, a->head_width * TILE}, {&s->values, TILE * padded}, {&s->spare, TILE * padded},
        {&s->queries, rows * padded}, {&s->sums, rows * padded}, {&s->largest, rows}, {&s->total, rows}, {&s->band, BAND * TILE}};
    size_t at = 0;
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++, at = (at + 63) & ~(size_t)63) {
        if (memory) *pieces[i].place = (float *)(memory + at);
        at += (size_t)pieces[i].count * sizeof(float);
    }
    if (memory) s->seen = (uint64_t *)(memory + at);
    return at + (size_t)queries * sizeof(uint64_t);
}

/* One unit: queries [first, first + queries) of a sequence for the query heads of one key/value head. */
typedef struct forward_unit {
    const problem *p;
    const sequence *s;
    forward_scratch *scratch;
    key_tile tile;
    view q, values;
    float scale;             /* of the scores; 1 where they are bent */
    int64_t number;          /* of the tile */
    bool checked, finite;    /* its values were looked at, and are finite */
    int64_t first, queries;
    int kv_head;
} forward_unit;

/* The scores of rows [row, row + rows) against the tile, hidden ones -inf; returns the vectors that hold some. */
static inline int score_band(const forward_unit *u, int64_t row, int rows, uint64_t seen[BAND])
{
    const problem *p = u->p;
    uint64_t any = 0;
    for (int r = 0; r < rows; r++) any |= seen[r] = u->scratch->seen[(row + r) / p->group];
    if (!any) return 0;
    int vectors = (64 - __builtin_clzll(any) + HEED_LANES - 1) / HEED_LANES;
    multiply(p->kernels, rows, vectors, &(small_product){.a = u->q.data + row * u->q.stride, .a_row = u->q.stride, .a_step = 1,
             .b = u->scratch->keys, .b_step = TILE, .depth = p->width, .to = u->scratch->band, .to_row = TILE});
    for (int r = 0; r < rows && p->bent; r++)
        bend_scores(p, &u->tile, query_index_at(p, u->s, u->first + (row + r) / p->group), u->kv_head * p->group + (int)((row + r) % p->group), vectors,
                    u->scratch->band + r * TILE, NULL);
    for (int r = 0; r < rows; r++)
        if (seen[r] != bits_between(0, vectors * HEED_LANES - 1)) hide(u->scratch->band + r * TILE, vectors, seen[r]);
    return vectors;
}

/* q.k of a row become exp(scale * q.k - m); returns their sum. */
static inline float weigh(float *band, int vectors, float scale, float m)
{
    chains sum = chains_of(0);
    const heed_v shift = heed_v_set(m), times = heed_v_set(scale);
    HEED_UNROLL for (int v = 0; v < TILE_VECTORS; v++) {
        if (v >= vectors) break;
        heed_v x = heed_v_exp(heed_v_sub(heed_v_mul(heed_v_load(band + v * HEED_LANES), times), shift));
        heed_v_store(band + v * HEED_LANES, x);
        sum.part[v] = x;
    }
    return chains_sum(sum);
}

static inline float largest_score(const float *band, int vectors)
{
    chains most = chains_of(-__builtin_inff());
    HEED_UNROLL for (int v = 0; v < TILE_VECTORS; v++)
        if (v < vectors) most.part[v] = heed_v_max(heed_v_load(band + v * HEED_LANES), most.part[v]);
    return chains_largest(most);
}

/* Weights of row `row` (r in the band) times the dropout factor of each key. */
static inline void drop_weights(const forward_unit *u, int64_t row, float *band)
{
    const heed_attention_attributes *a = u->p->attributes;
    int64_t query = u->first + row / u->p->group;
    heed_random_row random = heed_random_row_of(u->p->args->runtime, a->stream, u->kv_head * u->p->group + (int)(row % u->p->group),
                                                u->s->of.sample, (int32_t)(u->s->of.first_index + query));
    float factors[RANDOM_WORDS];
    dropout_factors(&random, heed_dropout_threshold(a->dropout), 1 / (1 - a->dropout), u->number, factors);
    for (int j = 0; j < u->tile.count; j++) band[j] *= factors[u->tile.place[j]];
}

/* o of one row += weights of the keys in `bits` times their values. */
static inline void add_values(const forward_unit *u, const float *band, uint64_t bits, float *sums)
{
    const problem *p = u->p;
    while (bits) {
        int from = __builtin_ctzll(bits);
        uint64_t rest = ~(bits >> from);
        int run = rest ? __builtin_ctzll(rest) : 64;
        multiply(p->kernels, 1, (int)(p->padded / HEED_LANES), &(small_product){.a = band + from, .a_step = 1, .b = u->values.data + from * u->values.stride,
                 .b_step = u->values.stride, .depth = run, .to = sums, .add = true});
        bits &= ~bits_between(from, from + run - 1);
    }
}

/* o of the band's rows. The weights of hidden keys are 0, so that one product over all keys that any row sees leaves the chains of
   the others as they are. Only where a value is not finite (0 times infinity is NaN) the rows are taken one by one. */
static inline void add_band(forward_unit *u, int64_t row, int rows, const uint64_t seen[BAND])
{
    const problem *p = u->p;
    uint64_t all = ~(uint64_t)0, any = 0;
    for (int r = 0; r < rows; r++) all &= seen[r], any |= seen[r];
    if (!any) return;
    int low = __builtin_ctzll(any), high = 64 - __builtin_clzll(any);
    if (all != bits_between(low, high - 1) && !u->checked) u->finite = all_finite(u->values, u->tile.count, p->padded), u->checked = true;
    if (all == bits_between(low, high - 1) || u->finite)
        multiply(p->kernels, rows, (int)(p->padded / HEED_LANES), &(small_product){.a = u->scratch->band + low, .a_row = TILE, .a_step = 1,
                 .b = u->values.data + low * u->values.stride, .b_step = u->values.stride, .depth = high - low,
                 .to = u->scratch->sums + row * p->padded, .to_row = p->padded, .add = true});
    else
        for (int r = 0; r < rows; r++) add_values(u, u->scratch->band + r * TILE, seen[r], u->scratch->sums + (row + r) * p->padded);
}

/* Asked for rows without a largest score only. */
static inline bool sees_nan(const float *band, uint64_t seen)
{
    for (; seen; seen &= seen - 1)
        if (band[__builtin_ctzll(seen)] != band[__builtin_ctzll(seen)]) return true;
    return false;
}

static inline void attend_band(forward_unit *u, int64_t row, int rows)
{
    forward_scratch *s = u->scratch;
    uint64_t seen[BAND];
    float old[TILE] = {0};
    int vectors = score_band(u, row, rows, seen);
    if (!vectors) return;
    for (int r = 0; r < rows; r++) {
        if (!seen[r]) continue;
        float m = u->scale * largest_score(s->band + r * TILE, vectors), before = s->largest[row + r];
        if (before > m) m = before;
        if (m == -__builtin_inff()) {
            if (sees_nan(s->band + r * TILE, seen[r])) m = __builtin_nanf("");
            else seen[r] = 0; /* scores of -inf weigh nothing */
        }
        if (!seen[r]) continue;
        old[r] = before - m;
        s->largest[row + r] = m;
    }
    for (int r = 0; r < rows; r += HEED_LANES) heed_v_store(old + r, heed_v_exp(heed_v_load(old + r)));
    for (int r = 0; r < rows; r++) {
        if (!seen[r]) {
            for (int j = 0; j < vectors * HEED_LANES; j++) s->band[r * TILE + j] = 0;
            continue;
        }
        float *sums = s->sums + (row + r) * u->p->padded;
        s->total[row + r] = s->total[row + r] * old[r] + weigh(s->band + r * TILE, vectors, u->scale, s->largest[row + r]);
        const heed_v factor = heed_v_set(old[r]);
        if (old[r] != 1)
            for (int64_t e = 0; e < u->p->padded; e += HEED_LANES) heed_v_store(sums + e, heed_v_mul(factor, heed_v_load(sums + e)));
        if (u->p->attributes->dropout > 0) drop_weights(u, row + r, s->band + r * TILE);
    }
    add_band(u, row, rows, seen);
}

/* y = o / l and lse = m + log l; zeros for a row that saw nothing. */
static inline void finish_unit(const forward_unit *u, int64_t rows)
{
    const problem *p = u->p;
    const heed_operand *y = &p->args->out[0], *lse = &p->args->out[1];
    float *logarithms = u->scratch->band; /* of HEED_LANES rows */
    int64_t query = u->s->of.query_start + u->first, head = 0;
    for (int64_t r = 0; r < rows; r++) {
        if (r % HEED_LANES == 0) heed_v_store(logarithms, heed_v_log(heed_v_load(u->scratch->total + r)));
        float *to = float_row(y, query) + (u->kv_head * p->group + head) * p->width;
        bool blind = u->scratch->largest[r] == -__builtin_inff();
        const heed_v times = heed_v_set(blind ? 0 : 1 / u->scratch->total[r]);
        for (int64_t e = 0; e < p->width; e += HEED_LANES)
            store_some(to + e, heed_v_mul(heed_v_load(u->scratch->sums + r * p->padded + e), times), p->width - e);
        float_row(lse, query)[u->kv_head * p->group + head] = blind ? 0 : u->scratch->largest[r] + logarithms[r % HEED_LANES];
        if (++head == p->group) head = 0, query++;
    }
}

/* Finds the tile and what each query sees of it; false when that is nothing. */
static inline bool look_at_tile(forward_unit *u)
{
    uint64_t any = 0;
    find_tile(u->p, u->s, u->number, &u->tile);
    for (int64_t i = 0; i < u->queries; i++)
        any |= u->scratch->seen[i] = seen_keys(&u->tile, span_of(u->p, query_index_at(u->p, u->s, u->first + i)));
    return any != 0;
}

static inline void attend_unit(forward_unit *u)
{
    const problem *p = u->p;
    forward_scratch *s = u->scratch;
    int64_t rows = u->queries * p->group, begin, end;
    const heed_operand *sinks = optional_input(p->args, HEED_ATTENTION_SINKS);
    u->scale = p->bent ? 1 : p->attributes->scale;
    u->q = view_queries(p, p->q, u->s, u->kv_head, u->first * p->group, rows, false, s->queries);
    memset(s->sums, 0, (size_t)(rows * p->padded) * sizeof *s->sums);
    for (int64_t r = 0; r < rows; r++) {
        s->largest[r] = sinks ? ((const float *)sinks->data)[u->kv_head * p->group + r % p->group] : -__builtin_inff();
        s->total[r] = sinks ? 1 : 0;
    }
    reachable_tiles(p, u->s, u->first, u->queries, &begin, &end);
    for (u->number = begin; u->number < end; u->number++) {
        if (!look_at_tile(u)) continue;
        u->checked = false;
        pack_columns(p, p->k, &u->tile, u->kv_head, s->keys, s->spare);
        u->values = view_rows(p, p->v, &u->tile, u->kv_head, s->values);
        for (int64_t row = 0; row < rows; row += BAND) attend_band(u, row, rows - row < BAND ? (int)(rows - row) : BAND);
    }
    finish_unit(u, rows);
}

/* ---- the weights, when they are wanted: before dropout, from the finished lse, tile by tile ---- */

static inline void write_weights(forward_unit *u)
{
    const problem *p = u->p;
    const heed_operand *out = &p->args->out[2];
    int64_t rows = u->queries * p->group, queries = out->shape.dim[2], keys = out->shape.dim[3];
    float *base = float_row(out, u->s->number);
    for (u->number = 0; u->number * TILE < u->s->of.keys; u->number++) {
        if (!look_at_tile(u)) continue;
        pack_columns(p, p->k, &u->tile, u->kv_head, u->scratch->keys, u->scratch->spare);
        for (int64_t row = 0; row < rows; row++) {
            uint64_t seen[BAND];
            int vectors = score_band(u, row, 1, seen);
            if (!vectors) continue;
            int64_t head = u->kv_head * p->group + row % p->group, query = u->first + row / p->group;
            if (query >= queries) continue;
            float *to = base + (head * queries + query) * keys + u->number * TILE;
            weigh(u->scratch->band, vectors, u->scale, float_row(&p->args->out[1], u->s->of.query_start + query)[head]);
            for (int j = 0; j < u->tile.count; j++)
                if ((seen[0] >> j & 1) && u->number * TILE + u->tile.place[j] < keys) to[u->tile.place[j]] = u->scratch->band[j];
        }
    }
}

/* ---- the kernels ---- */

static inline bool attention_fits(const heed_kernel_args *args)
{
    const heed_attention_attributes *a = args->attributes;
    if (a->blind_mean || !is_f32_rows(&args->in[HEED_ATTENTION_Q])) return false;
    for (int i = HEED_ATTENTION_K; i <= HEED_ATTENTION_V; i++)
        if (args->in[i].layout != HEED_LAYOUT_ROWS || (args->in[i].dtype != HEED_F32 && args->in[i].dtype != HEED_F16 && args->in[i].dtype != HEED_BF16))
            return false;
    return true;
}

static inline bool attention_fits_tiled(const heed_kernel_args *args)
{
    return attention_fits(args) && !((const heed_attention_attributes *)args->attributes)->want_weights;
}

static inline bool attention_fits_weights(const heed_kernel_args *args)
{
    return attention_fits(args) && ((const heed_attention_attributes *)args->attributes)->want_weights;
}

static inline size_t attention_scratch(const heed_kernel_args *args)
{
    return forward_layout(args->attributes, NULL, &(forward_scratch){0});
}

static inline int64_t units_of_sequence(const problem *p, int64_t number)
{
    int64_t each = queries_of_unit(p->attributes);
    return p->attributes->kv_heads * ((sequence_at(p, number).of.queries + each - 1) / each);
}

static inline int64_t count_units(const problem *p)
{
    int64_t units = 0;
    for (int64_t b = 0; b < heed_shape_rows(p->sequences->shape); b++) units += units_of_sequence(p, b);
    return units;
}

/* Finding a unit walks the sequence table: with few parts the walks cost nothing beside the work. */
static inline int attention_parts(const heed_kernel_args *args)
{
    enum { MOST_PARTS = 128 };
    problem p = problem_of(args);
    int64_t units = count_units(&p);
    return units < 1 ? 1 : units < MOST_PARTS ? (int)units : MOST_PARTS;
}

/* Unit `index` of a sequence: heads outermost, so that a head's keys stay in the cache; the longest units of a causal head first. */
static inline void run_unit(const problem *p, const sequence *s, int64_t index, forward_scratch *scratch, bool weights)
{
    int64_t each = queries_of_unit(p->attributes), tiles = (s->of.queries + each - 1) / each, first = (tiles - 1 - index % tiles) * each;
    int64_t left = s->of.queries - first;
    forward_unit unit = {.p = p, .s = s, .scratch = scratch, .first = first, .queries = left < each ? left : each, .kv_head = (int)(index / tiles)};
    attend_unit(&unit);
    if (weights) write_weights(&unit);
}

static inline void clear_forward(const problem *p)
{
    if (covers(p, HEED_SEQUENCE_QUERY_START, heed_shape_rows(p->q->shape))) return;
    for (int i = 0; i < 2; i++) clear_uncovered(p, HEED_SEQUENCE_QUERY_START, &p->args->out[i]);
}

static inline void attention_run(const heed_kernel_args *args, int part, int parts)
{
    problem p = problem_of(args);
    forward_scratch scratch;
    forward_layout(p.attributes, args->scratch, &scratch);
    int64_t begin, end, before = 0;
    heed_part_range(count_units(&p), part, parts, &begin, &end);
    if (part == 0) clear_forward(&p);
    for (int64_t b = 0; b < heed_shape_rows(p.sequences->shape) && before < end; b++) {
        sequence s = sequence_at(&p, b);
        int64_t units = units_of_sequence(&p, b), first = begin > before ? begin - before : 0;
        for (int64_t u = first; u < units && before + u < end; u++) run_unit(&p, &s, u, &scratch, false);
        before += units;
    }
}

/* With the weights as an output a part is one sequence and one key/value head: it clears its rows of the weights, then fills them. */
static inline int attention_weights_parts(const heed_kernel_args *args)
{
    int64_t parts = heed_shape_rows(args->in[HEED_ATTENTION_SEQUENCES].shape) * ((const heed_attention_attributes *)args->attributes)->kv_heads;
    return parts < 1 ? 1 : (int)parts;
}

static inline void attention_weights_run(const heed_kernel_args *args, int part, int parts)
{
    problem p = problem_of(args);
    forward_scratch scratch;
    forward_layout(p.attributes, args->scratch, &scratch);
    int64_t begin, end, kv_heads = p.attributes->kv_heads;
    heed_part_range(heed_shape_rows(p.sequences->shape) * kv_heads, part, parts, &begin, &end);
    if (part == 0) clear_forward(&p);
    for (int64_t at = begin; at < end; at++) {
        sequence s = sequence_at(&p, at / kv_heads);
        int64_t size = p.group * args->out[2].shape.dim[2] * args->out[2].shape.dim[3], tiles = units_of_sequence(&p, at / kv_heads) / kv_heads;
        float *weights = float_row(&args->out[2], at / kv_heads) + at % kv_heads * size;
        for (int64_t i = 0; i < size; i++) weights[i] = 0;
        for (int64_t t = 0; t < tiles; t++) run_unit(&p, &s, at % kv_heads * tiles + t, &scratch, true);
    }
}

HEED_KERNEL(attention) = {.name = "k_attention_f32", .op = HEED_OP_ATTENTION, .fits = attention_fits_tiled, .scratch = attention_scratch,
    .parts = attention_parts, .run = attention_run};
HEED_KERNEL(attention_weights) = {.name = "k_attention_weights_f32", .op = HEED_OP_ATTENTION, .fits = attention_fits_weights,
    .scratch = attention_scratch, .parts = attention_weights_parts, .run = attention_weights_run};

#endif
