/* Kernels that move rows or mix them by place (gather, cache, rotary, attention) against their
   references, at awkward sizes, on every instruction set. Attention's own invariants stand in
   test_attention.c. */
#include "cpu/attention_case.h"
#include "cpu/kernel_table.h"

static void sequence_kernels(void **state)
{
    (void)state;
    const row_data data = {.lengths = {5, 0, 1, 20}};
    for (int j = 0; j < COLUMNS_COUNT; j++)
        for (int backward = 0; backward < 2; backward++) {
            kernel_case c = row_case(
                "sequence_mean", backward ? HEED_OP_SEQUENCE_MEAN_BACKWARD : HEED_OP_SEQUENCE_MEAN,
                33, &data);
            heed_value x = floats(&c, "x", live(33, some_columns[j]));
            heed_value y = heed_sequence_mean(
                c.graph, x,
                integers(&c, "sequences",
                         heed_shape_live(HEED_EXTENT_SEQUENCES, 5, HEED_SEQUENCE_FIELDS)));
            if (backward) differentiate(&c, heed_multiply(c.graph, y, y), &x, 1);
            run_case(c);
        }
}

/* Rows found by an index, from weights and from live rows, and added to rows that an index
   names. */
static void indexed_row_kernels(void **state)
{
    (void)state;
    const heed_dtype types[] = {HEED_F32, HEED_F16, HEED_BF16};
    FOR_SIZES(rows, columns)
    {
        for (int type = 0; type < 3; type++)
            for (int panels = 0; panels < 2; panels++) {
                kernel_case c = row_case("gather", HEED_OP_GATHER, rows, &(row_data){.limit = 37});
                c.panels = panels;
                heed_gather(c.graph,
                            heed_constant(c.graph, "table", types[type], heed_shape_2(37, columns)),
                            integers(&c, "index", live(rows, 0)));
                run_case(c);
            }
        kernel_case c = row_case("gather of live rows", HEED_OP_GATHER, rows,
                                 &(row_data){.limit = rows});
        heed_gather(c.graph, floats(&c, "table", live(rows, columns)),
                    integers(&c, "index", heed_shape_live(HEED_EXTENT_GATHERED, rows + 2, 0)));
        run_case(c);
        c = row_case("scatter_add", HEED_OP_SCATTER_ADD, rows, &plain);
        heed_scatter_add(c.graph, floats(&c, "x", live(rows, columns)),
                         integers(&c, "index", live(rows, 0)), heed_shape_2(7, columns));
        run_case(c);
    }
    kernel_case c = row_case("scatter_add to many rows", HEED_OP_SCATTER_ADD, 500,
                             &(row_data){.limit = 5000});
    heed_scatter_add(c.graph, floats(&c, "x", live(500, 40)), integers(&c, "index", live(500, 0)),
                     heed_shape_2(5000, 40));
    run_case(c);
    c = row_case("scatter_add of wide rows", HEED_OP_SCATTER_ADD, 90, &(row_data){.limit = 20});
    heed_scatter_add(c.graph, floats(&c, "x", live(90, 600)), integers(&c, "index", live(90, 0)),
                     heed_shape_2(20, 600));
    run_case(c);
}

/* Caches of every type; of i8 with one scale a row, and with one a column. */
static void cache_write_kernels(void **state)
{
    (void)state;
    static const struct {
        heed_dtype dtype;
        int scale_bytes, column_scale_bytes; /* a row, and for each of its columns */
    } caches[] = {
        {HEED_F32, 0, 0}, {HEED_BF16, 0, 0}, {HEED_I8, 4, 0}, {HEED_I8, 0, 4}, {HEED_F16, 0, 0}};
    FOR_SIZES(rows, columns)
    for (size_t i = 0; i < sizeof caches / sizeof *caches; i++) {
        const int64_t wide = columns + caches[i].scale_bytes +
                             columns * caches[i].column_scale_bytes;
        kernel_case c = row_case("cache_write", HEED_OP_CACHE_WRITE, rows,
                                 &(row_data){.limit = 64});
        heed_cache_write(
            c.graph, heed_state(c.graph, "cache", caches[i].dtype, heed_shape_2(64, wide)),
            floats(&c, "x", live(rows, columns)), integers(&c, "slots", live(rows, 0)));
        run_case(c);
    }
}

/* Parts of rows, rows side by side, and rows read in another shape. */
static void layout_kernels_of(int64_t rows, int64_t columns, bool three)
{
    heed_shape shape = live(rows, columns), beside = live(rows, 5),
               reshaped = live3(rows, 1, columns);
    if (three) {
        shape = live3(rows, 3, columns);
        beside = live3(rows, 3, 5);
        reshaped = live(rows, 3 * columns);
    }
    kernel_case c = row_case("slice", HEED_OP_SLICE, rows, &plain);
    heed_slice(c.graph, floats(&c, "x", shape), columns / 3, columns);
    run_case(c);
    c = row_case("pad_columns", HEED_OP_PAD_COLUMNS, rows, &plain);
    heed_value x = floats(&c, "x", shape), y = heed_slice(c.graph, x, columns / 3, columns);
    differentiate(&c, heed_multiply(c.graph, y, y), &x, 1);
    if (columns > 1) run_case(c);
    else heed_graph_free(c.graph);
    c = row_case("concatenate", HEED_OP_CONCATENATE, rows, &plain);
    heed_value parts[3];
    parts[0] = floats(&c, "a", shape);
    parts[1] = floats(&c, "b", beside);
    parts[2] = floats(&c, "c", shape);
    heed_concatenate(c.graph, parts, 3);
    run_case(c);
    c = row_case("reshape", HEED_OP_RESHAPE, rows, &plain);
    heed_reshape(c.graph, floats(&c, "x", shape), reshaped);
    run_case(c);
}

static void layout_kernels(void **state)
{
    (void)state;
    FOR_SIZES(rows, columns)
    {
        for (int three = 0; three < 2; three++) layout_kernels_of(rows, columns, three);
        kernel_case c = row_case("transpose", HEED_OP_TRANSPOSE, 0, &plain);
        heed_transpose(c.graph, floats(&c, "x", heed_shape_2(rows, columns)));
        run_case(c);
    }
    kernel_case c = row_case("slice of a vector", HEED_OP_SLICE, 0, &plain);
    heed_slice(c.graph, floats(&c, "x", heed_shape_1(40)), 3, 29);
    run_case(c);
    c = row_case("concatenate vectors", HEED_OP_CONCATENATE, 0, &plain);
    heed_value parts[2];
    parts[0] = floats(&c, "a", heed_shape_1(40));
    parts[1] = floats(&c, "b", heed_shape_1(3));
    heed_concatenate(c.graph, parts, 2);
    run_case(c);
    c = row_case("reshape fixed rows", HEED_OP_RESHAPE, 0, &plain);
    heed_reshape(c.graph, floats(&c, "x", heed_shape_2(6, 35)),
                 heed_shape_of(3, (int64_t[]){14, 5, 3}));
    run_case(c);
}

static double rotary_element(const kernel_case *c, int input, int64_t row, int64_t column,
                             heed_rng *rng)
{
    (void)column;
    if (c->op == HEED_OP_ROTARY) return heed_rng_normal(rng);
    static const int positions[] = {0, 1, 2, 3, 1000, 65535, 1 << 20, 131071, 77777, 12};
    return input == 0 ? positions[row % 10] : pow(10000.0, -(double)row / 40);
}

static void rotary_kernels(void **state)
{
    (void)state;
    for (int64_t half = 1; half <= 40; half += 13)
        for (int variant = 0; variant < 4; variant++) {
            kernel_case c = row_case("rotary_table", HEED_OP_ROTARY_TABLE, 25, &plain);
            c.element = rotary_element;
            c.tolerance = 3e-7;
            c.exact = true; /* angles in float are off by 2^-24 of themselves */
            heed_rotary_table(c.graph, integers(&c, "positions", live(25, 0)),
                              floats(&c, "frequencies", heed_shape_1(half)), 1.25f);
            run_case(c);
            c = row_case("rotary_table by row", HEED_OP_ROTARY_TABLE, 25, &plain);
            c.element = rotary_element;
            c.tolerance = 3e-7;
            c.exact = true;
            heed_rotary_table(c.graph, integers(&c, "positions", live(25, 0)),
                              floats(&c, "frequencies", live(25, half)), 0.75f);
            run_case(c);
            c = row_case("rotary", HEED_OP_ROTARY, 25, &plain);
            c.element = rotary_element;
            int64_t width = 2 * half + (variant & 2 ? 6 : 0);
            heed_value x = floats(&c, "x", live(25, 3 * width)),
                       y = heed_rotary(c.graph, x, floats(&c, "table", live(25, 2 * half)), 3,
                                       variant & 1);
            if (variant == 3) differentiate(&c, heed_multiply(c.graph, y, y), &x, 1);
            run_case(c);
        }
}

static void attention_kernels(void **state)
{
    (void)state;
    attention_data tiled =
                       {
                           .name = "attention",
                           .heads = 2,
                           .kv_heads = 1,
                           .width = 16,
                           .queries = {40, 70, -1},
                           .causal = true,
                       },
                   weights = tiled, backward = tiled;
    weights.want_weights = true;
    run_case(attention_case(&tiled, false));
    attention_data split = {
        .name = "attention, long cache",
        .heads = 2,
        .kv_heads = 1,
        .width = 16,
        .queries = {1, 2, -1},
        .keys = {1100, 30},
        .cache = true,
    };
    run_case(attention_case(&split, false));
    run_case(attention_case(&weights, false));
    kernel_case c = attention_case(&backward, true);
    c.tolerance = 1e-5;
    /* y and lse are arbitrary numbers here; test_attention.c gives the right ones */
    c.absolute = 1e-4;
    run_case(c);
}

static void every_moving_kernel_had_a_case(void **state)
{
    (void)state;
    every_kernel_had_a_case(KERNELS_MOVING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sequence_kernels),
                                       cmocka_unit_test(indexed_row_kernels),
                                       cmocka_unit_test(cache_write_kernels),
                                       cmocka_unit_test(layout_kernels),
                                       cmocka_unit_test(rotary_kernels),
                                       cmocka_unit_test(attention_kernels),
                                       cmocka_unit_test(every_moving_kernel_had_a_case)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
