/* chat.h: renders conversations as text with a model's chat template. */
#ifndef HEED_TEXT_CHAT_H
#define HEED_TEXT_CHAT_H

#include "jinja/jinja.h"
#include "text/tokenizer.h"

/* Compiled chat templates and the special tokens that they may use (bos_token, eos_token and so
   on). Immutable, so threads may share it. */
typedef struct heed_chat_template heed_chat_template;

/* Compiles the templates of a tokenizer, which also supplies the special tokens. `where` begins
   messages. As in transformers, a conversation with tools uses the template "tool_use" if there is
   one, and any other conversation the template "default". HEED_E_UNSUPPORTED if the tokenizer has
   no template, or several without these names; HEED_E_FORMAT with file and line if one is
   malformed. The caller frees *chat. */
heed_status heed_chat_template_load(heed_chat_template **chat, const char *where,
                                    const heed_tokenizer *tokenizer, heed_error *error);
/* Compiles one template for all conversations. `choice` is the path of a file, or else the name of
   one of the tokenizer's templates. */
heed_status heed_chat_template_open(heed_chat_template **chat, const char *choice,
                                    const char *where, const heed_tokenizer *tokenizer,
                                    heed_error *error);
/* Compiles one template for all conversations from its source. `where` begins messages. */
heed_status heed_chat_template_new(heed_chat_template **chat, const char *source, size_t length,
                                   const char *where, const heed_tokenizer *tokenizer,
                                   heed_error *error);
void heed_chat_template_free(heed_chat_template *chat); /* NULL is allowed */

/* Checks that there is a template for conversations with these tools (NULL for none). Otherwise
   fails in the same way as heed_chat_render. */
heed_status heed_chat_template_check(const heed_chat_template *chat, const json_t *tools,
                                     heed_error *error);
/* Returns whether that template marks the model's answers with {% generation %}. */
bool heed_chat_template_marks(const heed_chat_template *chat, const json_t *tools);

/* Finds the token that ends the model's turn: the special token that the template writes after an
   answer. *id is -1 if there is none. HEED_E_NOMEM if out of memory. */
heed_status heed_chat_find_end(const heed_chat_template *chat, const heed_tokenizer *tokenizer,
                               int64_t now, int32_t *id, heed_error *error);

/* A conversation to render. */
typedef struct heed_chat_input {
    const json_t *messages; /* array of messages */
    const json_t *tools;    /* array of tools, NULL for none */
    /* whether the text ends with the beginning of the model's turn (add_generation_prompt) */
    bool prompt;
    int64_t now; /* the current time for the template, in seconds since 1970 */
} heed_chat_input;
/* Renders a conversation. The caller frees the output in every case. HEED_E_ARG if the template
   raises an exception, with the template's message. */
heed_status heed_chat_render(const heed_chat_template *chat, const heed_chat_input *input,
                             heed_jinja_output *output, heed_error *error);

#endif
