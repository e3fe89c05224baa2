/* Random ops: the counter layout of op/random.h, and what follows from it: masks that know nothing
   of batches. */
#include "base/rng.h"
#include "graph/attributes.h"
#include "support/evaluate.h"

enum { ROWS = 6, COLUMNS = 37 };

typedef struct {
    heed_graph *graph;
    heed_value x, rows, y, z, dx;
} dropped;

static dropped build(float rate)
{
    dropped d = {.graph = heed_graph_new()};
    d.x = heed_input(d.graph, "x", HEED_F32, heed_shape_live(HEED_EXTENT_ROWS, ROWS, COLUMNS));
    d.rows = heed_input(d.graph, "rows", HEED_I32, heed_shape_live(HEED_EXTENT_ROWS, ROWS, 2));
    d.y = heed_dropout(d.graph, d.x, d.rows, rate);
    d.z = heed_dropout(d.graph, d.x, d.rows, rate);
    heed_value loss = heed_reduce(d.graph, HEED_REDUCE_SUM,
                                  heed_reduce(d.graph, HEED_REDUCE_SUM, d.y, -1, false), -1, false);
    assert_ok(heed_graph_gradient(d.graph, loss, &d.x, 1, &d.dx, &error));
    return d;
}

static evaluation run(const dropped *d, bool wide, uint64_t seed, uint64_t step, int64_t count,
                      const int32_t (*rows)[2])
{
    evaluation e = evaluate_new(d->graph, wide,
                                (heed_runtime){.count = {0, count}, .seed = seed, .step = step});
    for (int64_t i = 0; i < count * COLUMNS; i++) evaluate_set(&e, d->x, i, 3);
    for (int64_t i = 0; i < count * 2; i++) evaluate_set(&e, d->rows, i, rows[i / 2][i % 2]);
    evaluate_run(&e, d->graph->n_nodes);
    evaluate_check_marks(&e);
    return e;
}

static const int32_t some_rows[ROWS][2] = {
    {7, 0}, {7, 1}, {7, 2}, {1000000, 0}, {1000000, 90000}, {-1, 3},
};

/* The layout, written out once more. */
static void masks_lie_where_the_layout_says(void **state)
{
    (void)state;
    dropped d = build(0.3f);
    for (int wide = 0; wide < 2; wide++) {
        evaluation e = run(&d, wide, 11, 5, ROWS, some_rows);
        uint64_t key = heed_mix(11, 5);
        for (int i = 0; i < ROWS; i++)
            for (int j = 0; j < COLUMNS; j++)
                for (uint32_t stream = 0; stream < 2; stream++) {
                    uint32_t words[4], counter[4] = {(uint32_t)j / 4, (uint32_t)some_rows[i][1],
                                                     (uint32_t)some_rows[i][0], stream << 12};
                    heed_philox(counter, (const uint32_t[2]){(uint32_t)key, (uint32_t)(key >> 32)},
                                words);
                    bool kept = heed_unit_float(words[j % 4]) >= 0.3f;
                    double found = evaluate_get(&e, stream ? d.z : d.y, i * COLUMNS + j);
                    assert_true(kept ? fabs(found - 3 / 0.7) < 1e-6 : found == 0);
                }
        for (int i = 0; i < ROWS * COLUMNS; i++)
            assert_true(fabs(evaluate_get(&e, d.dx, i) * 3 - evaluate_get(&e, d.y, i)) < 1e-6);
        evaluate_free(&e);
    }
    heed_graph_free(d.graph);
}

static void masks_follow_the_sample_not_the_row(void **state)
{
    (void)state;
    dropped d = build(0.5f);
    const int32_t turned[ROWS][2] = {{1000000, 90000}, {7, 2}, {7, 0}};
    const int from[3] = {4, 2, 0};
    evaluation all = run(&d, false, 1, 2, ROWS, some_rows), few = run(&d, false, 1, 2, 3, turned);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < COLUMNS; j++)
            assert_true(evaluate_get(&few, d.y, i * COLUMNS + j) ==
                        evaluate_get(&all, d.y, from[i] * COLUMNS + j));
    evaluation seed = run(&d, false, 2, 2, ROWS, some_rows),
               step = run(&d, false, 1, 3, ROWS, some_rows);
    int same_seed = 0, same_step = 0, same_stream = 0;
    for (int i = 0; i < ROWS * COLUMNS; i++) {
        double y = evaluate_get(&all, d.y, i);
        same_seed += y == evaluate_get(&seed, d.y, i);
        same_step += y == evaluate_get(&step, d.y, i);
        same_stream += y == evaluate_get(&all, d.z, i);
    }
    /* independent fair coins agree in 111 +- 7.4 of 222 places */
    assert_in_range(same_seed, 75, 147);
    assert_in_range(same_step, 75, 147);
    assert_in_range(same_stream, 75, 147);
    evaluate_free(&all);
    evaluate_free(&few);
    evaluate_free(&seed);
    evaluate_free(&step);
    heed_graph_free(d.graph);
}

static void the_rate_is_kept(void **state)
{
    (void)state;
    const float rates[] = {0.1f, 0.5f, 0.9f};
    for (int r = 0; r < 3; r++) {
        dropped d = build(rates[r]);
        int zeros = 0, draws = 0;
        for (uint64_t step = 0; step < 200; step++) {
            evaluation e = run(&d, false, 3, step, ROWS, some_rows);
            for (int i = 0; i < ROWS * COLUMNS; i++, draws++)
                zeros += evaluate_get(&e, d.y, i) == 0;
            evaluate_free(&e);
        }
        double expected = draws * (double)rates[r];
        if (fabs(zeros - expected) > 5 * sqrt(expected * (1 - rates[r])))
            fail_msg("%d of %d dropped at rate %g", zeros, draws, rates[r]);
        heed_graph_free(d.graph);
    }
    heed_graph *graph = heed_graph_new();
    heed_value x = heed_input(graph, "x", HEED_F32, heed_shape_2(2, 2));
    assert_int_equal(heed_dropout(graph, x, HEED_NONE, 0), x);
    heed_graph_free(graph);
}

/* Attention of two sequences with dropout, in either order and with another neighbor: the same bits
   for the same samples. */
static void attention_masks_follow_the_sample(void **state)
{
    (void)state;
    enum { HEADS = 2, WIDTH = 3, LONG = 5, SHORT = 3, TOTAL = LONG + SHORT };
    heed_graph *graph = heed_graph_new();
    heed_shape rows = heed_shape_live(HEED_EXTENT_ROWS, TOTAL, HEADS * WIDTH);
    heed_value q = heed_input(graph, "q", HEED_F32, rows),
               k = heed_input(graph, "k", HEED_F32, rows),
               v = heed_input(graph, "v", HEED_F32, rows);
    heed_attention_inputs inputs = {
        q,
        k,
        v,
        heed_input(graph, "sequences", HEED_I32, heed_shape_live(HEED_EXTENT_SEQUENCES, 2, 8)),
        HEED_NONE,
        HEED_NONE,
        HEED_NONE,
        HEED_NONE,
        HEED_NONE};
    heed_attention_options options = {.heads = HEADS,
                                      .kv_heads = HEADS,
                                      .head_width = WIDTH,
                                      .scale = heed_real(0.5),
                                      .dropout = 0.5f};
    heed_value y = heed_attention(graph, &inputs, &options, NULL);
    assert_ok(heed_graph_status(graph, &error));
    double found[2][TOTAL * HEADS * WIDTH];
    for (int turned = 0; turned < 2; turned++) {
        evaluation e = evaluate_new(graph, false,
                                    (heed_runtime){.count = {0, TOTAL, 0, 2, 0}, .seed = 4});
        int32_t first = turned ? SHORT : LONG,
                table[2][8] = {
                    {0, first, 0, first, 0, turned ? 9 : 8},
                    {first, TOTAL - first, first, TOTAL - first, 0, turned ? 8 : 9},
                };
        for (int i = 0; i < 16; i++) evaluate_set(&e, inputs.sequences, i, table[i / 8][i % 8]);
        for (int i = 0; i < TOTAL * HEADS * WIDTH; i++) {
            int at = turned ? (i + LONG * HEADS * WIDTH) % (TOTAL * HEADS * WIDTH) : i;
            evaluate_set(&e, q, i, sin(at));
            evaluate_set(&e, k, i, cos(at));
            evaluate_set(&e, v, i, sin(3 * at));
        }
        evaluate_run(&e, graph->n_nodes);
        for (int i = 0; i < TOTAL * HEADS * WIDTH; i++)
            found[turned][turned ? (i + LONG * HEADS * WIDTH) % (TOTAL * HEADS * WIDTH) : i] =
                evaluate_get(&e, y, i);
        evaluate_free(&e);
    }
    assert_memory_equal(found[0], found[1], sizeof found[0]);
    heed_graph_free(graph);
}

/* With scores of 0, v the unit vectors and rate r, y holds the weights: 0 or 1 / (keys (1 - r)),
   drawn by head and key. */
static void attention_draws_by_head_query_and_key(void **state)
{
    (void)state;
    enum { HEADS = 2, KEYS = 6 };
    heed_graph *graph = heed_graph_new();
    heed_value q = heed_input(graph, "q", HEED_F32, heed_shape_2(KEYS, HEADS * KEYS)),
               v = heed_input(graph, "v", HEED_F32, heed_shape_2(KEYS, HEADS * KEYS));
    heed_attention_inputs inputs = {
        q,         q,
        v,         heed_input(graph, "sequences", HEED_I32, heed_shape_2(1, 8)),
        HEED_NONE, HEED_NONE,
        HEED_NONE, HEED_NONE,
        HEED_NONE};
    heed_attention_options options = {.heads = HEADS,
                                      .kv_heads = HEADS,
                                      .head_width = KEYS,
                                      .scale = heed_real(0),
                                      .dropout = 0.25f};
    heed_graph_stream(graph);
    heed_value y = heed_attention(graph, &inputs, &options, NULL);
    evaluation e = evaluate_new(graph, true, (heed_runtime){.seed = 6, .step = 3});
    for (int i = 0; i < KEYS * HEADS * KEYS; i++) {
        evaluate_set(&e, q, i, 0);
        evaluate_set(&e, v, i, i % KEYS == i / (HEADS * KEYS));
    }
    evaluate_fill(&e, inputs.sequences, (double[]){0, KEYS, 0, KEYS, 10, 77, 0, 0});
    evaluate_run(&e, graph->n_nodes);
    uint64_t key = heed_mix(6, 3);
    for (uint32_t i = 0; i < KEYS; i++)
        for (uint32_t head = 0; head < HEADS; head++)
            for (uint32_t j = 0; j < KEYS; j++) {
                uint32_t words[4];
                heed_philox((const uint32_t[4]){j / 4, 10 + i, 77, (1u << 12) + head},
                            (const uint32_t[2]){(uint32_t)key, (uint32_t)(key >> 32)}, words);
                double expected = heed_unit_float(words[j % 4]) >= 0.25f ? 1 / (KEYS * 0.75) : 0;
                assert_true(fabs(evaluate_get(&e, y, (int64_t)(i * HEADS + head) * KEYS + j) -
                                 expected) < 1e-14);
            }
    evaluate_free(&e);
    heed_graph_free(graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(masks_lie_where_the_layout_says),
                                       cmocka_unit_test(masks_follow_the_sample_not_the_row),
                                       cmocka_unit_test(the_rate_is_kept),
                                       cmocka_unit_test(attention_masks_follow_the_sample),
                                       cmocka_unit_test(attention_draws_by_head_query_and_key)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
