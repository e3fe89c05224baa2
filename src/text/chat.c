#include "text/chat.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "text/internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEMPLATE_BYTES = 4 << 20 };

struct heed_chat_template { heed_jinja *jinja; json_t *special; };

/* {"bos_token": "<s>", ...}: what transformers hands to templates. */
static heed_status name_special_tokens(const heed_tokenizer *tokenizer, json_t **special, heed_error *error)
{
    static const char *const names[HEED_SPECIAL_COUNT] = {[HEED_BOS] = "bos_token", [HEED_EOS] = "eos_token", [HEED_PAD] = "pad_token",
        [HEED_UNK] = "unk_token", [HEED_CLS] = "cls_token", [HEED_SEP] = "sep_token", [HEED_MASK] = "mask_token"};
    *special = json_object();
    if (!*special) return heed_fail_memory(error, 64, "a chat template");
    for (int part = 0; tokenizer && part < HEED_SPECIAL_COUNT; part++) {
        size_t length = 0;
        const char *token = heed_tokenizer_token(tokenizer, heed_tokenizer_special(tokenizer, (heed_special)part), &length);
        if (token && json_object_set_new(*special, names[part], json_stringn_nocheck(token, length)) != 0)
            return heed_fail_memory(error, length, "a chat template");
    }
    return HEED_OK;
}

heed_status heed_chat_template_new(heed_chat_template **result, const char *source, size_t length, const char *where,
                                   const heed_tokenizer *tokenizer, heed_error *error)
{
    *result = NULL;
    heed_chat_template *chat = heed_allocate(1, sizeof *chat);
    if (!chat) return heed_fail_memory(error, sizeof *chat, "a chat template");
    heed_status status = heed_jinja_new(&chat->jinja, source, length, where, error);
    if (status == HEED_OK) status = name_special_tokens(tokenizer, &chat->special, error);
    if (status == HEED_OK) *result = chat;
    else heed_chat_template_free(chat);
    return status;
}

void heed_chat_template_free(heed_chat_template *chat)
{
    if (!chat) return;
    heed_jinja_free(chat->jinja);
    json_decref(chat->special);
    free(chat);
}

/* "chat_template" is a string, or a list of {"name", "template"}. */
const char *heed_tokenizer_chat_template(const heed_tokenizer *tokenizer, size_t *length)
{
    const json_t *value = json_object_get(tokenizer->config, "chat_template"), *found = json_is_string(value) ? value : NULL;
    for (size_t i = 0; json_is_array(value) && i < json_array_size(value); i++) {
        const json_t *one = json_array_get(value, i), *name = json_object_get(one, "name"), *text = json_object_get(one, "template");
        if (json_is_string(name) && json_is_string(text) && strcmp(json_string_value(name), "default") == 0) found = text;
    }
    *length = json_string_length(found);
    return json_string_value(found);
}

/* A shallow copy; NULL without memory. jansson's own json_copy and json_object_update do not tell. */
static json_t *copy_object(const json_t *object)
{
    json_t *copy = json_object();
    for (void *at = json_object_iter((json_t *)object); copy && at; at = json_object_iter_next((json_t *)object, at))
        if (json_object_set(copy, json_object_iter_key(at), json_object_iter_value(at)) != 0) {
            json_decref(copy);
            copy = NULL;
        }
    return copy;
}

heed_status heed_tokenizer_set_chat_template(heed_tokenizer *tokenizer, const char *text, size_t length, const char *where, heed_error *error)
{
    if (heed_utf8_valid(text, length) != length) return heed_fail(error, HEED_E_FORMAT, "%s: a chat template must be valid UTF-8", where);
    json_t *config = tokenizer->config ? copy_object(tokenizer->config) : heed_tokenizer_make_config(tokenizer);
    if (!config || json_object_set_new(config, "chat_template", json_stringn_nocheck(text, length)) != 0) {
        json_decref(config);
        return heed_fail_memory(error, length, where);
    }
    json_decref(tokenizer->config);
    tokenizer->config = config;
    return HEED_OK;
}

heed_status heed_tokenizer_read_chat_template(heed_tokenizer *tokenizer, const char *path, heed_error *error)
{
    heed_buffer text = {0};
    heed_status status = heed_file_read(path, TEMPLATE_BYTES, &text, error);
    if (status == HEED_OK) status = heed_tokenizer_set_chat_template(tokenizer, text.data ? text.data : "", text.length, path, error);
    heed_buffer_free(&text);
    return status;
}

heed_status heed_chat_template_load(heed_chat_template **chat, const char *where, const heed_tokenizer *tokenizer, heed_error *error)
{
    size_t length;
    const char *text = heed_tokenizer_chat_template(tokenizer, &length);
    *chat = NULL;
    char named[320];
    snprintf(named, sizeof named, "%.300s: chat template", where);
    if (text) return heed_chat_template_new(chat, text, length, named, tokenizer, error);
    return heed_fail(error, HEED_E_UNSUPPORTED, "%s: no chat template: expected chat_template.jinja, \"chat_template\" in tokenizer_config.json, or "
                     "tokenizer.chat_template in a GGUF file; give one with --template", where);
}

bool heed_chat_template_marks(const heed_chat_template *chat)
{
    return heed_jinja_marks_generation(chat->jinja);
}

heed_status heed_chat_render(const heed_chat_template *chat, const json_t *messages, const json_t *tools, bool prompt, int64_t now,
                             heed_jinja_output *output, heed_error *error)
{
    json_t *variables = copy_object(chat->special);
    bool made = variables &&
                json_object_set(variables, "messages", (json_t *)messages) == 0 &&
                json_object_set_new(variables, "add_generation_prompt", json_boolean(prompt)) == 0 &&
                json_object_set_new(variables, "tools", tools ? json_incref((json_t *)tools) : json_null()) == 0 &&
                json_object_set_new(variables, "documents", json_null()) == 0;
    heed_status status = made ? heed_jinja_render(chat->jinja, variables, now, NULL, output, error)
                              : heed_fail_memory(error, 256, "the variables of a chat template");
    json_decref(variables);
    return status;
}
