#include "text/text_internal.h"

#include "base/memory.h"
#include "base/utf8.h"
#include "text/moses.h"
#include <stdlib.h>
#include <string.h>

/* Decoder stages are transducers: each takes tokens, whole or in parts, and passes tokens on.
   Decoding all at once and decoding while ids arrive are the same code. */

static heed_status check_held(const heed_decoder_state *state, heed_error *error)
{
    return state->held.failed || state->part.failed
               ? heed_fail_memory(error, state->held.length, "decoding")
               : HEED_OK;
}

/* Passes bytes on to the next stage, or to the text. */
static heed_status emit(heed_decoder_state *state, const char *bytes, size_t length, bool ends,
                        heed_error *error)
{
    if (!length) bytes = ""; /* an empty buffer may have no memory */
    if (state->next) return state->next->stage->kind->push(state->next, bytes, length, ends, error);
    heed_buffer_append(state->out, bytes, length);
    return HEED_OK;
}

static void drop_held(heed_decoder_state *state, size_t count)
{
    if (!count) return;
    memmove(state->held.data, state->held.data + count, state->held.length - count);
    state->held.length -= count;
}

/* The token as a whole once it has ended: bytes that came at once as they are, parts from
   state->part. */
static bool whole_token(heed_decoder_state *state, const char **bytes, size_t *length, bool ends)
{
    if (!ends || state->part.length) {
        heed_buffer_append(&state->part, *bytes, *length);
        *bytes = state->part.data;
        *length = state->part.length;
    }
    return ends && !state->part.failed;
}

static heed_status finish_nothing(heed_decoder_state *state, heed_error *error)
{
    (void)state, (void)error;
    return HEED_OK;
}

/* ---- Fuse: one token from all ---- */

static heed_status push_fuse(heed_decoder_state *state, const char *bytes, size_t length, bool ends,
                             heed_error *error)
{
    (void)ends;
    return emit(state, bytes, length, false, error);
}

static heed_status finish_fuse(heed_decoder_state *state, heed_error *error)
{
    return emit(state, "", 0, true, error);
}

/* ---- ByteLevel: characters back to bytes, bytes to text ---- */

/* Decodes the first `count` held bytes, U+FFFD, or nothing, for what is broken. */
static heed_status emit_text(heed_decoder_state *state, size_t count, heed_error *error)
{
    size_t good = 0;
    heed_status status = HEED_OK;
    for (size_t at = 0; at < count && status == HEED_OK;) {
        uint32_t point;
        bool valid = true;
        size_t size = heed_utf8_next(state->held.data + at, count - at, &point, &valid);
        if (!valid) {
            status = emit(state, state->held.data + good, at - good, false, error);
            if (status == HEED_OK && !state->stage->ignore)
                status = emit(state, "\xEF\xBF\xBD", 3, false, error);
            good = at + size;
        }
        at += size;
    }
    if (status == HEED_OK && good < count)
        status = emit(state, state->held.data + good, count - good, false, error);
    drop_held(state, count);
    return status;
}

/* A token is bytes only if all of its characters stand for one; else (added tokens) it is taken as
   it is. */
void heed_byte_level_append(heed_buffer *held, const char *token, size_t length)
{
    size_t before = held->length, size;
    for (size_t at = 0; at < length; at += size) {
        int byte = heed_character_byte(heed_utf8_at(token, at, &size));
        if (byte < 0) {
            held->length = before;
            heed_buffer_append(held, token, length);
            return;
        }
        heed_buffer_byte(held, byte);
    }
}

static heed_status push_byte_level(heed_decoder_state *state, const char *bytes, size_t length,
                                   bool ends, heed_error *error)
{
    if (!whole_token(state, &bytes, &length, ends)) return check_held(state, error);
    heed_byte_level_append(&state->held, bytes, length);
    heed_buffer_clear(&state->part);
    HEED_TRY(check_held(state, error));
    return emit_text(
        state, state->held.length - heed_utf8_incomplete(state->held.data, state->held.length),
        error);
}

static heed_status finish_byte_level(heed_decoder_state *state, heed_error *error)
{
    HEED_TRY(emit_text(state, state->held.length, error));
    return emit(state, "", 0, true, error);
}

/* "errors", as Python calls them: "replace" is the library's way, "ignore" that of ByT5's class. */
static heed_status read_byte_level(heed_stage *stage, const json_t *json, const char *where,
                                   heed_error *error)
{
    const char *errors = "replace";
    HEED_TRY(heed_json_string(json, "errors", &errors, where, error));
    stage->ignore = !strcmp(errors, "ignore");
    if (stage->ignore || !strcmp(errors, "replace")) return HEED_OK;
    return heed_fail(error, HEED_E_FORMAT,
                     "%s: ByteLevel: \"errors\" is \"%.40s\", expected replace or ignore", where,
                     errors);
}

/* ---- ByteFallback: runs of "<0xE4>" are text if their bytes are, else U+FFFD a byte ---- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

int heed_fallback_byte(const char *token, size_t length)
{
    if (length != 6 || memcmp(token, "<0x", 3) || token[5] != '>') return -1;
    int high = token[3] == '+' ? 0 : hex_digit(token[3]), low = hex_digit(token[4]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

static heed_status flush_bytes(heed_decoder_state *state, heed_error *error)
{
    size_t length = state->held.length;
    bool valid = heed_utf8_valid(state->held.data, length);
    heed_status status = HEED_OK;
    if (length && valid) status = emit(state, state->held.data, length, true, error);
    for (size_t i = 0; i < length && !valid && status == HEED_OK; i++)
        status = emit(state, "\xEF\xBF\xBD", 3, true, error);
    heed_buffer_clear(&state->held);
    return status;
}

static heed_status push_byte_fallback(heed_decoder_state *state, const char *bytes, size_t length,
                                      bool ends, heed_error *error)
{
    if (!whole_token(state, &bytes, &length, ends)) return check_held(state, error);
    int byte = heed_fallback_byte(bytes, length);
    if (byte >= 0) heed_buffer_byte(&state->held, byte);
    heed_status status = byte >= 0 ? check_held(state, error) : flush_bytes(state, error);
    if (byte < 0 && status == HEED_OK) status = emit(state, bytes, length, true, error);
    heed_buffer_clear(&state->part);
    return status;
}

/* ---- WordPiece ---- */

static void replace_all(heed_buffer *text, const char *from, const char *to)
{
    size_t from_length = strlen(from), to_length = strlen(to), written = 0;
    /* never grows, so it can be done in place */
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

/* Blanks that English does without, and two contractions. */
static void clean_up(heed_buffer *text)
{
    static const char *const cleanups[][2] = {
        {" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
        {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
        {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
    for (size_t i = 0; i < sizeof cleanups / sizeof *cleanups; i++)
        replace_all(text, cleanups[i][0], cleanups[i][1]);
}

static heed_status push_wordpiece(heed_decoder_state *state, const char *bytes, size_t length,
                                  bool ends, heed_error *error)
{
    const heed_stage *stage = state->stage;
    if (!whole_token(state, &bytes, &length, ends)) return check_held(state, error);
    size_t prefix = 0;
    if (state->tokens++) {
        if (length >= stage->length && memcmp(bytes, stage->text, stage->length) == 0)
            prefix = stage->length;
        else heed_buffer_byte(&state->held, ' ');
    }
    heed_buffer_append(&state->held, bytes + prefix, length - prefix);
    heed_buffer_clear(&state->part);
    HEED_TRY(check_held(state, error));
    if (stage->cleanup) clean_up(&state->held);
    heed_status status = emit(state, state->held.data, state->held.length, true, error);
    heed_buffer_clear(&state->held);
    return status;
}

static heed_status read_wordpiece(heed_stage *stage, const json_t *json, const char *where,
                                  heed_error *error)
{
    stage->cleanup = true;
    HEED_TRY(heed_json_boolean(json, "cleanup", &stage->cleanup, where, error));
    return heed_stage_read_text(stage, json, "prefix", where, error);
}

/* ---- CTC ----
   A token and its repeats are one, padding is nothing, a sign stands for the space between
   words. */

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
    heed_status status = token.failed   ? heed_fail_memory(error, length, "decoding")
                         : token.length ? emit(state, token.data, token.length, true, error)
                                        : HEED_OK;
    heed_buffer_free(&token);
    return status;
}

static heed_status push_ctc(heed_decoder_state *state, const char *bytes, size_t length, bool ends,
                            heed_error *error)
{
    if (!whole_token(state, &bytes, &length, ends)) return check_held(state, error);
    bool unchanged = state->tokens && state->held.length == length &&
                     (!length || !memcmp(state->held.data, bytes, length));
    state->tokens++;
    heed_status status = unchanged ? HEED_OK : emit_ctc(state, bytes, length, error);
    if (!unchanged) {
        heed_buffer_clear(&state->held);
        heed_buffer_append(&state->held, bytes, length);
    }
    heed_buffer_clear(&state->part);
    return status == HEED_OK ? check_held(state, error) : status;
}

static heed_status read_ctc(heed_stage *stage, const json_t *json, const char *where,
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

/* ---- BPEDecoder: the suffix that ends a word becomes a space, except in the last token ---- */

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
    heed_status status = word.failed ? heed_fail_memory(error, state->held.length, "decoding")
                                     : emit(state, word.data, word.length, true, error);
    heed_buffer_free(&word);
    heed_buffer_clear(&state->held);
    state->has_held = false;
    return status;
}

static heed_status push_bpe(heed_decoder_state *state, const char *bytes, size_t length, bool ends,
                            heed_error *error)
{
    if (state->has_held && !state->inside) HEED_TRY(release_word(state, false, error));
    state->has_held = true;
    state->inside = !ends;
    heed_buffer_append(&state->held, bytes, length);
    return check_held(state, error);
}

static heed_status finish_bpe(heed_decoder_state *state, heed_error *error)
{
    return state->has_held ? release_word(state, true, error) : HEED_OK;
}

static heed_status read_bpe(heed_stage *stage, const json_t *json, const char *where,
                            heed_error *error)
{
    return heed_stage_read_text(stage, json, "suffix", where, error);
}

/* ---- Moses ----
   The suffix ends a word, blanks inside tokens are nothing; the words are joined when all of them
   are there. */

static heed_status push_moses(heed_decoder_state *state, const char *bytes, size_t length,
                              bool ends, heed_error *error)
{
    if (!whole_token(state, &bytes, &length, ends)) return check_held(state, error);
    for (size_t at = 0; at < length;) {
        bool suffix = length - at >= 4 && !memcmp(bytes + at, "</w>", 4);
        if (suffix) heed_buffer_append(&state->held, " ", 1);
        else if (bytes[at] != ' ') heed_buffer_append(&state->held, bytes + at, 1);
        at += suffix ? 4 : 1;
    }
    heed_buffer_clear(&state->part);
    return check_held(state, error);
}

static heed_status finish_moses(heed_decoder_state *state, heed_error *error)
{
    heed_buffer text = {0};
    heed_status status = heed_moses_join(state->held.data, state->held.length, state->stage->text,
                                         &text, error);
    if (status == HEED_OK) status = emit(state, text.data, text.length, true, error);
    heed_buffer_free(&text);
    heed_buffer_clear(&state->held);
    return status;
}

/* ---- Replace ---- */

typedef struct {
    heed_decoder_state *state;
    heed_error *error;
    heed_status status;
    bool ends;
    size_t kept;
} replacement;

/* Matches become the content. What follows the last match of an unfinished token may still begin
   one: its end is kept. */
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
    if (r->status == HEED_OK && (is_match || end > begin))
        r->status = is_match
                        ? emit(r->state, stage->text, stage->length, false, r->error)
                        : emit(r->state, r->state->held.data + begin, end - begin, false, r->error);
}

static heed_status push_replace(heed_decoder_state *state, const char *bytes, size_t length,
                                bool ends, heed_error *error)
{
    replacement r = {state, error, HEED_OK, ends, 0};
    heed_buffer_append(&state->held, bytes, length);
    HEED_TRY(check_held(state, error));
    /* a regular expression needs the whole token */
    if (!ends && !heed_pattern_literal_length(state->stage->pattern)) return HEED_OK;
    HEED_TRY(heed_pattern_scan(state->stage->pattern, state->held.data, state->held.length,
                               replace_part, &r, error));
    drop_held(state, state->held.length - r.kept);
    if (r.status == HEED_OK && ends) r.status = emit(state, "", 0, true, error);
    return r.status;
}

static heed_status read_replace(heed_stage *stage, const json_t *json, const char *where,
                                heed_error *error)
{
    HEED_TRY(heed_stage_read_pattern(stage, json, where, error));
    return heed_stage_read_text(stage, json, "content", where, error);
}

/* ---- Strip: up to `start` and `stop` times the character at the ends of every token ---- */

static heed_status emit_character(heed_decoder_state *state, int64_t times, heed_error *error)
{
    char encoded[4];
    size_t size = heed_utf8_put(state->stage->code_point, encoded);
    for (; times > 0; times--) HEED_TRY(emit(state, encoded, size, false, error));
    return HEED_OK;
}

static heed_status push_strip(heed_decoder_state *state, const char *bytes, size_t length,
                              bool ends, heed_error *error)
{
    const heed_stage *stage = state->stage;
    if (!state->inside) state->leading = stage->start, state->trailing = 0;
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
        HEED_TRY(emit(state, bytes + at, size, false, error));
    }
    if (!ends) return HEED_OK;
    HEED_TRY(emit_character(state, state->trailing - stage->stop, error));
    state->inside = false;
    return emit(state, "", 0, true, error);
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

/* ---- Metaspace ----
   Its character becomes a space; in the first token, where it was put before the text, nothing. */

static heed_status push_metaspace(heed_decoder_state *state, const char *bytes, size_t length,
                                  bool ends, heed_error *error)
{
    bool drop = state->tokens == 0 && state->stage->prepend_scheme != HEED_PREPEND_NEVER;
    for (size_t at = 0, size; at < length; at += size) {
        bool is_space = heed_utf8_at(bytes, at, &size) == state->stage->code_point;
        if (is_space && drop) continue;
        HEED_TRY(emit(state, is_space ? " " : bytes + at, is_space ? 1 : size, false, error));
    }
    state->tokens += ends;
    return ends ? emit(state, "", 0, true, error) : HEED_OK;
}

/* ---- no decoder: spaces between tokens ---- */

static heed_status push_join(heed_decoder_state *state, const char *bytes, size_t length, bool ends,
                             heed_error *error)
{
    if (state->tokens && !state->inside) HEED_TRY(emit(state, " ", 1, false, error));
    state->inside = !ends;
    state->tokens += ends;
    return emit(state, bytes, length, ends, error);
}

/* clang-format off */
static const heed_stage_kind kinds[] = {
    {.name = "Fuse", .push = push_fuse, .finish = finish_fuse},
    {.name = "ByteLevel", .read = read_byte_level, .push = push_byte_level,
     .finish = finish_byte_level},
    {.name = "WordPiece", .read = read_wordpiece, .push = push_wordpiece, .finish = finish_nothing},
    {.name = "CTC", .read = read_ctc, .push = push_ctc, .finish = finish_nothing},
    {.name = "BPEDecoder", .read = read_bpe, .push = push_bpe, .finish = finish_bpe},
    {.name = "Replace", .read = read_replace, .push = push_replace, .finish = finish_nothing},
    {.name = "Strip", .read = read_strip, .push = push_strip, .finish = finish_nothing},
    {.name = "Moses", .read = heed_moses_read, .push = push_moses, .finish = finish_moses},
    {.name = "ByteFallback", .push = push_byte_fallback, .finish = flush_bytes},
    {.name = "Metaspace", .read = heed_stage_read_metaspace, .push = push_metaspace,
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
