/* json_foreign.c: represents numbers that are not finite, which Python's json module reads and JSON
   lacks. jansson stores only finite numbers, so a foreign value is an object with a single member:
   the key `mark` and the spelling as a string. No file is expected to contain this key. */
#include "base/json.h"

#include "base/utf8.h"
#include <math.h>
#include <string.h>

static const char mark[] = "\x01not finite";
/* Longer spellings are cut. They serve for messages, and the sign and the kind stand at the
   beginning. */
enum { LONGEST_SPELLING = 40 };

json_t *heed_json_foreign_new(const char *spelling, size_t length)
{
    if (length > LONGEST_SPELLING) length = LONGEST_SPELLING;
    json_t *object = json_object(), *text = json_stringn_nocheck(spelling, length);
    if (object && text && json_object_set_new(object, mark, text) == 0) return object;
    if (!object) json_decref(text);
    json_decref(object);
    return NULL;
}

const char *heed_json_foreign(const json_t *value)
{
    if (!json_is_object(value) || json_object_size(value) != 1) return NULL;
    return json_string_value(json_object_get(value, mark));
}

double heed_json_foreign_number(const char *spelling)
{
    if (strcmp(spelling, "NaN") == 0) return NAN;
    return spelling[0] == '-' ? -INFINITY : INFINITY;
}

const char *heed_json_type(const json_t *value)
{
    const char *foreign = heed_json_foreign(value);
    if (foreign) return foreign;
    if (!value) return "missing";
    switch (json_typeof(value)) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return "an array";
    case JSON_STRING: return "a string";
    case JSON_INTEGER: return "an integer";
    case JSON_REAL: return "a number";
    case JSON_TRUE:
    case JSON_FALSE: return "a boolean";
    case JSON_NULL: break;
    }
    return "null";
}

/* ---- values without what JSON lacks ---- */

/* Returns whether a value contains neither foreign values nor invalid UTF-8. */
static bool is_plain(const json_t *json)
{
    if (json_is_string(json))
        return heed_utf8_valid(json_string_value(json), json_string_length(json));
    if (heed_json_foreign(json)) return false;
    for (size_t i = 0; i < json_array_size(json); i++)
        if (!is_plain(json_array_get(json, i))) return false;
    for (void *at = json_object_iter((json_t *)json); at;
         at = json_object_iter_next((json_t *)json, at))
        if (!heed_utf8_valid(json_object_iter_key(at), json_object_iter_key_len(at)) ||
            !is_plain(json_object_iter_value(at)))
            return false;
    return true;
}

/* Appends text with U+FFFD in place of invalid UTF-8. */
static void put_valid(heed_buffer *out, const char *text, size_t length)
{
    for (size_t at = 0, used; at < length; at += used) {
        uint32_t point;
        bool valid;
        used = heed_utf8_next(text + at, length - at, &point, &valid);
        if (valid) heed_buffer_append(out, text + at, used);
        else heed_buffer_append(out, "\xEF\xBF\xBD", 3);
    }
    heed_buffer_append(out, "", 0);
}

static json_t *copy_string(const json_t *string)
{
    heed_buffer text = {0};
    put_valid(&text, json_string_value(string), json_string_length(string));
    json_t *copy = text.failed ? NULL : json_stringn(text.data, text.length);
    heed_buffer_free(&text);
    return copy;
}

static json_t *copy_object(json_t *object)
{
    json_t *copy = json_object();
    bool made = copy != NULL;
    for (void *at = json_object_iter(object); at && made; at = json_object_iter_next(object, at)) {
        heed_buffer key = {0};
        put_valid(&key, json_object_iter_key(at), json_object_iter_key_len(at));
        json_t *member = heed_json_plain(json_object_iter_value(at));
        made = !key.failed && member &&
               json_object_setn_new(copy, key.data, key.length, member) == 0;
        if (key.failed) json_decref(member);
        heed_buffer_free(&key);
    }
    if (made) return copy;
    json_decref(copy);
    return NULL;
}

static json_t *copy_array(json_t *array)
{
    json_t *copy = json_array();
    for (size_t i = 0; copy && i < json_array_size(array); i++) {
        json_t *element = heed_json_plain(json_array_get(array, i));
        if (element && json_array_append_new(copy, element) == 0) continue;
        json_decref(copy);
        copy = NULL;
    }
    return copy;
}

json_t *heed_json_plain(json_t *json)
{
    if (is_plain(json)) return json_incref(json);
    if (heed_json_foreign(json)) return json_null();
    if (json_is_string(json)) return copy_string(json);
    return json_is_object(json) ? copy_object(json) : copy_array(json);
}
