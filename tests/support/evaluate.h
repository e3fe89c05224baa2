/* evaluate.h: runs a graph node by node with the reference kernels, with each value in its own
   memory. It uses neither planner nor passes nor fast kernels, so its results can be compared with
   theirs.

   Rows lie further apart than they are long. The gaps between them, a row before the first and the
   rows after the last live one hold a mark that no kernel may touch. The mark is a signalling NaN:
   results that read it become NaN, and arithmetic on it changes its bits. */
#ifndef HEED_TESTS_EVALUATE_H
#define HEED_TESTS_EVALUATE_H

#include "graph/ir.h"
#include "support/test.h"
#include "tensor/dtype.h"
#include <math.h>

enum { EVALUATE_GAP = 3 };

typedef struct evaluation {
    const heed_graph *graph;
    bool wide; /* f32 values are stored as doubles */
    heed_runtime runtime;
    heed_operand *operands; /* indexed by value */
    /* indexed by value: memory of `bytes` bytes, in which the operand's data begin after one row */
    unsigned char **blocks;
    size_t *bytes;
} evaluation;

/* Returns the bytes of an element in memory. */
static inline size_t evaluate_element(const evaluation *e, heed_dtype dtype)
{
    return e->wide && dtype == HEED_F32 ? sizeof(double) : heed_dtypes[dtype].bytes;
}

/* Returns byte `byte` of a mark of `element` bytes, in little-endian order. */
static inline unsigned char evaluate_mark(size_t byte, size_t element)
{
    static const unsigned char last[9][2] = {
        [2] = {0xA5, 0x7F}, [4] = {0xA5, 0x7F}, [8] = {0xF5, 0x7F}};
    return byte + 2 < element ? 0xA5 : last[element][byte + 2 - element];
}

/* Allocates all values and fills them with marks. `runtime` has the live counts. */
static inline evaluation evaluate_new(const heed_graph *graph, bool wide, heed_runtime runtime)
{
    evaluation e = {.graph = graph, .wide = wide, .runtime = runtime};
    e.operands = calloc(graph->n_values + 1, sizeof *e.operands);
    e.blocks = calloc(graph->n_values + 1, sizeof *e.blocks);
    e.bytes = calloc(graph->n_values + 1, sizeof *e.bytes);
    assert_true(e.operands && e.blocks && e.bytes);
    for (size_t v = 1; v < graph->n_values; v++) {
        const heed_value_info *info = &graph->values[v];
        heed_operand *operand = &e.operands[v];
        *operand = (heed_operand){.present = true,
                                  .dtype = info->dtype,
                                  .shape = info->shape,
                                  .row_stride = heed_shape_columns(info->shape) + EVALUATE_GAP};
        size_t element = evaluate_element(&e, info->dtype),
               row = (size_t)operand->row_stride * element;
        e.bytes[v] = (size_t)(heed_shape_rows(info->shape) + 2) * row;
        e.blocks[v] = malloc(e.bytes[v]);
        assert_non_null(e.blocks[v]);
        for (size_t byte = 0; byte < e.bytes[v]; byte++)
            e.blocks[v][byte] = evaluate_mark(byte % element, element);
        operand->data = e.blocks[v] + row;
        if (info->shape.extent != HEED_EXTENT_FIXED) {
            assert_true(runtime.count[info->shape.extent] <= info->shape.dim[0]);
            operand->shape.dim[0] = runtime.count[info->shape.extent];
        }
    }
    return e;
}

static inline void evaluate_free(evaluation *e)
{
    for (size_t v = 1; v < e->graph->n_values; v++) free(e->blocks[v]);
    free(e->operands);
    free(e->blocks);
    free(e->bytes);
}

/* Returns the number of live elements of a value. */
static inline int64_t evaluate_count(const evaluation *e, heed_value value)
{
    return heed_shape_elements(e->operands[value].shape);
}

/* Returns the offset of element `at`, counted over live rows, in the operand's data. */
static inline int64_t evaluate_place(const heed_operand *operand, int64_t at)
{
    int64_t columns = heed_shape_columns(operand->shape);
    return at / columns * operand->row_stride + at % columns;
}

static inline double evaluate_get(const evaluation *e, heed_value value, int64_t at)
{
    const heed_operand *operand = &e->operands[value];
    int64_t place = evaluate_place(operand, at);
    switch (operand->dtype) {
    case HEED_I32: return ((const int32_t *)operand->data)[place];
    case HEED_F16: return heed_f16_to_f32(((const uint16_t *)operand->data)[place]);
    case HEED_BF16: return heed_bf16_to_f32(((const uint16_t *)operand->data)[place]);
    default:
        return e->wide ? ((const double *)operand->data)[place]
                       : ((const float *)operand->data)[place];
    }
}

static inline void evaluate_set(const evaluation *e, heed_value value, int64_t at, double number)
{
    const heed_operand *operand = &e->operands[value];
    int64_t place = evaluate_place(operand, at);
    switch (operand->dtype) {
    case HEED_I32: ((int32_t *)operand->data)[place] = (int32_t)number; break;
    case HEED_F16: ((uint16_t *)operand->data)[place] = heed_f32_to_f16((float)number); break;
    case HEED_BF16: ((uint16_t *)operand->data)[place] = heed_f32_to_bf16((float)number); break;
    default:
        if (e->wide) ((double *)operand->data)[place] = number;
        else ((float *)operand->data)[place] = (float)number;
    }
}

static inline void evaluate_fill(const evaluation *e, heed_value value, const double *numbers)
{
    for (int64_t i = 0; i < evaluate_count(e, value); i++) evaluate_set(e, value, i, numbers[i]);
}

/* Runs the first n nodes. */
static inline void evaluate_run(const evaluation *e, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const heed_node *node = &e->graph->nodes[i];
        heed_operand in[HEED_MAX_INPUTS] = {0}, out[HEED_MAX_OUTPUTS];
        for (int j = 0; j < node->n_in; j++)
            if (node->in[j] > 0) in[j] = e->operands[node->in[j]];
        for (int j = 0; j < node->n_out; j++) out[j] = e->operands[node->out[j]];
        heed_kernel_args args = {
            .op = node->op,
            .in = in,
            .out = out,
            .n_in = node->n_in,
            .n_out = node->n_out,
            .attributes = node->attributes,
            .runtime = &e->runtime,
        };
        if (e->wide) node->op->reference64(&args);
        else node->op->reference(&args);
    }
}

/* Fails the test if something was written outside the live elements of any value. */
static inline void evaluate_check_marks(const evaluation *e)
{
    for (size_t v = 1; v < e->graph->n_values; v++) {
        const heed_operand *operand = &e->operands[v];
        int64_t columns = heed_shape_columns(operand->shape),
                rows = heed_shape_rows(operand->shape);
        size_t element = evaluate_element(e, operand->dtype);
        for (size_t byte = 0; byte < e->bytes[v]; byte++) {
            int64_t place = (int64_t)(byte / element), row = place / operand->row_stride - 1,
                    column = place % operand->row_stride;
            if ((row < 0 || row >= rows || column >= columns) &&
                e->blocks[v][byte] != evaluate_mark(byte % element, element))
                fail_msg(
                    "value %zu was written outside its live elements, at row %lld, column %lld", v,
                    (long long)row, (long long)column);
        }
    }
}

#endif
