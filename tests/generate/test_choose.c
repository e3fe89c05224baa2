/* Choosing a token: the largest, a draw with the right frequencies, refusals. */
#include "generate/choose.h"
#include "support/test.h"
#include <math.h>

static void greedy_takes_the_first_largest(void **state)
{
    (void)state;
    int32_t id;
    assert_ok(heed_choose_greedy((float[]){-3, 2, 2, -INFINITY}, 4, &id, &error));
    assert_int_equal(id, 1);
    assert_ok(heed_choose_greedy((float[]){-INFINITY, -INFINITY, -3e38f}, 3, &id, &error));
    assert_int_equal(id, 2);
}

static void broken_scores_are_errors(void **state)
{
    (void)state;
    int32_t id;
    heed_rng rng = {.seed = 1};
    float with_nan[] = {1, NAN, 3}, forbidden[] = {-INFINITY, -INFINITY};
    assert_fails(HEED_E_ARG, "NaN (of token 1", heed_choose_greedy(with_nan, 3, &id, &error));
    assert_fails(HEED_E_ARG, "NaN (of token 1", heed_choose_sample(with_nan, 3, &rng, &id, &error));
    assert_fails(HEED_E_ARG, "all are forbidden", heed_choose_greedy(forbidden, 2, &id, &error));
    assert_fails(HEED_E_ARG, "all are forbidden",
                 heed_choose_sample(forbidden, 2, &rng, &id, &error));
    assert_fails(HEED_E_ARG, "infinite",
                 heed_choose_sample((float[]){1, INFINITY}, 2, &rng, &id, &error));
}

/* Pearson's statistic of 200,000 draws from eight tokens, two of them impossible; its 99.99 %
   quantile with 5 degrees of freedom is 25.7. */
static void draws_follow_the_distribution(void **state)
{
    (void)state;
    enum { V = 8, DRAWS = 200000 };
    const float scores[V] = {0, 1.5f, -INFINITY, -2, 0.25f, 3, -200, -0.5f};
    double p[V], chi = 0;
    int counts[V] = {0};
    heed_rng rng = {.seed = 42, .stream = 7};
    for (int i = 0; i < DRAWS; i++) {
        int32_t id = -1;
        assert_ok(heed_choose_sample(scores, V, &rng, &id, &error));
        counts[id]++;
    }
    assert_int_equal(rng.drawn > 0, 1);
    for (int i = 0; i < V; i++) p[i] = exp((double)scores[i] - heed_logits_log_sum_exp(scores, V));
    assert_int_equal(counts[2] + counts[6], 0);
    for (int i = 0; i < V; i++)
        if (i != 2 && i != 6)
            chi += (counts[i] - DRAWS * p[i]) * (counts[i] - DRAWS * p[i]) / (DRAWS * p[i]);
    if (chi > 25.7) fail_msg("chi-square %.2f", chi);
}

static void seeds_repeat_and_streams_differ(void **state)
{
    (void)state;
    float scores[64];
    for (int i = 0; i < 64; i++) scores[i] = sinf((float)i);
    int32_t first[50], again[50], other[50];
    int32_t *runs[] = {first, again, other};
    for (int run = 0; run < 3; run++) {
        heed_rng rng = {.seed = 5, .stream = (uint64_t)(run == 2)};
        for (int i = 0; i < 50; i++)
            assert_ok(heed_choose_sample(scores, 64, &rng, &runs[run][i], &error));
    }
    assert_memory_equal(first, again, sizeof first);
    assert_true(memcmp(first, other, sizeof first) != 0);
}

static void largest_are_ordered(void **state)
{
    (void)state;
    const float scores[] = {1, 5, 3, 5, -INFINITY, 4};
    int32_t order[6];
    assert_int_equal(heed_logits_top(scores, 6, 4, order), 4);
    assert_memory_equal(order, ((int32_t[]){1, 3, 5, 2}), 4 * sizeof(int32_t));
    assert_int_equal(heed_logits_top(scores, 6, 100, order), 6);
    assert_memory_equal(order, ((int32_t[]){1, 3, 5, 2, 0, 4}), 6 * sizeof(int32_t));
    assert_int_equal(heed_logits_top(scores, 1, 1, order), 1);
    assert_int_equal(order[0], 0);
}

static void log_sum_does_not_overflow(void **state)
{
    (void)state;
    assert_true(fabs(heed_logits_log_sum_exp((float[]){1000, 1000}, 2) - (1000 + log(2))) < 1e-9);
    assert_true(fabs(heed_logits_log_sum_exp((float[]){-1e30f, 0}, 2)) < 1e-12);
    assert_true(heed_logits_log_sum_exp((float[]){-INFINITY}, 1) == -INFINITY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(greedy_takes_the_first_largest),
                                       cmocka_unit_test(broken_scores_are_errors),
                                       cmocka_unit_test(draws_follow_the_distribution),
                                       cmocka_unit_test(seeds_repeat_and_streams_differ),
                                       cmocka_unit_test(largest_are_ordered),
                                       cmocka_unit_test(log_sum_does_not_overflow)};
    return cmocka_run_group_tests_name("choose", tests, NULL, NULL);
}
