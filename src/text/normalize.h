/* normalize.h: the Unicode normal forms, used by the normalizers NFC, NFD, NFKC, NFKD and
   BertNormalizer. */
#ifndef HEED_TEXT_NORMALIZE_H
#define HEED_TEXT_NORMALIZE_H

#include "text/stage.h"

/* A heed_piece_rewriter; `stage` is a heed_stage whose `compatible` and `compose` choose the form.
   Linear, whatever runs of marks the text holds. Source: Unicode Standard Annex 15. */
heed_status heed_normal_form(const void *stage, heed_rewriter *rewriter, heed_error *error);

#endif
