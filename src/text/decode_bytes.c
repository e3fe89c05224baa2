/* decode_bytes.c: the decoder stages ByteLevel and ByteFallback, whose tokens stand for bytes.
   Source: the `tokenizers` library. */
#include "text/decode_internal.h"
#include "text/text_internal.h"

#include "base/utf8.h"
#include <string.h>

/* ---- ByteLevel: characters to bytes, bytes to text; option errors ---- */

/* Decodes the first `count` held bytes. Invalid bytes become U+FFFD, or nothing with errors
   "ignore". */
static heed_status emit_text(heed_decoder_state *state, size_t count, heed_error *error)
{
    size_t good = 0;
    heed_status status = HEED_OK;
    for (size_t at = 0; at < count && status == HEED_OK;) {
        uint32_t point;
        bool valid = true;
        size_t size = heed_utf8_next(state->held.data + at, count - at, &point, &valid);
        if (!valid) {
            status = heed_decoder_emit(state, state->held.data + good, at - good, false, error);
            if (status == HEED_OK && !state->stage->ignore)
                status = heed_decoder_emit(state, "\xEF\xBF\xBD", 3, false, error);
            good = at + size;
        }
        at += size;
    }
    if (status == HEED_OK && good < count)
        status = heed_decoder_emit(state, state->held.data + good, count - good, false, error);
    heed_decoder_drop(state, count);
    return status;
}

/* A token with a character that stands for no byte, such as an added token, is appended
   unchanged. */
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

heed_status heed_decoder_push_byte_level(heed_decoder_state *state, const char *bytes,
                                         size_t length, bool ends, heed_error *error)
{
    if (!heed_decoder_whole_token(state, &bytes, &length, ends))
        return heed_decoder_check(state, error);
    heed_byte_level_append(&state->held, bytes, length);
    heed_buffer_clear(&state->part);
    HEED_TRY(heed_decoder_check(state, error));
    return emit_text(
        state, state->held.length - heed_utf8_incomplete(state->held.data, state->held.length),
        error);
}

heed_status heed_decoder_finish_byte_level(heed_decoder_state *state, heed_error *error)
{
    HEED_TRY(emit_text(state, state->held.length, error));
    return heed_decoder_emit(state, "", 0, true, error);
}

/* Reads "errors" with Python's values: "replace" is what the library does, and "ignore" what ByT5's
   class does. Only heed has this option. */
heed_status heed_decoder_read_byte_level(heed_stage *stage, const json_t *json, const char *where,
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

/* ---- ByteFallback: a run of "<0xE4>" is text if its bytes are valid, else one U+FFFD per byte
   ---- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int heed_fallback_byte(const char *token, size_t length)
{
    if (length != 6 || memcmp(token, "<0x", 3) || token[5] != '>') return -1;
    int high = token[3] == '+' ? 0 : hex_digit(token[3]), low = hex_digit(token[4]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

heed_status heed_decoder_finish_byte_fallback(heed_decoder_state *state, heed_error *error)
{
    size_t length = state->held.length;
    bool valid = heed_utf8_valid(state->held.data, length);
    heed_status status = HEED_OK;
    if (length && valid) status = heed_decoder_emit(state, state->held.data, length, true, error);
    for (size_t i = 0; i < length && !valid && status == HEED_OK; i++)
        status = heed_decoder_emit(state, "\xEF\xBF\xBD", 3, true, error);
    heed_buffer_clear(&state->held);
    return status;
}

heed_status heed_decoder_push_byte_fallback(heed_decoder_state *state, const char *bytes,
                                            size_t length, bool ends, heed_error *error)
{
    if (!heed_decoder_whole_token(state, &bytes, &length, ends))
        return heed_decoder_check(state, error);
    int byte = heed_fallback_byte(bytes, length);
    if (byte >= 0) heed_buffer_byte(&state->held, byte);
    heed_status status = byte >= 0 ? heed_decoder_check(state, error)
                                   : heed_decoder_finish_byte_fallback(state, error);
    if (byte < 0 && status == HEED_OK)
        status = heed_decoder_emit(state, bytes, length, true, error);
    heed_buffer_clear(&state->part);
    return status;
}
