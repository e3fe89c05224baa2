/* chat.h: a model's chat template: conversations to text. */
#ifndef HEED_TEXT_CHAT_H
#define HEED_TEXT_CHAT_H

#include "text/jinja/jinja.h"
#include "text/tokenizer.h"

/* A compiled template and the special tokens that it may name (bos_token, eos_token ...). Immutable; threads may share it. */
typedef struct heed_chat_template heed_chat_template;

/* The template that the tokenizer came with (heed_tokenizer_chat_template), which names the special tokens too; `where` begins messages.
   HEED_E_UNSUPPORTED when there is none; HEED_E_FORMAT with file and line. */
heed_status heed_chat_template_load(heed_chat_template **chat, const char *where, const heed_tokenizer *tokenizer, heed_error *error);
/* From its source; `where` begins messages. */
heed_status heed_chat_template_new(heed_chat_template **chat, const char *source, size_t length, const char *where,
                                   const heed_tokenizer *tokenizer, heed_error *error);
void heed_chat_template_free(heed_chat_template *chat); /* NULL is fine */

/* Does the template mark what the model says ({% generation %})? */
bool heed_chat_template_marks(const heed_chat_template *chat);

/* Renders an array of messages; tools may be NULL. prompt: with what makes the model answer. now: seconds since 1970 that the template
   takes for the present. The output is freed in every case. HEED_E_ARG: the template refuses the conversation, in its own words. */
heed_status heed_chat_render(const heed_chat_template *chat, const json_t *messages, const json_t *tools, bool prompt, int64_t now,
                             heed_jinja_output *output, heed_error *error);

#endif
