/* changes.h: the new text of a piece as a list of characters, for normalizers that know only at the
   end what becomes of a character. */
#ifndef HEED_TEXT_CHANGES_H
#define HEED_TEXT_CHANGES_H

#include "text/pieces.h"

/* A character of the new text. It stands for `consumed` characters of the old text and has the
   input range of the first of them; one that consumes none is inserted and has the range of the
   character before it. */
typedef struct heed_change {
    uint32_t code_point, consumed;
} heed_change;

typedef struct heed_changes {
    heed_change *items;
    size_t count, capacity;
    uint32_t dropped; /* characters of the old text that vanish before the first item */
    bool differs;     /* the new text is not the old one */
    bool failed;      /* out of memory */
} heed_changes;

void heed_changes_add(heed_changes *changes, uint32_t code_point, uint32_t consumed);
/* Makes `count` more characters of the old text vanish. */
void heed_changes_drop(heed_changes *changes, uint32_t count);
/* Rewrites the piece; old characters that no item consumes vanish. HEED_E_NOMEM if adding
   failed. */
heed_status heed_changes_apply(const heed_changes *changes, heed_rewriter *rewriter,
                               heed_error *error);
void heed_changes_free(heed_changes *changes);

#endif
