/* methods.c: the methods of Python's strings, dicts and lists that do not change them: case,
   padding and views. methods_find.c has those that search strings, methods_split.c those that split
   them. */
#include "jinja/methods.h"

#include "base/unicode.h"
#include "jinja/characters.h"
#include <string.h>

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
    {"format", NULL, 0, format},
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
    {"rjust", "width fillchar", 1, pad_left},
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

/* The record of this name in a table of methods, or NULL. */
static const jinja_builtin *find_method(const jinja_builtin *methods, jinja_value name)
{
    for (; methods->name; methods++)
        if (heed_jinja_is(name, methods->name)) return methods;
    return NULL;
}

const jinja_builtin *heed_jinja_method(jinja_value self, jinja_value name)
{
    const jinja_builtin *found = NULL;
    if (self.kind == JINJA_STRING) {
        found = find_method(string_methods, name);
        if (!found) found = find_method(heed_jinja_find_methods, name);
        if (!found) found = find_method(heed_jinja_split_methods, name);
    } else if (self.kind == JINJA_DICT) found = find_method(dict_methods, name);
    else if (jinja_is_list(self) || jinja_is_tuple(self)) found = find_method(list_methods, name);
    else if (self.kind == JINJA_CYCLER) found = find_method(heed_jinja_cycler_methods, name);
    /* tuples have the methods of lists without copy */
    return found && jinja_is_tuple(self) && found->function == copy ? NULL : found;
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
