/* Settings at the ends of their ranges: as the temperature falls, a draw becomes the greedy choice;
   penalties and biases leave finite scores finite; beams with any length penalty return an
   answer. */
#include "generate/choose.h"
#include "generate/logits_case.h"
#include "generate/support.h"
#include <float.h>
#include <math.h>

enum { V = 6 };

/* Runs the processors of these kinds that `config` asks for, after the ids 0 1 0, of which 0 is
   given. */
static void apply_kinds(const char *config, unsigned kinds, float scores[V])
{
    static const int32_t ids[] = {0, 1, 0};
    const heed_logits_context context = {
        .ids = ids, .count = 3, .prompt = 1, .source = ids, .source_count = 3};
    apply_processors(config, kinds, &context, scores, V);
}

static void apply(const char *config, float scores[V])
{
    apply_kinds(config, HEED_LOGITS_ALWAYS | HEED_LOGITS_SAMPLING, scores);
}

static const char *const temperatures[] = {"1e-20", "1e-37",  "1e-38",    "1e-39",   "1e-45",
                                           "1e-46", "1e-300", "2.3e-308", "4.9e-324"};
static const char *const cuts[] = {
    "",
    ", \"top_k\": 2",
    ", \"top_p\": 0",
    ", \"top_p\": 5e-324",
    ", \"min_p\": 1",
    ", \"min_p\": 5e-324",
    ", \"typical_p\": 5e-324",
    ", \"typical_p\": 0.5",
    ", \"top_h\": 0.5",
    ", \"epsilon_cutoff\": 0.1",
    ", \"eta_cutoff\": 0.1",
    ", \"renormalize_logits\": true",
    ", \"repetition_penalty\": 1.2, \"presence_penalty\": 0.5, \"top_k\": 3, \"min_p\": 0.1"};
static const float rows[][V] = {
    {1, 5, -3, 2, 4.9999995f, -INFINITY},
    {-1e-30f, -5, -3, -7, -INFINITY, -100},
    {3e38f, -3e38f, 0, 1, 2, 3},
    {-3e38f, -3.1e38f, -3.2e38f, -INFINITY, -3.3e38f, -3.4e38f},
};

static void a_low_temperature_draws_the_greedy_token(void **state)
{
    (void)state;
    for (size_t t = 0; t < sizeof temperatures / sizeof *temperatures; t++)
        for (size_t c = 0; c < sizeof cuts / sizeof *cuts; c++)
            for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
                char config[200];
                float scores[V], plain[V];
                int32_t drawn, greedy;
                heed_rng rng = {.seed = t, .stream = r};
                snprintf(config, sizeof config, "{\"temperature\": %s%s}", temperatures[t],
                         cuts[c]);
                memcpy(scores, rows[r], sizeof scores);
                memcpy(plain, rows[r], sizeof plain);
                apply(config, scores);
                apply_kinds(config, HEED_LOGITS_ALWAYS, plain);
                assert_ok(heed_choose_sample(scores, V, &rng, &drawn, &error));
                assert_ok(heed_choose_greedy(plain, V, &greedy, &error));
                if (drawn != greedy)
                    fail_msg("%s, row %zu: id %d, expected %d", config, r, drawn, greedy);
            }
}

/* Equal largest scores stay equally likely, as at any other temperature. */
static void equal_tokens_share_the_draws(void **state)
{
    (void)state;
    int counts[V] = {0};
    heed_rng rng = {.seed = 3};
    for (int i = 0; i < 2000; i++) {
        float scores[V] = {1, 5, 2, 5, 4.9999995f, -INFINITY};
        int32_t id;
        apply("{\"temperature\": 1e-310}", scores);
        assert_ok(heed_choose_sample(scores, V, &rng, &id, &error));
        counts[id]++;
    }
    assert_int_equal(counts[1] + counts[3], 2000);
    assert_in_range(counts[1], 900, 1100);
}

static void a_high_temperature_makes_tokens_equally_likely(void **state)
{
    (void)state;
    static const char *const high[] = {"{\"temperature\": 3.4e38}", "{\"temperature\": 1e39}",
                                       "{\"temperature\": 1.7e308}"};
    for (size_t i = 0; i < sizeof high / sizeof *high; i++) {
        float scores[V] = {1, 5, 2, -7, 3e38f, -INFINITY};
        apply(high[i], scores);
        assert_true(scores[5] == -INFINITY);
        for (int k = 0; k < 4; k++) assert_true(fabsf(scores[k] - scores[0]) < 1e-30f);
    }
}

static void ordinary_temperatures_divide_as_before(void **state)
{
    (void)state;
    static const double usual[] = {0.1, 0.7, 1.3, 1e-30, 1e30};
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        char config[64];
        float scores[V] = {1.25f, -5.5f, 0.1f, 3.3f, -0.0f, -INFINITY}, plain[V];
        memcpy(plain, scores, sizeof plain);
        snprintf(config, sizeof config, "{\"temperature\": %.17g}", usual[i]);
        apply(config, scores);
        for (int k = 0; k < V; k++) plain[k] /= (float)usual[i];
        assert_memory_equal(scores, plain, sizeof scores);
    }
}

static void settings_keep_finite_scores_finite(void **state)
{
    (void)state;
    static const char *const configs[] = {
        "{\"repetition_penalty\": 1e-38}",
        "{\"repetition_penalty\": 5e-324}",
        "{\"repetition_penalty\": 1.7e308}",
        "{\"encoder_repetition_penalty\": 5e-324}",
        "{\"encoder_repetition_penalty\": 1.7e308}",
        "{\"presence_penalty\": 3.4e38, \"frequency_penalty\": 3.4e38}",
        "{\"presence_penalty\": -3.4e38, \"frequency_penalty\": -3.4e38}",
        "{\"sequence_bias\": [[[0], 3.4e38], [[1, 0, 0], 3.4e38], [[1], -3.4e38]]}",
        "{\"exponential_decay_length_penalty\": [0, 1e300], \"eos_token_id\": [0, 2]}",
        "{\"renormalize_logits\": true, \"temperature\": 1e-300}"};
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
        float scores[V] = {0, 3e38f, -3e38f, 0, -INFINITY, 1};
        apply(configs[i], scores);
        for (int k = 0; k < V; k++)
            if (k != 4 && !isfinite(scores[k]))
                fail_msg("%s: score %d is %g", configs[i], k, (double)scores[k]);
        assert_true(scores[4] == -INFINITY);
    }
}

/* What the model computed is not blamed on the settings, and the other way about. */
static void causes_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        float scores[V];
        const char *message;
    } cases[] = {
        {{1, 2, NAN, 3, 4, 5}, "the model's logits hold NaN (of token 2"},
        {{1, 2, 3, INFINITY, 4, 5}, "the model's logits hold an infinite value (of token 3"},
        {{-INFINITY, -INFINITY, -INFINITY, -INFINITY, -INFINITY, -INFINITY},
         "forbidden by the settings"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float scores[V];
        int32_t id;
        heed_rng rng = {.seed = 1};
        memcpy(scores, cases[i].scores, sizeof scores);
        apply(
            "{\"temperature\": 1e-300, \"repetition_penalty\": 1.5, \"renormalize_logits\": true}",
            scores);
        assert_fails(HEED_E_ARG, cases[i].message,
                     heed_choose_sample(scores, V, &rng, &id, &error));
        double log_p;
        if (i == 2) continue;
        assert_fails(HEED_E_ARG, cases[i].message,
                     heed_logits_log_probability(cases[i].scores, V, 1, &log_p, &error));
    }
}

static void values_out_of_range_are_refused(void **state)
{
    (void)state;
    heed_generation_settings settings;
    heed_config config = {.vocabulary = 10};
    heed_generation_settings_default(&settings);
    settings.temperature = INFINITY;
    assert_fails(HEED_E_ARG, "expected a finite value",
                 heed_generation_settings_check(&settings, &config, &error));
    settings.temperature = NAN;
    assert_fails(HEED_E_ARG, "expected a finite value",
                 heed_generation_settings_check(&settings, &config, &error));
    settings.temperature = 1e300;
    settings.repetition_penalty = 5e-324;
    settings.typical_p = 5e-324;
    assert_ok(heed_generation_settings_check(&settings, &config, &error));
    settings.beams = 1000001;
    assert_fails(HEED_E_ARG, "num_beams is 1000001, expected an integer up to 1000000",
                 heed_generation_settings_check(&settings, &config, &error));
    settings.beams = 1;
    settings.repetition_penalty = 0;
    assert_fails(HEED_E_ARG, "a number above 0",
                 heed_generation_settings_check(&settings, &config, &error));
    heed_generation_settings_free(&settings);
}

/* The longest answer wins with a high penalty, the shortest with a low one; none is empty. */
static void beams_return_an_answer_with_any_length_penalty(void **state)
{
    (void)state;
    static const double penalties[] = {-1e6, -1000, -50, -10, 0, 10, 100, 1000, 1e6};
    static const int32_t ids[] = {1, 2, 3};
    fixture f = fixture_open("llama", 1);
    heed_session *session = fixture_session(&f, &(heed_session_options){.sequences = 6});
    size_t before = 1;
    for (size_t i = 0; i < sizeof penalties / sizeof *penalties; i++) {
        heed_generation generation;
        f.settings.beams = 3;
        f.settings.max_new_tokens = 12;
        f.settings.early_stopping = HEED_EARLY_NEVER;
        f.settings.length_penalty = penalties[i];
        assert_ok(heed_generate(&(heed_generator){session, NULL, &f.settings}, &(heed_ids){ids, 3},
                                1, NULL, &generation, &error));
        assert_false(isnan(generation.items[0].score));
        assert_true(generation.items[0].count >= before);
        before = generation.items[0].count;
        heed_generation_free(&generation);
    }
    heed_session_free(session);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_low_temperature_draws_the_greedy_token),
        cmocka_unit_test(equal_tokens_share_the_draws),
        cmocka_unit_test(a_high_temperature_makes_tokens_equally_likely),
        cmocka_unit_test(ordinary_temperatures_divide_as_before),
        cmocka_unit_test(settings_keep_finite_scores_finite),
        cmocka_unit_test(causes_are_told_apart),
        cmocka_unit_test(values_out_of_range_are_refused),
        cmocka_unit_test(beams_return_an_answer_with_any_length_penalty)};
    return cmocka_run_group_tests_name("extremes", tests, NULL, NULL);
}
