/* chat.c: compiles and renders chat templates (chat.h). */
#include "text/chat.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "text/text_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* There may be one template for conversations with tools and another for those without. */
struct heed_chat_template {
    heed_jinja *plain, *tools; /* often the same; one of them may be NULL */
    heed_error lacking;        /* why one of them is NULL */
    json_t *special;
};

/* Builds the special tokens that transformers passes to templates: {"bos_token": "<s>", ...}. */
static heed_status name_special_tokens(const heed_tokenizer *tokenizer, json_t **special,
                                       heed_error *error)
{
    static const char *const names[HEED_SPECIAL_COUNT] = {
        [HEED_BOS] = "bos_token",  [HEED_EOS] = "eos_token", [HEED_PAD] = "pad_token",
        [HEED_UNK] = "unk_token",  [HEED_CLS] = "cls_token", [HEED_SEP] = "sep_token",
        [HEED_MASK] = "mask_token"};
    *special = json_object();
    if (!*special) return heed_fail_memory(error, 64, "a chat template");
    for (int part = 0; tokenizer && part < HEED_SPECIAL_COUNT; part++) {
        size_t length = 0;
        const char *token = heed_tokenizer_token(
            tokenizer, heed_tokenizer_special(tokenizer, (heed_special)part), &length);
        if (token &&
            json_object_set_new(*special, names[part], json_stringn_nocheck(token, length)) != 0)
            return heed_fail_memory(error, length, "a chat template");
    }
    return HEED_OK;
}

enum { TEMPLATE_BYTES = 4 << 20 };

/* Allocates a chat template and its special tokens. */
static heed_status begin(heed_chat_template **result, const heed_tokenizer *tokenizer,
                         heed_error *error)
{
    *result = NULL;
    heed_chat_template *chat = heed_allocate(1, sizeof *chat);
    if (!chat) return heed_fail_memory(error, sizeof *chat, "a chat template");
    heed_status status = name_special_tokens(tokenizer, &chat->special, error);
    if (status == HEED_OK) *result = chat;
    else heed_chat_template_free(chat);
    return status;
}

/* Frees a template that could not be compiled. */
static heed_status end(heed_chat_template **result, heed_status status)
{
    if (status == HEED_OK) return HEED_OK;
    heed_chat_template_free(*result);
    *result = NULL;
    return status;
}

heed_status heed_chat_template_new(heed_chat_template **result, const char *source, size_t length,
                                   const char *where, const heed_tokenizer *tokenizer,
                                   heed_error *error)
{
    HEED_TRY(begin(result, tokenizer, error));
    heed_chat_template *chat = *result;
    heed_status status = heed_jinja_new(&chat->plain, source, length, where, error);
    chat->tools = chat->plain;
    return end(result, status);
}

void heed_chat_template_free(heed_chat_template *chat)
{
    if (!chat) return;
    if (chat->tools != chat->plain) heed_jinja_free(chat->tools);
    heed_jinja_free(chat->plain);
    json_decref(chat->special);
    free(chat);
}

/* ---- the templates of a tokenizer ---- */

/* Compiles a named template of the tokenizer. */
static heed_status compile(heed_jinja **jinja, const heed_tokenizer *tokenizer, const char *name,
                           const char *where, heed_error *error)
{
    char named[400];
    size_t length;
    const char *text = heed_tokenizer_find_template(tokenizer, name, &length);
    bool is_default = strcmp(name, "default") == 0;
    snprintf(named, sizeof named,
             is_default ? "%.300s: chat template" : "%.300s: chat template %.60s", where, name);
    return heed_jinja_new(jinja, text, length, named, error);
}

/* Fails with `what`, and lists the names of the model's templates. */
static heed_status fail_names(const heed_tokenizer *tokenizer, const char *where, const char *what,
                              heed_error *error)
{
    heed_buffer list = {0};
    heed_tokenizer_list_templates(tokenizer, &list);
    heed_status status = heed_fail(error, HEED_E_UNSUPPORTED,
                                   "%s: %s; the model's templates are: "
                                   "%s; choose one with --template NAME, or give a file",
                                   where, what, list.data ? list.data : "none");
    heed_buffer_free(&list);
    return status;
}

/* Compiles the templates "default" and "tool_use". If only the latter fails to compile, the error
   is reported when tools are given. */
static heed_status compile_both(heed_chat_template *chat, const heed_tokenizer *tokenizer,
                                const char *where, heed_error *error)
{
    size_t length;
    bool usual = heed_tokenizer_find_template(tokenizer, "default", &length) != NULL;
    bool tools = heed_tokenizer_find_template(tokenizer, "tool_use", &length) != NULL;
    static const char no_default[] = "no chat template is called \"default\"";
    if (!usual && !tools) return fail_names(tokenizer, where, no_default, error);
    if (usual) HEED_TRY(compile(&chat->plain, tokenizer, "default", where, error));
    else fail_names(tokenizer, where, no_default, &chat->lacking);
    if (!tools) {
        chat->tools = chat->plain;
        return HEED_OK;
    }
    heed_error *problem = usual ? &chat->lacking : error;
    heed_status status = compile(&chat->tools, tokenizer, "tool_use", where, problem);
    if (status == HEED_OK || (usual && status != HEED_E_NOMEM)) return HEED_OK;
    return usual ? heed_fail(error, status, "%s", problem->message) : status;
}

heed_status heed_chat_template_load(heed_chat_template **result, const char *where,
                                    const heed_tokenizer *tokenizer, heed_error *error)
{
    *result = NULL;
    if (heed_tokenizer_template_count(tokenizer) == 0)
        return heed_fail(error, HEED_E_UNSUPPORTED,
                         "%s: no chat template: expected "
                         "chat_template.jinja, \"chat_template\" in tokenizer_config.json, or "
                         "tokenizer.chat_template in a GGUF file; give one with --template",
                         where);
    HEED_TRY(begin(result, tokenizer, error));
    return end(result, compile_both(*result, tokenizer, where, error));
}

heed_status heed_chat_template_open(heed_chat_template **result, const char *choice,
                                    const char *where, const heed_tokenizer *tokenizer,
                                    heed_error *error)
{
    heed_buffer text = {0};
    size_t length;
    *result = NULL;
    bool is_name = heed_tokenizer_find_template(tokenizer, choice, &length) != NULL;
    if (!heed_path_exists(choice) && is_name) {
        HEED_TRY(begin(result, tokenizer, error));
        heed_status status = compile(&(*result)->plain, tokenizer, choice, where, error);
        (*result)->tools = (*result)->plain;
        return end(result, status);
    }
    if (!heed_path_exists(choice) && heed_tokenizer_template_count(tokenizer) > 0) {
        char what[400];
        snprintf(what, sizeof what, "there is neither a file nor a template \"%.300s\"", choice);
        return fail_names(tokenizer, where, what, error);
    }
    heed_status status = heed_file_read(choice, TEMPLATE_BYTES, &text, error);
    if (status == HEED_OK)
        status = heed_chat_template_new(result, text.data ? text.data : "", text.length, choice,
                                        tokenizer, error);
    heed_buffer_free(&text);
    return status;
}

/* ---- rendering ---- */

/* Returns the template for conversations with these tools, NULL if there is none. */
static const heed_jinja *chosen(const heed_chat_template *chat, const json_t *tools)
{
    return tools ? chat->tools : chat->plain;
}

heed_status heed_chat_template_check(const heed_chat_template *chat, const json_t *tools,
                                     heed_error *error)
{
    if (chosen(chat, tools)) return HEED_OK;
    return heed_fail(error, chat->lacking.status, "%s", chat->lacking.message);
}

bool heed_chat_template_marks(const heed_chat_template *chat, const json_t *tools)
{
    const heed_jinja *jinja = chosen(chat, tools);
    return jinja && heed_jinja_marks_generation(jinja);
}

heed_status heed_chat_render(const heed_chat_template *chat, const heed_chat_input *input,
                             heed_jinja_output *output, heed_error *error)
{
    HEED_TRY(heed_chat_template_check(chat, input->tools, error));
    json_t *tools = input->tools ? json_incref((json_t *)input->tools) : json_null();
    json_t *variables = heed_json_copy(chat->special);
    int failed = json_object_set(variables, "messages", (json_t *)input->messages);
    failed |= json_object_set_new(variables, "add_generation_prompt", json_boolean(input->prompt));
    failed |= json_object_set_new(variables, "tools", tools);
    failed |= json_object_set_new(variables, "documents", json_null());
    heed_status status = failed ? heed_fail_memory(error, 256, "the variables of a chat template")
                                : heed_jinja_render(chosen(chat, input->tools), variables,
                                                    input->now, NULL, output, error);
    json_decref(variables);
    return status;
}
