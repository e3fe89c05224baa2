/* text_stream.h: decodes a sequence while it is written, ends its text before a stop string and
   hands out pieces that are final. */
#ifndef HEED_GENERATE_TEXT_STREAM_H
#define HEED_GENERATE_TEXT_STREAM_H

#include "generate/settings.h"
#include "text/tokenizer.h"

/* Zero-initialize; then call begin, push for each id, finish, free. */
typedef struct heed_text_stream {
    heed_decode_stream *decoder;
    char *const *stop; /* borrowed */
    size_t stop_count;
    heed_buffer text; /* all text so far; once stopped, the text before the stop string */
    size_t given;     /* bytes handed out */
    /* a stop string was found; later ids are ignored */
    bool stopped;
} heed_text_stream;

/* Begins a text. The settings' stop strings are borrowed. HEED_E_NOMEM. */
heed_status heed_text_stream_begin(heed_text_stream *stream, const heed_tokenizer *tokenizer,
                                   const heed_generation_settings *settings, heed_error *error);
void heed_text_stream_free(heed_text_stream *stream);

/* Adds an id. *piece is the text that has become final: it can no longer be part of a stop string.
   It is borrowed until the next call; *length may be 0. HEED_E_NOMEM. */
heed_status heed_text_stream_push(heed_text_stream *stream, int32_t id, const char **piece,
                                  size_t *length, heed_error *error);
/* Ends the text and hands out the rest of it. */
heed_status heed_text_stream_finish(heed_text_stream *stream, const char **piece, size_t *length,
                                    heed_error *error);

#endif
