/* filters_text.c: Jinja's filters that make text or a number from one value. */
#include "jinja/characters.h"
#include "jinja/filters_internal.h"
#include "base/unicode.h"

#include <math.h>
#include <string.h>

bool heed_jinja_integer_argument(jinja_run *run, jinja_value value, const char *what,
                                 int64_t otherwise, int64_t *integer)
{
    *integer = otherwise;
    if (value.kind == JINJA_MISSING || heed_jinja_whole(value, integer)) return true;
    heed_jinja_fail(run, "%s needs an integer, not %s", what, heed_jinja_type(value));
    return false;
}

/* Applies a method of strings to the text of a value. */
static jinja_value by_method(jinja_run *run, jinja_value self, const char *method,
                             const jinja_value *arguments, size_t count)
{
    jinja_value text = heed_jinja_to_string(run, self);
    if (heed_jinja_failed(run)) return text;
    jinja_call call = {.positional = arguments, .count = count};
    while (call.count && arguments[call.count - 1].kind == JINJA_MISSING) call.count--;
    return heed_jinja_call_builtin(run, heed_jinja_method(text, heed_jinja_string(method)), text,
                                   &call);
}

static jinja_value upper(jinja_run *run, jinja_value self, const jinja_value *a,
                         const jinja_call *call)
{
    (void)a;
    (void)call;
    return by_method(run, self, "upper", NULL, 0);
}

static jinja_value lower(jinja_run *run, jinja_value self, const jinja_value *a,
                         const jinja_call *call)
{
    (void)a;
    (void)call;
    return by_method(run, self, "lower", NULL, 0);
}

static jinja_value capitalize(jinja_run *run, jinja_value self, const jinja_value *a,
                              const jinja_call *call)
{
    (void)a;
    (void)call;
    return by_method(run, self, "capitalize", NULL, 0);
}

static jinja_value trim(jinja_run *run, jinja_value self, const jinja_value *a,
                        const jinja_call *call)
{
    (void)call;
    return by_method(run, self, "strip", a, 1);
}

static jinja_value center(jinja_run *run, jinja_value self, const jinja_value *a,
                          const jinja_call *call)
{
    jinja_value width = a[0].kind == JINJA_MISSING ? jinja_integer(80) : a[0];
    (void)call;
    return by_method(run, self, "center", &width, 1);
}

static jinja_value replace(jinja_run *run, jinja_value self, const jinja_value *a,
                           const jinja_call *call)
{
    jinja_value arguments[3] = {heed_jinja_to_string(run, a[0]), heed_jinja_to_string(run, a[1]),
                                a[2]};
    (void)call;
    return by_method(run, self, "replace", arguments, 3);
}

/* title: words begin after white space, hyphens and opening brackets. */
static jinja_value title(jinja_run *run, jinja_value self, const jinja_value *a,
                         const jinja_call *call)
{
    jinja_value text = heed_jinja_to_string(run, self);
    heed_buffer out = {0};
    uint32_t c;
    bool begins = true;
    (void)a;
    (void)call;
    if (heed_jinja_failed(run) || !heed_jinja_spend(run, text.length / 4)) return text;
    for (size_t at = 0, step; at < text.length; at += step) {
        step = jinja_next(text.text, text.length, at, &c);
        heed_jinja_put_case(&out, text.text + at, step, begins ? JINJA_TO_UPPER : JINJA_TO_LOWER);
        begins = heed_char_is_python_space(c) || (c < 0x80 && c && strchr("-({[<", (int)c));
    }
    return heed_jinja_take_buffer(run, &out);
}

static jinja_value to_string(jinja_run *run, jinja_value self, const jinja_value *a,
                             const jinja_call *call)
{
    (void)a;
    (void)call;
    return heed_jinja_to_string(run, self);
}

/* Returns the HTML entity of a character, NULL if it needs none. */
static const char *entity_of(char c)
{
    switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&#34;";
    case '\'': return "&#39;";
    default: return NULL;
    }
}

static jinja_value escape(jinja_run *run, jinja_value self, const jinja_value *a,
                          const jinja_call *call)
{
    jinja_value text = heed_jinja_to_string(run, self);
    heed_buffer out = {0};
    (void)a;
    (void)call;
    if (heed_jinja_failed(run) || !heed_jinja_spend(run, text.length / 16)) return text;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.text[i];
        const char *name = entity_of(c);
        if (name) heed_buffer_text(&out, name);
        else heed_buffer_byte(&out, c);
    }
    return heed_jinja_take_buffer(run, &out);
}

/* indent(width, first, blank): indents lines by a width or a text, the first line and blank lines
   only if asked for. */
static jinja_value indent(jinja_run *run, jinja_value self, const jinja_value *a,
                          const jinja_call *call)
{
    jinja_value text = self, by = a[0];
    heed_buffer out = {0};
    bool first = jinja_flag(a[1], false), blank = jinja_flag(a[2], false);
    int64_t width = 4;
    (void)call;
    if (self.kind != JINJA_STRING) return heed_jinja_fail_use(run, "indent", self);
    if (by.kind != JINJA_STRING && !heed_jinja_integer_argument(run, by, "indent", 4, &width))
        return text;
    if (by.kind != JINJA_STRING)
        by = heed_jinja_arithmetic(run, JINJA_MULTIPLY, heed_jinja_string(" "),
                                   jinja_integer(width));
    if (heed_jinja_failed(run)) return text;
    for (size_t at = 0, line = 0;
         at <= text.length && heed_jinja_spend(run, 1) && heed_jinja_fits(run, &out); line++) {
        const char *end = at < text.length ? memchr(text.text + at, '\n', text.length - at) : NULL;
        size_t length = end ? (size_t)(end - text.text) - at : text.length - at;
        if (line ? length || blank : first) heed_buffer_append(&out, by.text, by.length);
        heed_buffer_append(&out, text.text + at, length);
        if (end) heed_buffer_byte(&out, '\n');
        at += length + 1;
    }
    return heed_jinja_take_buffer(run, &out);
}

/* truncate(length, killwords, end, leeway) */
static jinja_value truncate(jinja_run *run, jinja_value self, const jinja_value *a,
                            const jinja_call *call)
{
    jinja_value text = self, end = a[2].kind == JINJA_MISSING ? heed_jinja_string("...")
                                                              : heed_jinja_to_string(run, a[2]);
    int64_t most, leeway;
    (void)call;
    if (self.kind != JINJA_STRING) return heed_jinja_fail_use(run, "truncate", self);
    if (!heed_jinja_integer_argument(run, a[0], "truncate", 255, &most) ||
        !heed_jinja_integer_argument(run, a[3], "truncate", 5, &leeway))
        return text;
    int64_t have = (int64_t)heed_jinja_length(run, text),
            tail = (int64_t)heed_jinja_length(run, end);
    if (heed_jinja_failed(run)) return text;
    if (most < tail || leeway < 0)
        return heed_jinja_fail(
            run,
            "truncate needs a length of at least its end's, and a leeway that is not negative");
    if (most > have || have - most <= leeway) return text;
    jinja_value bounds[3] = {jinja_none(), jinja_integer(most - tail), jinja_none()};
    jinja_value kept = heed_jinja_slice(run, text, bounds);
    if (!jinja_flag(a[1], false) && kept.kind == JINJA_STRING) {
        size_t length = kept.length;
        while (length && kept.text[length - 1] != ' ') length--;
        if (length) kept.length = (uint32_t)(length - 1);
    }
    return heed_jinja_arithmetic(run, JINJA_ADD, kept, end);
}

static jinja_value word_count(jinja_run *run, jinja_value self, const jinja_value *a,
                              const jinja_call *call)
{
    jinja_value text = heed_jinja_to_string(run, self);
    int64_t words = 0;
    bool inside = false;
    uint32_t c;
    (void)a;
    (void)call;
    if (heed_jinja_failed(run) || !heed_jinja_spend(run, text.length / 16)) return text;
    for (size_t at = 0; at < text.length;) {
        at += jinja_next(text.text, text.length, at, &c);
        bool word = c == '_' || heed_jinja_class(c) & (JINJA_ALPHABETIC | JINJA_NUMERIC);
        words += word && !inside;
        inside = word;
    }
    return jinja_integer(words);
}

/* Appends text in percent-encoding, in a query with "+" for a space. */
static void put_quoted(heed_buffer *out, jinja_value text, bool query)
{
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char)text.text[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     (c && strchr("_.-~", c)) || (!query && c == '/');
        if (plain) heed_buffer_byte(out, c);
        else if (query && c == ' ') heed_buffer_byte(out, '+');
        else heed_buffer_printf(out, "%%%02X", c);
    }
}

/* urlencode: encodes a string, or pairs and dicts as a query. */
static jinja_value url_encode(jinja_run *run, jinja_value self, const jinja_value *a,
                              const jinja_call *call)
{
    heed_buffer out = {0};
    (void)a;
    (void)call;
    if (self.kind == JINJA_STRING || !heed_jinja_is_iterable(self))
        put_quoted(&out, heed_jinja_to_string(run, self), false);
    else {
        jinja_value pairs = self;
        if (self.kind == JINJA_DICT)
            pairs = heed_jinja_call_builtin(
                run, heed_jinja_method(self, heed_jinja_string("items")), self, &(jinja_call){0});
        const jinja_sequence *items = heed_jinja_walk(run, pairs);
        for (size_t i = 0; items && i < items->count && heed_jinja_fits(run, &out); i++) {
            jinja_value key = heed_jinja_to_string(
                run, heed_jinja_item(run, items->items[i], jinja_integer(0)));
            jinja_value value = heed_jinja_to_string(
                run, heed_jinja_item(run, items->items[i], jinja_integer(1)));
            if (!heed_jinja_failed(run) && heed_jinja_length(run, items->items[i]) != 2)
                heed_jinja_fail(run, "urlencode needs pairs");
            if (heed_jinja_failed(run)) break;
            if (i) heed_buffer_byte(&out, '&');
            put_quoted(&out, key, true);
            heed_buffer_byte(&out, '=');
            put_quoted(&out, value, true);
        }
    }
    return heed_jinja_take_buffer(run, &out);
}

static jinja_value format(jinja_run *run, jinja_value self, const jinja_value *a,
                          const jinja_call *call)
{
    jinja_value text = heed_jinja_to_string(run, self);
    (void)a;
    if (!call->named_count)
        return heed_jinja_format(run, text, call->positional, call->count, NULL);
    jinja_value names = heed_jinja_dict(run, call->named_count);
    for (size_t i = 0; names.kind == JINJA_DICT && i < call->named_count; i++)
        heed_jinja_put(run, names.dict, call->names[i], call->named[i]);
    if (call->count) return heed_jinja_fail(run, "a format takes values or names, not both");
    return heed_jinja_failed(run) ? names : heed_jinja_format(run, text, NULL, 0, names.dict);
}

/* tojson: json.dumps, which does not escape non-ASCII characters here. */
static jinja_value to_json(jinja_run *run, jinja_value self, const jinja_value *a,
                           const jinja_call *call)
{
    jinja_value indent = a[1], separators = a[2];
    bool indented = indent.kind != JINJA_MISSING && indent.kind != JINJA_NONE;
    jinja_json_style style = {
        .ascii = jinja_flag(a[0], false),
        .sorted = jinja_flag(a[3], false),
        .key = heed_jinja_string(": "),
        .item = heed_jinja_string(indented ? "," : ", "),
    };
    heed_buffer out = {0};
    (void)call;
    if (indented) {
        int64_t width = 0;
        if (indent.kind != JINJA_STRING &&
            !heed_jinja_integer_argument(run, indent, "tojson", 0, &width))
            return self;
        if (indent.kind != JINJA_STRING)
            indent = heed_jinja_arithmetic(run, JINJA_MULTIPLY, heed_jinja_string(" "),
                                           jinja_integer(width));
        /* the copy ends in NUL */
        indent = heed_jinja_failed(run) ? indent : heed_jinja_copy(run, indent.text, indent.length);
        if (heed_jinja_failed(run)) return self;
        style.indent = indent.text;
    }
    if (separators.kind != JINJA_MISSING && separators.kind != JINJA_NONE) {
        style.item = heed_jinja_item(run, separators, jinja_integer(0));
        style.key = heed_jinja_item(run, separators, jinja_integer(1));
        if (style.item.kind != JINJA_STRING || style.key.kind != JINJA_STRING)
            return heed_jinja_fail(run, "tojson needs two strings as separators");
    }
    heed_jinja_print_json(run, &out, self, &style);
    return heed_jinja_take_buffer(run, &out);
}

/* ---- numbers ---- */

static jinja_value absolute(jinja_run *run, jinja_value self, const jinja_value *a,
                            const jinja_call *call)
{
    int64_t whole;
    double real;
    (void)a;
    (void)call;
    if (heed_jinja_whole(self, &whole)) {
        if (whole == INT64_MIN) return heed_jinja_fail(run, "an integer exceeds 63 bits");
        return jinja_integer(whole < 0 ? -whole : whole);
    }
    return heed_jinja_real(self, &real)
               ? jinja_number(fabs(real))
               : heed_jinja_fail_use(run, "take the absolute value of", self);
}

static jinja_value to_integer(jinja_run *run, jinja_value self, const jinja_value *a,
                              const jinja_call *call)
{
    jinja_value otherwise = a[0].kind == JINJA_MISSING ? jinja_integer(0) : a[0];
    int64_t base, whole;
    double real;
    (void)call;
    if (self.kind == JINJA_UNDEFINED) return heed_jinja_fail_use(run, "make an integer of", self);
    if (!heed_jinja_integer_argument(run, a[1], "int", 10, &base)) return otherwise;
    if (heed_jinja_whole(self, &whole)) return jinja_integer(whole);
    const int known_base = (int)(base < 0 || base > 36 ? 1 : base);
    bool number;
    if (self.kind == JINJA_STRING) {
        if (heed_jinja_read_integer(self.text, self.length, known_base, &whole))
            return jinja_integer(whole);
        number = heed_jinja_read_number(self.text, self.length, &real);
    } else number = heed_jinja_real(self, &real);
    return number && fabs(real) < 0x1p63 ? jinja_integer((int64_t)real) : otherwise;
}

static jinja_value to_number(jinja_run *run, jinja_value self, const jinja_value *a,
                             const jinja_call *call)
{
    double real;
    (void)call;
    if (self.kind == JINJA_UNDEFINED) return heed_jinja_fail_use(run, "make a number of", self);
    if (heed_jinja_real(self, &real) ||
        (self.kind == JINJA_STRING && heed_jinja_read_number(self.text, self.length, &real)))
        return jinja_number(real);
    return a[0].kind == JINJA_MISSING ? jinja_number(0) : a[0];
}

/* round(precision, method): rounds half to even, as Python does. */
static jinja_value round_number(jinja_run *run, jinja_value self, const jinja_value *a,
                                const jinja_call *call)
{
    int64_t precision;
    double real, scale;
    (void)call;
    if (!heed_jinja_integer_argument(run, a[0], "round", 0, &precision)) return self;
    if (!heed_jinja_real(self, &real)) return heed_jinja_fail_use(run, "round", self);
    if (precision < -300 || precision > 300)
        return heed_jinja_fail(run, "round takes -300 to 300 places");
    bool ceil_wanted = heed_jinja_is(a[1], "ceil"), floor_wanted = heed_jinja_is(a[1], "floor");
    if (a[1].kind != JINJA_MISSING && !ceil_wanted && !floor_wanted &&
        !heed_jinja_is(a[1], "common"))
        return heed_jinja_fail(run, "round knows the methods common, ceil and floor");
    scale = pow(10, (double)precision);
    if (ceil_wanted || floor_wanted)
        return jinja_number((ceil_wanted ? ceil(real * scale) : floor(real * scale)) / scale);
    if (self.kind != JINJA_NUMBER && precision >= 0)
        return jinja_integer(self.kind == JINJA_BOOLEAN ? self.boolean : self.integer);
    if (precision <= 0 || fabs(real) > 0x1p52) {
        double rounded = nearbyint(real * scale) / scale;
        return self.kind == JINJA_NUMBER ? jinja_number(rounded) : jinja_integer((int64_t)rounded);
    }
    char text[800]; /* printf's digits are exact, so they round as Python's do */
    snprintf(text, sizeof text, "%.*f", (int)precision, real);
    for (char *c = text; *c; c++)
        if (!strchr("+-0123456789", *c)) *c = '.';
    return heed_jinja_read_number(text, strlen(text), &real) ? jinja_number(real) : self;
}

const jinja_builtin heed_jinja_text_filters[] = {
    {"abs", "", 0, absolute},
    {"capitalize", "", 0, capitalize},
    {"center", "width", 0, center},
    {"e", "", 0, escape},
    {"escape", "", 0, escape},
    {"float", "default", 0, to_number},
    {"format", NULL, 0, format},
    {"indent", "width first blank", 0, indent},
    {"int", "default base", 0, to_integer},
    {"lower", "", 0, lower},
    {"replace", "old new count", 2, replace},
    {"round", "precision method", 0, round_number},
    {"safe", "", 0, to_string},
    {"string", "", 0, to_string},
    {"title", "", 0, title},
    {"tojson", "ensure_ascii indent separators sort_keys", 0, to_json},
    {"trim", "chars", 0, trim},
    {"truncate", "length killwords end leeway", 0, truncate},
    {"upper", "", 0, upper},
    {"urlencode", "", 0, url_encode},
    {"wordcount", "", 0, word_count},
    {0}};
