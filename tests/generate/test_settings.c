/* generation_config.json: what is read, where missing ids come from, and what hostile files are
   told. */
#include "generate/settings.h"
#include "support/test.h"

static heed_status read_text(heed_generation_settings *settings, const char *text,
                             heed_error *error)
{
    json_t *json = NULL;
    heed_generation_settings_default(settings);
    heed_status status = heed_json_parse(&json, text, strlen(text), "g.json", error);
    if (status == HEED_OK) status = heed_generation_settings_read(settings, json, "g.json", error);
    json_decref(json);
    return status;
}

static void members_are_read(void **state)
{
    (void)state;
    heed_generation_settings s;
    assert_ok(read_text(&s,
                        "{\"do_sample\": true, \"temperature\": 0.6, \"top_p\": 0.9, \"top_k\": "
                        "40, \"eos_token_id\": [7, 9],"
                        "\"bad_words_ids\": [[3], [4, 5]], \"forced_eos_token_id\": 7, "
                        "\"pad_token_id\": -1, \"max_new_tokens\": 64,"
                        "\"early_stopping\": \"never\", \"stop_strings\": [\"a\", \"b\"], "
                        "\"bos_token_id\": null, \"custom\": {},"
                        "\"exponential_decay_length_penalty\": [5, 1.5], \"num_beams\": 4, "
                        "\"suppress_tokens\": []}",
                        &error));
    assert_true(s.sample && s.temperature == 0.6 && s.top_p == 0.9 && s.top_k == 40 &&
                s.max_new_tokens == 64);
    assert_int_equal(s.eos.count, 2);
    assert_true(heed_id_list_has(&s.eos, 9) && !heed_id_list_has(&s.eos, 8));
    assert_int_equal(s.bad_words.count, 2);
    assert_int_equal(s.bad_words.ends[1], 3);
    assert_int_equal(s.forced_eos.ids[0], 7);
    assert_true(s.pad == -1 && s.bos == -1 && s.early_stopping == HEED_EARLY_NEVER && s.beams == 4);
    assert_int_equal(s.stop_count, 2);
    assert_true(s.decay_start == 5 && s.decay_factor == 1.5);
    assert_int_equal(s.notes.length, 0);
    heed_generation_settings_free(&s);
}

static void members_without_effect_are_noted(void **state)
{
    (void)state;
    heed_generation_settings s;
    assert_ok(read_text(&s,
                        "{\"penalty_alpha\": 0.6, \"guidance_scale\": 1.0, \"num_beam_groups\": 2, "
                        "\"token_healing\": false,"
                        "\"constraints\": []}",
                        &error));
    assert_string_equal(s.notes.data, "g.json: \"penalty_alpha\" has no effect here\ng.json: "
                                      "\"num_beam_groups\" has no effect here\n");
    heed_generation_settings_free(&s);
}

static void hostile_values_are_explained(void **state)
{
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"[]", "g.json: expected a JSON object"},
        {"{\"temperature\": -1}", "g.json: \"temperature\" is -1, expected a number from 0"},
        {"{\"temperature\": \"hot\"}", "g.json: \"temperature\" is a string, expected a number"},
        {"{\"top_k\": 1.5}", "\"top_k\" is a number, expected an integer"},
        {"{\"top_k\": -3}", "\"top_k\" is -3, expected an integer from 0"},
        {"{\"top_p\": 1.01}", "\"top_p\" is 1.01, expected a number from 0 to 1"},
        {"{\"min_p\": 2}", "\"min_p\" is 2"},
        {"{\"typical_p\": 0}", "\"typical_p\" is 0, expected a number above 0"},
        {"{\"repetition_penalty\": 0}", "\"repetition_penalty\" is 0, expected a number above 0"},
        {"{\"max_new_tokens\": 0}", "\"max_new_tokens\" is 0, expected an integer from 1"},
        {"{\"max_length\": 9223372036854775807}",
         "\"max_length\" is 9223372036854775807, expected"},
        {"{\"num_beams\": 0}", "\"num_beams\" is 0, expected an integer from 1"},
        {"{\"num_return_sequences\": 1e9}", "\"num_return_sequences\" is"},
        {"{\"do_sample\": 1}", "\"do_sample\" is an integer, expected true or false"},
        {"{\"eos_token_id\": \"</s>\"}",
         "\"eos_token_id\" is \"</s>\", expected a token id or a list"},
        {"{\"eos_token_id\": [1, -2]}", "\"eos_token_id\" is [1,-2], expected token ids"},
        {"{\"eos_token_id\": [1, 2.5]}", "expected token ids"},
        {"{\"pad_token_id\": 2147483647}", "\"pad_token_id\" is 2147483647, expected a token id"},
        {"{\"bos_token_id\": [1]}", "\"bos_token_id\" is [1], expected a token id"},
        {"{\"bad_words_ids\": [1, 2]}", "\"bad_words_ids\" is [1,2], expected a list of lists"},
        {"{\"bad_words_ids\": [[]]}", "none of them empty"},
        {"{\"bad_words_ids\": [[-1]]}", "\"bad_words_ids\""},
        {"{\"bad_words_ids\": {}}", "expected a list of lists"},
        {"{\"sequence_bias\": [[[1, 2]]]}", "expected a list of pairs"},
        {"{\"sequence_bias\": [[[1, 2], \"x\"]]}", "expected a list of pairs"},
        {"{\"sequence_bias\": [[1, 2.0]]}", "expected a list of pairs"},
        {"{\"early_stopping\": \"soon\"}",
         "\"early_stopping\" is \"soon\", expected true, false or \"never\""},
        {"{\"exponential_decay_length_penalty\": [1]}",
         "\"exponential_decay_length_penalty\" is [1], expected"},
        {"{\"exponential_decay_length_penalty\": [-1, 1.0]}", "expected [tokens"},
        {"{\"exponential_decay_length_penalty\": 5}", "expected [tokens"},
        {"{\"stop_strings\": [\"\"]}", "\"stop_strings\" is [\"\"], expected"},
        {"{\"stop_strings\": 3}", "\"stop_strings\" is 3, expected"},
        {"{\"epsilon_cutoff\": 1}", "\"epsilon_cutoff\" is 1"},
        {"{\"suppress_tokens\": [true]}", "\"suppress_tokens\" is [true], expected token ids"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        heed_generation_settings s;
        assert_fails(HEED_E_FORMAT, cases[i].part, read_text(&s, cases[i].text, &error));
        heed_generation_settings_free(&s);
    }
}

static void put(scratch *folder, const char *name, const char *text)
{
    scratch_file(folder, name, text, strlen(text));
}

static void missing_ids_come_from_the_model(void **state)
{
    (void)state;
    scratch folder;
    heed_generation_settings s;
    heed_config config = {
        .bos_id = 11, .eos_id = 12, .pad_id = 13, .decoder_start_id = -1, .vocabulary = 100};
    scratch_make(&folder);

    put(&folder, "config.json",
        "{\"eos_token_id\": [5, 6], \"max_length\": 99, \"forced_eos_token_id\": 5}");
    assert_ok(heed_generation_settings_load(&s, folder.folder, &config, &error));
    assert_true(s.max_length == 99 && s.eos.count == 2 && s.forced_eos.count == 1 && s.bos == 11 &&
                s.decoder_start == 11 && s.pad == 13);
    heed_generation_settings_free(&s);

    /* With a generation_config.json only special ids are taken from config.json. */
    put(&folder, "generation_config.json", "{\"bos_token_id\": 3}");
    assert_ok(heed_generation_settings_load(&s, folder.folder, &config, &error));
    assert_true(s.max_length == 0 && s.eos.count == 2 && s.forced_eos.count == 0 && s.bos == 3 &&
                s.decoder_start == 3);
    heed_generation_settings_free(&s);

    put(&folder, "config.json", "{}");
    assert_ok(heed_generation_settings_load(&s, folder.folder, &config, &error));
    assert_true(s.eos.count == 1 && s.eos.ids[0] == 12);
    heed_generation_settings_free(&s);

    put(&folder, "generation_config.json", "{\"top_k\": ");
    assert_fails(HEED_E_FORMAT, "generation_config.json",
                 heed_generation_settings_load(&s, folder.folder, &config, &error));
    heed_generation_settings_free(&s);
    scratch_remove(&folder);
}

typedef void change(heed_generation_settings *s);
static void bad_temperature(heed_generation_settings *s)
{
    s->temperature = -1;
}
static void bad_beams(heed_generation_settings *s)
{
    s->beams = 2;
    s->returned = 3;
}
static void bad_returned(heed_generation_settings *s)
{
    s->returned = 2;
}
static void bad_greedy_returned(heed_generation_settings *s)
{
    s->sample = true;
    s->temperature = 0;
    s->returned = 2;
}
static void bad_bos(heed_generation_settings *s)
{
    s->forced_bos = 100;
}
static void bad_word(heed_generation_settings *s)
{
    assert_true(heed_id_table_add(&s->bad_words, (int32_t[]){100}, 1, 0));
}
static void bad_likely(heed_generation_settings *s)
{
    s->log_probabilities = 101;
}
static void bad_start(heed_generation_settings *s)
{
    s->decoder_start = -1;
}

static void combinations_are_checked(void **state)
{
    (void)state;
    static const struct {
        change *change;
        const char *part;
    } cases[] = {
        {bad_temperature, "temperature is -1, expected a number from 0"},
        {bad_beams, "3 sequences from 2 beams"},
        {bad_returned, "would all be the same"},
        {bad_greedy_returned, "would all be the same"},
        {bad_bos,
         "forced_bos_token_id names the id 100, but the model's vocabulary has the ids 0 to 99"},
        {bad_word, "bad_words_ids names the id 100"},
        {bad_likely, "log-probabilities of 101 tokens"},
        {bad_start, "an encoder-decoder needs decoder_start_token_id"},
    };
    heed_config config = {.vocabulary = 100, .arrangement = HEED_ENCODER_DECODER};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        heed_generation_settings s;
        heed_generation_settings_default(&s);
        s.decoder_start = 1;
        assert_ok(heed_generation_settings_check(&s, &config, &error));
        cases[i].change(&s);
        assert_fails(HEED_E_ARG, cases[i].part,
                     heed_generation_settings_check(&s, &config, &error));
        heed_generation_settings_free(&s);
    }
}

static void stop_strings_are_text(void **state)
{
    (void)state;
    heed_generation_settings s;
    heed_generation_settings_default(&s);
    assert_fails(HEED_E_ARG, "empty", heed_generation_settings_add_stop(&s, "", &error));
    assert_fails(HEED_E_ARG, "not valid UTF-8",
                 heed_generation_settings_add_stop(&s, "a\231", &error));
    assert_ok(heed_generation_settings_add_stop(&s, "x", &error));
    assert_int_equal(s.stop_count, 1);
    heed_generation_settings_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(members_are_read),
                                       cmocka_unit_test(members_without_effect_are_noted),
                                       cmocka_unit_test(hostile_values_are_explained),
                                       cmocka_unit_test(missing_ids_come_from_the_model),
                                       cmocka_unit_test(combinations_are_checked),
                                       cmocka_unit_test(stop_strings_are_text)};
    return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
