/* Generation against transformers: the ids of every set of the fixtures, and their
   log-probabilities and scores. What holds for any model has test_generate_invariants.c, single
   requests test_generate_requests.c. */
#include "generate/generated.h"
#include <math.h>

/* The settings of a set: the base of the fixture and the set's own. */
static heed_generation_settings set_settings(const fixture *f, const json_t *set)
{
    heed_generation_settings settings;
    const json_t *generate = json_object_get(f->oracle.json, "generate");
    heed_generation_settings_default(&settings);
    assert_ok(heed_generation_settings_read(&settings, json_object_get(generate, "base"), "base",
                                            &error));
    assert_ok(heed_generation_settings_read(&settings, set, "set", &error));
    return settings;
}

/* Ids as transformers returns them (given first, padded at the end) against an item. */
static void compare_ids(const char *name, const int32_t *wanted, int64_t width, int64_t given,
                        const heed_generated *item, int64_t pad)
{
    for (int64_t i = given; i < width; i++) {
        int64_t at = i - given, found = at < (int64_t)item->count ? item->ids[at] : pad;
        if (found != wanted[i])
            fail_msg("%s, sequence %zu, new id %lld: %lld, expected %d", name, item->number,
                     (long long)at, (long long)found, wanted[i]);
    }
    assert_true((int64_t)item->count <= width - given);
}

static void compare_log_probabilities(const fixture *f, const char *name,
                                      const heed_generated *item, int64_t vocabulary)
{
    char key[96];
    snprintf(key, sizeof key, "%s.logp", name);
    float *wanted = oracle_floats(&f->oracle, key), largest = 0;
    /* 4, or fewer where the end came earlier */
    size_t steps = oracle_elements(oracle_tensor(&f->oracle, key)) / (size_t)vocabulary;
    for (int64_t i = 0; i < (int64_t)steps * vocabulary; i++)
        if (wanted[i] > -1e29f) largest = fmaxf(largest, fabsf(wanted[i]));
    for (size_t step = 0; step < steps && step < item->count; step++) {
        assert_true(fabsf(item->log_probabilities[step] -
                          wanted[(int64_t)step * vocabulary + item->ids[step]]) <= 1e-5f * largest);
        for (int64_t k = 0; k < vocabulary; k++) {
            heed_token_score likely = item->likely[(int64_t)step * vocabulary + k];
            float value = wanted[(int64_t)step * vocabulary + likely.id];
            bool same = value < -1e29f ? isinf(likely.log_probability)
                                       : fabsf(likely.log_probability - value) <= 1e-5f * largest;
            if (!same)
                fail_msg("%s, step %zu, id %d: %g, expected %g", name, step, likely.id,
                         (double)likely.log_probability, (double)value);
        }
    }
    free(wanted);
}

static bool check_set(fixture *f, heed_session *session, const char *set_name, const json_t *set,
                      int prompt)
{
    char in[64], out[64], score[80];
    snprintf(in, sizeof in, "gen.%d.in.input_ids", prompt);
    snprintf(out, sizeof out, "gen.%d.%s", prompt, set_name);
    snprintf(score, sizeof score, "%s.score", out);
    if (!heed_safetensors_find(f->oracle.tensors, in) ||
        !heed_safetensors_find(f->oracle.tensors, out))
        return false;
    heed_generation_settings settings = set_settings(f, set);
    int64_t vocabulary = heed_session_vocabulary(session), returned = settings.returned;
    bool greedy = strcmp(set_name, "greedy") == 0;
    settings.log_probabilities = settings.beams > 1 ? 0 : -1;
    if (greedy) settings.log_probabilities = vocabulary;
    int32_t *ids = oracle_ids(&f->oracle, in), *wanted = oracle_ids(&f->oracle, out);
    heed_ids given = {ids, oracle_tensor(&f->oracle, in)->shape[1]};
    int64_t width = oracle_tensor(&f->oracle, out)->shape[1],
            before = heed_session_has_source(session) ? 1 : given.count;
    heed_generation generation;
    assert_ok(heed_generate(&(heed_generator){session, NULL, &settings}, &given, 1, NULL,
                            &generation, &error));
    assert_int_equal(generation.count, returned);
    /* Beam search there takes a pad id of 0 for none. */
    int64_t pad = settings.beams > 1 && settings.pad == 0 ? settings.eos.ids[0] : settings.pad;
    for (int64_t i = 0; i < returned; i++) {
        char label[160];
        snprintf(label, sizeof label, "%.80s %.60s", f->oracle.folder, out);
        compare_ids(label, wanted + i * width, width, before, &generation.items[i], pad);
    }
    if (greedy) compare_log_probabilities(f, out, &generation.items[0], vocabulary);
    if (settings.beams > 1) {
        float *scores = oracle_floats(&f->oracle, score);
        for (int64_t i = 0; i < returned; i++)
            assert_true(fabs(generation.items[i].score - (double)scores[i]) <=
                        1e-5 * fabs((double)scores[i]) + 1e-5);
        free(scores);
    }
    heed_generation_free(&generation);
    heed_generation_settings_free(&settings);
    free(ids);
    free(wanted);
    return true;
}

static void all_sets_equal_transformers(void **state)
{
    (void)state;
    int checked = 0;
    for (int i = 0; i < NAMES; i++) {
        fixture f = fixture_open(names[i], 1);
        heed_session *session = fixture_session(&f, &(heed_session_options){.sequences = 4});
        const char *set_name;
        json_t *set;
        json_object_foreach(json_object_get(json_object_get(f.oracle.json, "generate"), "sets"),
                            set_name, set) for (int prompt = 0; prompt < 3; prompt++)
            checked += check_set(&f, session, set_name, set, prompt);
        assert_int_equal(heed_session_held(session), 0);
        heed_session_free(session);
        fixture_close(&f);
    }
    assert_int_equal(checked, 399);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_sets_equal_transformers)};
    return cmocka_run_group_tests_name("generate", tests, NULL, NULL);
}
