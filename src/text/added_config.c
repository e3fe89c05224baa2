/* added_config.c: adds the tokens that tokenizer_config.json and its neighbors define, and notes
   the keys of the configuration that heed ignores (added_config.h). */
#include "text/added_config.h"

#include "text/class_build.h"
#include "text/text_internal.h"
#include "text/recipe.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static heed_status fail_memory(heed_error *error)
{
    return heed_fail_memory(error, 4096, "the added tokens");
}

/* ---- merging the two configurations ---- */

/* Copies all members. Returns false if out of memory, which jansson's own functions do not
   report. */
static bool copy_members(json_t *to, json_t *from)
{
    for (void *at = json_object_iter(from); at; at = json_object_iter_next(from, at))
        if (json_object_set_nocheck(to, json_object_iter_key(at), json_object_iter_value(at)) != 0)
            return false;
    return true;
}

/* Returns whether the configuration has "added_tokens_decoder". */
static bool is_described(const json_t *config)
{
    return json_is_object(json_object_get(config, "added_tokens_decoder"));
}

/* Returns whether "added_tokens_decoder" contains a token with this content. */
static bool describes(const json_t *config, const char *content)
{
    const json_t *decoder = json_object_get(config, "added_tokens_decoder");
    for (void *at = json_object_iter((json_t *)decoder); at;
         at = json_object_iter_next((json_t *)decoder, at)) {
        const char *own = json_string_value(json_object_get(json_object_iter_value(at), "content"));
        if (own && strcmp(own, content) == 0) return true;
    }
    return false;
}

/* Copies from the map the roles that the configuration does not name, if it describes their
   tokens. */
static bool copy_parts(json_t *merged, const json_t *map)
{
    for (int part = 0; part < HEED_SPECIAL_COUNT; part++) {
        const char *key = heed_special_names[part],
                   *content = heed_special_content(map, (heed_special)part);
        bool wanted = content && !json_object_get(merged, key) && describes(merged, content);
        if (wanted && json_object_set(merged, key, json_object_get(map, key)) != 0) return false;
    }
    return true;
}

heed_status heed_folder_config_merge(const heed_folder_config *files, json_t **merged,
                                     heed_error *error)
{
    *merged = NULL;
    if (!files->config && !files->map) return HEED_OK;
    *merged = json_object();
    bool made = *merged && (!files->config || copy_members(*merged, files->config));
    if (made && files->map)
        made = is_described(files->config) ? copy_parts(*merged, files->map)
                                           : copy_members(*merged, files->map);
    if (made) return HEED_OK;
    json_decref(*merged);
    *merged = NULL;
    return fail_memory(error);
}

/* ---- tokens of "added_tokens_decoder" and added_tokens.json ---- */

/* A token with its id. */
typedef struct described {
    int64_t id;
    json_t *token;
} described; /* the token is owned */
typedef struct described_list {
    described *items;
    size_t count;
} described_list;

static void list_free(described_list *list)
{
    for (size_t i = 0; i < list->count; i++) json_decref(list->items[i].token);
    free(list->items);
}

static int by_id(const void *a, const void *b)
{
    const described *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

static bool has_content(const json_t *token)
{
    return json_is_string(json_object_get(token, "content"));
}

/* Returns the id that a key such as "50257" spells, -1 if it spells none. */
static int64_t id_of(const char *key)
{
    char *end;
    errno = 0;
    long long id = strtoll(key, &end, 10);
    return errno || end == key || *end || id < 0 ? -1 : id;
}

/* Lists the tokens of "added_tokens_decoder": {"50257": {"content": ...}, ...}. */
static bool list_decoder(const json_t *decoder, described_list *list, heed_buffer *notes)
{
    list->items = calloc(json_object_size(decoder) + 1, sizeof *list->items);
    if (!list->items) return false;
    for (void *at = json_object_iter((json_t *)decoder); at;
         at = json_object_iter_next((json_t *)decoder, at)) {
        const char *key = json_object_iter_key(at);
        json_t *token = json_object_iter_value(at);
        if (id_of(key) >= 0 && has_content(token))
            list->items[list->count++] = (described){id_of(key), json_incref(token)};
        else
            heed_buffer_printf(notes,
                               "tokenizer_config.json: \"added_tokens_decoder\": the entry "
                               "\"%.40s\" is not the id "
                               "of a token with \"content\": it is passed over\n",
                               key);
    }
    return true;
}

/* Returns whether the configuration names this content for a role. */
static bool is_part(const json_t *config, const char *content)
{
    for (int part = 0; part < HEED_SPECIAL_COUNT; part++) {
        const char *named = heed_special_content(config, (heed_special)part);
        if (named && strcmp(named, content) == 0) return true;
    }
    return false;
}

/* Returns whether the configuration names this content for a role or in its list of special
   tokens. */
static bool is_named(const json_t *config, const char *content)
{
    const json_t *extra = json_object_get(config, "extra_special_tokens");
    if (is_part(config, content)) return true;
    if (!json_is_array(extra)) extra = json_object_get(config, "additional_special_tokens");
    for (size_t i = 0; i < json_array_size(extra); i++) {
        const json_t *one = json_array_get(extra, i);
        const char *named = json_string_value(json_is_object(one) ? json_object_get(one, "content")
                                                                  : one);
        if (named && strcmp(named, content) == 0) return true;
    }
    return false;
}

static bool has_id(const json_t *tokens, int64_t id)
{
    for (size_t i = 0; i < json_array_size(tokens); i++) {
        const json_t *own = json_object_get(json_array_get(tokens, i), "id");
        if (json_is_integer(own) && json_integer_value(own) == id) return true;
    }
    return false;
}

/* Lists the tokens of added_tokens.json, without those whose id a token of tokenizer.json has. */
static bool list_added(const json_t *added, const json_t *config, const json_t *tokens,
                       described_list *list)
{
    list->items = calloc(json_object_size(added) + 1, sizeof *list->items);
    if (!list->items) return false;
    for (void *at = json_object_iter((json_t *)added); at;
         at = json_object_iter_next((json_t *)added, at)) {
        const char *content = json_object_iter_key(at);
        const json_t *id = json_object_iter_value(at);
        bool special = is_named(config, content);
        if (!json_is_integer(id) || has_id(tokens, json_integer_value(id))) continue;
        json_t *token = json_pack("{s:s, s:b, s:b}", "content", content, "special", special,
                                  "normalized", !special);
        if (!token) return false;
        list->items[list->count++] = (described){json_integer_value(id), token};
    }
    return true;
}

/* Copies a token. It becomes special if it has a role, whatever its flags say. A new reference;
   NULL if out of memory. */
static json_t *as_part(const json_t *config, const json_t *token)
{
    json_t *copy = json_object();
    bool made = copy && copy_members(copy, (json_t *)token);
    if (made && is_part(config, json_string_value(json_object_get(token, "content"))))
        made = json_object_set_new(copy, "special", json_true()) == 0;
    if (made) return copy;
    json_decref(copy);
    return NULL;
}

/* Puts the list before the tokens, or after them. */
static bool put_list(json_t *tokens, const json_t *config, const described_list *list, bool front)
{
    for (size_t i = 0; i < list->count; i++) {
        json_t *token = as_part(config, list->items[i].token);
        int failed = front ? json_array_insert_new(tokens, i, token)
                           : json_array_append_new(tokens, token);
        if (failed) return false;
    }
    return true;
}

/* Adds the tokens of "added_tokens_decoder" or added_tokens.json. */
static bool add_described(const heed_folder_config *files, const json_t *merged, bool from_files,
                          json_t *tokens, heed_buffer *notes)
{
    described_list list = {0};
    bool decoder = is_described(files->config), made = true;
    if (decoder && from_files) return true; /* they are in `tokens` already */
    if (decoder)
        made = list_decoder(json_object_get(files->config, "added_tokens_decoder"), &list, notes);
    else if (json_is_object(files->added))
        made = list_added(files->added, merged, from_files ? NULL : tokens, &list);
    if (list.count) qsort(list.items, list.count, sizeof *list.items, by_id);
    made = made && put_list(tokens, merged, &list, from_files);
    list_free(&list);
    return made;
}

/* ---- tokens that the configuration names ---- */

static bool is_there(const json_t *tokens, const json_t *content)
{
    for (size_t i = 0; i < json_array_size(tokens); i++)
        if (json_equal(json_object_get(json_array_get(tokens, i), "content"), content)) return true;
    return false;
}

/* Adds a token, which is a string or an object with "content" and flags, unless it is there. A
   token with a name of its own is special whatever its flags say. */
static bool add_one(json_t *tokens, const json_t *token, bool named)
{
    const json_t *content = json_is_object(token) ? json_object_get(token, "content") : token;
    if (!json_is_string(content) || is_there(tokens, content)) return true;
    json_t *copy = json_object();
    bool made = copy && (!json_is_object(token) || copy_members(copy, (json_t *)token)) &&
                json_object_set(copy, "content", (json_t *)content) == 0;
    bool special = named || json_is_string(token);
    if (made && special) made = json_object_set_new(copy, "special", json_true()) == 0;
    if (made) return json_array_append_new(tokens, copy) == 0;
    json_decref(copy);
    return false;
}

/* Adds the token of a role, which the configuration, the padding section or the class names. */
static bool add_part(json_t *tokens, const json_t *config, const json_t *json, heed_special part)
{
    const json_t *named = json_object_get(config, heed_special_names[part]);
    const json_t *padding = json_object_get(json_object_get(json, "padding"), "pad_token");
    const char *class = json_string_value(json_object_get(config, "tokenizer_class"));
    const char *usual = class ? heed_class_special(class, part) : NULL;
    if (named) return add_one(tokens, named, true);
    if (part == HEED_PAD && padding) return add_one(tokens, padding, true);
    if (!usual) return true;
    json_t *string = json_string(usual);
    bool made = string && add_one(tokens, string, true);
    json_decref(string);
    return made;
}

/* Returns whether a member names a special token of this model only, such as "image_token". */
static bool is_own_part(const char *key, const json_t *value)
{
    size_t length = strlen(key);
    for (int part = 0; part < HEED_SPECIAL_COUNT; part++)
        if (!strcmp(key, heed_special_names[part])) return false;
    return json_is_string(value) && length >= 6 && !strcmp(key + length - 6, "_token");
}

/* Adds all tokens that the configuration names, in the order in which transformers does. */
static bool add_named(json_t *tokens, const json_t *config, const json_t *json)
{
    static const heed_special order[] = {HEED_BOS, HEED_EOS, HEED_UNK, HEED_SEP,
                                         HEED_PAD, HEED_CLS, HEED_MASK};
    const json_t *extra = json_object_get(config, "extra_special_tokens");
    bool lists = (json_is_array(extra) && json_array_size(extra)) || json_is_object(extra);
    const json_t *list = lists ? extra : json_object_get(config, "additional_special_tokens");
    bool made = true;
    for (size_t i = 0; i < HEED_SPECIAL_COUNT && made; i++)
        made = add_part(tokens, config, json, order[i]);
    for (void *at = json_object_iter((json_t *)config); at && made;
         at = json_object_iter_next((json_t *)config, at))
        if (is_own_part(json_object_iter_key(at), json_object_iter_value(at)))
            made = add_one(tokens, json_object_iter_value(at), true);
    for (void *at = json_object_iter((json_t *)extra); at && made;
         at = json_object_iter_next((json_t *)extra, at))
        made = add_one(tokens, json_object_iter_value(at), true);
    for (size_t i = 0; i < json_array_size(list) && made; i++)
        made = add_one(tokens, json_array_get(list, i), false);
    return made;
}

/* Fails if a key that is used holds a number that is not finite. */
static heed_status check_keys(const json_t *config, heed_error *error)
{
    static const char *const keys[] = {"bos_token",
                                       "eos_token",
                                       "unk_token",
                                       "sep_token",
                                       "pad_token",
                                       "cls_token",
                                       "mask_token",
                                       "added_tokens_decoder",
                                       "additional_special_tokens",
                                       "extra_special_tokens",
                                       "chat_template"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *foreign = heed_json_foreign(json_object_get(config, keys[i]));
        if (foreign)
            return heed_fail(
                error, HEED_E_FORMAT, "tokenizer_config.json: \"%s\" is %s, expected %s", keys[i],
                foreign, i < HEED_SPECIAL_COUNT ? "a string" : "what transformers writes there");
    }
    return HEED_OK;
}

heed_status heed_folder_config_add(const heed_folder_config *files, const json_t *merged,
                                   bool from_files, json_t *json, heed_buffer *notes,
                                   heed_error *error)
{
    const json_t *own = json_object_get(json, "added_tokens");
    const char *class = json_string_value(json_object_get(merged, "tokenizer_class"));
    HEED_TRY(check_keys(merged, error));
    if (!from_files && class && heed_class_is_slow(class))
        return HEED_OK; /* a class in Python had its tokens when tokenizer.json was saved */
    if (!json_is_object(json) || (own && !json_is_array(own) && !json_is_null(own)))
        return HEED_OK; /* reported when the tokenizer is built */
    json_t *tokens = json_is_array(own) ? json_copy((json_t *)own) : json_array();
    bool made = tokens && json_array_size(tokens) == json_array_size(own);
    made = made && add_described(files, merged, from_files, tokens, notes) &&
           add_named(tokens, merged, json);
    made = made && json_object_set(json, "added_tokens", tokens) == 0;
    json_decref(tokens);
    return made && !notes->failed ? HEED_OK : fail_memory(error);
}

/* ---- keys without effect in heed ---- */

/* Finds the first stage of a type in a section, which may be a Sequence; `list` is the key of a
   Sequence's list. NULL if there is none. */
static const json_t *find_stage(const json_t *stage, const char *list, const char *type)
{
    const char *own = json_string_value(json_object_get(stage, "type"));
    if (own && !strcmp(own, type)) return stage;
    const json_t *stages = json_object_get(stage, list), *found = NULL;
    for (size_t i = 0; i < json_array_size(stages) && !found; i++)
        found = find_stage(json_array_get(stages, i), list, type);
    return found;
}

/* Returns whether a key of the configuration contradicts a member of a stage. A member that is null
   has the value of "lowercase". */
static bool differs(const json_t *config, const char *key, const json_t *stage, const char *member)
{
    const json_t *wanted = json_object_get(config, key), *held = json_object_get(stage, member);
    bool boolean = json_is_boolean(wanted);
    if (!json_is_boolean(held)) held = json_object_get(stage, "lowercase");
    return boolean && stage && json_is_true(wanted) != json_is_true(held);
}

/* Returns whether the post-processor puts this token around texts. */
static bool is_around(const json_t *post, const char *content)
{
    const json_t *stages = json_object_get(post, "processors"),
                 *tokens = json_object_get(post, "special_tokens");
    const char *sep = json_string_value(json_array_get(json_object_get(post, "sep"), 0));
    const char *cls = json_string_value(json_array_get(json_object_get(post, "cls"), 0));
    bool found = json_object_get(tokens, content) || (sep && !strcmp(sep, content)) ||
                 (cls && !strcmp(cls, content));
    for (size_t i = 0; i < json_array_size(stages) && !found; i++)
        found = is_around(json_array_get(stages, i), content);
    return found;
}

/* Notes special tokens around texts that differ from those named in the configuration, which
   transformers would use. */
static void note_around(const json_t *config, const json_t *json, heed_buffer *notes)
{
    static const heed_special parts[] = {HEED_CLS, HEED_SEP};
    const char *class = json_string_value(json_object_get(config, "tokenizer_class"));
    const json_t *post = json_object_get(json, "post_processor");
    for (int i = 0; i < 2; i++) {
        const char *usual = heed_class_special(class, parts[i]),
                   *named = heed_special_content(config, parts[i]);
        if (usual && named && is_around(post, usual) && !is_around(post, named))
            heed_buffer_printf(
                notes,
                "tokenizer_config.json: \"%s\" is \"%.40s\", but tokenizer.json puts \"%.40s\" "
                "around texts, which is what is done\n",
                heed_special_names[parts[i]], named, usual);
    }
}

/* Notes a boolean key without effect. */
static void note(heed_buffer *notes, const char *key, const json_t *config)
{
    heed_buffer_printf(
        notes,
        "tokenizer_config.json: \"%s\" is %s, which has no effect here on the ids of texts\n", key,
        json_is_true(json_object_get(config, key)) ? "true" : "false");
}

/* Notes tokens of tokenizer.json that "added_tokens_decoder" lacks. Some classes of transformers
   leave such tokens out and give their ids to others. */
static void note_lacking(const json_t *config, const json_t *json, heed_buffer *notes)
{
    const json_t *tokens = json_object_get(json, "added_tokens");
    const char *first = NULL;
    size_t lacking = 0;
    for (size_t i = 0; is_described(config) && i < json_array_size(tokens); i++) {
        const json_t *token = json_array_get(tokens, i);
        const char *content = json_string_value(json_object_get(token, "content"));
        bool own = json_object_get(token, "id") != NULL; /* a token of tokenizer.json itself */
        if (!own || !content || describes(config, content)) continue;
        if (!lacking++) first = content;
    }
    if (lacking)
        heed_buffer_printf(notes,
                           "tokenizer_config.json: \"added_tokens_decoder\" lacks %zu tokens that "
                           "tokenizer.json has, "
                           "the first of them \"%.40s\": they are kept, while the class %.40s of "
                           "transformers 5 leaves them "
                           "out\n",
                           lacking, first,
                           json_string_value(json_object_get(config, "tokenizer_class")));
}

/* Appends a boolean key such as "legacy" if the configuration has it. */
static void note_flag(heed_buffer *notes, const char *key, const json_t *config)
{
    const json_t *value = json_object_get(config, key);
    if (json_is_boolean(value))
        heed_buffer_printf(notes, " and \"%s\" is %s", key, json_is_true(value) ? "true" : "false");
}

/* Notes a class that builds its own normalizer and pre-tokenizer. */
static void note_class(const json_t *config, const json_t *json, heed_buffer *notes)
{
    if (!heed_class_builds_others(config, json)) return;
    heed_buffer_printf(notes, "tokenizer_config.json: \"tokenizer_class\" is \"%.40s\"",
                       json_string_value(json_object_get(config, "tokenizer_class")));
    note_flag(notes, "legacy", config);
    note_flag(notes, "add_prefix_space", config);
    heed_buffer_printf(notes, ", for which transformers 5 builds another normalizer and "
                              "pre-tokenizer than those of tokenizer.json, which are used here: "
                              "ids of texts may differ\n");
}

void heed_folder_config_note(const json_t *config, const json_t *model, const json_t *json,
                             heed_buffer *notes)
{
    static const char *const bert[][2] = {
        {"do_lower_case", "lowercase"},
        {"strip_accents", "strip_accents"},
        {"tokenize_chinese_chars", "handle_chinese_chars"},
    };
    const json_t *before = json_object_get(json, "pre_tokenizer"),
                 *normal = json_object_get(json, "normalizer");
    const json_t *bytes = find_stage(before, "pretokenizers", "ByteLevel");
    const json_t *lowered = find_stage(normal, "normalizers", "BertNormalizer");
    if (json_is_true(json_object_get(config, "split_special_tokens")))
        note(notes, "split_special_tokens", config);
    if (!json || heed_class_is_generic(config, model, json))
        /* Tokenizers from older files follow these keys, and generic classes ignore them. */
        return;
    note_class(config, json, notes);
    note_around(config, json, notes);
    note_lacking(config, json, notes);
    for (size_t i = 0; i < sizeof bert / sizeof *bert; i++)
        if (differs(config, bert[i][0], lowered, bert[i][1])) note(notes, bert[i][0], config);
    if (differs(config, "add_prefix_space", bytes, "add_prefix_space"))
        note(notes, "add_prefix_space", config);
}
