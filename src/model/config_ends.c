/* Finds the ids that end a text: a list in config.json, or what the keys of a GGUF file and the
   texts of its tokens say. */
#include "base/memory.h"
#include "io/gguf.h"
#include "model/family.h"

#include <stdlib.h>
#include <string.h>

static bool is_known(const heed_config *config, int64_t id)
{
    if (config->eos_id == id) return true;
    for (int64_t i = 0; i < config->more_eos.count; i++)
        if (config->more_eos.ids[i] == id) return true;
    return false;
}

/* Adds an id once. Ids beyond HEED_MAX_ENDS are dropped here; generation reads config.json
   itself. */
static void add_end(heed_config *config, int64_t id)
{
    if (id < 0 || id > INT32_MAX - 1 || is_known(config, id)) return;
    if (config->eos_id < 0) config->eos_id = id;
    else if (config->more_eos.count < HEED_MAX_ENDS)
        config->more_eos.ids[config->more_eos.count++] = (int32_t)id;
}

/* ---- config.json ---- */

const json_t *heed_config_nested(const json_t *json)
{
    static const char *const names[] = {"decoder", "generator", "text_config"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const json_t *nested = json_object_get(json, names[i]);
        if (json_is_object(nested) && json_object_size(nested) > 0) return nested;
    }
    return NULL;
}

void heed_config_read_ends(heed_config *config, const json_t *json)
{
    const json_t *list = json_object_get(json, "eos_token_id");
    const json_t *nested = json_object_get(heed_config_nested(json), "eos_token_id");
    bool from_nested = (!list || json_is_null(list)) && nested && !json_is_null(nested);
    if (from_nested) list = nested;
    bool is_list = json_is_array(list);
    config->more_eos.count = 0;
    if (!from_nested && !is_list) return;
    config->eos_id = -1;
    if (!is_list && json_is_integer(list)) add_end(config, json_integer_value(list));
    for (size_t i = 0; is_list && i < json_array_size(list); i++) {
        const json_t *id = json_array_get(list, i);
        if (json_is_integer(id)) add_end(config, json_integer_value(id));
    }
}

bool heed_config_write_ends(const heed_config *config, json_t *json)
{
    if (config->more_eos.count == 0) return true;
    json_t *list = json_array();
    bool ok = list && json_array_append_new(list, json_integer(config->eos_id)) == 0;
    for (int64_t i = 0; ok && i < config->more_eos.count; i++)
        ok = json_array_append_new(list, json_integer(config->more_eos.ids[i])) == 0;
    if (!ok) {
        json_decref(list);
        return false;
    }
    return json_object_set_new(json, "eos_token_id", list) == 0;
}

/* ---- GGUF ---- */

/* What the text of a token says about it. Whatever the keys say, llama.cpp also ends a text at
   tokens with certain texts. Of each of the three kinds for code infilling it takes one token. */
typedef enum text_meaning { ENDS, PADS_CODE, NAMES_REPOSITORY, SEPARATES_FILES } text_meaning;
enum { TEXT_MEANINGS = SEPARATES_FILES + 1 };

typedef struct known_text {
    const char *text;
    text_meaning meaning;
} known_text;

static const known_text known_texts[] = {
    {"<|eot_id|>", ENDS},
    {"<|im_end|>", ENDS},
    {"<|end|>", ENDS},
    {"<|return|>", ENDS},
    {"<|call|>", ENDS},
    {"<|flush|>", ENDS},
    {"<|calls|>", ENDS},
    {"<end_of_turn>", ENDS},
    {"<|endoftext|>", ENDS},
    {"</s>", ENDS},
    {"<|eom_id|>", ENDS},
    {"<EOT>", ENDS},
    {"_<EOT>", ENDS},
    {"[EOT]", ENDS},
    {"[EOS]", ENDS},
    {"<|end_of_text|>", ENDS},
    {"<end_of_utterance>", ENDS},
    {"<eos>", ENDS},
    {"<turn|>", ENDS},
    {"<|tool_response>", ENDS},
    {"<|fim_pad|>", PADS_CODE},
    {"<fim-pad>", PADS_CODE},
    {"<fim_pad>", PADS_CODE},
    {"<PAD>", PADS_CODE},
    {"[PAD]", PADS_CODE},
    {"<|fim_repo|>", NAMES_REPOSITORY},
    {"<|repo_name|>", NAMES_REPOSITORY},
    {"<fim-repo>", NAMES_REPOSITORY},
    {"<REPO>", NAMES_REPOSITORY},
    {"<reponame>", NAMES_REPOSITORY},
    {"<|file_sep|>", SEPARATES_FILES},
};
enum { KNOWN_TEXTS = sizeof known_texts / sizeof *known_texts };

/* The id of each known text; -1 if the vocabulary does not have it. */
typedef struct text_ids {
    int64_t ids[KNOWN_TEXTS];
} text_ids;

static bool could_be_known(char first)
{
    return first == '<' || first == '[' || first == '_';
}

static void find_texts(const heed_gguf *file, int64_t vocabulary, text_ids *found)
{
    const heed_gguf_entry *tokens = heed_gguf_entry_find(file, "tokenizer.ggml.tokens");
    for (size_t k = 0; k < KNOWN_TEXTS; k++) found->ids[k] = -1;
    if (!tokens || !tokens->is_array || tokens->type != HEED_GGUF_STRING) return;
    for (size_t id = 0; id < tokens->count && (int64_t)id < vocabulary; id++) {
        size_t length;
        const char *text = heed_gguf_string_at(tokens, id, &length);
        if (length == 0 || !could_be_known(*text)) continue;
        for (size_t k = 0; k < KNOWN_TEXTS; k++) {
            const char *known = known_texts[k].text;
            if (strlen(known) == length && !memcmp(known, text, length))
                found->ids[k] = (int64_t)id;
        }
    }
}

static int64_t id_of_text(const text_ids *found, const char *text)
{
    for (size_t k = 0; k < KNOWN_TEXTS; k++)
        if (strcmp(known_texts[k].text, text) == 0) return found->ids[k];
    return -1;
}

/* Removes texts that have another meaning in some vocabularies, which other tokens identify. */
static void leave_out_exceptions(text_ids *found)
{
    bool returns = id_of_text(found, "<|return|>") >= 0;
    bool call = id_of_text(found, "<|call|>") >= 0 || id_of_text(found, "<|calls|>") >= 0;
    bool flush = id_of_text(found, "<|flush|>") >= 0;
    bool tool_response = id_of_text(found, "<|tool_response>") >= 0;
    for (size_t k = 0; k < KNOWN_TEXTS; k++) {
        bool message_end = strcmp(known_texts[k].text, "<|end|>") == 0;
        bool sequence_end = strcmp(known_texts[k].text, "</s>") == 0;
        if (message_end && call && (returns || flush)) found->ids[k] = -1;
        if (sequence_end && tool_response) found->ids[k] = -1;
    }
}

/* Reads an id by its key. A number beyond the vocabulary means that there is none. */
static heed_status read_key_id(const heed_gguf *file, const char *key, int64_t vocabulary,
                               int64_t *id, heed_error *error)
{
    *id = -1;
    HEED_TRY(heed_gguf_integer(file, key, id, error));
    if (*id >= vocabulary) *id = -1;
    return HEED_OK;
}

static heed_status add_keys(heed_config *config, const heed_gguf *file, bool named[TEXT_MEANINGS],
                            heed_error *error)
{
    static const struct {
        const char *key;
        text_meaning meaning;
    } keys[] = {
        {"tokenizer.ggml.eot_token_id", ENDS},
        {"tokenizer.ggml.eom_token_id", ENDS},
        {"tokenizer.ggml.fim_pad_token_id", PADS_CODE},
        {"tokenizer.ggml.fim_rep_token_id", NAMES_REPOSITORY},
        {"tokenizer.ggml.fim_sep_token_id", SEPARATES_FILES},
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        int64_t id;
        HEED_TRY(read_key_id(file, keys[i].key, config->vocabulary, &id, error));
        add_end(config, id);
        named[keys[i].meaning] |= id >= 0;
    }
    return HEED_OK;
}

/* Reads the list that heed writes. It is complete, and -1 in it means none, so the texts of tokens
   add nothing. */
static heed_status read_own_list(heed_config *config, const heed_gguf *file, bool *found,
                                 heed_error *error)
{
    const heed_gguf_entry *entry = heed_gguf_entry_find(file, HEED_GGUF_ENDS);
    *found = entry != NULL;
    if (!entry) return HEED_OK;
    if (!entry->is_array || !heed_gguf_type_is_integer(entry->type))
        return heed_fail(error, HEED_E_FORMAT, "%s: %s: expected an array of token ids",
                         heed_gguf_where(file), entry->key);
    config->eos_id = -1;
    for (size_t i = 0; i < entry->count; i++) {
        int64_t id = heed_gguf_integer_at(entry, i);
        if (id < config->vocabulary) add_end(config, id);
    }
    return HEED_OK;
}

heed_status heed_config_read_gguf_ends(heed_config *config, const heed_gguf *file,
                                       heed_error *error)
{
    bool named[TEXT_MEANINGS] = {false}, own;
    text_ids found;
    config->more_eos.count = 0;
    HEED_TRY(read_own_list(config, file, &own, error));
    if (own) return HEED_OK;
    HEED_TRY(add_keys(config, file, named, error));
    find_texts(file, config->vocabulary, &found);
    leave_out_exceptions(&found);
    named[ENDS] = false;
    for (size_t k = 0; k < KNOWN_TEXTS; k++) {
        text_meaning meaning = known_texts[k].meaning;
        if (found.ids[k] < 0 || named[meaning]) continue;
        add_end(config, found.ids[k]);
        named[meaning] = meaning != ENDS;
    }
    return HEED_OK;
}
