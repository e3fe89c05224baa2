/* vocab.json + merges.txt and vocab.txt; whole fixtures of these forms are compared in
   test_fixtures.c. */
#include "tokenizer_support.h"

static void put(scratch *work, const char *name, const char *text)
{
    scratch_file(work, name, text, strlen(text));
}

static void empty_folder(scratch *work)
{
    heed_directory_remove(work->folder, NULL);
    assert_ok(heed_directory_make(work->folder, &error));
}

static heed_tokenizer *load(const scratch *work)
{
    heed_tokenizer *tokenizer = NULL;
    assert_ok(heed_tokenizer_load(&tokenizer, work->folder, &error));
    return tokenizer;
}

static heed_status try_load(const char *path, heed_error *error)
{
    heed_tokenizer *tokenizer = NULL;
    heed_status status = heed_tokenizer_load(&tokenizer, path, error);
    heed_tokenizer_free(tokenizer);
    return status;
}

static const char pairs[] = "{\"a\": 0, \"b\": 1, \"ab\": 2, \"\xC4\xA0\": 3, \"\xC4\xA0\x61\": 4, "
                            "\"<s>\": 5, \"</s>\": 6, \"<mask>\": 7}";
static const char merges[] = "#version: 0.2\r\na b\r\n\xC4\xA0 a\r\n\r\n";

static void byte_pairs(void **state)
{
    (void)state;
    scratch work;
    scratch_make(&work);
    put(&work, "vocab.json", pairs);
    put(&work, "merges.txt", merges);
    heed_tokenizer *tokenizer = load(&work);
    /* a vocabulary alone names no special tokens; "<", "s", ">" are unknown */
    expect_ids(tokenizer, "ab a<s>", IDS(2, 4));
    assert_int_equal(heed_tokenizer_special(tokenizer, HEED_BOS), -1);
    heed_tokenizer_free(tokenizer);
    put(&work, "tokenizer_config.json",
        "{\"tokenizer_class\": \"RobertaTokenizerFast\", \"add_prefix_space\": true}");
    tokenizer = load(&work);
    heed_encoding encoding = {0};
    assert_ok(
        heed_tokenizer_encode(tokenizer, "a <mask>", 8, HEED_ENCODE_SPECIAL, &encoding, &error));
    assert_int_equal(encoding.count, 4);
    assert_true(encoding.ids[0] == 5 && encoding.ids[1] == 4 && encoding.ids[2] == 7 &&
                encoding.ids[3] == 6);
    /* by its usual name: the config mentions none */
    assert_int_equal(heed_tokenizer_special(tokenizer, HEED_MASK), 7);
    heed_tokenizer_free(tokenizer);
    put(&work, "tokenizer_config.json",
        "{\"tokenizer_class\": \"GPT2Tokenizer\", \"bos_token\": {\"content\": \"</s>\"}, "
        "\"add_bos_token\": true,"
        " \"added_tokens_decoder\": {\"9\": {\"content\": \"<y>\"}, \"8\": {\"content\": \"<x>\", "
        "\"special\": true}}}");
    put(&work, "special_tokens_map.json", "{\"bos_token\": \"<s>\", \"eos_token\": \"<x>\"}");
    tokenizer = load(&work);
    assert_ok(
        heed_tokenizer_encode(tokenizer, "a<y><x>", 7, HEED_ENCODE_SPECIAL, &encoding, &error));
    assert_int_equal(encoding.count, 4);
    assert_true(encoding.ids[0] == 6 && encoding.ids[1] == 0 && encoding.ids[2] == 9 &&
                encoding.ids[3] == 8);
    /* tokenizer_config.json comes before special_tokens_map.json */
    assert_int_equal(heed_tokenizer_special(tokenizer, HEED_BOS), 6);
    assert_int_equal(heed_tokenizer_special(tokenizer, HEED_EOS), 8);
    heed_tokenizer_free(tokenizer);
    heed_encoding_free(&encoding);
    scratch_remove(&work);
}

static void word_pieces(void **state)
{
    (void)state;
    scratch work;
    scratch_make(&work);
    put(&work, "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\nwor\n##ld\n\xC3\xA9\ne");
    heed_tokenizer *tokenizer = load(&work);
    /* no capital in the vocabulary: it was made from lowered text */
    expect_ids(tokenizer, "Hello WORLD", IDS(5, 6, 7));
    expect_ids(tokenizer, "[MASK]", IDS(1, 1, 1));
    expect_ids(tokenizer, "\xC3\x89", IDS(9));
    assert_int_equal(heed_tokenizer_vocab_size(tokenizer), 10);
    assert_int_equal(heed_tokenizer_special(tokenizer, HEED_CLS), 2);
    assert_int_equal(heed_tokenizer_special(tokenizer, HEED_BOS), -1);
    heed_tokenizer_free(tokenizer);
    put(&work, "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\nWor\n##ld\n");
    tokenizer = load(&work);
    expect_ids(tokenizer, "hello World world", IDS(5, 6, 7, 1));
    heed_tokenizer_free(tokenizer);
    put(&work, "tokenizer_config.json",
        "{\"tokenizer_class\": \"BertTokenizer\", \"do_lower_case\": false, \"strip_accents\": "
        "true, \"mask_token\": \"[MASK]\", \"pad_token\": null}");
    tokenizer = load(&work);
    expect_ids(tokenizer, "World[MASK]h\xC3\xA9llo", IDS(6, 7, 4, 5));
    assert_int_equal(heed_tokenizer_special(tokenizer, HEED_MASK), 4);
    assert_int_equal(heed_tokenizer_special(tokenizer, HEED_PAD), -1); /* null: there is none */
    heed_tokenizer_free(tokenizer);
    scratch_remove(&work);
}

/* A class, or a kind of model, that needs no vocabulary file. */
static void classes_without_files(void **state)
{
    (void)state;
    scratch work;
    heed_tokenizer *tokenizer = NULL;
    scratch_make(&work);
    put(&work, "config.json", "{\"model_type\": \"canine\"}");
    assert_ok(heed_tokenizer_load(&tokenizer, work.folder, &error));
    expect_ids(tokenizer, "a\u00e9\U0001F999", IDS('a', 0xE9, 0x1F999));
    assert_int_equal(heed_tokenizer_special(tokenizer, HEED_CLS), 0xE000);
    heed_tokenizer_free(tokenizer);
    /* a kind that does not say what its tokenizer is */
    put(&work, "config.json", "{\"model_type\": \"gpt2\"}");
    assert_fails(HEED_E_IO, "no tokenizer here",
                 heed_tokenizer_load(&tokenizer, work.folder, &error));
    put(&work, "tokenizer_config.json",
        "{\"tokenizer_class\": \"ByT5Tokenizer\", \"extra_ids\": 125}");
    assert_ok(heed_tokenizer_load(&tokenizer, work.folder, &error));
    expect_ids(tokenizer, "A<extra_id_124><pad>", IDS('A' + 3, 259 + 124, 0));
    expect_decoded(tokenizer, IDS('A' + 3, 0xC3 + 3, 'B' + 3), "AB"); /* a broken byte is nothing */
    assert_int_equal(heed_tokenizer_special(tokenizer, HEED_EOS), 1);
    assert_int_equal(heed_tokenizer_id_limit(tokenizer), 384);
    heed_tokenizer_free(tokenizer);
    put(&work, "tokenizer_config.json",
        "{\"tokenizer_class\": \"Wav2Vec2CTCTokenizer\", \"do_lower_case\": true}");
    put(&work, "vocab.json", "{\"<pad>\": 0, \"<unk>\": 1, \"|\": 2, \"A\": 3}");
    assert_fails(HEED_E_UNSUPPORTED, "do_lower_case",
                 heed_tokenizer_load(&tokenizer, work.folder, &error));
    empty_folder(&work);
    /* its file is not read: the class is named */
    put(&work, "tokenizer_config.json", "{\"tokenizer_class\": \"T5Tokenizer\"}");
    assert_fails(HEED_E_UNSUPPORTED, "class \"T5Tokenizer\"",
                 heed_tokenizer_load(&tokenizer, work.folder, &error));
    scratch_remove(&work);
}

static void broken_folders(void **state)
{
    (void)state;
    scratch work;
    scratch_make(&work);
    assert_fails(HEED_E_IO, "no tokenizer here", try_load(work.folder, &error));
    assert_fails(HEED_E_IO, "nowhere", try_load(scratch_path(&work, "nowhere"), &error));
    put(&work, "vocab.json", pairs);
    assert_fails(HEED_E_IO, "no tokenizer here", try_load(work.folder, &error));
    put(&work, "merges.txt", "a b\na b c\n");
    assert_fails(HEED_E_FORMAT, "merge 1: expected", try_load(work.folder, &error));
    put(&work, "merges.txt", "a b\na \xFF\n");
    assert_fails(HEED_E_FORMAT, "line 2: ", try_load(work.folder, &error));
    put(&work, "merges.txt", "a x\n");
    assert_fails(HEED_E_FORMAT, "needs the token \"x\"", try_load(work.folder, &error));
    put(&work, "merges.txt", merges);
    put(&work, "vocab.json", "[]");
    assert_fails(HEED_E_FORMAT, "expected an object of ids", try_load(work.folder, &error));
    put(&work, "vocab.json", pairs);
    put(&work, "tokenizer_config.json", "[]");
    assert_fails(HEED_E_FORMAT, "tokenizer_config.json: expected a JSON object",
                 try_load(work.folder, &error));
    put(&work, "tokenizer_config.json", "{\"tokenizer_class\": \"CTRLTokenizer\"}");
    assert_fails(HEED_E_UNSUPPORTED, "class \"CTRLTokenizer\"", try_load(work.folder, &error));
    put(&work, "tokenizer_config.json",
        "{\"tokenizer_class\": \"RobertaTokenizer\", \"cls_token\": \"<cls>\"}");
    assert_fails(HEED_E_FORMAT, "lacks the special token \"<cls>\"", try_load(work.folder, &error));
    empty_folder(&work);
    put(&work, "vocab.txt", "a\nb\n");
    assert_fails(HEED_E_FORMAT, "lacks the special token \"[CLS]\"", try_load(work.folder, &error));
    scratch_file(&work, "vocab.txt", "a\n\0b\n", 5);
    assert_fails(HEED_E_FORMAT, "line 2: ", try_load(work.folder, &error));
    put(&work, "tokenizer_config.json", "{\"tokenizer_class\": \"ProphetNetTokenizer\"}");
    assert_fails(HEED_E_UNSUPPORTED, "class \"ProphetNetTokenizer\"",
                 try_load(work.folder, &error));
    put(&work, "tokenizer.json", "{");
    assert_fails(HEED_E_FORMAT, "tokenizer.json", try_load(work.folder, &error));
    scratch_remove(&work);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(byte_pairs), cmocka_unit_test(word_pieces),
                                       cmocka_unit_test(classes_without_files),
                                       cmocka_unit_test(broken_folders)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
