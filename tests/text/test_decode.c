#include "tokenizer_support.h"

#define MODEL                                                                          \
    "\"model\": {\"type\": \"WordLevel\", \"vocab\": {\"<unk>\": 0, \"\xC3\xA4\": 1, " \
    "\"\xC2\xB8\": 2, \"\xC5\x83\": 3, \"a\": 4, \"##b\": 5, \"<0xE4>\": 6,"           \
    " \"<0xB8>\": 7, \"<0xAD>\": 8, \"\xE2\x96\x81w\": 9, \"x</w>\": 10, \" \": 11, \".\": 12}}"

static heed_tokenizer *load_decoder(const char *decoder)
{
    char json[1024];
    snprintf(json, sizeof json, "{\"decoder\": %s, " MODEL "}", decoder);
    return load_text(json);
}

static void decoders(void **state)
{
    (void)state;
    heed_tokenizer *t = load_decoder("{\"type\": \"ByteLevel\"}");
    expect_decoded(t, IDS(4, 1, 2, 3), "a\xE4\xB8\xAD"); /* three bytes of one character */
    expect_decoded(t, IDS(1, 2, 4),
                   "\xEF\xBF\xBD"
                   "a"); /* a character cut short is one U+FFFD */
    expect_decoded(t, IDS(1, 2, 9), "\xEF\xBF\xBD\xE2\x96\x81w");
    heed_tokenizer_free(t);
    t = load_decoder("{\"type\": \"WordPiece\", \"prefix\": \"##\"}");
    expect_decoded(t, IDS(4, 5, 4, 12), "ab a.");
    expect_decoded(t, IDS(5, 5), "##bb");
    heed_tokenizer_free(t);
    t = load_decoder("{\"type\": \"ByteFallback\"}");
    expect_decoded(t, IDS(6, 7, 8, 4, 6, 7),
                   "\xE4\xB8\xAD"
                   "a\xEF\xBF\xBD\xEF\xBF\xBD");
    heed_tokenizer_free(t);
    t = load_decoder("{\"type\": \"Metaspace\"}");
    expect_decoded(t, IDS(9, 9, 4), "w wa");
    heed_tokenizer_free(t);
    t = load_decoder("{\"type\": \"BPEDecoder\", \"suffix\": \"</w>\"}");
    expect_decoded(t, IDS(4, 10, 10), "ax x");
    heed_tokenizer_free(t);
    t = load_decoder("{\"type\": \"Sequence\", \"decoders\": [{\"type\": \"Replace\", \"pattern\": "
                     "{\"String\": \"\xE2\x96\x81\"}, \"content\": \" \"},"
                     " {\"type\": \"Fuse\"}, {\"type\": \"Strip\", \"content\": \" \", \"start\": "
                     "1, \"stop\": 2}]}");
    expect_decoded(t, IDS(9, 9, 11, 11, 11), "w w ");
    heed_tokenizer_free(t);
    t = load_decoder("null");
    expect_decoded(t, IDS(4, 4, 99, 4), "a a a"); /* ids without a token are skipped */
    heed_tokenizer_free(t);
    t = load_decoder("{\"type\": \"Sequence\", \"decoders\": []}");
    expect_decoded(t, IDS(4, 4), "aa");
    heed_tokenizer_free(t);
}

static void expect_pushed(heed_decode_stream *stream, int32_t id, const char *wanted)
{
    heed_buffer text = {0};
    heed_buffer_append(&text, "", 0);
    if (id < 0) assert_ok(heed_decode_stream_finish(stream, &text, &error));
    else assert_ok(heed_decode_stream_push(stream, id, &text, &error));
    assert_string_equal(text.data, wanted);
    heed_buffer_free(&text);
}

/* Nothing is said before it is certain, and nothing certain is held back longer than needed. */
static void streams_speak_in_whole_characters(void **state)
{
    (void)state;
    heed_tokenizer *tokenizer = load_decoder("{\"type\": \"ByteLevel\"}");
    heed_decode_stream *stream = NULL;
    assert_ok(heed_decode_stream_new(&stream, tokenizer, false, &error));
    expect_pushed(stream, 4, "a");
    expect_pushed(stream, 1, "");
    expect_pushed(stream, 2, "");
    expect_pushed(stream, 3, "\xE4\xB8\xAD");
    expect_pushed(stream, 1, "");
    expect_pushed(stream, 1, "\xEF\xBF\xBD"); /* the first one can no longer become a character */
    expect_pushed(stream, -1, "\xEF\xBF\xBD");
    expect_pushed(stream, 4, "a"); /* a new stream after finish */
    heed_decode_stream_free(stream);
    heed_tokenizer_free(tokenizer);
    tokenizer = load_decoder(
        "{\"type\": \"Sequence\", \"decoders\": [{\"type\": \"Fuse\"}, {\"type\": \"Replace\", "
        "\"pattern\": {\"String\": \"a.a\"}, \"content\": \"!\"}]}");
    assert_ok(heed_decode_stream_new(&stream, tokenizer, false, &error));
    expect_pushed(stream, 4, "");
    expect_pushed(stream, 12, "");
    expect_pushed(stream, 4, "!");
    expect_pushed(stream, 4, "");
    expect_pushed(stream, 4, "");
    expect_pushed(stream, 4, "a"); /* two characters may still begin a match */
    expect_pushed(stream, -1, "aa");
    heed_decode_stream_free(stream);
    heed_tokenizer_free(tokenizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(decoders),
                                       cmocka_unit_test(streams_speak_in_whole_characters)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
