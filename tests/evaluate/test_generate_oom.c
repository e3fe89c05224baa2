/* Every allocation of a session, a generation, a score and a translation fails once: each answers
   out of memory and leaves nothing allocated. */
#include "evaluate/score.h"
#include "generate/support.h"
#include "generate/translate.h"
#include "support/fail_alloc.h"

typedef struct setting {
    fixture f;
    heed_tokenizer *tokenizer;
} setting;

static heed_status with_session(setting *s, int64_t sequences, heed_session **session,
                                heed_error *error)
{
    heed_session_options options = {.sequences = sequences};
    return heed_session_new(session, s->f.model, s->f.backend, &options, error);
}

static heed_status generate(void *context, heed_error *error)
{
    setting *s = context;
    heed_session *session = NULL;
    heed_generation generation = {0};
    int32_t first[] = {5, 6, 7}, second[] = {9};
    heed_ids prompts[] = {{first, 3}, {second, 1}};
    heed_status status = with_session(s, 4, &session, error);
    if (status == HEED_OK)
        status = heed_generate(&(heed_generator){session, s->tokenizer, &s->f.settings}, prompts, 2,
                               NULL, &generation, error);
    heed_generation_free(&generation);
    heed_session_free(session);
    return status;
}

static heed_status settings_load(void *context, heed_error *error)
{
    setting *s = context;
    heed_generation_settings settings;
    heed_status status = heed_generation_settings_load(&settings, s->f.oracle.folder,
                                                       heed_model_config(s->f.model), error);
    if (status == HEED_OK) status = heed_generation_settings_add_stop(&settings, "stop", error);
    heed_generation_settings_free(&settings);
    return status;
}

static heed_status score(void *context, heed_error *error)
{
    setting *s = context;
    heed_session *session = NULL;
    heed_score score = {0};
    heed_status status = with_session(s, 2, &session, error);
    if (status == HEED_OK)
        status = heed_score_text(session, s->tokenizer, (heed_text){"Hello world, hello words", 24},
                                 NULL, &score, error);
    heed_session_free(session);
    return status;
}

static heed_status score_pairs(void *context, heed_error *error)
{
    setting *s = context;
    heed_session *session = NULL;
    heed_score score = {0};
    int32_t source[] = {5, 6, 0}, target[] = {7, 0};
    heed_ids sources = {source, 3}, targets = {target, 2};
    heed_id_pairs pairs = {&sources, &targets, 1};
    heed_status status = with_session(s, 1, &session, error);
    if (status == HEED_OK)
        status = heed_score_pairs(session, &s->f.settings, &pairs, NULL, &score, error);
    heed_session_free(session);
    return status;
}

static heed_status translate(void *context, heed_error *error)
{
    setting *s = context;
    heed_session *session = NULL;
    heed_translation translation = {0};
    const heed_text lines[] = {{"Hello", 5}, {"", 0}};
    heed_status status = with_session(s, 2, &session, error);
    if (status == HEED_OK)
        status = heed_translate_lines(&(heed_generator){session, s->tokenizer, &s->f.settings},
                                      lines, 2, NULL, &translation, error);
    heed_translation_free(&translation);
    heed_session_free(session);
    return status;
}

static void decoders_survive(void **state)
{
    (void)state;
    setting s = {.f = fixture_open("gpt2", 1)};
    assert_ok(heed_tokenizer_load(&s.tokenizer, s.f.oracle.folder, &error));
    s.f.settings.max_new_tokens = 3;
    s.f.settings.log_probabilities = 2;
    assert_true(fail_alloc_each(settings_load, &s) > 5);
    assert_true(fail_alloc_each(generate, &s) > 20);
    s.f.settings.sample = true;
    s.f.settings.returned = 2;
    s.f.settings.top_k = 5;
    assert_true(fail_alloc_each(generate, &s) > 20);
    s.f.settings.sample = false;
    s.f.settings.beams = 2;
    s.f.settings.log_probabilities = 0;
    assert_true(fail_alloc_each(generate, &s) > 20);
    assert_true(fail_alloc_each(score, &s) > 20);
    assert_true(fail_alloc_each(translate, &s) > 20);
    heed_tokenizer_free(s.tokenizer);
    fixture_close(&s.f);
}

static void encoder_decoders_survive(void **state)
{
    (void)state;
    setting s = {.f = fixture_open("marian", 1)};
    s.f.settings.max_new_tokens = 3;
    assert_true(fail_alloc_each(generate, &s) > 20);
    assert_true(fail_alloc_each(score_pairs, &s) > 20);
    fixture_close(&s.f);
}

int main(void)
{
    fail_alloc_cover_jansson();
    const struct CMUnitTest tests[] = {cmocka_unit_test(decoders_survive),
                                       cmocka_unit_test(encoder_decoders_survive)};
    return cmocka_run_group_tests_name("generate_oom", tests, NULL, NULL);
}
