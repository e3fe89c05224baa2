/* attention_case.h: attention over a few sequences, described in one struct, as a kernel_case. */
#ifndef HEED_TESTS_CPU_ATTENTION_CASE_H
#define HEED_TESTS_CPU_ATTENTION_CASE_H

#include "cpu/kernel_case.h"

enum { ATTENTION_SEQUENCES = 6, ATTENTION_BLOCKS = 50 };

typedef struct attention_data {
    const char *name;
    int heads, kv_heads, width;
    /* lengths; the sequences end before the first pair of -1 */
    int64_t queries[ATTENTION_SEQUENCES], keys[ATTENTION_SEQUENCES];
    /* holes: some keys hidden; shuffled: index arrays out of order */
    bool causal, cross, cache, want_weights, holes, shuffled, gaps;
    bool alibi, alibi_bf16, sinks;
    heed_dtype kept; /* of a cache */
    bool bf16;       /* operands rounded to bf16 */
    int window;
    float dropout, scale, cap;
    int64_t past; /* FIRST_INDEX = keys - queries - past */
    /* derived */
    int64_t count, rows, key_rows, query_start[ATTENTION_SEQUENCES], key_start[ATTENTION_SEQUENCES];
} attention_data;

static inline void attention_lay_out(attention_data *d)
{
    int64_t gap = d->gaps ? 3 : 0;
    d->rows = d->key_rows = d->count = 0;
    while (d->count < ATTENTION_SEQUENCES && d->queries[d->count] >= 0) {
        int64_t b = d->count++;
        if (!d->cross && !d->cache) d->keys[b] = d->queries[b];
        d->query_start[b] = d->rows + gap;
        d->key_start[b] = d->key_rows + gap;
        d->rows = d->query_start[b] + d->queries[b];
        d->key_rows = d->key_start[b] + d->keys[b];
    }
    d->rows += gap;
    d->key_rows += gap;
    if (d->cache) d->key_rows = d->count * ATTENTION_BLOCKS * HEED_PAGE_POSITIONS;
    if (!d->cross && !d->cache) d->key_rows = d->rows;
}

/* Blocks of the sequences lie interleaved, last first. */
static inline int64_t attention_block(const attention_data *d, int64_t b, int64_t block)
{
    return (ATTENTION_BLOCKS - 1 - block) * d->count + b;
}

/* The number of key row `row` within its sequence (its place), or -1. */
static inline int64_t attention_place(const attention_data *d, int64_t row)
{
    for (int64_t b = 0; b < d->count; b++) {
        if (d->cache) {
            for (int64_t block = 0; block < ATTENTION_BLOCKS; block++)
                if (attention_block(d, b, block) == row / HEED_PAGE_POSITIONS)
                    return block * HEED_PAGE_POSITIONS + row % HEED_PAGE_POSITIONS;
        } else if (row >= d->key_start[b] && row < d->key_start[b] + d->keys[b])
            return row - d->key_start[b];
    }
    return -1;
}

static inline int64_t attention_sequence_of_row(const attention_data *d, int64_t row)
{
    int64_t b = 0;
    while (b + 1 < d->count && row >= d->query_start[b + 1]) b++;
    return b;
}

/* A byte of a row that tensor/scaled_rows.h describes: numbers, then scales between 0.01 and
   0.03. */
static inline double attention_byte(const attention_data *d, int64_t row, int64_t column,
                                    heed_rng *rng)
{
    int64_t values = (int64_t)d->kv_heads * d->width;
    if (column < values) return (double)(int64_t)heed_rng_below(rng, 255) - 127;
    float scale = 0.01f + 0.001f * (float)((row + (column - values) / 4) % 20);
    int8_t bytes[4];
    memcpy(bytes, &scale, sizeof bytes);
    return bytes[(column - values) % 4];
}

static inline double attention_element(const kernel_case *c, int input, int64_t row, int64_t column,
                                       heed_rng *rng)
{
    const attention_data *d = c->data;
    switch (input) {
    case HEED_ATTENTION_SEQUENCES: {
        int64_t fields[HEED_SEQUENCE_FIELDS] = {d->query_start[row],
                                                d->queries[row],
                                                d->cache ? 0 : d->key_start[row],
                                                d->keys[row],
                                                d->keys[row] - d->queries[row] - d->past,
                                                40 + row,
                                                row,
                                                0};
        return (double)fields[column];
    }
    case HEED_ATTENTION_QUERY_INDEX: {
        int64_t b = attention_sequence_of_row(d, row), i = row - d->query_start[b];
        return (double)(d->shuffled ? (i * 7 + 3) % (d->queries[b] > 0 ? d->queries[b] : 1)
                                    : i + d->keys[b] - d->queries[b]);
    }
    case HEED_ATTENTION_KEY_INDEX: {
        int64_t place = attention_place(d, row);
        if (d->holes && (place % 5 == 1 || (place >= 70 && place < 75) || (place < 3 && row % 2)))
            return -1;
        return (double)(d->shuffled ? place ^ 5 : place);
    }
    case HEED_ATTENTION_SLOPES: return 0.3 / (double)(row + 1);
    case HEED_ATTENTION_SINKS: return (double)(row % 3) - 0.5;
    case HEED_ATTENTION_PAGE_TABLE: return (double)attention_block(d, row, column);
    default:
        return d->kept == HEED_I8 && input != HEED_ATTENTION_Q ? attention_byte(d, row, column, rng)
                                                               : heed_rng_normal(rng);
    }
}

/* The case; `backward` makes it the gradient (y and lse are then whatever `element` gives, unless
   the caller fills them). */
static inline kernel_case attention_case(attention_data *d, bool backward)
{
    attention_lay_out(d);
    kernel_case c = {.name = d->name,
                     .graph = heed_graph_new(),
                     .op = backward ? HEED_OP_ATTENTION_BACKWARD : HEED_OP_ATTENTION,
                     .element = attention_element,
                     .data = d,
                     .tolerance = 1e-6,
                     .absolute = backward ? 4e-6 : 0};
    c.count[HEED_EXTENT_ROWS] = d->rows;
    c.count[HEED_EXTENT_SOURCE_ROWS] = d->key_rows;
    c.count[HEED_EXTENT_SEQUENCES] = d->count;
    heed_graph *g = c.graph;
    int64_t wide = (int64_t)d->kv_heads * d->width;
    heed_extent key_extent = d->cross ? HEED_EXTENT_SOURCE_ROWS : HEED_EXTENT_ROWS;
    heed_shape q_shape = heed_shape_live(HEED_EXTENT_ROWS, d->rows + 2,
                                         (int64_t)d->heads * d->width);
    heed_shape k_shape = d->cache ? heed_shape_2(d->key_rows,
                                                 d->kept == HEED_I8 ? wide + 4 * d->kv_heads : wide)
                                  : heed_shape_live(key_extent, d->key_rows + 2, wide);
    heed_value q = heed_input(g, "q", HEED_F32, q_shape), k = heed_input(g, "k", d->kept, k_shape),
               v = heed_input(g, "v", d->kept, k_shape);
    heed_attention_inputs in = {
        q,
        k,
        v,
        heed_input(g, "sequences", HEED_I32,
                   heed_shape_live(HEED_EXTENT_SEQUENCES, d->count + 1, HEED_SEQUENCE_FIELDS)),
        HEED_NONE,
        HEED_NONE,
        HEED_NONE,
        HEED_NONE,
        HEED_NONE};
    heed_shape key_line = d->cache ? heed_shape_1(d->key_rows)
                                   : heed_shape_live(key_extent, d->key_rows + 2, 0);
    if (d->shuffled)
        in.query_index = heed_input(g, "query_index", HEED_I32,
                                    heed_shape_live(HEED_EXTENT_ROWS, d->rows + 2, 0));
    if (d->shuffled || d->holes) in.key_index = heed_input(g, "key_index", HEED_I32, key_line);
    if (d->cache)
        in.page_table = heed_input(g, "blocks", HEED_I32, heed_shape_2(d->count, ATTENTION_BLOCKS));
    if (d->alibi) in.slopes = heed_input(g, "slopes", HEED_F32, heed_shape_1(d->heads));
    if (d->sinks) in.sinks = heed_input(g, "sinks", HEED_F32, heed_shape_1(d->heads));
    heed_attention_options options = {
        .heads = d->heads,
        .kv_heads = d->kv_heads,
        .head_width = d->width,
        .causal = d->causal,
        .window = d->window,
        .scale = d->scale != 0 ? d->scale : 0.3f,
        .dropout = d->dropout,
        .soft_cap = d->cap,
        .alibi_scale = 0.7f,
        .alibi_bf16 = d->alibi_bf16,
        .want_weights = d->want_weights,
        .max_queries = 70,
        .max_keys = 75,
    };
    heed_value y = heed_attention(g, &in, &options, NULL);
    if (d->bf16) {
        ((heed_attention_attributes *)g->nodes[g->n_nodes - 1].attributes)->bf16_operands = true;
        c.tolerance = 0x1p-8;
        c.absolute = backward ? 0x1p-9 : 0;
        c.flushed = true;
    }
    if (backward) {
        heed_value dq[3],
            loss = heed_reduce(g, HEED_REDUCE_SUM, heed_reduce(g, HEED_REDUCE_SUM, y, 0, false), 0,
                               false);
        heed_error error = {0};
        if (heed_graph_gradient(g, loss, (heed_value[]){q, k, v}, 3, dq, &error) != HEED_OK)
            fail_msg("%s: %s", d->name, error.message);
    }
    return c;
}

#endif
