/* Logits processors against transformers: fixture sampling, one processor at a time, and fixture
   logits_processors, whole chains built from members of generation_config.json
   (tools/oracle/logits_processors.py). */
#include "generate/logits_case.h"
#include "generate/choose.h"
#include <math.h>

static void compare(const char *name, int64_t row, const float *found, const float *wanted,
                    int64_t vocabulary, float tolerance)
{
    for (int64_t i = 0; i < vocabulary; i++) {
        /* A removed token is -infinity, which the fixture `sampling` writes as -1e30. */
        bool same = wanted[i] <= -1e30f
                        ? found[i] == -INFINITY
                        : fabsf(found[i] - wanted[i]) <= tolerance * fmaxf(1, fabsf(wanted[i]));
        if (!same)
            fail_msg("%s, row %lld, id %lld: %.9g, expected %.9g", name, (long long)row,
                     (long long)i, (double)found[i], (double)wanted[i]);
    }
}

/* Applies the chain to every row of `in.logits` and compares with `out.<name>`. */
static void check_chain(const oracle *o, const char *name, const heed_generation_settings *settings,
                        bool sampling, int64_t prompt, bool with_source, int64_t keep)
{
    char out[80];
    snprintf(out, sizeof out, "out.%s", name);
    const heed_stored_tensor *logits = oracle_tensor(o, "in.logits"),
                             *history = oracle_tensor(o, "in.history");
    int64_t rows = logits->shape[0], vocabulary = logits->shape[1], length = history->shape[1],
            source_length = 0;
    float *scores = oracle_floats(o, "in.logits"), *wanted = oracle_floats(o, out);
    int32_t *ids = oracle_ids(o, "in.history"), *source = NULL;
    if (with_source) {
        source = oracle_ids(o, "in.source");
        source_length = oracle_tensor(o, "in.source")->shape[1];
    }
    heed_logits_scratch scratch;
    assert_ok(heed_logits_scratch_new(&scratch, vocabulary, &error));
    heed_logits_chain chain;
    heed_logits_chain_make(&chain, settings,
                           HEED_LOGITS_ALWAYS | (sampling ? HEED_LOGITS_SAMPLING : 0));
    for (int64_t row = 0; row < rows; row++) {
        heed_logits_context context = {
            .ids = ids + row * length,
            .count = length,
            .prompt = prompt,
            .source = source + row * source_length,
            .source_count = source_length,
            .keep = keep,
            .max_length = settings->max_length ? settings->max_length : 100,
        };
        heed_logits_chain_apply(&chain, settings, &context, scores + row * vocabulary, &scratch);
        compare(name, row, scores + row * vocabulary, wanted + row * vocabulary, vocabulary, 1e-6f);
    }
    heed_logits_scratch_free(&scratch);
    free(scores);
    free(wanted);
    free(ids);
    free(source);
}

static void chains_equal_transformers(void **state)
{
    (void)state;
    oracle o = oracle_open("logits_processors");
    const char *name;
    json_t *entry;
    int cases = 0;
    json_object_foreach(json_object_get(o.json, "cases"), name, entry)
    {
        heed_generation_settings settings;
        heed_generation_settings_default(&settings);
        assert_ok(heed_generation_settings_read(&settings, json_object_get(entry, "config"), name,
                                                &error));
        check_chain(&o, name, &settings, settings.sample,
                    json_integer_value(json_object_get(entry, "prompt")),
                    json_is_true(json_object_get(entry, "source")), 1);
        heed_generation_settings_free(&settings);
        cases++;
    }
    assert_true(cases > 35);
    oracle_close(&o);
}

/* Settings of the fixture `sampling`, as members of generation_config.json; keep is
   min_tokens_to_keep. */
static const struct {
    const char *name, *config;
    int64_t keep;
} singles[] = {
    {"temperature", "{\"temperature\": 0.7}", 1},
    {"top_k", "{\"top_k\": 5}", 1},
    {"top_p", "{\"top_p\": 0.8}", 1},
    {"top_p_keep3", "{\"top_p\": 0.1}", 3},
    {"min_p", "{\"min_p\": 0.1}", 1},
    {"typical", "{\"typical_p\": 0.7}", 1},
    {"epsilon", "{\"epsilon_cutoff\": 0.02}", 1},
    {"eta", "{\"eta_cutoff\": 0.02}", 1},
    {"top_h", "{\"top_h\": 0.4}", 1},
    {"repetition", "{\"repetition_penalty\": 1.3}", 1},
    {"no_repeat_ngram", "{\"no_repeat_ngram_size\": 2}", 1},
    {"no_repeat_ngram3", "{\"no_repeat_ngram_size\": 3}", 1},
    {"bad_words", "{\"bad_words_ids\": [[3], [32, 7]], \"eos_token_id\": 1}", 1},
    {"suppress", "{\"suppress_tokens\": [1, 5, 9]}", 1},
    {"sequence_bias", "{\"sequence_bias\": [[[4], 2.0], [[39, 6], -3.0]]}", 1},
    {"remove_nan", "{\"renormalize_logits\": true}", 1},
    {"chain", "{\"repetition_penalty\": 1.2, \"temperature\": 0.8, \"top_k\": 12, \"top_p\": 0.9}",
     1},
    {"chain2", "{\"temperature\": 1.3, \"top_k\": 20, \"top_p\": 0.95, \"min_p\": 0.05}", 1},
};

static void single_processors_equal_transformers(void **state)
{
    (void)state;
    oracle o = oracle_open("sampling");
    for (size_t i = 0; i < sizeof singles / sizeof singles[0]; i++) {
        heed_generation_settings settings;
        heed_generation_settings_default(&settings);
        json_t *json = NULL;
        assert_ok(
            heed_json_parse(&json, singles[i].config, strlen(singles[i].config), "case", &error));
        assert_ok(heed_generation_settings_read(&settings, json, "case", &error));
        check_chain(&o, singles[i].name, &settings, true, 4, false, singles[i].keep);
        json_decref(json);
        heed_generation_settings_free(&settings);
    }
    oracle_close(&o);
}

/* Processors that transformers has no name for, and those whose fixture would need another
   history. */
static void run_one(const char *config, const heed_logits_context *context, float *scores,
                    int64_t vocabulary)
{
    apply_processors(config, HEED_LOGITS_ALWAYS | HEED_LOGITS_SAMPLING, context, scores,
                     vocabulary);
}

static void presence_and_frequency_count_new_tokens(void **state)
{
    (void)state;
    int32_t ids[] = {0, 1, 2, 3, 2, 2};
    float scores[] = {1, 1, 1, 1, 1};
    run_one("{\"presence_penalty\": 0.5, \"frequency_penalty\": 0.25}",
            &(heed_logits_context){.ids = ids, .count = 6, .prompt = 2}, scores, 5);
    assert_true(scores[0] == 1 && scores[1] == 1 && scores[2] == -0.25f && scores[3] == 0.25f &&
                scores[4] == 1);
}

static void forced_bos_comes_second(void **state)
{
    (void)state;
    int32_t ids[] = {0, 1};
    float scores[] = {1, 2, 3};
    run_one("{\"forced_bos_token_id\": 1}",
            &(heed_logits_context){.ids = ids, .count = 1, .prompt = 1}, scores, 3);
    assert_true(isinf(scores[0]) && scores[1] == 0 && isinf(scores[2]));
    float later[] = {1, 2, 3};
    run_one("{\"forced_bos_token_id\": 1}",
            &(heed_logits_context){.ids = ids, .count = 2, .prompt = 1}, later, 3);
    assert_true(later[0] == 1 && later[2] == 3);
}

static void invalid_values_become_numbers(void **state)
{
    (void)state;
    int32_t ids[] = {0};
    float scores[] = {NAN, INFINITY, -INFINITY, 1};
    run_one("{\"remove_invalid_values\": true}",
            &(heed_logits_context){.ids = ids, .count = 1, .prompt = 1}, scores, 4);
    assert_true(scores[0] == 0 && scores[1] == 3.40282347e38f && scores[2] == -3.40282347e38f &&
                scores[3] == 1);
}

/* Ids that the head cannot give (padded embeddings) are passed over. */
static void ids_beyond_the_vocabulary_are_harmless(void **state)
{
    (void)state;
    int32_t ids[] = {7, 1, 7, 1, 7};
    float scores[] = {1, 2, 3};
    run_one("{\"repetition_penalty\": 2, \"no_repeat_ngram_size\": 2, \"suppress_tokens\": [9], "
            "\"presence_penalty\": 1, \"eos_token_id\": 8, "
            "\"min_new_tokens\": 9}",
            &(heed_logits_context){.ids = ids, .count = 5, .prompt = 1}, scores, 3);
    assert_true(scores[0] == 1 && isinf(scores[1]) && scores[2] == 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(chains_equal_transformers),
                                       cmocka_unit_test(single_processors_equal_transformers),
                                       cmocka_unit_test(presence_and_frequency_count_new_tokens),
                                       cmocka_unit_test(forced_bos_comes_second),
                                       cmocka_unit_test(invalid_values_become_numbers),
                                       cmocka_unit_test(ids_beyond_the_vocabulary_are_harmless)};
    return cmocka_run_group_tests_name("logits", tests, NULL, NULL);
}
