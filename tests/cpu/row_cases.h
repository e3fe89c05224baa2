/* row_cases.h: small graphs of one op each, at awkward sizes, for test_kernels.c. Every builder
   returns a kernel_case whose graph the caller frees. Live extents have room beyond their
   counts. */
#ifndef HEED_TESTS_CPU_ROW_CASES_H
#define HEED_TESTS_CPU_ROW_CASES_H

#include "cpu/kernel_case.h"

typedef struct row_data {
    int64_t limit;      /* integers lie in [-2, limit + 2) */
    float special;      /* put into some elements of input 0 when not 0: NaN or infinity */
    bool positive;      /* floats are positive */
    double scale;       /* of floats; 0 is 1 */
    int64_t lengths[4]; /* of sequences, one after the other with a gap of one row */
} row_data;

static inline double row_element(const kernel_case *c, int input, int64_t row, int64_t column,
                                 heed_rng *rng)
{
    const row_data *d = c->data;
    const heed_node *node = case_node(c);
    if (c->graph->values[node->in[input]].dtype == HEED_I32) {
        if (c->graph->values[node->in[input]].shape.rank == 2 &&
            c->graph->values[node->in[input]].shape.dim[1] == HEED_SEQUENCE_FIELDS) {
            int64_t start = 1;
            for (int64_t b = 0; b < row; b++) start += d->lengths[b] + 1;
            if (column == HEED_SEQUENCE_QUERY_START) return (double)start;
            return column == HEED_SEQUENCE_QUERY_LENGTH ? (double)d->lengths[row] : 0;
        }
        return (double)heed_rng_below(rng, (uint64_t)d->limit + 4) - 2;
    }
    double value = heed_rng_normal(rng) * (d->scale != 0 ? d->scale : 1);
    if (d->positive) value = fabs(value) + 0.1;
    if (input == 0 && (isnan(d->special) || d->special != 0) && (row * 7 + column) % 11 == 3)
        return (double)d->special;
    return value;
}

static inline kernel_case row_case(const char *name, heed_op_id op, int64_t rows,
                                   const row_data *data)
{
    kernel_case c = {
        .name = name, .graph = heed_graph_new(), .op = op, .element = row_element, .data = data};
    c.count[HEED_EXTENT_ROWS] = rows;
    c.count[HEED_EXTENT_SOURCE_ROWS] = rows + 1;
    c.count[HEED_EXTENT_SEQUENCES] = 4;
    c.count[HEED_EXTENT_GATHERED] = rows;
    return c;
}

static inline heed_shape live(int64_t rows, int64_t columns)
{
    return heed_shape_live(HEED_EXTENT_ROWS, rows + 3, columns);
}

/* The same where 0 columns are meant. */
static inline heed_shape live_matrix(int64_t rows, int64_t columns)
{
    heed_shape shape = heed_shape_2(rows + 3, columns);
    shape.extent = HEED_EXTENT_ROWS;
    return shape;
}

static inline heed_shape live3(int64_t rows, int64_t b, int64_t c)
{
    heed_shape shape = heed_shape_of(3, (int64_t[]){rows + 3, b, c});
    shape.extent = HEED_EXTENT_ROWS;
    return shape;
}

static inline heed_value floats(kernel_case *c, const char *name, heed_shape shape)
{
    return heed_input(c->graph, name, HEED_F32, shape);
}

static inline heed_value integers(kernel_case *c, const char *name, heed_shape shape)
{
    return heed_input(c->graph, name, HEED_I32, shape);
}

/* The gradient of the sum of all elements of y with respect to x (n values): puts the backward op
   into the graph. */
static inline void differentiate(kernel_case *c, heed_value y, const heed_value *x, int n)
{
    heed_value gradients[4], loss = y;
    heed_error error = {0};
    while (heed_value_shape(c->graph, loss).rank > 0)
        loss = heed_reduce(c->graph, HEED_REDUCE_SUM, loss, 0, false);
    if (heed_graph_gradient(c->graph, loss, x, n, gradients, &error) != HEED_OK)
        fail_msg("%s: %s", c->name, error.message);
}

#endif
