/* libFuzzer target: any bytes are either refused as a tokenizer.json or make a tokenizer that
   encodes and decodes without fault; offsets stay inside the text, decoded text is valid, streaming
   agrees with decoding, and what is saved as a whole can be read again. The first line of the
   input, when there are two, is the text; the rest the tokenizer.json. Built by the preset fuzz. */
#include "base/utf8.h"
#include "text/tokenizer.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static const char standard[] =
    "Hello, w\xC3\xB6rld! e\xCC\x81\xCC\xA3 <s> 123 \xE4\xB8\xAD\xE6\x96\x87 \xFF\xC3 don't  \n x";

static void check_encoding(const heed_encoding *encoding, const char *text, size_t length)
{
    size_t characters = heed_utf8_count(text, length);
    for (size_t i = 0; i < encoding->count; i++) {
        heed_range place = encoding->bytes[i], points = encoding->code_points[i];
        if (place.begin > place.end || place.end > length || points.begin > points.end ||
            points.end > characters || encoding->ids[i] < 0)
            abort();
    }
}

static void check_decoding(const heed_tokenizer *tokenizer, const heed_encoding *encoding)
{
    heed_buffer text = {0}, streamed = {0};
    heed_decode_stream *stream = NULL;
    heed_status status = heed_tokenizer_decode(tokenizer, encoding->ids, encoding->count, false,
                                               &text, NULL);
    if (status == HEED_OK && heed_decode_stream_new(&stream, tokenizer, false, NULL) == HEED_OK) {
        for (size_t i = 0; i < encoding->count; i++)
            if (heed_decode_stream_push(stream, encoding->ids[i], &streamed, NULL) != HEED_OK)
                abort();
        if (heed_decode_stream_finish(stream, &streamed, NULL) != HEED_OK) abort();
        if (text.length != streamed.length ||
            (text.length && memcmp(text.data, streamed.data, text.length)))
            abort();
        for (size_t at = 0; at < text.length;) {
            uint32_t point;
            bool valid = true;
            at += heed_utf8_next(text.data + at, text.length - at, &point, &valid);
            if (!valid) abort();
        }
    }
    heed_decode_stream_free(stream);
    heed_buffer_free(&text);
    heed_buffer_free(&streamed);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    heed_error error = {0};
    heed_tokenizer *tokenizer = NULL;
    heed_encoding encoding = {0};
    const uint8_t *line = count ? memchr(bytes, '\n', count) : NULL;
    const char *text = line ? (const char *)bytes : standard;
    size_t length = line ? (size_t)(line - bytes) : sizeof standard - 1;
    const char *json = line ? (const char *)line + 1 : (const char *)bytes;
    heed_status status = heed_tokenizer_from_json(
        &tokenizer, json, count - (size_t)((const uint8_t *)json - bytes), "fuzz", &error);
    if ((status == HEED_OK) != (tokenizer != NULL) || status != error.status ||
        (status != HEED_OK && !error.message[0]))
        abort();
    if (!tokenizer) return 0;
    for (int pair = 0; pair < 2; pair++) {
        const heed_encode_input input = {.first = {text, length},
                                         .second = {pair ? standard : NULL, sizeof standard - 1},
                                         .flags = HEED_ENCODE_SPECIAL | HEED_ENCODE_OFFSETS,
                                         .truncation = heed_tokenizer_truncation(tokenizer)};
        status = heed_tokenizer_encode_pair(tokenizer, &input, &encoding, &error);
        if (status != HEED_OK) break;
        if (!pair) check_encoding(&encoding, text, length);
        check_decoding(tokenizer, &encoding);
    }
    for (int part = 0; part < HEED_SPECIAL_COUNT; part++)
        heed_tokenizer_token(tokenizer, heed_tokenizer_special(tokenizer, (heed_special)part),
                             NULL);
    heed_encoding_free(&encoding);
    heed_tokenizer_free(tokenizer);
    return 0;
}
