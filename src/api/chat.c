/* chat.c: conversations for the public interface. A conversation has messages, a chat template and
   a session whose cache is kept from turn to turn. */
#include "api/transformer.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "generate/generate.h"
#include "text/chat.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct heed_chat {
    heed_transformer *transformer;
    heed_chat_template *template;
    json_t *messages;      /* array; the system prompt, if there is one, comes first */
    heed_session *session; /* holds two sequences: the kept conversation and the new answer */
    heed_prefix prefix;    /* the conversation so far, in the cache */
    int32_t turn_end;      /* special token that the template puts after an answer; -1 for none */
    bool keep_all;         /* as in heed_chat_options */
};

/* ---- messages ---- */

/* Returns a message; NULL if `content` is not valid UTF-8 or memory is out. */
static json_t *make_message(const char *role, const char *content, size_t length)
{
    json_t *message = json_object();
    if (message && (json_object_set_new(message, "role", json_string(role)) ||
                    json_object_set_new(message, "content", json_stringn(content, length)))) {
        json_decref(message);
        message = NULL;
    }
    return message;
}

static bool has_role(const json_t *message, const char *role)
{
    const char *found = json_string_value(json_object_get(message, "role"));
    return found && strcmp(found, role) == 0;
}

static heed_status fail_text(const char *text, heed_error *error)
{
    return heed_fail(error, HEED_E_ARG, "\"%.40s\": a message must be valid UTF-8", text);
}

/* Appends the messages from index `from` on to *copy, which is made if it is NULL. HEED_E_NOMEM. */
static heed_status copy_messages(const json_t *messages, size_t from, json_t **copy,
                                 heed_error *error)
{
    if (!*copy) *copy = json_array();
    bool ok = *copy != NULL;
    for (size_t i = from; ok && i < json_array_size(messages); i++)
        ok = json_array_append(*copy, json_array_get(messages, i)) == 0;
    return ok ? HEED_OK
              : heed_fail_memory(error, json_array_size(messages) * sizeof(void *),
                                 "a conversation");
}

static heed_status add_message(json_t *messages, const char *role, const char *content,
                               size_t length, heed_error *error)
{
    json_t *message = make_message(role, content, length);
    if (!message) return fail_text(content, error);
    return json_array_append_new(messages, message) == 0
               ? HEED_OK
               : heed_fail_memory(error, length, "a conversation");
}

heed_status heed_chat_set_system(heed_chat *chat, const char *system, heed_error *error)
{
    bool had = has_role(json_array_get(chat->messages, 0), "system");
    json_t *messages = json_array();
    heed_status status = messages ? HEED_OK : heed_fail_memory(error, 64, "a conversation");
    if (status == HEED_OK && system && *system)
        status = add_message(messages, "system", system, strlen(system), error);
    if (status == HEED_OK) status = copy_messages(chat->messages, had, &messages, error);
    if (status != HEED_OK) {
        json_decref(messages);
        return status;
    }
    json_decref(chat->messages);
    chat->messages = messages;
    return HEED_OK;
}

heed_status heed_chat_reset(heed_chat *chat, heed_error *error)
{
    (void)error;
    size_t system = has_role(json_array_get(chat->messages, 0), "system");
    while (json_array_size(chat->messages) > system)
        json_array_remove(chat->messages, json_array_size(chat->messages) - 1);
    return HEED_OK;
}

size_t heed_chat_count(const heed_chat *chat)
{
    return json_array_size(chat->messages);
}

heed_status heed_chat_save(const heed_chat *chat, const char *path, heed_error *error)
{
    heed_buffer text = {0};
    heed_buffer_text(&text, "{\"messages\": ");
    heed_json_put(&text, chat->messages, JSON_INDENT(1) | JSON_ENCODE_ANY);
    heed_buffer_text(&text, "}\n");
    heed_status status = text.failed ? heed_fail_memory(error, text.length, "a conversation")
                                     : heed_file_write(path, text.data, text.length, error);
    heed_buffer_free(&text);
    return status;
}

heed_status heed_chat_load(heed_chat *chat, const char *path, heed_error *error)
{
    json_t *json = NULL, *copy = NULL;
    HEED_TRY(heed_json_read(&json, path, error));
    const json_t *messages = json_object_get(json, "messages");
    heed_status status = HEED_OK;
    if (!json_is_array(messages))
        status = heed_fail(error, HEED_E_FORMAT,
                           "%s: expected {\"messages\": [{\"role\", \"content\"} ...]}", path);
    for (size_t i = 0; status == HEED_OK && i < json_array_size(messages); i++) {
        const json_t *message = json_array_get(messages, i);
        if (!json_is_string(json_object_get(message, "role")) ||
            !json_is_string(json_object_get(message, "content")))
            status = heed_fail(error, HEED_E_FORMAT,
                               "%s: message %zu: expected strings \"role\" and \"content\"", path,
                               i);
    }
    if (status == HEED_OK) status = copy_messages(messages, 0, &copy, error);
    json_decref(json);
    if (status != HEED_OK) {
        json_decref(copy);
        return status;
    }
    json_decref(chat->messages);
    chat->messages = copy;
    return HEED_OK;
}

/* ---- making ---- */

/* Loads the template `choice` (a file or a name), or the model's default if it is NULL. */
static heed_status load_template(heed_chat *chat, const char *choice,
                                 const heed_tokenizer *tokenizer, heed_error *error)
{
    const char *where = chat->transformer->folder;
    if (choice) return heed_chat_template_open(&chat->template, choice, where, tokenizer, error);
    HEED_TRY(heed_chat_template_load(&chat->template, where, tokenizer, error));
    return heed_chat_template_check(chat->template, NULL, error);
}

/* Fills a new conversation; the caller frees it, after a failure too. */
static heed_status make(heed_chat *chat, const heed_chat_options *options, heed_error *error)
{
    heed_transformer *t = chat->transformer;
    const heed_tokenizer *tokenizer = heed_transformer_tokenizer(t, error);
    if (!tokenizer) return t->tokenizer_problem.status;
    if (heed_transformer_has_source(t))
        return heed_fail(error, HEED_E_UNSUPPORTED,
                         "%s: conversations need a decoder, not an encoder-decoder", t->folder);
    HEED_TRY(load_template(chat, options->template_file, tokenizer, error));
    chat->keep_all = options->keep_all;
    chat->messages = json_array();
    if (!chat->messages) return heed_fail_memory(error, 64, "a conversation");
    HEED_TRY(heed_chat_set_system(chat, options->system, error));
    HEED_TRY(
        heed_chat_find_end(chat->template, tokenizer, (int64_t)time(NULL), &chat->turn_end, error));
    HEED_TRY(heed_transformer_session(t, 2, options->context, NULL, &chat->session, error));
    heed_prefix_begin(&chat->prefix, chat->session);
    return HEED_OK;
}

heed_status heed_chat_new(heed_chat **result, heed_transformer *transformer,
                          const heed_chat_options *options, heed_error *error)
{
    static const heed_chat_options none = {0};
    *result = NULL;
    heed_chat *chat = heed_allocate(1, sizeof *chat);
    if (!chat) return heed_fail_memory(error, sizeof *chat, "a conversation");
    chat->transformer = transformer;
    pthread_mutex_lock(&transformer->turn);
    heed_status status = make(chat, options ? options : &none, error);
    pthread_mutex_unlock(&transformer->turn);
    if (status == HEED_OK) *result = chat;
    else heed_chat_free(chat);
    return status;
}

void heed_chat_free(heed_chat *chat)
{
    if (!chat) return;
    heed_prefix_free(&chat->prefix);
    heed_session_free(chat->session);
    heed_chat_template_free(chat->template);
    json_decref(chat->messages);
    free(chat);
}

/* ---- a turn ---- */

/* Lays the messages out with the template, up to the beginning of the next answer, and encodes the
   text. The template writes special tokens itself, so none are added. */
static heed_status encode(const heed_chat *chat, const json_t *messages, heed_encoding *ids,
                          heed_error *error)
{
    heed_jinja_output output = {0};
    const heed_chat_input input = {
        .messages = messages, .prompt = true, .now = (int64_t)time(NULL)};
    heed_status status = heed_chat_render(chat->template, &input, &output, error);
    if (status == HEED_OK)
        status = heed_tokenizer_encode(chat->transformer->tokenizer,
                                       output.text.data ? output.text.data : "", output.text.length,
                                       0, ids, error);
    heed_jinja_output_free(&output);
    return status;
}

/* Removes the oldest message of the user with its answers and adds their number to *dropped.
   Returns false if only the last message of the user is left. */
static bool drop_oldest(json_t *messages, size_t *dropped)
{
    size_t first = has_role(json_array_get(messages, 0), "system"), next = first + 1;
    while (next < json_array_size(messages) && !has_role(json_array_get(messages, next), "user"))
        next++;
    if (next >= json_array_size(messages)) return false;
    for (; next > first; next--, ++*dropped) json_array_remove(messages, first);
    return true;
}

/* Encodes the conversation. While there is no room for an answer, the oldest messages are removed
   from `messages`; with keep_all that is HEED_E_ARG instead. The room is a quarter of the context,
   or max_new_tokens if that is less. */
static heed_status fit(const heed_chat *chat, json_t *messages,
                       const heed_generation_settings *settings, heed_encoding *ids,
                       size_t *dropped, heed_error *error)
{
    int64_t context = heed_session_context(chat->session), room = context / 4;
    if (settings->max_new_tokens > 0 && settings->max_new_tokens < room)
        room = settings->max_new_tokens;
    for (;;) {
        HEED_TRY(encode(chat, messages, ids, error));
        if ((int64_t)ids->count + room <= context) return HEED_OK;
        if (chat->keep_all)
            return heed_fail(error, HEED_E_ARG,
                             "the conversation has %zu tokens, and with room for an answer (%lld) "
                             "exceeds the context of %lld: begin "
                             "again, or let old messages be left out",
                             ids->count, (long long)room, (long long)context);
        if (!drop_oldest(messages, dropped))
            return heed_fail(error, HEED_E_ARG,
                             "the message has %zu tokens with what stands around it, and with room "
                             "for an answer (%lld) exceeds the "
                             "context of %lld: shorten it",
                             ids->count, (long long)room, (long long)context);
    }
}

/* The state of one turn. */
typedef struct listener {
    const heed_hooks *hooks; /* may be NULL */
    heed_encoding ids;       /* ids of the conversation */
    heed_buffer text;        /* the answer so far */
    double begun, first;     /* when the turn and the first text began; 0: not yet */
    bool cancelled;          /* a hook asked to stop */
} listener;

static void on_text(void *argument, size_t prompt, size_t number, const char *text, size_t length)
{
    listener *l = argument;
    if (l->first == 0) l->first = heed_clock_seconds();
    heed_buffer_append(&l->text, text, length);
    if (l->hooks && l->hooks->text)
        l->hooks->text(l->hooks->argument, prompt, number, text, length);
}

static bool on_cancelled(void *argument)
{
    listener *l = argument;
    l->cancelled = l->cancelled || heed_cancelled(heed_hooks_cancel(l->hooks));
    return l->cancelled;
}

/* Makes the settings of the next answer. Unless max_new_tokens is set, only the context limits its
   length. The token that ends a turn ends the answer too. */
static heed_status make_settings(const heed_chat *chat, const heed_generation_options *options,
                                 heed_generation_settings *settings, heed_error *error)
{
    HEED_TRY(heed_transformer_settings(chat->transformer, options, settings, error));
    if (!heed_generation_options_or_default(options)->max_new_tokens.set) {
        settings->max_new_tokens = heed_session_context(chat->session);
        settings->max_length = 0;
    }
    if (settings->beams > 1 || settings->returned > 1)
        return heed_fail(error, HEED_E_UNSUPPORTED,
                         "a conversation has one answer: no beams, one sequence");
    bool known = chat->turn_end < 0;
    for (size_t i = 0; i < settings->eos.count; i++)
        known |= settings->eos.ids[i] == chat->turn_end;
    if (known) return HEED_OK;
    int32_t *ids = realloc(settings->eos.ids, (settings->eos.count + 1) * sizeof *ids);
    if (!ids) return heed_fail_memory(error, sizeof *ids, "the settings");
    settings->eos.ids = ids;
    ids[settings->eos.count++] = chat->turn_end;
    return HEED_OK;
}

heed_status heed_chat_settings(const heed_chat *chat, const heed_generation_options *options,
                               heed_generation_options *in_force, heed_error *error)
{
    heed_generation_settings s;
    heed_generation_settings_default(&s);
    heed_status status = make_settings(chat, options, &s, error);
    if (status == HEED_OK) {
        *in_force = *heed_generation_options_or_default(options);
        heed_generation_settings_show(&s, in_force);
    }
    heed_generation_settings_free(&s);
    return status;
}

/* Writes the answer to the ids. If a hook cancels it, the text so far is the answer. */
static heed_status answer(heed_chat *chat, const heed_generation_settings *settings, listener *l,
                          heed_turn *turn, heed_error *error)
{
    heed_generation generation = {0};
    heed_generation_events events = {.text = on_text, .cancelled = on_cancelled, .argument = l};
    heed_ids prompt = {l->ids.ids, (int64_t)l->ids.count};
    heed_error problem = {0};
    heed_session_set_cancel(chat->session, (heed_cancel){on_cancelled, l});
    heed_generator generator = {chat->session, chat->transformer->tokenizer, settings};
    heed_status status = heed_generate_from(&generator, &chat->prefix, &prompt, &events,
                                            &generation, &problem);
    heed_session_set_cancel(chat->session, (heed_cancel){0});
    if (status == HEED_E_CANCELLED && l->cancelled) {
        status = HEED_OK;
        turn->finish = "cancelled";
    } else if (status == HEED_OK) {
        turn->finish = heed_finish_name(generation.items[0].finish);
        turn->new_tokens = generation.items[0].count;
        turn->kept_tokens = generation.prompts[0].kept;
    } else heed_fail(error, status, "%s", problem.message);
    turn->prompt_tokens = l->ids.count;
    turn->context = (size_t)heed_session_context(chat->session);
    turn->seconds = heed_clock_seconds() - l->begun;
    turn->prompt_seconds = l->first > 0 ? l->first - l->begun : turn->seconds;
    if (status == HEED_OK && l->text.failed)
        status = heed_fail_memory(error, l->text.length, "an answer");
    heed_generation_free(&generation);
    return status;
}

/* Encodes the conversation and writes the answer. If a hook cancels it during the encoding, the
   answer is empty. */
static heed_status reply(heed_chat *chat, json_t *messages,
                         const heed_generation_settings *settings, listener *l, heed_turn *turn,
                         heed_error *error)
{
    heed_error problem = {0};
    heed_status status = fit(chat, messages, settings, &l->ids, &turn->dropped, &problem);
    if (status == HEED_OK) return answer(chat, settings, l, turn, error);
    if (status != HEED_E_CANCELLED) return heed_fail(error, status, "%s", problem.message);
    turn->finish = "cancelled";
    turn->seconds = turn->prompt_seconds = heed_clock_seconds() - l->begun;
    turn->context = (size_t)heed_session_context(chat->session);
    return HEED_OK;
}

heed_status heed_chat_say(heed_chat *chat, const char *message,
                          const heed_generation_options *options, const heed_hooks *hooks,
                          heed_turn *turn, heed_error *error)
{
    heed_generation_settings settings;
    json_t *messages = NULL;
    listener l = {.hooks = hooks, .begun = heed_clock_seconds()};
    l.ids.cancel = (heed_cancel){on_cancelled, &l};
    *turn = (heed_turn){0};
    heed_generation_settings_default(&settings);
    pthread_mutex_lock(&chat->transformer->turn);
    heed_status status = copy_messages(chat->messages, 0, &messages, error);
    if (status == HEED_OK) status = add_message(messages, "user", message, strlen(message), error);
    if (status == HEED_OK) status = make_settings(chat, options, &settings, error);
    if (status == HEED_OK) status = reply(chat, messages, &settings, &l, turn, error);
    if (status == HEED_OK)
        status = add_message(messages, "assistant", l.text.data ? l.text.data : "", l.text.length,
                             error);
    pthread_mutex_unlock(&chat->transformer->turn);
    if (status == HEED_OK) {
        json_t *before = chat->messages;
        chat->messages = messages;
        messages = before;
        turn->text = l.text.data ? l.text.data : heed_allocate(1, 1);
        l.text = (heed_buffer){0};
    }
    json_decref(messages);
    heed_buffer_free(&l.text);
    heed_encoding_free(&l.ids);
    heed_generation_settings_free(&settings);
    return status;
}

heed_status heed_chat_text(const heed_chat *chat, char **text, heed_error *error)
{
    heed_jinja_output output = {0};
    *text = NULL;
    const heed_chat_input input = {
        .messages = chat->messages, .prompt = true, .now = (int64_t)time(NULL)};
    heed_status status = heed_chat_render(chat->template, &input, &output, error);
    if (status == HEED_OK) {
        *text = output.text.data ? output.text.data : heed_allocate(1, 1);
        if (!*text) status = heed_fail_memory(error, 1, "a conversation");
        output.text = (heed_buffer){0};
    }
    heed_jinja_output_free(&output);
    return status;
}
