/* read_gguf.c: reads the vocabulary of a GGUF file for heed_tokenizer_from_gguf. */
#include "base/memory.h"
#include "io/gguf.h"
#include "io/sentencepiece.h"
#include "text/text_internal.h"

#include <stdlib.h>
#include <string.h>

/* What reading needs. The arena owns the copies and is freed after the call. */
typedef struct {
    const heed_gguf *file;
    heed_arena *arena;
    heed_error *error;
} source;

static heed_status fail_memory(const source *s, size_t count)
{
    return heed_fail_memory(s->error, count * sizeof(heed_gguf_string), "the vocabulary");
}

/* Copies a string with a NUL. *text stays as it is if the file lacks the key. */
static heed_status read_text(const source *s, const char *key, const char **text)
{
    const char *bytes = NULL;
    size_t length = 0;
    HEED_TRY(heed_gguf_text(s->file, key, &bytes, &length, s->error));
    if (!bytes) return HEED_OK;
    char *copy = heed_arena_take(s->arena, length + 1, 1);
    if (!copy) return fail_memory(s, length);
    memcpy(copy, bytes, length);
    *text = copy;
    return HEED_OK;
}

/* Finds an array of strings or of numbers. *entry is NULL if the file lacks the key. */
static heed_status find_array(const source *s, const char *key, bool strings,
                              const heed_gguf_entry **entry)
{
    *entry = heed_gguf_entry_find(s->file, key);
    if (!*entry || ((*entry)->is_array && ((*entry)->type == HEED_GGUF_STRING) == strings))
        return HEED_OK;
    return heed_fail(s->error, HEED_E_FORMAT, "%s: entry \"%s\": expected an array of %s",
                     heed_gguf_where(s->file), key, strings ? "strings" : "numbers");
}

static heed_status read_strings(const source *s, const char *key, const heed_gguf_string **strings,
                                size_t *count)
{
    const heed_gguf_entry *entry;
    HEED_TRY(find_array(s, key, true, &entry));
    if (!entry) return HEED_OK;
    heed_gguf_string *list = heed_arena_take(s->arena, entry->count + 1, sizeof *list);
    if (!list) return fail_memory(s, entry->count);
    for (size_t i = 0; i < entry->count; i++)
        list[i].bytes = heed_gguf_string_at(entry, i, &list[i].length);
    *strings = list;
    *count = entry->count;
    return HEED_OK;
}

/* Reads scores or types, of which the file has one per token, or none. */
static heed_status read_numbers(const source *s, const char *key, size_t count,
                                const float **scores, const int32_t **types)
{
    const heed_gguf_entry *entry;
    HEED_TRY(find_array(s, key, false, &entry));
    if (!entry) return HEED_OK;
    if (entry->count != count)
        return heed_fail(s->error, HEED_E_FORMAT,
                         "%s: entry \"%s\" has %zu elements, expected one for each of %zu tokens",
                         heed_gguf_where(s->file), key, entry->count, count);
    float *numbers = scores ? heed_arena_take(s->arena, count + 1, sizeof *numbers) : NULL;
    int32_t *integers = types ? heed_arena_take(s->arena, count + 1, sizeof *integers) : NULL;
    if (!numbers && !integers) return fail_memory(s, count);
    for (size_t i = 0; i < count; i++) {
        if (numbers) numbers[i] = (float)heed_gguf_number_at(entry, i);
        else integers[i] = (int32_t)heed_gguf_integer_at(entry, i);
    }
    if (scores) *scores = numbers;
    else *types = integers;
    return HEED_OK;
}

/* Reads a boolean: 0 or 1, or -1 if the file lacks the key. */
static heed_status read_flag(const source *s, const char *key, int *flag)
{
    bool value = false;
    *flag = -1;
    if (!heed_gguf_entry_find(s->file, key)) return HEED_OK;
    HEED_TRY(heed_gguf_boolean(s->file, key, &value, s->error));
    *flag = value;
    return HEED_OK;
}

/* Reads how a vocabulary of kind "t5" normalizes text. */
static heed_status read_rules(const source *s, heed_gguf_vocabulary *v)
{
    int extra = -1;
    const heed_gguf_entry *entry;
    HEED_TRY(read_flag(s, "tokenizer.ggml.remove_extra_whitespaces", &extra));
    HEED_TRY(find_array(s, "tokenizer.ggml.precompiled_charsmap", false, &entry));
    heed_sentencepiece_rules *rules = heed_arena_take(s->arena, 1, sizeof *rules);
    const size_t count = entry ? entry->count : 0;
    char *charsmap = heed_arena_take(s->arena, count + 1, 1);
    if (!rules || !charsmap) return fail_memory(s, count);
    for (size_t i = 0; i < count; i++) charsmap[i] = (char)heed_gguf_integer_at(entry, i);
    *rules = (heed_sentencepiece_rules){.charsmap = {charsmap, count},
                                        .add_dummy_prefix = v->add_space_prefix == 1,
                                        .remove_extra_whitespaces = extra == 1,
                                        .escape_whitespaces = true};
    v->rules = rules;
    return HEED_OK;
}

static heed_status read_specials(const source *s, heed_gguf_vocabulary *v)
{
    static const char *const keys[HEED_SPECIAL_COUNT] = {
        [HEED_BOS] = "bos",     [HEED_EOS] = "eos", [HEED_PAD] = "padding",
        [HEED_UNK] = "unknown", [HEED_CLS] = "cls", [HEED_SEP] = "seperator",
        [HEED_MASK] = "mask"};
    for (int i = 0; i < HEED_SPECIAL_COUNT; i++) {
        char key[64];
        snprintf(key, sizeof key, "tokenizer.ggml.%s_token_id", keys[i]);
        v->special[i] = -1;
        HEED_TRY(heed_gguf_integer(s->file, key, &v->special[i], s->error));
        if (v->special[i] < 0 || (size_t)v->special[i] >= v->token_count) v->special[i] = -1;
    }
    return HEED_OK;
}

/* Reads the templates with names. */
static heed_status read_templates(const source *s, heed_gguf_vocabulary *v)
{
    static const char prefix[] = "tokenizer.chat_template.";
    size_t entries = heed_gguf_entry_count(s->file), length = sizeof prefix - 1;
    heed_gguf_template *list = heed_arena_take(s->arena, entries + 1, sizeof *list);
    if (!list) return fail_memory(s, entries);
    for (size_t i = 0; i < entries; i++) {
        const heed_gguf_entry *entry = heed_gguf_entry_at(s->file, i);
        bool is_named = strncmp(entry->key, prefix, length) == 0 && entry->key[length];
        if (!is_named || entry->is_array || entry->type != HEED_GGUF_STRING) continue;
        heed_gguf_template *one = &list[v->template_count++];
        one->name = entry->key + length;
        one->text.bytes = heed_gguf_string_at(entry, 0, &one->text.length);
    }
    v->templates = list;
    return HEED_OK;
}

static heed_status read_vocabulary(const source *s, heed_gguf_vocabulary *v)
{
    HEED_TRY(read_text(s, "tokenizer.ggml.model", &v->model));
    HEED_TRY(read_text(s, "tokenizer.ggml.pre", &v->pre));
    HEED_TRY(read_text(s, "tokenizer.chat_template", &v->chat_template));
    HEED_TRY(read_templates(s, v));
    HEED_TRY(read_strings(s, "tokenizer.ggml.tokens", &v->tokens, &v->token_count));
    HEED_TRY(read_strings(s, "tokenizer.ggml.merges", &v->merges, &v->merge_count));
    HEED_TRY(read_numbers(s, "tokenizer.ggml.scores", v->token_count, &v->scores, NULL));
    HEED_TRY(read_numbers(s, "tokenizer.ggml.token_type", v->token_count, NULL, &v->types));
    HEED_TRY(read_flag(s, "tokenizer.ggml.add_bos_token", &v->add_bos));
    HEED_TRY(read_flag(s, "tokenizer.ggml.add_eos_token", &v->add_eos));
    HEED_TRY(read_flag(s, "tokenizer.ggml.add_space_prefix", &v->add_space_prefix));
    if (!v->model || !v->tokens)
        return heed_fail(s->error, HEED_E_FORMAT,
                         "%s: no tokenizer here; expected the entries tokenizer.ggml.model and "
                         "tokenizer.ggml.tokens",
                         heed_gguf_where(s->file));
    if (!strcmp(v->model, "t5")) HEED_TRY(read_rules(s, v));
    return read_specials(s, v);
}

heed_status heed_tokenizer_load_gguf(heed_tokenizer **tokenizer, const char *path,
                                     heed_error *error)
{
    heed_gguf *file = NULL;
    heed_gguf_vocabulary vocabulary = {0};
    HEED_TRY(heed_gguf_open(&file, path, error));
    source s = {.file = file, .arena = heed_arena_new(), .error = error};
    heed_status status = s.arena ? read_vocabulary(&s, &vocabulary) : fail_memory(&s, 1);
    if (status == HEED_OK) status = heed_tokenizer_from_gguf(tokenizer, &vocabulary, path, error);
    heed_arena_free(s.arena);
    heed_gguf_close(file);
    return status;
}
