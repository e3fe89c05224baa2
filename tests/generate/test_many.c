/* Many sequences of one prompt, many prompts: the work grows with their number alone, and what was
   complete is kept. */
#include "support.h"

#include "support/counter.h"

static const int32_t prompt[] = {5, 9, 3, 14, 27, 8};

static heed_generation write_many(const fixture *f, int64_t returned, counter *c)
{
    heed_generation_settings settings = f->settings;
    heed_generation generation = {0};
    settings.returned = returned;
    heed_session *session = fixture_session(
        f, &(heed_session_options){.sequences = heed_generate_sequences(&settings)});
    heed_session_set_cancel(session, counter_cancel(c));
    heed_ids ids = {prompt, sizeof prompt / sizeof *prompt};
    assert_ok(heed_generate(&(heed_generator){session, NULL, &settings}, &ids, 1, NULL, &generation,
                            &error));
    heed_session_free(session);
    return generation;
}

/* Twice the sequences are twice the questions of twice the runs, with as many sequences of the
   session; and the first of them are the same. */
static void work_grows_with_the_number_alone(void **state)
{
    (void)state;
    fixture f = fixture_open("llama", 1);
    f.settings.max_new_tokens = 2;
    f.settings.sample = true;
    f.settings.temperature = 1;
    f.settings.seed = 5;
    f.settings.top_k = 0;
    counter few = {0}, many = {0};
    heed_generation a = write_many(&f, 1000, &few), b = write_many(&f, 2000, &many);
    if (many.asked > 2.3 * (double)few.asked)
        fail_msg("%ld questions for 1000 sequences, %ld for 2000", few.asked, many.asked);
    for (size_t i = 0; i < a.count; i++) {
        assert_true(a.items[i].finished && b.items[i].finished && b.items[i].number == i);
        assert_int_equal(a.items[i].count, b.items[i].count);
        assert_memory_equal(a.items[i].ids, b.items[i].ids, a.items[i].count * sizeof(int32_t));
    }
    assert_true(b.items[1999].finished && b.items[1999].count > 0);
    f.settings.returned = 1000;
    int64_t bound = heed_generate_sequences(&f.settings);
    f.settings.returned = 1000000;
    assert_int_equal(heed_generate_sequences(&f.settings), bound);
    heed_generation_free(&a);
    heed_generation_free(&b);
    fixture_close(&f);
}

/* A prompt that cannot be answered is found before the first is, wherever it stands. */
static void a_bad_prompt_is_told_first(void **state)
{
    (void)state;
    fixture f = fixture_open("llama", 1);
    heed_session *session = fixture_session(&f,
                                            &(heed_session_options){.sequences = 2, .context = 16});
    static int32_t long_prompt[40];
    heed_ids prompts[9] = {0};
    counter c = {0};
    heed_generation generation;
    for (int i = 0; i < 9; i++) prompts[i] = (heed_ids){prompt, 3};
    prompts[8] = (heed_ids){long_prompt, 40};
    f.settings.max_new_tokens = 2;
    heed_session_set_cancel(session, counter_cancel(&c));
    assert_fails(HEED_E_ARG, "prompt 9 has 40 tokens",
                 heed_generate(&(heed_generator){session, NULL, &f.settings}, prompts, 9, NULL,
                               &generation, &error));
    assert_int_equal(c.asked, 0);
    heed_generation_free(&generation);
    heed_session_free(session);
    fixture_close(&f);
}

/* A generation that is cancelled says which sequences are complete, and they are the right ones. */
static void what_is_complete_is_kept(void **state)
{
    (void)state;
    fixture f = fixture_open("llama", 1);
    heed_session *session = fixture_session(&f, &(heed_session_options){.sequences = 2});
    heed_ids prompts[8];
    heed_generation right, found;
    counter c = {0};
    size_t most = 0;
    for (int i = 0; i < 8; i++) prompts[i] = (heed_ids){prompt, 2 + i % 4};
    f.settings.max_new_tokens = 3;
    heed_session_set_cancel(session, counter_cancel(&c));
    assert_ok(heed_generate(&(heed_generator){session, NULL, &f.settings}, prompts, 8, NULL, &right,
                            &error));
    long all = c.asked;
    for (long at = 1; at <= all; at = counter_next(at, all)) {
        size_t finished = 0;
        c = (counter){.yes_from = at};
        assert_int_equal(heed_generate(&(heed_generator){session, NULL, &f.settings}, prompts, 8,
                                       NULL, &found, NULL),
                         HEED_E_CANCELLED);
        for (size_t i = 0; i < found.count; i++) {
            if (!found.items[i].finished) continue;
            finished++;
            assert_int_equal(found.items[i].count, right.items[i].count);
            assert_memory_equal(found.items[i].ids, right.items[i].ids,
                                found.items[i].count * sizeof(int32_t));
        }
        if (finished > most) most = finished;
        heed_generation_free(&found);
    }
    assert_true(most >= 4);
    heed_generation_free(&right);
    heed_session_free(session);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(work_grows_with_the_number_alone),
                                       cmocka_unit_test(a_bad_prompt_is_told_first),
                                       cmocka_unit_test(what_is_complete_is_kept)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
