#include "tokenizer_support.h"

static heed_tokenizer *train(const char *kind, const heed_tokenizer_training *training,
                             const char *text, bool lines)
{
    heed_tokenizer_trainer *trainer = NULL;
    heed_tokenizer *tokenizer = NULL;
    assert_ok(heed_tokenizer_trainer_new(&trainer, kind, training, &error));
    if (lines) assert_ok(heed_tokenizer_trainer_feed_lines(trainer, text, strlen(text), &error));
    else assert_ok(heed_tokenizer_trainer_feed(trainer, text, strlen(text), &error));
    assert_ok(heed_tokenizer_trainer_finish(trainer, &tokenizer, &error));
    heed_tokenizer_trainer_free(trainer);
    return tokenizer;
}

/* tests/fixtures/tokenizers/pipelines/training.jsonl: texts, options and the merges that the
   library's BpeTrainer found. */
static void check_merges(const json_t *row, void *context)
{
    const json_t *texts = json_object_get(row, "texts"),
                 *specials = json_object_get(row, "special"),
                 *merges = json_object_get(row, "merges");
    heed_special_token special[8];
    heed_tokenizer_training training = {
        .vocab_size = (size_t)json_integer_value(json_object_get(row, "vocab_size")),
        .min_frequency = (uint64_t)json_integer_value(json_object_get(row, "min_frequency")),
        .special = special,
        .special_count = (int)json_array_size(specials)};
    for (int i = 0; i < training.special_count; i++)
        special[i] = (heed_special_token){json_string_value(json_array_get(specials, (size_t)i)),
                                          HEED_EOS};
    heed_tokenizer_trainer *trainer = NULL;
    heed_tokenizer *tokenizer = NULL;
    scratch *work = context;
    json_t *json = NULL;
    assert_ok(heed_tokenizer_trainer_new(&trainer, "bpe", &training, &error));
    for (size_t i = 0; i < json_array_size(texts); i++) {
        const json_t *text = json_array_get(texts, i);
        assert_ok(heed_tokenizer_trainer_feed(trainer, json_string_value(text),
                                              json_string_length(text), &error));
    }
    assert_ok(heed_tokenizer_trainer_finish(trainer, &tokenizer, &error));
    assert_ok(heed_tokenizer_save(tokenizer, work->folder, &error));
    assert_ok(heed_json_read(&json, scratch_path(work, "tokenizer.json"), &error));
    if (!json_equal(json_object_get(json_object_get(json, "model"), "merges"), merges)) {
        char *dumped = json_dumps(row, JSON_COMPACT);
        fail_msg("other merges than the library's: %.2000s", dumped);
    }
    json_decref(json);
    heed_tokenizer_free(tokenizer);
    heed_tokenizer_trainer_free(trainer);
}

static void merges_equal_the_librarys(void **state)
{
    (void)state;
    scratch work;
    scratch_make(&work);
    assert_true(each_line(HEED_FIXTURES "/tokenizers/pipelines/training.jsonl", check_merges,
                          &work) >= 100);
    scratch_remove(&work);
}

static void bpe_round_trips(void **state)
{
    (void)state;
    const heed_special_token special[] = {{"<|endoftext|>", HEED_EOS}, {"<|endoftext|>", HEED_BOS}};
    const heed_tokenizer_training training = {
        .vocab_size = 300, .special = special, .special_count = 2, .add_eos = true};
    static const char text[] = "the cat sat on the mat\nthe end \xE4\xB8\xAD\xE6\x96\x87 \t\x01\n";
    heed_tokenizer *tokenizer = train("bpe", &training, text, true);
    heed_encoding encoding = {0};
    heed_buffer decoded = {0};
    assert_ok(heed_tokenizer_encode(tokenizer, text, sizeof text - 1, HEED_ENCODE_SPECIAL,
                                    &encoding, &error));
    assert_ok(
        heed_tokenizer_decode(tokenizer, encoding.ids, encoding.count, true, &decoded, &error));
    assert_string_equal(decoded.data, text);
    assert_int_equal(encoding.ids[encoding.count - 1], heed_tokenizer_special(tokenizer, HEED_EOS));
    assert_int_equal(heed_tokenizer_special(tokenizer, HEED_BOS), 0);
    /* bytes follow the special tokens in order of their characters */
    assert_int_equal(heed_tokenizer_id(tokenizer, "!", 1), 1);
    assert_true(heed_tokenizer_id(tokenizer, "\xC4\xA0the", 5) > 256);
    heed_encoding_free(&encoding);
    heed_buffer_free(&decoded);
    heed_tokenizer_free(tokenizer);
}

static void characters(void **state)
{
    (void)state;
    heed_tokenizer *tokenizer = train("char", &(heed_tokenizer_training){0},
                                      "b\xC3\xA4"
                                      "a\n b",
                                      false);
    expect_ids(tokenizer, "ab\n\xC3\xA4 x", IDS(3, 4, 1, 5, 2, 0));
    expect_decoded(tokenizer, IDS(3, 4, 1, 5, 2), "ab\n\xC3\xA4 ");
    assert_int_equal(heed_tokenizer_special(tokenizer, HEED_UNK), 0);
    assert_int_equal(heed_tokenizer_vocab_size(tokenizer), 6);
    heed_tokenizer_free(tokenizer);
    const heed_special_token special[] = {
        {"<pad>", HEED_PAD}, {"<s>", HEED_BOS}, {"</s>", HEED_EOS}, {"?", HEED_UNK}};
    const heed_tokenizer_training training = {
        .vocab_size = 6,
        .min_frequency = 2,
        .special = special,
        .special_count = 4,
        .add_bos = true,
        .add_eos = true,
    };
    tokenizer = train("char", &training, "aabbbcdccc", false);
    /* the two most frequent of three that are frequent enough */
    assert_int_equal(heed_tokenizer_vocab_size(tokenizer), 6);
    heed_encoding encoding = {0};
    assert_ok(heed_tokenizer_encode(tokenizer, "abcd", 4, HEED_ENCODE_SPECIAL, &encoding, &error));
    assert_true(encoding.count == 6 && encoding.ids[0] == 1 && encoding.ids[1] == 3 &&
                encoding.ids[2] == 4 && encoding.ids[3] == 5 && encoding.ids[4] == 3 &&
                encoding.ids[5] == 2);
    heed_encoding_free(&encoding);
    heed_tokenizer_free(tokenizer);
}

/* U+0000 can be no key of a JSON object; it becomes an added token and round-trips all the same. */
static void a_nul_is_a_character(void **state)
{
    (void)state;
    heed_tokenizer_trainer *trainer = NULL;
    heed_tokenizer *tokenizer = NULL;
    scratch work;
    scratch_make(&work);
    assert_ok(heed_tokenizer_trainer_new(&trainer, "char", &(heed_tokenizer_training){0}, &error));
    assert_ok(heed_tokenizer_trainer_feed(trainer, "a\0b", 3, &error));
    assert_ok(heed_tokenizer_trainer_finish(trainer, &tokenizer, &error));
    assert_ok(heed_tokenizer_save(tokenizer, work.folder, &error));
    heed_tokenizer_free(tokenizer);
    assert_ok(heed_tokenizer_load(&tokenizer, work.folder, &error));
    heed_encoding encoding = {0};
    heed_buffer text = {0};
    assert_ok(heed_tokenizer_encode(tokenizer, "b\0\0a", 4, 0, &encoding, &error));
    assert_true(encoding.count == 4 && encoding.ids[1] == 3 && encoding.ids[2] == 3);
    assert_ok(heed_tokenizer_decode(tokenizer, encoding.ids, encoding.count, true, &text, &error));
    assert_true(text.length == 4 && !memcmp(text.data, "b\0\0a", 4));
    heed_encoding_free(&encoding);
    heed_buffer_free(&text);
    heed_tokenizer_free(tokenizer);
    heed_tokenizer_trainer_free(trainer);
    scratch_remove(&work);
}

static heed_status try_new(const char *kind, heed_tokenizer_training training, heed_error *error)
{
    heed_tokenizer_trainer *trainer = NULL;
    heed_status status = heed_tokenizer_trainer_new(&trainer, kind, &training, error);
    heed_tokenizer_trainer_free(trainer);
    return status;
}

static void bad_options(void **state)
{
    (void)state;
    const heed_special_token empty = {"", HEED_BOS};
    assert_fails(HEED_E_UNSUPPORTED, "\"wordpiece\" cannot be trained",
                 try_new("wordpiece", (heed_tokenizer_training){.vocab_size = 999}, &error));
    assert_fails(HEED_E_UNSUPPORTED, "\"unigram\" cannot be trained",
                 try_new("unigram", (heed_tokenizer_training){.vocab_size = 999}, &error));
    assert_fails(HEED_E_UNSUPPORTED, "\"magic\" cannot be trained",
                 try_new("magic", (heed_tokenizer_training){.vocab_size = 999}, &error));
    assert_fails(HEED_E_ARG, "at least 256 bytes",
                 try_new("bpe", (heed_tokenizer_training){.vocab_size = 255}, &error));
    assert_fails(
        HEED_E_ARG, "special token 0",
        try_new("char", (heed_tokenizer_training){.special = &empty, .special_count = 1}, &error));
    assert_fails(HEED_E_ARG, "special tokens, expected",
                 try_new("char", (heed_tokenizer_training){.special_count = -1}, &error));
    assert_fails(HEED_E_ARG, "beginning-of-sequence",
                 try_new("char", (heed_tokenizer_training){.add_bos = true}, &error));
    assert_fails(HEED_E_ARG, "end-of-sequence",
                 try_new("char", (heed_tokenizer_training){.add_eos = true}, &error));
}

/* No text at all, and text that runs out of pairs, end early with what there is. */
static void little_text(void **state)
{
    (void)state;
    const heed_tokenizer_training training = {.vocab_size = 1000};
    heed_tokenizer *tokenizer = train("bpe", &training, "", false);
    assert_int_equal(heed_tokenizer_vocab_size(tokenizer), 256);
    heed_tokenizer_free(tokenizer);
    tokenizer = train("bpe", &training, "aaaa", false);
    assert_int_equal(heed_tokenizer_vocab_size(tokenizer), 258);
    heed_tokenizer_free(tokenizer);
    tokenizer = train("char", &training, "", false);
    assert_int_equal(heed_tokenizer_vocab_size(tokenizer), 1);
    heed_tokenizer_free(tokenizer);
    tokenizer = train("char", &training, "\xFF", false); /* broken text counts as U+FFFD */
    assert_true(heed_tokenizer_id(tokenizer, "\xEF\xBF\xBD", 3) >= 0);
    heed_tokenizer_free(tokenizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(merges_equal_the_librarys),
                                       cmocka_unit_test(bpe_round_trips),
                                       cmocka_unit_test(characters),
                                       cmocka_unit_test(a_nul_is_a_character),
                                       cmocka_unit_test(bad_options),
                                       cmocka_unit_test(little_text)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
