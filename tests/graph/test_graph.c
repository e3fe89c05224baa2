/* Building a graph by hand: names, ranks, and what a node can hold. */
#include "sample.h"
#include "graph/ir.h"

/* Asserts that the graph failed for a reason that contains `text`, and frees it. */
static void assert_failed(heed_graph *graph, const char *text)
{
    heed_error error = {0};
    assert_int_not_equal(heed_graph_status(graph, &error), HEED_OK);
    if (!strstr(error.message, text)) fail_msg("\"%s\" does not say %s", error.message, text);
    heed_graph_free(graph);
}

static void names_are_unique(void **state)
{
    (void)state;
    heed_graph *graph = heed_graph_new();
    heed_input(graph, "x", HEED_F32, heed_shape_1(4));
    heed_state(graph, "x", HEED_F32, heed_shape_1(4));
    assert_failed(graph, "\"x\" is declared twice");
    graph = heed_graph_new();
    heed_value x = heed_input(graph, "x", HEED_F32, heed_shape_1(4));
    heed_output(graph, "x", x); /* inputs and outputs have names of their own */
    heed_output(graph, "y", heed_scale(graph, x, 2, 0));
    assert_int_equal(heed_graph_status(graph, NULL), HEED_OK);
    heed_output(graph, "y", heed_scale(graph, x, 3, 0));
    assert_failed(graph, "two outputs \"y\"");
}

/* Thousands of names are found, in a copy too, and none is cut. */
static void many_long_names_are_found(void **state)
{
    (void)state;
    enum { COUNT = 3000, LENGTH = 300 };
    heed_graph *graph = heed_graph_new();
    char name[LENGTH + 16];
    memset(name, 'w', LENGTH);
    heed_value values[COUNT];
    for (int i = 0; i < COUNT; i++) {
        snprintf(name + LENGTH, 16, "%d", i);
        values[i] = heed_parameter(graph, name, HEED_F32, heed_shape_2(4, 4));
        assert_true(heed_bf16_copy(graph, values[i], HEED_LAYOUT_ROWS) > 0);
        heed_output(graph, name, values[i]);
    }
    heed_error error = {0};
    if (heed_graph_status(graph, &error) != HEED_OK) fail_msg("%s", error.message);
    heed_graph *copy = heed_graph_copy(graph);
    heed_graph_free(graph);
    for (int i = 0; i < COUNT; i++) {
        snprintf(name + LENGTH, 16, "%d", i);
        assert_int_equal(heed_graph_find(copy, name), values[i]);
        assert_int_equal(heed_name_table_find(&copy->named_outputs, name), i);
    }
    assert_int_equal(heed_graph_find(copy, "w"), HEED_NONE);
    heed_graph_free(copy);
}

static void shapes_of_too_many_axes_are_refused(void **state)
{
    (void)state;
    static const int64_t dims[] = {2, 2, 2, 2, 2, 2, 2};
    heed_shape seven = heed_shape_of(7, dims), six = heed_shape_of(6, dims);
    heed_graph *graph = heed_graph_new();
    assert_true(heed_input(graph, "x", HEED_F32, six) > 0);
    heed_input(graph, "y", HEED_F32, seven);
    assert_failed(graph, "y: 7 axes; expected at most 6");
    graph = heed_graph_new();
    heed_reshape(graph, heed_input(graph, "x", HEED_F32, heed_shape_1(128)), seven);
    assert_failed(graph, "reshape");
}

/* No record asks for more inputs or outputs than a node holds, and a node with more is refused. */
static void nodes_hold_what_ops_need(void **state)
{
    (void)state;
    for (int i = 0; i < HEED_OP_COUNT; i++) {
        assert_true(heed_ops[i]->in_max <= HEED_MAX_INPUTS);
        assert_true(heed_ops[i]->in_min <= heed_ops[i]->in_max);
        assert_true(heed_ops[i]->n_out >= 1 && heed_ops[i]->n_out <= HEED_MAX_OUTPUTS);
        if (heed_ops[i]->flags & HEED_OP_WRITES_STATE)
            assert_true(heed_ops[i]->state_input < heed_ops[i]->in_max);
    }
    heed_graph *graph = heed_graph_new();
    heed_value x = heed_input(graph, "x", HEED_F32, heed_shape_1(4)), many[HEED_MAX_INPUTS + 1];
    for (int i = 0; i <= HEED_MAX_INPUTS; i++) many[i] = x;
    heed_emit(graph, HEED_OP_CONCATENATE, many, HEED_MAX_INPUTS + 1, NULL, NULL);
    assert_failed(graph, "concatenate: 33 inputs, at most 32");
    graph = heed_graph_new();
    x = heed_input(graph, "x", HEED_F32, heed_shape_1(4));
    for (int i = 0; i < 9; i++) many[i] = x;
    heed_concatenate(graph, many, 9);
    assert_failed(graph, "concatenate: 9 parts; expected 1 to 8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_unique),
        cmocka_unit_test(many_long_names_are_found),
        cmocka_unit_test(shapes_of_too_many_axes_are_refused),
        cmocka_unit_test(nodes_hold_what_ops_need),
    };
    return cmocka_run_group_tests_name("graph", tests, NULL, NULL);
}
