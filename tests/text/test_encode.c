/* Added tokens, templates, truncation, padding, offsets: the ends of encoding. Whole pipelines are
   compared in test_pipelines.c. */
#include "tokenizer_support.h"

#include <pthread.h>

#define WORDS                                                                                    \
    "{\"type\": \"WordLevel\", \"unk_token\": \"?\", \"vocab\": {\"?\": 0, \"a\": 1, \"b\": 2, " \
    "\"c\": 3, \"<s>\": 4, \"</s>\": 5}}"
#define SPLIT "\"pre_tokenizer\": {\"type\": \"WhitespaceSplit\"}"

static void added_tokens_are_found_first(void **state)
{
    (void)state;
    heed_tokenizer *tokenizer = load_text(
        "{\"added_tokens\": [{\"id\": 6, \"content\": \"<x>\", \"special\": true}, {\"id\": 7, "
        "\"content\": \"<x>y\", \"special\": true},"
        " {\"id\": 8, \"content\": \"foo\", \"single_word\": true, \"normalized\": false, "
        "\"special\": false},"
        " {\"id\": 9, \"content\": \"<m>\", \"lstrip\": true, \"rstrip\": true, \"special\": true},"
        " {\"id\": 10, \"content\": \"BAR\", \"normalized\": true, \"special\": false}],"
        " \"normalizer\": {\"type\": \"Lowercase\"}, " SPLIT ", \"model\": " WORDS "}");
    expect_ids(tokenizer, "a<x>b", IDS(1, 6, 2));
    expect_ids(tokenizer, "a<x>yb", IDS(1, 7, 2));        /* the longest one */
    expect_ids(tokenizer, "foo foob, foo", IDS(8, 0, 8)); /* single words only */
    expect_ids(tokenizer, "a <m> b", IDS(1, 9, 2));
    /* found in the normalized text */
    expect_ids(tokenizer, "bar Bar xBARx", IDS(10, 10, 0, 10, 0));
    expect_ids(tokenizer, "FOO", IDS(0));
    heed_encoding encoding = {0};
    assert_ok(
        heed_tokenizer_encode(tokenizer, "a  <m>  b", 9, HEED_ENCODE_OFFSETS, &encoding, &error));
    /* with the blanks it took along */
    assert_true(encoding.bytes[1].begin == 1 && encoding.bytes[1].end == 8);
    heed_encoding_free(&encoding);
    assert_true(heed_tokenizer_is_special(tokenizer, 6) &&
                !heed_tokenizer_is_special(tokenizer, 8) &&
                !heed_tokenizer_is_special(tokenizer, 1));
    expect_decoded(tokenizer, IDS(10, 1), "bar a"); /* and decoded in its normalized form */
    heed_tokenizer_free(tokenizer);
}

static const char bert[] = "{" SPLIT
                           ", \"post_processor\": {\"type\": \"BertProcessing\", \"cls\": "
                           "[\"<s>\", 4], \"sep\": [\"</s>\", 5]}, \"model\": " WORDS "}";

static void expect_pair(const heed_tokenizer *tokenizer, const char *first, const char *second,
                        const heed_truncation *truncation, const char *wanted)
{
    heed_encoding encoding = {0};
    heed_buffer found = {0};
    heed_buffer_append(&found, "", 0);
    const heed_encode_input input = {.first = {first, strlen(first)},
                                     .second = {second, second ? strlen(second) : 0},
                                     .flags = HEED_ENCODE_SPECIAL,
                                     .truncation = truncation};
    assert_ok(heed_tokenizer_encode_pair(tokenizer, &input, &encoding, &error));
    for (size_t i = 0; i < encoding.count; i++) {
        heed_buffer_printf(&found, "%d", (int)encoding.ids[i]);
        if (encoding.type_ids[i]) heed_buffer_byte(&found, '\'');
        if (encoding.special_mask[i]) heed_buffer_byte(&found, '*');
        heed_buffer_byte(&found, ' ');
    }
    assert_string_equal(found.data, wanted);
    heed_buffer_free(&found);
    heed_encoding_free(&encoding);
}

static void templates(void **state)
{
    (void)state;
    heed_tokenizer *tokenizer = load_text(bert);
    expect_pair(tokenizer, "a b", NULL, NULL, "4* 1 2 5* ");
    expect_pair(tokenizer, "a", "b c", NULL, "4* 1 5* 2' 3' 5'* ");
    expect_pair(tokenizer, "", NULL, NULL, "4* 5* ");
    assert_int_equal(heed_tokenizer_added_count(tokenizer, false), 2);
    assert_int_equal(heed_tokenizer_added_count(tokenizer, true), 3);
    expect_ids(tokenizer, "a b", IDS(1, 2));
    heed_tokenizer_free(tokenizer);
    tokenizer = load_text("{" SPLIT
                          ", \"post_processor\": {\"type\": \"RobertaProcessing\", \"cls\": "
                          "[\"<s>\", 4], \"sep\": [\"</s>\", 5]}, \"model\": " WORDS "}");
    expect_pair(tokenizer, "a", "b", NULL, "4* 1 5* 5* 2 5* ");
    heed_tokenizer_free(tokenizer);
    tokenizer = load_text("{" SPLIT ", \"model\": " WORDS "}");
    expect_pair(tokenizer, "a", "b", NULL, "1 2' ");
    heed_tokenizer_free(tokenizer);
}

static heed_status cut(const heed_tokenizer *tokenizer, const char *second,
                       heed_truncation truncation, heed_error *error)
{
    heed_encoding encoding = {0};
    const heed_encode_input input = {.first = {"a b", 3},
                                     .second = {second, second ? strlen(second) : 0},
                                     .flags = HEED_ENCODE_SPECIAL,
                                     .truncation = &truncation};
    heed_status status = heed_tokenizer_encode_pair(tokenizer, &input, &encoding, error);
    heed_encoding_free(&encoding);
    return status;
}

static void truncation(void **state)
{
    (void)state;
    heed_tokenizer *tokenizer = load_text(bert);
    expect_pair(tokenizer, "a b c", NULL, &(heed_truncation){.max_length = 4}, "4* 1 2 5* ");
    expect_pair(tokenizer, "a b c", NULL, &(heed_truncation){.max_length = 4, .left = true},
                "4* 2 3 5* ");
    expect_pair(tokenizer, "a b c", NULL, &(heed_truncation){.max_length = 2}, "4* 5* ");
    expect_pair(tokenizer, "a b c a b", "c", &(heed_truncation){.max_length = 6},
                "4* 1 2 5* 3' 5'* ");
    expect_pair(tokenizer, "a b c", "a b c", &(heed_truncation){.max_length = 6},
                "4* 1 5* 1' 2' 5'* ");
    expect_pair(tokenizer, "a b c", "a b c",
                &(heed_truncation){.max_length = 7, .strategy = HEED_ONLY_FIRST},
                "4* 1 5* 1' 2' 3' 5'* ");
    expect_pair(tokenizer, "a b c", "a b c",
                &(heed_truncation){.max_length = 7, .strategy = HEED_ONLY_SECOND},
                "4* 1 2 3 5* 1' 5'* ");
    assert_fails(HEED_E_ARG, "no room for 2 special tokens",
                 cut(tokenizer, NULL, (heed_truncation){.max_length = 1}, &error));
    assert_fails(HEED_E_ARG, "there is only one",
                 cut(tokenizer, NULL,
                     (heed_truncation){.max_length = 3, .strategy = HEED_ONLY_SECOND}, &error));
    assert_fails(HEED_E_ARG, "the second text has only 1",
                 cut(tokenizer, "c",
                     (heed_truncation){.max_length = 5, .strategy = HEED_ONLY_SECOND}, &error));
    heed_tokenizer_free(tokenizer);
}

static void padding(void **state)
{
    (void)state;
    heed_tokenizer *tokenizer = load_text(bert);
    heed_encoding encoding = {0};
    heed_padding right = {.id = 9, .type_id = 2}, left = {.id = 9, .left = true};
    assert_ok(heed_tokenizer_encode(tokenizer, "a b", 3, HEED_ENCODE_SPECIAL | HEED_ENCODE_OFFSETS,
                                    &encoding, &error));
    assert_ok(heed_encoding_pad(&encoding, &right, 6, &error));
    assert_int_equal(encoding.count, 6);
    assert_true(encoding.ids[3] == 5 && encoding.ids[4] == 9 && encoding.ids[5] == 9 &&
                encoding.type_ids[5] == 2);
    assert_true(encoding.attention_mask[3] == 1 && encoding.attention_mask[4] == 0 &&
                encoding.special_mask[5] == 1 && encoding.bytes[5].end == 0);
    assert_ok(heed_encoding_pad(&encoding, &left, 8, &error));
    assert_true(encoding.count == 8 && encoding.ids[0] == 9 && encoding.ids[2] == 4 &&
                encoding.attention_mask[1] == 0 && encoding.attention_mask[2] == 1);
    assert_true(encoding.code_points[3].begin == 0 && encoding.code_points[3].end == 1);
    assert_ok(heed_encoding_pad(&encoding, &right, 3, &error)); /* never shortens */
    assert_int_equal(encoding.count, 8);
    heed_encoding_free(&encoding);
    assert_int_equal(heed_padding_length(&(heed_padding){.multiple_of = 8}, 9), 16);
    assert_int_equal(heed_padding_length(&(heed_padding){.length = 12}, 9), 12);
    assert_int_equal(heed_padding_length(&(heed_padding){0}, 9), 9);
    heed_tokenizer_free(tokenizer);
}

static void broken_text_keeps_its_offsets(void **state)
{
    (void)state;
    heed_tokenizer *tokenizer = load_text("{" SPLIT ", \"model\": " WORDS "}");
    heed_encoding encoding = {0};
    static const char text[] = "a \xFF\xE4\xB8 b \xC3\xA9"; /* two broken parts of 1 and 2 bytes */
    assert_ok(heed_tokenizer_encode(tokenizer, text, sizeof text - 1, HEED_ENCODE_OFFSETS,
                                    &encoding, &error));
    assert_int_equal(encoding.count, 4);
    static const uint32_t bytes[][2] = {{0, 1}, {2, 5}, {6, 7}, {8, 10}},
                          points[][2] = {{0, 1}, {2, 4}, {5, 6}, {7, 8}};
    for (size_t i = 0; i < 4; i++) {
        assert_true(encoding.bytes[i].begin == bytes[i][0] && encoding.bytes[i].end == bytes[i][1]);
        assert_true(encoding.code_points[i].begin == points[i][0] &&
                    encoding.code_points[i].end == points[i][1]);
    }
    /* nothing stale without offsets */
    assert_ok(heed_tokenizer_encode(tokenizer, "a", 1, 0, &encoding, &error));
    assert_true(encoding.count == 1 && !encoding.bytes && !encoding.code_points);
    heed_encoding_free(&encoding);
    heed_tokenizer_free(tokenizer);
}

/* One tokenizer, several threads: nothing in it changes. */
static void *encode_often(void *context)
{
    heed_encoding encoding = {0};
    static const char text[] = "<s> caf\xC3\xA9 a\xCC\x81 123's";
    size_t tokens = 0;
    for (int i = 0; i < 300; i++) {
        heed_buffer decoded = {0};
        if (heed_tokenizer_encode(context, text, sizeof text - 1,
                                  HEED_ENCODE_SPECIAL | HEED_ENCODE_OFFSETS, &encoding,
                                  NULL) != HEED_OK)
            break;
        if (heed_tokenizer_decode(context, encoding.ids, encoding.count, false, &decoded, NULL) ==
            HEED_OK)
            tokens += encoding.count;
        heed_buffer_free(&decoded);
    }
    heed_encoding_free(&encoding);
    return (void *)(uintptr_t)tokens;
}

static void threads_share_a_tokenizer(void **state)
{
    (void)state;
    heed_tokenizer *tokenizer = NULL;
    pthread_t threads[4];
    assert_ok(heed_tokenizer_load(&tokenizer, HEED_FIXTURES "/tokenizers/bytebpe-qwen2", &error));
    void *alone = encode_often(tokenizer);
    assert_true((uintptr_t)alone > 300);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, encode_often, tokenizer), 0);
    for (int i = 0; i < 4; i++) {
        void *tokens = NULL;
        assert_int_equal(pthread_join(threads[i], &tokens), 0);
        assert_ptr_equal(tokens, alone);
    }
    heed_tokenizer_free(tokenizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(added_tokens_are_found_first),
                                       cmocka_unit_test(templates),
                                       cmocka_unit_test(truncation),
                                       cmocka_unit_test(padding),
                                       cmocka_unit_test(broken_text_keeps_its_offsets),
                                       cmocka_unit_test(threads_share_a_tokenizer)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
