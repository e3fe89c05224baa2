/* class_build.c: what the class in "tokenizer_class" does in transformers (class_build.h). */
#include "text/class_build.h"

#include <string.h>

static const char mark[] = "\xe2\x96\x81"; /* U+2581, Metaspace's replacement for a space */

/* ---- which class is used ---- */

/* Model types for which AutoTokenizer ignores the class that the configuration names. */
static const char *const generic_models[] = {
    "arctic",    "fuyu",       "gpt_bigcode", "granite",    "granitemoe", "internlm2",
    "internlm3", "jamba",      "llava",       "llava_next", "minicpm3",   "minicpmv",
    "ministral", "ministral3", "mistral",     "mistral3",   "mixtral",    "nemotron",
    "olmo2",     "olmo3",      "openvla",     "persimmon",  "phi3",       "phi3_v",
    "phimoe",    "pixtral",    "stablelm",    "vipllava",   "voxtral"};

/* Returns whether `name` is a class, with or without "Fast" at its end. */
static bool is_class(const char *name, const char *class)
{
    size_t length = strlen(class);
    return !strncmp(name, class, length) && (!name[length] || !strcmp(name + length, "Fast"));
}

/* Returns whether a value contains a stage of a type. */
static bool has_type(const json_t *value, const char *type)
{
    const char *own = json_string_value(json_object_get(value, "type"));
    bool found = own && !strcmp(own, type);
    for (void *at = json_object_iter((json_t *)value); at && !found;
         at = json_object_iter_next((json_t *)value, at))
        found = has_type(json_object_iter_value(at), type);
    for (size_t i = 0; i < json_array_size(value) && !found; i++)
        found = has_type(json_array_get(value, i), type);
    return found;
}

/* Returns whether a section has a ByteLevel stage. */
static bool has_bytes(const json_t *json)
{
    return has_type(json_object_get(json, "normalizer"), "ByteLevel") ||
           has_type(json_object_get(json, "pre_tokenizer"), "ByteLevel") ||
           has_type(json_object_get(json, "decoder"), "ByteLevel") ||
           has_type(json_object_get(json, "post_processor"), "ByteLevel");
}

bool heed_class_is_generic(const json_t *config, const json_t *model, const json_t *json)
{
    const char *class = json_string_value(json_object_get(config, "tokenizer_class"));
    const char *kind = json_string_value(json_object_get(model, "model_type"));
    if (!class || !strncmp(class, "PreTrainedTokenizer", 19) ||
        is_class(class, "TokenizersBackend"))
        return true;
    for (size_t i = 0; kind && i < sizeof generic_models / sizeof *generic_models; i++)
        if (!strcmp(kind, generic_models[i])) return true;
    return is_class(class, "LlamaTokenizer") && has_bytes(json);
}

/* ---- what the class builds ---- */

/* How spaces become marks, if normalizer and pre-tokenizer do nothing else. The values say where a
   mark is put: before nothing, before each section between added tokens, or only before the
   text. */
typedef enum marking { MARK_NEVER, MARK_ALWAYS, MARK_FIRST, MARK_OTHERWISE } marking;

enum { MOST_STAGES = 4 };

typedef struct stages {
    const json_t *items[MOST_STAGES];
    size_t count; /* may be greater than MOST_STAGES, in which case only the first are kept */
} stages;

/* Lists the stages of a section, with those of a Sequence one by one. */
static void list_stages(const json_t *section, const char *list, stages *out)
{
    const json_t *inner = json_object_get(section, list);
    for (size_t i = 0; i < json_array_size(inner); i++)
        list_stages(json_array_get(inner, i), list, out);
    if (!json_is_object(section) || json_is_array(inner)) return;
    if (out->count < MOST_STAGES) out->items[out->count] = section;
    out->count++;
}

/* Returns whether a member is this string. */
static bool is_text(const json_t *object, const char *key, const char *text)
{
    const char *own = json_string_value(json_object_get(object, key));
    return own && !strcmp(own, text);
}

/* Returns whether a stage of this type searches for a space. */
static bool is_of_blanks(const json_t *stage, const char *type)
{
    return is_text(stage, "type", type) &&
           is_text(json_object_get(stage, "pattern"), "String", " ");
}

/* Returns what a Metaspace stage does. */
static marking marking_of_metaspace(const json_t *stage)
{
    const json_t *scheme = json_object_get(stage, "prepend_scheme");
    if (!is_text(stage, "type", "Metaspace") || !is_text(stage, "replacement", mark) ||
        !json_is_false(json_object_get(stage, "split")))
        return MARK_OTHERWISE;
    if (!scheme || is_text(stage, "prepend_scheme", "always")) return MARK_ALWAYS;
    if (is_text(stage, "prepend_scheme", "first")) return MARK_FIRST;
    return is_text(stage, "prepend_scheme", "never") ? MARK_NEVER : MARK_OTHERWISE;
}

/* Returns what tokenizer.json does. */
static marking marking_of_file(const json_t *json)
{
    stages normal = {0}, before = {0};
    list_stages(json_object_get(json, "normalizer"), "normalizers", &normal);
    list_stages(json_object_get(json, "pre_tokenizer"), "pretokenizers", &before);
    bool replaces = normal.count == 1 && is_of_blanks(normal.items[0], "Replace") &&
                    is_text(normal.items[0], "content", mark);
    if ((normal.count && !replaces) || before.count > 1) return MARK_OTHERWISE;
    if (before.count && !is_of_blanks(before.items[0], "Split"))
        return marking_of_metaspace(before.items[0]);
    return replaces ? MARK_NEVER : MARK_OTHERWISE; /* the Split finds no space any more */
}

/* Returns what the class does, MARK_OTHERWISE for a class of another kind. */
static marking marking_of_class(const json_t *config)
{
    const char *class = json_string_value(json_object_get(config, "tokenizer_class"));
    bool prefix = !json_is_false(json_object_get(config, "add_prefix_space"));
    if (!class) return MARK_OTHERWISE;
    if (is_class(class, "GemmaTokenizer")) return MARK_NEVER;
    if (!is_class(class, "LlamaTokenizer") && !is_class(class, "CodeLlamaTokenizer"))
        return MARK_OTHERWISE;
    if (!prefix) return MARK_NEVER;
    bool every = is_class(class, "LlamaTokenizer") &&
                 json_is_true(json_object_get(config, "legacy"));
    return every ? MARK_ALWAYS : MARK_FIRST;
}

bool heed_class_builds_others(const json_t *config, const json_t *json)
{
    marking built = marking_of_class(config);
    return built != MARK_OTHERWISE && built != marking_of_file(json);
}
