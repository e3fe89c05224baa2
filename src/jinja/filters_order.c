/* filters_order.c: Jinja's filters that compare elements: sort, dictsort, groupby, unique, min,
   max, sum. Sorting is stable. Unless asked otherwise, comparisons ignore the case of strings. */
#include "jinja/filters_internal.h"

#include <string.h>

jinja_value heed_jinja_fold(jinja_run *run, jinja_value value)
{
    if (value.kind != JINJA_STRING) return value;
    return heed_jinja_call_builtin(run, heed_jinja_method(value, heed_jinja_string("lower")), value,
                                   &(jinja_call){0});
}

/* An element and the key by which it is compared. */
typedef struct keyed {
    jinja_value key, item;
} keyed;

/* Returns the key of an element: the element, or what `path` names in it; several paths give a
   tuple. */
static jinja_value key_of(jinja_run *run, jinja_value item, jinja_value path, bool fold)
{
    jinja_value key = item;
    /* several paths give a tuple */
    if (path.kind == JINJA_STRING && memchr(path.text, ',', path.length)) {
        jinja_value keys = heed_jinja_sequence(run, JINJA_TUPLE, 0);
        for (size_t at = 0;
             at <= path.length && keys.kind == JINJA_SEQUENCE && !heed_jinja_failed(run);) {
            const char *comma = memchr(path.text + at, ',', path.length - at);
            size_t length = comma ? (size_t)(comma - path.text) - at : path.length - at;
            jinja_value one = key_of(run, item, jinja_text(path.text + at, length), fold);
            jinja_value tuple = heed_jinja_of_items(run, JINJA_TUPLE, &one, 1);
            if (tuple.kind == JINJA_SEQUENCE)
                keys = heed_jinja_arithmetic(run, JINJA_ADD, keys, tuple);
            at += length + 1;
        }
        return keys;
    }
    if (path.kind != JINJA_MISSING && path.kind != JINJA_NONE)
        key = heed_jinja_path(run, item, path);
    return fold ? heed_jinja_fold(run, key) : key;
}

/* Returns all elements with their keys. NULL after a failure. */
static keyed *keys_of(jinja_run *run, const jinja_sequence *items, jinja_value path, bool fold)
{
    keyed *keys = items && heed_jinja_spend(run, items->count)
                      ? heed_jinja_take(run, items->count + 1, sizeof *keys)
                      : NULL;
    for (size_t i = 0; keys && i < items->count && !heed_jinja_failed(run); i++)
        keys[i] = (keyed){.key = key_of(run, items->items[i], path, fold), .item = items->items[i]};
    return heed_jinja_failed(run) ? NULL : keys;
}

/* Sorts by bottom-up merge sort, which is stable and ends even if comparisons fail. */
static bool merge_sort(jinja_run *run, keyed *keys, size_t count, bool reverse)
{
    keyed *other = heed_jinja_take(run, count + 1, sizeof *other), *from = keys, *to = other;
    if (!other) return false;
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t begin = 0; begin < count; begin += 2 * width) {
            const size_t middle = begin + width < count ? begin + width : count;
            const size_t end = middle + width < count ? middle + width : count;
            size_t i = begin, j = middle;
            for (size_t k = begin; k < end; k++) {
                int order = i < middle ? -1 : 1;
                if (i < middle && j < end)
                    order = heed_jinja_compare(run, from[i].key, from[j].key);
                if (i < middle && j < end && reverse && order != 2) order = -order;
                to[k] = i < middle && (j >= end || order <= 0 || order == 2) ? from[i++]
                                                                             : from[j++];
            }
        }
        keyed *swap = from;
        from = to;
        to = swap;
    }
    if (from != keys) memcpy(keys, from, count * sizeof *keys);
    return !heed_jinja_failed(run);
}

/* Returns a sorted list. */
static jinja_value sorted(jinja_run *run, const jinja_sequence *items, jinja_value path, bool fold,
                          bool reverse)
{
    keyed *keys = keys_of(run, items, path, fold);
    if (!keys || !merge_sort(run, keys, items->count, reverse)) return heed_jinja_undefined("");
    jinja_value result = heed_jinja_sequence(run, JINJA_LIST, items->count);
    for (size_t i = 0; result.kind == JINJA_SEQUENCE && i < items->count; i++)
        result.sequence->items[i] = keys[i].item;
    return result;
}

static jinja_value sort(jinja_run *run, jinja_value self, const jinja_value *a,
                        const jinja_call *call)
{
    (void)call;
    return sorted(run, heed_jinja_walk(run, self), a[2], !jinja_flag(a[1], false),
                  jinja_flag(a[0], false));
}

static jinja_value sort_dict(jinja_run *run, jinja_value self, const jinja_value *a,
                             const jinja_call *call)
{
    (void)call;
    if (self.kind != JINJA_DICT)
        return heed_jinja_fail(run, "dictsort needs a dict, not %s", heed_jinja_type(self));
    bool by_value = heed_jinja_is(a[1], "value");
    if (a[1].kind != JINJA_MISSING && !by_value && !heed_jinja_is(a[1], "key"))
        return heed_jinja_fail(run, "dictsort orders by \"key\" or \"value\"");
    jinja_value pairs = heed_jinja_call_builtin(
        run, heed_jinja_method(self, heed_jinja_string("items")), self, &(jinja_call){0});
    if (pairs.kind != JINJA_SEQUENCE) return pairs;
    return sorted(run, pairs.sequence, jinja_integer(by_value), !jinja_flag(a[0], false),
                  jinja_flag(a[2], false));
}

/* groupby(attribute, default, case_sensitive): sorts by the attribute, then collects equal
   neighbors. */
static jinja_value group_by(jinja_run *run, jinja_value self, const jinja_value *a,
                            const jinja_call *call)
{
    const jinja_sequence *items = heed_jinja_walk(run, self);
    bool fold = !jinja_flag(a[2], false);
    keyed *keys = keys_of(run, items, a[0], false);
    (void)call;
    if (!keys) return heed_jinja_undefined("");
    for (size_t i = 0; i < items->count; i++) {
        if (keys[i].key.kind == JINJA_UNDEFINED && a[1].kind != JINJA_MISSING) keys[i].key = a[1];
        if (fold) keys[i].key = heed_jinja_fold(run, keys[i].key);
    }
    if (heed_jinja_failed(run) || !merge_sort(run, keys, items->count, false))
        return heed_jinja_undefined("");
    jinja_value result = heed_jinja_sequence(run, JINJA_LIST, items->count);
    size_t groups = 0;
    for (size_t begin = 0, end;
         begin < items->count && result.kind == JINJA_SEQUENCE && !heed_jinja_failed(run);
         begin = end) {
        for (end = begin + 1;
             end < items->count && heed_jinja_equal(run, keys[begin].key, keys[end].key);)
            end++;
        jinja_value group = heed_jinja_sequence(run, JINJA_GROUP, 2),
                    members = heed_jinja_sequence(run, JINJA_LIST, end - begin);
        if (group.kind != JINJA_SEQUENCE || members.kind != JINJA_SEQUENCE) break;
        for (size_t i = begin; i < end; i++) members.sequence->items[i - begin] = keys[i].item;
        /* the name is spelled as in the first element of the group */
        jinja_value name = key_of(run, keys[begin].item, a[0], false);
        group.sequence->items[0] = name.kind == JINJA_UNDEFINED && a[1].kind != JINJA_MISSING
                                       ? a[1]
                                       : name;
        group.sequence->items[1] = members;
        result.sequence->items[groups++] = group;
    }
    if (result.kind == JINJA_SEQUENCE) result.sequence->count = groups;
    return result;
}

static jinja_value unique(jinja_run *run, jinja_value self, const jinja_value *a,
                          const jinja_call *call)
{
    const jinja_sequence *items = heed_jinja_walk(run, self);
    jinja_value seen = heed_jinja_dict(run, 8),
                result = heed_jinja_sequence(run, JINJA_GENERATOR, items ? items->count : 0);
    size_t kept = 0;
    (void)call;
    for (size_t i = 0; items && seen.kind == JINJA_DICT && result.kind == JINJA_SEQUENCE &&
                       i < items->count && heed_jinja_spend(run, 1);
         i++) {
        jinja_value key = key_of(run, items->items[i], a[1], !jinja_flag(a[0], false));
        if (heed_jinja_failed(run) || heed_jinja_get(run, seen.dict, key)) continue;
        heed_jinja_put(run, seen.dict, key, jinja_none());
        result.sequence->items[kept++] = items->items[i];
    }
    if (result.kind == JINJA_SEQUENCE) result.sequence->count = kept;
    return result;
}

/* min with `wanted` -1, max with 1. */
static jinja_value extreme(jinja_run *run, jinja_value self, const jinja_value *a, int wanted)
{
    const jinja_sequence *items = heed_jinja_walk(run, self);
    keyed *keys = keys_of(run, items, a[1], !jinja_flag(a[0], false));
    size_t best = 0;
    if (!keys) return heed_jinja_undefined("");
    if (!items->count) return heed_jinja_undefined("min or max of an empty sequence");
    for (size_t i = 1; i < items->count && !heed_jinja_failed(run); i++)
        if (heed_jinja_compare(run, keys[i].key, keys[best].key) == wanted) best = i;
    return keys[best].item;
}

static jinja_value minimum(jinja_run *run, jinja_value self, const jinja_value *a,
                           const jinja_call *call)
{
    (void)call;
    return extreme(run, self, a, -1);
}

static jinja_value maximum(jinja_run *run, jinja_value self, const jinja_value *a,
                           const jinja_call *call)
{
    (void)call;
    return extreme(run, self, a, 1);
}

static jinja_value sum(jinja_run *run, jinja_value self, const jinja_value *a,
                       const jinja_call *call)
{
    const jinja_sequence *items = heed_jinja_walk(run, self);
    jinja_value total = a[1].kind == JINJA_MISSING ? jinja_integer(0) : a[1];
    (void)call;
    for (size_t i = 0; items && i < items->count && heed_jinja_spend(run, 1); i++)
        total = heed_jinja_arithmetic(run, JINJA_ADD, total,
                                      key_of(run, items->items[i], a[0], false));
    return total;
}

const jinja_builtin heed_jinja_order_filters[] = {
    {"dictsort", "case_sensitive by reverse", 0, sort_dict},
    {"groupby", "attribute default case_sensitive", 1, group_by},
    {"max", "case_sensitive attribute", 0, maximum},
    {"min", "case_sensitive attribute", 0, minimum},
    {"sort", "reverse case_sensitive attribute", 0, sort},
    {"sum", "attribute start", 0, sum},
    {"unique", "case_sensitive attribute", 0, unique},
    {0}};
