/* json_parse.c: a recursive-descent JSON parser that builds jansson's values. It reads RFC 8259 and
   the extensions of Python's json module. jansson's own parser is not used because it ignores
   failed allocations inside a token and refuses integers beyond 64 bits, which published tokenizer
   configurations contain. */
#include "base/json.h"

#include "base/memory.h"
#include "base/utf8.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_LIMIT = 256 };

typedef struct parser {
    const char *text;
    size_t length, at;
    const char *where;
    heed_error *error;
    int depth;
    bool strict;           /* RFC 8259, with each key once */
    heed_buffer scratch;   /* the text of the string or number being read */
    char decimal_point[8]; /* the decimal point that strtod expects in the current locale */
} parser;

/* Fails at byte `at`, naming line and column. */
static heed_status fail_at(parser *p, size_t at, const char *found, const char *expected)
{
    size_t line = 1, column = 1;
    for (size_t i = 0; i < at; i++) {
        column++;
        if (p->text[i] != '\n') continue;
        line++;
        column = 1;
    }
    /* A text without line feeds may be one line of many. The caller's `where` then names the
       line. */
    if (p->length == 0 || !memchr(p->text, '\n', p->length))
        return heed_fail(p->error, HEED_E_FORMAT, "%s: column %zu (byte %zu): %s, expected %s",
                         p->where, column, at, found, expected);
    return heed_fail(p->error, HEED_E_FORMAT,
                     "%s: line %zu, column %zu (byte %zu): %s, expected %s", p->where, line, column,
                     at, found, expected);
}

static heed_status fail_here(parser *p, const char *expected)
{
    char found[16] = "the end";
    if (p->at < p->length) {
        unsigned char c = (unsigned char)p->text[p->at];
        snprintf(found, sizeof found, c > 0x20 && c < 0x7F ? "'%c'" : "byte 0x%02X", c);
    }
    return fail_at(p, p->at, found, expected);
}

static heed_status fail_full(parser *p)
{
    return heed_fail_memory(p->error, p->length, p->where);
}

static void skip_blanks(parser *p)
{
    while (p->at < p->length && memchr(" \t\n\r", p->text[p->at], 4)) p->at++;
}

/* Consumes the byte `c` if it is next. */
static bool take(parser *p, char c)
{
    if (p->at == p->length || p->text[p->at] != c) return false;
    p->at++;
    return true;
}

/* Reads the four hexadecimal digits of a \u escape. */
static heed_status read_hex(parser *p, uint32_t *unit)
{
    *unit = 0;
    for (int i = 0; i < 4; i++, p->at++) {
        const char *digits = "0123456789abcdef", *digit = NULL;
        if (p->at < p->length && p->text[p->at])
            digit = strchr(digits, p->text[p->at] | (p->text[p->at] >= 'A' ? 0x20 : 0));
        if (!digit) return fail_here(p, "four hexadecimal digits after \\u");
        *unit = *unit << 4 | (uint32_t)(digit - digits);
    }
    return HEED_OK;
}

/* Reads the low surrogate that should follow a high surrogate. If none follows, nothing is consumed
   and *low is 0. */
static heed_status read_low_surrogate(parser *p, uint32_t *low)
{
    size_t start = p->at;
    *low = 0;
    if (take(p, '\\') && take(p, 'u')) HEED_TRY(read_hex(p, low));
    if (*low >= 0xDC00 && *low <= 0xDFFF) return HEED_OK;
    *low = 0;
    p->at = start;
    return HEED_OK;
}

/* Reads a code point after "\u": one UTF-16 unit, or a surrogate pair for a code point above
   U+FFFF. An unpaired surrogate is returned as such, unless the parser is strict. */
static heed_status read_unicode_escape(parser *p, uint32_t *point)
{
    size_t start = p->at - 2;
    HEED_TRY(read_hex(p, point));
    if (*point < 0xD800 || *point > 0xDFFF) return HEED_OK;
    uint32_t low = 0;
    if (*point <= 0xDBFF) HEED_TRY(read_low_surrogate(p, &low));
    if (low) *point = 0x10000 + ((*point - 0xD800) << 10) + (low - 0xDC00);
    else if (p->strict)
        return fail_at(p, start, "half a surrogate pair", "\\uD800-\\uDBFF, then \\uDC00-\\uDFFF");
    return HEED_OK;
}

/* Appends a code point to scratch. An unpaired surrogate is encoded in three bytes, which are not
   valid UTF-8, as Python's "surrogatepass" does. */
static void put_code_point(parser *p, uint32_t point)
{
    char bytes[4];
    size_t length = 3;
    if (point < 0xD800 || point > 0xDFFF) {
        length = heed_utf8_put(point, bytes);
    } else {
        bytes[0] = (char)(0xE0 | point >> 12);
        bytes[1] = (char)(0x80 | (point >> 6 & 0x3F));
        bytes[2] = (char)(0x80 | (point & 0x3F));
    }
    heed_buffer_append(&p->scratch, bytes, length);
}

/* Reads an escape after its backslash. */
static heed_status read_escape(parser *p)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    if (take(p, 'u')) {
        uint32_t point = 0;
        HEED_TRY(read_unicode_escape(p, &point));
        put_code_point(p, point);
        return HEED_OK;
    }
    const char *name = p->at < p->length && p->text[p->at] ? strchr(names, p->text[p->at]) : NULL;
    if (!name) return fail_here(p, "one of \" \\ / b f n r t u after a backslash");
    heed_buffer_byte(&p->scratch, values[name - names]);
    p->at++;
    return HEED_OK;
}

/* Reads a string after its opening quote, up to and including the closing one. The text goes to
   scratch. */
static heed_status read_string(parser *p)
{
    heed_buffer_clear(&p->scratch);
    heed_buffer_append(&p->scratch, "", 0);
    for (;;) {
        size_t start = p->at;
        while (p->at < p->length) {
            unsigned char c = (unsigned char)p->text[p->at];
            if (c < 0x20 || c == '"' || c == '\\') break;
            uint32_t point;
            bool valid = true;
            size_t used = c < 0x80
                              ? 1
                              : heed_utf8_next(p->text + p->at, p->length - p->at, &point, &valid);
            if (!valid) return fail_here(p, "valid UTF-8");
            p->at += used;
        }
        heed_buffer_append(&p->scratch, p->text + start, p->at - start);
        if (take(p, '"')) return p->scratch.failed ? fail_full(p) : HEED_OK;
        if (!take(p, '\\'))
            return fail_here(p, "\" at the end of a string, control characters escaped");
        HEED_TRY(read_escape(p));
    }
}

static size_t skip_digits(parser *p)
{
    size_t start = p->at;
    while (p->at < p->length && p->text[p->at] >= '0' && p->text[p->at] <= '9') p->at++;
    return p->at - start;
}

/* Reads a number. An integer that fits 64 bits stays an integer; a larger one becomes a double. A
   number beyond the range of a double becomes a foreign value with its spelling. */
static heed_status read_number(parser *p, json_t **value)
{
    size_t start = p->at, whole_start = p->at;
    bool ok = true;
    heed_buffer_clear(&p->scratch);
    take(p, '-');
    if (!take(p, '0') && !skip_digits(p)) return fail_here(p, "a value");
    heed_buffer_append(&p->scratch, p->text + start, p->at - start);
    if (take(p, '.')) {
        ok = false;
        heed_buffer_text(&p->scratch, p->decimal_point);
        start = p->at;
        if (!skip_digits(p)) return fail_here(p, "a digit after the decimal point");
        heed_buffer_append(&p->scratch, p->text + start, p->at - start);
    }
    start = p->at;
    if (take(p, 'e') || take(p, 'E')) {
        ok = false;
        if (!take(p, '+')) take(p, '-');
        if (!skip_digits(p)) return fail_here(p, "a digit in the exponent");
        heed_buffer_append(&p->scratch, p->text + start, p->at - start);
    }
    if (p->scratch.failed) return fail_full(p);
    errno = 0;
    long long integer = ok ? strtoll(p->scratch.data, NULL, 10) : 0;
    if (ok && errno == 0) *value = json_integer(integer);
    else {
        double real = strtod(p->scratch.data, NULL);
        bool finite = isfinite(real);
        if (!finite && p->strict)
            return fail_at(p, whole_start, "a number beyond the range of a double",
                           "a finite number");
        *value = finite ? json_real(real)
                        : heed_json_foreign_new(p->text + whole_start, p->at - whole_start);
    }
    return *value ? HEED_OK : fail_full(p);
}

static heed_status read_value(parser *p, json_t **value);

static heed_status read_array(parser *p, json_t **value)
{
    *value = json_array();
    if (!*value) return fail_full(p);
    skip_blanks(p);
    if (take(p, ']')) return HEED_OK;
    for (;;) {
        json_t *element = NULL;
        HEED_TRY(read_value(p, &element));
        if (json_array_append_new(*value, element) != 0) return fail_full(p);
        skip_blanks(p);
        if (take(p, ']')) return HEED_OK;
        if (!take(p, ',')) return fail_here(p, "',' or ']'");
    }
}

/* Reads one "key": value pair into an object. */
static heed_status read_member(parser *p, json_t *object)
{
    skip_blanks(p);
    size_t start = p->at;
    if (!take(p, '"')) return fail_here(p, "a key in quotes");
    HEED_TRY(read_string(p));
    if (p->strict && strlen(p->scratch.data) != p->scratch.length)
        return fail_at(p, start, "a NUL character in a key", "text");
    if (p->strict && json_object_get(object, p->scratch.data))
        return fail_at(p, start, "a duplicate key", "each key once");
    size_t length = p->scratch.length;
    char *key = malloc(length + 1);
    if (!key) return fail_full(p);
    memcpy(key, p->scratch.data, length + 1);
    json_t *member = NULL;
    heed_status status = HEED_OK;
    skip_blanks(p);
    if (!take(p, ':')) status = fail_here(p, "':' after a key");
    if (status == HEED_OK) status = read_value(p, &member);
    if (status == HEED_OK && json_object_setn_new_nocheck(object, key, length, member) != 0)
        status = fail_full(p);
    free(key);
    return status;
}

static heed_status read_object(parser *p, json_t **value)
{
    *value = json_object();
    if (!*value) return fail_full(p);
    skip_blanks(p);
    if (take(p, '}')) return HEED_OK;
    for (;;) {
        HEED_TRY(read_member(p, *value));
        skip_blanks(p);
        if (take(p, '}')) return HEED_OK;
        if (!take(p, ',')) return fail_here(p, "',' or '}'");
    }
}

/* Reads a literal or, if none matches, a number. */
static heed_status read_literal(parser *p, json_t **value)
{
    static const struct {
        const char *text;
        json_t *(*make)(void);
    } literals[] = {
        {"true", json_true}, {"false", json_false}, {"null", json_null},
        {"NaN", NULL},       {"Infinity", NULL},    {"-Infinity", NULL},
    }; /* NaN and the infinities are Python's */
    for (size_t i = 0; i < (p->strict ? 3 : sizeof literals / sizeof *literals); i++) {
        const char *text = literals[i].text;
        size_t length = strlen(text);
        if (p->length - p->at < length || memcmp(p->text + p->at, text, length) != 0) continue;
        p->at += length;
        *value = literals[i].make ? literals[i].make() : heed_json_foreign_new(text, length);
        return *value ? HEED_OK : fail_full(p);
    }
    return read_number(p, value);
}

/* Reads any value. On failure *value is NULL. */
static heed_status read_value(parser *p, json_t **value)
{
    heed_status status = HEED_OK;
    *value = NULL;
    skip_blanks(p);
    if (p->depth == DEPTH_LIMIT) return fail_here(p, "at most 256 levels of nesting");
    p->depth++;
    if (take(p, '{')) status = read_object(p, value);
    else if (take(p, '[')) status = read_array(p, value);
    else if (take(p, '"')) {
        status = read_string(p);
        if (status == HEED_OK &&
            !(*value = json_stringn_nocheck(p->scratch.data, p->scratch.length)))
            status = fail_full(p);
    } else status = read_literal(p, value);
    p->depth--;
    if (status != HEED_OK) {
        json_decref(*value);
        *value = NULL;
    }
    return status;
}

/* Reads the whole text, which must be an object or an array. */
static heed_status read_document(parser *p, json_t **json)
{
    char half[16];
    /* half is "0", the locale's decimal point, "5" */
    int written = snprintf(half, sizeof half, "%.1f", 0.5);
    snprintf(p->decimal_point, sizeof p->decimal_point, "%.*s", written - 2, half + 1);
    *json = NULL;
    skip_blanks(p);
    bool opens = p->at < p->length && (p->text[p->at] == '{' || p->text[p->at] == '[');
    heed_status status = opens ? read_value(p, json) : fail_here(p, "a JSON object or array");
    skip_blanks(p);
    if (status == HEED_OK && p->at < p->length)
        status = fail_here(p, "the end after the JSON value");
    if (status != HEED_OK) {
        json_decref(*json);
        *json = NULL;
    }
    heed_buffer_free(&p->scratch);
    return status;
}

static bool begins_with(const char *text, size_t length, const char *mark)
{
    return length >= strlen(mark) && memcmp(text, mark, strlen(mark)) == 0;
}

heed_status heed_json_parse(json_t **json, const char *text, size_t length, const char *where,
                            heed_error *error)
{
    parser p = {.text = text, .length = length, .where = where, .error = error};
    *json = NULL;
    if (begins_with(text, length, "\xFF\xFE") || begins_with(text, length, "\xFE\xFF"))
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: UTF-16, expected UTF-8: convert the file "
                         "(iconv -f UTF-16 -t UTF-8)",
                         where);
    if (begins_with(text, length, "\xEF\xBB\xBF")) p.at = 3;
    return read_document(&p, json);
}

heed_status heed_json_parse_strict(json_t **json, const char *text, size_t length,
                                   const char *where, heed_error *error)
{
    parser p = {.text = text, .length = length, .where = where, .error = error, .strict = true};
    return read_document(&p, json);
}
