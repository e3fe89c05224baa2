/* attention_forward.h: the kernels of attention forward. attention_query_block.h says what a query
   block computes.
   - k_attention_f32: each part computes some query blocks;
   - k_attention_weights_f32: the same, and the softmax weights are an output;
   - k_attention_split_f32: few queries against many keys: each part computes some chunks of keys of
     a query block, and a second phase merges them (FlashDecoding). */
#ifndef HEED_CPU_KERNEL_ATTENTION_FORWARD_H
#define HEED_CPU_KERNEL_ATTENTION_FORWARD_H

#include "cpu/kernel/attention_query_block.h"

/* ---- the weights, if they are wanted: before dropout, from the finished lse ---- */

/* Writes the softmax weights of a query block: the scores again, then exp(score - lse). */
static inline void write_weights(query_block *block)
{
    const problem *p = block->p;
    const heed_operand *out = &p->args->out[2];
    int64_t rows = block->queries * p->group, queries = out->shape.dim[2], keys = out->shape.dim[3];
    float *base = float_row(out, block->s->number);
    for (block->number = 0; block->number * TILE < block->s->of.keys; block->number++) {
        if (!tile_visible(block)) continue;
        load_forward_tile(block, rows);
        for (int64_t row = 0; row < rows; row++) {
            uint64_t seen[ROWS_AT_ONCE];
            int vectors = score_rows(block, row, 1, seen);
            if (!vectors) continue;
            int64_t head = block->kv_head * p->group + row % p->group,
                    query = block->first + row / p->group;
            if (query >= queries) continue;
            float *to = base + (head * queries + query) * keys + block->number * TILE;
            softmax_weights(p, block->scratch->scores, vectors, block->scale,
                            float_row(&p->args->out[1], block->s->of.query_start + query)[head]);
            for (int j = 0; j < block->tile.count; j++)
                if ((seen[0] >> j & 1) && block->number * TILE + block->tile.position[j] < keys)
                    to[block->tile.position[j]] = block->scratch->scores[j];
        }
    }
}

/* ---- the kernels ---- */

static inline bool attention_fits(const heed_kernel_args *args)
{
    const heed_attention_attributes *a = args->attributes;
    if (a->masked_mean || !is_f32_rows(&args->in[HEED_ATTENTION_Q])) return false;
    for (int i = HEED_ATTENTION_K; i <= HEED_ATTENTION_V; i++)
        if (args->in[i].layout != HEED_LAYOUT_ROWS || !heed_dtype_keeps_keys(args->in[i].dtype))
            return false;
    return true;
}

static inline bool attention_fits_tiled(const heed_kernel_args *args)
{
    return attention_fits(args) &&
           !((const heed_attention_attributes *)args->attributes)->want_weights;
}

static inline bool attention_fits_weights(const heed_kernel_args *args)
{
    return attention_fits(args) &&
           ((const heed_attention_attributes *)args->attributes)->want_weights;
}

static inline size_t attention_scratch(const heed_kernel_args *args)
{
    return forward_layout(args->attributes, NULL, &(forward_scratch){0});
}

/* The number of runs of queries that a sequence is cut into. */
static inline int64_t query_runs_of(const problem *p, const query_sequence *s)
{
    int64_t each = queries_of_block(p->attributes, s->of.queries);
    return (s->of.queries + each - 1) / each;
}

/* The query blocks of a sequence: its runs of queries under each key/value head. */
static inline int64_t blocks_of_sequence(const problem *p, int64_t number)
{
    query_sequence s = sequence_at(p, number);
    return p->attributes->kv_heads * query_runs_of(p, &s);
}

static inline int64_t count_query_blocks(const problem *p)
{
    int64_t blocks = 0;
    for (int64_t b = 0; b < heed_shape_rows(p->sequences->shape); b++)
        blocks += blocks_of_sequence(p, b);
    return blocks;
}

/* The most parts. Each part walks the sequence table to find its query blocks, which costs nothing
   beside the work if parts are few. */
enum { MOST_PARTS = 128 };

static inline int attention_parts(const heed_kernel_args *args, int phase)
{
    (void)phase;
    const problem *p = prepared_problem(args);
    return part_count(count_query_blocks(p), MOST_PARTS);
}

/* Query block `index` of a sequence. Heads are outermost, so that the keys of a head stay in the
   cache. The last queries come first: with a causal mask they see the most keys. */
static inline query_block query_block_at(const problem *p, const query_sequence *s, int64_t index,
                                         forward_scratch *scratch)
{
    int64_t each = queries_of_block(p->attributes, s->of.queries), runs = query_runs_of(p, s),
            first = (runs - 1 - index % runs) * each;
    int64_t left = s->of.queries - first;
    return (query_block){.p = p,
                         .s = s,
                         .scratch = scratch,
                         .first = first,
                         .queries = left < each ? left : each,
                         .kv_head = (int)(index / runs)};
}

static inline void run_query_block(const problem *p, const query_sequence *s, int64_t index,
                                   forward_scratch *scratch, bool weights)
{
    query_block block = query_block_at(p, s, index, scratch);
    attend_query_block(&block);
    if (weights) write_weights(&block);
}

static inline void clear_forward(const problem *p)
{
    if (covers(p, HEED_SEQUENCE_QUERY_START, heed_shape_rows(p->q->shape))) return;
    for (int i = 0; i < 2; i++) clear_uncovered(p, HEED_SEQUENCE_QUERY_START, &p->args->out[i]);
}

/* Runs the query blocks of a part; they are counted over all sequences. */
static inline void attention_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    const problem *p = prepared_problem(args);
    forward_scratch scratch;
    forward_layout(p->attributes, call->scratch, &scratch);
    int64_t begin, end, before = 0;
    heed_part_range(count_query_blocks(p), call->part, call->parts, &begin, &end);
    if (call->part == 0) clear_forward(p);
    for (int64_t b = 0; b < heed_shape_rows(p->sequences->shape) && before < end; b++) {
        query_sequence s = sequence_at(p, b);
        int64_t blocks = blocks_of_sequence(p, b), first = begin > before ? begin - before : 0;
        for (int64_t i = first; i < blocks && before + i < end; i++)
            run_query_block(p, &s, i, &scratch, false);
        before += blocks;
    }
}

/* With the weights as an output, a part is one sequence and one key/value head. It clears its rows
   of the weights, then fills them. */
static inline int attention_weights_parts(const heed_kernel_args *args, int phase)
{
    (void)phase;
    int64_t parts = heed_shape_rows(args->in[HEED_ATTENTION_SEQUENCES].shape) *
                    ((const heed_attention_attributes *)args->attributes)->kv_heads;
    return parts < 1 ? 1 : (int)parts;
}

static inline void attention_weights_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    const problem *p = prepared_problem(args);
    forward_scratch scratch;
    forward_layout(p->attributes, call->scratch, &scratch);
    int64_t begin, end, kv_heads = p->attributes->kv_heads;
    heed_part_range(heed_shape_rows(p->sequences->shape) * kv_heads, call->part, call->parts,
                    &begin, &end);
    if (call->part == 0) clear_forward(p);
    for (int64_t at = begin; at < end; at++) {
        query_sequence s = sequence_at(p, at / kv_heads);
        int64_t size = p->group * args->out[2].shape.dim[2] * args->out[2].shape.dim[3],
                runs = blocks_of_sequence(p, at / kv_heads) / kv_heads;
        float *weights = float_row(&args->out[2], at / kv_heads) + at % kv_heads * size;
        for (int64_t i = 0; i < size; i++) weights[i] = 0;
        for (int64_t r = 0; r < runs; r++)
            run_query_block(p, &s, at % kv_heads * runs + r, &scratch, true);
    }
}

/* ---- few queries against many keys ----
   In phase 0 an item of work is one chunk of keys of a query block, in phase 1 a query block, whose
   chunks are merged. A part is one item or several. The bits are those of attend_query_block. */

enum { SPLIT_ROWS = 16 };

/* The number of chunks in which `keys` positions lie. */
static inline int64_t chunks_of(int64_t keys)
{
    return (keys + CHUNK_TILES * TILE - 1) / (CHUNK_TILES * TILE);
}

static inline int64_t most_chunks(const problem *p)
{
    return chunks_of(p->page_table ? p->page_table->shape.dim[1] * TILE
                                   : heed_shape_rows(p->k->shape));
}

/* The rows of all partials: (kv heads, chunks, queries, heads of the group). */
static inline int64_t partial_rows(const problem *p)
{
    return p->attributes->heads * most_chunks(p) * heed_shape_rows(p->q->shape);
}

/* Where m, l and o of chunk `chunk` of a query block lie in shared memory. */
static inline partial partial_of(const query_block *block, int64_t chunk)
{
    const problem *p = block->p;
    float *shared = p->args->shared;
    int64_t rows = partial_rows(p), each = heed_shape_rows(p->q->shape) * p->group;
    int64_t at = (block->kv_head * most_chunks(p) + chunk) * each +
                 (block->s->of.query_start + block->first) * p->group;
    return (partial){shared + rows * p->padded + at, shared + rows * (p->padded + 1) + at,
                     shared + at * p->padded};
}

static inline bool attention_fits_split(const heed_kernel_args *args)
{
    problem p = problem_of(args);
    return attention_fits_tiled(args) && heed_shape_rows(p.q->shape) <= SPLIT_ROWS &&
           most_chunks(&p) > 1;
}

static inline size_t attention_split_shared(const heed_kernel_args *args)
{
    problem p = problem_of(args);
    return (size_t)(partial_rows(&p) * (p.padded + 2)) * sizeof(float);
}

static inline int64_t items_of_sequence(const problem *p, int64_t number, int phase)
{
    int64_t blocks = blocks_of_sequence(p, number),
            chunks = chunks_of(sequence_at(p, number).of.keys);
    return phase == 0 && chunks > 1 ? blocks * chunks : blocks;
}

static inline int attention_split_parts(const heed_kernel_args *args, int phase)
{
    const problem *p = prepared_problem(args);
    int64_t items = 0;
    for (int64_t b = 0; b < heed_shape_rows(p->sequences->shape); b++)
        items += items_of_sequence(p, b, phase);
    return part_count(items, MOST_PARTS);
}

/* Phase 0: computes one chunk of a query block. Phase 1: merges all its chunks and finishes it.
   Chunks that the query block does not reach are left out. */
static inline void run_item(query_block *block, int64_t chunk, int phase)
{
    const problem *p = block->p;
    int64_t begin, end;
    reachable_tiles(p, block->s, block->first, block->queries, &begin, &end);
    if (phase == 0) {
        int64_t from = chunk * CHUNK_TILES, to = from + CHUNK_TILES;
        if (from < begin) from = begin;
        if (to > end) to = end;
        if (from >= to) return;
        load_query_block(block);
        block->to = partial_of(block, chunk);
        attend_tiles(block, from, to);
        return;
    }
    block->to = block->scratch->whole;
    clear_partial(p, block->to, block->queries * p->group);
    for (int64_t c = begin / CHUNK_TILES; c * CHUNK_TILES < end; c++)
        merge_rows(p, block->to, partial_of(block, c), block->queries * p->group);
    finish_query_block(block);
}

/* Runs the items of a part, counted over all sequences. In phase 0 an item is a chunk of a query
   block, in phase 1 a query block. */
static inline void attention_split_run(const heed_kernel_args *args, const heed_kernel_call *call)
{
    const problem *p = prepared_problem(args);
    forward_scratch scratch;
    forward_layout(p->attributes, call->scratch, &scratch);
    int64_t begin, end, items = 0, before = 0, batch = heed_shape_rows(p->sequences->shape);
    for (int64_t b = 0; b < batch; b++) items += items_of_sequence(p, b, call->phase);
    heed_part_range(items, call->part, call->parts, &begin, &end);
    if (call->part == 0 && call->phase == 0) clear_forward(p);
    for (int64_t b = 0; b < batch && before < end; b++) {
        query_sequence s = sequence_at(p, b);
        int64_t count = items_of_sequence(p, b, call->phase), blocks = blocks_of_sequence(p, b),
                chunks = blocks ? count / blocks : 1;
        for (int64_t i = begin > before ? begin - before : 0; i < count && before + i < end; i++) {
            query_block block = query_block_at(p, &s, i / chunks, &scratch);
            run_item(&block, i % chunks, call->phase);
        }
        before += count;
    }
}

HEED_KERNEL(attention) = {
    .name = "k_attention_f32",
    .op = HEED_OP_ATTENTION,
    .fits = attention_fits_tiled,
    .scratch = attention_scratch,
    .prepared = problem_prepared,
    .prepare = problem_prepare,
    .parts = attention_parts,
    .run = attention_run,
};
HEED_KERNEL(attention_split) = {
    .name = "k_attention_split_f32",
    .op = HEED_OP_ATTENTION,
    .fits = attention_fits_split,
    .scratch = attention_scratch,
    .shared = attention_split_shared,
    .phases = 2,
    .prepared = problem_prepared,
    .prepare = problem_prepare,
    .parts = attention_split_parts,
    .run = attention_split_run,
};
HEED_KERNEL(attention_weights) = {
    .name = "k_attention_weights_f32",
    .op = HEED_OP_ATTENTION,
    .fits = attention_fits_weights,
    .scratch = attention_scratch,
    .prepared = problem_prepared,
    .prepare = problem_prepare,
    .parts = attention_weights_parts,
    .run = attention_weights_run,
};

#endif
