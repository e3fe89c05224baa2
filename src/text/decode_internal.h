/* decode_internal.h: for the files of decoder stages only. */
#ifndef HEED_TEXT_DECODE_INTERNAL_H
#define HEED_TEXT_DECODE_INTERNAL_H

#include "text/stage.h"

/* ---- for the stages ---- */

/* HEED_E_NOMEM if one of the state's buffers could not grow. */
heed_status heed_decoder_check(const heed_decoder_state *state, heed_error *error);
/* Passes bytes on to the next stage, or to the text. */
heed_status heed_decoder_emit(heed_decoder_state *state, const char *bytes, size_t length,
                              bool ends, heed_error *error);
/* Drops the first `count` held bytes. */
void heed_decoder_drop(heed_decoder_state *state, size_t count);
/* Whether the token has ended, and then the token as a whole: bytes that came at once as they are,
   parts from state->part, which the stage clears. */
bool heed_decoder_whole_token(heed_decoder_state *state, const char **bytes, size_t *length,
                              bool ends);

/* ---- the stages of other files, for the table in decode.c ---- */

heed_decoder_push heed_decoder_push_byte_level, heed_decoder_push_byte_fallback,
    heed_decoder_push_wordpiece, heed_decoder_push_ctc, heed_decoder_push_bpe,
    heed_decoder_push_moses;
heed_decoder_finish heed_decoder_finish_byte_level, heed_decoder_finish_byte_fallback,
    heed_decoder_finish_bpe, heed_decoder_finish_moses;
heed_stage_read heed_decoder_read_byte_level, heed_decoder_read_wordpiece, heed_decoder_read_ctc,
    heed_decoder_read_bpe;

#endif
