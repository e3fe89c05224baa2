/* Every kernel of the table against its op's references, at awkward sizes, on every instruction
   set; the last test fails when a kernel had no case. Attention's own invariants stand in
   test_attention.c, those of matmuls in test_gemm.c. */
#include "cpu/attention_case.h"
#include "cpu/row_cases.h"
#include "cpu/vector.h"
#include "graph/plan.h"
#include "support/sanitized.h"

static const int64_t some_rows[] = {0, 1, 2, 17, 33},
                     some_columns[] = {1, 3, 15, 16, 17, 64, 65, 130};
enum {
    ROWS_COUNT = sizeof some_rows / sizeof *some_rows,
    COLUMNS_COUNT = sizeof some_columns / sizeof *some_columns
};

/* Names of the kernels that some case used. */
static const char *seen_kernels[256];
static size_t seen_count;

static void saw(const char *kernel)
{
    for (size_t i = 0; i < seen_count; i++)
        if (!strcmp(seen_kernels[i], kernel)) return;
    assert_true(seen_count < sizeof seen_kernels / sizeof *seen_kernels);
    seen_kernels[seen_count++] = kernel;
}

static void run_case(kernel_case c)
{
    case_check(&c, saw);
    heed_graph_free(c.graph);
}

static const row_data plain = {.limit = 7}, with_nan = {.limit = 7, .special = NAN},
                      with_infinity = {.limit = 7, .special = INFINITY},
                      with_minus_infinity = {.limit = 7, .special = -INFINITY};
static const row_data *const specials[] = {&plain, &with_nan, &with_infinity, &with_minus_infinity};

/* For all sizes. */
#define FOR_SIZES(rows, columns)                                                                   \
    for (int size_i = 0; size_i < ROWS_COUNT; size_i++)                                            \
        for (int size_j = HEED_SANITIZED ? size_i % 3 : 0; size_j < COLUMNS_COUNT;                 \
             size_j += HEED_SANITIZED ? 3 : 1)                                                     \
            for (int64_t rows = some_rows[size_i], columns = some_columns[size_j], once = 1; once; \
                 once = 0)

static void binary_kernels(void **state)
{
    (void)state;
    for (int kind = HEED_BINARY_ADD; kind <= HEED_BINARY_DIVIDE; kind++) FOR_SIZES(rows, columns)
    for (int form = 0; form < 5; form++) {
        kernel_case c = row_case("binary", HEED_OP_BINARY, rows,
                                 specials[(size_t)(kind + form) % 4]);
        heed_shape shapes[] = {live(rows, columns), heed_shape_1(columns), live(rows, 1),
                               heed_shape_scalar(), live(rows, columns)};
        heed_value a = floats(&c, "a", live(rows, columns)), b = floats(&c, "b", shapes[form]);
        (kind == HEED_BINARY_ADD        ? heed_add
         : kind == HEED_BINARY_SUBTRACT ? heed_subtract
         : kind == HEED_BINARY_MULTIPLY ? heed_multiply
                                        : heed_divide)(c.graph, a, b);
        run_case(c);
    }
    for (int form = 0; form < 3; form++) { /* three axes, and vectors */
        kernel_case c = row_case("binary of three axes", HEED_OP_BINARY, 5, &plain);
        heed_value a = floats(&c, "a", live3(5, 3, 19)), b = floats(&c, "b",
                                                                    form == 0   ? heed_shape_1(19)
                                                                    : form == 1 ? live3(5, 3, 1)
                                                                                : live3(5, 3, 19));
        heed_multiply(c.graph, a, b);
        run_case(c);
    }
    kernel_case c = row_case("binary of vectors", HEED_OP_BINARY, 21, &plain);
    heed_add(c.graph, floats(&c, "a", live(21, 0)), floats(&c, "b", live(21, 0)));
    run_case(c);
}

static void unary_kernels(void **state)
{
    (void)state;
    for (int kind = 1; kind < HEED_UNARY_COUNT; kind++)
        for (int special = 0; special < 4; special++)
            for (int backward = 0; backward < 2; backward++)
                for (int j = 0; j < COLUMNS_COUNT; j += 3) {
                    bool needs_positive = kind == HEED_UNARY_LOG || kind == HEED_UNARY_SQRT ||
                                          kind == HEED_UNARY_RSQRT;
                    row_data data = *specials[special];
                    data.positive = needs_positive;
                    data.scale = j == 3 ? 12 : 1;
                    /* limits at infinity are those of no formula */
                    if (backward && special > 1) continue;
                    kernel_case c = row_case(backward ? "unary_backward" : "unary",
                                             backward ? HEED_OP_UNARY_BACKWARD : HEED_OP_UNARY, 9,
                                             &data);
                    char name[64];
                    snprintf(name, sizeof name, "%s kind %d special %d", c.name, kind, special);
                    c.name = name;
                    c.tolerance = 4e-6;
                    heed_value x = floats(&c, "x", live(9, some_columns[j])),
                               y = heed_unary(c.graph, (heed_unary_kind)kind, x);
                    if (backward) differentiate(&c, y, &x, 1);
                    run_case(c);
                }
}

static void simple_kernels(void **state)
{
    (void)state;
    FOR_SIZES(rows, columns)
    {
        kernel_case c = row_case("scale", HEED_OP_SCALE, rows, &with_nan);
        heed_scale(c.graph, floats(&c, "x", live(rows, columns)), 0.37, -1.5);
        run_case(c);
        const heed_dtype types[] = {HEED_F32, HEED_F16, HEED_BF16};
        for (int from = 0; from < 3; from++)
            for (int to = 0; to < 3; to++) {
                if (from == to) continue;
                c = row_case("cast", HEED_OP_CAST, rows, &with_infinity);
                heed_cast(c.graph, heed_input(c.graph, "x", types[from], live(rows, columns)),
                          types[to]);
                run_case(c);
            }
        c = row_case("dropout", HEED_OP_DROPOUT, rows, &plain);
        heed_dropout(c.graph, floats(&c, "x", live(rows, columns)),
                     integers(&c, "rows", live(rows, 2)), 0.3f);
        run_case(c);
        const heed_shape sources[] = {heed_shape_scalar(), heed_shape_1(columns), live(rows, 1)};
        for (int form = 0; form < 3; form++) {
            if (columns == 1 && form == 2) continue;
            c = row_case("broadcast", HEED_OP_BROADCAST, rows, &plain);
            heed_broadcast(c.graph, floats(&c, "x", sources[form]),
                           floats(&c, "like", live(rows, columns)));
            if (c.graph->n_nodes) run_case(c);
            else heed_graph_free(c.graph);
        }
        c = row_case("accumulate", HEED_OP_ACCUMULATE, rows, &plain);
        heed_accumulate(c.graph,
                        heed_state(c.graph, "state", HEED_F32, heed_shape_2(rows, columns)),
                        floats(&c, "x", heed_shape_2(rows, columns)));
        run_case(c);
    }
}

static void norm_kernels(void **state)
{
    (void)state;
    FOR_SIZES(rows, columns)
    for (int form = 0; form < 6; form++) {
        bool layer = form<3, gain = form % 3> 0, bias = form == 2;
        for (int backward = 0; backward < 3; backward++) {
            heed_op_id op = backward == 0   ? (layer ? HEED_OP_LAYER_NORM : HEED_OP_RMS_NORM)
                            : backward == 2 ? HEED_OP_NORM_GAIN_BACKWARD
                            : layer         ? HEED_OP_LAYER_NORM_BACKWARD
                                            : HEED_OP_RMS_NORM_BACKWARD;
            if (backward == 2 && !gain) continue;
            kernel_case c = row_case("norm", op, rows, &plain);
            c.tolerance = 5e-6;
            /* of one column nothing is left but rounding */
            c.absolute = columns == 1 ? 1e-3 : 1e-6;
            bool three = form == 1;
            heed_value x = floats(&c, "x", three ? live3(rows, 2, columns) : live(rows, columns));
            heed_value g = gain ? floats(&c, "gain", heed_shape_1(columns)) : HEED_NONE,
                       b = bias ? floats(&c, "bias", heed_shape_1(columns)) : HEED_NONE;
            heed_value y = layer ? heed_layer_norm(c.graph, x, g, b, 1e-5f)
                                 : heed_rms_norm(c.graph, x, g, 1e-6f, form == 5 ? 1.0f : 0);
            if (backward)
                differentiate(&c, heed_multiply(c.graph, y, y), (heed_value[]){x, g}, gain ? 2 : 1);
            run_case(c);
        }
    }
    kernel_case c = row_case("norm of many rows", HEED_OP_NORM_GAIN_BACKWARD, 1000, &plain);
    heed_value x = floats(&c, "x", live(1000, 300)), gain = floats(&c, "gain", heed_shape_1(300)),
               y = heed_layer_norm(c.graph, x, gain, HEED_NONE, 1e-5f);
    differentiate(&c, heed_multiply(c.graph, y, y), (heed_value[]){x, gain}, 2);
    c.tolerance = 1e-5;
    run_case(c);
}

static void softmax_kernels(void **state)
{
    (void)state;
    FOR_SIZES(rows, columns)
    for (int special = 0; special < 4; special++)
        for (int backward = 0; backward < 2; backward++) {
            row_data data = *specials[special];
            data.limit = columns;
            data.scale = 3;
            kernel_case c = row_case(
                "softmax", backward ? HEED_OP_SOFTMAX_BACKWARD : HEED_OP_SOFTMAX, rows, &data);
            heed_value x = floats(&c, "x",
                                  special == 0 ? live3(rows, 2, columns) : live(rows, columns)),
                       y = heed_softmax(c.graph, x);
            if (backward) differentiate(&c, heed_multiply(c.graph, y, y), &x, 1);
            run_case(c);
            if (special == 2) continue;
            c = row_case("cross entropy",
                         backward ? HEED_OP_CROSS_ENTROPY_BACKWARD : HEED_OP_CROSS_ENTROPY, rows,
                         &data);
            c.absolute = 1e-6;
            x = floats(&c, "x", heed_shape_live(HEED_EXTENT_GATHERED, rows + 2, columns));
            heed_value labels = integers(&c, "labels",
                                         heed_shape_live(HEED_EXTENT_GATHERED, rows + 2, 0));
            y = heed_cross_entropy(c.graph, x, labels, special == 1 ? 0 : 0.1f);
            if (backward) differentiate(&c, heed_multiply(c.graph, y, y), &x, 1);
            run_case(c);
        }
    kernel_case all_nan = row_case("softmax of NaNs", HEED_OP_SOFTMAX, 3,
                                   &(row_data){.scale = NAN});
    heed_softmax(all_nan.graph, floats(&all_nan, "x", live(3, 21)));
    run_case(all_nan);
    kernel_case c = row_case("a large vocabulary", HEED_OP_CROSS_ENTROPY, 3,
                             &(row_data){.limit = 250000});
    heed_cross_entropy(c.graph, floats(&c, "x", heed_shape_live(HEED_EXTENT_GATHERED, 4, 250001)),
                       integers(&c, "labels", heed_shape_live(HEED_EXTENT_GATHERED, 4, 0)), 0);
    run_case(c);
}

typedef struct {
    int64_t rows, width, vocabulary;
    bool bias, backward, half;
} loss_form;

/* Losses of rows and their gradients to x, weight and bias. */
static void linear_loss_case(loss_form of, const row_data *data)
{
    const int64_t rows = of.rows, width = of.width, vocabulary = of.vocabulary;
    const bool bias = of.bias, backward = of.backward, half = of.half;
    kernel_case c = row_case("losses without logits",
                             backward ? HEED_OP_LINEAR_CROSS_ENTROPY_BACKWARD
                                      : HEED_OP_LINEAR_CROSS_ENTROPY,
                             rows, data);
    c.tolerance = 1e-5;
    c.absolute = 1e-6;
    heed_shape shape = heed_shape_2(rows + 2, width);
    shape.extent = HEED_EXTENT_GATHERED;
    heed_value x[3] = {floats(&c, "x", shape),
                       heed_input(c.graph, "weight", half ? HEED_BF16 : HEED_F32,
                                  heed_shape_2(vocabulary, width))};
    x[2] = bias ? floats(&c, "bias", heed_shape_1(vocabulary)) : HEED_NONE;
    heed_value labels = integers(&c, "labels", heed_shape_live(HEED_EXTENT_GATHERED, rows + 2, 0));
    heed_value y = heed_linear_cross_entropy(c.graph, x[0], x[1], x[2], labels, bias ? 0.1f : 0);
    if (half) assert_int_equal(heed_pass_precision(c.graph, NULL), HEED_OK);
    if (half) { /* the last bit of a gradient may decide how it is rounded */
        c.tolerance = 3e-3;
        c.absolute = 2e-3;
    }
    if (backward) differentiate(&c, heed_multiply(c.graph, y, y), x, bias ? 3 : 2);
    run_case(c);
}

static void linear_loss_kernels(void **state)
{
    (void)state;
    /* the last in two chunks */
    static const int64_t sizes[][3] = {
        {0, 3, 5}, {1, 1, 1}, {7, 16, 33}, {65, 40, 70}, {13, 0, 4}, {1030, 2, 3},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int form = 0; form < 8; form++) {
            row_data data = {.limit = sizes[i][2], .scale = 0.5};
            linear_loss_case(
                (loss_form){sizes[i][0], sizes[i][1], sizes[i][2], form & 1, form & 2, form & 4},
                &data);
        }
    linear_loss_case((loss_form){7, 16, 33, true, true, false},
                     &(row_data){.limit = 33, .special = NAN});
}

static void reduce_kernels(void **state)
{
    (void)state;
    FOR_SIZES(rows, columns)
    for (int kind = HEED_REDUCE_SUM; kind <= HEED_REDUCE_MEAN; kind++)
        for (int axis = 0; axis < 5; axis++)
            for (int backward = 0; backward < 2; backward++) {
                kernel_case c = row_case("reduce",
                                         backward ? HEED_OP_REDUCE_BACKWARD : HEED_OP_REDUCE, rows,
                                         axis == 1 ? &with_nan : &plain);
                c.absolute = 1e-6;
                heed_value x = floats(&c, "x",
                                      axis >= 2 ? live3(rows, 5, columns) : live(rows, columns));
                heed_value y = heed_reduce(c.graph, (heed_reduce_kind)kind, x,
                                           axis >= 2 ? axis - 2 : axis, axis == 1);
                if (backward) {
                    heed_value loss = y, dx;
                    while (heed_value_shape(c.graph, loss).rank > 0)
                        loss = heed_scale(
                            c.graph, heed_reduce(c.graph, HEED_REDUCE_SUM, loss, 0, false), 1, 0);
                    heed_error error = {0};
                    if (heed_graph_gradient(c.graph, loss, &x, 1, &dx, &error) != HEED_OK)
                        fail_msg("%s", error.message);
                }
                run_case(c);
            }
    const int64_t lengths[] = {0, 1, 5, 130, 1000};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (int kind = HEED_REDUCE_SUM; kind <= HEED_REDUCE_MEAN; kind++) {
            kernel_case c = row_case("reduce a vector", HEED_OP_REDUCE, lengths[i], &plain);
            c.absolute = 1e-6;
            heed_reduce(c.graph, (heed_reduce_kind)kind, floats(&c, "x", live(lengths[i], 0)), 0,
                        false);
            run_case(c);
        }
}

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

static void row_moving_kernels(void **state)
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
        for (int kept = 0; kept < 5; kept++) { /* i8 with one run a row, and with one a column */
            static const heed_dtype kinds[] = {HEED_F32, HEED_BF16, HEED_I8, HEED_I8, HEED_F16};
            int64_t wide = columns + (kept == 2 ? 4 : kept == 3 ? 4 * columns : 0);
            c = row_case("cache_write", HEED_OP_CACHE_WRITE, rows, &(row_data){.limit = 64});
            heed_cache_write(
                c.graph, heed_state(c.graph, "cache", kinds[kept], heed_shape_2(64, wide)),
                floats(&c, "x", live(rows, columns)), integers(&c, "slots", live(rows, 0)));
            run_case(c);
        }
        for (int three = 0; three < 2; three++) {
            heed_shape shape = three ? live3(rows, 3, columns) : live(rows, columns);
            c = row_case("slice", HEED_OP_SLICE, rows, &plain);
            heed_slice(c.graph, floats(&c, "x", shape), columns / 3, columns);
            run_case(c);
            c = row_case("pad_columns", HEED_OP_PAD_COLUMNS, rows, &plain);
            heed_value x = floats(&c, "x", shape), y = heed_slice(c.graph, x, columns / 3, columns);
            differentiate(&c, heed_multiply(c.graph, y, y), &x, 1);
            if (columns > 1) run_case(c);
            else heed_graph_free(c.graph);
            c = row_case("concatenate", HEED_OP_CONCATENATE, rows, &plain);
            heed_concatenate(
                c.graph,
                (heed_value[]){floats(&c, "a", shape),
                               floats(&c, "b", three ? live3(rows, 3, 5) : live(rows, 5)),
                               floats(&c, "c", shape)},
                3);
            run_case(c);
            c = row_case("reshape", HEED_OP_RESHAPE, rows, &plain);
            heed_reshape(c.graph, floats(&c, "x", shape),
                         three ? live(rows, 3 * columns) : live3(rows, 1, columns));
            run_case(c);
        }
        c = row_case("transpose", HEED_OP_TRANSPOSE, 0, &plain);
        heed_transpose(c.graph, floats(&c, "x", heed_shape_2(rows, columns)));
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
    c = row_case("slice of a vector", HEED_OP_SLICE, 0, &plain);
    heed_slice(c.graph, floats(&c, "x", heed_shape_1(40)), 3, 29);
    run_case(c);
    c = row_case("concatenate vectors", HEED_OP_CONCATENATE, 0, &plain);
    heed_concatenate(
        c.graph,
        (heed_value[]){floats(&c, "a", heed_shape_1(40)), floats(&c, "b", heed_shape_1(3))}, 2);
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

/* ---- matmuls: all orientations, epilogues, joins, norms, panels ---- */

static void matmul_kernels(void **state)
{
    (void)state;
    const heed_dtype types[] = {HEED_F32, HEED_F16, HEED_BF16};
    const int64_t sizes[][3] = {
        {0, 5, 4}, {1, 33, 17}, {5, 16, 64}, {13, 70, 65}, {50, 129, 40}, {3, 7, 0},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int form = 0; form < 4; form++)
            for (int type = 0; type < 3; type++)
                for (int how = 0; how < 4; how++) {
                    const bool panels = how & 1;
                    heed_matmul_attributes attributes = {.transpose_a = form & 1,
                                                         .transpose_b = (form & 2) != 0,
                                                         .bf16_operands = (how & 2) != 0};
                    int64_t m = sizes[i][0], n = sizes[i][1], k = sizes[i][2];
                    bool transpose_a = form & 1, transpose_b = form & 2;
                    if (panels && transpose_a) continue;
                    if (transpose_a && type) continue;
                    kernel_case c = row_case("matmul", HEED_OP_MATMUL,
                                             transpose_a && !transpose_b ? k : m, &plain);
                    c.panels = panels;
                    c.panels_input = 1;
                    heed_shape a_shape = !transpose_a  ? live_matrix(m, k)
                                         : transpose_b ? heed_shape_2(k, m)
                                                       : live_matrix(k, m);
                    heed_shape b_shape = transpose_b   ? heed_shape_2(n, k)
                                         : transpose_a ? live_matrix(k, n)
                                                       : heed_shape_2(k, n);
                    heed_value b = transpose_a && !transpose_b
                                       ? floats(&c, "b", b_shape)
                                       : heed_constant(c.graph, "b", types[type], b_shape);
                    heed_emit(c.graph, HEED_OP_MATMUL, (heed_value[]){floats(&c, "a", a_shape), b},
                              2, &attributes, NULL);
                    run_case(c);
                }
}

/* So much to pack that threads share it, alone and joined. */
static void matmuls_packed_in_parts(void **state)
{
    (void)state;
    const int64_t m = 26, n = 300, k = 450;
    for (int type = 0; type < 2; type++) {
        kernel_case c = row_case("matmul", HEED_OP_MATMUL, m, &plain);
        heed_matmul_attributes attributes = {.transpose_b = true, .bf16_operands = true};
        heed_value a = floats(&c, "a", live(m, k)),
                   b = heed_constant(c.graph, "b", type ? HEED_BF16 : HEED_F32, heed_shape_2(n, k));
        heed_emit(c.graph, HEED_OP_MATMUL, (heed_value[]){a, b}, 2, &attributes, NULL);
        run_case(c);
        c = row_case("fused matmul", HEED_OP_FUSED_MATMUL, m, &plain);
        heed_fused_matmul_attributes fused;
        memset(&fused, 0, sizeof fused);
        fused.joined = 2;
        fused.transpose_b = true;
        fused.bf16_operands = true;
        heed_value in[HEED_FUSED_INPUTS];
        for (int i = 0; i < HEED_FUSED_INPUTS; i++) in[i] = HEED_NONE;
        in[HEED_FUSED_A] = floats(&c, "a", live(m, k));
        for (int i = 0; i < 2; i++)
            in[HEED_FUSED_B + i] = heed_constant(
                c.graph, i ? "b1" : "b0", type ? HEED_BF16 : HEED_F32, heed_shape_2(i ? 17 : n, k));
        in[HEED_FUSED_BIAS] = floats(&c, "bias", heed_shape_1(n));
        heed_emit(c.graph, HEED_OP_FUSED_MATMUL, in, HEED_FUSED_INPUTS, &fused, NULL);
        run_case(c);
    }
}

static void fused_matmul_kernels(void **state)
{
    (void)state;
    for (int variant = 0; variant < 128; variant++)
        for (int64_t rows = 1; rows <= 40; rows += 13) {
            kernel_case c = row_case("fused_matmul", HEED_OP_FUSED_MATMUL, rows, &plain);
            c.tolerance = 5e-6;
            heed_fused_matmul_attributes attributes;
            memset(&attributes, 0, sizeof attributes);
            bool gain = variant & 8;
            int64_t total = 0, k = 65, widths[] = {40, 16, 7};
            attributes.joined = 1 + variant % 3;
            attributes.transpose_b = !(variant & 16);
            attributes.activation = variant & 1 ? HEED_UNARY_GELU : HEED_UNARY_LINEAR;
            attributes.norm = variant & 32  ? HEED_FUSED_NORM_LAYER
                              : variant & 8 ? HEED_FUSED_NORM_RMS
                                            : HEED_FUSED_NORM_NONE;
            attributes.eps = 1e-5f;
            attributes.bf16_operands = variant >= 64;
            heed_value in[HEED_FUSED_INPUTS];
            for (int i = 0; i < HEED_FUSED_INPUTS; i++) in[i] = HEED_NONE;
            in[HEED_FUSED_A] = floats(&c, "a", live(rows, k));
            for (int i = 0; i < attributes.joined; i++) {
                char name[2][24];
                snprintf(name[0], sizeof name[0], "b%d", i);
                snprintf(name[1], sizeof name[1], "bias%d", i);
                in[HEED_FUSED_B + i] = heed_constant(
                    c.graph, name[0], variant & 2 ? HEED_BF16 : HEED_F32,
                    attributes.transpose_b ? heed_shape_2(widths[i], k)
                                           : heed_shape_2(k, widths[i]));
                if (variant & 4)
                    in[HEED_FUSED_BIAS + i] = floats(&c, name[1], heed_shape_1(widths[i]));
                total += widths[i];
            }
            /* The last bit of a normalized value may decide how it is rounded. */
            if (attributes.bf16_operands && attributes.norm) c.tolerance = 1e-3;
            if (variant & 1) in[HEED_FUSED_GATE] = floats(&c, "gate", live(rows, total));
            if (variant & 4) in[HEED_FUSED_RESIDUAL] = floats(&c, "residual", live(rows, total));
            if (attributes.norm && gain)
                in[HEED_FUSED_NORM_GAIN] = floats(&c, "gain", heed_shape_1(k));
            if (attributes.norm == HEED_FUSED_NORM_LAYER && gain)
                in[HEED_FUSED_NORM_BIAS] = floats(&c, "shift", heed_shape_1(k));
            heed_emit(c.graph, HEED_OP_FUSED_MATMUL, in, HEED_FUSED_INPUTS, &attributes, NULL);
            c.panels = variant & 2;
            c.panels_input = HEED_FUSED_B;
            c.panels_count = rows % 2 ? attributes.joined : 1; /* or panels and rows side by side */
            run_case(c);
        }
}

/* Weights in blocks: with one row, few and many; alone, joined, gated; with and without a norm.
   Without norm and activation the bits are those of the reference. */
static void quantized_matmul_kernels(void **state)
{
    (void)state;
    static const heed_dtype types[] = {HEED_Q4_0, HEED_Q4_1, HEED_Q5_0,
                                       HEED_Q8_0, HEED_Q4_K, HEED_Q6_K};
    static const int64_t rows[] = {0, 1, 5, 11, 66};
    for (int variant = 0; variant < 6 * 5 * 2; variant++) {
        /* many rows with a format of each kind of scales */
        if (variant / 6 % 5 == 4 && variant % 3) continue;
        const heed_dtype type = types[variant % 6];
        const int64_t n = rows[variant / 6 % 5],
                      k = type == HEED_Q4_K || type == HEED_Q6_K ? 256 : 64, width = 33;
        const bool gated = variant / 30;
        kernel_case c = row_case("quantized matmul", HEED_OP_MATMUL, n, &plain);
        c.panels = true;
        c.panels_input = 1;
        c.reference_bits = true;
        heed_matmul(c.graph, floats(&c, "a", live(n, k)),
                    heed_constant(c.graph, "b", type, heed_shape_2(width, k)), false, true);
        run_case(c);
        c = row_case("fused quantized matmul", HEED_OP_FUSED_MATMUL, n, &plain);
        heed_fused_matmul_attributes attributes;
        memset(&attributes, 0, sizeof attributes);
        attributes.transpose_b = 1;
        attributes.joined = 2;
        attributes.gated = gated;
        attributes.activation = gated ? HEED_UNARY_SILU : HEED_UNARY_LINEAR;
        attributes.norm = gated ? HEED_FUSED_NORM_RMS : HEED_FUSED_NORM_NONE;
        attributes.eps = 1e-5f;
        c.panels = true;
        c.panels_input = HEED_FUSED_B;
        c.panels_count = 2;
        c.reference_bits = !gated;
        heed_value in[HEED_FUSED_INPUTS];
        for (int i = 0; i < HEED_FUSED_INPUTS; i++) in[i] = HEED_NONE;
        in[HEED_FUSED_A] = floats(&c, "a", live(n, k));
        in[HEED_FUSED_B] = heed_constant(c.graph, "b", type, heed_shape_2(width, k));
        in[HEED_FUSED_B + 1] = heed_constant(c.graph, "b1", type,
                                             heed_shape_2(gated ? width : 7, k));
        in[HEED_FUSED_BIAS + 1] = floats(&c, "bias", heed_shape_1(gated ? width : 7));
        if (gated) in[HEED_FUSED_NORM_GAIN] = floats(&c, "gain", heed_shape_1(k));
        else in[HEED_FUSED_RESIDUAL] = floats(&c, "residual", live(n, width + 7));
        heed_emit(c.graph, HEED_OP_FUSED_MATMUL, in, HEED_FUSED_INPUTS, &attributes, NULL);
        run_case(c);
    }
}

/* Gated matmuls of plain weights: the second is the gate of the first, found in the result. */
static void gated_matmul_kernels(void **state)
{
    (void)state;
    for (int variant = 0; variant < 16; variant++)
        for (int64_t rows = 1; rows <= 40; rows += 13) {
            kernel_case c = row_case("gated matmul", HEED_OP_FUSED_MATMUL, rows, &plain);
            heed_fused_matmul_attributes attributes;
            memset(&attributes, 0, sizeof attributes);
            attributes.transpose_b = !(variant & 1);
            attributes.joined = 2;
            attributes.gated = 1;
            attributes.activation = HEED_UNARY_SILU;
            attributes.norm = variant & 2 ? HEED_FUSED_NORM_RMS : HEED_FUSED_NORM_NONE;
            attributes.eps = 1e-5f;
            attributes.bf16_operands = variant >= 8;
            c.tolerance = attributes.bf16_operands && attributes.norm ? 1e-3 : 5e-6;
            c.panels = variant & 4;
            c.panels_input = HEED_FUSED_B;
            c.panels_count = 2;
            const int64_t k = 530, width = 35;
            heed_value in[HEED_FUSED_INPUTS];
            for (int i = 0; i < HEED_FUSED_INPUTS; i++) in[i] = HEED_NONE;
            in[HEED_FUSED_A] = floats(&c, "a", live(rows, k));
            for (int i = 0; i < 2; i++)
                in[HEED_FUSED_B + i] = heed_constant(
                    c.graph, i ? "b1" : "b0", attributes.bf16_operands ? HEED_BF16 : HEED_F32,
                    attributes.transpose_b ? heed_shape_2(width, k) : heed_shape_2(k, width));
            in[HEED_FUSED_BIAS] = floats(&c, "bias", heed_shape_1(width));
            heed_emit(c.graph, HEED_OP_FUSED_MATMUL, in, HEED_FUSED_INPUTS, &attributes, NULL);
            run_case(c);
        }
}

/* An accumulating matmul goes on from the sums of its state, in the state's own memory. */
static void accumulating_matmul(void **state)
{
    (void)state;
    for (int isa = 0; isa <= (int)heed_isa_detect(); isa++) {
        kernel_case c = row_case("accumulating", HEED_OP_FUSED_MATMUL, 30, &plain);
        heed_fused_matmul_attributes attributes;
        memset(&attributes, 0, sizeof attributes);
        attributes.joined = 1;
        attributes.transpose_a = 1;
        heed_value in[HEED_FUSED_INPUTS];
        for (int i = 0; i < HEED_FUSED_INPUTS; i++) in[i] = HEED_NONE;
        in[HEED_FUSED_A] = floats(&c, "a", live(30, 70));
        in[HEED_FUSED_B] = floats(&c, "b", live(30, 40));
        in[HEED_FUSED_STATE] = heed_state(c.graph, "state", HEED_F32, heed_shape_2(70, 40));
        heed_emit(c.graph, HEED_OP_FUSED_MATMUL, in, HEED_FUSED_INPUTS, &attributes, NULL);
        heed_backend *backend = NULL;
        assert_ok(heed_cpu_backend_new(&backend, 1, (heed_isa)isa, &error));
        case_operands expected = case_operands_new(&c, 0, false),
                      all = case_operands_new(&c, 4, false);
        heed_runtime runtime = case_runtime(&c);
        heed_kernel_args args = case_args(&c, &expected, &runtime, (heed_isa)isa);
        heed_ops[c.op]->reference(&args);
        heed_operand own = all.operand[all.n_in];
        all.operand[all.n_in] = all.operand[HEED_FUSED_STATE];
        const heed_kernel *kernel = case_kernel(&c, &all, backend);
        assert_non_null(kernel);
        case_run_kernel(kernel, case_args(&c, &all, &runtime, (heed_isa)isa), 1, true);
        case_check_bits(&c, "accumulating in place", &all, &expected);
        case_check_fence(&c, &all, HEED_FUSED_STATE);
        all.operand[all.n_in] = own;
        case_operands_free(&all);
        case_operands_free(&expected);
        heed_cpu_backend_free(backend);
        heed_graph_free(c.graph);
    }
}

/* Losses in chunks whose gradient of the weight goes on from the sums of a state: the bits of the
   plain matmuls of all rows at once. */
static void loss_gradients_continue_a_state(void **state)
{
    (void)state;
    for (int isa = 0; isa <= (int)heed_isa_detect(); isa++) {
        row_data data = {.limit = 3, .scale = 0.5};
        kernel_case c = row_case("losses into a state", HEED_OP_LINEAR_CROSS_ENTROPY_BACKWARD, 1030,
                                 &data);
        c.tolerance = 1e-5;
        c.absolute = 1e-5;
        heed_value in[HEED_LINEAR_LOSS_INPUTS] =
            {floats(&c, "x", heed_shape_live(HEED_EXTENT_GATHERED, 1030, 2)),
             floats(&c, "weight", heed_shape_2(3, 2)),
             integers(&c, "labels", heed_shape_live(HEED_EXTENT_GATHERED, 1030, 0)),
             HEED_NONE,
             floats(&c, "drow", heed_shape_live(HEED_EXTENT_GATHERED, 1030, 0)),
             heed_state(c.graph, "state", HEED_F32, heed_shape_2(3, 2))},
                   out[4];
        heed_linear_loss_attributes attributes = {0};
        heed_emit(c.graph, HEED_OP_LINEAR_CROSS_ENTROPY_BACKWARD, in, HEED_LINEAR_LOSS_INPUTS,
                  &attributes, out);
        heed_backend *backend = NULL;
        assert_ok(heed_cpu_backend_new(&backend, 1, (heed_isa)isa, &error));
        case_operands expected = case_operands_new(&c, 0, false),
                      all = case_operands_new(&c, 4, false);
        heed_runtime runtime = case_runtime(&c);
        for (int i = 0; i < 2; i++) { /* in place in both */
            case_operands *one = i ? &all : &expected;
            one->operand[one->n_in] = one->operand[HEED_LINEAR_LOSS_STATE];
        }
        heed_kernel_args args = case_args(&c, &expected, &runtime, (heed_isa)isa);
        heed_ops[c.op]->reference(&args);
        const heed_kernel *kernel = case_kernel(&c, &all, backend);
        assert_non_null(kernel);
        case_run_kernel(kernel, case_args(&c, &all, &runtime, (heed_isa)isa), 1, true);
        for (int64_t i = 0; i < 6; i++) {
            const heed_operand *a = &expected.operand[HEED_LINEAR_LOSS_STATE],
                               *b = &all.operand[HEED_LINEAR_LOSS_STATE];
            double wanted = ((const float *)a->data)[i / 2 * a->row_stride + i % 2],
                   found = ((const float *)b->data)[i / 2 * b->row_stride + i % 2];
            if (fabs(wanted - found) > 1e-4 * fabs(wanted) + 1e-4)
                fail_msg("gradient of the weight: %g, expected %g", found, wanted);
        }
        case_check_fence(&c, &all, HEED_LINEAR_LOSS_STATE);
        case_operands_free(&all);
        case_operands_free(&expected);
        heed_cpu_backend_free(backend);
        heed_graph_free(c.graph);
    }
}

/* ---- experts ---- */

enum { MOST_EXPERTS = 8, MOST_SLOTS = 4096 };
/* skew: rows prefer expert 0 ... */
typedef struct {
    int choices;
    int64_t experts, rows;
    int skew;
} expert_data;

/* The first of the choices of a row; they are distinct, and now and then there is none. */
static int64_t chosen(const expert_data *d, int64_t row, int64_t j)
{
    int64_t first = d->skew && row % 5 ? 0 : (row * 7 + row / 3) % d->experts;
    return row % 11 == 10 ? -1 : (first + j) % d->experts;
}

/* Integers of a case's inputs: choices, or what expert_permutation makes of them. */
static double expert_element(const kernel_case *c, int input, int64_t row, int64_t column,
                             heed_rng *rng)
{
    const expert_data *d = c->data;
    heed_value value = case_node(c)->in[input];
    const char *name = c->graph->values[value].name;
    if (c->graph->values[value].dtype != HEED_I32) return heed_rng_normal(rng);
    if (!strcmp(name, "choices")) return (double)chosen(d, row, column);
    int64_t starts[MOST_EXPERTS + 2] = {0}, places[MOST_SLOTS], pairs = d->rows * d->choices;
    for (int64_t p = 0; p < pairs; p++) {
        int64_t x = chosen(d, p / d->choices, p % d->choices);
        for (int64_t e = (x < 0 ? d->experts : x) + 1; e <= d->experts + 1; e++) starts[e]++;
    }
    if (!strcmp(name, "offsets")) return (double)starts[row];
    for (int64_t p = 0; p < pairs; p++) {
        int64_t x = chosen(d, p / d->choices, p % d->choices),
                to = starts[x < 0 ? d->experts : x]++;
        places[!strcmp(name, "order") ? to : p] = !strcmp(name, "order") ? p : to;
    }
    return (double)places[row * d->choices + column];
}

static kernel_case expert_case(const char *name, heed_op_id op, const expert_data *d)
{
    kernel_case c = row_case(name, op, d->rows, &plain);
    c.element = expert_element;
    c.data = d;
    return c;
}

static heed_expert_permutation given_order(kernel_case *c, const expert_data *d)
{
    return (heed_expert_permutation){
        .permutation = integers(c, "order", live(d->rows, d->choices)),
        .inverse = integers(c, "place", live(d->rows, d->choices)),
        .offsets = integers(c, "offsets", heed_shape_1(d->experts + 1))};
}

static const expert_data expert_sizes[] = {
    {1, 1, 0, 0},  {1, 1, 1, 0},  {2, 3, 1, 0}, {2, 3, 9, 0},
    {4, 8, 33, 0}, {2, 8, 60, 1}, {8, 8, 7, 0}, {1, 5, 200, 1},
};
enum { EXPERT_SIZES = sizeof expert_sizes / sizeof *expert_sizes };

static void expert_row_kernels(void **state)
{
    (void)state;
    for (int i = 0; i < EXPERT_SIZES; i++)
        for (int j = 0; j < COLUMNS_COUNT; j++)
            for (int weighted = 0; weighted < 2; weighted++) {
                const expert_data *d = &expert_sizes[i];
                int64_t D = some_columns[j];
                kernel_case c = expert_case("expert_dispatch", HEED_OP_EXPERT_DISPATCH, d);
                heed_expert_permutation order = given_order(&c, d);
                heed_value weights = weighted ? floats(&c, "weights", live(d->rows, d->choices))
                                              : HEED_NONE;
                heed_expert_dispatch(c.graph, floats(&c, "x", live(d->rows, D)), &order, weights);
                run_case(c);
                c = expert_case("expert_combine", HEED_OP_EXPERT_COMBINE, d);
                order = given_order(&c, d);
                weights = weighted ? floats(&c, "weights", live(d->rows, d->choices)) : HEED_NONE;
                heed_expert_combine(c.graph, floats(&c, "x", live3(d->rows, d->choices, D)), &order,
                                    weights);
                run_case(c);
                if (weighted) continue;
                c = expert_case("expert_dot", HEED_OP_EXPERT_DOT, d);
                order = given_order(&c, d);
                heed_emit(c.graph, HEED_OP_EXPERT_DOT,
                          (heed_value[]){floats(&c, "x", live3(d->rows, d->choices, D)),
                                         floats(&c, "z", live(d->rows, D)), order.inverse},
                          3, NULL, NULL);
                c.absolute = 1e-6;
                run_case(c);
                c = expert_case("expert_sum", HEED_OP_EXPERT_SUM, d);
                order = given_order(&c, d);
                heed_emit(
                    c.graph, HEED_OP_EXPERT_SUM,
                    (heed_value[]){floats(&c, "x", live3(d->rows, d->choices, D)), order.offsets},
                    2, NULL, NULL);
                run_case(c);
            }
    FOR_SIZES(rows, columns)
    for (int64_t count = 1; count <= columns && count <= 8; count += 3) {
        heed_value index, x;
        kernel_case c = row_case("top_k", HEED_OP_TOP_K, rows, specials[(size_t)count % 4]);
        heed_top_k(c.graph, floats(&c, "x", live(rows, columns)), count, &index);
        run_case(c);
        c = row_case("top_k_backward", HEED_OP_TOP_K_BACKWARD, rows, &plain);
        x = floats(&c, "x", live(rows, columns));
        differentiate(&c, heed_top_k(c.graph, x, count, &index), &x, 1);
        run_case(c);
    }
}

static void expert_matmul_kernels(void **state)
{
    (void)state;
    const heed_dtype types[] = {HEED_F32, HEED_F16, HEED_BF16};
    const int64_t widths[][2] = {{1, 1}, {33, 17}, {64, 40}, {7, 130}, {300, 257}};
    for (int i = 0; i < EXPERT_SIZES; i++)
        for (int w = 0; w < 5; w++)
            for (int variant = 0; variant < 16; variant++) {
                const expert_data *d = &expert_sizes[i];
                int64_t O = widths[w][0], K = widths[w][1];
                bool transposed = !(variant & 2), fused = variant & 4;
                if (w == 4 && (i != 5 || (variant & 6))) continue;
                kernel_case c = expert_case("expert_matmul", HEED_OP_EXPERT_MATMUL, d);
                c.panels = variant & 1;
                c.panels_input = HEED_EXPERT_WEIGHT;
                c.tolerance = 5e-6;
                heed_expert_matmul_attributes attributes = {
                    .transpose_b = transposed,
                    .activation = fused ? HEED_UNARY_SILU : HEED_UNARY_LINEAR,
                    .bf16_operands = (w + i) % 2,
                };
                heed_expert_outer_attributes outer_attributes = {.bf16_operands = (w + i) % 2};
                heed_value in[HEED_EXPERT_INPUTS] = {
                    floats(&c, "x", live3(d->rows, d->choices, K)),
                    heed_constant(c.graph, "w", types[(variant + i) % 3],
                                  heed_shape_of(3, (int64_t[]){d->experts, transposed ? O : K,
                                                               transposed ? K : O})),
                    integers(&c, "offsets", heed_shape_1(d->experts + 1)), HEED_NONE, HEED_NONE};
                if (variant & 8)
                    in[HEED_EXPERT_BIAS] = floats(&c, "bias", heed_shape_2(d->experts, O));
                if (fused) in[HEED_EXPERT_GATE] = floats(&c, "gate", live3(d->rows, d->choices, O));
                heed_emit(c.graph, HEED_OP_EXPERT_MATMUL, in, HEED_EXPERT_INPUTS, &attributes,
                          NULL);
                run_case(c);
                if (variant >= 2) continue;
                c = expert_case("expert_outer", HEED_OP_EXPERT_OUTER, d);
                heed_value outer[4] = {floats(&c, "a", live3(d->rows, d->choices, O)),
                                       floats(&c, "b", live3(d->rows, d->choices, K)),
                                       integers(&c, "offsets", heed_shape_1(d->experts + 1)),
                                       HEED_NONE};
                if (variant)
                    outer[HEED_EXPERT_OUTER_STATE] = heed_state(
                        c.graph, "state", HEED_F32,
                        heed_shape_of(3, (int64_t[]){d->experts, O, K}));
                heed_emit(c.graph, HEED_OP_EXPERT_OUTER, outer, 4, &outer_attributes, NULL);
                run_case(c);
            }
}

/* A slot's bits are those of a plain matmul of its row with its expert's weights, whatever else is
   in the batch. */
static void experts_have_the_bits_of_plain_matmuls(void **state)
{
    (void)state;
    expert_data d = {2, 3, 40, 1};
    for (int isa = 0; isa <= (int)heed_isa_detect(); isa++) {
        heed_backend *backend = NULL;
        assert_ok(heed_cpu_backend_new(&backend, 1, (heed_isa)isa, &error));
        kernel_case c = expert_case("experts", HEED_OP_EXPERT_MATMUL, &d),
                    one = row_case("one", HEED_OP_MATMUL, 1, &plain);
        heed_expert_permutation order = given_order(&c, &d);
        heed_expert_matmul(
            c.graph, floats(&c, "x", live3(40, 2, 70)),
            heed_constant(c.graph, "w", HEED_F32, heed_shape_of(3, (int64_t[]){3, 50, 70})),
            HEED_NONE, &order);
        heed_matmul(one.graph, floats(&one, "x", live(1, 70)),
                    heed_constant(one.graph, "w", HEED_F32, heed_shape_2(50, 70)), false, true);
        case_operands all = case_operands_new(&c, 0, false),
                      single = case_operands_new(&one, 0, false);
        heed_runtime runtime = case_runtime(&c);
        const heed_kernel *kernel = case_kernel(&c, &all, backend),
                          *plain_kernel = case_kernel(&one, &single, backend);
        case_run_kernel(kernel, case_args(&c, &all, &runtime, (heed_isa)isa), 1, true);
        const int32_t *offsets = all.operand[HEED_EXPERT_OFFSETS].data;
        for (int64_t e = 0; e < 3; e++)
            for (int64_t s = offsets[e]; s < offsets[e + 1]; s++) {
                memcpy(single.operand[0].data, (float *)all.operand[0].data + s * 70,
                       70 * sizeof(float));
                memcpy(single.operand[1].data, (float *)all.operand[1].data + e * 50 * 70,
                       50 * 70 * sizeof(float));
                case_run_kernel(plain_kernel, case_args(&one, &single, &runtime, (heed_isa)isa), 1,
                                false);
                assert_memory_equal(single.operand[2].data,
                                    (float *)all.operand[all.n_in].data + s * 50,
                                    50 * sizeof(float));
            }
        case_operands_free(&all);
        case_operands_free(&single);
        heed_graph_free(c.graph);
        heed_graph_free(one.graph);
        heed_cpu_backend_free(backend);
    }
}

static void clamped_swiglu_kernels(void **state)
{
    (void)state;
    FOR_SIZES(rows, columns)
    for (int backward = 0; backward < 2; backward++) {
        kernel_case c = row_case(
            "clamped_swiglu", backward ? HEED_OP_CLAMPED_SWIGLU_BACKWARD : HEED_OP_CLAMPED_SWIGLU,
            rows, specials[columns % 2]);
        c.tolerance = 5e-6;
        heed_value x[2] = {floats(&c, "gate", live(rows, columns)),
                           floats(&c, "up", live(rows, columns))};
        heed_value y = heed_clamped_swiglu(c.graph, x[0], x[1], 1.702f, 1.25f);
        if (backward) differentiate(&c, y, x, 2);
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

/* Runs last. */
static void every_kernel_had_a_case(void **state)
{
    (void)state;
    heed_backend *backend = NULL;
    assert_ok(heed_cpu_backend_new(&backend, 1, HEED_ISA_GENERIC, &error));
    for (size_t i = 0; i < backend->n_kernels; i++) {
        bool found = false;
        for (size_t k = 0; k < seen_count; k++)
            found = found || !strcmp(seen_kernels[k], backend->kernels[i]->name);
        if (!found) fail_msg("no case used %s", backend->kernels[i]->name);
    }
    heed_cpu_backend_free(backend);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(binary_kernels),
                                       cmocka_unit_test(unary_kernels),
                                       cmocka_unit_test(simple_kernels),
                                       cmocka_unit_test(norm_kernels),
                                       cmocka_unit_test(softmax_kernels),
                                       cmocka_unit_test(linear_loss_kernels),
                                       cmocka_unit_test(reduce_kernels),
                                       cmocka_unit_test(sequence_kernels),
                                       cmocka_unit_test(row_moving_kernels),
                                       cmocka_unit_test(rotary_kernels),
                                       cmocka_unit_test(matmul_kernels),
                                       cmocka_unit_test(matmuls_packed_in_parts),
                                       cmocka_unit_test(fused_matmul_kernels),
                                       cmocka_unit_test(quantized_matmul_kernels),
                                       cmocka_unit_test(gated_matmul_kernels),
                                       cmocka_unit_test(accumulating_matmul),
                                       cmocka_unit_test(loss_gradients_continue_a_state),
                                       cmocka_unit_test(expert_row_kernels),
                                       cmocka_unit_test(expert_matmul_kernels),
                                       cmocka_unit_test(experts_have_the_bits_of_plain_matmuls),
                                       cmocka_unit_test(clamped_swiglu_kernels),
                                       cmocka_unit_test(attention_kernels),
                                       cmocka_unit_test(every_kernel_had_a_case)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
