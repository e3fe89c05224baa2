/* normalize.h: the Unicode normal forms, which the normalizers NFC, NFD, NFKC, NFKD and
   BertNormalizer use. */
#ifndef HEED_TEXT_NORMALIZE_H
#define HEED_TEXT_NORMALIZE_H

#include "text/stage.h"

/* Rewrites a piece in a normal form (a heed_piece_rewriter). `stage` is a heed_stage, whose
   `compatible` and `compose` select the form. The time is linear even for long runs of combining
   marks. Source: Unicode Standard Annex 15. */
heed_status heed_normal_form(const void *stage, heed_rewriter *rewriter, heed_error *error);

#endif
