/* changes.c: the new text of a piece as a list of characters (changes.h). */
#include "text/changes.h"

#include "base/memory.h"
#include <stdlib.h>

void heed_changes_add(heed_changes *changes, uint32_t code_point, uint32_t consumed)
{
    if (!heed_grow(&changes->items, &changes->capacity, changes->count + 1,
                   sizeof *changes->items)) {
        changes->failed = true;
        return;
    }
    changes->items[changes->count++] = (heed_change){code_point, consumed};
}

void heed_changes_drop(heed_changes *changes, uint32_t count)
{
    if (changes->count) changes->items[changes->count - 1].consumed += count;
    else changes->dropped += count;
    changes->differs = true;
}

static void skip_characters(heed_rewriter *rewriter, uint32_t count)
{
    for (; count > 0 && rewriter->cursor < rewriter->length; count--)
        heed_rewriter_skip(rewriter, heed_utf8_size(rewriter->bytes[rewriter->cursor]));
}

heed_status heed_changes_apply(const heed_changes *changes, heed_rewriter *rewriter,
                               heed_error *error)
{
    if (changes->failed)
        return heed_fail_memory(error, changes->count * sizeof *changes->items, "normalizing");
    if (!changes->differs) {
        heed_rewriter_copy(rewriter, rewriter->length);
        return HEED_OK;
    }
    skip_characters(rewriter, changes->dropped);
    for (size_t i = 0; i < changes->count; i++) {
        const heed_change *change = &changes->items[i];
        if (!change->consumed) heed_rewriter_insert(rewriter, change->code_point);
        else {
            heed_rewriter_replace(rewriter, change->code_point);
            skip_characters(rewriter, change->consumed - 1);
        }
    }
    if (rewriter->cursor < rewriter->length)
        heed_rewriter_skip(rewriter, rewriter->length - rewriter->cursor);
    return HEED_OK;
}

void heed_changes_free(heed_changes *changes)
{
    free(changes->items);
    *changes = (heed_changes){0};
}
