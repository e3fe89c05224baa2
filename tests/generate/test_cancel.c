/* Cancelling what a session computes: how often it is asked, and what is left afterwards. */
#include "support.h"

#include "support/counter.h"

enum { ROWS = 48, ROWS_UNASKED = 4 }; /* in each layer */

static int32_t prompt[ROWS];

/* Whether the work ended at the question that was answered with yes. How often the first of several
   threads asks varies with its share of the parts, so the last questions may not be reached. */
static bool was_cancelled(heed_status status, const counter *c)
{
    if (c->asked < c->yes_from) {
        assert_int_equal(status, HEED_OK);
        return false;
    }
    assert_int_equal(status, HEED_E_CANCELLED);
    assert_int_equal(c->asked, c->yes_from); /* nobody asks on after a yes */
    return true;
}

static void fill_prompt(int64_t vocabulary)
{
    for (int i = 0; i < ROWS; i++) prompt[i] = (int32_t)((i * 37 + 11) % vocabulary);
}

typedef struct kept {
    float *logits;
    int64_t vocabulary;
} kept;

static heed_status keep(void *argument, const heed_logits_row *rows, int64_t count,
                        heed_error *error)
{
    kept *k = argument;
    (void)error;
    memcpy(k->logits, rows[count - 1].logits, (size_t)k->vocabulary * sizeof(float));
    return HEED_OK;
}

static heed_status read_prompt(heed_session *session, int64_t sequence, kept *k, heed_error *error)
{
    heed_step_item item = {sequence, prompt, ROWS, ROWS - 1};
    return heed_session_step(session, &item, 1, keep, k, error);
}

/* Reading a prompt asks for every few rows, in one run of all rows too; wherever it is cancelled,
   the session reads it afterwards to the bits of a session that was never disturbed. */
static void a_prompt_is_cancelled_anywhere(void **state)
{
    (void)state;
    static const char *const names[] = {"llama", "gpt2", "mixtral", "phi3-longrope"};
    for (size_t n = 0; n < sizeof names / sizeof *names; n++)
        for (int threads = 1; threads <= 2; threads++) {
            fixture f = fixture_open(names[n], threads);
            heed_session *session = fixture_session(&f, &(heed_session_options){.sequences = 2});
            kept right = {.vocabulary = heed_session_vocabulary(session)}, found = right;
            right.logits = calloc((size_t)right.vocabulary, sizeof(float));
            found.logits = calloc((size_t)right.vocabulary, sizeof(float));
            counter c = {0};
            int64_t sequence;
            fill_prompt(right.vocabulary);
            assert_ok(heed_session_add(session, &sequence, &error));
            heed_session_set_cancel(session, counter_cancel(&c));
            assert_ok(read_prompt(session, sequence, &right, &error));
            long all = c.asked,
                 least = (long)heed_model_config(f.model)->decoder.layers * ROWS / ROWS_UNASKED;
            if (all < least)
                fail_msg("%s: asked %ld times for %d rows, expected %ld", names[n], all, ROWS,
                         least);
            heed_session_truncate(session, sequence, 0);
            for (long at = 1; at <= all; at = counter_next(at, all)) {
                c = (counter){.yes_from = at};
                if (!was_cancelled(read_prompt(session, sequence, &found, NULL), &c)) break;
                assert_int_equal(heed_session_length(session, sequence), 0);
                c = (counter){0};
                assert_ok(read_prompt(session, sequence, &found, &error));
                assert_memory_equal(right.logits, found.logits,
                                    (size_t)right.vocabulary * sizeof(float));
                heed_session_truncate(session, sequence, 0);
            }
            free(right.logits);
            free(found.logits);
            heed_session_free(session);
            fixture_close(&f);
        }
}

static void encoding_is_cancelled(void **state)
{
    (void)state;
    fixture f = fixture_open("marian", 2);
    heed_session *session = fixture_session(&f, NULL);
    counter c = {0};
    int64_t sequence;
    fill_prompt(heed_session_vocabulary(session));
    heed_ids source = {prompt, ROWS / 2};
    heed_session_set_cancel(session, counter_cancel(&c));
    assert_ok(heed_session_encode(session, &source, 1, &sequence, &error));
    long all = c.asked;
    assert_true(all >=
                (long)heed_model_config(f.model)->decoder.layers * (ROWS / 2) / ROWS_UNASKED);
    heed_session_clear(session);
    for (long at = 1; at <= all; at = counter_next(at, all)) {
        c = (counter){.yes_from = at};
        if (!was_cancelled(heed_session_encode(session, &source, 1, &sequence, NULL), &c)) break;
        assert_int_equal(heed_session_held(session), 0);
    }
    heed_session_free(session);
    fixture_close(&f);
}

static bool asked_by_events(void *argument)
{
    return counter_asked(argument);
}

/* Writing: asked within each step; the session holds nothing afterwards and writes the same
   again. */
static void writing_is_cancelled_within_a_step(void **state)
{
    (void)state;
    fixture f = fixture_open("llama", 2);
    heed_session *session = fixture_session(&f, &(heed_session_options){.sequences = 3});
    heed_generation right = {0}, found = {0};
    counter c = {0};
    fill_prompt(heed_session_vocabulary(session));
    heed_ids prompts[2] = {{prompt, 9}, {prompt + 3, 5}};
    heed_generation_events events = {.cancelled = asked_by_events, .argument = &c};
    f.settings.max_new_tokens = 4;
    f.settings.sample = false;
    heed_session_set_cancel(session, counter_cancel(&c));
    assert_ok(heed_generate(&(heed_generator){session, NULL, &f.settings}, prompts, 2, &events,
                            &right, &error));
    long all = c.asked;
    assert_true(all > 4 * 8); /* steps alone would ask five times */
    for (long at = 1; at <= all; at = counter_next(at, all)) {
        c = (counter){.yes_from = at};
        bool cancelled = was_cancelled(heed_generate(&(heed_generator){session, NULL, &f.settings},
                                                     prompts, 2, &events, &found, NULL),
                                       &c);
        heed_generation_free(&found);
        if (!cancelled) break;
        assert_int_equal(heed_session_held(session), 0);
    }
    c = (counter){0};
    assert_ok(heed_generate(&(heed_generator){session, NULL, &f.settings}, prompts, 2, &events,
                            &found, &error));
    for (size_t i = 0; i < 2; i++)
        assert_memory_equal(right.items[i].ids, found.items[i].ids,
                            right.items[i].count * sizeof(int32_t));
    heed_generation_free(&right);
    heed_generation_free(&found);
    heed_session_free(session);
    fixture_close(&f);
}

/* Loading asks for every tensor, training or not. */
static void loading_is_cancelled(void **state)
{
    (void)state;
    for (int training = 0; training < 2; training++) {
        fixture f = fixture_open("llama", 1);
        counter c = {0};
        heed_model *model = NULL;
        heed_model_options options = {
            .backend = f.backend, .training = training, .cancel = counter_cancel(&c)};
        assert_ok(heed_model_load(&model, f.oracle.folder, &options, &error));
        long all = c.asked;
        assert_true(all >= (long)heed_model_parameter_count(model));
        heed_model_release(model);
        for (long at = 1; at <= all; at = counter_next(at, all)) {
            c = (counter){.yes_from = at};
            assert_fails(HEED_E_CANCELLED, "stopped while loading",
                         heed_model_load(&model, f.oracle.folder, &options, &error));
            assert_null(model);
        }
        fixture_close(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_prompt_is_cancelled_anywhere),
                                       cmocka_unit_test(encoding_is_cancelled),
                                       cmocka_unit_test(writing_is_cancelled_within_a_step),
                                       cmocka_unit_test(loading_is_cancelled)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
