/* The benchmark's figures are there and its limits are explained; speed itself is not tested. */
#include "evaluate/bench.h"
#include "generate/support.h"
#include <math.h>

static void figures_are_filled(void **state)
{
    (void)state;
    static const char *const names[] = {"gpt2", "marian"};
    for (int i = 0; i < 2; i++) {
        fixture f = fixture_open(names[i], 1);
        heed_bench_result result;
        assert_ok(heed_bench(f.model, f.backend, &(heed_bench_task){.prompt = 16, .count = 8},
                             &result, &error));
        assert_true(result.prefill.tokens_per_second > 0 && result.decode.tokens_per_second > 0 &&
                    result.prefill.spread >= 0);
        assert_true(result.prefill.operations[HEED_NUMBER_F32] > 0 &&
                    result.decode.operations[HEED_NUMBER_F32] > 0);
        assert_true(result.decode.operations[HEED_NUMBER_INT8] == 0);
        assert_int_equal(result.weight_bytes, heed_model_bytes(f.model));
        assert_true(result.cache_bytes > 0 && result.resident_bytes > result.weight_bytes);
        assert_true(result.decode.bytes > heed_model_step_bytes(f.model, 1) &&
                    result.prefill.bytes < result.decode.bytes);
        fixture_close(&f);
    }
}

static void limits_are_explained(void **state)
{
    (void)state;
    heed_bench_result result;
    fixture f = fixture_open("gpt2", 1), translator = fixture_open("marian", 1);
    /* clang-format off */
    static const heed_bench_task beyond[] = {
        {.prompt = 1000, .count = 1},
        {.prompt = 0, .count = 1},
        {.prompt = 16, .count = 1000},
        {.prompt = 16, .count = 1, .depth = 1000},
        {.prompt = 16, .count = -1},
    };
    /* clang-format on */
    for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++)
        assert_fails(HEED_E_ARG, "do not fit the context",
                     heed_bench(f.model, f.backend, &beyond[i], &result, &error));
    assert_fails(HEED_E_ARG, "the shorter length first",
                 heed_bench(f.model, f.backend, &(heed_bench_task){.prompt = 4, .shortest = 5},
                            &result, &error));
    assert_fails(HEED_E_ARG, "sequences at once",
                 heed_bench(f.model, f.backend, &(heed_bench_task){.prompt = 4, .sequences = -1},
                            &result, &error));
    assert_fails(HEED_E_ARG, "only a decoder",
                 heed_bench(translator.model, translator.backend,
                            &(heed_bench_task){.prompt = 4, .depth = 4}, &result, &error));
    fixture_close(&f);
    fixture_close(&translator);
}

/* What a batch reads and writes is counted: two sequences of one length cost a token as much as one
   does, a full cache costs more. */
static void batches_and_depths_are_counted(void **state)
{
    (void)state;
    fixture f = fixture_open("llama", 2);
    heed_bench_result one, two, mixed, deep;
    assert_ok(
        heed_bench(f.model, f.backend, &(heed_bench_task){.prompt = 12, .count = 4}, &one, &error));
    assert_ok(heed_bench(f.model, f.backend,
                         &(heed_bench_task){.prompt = 12, .count = 4, .sequences = 2}, &two,
                         &error));
    assert_ok(
        heed_bench(f.model, f.backend,
                   &(heed_bench_task){.prompt = 12, .shortest = 6, .count = 4, .sequences = 3},
                   &mixed, &error));
    assert_ok(heed_bench(f.model, f.backend,
                         &(heed_bench_task){.prompt = 12, .count = 4, .depth = 16}, &deep, &error));
    const double *a = one.prefill.operations, *b = two.prefill.operations;
    assert_true(fabs(a[HEED_NUMBER_F32] - b[HEED_NUMBER_F32]) < 1e-6 * a[HEED_NUMBER_F32]);
    assert_true(mixed.prefill.operations[HEED_NUMBER_F32] < a[HEED_NUMBER_F32] * 1.5 &&
                mixed.prefill.operations[HEED_NUMBER_F32] > 0);
    assert_true(deep.prefill.operations[HEED_NUMBER_F32] > a[HEED_NUMBER_F32] &&
                deep.decode.bytes > one.decode.bytes);
    assert_true(two.decode.bytes < one.decode.bytes);
    fixture_close(&f);
}

static void encoders_read_ragged_batches(void **state)
{
    (void)state;
    static const char *const names[] = {"bert", "bert-base", "bert-seqcls", "bert-tokcls",
                                        "bert-qa"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        fixture f = fixture_open(names[i], 2);
        heed_bench_result result;
        assert_ok(
            heed_bench(f.model, f.backend,
                       &(heed_bench_task){.prompt = 12, .shortest = 3, .sequences = 4, .count = 9},
                       &result, &error));
        assert_true(result.prefill.tokens_per_second > 0 &&
                    result.prefill.operations[HEED_NUMBER_F32] > 0 && result.prefill.bytes > 0);
        assert_true(result.decode.tokens_per_second == 0 && result.cache_bytes == 0);
        assert_fails(HEED_E_ARG, "only a decoder",
                     heed_bench(f.model, f.backend, &(heed_bench_task){.prompt = 4, .depth = 4},
                                &result, &error));
        fixture_close(&f);
    }
}

typedef struct {
    int64_t last, calls;
} seen;

static bool until_third(void *argument, int64_t round, heed_bench_round rates)
{
    seen *s = argument;
    assert_int_equal(round, s->calls - 1);
    assert_true(round == HEED_BENCH_WARM ? rates.prefill == 0
                                         : rates.prefill > 0 && rates.decode > 0);
    s->last = round;
    s->calls++;
    return round < 2;
}

static void visitors_see_rounds_and_end_them(void **state)
{
    (void)state;
    fixture f = fixture_open("gpt2", 1);
    heed_bench_result result;
    for (int64_t rounds = -1; rounds <= 2; rounds += 3) {
        seen s = {0, 0};
        heed_bench_task task = {
            .prompt = 4, .count = 1, .rounds = rounds, .visitor = until_third, .argument = &s};
        assert_ok(heed_bench(f.model, f.backend, &task, &result, &error));
        assert_int_equal(s.last, rounds < 0 ? 2 : 1);
        assert_true(result.prefill.tokens_per_second > 0);
    }
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(figures_are_filled),
                                       cmocka_unit_test(limits_are_explained),
                                       cmocka_unit_test(batches_and_depths_are_counted),
                                       cmocka_unit_test(encoders_read_ragged_batches),
                                       cmocka_unit_test(visitors_see_rounds_and_end_them)};
    return cmocka_run_group_tests_name("bench", tests, NULL, NULL);
}
