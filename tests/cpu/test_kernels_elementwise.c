/* Kernels that go element by element against their references, at awkward sizes, on every
   instruction set. */
#include "cpu/kernel_table.h"
#include "support/unary_domain.h"

typedef heed_value binary_builder(heed_graph *graph, heed_value a, heed_value b);

static binary_builder *const binary_builders[] = {
    [HEED_BINARY_ADD] = heed_add,
    [HEED_BINARY_SUBTRACT] = heed_subtract,
    [HEED_BINARY_MULTIPLY] = heed_multiply,
    [HEED_BINARY_DIVIDE] = heed_divide,
};

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
        binary_builders[kind](c.graph, a, b);
        run_case(c);
    }
    for (int form = 0; form < 3; form++) { /* three axes, and vectors */
        kernel_case c = row_case("binary of three axes", HEED_OP_BINARY, 5, &plain);
        const heed_shape shapes[] = {heed_shape_1(19), live3(5, 3, 1), live3(5, 3, 19)};
        heed_value a = floats(&c, "a", live3(5, 3, 19)), b = floats(&c, "b", shapes[form]);
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
                    row_data data = *specials[special];
                    data.positive = unary_needs_positive(kind);
                    data.scale = j == 3 ? 12 : 1;
                    /* limits at infinity are those of no formula */
                    if (backward && special > 1) continue;
                    const heed_op_id op = backward ? HEED_OP_UNARY_BACKWARD : HEED_OP_UNARY;
                    kernel_case c = row_case(heed_ops[op]->name, op, 9, &data);
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

static void every_elementwise_kernel_had_a_case(void **state)
{
    (void)state;
    every_kernel_had_a_case(KERNELS_ELEMENTWISE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(binary_kernels), cmocka_unit_test(unary_kernels),
        cmocka_unit_test(simple_kernels), cmocka_unit_test(clamped_swiglu_kernels),
        cmocka_unit_test(every_elementwise_kernel_had_a_case)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
