#include "train/conversation.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

/* Work on one conversation. */
typedef struct layer {
    const heed_chat_template *chat;
    const json_t *messages, *tools;
    size_t first; /* messages before it are the prompt */
    int64_t now;
    const char *where;
    heed_conversation_sink *sink;
    void *context;
    heed_error *error;
    heed_jinja_output whole; /* all messages */
    heed_jinja_span *answers;
    size_t count, capacity;
} layer;

static heed_status render(const layer *l, size_t count, bool prompt, heed_jinja_output *output)
{
    json_t *messages = json_array();
    heed_error problem = {0};
    bool made = messages != NULL;
    for (size_t i = 0; made && i < count; i++)
        made = json_array_append(messages, json_array_get(l->messages, i)) == 0;
    const heed_chat_input input = {
        .messages = messages, .tools = l->tools, .prompt = prompt, .now = l->now};
    heed_status status = made
                             ? heed_chat_render(l->chat, &input, output, &problem)
                             : heed_fail_memory(&problem, count * sizeof(void *), "a conversation");
    json_decref(messages);
    return status == HEED_OK ? HEED_OK
                             : heed_fail(l->error, status, "%s: %s", l->where, problem.message);
}

static bool is_answer(const layer *l, size_t i)
{
    const json_t *message = json_array_get(l->messages, i),
                 *weight = json_object_get(message, "weight");
    return i >= l->first &&
           strcmp(json_string_value(json_object_get(message, "role")), "assistant") == 0 &&
           !(json_is_number(weight) && json_number_value(weight) == 0);
}

static heed_status add_answer(layer *l, size_t begin, size_t end)
{
    if (!heed_grow(&l->answers, &l->capacity, l->count + 1, sizeof *l->answers))
        return heed_fail_memory(l->error, l->count * sizeof *l->answers, "a conversation");
    l->answers[l->count++] = (heed_jinja_span){begin, end};
    return HEED_OK;
}

static heed_status hand_over(const layer *l, const heed_buffer *text,
                             const heed_jinja_span *answers, size_t count, bool marked)
{
    return l->sink(l->context,
                   &(heed_conversation){
                       {text->data ? text->data : "", text->length}, answers, count, false, marked},
                   l->error);
}

/* ---- templates that mark what the model says ---- */

/* The blocks, but for those of messages that are no answers; there must be one for each of the
   assistant's messages to tell. */
static heed_status lay_marked(layer *l)
{
    size_t said = 0, block = 0;
    bool all = true;
    for (size_t i = 0; i < json_array_size(l->messages); i++)
        if (strcmp(json_string_value(json_object_get(json_array_get(l->messages, i), "role")),
                   "assistant") == 0)
            said++, all = all && is_answer(l, i);
    if (all) return hand_over(l, &l->whole.text, l->whole.spans, l->whole.span_count, true);
    if (said != l->whole.span_count)
        return heed_fail(l->error, HEED_E_FORMAT,
                         "%s: the template marks %zu answers, the conversation has %zu, and some "
                         "of them are not to be learned: expected as "
                         "many, to know which",
                         l->where, l->whole.span_count, said);
    for (size_t i = 0; i < json_array_size(l->messages); i++) {
        if (strcmp(json_string_value(json_object_get(json_array_get(l->messages, i), "role")),
                   "assistant") != 0)
            continue;
        if (is_answer(l, i))
            HEED_TRY(add_answer(l, l->whole.spans[block].begin, l->whole.spans[block].end));
        block++;
    }
    return hand_over(l, &l->whole.text, l->answers, l->count, true);
}

/* ---- all others ---- */

/* Bytes that both texts begin with, never half a character. */
static size_t common(const heed_buffer *a, const heed_buffer *b)
{
    size_t n = 0;
    while (n < a->length && n < b->length && a->data[n] == b->data[n]) n++;
    while (n > 0 && n < b->length && ((unsigned char)b->data[n] & 0xC0) == 0x80) n--;
    return n;
}

static bool begins_with(const heed_buffer *text, const heed_buffer *beginning)
{
    return beginning->length <= text->length &&
           memcmp(text->data ? text->data : "", beginning->data ? beginning->data : "",
                  beginning->length) == 0;
}

/* Where message i begins to answer, in the text that ends with it: after what asks for it. Where
   the two part earlier (a prompt that opens the model's thoughts), there; but the messages before
   must stand in both. */
static heed_status find_beginning(const layer *l, size_t i, const heed_buffer *answered,
                                  size_t *begin)
{
    heed_jinja_output asking = {0}, before = {0};
    heed_status status = render(l, i, true, &asking);
    *begin = status == HEED_OK ? common(&asking.text, answered) : 0;
    if (status == HEED_OK && *begin < asking.text.length) {
        if (i > 0) status = render(l, i, false, &before);
        if (status == HEED_OK && (i == 0 || before.text.length > *begin))
            status = heed_fail(l->error, HEED_E_FORMAT,
                               "%s: message %zu: the template writes what stands before an answer "
                               "differently once it is there, so that the "
                               "answer's beginning cannot be told; give a template that has {%% "
                               "generation %%} blocks with --template",
                               l->where, i + 1);
    }
    heed_jinja_output_free(&asking);
    heed_jinja_output_free(&before);
    return status;
}

static heed_status lay_answer(layer *l, size_t i)
{
    bool last = i + 1 == json_array_size(l->messages);
    heed_jinja_output own = {0};
    size_t begin = 0;
    heed_status status = last ? HEED_OK : render(l, i + 1, false, &own);
    const heed_buffer *answered = last ? &l->whole.text : &own.text;
    if (status == HEED_OK) status = find_beginning(l, i, answered, &begin);
    if (status == HEED_OK && begins_with(&l->whole.text, answered))
        status = add_answer(l, begin, answered->length);
    else if (status == HEED_OK)
        status = hand_over(l, answered, &(heed_jinja_span){begin, answered->length}, 1, false);
    heed_jinja_output_free(&own);
    return status;
}

static heed_status lay_rendered(layer *l)
{
    HEED_TRY(render(l, json_array_size(l->messages), false, &l->whole));
    if (heed_chat_template_marks(l->chat, l->tools)) return lay_marked(l);
    for (size_t i = l->first; i < json_array_size(l->messages); i++)
        if (is_answer(l, i)) HEED_TRY(lay_answer(l, i));
    return l->count > 0 ? hand_over(l, &l->whole.text, l->answers, l->count, false) : HEED_OK;
}

/* ---- the objects of a file ---- */

static heed_status lay_plain(const layer *l, const json_t *prompt, const json_t *completion)
{
    heed_buffer text = {0};
    size_t begin = json_string_length(prompt);
    heed_buffer_append(&text, json_string_value(prompt), begin);
    heed_buffer_append(&text, json_string_value(completion), json_string_length(completion));
    heed_jinja_span answer = {begin, text.length};
    heed_status status =
        text.failed
            ? heed_fail_memory(l->error, text.length, "a prompt and its completion")
            : l->sink(l->context,
                      &(heed_conversation){
                          {text.data ? text.data : "", text.length}, &answer, 1, true, false},
                      l->error);
    heed_buffer_free(&text);
    return status;
}

/* Prompt and completion as one list of messages, a new reference; NULL without memory. */
static json_t *join(const json_t *prompt, const json_t *completion)
{
    if (json_is_string(prompt))
        return json_pack("[{s:s, s:O}, {s:s, s:O}]", "role", "user", "content", (json_t *)prompt,
                         "role", "assistant", "content", (json_t *)completion);
    json_t *list = json_array();
    if (!list || json_array_extend(list, (json_t *)prompt) != 0 ||
        json_array_extend(list, (json_t *)completion) != 0) {
        json_decref(list);
        return NULL;
    }
    return list;
}

static heed_status lay_object(layer *l, const json_t *object)
{
    const json_t *prompt = json_object_get(object, "prompt"),
                 *completion = json_object_get(object, "completion");
    json_t *joined = NULL;
    l->messages = json_object_get(object, "messages");
    l->tools = json_object_get(object, "tools");
    if (json_is_null(l->tools)) l->tools = NULL;
    if (!l->chat && !l->messages && json_is_string(prompt)) return lay_plain(l, prompt, completion);
    if (!l->chat)
        return heed_fail(l->error, HEED_E_ARG,
                         "%s: messages need a chat template, and neither the model nor the "
                         "tokenizer has one: give one with --template FILE",
                         l->where);
    if (!l->messages) {
        l->messages = joined = join(prompt, completion);
        l->first = json_is_string(prompt) ? 1 : json_array_size(prompt);
        if (!joined) return heed_fail_memory(l->error, 256, "a conversation");
    }
    heed_status status = lay_rendered(l);
    json_decref(joined);
    return status;
}

heed_status heed_conversation_lay(const heed_chat_template *chat, heed_text object, int64_t now,
                                  const char *where, heed_conversation_sink *sink, void *context,
                                  heed_error *error)
{
    layer l = {
        .chat = chat, .now = now, .where = where, .sink = sink, .context = context, .error = error};
    json_t *json = NULL;
    HEED_TRY(heed_json_parse(&json, object.bytes, object.length, where, error));
    heed_status status = lay_object(&l, json);
    json_decref(json);
    heed_jinja_output_free(&l.whole);
    free(l.answers);
    return status;
}
