/* print.c: writes values as text, like Python's str, repr and json.dumps. */
#include "jinja/characters.h"
#include "jinja/value.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Writes the shortest digits that read back as the same number, with an exponent if it is below -4
   or at least 16. */
void heed_jinja_print_number(heed_buffer *out, double number)
{
    if (isnan(number)) heed_buffer_text(out, "nan");
    else if (isinf(number)) heed_buffer_text(out, number < 0 ? "-inf" : "inf");
    if (!isfinite(number)) return;
    char text[40], digits[24];
    for (int precision = 0; precision <= 16; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, number);
        if (strtod(text, NULL) == number) break;
    }
    int count = 0;
    const char *mark = strchr(text, 'e');
    for (const char *c = text; mark && c < mark && count < 20; c++)
        if (*c >= '0' && *c <= '9') digits[count++] = *c;
    int exponent = mark ? atoi(mark + 1) : 0;
    if (signbit(number)) heed_buffer_byte(out, '-');
    if (exponent < -4 || exponent >= 16) {
        heed_buffer_byte(out, digits[0]);
        if (count > 1) heed_buffer_printf(out, ".%.*s", count - 1, digits + 1);
        heed_buffer_printf(out, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
        return;
    }
    int whole = exponent >= 0 ? exponent + 1 : 0; /* digits before the point */
    if (!whole) heed_buffer_byte(out, '0');
    for (int i = 0; i < whole; i++) heed_buffer_byte(out, i < count ? digits[i] : '0');
    heed_buffer_byte(out, '.');
    for (int i = exponent + 1; i < 0; i++) heed_buffer_byte(out, '0');
    if (count <= whole) heed_buffer_byte(out, '0');
    else heed_buffer_append(out, digits + whole, (size_t)(count - whole));
}

/* Appends the repr of a string. */
static void repr_string(heed_buffer *out, jinja_value text)
{
    bool has_single = memchr(text.text, '\'', text.length) != NULL,
         has_double = memchr(text.text, '"', text.length) != NULL;
    uint32_t quote = has_single && !has_double ? '"' : '\'', c;
    heed_jinja_put_character(out, quote);
    for (size_t at = 0, step; at < text.length; at += step) {
        step = jinja_next(text.text, text.length, at, &c);
        if (c == quote || c == '\\') heed_buffer_printf(out, "\\%c", (char)c);
        else if (c == '\n') heed_buffer_text(out, "\\n");
        else if (c == '\r') heed_buffer_text(out, "\\r");
        else if (c == '\t') heed_buffer_text(out, "\\t");
        else if (heed_jinja_class(c) & JINJA_PRINTABLE)
            heed_buffer_append(out, text.text + at, step);
        else if (c < 0x100) heed_buffer_printf(out, "\\x%02x", (unsigned)c);
        else if (c < 0x10000) heed_buffer_printf(out, "\\u%04x", (unsigned)c);
        else heed_buffer_printf(out, "\\U%08x", (unsigned)c);
    }
    heed_jinja_put_character(out, quote);
}

/* Appends elements, or keys with their values, separated by commas. */
static void repr_items(jinja_run *run, heed_buffer *out, const jinja_value *items, size_t count,
                       const jinja_value *values)
{
    for (size_t i = 0; i < count && !heed_jinja_failed(run); i++) {
        if (i) heed_buffer_text(out, ", ");
        heed_jinja_repr(run, out, items[i]);
        if (!values) continue;
        heed_buffer_text(out, ": ");
        heed_jinja_repr(run, out, values[i]);
    }
}

static void repr_sequence(jinja_run *run, heed_buffer *out, const jinja_sequence *sequence)
{
    static const char *const open[] = {
        [JINJA_LIST] = "[", [JINJA_TUPLE] = "(", [JINJA_GROUP] = "(", [JINJA_VIEW] = "dict_view(["};
    static const char *const close[] = {
        [JINJA_LIST] = "]", [JINJA_TUPLE] = ")", [JINJA_GROUP] = ")", [JINJA_VIEW] = "])"};
    if (sequence->style == JINJA_GENERATOR)
        heed_jinja_fail(
            run, "a generator cannot be printed; make a list of it with the filter \"list\"");
    else if (sequence->style == JINJA_RANGE)
        heed_jinja_fail(run,
                        "a range cannot be printed; make a list of it with the filter \"list\"");
    if (heed_jinja_failed(run)) return;
    heed_buffer_text(out, open[sequence->style]);
    repr_items(run, out, sequence->items, sequence->count, NULL);
    if (sequence->style == JINJA_TUPLE && sequence->count == 1) heed_buffer_byte(out, ',');
    heed_buffer_text(out, close[sequence->style]);
}

void heed_jinja_repr(jinja_run *run, heed_buffer *out, jinja_value value)
{
    if (!heed_jinja_spend(run, 1 + (value.kind == JINJA_STRING ? value.length / 32 : 0)) ||
        !heed_jinja_fits(run, out) || !heed_jinja_enter(run))
        return;
    switch (value.kind) {
    case JINJA_UNDEFINED:
    case JINJA_MISSING: heed_buffer_text(out, "Undefined"); break;
    case JINJA_NONE: heed_buffer_text(out, "None"); break;
    case JINJA_BOOLEAN: heed_buffer_text(out, value.boolean ? "True" : "False"); break;
    case JINJA_INTEGER: heed_buffer_printf(out, "%" PRId64, value.integer); break;
    case JINJA_NUMBER: heed_jinja_print_number(out, value.number); break;
    case JINJA_STRING: repr_string(out, value); break;
    case JINJA_SEQUENCE: repr_sequence(run, out, value.sequence); break;
    case JINJA_DICT:
    case JINJA_NAMESPACE:
        heed_buffer_text(out, value.kind == JINJA_DICT ? "{" : "<Namespace {");
        repr_items(run, out, value.dict->keys, value.dict->count, value.dict->values);
        heed_buffer_text(out, value.kind == JINJA_DICT ? "}" : "}>");
        break;
    default: heed_jinja_fail(run, "a %s cannot be printed", heed_jinja_type(value)); break;
    }
    heed_jinja_leave(run);
}

void heed_jinja_print(jinja_run *run, heed_buffer *out, jinja_value value)
{
    if (value.kind == JINJA_UNDEFINED && value.unsafe) heed_jinja_fail_use(run, "print", value);
    else if (value.kind == JINJA_STRING) heed_buffer_append(out, value.text, value.length);
    else if (value.kind != JINJA_UNDEFINED) heed_jinja_repr(run, out, value);
    if (value.kind == JINJA_STRING) heed_jinja_spend(run, value.length / 64);
    heed_jinja_fits(run, out);
}

jinja_value heed_jinja_to_string(jinja_run *run, jinja_value value)
{
    if (value.kind == JINJA_STRING) return value;
    if (value.kind == JINJA_UNDEFINED && !value.unsafe) return heed_jinja_string("");
    heed_buffer text = {0};
    heed_jinja_print(run, &text, value);
    return heed_jinja_take_buffer(run, &text);
}

/* ---- JSON ---- */

static void put_json_string(heed_buffer *out, const char *text, size_t length, bool ascii)
{
    static const char letters[] = "\b\f\n\r\t\"\\", names[] = "bfnrt\"\\";
    uint32_t c;
    heed_buffer_byte(out, '"');
    for (size_t at = 0, step; at < length; at += step) {
        step = jinja_next(text, length, at, &c);
        const char *letter = c && c < 0x80 ? strchr(letters, (int)c) : NULL;
        if (letter) heed_buffer_printf(out, "\\%c", names[letter - letters]);
        else if (c < 0x20 || (ascii && c >= 0x80 && c < 0x10000))
            heed_buffer_printf(out, "\\u%04x", (unsigned)c);
        else if (ascii && c >= 0x10000)
            heed_buffer_printf(out, "\\u%04x\\u%04x", 0xD800u + ((unsigned)(c - 0x10000) >> 10),
                               0xDC00u + ((unsigned)(c - 0x10000) & 0x3FF));
        else heed_buffer_append(out, text + at, step);
    }
    heed_buffer_byte(out, '"');
}

static void json_number(heed_buffer *out, double number)
{
    if (isnan(number)) heed_buffer_text(out, "NaN");
    else if (isinf(number)) heed_buffer_text(out, number < 0 ? "-Infinity" : "Infinity");
    else heed_jinja_print_number(out, number);
}

/* Appends a key of an object. Numbers and constants become strings, as in Python. */
static void json_key(jinja_run *run, heed_buffer *out, jinja_value key, bool ascii)
{
    heed_buffer text = {0};
    switch (key.kind) {
    case JINJA_STRING: put_json_string(out, key.text, key.length, ascii); return;
    case JINJA_BOOLEAN: heed_buffer_text(&text, key.boolean ? "true" : "false"); break;
    case JINJA_NONE: heed_buffer_text(&text, "null"); break;
    case JINJA_INTEGER: heed_buffer_printf(&text, "%" PRId64, key.integer); break;
    case JINJA_NUMBER: json_number(&text, key.number); break;
    default: heed_jinja_fail(run, "JSON has no keys of type %s", heed_jinja_type(key)); break;
    }
    if (text.data) put_json_string(out, text.data, text.length, ascii);
    out->failed |= text.failed;
    heed_buffer_free(&text);
}

/* Begins a new indented line if the style asks for it. */
static void new_line(jinja_run *run, heed_buffer *out, const jinja_json_style *style, int level)
{
    if (!style->indent) return;
    heed_buffer_byte(out, '\n');
    for (int i = 0; i < level && heed_jinja_fits(run, out); i++)
        heed_buffer_text(out, style->indent);
}

static int by_key(const void *a, const void *b)
{
    const jinja_value *x = *(const jinja_value *const *)a, *y = *(const jinja_value *const *)b;
    size_t shorter = x->length < y->length ? x->length : y->length;
    int order = shorter ? memcmp(x->text, y->text, shorter) : 0;
    return order ? order : (x->length > y->length) - (x->length < y->length);
}

/* Returns the keys in order if the style asks for it. NULL for the stored order. */
static const jinja_value **sorted_keys(jinja_run *run, const jinja_dict *dict,
                                       const jinja_json_style *style)
{
    if (!style->sorted || dict->count < 2) return NULL;
    const jinja_value **keys = heed_jinja_take(run, dict->count, sizeof *keys);
    for (size_t i = 0; keys && i < dict->count; i++) {
        keys[i] = &dict->keys[i];
        if (keys[i]->kind != JINJA_STRING)
            heed_jinja_fail(run, "only keys that are strings can be sorted");
    }
    if (heed_jinja_failed(run) || !heed_jinja_spend(run, dict->count * 8)) return NULL;
    qsort(keys, dict->count, sizeof *keys, by_key);
    return keys;
}

static void json_value(jinja_run *run, heed_buffer *out, jinja_value value,
                       const jinja_json_style *style, int level);

static void json_items(jinja_run *run, heed_buffer *out, jinja_value value,
                       const jinja_json_style *style, int level)
{
    bool dict = value.kind == JINJA_DICT;
    size_t count = dict ? value.dict->count : value.sequence->count;
    const jinja_value **order = dict ? sorted_keys(run, value.dict, style) : NULL;
    heed_buffer_byte(out, dict ? '{' : '[');
    for (size_t i = 0; i < count && !heed_jinja_failed(run); i++) {
        if (i) heed_buffer_append(out, style->item.text, style->item.length);
        new_line(run, out, style, level + 1);
        size_t at = order ? (size_t)(order[i] - value.dict->keys) : i;
        if (dict) {
            json_key(run, out, value.dict->keys[at], style->ascii);
            heed_buffer_append(out, style->key.text, style->key.length);
        }
        json_value(run, out, dict ? value.dict->values[at] : value.sequence->items[at], style,
                   level + 1);
    }
    if (count) new_line(run, out, style, level);
    heed_buffer_byte(out, dict ? '}' : ']');
}

static void json_value(jinja_run *run, heed_buffer *out, jinja_value value,
                       const jinja_json_style *style, int level)
{
    if (!heed_jinja_spend(run, 1 + (value.kind == JINJA_STRING ? value.length / 32 : 0)) ||
        !heed_jinja_fits(run, out) || !heed_jinja_enter(run))
        return;
    switch (value.kind) {
    case JINJA_NONE: heed_buffer_text(out, "null"); break;
    case JINJA_BOOLEAN: heed_buffer_text(out, value.boolean ? "true" : "false"); break;
    case JINJA_INTEGER: heed_buffer_printf(out, "%" PRId64, value.integer); break;
    case JINJA_NUMBER: json_number(out, value.number); break;
    case JINJA_STRING: put_json_string(out, value.text, value.length, style->ascii); break;
    default:
        if (value.kind == JINJA_DICT || jinja_is_list(value) || jinja_is_tuple(value))
            json_items(run, out, value, style, level);
        else heed_jinja_fail_use(run, "write as JSON", value);
        break;
    }
    heed_jinja_leave(run);
}

void heed_jinja_print_json(jinja_run *run, heed_buffer *out, jinja_value value,
                           const jinja_json_style *style)
{
    json_value(run, out, value, style, 0);
}
