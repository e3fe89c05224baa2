/* Tokenizing long texts: whoever may cancel is asked for every few thousand bytes, whatever the
   tokenizer. */
#include "text/tokenizer.h"

#include "support/counter.h"
#include "support/test.h"

enum { BYTES = 1 << 17, BYTES_UNASKED = 1 << 15 };

static char text[BYTES];

static void fill_text(void)
{
    static const char words[] =
        "The quick brown fox, 12 dogs and\nthe lazy cat's 3 hats jumped over everything. ";
    for (int i = 0; i < BYTES; i++) text[i] = words[(i + i / 1000) % (int)(sizeof words - 1)];
}

static void check(const heed_tokenizer *tokenizer, const char *name)
{
    counter c = {0};
    heed_encoding encoding = {.cancel = counter_cancel(&c)}, right = {0};
    assert_ok(heed_tokenizer_encode(tokenizer, text, BYTES, 0, &encoding, &error));
    long all = c.asked;
    if (all < BYTES / BYTES_UNASKED) fail_msg("%s: asked %ld times in %d bytes", name, all, BYTES);
    for (long at = 1; at <= all; at = counter_next(at, all)) {
        c = (counter){.yes_from = at};
        assert_fails(
            HEED_E_CANCELLED, "stopped while tokenizing",
            heed_tokenizer_encode(tokenizer, text, BYTES, HEED_ENCODE_OFFSETS, &encoding, &error));
    }
    c = (counter){0};
    assert_ok(heed_tokenizer_encode(tokenizer, text, BYTES, 0, &encoding, &error));
    assert_ok(heed_tokenizer_encode(tokenizer, text, BYTES, 0, &right, &error));
    assert_int_equal(encoding.count, right.count);
    assert_memory_equal(encoding.ids, right.ids, right.count * sizeof *right.ids);
    heed_encoding_free(&encoding);
    heed_encoding_free(&right);
}

static void every_kind_asks(void **state)
{
    (void)state;
    static const char *const names[] = {"gpt2", "llama", "bert", "qwen2", "smollm2"};
    fill_text();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        heed_tokenizer *tokenizer = NULL;
        char folder[512];
        heed_error error = {0};
        snprintf(folder, sizeof folder, HEED_FIXTURES "/%s", names[i]);
        if (heed_tokenizer_load(&tokenizer, folder, &error) != HEED_OK)
            fail_msg("%s", error.message);
        check(tokenizer, names[i]);
        heed_tokenizer_free(tokenizer);
    }
}

static void characters_ask_too(void **state)
{
    (void)state;
    counter c = {0};
    heed_tokenizer_training training = {.cancel = counter_cancel(&c)};
    heed_tokenizer_trainer *trainer = NULL;
    heed_tokenizer *tokenizer = NULL;
    fill_text();
    assert_ok(heed_tokenizer_trainer_new(&trainer, "char", &training, &error));
    assert_ok(heed_tokenizer_trainer_feed(trainer, text, BYTES, &error));
    assert_true(c.asked >= BYTES / BYTES_UNASKED);
    assert_ok(heed_tokenizer_trainer_finish(trainer, &tokenizer, &error));
    check(tokenizer, "char");
    c = (counter){.yes_from = 2};
    assert_fails(HEED_E_CANCELLED, "stopped while",
                 heed_tokenizer_trainer_feed(trainer, text, BYTES, &error));
    heed_tokenizer_free(tokenizer);
    heed_tokenizer_trainer_free(trainer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_kind_asks),
                                       cmocka_unit_test(characters_ask_too)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
