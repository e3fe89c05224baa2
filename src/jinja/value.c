/* value.c: makes values and answers questions about them: truth, order, length, elements. */
#include "jinja/value.h"

#include "jinja/characters.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- making ---- */

jinja_value heed_jinja_string(const char *text)
{
    return jinja_text(text, strlen(text));
}

jinja_value heed_jinja_undefined(const char *name)
{
    return (jinja_value){.kind = JINJA_UNDEFINED, .length = (uint32_t)strlen(name), .text = name};
}

jinja_value heed_jinja_copy(jinja_run *run, const char *text, size_t length)
{
    if (!heed_jinja_spend(run, length / 64)) return heed_jinja_undefined("");
    if (length > UINT32_MAX) return heed_jinja_fail(run, "a text is longer than 4 GiB");
    char *copy = heed_jinja_take(run, length + 1, 1);
    if (!copy) return heed_jinja_undefined("");
    if (length) memcpy(copy, text, length);
    return jinja_text(copy, length);
}

jinja_value heed_jinja_take_buffer(jinja_run *run, heed_buffer *buffer)
{
    jinja_value text = heed_jinja_undefined("");
    if (heed_jinja_fits(run, buffer))
        text = heed_jinja_copy(run, buffer->data ? buffer->data : "", buffer->length);
    heed_buffer_free(buffer);
    return text;
}

jinja_value heed_jinja_sequence(jinja_run *run, jinja_style style, size_t count)
{
    jinja_sequence *sequence = heed_jinja_spend(run, 1 + count)
                                   ? heed_jinja_take(run, 1, sizeof *sequence)
                                   : NULL;
    jinja_value *items = sequence ? heed_jinja_take(run, count + 1, sizeof *items) : NULL;
    if (!items) return heed_jinja_undefined("");
    for (size_t i = 0; i < count; i++) items[i] = jinja_none();
    *sequence = (jinja_sequence){.style = style, .items = items, .count = count};
    return (jinja_value){.kind = JINJA_SEQUENCE, .sequence = sequence};
}

jinja_value heed_jinja_dict(jinja_run *run, size_t capacity)
{
    jinja_dict *dict = heed_jinja_spend(run, 1 + capacity) ? heed_jinja_take(run, 1, sizeof *dict)
                                                           : NULL;
    if (!dict) return heed_jinja_undefined("");
    dict->capacity = capacity + 1;
    dict->keys = heed_jinja_take(run, dict->capacity, sizeof *dict->keys);
    dict->values = dict->keys ? heed_jinja_take(run, dict->capacity, sizeof *dict->values) : NULL;
    if (!dict->values) return heed_jinja_undefined("");
    return (jinja_value){.kind = JINJA_DICT, .dict = dict};
}

/* Returns whether a value can be the key of a dict, which must be hashable. */
static bool can_be_key(jinja_value key)
{
    if (!jinja_is_tuple(key))
        return key.kind != JINJA_DICT && key.kind != JINJA_SEQUENCE && key.kind != JINJA_MISSING;
    for (size_t i = 0; i < key.sequence->count; i++) {
        jinja_value item = key.sequence->items[i];
        if (item.kind == JINJA_DICT || (item.kind == JINJA_SEQUENCE && !jinja_is_tuple(item)))
            return false;
    }
    return true;
}

const jinja_value *heed_jinja_get(jinja_run *run, const jinja_dict *dict, jinja_value key)
{
    if (!heed_jinja_spend(run, 1 + dict->count / 8)) return NULL;
    for (size_t i = 0; i < dict->count; i++) {
        jinja_value have = dict->keys[i];
        bool equal = have.kind == JINJA_STRING && key.kind == JINJA_STRING
                         ? have.length == key.length &&
                               (have.text == key.text ||
                                memcmp(have.text, key.text, key.length) == 0)
                         : heed_jinja_equal(run, have, key);
        if (equal) return &dict->values[i];
    }
    return NULL;
}

void heed_jinja_put(jinja_run *run, jinja_dict *dict, jinja_value key, jinja_value value)
{
    if (!can_be_key(key)) {
        heed_jinja_fail(run, "a %s cannot be the key of a dict", heed_jinja_type(key));
        return;
    }
    jinja_value *have = (jinja_value *)heed_jinja_get(run, dict, key);
    if (heed_jinja_failed(run)) return;
    if (have) {
        *have = value;
        return;
    }
    if (dict->count == dict->capacity) {
        size_t capacity = dict->capacity * 2;
        jinja_value *keys = heed_jinja_take(run, capacity, sizeof *keys),
                    *values = keys ? heed_jinja_take(run, capacity, sizeof *values) : NULL;
        if (!values) return;
        memcpy(keys, dict->keys, dict->count * sizeof *keys);
        memcpy(values, dict->values, dict->count * sizeof *values);
        dict->keys = keys;
        dict->values = values;
        dict->capacity = capacity;
    }
    dict->keys[dict->count] = key;
    dict->values[dict->count++] = value;
}

jinja_value heed_jinja_from_json(jinja_run *run, const json_t *json)
{
    jinja_value value = heed_jinja_undefined("");
    const char *foreign = heed_json_foreign(json);
    if (foreign) return jinja_number(heed_json_foreign_number(foreign));
    if (!heed_jinja_enter(run)) return value;
    switch (json_typeof(json)) {
    case JSON_OBJECT: {
        value = heed_jinja_dict(run, json_object_size(json));
        for (void *at = json_object_iter((json_t *)json); at && !heed_jinja_failed(run);
             at = json_object_iter_next((json_t *)json, at)) {
            /* the keys of an object are distinct, so none needs to be searched for */
            jinja_dict *dict = value.dict;
            const char *key = json_object_iter_key(at);
            dict->keys[dict->count] = heed_jinja_copy(run, key, json_object_iter_key_len(at));
            dict->values[dict->count++] = heed_jinja_from_json(run, json_object_iter_value(at));
        }
        break;
    }
    case JSON_ARRAY:
        value = heed_jinja_sequence(run, JINJA_LIST, json_array_size(json));
        for (size_t i = 0; i < json_array_size(json) && !heed_jinja_failed(run); i++)
            value.sequence->items[i] = heed_jinja_from_json(run, json_array_get(json, i));
        break;
    case JSON_STRING:
        value = heed_jinja_copy(run, json_string_value(json), json_string_length(json));
        break;
    case JSON_INTEGER: value = jinja_integer(json_integer_value(json)); break;
    case JSON_REAL: value = jinja_number(json_real_value(json)); break;
    case JSON_TRUE:
    case JSON_FALSE: value = jinja_boolean(json_is_true(json)); break;
    case JSON_NULL: value = jinja_none(); break;
    }
    heed_jinja_leave(run);
    return value;
}

/* ---- questions ---- */

bool heed_jinja_is(jinja_value value, const char *text)
{
    return value.kind == JINJA_STRING && value.length == strlen(text) &&
           memcmp(value.text, text, value.length) == 0;
}

const char *heed_jinja_type(jinja_value value)
{
    static const char *const styles[] = {
        [JINJA_LIST] = "list",   [JINJA_TUPLE] = "tuple",         [JINJA_GROUP] = "tuple",
        [JINJA_RANGE] = "range", [JINJA_VIEW] = "view of a dict", [JINJA_GENERATOR] = "generator"};
    static const char *const kinds[] = {[JINJA_UNDEFINED] = "undefined value",
                                        [JINJA_MISSING] = "missing argument",
                                        [JINJA_NONE] = "none",
                                        [JINJA_BOOLEAN] = "bool",
                                        [JINJA_INTEGER] = "int",
                                        [JINJA_NUMBER] = "float",
                                        [JINJA_STRING] = "string",
                                        [JINJA_DICT] = "dict",
                                        [JINJA_NAMESPACE] = "namespace",
                                        [JINJA_LOOP] = "loop",
                                        [JINJA_MACRO] = "macro",
                                        [JINJA_FUNCTION] = "function",
                                        [JINJA_METHOD] = "method",
                                        [JINJA_CYCLER] = "cycler",
                                        [JINJA_JOINER] = "joiner"};
    return value.kind == JINJA_SEQUENCE ? styles[value.sequence->style] : kinds[value.kind];
}

bool heed_jinja_truth(jinja_value value)
{
    switch (value.kind) {
    case JINJA_UNDEFINED:
    case JINJA_MISSING:
    case JINJA_NONE: return false;
    case JINJA_BOOLEAN: return value.boolean;
    case JINJA_INTEGER: return value.integer != 0;
    case JINJA_NUMBER: return value.number != 0;
    case JINJA_STRING: return value.length > 0;
    case JINJA_SEQUENCE:
        return value.sequence->count > 0 || value.sequence->style == JINJA_GENERATOR;
    case JINJA_DICT: return value.dict->count > 0;
    default: return true;
    }
}

bool heed_jinja_real(jinja_value value, double *real)
{
    *real = 0;
    if (value.kind == JINJA_NUMBER) *real = value.number;
    else if (value.kind == JINJA_INTEGER) *real = (double)value.integer;
    else if (value.kind == JINJA_BOOLEAN) *real = value.boolean;
    else return false;
    return true;
}

bool heed_jinja_whole(jinja_value value, int64_t *whole)
{
    *whole = 0;
    if (value.kind == JINJA_INTEGER) *whole = value.integer;
    else if (value.kind == JINJA_BOOLEAN) *whole = value.boolean;
    else return false;
    return true;
}

/* Compares two numbers: -1, 0, 1, or 2 if one is NaN. */
static int compare_real(jinja_value a, jinja_value b)
{
    int64_t i, j;
    double x, y;
    if (heed_jinja_whole(a, &i) && heed_jinja_whole(b, &j)) return (i > j) - (i < j);
    heed_jinja_real(a, &x);
    heed_jinja_real(b, &y);
    return isnan(x) || isnan(y) ? 2 : (x > y) - (x < y);
}

static bool equal_sequences(jinja_run *run, const jinja_sequence *a, const jinja_sequence *b)
{
    const jinja_style x = a->style == JINJA_GROUP ? JINJA_TUPLE : a->style;
    const jinja_style y = b->style == JINJA_GROUP ? JINJA_TUPLE : b->style;
    if (a == b) return true;
    if (x != y || x == JINJA_VIEW || x == JINJA_GENERATOR || a->count != b->count) return false;
    for (size_t i = 0; i < a->count; i++)
        if (!heed_jinja_equal(run, a->items[i], b->items[i])) return false;
    return true;
}

static bool equal_dicts(jinja_run *run, const jinja_dict *a, const jinja_dict *b)
{
    if (a->count != b->count) return false;
    for (size_t i = 0; i < a->count; i++) {
        const jinja_value *other = heed_jinja_get(run, b, a->keys[i]);
        if (!other || !heed_jinja_equal(run, a->values[i], *other)) return false;
    }
    return true;
}

bool heed_jinja_equal(jinja_run *run, jinja_value a, jinja_value b)
{
    double x, y;
    if (heed_jinja_real(a, &x) && heed_jinja_real(b, &y)) return compare_real(a, b) == 0;
    if (a.kind != b.kind) return false;
    if (!heed_jinja_enter(run)) return false;
    bool equal;
    switch (a.kind) {
    case JINJA_UNDEFINED:
    case JINJA_MISSING:
    case JINJA_NONE: equal = true; break;
    case JINJA_STRING:
        equal = a.length == b.length && heed_jinja_spend(run, a.length / 64) &&
                memcmp(a.text, b.text, a.length) == 0;
        break;
    case JINJA_SEQUENCE: equal = equal_sequences(run, a.sequence, b.sequence); break;
    case JINJA_DICT: equal = equal_dicts(run, a.dict, b.dict); break;
    default: equal = a.dict == b.dict; break; /* any other value is equal only to itself */
    }
    heed_jinja_leave(run);
    return equal && !heed_jinja_failed(run);
}

int heed_jinja_compare(jinja_run *run, jinja_value a, jinja_value b)
{
    double x, y;
    if (!heed_jinja_spend(run, 1)) return 0;
    if (heed_jinja_real(a, &x) && heed_jinja_real(b, &y)) return compare_real(a, b);
    if (a.kind == JINJA_STRING && b.kind == JINJA_STRING) { /* UTF-8 sorts like code points */
        size_t shorter = a.length < b.length ? a.length : b.length;
        heed_jinja_spend(run, shorter / 64);
        int order = shorter ? memcmp(a.text, b.text, shorter) : 0;
        return order ? (order > 0) - (order < 0) : (a.length > b.length) - (a.length < b.length);
    }
    bool lists = (jinja_is_list(a) && jinja_is_list(b)) || (jinja_is_tuple(a) && jinja_is_tuple(b));
    if (!lists) {
        if (a.kind == JINJA_UNDEFINED || b.kind == JINJA_UNDEFINED)
            heed_jinja_fail_use(run, "compare", a.kind == JINJA_UNDEFINED ? a : b);
        else
            heed_jinja_fail(run, "%s and %s have no order", heed_jinja_type(a), heed_jinja_type(b));
        return 0;
    }
    const jinja_sequence *p = a.sequence, *q = b.sequence;
    int order = 0;
    if (!heed_jinja_enter(run)) return 0;
    for (size_t i = 0; i < p->count && i < q->count && !order; i++)
        if (!heed_jinja_equal(run, p->items[i], q->items[i])) {
            order = heed_jinja_compare(run, p->items[i], q->items[i]);
            break;
        }
    heed_jinja_leave(run);
    return order ? order : (p->count > q->count) - (p->count < q->count);
}

bool heed_jinja_contains(jinja_run *run, jinja_value container, jinja_value value)
{
    if (container.kind == JINJA_STRING) {
        if (value.kind != JINJA_STRING) {
            heed_jinja_fail(run, "only a string can be in a string, not %s",
                            heed_jinja_type(value));
            return false;
        }
        return heed_jinja_spend(run, container.length / 16) &&
               heed_jinja_search(container.text, container.length, value.text, value.length,
                                 false) != NULL;
    }
    if (container.kind == JINJA_DICT) {
        if (!can_be_key(value))
            heed_jinja_fail(run, "a %s cannot be the key of a dict", heed_jinja_type(value));
        return !heed_jinja_failed(run) && heed_jinja_get(run, container.dict, value) != NULL;
    }
    const jinja_sequence *items = heed_jinja_walk(run, container);
    for (size_t i = 0; items && i < items->count && heed_jinja_spend(run, 1); i++)
        if (heed_jinja_equal(run, items->items[i], value)) return true;
    return false;
}

size_t heed_jinja_length(jinja_run *run, jinja_value value)
{
    switch (value.kind) {
    case JINJA_UNDEFINED: return 0;
    case JINJA_STRING:
        return heed_jinja_spend(run, value.length / 64) ? heed_utf8_count(value.text, value.length)
                                                        : 0;
    case JINJA_DICT: return value.dict->count;
    case JINJA_SEQUENCE:
        if (value.sequence->style != JINJA_GENERATOR) return value.sequence->count;
        break;
    default: break;
    }
    heed_jinja_fail(run, "a %s has no length", heed_jinja_type(value));
    return 0;
}

bool heed_jinja_is_iterable(jinja_value value)
{
    return value.kind == JINJA_UNDEFINED || value.kind == JINJA_STRING ||
           value.kind == JINJA_SEQUENCE || value.kind == JINJA_DICT;
}

/* Returns the characters of a string. */
static const jinja_sequence *characters_of(jinja_run *run, jinja_value text)
{
    jinja_value list = heed_jinja_sequence(run, JINJA_LIST,
                                           heed_utf8_count(text.text, text.length));
    if (list.kind != JINJA_SEQUENCE) return NULL;
    uint32_t c;
    for (size_t i = 0, at = 0, step; at < text.length; i++, at += step) {
        step = jinja_next(text.text, text.length, at, &c);
        list.sequence->items[i] = jinja_text(text.text + at, step);
    }
    return list.sequence;
}

const jinja_sequence *heed_jinja_walk(jinja_run *run, jinja_value value)
{
    static const jinja_sequence nothing = {.style = JINJA_LIST};
    if (heed_jinja_failed(run)) return NULL;
    if (value.kind == JINJA_UNDEFINED && !value.unsafe) return &nothing;
    if (value.kind == JINJA_STRING) return characters_of(run, value);
    if (value.kind == JINJA_SEQUENCE && value.sequence->style == JINJA_GENERATOR) {
        jinja_value rest = heed_jinja_sequence(run, JINJA_LIST, 0);
        if (rest.kind != JINJA_SEQUENCE) return NULL;
        rest.sequence->items = value.sequence->items + value.sequence->taken;
        rest.sequence->count = value.sequence->count - value.sequence->taken;
        value.sequence->taken = value.sequence->count;
        return rest.sequence;
    }
    if (value.kind == JINJA_SEQUENCE) return value.sequence;
    if (value.kind == JINJA_DICT) {
        jinja_sequence *keys = heed_jinja_take(run, 1, sizeof *keys);
        if (keys)
            *keys = (jinja_sequence){
                .style = JINJA_VIEW, .items = value.dict->keys, .count = value.dict->count};
        return keys;
    }
    heed_jinja_fail_use(run, "walk over", value);
    return NULL;
}

jinja_value heed_jinja_fail_use(jinja_run *run, const char *doing, jinja_value value)
{
    int length = value.length < 60 ? (int)value.length : 60;
    if (value.kind != JINJA_UNDEFINED)
        return heed_jinja_fail(run, "cannot %s a value of type %s", doing, heed_jinja_type(value));
    if (value.unsafe)
        return heed_jinja_fail(run, "templates may not use \"%.*s\"", length, value.text);
    return heed_jinja_fail(run, "cannot %s \"%.*s\", which is undefined", doing, length,
                           value.text);
}
