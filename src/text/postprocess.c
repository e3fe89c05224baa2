/* postprocess.c: the post-processors of tokenizer.json. Source: the `tokenizers` library. Kinds and
   options:
     TemplateProcessing  `single`, `pair` and `special_tokens`: where special tokens go
     BertProcessing      `cls` A `sep`, for pairs `cls` A `sep` B `sep`
     RobertaProcessing   `cls` A `sep`, for pairs `cls` A `sep` `sep` B `sep`; trims offsets
     ByteLevel           only trims offsets (trim_offsets, add_prefix_space)
     Sequence            `processors`: several of these, at most one of them with a template */
#include "text/postprocess.h"

#include "base/memory.h"
#include "text/pieces.h"
#include "base/unicode.h"
#include <stdlib.h>
#include <string.h>

static void template_free(heed_template *template)
{
    for (size_t i = 0; i < template->count; i++) free(template->pieces[i].ids);
    free(template->pieces);
}

void heed_post_free(heed_post_processor *post)
{
    template_free(&post->single);
    template_free(&post->pair);
    *post = (heed_post_processor){0};
}

/* Appends an element to a template. */
static heed_status add_piece(heed_template *template, int sequence, int64_t type_id,
                             const char *where, heed_error *error)
{
    if (type_id < 0 || type_id > INT32_MAX)
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: post_processor: \"type_id\" is %lld, expected 0 to 2147483647", where,
                         (long long)type_id);
    if (!heed_grow(&template->pieces, &template->capacity, template->count + 1,
                   sizeof *template->pieces))
        return heed_fail_memory(error, sizeof *template->pieces, "the post-processor");
    template->pieces[template->count++] = (heed_template_piece){.sequence = sequence,
                                                                .type_id = (int32_t)type_id};
    return HEED_OK;
}

/* Appends a special id to the last element of a template. */
static heed_status add_id(heed_template *template, const json_t *id, const char *where,
                          heed_error *error)
{
    heed_template_piece *piece = &template->pieces[template->count - 1];
    if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) >= INT32_MAX)
        return heed_fail(
            error, HEED_E_FORMAT,
            "%s: post_processor: a special token's id: expected an integer from 0 to 2147483646",
            where);
    int32_t *ids = realloc(piece->ids, (piece->count + 1) * sizeof *ids);
    if (!ids) return heed_fail_memory(error, sizeof *ids, "the post-processor");
    piece->ids = ids;
    ids[piece->count++] = (int32_t)json_integer_value(id);
    template->added++;
    return HEED_OK;
}

/* Reads {"SpecialToken": {"id": "[CLS]", "type_id": 0}}. "special_tokens" lists the ids of each.
   "if_absent" exists only in heed. */
static heed_status read_special(heed_template *template, const json_t *special,
                                const json_t *tokens, const char *where, heed_error *error)
{
    const char *name = NULL;
    int64_t type_id = 0;
    HEED_TRY(heed_json_string(special, "id", &name, where, error));
    HEED_TRY(heed_json_integer(special, "type_id", &type_id, where, error));
    const json_t *ids = name ? json_object_get(json_object_get(tokens, name), "ids") : NULL;
    if (!json_is_array(ids))
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: post_processor: no ids for the special token \"%.80s\"; expected "
                         "them in \"special_tokens\"",
                         where, name ? name : "");
    HEED_TRY(add_piece(template, -1, type_id, where, error));
    HEED_TRY(heed_json_boolean(special, "if_absent",
                               &template->pieces[template->count - 1].if_absent, where, error));
    for (size_t i = 0; i < json_array_size(ids); i++)
        HEED_TRY(add_id(template, json_array_get(ids, i), where, error));
    return HEED_OK;
}

/* Reads the array `key` of a TemplateProcessing, which may use `sequences` texts (A, B). */
static heed_status read_template(heed_template *template, const json_t *json, const char *key,
                                 int sequences, const char *where, heed_error *error)
{
    const json_t *list = json_object_get(json, key),
                 *tokens = json_object_get(json, "special_tokens");
    if (!json_is_array(list))
        return heed_fail(error, HEED_E_FORMAT, "%s: post_processor: \"%s\": expected an array",
                         where, key);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *piece = json_array_get(list, i),
                     *sequence = json_object_get(piece, "Sequence");
        const json_t *special = json_object_get(piece, "SpecialToken");
        const char *name = NULL;
        int64_t type_id = 0;
        if (special) {
            HEED_TRY(read_special(template, special, tokens, where, error));
            continue;
        }
        HEED_TRY(heed_json_string(sequence, "id", &name, where, error));
        HEED_TRY(heed_json_integer(sequence, "type_id", &type_id, where, error));
        if (!name || name[0] < 'A' || name[0] >= 'A' + sequences || name[1])
            return heed_fail(
                error, HEED_E_FORMAT,
                "%s: post_processor: %s[%zu]: expected a SpecialToken or a Sequence %s", where, key,
                i, sequences == 2 ? "A or B" : "A");
        HEED_TRY(add_piece(template, name[0] - 'A', type_id, where, error));
    }
    return HEED_OK;
}

static heed_status read_template_processing(heed_post_processor *post, const json_t *json,
                                            const char *where, heed_error *error)
{
    HEED_TRY(read_template(&post->single, json, "single", 1, where, error));
    return read_template(&post->pair, json, "pair", 2, where, error);
}

/* Builds the templates of BertProcessing, where type ids are 1 from B on, and of RobertaProcessing,
   where all type ids are 0. */
static heed_status read_cls_sep(heed_post_processor *post, const json_t *json, bool roberta,
                                const char *where, heed_error *error)
{
    const json_t *cls = json_array_get(json_object_get(json, "cls"), 1),
                 *sep = json_array_get(json_object_get(json, "sep"), 1);
    const json_t *const order[] = {cls, NULL, sep, roberta ? sep : NULL, NULL, sep};
    int texts = 0;
    for (int i = 0; i < 6; i++) {
        if (i == 3 && !roberta) continue;
        int64_t type_id = !roberta && i >= 4;
        int sequence = i == 1 || i == 4 ? texts++ : -1;
        HEED_TRY(add_piece(&post->pair, sequence, type_id, where, error));
        if (sequence < 0) HEED_TRY(add_id(&post->pair, order[i], where, error));
        if (i > 2) continue;
        HEED_TRY(add_piece(&post->single, sequence, type_id, where, error));
        if (sequence < 0) HEED_TRY(add_id(&post->single, order[i], where, error));
    }
    return HEED_OK;
}

static heed_status read_bert_processing(heed_post_processor *post, const json_t *json,
                                        const char *where, heed_error *error)
{
    return read_cls_sep(post, json, false, where, error);
}

static heed_status read_roberta_processing(heed_post_processor *post, const json_t *json,
                                           const char *where, heed_error *error)
{
    return read_cls_sep(post, json, true, where, error);
}

typedef struct {
    const char *name;
    /* NULL for a kind without a template */
    heed_status (*read_template)(heed_post_processor *, const json_t *, const char *, heed_error *);
    bool trims; /* the kind trims offsets unless trim_offsets is false */
} post_kind;

static const post_kind kinds[] = {
    {"TemplateProcessing", read_template_processing, false},
    {"BertProcessing", read_bert_processing, false},
    {"RobertaProcessing", read_roberta_processing, true},
    {"ByteLevel", NULL, true},
};

/* Reads a post-processor or a Sequence of them. */
static heed_status read_one(heed_post_processor *post, const json_t *json, int depth,
                            const char *where, heed_error *error)
{
    const char *type = NULL;
    const post_kind *kind = NULL;
    bool trim = true, add_prefix_space = true;
    if (!json_is_object(json))
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: post_processor: expected an object with a \"type\"", where);
    HEED_TRY(heed_json_string(json, "type", &type, where, error));
    if (type && !strcmp(type, "Sequence")) {
        const json_t *list = json_object_get(json, "processors");
        if (!json_is_array(list) || depth >= 16)
            return heed_fail(error, HEED_E_FORMAT,
                             "%s: post_processor of type Sequence: expected an array "
                             "\"processors\", nested at most 16 deep",
                             where);
        for (size_t i = 0; i < json_array_size(list); i++)
            HEED_TRY(read_one(post, json_array_get(list, i), depth + 1, where, error));
        return HEED_OK;
    }
    for (size_t i = 0; type && i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kinds[i].name, type)) kind = &kinds[i];
    if (!kind)
        return heed_fail(error, HEED_E_UNSUPPORTED,
                         "%s: post_processor of type \"%.80s\" is not supported", where,
                         type ? type : "(none)");
    HEED_TRY(heed_json_boolean(json, "trim_offsets", &trim, where, error));
    HEED_TRY(heed_json_boolean(json, "add_prefix_space", &add_prefix_space, where, error));
    if (kind->trims && trim) {
        if (post->trim_count == HEED_MOST_TRIMS)
            return heed_fail(error, HEED_E_UNSUPPORTED,
                             "%s: post_processor: more than %d stages that trim offsets", where,
                             (int)HEED_MOST_TRIMS);
        post->trims[post->trim_count++] = add_prefix_space;
    }
    if (!kind->read_template) return HEED_OK;
    if (post->has_template)
        return heed_fail(error, HEED_E_UNSUPPORTED, "%s: post_processor: more than one template",
                         where);
    post->has_template = true;
    return kind->read_template(post, json, where, error);
}

heed_status heed_post_read(heed_post_processor *post, const json_t *json, const char *where,
                           heed_error *error)
{
    *post = (heed_post_processor){0};
    heed_status status = json && !json_is_null(json) ? read_one(post, json, 0, where, error)
                                                     : HEED_OK;
    if (status == HEED_OK && !post->has_template) {
        status = add_piece(&post->single, 0, 0, where, error);
        if (status == HEED_OK) status = add_piece(&post->pair, 0, 0, where, error);
        if (status == HEED_OK) status = add_piece(&post->pair, 1, 1, where, error);
    }
    if (status != HEED_OK) heed_post_free(post);
    return status;
}

static bool is_trimmed(uint32_t c)
{
    return c == 0x120 || heed_char_is_space(c); /* U+0120 is ByteLevel's space */
}

void heed_post_trim(const heed_post_processor *post, size_t index, const char *token, size_t length,
                    heed_range *offsets)
{
    uint32_t leading = 0, trailing = 0;
    size_t size;
    if (!post->trim_count) return;
    for (size_t at = 0; at < length && is_trimmed(heed_utf8_at(token, at, &size)); at += size)
        leading++;
    for (size_t at = length; at > 0; trailing++) {
        at = heed_utf8_before(token, at);
        if (!is_trimmed(heed_utf8_at(token, at, &size))) break;
    }
    for (int i = 0; i < post->trim_count; i++) {
        /* The space that add_prefix_space puts before a text is not part of the text. */
        bool ours = leading == 1 && post->trims[i] && (index == 0 || offsets->begin == 0);
        uint32_t cut = ours ? 0 : leading, room = offsets->end - offsets->begin;
        offsets->begin += cut < room ? cut : room;
        if (trailing && offsets->end >= trailing)
            offsets->end = offsets->end - trailing > offsets->begin ? offsets->end - trailing
                                                                    : offsets->begin;
    }
}
