/* attention_backward_rows.h: the steps of attention backward on rows of one head and one tile of
   keys, named as in attention_backward.h:
      1. scores           q.k and dy.v                     differentiate_rows
      2. weights          p = exp(score - lse), p f        differentiate_row
      3. score gradients  ds                               differentiate_row
      4. accumulate dq    dq += ds k                       add_to_queries
      5. accumulate dk    dk += ds^T q, dv += (p f)^T dy   add_to_keys */
#ifndef HEED_CPU_KERNEL_ATTENTION_BACKWARD_ROWS_H
#define HEED_CPU_KERNEL_ATTENTION_BACKWARD_ROWS_H

#include "cpu/kernel/attention_backward_operands.h"
#include "cpu/kernel/attention_scores.h"
#include "cpu/kernel/random.h"

/* Steps 2 and 3 for one row: q.k becomes p f, and dy.v becomes ds. Hidden keys get zeros. `first +
   r` is the row of the head, r the row of the block. */
static inline void differentiate_row(const backward_head *head, int64_t first, int64_t r,
                                     int vectors)
{
    const heed_attention_attributes *a = head->p->attributes;
    float *weights = head->scratch->weights + r * TILE,
          *dscores = head->scratch->dscores + r * TILE, factors[TILE], drawn[RANDOM_WORDS],
          derivatives[TILE];
    const int64_t row = first + r, query = row / head->p->group;
    const int number = head->kv_head * head->p->group + (int)(row % head->p->group);
    if (a->dropout > 0) {
        heed_random_row random = heed_random_row_of(head->p->args->runtime, a->stream, number,
                                                    head->s->of.sample,
                                                    (int32_t)(head->s->of.first_index + query));
        dropout_factors(&random, heed_dropout_threshold(a->dropout), 1 / (1 - a->dropout),
                        head->number, drawn);
        for (int j = 0; j < TILE; j++)
            factors[j] = j < head->tile.count ? drawn[head->tile.position[j]] : 0;
    }
    const bool biased = head->p->biased;
    const query_head of = {query_index_at(head->p, head->s, query), number};
    if (biased) bias_scores(head->p, &head->tile, of, vectors, weights, derivatives);
    hide(weights, vectors, head->scratch->seen[r]);
    const weight_scale w = weight_scale_of(head->p, biased ? 1 : a->scale, head->scratch->lse[r]);
    const heed_v inner = heed_v_set(head->scratch->inner[row]),
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

/* Zeros in p f and ds of row r of the block, from vector `vectors` on. */
static inline void clear_weights(const backward_head *head, int64_t r, int vectors)
{
    for (int v = vectors; v < TILE_VECTORS; v++) {
        heed_v_store(head->scratch->weights + r * TILE + v * HEED_LANES, heed_v_zero());
        heed_v_store(head->scratch->dscores + r * TILE + v * HEED_LANES, heed_v_zero());
    }
}

/* Step 4: dq of rows [r, r + rows) of the block += ds times keys [low, high). If the rows of dq are
   evenly spaced whole vectors, the matmul adds to them directly. */
static inline void add_to_queries(const backward_head *head, int64_t first, int64_t r, int rows,
                                  int low, int high)
{
    const problem *p = head->p;
    backward_scratch *s = head->scratch;
    bool direct = p->group == 1 && p->padded == p->width;
    float *dq = float_row(&p->args->out[0], query_row(head, first + r)) +
                query_column(head, first + r);
    const float *dscores = s->dscores + r * TILE;
    ptrdiff_t stride = TILE;
    if (p->bf16) {
        stride = heed_align_floats(k_groups_of(p, high));
        p->packers.pack_a(s->dscore_rows, (int)stride,
                          (heed_gemm_rows){dscores, HEED_GEMM_F32, TILE}, rows, high);
        dscores = s->dscore_rows;
    }
    const int64_t begin = low / p->k_group, end = k_groups_of(p, high);
    packed_matmul sums = {.a = dscores + begin,
                          .a_row = stride,
                          .a_step = 1,
                          .b = head->keys.data + begin * head->keys.stride,
                          .b_step = head->keys.stride,
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
        float *to = float_row(&p->args->out[0], query_row(head, first + r + i)) +
                    query_column(head, first + r + i);
        for (int64_t e = 0; e < p->width; e += HEED_LANES)
            store_some(to + e,
                       heed_v_add(load_some(to + e, p->width - e),
                                  heed_v_load(s->dq_rows + i * p->padded + e)),
                       p->width - e);
    }
}

/* Prefetches what the next row block reads and adds to. Always inline, because gcc drops calls of
   functions that only prefetch. */
HEED_INLINE void fetch_rows(const backward_head *head, int64_t row, int64_t end)
{
    enum { LINE = 64 / sizeof(float) };
    const problem *p = head->p;
    const int64_t packed = k_groups_of(p, p->width);
    for (; row < end; row++) {
        const float *q = head->queries.data + row * head->queries.stride,
                    *dy = head->dy.data + row * head->dy.stride;
        const float *dq = float_row(&p->args->out[0], query_row(head, row)) +
                          query_column(head, row);
        for (int64_t e = 0; e < packed; e += LINE) {
            __builtin_prefetch(q + e, 0, 2);
            __builtin_prefetch(dy + e, 0, 2);
        }
        for (int64_t e = 0; e < p->width; e += LINE) __builtin_prefetch(dq + e, 0, 2);
    }
}

/* Steps 1 to 4 for rows [r, r + rows) of the 96 that begin at row `first` of the head. */
static inline void differentiate_rows(const backward_head *head, int64_t first, int64_t r, int rows)
{
    const problem *p = head->p;
    backward_scratch *s = head->scratch;
    uint64_t any = 0;
    for (int i = 0; i < rows; i++) any |= s->seen[r + i];
    int vectors = any ? (64 - __builtin_clzll(any) + HEED_LANES - 1) / HEED_LANES : 0;
    for (int i = 0; i < rows; i++) clear_weights(head, r + i, s->seen[r + i] ? vectors : 0);
    if (!any) return;
    packed_matmul scores =
                      {
                          .a = head->queries.data + (first + r) * head->queries.stride,
                          .a_row = head->queries.stride,
                          .a_step = 1,
                          .b = s->key_columns,
                          .b_step = TILE,
                          .depth = k_groups_of(p, p->width),
                          .to = s->weights + r * TILE,
                          .to_row = TILE,
                      },
                  dp = scores;
    dp.a = head->dy.data + (first + r) * head->dy.stride;
    dp.a_row = head->dy.stride;
    dp.b = s->value_columns;
    dp.to = s->dscores + r * TILE;
    /* step 1 */
    multiply(p, rows, vectors, &scores);
    multiply(p, rows, vectors, &dp);
    /* steps 2 and 3 */
    for (int i = 0; i < rows; i++) {
        if (!s->seen[r + i]) clear_weights(head, r + i, 0);
        else differentiate_row(head, first, r + i, vectors);
    }
    /* step 4 */
    add_to_queries(head, first, r, rows, __builtin_ctzll(any), 64 - __builtin_clzll(any));
}

/* Step 5: adds to dk and dv of the tile what these rows contribute. Keys are taken 12 at a time,
   with the rows from the first to the last that see any of them. */
static inline void add_to_keys(const backward_head *head, int64_t first, int64_t rows)
{
    const problem *p = head->p;
    backward_scratch *s = head->scratch;
    const strided_rows queries = groups_from(p, head->query_groups, first),
                       dy = groups_from(p, head->dy_groups, first);
    const float *weights = s->weights, *dscores = s->dscores;
    if (p->bf16) {
        p->packers.pack_n(s->weight_groups, TILE, (heed_gemm_rows){weights, HEED_GEMM_F32, TILE},
                          rows, TILE);
        p->packers.pack_n(s->dscore_groups, TILE, (heed_gemm_rows){dscores, HEED_GEMM_F32, TILE},
                          rows, TILE);
        weights = s->weight_groups;
        dscores = s->dscore_groups;
    }
    for (int key = 0; key < head->tile.count; key += KEYS_AT_ONCE) {
        int keys = head->tile.count - key < KEYS_AT_ONCE ? head->tile.count - key : KEYS_AT_ONCE;
        uint64_t bits = bits_between(key, key + keys - 1);
        int64_t low = 0, high = rows;
        while (low < high && !(s->seen[low] & bits)) low++;
        while (high > low && !(s->seen[high - 1] & bits)) high--;
        if (low == high && head->fresh) {
            memset(s->dkeys + key * p->padded, 0, (size_t)(keys * p->padded) * sizeof *s->dkeys);
            memset(s->dvalues + key * p->padded, 0,
                   (size_t)(keys * p->padded) * sizeof *s->dvalues);
        }
        if (low == high) continue;
        const int64_t begin = low / p->k_group, end = k_groups_of(p, high);
        packed_matmul values =
                          {
                              .a = weights + begin * TILE + key,
                              .a_row = 1,
                              .a_step = TILE,
                              .b = dy.data + begin * dy.stride,
                              .b_step = dy.stride,
                              .depth = end - begin,
                              .to = s->dvalues + key * p->padded,
                              .to_row = p->padded,
                              .add = !head->fresh,
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

#endif
