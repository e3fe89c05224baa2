/* decode_words.c: the decoder stages that find where words begin and end: WordPiece, CTC,
   BPEDecoder and Moses. Source: the `tokenizers` library; for Moses the class FSMTTokenizer of
   transformers. */
#include "text/decode_internal.h"

#include "base/memory.h"
#include "text/moses.h"
#include <string.h>

/* ---- WordPiece: a space before each token without the prefix; options prefix, cleanup ---- */

/* Replaces every `from` by `to`, which is not longer, in place. */
static void replace_all(heed_buffer *text, const char *from, const char *to)
{
    size_t from_length = strlen(from), to_length = strlen(to), written = 0;
    for (size_t at = 0; from_length && at < text->length;) {
        bool match = text->length - at >= from_length &&
                     memcmp(text->data + at, from, from_length) == 0;
        if (match) memcpy(text->data + written, to, to_length);
        else text->data[written] = text->data[at];
        written += match ? to_length : 1;
        at += match ? from_length : 1;
    }
    if (from_length) text->length = written;
}

/* Removes the spaces before punctuation and in contractions, with the rules of the library's
   decoders. */
static void clean_up(heed_buffer *text)
{
    static const char *const cleanups[][2] = {
        {" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
        {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
        {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
    for (size_t i = 0; i < sizeof cleanups / sizeof *cleanups; i++)
        replace_all(text, cleanups[i][0], cleanups[i][1]);
}

heed_status heed_decoder_push_wordpiece(heed_decoder_state *state, const char *bytes, size_t length,
                                        bool ends, heed_error *error)
{
    const heed_stage *stage = state->stage;
    if (!heed_decoder_whole_token(state, &bytes, &length, ends))
        return heed_decoder_check(state, error);
    size_t prefix = 0;
    if (state->tokens++) {
        if (length >= stage->length && memcmp(bytes, stage->text, stage->length) == 0)
            prefix = stage->length;
        else heed_buffer_byte(&state->held, ' ');
    }
    heed_buffer_append(&state->held, bytes + prefix, length - prefix);
    heed_buffer_clear(&state->part);
    HEED_TRY(heed_decoder_check(state, error));
    if (stage->cleanup) clean_up(&state->held);
    heed_status status = heed_decoder_emit(state, state->held.data, state->held.length, true,
                                           error);
    heed_buffer_clear(&state->held);
    return status;
}

heed_status heed_decoder_read_wordpiece(heed_stage *stage, const json_t *json, const char *where,
                                        heed_error *error)
{
    stage->cleanup = true;
    HEED_TRY(heed_json_boolean(json, "cleanup", &stage->cleanup, where, error));
    return heed_stage_read_text(stage, json, "prefix", where, error);
}

/* ---- CTC: merges repeated tokens, drops padding, replaces the delimiter by a space ---- */

/* Passes on one token without padding and delimiter. */
static heed_status emit_ctc(heed_decoder_state *state, const char *bytes, size_t length,
                            heed_error *error)
{
    const heed_stage *stage = state->stage;
    heed_buffer token = {0};
    heed_buffer_append(&token, bytes, length);
    if (!token.failed) replace_all(&token, stage->text, "");
    if (!token.failed && stage->cleanup) {
        clean_up(&token);
        replace_all(&token, stage->delimiter, " ");
    }
    heed_status status = HEED_OK;
    if (token.failed) status = heed_fail_memory(error, length, "decoding");
    else if (token.length) status = heed_decoder_emit(state, token.data, token.length, true, error);
    heed_buffer_free(&token);
    return status;
}

/* Options: pad_token, word_delimiter_token, cleanup. Source: Graves et al. 2006. */
heed_status heed_decoder_push_ctc(heed_decoder_state *state, const char *bytes, size_t length,
                                  bool ends, heed_error *error)
{
    if (!heed_decoder_whole_token(state, &bytes, &length, ends))
        return heed_decoder_check(state, error);
    bool unchanged = state->tokens && state->held.length == length &&
                     (!length || !memcmp(state->held.data, bytes, length));
    state->tokens++;
    heed_status status = unchanged ? HEED_OK : emit_ctc(state, bytes, length, error);
    if (!unchanged) {
        heed_buffer_clear(&state->held);
        heed_buffer_append(&state->held, bytes, length);
    }
    heed_buffer_clear(&state->part);
    return status == HEED_OK ? heed_decoder_check(state, error) : status;
}

heed_status heed_decoder_read_ctc(heed_stage *stage, const json_t *json, const char *where,
                                  heed_error *error)
{
    const char *delimiter = "|";
    stage->cleanup = true;
    HEED_TRY(heed_json_boolean(json, "cleanup", &stage->cleanup, where, error));
    HEED_TRY(heed_json_string(json, "word_delimiter_token", &delimiter, where, error));
    stage->delimiter = heed_string_copy(delimiter);
    if (!stage->delimiter) return heed_fail_memory(error, strlen(delimiter), "a decoder");
    return heed_stage_read_text(stage, json, "pad_token", where, error);
}

/* ---- BPEDecoder: replaces the suffix by a space, or by nothing in the last token ---- */

/* Passes on the held token with its suffixes replaced. */
static heed_status release_word(heed_decoder_state *state, bool last, heed_error *error)
{
    const heed_stage *stage = state->stage;
    heed_buffer word = {0};
    for (size_t at = 0; at < state->held.length;) {
        bool match = stage->length && state->held.length - at >= stage->length &&
                     memcmp(state->held.data + at, stage->text, stage->length) == 0;
        if (!match) heed_buffer_byte(&word, state->held.data[at]);
        else if (!last) heed_buffer_byte(&word, ' ');
        at += match ? stage->length : 1;
    }
    heed_status status = word.failed
                             ? heed_fail_memory(error, state->held.length, "decoding")
                             : heed_decoder_emit(state, word.data, word.length, true, error);
    heed_buffer_free(&word);
    heed_buffer_clear(&state->held);
    state->has_held = false;
    return status;
}

heed_status heed_decoder_push_bpe(heed_decoder_state *state, const char *bytes, size_t length,
                                  bool ends, heed_error *error)
{
    if (state->has_held && !state->inside) HEED_TRY(release_word(state, false, error));
    state->has_held = true;
    state->inside = !ends;
    heed_buffer_append(&state->held, bytes, length);
    return heed_decoder_check(state, error);
}

heed_status heed_decoder_finish_bpe(heed_decoder_state *state, heed_error *error)
{
    return state->has_held ? release_word(state, true, error) : HEED_OK;
}

heed_status heed_decoder_read_bpe(heed_stage *stage, const json_t *json, const char *where,
                                  heed_error *error)
{
    return heed_stage_read_text(stage, json, "suffix", where, error);
}

/* ---- Moses: joins words to a sentence after the last token; option language ---- */

/* "</w>" ends a word, and spaces inside tokens are dropped. */
heed_status heed_decoder_push_moses(heed_decoder_state *state, const char *bytes, size_t length,
                                    bool ends, heed_error *error)
{
    if (!heed_decoder_whole_token(state, &bytes, &length, ends))
        return heed_decoder_check(state, error);
    for (size_t at = 0; at < length;) {
        bool suffix = length - at >= 4 && !memcmp(bytes + at, "</w>", 4);
        if (suffix) heed_buffer_append(&state->held, " ", 1);
        else if (bytes[at] != ' ') heed_buffer_append(&state->held, bytes + at, 1);
        at += suffix ? 4 : 1;
    }
    heed_buffer_clear(&state->part);
    return heed_decoder_check(state, error);
}

heed_status heed_decoder_finish_moses(heed_decoder_state *state, heed_error *error)
{
    heed_buffer text = {0};
    heed_status status = heed_moses_join(state->held.data, state->held.length, state->stage->text,
                                         &text, error);
    if (status == HEED_OK) status = heed_decoder_emit(state, text.data, text.length, true, error);
    heed_buffer_free(&text);
    heed_buffer_clear(&state->held);
    return status;
}
