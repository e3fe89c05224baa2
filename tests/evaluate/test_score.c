/* Negative log-likelihoods against transformers in double precision, and the laws of windows. */
#include "evaluate/score.h"
#include "generate/support.h"
#include <math.h>

enum { COUNT = 100 };

static void make_ids(int32_t *ids)
{
    for (int i = 0; i < COUNT; i++) ids[i] = (i * i * 7 + i * 13 + 5) % 320;
}

/* sum over windows of -log_softmax(logits)[next], GPT2LMHeadModel of the fixture gpt2 in float64,
   ids as in make_ids. */
static void windows_equal_transformers(void **state)
{
    (void)state;
    static const struct {
        int64_t context, tokens, windows;
        double nll;
    } cases[] = {
        {0, 97, 3, 7.165949780183759},
        {48, 97, 3, 7.165949780183759},
        {16, 93, 7, 7.152528405000317},
        {2, 50, 50, 7.536795001855121},
    };
    fixture f = fixture_open("gpt2", 1);
    int32_t ids[COUNT];
    make_ids(ids);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double first = 0;
        for (int64_t sequences = 1; sequences <= 4; sequences += 3) {
            heed_session *session = fixture_session(
                &f, &(heed_session_options){.sequences = sequences});
            heed_score score = {0};
            heed_score_options options = {.context = cases[i].context};
            assert_ok(heed_score_ids(session, ids, COUNT, &options, &score, &error));
            assert_int_equal(score.tokens, cases[i].tokens);
            assert_int_equal(score.windows, cases[i].windows);
            assert_true(fabs(heed_score_nll(&score) - cases[i].nll) < 1e-5);
            assert_true(fabs(heed_score_perplexity(&score) - exp(cases[i].nll)) < 1e-2);
            if (sequences == 1) first = score.sum;
            else assert_true(score.sum == first); /* batched windows give the same bits */
            heed_session_free(session);
        }
    }
    fixture_close(&f);
}

/* MarianMTModel of the fixture marian in float64, decoder inputs start + target[:-1]. */
static void pairs_equal_transformers(void **state)
{
    (void)state;
    static const int32_t s0[] = {5, 6, 7, 0}, s1[] = {40, 41, 42, 43, 44, 45, 0}, s2[] = {9, 0},
                         t0[] = {10, 11, 0}, t1[] = {50, 51, 52, 53, 54, 0}, t2[] = {0};
    const heed_ids sources[] = {{s0, 4}, {s1, 7}, {s2, 2}}, targets[] = {{t0, 3}, {t1, 6}, {t2, 1}};
    const heed_id_pairs pairs = {sources, targets, 3};
    fixture f = fixture_open("marian", 1);
    double first = 0;
    for (int64_t sequences = 1; sequences <= 3; sequences++) {
        heed_session *session = fixture_session(&f,
                                                &(heed_session_options){.sequences = sequences});
        heed_score score = {0};
        assert_ok(heed_score_pairs(session, &f.settings, &pairs, NULL, &score, &error));
        assert_int_equal(score.tokens, 10);
        assert_true(fabs(heed_score_nll(&score) - 5.977764623071723) < 1e-5);
        if (sequences == 1) first = score.sum;
        assert_true(score.sum == first);
        heed_score text = {0};
        assert_fails(HEED_E_UNSUPPORTED, "needs pairs, not text",
                     heed_score_ids(session, s0, 4, NULL, &text, &error));
        heed_session_free(session);
    }
    fixture_close(&f);
}

static void text_is_scored_as_its_ids(void **state)
{
    (void)state;
    static const char bytes[] =
        "Hello world, this is a License. Hello again, world of licenses and of words.";
    const heed_text text = {bytes, sizeof bytes - 1};
    fixture f = fixture_open("gpt2", 1);
    heed_tokenizer *tokenizer = NULL;
    heed_encoding encoding = {0};
    heed_session *session = fixture_session(&f, NULL);
    heed_score whole = {0}, cut = {0}, ids = {0};
    assert_ok(heed_tokenizer_load(&tokenizer, f.oracle.folder, &error));
    assert_ok(heed_tokenizer_encode(tokenizer, text.bytes, text.length, HEED_ENCODE_SPECIAL,
                                    &encoding, &error));
    assert_ok(heed_score_text(session, tokenizer, text, NULL, &whole, &error));
    assert_ok(heed_score_text(session, tokenizer, text, &(heed_score_options){.max_tokens = 10},
                              &cut, &error));
    assert_ok(heed_score_ids(session, encoding.ids, 10, NULL, &ids, &error));
    assert_int_equal(whole.tokens, encoding.count - (encoding.count + 47) / 48);
    assert_true(cut.tokens == 9 && cut.sum == ids.sum);
    heed_encoding_free(&encoding);
    heed_tokenizer_free(tokenizer);
    heed_session_free(session);
    fixture_close(&f);
}

static bool yes(void *argument)
{
    (void)argument;
    return true;
}

static void too_little_and_too_much(void **state)
{
    (void)state;
    fixture f = fixture_open("gpt2", 1);
    heed_session *session = fixture_session(&f, NULL);
    int32_t ids[] = {1, 2, 321};
    heed_score score = {0};
    assert_ok(heed_score_ids(session, ids, 0, NULL, &score, &error));
    assert_ok(heed_score_ids(session, ids, 1, NULL, &score, &error));
    assert_true(score.tokens == 0 && isnan(heed_score_nll(&score)) &&
                isnan(heed_score_perplexity(&score)));
    assert_fails(HEED_E_ARG, "id 321 at place 1 cannot be scored",
                 heed_score_ids(session, ids, 3, NULL, &score, &error));
    assert_fails(
        HEED_E_ARG, "expected 2 to 48",
        heed_score_ids(session, ids, 2, &(heed_score_options){.context = 49}, &score, &error));
    assert_fails(
        HEED_E_ARG, "expected 2 to 48",
        heed_score_ids(session, ids, 2, &(heed_score_options){.context = 1}, &score, &error));
    assert_fails(
        HEED_E_CANCELLED, "stopped",
        heed_score_ids(session, ids, 2, &(heed_score_options){.cancelled = yes}, &score, &error));
    assert_fails(HEED_E_UNSUPPORTED, "no encoder",
                 heed_score_pairs(session, &f.settings, &(heed_id_pairs){0}, NULL, &score, &error));
    int64_t sequence;
    assert_ok(heed_session_add(session, &sequence, &error));
    assert_fails(HEED_E_ARG, "drop them", heed_score_ids(session, ids, 2, NULL, &score, &error));
    assert_int_equal(score.tokens, 0);
    heed_session_free(session);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_equal_transformers), cmocka_unit_test(pairs_equal_transformers),
        cmocka_unit_test(text_is_scored_as_its_ids), cmocka_unit_test(too_little_and_too_much)};
    return cmocka_run_group_tests_name("score", tests, NULL, NULL);
}
