/* decode.c: the decoder stages that rewrite characters, and the table of all decoder stages. Stages
   are transducers: each receives tokens, whole or in parts, and passes tokens on. Decoding at once
   and decoding ids as they arrive therefore use the same code. Source: the `tokenizers` library.
   Kinds and options:
     Fuse          concatenates all tokens
     ByteLevel     characters to bytes to text (decode_bytes.c); errors
     WordPiece     spaces before tokens without `prefix`; cleanup (decode_words.c)
     CTC           merges repeated tokens; pad_token, word_delimiter_token, cleanup (decode_words.c)
     BPEDecoder    replaces `suffix` by a space (decode_words.c)
     Replace       replaces matches of `pattern` by `content`
     Strip         removes the character `content` at the ends of tokens; start, stop
     Moses         joins words to a sentence; language (decode_words.c)
     ByteFallback  "<0xE4>" to text (decode_bytes.c)
     Metaspace     replaces `replacement` by spaces; prepend_scheme */
#include "text/decode_internal.h"

#include "base/utf8.h"
#include "text/moses.h"
#include <string.h>

static heed_status finish_nothing(heed_decoder_state *state, heed_error *error)
{
    (void)state, (void)error;
    return HEED_OK;
}

/* ---- Fuse: concatenates all tokens ---- */

static heed_status push_fuse(heed_decoder_state *state, const char *bytes, size_t length, bool ends,
                             heed_error *error)
{
    (void)ends;
    return heed_decoder_emit(state, bytes, length, false, error);
}

static heed_status finish_fuse(heed_decoder_state *state, heed_error *error)
{
    return heed_decoder_emit(state, "", 0, true, error);
}

/* ---- Replace ---- */

typedef struct {
    heed_decoder_state *state;
    heed_error *error;
    heed_status status;
    bool ends;
    size_t kept;
} replacement;

/* Receives a part of the held text: a match becomes the content. The end of the text after the last
   match is kept while the token is incomplete, because a match may begin there. */
static void replace_part(void *context, size_t begin, size_t end, bool is_match)
{
    replacement *r = context;
    const heed_stage *stage = r->state->stage;
    size_t longest = heed_pattern_literal_length(stage->pattern), length = r->state->held.length;
    if (!is_match && end == length && !r->ends) {
        end = length - begin > longest - 1 ? length - (longest - 1) : begin;
        while (end > begin && ((unsigned char)r->state->held.data[end] & 0xC0) == 0x80) end--;
        r->kept = length - end;
    }
    if (r->status != HEED_OK) return;
    if (is_match)
        r->status = heed_decoder_emit(r->state, stage->text, stage->length, false, r->error);
    else if (end > begin)
        r->status = heed_decoder_emit(r->state, r->state->held.data + begin, end - begin, false,
                                      r->error);
}

static heed_status push_replace(heed_decoder_state *state, const char *bytes, size_t length,
                                bool ends, heed_error *error)
{
    replacement r = {state, error, HEED_OK, ends, 0};
    heed_buffer_append(&state->held, bytes, length);
    HEED_TRY(heed_decoder_check(state, error));
    /* A regular expression is applied to the whole token. */
    if (!ends && !heed_pattern_literal_length(state->stage->pattern)) return HEED_OK;
    HEED_TRY(heed_pattern_scan(state->stage->pattern, state->held.data, state->held.length,
                               replace_part, &r, error));
    heed_decoder_drop(state, state->held.length - r.kept);
    if (r.status == HEED_OK && ends) r.status = heed_decoder_emit(state, "", 0, true, error);
    return r.status;
}

static heed_status read_replace(heed_stage *stage, const json_t *json, const char *where,
                                heed_error *error)
{
    HEED_TRY(heed_stage_read_pattern(stage, json, where, error));
    return heed_stage_read_text(stage, json, "content", where, error);
}

/* ---- Strip: removes the character `content` at the ends of each token ---- */

/* Passes on the character `times` times. */
static heed_status emit_character(heed_decoder_state *state, int64_t times, heed_error *error)
{
    char encoded[4];
    size_t size = heed_utf8_put(state->stage->code_point, encoded);
    for (; times > 0; times--) HEED_TRY(heed_decoder_emit(state, encoded, size, false, error));
    return HEED_OK;
}

/* Removes at most `start` characters at the beginning and `stop` at the end. Characters at the end
   are counted until it is known whether the token ends there. */
static heed_status push_strip(heed_decoder_state *state, const char *bytes, size_t length,
                              bool ends, heed_error *error)
{
    const heed_stage *stage = state->stage;
    if (!state->inside) {
        state->leading = stage->start;
        state->trailing = 0;
    }
    state->inside = true;
    for (size_t at = 0, size; at < length; at += size) {
        bool is_content = heed_utf8_at(bytes, at, &size) == stage->code_point;
        if (is_content && state->leading > 0) {
            state->leading--;
            continue;
        }
        state->leading = 0;
        if (is_content && stage->stop > 0) {
            state->trailing++;
            continue;
        }
        HEED_TRY(emit_character(state, state->trailing, error));
        state->trailing = 0;
        HEED_TRY(heed_decoder_emit(state, bytes + at, size, false, error));
    }
    if (!ends) return HEED_OK;
    HEED_TRY(emit_character(state, state->trailing - stage->stop, error));
    state->inside = false;
    return heed_decoder_emit(state, "", 0, true, error);
}

static heed_status read_strip(heed_stage *stage, const json_t *json, const char *where,
                              heed_error *error)
{
    if (!json_is_string(json_object_get(json, "content")))
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: Strip: \"content\": expected a string of one character", where);
    HEED_TRY(heed_stage_read_character(stage, json, "content", where, error));
    HEED_TRY(heed_json_integer(json, "start", &stage->start, where, error));
    HEED_TRY(heed_json_integer(json, "stop", &stage->stop, where, error));
    if (stage->start < 0 || stage->stop < 0)
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: Strip: \"start\" and \"stop\": expected 0 or more", where);
    return HEED_OK;
}

/* ---- Metaspace: its character becomes a space, or nothing in the first token ---- */

/* The first token loses the character if the scheme put one before the text. */
static heed_status push_metaspace(heed_decoder_state *state, const char *bytes, size_t length,
                                  bool ends, heed_error *error)
{
    bool drop = state->tokens == 0 && state->stage->prepend_scheme != HEED_PREPEND_NEVER;
    for (size_t at = 0, size; at < length; at += size) {
        bool is_space = heed_utf8_at(bytes, at, &size) == state->stage->code_point;
        if (is_space && drop) continue;
        if (is_space) HEED_TRY(heed_decoder_emit(state, " ", 1, false, error));
        else HEED_TRY(heed_decoder_emit(state, bytes + at, size, false, error));
    }
    state->tokens += ends;
    return ends ? heed_decoder_emit(state, "", 0, true, error) : HEED_OK;
}

/* ---- no decoder: spaces between tokens ---- */

static heed_status push_join(heed_decoder_state *state, const char *bytes, size_t length, bool ends,
                             heed_error *error)
{
    if (state->tokens && !state->inside) HEED_TRY(heed_decoder_emit(state, " ", 1, false, error));
    state->inside = !ends;
    state->tokens += ends;
    return heed_decoder_emit(state, bytes, length, ends, error);
}

/* clang-format off */
static const heed_stage_kind kinds[] = {
    {.name = "Fuse", .push = push_fuse, .finish = finish_fuse},
    {.name = "ByteLevel",
     .read = heed_decoder_read_byte_level,
     .push = heed_decoder_push_byte_level,
     .finish = heed_decoder_finish_byte_level},
    {.name = "WordPiece",
     .read = heed_decoder_read_wordpiece,
     .push = heed_decoder_push_wordpiece,
     .finish = finish_nothing},
    {.name = "CTC",
     .read = heed_decoder_read_ctc,
     .push = heed_decoder_push_ctc,
     .finish = finish_nothing},
    {.name = "BPEDecoder",
     .read = heed_decoder_read_bpe,
     .push = heed_decoder_push_bpe,
     .finish = heed_decoder_finish_bpe},
    {.name = "Replace", .read = read_replace, .push = push_replace, .finish = finish_nothing},
    {.name = "Strip", .read = read_strip, .push = push_strip, .finish = finish_nothing},
    {.name = "Moses",
     .read = heed_moses_read,
     .push = heed_decoder_push_moses,
     .finish = heed_decoder_finish_moses},
    {.name = "ByteFallback",
     .push = heed_decoder_push_byte_fallback,
     .finish = heed_decoder_finish_byte_fallback},
    {.name = "Metaspace",
     .read = heed_stage_read_metaspace,
     .push = push_metaspace,
     .finish = finish_nothing},
    {.name = NULL},
};
/* clang-format on */

const heed_stage_section heed_decoder_section = {
    .name = "decoder", .members = "decoders", .kinds = kinds};

const heed_stage_kind heed_decoder_fuse = {
    .name = "Fuse", .push = push_fuse, .finish = finish_fuse};
const heed_stage_kind heed_decoder_join = {
    .name = "(none)", .push = push_join, .finish = finish_nothing};
