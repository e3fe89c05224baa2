/* chat.h: a model's chat template: conversations to text. */
#ifndef HEED_TEXT_CHAT_H
#define HEED_TEXT_CHAT_H

#include "jinja/jinja.h"
#include "text/tokenizer.h"

/* A compiled template and the special tokens that it may name (bos_token, eos_token ...).
   Immutable; threads may share it. */
typedef struct heed_chat_template heed_chat_template;

/* The templates that the tokenizer came with, which names the special tokens too; `where` begins
   messages. As in transformers, conversations with tools take the one called "tool_use" if there is
   one, all others the one called "default". HEED_E_UNSUPPORTED if there is none, or none of these
   names among several; HEED_E_FORMAT with file and line. */
heed_status heed_chat_template_load(heed_chat_template **chat, const char *where,
                                    const heed_tokenizer *tokenizer, heed_error *error);
/* One for all conversations: from a file, else the tokenizer's template of that name. */
heed_status heed_chat_template_open(heed_chat_template **chat, const char *choice,
                                    const char *where, const heed_tokenizer *tokenizer,
                                    heed_error *error);
/* From its source; `where` begins messages. */
heed_status heed_chat_template_new(heed_chat_template **chat, const char *source, size_t length,
                                   const char *where, const heed_tokenizer *tokenizer,
                                   heed_error *error);
void heed_chat_template_free(heed_chat_template *chat); /* NULL is fine */

/* Is there a template for conversations with these tools (NULL: without tools)? What
   heed_chat_render answers, else. */
heed_status heed_chat_template_check(const heed_chat_template *chat, const json_t *tools,
                                     heed_error *error);
/* Does that template mark what the model says ({% generation %})? */
bool heed_chat_template_marks(const heed_chat_template *chat, const json_t *tools);

/* The token after which the model's turn is over: the special token that the template writes after
   an answer; -1 if there is none. HEED_E_NOMEM. */
heed_status heed_chat_find_end(const heed_chat_template *chat, const heed_tokenizer *tokenizer,
                               int64_t now, int32_t *id, heed_error *error);

typedef struct heed_chat_input {
    const json_t *messages; /* an array */
    const json_t *tools;    /* NULL: none */
    bool prompt;            /* ends with what makes the model answer */
    int64_t now;            /* what the template takes for the present, in seconds since 1970 */
} heed_chat_input;
/* Renders a conversation. The caller frees the output in every case. HEED_E_ARG: the template
   refuses the conversation, in its own words. */
heed_status heed_chat_render(const heed_chat_template *chat, const heed_chat_input *input,
                             heed_jinja_output *output, heed_error *error);

#endif
