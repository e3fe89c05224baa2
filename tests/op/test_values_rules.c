/* Values of ops that a rule says better than numbers: what NaN and infinities do, in which order
   elements lie, how ties fall. In both precisions. */
#include "value_check.h"

static void rows_of_minus_infinity_have_no_softmax(void **state)
{
    (void)state;
    double y[6], x[6] = {-INFINITY, -INFINITY, -INFINITY, 1000, -INFINITY, 1000};
    for (int wide = 0; wide < 2; wide++) {
        run_one(wide,
                (one_node){HEED_OP_SOFTMAX, NULL, 1, (heed_shape[]){heed_shape_2(2, 3)},
                           (const double *[]){x}},
                y);
        const double expected[6] = {0, 0, 0, 0.5, 0, 0.5};
        for (int i = 0; i < 6; i++) check("softmax", wide, i, y[i], expected[i], 0);
    }
}

/* As in PyTorch a row that holds a NaN is NaN throughout, whatever else it holds. */
static void rows_with_nan_are_nan(void **state)
{
    (void)state;
    double y[8], x[8] = {NAN, NAN, -INFINITY, NAN, 3, NAN, 3, 4};
    const heed_shape shape = heed_shape_2(4, 2);
    for (int wide = 0; wide < 2; wide++) {
        run_one(wide, (one_node){HEED_OP_SOFTMAX, NULL, 1, &shape, (const double *const[]){x}}, y);
        for (int i = 0; i < 8; i++)
            if ((isnan(y[i]) != 0) != (i < 6))
                fail_msg("softmax %s, row %d: %g", wide ? "in double" : "in float", i / 2, y[i]);
    }
}

static void shapes_and_repetitions_keep_the_order(void **state)
{
    (void)state;
    double x[6] = {1, 2, 3, 4, 5, 6}, y[12];
    for (int wide = 0; wide < 2; wide++) {
        heed_shape_attributes to = {.shape = heed_shape_of(3, (int64_t[]){1, 3, 2})};
        run_one(wide,
                (one_node){HEED_OP_RESHAPE, &to, 1, (heed_shape[]){heed_shape_2(2, 3)},
                           (const double *[]){x}},
                y);
        for (int i = 0; i < 6; i++) check("reshape", wide, i, y[i], i + 1, 0);
        to.shape = heed_shape_2(4, 3);
        run_one(wide,
                (one_node){HEED_OP_BROADCAST, &to, 1, (heed_shape[]){heed_shape_1(3)},
                           (const double *[]){x}},
                y);
        for (int i = 0; i < 12; i++) check("broadcast", wide, i, y[i], i % 3 + 1, 0);
        to.shape = heed_shape_2(6, 2);
        run_one(wide,
                (one_node){HEED_OP_BROADCAST, &to, 1, (heed_shape[]){heed_shape_2(6, 1)},
                           (const double *[]){x}},
                y);
        for (int i = 0; i < 12; i++) check("broadcast", wide, i, y[i], i / 2 + 1, 0);
        heed_scale_attributes scale = {.factor = 0.5, .offset = -1};
        run_one(wide,
                (one_node){HEED_OP_SCALE, &scale, 1, (heed_shape[]){heed_shape_2(2, 3)},
                           (const double *[]){x}},
                y);
        for (int i = 0; i < 6; i++) check("scale", wide, i, y[i], x[i] / 2 - 1, 0);
    }
}

/* 1 + 2^-8 lies half-way between two bf16 neighbors: even wins. In double a value just above the
   middle rounds to f32 first. */
static void casts_round_to_nearest_even(void **state)
{
    (void)state;
    const double x[5] = {1 + 0x1p-8, 1 + 0x1p-8 + 0x1p-20, 1 + 0x1p-8 + 0x1p-40, 70000, -0x1p-26};
    const double bf16[5] = {1, 1 + 0x1p-7, 1, 70144, -0x1p-26},
                 f16[5] = {1 + 0x1p-8, 1 + 0x1p-8, 1 + 0x1p-8, INFINITY, 0};
    for (int wide = 0; wide < 2; wide++)
        for (int narrow = 0; narrow < 2; narrow++) {
            heed_graph *graph = heed_graph_new();
            heed_value in = heed_input(graph, "x", HEED_F32, heed_shape_1(5));
            heed_value low = heed_cast(graph, in, narrow ? HEED_F16 : HEED_BF16),
                       back = heed_cast(graph, low, HEED_F32);
            evaluation e = evaluate_new(graph, wide, (heed_runtime){0});
            evaluate_fill(&e, in, x);
            evaluate_run(&e, graph->n_nodes);
            for (int i = 0; i < 5; i++)
                assert_true(evaluate_get(&e, back, i) == (narrow ? f16[i] : bf16[i]) &&
                            evaluate_get(&e, low, i) == evaluate_get(&e, back, i));
            assert_int_equal(heed_cast(graph, in, HEED_F32), in);
            covered[HEED_OP_CAST] = true;
            evaluate_free(&e);
            heed_graph_free(graph);
        }
}

static void states_get_their_next_version(void **state)
{
    (void)state;
    for (int wide = 0; wide < 2; wide++) {
        heed_graph *graph = heed_graph_new();
        heed_value cache = heed_state(graph, "cache", HEED_F32, heed_shape_2(4, 2)),
                   sum = heed_state(graph, "sum", HEED_F32, heed_shape_2(1, 2));
        heed_value x = heed_input(graph, "x", HEED_F32, heed_shape_live(HEED_EXTENT_ROWS, 6, 2));
        heed_value slots = heed_input(graph, "slots", HEED_I32,
                                      heed_shape_live(HEED_EXTENT_ROWS, 6, 0));
        heed_value written = heed_cache_write(graph, heed_cache_write(graph, cache, x, slots), x,
                                              slots);
        heed_value total = heed_accumulate(graph, heed_accumulate(graph, sum, sum), sum);
        assert_ok(heed_graph_status(graph, &error));
        evaluation e = evaluate_new(graph, wide, (heed_runtime){.count = {0, 5}});
        evaluate_fill(&e, cache, (double[]){1, 2, 3, 4, 5, 6, 7, 8});
        evaluate_fill(&e, sum, (double[]){10, 20});
        evaluate_fill(&e, x, (double[]){-1, -2, -3, -4, -5, -6, -7, -8, -9, -10});
        evaluate_fill(&e, slots, (double[]){2, -1, 4, 0, 2});
        evaluate_run(&e, graph->n_nodes);
        evaluate_check_marks(&e);
        const double expected[8] = {-7, -8, 3, 4, -9, -10, 7, 8};
        for (int i = 0; i < 8; i++)
            check("cache_write", wide, i, evaluate_get(&e, written, i), expected[i], 0);
        for (int i = 0; i < 2; i++)
            check("accumulate", wide, i, evaluate_get(&e, total, i), 30 * (i + 1), 0);
        covered[HEED_OP_CACHE_WRITE] = covered[HEED_OP_ACCUMULATE] = true;
        evaluate_free(&e);
        heed_graph_free(graph);
    }
}

/* Logits of +-1e4 and of -inf give finite losses and slopes. */
static void cross_entropy_bears_any_logit(void **state)
{
    (void)state;
    for (int wide = 0; wide < 2; wide++) {
        heed_graph *graph = heed_graph_new();
        heed_value logits = heed_input(graph, "x", HEED_F32, heed_shape_2(2, 3)),
                   labels = heed_input(graph, "l", HEED_I32, heed_shape_1(2)), d;
        heed_value y = heed_cross_entropy(graph, logits, labels, 0),
                   loss = heed_reduce(graph, HEED_REDUCE_SUM, y, 0, false);
        assert_ok(heed_graph_gradient(graph, loss, &logits, 1, &d, &error));
        evaluation e = evaluate_new(graph, wide, (heed_runtime){0});
        evaluate_fill(&e, logits, (double[]){1e4, -1e4, 0, 1, -INFINITY, 1});
        evaluate_fill(&e, labels, (double[]){1, 2});
        evaluate_run(&e, graph->n_nodes);
        const double expected[6] = {1, -1, 0, 0.5, 0, -0.5};
        check("cross_entropy", wide, 0, evaluate_get(&e, y, 0), 2e4, 1e-6);
        check("cross_entropy", wide, 1, evaluate_get(&e, y, 1), 0.6931471805599453, 1e-6);
        for (int i = 0; i < 6; i++)
            check("cross_entropy_backward", wide, i, evaluate_get(&e, d, i), expected[i], 1e-6);
        evaluate_free(&e);
        heed_graph_free(graph);
    }
}

/* Ties go to the left, NaN is largest, minus infinity may be chosen; every choice is a column of
   its own. */
static void top_k_orders_whatever_comes(void **state)
{
    (void)state;
    const double x[15] = {1,        3, 3,         3,         2,         NAN,       5,        NAN,
                          INFINITY, 0, -INFINITY, -INFINITY, -INFINITY, -INFINITY, -INFINITY};
    const double places[9] = {1, 2, 3, 0, 2, 3, 0, 1, 2};
    for (int wide = 0; wide < 2; wide++) {
        heed_graph *graph = heed_graph_new();
        heed_value in = heed_input(graph, "x", HEED_F32, heed_shape_2(3, 5)), index,
                   y = heed_top_k(graph, in, 3, &index);
        assert_ok(heed_graph_status(graph, &error));
        evaluation e = evaluate_new(graph, wide, (heed_runtime){0});
        evaluate_fill(&e, in, x);
        evaluate_run(&e, graph->n_nodes);
        evaluate_check_marks(&e);
        for (int i = 0; i < 9; i++) {
            double at = x[i / 3 * 5 + (int)places[i]], found = evaluate_get(&e, y, i);
            assert_true(evaluate_get(&e, index, i) == places[i] &&
                        (found == at || (isnan(found) && isnan(at))));
        }
        evaluate_free(&e);
        heed_graph_free(graph);
    }
}

/* Slots stand by expert, those of one expert in the order of their rows; pairs without an expert
   come last, and their matmuls are 0. */
static void experts_are_sorted_stably(void **state)
{
    (void)state;
    const double choices[8] = {2, 0, -1, 2, 0, 5, 2, 0}, order[8] = {1, 4, 7, 0, 3, 6, 2, 5},
                 place[8] = {3, 0, 6, 4, 1, 7, 5, 2}, offsets[4] = {0, 3, 3, 6};
    for (int wide = 0; wide < 2; wide++) {
        heed_graph *graph = heed_graph_new();
        heed_value index = heed_input(graph, "index", HEED_I32, heed_shape_2(4, 2)),
                   x = heed_input(graph, "x", HEED_F32, heed_shape_2(4, 1));
        heed_value w = heed_input(graph, "w", HEED_F32, heed_shape_of(3, (int64_t[]){3, 1, 1}));
        heed_expert_permutation sorted = heed_expert_sort(graph, index, 3);
        heed_value y = heed_expert_matmul(graph, heed_expert_dispatch(graph, x, &sorted, HEED_NONE),
                                          w, HEED_NONE, &sorted);
        assert_ok(heed_graph_status(graph, &error));
        evaluation e = evaluate_new(graph, wide, (heed_runtime){0});
        evaluate_fill(&e, index, choices);
        evaluate_fill(&e, x, (double[]){1, 2, 3, 4});
        evaluate_fill(&e, w, (double[]){10, 20, 30});
        evaluate_run(&e, graph->n_nodes);
        evaluate_check_marks(&e);
        const double products[8] = {10, 30, 40, 30, 60, 120, 0, 0};
        for (int i = 0; i < 8; i++) {
            assert_true(evaluate_get(&e, sorted.permutation, i) == order[i] &&
                        evaluate_get(&e, sorted.inverse, i) == place[i]);
            assert_true(evaluate_get(&e, y, i) == products[i]);
        }
        for (int i = 0; i < 4; i++) assert_true(evaluate_get(&e, sorted.offsets, i) == offsets[i]);
        covered[HEED_OP_EXPERT_PERMUTATION] = covered[HEED_OP_EXPERT_DISPATCH] = true;
        evaluate_free(&e);
        heed_graph_free(graph);
    }
}

/* Options that are all 0 mean one head as wide as q and a scale of 1 / sqrt(E); a scale of 0 that
   is set weighs all keys alike. Row 0 of q looks along key 1, so the two differ. */
static void attention_options_have_defaults(void **state)
{
    (void)state;
    enum { ROWS = 2, WIDTH = 4 };
    const heed_attention_options all[] = {
        {0},
        {.heads = 1, .kv_heads = 1, .head_width = WIDTH, .scale = {true, 0.5}},
        {.scale = {true, 0}},
    };
    double found[3];
    for (int i = 0; i < 3; i++) {
        heed_graph *graph = heed_graph_new();
        heed_value x = heed_input(graph, "x", HEED_F32, heed_shape_2(ROWS, WIDTH));
        heed_attention_inputs inputs = {
            .q = x,
            .k = x,
            .v = x,
            .sequences = heed_input(graph, "sequences", HEED_I32, heed_shape_2(1, 8)),
        };
        heed_value y = heed_attention(graph, &inputs, &all[i], NULL);
        evaluation e = evaluate_new(graph, true, (heed_runtime){0});
        evaluate_fill(&e, x, (double[ROWS * WIDTH]){1, 0, 0, 0, 3, 1, 0, 0});
        evaluate_fill(&e, inputs.sequences, (double[]){0, ROWS, 0, ROWS, 0, 0, 0, 0});
        evaluate_run(&e, graph->n_nodes);
        found[i] = evaluate_get(&e, y, 0);
        evaluate_free(&e);
        heed_graph_free(graph);
    }
    assert_true(found[0] == found[1]);
    assert_true(fabs(found[0] - (1 + 3 * exp(1)) / (1 + exp(1))) < 1e-12);
    assert_true(found[2] == 2);
}

/* Runs last. */
static void every_op_with_a_rule_was_checked(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ops_with_rules / sizeof *ops_with_rules; i++)
        if (!covered[ops_with_rules[i]])
            fail_msg("%s: no value of it was checked", heed_ops[ops_with_rules[i]]->name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows_of_minus_infinity_have_no_softmax),
                                       cmocka_unit_test(rows_with_nan_are_nan),
                                       cmocka_unit_test(shapes_and_repetitions_keep_the_order),
                                       cmocka_unit_test(casts_round_to_nearest_even),
                                       cmocka_unit_test(states_get_their_next_version),
                                       cmocka_unit_test(cross_entropy_bears_any_logit),
                                       cmocka_unit_test(top_k_orders_whatever_comes),
                                       cmocka_unit_test(experts_are_sorted_stably),
                                       cmocka_unit_test(attention_options_have_defaults),
                                       cmocka_unit_test(every_op_with_a_rule_was_checked)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
