/* conversation.h: conversations as texts to learn answers from. */
#ifndef HEED_TRAIN_CONVERSATION_H
#define HEED_TRAIN_CONVERSATION_H

#include "base/lines.h"
#include "text/chat.h"

/* A text and the places of the answers in it, in order. Borrowed for the call. */
typedef struct heed_conversation {
    heed_text text;
    const heed_jinja_span *answers;
    size_t count;
    /* no template was used: the tokenizer's special tokens are wanted around it, and the end of
       text after the answer */
    bool plain;
    /* the template marks its answers: they are taken as they are; otherwise what stands after the
       token that ends a turn does not belong to the answer */
    bool marked;
} heed_conversation;

typedef heed_status heed_conversation_sink(void *context, const heed_conversation *conversation,
                                           heed_error *error);

/* How conversations become texts. */
typedef struct heed_conversation_layout {
    /* NULL: prompt and completion are texts that stand one after the other */
    const heed_chat_template *chat;
    int64_t now; /* the present, for templates that ask: seconds since 1970 */
    heed_conversation_sink *sink;
    void *context; /* of the sink */
} heed_conversation_layout;

/* Lays out one object of a .jsonl file, {"messages": [...], "tools": ...} or {"prompt": ...,
   "completion": ...}, where prompt and completion are two texts (a user's and an assistant's
   message) or two lists of messages. Answers are the assistant's messages, of a completion those in
   it, except for messages with "weight": 0.

   Where the template has generation blocks, they are the answers. Else an answer is what the
   template, given the messages before it, adds to the text that asks for it: so the model is
   trained on what it will write after what it will read. Templates that write an earlier answer
   differently once others follow (without its thoughts, say) give a text of its own for each such
   answer.

   `where` begins error messages. HEED_E_FORMAT, HEED_E_ARG as heed_chat_render. */
heed_status heed_conversation_lay(const heed_conversation_layout *layout, heed_text object,
                                  const char *where, heed_error *error);

#endif
