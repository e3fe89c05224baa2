/* Sequence tables, page tables, indices, labels and slots of any content: kernels of the references
   stay within their operands. */
#include "base/rng.h"
#include "op_case.h"
#include "support/evaluate.h"

/* Sequence tables, page tables, indices, labels and slots of any content: kernels stay within their
   operands (the address sanitizer watches), write no row that is not live, and what no valid
   sequence covers is zero. */
static void tables_that_lead_outside_touch_nothing(void **state)
{
    (void)state;
    static const int32_t hostile[] = {INT32_MIN, INT32_MAX, -1,      0,  1, 2,
                                      3,         64,        1 << 30, -7, 5, 100};
    heed_rng rng = {.seed = 8};
    for (int trial = 0; trial < 300; trial++) {
        heed_graph *graph = heed_graph_new();
        heed_value q = heed_input(graph, "q", HEED_F32, (heed_shape)N_BY(4)),
                   k = heed_input(graph, "k", HEED_F32, (heed_shape)S_BY(2));
        heed_value cache = heed_state(graph, "cache", HEED_F32, heed_shape_2(128, 2)),
                   sequences = heed_input(graph, "sequences", HEED_I32, (heed_shape)B_BY(8));
        heed_value index = heed_input(graph, "index", HEED_I32, (heed_shape)N_ROWS),
                   keys = heed_input(graph, "keys", HEED_I32, (heed_shape)S_ROWS);
        heed_value blocks = heed_input(graph, "blocks", HEED_I32, heed_shape_2(2, 3)),
                   sinks = heed_input(graph, "sinks", HEED_F32, heed_shape_1(2)), dq;
        heed_attention_options options = {
            .heads = 2,
            .kv_heads = 1,
            .head_width = 2,
            .scale = 1,
            .causal = trial % 2,
            .window = trial % 3,
            .want_weights = trial % 5 == 0,
            .max_queries = 2,
            .max_keys = 2,
        };
        heed_attention_inputs dense = {q,
                                       k,
                                       k,
                                       sequences,
                                       trial % 4 ? index : HEED_NONE,
                                       trial % 3 ? keys : HEED_NONE,
                                       HEED_NONE,
                                       HEED_NONE,
                                       trial % 2 ? sinks : HEED_NONE},
                              paged = {q,         HEED_NONE, HEED_NONE, sequences, HEED_NONE,
                                       HEED_NONE, blocks,    HEED_NONE, HEED_NONE};
        heed_value loss = heed_attention(graph, &dense, &options, NULL);
        heed_value written = heed_cache_write(graph, cache, k, keys);
        paged.k = paged.v = written;
        loss = heed_add(graph, loss, heed_attention(graph, &paged, &options, NULL));
        loss = heed_add(graph, loss, heed_gather(graph, q, index));
        heed_value choices = heed_input(graph, "choices", HEED_I32, (heed_shape)N_BY(2)),
                   places = heed_input(graph, "places", HEED_I32, (heed_shape)N_BY(2));
        heed_expert_permutation sorted = heed_expert_sort(graph, choices, 3),
                                wild = {choices, places, HEED_NONE};
        heed_value experts = heed_constant(graph, "experts", HEED_F32,
                                           heed_shape_of(3, (int64_t[]){3, 4, 4}));
        heed_value slots = heed_expert_matmul(
            graph, heed_expert_dispatch(graph, q, &sorted, HEED_NONE), experts, HEED_NONE, &sorted);
        loss = heed_add(graph, loss, heed_expert_combine(graph, slots, &sorted, HEED_NONE));
        loss = heed_add(graph, loss,
                        heed_expert_combine(graph, heed_expert_dispatch(graph, q, &wild, HEED_NONE),
                                            &wild, HEED_NONE));
        loss = heed_reduce(graph, HEED_REDUCE_SUM, loss, -1, false);
        loss = heed_add(graph, loss, heed_cross_entropy(graph, q, index, 0.1f));
        loss = heed_reduce(graph, HEED_REDUCE_SUM, loss, -1, false);
        heed_value mean = heed_reduce(
            graph, HEED_REDUCE_SUM,
            heed_reduce(graph, HEED_REDUCE_SUM, heed_sequence_mean(graph, q, sequences), -1, false),
            -1, false);
        assert_ok(heed_graph_gradient(graph, heed_add(graph, loss, mean), &q, 1, &dq, &error));
        evaluation e = evaluate_new(graph, trial % 2,
                                    (heed_runtime){.count = {0, LIVE_N, LIVE_S, LIVE_B, LIVE_R}});
        for (size_t v = 1; v < graph->n_values; v++)
            for (int64_t at = 0;
                 graph->values[v].node < 0 && at < evaluate_count(&e, (heed_value)v); at++) {
                bool wild = graph->values[v].dtype == HEED_I32;
                uint64_t pick = heed_rng_below(&rng, sizeof hostile / sizeof *hostile);
                if (wild && (heed_value)v == sequences && heed_rng_below(&rng, 2))
                    pick = 3 + heed_rng_below(&rng, 3); /* now and then a good one */
                evaluate_set(&e, (heed_value)v, at, wild ? hostile[pick] : heed_rng_normal(&rng));
            }
        evaluate_run(&e, graph->n_nodes);
        evaluate_check_marks(&e);
        for (int64_t at = 0; at < evaluate_count(&e, dq); at++)
            assert_true(isfinite(evaluate_get(&e, dq, at)));
        evaluate_free(&e);
        heed_graph_free(graph);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tables_that_lead_outside_touch_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
