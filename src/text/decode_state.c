/* decode_state.c: what decoder stages share: passing text on, holding it back, and collecting
   tokens that arrive in parts (decode_internal.h). */
#include "text/decode_internal.h"

#include <string.h>

heed_status heed_decoder_check(const heed_decoder_state *state, heed_error *error)
{
    return state->held.failed || state->part.failed
               ? heed_fail_memory(error, state->held.length, "decoding")
               : HEED_OK;
}

heed_status heed_decoder_emit(heed_decoder_state *state, const char *bytes, size_t length,
                              bool ends, heed_error *error)
{
    if (!length) bytes = ""; /* an empty buffer may have no memory */
    if (state->next) return state->next->stage->kind->push(state->next, bytes, length, ends, error);
    heed_buffer_append(state->out, bytes, length);
    return HEED_OK;
}

void heed_decoder_drop(heed_decoder_state *state, size_t count)
{
    if (!count) return;
    memmove(state->held.data, state->held.data + count, state->held.length - count);
    state->held.length -= count;
}

bool heed_decoder_whole_token(heed_decoder_state *state, const char **bytes, size_t *length,
                              bool ends)
{
    if (!ends || state->part.length) {
        heed_buffer_append(&state->part, *bytes, *length);
        *bytes = state->part.data;
        *length = state->part.length;
    }
    return ends && !state->part.failed;
}
