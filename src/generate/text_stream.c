/* text_stream.c: finds stop strings in text that arrives in pieces. */
#include "generate/text_stream.h"
#include <stdlib.h>
#include <string.h>

heed_status heed_text_stream_begin(heed_text_stream *stream, const heed_tokenizer *tokenizer,
                                   const heed_generation_settings *settings, heed_error *error)
{
    stream->stop = settings->stop;
    stream->stop_count = settings->stop_count;
    return heed_decode_stream_new(&stream->decoder, tokenizer, true, error);
}

void heed_text_stream_free(heed_text_stream *stream)
{
    heed_decode_stream_free(stream->decoder);
    heed_buffer_free(&stream->text);
    *stream = (heed_text_stream){0};
}

static bool begins_with(const char *text, size_t length, const char *start, size_t start_length)
{
    return length >= start_length && memcmp(text, start, start_length) == 0;
}

/* Cuts the text before a stop string. If it holds several, the one that was complete first counts,
   so that the cut does not depend on how ids divide the text. */
static void cut_at_stop(heed_text_stream *stream)
{
    size_t begin = 0, end = stream->text.length + 1;
    for (size_t at = stream->given; at < stream->text.length; at++)
        for (size_t i = 0; i < stream->stop_count; i++) {
            size_t length = strlen(stream->stop[i]);
            if (at + length >= end || !begins_with(stream->text.data + at, stream->text.length - at,
                                                   stream->stop[i], length))
                continue;
            begin = at;
            end = at + length;
        }
    stream->stopped = end <= stream->text.length;
    if (!stream->stopped) return;
    stream->text.length = begin;
    stream->text.data[begin] = 0;
}

/* Returns the first place from which the rest of the text is the beginning of a stop string, or the
   length of the text. */
static size_t possible_stop(const heed_text_stream *stream)
{
    for (size_t at = stream->given; at < stream->text.length; at++)
        for (size_t i = 0; i < stream->stop_count; i++)
            if (begins_with(stream->stop[i], strlen(stream->stop[i]), stream->text.data + at,
                            stream->text.length - at))
                return at;
    return stream->text.length;
}

/* Hands out the text up to `end`. */
static heed_status hand_out(heed_text_stream *stream, size_t end, const char **piece,
                            size_t *length, heed_error *error)
{
    if (stream->text.failed) return heed_fail_memory(error, stream->text.length, "text");
    *piece = stream->text.data ? stream->text.data + stream->given : "";
    *length = end - stream->given;
    stream->given = end;
    return HEED_OK;
}

heed_status heed_text_stream_push(heed_text_stream *stream, int32_t id, const char **piece,
                                  size_t *length, heed_error *error)
{
    if (!stream->stopped) {
        HEED_TRY(heed_decode_stream_push(stream->decoder, id, &stream->text, error));
        cut_at_stop(stream);
    }
    return hand_out(stream, stream->stopped ? stream->text.length : possible_stop(stream), piece,
                    length, error);
}

heed_status heed_text_stream_finish(heed_text_stream *stream, const char **piece, size_t *length,
                                    heed_error *error)
{
    if (!stream->stopped) {
        HEED_TRY(heed_decode_stream_finish(stream->decoder, &stream->text, error));
        cut_at_stop(stream);
    }
    return hand_out(stream, stream->text.length, piece, length, error);
}
