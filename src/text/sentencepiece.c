/* sentencepiece.c: the normalizer SentencePiece, which only heed has in tokenizer.json. It
   normalizes as a .model file says (io/sentencepiece.h). Options, named as there:
   precompiled_charsmap (base64), add_dummy_prefix, remove_extra_whitespaces, escape_whitespaces,
   treat_whitespace_as_suffix, and user_defined, a list of strings that are not replaced.
   Source: Kudo & Richardson 2018. */
#include "text/changes.h"
#include "text/normalize.h"

#include <string.h>

enum { SPACE_SIGN = 0x2581 };

heed_status heed_sentencepiece_stage_read(heed_stage *stage, const json_t *json, const char *where,
                                          heed_error *error)
{
    const json_t *list = json_object_get(json, "user_defined");
    stage->add_prefix_space = stage->remove_extra_spaces = stage->escape_spaces = true;
    HEED_TRY(heed_precompiled_read(stage, json, where, error));
    HEED_TRY(heed_json_boolean(json, "add_dummy_prefix", &stage->add_prefix_space, where, error));
    HEED_TRY(heed_json_boolean(json, "remove_extra_whitespaces", &stage->remove_extra_spaces, where,
                               error));
    HEED_TRY(heed_json_boolean(json, "escape_whitespaces", &stage->escape_spaces, where, error));
    HEED_TRY(
        heed_json_boolean(json, "treat_whitespace_as_suffix", &stage->space_suffix, where, error));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *text = json_array_get(list, i);
        if (!json_is_string(text))
            return heed_fail(error, HEED_E_FORMAT,
                             "%s: SentencePiece: \"user_defined\": expected strings", where);
        if (!heed_trie_add(&stage->user_defined, json_string_value(text), json_string_length(text),
                           (int32_t)i))
            return heed_fail_memory(error, json_string_length(text), "the normalizer");
    }
    return HEED_OK;
}

/* The longest string at a place that is replaced as one, and its replacement. */
typedef struct {
    heed_text text;
    size_t size;    /* bytes of the old text */
    uint32_t count; /* characters of the old text */
} prefix;

/* An invalid byte is no string. */
static prefix prefix_at(const heed_stage *stage, const heed_rewriter *rewriter, size_t at)
{
    const char *bytes = rewriter->bytes + at, *replaced = NULL;
    const size_t rest = rewriter->length - at;
    prefix found = {{bytes, 0}, 0, 0};
    if (heed_rewriter_is_repaired(rewriter, at)) found.size = 0;
    else if (stage->user_defined.node_count &&
             heed_trie_match(&stage->user_defined, bytes, rest, NULL, NULL, &found.size) >= 0)
        found.text.length = found.size;
    else if (stage->charsmap)
        replaced = heed_charsmap_longest(stage->charsmap, bytes, rest, &found.size);
    if (replaced) found.text = (heed_text){replaced, strlen(replaced)};
    if (!found.size) found.text.length = found.size = heed_utf8_size(*bytes);
    for (size_t i = 0; i < found.size; i += heed_utf8_size(bytes[i])) found.count++;
    return found;
}

/* Returns what stands for a space in the new text. */
static uint32_t space_of(const heed_stage *stage)
{
    return stage->escape_spaces ? SPACE_SIGN : ' ';
}

/* Adds a replacement, whose first character consumes what it replaces. */
static void add_prefix(heed_changes *changes, const heed_stage *stage, const prefix *p)
{
    for (size_t at = 0, size; at < p->text.length; at += size) {
        const uint32_t c = heed_utf8_at(p->text.bytes, at, &size);
        const uint32_t count = at == 0 ? p->count : 0;
        heed_changes_add(changes, c == ' ' ? space_of(stage) : c, count);
    }
    if (!p->text.length) heed_changes_drop(changes, p->count);
}

static void add_space(heed_changes *changes, const heed_stage *stage)
{
    heed_changes_add(changes, space_of(stage), 0);
}

/* Drops the spaces that the text begins with and returns where it goes on. */
static size_t drop_spaces(heed_changes *changes, const heed_stage *stage,
                          const heed_rewriter *rewriter)
{
    size_t at = 0;
    while (stage->remove_extra_spaces && at < rewriter->length) {
        const prefix p = prefix_at(stage, rewriter, at);
        if (p.text.length != 1 || *p.text.bytes != ' ') break;
        heed_changes_drop(changes, p.count);
        at += p.size;
    }
    return at;
}

/* Drops the spaces at the end of the new text. */
static void drop_last_spaces(heed_changes *changes, const heed_stage *stage)
{
    const uint32_t space = space_of(stage);
    while (changes->count && changes->items[changes->count - 1].code_point == space)
        changes->count--;
}

static heed_status rewrite(const void *stage_pointer, heed_rewriter *rewriter, heed_error *error)
{
    const heed_stage *stage = stage_pointer;
    heed_changes changes = {.differs = true};
    heed_status status = HEED_OK;
    bool after_space = stage->remove_extra_spaces;
    size_t at = drop_spaces(&changes, stage, rewriter);
    const bool blank = at == rewriter->length;
    if (!blank && stage->add_prefix_space && !stage->space_suffix) add_space(&changes, stage);
    for (size_t step = 1; at < rewriter->length && status == HEED_OK; step++) {
        prefix p = prefix_at(stage, rewriter, at);
        at += p.size;
        while (after_space && p.text.length && *p.text.bytes == ' ') {
            p.text.bytes++;
            p.text.length--;
        }
        add_prefix(&changes, stage, &p);
        if (p.text.length) after_space = p.text.bytes[p.text.length - 1] == ' ';
        after_space &= stage->remove_extra_spaces;
        if (step % 4096 == 0)
            status = heed_cancel_check(rewriter->pieces->cancel, "tokenizing", error);
    }
    if (stage->remove_extra_spaces) drop_last_spaces(&changes, stage);
    if (!blank && stage->add_prefix_space && stage->space_suffix) add_space(&changes, stage);
    if (status == HEED_OK) status = heed_changes_apply(&changes, rewriter, error);
    heed_changes_free(&changes);
    return status;
}

heed_status heed_sentencepiece_stage_run(const heed_stage *stage, heed_pieces *pieces,
                                         heed_error *error)
{
    return heed_pieces_rewrite(pieces, rewrite, stage, error);
}
