/* conversation.h: turns conversations into texts whose answers are learned. */
#ifndef HEED_TRAIN_CONVERSATION_H
#define HEED_TRAIN_CONVERSATION_H

#include "base/lines.h"
#include "text/chat.h"

/* A text and the places of the answers in it, in order. Borrowed for the call. */
typedef struct heed_conversation {
    heed_text text;
    const heed_jinja_span *answers;
    size_t count;
    /* no template was used: the tokenizer adds its special tokens, and the end of text follows the
       answer */
    bool plain;
    /* the template marks its answers, and they are taken as they are; otherwise what follows the
       token that ends a turn does not belong to the answer */
    bool marked;
} heed_conversation;

typedef heed_status heed_conversation_sink(void *context, const heed_conversation *conversation,
                                           heed_error *error);

/* How conversations are laid out as texts. */
typedef struct heed_conversation_layout {
    /* NULL: prompt and completion are plain texts, one after the other */
    const heed_chat_template *chat;
    int64_t now; /* current time for templates that ask for it, in seconds since 1970 */
    heed_conversation_sink *sink;
    void *context; /* argument of the sink */
} heed_conversation_layout;

/* Lays out one object of a .jsonl file: {"messages": [...], "tools": ...}, or
   {"prompt": ..., "completion": ...} where both are texts (a user's and an assistant's message) or
   lists of messages.

   The answers are the assistant's messages without "weight": 0; of a completion only those in it.
   If the template has generation blocks, these blocks are the answers. Otherwise an answer is what
   the template, given the messages up to it, adds to the text that asks for it. So the model learns
   to write what it will have to write, after what it will read then. Some templates write an
   earlier answer differently once others follow, for example without its thoughts; then each such
   answer gets a text of its own.

   `where` begins error messages. Errors: HEED_E_FORMAT, HEED_E_ARG as heed_chat_render. */
heed_status heed_conversation_lay(const heed_conversation_layout *layout, heed_text object,
                                  const char *where, heed_error *error);

#endif
