/* States: whoever reads a version of a state gets that version, wherever the read stands in the
   graph; what cannot be ordered so is refused, and the error names the state and both ops. */
#include "sample.h"

enum { ROWS = 6, WIDTH = 4, COUNT = 3 };

/* A graph with states of (ROWS,WIDTH), filled with 100 * number of the state + element. */
typedef struct {
    heed_graph *graph;
    heed_value x, slots, index; /* inputs (COUNT,WIDTH), (COUNT), (COUNT) */
    float data[2][ROWS * WIDTH];
    void *bound[3];
    size_t n_bound;
} states_graph;

static const int32_t slots_of[COUNT] = {4, 0, 2}, index_of[COUNT] = {2, 3, 4};

static float x_of(int i)
{
    return -1 - (float)i;
}

static void begin(states_graph *s)
{
    memset(s, 0, sizeof *s);
    s->graph = heed_graph_new();
    s->x = heed_input(s->graph, "x", HEED_F32, heed_shape_live(HEED_EXTENT_ROWS, COUNT, WIDTH));
    s->slots = heed_input(s->graph, "slots", HEED_I32, heed_shape_live(HEED_EXTENT_ROWS, COUNT, 0));
    s->index = heed_input(s->graph, "index", HEED_I32, heed_shape_live(HEED_EXTENT_ROWS, COUNT, 0));
}

static heed_value add_state(states_graph *s, const char *name)
{
    s->bound[s->n_bound] = s->data[s->n_bound];
    s->n_bound++;
    return heed_state(s->graph, name, HEED_F32, heed_shape_2(ROWS, WIDTH));
}

static const uint32_t pass_sets[] = {HEED_PASS_NONE, HEED_PASS_DEAD, HEED_PASS_REUSE,
                                     HEED_PASS_DEFAULT, HEED_PASS_DEFAULT | HEED_PASS_RECOMPUTE};
enum { PASS_SETS = sizeof pass_sets / sizeof *pass_sets };

/* Runs the graph on fresh states and copies the output `name`. */
static void run_graph(states_graph *s, uint32_t passes, const char *name, float *values)
{
    heed_error error = {0};
    heed_plan *plan = NULL;
    if (heed_plan_new(s->graph, &sample_backend, &(heed_plan_options){.passes = passes}, &plan,
                      &error) != HEED_OK)
        fail_msg("%s", error.message);
    heed_workspace *workspace = heed_workspace_new();
    assert_int_equal(heed_workspace_reserve(workspace, plan, NULL), HEED_OK);
    float *x = heed_plan_input(plan, workspace, "x");
    for (int i = 0; i < COUNT * WIDTH; i++) x[i] = x_of(i);
    memcpy(heed_plan_input(plan, workspace, "slots"), slots_of, sizeof slots_of);
    memcpy(heed_plan_input(plan, workspace, "index"), index_of, sizeof index_of);
    for (int n = 0; n < 2; n++)
        for (int i = 0; i < ROWS * WIDTH; i++) s->data[n][i] = (float)(100 * n + i);
    heed_runtime runtime = {.count = {[HEED_EXTENT_ROWS] = COUNT}};
    heed_binding binding = {s->bound, s->n_bound};
    if (heed_plan_run(plan, workspace, &binding, &runtime, NULL, &error) != HEED_OK)
        fail_msg("%s", error.message);
    heed_operand y;
    assert_int_equal(heed_plan_output(plan, workspace, name, &y, NULL), HEED_OK);
    for (int64_t i = 0; i < heed_shape_rows(y.shape); i++)
        for (int64_t j = 0; j < heed_shape_columns(y.shape); j++)
            values[i * heed_shape_columns(y.shape) + j] =
                ((const float *)y.data)[i * y.row_stride + j];
    heed_workspace_free(workspace);
    heed_plan_free(plan);
}

/* Element j of row `row` of state 0 after `writes` writes of factor^k * x. */
static float element(int row, int j, int writes, float factor)
{
    float value = (float)(row * WIDTH + j);
    for (int w = 0; w < writes; w++)
        for (int i = 0; i < COUNT; i++)
            if (slots_of[i] == row) value = x_of(i * WIDTH + j) * (w ? factor : 1);
    return value;
}

static void assert_gathered(states_graph *s, const char *name, int writes, float factor)
{
    for (int p = 0; p < PASS_SETS; p++) {
        float values[COUNT * WIDTH];
        run_graph(s, pass_sets[p], name, values);
        for (int i = 0; i < COUNT; i++)
            for (int j = 0; j < WIDTH; j++)
                assert_true(values[i * WIDTH + j] == element(index_of[i], j, writes, factor));
    }
}

static void a_version_is_read_before_it_is_overwritten(void **state)
{
    (void)state;
    states_graph s;
    begin(&s);
    heed_value first = add_state(&s, "cache");
    heed_value second = heed_cache_write(s.graph, first, s.x, s.slots);
    heed_value third = heed_cache_write(s.graph, second, heed_scale(s.graph, s.x, 3, 0), s.slots);
    heed_output(s.graph, "third", heed_gather(s.graph, third, s.index));
    heed_output(s.graph, "first", heed_gather(s.graph, first, s.index));
    heed_output(s.graph, "second", heed_gather(s.graph, second, s.index));
    assert_gathered(&s, "first", 0, 3);
    assert_gathered(&s, "second", 1, 3);
    assert_gathered(&s, "third", 2, 3);
    heed_graph_free(s.graph);
}

/* Each state gets what the other held: both reads stand before both writes. */
static void two_states_are_swapped(void **state)
{
    (void)state;
    states_graph s;
    begin(&s);
    heed_value a = add_state(&s, "a"), b = add_state(&s, "b");
    heed_value new_b = heed_cache_write(s.graph, b, heed_gather(s.graph, a, s.slots), s.slots);
    heed_value new_a = heed_cache_write(s.graph, a, heed_gather(s.graph, b, s.slots), s.slots);
    heed_output(s.graph, "sum",
                heed_subtract(s.graph, heed_gather(s.graph, new_a, s.slots),
                              heed_gather(s.graph, new_b, s.slots)));
    for (int p = 0; p < PASS_SETS; p++) {
        float values[COUNT * WIDTH];
        run_graph(&s, pass_sets[p], "sum", values);
        for (int i = 0; i < COUNT * WIDTH; i++) assert_true(values[i] == 100);
        for (int i = 0; i < ROWS * WIDTH; i++) {
            const bool moved = i / WIDTH == 4 || i / WIDTH == 0 || i / WIDTH == 2;
            assert_true(s.data[0][i] == (float)(moved ? 100 + i : i));
            assert_true(s.data[1][i] == (float)(moved ? i : 100 + i));
        }
    }
    heed_graph_free(s.graph);
}

/* A slice of a state shares its memory only if nobody overwrites that version. */
static void a_view_keeps_its_version(void **state)
{
    (void)state;
    states_graph s;
    begin(&s);
    heed_value cache = add_state(&s, "cache");
    heed_value left = heed_slice(s.graph, cache, 0, 2),
               flat = heed_reshape(s.graph, cache, heed_shape_2(ROWS / 2, 2 * WIDTH));
    heed_value next = heed_cache_write(s.graph, cache, s.x, s.slots);
    heed_output(s.graph, "next", heed_gather(s.graph, next, s.index));
    heed_output(s.graph, "left", heed_scale(s.graph, left, 2, 0));
    heed_output(s.graph, "flat", heed_scale(s.graph, flat, 2, 0));
    for (int p = 0; p < PASS_SETS; p++) {
        float values[ROWS * WIDTH];
        run_graph(&s, pass_sets[p], "left", values);
        for (int i = 0; i < ROWS; i++)
            for (int j = 0; j < 2; j++) assert_true(values[i * 2 + j] == 2 * element(i, j, 0, 1));
        run_graph(&s, pass_sets[p], "flat", values);
        for (int i = 0; i < ROWS * WIDTH; i++) assert_true(values[i] == (float)(2 * i));
    }
    heed_graph_free(s.graph);
}

/* Fusing the matmul with the sum would make one node that reads the old version and needs the new
   one. */
static void fusion_keeps_versions_apart(void **state)
{
    (void)state;
    states_graph s;
    begin(&s);
    heed_value cache = add_state(&s, "cache");
    heed_value next = heed_cache_write(s.graph, cache, s.x, s.slots);
    heed_value scores = heed_matmul(s.graph, s.x, cache, false, true);
    heed_output(
        s.graph, "y",
        heed_add(s.graph, scores,
                 heed_matmul(s.graph, heed_gather(s.graph, next, s.index), next, false, true)));
    float plain[COUNT * ROWS], values[COUNT * ROWS];
    run_graph(&s, HEED_PASS_NONE, "y", plain);
    for (int i = 0; i < COUNT; i++)
        for (int r = 0; r < ROWS; r++) {
            float expected = 0;
            for (int j = 0; j < WIDTH; j++)
                expected += x_of(i * WIDTH + j) * element(r, j, 0, 1) +
                            element(index_of[i], j, 1, 1) * element(r, j, 1, 1);
            assert_true(plain[i * ROWS + r] == expected);
        }
    for (int p = 1; p < PASS_SETS; p++) {
        run_graph(&s, pass_sets[p], "y", values);
        assert_memory_equal(plain, values, sizeof plain);
    }
    heed_graph_free(s.graph);
}

/* The backward pass needs what the forward pass read from the state; computed again, it would be
   read after the write. */
static void recomputation_does_not_read_after_the_write(void **state)
{
    (void)state;
    states_graph s;
    begin(&s);
    float weight[WIDTH] = {1, 2, 3, 4};
    heed_value cache = add_state(&s, "cache");
    heed_value w = heed_parameter(s.graph, "w", HEED_F32, heed_shape_1(WIDTH));
    s.bound[s.n_bound++] = weight;
    heed_value read = heed_gather(s.graph, cache, s.index);
    heed_value y = heed_unary(s.graph, HEED_UNARY_TANH,
                              heed_multiply(s.graph, heed_scale(s.graph, read, 0.01, 0), w));
    heed_checkpoint(s.graph, y);
    heed_cache_write(s.graph, cache, s.x, s.slots);
    heed_value z = heed_unary(s.graph, HEED_UNARY_TANH, heed_scale(s.graph, y, 2, 0));
    heed_checkpoint(s.graph, z);
    heed_value loss = heed_reduce(
        s.graph, HEED_REDUCE_SUM,
        heed_reshape(s.graph,
                     heed_reduce(s.graph, HEED_REDUCE_SUM, heed_multiply(s.graph, z, z), 0, false),
                     heed_shape_1(WIDTH)),
        0, false);
    heed_value dw;
    heed_error error = {0};
    if (heed_graph_gradient(s.graph, loss, &w, 1, &dw, &error) != HEED_OK)
        fail_msg("%s", error.message);
    heed_output(s.graph, "dw", dw);
    float plain[WIDTH], values[WIDTH];
    run_graph(&s, HEED_PASS_NONE, "dw", plain);
    assert_true(plain[0] != 0);
    for (int p = 1; p < PASS_SETS; p++) {
        run_graph(&s, pass_sets[p], "dw", values);
        assert_memory_equal(plain, values, sizeof plain);
    }
    heed_graph_free(s.graph);
}

/* Asserts that no plan can be made, for a reason that names all of these. */
static void assert_refused(heed_graph *graph, const char *const *names)
{
    for (int p = 0; p < PASS_SETS; p++) {
        heed_error error = {0};
        heed_plan *plan = NULL;
        assert_int_equal(heed_plan_new(graph, &sample_backend,
                                       &(heed_plan_options){.passes = pass_sets[p]}, &plan, &error),
                         HEED_E_ARG);
        for (int i = 0; names[i]; i++)
            if (!strstr(error.message, names[i]))
                fail_msg("\"%s\" does not name %s", error.message, names[i]);
    }
    heed_graph_free(graph);
}

static void what_cannot_be_ordered_is_refused(void **state)
{
    (void)state;
    states_graph s;
    /* a read that depends on the write */
    begin(&s);
    heed_value a = add_state(&s, "a");
    heed_scope(s.graph, "writer");
    heed_value new_a = heed_cache_write(s.graph, a, s.x, s.slots);
    heed_scope(s.graph, "reader");
    heed_output(s.graph, "y",
                heed_matmul(s.graph, heed_gather(s.graph, new_a, s.index), a, false, true));
    assert_refused(s.graph, (const char *[]){"version 0 of the state \"a\"", "matmul in reader",
                                             "cache_write in writer", NULL});
    /* the same for a later version */
    begin(&s);
    a = add_state(&s, "a");
    new_a = heed_cache_write(s.graph, a, s.x, s.slots);
    heed_value newer = heed_cache_write(s.graph, new_a, s.x, s.slots);
    heed_output(s.graph, "y",
                heed_matmul(s.graph, heed_gather(s.graph, newer, s.index), new_a, false, true));
    assert_refused(s.graph,
                   (const char *[]){"version 1 of the state \"a\"", "matmul", "cache_write", NULL});
    /* a circle through two states */
    begin(&s);
    a = add_state(&s, "a");
    heed_value b = add_state(&s, "b");
    new_a = heed_cache_write(s.graph, a, s.x, s.slots);
    heed_value new_b = heed_cache_write(s.graph, b, s.x, s.slots);
    heed_output(s.graph, "y",
                heed_matmul(s.graph, heed_gather(s.graph, new_b, s.index), a, false, true));
    heed_output(s.graph, "z",
                heed_matmul(s.graph, heed_gather(s.graph, new_a, s.index), b, false, true));
    assert_refused(s.graph,
                   (const char *[]){"version 0 of the state", "matmul", "cache_write", NULL});
}

static void what_has_no_version_is_refused(void **state)
{
    (void)state;
    states_graph s;
    /* two writers of one version */
    begin(&s);
    heed_value a = add_state(&s, "a");
    heed_cache_write(s.graph, a, s.x, s.slots);
    heed_scope(s.graph, "second");
    heed_cache_write(s.graph, a, s.x, s.slots);
    assert_refused(s.graph, (const char *[]){"version 0 of the state \"a\"", "both overwrite",
                                             "cache_write in second", NULL});
    /* an output that is overwritten */
    begin(&s);
    a = add_state(&s, "a");
    heed_value new_a = heed_cache_write(s.graph, a, s.x, s.slots);
    heed_output(s.graph, "y", new_a);
    heed_cache_write(s.graph, new_a, s.x, s.slots);
    assert_refused(s.graph, (const char *[]){"version 1 of the state \"a\"", "output \"y\"",
                                             "cache_write", NULL});
    /* a writer that also reads */
    begin(&s);
    a = add_state(&s, "a");
    heed_accumulate(s.graph, a, a);
    assert_refused(s.graph, (const char *[]){"version 0 of the state \"a\"", "accumulate", NULL});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_version_is_read_before_it_is_overwritten),
        cmocka_unit_test(two_states_are_swapped),
        cmocka_unit_test(a_view_keeps_its_version),
        cmocka_unit_test(fusion_keeps_versions_apart),
        cmocka_unit_test(recomputation_does_not_read_after_the_write),
        cmocka_unit_test(what_cannot_be_ordered_is_refused),
        cmocka_unit_test(what_has_no_version_is_refused),
    };
    return cmocka_run_group_tests_name("states", tests, NULL, NULL);
}
