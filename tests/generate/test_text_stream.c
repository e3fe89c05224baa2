/* Text in pieces: complete characters only, nothing that a stop string begins with, the same text
   whatever the pieces. */
#include "generate/text_stream.h"
#include "base/utf8.h"
#include "support/test.h"

static heed_tokenizer *load(void)
{
    heed_tokenizer *tokenizer = NULL;
    assert_ok(heed_tokenizer_load(&tokenizer, HEED_FIXTURES "/gpt2", &error));
    return tokenizer;
}

static const char sentence[] = "Hello world, na\303\257ve \346\227\245\346\234\254 "
                               "\360\237\231\202 worlds END of the END. 12 + 34";

/* Pushes the ids of the sentence; returns the joined pieces. */
static void stream_all(const heed_tokenizer *tokenizer, const char *const *stops, size_t count,
                       heed_buffer *joined, bool *stopped)
{
    heed_generation_settings settings;
    heed_encoding encoding = {0};
    heed_text_stream stream = {0};
    const char *piece;
    size_t length;
    heed_generation_settings_default(&settings);
    for (size_t i = 0; i < count; i++)
        assert_ok(heed_generation_settings_add_stop(&settings, stops[i], &error));
    assert_ok(heed_tokenizer_encode(tokenizer, sentence, sizeof sentence - 1, HEED_ENCODE_SPECIAL,
                                    &encoding, &error));
    assert_ok(heed_text_stream_begin(&stream, tokenizer, &settings, &error));
    for (size_t i = 0; i < encoding.count && !stream.stopped; i++) {
        assert_ok(heed_text_stream_push(&stream, encoding.ids[i], &piece, &length, &error));
        assert_int_equal(heed_utf8_incomplete(piece, length), 0);
        heed_buffer_append(joined, piece, length);
    }
    assert_ok(heed_text_stream_finish(&stream, &piece, &length, &error));
    heed_buffer_append(joined, piece, length);
    assert_int_equal(joined->length, stream.text.length);
    *stopped = stream.stopped;
    heed_text_stream_free(&stream);
    heed_encoding_free(&encoding);
    heed_generation_settings_free(&settings);
}

static void pieces_join_to_the_text(void **state)
{
    (void)state;
    heed_tokenizer *tokenizer = load();
    heed_buffer joined = {0};
    bool stopped;
    stream_all(tokenizer, NULL, 0, &joined, &stopped);
    assert_string_equal(joined.data, sentence);
    assert_false(stopped);
    heed_buffer_free(&joined);
    heed_tokenizer_free(tokenizer);
}

static void stop_strings_cut_the_text(void **state)
{
    (void)state;
    static const struct {
        const char *stops[3];
        size_t count;
        const char *end;
    } cases[] = {
        {{"END"}, 1, "END"},
        {{"D o"}, 1, "D of"},
        {{"\346\234\254"}, 1, "\346\234\254"},
        {{"12", "of the"}, 2, "of the"},
        {{"world, n", "worldly"}, 2, "world, n"},
        {{"H"}, 1, "Hello"},
        {{"worlds"}, 1, "worlds END"},
        {{"34"}, 1, "34"},
        {{"llo world", "o w"}, 2, "o world"},
        {{"llo wo", "lo wo", "xx"}, 3, "llo"},
    };
    heed_tokenizer *tokenizer = load();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        heed_buffer joined = {0};
        bool stopped;
        stream_all(tokenizer, cases[i].stops, cases[i].count, &joined, &stopped);
        assert_true(stopped);
        size_t length = (size_t)(strstr(sentence, cases[i].end) - sentence);
        assert_int_equal(joined.length, length);
        assert_memory_equal(joined.data ? joined.data : "", sentence, length);
        heed_buffer_free(&joined);
    }
    heed_tokenizer_free(tokenizer);
}

/* A beginning of a stop string is held back, and given out when it turns out to be none, at the end
   at the latest. */
static void near_misses_are_given_out(void **state)
{
    (void)state;
    static const char *const stops[] = {"34!", "world. ", "END of the END.."};
    heed_tokenizer *tokenizer = load();
    heed_buffer joined = {0};
    bool stopped;
    stream_all(tokenizer, stops, 3, &joined, &stopped);
    assert_false(stopped);
    assert_string_equal(joined.data, sentence);
    heed_buffer_free(&joined);
    heed_tokenizer_free(tokenizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(pieces_join_to_the_text),
                                       cmocka_unit_test(stop_strings_cut_the_text),
                                       cmocka_unit_test(near_misses_are_given_out)};
    return cmocka_run_group_tests_name("text_stream", tests, NULL, NULL);
}
