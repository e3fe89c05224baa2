/* text_stream.h: the text of a sequence that is being written, cut at stop strings and handed out
   in pieces that are final. */
#ifndef HEED_GENERATE_TEXT_STREAM_H
#define HEED_GENERATE_TEXT_STREAM_H

#include "generate/settings.h"
#include "text/tokenizer.h"

/* Zero-initialize; then begin, push ids, finish, free. */
typedef struct heed_text_stream {
    heed_decode_stream *decoder;
    char *const *stop; /* borrowed */
    size_t stop_count;
    heed_buffer text; /* all so far; without the stop string, once stopped */
    size_t given;     /* bytes handed out */
    bool stopped;
} heed_text_stream;

heed_status heed_text_stream_begin(heed_text_stream *stream, const heed_tokenizer *tokenizer,
                                   const heed_generation_settings *settings, heed_error *error);
void heed_text_stream_free(heed_text_stream *stream);

/* Adds an id. *piece is what can no longer become part of a stop string, borrowed until the next
   call; *length may be 0. */
heed_status heed_text_stream_push(heed_text_stream *stream, int32_t id, const char **piece,
                                  size_t *length, heed_error *error);
/* The rest. */
heed_status heed_text_stream_finish(heed_text_stream *stream, const char **piece, size_t *length,
                                    heed_error *error);

#endif
