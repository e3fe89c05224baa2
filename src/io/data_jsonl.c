/* data_jsonl.c: reads .jsonl, one object a line: a document, a pair or a conversation. */
#include "base/json.h"
#include "base/utf8.h"
#include "io/data_internal.h"
#include <stdio.h>

/* Copies the text of a member. HEED_E_FORMAT if it is not valid text. */
static heed_status copy_text(heed_data *data, const json_t *object, const char *key,
                             heed_text *text, heed_data_origin at, heed_error *error)
{
    const json_t *string = json_object_get(object, key);
    size_t length = json_string_length(string);
    if (!heed_utf8_valid(json_string_value(string), length))
        return heed_fail(error, HEED_E_FORMAT,
                         "%s, line %zu: \"%s\" holds half a surrogate pair (\"\\ud83d\" without "
                         "the other half, say), which is not text: mend or remove it",
                         at.path, at.line, key);
    return heed_data_copy(data, (heed_text){json_string_value(string), length}, text, at.path,
                          error);
}

/* Is this a list of one or more objects with a string "role"? */
static bool are_messages(const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!json_is_string(json_object_get(json_array_get(list, i), "role"))) return false;
    return json_array_size(list) > 0;
}

/* Adds a conversation. The line itself is kept, because templates may read anything in its
   objects. */
static heed_status add_conversation(heed_data *data, const json_t *object, heed_text line,
                                    heed_data_origin at, heed_error *error)
{
    const json_t *messages = json_object_get(object, "messages");
    const json_t *prompt = json_object_get(object, "prompt");
    const json_t *completion = json_object_get(object, "completion");
    bool are_texts = json_is_string(prompt) && json_is_string(completion);
    bool are_lists = are_messages(prompt) && are_messages(completion);
    if (messages && !are_messages(messages))
        return heed_fail(error, HEED_E_FORMAT,
                         "%s, line %zu: expected \"messages\" to be a list of objects, each with a "
                         "string \"role\"",
                         at.path, at.line);
    if (!messages && !are_texts && !are_lists)
        return heed_fail(error, HEED_E_FORMAT,
                         "%s, line %zu: expected \"prompt\" and \"completion\" to be two strings, "
                         "or two lists of messages with a string \"role\" each",
                         at.path, at.line);
    return heed_data_add_conversation(data, line, at, error);
}

static bool has(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return value && !json_is_null(value);
}

static bool has_string(const json_t *object, const char *key)
{
    return json_is_string(json_object_get(object, key));
}

/* Returns HEED_E_FORMAT for an object that can be read in two ways. One member of a pair alone does
   not count: "source" beside "text" may tell where the text is from. */
static heed_status check_one_kind(const json_t *object, heed_data_origin at, heed_error *error)
{
    const struct {
        bool there;
        const char *name;
    } kinds[] = {
        {has_string(object, "text"), "\"text\""},
        {has_string(object, "source") && has_string(object, "target"), "\"source\" and \"target\""},
        {has(object, "messages"), "\"messages\""},
        {has(object, "prompt") && has(object, "completion"), "\"prompt\" and \"completion\""}};
    const char *first = NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!kinds[i].there) continue;
        if (first)
            return heed_fail(error, HEED_E_FORMAT,
                             "%s, line %zu: the object has %s, but %s too: only one of them can be "
                             "learned; take the other out of the file",
                             at.path, at.line, first, kinds[i].name);
        first = kinds[i].name;
    }
    return HEED_OK;
}

/* Adds an object as the kind of its members. */
static heed_status add_object(heed_data *data, const json_t *object, heed_text whole,
                              heed_data_origin at, heed_error *error)
{
    HEED_TRY(check_one_kind(object, at, error));
    const json_t *text = json_object_get(object, "text");
    if (json_is_string(text)) {
        heed_text document = {0};
        HEED_TRY(copy_text(data, object, "text", &document, at, error));
        return heed_data_add_document(data, document, at.path, error);
    }
    if (heed_json_foreign(text))
        return heed_fail(error, HEED_E_FORMAT, "%s, line %zu: \"text\" is %s, expected a string",
                         at.path, at.line, heed_json_foreign(text));
    if (json_object_get(object, "messages") || json_object_get(object, "completion"))
        return add_conversation(data, object, whole, at, error);
    if (!has_string(object, "source") || !has_string(object, "target"))
        return heed_fail(error, HEED_E_FORMAT,
                         "%s, line %zu: expected an object with the string \"text\", or \"source\" "
                         "and \"target\", or \"messages\", or \"prompt\" and \"completion\"",
                         at.path, at.line);
    heed_text_pair pair = {0};
    HEED_TRY(copy_text(data, object, "source", &pair.source, at, error));
    HEED_TRY(copy_text(data, object, "target", &pair.target, at, error));
    return heed_data_add_pair(data, pair, at.path, error);
}

/* Reads the object of a line. Blank lines are skipped. */
static heed_status read_object(heed_data *data, heed_text line, heed_data_origin at,
                               heed_error *error)
{
    if (heed_line_is_blank(line)) return HEED_OK;
    char where[300];
    json_t *object = NULL;
    snprintf(where, sizeof where, "%.250s, line %zu", at.path, at.line);
    HEED_TRY(heed_json_parse(&object, line.bytes, line.length, where, error));
    heed_status status = add_object(data, object, line, at, error);
    json_decref(object);
    return status;
}

heed_status heed_data_read_jsonl(heed_data *data, const char *path, heed_error *error)
{
    return heed_data_for_each_line(data, path, read_object, error);
}
