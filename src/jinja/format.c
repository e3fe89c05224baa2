/* format.c: Python's printf-style formatting and str.format, as far as templates use them. */
#include "jinja/characters.h"
#include "jinja/value.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* A format specification: what stands between '%' (or ':') and the kind. */
typedef struct specification {
    bool left, zero, plus, blank, alternate, grouped;
    char align; /* alignment as in str.format: '<', '>', '^' or '=' */
    uint32_t fill;
    int64_t width, precision; /* -1 if not given */
    char kind;
} specification;

enum { MOST = 4096 }; /* the greatest width and precision */

/* Reads a number at `at` and returns where it ends. */
static size_t read_width(jinja_run *run, const char *text, size_t length, size_t at, int64_t *width)
{
    for (*width = 0; at < length && text[at] >= '0' && text[at] <= '9'; at++) {
        *width = *width * 10 + text[at] - '0';
        if (*width > MOST) {
            heed_jinja_fail(run, "a format asks for more than %d characters", MOST);
            *width = MOST;
        }
    }
    return at;
}

/* Returns the alignment: '<', '>', '^', or '=' for padding between the sign and the digits. */
static char alignment_of(const specification *s, bool number)
{
    if (s->align) return s->align;
    if (s->left || !number) return '<';
    return s->zero ? '=' : '>';
}

/* Appends text, padded to the width. */
static void pad(heed_buffer *out, const heed_buffer *text, const specification *s, bool number)
{
    const int64_t have = (int64_t)heed_utf8_count(text->data ? text->data : "", text->length);
    const int64_t missing = s->width > have ? s->width - have : 0;
    const char align = alignment_of(s, number);
    int64_t before = missing, sign = 0;
    uint32_t fill = s->fill;
    if (align == '<') before = 0;
    if (align == '^') before = missing / 2;
    if (!fill) fill = s->zero && number ? '0' : ' ';
    if (align == '=' && text->length && strchr("+- ", text->data[0])) sign = 1;
    if (sign) heed_buffer_append(out, text->data, 1);
    for (int64_t i = 0; i < before; i++) heed_jinja_put_character(out, fill);
    if (text->length) heed_buffer_append(out, text->data + sign, text->length - (size_t)sign);
    for (int64_t i = before; i < missing; i++) heed_jinja_put_character(out, fill);
}

/* Appends a number that printf wrote, with '.' in place of the locale's decimal point. */
static void put_plain(heed_buffer *out, const char *text)
{
    bool inside = false;
    for (; *text; text++) {
        bool plain = strchr("0123456789+-eEinfaINFA", *text) != NULL;
        if (plain) heed_buffer_byte(out, *text);
        else if (!inside) heed_buffer_byte(out, '.');
        inside = !plain;
    }
}

/* Inserts commas between groups of three digits. */
static void group_thousands(heed_buffer *digits)
{
    char *point = digits->data ? strpbrk(digits->data, ".eE") : NULL;
    const size_t whole = point ? (size_t)(point - digits->data) : digits->length;
    const size_t sign = whole && strchr("+- ", digits->data[0]);
    heed_buffer grouped = {0};
    for (size_t i = 0; i < digits->length; i++) {
        if (i > sign && i < whole && (whole - i) % 3 == 0) heed_buffer_byte(&grouped, ',');
        heed_buffer_byte(&grouped, digits->data[i]);
    }
    heed_buffer_free(digits);
    *digits = grouped;
}

typedef struct {
    char kind;
    unsigned base;
    const char *prefix;
} number_base;

static const number_base *base_of(char kind)
{
    static const number_base bases[] = {
        {'x', 16, "0x"}, {'X', 16, "0X"}, {'o', 8, "0o"}, {'b', 2, "0b"}, {0, 10, ""}};
    const number_base *base = bases;
    while (base->kind && base->kind != kind) base++;
    return base;
}

static const char *sign_of(bool negative, const specification *s)
{
    if (negative) return "-";
    if (s->plus) return "+";
    return s->blank ? " " : "";
}

/* Appends an integer's sign, prefix and digits. A float is truncated for "d". */
static void put_integer(jinja_run *run, heed_buffer *digits, jinja_value value,
                        const specification *s)
{
    int64_t whole = 0;
    double real = 0;
    if (!heed_jinja_whole(value, &whole)) {
        heed_jinja_real(value, &real);
        if (fabs(real) < 0x1p63) whole = (int64_t)real;
        if (strchr("xXob", s->kind))
            heed_jinja_fail(run, "the format %%%c needs an integer", s->kind);
    }
    const char *const numerals = s->kind == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    const number_base *base = base_of(s->kind);
    uint64_t size = whole < 0 ? 0 - (uint64_t)whole : (uint64_t)whole;
    char reversed[72];
    int count = 0;
    do {
        reversed[count++] = numerals[size % base->base];
        size /= base->base;
    } while (size);
    heed_buffer_text(digits, sign_of(whole < 0, s));
    if (s->alternate) heed_buffer_text(digits, base->prefix);
    for (int i = count; i < s->precision; i++) heed_buffer_byte(digits, '0');
    while (count) heed_buffer_byte(digits, reversed[--count]);
}

/* Appends a float. */
static void put_real(heed_buffer *digits, double real, const specification *s)
{
    const int precision = s->precision < 0 ? 6 : (int)s->precision;
    const bool percent = s->kind == '%';
    const char pattern[] = {'%', '.', '*', percent ? 'f' : s->kind, 0};
    char text[MOST + 400];
    if (percent) real *= 100;
    if (s->plus && !signbit(real)) heed_buffer_byte(digits, '+');
    else if (s->blank && !signbit(real)) heed_buffer_byte(digits, ' ');
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(text, sizeof text, pattern, precision, real);
#pragma GCC diagnostic pop
    put_plain(digits, text);
    if (percent) heed_buffer_byte(digits, '%');
}

static void format_number(jinja_run *run, heed_buffer *out, jinja_value value,
                          const specification *s)
{
    heed_buffer digits = {0};
    double real = 0;
    if (!heed_jinja_real(value, &real))
        heed_jinja_fail(run, "the format %%%c needs a number, not %s", s->kind,
                        heed_jinja_type(value));
    if (strchr("diuxXob", s->kind)) put_integer(run, &digits, value, s);
    else put_real(&digits, real, s);
    if (s->grouped) group_thousands(&digits);
    pad(out, &digits, s, true);
    out->failed |= digits.failed;
    heed_buffer_free(&digits);
}

static void format_text(jinja_run *run, heed_buffer *out, jinja_value value, const specification *s)
{
    heed_buffer text = {0};
    if (s->kind == 'r') heed_jinja_repr(run, &text, value);
    else heed_jinja_print(run, &text, value);
    if (s->precision >= 0 && text.data) {
        size_t at = 0;
        uint32_t c;
        for (int64_t i = 0; i < s->precision && at < text.length; i++)
            at += jinja_next(text.data, text.length, at, &c);
        text.length = at;
    }
    pad(out, &text, s, false);
    out->failed |= text.failed;
    heed_buffer_free(&text);
}

/* Reads flags, width, precision and kind, and returns where they end. */
static size_t read_percent(jinja_run *run, jinja_value format, size_t at, specification *s)
{
    const char *text = format.text;
    for (; at < format.length && strchr("-+ 0#", text[at]) && text[at]; at++) {
        s->left |= text[at] == '-';
        s->plus |= text[at] == '+';
        s->blank |= text[at] == ' ';
        s->zero |= text[at] == '0';
        s->alternate |= text[at] == '#';
    }
    at = read_width(run, text, format.length, at, &s->width);
    if (at < format.length && text[at] == '.')
        at = read_width(run, text, format.length, at + 1, &s->precision);
    if (at >= format.length) {
        heed_jinja_fail(run, "a format ends after \"%%\"");
        return at;
    }
    s->kind = text[at];
    return at + 1;
}

/* The values for a "%" format. */
typedef struct {
    const jinja_value *values;
    size_t count, used;
    const jinja_dict *names; /* NULL if the values have no names */
} format_values;

/* Reads "(name)" at text[*at] and returns its value, or a missing value if there is no name. */
static jinja_value read_named(jinja_run *run, jinja_value format, size_t *at,
                              const jinja_dict *names)
{
    if (*at >= format.length || format.text[*at] != '(') return jinja_missing();
    const size_t begin = *at + 1;
    const char *close = memchr(format.text + *at, ')', format.length - *at);
    const jinja_value *found = NULL;
    if (close && names) {
        const size_t end = (size_t)(close - format.text);
        found = heed_jinja_get(run, names, jinja_text(format.text + begin, end - begin));
        *at = end + 1;
    }
    return found ? *found : heed_jinja_fail(run, "a format asks for a name that is not given");
}

static jinja_value next_value(jinja_run *run, format_values *from)
{
    if (from->used < from->count && !(from->names && from->used)) return from->values[from->used++];
    return heed_jinja_fail(run, "a format asks for more values than are given");
}

/* Formats what follows "%" at text[at], and returns where the rest begins. */
static size_t format_one(jinja_run *run, heed_buffer *out, jinja_value format, size_t at,
                         format_values *from)
{
    specification s = {.precision = -1};
    jinja_value value = read_named(run, format, &at, from->names);
    if (heed_jinja_failed(run)) return at;
    at = read_percent(run, format, at, &s);
    if (heed_jinja_failed(run)) return at;
    if (s.kind == '%') {
        heed_buffer_byte(out, '%');
        return at;
    }
    if (value.kind == JINJA_MISSING) value = next_value(run, from);
    if (heed_jinja_failed(run)) return at;
    specification text = s;
    text.align = s.left ? '<' : '>';
    if (s.kind == 's' || s.kind == 'r') format_text(run, out, value, &text);
    else if (strchr("diuxXofFeEgG", s.kind)) format_number(run, out, value, &s);
    else
        heed_jinja_fail(run, "a format has the unknown kind \"%c\"",
                        s.kind >= ' ' && s.kind < 0x7F ? s.kind : '?');
    return at;
}

jinja_value heed_jinja_format(jinja_run *run, jinja_value format, const jinja_value *values,
                              size_t count, const jinja_dict *names)
{
    heed_buffer out = {0};
    format_values from = {.values = values, .count = count, .names = names};
    for (size_t at = 0;
         at < format.length && heed_jinja_spend(run, 1) && heed_jinja_fits(run, &out);) {
        const char *percent = memchr(format.text + at, '%', format.length - at);
        size_t plain = percent ? (size_t)(percent - format.text) - at : format.length - at;
        heed_buffer_append(&out, format.text + at, plain);
        at += plain;
        if (percent) at = format_one(run, &out, format, at + 1, &from);
    }
    if (!names && from.used < count && !heed_jinja_failed(run))
        heed_jinja_fail(run, "a format uses fewer values than are given");
    return heed_jinja_take_buffer(run, &out);
}

/* Reads [[fill]align][sign][#][0][width][,][.precision][kind]. */
static void read_braces(jinja_run *run, const char *text, size_t length, specification *s)
{
    size_t at = 0, step;
    uint32_t c = 0;
    *s = (specification){.precision = -1};
    if (length) {
        step = jinja_next(text, length, 0, &c);
        if (step < length && strchr("<>^=", text[step]) && text[step]) {
            s->fill = c;
            s->align = text[step];
            at = step + 1;
        } else if (strchr("<>^=", text[0]) && text[0]) s->align = text[at++];
    }
    for (; at < length && text[at] && strchr("+- #", text[at]); at++) {
        s->plus |= text[at] == '+';
        s->blank |= text[at] == ' ';
        s->alternate |= text[at] == '#';
    }
    if (at < length && text[at] == '0') s->zero = true;
    at = read_width(run, text, length, at, &s->width);
    if (at < length && text[at] == ',') {
        s->grouped = true;
        at++;
    }
    if (at < length && text[at] == '.') at = read_width(run, text, length, at + 1, &s->precision);
    if (at < length) s->kind = text[at++];
    if (at < length || (s->kind && !strchr("sdxXobfFeEgG%", s->kind)))
        heed_jinja_fail(run, "a format between braces cannot be read");
}

/* Formats one field of str.format. `conversion` is the letter after '!', or 0. */
static void format_field(jinja_run *run, heed_buffer *out, jinja_value value, char conversion,
                         const char *text, size_t length)
{
    specification s;
    double real;
    read_braces(run, text, length, &s);
    if (heed_jinja_failed(run)) return;
    if (!length && !conversion) heed_jinja_print(run, out, value);
    else if (conversion || value.kind == JINJA_STRING || !heed_jinja_real(value, &real) ||
             (value.kind == JINJA_BOOLEAN && !s.kind)) {
        s.kind = conversion == 'r' ? 'r' : 's';
        format_text(run, out, value, &s);
    } else if (!s.kind && value.kind == JINJA_NUMBER && s.precision < 0) {
        heed_buffer digits = {0};
        heed_jinja_print_number(&digits, value.number);
        pad(out, &digits, &s, true);
        out->failed |= digits.failed;
        heed_buffer_free(&digits);
    } else {
        if (!s.kind) s.kind = value.kind == JINJA_NUMBER ? 'g' : 'd';
        format_number(run, out, value, &s);
    }
}

/* Returns the argument that a field names: "", "0" or "name", which .attribute or [item] may
   follow. */
static jinja_value field_value(jinja_run *run, const char *text, size_t length,
                               const jinja_call *call, int64_t *next)
{
    size_t name = 0;
    while (name < length && text[name] != '.' && text[name] != '[') name++;
    jinja_value value = jinja_missing();
    int64_t index = 0;
    if (!name) index = (*next)++;
    if (!name || heed_jinja_read_integer(text, name, 10, &index)) {
        if (index >= 0 && (size_t)index < call->count) value = call->positional[index];
    } else {
        for (size_t i = 0; i < call->named_count; i++)
            if (call->names[i].length == name && memcmp(call->names[i].text, text, name) == 0)
                value = call->named[i];
    }
    if (value.kind == JINJA_MISSING)
        return heed_jinja_fail(run, "a format asks for an argument that is not given");
    while (name < length && !heed_jinja_failed(run)) {
        bool item = text[name++] == '[';
        size_t begin = name;
        while (name < length && (item ? text[name] != ']' : text[name] != '.' && text[name] != '['))
            name++;
        jinja_value key = jinja_text(text + begin, name - begin);
        if (item && heed_jinja_read_integer(key.text, key.length, 10, &index))
            key = jinja_integer(index);
        value = item ? heed_jinja_item(run, value, key) : heed_jinja_attribute(run, value, key);
        name += item && name < length;
    }
    return value;
}

jinja_value heed_jinja_format_braces(jinja_run *run, jinja_value format, const jinja_call *call)
{
    heed_buffer out = {0};
    int64_t next = 0;
    const char *text = format.text;
    for (size_t at = 0;
         at < format.length && heed_jinja_spend(run, 1) && heed_jinja_fits(run, &out);) {
        char c = text[at++];
        if (c != '{' && c != '}') {
            heed_buffer_byte(&out, c);
            continue;
        }
        if (at < format.length && text[at] == c) {
            heed_buffer_byte(&out, text[at++]);
            continue;
        }
        const char *close = c == '{' ? memchr(text + at, '}', format.length - at) : NULL;
        if (!close) heed_jinja_fail(run, "a brace of a format stands alone");
        if (!close) break;
        size_t length = (size_t)(close - text) - at, name = 0;
        while (name < length && text[at + name] != ':' && text[at + name] != '!') name++;
        char conversion = name + 1 < length && text[at + name] == '!' ? text[at + name + 1] : 0;
        size_t rest = name + (conversion ? 2 : 0);
        rest += rest < length && text[at + rest] == ':';
        jinja_value value = field_value(run, text + at, name, call, &next);
        if (heed_jinja_failed(run)) break;
        format_field(run, &out, value, conversion, text + at + rest, length - rest);
        at += length + 1;
    }
    return heed_jinja_take_buffer(run, &out);
}
