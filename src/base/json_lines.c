/* json_lines.c: writes JSON for people to read, with one value per line (heed_json_put_lines). */
#include "base/json.h"

#include <string.h>

static void put_value(heed_buffer *text, const json_t *value, int level);

/* Appends a real number so that it reads back as real, 1.0 and not 1, because some programs check
   the types of JSON numbers. */
static void put_real(heed_buffer *text, double number)
{
    size_t begin = text->length;
    heed_json_put_number(text, number);
    if (text->failed) return;
    for (size_t i = begin; i < text->length; i++)
        if (!strchr("-0123456789", text->data[i])) return;
    heed_buffer_text(text, ".0");
}

/* Ends a line and begins the next, indented for `level`. */
static void put_line(heed_buffer *text, bool is_first, int level)
{
    if (!is_first) heed_buffer_byte(text, ',');
    heed_buffer_printf(text, "\n%*s", 2 * level, "");
}

static void put_elements(heed_buffer *text, const json_t *array, int level)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        put_line(text, i == 0, level + 1);
        put_value(text, json_array_get(array, i), level + 1);
    }
}

static void put_members(heed_buffer *text, const json_t *object, int level)
{
    bool is_first = true;
    for (void *at = json_object_iter((json_t *)object); at;
         at = json_object_iter_next((json_t *)object, at)) {
        put_line(text, is_first, level + 1);
        heed_json_put_string(text, json_object_iter_key(at), json_object_iter_key_len(at));
        heed_buffer_text(text, ": ");
        put_value(text, json_object_iter_value(at), level + 1);
        is_first = false;
    }
}

static void put_container(heed_buffer *text, const json_t *value, int level)
{
    bool is_object = json_is_object(value);
    bool is_empty = json_array_size(value) + json_object_size(value) == 0;
    heed_buffer_byte(text, is_object ? '{' : '[');
    if (is_object) put_members(text, value, level);
    else put_elements(text, value, level);
    if (!is_empty) heed_buffer_printf(text, "\n%*s", 2 * level, "");
    heed_buffer_byte(text, is_object ? '}' : ']');
}

static void put_value(heed_buffer *text, const json_t *value, int level)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
    case JSON_ARRAY: put_container(text, value, level); break;
    case JSON_STRING:
        heed_json_put_string(text, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        heed_buffer_printf(text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL: put_real(text, json_real_value(value)); break;
    case JSON_TRUE: heed_buffer_text(text, "true"); break;
    case JSON_FALSE: heed_buffer_text(text, "false"); break;
    case JSON_NULL: heed_buffer_text(text, "null"); break;
    }
}

void heed_json_put_lines(heed_buffer *buffer, const json_t *json)
{
    json_t *plain = heed_json_plain((json_t *)json);
    if (plain) put_value(buffer, plain, 0);
    buffer->failed |= !plain;
    json_decref(plain);
}
