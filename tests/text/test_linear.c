#include "hostile_texts.h"
#include "support/sanitized.h"

enum { TEXT_BYTES = HEED_SANITIZED ? 32 << 10 : 128 << 10 };

static void hostile_texts_take_linear_time(void **state)
{
    (void)state;
    survive_kinds(99, TEXT_BYTES);
}

/* Training on one long word and on many lines. */
static void training_on_long_words(void **state)
{
    (void)state;
    const heed_tokenizer_training training = {.vocab_size = 600};
    heed_tokenizer_trainer *trainer = NULL;
    heed_tokenizer *tokenizer = NULL;
    heed_buffer text = {0};
    while (text.length < 4 * TEXT_BYTES) heed_buffer_text(&text, "aab");
    assert_ok(heed_tokenizer_trainer_new(&trainer, "bpe", &training, &error));
    assert_ok(heed_tokenizer_trainer_feed(trainer, text.data, text.length, &error));
    assert_ok(heed_tokenizer_trainer_finish(trainer, &tokenizer, &error));
    assert_true(heed_tokenizer_vocab_size(tokenizer) > 260);
    heed_tokenizer_free(tokenizer);
    heed_tokenizer_trainer_free(trainer);
    heed_buffer_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(hostile_texts_take_linear_time),
                                       cmocka_unit_test(training_on_long_words)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
