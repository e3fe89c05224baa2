/* chat_end.c: finds the token that ends the model's turn (heed_chat_find_end).

   A conversation whose answer is a marker is rendered. The text after the marker is what the
   template writes after an answer. Some templates refuse some conversations, for example those
   without a system message, and some close an answer only if something follows. Several
   conversations are therefore tried, and the first one that shows a special token counts. The
   marker consists of digits, because templates may change the case of letters. */
#include "base/memory.h"
#include "text/chat.h"
#include "text/text_internal.h"
#include <stdlib.h>
#include <string.h>

static const char mark[] = "4815162342";

/* The roles of the messages: s for system, u for user, a for the answer. */
static const char *const conversations[] = {"ua", "sua", "uau", "suau", "a", "uaua", "suaua"};

static json_t *message_of(char role)
{
    switch (role) {
    case 's': return json_pack("{s:s, s:s}", "role", "system", "content", "x");
    case 'u': return json_pack("{s:s, s:s}", "role", "user", "content", "x");
    default: return json_pack("{s:s, s:s}", "role", "assistant", "content", mark);
    }
}

static json_t *messages_of(const char *roles)
{
    json_t *list = json_array();
    for (; list && *roles; roles++)
        if (json_array_append_new(list, message_of(*roles)) != 0) {
            json_decref(list);
            list = NULL;
        }
    return list;
}

/* Returns whether an id stands for white space. */
static bool is_blank(const heed_tokenizer *tokenizer, int32_t id)
{
    heed_buffer text = {0};
    heed_error ignored = {0};
    bool blank = heed_tokenizer_decode(tokenizer, &id, 1, false, &text, &ignored) == HEED_OK;
    for (size_t i = 0; blank && i < text.length; i++) blank = strchr(" \t\r\n", text.data[i]);
    heed_buffer_free(&text);
    return blank;
}

/* Returns the first special token. If there is none, returns an added token with only white space
   before it, or -1. */
static int32_t first_control(const heed_tokenizer *tokenizer, const heed_encoding *ids)
{
    for (size_t i = 0; i < ids->count; i++)
        if (heed_tokenizer_is_special(tokenizer, ids->ids[i])) return ids->ids[i];
    for (size_t i = 0; i < ids->count; i++) {
        bool blank = is_blank(tokenizer, ids->ids[i]);
        if (!blank && heed_added_find(&tokenizer->added, ids->ids[i])) return ids->ids[i];
        if (!blank) return -1;
    }
    return -1;
}

/* Finds the token after the last marker in a rendered text. */
static heed_status end_in(const heed_tokenizer *tokenizer, const heed_buffer *text, int32_t *id,
                          heed_error *error)
{
    heed_encoding ids = {0};
    const char *found = NULL, *at = text->data;
    while (at && (at = strstr(at, mark))) {
        at += sizeof mark - 1;
        found = at;
    }
    if (!found) return HEED_OK;
    size_t length = text->length - (size_t)(found - text->data);
    heed_status status = heed_tokenizer_encode(tokenizer, found, length, 0, &ids, error);
    if (status == HEED_OK) *id = first_control(tokenizer, &ids);
    heed_encoding_free(&ids);
    return status;
}

/* Tries one conversation. A template that refuses it is no error. */
static heed_status try_roles(const heed_chat_template *chat, const heed_tokenizer *tokenizer,
                             int64_t now, const char *roles, int32_t *id, heed_error *error)
{
    heed_jinja_output output = {0};
    heed_error refusal = {0};
    json_t *messages = messages_of(roles);
    if (!messages) return heed_fail_memory(error, 256, "a conversation");
    heed_status status = heed_chat_render(
        chat, &(heed_chat_input){.messages = messages, .now = now}, &output, &refusal);
    if (status == HEED_OK) status = end_in(tokenizer, &output.text, id, error);
    else if (status == HEED_E_NOMEM) heed_fail(error, status, "%s", refusal.message);
    else status = HEED_OK;
    heed_jinja_output_free(&output);
    json_decref(messages);
    return status;
}

heed_status heed_chat_find_end(const heed_chat_template *chat, const heed_tokenizer *tokenizer,
                               int64_t now, int32_t *id, heed_error *error)
{
    *id = -1;
    for (size_t i = 0; *id < 0 && i < sizeof conversations / sizeof *conversations; i++)
        HEED_TRY(try_roles(chat, tokenizer, now, conversations[i], id, error));
    return HEED_OK;
}
