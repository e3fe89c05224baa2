/* precompiled.c: the normalizer Precompiled (normalize.h). */
#include "text/changes.h"
#include "text/normalize.h"

#include "base/base64.h"
#include "base/memory.h"
#include "base/unicode.h"
#include <stdlib.h>
#include <string.h>

/* ---- reading ---- */

heed_status heed_precompiled_read(heed_stage *stage, const json_t *json, const char *where,
                                  heed_error *error)
{
    const json_t *text = json_object_get(json, "precompiled_charsmap");
    if (!json_is_string(text))
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: %s: \"precompiled_charsmap\": expected a string of base64", where,
                         stage->kind->name);
    char *bytes = heed_allocate(json_string_length(text) / 4 * 3 + 1, 1);
    if (!bytes) return heed_fail_memory(error, json_string_length(text), "the charsmap");
    int64_t length = heed_base64_decode(json_string_value(text), json_string_length(text), bytes);
    heed_status status = HEED_OK;
    if (length < 0)
        status = heed_fail(error, HEED_E_FORMAT,
                           "%s: %s: \"precompiled_charsmap\" is not valid base64", where,
                           stage->kind->name);
    else if (length > 0) /* without a table nothing is replaced */
        status = heed_charsmap_new(&stage->charsmap, bytes, (size_t)length, where, error);
    free(bytes);
    return status;
}

/* ---- rewriting ---- */

/* Replaces `old_count` characters by a text. Characters that the text has more are inserted; those
   that it has less vanish after the last character so far, and if there is none, the characters
   that follow take their places, as in the library. */
static void add_replacement(heed_changes *list, size_t old_count, const char *text)
{
    const size_t length = strlen(text);
    size_t count = 0;
    for (size_t at = 0, size; at < length; at += size, count++)
        heed_changes_add(list, heed_utf8_at(text, at, &size), count < old_count);
    if (count < old_count && list->count)
        list->items[list->count - 1].consumed += (uint32_t)(old_count - count);
    list->differs = true;
}

/* Clusters from this size on are never looked up as a whole. */
enum { LONG_CLUSTER = 6 };

/* Adds a grapheme cluster of `count` characters. */
static void add_cluster(heed_changes *list, const heed_charsmap *charsmap, heed_text cluster,
                        size_t count)
{
    size_t size;
    const char *text = NULL;
    if (cluster.length < LONG_CLUSTER)
        text = heed_charsmap_shortest(charsmap, cluster.bytes, cluster.length, &size);
    if (text) {
        add_replacement(list, count, text);
        return;
    }
    for (size_t at = 0; at < cluster.length; at += size) {
        const uint32_t c = heed_utf8_at(cluster.bytes, at, &size);
        size_t matched;
        text = heed_charsmap_shortest(charsmap, cluster.bytes + at, size, &matched);
        if (text) add_replacement(list, 1, text);
        else heed_changes_add(list, c, 1);
    }
}

/* Cuts the piece into grapheme clusters. */
static heed_status add_clusters(heed_changes *list, const heed_charsmap *charsmap,
                                const heed_rewriter *rewriter, heed_error *error)
{
    int32_t state = 0;
    size_t begin = 0, count = 0, at = 0, size;
    uint32_t before = 0;
    for (size_t step = 1; at < rewriter->length; at += size, step++) {
        const uint32_t c = heed_utf8_at(rewriter->bytes, at, &size);
        if (step % 4096 == 0)
            HEED_TRY(heed_cancel_check(rewriter->pieces->cancel, "tokenizing", error));
        if (count && heed_grapheme_ends(before, c, &state)) {
            add_cluster(list, charsmap, (heed_text){rewriter->bytes + begin, at - begin}, count);
            begin = at;
            count = 0;
        }
        before = c;
        count++;
    }
    if (count) add_cluster(list, charsmap, (heed_text){rewriter->bytes + begin, at - begin}, count);
    return HEED_OK;
}

static heed_status rewrite(const void *stage_pointer, heed_rewriter *rewriter, heed_error *error)
{
    const heed_stage *stage = stage_pointer;
    heed_changes list = {0};
    heed_status status = add_clusters(&list, stage->charsmap, rewriter, error);
    if (status == HEED_OK) status = heed_changes_apply(&list, rewriter, error);
    heed_changes_free(&list);
    return status;
}

heed_status heed_precompiled_run(const heed_stage *stage, heed_pieces *pieces, heed_error *error)
{
    return stage->charsmap ? heed_pieces_rewrite(pieces, rewrite, stage, error) : HEED_OK;
}
