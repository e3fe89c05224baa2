/* load_files.c: builds a tokenizer.json from the older forms of a tokenizer, as the class of
   transformers would (recipe.h). */
#include "text/text_internal.h"

#include "base/file.h"
#include "base/lines.h"
#include "text/recipe.h"
#include <stdlib.h>
#include <string.h>

enum { MOST_EXTRA_IDS = 10000 };

/* The recipe of a tokenizer_class without "Fast" or, if there is no tokenizer_config.json, of the
   model_type in config.json. */
static const struct {
    const char *name;
    const heed_recipe *recipe;
} classes[] = {
    {"GPT2Tokenizer", &heed_recipe_gpt2},
    {"CodeGenTokenizer", &heed_recipe_gpt2},
    {"GPTNeoXTokenizer", &heed_recipe_gpt2},
    {"WhisperTokenizer", &heed_recipe_gpt2},
    {"PreTrainedTokenizer", &heed_recipe_gpt2},
    {"RobertaTokenizer", &heed_recipe_roberta},
    {"BartTokenizer", &heed_recipe_roberta},
    {"LongformerTokenizer", &heed_recipe_roberta},
    {"LEDTokenizer", &heed_recipe_roberta},
    {"MvpTokenizer", &heed_recipe_roberta},
    {"Qwen2Tokenizer", &heed_recipe_qwen2},
    {"CLIPTokenizer", &heed_recipe_clip},
    {"BertTokenizer", &heed_recipe_bert},
    {"DistilBertTokenizer", &heed_recipe_bert},
    {"ElectraTokenizer", &heed_recipe_bert},
    {"MobileBertTokenizer", &heed_recipe_bert},
    {"ConvBertTokenizer", &heed_recipe_bert},
    {"FunnelTokenizer", &heed_recipe_bert},
    {"LayoutLMTokenizer", &heed_recipe_bert},
    {"LxmertTokenizer", &heed_recipe_bert},
    {"SqueezeBertTokenizer", &heed_recipe_bert},
    {"ByT5Tokenizer", &heed_recipe_byt5},
    {"PerceiverTokenizer", &heed_recipe_perceiver},
    {"CanineTokenizer", &heed_recipe_canine},
    {"EsmTokenizer", &heed_recipe_esm},
    {"Wav2Vec2CTCTokenizer", &heed_recipe_wav2vec2},
    {"perceiver", &heed_recipe_perceiver},
    {"canine", &heed_recipe_canine},
    {"esm", &heed_recipe_esm},
    {"wav2vec2", &heed_recipe_wav2vec2},
    {"FSMTTokenizer", &heed_recipe_fsmt},
};

/* Returns the recipe of a class or model type, NULL if there is none. */
static const heed_recipe *recipe_named(const char *name)
{
    size_t length = strlen(name);
    if (length > 4 && !strcmp(name + length - 4, "Fast")) length -= 4;
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strlen(classes[i].name) == length && !memcmp(classes[i].name, name, length))
            return classes[i].recipe;
    return NULL;
}

const char *heed_class_special(const char *name, heed_special part)
{
    bool generic = !strncmp(name, "PreTrainedTokenizer", 19);
    const heed_recipe *recipe = generic ? NULL : recipe_named(name);
    return recipe && !recipe->named_only ? recipe->specials[part] : NULL;
}

bool heed_class_is_slow(const char *name)
{
    const heed_recipe *recipe = recipe_named(name);
    return recipe && recipe->named_only;
}

/* ---- lines of text files ---- */

typedef heed_status line_reader(heed_source *s, const char *line, size_t length, size_t number);

/* Calls `reader` for every line, blank ones included. */
static heed_status read_lines(heed_source *s, const char *path, line_reader *reader)
{
    heed_line_file *file = NULL;
    heed_status status = heed_line_file_open(&file, path, s->error);
    for (bool found = true; status == HEED_OK && found;) {
        heed_text line;
        status = heed_line_file_next(file, &line, &found, s->error);
        if (status == HEED_OK && found)
            status = reader(s, line.bytes, line.length, heed_line_file_number(file) - 1);
    }
    heed_line_file_close(file);
    return status;
}

/* Adds the token of line `number` of vocab.txt. */
static heed_status read_token_line(heed_source *s, const char *line, size_t length, size_t number)
{
    if (json_object_setn_new(s->vocabulary, line, length, json_integer((json_int_t)number)))
        return heed_fail_memory(s->error, length, "the vocabulary");
    return HEED_OK;
}

/* Adds the merge of a line of merges.txt. */
static heed_status read_merge_line(heed_source *s, const char *line, size_t length, size_t number)
{
    (void)number;
    if (length == 0 || (length >= 8 && !memcmp(line, "#version", 8))) return HEED_OK;
    /* merges of fairseq end in a count */
    const char *first = s->recipe->files == HEED_FILES_PAIR ? memchr(line, ' ', length) : NULL;
    const char *second = first ? memchr(first + 1, ' ', length - (size_t)(first + 1 - line)) : NULL;
    if (second) length = (size_t)(second - line);
    return json_array_append_new(s->merges, json_stringn(line, length))
               ? heed_fail_memory(s->error, length, "the merges")
               : HEED_OK;
}

/* ---- special tokens ---- */

/* Returns what "added_tokens_decoder" says about a token, NULL if it does not list it. */
static const json_t *description(const heed_source *s, const char *content)
{
    const char *key;
    json_t *token;
    json_object_foreach(json_object_get(s->config, "added_tokens_decoder"), key, token)
    {
        const char *spelled = json_string_value(json_object_get(token, "content"));
        if (spelled && !strcmp(spelled, content)) return token;
    }
    return NULL;
}

/* Returns whether a list of the configuration contains this content. */
static bool lists(const heed_source *s, const char *key, const char *content)
{
    const json_t *list = json_object_get(s->config, key);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *named = json_string_value(json_array_get(list, i));
        if (named && !strcmp(named, content)) return true;
    }
    return false;
}

/* Returns whether a class in Python treats a token as special. */
static bool is_named(const heed_source *s, const char *content)
{
    for (int part = 0; part < HEED_SPECIAL_COUNT; part++) {
        const char *named = heed_source_special(s, (heed_special)part);
        if (named && !strcmp(named, content)) return !(s->recipe->keeps_pad && part == HEED_PAD);
    }
    return lists(s, "extra_special_tokens", content) ||
           lists(s, "additional_special_tokens", content);
}

/* Appends an added token with the flags in `described` (NULL for none). `content` is a JSON string,
   which may contain U+0000. */
static int append_token(const heed_source *s, json_t *list, const json_t *described,
                        const json_t *content, bool special, bool lstrip)
{
    json_t *token = json_object();
    int failed = json_is_object(described) ? json_object_update(token, (json_t *)described) : 0;
    failed |= json_object_set(token, "content", (json_t *)content);
    if (!json_object_get(token, "lstrip"))
        failed |= json_object_set_new(token, "lstrip", json_boolean(lstrip));
    if (s->recipe->named_only)
        failed |= json_object_set_new(token, "special",
                                      json_boolean(is_named(s, json_string_value(content)))) |
                  json_object_set_new(token, "normalized", json_false());
    else if (!json_object_get(token, "special"))
        failed |= json_object_set_new(token, "special", json_boolean(special));
    json_object_del(token, "id");
    return failed | json_array_append_new(list, token);
}

/* Appends the tokens of "added_tokens_decoder" in order of id. */
static int append_described(const heed_source *s, json_t *list, const json_t *described)
{
    int failed = 0;
    json_t *sorted = json_array();
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)described, key, value)
    {
        size_t at = json_array_size(sorted);
        while (at > 0 &&
               strtol(json_string_value(json_array_get(json_array_get(sorted, at - 1), 0)), NULL,
                      10) > strtol(key, NULL, 10))
            at--;
        failed |= json_array_insert_new(sorted, at, json_pack("[s, O]", key, value));
    }
    for (size_t i = 0; i < json_array_size(sorted); i++) {
        const json_t *token = json_array_get(json_array_get(sorted, i), 1),
                     *content = json_object_get(token, "content");
        if (json_is_string(content)) failed |= append_token(s, list, token, content, false, false);
    }
    json_decref(sorted);
    return failed;
}

/* Appends the tokens that a class has in addition to those of its configuration. */
static int append_implied(const heed_source *s, json_t *list)
{
    int failed = 0;
    const char *spelled;
    json_t *id;
    if (s->recipe->all_added) json_object_foreach(s->vocabulary, spelled, id)
        {
            json_t *content = json_string(spelled);
            failed |= !content || append_token(s, list, NULL, content, false, false);
            json_decref(content);
        }
    const json_t *count = json_object_get(s->config, "extra_ids");
    json_int_t extra = json_is_integer(count) ? json_integer_value(count) : s->recipe->extra_ids;
    /* a configuration with "added_tokens_decoder" lists them itself */
    if (!s->recipe->extra_ids || json_object_get(s->config, "added_tokens_decoder")) extra = 0;
    for (int i = 0; i < extra && i < MOST_EXTRA_IDS; i++)
        failed |= json_array_append_new(
            list,
            json_pack("{s:o, s:b}", "content", json_sprintf("<extra_id_%d>", i), "special", true));
    return failed;
}

/* Builds the section "added_tokens". */
static json_t *make_added_tokens(const heed_source *s)
{
    static const heed_special order[] = {HEED_BOS, HEED_EOS, HEED_UNK, HEED_SEP,
                                         HEED_PAD, HEED_CLS, HEED_MASK};
    json_t *list = json_array();
    int failed = !list;
    /* a vocabulary without a configuration names no special tokens */
    if (!s->config && !s->recipe->named_only) return list;
    const json_t *described = json_object_get(s->config, "added_tokens_decoder");
    failed |= append_implied(s, list);
    if (json_is_object(described)) failed |= append_described(s, list, described);
    for (size_t i = 0; i < HEED_SPECIAL_COUNT && !failed; i++) {
        const char *spelled = heed_source_special(s, order[i]);
        const json_t *named = json_object_get(s->config, heed_special_names[order[i]]);
        if (!spelled || !*spelled) continue; /* a token with U+0000 is in "added_tokens_decoder" */
        json_t *content = json_string(spelled);
        failed |= !content ||
                  append_token(s, list, json_is_object(named) ? named : description(s, spelled),
                               content, true, s->recipe->mask_strips && order[i] == HEED_MASK);
        json_decref(content);
    }
    if (!failed) return list;
    json_decref(list);
    return NULL;
}

/* Fails if the vocabulary lacks a special token that the post-processor uses. */
static heed_status check_specials(const heed_source *s)
{
    for (int place = 0; place < 2; place++) {
        heed_special part = place ? s->recipe->after : s->recipe->before;
        if (!heed_source_brackets(s, place)) continue;
        const char *content = heed_source_special(s, part);
        if (!(content && json_is_integer(json_object_get(s->vocabulary, content))))
            return heed_fail(s->error, HEED_E_FORMAT,
                             "%s: the vocabulary lacks the special token \"%.80s\" (%s)", s->where,
                             content ? content : "", heed_special_names[part]);
    }
    return HEED_OK;
}

/* Builds tokenizer.json. */
static heed_status assemble(const heed_source *s, json_t **result)
{
    heed_sections made = {0};
    HEED_TRY(check_specials(s));
    HEED_TRY(s->recipe->build(s, &made));
    json_t *added = make_added_tokens(s);
    /* json_pack releases every "o" member if one of them is NULL. */
    *result = json_pack("{s:s, s:n, s:n, s:o, s:o, s:o, s:o, s:o, s:o}", "version", "1.0",
                        "truncation", "padding", "added_tokens", added, "normalizer",
                        made.normalizer, "pre_tokenizer", made.pre_tokenizer, "post_processor",
                        made.post_processor, "decoder", made.decoder, "model", made.model);
    return *result ? HEED_OK : heed_fail_memory(s->error, 1 << 20, "the tokenizer");
}

/* ---- finding the files ---- */

typedef struct {
    char *vocab_json, *merges_txt, *vocab_txt, *config_json, *source_json, *target_json;
} paths;

static bool has_files(const paths *p, heed_recipe_files files)
{
    switch (files) {
    case HEED_FILES_MERGES:
        return heed_path_exists(p->vocab_json) && heed_path_exists(p->merges_txt);
    case HEED_FILES_LINES: return heed_path_exists(p->vocab_txt);
    case HEED_FILES_PAIR:
        return heed_path_exists(p->source_json) && heed_path_exists(p->target_json) &&
               heed_path_exists(p->merges_txt);
    case HEED_FILES_TABLE: return heed_path_exists(p->vocab_json);
    case HEED_FILES_NONE: return true;
    }
    return false;
}

/* Finds the recipe: by the class, by the model type if that needs no class, or else by the files
   that exist. */
static heed_status find_recipe(heed_source *s, const paths *p)
{
    const char *name = json_string_value(json_object_get(s->config, "tokenizer_class"));
    bool any = has_files(p, HEED_FILES_MERGES) || has_files(p, HEED_FILES_LINES);
    if (name) s->recipe = recipe_named(name);
    else if (!s->config && heed_path_exists(p->config_json)) {
        json_t *config = NULL;
        HEED_TRY(heed_json_read(&config, p->config_json, s->error));
        const char *kind = json_string_value(json_object_get(config, "model_type"));
        s->recipe = kind ? recipe_named(kind) : NULL;
        json_decref(config);
    }
    if (s->recipe && has_files(p, s->recipe->files)) return HEED_OK;
    if (name && (any || !s->recipe))
        return heed_fail(
            s->error, HEED_E_UNSUPPORTED,
            "%s: a tokenizer of class \"%.80s\" is not supported without a tokenizer.json",
            s->where, name);
    if (!any)
        return heed_fail(s->error, HEED_E_IO,
                         "%s: no tokenizer here; expected tokenizer.json, or vocab.json and "
                         "merges.txt, or vocab.txt",
                         s->where);
    s->recipe = has_files(p, HEED_FILES_MERGES) ? &heed_recipe_gpt2 : &heed_recipe_bert;
    return HEED_OK;
}

/* Reads an object of ids from a file. */
static heed_status read_table(const heed_source *s, const char *path, json_t **table)
{
    HEED_TRY(heed_json_read(table, path, s->error));
    return json_is_object(*table)
               ? HEED_OK
               : heed_fail(s->error, HEED_E_FORMAT, "%s: expected an object of ids", path);
}

/* Finds the recipe and reads its files. */
static heed_status read_vocabulary(heed_source *s, const paths *p)
{
    HEED_TRY(find_recipe(s, p));
    if (s->recipe->files == HEED_FILES_NONE) return s->recipe->vocabulary(s);
    if (s->recipe->files == HEED_FILES_LINES) {
        s->vocabulary = json_object();
        return s->vocabulary ? read_lines(s, p->vocab_txt, read_token_line)
                             : heed_fail_memory(s->error, 1024, "the vocabulary");
    }
    bool pair = s->recipe->files == HEED_FILES_PAIR;
    HEED_TRY(read_table(s, pair ? p->source_json : p->vocab_json, &s->vocabulary));
    if (pair) HEED_TRY(read_table(s, p->target_json, &s->target));
    if (json_equal(s->target, s->vocabulary)) {
        json_decref(s->target);
        s->target = NULL;
    }
    if (s->recipe->files == HEED_FILES_TABLE) return HEED_OK;
    s->merges = json_array();
    return s->merges ? read_lines(s, p->merges_txt, read_merge_line)
                     : heed_fail_memory(s->error, 1024, "the merges");
}

/* Adds to the configuration the class's special tokens that it does not mention. */
static heed_status complete_config(const heed_source *s, json_t **config)
{
    int failed = 0;
    /* a vocabulary without a configuration names none */
    if (!s->config && !s->recipe->named_only) return HEED_OK;
    if (!*config) *config = json_object();
    for (int part = 0; part < HEED_SPECIAL_COUNT; part++)
        if (s->recipe->specials[part] && !json_object_get(*config, heed_special_names[part]))
            failed |= json_object_set_new(*config, heed_special_names[part],
                                          json_string(s->recipe->specials[part]));
    return failed || !*config ? heed_fail_memory(s->error, 1024, "the tokenizer's configuration")
                              : HEED_OK;
}

heed_status heed_tokenizer_json_from_files(json_t **json, const char *folder, json_t **config,
                                           heed_error *error)
{
    heed_source s = {.config = *config, .where = folder, .error = error};
    paths p = {heed_path_join(folder, "vocab.json"),     heed_path_join(folder, "merges.txt"),
               heed_path_join(folder, "vocab.txt"),      heed_path_join(folder, "config.json"),
               heed_path_join(folder, "vocab-src.json"), heed_path_join(folder, "vocab-tgt.json")};
    bool found = p.vocab_json && p.merges_txt && p.vocab_txt && p.config_json && p.source_json &&
                 p.target_json;
    heed_status status = found ? read_vocabulary(&s, &p)
                               : heed_fail_memory(error, strlen(folder), "a path");
    if (status == HEED_OK) status = assemble(&s, json);
    if (status == HEED_OK) status = complete_config(&s, config);
    json_decref(s.vocabulary);
    json_decref(s.merges);
    json_decref(s.target);
    free(p.vocab_json);
    free(p.merges_txt);
    free(p.vocab_txt);
    free(p.config_json);
    free(p.source_json);
    free(p.target_json);
    return status;
}
