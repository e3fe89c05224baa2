#include "train/conversation.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

/* A conversation that is being laid out. */
typedef struct talk {
    const heed_conversation_layout *layout;
    const json_t *messages, *tools;
    size_t first; /* the messages before it are the prompt */
    const char *where;
    heed_error *error;
    heed_jinja_output whole; /* text of all messages */
    heed_jinja_span *answers;
    size_t count, capacity;
} talk;

/* Renders the first `count` messages; with `prompt` also the text that asks the model to answer. */
static heed_status render(const talk *t, size_t count, bool prompt, heed_jinja_output *output)
{
    const heed_conversation_layout *layout = t->layout;
    json_t *messages = json_array();
    heed_error problem = {0};
    bool made = messages != NULL;
    for (size_t i = 0; made && i < count; i++)
        made = json_array_append(messages, json_array_get(t->messages, i)) == 0;
    const heed_chat_input input = {
        .messages = messages, .tools = t->tools, .prompt = prompt, .now = layout->now};
    heed_status status;
    if (made) status = heed_chat_render(layout->chat, &input, output, &problem);
    else status = heed_fail_memory(&problem, count * sizeof(void *), "a conversation");
    json_decref(messages);
    if (status == HEED_OK) return HEED_OK;
    return heed_fail(t->error, status, "%s: %s", t->where, problem.message);
}

static bool is_assistants(const talk *t, size_t i)
{
    const json_t *role = json_object_get(json_array_get(t->messages, i), "role");
    return strcmp(json_string_value(role), "assistant") == 0;
}

static bool is_answer(const talk *t, size_t i)
{
    const json_t *weight = json_object_get(json_array_get(t->messages, i), "weight");
    bool weightless = json_is_number(weight) && json_number_value(weight) == 0;
    return i >= t->first && is_assistants(t, i) && !weightless;
}

static heed_status add_answer(talk *t, size_t begin, size_t end)
{
    if (!heed_grow(&t->answers, &t->capacity, t->count + 1, sizeof *t->answers))
        return heed_fail_memory(t->error, t->count * sizeof *t->answers, "a conversation");
    t->answers[t->count++] = (heed_jinja_span){begin, end};
    return HEED_OK;
}

static heed_text text_of(const heed_buffer *buffer)
{
    return (heed_text){buffer->data ? buffer->data : "", buffer->length};
}

static heed_status hand_over(const talk *t, const heed_buffer *text, const heed_jinja_span *answers,
                             size_t count, bool marked)
{
    const heed_conversation conversation = {
        .text = text_of(text), .answers = answers, .count = count, .marked = marked};
    return t->layout->sink(t->layout->context, &conversation, t->error);
}

/* ---- templates that mark what the model says ---- */

/* Takes the answers that the template marks, without those in messages that are not answers. To
   know which mark belongs to which message, there must be one mark per assistant message. */
static heed_status lay_marked(talk *t)
{
    size_t said = 0, mark = 0;
    bool all = true;
    for (size_t i = 0; i < json_array_size(t->messages); i++) {
        if (!is_assistants(t, i)) continue;
        said++;
        all = all && is_answer(t, i);
    }
    if (all) return hand_over(t, &t->whole.text, t->whole.spans, t->whole.span_count, true);
    if (said != t->whole.span_count)
        return heed_fail(t->error, HEED_E_FORMAT,
                         "%s: the template marks %zu answers, the conversation has %zu, and some "
                         "of them are not to be learned: expected as many, to know which",
                         t->where, t->whole.span_count, said);
    for (size_t i = 0; i < json_array_size(t->messages); i++) {
        if (!is_assistants(t, i)) continue;
        const heed_jinja_span span = t->whole.spans[mark++];
        if (is_answer(t, i)) HEED_TRY(add_answer(t, span.begin, span.end));
    }
    return hand_over(t, &t->whole.text, t->answers, t->count, true);
}

/* ---- all others ---- */

/* Returns how many bytes both texts begin with; it never cuts a character. */
static size_t common(const heed_buffer *a, const heed_buffer *b)
{
    size_t n = 0;
    while (n < a->length && n < b->length && a->data[n] == b->data[n]) n++;
    while (n > 0 && n < b->length && ((unsigned char)b->data[n] & 0xC0) == 0x80) n--;
    return n;
}

static bool begins_with(const heed_buffer *text, const heed_buffer *beginning)
{
    if (beginning->length == 0) return true; /* an empty text's data may be NULL */
    return beginning->length <= text->length &&
           memcmp(text->data, beginning->data, beginning->length) == 0;
}

/* Finds where message i begins in the text that ends with it: after the text that asks for it. If
   the two texts part earlier (a prompt that opens the model's thoughts), it begins there, but both
   texts must contain all messages before it. */
static heed_status find_beginning(const talk *t, size_t i, const heed_buffer *answered,
                                  size_t *begin)
{
    heed_jinja_output asking = {0}, before = {0};
    heed_status status = render(t, i, true, &asking);
    *begin = status == HEED_OK ? common(&asking.text, answered) : 0;
    if (status == HEED_OK && *begin < asking.text.length) {
        if (i > 0) status = render(t, i, false, &before);
        if (status == HEED_OK && (i == 0 || before.text.length > *begin))
            status = heed_fail(t->error, HEED_E_FORMAT,
                               "%s: message %zu: the template writes what stands before an answer "
                               "differently once it is there, so that the "
                               "answer's beginning cannot be told; give a template that has {%% "
                               "generation %%} blocks with --template",
                               t->where, i + 1);
    }
    heed_jinja_output_free(&asking);
    heed_jinja_output_free(&before);
    return status;
}

static heed_status lay_answer(talk *t, size_t i)
{
    bool last = i + 1 == json_array_size(t->messages);
    heed_jinja_output own = {0};
    size_t begin = 0;
    heed_status status = last ? HEED_OK : render(t, i + 1, false, &own);
    const heed_buffer *answered = last ? &t->whole.text : &own.text;
    if (status == HEED_OK) status = find_beginning(t, i, answered, &begin);
    if (status == HEED_OK && begins_with(&t->whole.text, answered))
        status = add_answer(t, begin, answered->length);
    else if (status == HEED_OK)
        status = hand_over(t, answered, &(heed_jinja_span){begin, answered->length}, 1, false);
    heed_jinja_output_free(&own);
    return status;
}

static heed_status lay_rendered(talk *t)
{
    HEED_TRY(render(t, json_array_size(t->messages), false, &t->whole));
    if (heed_chat_template_marks(t->layout->chat, t->tools)) return lay_marked(t);
    for (size_t i = t->first; i < json_array_size(t->messages); i++)
        if (is_answer(t, i)) HEED_TRY(lay_answer(t, i));
    return t->count > 0 ? hand_over(t, &t->whole.text, t->answers, t->count, false) : HEED_OK;
}

/* ---- the objects of a file ---- */

static heed_status lay_plain(const talk *t, const json_t *prompt, const json_t *completion)
{
    heed_buffer text = {0};
    size_t begin = json_string_length(prompt);
    heed_buffer_append(&text, json_string_value(prompt), begin);
    heed_buffer_append(&text, json_string_value(completion), json_string_length(completion));
    heed_jinja_span answer = {begin, text.length};
    const heed_conversation conversation = {
        .text = text_of(&text), .answers = &answer, .count = 1, .plain = true};
    heed_status status;
    if (text.failed)
        status = heed_fail_memory(t->error, text.length, "a prompt and its completion");
    else status = t->layout->sink(t->layout->context, &conversation, t->error);
    heed_buffer_free(&text);
    return status;
}

/* Returns prompt and completion as one list of messages, a new reference; NULL if memory is out. */
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

static heed_status lay_object(talk *t, const json_t *object)
{
    const json_t *prompt = json_object_get(object, "prompt");
    const json_t *completion = json_object_get(object, "completion");
    json_t *joined = NULL;
    t->messages = json_object_get(object, "messages");
    t->tools = json_object_get(object, "tools");
    if (json_is_null(t->tools)) t->tools = NULL;
    if (!t->layout->chat && !t->messages && json_is_string(prompt))
        return lay_plain(t, prompt, completion);
    if (!t->layout->chat)
        return heed_fail(t->error, HEED_E_ARG,
                         "%s: messages need a chat template, and neither the model nor the "
                         "tokenizer has one: give one with --template FILE",
                         t->where);
    if (!t->messages) {
        t->messages = joined = join(prompt, completion);
        t->first = json_is_string(prompt) ? 1 : json_array_size(prompt);
        if (!joined) return heed_fail_memory(t->error, 256, "a conversation");
    }
    heed_status status = lay_rendered(t);
    json_decref(joined);
    return status;
}

heed_status heed_conversation_lay(const heed_conversation_layout *layout, heed_text object,
                                  const char *where, heed_error *error)
{
    talk t = {.layout = layout, .where = where, .error = error};
    json_t *json = NULL;
    HEED_TRY(heed_json_parse(&json, object.bytes, object.length, where, error));
    heed_status status = lay_object(&t, json);
    json_decref(json);
    heed_jinja_output_free(&t.whole);
    free(t.answers);
    return status;
}
