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
        if (!d->shuffled) return (double)(i + d->keys[b] - d->queries[b]);
        return (double)((i * 7 + 3) % (d->queries[b] > 0 ? d->queries[b] : 1));
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

/* Rows of keys or values: of the cache, or one a key. */
static inline heed_shape attention_key_shape(const attention_data *d, int64_t columns)
{
    if (!d->cache)
        return heed_shape_live(d->cross ? HEED_EXTENT_SOURCE_ROWS : HEED_EXTENT_ROWS,
                               d->key_rows + 2, columns);
    if (columns == 0) return heed_shape_1(d->key_rows);
    if (d->kept == HEED_I8) columns += 4 * d->kv_heads;
    return heed_shape_2(d->key_rows, columns);
}

static inline heed_attention_inputs attention_case_inputs(const attention_data *d, heed_graph *g)
{
    const heed_shape query = heed_shape_live(HEED_EXTENT_ROWS, d->rows + 2,
                                             (int64_t)d->heads * d->width),
                     key = attention_key_shape(d, (int64_t)d->kv_heads * d->width),
                     table = heed_shape_live(HEED_EXTENT_SEQUENCES, d->count + 1,
                                             HEED_SEQUENCE_FIELDS);
    const heed_value q = heed_input(g, "q", HEED_F32, query), k = heed_input(g, "k", d->kept, key),
                     v = heed_input(g, "v", d->kept, key),
                     sequences = heed_input(g, "sequences", HEED_I32, table);
    heed_attention_inputs in = {q,         k,         v,         sequences, HEED_NONE,
                                HEED_NONE, HEED_NONE, HEED_NONE, HEED_NONE};
    if (d->shuffled)
        in.query_index = heed_input(g, "query_index", HEED_I32,
                                    heed_shape_live(HEED_EXTENT_ROWS, d->rows + 2, 0));
    if (d->shuffled || d->holes)
        in.key_index = heed_input(g, "key_index", HEED_I32, attention_key_shape(d, 0));
    if (d->cache)
        in.page_table = heed_input(g, "blocks", HEED_I32, heed_shape_2(d->count, ATTENTION_BLOCKS));
    if (d->alibi) in.slopes = heed_input(g, "slopes", HEED_F32, heed_shape_1(d->heads));
    if (d->sinks) in.sinks = heed_input(g, "sinks", HEED_F32, heed_shape_1(d->heads));
    return in;
}

static inline heed_attention_options attention_case_options(const attention_data *d)
{
    return (heed_attention_options){
        .heads = d->heads,
        .kv_heads = d->kv_heads,
        .head_width = d->width,
        .causal = d->causal,
        .window = d->window,
        .scale = heed_real(d->scale != 0 ? d->scale : 0.3f),
        .dropout = d->dropout,
        .soft_cap = d->cap,
        .alibi_scale = 0.7f,
        .alibi_bf16 = d->alibi_bf16,
        .want_weights = d->want_weights,
        .max_queries = 70,
        .max_keys = 75,
    };
}

/* The case; `backward` makes it the gradient (y and lse are then whatever `element` gives, unless
   the caller fills them). */
static inline kernel_case attention_case(attention_data *d, bool backward)
{
    attention_lay_out(d);
    kernel_case c = {.name = d->name,
                     .graph = heed_graph_new(),
                     .op = HEED_OP_ATTENTION,
                     .element = attention_element,
                     .data = d,
                     .tolerance = d->bf16 ? 0x1p-8 : 1e-6,
                     .flushed = d->bf16};
    c.count[HEED_EXTENT_ROWS] = d->rows;
    c.count[HEED_EXTENT_SOURCE_ROWS] = d->key_rows;
    c.count[HEED_EXTENT_SEQUENCES] = d->count;
    heed_graph *g = c.graph;
    const heed_attention_inputs in = attention_case_inputs(d, g);
    const heed_attention_options options = attention_case_options(d);
    heed_value y = heed_attention(g, &in, &options, NULL);
    if (d->bf16)
        ((heed_attention_attributes *)g->nodes[g->n_nodes - 1].attributes)->bf16_operands = true;
    if (!backward) return c;
    c.op = HEED_OP_ATTENTION_BACKWARD;
    c.absolute = d->bf16 ? 0x1p-9 : 4e-6;
    heed_value gradients[3], loss = y;
    for (int axis = 0; axis < 2; axis++) loss = heed_reduce(g, HEED_REDUCE_SUM, loss, 0, false);
    heed_error error = {0};
    if (heed_graph_gradient(g, loss, (heed_value[]){in.q, in.k, in.v}, 3, gradients, &error) !=
        HEED_OK)
        fail_msg("%s: %s", d->name, error.message);
    return c;
}

#endif
