/* The words of Moses: rules, cutting, joining, vocabularies of two languages. Whole strings are
   compared in test_fixtures.c. */
#include "tokenizer_support.h"

#include "text/moses.h"

static void fill(heed_moses_text *text, const char *from)
{
    text->count = 0;
    for (size_t at = 0, size; from[at]; at += size) {
        uint32_t point = heed_utf8_at(from, at, &size);
        assert_true(heed_moses_put(text, point, (uint32_t)at));
    }
}

static void expect_rule(const char *from, const char *to, const char *before, const char *after)
{
    const heed_moses_rule rules[] = {{from, to}, {NULL, NULL}};
    heed_moses_text text[2] = {{0}, {0}}, wanted = {0};
    fill(&text[0], before);
    fill(&wanted, after);
    assert_ok(heed_moses_apply(rules, text, &error));
    assert_int_equal(text[0].count, wanted.count);
    assert_memory_equal(text[0].points, wanted.points, wanted.count * sizeof *wanted.points);
    for (size_t i = 1; i < text[0].count; i++)
        assert_true(text[0].places[i - 1] <= text[0].places[i]);
    heed_moses_text *all[] = {&text[0], &text[1], &wanted};
    for (int i = 0; i < 3; i++) {
        free(all[i]->points);
        free(all[i]->places);
    }
}

static void rules_rewrite_from_left_to_right(void **state)
{
    (void)state;
    expect_rule("a", "xy", "banana", "bxynxynxy");
    expect_rule("''", "\"", "'''", "\"'"); /* what a match took is gone */
    expect_rule(" +", " ", "a   b  c ", "a b c ");
    expect_rule("\\d %", "\\1%", "5 % x % 7 %", "5% x % 7%");
    /* the letter after the hyphen stays for the next one */
    expect_rule("\\w-\\W", "\\1 @-@ ", "a-b-c - d-", "a @-@ b @-@ c - d-");
    /* the letter after the apostrophe does not */
    expect_rule("\\a'\\a", "\\1 '\\2", "a'b'c", "a 'b'c");
    expect_rule("\\N,\\$", "\\1 , ", "1,2,", "1,2 , ");
    expect_rule("\"\\q+", "\\1\"", "\"..,x\"y", "..,\"x\"y");
    expect_rule(".+\"\\e", "\"\\1\\2", "a..\"  b.\"<c.\"", "a\"..  b.\"<c.\"");
    expect_rule("x", "", "xxx", "");
    expect_rule("x", "y", "", "");
}

static void expect_joined(const char *language, const char *words, const char *sentence)
{
    heed_buffer text = {0};
    assert_ok(heed_moses_join(words, strlen(words), language, &text, &error));
    assert_int_equal(text.length, strlen(sentence));
    assert_memory_equal(text.data ? text.data : "", sentence, text.length);
    heed_buffer_free(&text);
}

static void words_are_joined(void **state)
{
    (void)state;
    expect_joined("en", "", "");
    expect_joined("en", "do n't , he &apos;s ( so ) &quot; free &quot; .",
                  "do n't, he's (so) \"free\".");
    expect_joined("de", "er &apos;s", "er 's");
    expect_joined("en", "the boys &apos; dog", "the boys' dog");
    expect_joined("en", "well @-@ known $ 5 &amp;lt;", "well-known $5 &lt;");
    expect_joined("ru", "日 本 a 語 &#124;", "日本 a 語 |");
    expect_joined("en", "\" a \" b \" c", "\"a\" b \"c");
}

static void abbreviations_keep_their_periods(void **state)
{
    (void)state;
    assert_int_equal(heed_moses_abbreviation("en", "Mr", 2), HEED_MOSES_STAYS);
    assert_int_equal(heed_moses_abbreviation("en", "No", 2), HEED_MOSES_BEFORE_NUMBERS);
    assert_int_equal(heed_moses_abbreviation("en", "M", 1), HEED_MOSES_STAYS);
    assert_int_equal(heed_moses_abbreviation("en", "Mis", 3), HEED_MOSES_ENDS);
    assert_int_equal(heed_moses_abbreviation("en", "Mr Mrs", 6), HEED_MOSES_ENDS);
    assert_int_equal(heed_moses_abbreviation("de", "31", 2), HEED_MOSES_STAYS);
    assert_int_equal(heed_moses_abbreviation("de", "0", 1), HEED_MOSES_ENDS);
    assert_int_equal(heed_moses_abbreviation("ru", "5\xD0\xB3\xD0\xB3", 5), HEED_MOSES_STAYS);
    assert_int_equal(heed_moses_abbreviation("en", "", 0), HEED_MOSES_ENDS);
    assert_true(heed_moses_speaks("ru") && !heed_moses_speaks("fr"));
}

static void put(scratch *work, const char *name, const char *text)
{
    scratch_file(work, name, text, strlen(text));
}

/* Merges may lead through symbols that no vocabulary has; what is left of those is unknown. Ids are
   decoded by the target's vocabulary. */
static void two_languages_and_hidden_symbols(void **state)
{
    (void)state;
    scratch work;
    heed_tokenizer *tokenizer = NULL;
    heed_buffer text = {0};
    scratch_make(&work);
    put(&work, "tokenizer_config.json",
        "{\"tokenizer_class\": \"FSMTTokenizer\", \"langs\": [\"en\", \"de\"]}");
    put(&work, "vocab-src.json",
        "{\"<s>\": 0, \"<pad>\": 1, \"</s>\": 2, \"<unk>\": 3, \"abc</w>\": 4, \"d</w>\": 5}");
    put(&work, "vocab-tgt.json",
        "{\"<s>\": 0, \"<pad>\": 1, \"</s>\": 2, \"<unk>\": 3, \"gut</w>\": 4, \"Wort\": 5, "
        "\".</w>\": 6}");
    put(&work, "merges.txt", "a b 12\nab c</w> 3\nx y</w> 2\n");
    for (int saved = 0; saved < 2; saved++) {
        assert_ok(heed_tokenizer_load(&tokenizer, work.folder, &error));
        expect_ids(tokenizer, "abc ab d", IDS(4, 3, 3, 5)); /* "a", "b</w>" */
        /* merged, and then unknown as a whole */
        expect_ids(tokenizer, "xy", IDS(3));
        const int32_t ids[] = {4, 5, 6, 2};
        heed_buffer_clear(&text);
        assert_ok(heed_tokenizer_decode(tokenizer, ids, 4, true, &text, &error));
        assert_int_equal(text.length, 9);
        assert_memory_equal(text.data, "gut Wort.", 9);
        if (!saved) assert_ok(heed_tokenizer_save(tokenizer, work.folder, &error));
        heed_tokenizer_free(tokenizer);
    }
    heed_buffer_free(&text);
    scratch_remove(&work);
}

static void what_is_missing_is_said(void **state)
{
    (void)state;
    scratch work;
    heed_error error = {0};
    heed_tokenizer *tokenizer = NULL;
    scratch_make(&work);
    put(&work, "vocab-src.json", "{\"<unk>\": 3, \"</s>\": 2}");
    put(&work, "vocab-tgt.json", "{\"<unk>\": 3, \"</s>\": 2}");
    put(&work, "merges.txt", "");
    put(&work, "tokenizer_config.json",
        "{\"tokenizer_class\": \"FSMTTokenizer\", \"langs\": [\"en\"]}");
    assert_int_equal(heed_tokenizer_load(&tokenizer, work.folder, &error), HEED_E_FORMAT);
    assert_non_null(strstr(error.message, "langs"));
    error = (heed_error){0};
    put(&work, "tokenizer_config.json",
        "{\"tokenizer_class\": \"FSMTTokenizer\", \"langs\": [\"en\", \"tlh\"]}");
    assert_int_equal(heed_tokenizer_load(&tokenizer, work.folder, &error), HEED_E_UNSUPPORTED);
    assert_non_null(strstr(error.message, "tlh"));
    error = (heed_error){0};
    scratch_remove(&work);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rules_rewrite_from_left_to_right),
                                       cmocka_unit_test(words_are_joined),
                                       cmocka_unit_test(abbreviations_keep_their_periods),
                                       cmocka_unit_test(two_languages_and_hidden_symbols),
                                       cmocka_unit_test(what_is_missing_is_said)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
