/* filters_list.c: Jinja's filters that take values apart, select among them and put them together.
   Filters that are generators in Jinja return generators here: these are true even if they are
   empty, and can be iterated once. */
#include "jinja/filters_internal.h"

#include <string.h>

jinja_value heed_jinja_of_items(jinja_run *run, jinja_style style, const jinja_value *items,
                                size_t count)
{
    jinja_value list = heed_jinja_sequence(run, style, count);
    if (list.kind == JINJA_SEQUENCE && count)
        memcpy(list.sequence->items, items, count * sizeof *items);
    return list;
}

/* default(value, default_value, boolean) */
static jinja_value fallback(jinja_run *run, jinja_value self, const jinja_value *a,
                            const jinja_call *call)
{
    bool absent = self.kind == JINJA_UNDEFINED ||
                  (jinja_flag(a[1], false) && !heed_jinja_truth(self));
    (void)run;
    (void)call;
    if (!absent) return self;
    return a[0].kind == JINJA_MISSING ? heed_jinja_string("") : a[0];
}

static jinja_value length(jinja_run *run, jinja_value self, const jinja_value *a,
                          const jinja_call *call)
{
    (void)a;
    (void)call;
    return jinja_integer((int64_t)heed_jinja_length(run, self));
}

static jinja_value first(jinja_run *run, jinja_value self, const jinja_value *a,
                         const jinja_call *call)
{
    (void)a;
    (void)call;
    if (jinja_is_generator(self)) { /* a generator keeps its other elements */
        jinja_sequence *generator = self.sequence;
        return generator->taken < generator->count ? generator->items[generator->taken++]
                                                   : heed_jinja_undefined("the first of nothing");
    }
    const jinja_sequence *items = heed_jinja_walk(run, self);
    return items && items->count ? items->items[0] : heed_jinja_undefined("the first of nothing");
}

static jinja_value last(jinja_run *run, jinja_value self, const jinja_value *a,
                        const jinja_call *call)
{
    (void)a;
    (void)call;
    if (jinja_is_generator(self))
        return heed_jinja_fail(
            run, "a generator has no last element; make a list of it with the filter \"list\"");
    const jinja_sequence *items = heed_jinja_walk(run, self);
    return items && items->count ? items->items[items->count - 1]
                                 : heed_jinja_undefined("the last of nothing");
}

static jinja_value list(jinja_run *run, jinja_value self, const jinja_value *a,
                        const jinja_call *call)
{
    const jinja_sequence *items = heed_jinja_walk(run, self);
    (void)a;
    (void)call;
    return items ? heed_jinja_of_items(run, JINJA_LIST, items->items, items->count) : self;
}

static jinja_value reverse(jinja_run *run, jinja_value self, const jinja_value *a,
                           const jinja_call *call)
{
    (void)a;
    (void)call;
    if (self.kind == JINJA_STRING)
        return heed_jinja_slice(
            run, self, (const jinja_value[]){jinja_none(), jinja_none(), jinja_integer(-1)});
    const jinja_sequence *items = heed_jinja_walk(run, self);
    jinja_value reversed = heed_jinja_sequence(run, JINJA_GENERATOR, items ? items->count : 0);
    for (size_t i = 0; items && reversed.kind == JINJA_SEQUENCE && i < items->count; i++)
        reversed.sequence->items[i] = items->items[items->count - 1 - i];
    return reversed;
}

static jinja_value join(jinja_run *run, jinja_value self, const jinja_value *a,
                        const jinja_call *call)
{
    jinja_value by = a[0].kind == JINJA_MISSING ? heed_jinja_string("")
                                                : heed_jinja_to_string(run, a[0]);
    const jinja_sequence *items = heed_jinja_walk(run, self);
    heed_buffer text = {0};
    (void)call;
    for (size_t i = 0;
         items && i < items->count && heed_jinja_fits(run, &text) && heed_jinja_spend(run, 1);
         i++) {
        if (i) heed_buffer_append(&text, by.text, by.length);
        bool path = a[1].kind != JINJA_MISSING && a[1].kind != JINJA_NONE;
        heed_jinja_print(run, &text,
                         path ? heed_jinja_path(run, items->items[i], a[1]) : items->items[i]);
    }
    return heed_jinja_take_buffer(run, &text);
}

static jinja_value items_of(jinja_run *run, jinja_value self, const jinja_value *a,
                            const jinja_call *call)
{
    (void)a;
    (void)call;
    if (self.kind == JINJA_UNDEFINED) return heed_jinja_sequence(run, JINJA_GENERATOR, 0);
    if (self.kind != JINJA_DICT)
        return heed_jinja_fail(run, "items needs a dict, not %s", heed_jinja_type(self));
    jinja_value pairs = heed_jinja_call_builtin(
        run, heed_jinja_method(self, heed_jinja_string("items")), self, &(jinja_call){0});
    return pairs.kind == JINJA_SEQUENCE
               ? heed_jinja_of_items(run, JINJA_GENERATOR, pairs.sequence->items,
                                     pairs.sequence->count)
               : pairs;
}

/* batch(linecount, fill_with): rows of `width` elements; a filler fills up the last row. */
static jinja_value batch(jinja_run *run, jinja_value self, const jinja_value *a,
                         const jinja_call *call)
{
    const jinja_sequence *items = heed_jinja_walk(run, self);
    int64_t width;
    (void)call;
    if (!items || !heed_jinja_integer_argument(run, a[0], "batch", 1, &width)) return self;
    if (width < 1) return heed_jinja_fail(run, "batch needs a positive number");
    size_t step = (size_t)width, rows = items->count / step + (items->count % step != 0);
    bool fill = a[1].kind != JINJA_MISSING && a[1].kind != JINJA_NONE;
    jinja_value result = heed_jinja_sequence(run, JINJA_GENERATOR, rows);
    for (size_t i = 0; result.kind == JINJA_SEQUENCE && i < rows && !heed_jinja_failed(run); i++) {
        size_t have = items->count - i * step < step ? items->count - i * step : step;
        jinja_value row = heed_jinja_sequence(run, JINJA_LIST, fill ? step : have);
        for (size_t j = 0; row.kind == JINJA_SEQUENCE && j < row.sequence->count; j++)
            row.sequence->items[j] = j < have ? items->items[i * step + j] : a[1];
        result.sequence->items[i] = row;
    }
    return result;
}

/* slice(slices, fill_with): that many columns, of lengths that are as equal as possible. */
static jinja_value slice(jinja_run *run, jinja_value self, const jinja_value *a,
                         const jinja_call *call)
{
    const jinja_sequence *items = heed_jinja_walk(run, self);
    int64_t columns;
    (void)call;
    if (!items || !heed_jinja_integer_argument(run, a[0], "slice", 1, &columns)) return self;
    if (columns < 1 || !heed_jinja_spend(run, (size_t)columns))
        return heed_jinja_fail(run, "slice needs a positive number");
    size_t count = (size_t)columns, each = items->count / count, longer = items->count % count,
           at = 0;
    bool fill = a[1].kind != JINJA_MISSING && a[1].kind != JINJA_NONE;
    jinja_value result = heed_jinja_sequence(run, JINJA_GENERATOR, count);
    for (size_t i = 0; result.kind == JINJA_SEQUENCE && i < count && !heed_jinja_failed(run); i++) {
        size_t have = each + (i < longer), room = have + (fill && i >= longer);
        jinja_value column = heed_jinja_sequence(run, JINJA_LIST, room);
        for (size_t j = 0; column.kind == JINJA_SEQUENCE && j < room; j++)
            column.sequence->items[j] = j < have ? items->items[at + j] : a[1];
        result.sequence->items[i] = column;
        at += have;
    }
    return result;
}

/* ---- map, select, reject ---- */

/* Returns a call without its first `skip` positional arguments. */
static jinja_call rest_of(const jinja_call *call, size_t skip)
{
    jinja_call rest = *call;
    if (skip > rest.count) skip = rest.count;
    if (skip) rest.positional += skip;
    rest.count -= skip;
    return rest;
}

/* Returns a named argument, NULL if it was not given. */
static const jinja_value *named(const jinja_call *call, const char *name)
{
    for (size_t i = 0; i < call->named_count; i++)
        if (heed_jinja_is(call->names[i], name)) return &call->named[i];
    return NULL;
}

static jinja_value map(jinja_run *run, jinja_value self, const jinja_value *a,
                       const jinja_call *call)
{
    const jinja_value *attribute = call->count ? NULL : named(call, "attribute"),
                      *otherwise = named(call, "default");
    const jinja_builtin *filter = NULL;
    (void)a;
    if (!attribute) {
        if (!call->count || call->positional[0].kind != JINJA_STRING)
            return heed_jinja_fail(run, "map needs the name of a filter, or attribute=");
        filter = heed_jinja_filter(call->positional[0].text, call->positional[0].length);
        if (!filter) return heed_jinja_fail(run, "map does not know that filter");
    }
    const jinja_sequence *items = heed_jinja_walk(run, self);
    jinja_value result = heed_jinja_sequence(run, JINJA_GENERATOR, items ? items->count : 0);
    jinja_call rest = rest_of(call, 1);
    for (size_t i = 0;
         items && result.kind == JINJA_SEQUENCE && i < items->count && heed_jinja_spend(run, 1);
         i++) {
        jinja_value item = filter ? heed_jinja_call_builtin(run, filter, items->items[i], &rest)
                                  : heed_jinja_path(run, items->items[i], *attribute);
        if (!filter && otherwise && item.kind == JINJA_UNDEFINED) item = *otherwise;
        result.sequence->items[i] = item;
    }
    return result;
}

/* select, reject, selectattr and rejectattr: keeps the elements for which the test gives
   `wanted`. */
static jinja_value choose(jinja_run *run, jinja_value self, const jinja_call *call,
                          bool by_attribute, bool wanted)
{
    size_t skip = by_attribute ? 1 : 0;
    const jinja_builtin *test = NULL;
    if (by_attribute && !call->count)
        return heed_jinja_fail(run, "selectattr and rejectattr need the name of an attribute");
    if (call->count > skip) {
        jinja_value name = call->positional[skip];
        test = name.kind == JINJA_STRING ? heed_jinja_test(name.text, name.length) : NULL;
        if (!test) return heed_jinja_fail(run, "a filter does not know the test that it is given");
    }
    const jinja_sequence *items = heed_jinja_walk(run, self);
    jinja_value result = heed_jinja_sequence(run, JINJA_GENERATOR, items ? items->count : 0);
    jinja_call rest = rest_of(call, skip + 1);
    size_t kept = 0;
    for (size_t i = 0;
         items && result.kind == JINJA_SEQUENCE && i < items->count && heed_jinja_spend(run, 1);
         i++) {
        jinja_value value = by_attribute
                                ? heed_jinja_path(run, items->items[i], call->positional[0])
                                : items->items[i];
        if (test && !heed_jinja_failed(run))
            value = heed_jinja_call_builtin(run, test, value, &rest);
        if (heed_jinja_truth(value) == wanted) result.sequence->items[kept++] = items->items[i];
    }
    if (result.kind == JINJA_SEQUENCE) result.sequence->count = kept;
    return result;
}

static jinja_value select_items(jinja_run *run, jinja_value self, const jinja_value *a,
                                const jinja_call *call)
{
    (void)a;
    return choose(run, self, call, false, true);
}

static jinja_value reject_items(jinja_run *run, jinja_value self, const jinja_value *a,
                                const jinja_call *call)
{
    (void)a;
    return choose(run, self, call, false, false);
}

static jinja_value select_attribute(jinja_run *run, jinja_value self, const jinja_value *a,
                                    const jinja_call *call)
{
    (void)a;
    return choose(run, self, call, true, true);
}

static jinja_value reject_attribute(jinja_run *run, jinja_value self, const jinja_value *a,
                                    const jinja_call *call)
{
    (void)a;
    return choose(run, self, call, true, false);
}

static jinja_value attribute(jinja_run *run, jinja_value self, const jinja_value *a,
                             const jinja_call *call)
{
    (void)call;
    return heed_jinja_attribute(run, self, heed_jinja_to_string(run, a[0]));
}

const jinja_builtin heed_jinja_list_filters[] = {
    {"attr", "name", 1, attribute},
    {"batch", "linecount fill_with", 1, batch},
    {"count", "", 0, length},
    {"d", "default_value boolean", 0, fallback},
    {"default", "default_value boolean", 0, fallback},
    {"first", "", 0, first},
    {"items", "", 0, items_of},
    {"join", "d attribute", 0, join},
    {"last", "", 0, last},
    {"length", "", 0, length},
    {"list", "", 0, list},
    {"map", NULL, 0, map},
    {"reject", NULL, 0, reject_items},
    {"rejectattr", NULL, 0, reject_attribute},
    {"reverse", "", 0, reverse},
    {"select", NULL, 0, select_items},
    {"selectattr", NULL, 0, select_attribute},
    {"slice", "slices fill_with", 1, slice},
    {0},
};
