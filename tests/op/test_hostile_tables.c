/* Sequence tables, page tables, indices, labels and slots of any content: kernels of the references
   stay within their operands. */
#include "base/rng.h"
#include "op_case.h"
#include "support/evaluate.h"

/* The inputs of the graph below. */
typedef struct {
    heed_value q, k, cache, sequences, index, keys, blocks, sinks, choices, places;
} inputs;

static inputs inputs_of(heed_graph *graph)
{
    inputs in;
    in.q = heed_input(graph, "q", HEED_F32, (heed_shape)N_BY(4));
    in.k = heed_input(graph, "k", HEED_F32, (heed_shape)S_BY(2));
    in.cache = heed_state(graph, "cache", HEED_F32, heed_shape_2(128, 2));
    in.sequences = heed_input(graph, "sequences", HEED_I32, (heed_shape)B_BY(8));
    in.index = heed_input(graph, "index", HEED_I32, (heed_shape)N_ROWS);
    in.keys = heed_input(graph, "keys", HEED_I32, (heed_shape)S_ROWS);
    in.blocks = heed_input(graph, "blocks", HEED_I32, heed_shape_2(2, 3));
    in.sinks = heed_input(graph, "sinks", HEED_F32, heed_shape_1(2));
    in.choices = heed_input(graph, "choices", HEED_I32, (heed_shape)N_BY(2));
    in.places = heed_input(graph, "places", HEED_I32, (heed_shape)N_BY(2));
    return in;
}

/* Attention over rows and over a cache that the keys were written into: (N,4). */
static heed_value attend(heed_graph *graph, const inputs *in, int trial)
{
    const heed_attention_options options = {
        .heads = 2,
        .kv_heads = 1,
        .head_width = 2,
        .scale = heed_real(1),
        .causal = trial % 2,
        .window = trial % 3,
        .want_weights = trial % 5 == 0,
        .max_queries = 2,
        .max_keys = 2,
    };
    heed_attention_inputs dense = {in->q,     in->k,     in->k,     in->sequences, HEED_NONE,
                                   HEED_NONE, HEED_NONE, HEED_NONE, HEED_NONE},
                          paged = dense;
    if (trial % 4) dense.query_index = in->index;
    if (trial % 3) dense.key_index = in->keys;
    if (trial % 2) dense.sinks = in->sinks;
    heed_value rows = heed_attention(graph, &dense, &options, NULL);
    paged.k = paged.v = heed_cache_write(graph, in->cache, in->k, in->keys);
    paged.page_table = in->blocks;
    return heed_add(graph, rows, heed_attention(graph, &paged, &options, NULL));
}

/* Experts in the order that choices give, and dispatch by places of any content: (N,4). */
static heed_value consult_experts(heed_graph *graph, const inputs *in)
{
    const heed_expert_permutation sorted = heed_expert_sort(graph, in->choices, 3),
                                  wild = {in->choices, in->places, HEED_NONE};
    heed_value weights = heed_constant(graph, "experts", HEED_F32,
                                       heed_shape_of(3, (int64_t[]){3, 4, 4}));
    heed_value slots = heed_expert_dispatch(graph, in->q, &sorted, HEED_NONE);
    slots = heed_expert_matmul(graph, slots, weights, HEED_NONE, &sorted);
    heed_value rows = heed_expert_combine(graph, slots, &sorted, HEED_NONE);
    slots = heed_expert_dispatch(graph, in->q, &wild, HEED_NONE);
    return heed_add(graph, rows, heed_expert_combine(graph, slots, &wild, HEED_NONE));
}

/* Every op that reads a table, and the gradient to q: (N,4). */
static heed_value build_gradient(heed_graph *graph, const inputs *in, int trial)
{
    heed_value loss = attend(graph, in, trial), dq;
    loss = heed_add(graph, loss, heed_gather(graph, in->q, in->index));
    loss = heed_add(graph, loss, consult_experts(graph, in));
    loss = heed_reduce(graph, HEED_REDUCE_SUM, loss, -1, false);
    loss = heed_add(graph, loss, heed_cross_entropy(graph, in->q, in->index, 0.1f));
    loss = heed_reduce(graph, HEED_REDUCE_SUM, loss, -1, false);
    heed_value mean = heed_sequence_mean(graph, in->q, in->sequences);
    for (int axis = 0; axis < 2; axis++)
        mean = heed_reduce(graph, HEED_REDUCE_SUM, mean, -1, false);
    assert_ok(heed_graph_gradient(graph, heed_add(graph, loss, mean), &in->q, 1, &dq, &error));
    return dq;
}

/* Normal numbers; integers of any content, but now and then a good one in the table of
   sequences. */
static void fill(evaluation *e, const heed_graph *graph, heed_value v, bool sequences,
                 heed_rng *rng)
{
    static const int32_t hostile[] = {INT32_MIN, INT32_MAX, -1,      0,  1, 2,
                                      3,         64,        1 << 30, -7, 5, 100};
    const bool wild = graph->values[v].dtype == HEED_I32;
    for (int64_t at = 0; at < evaluate_count(e, v); at++) {
        uint64_t pick = heed_rng_below(rng, sizeof hostile / sizeof *hostile);
        if (sequences && heed_rng_below(rng, 2)) pick = 3 + heed_rng_below(rng, 3);
        evaluate_set(e, v, at, wild ? hostile[pick] : heed_rng_normal(rng));
    }
}

/* Sequence tables, page tables, indices, labels and slots of any content: kernels stay within their
   operands (the address sanitizer tells), write no row that is not live, and what no valid sequence
   covers is zero. */
static void tables_that_lead_outside_touch_nothing(void **state)
{
    (void)state;
    heed_rng rng = {.seed = 8};
    for (int trial = 0; trial < 300; trial++) {
        heed_graph *graph = heed_graph_new();
        const inputs in = inputs_of(graph);
        const heed_value dq = build_gradient(graph, &in, trial);
        evaluation e = evaluate_new(graph, trial % 2,
                                    (heed_runtime){.count = {0, LIVE_N, LIVE_S, LIVE_B, LIVE_R}});
        for (size_t v = 1; v < graph->n_values; v++)
            if (graph->values[v].node < 0)
                fill(&e, graph, (heed_value)v, (heed_value)v == in.sequences, &rng);
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
