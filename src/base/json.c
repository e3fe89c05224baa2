/* json.c: reads JSON files and typed members, and writes JSON text (json.h). */
#include "base/json.h"

#include "base/buffer.h"
#include "base/file.h"
#include "base/foreign.h"
#include "base/utf8.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { JSON_FILE_LIMIT = 256 << 20 };

heed_status heed_json_read(json_t **json, const char *path, heed_error *error)
{
    heed_buffer text = {0};
    heed_status status = heed_file_read(path, JSON_FILE_LIMIT, &text, error);
    const char *sign = status == HEED_OK ? heed_foreign_sign(text.data, text.length) : NULL;
    if (sign) status = heed_fail(error, HEED_E_FORMAT, "%s: expected JSON; this is %s", path, sign);
    if (status == HEED_OK) status = heed_json_parse(json, text.data, text.length, path, error);
    heed_buffer_free(&text);
    return status;
}

static heed_status fail_type(heed_error *error, const char *where, const char *key,
                             const json_t *found, const char *expected)
{
    return heed_fail(error, HEED_E_FORMAT, "%s: \"%s\" is %s, expected %s", where, key,
                     heed_json_type(found), expected);
}

heed_status heed_json_integer(const json_t *object, const char *key, int64_t *value,
                              const char *where, heed_error *error)
{
    const json_t *member = json_object_get(object, key);
    if (!member || json_is_null(member)) return HEED_OK;
    if (json_is_integer(member)) *value = json_integer_value(member);
    else if (json_is_real(member) && fabs(json_real_value(member)) < 0x1p53 &&
             floor(json_real_value(member)) == json_real_value(member))
        *value = (int64_t)json_real_value(member);
    else return fail_type(error, where, key, member, "an integer");
    return HEED_OK;
}

heed_status heed_json_number(const json_t *object, const char *key, double *value,
                             const char *where, heed_error *error)
{
    const json_t *member = json_object_get(object, key);
    if (!member || json_is_null(member)) return HEED_OK;
    const char *expected = heed_json_foreign(member) ? "a finite number" : "a number";
    if (!json_is_number(member)) return fail_type(error, where, key, member, expected);
    *value = json_number_value(member);
    return HEED_OK;
}

heed_status heed_json_boolean(const json_t *object, const char *key, bool *value, const char *where,
                              heed_error *error)
{
    const json_t *member = json_object_get(object, key);
    if (!member || json_is_null(member)) return HEED_OK;
    if (!json_is_boolean(member)) return fail_type(error, where, key, member, "true or false");
    *value = json_is_true(member);
    return HEED_OK;
}

heed_status heed_json_string(const json_t *object, const char *key, const char **value,
                             const char *where, heed_error *error)
{
    const json_t *member = json_object_get(object, key);
    if (!member || json_is_null(member)) return HEED_OK;
    if (!json_is_string(member)) return fail_type(error, where, key, member, "a string");
    *value = json_string_value(member);
    return HEED_OK;
}

void heed_json_put_string(heed_buffer *buffer, const char *text, size_t length)
{
    static const char short_form[32] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    heed_buffer_byte(buffer, '"');
    for (size_t at = 0, used; at < length; at += used) {
        uint32_t point;
        bool valid;
        used = heed_utf8_next(text + at, length - at, &point, &valid);
        if (point == '"' || point == '\\') heed_buffer_printf(buffer, "\\%c", (int)point);
        else if (point < 0x20 && short_form[point])
            heed_buffer_printf(buffer, "\\%c", short_form[point]);
        else if (point < 0x20) heed_buffer_printf(buffer, "\\u%04x", (unsigned)point);
        else if (valid) heed_buffer_append(buffer, text + at, used);
        else heed_buffer_text(buffer, "\xEF\xBF\xBD");
    }
    heed_buffer_byte(buffer, '"');
}

void heed_json_put_number(heed_buffer *buffer, double number)
{
    if (!isfinite(number)) {
        heed_buffer_text(buffer, "null");
        return;
    }
    char text[32];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number) break;
    }
    /* snprintf writes the decimal point of the locale, which may be any bytes. Every run of bytes
       that cannot occur in a C number is replaced by '.'. */
    char *end = text;
    for (const char *c = text; *c; c++) {
        bool plain = strchr("0123456789+-eE", *c) != NULL;
        if (plain) *end++ = *c;
        else if (end == text || end[-1] != '.') *end++ = '.';
    }
    heed_buffer_append(buffer, text, (size_t)(end - text));
}

/* json_dump_callback's output function: appends to the buffer. */
static int append(const char *bytes, size_t count, void *buffer)
{
    heed_buffer_append(buffer, bytes, count);
    return ((heed_buffer *)buffer)->failed ? -1 : 0;
}

void heed_json_put(heed_buffer *buffer, const json_t *json, size_t flags)
{
    json_t *plain = json ? heed_json_plain((json_t *)json) : NULL;
    if (json_dump_callback(plain, append, buffer, flags) != 0) buffer->failed = true;
    json_decref(plain);
}

/* Appends an object or array that may contain foreign values. */
static void put_found_members(heed_buffer *buffer, const json_t *value)
{
    bool object = json_is_object(value), first = true;
    heed_buffer_byte(buffer, object ? '{' : '[');
    for (size_t i = 0; i < json_array_size(value); i++, first = false) {
        if (!first) heed_buffer_byte(buffer, ',');
        heed_json_put_found(buffer, json_array_get(value, i));
    }
    for (void *at = json_object_iter((json_t *)value); at;
         at = json_object_iter_next((json_t *)value, at), first = false) {
        if (!first) heed_buffer_byte(buffer, ',');
        heed_json_put_string(buffer, json_object_iter_key(at), json_object_iter_key_len(at));
        heed_buffer_byte(buffer, ':');
        heed_json_put_found(buffer, json_object_iter_value(at));
    }
    heed_buffer_byte(buffer, object ? '}' : ']');
}

void heed_json_put_found(heed_buffer *buffer, const json_t *value)
{
    const char *foreign = heed_json_foreign(value);
    if (foreign) heed_buffer_text(buffer, foreign);
    else if (json_is_object(value) || json_is_array(value)) put_found_members(buffer, value);
    else heed_json_put(buffer, value, JSON_ENCODE_ANY | JSON_COMPACT);
}

json_t *heed_json_copy(const json_t *object)
{
    json_t *copy = json_object();
    for (void *at = json_object_iter((json_t *)object); copy && at;
         at = json_object_iter_next((json_t *)object, at))
        if (json_object_set(copy, json_object_iter_key(at), json_object_iter_value(at)) != 0) {
            json_decref(copy);
            copy = NULL;
        }
    return copy;
}
