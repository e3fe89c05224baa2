/* BPE, Unigram, WordPiece and WordLevel on small vocabularies whose answers can be seen by eye. */
#include "tokenizer_support.h"

static void bpe_merges_by_rank(void **state)
{
    (void)state;
    heed_tokenizer *tokenizer = load_text("{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0, "
                                          "\"b\": 1, \"c\": 2, \"bc\": 3, \"ab\": 4, \"abc\": 5},"
                                          " \"merges\": [\"b c\", \"a b\", \"a bc\"]}}");
    expect_ids(tokenizer, "abc", IDS(5));
    expect_ids(tokenizer, "abab", IDS(4, 4));
    /* without an unknown token what is unknown vanishes */
    expect_ids(tokenizer, "aabcx", IDS(0, 5));
    assert_string_equal(heed_tokenizer_kind(tokenizer), "BPE");
    heed_tokenizer_free(tokenizer);
}

static void bpe_ignores_merges_for_whole_words(void **state)
{
    (void)state;
    heed_tokenizer *tokenizer = load_text(
        "{\"pre_tokenizer\": {\"type\": \"WhitespaceSplit\"}, \"model\": {\"type\": \"BPE\", "
        "\"ignore_merges\": true,"
        " \"vocab\": {\"a\": 0, \"b\": 1, \"abba\": 2}, \"merges\": []}}");
    expect_ids(tokenizer, "abba abb", IDS(2, 0, 1, 1));
    heed_tokenizer_free(tokenizer);
}

static void bpe_unknown_characters(void **state)
{
    (void)state;
    static const char one[] = "{\"model\": {\"type\": \"BPE\", \"unk_token\": \"?\", \"vocab\": "
                              "{\"?\": 0, \"a\": 1}, \"merges\": []}}";
    static const char fused[] =
        "{\"model\": {\"type\": \"BPE\", \"unk_token\": \"?\", \"fuse_unk\": true, \"vocab\": "
        "{\"?\": 0, \"a\": 1}, \"merges\": []}}";
    static const char bytes[] =
        "{\"model\": {\"type\": \"BPE\", \"unk_token\": \"?\", \"byte_fallback\": true,"
        " \"vocab\": {\"?\": 0, \"a\": 1, \"<0xC3>\": 2, \"<0xA9>\": 3}, \"merges\": []}}";
    static const char missing[] = "{\"model\": {\"type\": \"BPE\", \"unk_token\": \"?\", "
                                  "\"vocab\": {\"a\": 1}, \"merges\": []}}";
    heed_tokenizer *tokenizer = load_text(one);
    expect_ids(tokenizer, "axya", IDS(1, 0, 0, 1));
    heed_tokenizer_free(tokenizer);
    tokenizer = load_text(fused);
    expect_ids(tokenizer, "axyax", IDS(1, 0, 1, 0));
    heed_tokenizer_free(tokenizer);
    tokenizer = load_text(bytes);
    expect_ids(tokenizer, "a\xC3\xA9\xC3\xA8", IDS(1, 2, 3, 0));
    heed_tokenizer_free(tokenizer);
    tokenizer = load_text(missing);
    heed_encoding encoding = {0};
    expect_ids(tokenizer, "aa", IDS(1, 1));
    assert_fails(HEED_E_FORMAT, "unknown token \"?\"",
                 heed_tokenizer_encode(tokenizer, "ab", 2, 0, &encoding, &error));
    heed_encoding_free(&encoding);
    heed_tokenizer_free(tokenizer);
}

static void bpe_affixes(void **state)
{
    (void)state;
    heed_tokenizer *tokenizer = load_text(
        "{\"pre_tokenizer\": {\"type\": \"WhitespaceSplit\"}, \"model\": {\"type\": \"BPE\", "
        "\"end_of_word_suffix\": \"</w>\","
        " \"vocab\": {\"a\": 0, \"b\": 1, \"b</w>\": 2, \"ab</w>\": 3, \"a</w>\": 4}, \"merges\": "
        "[\"a b</w>\"]}}");
    expect_ids(tokenizer, "ab aba a", IDS(3, 0, 1, 4, 4));
    heed_tokenizer_free(tokenizer);
    tokenizer = load_text("{\"model\": {\"type\": \"BPE\", \"continuing_subword_prefix\": \"##\", "
                          "\"vocab\": {\"a\": 0, \"##b\": 1, \"##a\": 2, \"ab\": 3,"
                          " \"##ba\": 4}, \"merges\": [[\"a\", \"##b\"], [\"##b\", \"##a\"]]}}");
    expect_ids(tokenizer, "abba", IDS(3, 4));
    heed_tokenizer_free(tokenizer);
}

/* A tokenizer of a Unigram model. `more` follows its vocabulary. */
static heed_tokenizer *unigram(const char *vocabulary, const char *more)
{
    char json[1024];
    snprintf(json, sizeof json, "{\"model\": {\"type\": \"Unigram\", \"vocab\": [%s]%s}}",
             vocabulary, more);
    return load_text(json);
}

static void unigram_takes_the_best_sum(void **state)
{
    (void)state;
    /* ab + c has -3, a + bc has -2.5, a + b + c has -6; of ab + ab and aba + b, both -4, the one
       that is found first stays */
    heed_tokenizer *tokenizer = unigram("[\"?\", 0], [\"a\", -2], [\"b\", -2], [\"c\", -2], "
                                        "[\"ab\", -1], [\"bc\", -0.5]",
                                        ", \"unk_id\": 0");
    expect_ids(tokenizer, "abc", IDS(1, 5));
    expect_ids(tokenizer, "abab", IDS(4, 4));
    assert_string_equal(heed_tokenizer_kind(tokenizer), "Unigram");
    heed_tokenizer_free(tokenizer);
    tokenizer = unigram("[\"a\", -2], [\"b\", -2], [\"ab\", -2], [\"aba\", -2]", "");
    expect_ids(tokenizer, "abab", IDS(2, 2));
    heed_tokenizer_free(tokenizer);
}

static void unigram_unknown_characters(void **state)
{
    (void)state;
    static const char vocabulary[] = "[\"?\", 0], [\"a\", -2], [\"<0xC3>\", 0], [\"<0xA9>\", 0]";
    heed_tokenizer *tokenizer = unigram(vocabulary, ", \"unk_id\": 0");
    expect_ids(tokenizer, "axya\xC3\xA9", IDS(1, 0, 1, 0)); /* neighbors become one */
    heed_tokenizer_free(tokenizer);
    tokenizer = unigram(vocabulary, ", \"unk_id\": 0, \"byte_fallback\": true");
    expect_ids(tokenizer, "a\xC3\xA9", IDS(1, 2, 3));
    /* a stretch of which one byte has no token is unknown as a whole */
    expect_ids(tokenizer, "a\xC3\xA9\xC3\xA8", IDS(1, 0));
    heed_tokenizer_free(tokenizer);
    tokenizer = unigram(vocabulary, "");
    heed_encoding encoding = {0};
    expect_ids(tokenizer, "aa", IDS(1, 1));
    assert_fails(HEED_E_FORMAT, "has no \"unk_id\"",
                 heed_tokenizer_encode(tokenizer, "ab", 2, 0, &encoding, &error));
    heed_encoding_free(&encoding);
    heed_tokenizer_free(tokenizer);
}

/* Of tokens that occur twice the last one counts, with its score. */
static void unigram_tokens_may_occur_twice(void **state)
{
    (void)state;
    heed_tokenizer *tokenizer = unigram("[\"a\", -9], [\"b\", -1], [\"a\", -1], [\"ab\", -3]", "");
    expect_ids(tokenizer, "ab", IDS(2, 1));
    heed_tokenizer_free(tokenizer);
}

static void wordpiece_takes_the_longest(void **state)
{
    (void)state;
    heed_tokenizer *tokenizer = load_text(
        "{\"pre_tokenizer\": {\"type\": \"WhitespaceSplit\"}, \"model\": {\"type\": \"WordPiece\", "
        "\"unk_token\": \"[UNK]\","
        " \"max_input_chars_per_word\": 8, \"vocab\": {\"[UNK]\": 0, \"un\": 1, \"##aff\": 2, "
        "\"##able\": 3, \"a\": 4,"
        " \"##a\": 5, \"##f\": 6, \"\xC3\xA9\": 7, \"##\xC3\xA9\": 8}}}");
    expect_ids(tokenizer, "unaff", IDS(1, 2));
    expect_ids(tokenizer, "unaf a", IDS(1, 5, 6, 4));
    /* a word that cannot be covered is unknown as a whole */
    expect_ids(tokenizer, "unaffx a", IDS(0, 4));
    expect_ids(tokenizer, "aaaaaaaa", IDS(4, 5, 5, 5, 5, 5, 5, 5));
    expect_ids(tokenizer, "aaaaaaaaa", IDS(0));           /* too long */
    expect_ids(tokenizer, "\xC3\xA9\xC3\xA9", IDS(7, 8)); /* characters count, not bytes */
    assert_string_equal(heed_tokenizer_kind(tokenizer), "WordPiece");
    heed_tokenizer_free(tokenizer);
}

static void wordlevel_looks_up(void **state)
{
    (void)state;
    heed_tokenizer *tokenizer = load_text(
        "{\"pre_tokenizer\": {\"type\": \"Whitespace\"}, \"model\": {\"type\": \"WordLevel\", "
        "\"unk_token\": \"<unk>\","
        " \"vocab\": {\"<unk>\": 0, \"the\": 1, \",\": 2, \"cat\": 3}}}");
    expect_ids(tokenizer, "the cat, dog", IDS(1, 3, 2, 0));
    assert_string_equal(heed_tokenizer_kind(tokenizer), "WordLevel");
    heed_tokenizer_free(tokenizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bpe_merges_by_rank),
                                       cmocka_unit_test(bpe_ignores_merges_for_whole_words),
                                       cmocka_unit_test(bpe_unknown_characters),
                                       cmocka_unit_test(bpe_affixes),
                                       cmocka_unit_test(unigram_takes_the_best_sum),
                                       cmocka_unit_test(unigram_unknown_characters),
                                       cmocka_unit_test(unigram_tokens_may_occur_twice),
                                       cmocka_unit_test(wordpiece_takes_the_longest),
                                       cmocka_unit_test(wordlevel_looks_up)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
