/* decode_stream.c: runs the decoder stages over ids, all at once or as they arrive
   (tokenizer.h). */
#include "text/text_internal.h"

#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

/* A tokenizer without a decoder joins tokens with spaces. A decoder without stages concatenates
   them. */
static const heed_stage join_stage = {.kind = &heed_decoder_join},
                        fuse_stage = {.kind = &heed_decoder_fuse};

struct heed_decode_stream {
    const heed_tokenizer *tokenizer;
    bool skip_special;
    heed_decoder_state *states; /* one per stage, in order */
    size_t count;
};

/* Returns the stage of state `index`. */
static const heed_stage *stage_of(const heed_tokenizer *tokenizer, size_t index)
{
    if (tokenizer->decoder.count) return &tokenizer->decoder.stages[index];
    return tokenizer->has_decoder ? &fuse_stage : &join_stage;
}

/* Resets the states and links each to the next. Their buffers keep their memory. */
static void link_states(heed_decode_stream *stream)
{
    for (size_t i = 0; i < stream->count; i++) {
        heed_decoder_state *state = &stream->states[i];
        heed_buffer held = state->held, part = state->part;
        heed_buffer_clear(&held);
        heed_buffer_clear(&part);
        *state = (heed_decoder_state){
            .stage = stage_of(stream->tokenizer, i),
            .held = held,
            .part = part,
            .next = i + 1 < stream->count ? state + 1 : NULL,
        };
    }
}

heed_status heed_decode_stream_new(heed_decode_stream **result, const heed_tokenizer *tokenizer,
                                   bool skip_special, heed_error *error)
{
    *result = NULL;
    heed_decode_stream *stream = heed_allocate(1, sizeof *stream);
    if (!stream) return heed_fail_memory(error, sizeof *stream, "a decoder");
    stream->tokenizer = tokenizer;
    stream->skip_special = skip_special;
    stream->count = tokenizer->decoder.count ? tokenizer->decoder.count : 1;
    stream->states = heed_allocate(stream->count, sizeof *stream->states);
    if (!stream->states) {
        free(stream);
        return heed_fail_memory(error, tokenizer->decoder.count * sizeof *stream->states,
                                "a decoder");
    }
    link_states(stream);
    *result = stream;
    return HEED_OK;
}

void heed_decode_stream_free(heed_decode_stream *stream)
{
    if (!stream) return;
    for (size_t i = 0; i < stream->count; i++) {
        heed_buffer_free(&stream->states[i].held);
        heed_buffer_free(&stream->states[i].part);
    }
    free(stream->states);
    free(stream);
}

static heed_status check_text(const heed_buffer *text, heed_error *error)
{
    return text->failed ? heed_fail_memory(error, text->length, "the decoded text") : HEED_OK;
}

heed_status heed_decode_stream_push(heed_decode_stream *stream, int32_t id, heed_buffer *text,
                                    heed_error *error)
{
    size_t length;
    const char *token = heed_tokenizer_decoded_token(stream->tokenizer, id, &length);
    if (!token || (stream->skip_special && heed_tokenizer_is_special(stream->tokenizer, id)))
        return HEED_OK;
    stream->states[stream->count - 1].out = text;
    HEED_TRY(stream->states[0].stage->kind->push(&stream->states[0], token, length, true, error));
    return check_text(text, error);
}

heed_status heed_decode_stream_finish(heed_decode_stream *stream, heed_buffer *text,
                                      heed_error *error)
{
    heed_status status = HEED_OK;
    stream->states[stream->count - 1].out = text;
    for (size_t i = 0; i < stream->count && status == HEED_OK; i++)
        status = stream->states[i].stage->kind->finish(&stream->states[i], error);
    link_states(stream);
    return status == HEED_OK ? check_text(text, error) : status;
}

heed_status heed_tokenizer_decode(const heed_tokenizer *tokenizer, const int32_t *ids, size_t count,
                                  bool skip_special, heed_buffer *text, heed_error *error)
{
    heed_decode_stream *stream = NULL;
    HEED_TRY(heed_decode_stream_new(&stream, tokenizer, skip_special, error));
    heed_status status = HEED_OK;
    for (size_t i = 0; i < count && status == HEED_OK; i++)
        status = heed_decode_stream_push(stream, ids[i], text, error);
    if (status == HEED_OK) status = heed_decode_stream_finish(stream, text, error);
    heed_decode_stream_free(stream);
    return status;
}
