/* stage.c: reads pipelines of stages from tokenizer.json and runs them (stage.h). */
#include "text/stage.h"

#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

enum { DEEPEST_SEQUENCE = 16, MOST_STAGES = 256 };

static void stage_free(heed_stage *stage)
{
    heed_pattern_free(stage->pattern);
    free(stage->text);
    free(stage->delimiter);
    heed_charsmap_free(stage->charsmap);
    heed_trie_free(&stage->user_defined);
}

void heed_pipeline_free(heed_pipeline *pipeline)
{
    for (size_t i = 0; i < pipeline->count; i++) stage_free(&pipeline->stages[i]);
    free(pipeline->stages);
    *pipeline = (heed_pipeline){0};
}

static heed_status read_stages(heed_pipeline *pipeline, const json_t *json,
                               const heed_stage_section *section, int depth, const char *where,
                               heed_error *error);

/* Reads {"type": "Sequence"}: appends the stages of its list. */
static heed_status read_sequence(heed_pipeline *pipeline, const json_t *json,
                                 const heed_stage_section *section, int depth, const char *where,
                                 heed_error *error)
{
    const json_t *list = json_object_get(json, section->members);
    if (!json_is_array(list) || depth >= DEEPEST_SEQUENCE)
        return heed_fail(
            error, HEED_E_FORMAT,
            "%s: %s of type Sequence: expected an array \"%s\", nested at most %d deep", where,
            section->name, section->members, (int)DEEPEST_SEQUENCE);
    for (size_t i = 0; i < json_array_size(list); i++)
        HEED_TRY(read_stages(pipeline, json_array_get(list, i), section, depth + 1, where, error));
    return HEED_OK;
}

/* Appends one stage of the given type. */
static heed_status read_stage(heed_pipeline *pipeline, const json_t *json,
                              const heed_stage_section *section, const char *type,
                              const char *where, heed_error *error)
{
    const heed_stage_kind *kind = section->kinds;
    while (kind->name && strcmp(kind->name, type)) kind++;
    if (!kind->name)
        return heed_fail(error, HEED_E_UNSUPPORTED, "%s: %s of type \"%s\" is not supported", where,
                         section->name, type);
    if (pipeline->count >= MOST_STAGES)
        return heed_fail(error, HEED_E_FORMAT, "%s: %s: expected at most %d stages", where,
                         section->name, (int)MOST_STAGES);
    if (!heed_grow(&pipeline->stages, &pipeline->capacity, pipeline->count + 1,
                   sizeof *pipeline->stages))
        return heed_fail_memory(error, sizeof *pipeline->stages, section->name);
    heed_stage *stage = &pipeline->stages[pipeline->count++];
    *stage = (heed_stage){.kind = kind, .compatible = kind->compatible, .compose = kind->compose};
    return kind->read ? kind->read(stage, json, where, error) : HEED_OK;
}

/* Appends a stage, or the stages of a Sequence, which may contain Sequences. */
static heed_status read_stages(heed_pipeline *pipeline, const json_t *json,
                               const heed_stage_section *section, int depth, const char *where,
                               heed_error *error)
{
    const char *type = NULL;
    if (!json_is_object(json))
        return heed_fail(error, HEED_E_FORMAT, "%s: %s: expected an object with a \"type\"", where,
                         section->name);
    HEED_TRY(heed_json_string(json, "type", &type, where, error));
    if (!type)
        return heed_fail(error, HEED_E_FORMAT, "%s: %s: expected a \"type\"", where, section->name);
    if (!strcmp(type, "Sequence"))
        return read_sequence(pipeline, json, section, depth, where, error);
    return read_stage(pipeline, json, section, type, where, error);
}

heed_status heed_pipeline_read(heed_pipeline *pipeline, const json_t *json,
                               const heed_stage_section *section, const char *where,
                               heed_error *error)
{
    *pipeline = (heed_pipeline){0};
    if (!json || json_is_null(json)) return HEED_OK;
    heed_status status = read_stages(pipeline, json, section, 0, where, error);
    if (status != HEED_OK) heed_pipeline_free(pipeline);
    return status;
}

heed_status heed_pipeline_run(const heed_pipeline *pipeline, heed_pieces *pieces, heed_error *error)
{
    for (size_t i = 0; i < pipeline->count; i++)
        HEED_TRY(pipeline->stages[i].kind->run(&pipeline->stages[i], pieces, error));
    return HEED_OK;
}

heed_status heed_stage_read_pattern(heed_stage *stage, const json_t *json, const char *where,
                                    heed_error *error)
{
    const json_t *pattern = json_object_get(json, "pattern"),
                 *regex = json_object_get(pattern, "Regex");
    const json_t *text = json_is_string(regex) ? regex : json_object_get(pattern, "String");
    if (!json_is_string(text))
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: %s: \"pattern\": expected {\"String\": ...} or {\"Regex\": ...}",
                         where, stage->kind->name);
    return heed_pattern_new(&stage->pattern, json_string_value(text), json_string_length(text),
                            text == regex, where, error);
}

heed_status heed_stage_read_text(heed_stage *stage, const json_t *json, const char *key,
                                 const char *where, heed_error *error)
{
    const json_t *text = json_object_get(json, key);
    if (!json_is_string(text))
        return heed_fail(error, HEED_E_FORMAT, "%s: %s: \"%s\": expected a string", where,
                         stage->kind->name, key);
    stage->length = json_string_length(text);
    stage->text = heed_allocate(stage->length + 1, 1);
    if (!stage->text) return heed_fail_memory(error, stage->length, key);
    memcpy(stage->text, json_string_value(text), stage->length);
    return HEED_OK;
}

heed_status heed_stage_read_character(heed_stage *stage, const json_t *json, const char *key,
                                      const char *where, heed_error *error)
{
    const json_t *text = json_object_get(json, key);
    if (!text || json_is_null(text)) return HEED_OK;
    size_t size = 0, length = json_is_string(text) ? json_string_length(text) : 0;
    if (length) stage->code_point = heed_utf8_at(json_string_value(text), 0, &size);
    if (!length || size != length)
        return heed_fail(error, HEED_E_FORMAT, "%s: %s: \"%s\": expected a string of one character",
                         where, stage->kind->name, key);
    return HEED_OK;
}

heed_status heed_stage_read_metaspace(heed_stage *stage, const json_t *json, const char *where,
                                      heed_error *error)
{
    static const char *const schemes[] = {"always", "first", "never"};
    bool add_prefix_space = true;
    const char *scheme = NULL;
    stage->code_point = 0x2581; /* U+2581, lower one eighth block */
    stage->split = true;
    HEED_TRY(heed_stage_read_character(stage, json, "replacement", where, error));
    HEED_TRY(heed_json_boolean(json, "add_prefix_space", &add_prefix_space, where, error));
    HEED_TRY(heed_json_boolean(json, "split", &stage->split, where, error));
    HEED_TRY(heed_json_string(json, "prepend_scheme", &scheme, where, error));
    stage->prepend_scheme = add_prefix_space ? HEED_PREPEND_ALWAYS : HEED_PREPEND_NEVER;
    for (int i = 0; scheme && i < 3; i++)
        if (!strcmp(schemes[i], scheme)) {
            stage->prepend_scheme = (heed_prepend_scheme)i;
            return HEED_OK;
        }
    if (scheme)
        return heed_fail(
            error, HEED_E_FORMAT,
            "%s: Metaspace: \"prepend_scheme\" is \"%s\", expected always, first or never", where,
            scheme);
    return HEED_OK;
}

/* Returns whether a byte stands for the character with its own number, as printable Latin-1 does.
   The other bytes stand, in order, for U+0100 and up. */
static bool stands_for_itself(uint32_t c)
{
    return (c >= '!' && c <= '~') || (c >= 0xA1 && c <= 0xAC) || (c >= 0xAE && c <= 0xFF);
}

uint32_t heed_byte_character(unsigned char byte)
{
    if (stands_for_itself(byte)) return byte;
    if (byte <= 0x20) return 0x100u + byte;
    if (byte <= 0xA0) return 0x121u + (byte - 0x7Fu);
    return 0x143u; /* the soft hyphen 0xAD */
}

int heed_character_byte(uint32_t c)
{
    if (c < 0x100) return stands_for_itself(c) ? (int)c : -1;
    if (c <= 0x120) return (int)(c - 0x100);
    if (c <= 0x142) return (int)(c - 0x121 + 0x7F);
    return c == 0x143 ? 0xAD : -1;
}

/* Rewrites a piece: every byte becomes its character. */
static heed_status bytes_to_characters(const void *stage, heed_rewriter *rewriter,
                                       heed_error *error)
{
    (void)stage, (void)error;
    while (rewriter->cursor < rewriter->length) {
        size_t at = rewriter->cursor, size = heed_utf8_size(rewriter->bytes[at]), run = at;
        while (run < rewriter->length && stands_for_itself((unsigned char)rewriter->bytes[run]) &&
               (unsigned char)rewriter->bytes[run] < 0x80)
            run++;
        if (run > at) heed_rewriter_copy(rewriter, run - at);
        else {
            heed_rewriter_replace(rewriter,
                                  heed_byte_character((unsigned char)rewriter->bytes[at]));
            for (size_t i = 1; i < size; i++)
                heed_rewriter_insert(rewriter,
                                     heed_byte_character((unsigned char)rewriter->bytes[at + i]));
        }
    }
    return HEED_OK;
}

heed_status heed_byte_level_rewrite(heed_pieces *pieces, heed_error *error)
{
    return heed_pieces_rewrite(pieces, bytes_to_characters, NULL, error);
}
