/* normalize.h: normalizers in files of their own: the Unicode normal forms, which NFC, NFD, NFKC,
   NFKD and BertNormalizer use, Precompiled, and SentencePiece. */
#ifndef HEED_TEXT_NORMALIZE_H
#define HEED_TEXT_NORMALIZE_H

#include "text/stage.h"

/* Rewrites a piece in a normal form (a heed_piece_rewriter). `stage` is a heed_stage, whose
   `compatible` and `compose` select the form. The time is linear even for long runs of combining
   marks. Source: Unicode Standard Annex 15. */
heed_status heed_normal_form(const void *stage, heed_rewriter *rewriter, heed_error *error);

/* The kind Precompiled. Option: precompiled_charsmap, the table in base64 (charsmap.h). A grapheme
   cluster below 6 bytes is replaced as a whole if a string of the table begins it, else character
   by character. Source: Precompiled of the `tokenizers` library. */
heed_status heed_precompiled_read(heed_stage *stage, const json_t *json, const char *where,
                                  heed_error *error);
heed_status heed_precompiled_run(const heed_stage *stage, heed_pieces *pieces, heed_error *error);

/* The kind SentencePiece (sentencepiece.c). */
heed_status heed_sentencepiece_stage_read(heed_stage *stage, const json_t *json, const char *where,
                                          heed_error *error);
heed_status heed_sentencepiece_stage_run(const heed_stage *stage, heed_pieces *pieces,
                                         heed_error *error);

#endif
