/* globals.c: the global functions of templates. */
#include "jinja/value.h"

#include <string.h>
#include <time.h>

enum { RANGE_MOST = 100000 }; /* the limit of Jinja's sandbox */

static jinja_value range(jinja_run *run, jinja_value self, const jinja_value *a,
                         const jinja_call *call)
{
    int64_t bounds[3] = {0, 0, 1};
    (void)self;
    (void)call;
    for (int i = 0; i < 3; i++)
        if (a[i].kind != JINJA_MISSING && !heed_jinja_whole(a[i], &bounds[i]))
            return heed_jinja_fail(run, "range needs integers, not %s", heed_jinja_type(a[i]));
    const bool only_end = a[1].kind == JINJA_MISSING;
    const int64_t begin = only_end ? 0 : bounds[0];
    const int64_t end = only_end ? bounds[0] : bounds[1];
    const int64_t step = bounds[2];
    if (!step) return heed_jinja_fail(run, "range cannot have the step 0");
    bool empty = step > 0 ? begin >= end : begin <= end;
    const uint64_t distance = step > 0 ? (uint64_t)end - (uint64_t)begin
                                       : (uint64_t)begin - (uint64_t)end;
    const uint64_t size = step > 0 ? (uint64_t)step : 0 - (uint64_t)step;
    uint64_t count = empty ? 0 : (distance - 1) / size + 1;
    if (count > RANGE_MOST)
        return heed_jinja_fail(run, "a range has more than %d numbers", RANGE_MOST);
    jinja_value list = heed_jinja_sequence(run, JINJA_RANGE, (size_t)count);
    for (uint64_t i = 0; list.kind == JINJA_SEQUENCE && i < count; i++)
        list.sequence->items[i] = jinja_integer(begin + (int64_t)i * step);
    return list;
}

/* Python's dict(pairs or dict, name=value ...). */
static jinja_value make_dict(jinja_run *run, jinja_value self, const jinja_value *a,
                             const jinja_call *call)
{
    jinja_value dict = heed_jinja_dict(run, call->named_count);
    (void)self;
    (void)a;
    if (call->count > 1)
        return heed_jinja_fail(run, "dict takes at most one argument without a name");
    if (dict.kind == JINJA_DICT && call->count) {
        jinja_value from = call->positional[0];
        const jinja_sequence *items = from.kind == JINJA_DICT || from.kind == JINJA_NAMESPACE
                                          ? NULL
                                          : heed_jinja_walk(run, from);
        size_t count = 0;
        if (items) count = items->count;
        else if (!heed_jinja_failed(run)) count = from.dict->count;
        for (size_t i = 0; i < count && !heed_jinja_failed(run); i++) {
            const jinja_sequence *pair = items ? heed_jinja_walk(run, items->items[i]) : NULL;
            if (pair && pair->count != 2) heed_jinja_fail(run, "dict needs pairs");
            if (heed_jinja_failed(run)) break;
            const jinja_value key = pair ? pair->items[0] : from.dict->keys[i];
            const jinja_value value = pair ? pair->items[1] : from.dict->values[i];
            heed_jinja_put(run, dict.dict, key, value);
        }
    }
    for (size_t i = 0; dict.kind == JINJA_DICT && i < call->named_count; i++)
        heed_jinja_put(run, dict.dict, call->names[i], call->named[i]);
    return dict;
}

static jinja_value make_namespace(jinja_run *run, jinja_value self, const jinja_value *a,
                                  const jinja_call *call)
{
    jinja_value space = make_dict(run, self, a, call);
    for (size_t i = 0; space.kind == JINJA_DICT && i < space.dict->count; i++) {
        jinja_value key = space.dict->keys[i];
        if (key.kind == JINJA_STRING && key.length && key.text[0] == '_')
            return heed_jinja_fail(run, "names in a namespace may not begin with an underscore");
    }
    if (space.kind == JINJA_DICT) space.kind = JINJA_NAMESPACE;
    return space;
}

static jinja_value make_joiner(jinja_run *run, jinja_value self, const jinja_value *a,
                               const jinja_call *call)
{
    jinja_cycle *joiner = heed_jinja_take(run, 1, sizeof *joiner);
    (void)self;
    (void)call;
    if (!joiner) return heed_jinja_undefined("");
    joiner->separator = a[0].kind == JINJA_MISSING ? heed_jinja_string(", ") : a[0];
    return (jinja_value){.kind = JINJA_JOINER, .cycle = joiner};
}

static jinja_value make_cycler(jinja_run *run, jinja_value self, const jinja_value *a,
                               const jinja_call *call)
{
    jinja_cycle *cycler = heed_jinja_take(run, 1, sizeof *cycler);
    jinja_value items = heed_jinja_sequence(run, JINJA_LIST, call->count);
    (void)self;
    (void)a;
    if (!cycler || items.kind != JINJA_SEQUENCE) return heed_jinja_undefined("");
    if (!call->count) return heed_jinja_fail(run, "a cycler needs values");
    memcpy(items.sequence->items, call->positional, call->count * sizeof items);
    cycler->items = items.sequence;
    return (jinja_value){.kind = JINJA_CYCLER, .cycle = cycler};
}

static jinja_value cycler_next(jinja_run *run, jinja_value self, const jinja_value *a,
                               const jinja_call *call)
{
    jinja_cycle *cycler = self.cycle;
    jinja_value item = cycler->items->items[cycler->at];
    (void)run;
    (void)a;
    (void)call;
    cycler->at = (cycler->at + 1) % cycler->items->count;
    return item;
}

static jinja_value cycler_reset(jinja_run *run, jinja_value self, const jinja_value *a,
                                const jinja_call *call)
{
    (void)run;
    (void)a;
    (void)call;
    self.cycle->at = 0;
    return jinja_none();
}

const jinja_builtin heed_jinja_cycler_methods[] = {
    {"next", "", 0, cycler_next}, {"reset", "", 0, cycler_reset}, {0}};

static jinja_value raise_exception(jinja_run *run, jinja_value self, const jinja_value *a,
                                   const jinja_call *call)
{
    (void)self;
    (void)call;
    heed_buffer text = {0};
    heed_jinja_print(run, &text, a[0]);
    if (heed_jinja_fits(run, &text)) heed_jinja_raise(run, text.data ? text.data : "");
    heed_buffer_free(&text);
    return heed_jinja_undefined("");
}

static jinja_value strftime_now(jinja_run *run, jinja_value self, const jinja_value *a,
                                const jinja_call *call)
{
    char format[256], text[2048];
    time_t now = (time_t)heed_jinja_now(run);
    struct tm local;
    (void)self;
    (void)call;
    if (a[0].kind != JINJA_STRING || a[0].length >= sizeof format ||
        memchr(a[0].text, 0, a[0].length))
        return heed_jinja_fail(run, "strftime_now needs a format of at most %zu bytes",
                               sizeof format - 1);
    memcpy(format, a[0].text, a[0].length);
    format[a[0].length] = 0;
    if (!localtime_r(&now, &local)) return heed_jinja_fail(run, "the time cannot be told");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    size_t length = strftime(text, sizeof text, format, &local);
#pragma GCC diagnostic pop
    return heed_jinja_copy(run, text, length);
}

const jinja_builtin *heed_jinja_global(const char *name, size_t length)
{
    static const jinja_builtin globals[] = {
        {"cycler", NULL, 0, make_cycler},
        {"dict", NULL, 0, make_dict},
        {"joiner", "sep", 0, make_joiner},
        {"namespace", NULL, 0, make_namespace},
        {"raise_exception", "message", 1, raise_exception},
        {"range", "start stop step", 1, range},
        {"strftime_now", "format", 1, strftime_now},
    };
    for (size_t i = 0; i < sizeof globals / sizeof globals[0]; i++)
        if (strlen(globals[i].name) == length && memcmp(globals[i].name, name, length) == 0)
            return &globals[i];
    return NULL;
}
