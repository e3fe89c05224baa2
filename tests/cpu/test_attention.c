/* Attention kernels against their references, and the invariants of their bits. */
#include "cpu/attention_case.h"

/* clang-format off */
static attention_data forward_cases[] = {
    {.name = "one query", .heads = 1, .kv_heads = 1, .width = 16, .queries = {1, -1}},
    {.name = "nothing at all", .heads = 2, .kv_heads = 1, .width = 8, .queries = {-1}},
    {.name = "tile edges", .heads = 2, .kv_heads = 2, .width = 16,
     .queries = {1, 0, 63, 64, 65, 2}},
    {.name = "causal tile edges", .heads = 2, .kv_heads = 2, .width = 16,
     .queries = {1, 0, 63, 64, 65, 2}, .causal = true},
    {.name = "odd width", .heads = 3, .kv_heads = 3, .width = 5, .queries = {7, 130, -1},
     .causal = true},
    {.name = "width one", .heads = 2, .kv_heads = 2, .width = 1, .queries = {7, 30, -1}},
    {.name = "width 33", .heads = 2, .kv_heads = 1, .width = 33, .queries = {40, 9, -1}},
    {.name = "width 96", .heads = 1, .kv_heads = 1, .width = 96, .queries = {70, -1},
     .causal = true},
    {.name = "width 256", .heads = 2, .kv_heads = 1, .width = 256, .queries = {66, 3, -1},
     .causal = true, .scale = 0.0625f},
    {.name = "grouped heads", .heads = 6, .kv_heads = 2, .width = 24, .queries = {70, 5, -1},
     .causal = true},
    {.name = "one key head", .heads = 5, .kv_heads = 1, .width = 32, .queries = {30, 150, -1},
     .causal = true},
    {.name = "a group larger than a query block", .heads = 130, .kv_heads = 1, .width = 4,
     .queries = {3, -1}, .causal = true},
    {.name = "window", .heads = 2, .kv_heads = 2, .width = 16, .queries = {200, 40, -1},
     .causal = true, .window = 9},
    {.name = "window of one", .heads = 1, .kv_heads = 1, .width = 16, .queries = {90, -1},
     .causal = true, .window = 1},
    {.name = "window over tiles", .heads = 1, .kv_heads = 1, .width = 16, .queries = {300, -1},
     .causal = true, .window = 100},
    {.name = "window both ways", .heads = 2, .kv_heads = 1, .width = 16, .queries = {150, 20, -1},
     .window = 30},
    {.name = "cross", .heads = 2, .kv_heads = 2, .width = 16, .queries = {3, 70, 0, 5, -1},
     .keys = {130, 1, 9, 0}, .cross = true},
    {.name = "hidden keys", .heads = 2, .kv_heads = 2, .width = 16, .queries = {130, 66, -1},
     .holes = true},
    {.name = "hidden keys, causal", .heads = 4, .kv_heads = 2, .width = 16,
     .queries = {130, 66, -1}, .holes = true, .causal = true},
    {.name = "indices out of order", .heads = 2, .kv_heads = 2, .width = 16,
     .queries = {130, 66, -1}, .holes = true, .shuffled = true, .causal = true},
    {.name = "indices out of order, window", .heads = 2, .kv_heads = 2, .width = 16,
     .queries = {130, 66, -1}, .shuffled = true, .window = 12},
    {.name = "rows of no sequence", .heads = 2, .kv_heads = 2, .width = 20, .queries = {33, 70, -1},
     .gaps = true, .causal = true},
    {.name = "cache, one query each", .heads = 4, .kv_heads = 2, .width = 16,
     .queries = {1, 1, 1, 1, -1}, .keys = {1, 64, 65, 300}, .cache = true, .causal = true},
    {.name = "cache, some queries", .heads = 2, .kv_heads = 2, .width = 16,
     .queries = {5, 70, 0, -1}, .keys = {100, 70, 40}, .cache = true, .causal = true},
    {.name = "cache and window", .heads = 2, .kv_heads = 2, .width = 16, .queries = {5, 7, -1},
     .keys = {300, 140}, .cache = true, .causal = true, .window = 70},
    {.name = "cache with hidden keys", .heads = 2, .kv_heads = 2, .width = 16,
     .queries = {5, 7, -1}, .keys = {300, 140}, .cache = true, .causal = true, .holes = true},
    {.name = "long cache, one query each", .heads = 4, .kv_heads = 2, .width = 16,
     .queries = {1, 1, 3, 0, -1}, .keys = {1024, 1025, 3100, 70}, .cache = true, .causal = true},
    {.name = "long cache, window, sinks", .heads = 3, .kv_heads = 1, .width = 20,
     .queries = {1, 2, -1}, .keys = {1500, 3000}, .cache = true, .causal = true, .window = 700,
     .sinks = true},
    {.name = "long cache, many queries", .heads = 2, .kv_heads = 1, .width = 8, .queries = {70, -1},
     .keys = {2100}, .cache = true, .causal = true},
    {.name = "long cross, few queries", .heads = 2, .kv_heads = 2, .width = 8,
     .queries = {3, 5, -1}, .keys = {1100, 2049}, .cross = true, .holes = true},
    {.name = "cache in bf16", .heads = 4, .kv_heads = 2, .width = 16, .queries = {1, 70, 3, -1},
     .keys = {65, 70, 1100}, .cache = true, .causal = true, .kept = HEED_BF16},
    {.name = "cache in bf16, odd width, hidden keys", .heads = 3, .kv_heads = 3, .width = 5,
     .queries = {5, 7, -1}, .keys = {300, 140}, .cache = true, .causal = true, .holes = true,
     .kept = HEED_BF16},
    {.name = "cache in f16", .heads = 4, .kv_heads = 2, .width = 16, .queries = {1, 70, 3, -1},
     .keys = {65, 70, 1100}, .cache = true, .causal = true, .kept = HEED_F16},
    {.name = "cache in f16, odd width, hidden keys", .heads = 3, .kv_heads = 3, .width = 5,
     .queries = {5, 7, -1}, .keys = {300, 140}, .cache = true, .causal = true, .holes = true,
     .kept = HEED_F16},
    {.name = "cache in i8", .heads = 4, .kv_heads = 2, .width = 16, .queries = {1, 70, 3, -1},
     .keys = {65, 70, 1100}, .cache = true, .causal = true, .kept = HEED_I8},
    {.name = "cache in i8, odd width, window", .heads = 3, .kv_heads = 3, .width = 5,
     .queries = {5, 7, -1}, .keys = {300, 140}, .cache = true, .causal = true, .window = 70,
     .kept = HEED_I8},
    {.name = "cache in i8, width 33, weights", .heads = 2, .kv_heads = 1, .width = 33,
     .queries = {5, 7, -1}, .keys = {70, 40}, .cache = true, .causal = true, .want_weights = true,
     .kept = HEED_I8},
    {.name = "queries before all keys", .heads = 2, .kv_heads = 2, .width = 16,
     .queries = {9, 70, -1}, .causal = true, .past = 4},
    {.name = "dropout", .heads = 4, .kv_heads = 2, .width = 16, .queries = {70, 33, -1},
     .causal = true, .dropout = 0.25f},
    {.name = "dropout with hidden keys", .heads = 2, .kv_heads = 2, .width = 16,
     .queries = {130, 66, -1}, .holes = true, .dropout = 0.5f},
    {.name = "large scores", .heads = 2, .kv_heads = 2, .width = 16, .queries = {130, -1},
     .scale = 30},
    {.name = "soft cap", .heads = 4, .kv_heads = 2, .width = 16, .queries = {70, 33, -1},
     .causal = true, .cap = 1.5f},
    {.name = "soft cap, hidden keys", .heads = 2, .kv_heads = 2, .width = 16,
     .queries = {130, 66, -1}, .holes = true, .cap = 0.8f, .dropout = 0.25f},
    {.name = "soft cap far below the scores", .heads = 2, .kv_heads = 1, .width = 20,
     .queries = {70, -1}, .causal = true, .scale = 30, .cap = 5},
    {.name = "soft cap, negative scale", .heads = 2, .kv_heads = 1, .width = 8, .queries = {20, -1},
     .causal = true, .scale = -0.5f, .cap = 2},
    {.name = "alibi", .heads = 4, .kv_heads = 4, .width = 16, .queries = {70, 0, 133, -1},
     .causal = true, .alibi = true},
    {.name = "alibi, both ways, grouped heads", .heads = 4, .kv_heads = 2, .width = 16,
     .queries = {70, 13, -1}, .alibi = true},
    {.name = "alibi, cache", .heads = 4, .kv_heads = 2, .width = 16, .queries = {5, 70, -1},
     .keys = {300, 70}, .cache = true, .causal = true, .alibi = true},
    {.name = "alibi, indices out of order", .heads = 2, .kv_heads = 2, .width = 16,
     .queries = {130, 66, -1}, .holes = true, .shuffled = true, .causal = true, .alibi = true},
    {.name = "alibi in bf16", .heads = 6, .kv_heads = 2, .width = 16, .queries = {150, 9, -1},
     .causal = true, .alibi = true, .alibi_bf16 = true},
    {.name = "alibi, soft cap and sinks", .heads = 4, .kv_heads = 2, .width = 16,
     .queries = {70, 9, -1}, .causal = true, .alibi = true, .cap = 1, .sinks = true},
    {.name = "sinks", .heads = 6, .kv_heads = 2, .width = 16, .queries = {70, 0, 33, -1},
     .causal = true, .sinks = true},
    {.name = "sinks, window, hidden keys", .heads = 2, .kv_heads = 2, .width = 16,
     .queries = {130, 66, -1}, .holes = true, .causal = true, .window = 3, .sinks = true},
    {.name = "sinks where nothing is seen", .heads = 2, .kv_heads = 2, .width = 16,
     .queries = {9, 70, -1}, .causal = true, .past = 4, .sinks = true},
    {.name = "sinks and dropout", .heads = 4, .kv_heads = 2, .width = 16, .queries = {70, 33, -1},
     .causal = true, .dropout = 0.25f, .sinks = true},
    {.name = "weights with cap, alibi and sinks", .heads = 4, .kv_heads = 2, .width = 16,
     .queries = {70, 33, -1}, .causal = true, .want_weights = true, .cap = 1, .alibi = true,
     .sinks = true},
    {.name = "weights", .heads = 4, .kv_heads = 2, .width = 16, .queries = {70, 0, 33, -1},
     .causal = true, .want_weights = true},
    {.name = "weights with hidden keys and dropout", .heads = 2, .kv_heads = 2, .width = 16,
     .queries = {68, 66, -1}, .holes = true, .dropout = 0.5f, .want_weights = true},
    {.name = "weights, cross, cut", .heads = 2, .kv_heads = 2, .width = 16,
     .queries = {3, 90, 0, 5, -1}, .keys = {130, 1, 9, 0}, .cross = true, .want_weights = true},
};
/* clang-format on */

static void forward_agrees_with_the_reference(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof forward_cases / sizeof *forward_cases; i++)
        for (int bf16 = 0; bf16 <= 1; bf16++) {
            attention_data d = forward_cases[i];
            d.bf16 = bf16;
            kernel_case c = attention_case(&d, false);
            case_check(&c, NULL);
            heed_graph_free(c.graph);
        }
}

/* ---- backward: y and lse have to be those of the forward pass ---- */

typedef struct backward_data {
    attention_data d;
    float *y, *lse;
} backward_data;

static double backward_element(const kernel_case *c, int input, int64_t row, int64_t column,
                               heed_rng *rng)
{
    const backward_data *b = c->data;
    kernel_case inner = *c;
    inner.data = &b->d;
    if (input == HEED_ATTENTION_Y) return (double)b->y[row * b->d.heads * b->d.width + column];
    if (input == HEED_ATTENTION_LSE) return (double)b->lse[row * b->d.heads + column];
    return attention_element(&inner, input, row, column, rng);
}

static void backward_agrees_with_the_reference(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * sizeof forward_cases / sizeof *forward_cases; i++) {
        if (forward_cases[i / 2].want_weights || forward_cases[i / 2].cache) continue;
        backward_data data = {.d = forward_cases[i / 2]};
        data.d.bf16 = i % 2;
        kernel_case forward = attention_case(&data.d, false);
        case_operands all = case_operands_new(&forward, 0, false);
        heed_runtime runtime = case_runtime(&forward);
        heed_kernel_args args = case_args(&forward, &all, &runtime, HEED_ISA_GENERIC);
        heed_ops[HEED_OP_ATTENTION]->reference(&args);
        data.y = all.operand[all.n_in].data;
        data.lse = all.operand[all.n_in + 1].data;
        kernel_case c = attention_case(&data.d, true);
        c.element = backward_element;
        c.data = &data;
        case_check(&c, NULL);
        heed_graph_free(c.graph);
        case_operands_free(&all);
        heed_graph_free(forward.graph);
    }
}

/* ---- invariants of bits ---- */

/* Runs the kernel and returns the operands; the caller frees. */
static case_operands
run_forward(attention_data *d,
            double (*element)(const kernel_case *, int, int64_t, int64_t, heed_rng *), heed_isa isa)
{
    heed_backend *backend = NULL;
    assert_ok(heed_cpu_backend_new(&backend, 1, isa, &error));
    kernel_case c = attention_case(d, false);
    c.element = element;
    case_operands all = case_operands_new(&c, 0, false);
    heed_runtime runtime = case_runtime(&c);
    const heed_kernel *kernel = case_kernel(&c, &all, backend);
    assert_non_null(kernel);
    case_run_kernel(kernel, case_args(&c, &all, &runtime, isa), 1, false);
    heed_graph_free(c.graph);
    heed_cpu_backend_free(backend);
    return all;
}

/* q, k and v that depend on the sample and on the place in the sequence only. */
static int64_t first_sample;
static double by_place(const kernel_case *c, int input, int64_t row, int64_t column, heed_rng *rng)
{
    const attention_data *d = c->data;
    if (input > HEED_ATTENTION_V) {
        double value = attention_element(c, input, row, column, rng);
        return input == HEED_ATTENTION_SEQUENCES && column == HEED_SEQUENCE_SAMPLE
                   ? value + (double)first_sample
                   : value;
    }
    int64_t b = 0, place = 0;
    if (input == HEED_ATTENTION_Q || !d->cache) {
        const int64_t *start = input == HEED_ATTENTION_Q ? d->query_start : d->key_start;
        while (b + 1 < d->count && row >= start[b + 1]) b++;
        place = row - start[b] + (input == HEED_ATTENTION_Q ? d->keys[b] - d->queries[b] : 0);
    } else {
        b = row / HEED_PAGE_POSITIONS % d->count;
        place = attention_place(d, row);
    }
    heed_rng own = {.seed = (uint64_t)(40 + b + first_sample),
                    .stream = (uint64_t)(input * 100003 + place * 1009 + column)};
    return heed_rng_normal(&own);
}

static void check_rows(const case_operands *a, int64_t a_row, const case_operands *b, int64_t b_row,
                       int64_t rows, const char *what)
{
    const heed_operand *x = &a->operand[a->n_in], *y = &b->operand[b->n_in];
    for (int64_t i = 0; i < rows; i++)
        if (memcmp((float *)x->data + (a_row + i) * x->row_stride,
                   (float *)y->data + (b_row + i) * y->row_stride,
                   (size_t)x->shape.dim[1] * sizeof(float)))
            fail_msg("%s: query %lld differs", what, (long long)i);
}

static void batch_equals_singles(void **state)
{
    (void)state;
    attention_data batch = {
        .name = "batch",
        .heads = 4,
        .kv_heads = 2,
        .width = 24,
        .queries = {70, 1, 130, -1},
        .causal = true,
        .dropout = 0.1f,
    };
    for (int isa = 0; isa <= (int)heed_isa_detect(); isa++) {
        first_sample = 0;
        case_operands together = run_forward(&batch, by_place, (heed_isa)isa);
        for (int64_t b = 0; b < batch.count; b++) {
            attention_data one = batch;
            one.queries[0] = batch.queries[b];
            one.queries[1] = -1;
            first_sample = b;
            case_operands alone = run_forward(&one, by_place, (heed_isa)isa);
            check_rows(&together, batch.query_start[b], &alone, 0, batch.queries[b],
                       "batch and single");
            case_operands_free(&alone);
        }
        case_operands_free(&together);
    }
}

static void dense_equals_cache(void **state)
{
    (void)state;
    attention_data dense =
                       {
                           .name = "dense",
                           .heads = 4,
                           .kv_heads = 2,
                           .width = 24,
                           .queries = {70, 1, 130, -1},
                           .keys = {70, 65, 200},
                           .cross = true,
                           .causal = true,
                       },
                   cache = dense;
    cache.cross = false;
    cache.cache = true;
    first_sample = 0;
    for (int isa = 0; isa <= (int)heed_isa_detect(); isa++) {
        case_operands a = run_forward(&dense, by_place, (heed_isa)isa),
                      b = run_forward(&cache, by_place, (heed_isa)isa);
        check_rows(&a, 0, &b, 0, dense.rows, "dense and cache");
        case_operands_free(&a);
        case_operands_free(&b);
    }
}

/* A row of a long prompt has the bits that it has when its query comes alone. */
static void prefill_equals_decoding(void **state)
{
    (void)state;
    for (int window = 0; window <= 40; window += 40)
        for (int isa = 0; isa <= (int)heed_isa_detect(); isa++) {
            attention_data prefill = {
                .name = "prefill",
                .heads = 6,
                .kv_heads = 2,
                .width = 24,
                .queries = {150, -1},
                .keys = {150},
                .cache = true,
                .causal = true,
                .window = window,
            };
            first_sample = 0;
            case_operands all = run_forward(&prefill, by_place, (heed_isa)isa);
            for (int64_t i = 0; i < 150; i += 7) {
                attention_data decode = prefill;
                decode.queries[0] = 1;
                decode.keys[0] = i + 1;
                case_operands one = run_forward(&decode, by_place, (heed_isa)isa);
                check_rows(&all, i, &one, 0, 1, "prefill and decoding");
                case_operands_free(&one);
            }
            case_operands_free(&all);
        }
}

/* A query of NaNs gives NaN, not the zeros of a query that sees nothing. */
static double with_nan_query(const kernel_case *c, int input, int64_t row, int64_t column,
                             heed_rng *rng)
{
    double value = attention_element(c, input, row, column, rng);
    return input == HEED_ATTENTION_Q && row == 30 ? NAN : value;
}

static void nan_queries_stay_nan(void **state)
{
    (void)state;
    attention_data d = {.name = "nan query",
                        .heads = 2,
                        .kv_heads = 2,
                        .width = 16,
                        .queries = {100, -1},
                        .causal = true};
    kernel_case c = attention_case(&d, false);
    c.element = with_nan_query;
    case_check(&c, NULL);
    heed_graph_free(c.graph);
    for (int isa = 0; isa <= (int)heed_isa_detect(); isa++) {
        case_operands all = run_forward(&d, with_nan_query, (heed_isa)isa);
        for (int64_t i = 0; i < 100; i++)
            assert_int_equal(isnan(case_get(&all.operand[all.n_in], i, 5, false)) != 0, i == 30);
        case_operands_free(&all);
    }
}

/* A NaN in a key or value reaches only the queries that see it. */
static double with_nan(const kernel_case *c, int input, int64_t row, int64_t column, heed_rng *rng)
{
    double value = attention_element(c, input, row, column, rng);
    if (row != 50 || column != 3) return value;
    if (input == HEED_ATTENTION_K) return NAN;
    return input == HEED_ATTENTION_V ? INFINITY : value;
}

static void nan_stays_where_it_is_seen(void **state)
{
    (void)state;
    attention_data d = {.name = "nan",
                        .heads = 2,
                        .kv_heads = 2,
                        .width = 16,
                        .queries = {100, -1},
                        .causal = true,
                        .window = 20};
    for (int isa = 0; isa <= (int)heed_isa_detect(); isa++) {
        case_operands all = run_forward(&d, with_nan, (heed_isa)isa);
        for (int64_t i = 0; i < 100; i++)
            for (int64_t e = 0; e < 32; e++) {
                double value = case_get(&all.operand[all.n_in], i, e, false);
                assert_int_equal(isfinite(value) != 0, !(i >= 50 && i < 70 && e < 16));
            }
        case_operands_free(&all);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(forward_agrees_with_the_reference),
                                       cmocka_unit_test(backward_agrees_with_the_reference),
                                       cmocka_unit_test(batch_equals_singles),
                                       cmocka_unit_test(dense_equals_cache),
                                       cmocka_unit_test(prefill_equals_decoding),
                                       cmocka_unit_test(nan_stays_where_it_is_seen),
                                       cmocka_unit_test(nan_queries_stay_nan)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
