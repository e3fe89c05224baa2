/* methods.c: the methods of Python's strings, dicts and lists that do not change them: search,
   case, padding and views. methods_split.c has those that split strings. */
#include "jinja/methods.h"

#include "base/unicode.h"
#include "jinja/characters.h"
#include <string.h>

/* ---- searching ---- */

/* Returns the byte at which character `index` begins. A negative index counts from the end; indices
   outside are clamped. */
static size_t byte_of(jinja_value text, int64_t index)
{
    int64_t count = (int64_t)heed_utf8_count(text.text, text.length);
    size_t at = 0;
    uint32_t c;
    if (index < 0) index = index < -count ? 0 : index + count;
    while (index-- > 0 && at < text.length) at += jinja_next(text.text, text.length, at, &c);
    return at;
}

/* Computes the part of `self` between the characters a[1] and a[2]. Returns false after a
   failure. */
static bool window(jinja_run *run, jinja_value self, const jinja_value *a, size_t *begin,
                   size_t *end)
{
    int64_t from = 0, to = 0;
    if (jinja_given(a[1]) && !heed_jinja_needs_whole(run, a[1], "a search", &from)) return false;
    if (jinja_given(a[2]) && !heed_jinja_needs_whole(run, a[2], "a search", &to)) return false;
    *begin = jinja_given(a[1]) ? byte_of(self, from) : 0;
    *end = jinja_given(a[2]) ? byte_of(self, to) : self.length;
    return heed_jinja_spend(run, self.length / 16);
}

/* find, rfind, index and rindex. With `must` a text that is not found is an error. */
static jinja_value find_in(jinja_run *run, jinja_value self, const jinja_value *a, bool last,
                           bool must)
{
    size_t begin, end;
    if (!heed_jinja_needs_text(run, a[0], "find") || !window(run, self, a, &begin, &end))
        return self;
    const char *found = begin <= end ? heed_jinja_search(self.text + begin, end - begin, a[0].text,
                                                         a[0].length, last)
                                     : NULL;
    if (!found && must) return heed_jinja_fail(run, "a text was not found in another");
    return jinja_integer(found ? (int64_t)heed_utf8_count(self.text, (size_t)(found - self.text))
                               : -1);
}

static jinja_value find(jinja_run *run, jinja_value self, const jinja_value *a,
                        const jinja_call *call)
{
    (void)call;
    return find_in(run, self, a, false, false);
}

static jinja_value find_right(jinja_run *run, jinja_value self, const jinja_value *a,
                              const jinja_call *call)
{
    (void)call;
    return find_in(run, self, a, true, false);
}

static jinja_value index_of(jinja_run *run, jinja_value self, const jinja_value *a,
                            const jinja_call *call)
{
    (void)call;
    return find_in(run, self, a, false, true);
}

static jinja_value index_right(jinja_run *run, jinja_value self, const jinja_value *a,
                               const jinja_call *call)
{
    (void)call;
    return find_in(run, self, a, true, true);
}

static jinja_value count(jinja_run *run, jinja_value self, const jinja_value *a,
                         const jinja_call *call)
{
    size_t begin, end;
    int64_t number = 0;
    (void)call;
    if (!heed_jinja_needs_text(run, a[0], "count") || !window(run, self, a, &begin, &end))
        return self;
    if (!a[0].length)
        return jinja_integer(
            begin <= end ? (int64_t)heed_utf8_count(self.text + begin, end - begin) + 1 : 0);
    for (const char *at; begin < end && (at = heed_jinja_search(self.text + begin, end - begin,
                                                                a[0].text, a[0].length, false));
         number++)
        begin = (size_t)(at - self.text) + a[0].length;
    return jinja_integer(number);
}

/* Returns whether the part [begin, end) starts (or ends) with an affix. */
static bool has_affix(jinja_run *run, jinja_value self, jinja_value affix, size_t begin, size_t end,
                      bool front)
{
    if (!heed_jinja_needs_text(run, affix, front ? "startswith" : "endswith") || begin > end ||
        affix.length > end - begin)
        return false;
    return memcmp(self.text + (front ? begin : end - affix.length), affix.text, affix.length) == 0;
}

static jinja_value affix_of(jinja_run *run, jinja_value self, const jinja_value *a, bool front)
{
    size_t begin, end;
    if (!window(run, self, a, &begin, &end)) return self;
    if (!jinja_is_tuple(a[0])) return jinja_boolean(has_affix(run, self, a[0], begin, end, front));
    for (size_t i = 0; i < a[0].sequence->count; i++)
        if (has_affix(run, self, a[0].sequence->items[i], begin, end, front))
            return jinja_boolean(true);
    return jinja_boolean(false);
}

static jinja_value starts_with(jinja_run *run, jinja_value self, const jinja_value *a,
                               const jinja_call *call)
{
    (void)call;
    return affix_of(run, self, a, true);
}

static jinja_value ends_with(jinja_run *run, jinja_value self, const jinja_value *a,
                             const jinja_call *call)
{
    (void)call;
    return affix_of(run, self, a, false);
}

static jinja_value replace(jinja_run *run, jinja_value self, const jinja_value *a,
                           const jinja_call *call)
{
    int64_t most = -1;
    heed_buffer text = {0};
    size_t at = 0;
    uint32_t c;
    (void)call;
    if (!heed_jinja_needs_text(run, a[0], "replace") ||
        !heed_jinja_needs_text(run, a[1], "replace") ||
        (jinja_given(a[2]) && !heed_jinja_needs_whole(run, a[2], "replace", &most)))
        return self;
    heed_jinja_spend(run, self.length / 16);
    for (bool first = true; most != 0 && heed_jinja_fits(run, &text) && heed_jinja_spend(run, 1);
         most--) {
        const char *found = a[0].length ? heed_jinja_search(self.text + at, self.length - at,
                                                            a[0].text, a[0].length, false)
                                        : NULL;
        size_t keep = found ? (size_t)(found - self.text) - at : 0;
        if (!a[0].length) { /* an empty text matches before, between and after all characters */
            if (!first && at >= self.length) break;
            keep = first ? 0 : jinja_next(self.text, self.length, at, &c);
        } else if (!found) break;
        first = false;
        heed_buffer_append(&text, self.text + at, keep);
        heed_buffer_append(&text, a[1].text, a[1].length);
        at += keep + a[0].length;
    }
    heed_buffer_append(&text, self.text + at, self.length - at);
    return heed_jinja_take_buffer(run, &text);
}

/* ---- case ---- */

/* Changes case: `first` for the first character (of each word with `words`), `rest` for the
   others. */
static jinja_value change_case(jinja_run *run, jinja_value self, jinja_case first, jinja_case rest,
                               bool words)
{
    heed_buffer text = {0};
    uint32_t c;
    bool begins = true;
    heed_jinja_spend(run, self.length / 4);
    if (first == rest) heed_jinja_put_case(&text, self.text, self.length, first);
    else
        for (size_t at = 0, step; at < self.length; at += step) {
            step = jinja_next(self.text, self.length, at, &c);
            heed_jinja_put_case(&text, self.text + at, step, begins ? first : rest);
            begins = words && !(heed_jinja_class(c) & (JINJA_ALPHABETIC));
        }
    return heed_jinja_take_buffer(run, &text);
}

static jinja_value upper(jinja_run *run, jinja_value self, const jinja_value *a,
                         const jinja_call *call)
{
    (void)a;
    (void)call;
    return change_case(run, self, JINJA_TO_UPPER, JINJA_TO_UPPER, false);
}

static jinja_value lower(jinja_run *run, jinja_value self, const jinja_value *a,
                         const jinja_call *call)
{
    (void)a;
    (void)call;
    return change_case(run, self, JINJA_TO_LOWER, JINJA_TO_LOWER, false);
}

static jinja_value title(jinja_run *run, jinja_value self, const jinja_value *a,
                         const jinja_call *call)
{
    (void)a;
    (void)call;
    return change_case(run, self, JINJA_TO_TITLE, JINJA_TO_LOWER, true);
}

static jinja_value capitalize(jinja_run *run, jinja_value self, const jinja_value *a,
                              const jinja_call *call)
{
    (void)a;
    (void)call;
    return change_case(run, self, JINJA_TO_TITLE, JINJA_TO_LOWER, false);
}

static jinja_value swap_case(jinja_run *run, jinja_value self, const jinja_value *a,
                             const jinja_call *call)
{
    heed_buffer text = {0};
    uint32_t c;
    (void)a;
    (void)call;
    heed_jinja_spend(run, self.length / 4);
    for (size_t at = 0, step; at < self.length; at += step) {
        step = jinja_next(self.text, self.length, at, &c);
        heed_jinja_put_case(&text, self.text + at, step,
                            heed_jinja_class(c) & JINJA_UPPER ? JINJA_TO_LOWER : JINJA_TO_UPPER);
    }
    return heed_jinja_take_buffer(run, &text);
}

/* Returns whether all characters have one of the classes `wanted` and there is at least one. With
   `refused` it returns whether some character is in `wanted` and none in `refused`. */
static jinja_value all_of(jinja_run *run, jinja_value self, unsigned wanted, unsigned refused)
{
    bool found = false;
    uint32_t c;
    heed_jinja_spend(run, self.length / 8);
    for (size_t at = 0; at < self.length;) {
        at += jinja_next(self.text, self.length, at, &c);
        unsigned class = heed_jinja_class(c);
        if (class & wanted) found = true;
        if (refused ? class & refused : !(class & wanted)) return jinja_boolean(false);
    }
    return jinja_boolean(found);
}

#define CLASS_METHOD(name, wanted, refused)                                         \
    static jinja_value name(jinja_run *run, jinja_value self, const jinja_value *a, \
                            const jinja_call *call)                                 \
    {                                                                               \
        (void)a, (void)call;                                                        \
        return all_of(run, self, wanted, refused);                                  \
    }
CLASS_METHOD(is_alpha, JINJA_ALPHABETIC, 0)
CLASS_METHOD(is_alnum, JINJA_ALPHABETIC | JINJA_NUMERIC, 0)
CLASS_METHOD(is_digit, JINJA_DIGIT, 0)
CLASS_METHOD(is_decimal, JINJA_DECIMAL, 0)
CLASS_METHOD(is_numeric, JINJA_NUMERIC, 0)
CLASS_METHOD(is_lower, JINJA_LOWER, JINJA_UPPER | JINJA_TITLE)
CLASS_METHOD(is_upper, JINJA_UPPER, JINJA_LOWER | JINJA_TITLE)

static jinja_value is_space(jinja_run *run, jinja_value self, const jinja_value *a,
                            const jinja_call *call)
{
    const char *text = self.text;
    size_t length = self.length;
    (void)a;
    (void)call;
    heed_jinja_spend(run, length / 8);
    heed_strip_left(&text, &length);
    return jinja_boolean(self.length && !length);
}

/* ---- padding ---- */

/* Pads on the left (side 1), on the right (-1) or on both sides (0). */
static jinja_value pad(jinja_run *run, jinja_value self, const jinja_value *a, int side,
                       const char *fill)
{
    int64_t width, have = (int64_t)heed_jinja_length(run, self);
    heed_buffer text = {0};
    if (!heed_jinja_needs_whole(run, a[0], "a width", &width) ||
        (a[1].kind != JINJA_MISSING && !heed_jinja_needs_text(run, a[1], "a fill")))
        return self;
    if (width <= have || !heed_jinja_spend(run, (size_t)(width - have))) return self;
    const int64_t missing = width - have;
    int64_t before = missing / 2 + (missing & width & 1);
    if (side) before = side < 0 ? 0 : missing;
    jinja_value with = a[1].kind == JINJA_STRING ? a[1] : heed_jinja_string(fill);
    for (int64_t i = 0; i < before && heed_jinja_fits(run, &text); i++)
        heed_buffer_append(&text, with.text, with.length);
    heed_buffer_append(&text, self.text, self.length);
    for (int64_t i = before; i < missing && heed_jinja_fits(run, &text); i++)
        heed_buffer_append(&text, with.text, with.length);
    return heed_jinja_take_buffer(run, &text);
}

static jinja_value pad_right(jinja_run *run, jinja_value self, const jinja_value *a,
                             const jinja_call *call)
{
    (void)call;
    return pad(run, self, a, -1, " ");
}

static jinja_value pad_left(jinja_run *run, jinja_value self, const jinja_value *a,
                            const jinja_call *call)
{
    (void)call;
    return pad(run, self, a, 1, " ");
}

static jinja_value center(jinja_run *run, jinja_value self, const jinja_value *a,
                          const jinja_call *call)
{
    (void)call;
    return pad(run, self, a, 0, " ");
}

static jinja_value zero_fill(jinja_run *run, jinja_value self, const jinja_value *a,
                             const jinja_call *call)
{
    (void)call;
    if (!self.length || !strchr("+-", self.text[0]))
        return pad(run, self, (const jinja_value[]){a[0], jinja_missing()}, 1, "0");
    int64_t width;
    if (!heed_jinja_needs_whole(run, a[0], "a width", &width)) return self;
    jinja_value digits = pad(
        run, jinja_text(self.text + 1, self.length - 1u),
        (const jinja_value[]){jinja_integer(width > 1 ? width - 1 : 0), jinja_missing()}, 1, "0");
    return heed_jinja_failed(run)
               ? digits
               : heed_jinja_arithmetic(run, JINJA_ADD, jinja_text(self.text, 1), digits);
}

static jinja_value format(jinja_run *run, jinja_value self, const jinja_value *a,
                          const jinja_call *call)
{
    (void)a;
    return heed_jinja_format_braces(run, self, call);
}

/* ---- dicts and lists ---- */

static jinja_value get(jinja_run *run, jinja_value self, const jinja_value *a,
                       const jinja_call *call)
{
    const jinja_value *found = heed_jinja_get(run, self.dict, a[0]);
    (void)call;
    if (found) return *found;
    return a[1].kind == JINJA_MISSING ? jinja_none() : a[1];
}

/* dict.keys(), dict.values() and dict.items(). */
static jinja_value view(jinja_run *run, jinja_value self, bool keys, bool values)
{
    jinja_value list = heed_jinja_sequence(run, JINJA_VIEW, self.dict->count);
    for (size_t i = 0;
         list.kind == JINJA_SEQUENCE && i < self.dict->count && !heed_jinja_failed(run); i++) {
        jinja_value item = keys ? self.dict->keys[i] : self.dict->values[i];
        if (keys && values) {
            jinja_value pair = heed_jinja_sequence(run, JINJA_TUPLE, 2);
            if (pair.kind != JINJA_SEQUENCE) break;
            pair.sequence->items[0] = item;
            pair.sequence->items[1] = self.dict->values[i];
            item = pair;
        }
        list.sequence->items[i] = item;
    }
    return list;
}

static jinja_value keys(jinja_run *run, jinja_value self, const jinja_value *a,
                        const jinja_call *call)
{
    (void)a;
    (void)call;
    return view(run, self, true, false);
}

static jinja_value values(jinja_run *run, jinja_value self, const jinja_value *a,
                          const jinja_call *call)
{
    (void)a;
    (void)call;
    return view(run, self, false, true);
}

static jinja_value items(jinja_run *run, jinja_value self, const jinja_value *a,
                         const jinja_call *call)
{
    (void)a;
    (void)call;
    return view(run, self, true, true);
}

static jinja_value copy(jinja_run *run, jinja_value self, const jinja_value *a,
                        const jinja_call *call)
{
    (void)run;
    (void)a;
    (void)call;
    return self; /* values are immutable */
}

static jinja_value list_index(jinja_run *run, jinja_value self, const jinja_value *a,
                              const jinja_call *call)
{
    (void)call;
    for (size_t i = 0; i < self.sequence->count && heed_jinja_spend(run, 1); i++)
        if (heed_jinja_equal(run, self.sequence->items[i], a[0])) return jinja_integer((int64_t)i);
    return heed_jinja_fail(run, "a value was not found in a list");
}

static jinja_value list_count(jinja_run *run, jinja_value self, const jinja_value *a,
                              const jinja_call *call)
{
    int64_t number = 0;
    (void)call;
    for (size_t i = 0; i < self.sequence->count && heed_jinja_spend(run, 1); i++)
        number += heed_jinja_equal(run, self.sequence->items[i], a[0]);
    return jinja_integer(number);
}

static const jinja_builtin string_methods[] = {
    {"capitalize", "", 0, capitalize},
    {"casefold", "", 0, lower},
    {"center", "width fillchar", 1, center},
    {"count", "sub start end", 1, count},
    {"endswith", "suffix start end", 1, ends_with},
    {"find", "sub start end", 1, find},
    {"format", NULL, 0, format},
    {"index", "sub start end", 1, index_of},
    {"isalnum", "", 0, is_alnum},
    {"isalpha", "", 0, is_alpha},
    {"isdecimal", "", 0, is_decimal},
    {"isdigit", "", 0, is_digit},
    {"islower", "", 0, is_lower},
    {"isnumeric", "", 0, is_numeric},
    {"isspace", "", 0, is_space},
    {"isupper", "", 0, is_upper},
    {"ljust", "width fillchar", 1, pad_right},
    {"lower", "", 0, lower},
    {"replace", "old new count", 2, replace},
    {"rfind", "sub start end", 1, find_right},
    {"rindex", "sub start end", 1, index_right},
    {"rjust", "width fillchar", 1, pad_left},
    {"startswith", "prefix start end", 1, starts_with},
    {"swapcase", "", 0, swap_case},
    {"title", "", 0, title},
    {"upper", "", 0, upper},
    {"zfill", "width", 1, zero_fill},
    {0},
};
static const jinja_builtin dict_methods[] = {
    {"copy", "", 0, copy}, {"get", "key default", 1, get}, {"items", "", 0, items},
    {"keys", "", 0, keys}, {"values", "", 0, values},      {0}};
static const jinja_builtin list_methods[] = {
    {"copy", "", 0, copy},
    {"count", "value", 1, list_count},
    {"index", "value", 1, list_index},
    {0},
};

const jinja_builtin *heed_jinja_method(jinja_value self, jinja_value name)
{
    const jinja_builtin *methods = NULL;
    if (self.kind == JINJA_STRING) methods = string_methods;
    else if (self.kind == JINJA_DICT) methods = dict_methods;
    else if (jinja_is_list(self) || jinja_is_tuple(self)) methods = list_methods;
    else if (self.kind == JINJA_CYCLER) methods = heed_jinja_cycler_methods;
    for (; methods && methods->name; methods++)
        if (heed_jinja_is(name, methods->name) &&
            !(jinja_is_tuple(self) && methods->function == copy))
            return methods;
    for (methods = heed_jinja_split_methods; self.kind == JINJA_STRING && methods->name; methods++)
        if (heed_jinja_is(name, methods->name)) return methods;
    return NULL;
}

bool heed_jinja_method_is_unsafe(jinja_value self, jinja_value name)
{
    static const char *const of_dicts[] = {"clear", "pop", "popitem", "setdefault", "update", NULL};
    static const char *const of_lists[] = {"append", "clear",   "extend", "insert", "pop",
                                           "remove", "reverse", "sort",   NULL};
    const char *const *unsafe = NULL;
    if (self.kind == JINJA_DICT) unsafe = of_dicts;
    else if (jinja_is_list(self)) unsafe = of_lists;
    for (; unsafe && *unsafe; unsafe++)
        if (heed_jinja_is(name, *unsafe)) return true;
    return false;
}
