/* precompiled.c: the normalizer Precompiled (normalize.h). */
#include "text/normalize.h"

#include "base/memory.h"
#include "base/unicode.h"
#include <stdlib.h>
#include <string.h>

/* ---- reading ---- */

static int digit_value(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = c ? strchr(digits, c) : NULL;
    return found ? (int)(found - digits) : -1;
}

/* Decodes base64 with padding into `out`, which has room for 3/4 of the text. Returns the number of
   bytes, -1 if the text is not base64. Source: RFC 4648, section 4. */
static int64_t decode_base64(const char *text, size_t length, char *out)
{
    size_t padding = 0, written = 0;
    uint32_t bits = 0;
    if (length % 4) return -1;
    while (padding < 2 && padding < length && text[length - 1 - padding] == '=') padding++;
    for (size_t i = 0; i < length - padding; i++) {
        const int value = digit_value(text[i]);
        if (value < 0) return -1;
        bits = bits << 6 | (uint32_t)value;
        if (i % 4) out[written++] = (char)(bits >> (6 - 2 * (i % 4)));
    }
    return (int64_t)written;
}

heed_status heed_precompiled_read(heed_stage *stage, const json_t *json, const char *where,
                                  heed_error *error)
{
    const json_t *text = json_object_get(json, "precompiled_charsmap");
    if (!json_is_string(text))
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: Precompiled: \"precompiled_charsmap\": expected a string of base64",
                         where);
    char *bytes = heed_allocate(json_string_length(text) / 4 * 3 + 1, 1);
    if (!bytes) return heed_fail_memory(error, json_string_length(text), "the charsmap");
    int64_t length = decode_base64(json_string_value(text), json_string_length(text), bytes);
    heed_status status = HEED_OK;
    if (length < 0)
        status = heed_fail(error, HEED_E_FORMAT,
                           "%s: Precompiled: \"precompiled_charsmap\" is not valid base64", where);
    else if (length > 0) /* without a table nothing is replaced */
        status = heed_charsmap_new(&stage->charsmap, bytes, (size_t)length, where, error);
    free(bytes);
    return status;
}

/* ---- rewriting ---- */

/* A character of the new text and how many characters it adds: 0 if it stands for one character of
   the old text, 1 if it is inserted, -n if n more characters of the old text vanish after it. */
typedef struct {
    uint32_t code_point;
    int32_t added;
} change;

/* The new text of a piece. */
typedef struct {
    change *changes;
    size_t count, capacity;
    bool replaced; /* something differs from the old text */
    bool failed;   /* out of memory */
} change_list;

static void add_change(change_list *list, uint32_t code_point, int32_t added)
{
    if (!heed_grow(&list->changes, &list->capacity, list->count + 1, sizeof *list->changes)) {
        list->failed = true;
        return;
    }
    list->changes[list->count++] = (change){code_point, added};
}

/* Replaces `old_count` characters by a text. Characters that the text has more are inserted; those
   that it has less vanish after the last character so far, and if there is none, the characters
   that follow take their places, as in the library. */
static void add_replacement(change_list *list, size_t old_count, const char *text)
{
    const size_t length = strlen(text);
    size_t count = 0;
    for (size_t at = 0, size; at < length; at += size, count++)
        add_change(list, heed_utf8_at(text, at, &size), count >= old_count);
    if (count < old_count && list->count)
        list->changes[list->count - 1].added -= (int32_t)(old_count - count);
    list->replaced = true;
}

/* Clusters from this size on are never looked up as a whole. */
enum { LONG_CLUSTER = 6 };

/* Adds a grapheme cluster of `count` characters. */
static void add_cluster(change_list *list, const heed_charsmap *charsmap, heed_text cluster,
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
        else add_change(list, c, 0);
    }
}

/* Cuts the piece into grapheme clusters. */
static heed_status add_clusters(change_list *list, const heed_charsmap *charsmap,
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

static void skip_characters(heed_rewriter *rewriter, int32_t count)
{
    for (; count > 0 && rewriter->cursor < rewriter->length; count--)
        heed_rewriter_skip(rewriter, heed_utf8_size(rewriter->bytes[rewriter->cursor]));
}

static void apply_changes(const change_list *list, heed_rewriter *rewriter)
{
    for (size_t i = 0; i < list->count; i++) {
        const change *change = &list->changes[i];
        if (change->added > 0) {
            heed_rewriter_insert(rewriter, change->code_point);
            continue;
        }
        heed_rewriter_replace(rewriter, change->code_point);
        skip_characters(rewriter, -change->added);
    }
    if (rewriter->cursor < rewriter->length)
        heed_rewriter_skip(rewriter, rewriter->length - rewriter->cursor);
}

static heed_status rewrite(const void *stage_pointer, heed_rewriter *rewriter, heed_error *error)
{
    const heed_stage *stage = stage_pointer;
    change_list list = {0};
    heed_status status = add_clusters(&list, stage->charsmap, rewriter, error);
    if (status == HEED_OK && list.failed)
        status = heed_fail_memory(error, list.count * sizeof *list.changes, "normalizing");
    if (status == HEED_OK && list.replaced) apply_changes(&list, rewriter);
    else if (status == HEED_OK) heed_rewriter_copy(rewriter, rewriter->length);
    free(list.changes);
    return status;
}

heed_status heed_precompiled_run(const heed_stage *stage, heed_pieces *pieces, heed_error *error)
{
    return stage->charsmap ? heed_pieces_rewrite(pieces, rewrite, stage, error) : HEED_OK;
}
