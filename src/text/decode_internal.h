/* decode_internal.h: what the files of decoder stages share. */
#ifndef HEED_TEXT_DECODE_INTERNAL_H
#define HEED_TEXT_DECODE_INTERNAL_H

#include "text/stage.h"

/* ---- functions for stages ---- */

/* Fails with HEED_E_NOMEM if one of the state's buffers could not grow. */
heed_status heed_decoder_check(const heed_decoder_state *state, heed_error *error);
/* Passes bytes of a token on to the next stage, or to the text after the last stage. `ends` says
   that the token is complete. */
heed_status heed_decoder_emit(heed_decoder_state *state, const char *bytes, size_t length,
                              bool ends, heed_error *error);
/* Removes the first `count` bytes of `held`. */
void heed_decoder_drop(heed_decoder_state *state, size_t count);
/* Collects a token that arrives in parts. Returns false until it is complete, then true with the
   whole token in *bytes and *length. The bytes are the caller's own if they came at once, otherwise
   those of state->part, which the stage clears afterwards. */
bool heed_decoder_whole_token(heed_decoder_state *state, const char **bytes, size_t *length,
                              bool ends);

/* ---- stages in other files, listed in the table of decode.c ---- */

heed_decoder_push heed_decoder_push_byte_level, heed_decoder_push_byte_fallback,
    heed_decoder_push_wordpiece, heed_decoder_push_ctc, heed_decoder_push_bpe,
    heed_decoder_push_moses;
heed_decoder_finish heed_decoder_finish_byte_level, heed_decoder_finish_byte_fallback,
    heed_decoder_finish_bpe, heed_decoder_finish_moses;
heed_stage_read heed_decoder_read_byte_level, heed_decoder_read_wordpiece, heed_decoder_read_ctc,
    heed_decoder_read_bpe;

#endif
