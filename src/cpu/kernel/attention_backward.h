/* attention_backward.h: attention backward over tiles of keys. Softmax weights are recomputed from
   lse. With p = exp(score - lse), f the dropout factor of a weight and D = sum over channels of dy
   y:
     dv = sum over queries of p f dy
     ds = p (f dy.v - D) scale (1 - tanh^2), the last factor if scores are capped
     dq = sum over keys of ds k
     dk = sum over queries of ds q
   A part is one sequence and one key/value head, so that no part adds to the rows of another. If
   sequences share keys, or leave rows of keys out, a part is a key/value head with all sequences,
   one after another. The steps of one sequence and head (backward_head_run; 1 to 5 as in
   attention_backward_rows.h):
     q and dy become packed operands, D is computed             attention_backward_operands.h
     for each tile of keys, ascending
       for each 96 rows that see it, ascending
         for each row block of 12 rows
           1. scores, 2. weights p f, 3. score gradients ds     attention_backward_rows.h
           4. accumulate dq
         5. accumulate dk and dv of the tile
       dk and dv of the tile are stored
   Rows of no sequence get zeros.
   Source: Dao et al. 2022, appendix B. */
#ifndef HEED_CPU_KERNEL_ATTENTION_BACKWARD_H
#define HEED_CPU_KERNEL_ATTENTION_BACKWARD_H

#include "cpu/kernel/attention_backward_rows.h"

/* Finds which keys of the tile each of these rows sees; false if they see none. */
static inline bool tile_visible_from(const backward_head *head, int64_t first, int64_t rows)
{
    uint64_t any = 0, seen = 0;
    const uint64_t all = seen_by_all(head->p, head->s, &head->tile, first / head->p->group,
                                     (first + rows - 1) / head->p->group);
    for (int64_t r = 0; r < rows; r++) {
        if (all) seen = all;
        else if (r == 0 || (first + r) % head->p->group == 0)
            seen = seen_keys(
                &head->tile,
                span_of(head->p, query_index_at(head->p, head->s, (first + r) / head->p->group)));
        any |= head->scratch->seen[r] = seen;
    }
    return any != 0;
}

/* Packs k and v of the tile: both for sums over channels, k also for the sum over keys. */
static inline void load_tile(backward_head *head)
{
    const problem *p = head->p;
    backward_scratch *s = head->scratch;
    heed_gemm_rows values = visible_rows(p, p->v, &head->tile, head->kv_head, s->spare);
    pack_columns(p, values, head->tile.count, s->value_columns);
    heed_gemm_rows keys = visible_rows(p, p->k, &head->tile, head->kv_head, s->spare);
    pack_columns(p, keys, head->tile.count, s->key_columns);
    pack_rows(p, keys, head->tile.count, s->key_rows);
    head->keys = (strided_rows){s->key_rows, p->padded};
}

/* Stores dk and dv of the tile in the rows of its positions; hidden keys get zeros. */
static inline void store_tile(const backward_head *head, int64_t positions)
{
    const problem *p = head->p;
    for (int64_t at = 0, j = 0; at < positions; at++) {
        bool visible = j < head->tile.count && head->tile.position[j] == at;
        for (int i = 1; i <= 2; i++) {
            float *to = float_row(&p->args->out[i], head->tile.base + at) +
                        head->kv_head * p->width;
            const float *from = (i == 1 ? head->scratch->dkeys : head->scratch->dvalues) +
                                j * p->padded;
            for (int64_t e = 0; e < p->width; e += HEED_LANES) {
                heed_v x = visible ? heed_v_load(from + e) : heed_v_zero();
                store_some(to + e, head->add ? heed_v_add(load_some(to + e, p->width - e), x) : x,
                           p->width - e);
            }
        }
        j += visible;
    }
}

/* All of it for one sequence and one key/value head. */
static inline void backward_head_run(backward_head *head)
{
    const problem *p = head->p;
    int64_t rows = head->s->of.queries * p->group;
    for (int64_t r = 0; r < rows; r++)
        memset(float_row(&p->args->out[0], query_row(head, r)) + query_column(head, r), 0,
               (size_t)p->width * sizeof(float));
    const operand_pair q = load_operands(head, p->q, rows, head->scratch->queries,
                                         head->scratch->query_groups);
    const operand_pair dy = load_operands(head, &p->args->in[HEED_ATTENTION_DY], rows,
                                          head->scratch->dy, head->scratch->dy_groups);
    head->queries = q.left;
    head->query_groups = q.right;
    head->dy = dy.left;
    head->dy_groups = dy.right;
    for (int64_t r = 0; r < rows; r += BLOCK_ROWS)
        find_inner(head, r, rows - r < BLOCK_ROWS ? rows - r : BLOCK_ROWS);
    for (head->number = 0; head->number * TILE < head->s->of.keys; head->number++) {
        find_tile(p, head->s, head->number, &head->tile);
        head->fresh = true;
        for (int64_t first = 0; first < rows; first += BLOCK_ROWS) {
            int64_t count = rows - first < BLOCK_ROWS ? rows - first : BLOCK_ROWS;
            if (!tile_visible_from(head, first, count)) continue;
            if (head->fresh) load_tile(head);
            load_lse(head, first, count);
            for (int64_t r = 0; r < count; r += ROWS_AT_ONCE) {
                const int64_t next = first + r + ROWS_AT_ONCE, after = next + ROWS_AT_ONCE;
                fetch_rows(head, next, after < rows ? after : rows);
                differentiate_rows(head, first, r,
                                   count - r < ROWS_AT_ONCE ? (int)(count - r) : ROWS_AT_ONCE);
            }
            add_to_keys(head, first, count);
            head->fresh = false;
        }
        if (head->fresh) head->tile.count = 0; /* no row saw it: zeros, as for hidden keys */
        int64_t positions = head->s->of.keys - head->number * TILE;
        store_tile(head, positions < TILE ? positions : TILE);
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

/* One part for each key/value head and sequence, or one for each head with all its sequences. */
static inline int attention_backward_parts(const heed_kernel_args *args, int phase)
{
    (void)phase;
    const problem *p = prepared_problem(args);
    int64_t parts = p->attributes->kv_heads;
    if (covers(p, HEED_SEQUENCE_KEY_START, heed_shape_rows(p->k->shape)))
        parts *= heed_shape_rows(p->sequences->shape);
    return parts < 1 ? 1 : (int)parts;
}

/* Runs the sequences and heads of a part. If sequences share keys, dk and dv of a head begin with
   zeros and every sequence adds to them. */
static inline void attention_backward_run(const heed_kernel_args *args,
                                          const heed_kernel_call *call)
{
    const problem *p = prepared_problem(args);
    backward_scratch scratch;
    backward_layout(p, call->scratch, &scratch);
    int64_t kv_heads = p->attributes->kv_heads, batch = heed_shape_rows(p->sequences->shape), begin,
            end;
    bool shared = !covers(p, HEED_SEQUENCE_KEY_START, heed_shape_rows(p->k->shape));
    if (call->part == 0 && !covers(p, HEED_SEQUENCE_QUERY_START, heed_shape_rows(p->q->shape)))
        clear_uncovered(p, HEED_SEQUENCE_QUERY_START, &args->out[0]);
    heed_part_range(shared ? kv_heads : kv_heads * batch, call->part, call->parts, &begin, &end);
    for (int64_t at = begin; at < end; at++) {
        int kv_head = (int)(at % kv_heads);
        for (int64_t i = 0; shared && i < heed_shape_rows(p->k->shape); i++)
            for (int64_t e = 0; e < p->width; e++)
                float_row(&args->out[1], i)[kv_head * p->width + e] = float_row(
                    &args->out[2], i)[kv_head * p->width + e] = 0;
        for (int64_t b = shared ? 0 : at / kv_heads; b < (shared ? batch : at / kv_heads + 1);
             b++) {
            query_sequence s = sequence_at(p, b);
            backward_head_run(&(backward_head){
                .p = p, .s = &s, .scratch = &scratch, .kv_head = kv_head, .add = shared});
        }
    }
}

HEED_KERNEL(attention_backward) = {
    .name = "k_attention_backward_f32",
    .op = HEED_OP_ATTENTION_BACKWARD,
    .fits = attention_backward_fits,
    .scratch = attention_backward_scratch,
    .prepared = problem_prepared,
    .prepare = problem_prepare,
    .parts = attention_backward_parts,
    .run = attention_backward_run,
};

#endif
