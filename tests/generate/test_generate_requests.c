/* Single requests: streamed text and stop strings, the end of the context, requests that are
   refused, a caller that stops, prompts that are reported. */
#include "generate/generated.h"
#include <math.h>

typedef struct heard {
    heed_buffer text;
    int finished;
} heard;

static void hear(void *argument, size_t prompt, size_t number, const char *text, size_t length)
{
    (void)prompt;
    (void)number;
    heed_buffer_append(&((heard *)argument)->text, text, length);
}

static void hear_end(void *argument, const heed_generated *item)
{
    (void)item;
    ((heard *)argument)->finished++;
}

static void text_is_streamed_and_stopped(void **state)
{
    (void)state;
    fixture f = fixture_open("gpt2", 1);
    heed_tokenizer *tokenizer = NULL;
    assert_ok(heed_tokenizer_load(&tokenizer, f.oracle.folder, &error));
    for (int64_t beams_used = 1; beams_used <= 2; beams_used++) {
        heed_session *session = fixture_session(&f, &(heed_session_options){.sequences = 2});
        int32_t ids[] = {16, 144, 181, 145, 182, 163, 221, 214, 271};
        heed_ids prompt = {ids, 9};
        heard whole = {0}, cut = {0};
        heed_generation_events events = {.text = hear, .finished = hear_end, .argument = &whole};
        heed_generation full, stopped;
        f.settings.max_new_tokens = f.settings.min_new_tokens = 14;
        f.settings.beams = beams_used;
        assert_ok(heed_generate(&(heed_generator){session, tokenizer, &f.settings}, &prompt, 1,
                                &events, &full, &error));
        assert_string_equal(whole.text.data, full.items[0].text);
        assert_true(full.items[0].text_length > 6 && whole.finished == 1);
        /* Two bytes of ASCII from the middle, on whatever borders of tokens they lie. */
        size_t at = 2;
        while (full.items[0].text[at] & 0x80 || full.items[0].text[at + 1] & 0x80) at++;
        char stop[3] = {full.items[0].text[at], full.items[0].text[at + 1], 0};
        size_t first = (size_t)(strstr(full.items[0].text, stop) - full.items[0].text);
        assert_ok(heed_generation_settings_add_stop(&f.settings, stop, &error));
        events.argument = &cut;
        assert_ok(heed_generate(&(heed_generator){session, tokenizer, &f.settings}, &prompt, 1,
                                &events, &stopped, &error));
        if (beams_used == 1) {
            assert_int_equal(stopped.items[0].finish, HEED_FINISH_STOP);
            assert_int_equal(stopped.items[0].text_length, first);
            assert_memory_equal(stopped.items[0].text, full.items[0].text, first);
            assert_true(stopped.items[0].count < full.items[0].count);
        } else {
            assert_null(strstr(stopped.items[0].text, stop));
        }
        assert_int_equal(cut.text.length, stopped.items[0].text_length);
        heed_generation_free(&stopped);
        assert_fails(HEED_E_ARG, "stop strings need a tokenizer",
                     heed_generate(&(heed_generator){session, NULL, &f.settings}, &prompt, 1, NULL,
                                   &stopped, &error));
        heed_buffer_free(&whole.text);
        heed_buffer_free(&cut.text);
        heed_generation_free(&full);
        heed_generation_settings_free(&f.settings);
        assert_ok(heed_generation_settings_load(&f.settings, f.oracle.folder,
                                                heed_model_config(f.model), &error));
        heed_session_free(session);
    }
    heed_tokenizer_free(tokenizer);
    fixture_close(&f);
}

static void the_context_ends_a_sequence(void **state)
{
    (void)state;
    fixture f = fixture_open("gpt2", 1); /* 48 positions */
    heed_session *session = fixture_session(&f, NULL);
    int32_t ids[60];
    for (int i = 0; i < 60; i++) ids[i] = (i * 37 + 5) % 320;
    heed_generation generation;
    f.settings.max_new_tokens = 20;
    f.settings.min_new_tokens = 20;

    assert_ok(heed_generate(&(heed_generator){session, NULL, &f.settings}, &(heed_ids){ids, 40}, 1,
                            NULL, &generation, &error));
    assert_int_equal(generation.items[0].count, 8);
    assert_int_equal(generation.items[0].finish, HEED_FINISH_CONTEXT);
    heed_generation_free(&generation);

    assert_ok(heed_generate(&(heed_generator){session, NULL, &f.settings}, &(heed_ids){ids, 28}, 1,
                            NULL, &generation, &error));
    assert_int_equal(generation.items[0].count, 20);
    assert_int_equal(generation.items[0].finish, HEED_FINISH_LENGTH);
    heed_generation_free(&generation);

    assert_ok(heed_generate(&(heed_generator){session, NULL, &f.settings}, &(heed_ids){ids, 48}, 1,
                            NULL, &generation, &error));
    assert_int_equal(generation.items[0].count, 0);
    assert_int_equal(generation.items[0].finish, HEED_FINISH_CONTEXT);
    heed_generation_free(&generation);

    assert_fails(HEED_E_ARG, "prompt 1 has 49 tokens, but the context has 48 positions",
                 heed_generate(&(heed_generator){session, NULL, &f.settings}, &(heed_ids){ids, 49},
                               1, NULL, &generation, &error));
    heed_generation_free(&generation);

    f.settings.truncate = true;
    heed_generation cut;
    assert_ok(heed_generate(&(heed_generator){session, NULL, &f.settings}, &(heed_ids){ids, 60}, 1,
                            NULL, &cut, &error));
    assert_int_equal(cut.prompts[0].cut, 60 - 28);
    assert_int_equal(cut.prompts[0].count, 28);
    assert_ok(heed_generate(&(heed_generator){session, NULL, &f.settings},
                            &(heed_ids){ids + 32, 28}, 1, NULL, &generation, &error));
    assert_same_items("truncated", &cut.items[0], &generation.items[0], 0);
    heed_generation_free(&cut);
    heed_generation_free(&generation);
    heed_session_free(session);
    fixture_close(&f);
}

static void wrong_requests_are_explained(void **state)
{
    (void)state;
    fixture f = fixture_open("gpt2", 1), marian = fixture_open("marian", 1);
    heed_session *session = fixture_session(&f, &(heed_session_options){.sequences = 2}),
                 *pair = fixture_session(&marian, NULL);
    int32_t ids[] = {1, 2, 400};
    heed_generation generation;
    heed_ids empty = {ids, 0}, good = {ids, 2}, unknown = {ids, 3};
    f.settings.bos = -1;
    assert_fails(HEED_E_ARG, "prompt 1 is empty",
                 heed_generate(&(heed_generator){session, NULL, &f.settings}, &empty, 1, NULL,
                               &generation, &error));
    heed_generation_free(&generation);
    assert_fails(HEED_E_ARG, "prompt 1 is empty",
                 heed_generate(&(heed_generator){pair, NULL, &marian.settings}, &empty, 1, NULL,
                               &generation, &error));
    heed_generation_free(&generation);
    assert_fails(HEED_E_ARG, "id 400 at place 2",
                 heed_generate(&(heed_generator){session, NULL, &f.settings}, &unknown, 1, NULL,
                               &generation, &error));
    heed_generation_free(&generation);
    assert_fails(HEED_E_ARG, "source: id 400 at place 2",
                 heed_generate(&(heed_generator){pair, NULL, &marian.settings}, &unknown, 1, NULL,
                               &generation, &error));
    heed_generation_free(&generation);
    f.settings.max_length = 2;
    assert_fails(HEED_E_ARG, "max_length allows 2",
                 heed_generate(&(heed_generator){session, NULL, &f.settings}, &good, 1, NULL,
                               &generation, &error));
    heed_generation_free(&generation);
    f.settings.max_length = 0;
    f.settings.beams = 3;
    assert_fails(HEED_E_ARG, "3 sequences at once are needed",
                 heed_generate(&(heed_generator){session, NULL, &f.settings}, &good, 1, NULL,
                               &generation, &error));
    f.settings.beams = 2;
    f.settings.sample = true;
    assert_fails(HEED_E_UNSUPPORTED, "beam search",
                 heed_generate(&(heed_generator){session, NULL, &f.settings}, &good, 1, NULL,
                               &generation, &error));
    f.settings.sample = false;
    f.settings.log_probabilities = 1;
    assert_fails(HEED_E_UNSUPPORTED, "not reported for beams",
                 heed_generate(&(heed_generator){session, NULL, &f.settings}, &good, 1, NULL,
                               &generation, &error));
    f.settings.beams = 1;
    f.settings.log_probabilities = -1;
    f.settings.suppress = (heed_id_list){malloc(400 * sizeof(int32_t)), 321};
    for (int i = 0; i < 321; i++) f.settings.suppress.ids[i] = i;
    assert_fails(HEED_E_ARG, "no token can be chosen",
                 heed_generate(&(heed_generator){session, NULL, &f.settings}, &good, 1, NULL,
                               &generation, &error));
    heed_generation_free(&generation);
    assert_int_equal(heed_session_held(session), 0);
    heed_session_free(session);
    heed_session_free(pair);
    fixture_close(&f);
    fixture_close(&marian);
}

static void models_that_do_not_generate_are_refused(void **state)
{
    (void)state;
    fixture f = fixture_open("gpt2", 1), bert = fixture_open("bert", 1),
            classes = fixture_open("gpt2-seqcls", 1);
    heed_session *none;
    assert_fails(HEED_E_UNSUPPORTED, "is an encoder",
                 heed_session_new(&none, bert.model, bert.backend, NULL, &error));
    assert_fails(HEED_E_UNSUPPORTED, "no language-modelling head",
                 heed_session_new(&none, classes.model, classes.backend, NULL, &error));
    assert_fails(HEED_E_ARG, "the model's table has 48",
                 heed_session_new(&none, f.model, f.backend, &(heed_session_options){.context = 49},
                                  &error));
    fixture_close(&f);
    fixture_close(&bert);
    fixture_close(&classes);
}

static bool after_three(void *argument)
{
    return ++*(int *)argument > 3;
}

static void the_caller_may_stop(void **state)
{
    (void)state;
    fixture f = fixture_open("marian", 1);
    heed_session *session = fixture_session(&f, NULL);
    int asked = 0;
    int32_t ids[] = {5, 6, 0};
    heed_generation generation;
    heed_generation_events events = {.cancelled = after_three, .argument = &asked};
    assert_fails(HEED_E_CANCELLED, "stopped",
                 heed_generate(&(heed_generator){session, NULL, &f.settings}, &(heed_ids){ids, 3},
                               1, &events, &generation, &error));
    assert_int_equal(asked, 4);
    assert_int_equal(heed_session_held(session), 0);
    heed_generation_free(&generation);
    heed_session_free(session);
    fixture_close(&f);
}

/* Log-probabilities of a prompt are those of the same ids when they are written. */
static void prompts_are_reported(void **state)
{
    (void)state;
    fixture f = fixture_open("llama", 1);
    heed_session *session = fixture_session(&f, NULL);
    int32_t ids[40] = {7, 8, 9};
    heed_generation written, read;
    f.settings.max_new_tokens = 12;
    f.settings.log_probabilities = 3;
    assert_ok(heed_generate(&(heed_generator){session, NULL, &f.settings}, &(heed_ids){ids, 3}, 1,
                            NULL, &written, &error));
    const heed_generated *item = &written.items[0];
    memcpy(ids + 3, item->ids, item->count * sizeof *ids);
    f.settings.max_new_tokens = 1;
    assert_ok(heed_generate(&(heed_generator){session, NULL, &f.settings},
                            &(heed_ids){ids, 3 + (int64_t)item->count}, 1, NULL, &read, &error));
    assert_true(isnan(read.prompts[0].log_probabilities[0]) && read.prompts[0].likely[0].id == -1);
    for (size_t i = 0; i < item->count; i++) {
        assert_true(fabsf(read.prompts[0].log_probabilities[3 + i] - item->log_probabilities[i]) <
                    1e-4f);
        for (int k = 0; k < 3; k++)
            assert_int_equal(read.prompts[0].likely[(3 + i) * 3 + (size_t)k].id,
                             item->likely[i * 3 + (size_t)k].id);
    }
    heed_generation_free(&written);
    heed_generation_free(&read);
    heed_session_free(session);
    fixture_close(&f);
}

static void nothing_asked_gives_nothing(void **state)
{
    (void)state;
    fixture f = fixture_open("gpt2", 1);
    heed_session *session = fixture_session(&f, NULL);
    heed_generation generation;
    assert_ok(heed_generate(&(heed_generator){session, NULL, &f.settings}, NULL, 0, NULL,
                            &generation, &error));
    assert_int_equal(generation.count, 0);
    heed_generation_free(&generation);
    int32_t bos = (int32_t)f.settings.bos;
    heed_generation from_bos;
    /* begins with bos */
    assert_ok(heed_generate(&(heed_generator){session, NULL, &f.settings}, &(heed_ids){NULL, 0}, 1,
                            NULL, &generation, &error));
    assert_ok(heed_generate(&(heed_generator){session, NULL, &f.settings}, &(heed_ids){&bos, 1}, 1,
                            NULL, &from_bos, &error));
    assert_same_items("empty prompt", &generation.items[0], &from_bos.items[0], 0);
    heed_generation_free(&generation);
    heed_generation_free(&from_bos);
    heed_session_free(session);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(text_is_streamed_and_stopped),
                                       cmocka_unit_test(the_context_ends_a_sequence),
                                       cmocka_unit_test(wrong_requests_are_explained),
                                       cmocka_unit_test(models_that_do_not_generate_are_refused),
                                       cmocka_unit_test(the_caller_may_stop),
                                       cmocka_unit_test(prompts_are_reported),
                                       cmocka_unit_test(nothing_asked_gives_nothing)};
    return cmocka_run_group_tests_name("generate", tests, NULL, NULL);
}
