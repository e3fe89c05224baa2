/* The pieces between attentions: what each builds, by the numbers it gives and the nodes it
   needs. */
#include "nn/block_internal.h"
#include "support/evaluate.h"

enum { ROWS = 3, WIDTH = 4 };

typedef struct {
    heed_graph *graph;
    heed_value x;
    evaluation e;
} bench;

static bench bench_new(void)
{
    bench b = {.graph = heed_graph_new()};
    assert_non_null(b.graph);
    b.x = heed_input(b.graph, "x", HEED_F32, heed_shape_live(HEED_EXTENT_ROWS, ROWS, WIDTH));
    return b;
}

static const double numbers[ROWS * WIDTH] = {0.5, -1, 2, 0.25, 0, 0, 0, 0, -3, 1, 1, 0.5};

static void run(bench *b)
{
    heed_runtime runtime = {0};
    runtime.count[HEED_EXTENT_ROWS] = ROWS;
    assert_ok(heed_graph_status(b->graph, &error));
    b->e = evaluate_new(b->graph, true, runtime);
    evaluate_fill(&b->e, b->x, numbers);
}

static void bench_free(bench *b)
{
    evaluate_free(&b->e);
    heed_graph_free(b->graph);
}

static void unit_rows_have_length_one_and_zeros_stay(void **state)
{
    (void)state;
    bench b = bench_new();
    heed_value y = heed_nn_unit_rows(b.graph, b.x);
    run(&b);
    evaluate_run(&b.e, b.graph->n_nodes);
    for (int64_t row = 0; row < ROWS; row++) {
        double length = 0, own = 0;
        for (int64_t i = 0; i < WIDTH; i++) {
            length += pow(evaluate_get(&b.e, y, row * WIDTH + i), 2);
            own += numbers[row * WIDTH + i] * numbers[row * WIDTH + i];
        }
        assert_float_equal(length, own > 0 ? 1 : 0, 1e-12);
    }
    bench_free(&b);
}

static void sums_and_errors_are_one_number(void **state)
{
    (void)state;
    bench b = bench_new();
    heed_value y = heed_scale(b.graph, b.x, 0.5, 0.25);
    heed_value sum = heed_nn_sum(b.graph, b.x), squared = heed_nn_squared_error(b.graph, b.x, y),
               binary = heed_nn_binary_cross_entropy(b.graph, b.x, y);
    run(&b);
    evaluate_run(&b.e, b.graph->n_nodes);
    double want = 0, error_want = 0, binary_want = 0;
    for (int i = 0; i < ROWS * WIDTH; i++) {
        double target = 0.5 * numbers[i] + 0.25, p = 1 / (1 + exp(-numbers[i]));
        want += numbers[i];
        error_want += (numbers[i] - target) * (numbers[i] - target);
        binary_want -= target * log(p) + (1 - target) * log(1 - p);
    }
    assert_float_equal(evaluate_get(&b.e, sum, 0), want, 1e-12);
    assert_float_equal(evaluate_get(&b.e, squared, 0), error_want, 1e-12);
    assert_float_equal(evaluate_get(&b.e, binary, 0), binary_want, 1e-12);
    assert_int_equal(evaluate_count(&b.e, sum), 1);
    bench_free(&b);
}

static void soft_caps_bend_towards_the_cap(void **state)
{
    (void)state;
    bench b = bench_new();
    heed_value capped = heed_nn_soft_cap(b.graph, b.x, 2), same = heed_nn_soft_cap(b.graph, b.x, 0);
    run(&b);
    evaluate_run(&b.e, b.graph->n_nodes);
    assert_int_equal(same, b.x);
    for (int i = 0; i < ROWS * WIDTH; i++)
        assert_float_equal(evaluate_get(&b.e, capped, i), 2 * tanh(numbers[i] / 2), 1e-12);
    bench_free(&b);
}

/* Nodes of a sub-layer by the place of its norms. */
static void norms_stand_where_they_are_told(void **state)
{
    (void)state;
    static const struct {
        heed_norm_place place;
        int before, after;
    } places[] = {
        {HEED_NORM_PRE, 1, 0},    {HEED_NORM_POST, 0, 1},   {HEED_NORM_SANDWICH, 1, 1},
        {HEED_NORM_OUTPUT, 0, 1}, {HEED_NORM_STREAM, 1, 0},
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        bench b = bench_new();
        heed_value gain = heed_constant(b.graph, "gain", HEED_F32, heed_shape_1(WIDTH));
        heed_nn_norm norm = {
            .kind = HEED_NORM_RMS, .gain = gain, .bias = HEED_NONE, .eps = 1e-5f, .present = true};
        heed_nn_sublayer sublayer = {
            .place = places[i].place, .norm = norm, .post_norm = norm, .samples = HEED_NONE};
        heed_value stream = b.x, in = heed_nn_sublayer_input(b.graph, &stream, &sublayer);
        assert_int_equal(stream, places[i].place == HEED_NORM_STREAM ? in : b.x);
        assert_int_equal(b.graph->n_nodes, places[i].before);
        heed_value out = heed_nn_sublayer_output(b.graph, stream, heed_scale(b.graph, in, 2, 0),
                                                 &sublayer);
        assert_ok(heed_graph_status(b.graph, &error));
        assert_int_equal(b.graph->n_nodes, places[i].before + places[i].after + 2);
        const heed_node *last = &b.graph->nodes[b.graph->values[out].node];
        assert_int_equal(last->id,
                         places[i].place == HEED_NORM_POST ? HEED_OP_RMS_NORM : HEED_OP_BINARY);
        heed_graph_free(b.graph);
    }
}

static void what_is_absent_costs_nothing(void **state)
{
    (void)state;
    bench b = bench_new();
    assert_int_equal(heed_nn_dropout(b.graph, b.x, HEED_NONE, 0), b.x);
    assert_int_equal(heed_nn_normalize(b.graph, b.x, &(heed_nn_norm){.gain = HEED_NONE}), b.x);
    heed_nn_embedding embedding = {
        .vectors = b.x,
        .scale = 1,
    };
    assert_int_equal(heed_nn_embedding_build(b.graph, &embedding), b.x);
    assert_int_equal(b.graph->n_nodes, 0);
    heed_graph_free(b.graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(unit_rows_have_length_one_and_zeros_stay),
                                       cmocka_unit_test(sums_and_errors_are_one_number),
                                       cmocka_unit_test(soft_caps_bend_towards_the_cap),
                                       cmocka_unit_test(norms_stand_where_they_are_told),
                                       cmocka_unit_test(what_is_absent_costs_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
