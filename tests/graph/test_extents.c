/* Extents that a graph declares, one a multiple of another: values, gradients and buckets. */
#include "sample.h"
#include "graph/ir.h"

enum { TIMES = 4, WIDTH = 3 };

/* y (N,4*3) = reshape of tanh of each of the 4N rows of x times w (3); a loss over the live rows,
   and dw. */
static heed_graph *build(int64_t rows)
{
    heed_error error = {0};
    heed_graph *graph = heed_graph_new();
    const heed_extent characters = heed_extent_new(graph, 'C', HEED_EXTENT_ROWS, TIMES);
    heed_value x = heed_input(graph, "x", HEED_F32,
                              heed_shape_live(HEED_EXTENT_ROWS, rows, TIMES * WIDTH));
    heed_value w = heed_parameter(graph, "w", HEED_F32, heed_shape_1(WIDTH)), dw;
    heed_value split = heed_reshape(graph, x, heed_shape_live(characters, TIMES * rows, WIDTH));
    heed_value z = heed_unary(graph, HEED_UNARY_TANH, heed_multiply(graph, split, w));
    heed_output(graph, "z", z);
    heed_value y = heed_reshape(graph, z, heed_value_shape(graph, x));
    heed_output(graph, "y", y);
    heed_value loss = heed_reduce(graph, HEED_REDUCE_SUM, heed_multiply(graph, y, y), -1, false);
    loss = heed_reduce(graph, HEED_REDUCE_SUM, loss, 0, false);
    heed_output(graph, "loss", loss);
    if (heed_graph_gradient(graph, loss, &w, 1, &dw, &error) != HEED_OK)
        fail_msg("%s", error.message);
    heed_output(graph, "dw", dw);
    return graph;
}

static float x_of(int64_t i)
{
    return (float)(i % 17) / 8 - 1;
}

/* Runs `count` rows in a plan for `rows` and copies an output; returns its live rows. */
static int64_t run_graph(int64_t rows, int64_t count, uint32_t passes, const float *w,
                         const char *name, float *values)
{
    heed_error error = {0};
    heed_plan *plan = NULL;
    heed_graph *graph = build(rows);
    if (heed_plan_new(graph, &sample_backend, &(heed_plan_options){.passes = passes}, &plan,
                      &error) != HEED_OK)
        fail_msg("%s", error.message);
    heed_workspace *workspace = heed_workspace_new();
    assert_int_equal(heed_workspace_reserve(workspace, plan, NULL), HEED_OK);
    float *x = heed_plan_input(plan, workspace, "x");
    for (int64_t i = 0; i < count * TIMES * WIDTH; i++) x[i] = x_of(i);
    void *bound[] = {(void *)(uintptr_t)w};
    heed_binding binding = {bound, 1};
    heed_runtime runtime = {.count = {[HEED_EXTENT_ROWS] = count}};
    if (heed_plan_run(plan, workspace, &binding, &runtime, NULL, &error) != HEED_OK)
        fail_msg("%s", error.message);
    heed_operand y;
    assert_int_equal(heed_plan_output(plan, workspace, name, &y, NULL), HEED_OK);
    const int64_t columns = heed_shape_columns(y.shape), live = heed_shape_rows(y.shape);
    for (int64_t i = 0; i < live * columns; i++)
        values[i] = ((const float *)y.data)[i / columns * y.row_stride + i % columns];
    runtime.count[HEED_EXTENT_ROWS] = rows + 1;
    assert_int_equal(heed_plan_run(plan, workspace, &binding, &runtime, NULL, NULL), HEED_E_ARG);
    heed_workspace_free(workspace);
    heed_plan_free(plan);
    heed_graph_free(graph);
    return live;
}

static void rows_become_multiples_and_back(void **state)
{
    (void)state;
    static const int64_t counts[] = {0, 1, 5, 7};
    static const uint32_t sets[] = {HEED_PASS_NONE, HEED_PASS_DEFAULT};
    static const float w[WIDTH] = {0.5f, -1, 2};
    float z[16 * TIMES * WIDTH], y[16 * TIMES * WIDTH], dw[WIDTH], loss;
    for (int c = 0; c < 4; c++)
        for (int64_t rows = 7; rows <= 16; rows += 9) /* odd, and another bucket */
            for (int s = 0; s < 2; s++) {
                const int64_t n = counts[c];
                assert_int_equal(run_graph(rows, n, sets[s], w, "z", z), n * TIMES);
                assert_int_equal(run_graph(rows, n, sets[s], w, "y", y), n);
                assert_memory_equal(z, y, (size_t)(n * TIMES * WIDTH) * sizeof *y);
                for (int64_t i = 0; i < n * TIMES * WIDTH; i++)
                    assert_true(fabsf(y[i] - tanhf(x_of(i) * w[i % WIDTH])) < 1e-6f);
                run_graph(rows, n, sets[s], w, "dw", dw);
                run_graph(rows, n, sets[s], w, "loss", &loss);
                for (int j = 0; j < WIDTH; j++) {
                    float more[WIDTH] = {w[0], w[1], w[2]}, larger;
                    more[j] += 1.0f / 256;
                    run_graph(rows, n, sets[s], more, "loss", &larger);
                    assert_true(fabsf((larger - loss) * 256 - dw[j]) <
                                0.05f + 0.05f * fabsf(dw[j]));
                }
            }
}

/* Asserts that the graph failed for a reason that contains `text`, and frees it. */
static void assert_failed(heed_graph *graph, const char *text)
{
    heed_error error = {0};
    assert_int_not_equal(heed_graph_status(graph, &error), HEED_OK);
    if (!strstr(error.message, text)) fail_msg("\"%s\" does not say %s", error.message, text);
    heed_graph_free(graph);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    heed_graph *graph = heed_graph_new();
    heed_extent own = heed_extent_new(graph, 'C', HEED_EXTENT_FIXED, 1),
                four = heed_extent_new(graph, 'P', own, 4),
                eight = heed_extent_new(graph, 'Q', four, 2);
    assert_int_equal(heed_extent_rule_of(graph, eight).base, own);
    assert_int_equal(heed_extent_rule_of(graph, eight).multiple, 8);
    heed_value x = heed_input(graph, "x", HEED_F32, heed_shape_live(eight, 24, 3));
    assert_true(heed_reshape(graph, x, heed_shape_live(own, 3, 24)) > 0);
    assert_true(heed_reshape(graph, x, heed_shape_live(four, 12, 6)) > 0);
    heed_reshape(graph, x, heed_shape_live(HEED_EXTENT_ROWS, 3, 24)); /* no multiple of it */
    assert_failed(graph, "reshape: x f32 (Q:24,3)");
    graph = heed_graph_new();
    four = heed_extent_new(graph, 'C', HEED_EXTENT_ROWS, 4);
    x = heed_input(graph, "x", HEED_F32, heed_shape_live(HEED_EXTENT_ROWS, 6, 4));
    heed_reshape(graph, x, heed_shape_live(four, 12, 2)); /* 2 times the rows */
    assert_failed(graph, "reshape");
    graph = heed_graph_new();
    heed_extent_new(graph, 'C', HEED_EXTENT_ROWS, 0);
    assert_failed(graph, "a multiple from 1");
    graph = heed_graph_new();
    heed_input(graph, "x", HEED_F32, heed_shape_live((heed_extent)9, 6, 4));
    assert_failed(graph, "no extent 9");
    graph = heed_graph_new();
    for (int i = 0; i < HEED_MAX_EXTENTS; i++) heed_extent_new(graph, 'C', HEED_EXTENT_FIXED, 1);
    assert_failed(graph, "at most 16 extents");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_become_multiples_and_back),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests_name("extents", tests, NULL, NULL);
}
