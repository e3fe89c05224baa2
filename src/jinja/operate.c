/* operate.c: arithmetic, comparison, attributes, items and slices, by Python's rules and in Jinja's
   order of look-ups. */
#include "jinja/characters.h"
#include "jinja/value.h"

#include <math.h>
#include <string.h>

/* ---- arithmetic ---- */

static jinja_value overflow(jinja_run *run)
{
    return heed_jinja_fail(run, "an integer exceeds 63 bits");
}

/* Arithmetic of integers. Results beyond 64 bits fail. */
static jinja_value whole_arithmetic(jinja_run *run, jinja_operator operation, int64_t a, int64_t b)
{
    int64_t result = 0;
    switch (operation) {
    case JINJA_ADD:
        return __builtin_add_overflow(a, b, &result) ? overflow(run) : jinja_integer(result);
    case JINJA_SUBTRACT:
        return __builtin_sub_overflow(a, b, &result) ? overflow(run) : jinja_integer(result);
    case JINJA_MULTIPLY:
        return __builtin_mul_overflow(a, b, &result) ? overflow(run) : jinja_integer(result);
    case JINJA_POWER:
        if (b < 0)
            return a ? jinja_number(pow((double)a, (double)b))
                     : heed_jinja_fail(run, "0 has no negative power");
        for (result = 1; b; b >>= 1) {
            if (b & 1 && __builtin_mul_overflow(result, a, &result)) return overflow(run);
            if (b > 1 && __builtin_mul_overflow(a, a, &a)) return overflow(run);
        }
        return jinja_integer(result);
    default: break;
    }
    if (!b) return heed_jinja_fail(run, "division by zero");
    if (operation == JINJA_DIVIDE) return jinja_number((double)a / (double)b);
    if (b == -1) {
        if (operation == JINJA_REMAINDER) return jinja_integer(0);
        return a == INT64_MIN ? overflow(run) : jinja_integer(-a);
    }
    int64_t quotient = a / b, rest = a % b;
    if (rest && (rest < 0) != (b < 0)) {
        quotient--;
        rest += b;
    }
    return jinja_integer(operation == JINJA_REMAINDER ? rest : quotient);
}

/* Arithmetic of floats, with Python's floor division and remainder. */
static jinja_value real_arithmetic(jinja_run *run, jinja_operator operation, double a, double b)
{
    switch (operation) {
    case JINJA_ADD: return jinja_number(a + b);
    case JINJA_SUBTRACT: return jinja_number(a - b);
    case JINJA_MULTIPLY: return jinja_number(a * b);
    case JINJA_POWER:
        if (a < 0 && b != floor(b))
            return heed_jinja_fail(run, "a negative number has no such power");
        if (a == 0 && b < 0) return heed_jinja_fail(run, "0 has no negative power");
        return jinja_number(pow(a, b));
    default: break;
    }
    if (b == 0) return heed_jinja_fail(run, "division by zero");
    if (operation == JINJA_DIVIDE) return jinja_number(a / b);
    double rest = fmod(a, b);
    if (rest != 0 && (rest < 0) != (b < 0)) rest += b;
    else if (rest == 0) rest = copysign(0, b);
    return jinja_number(operation == JINJA_REMAINDER ? rest : floor((a - rest) / b + 0.5));
}

/* Repeats a string or a list. */
static jinja_value repeat(jinja_run *run, jinja_value value, int64_t times)
{
    size_t count = value.kind == JINJA_STRING ? value.length : value.sequence->count, total;
    if (times < 0) times = 0;
    if (!heed_multiply_size(count, (size_t)times, &total) || total > UINT32_MAX)
        return heed_jinja_fail(run, "a repeated text or list is too long");
    if (value.kind == JINJA_STRING) {
        if (!heed_jinja_spend(run, total / 64)) return heed_jinja_undefined("");
        char *text = heed_jinja_take(run, total + 1, 1);
        for (size_t at = 0; text && count && at < total; at += count)
            memcpy(text + at, value.text, count);
        return text ? jinja_text(text, total) : heed_jinja_undefined("");
    }
    jinja_value list = heed_jinja_sequence(run, value.sequence->style, total);
    for (size_t i = 0; list.kind == JINJA_SEQUENCE && i < total; i++)
        list.sequence->items[i] = value.sequence->items[i % count];
    return list;
}

/* Concatenates two strings or two lists. */
static jinja_value join_two(jinja_run *run, jinja_value a, jinja_value b)
{
    if (a.kind == JINJA_STRING) {
        size_t total = (size_t)a.length + b.length;
        if (!heed_jinja_spend(run, total / 64)) return heed_jinja_undefined("");
        if (total > UINT32_MAX) return heed_jinja_fail(run, "a text is longer than 4 GiB");
        char *text = heed_jinja_take(run, total + 1, 1);
        if (!text) return heed_jinja_undefined("");
        memcpy(text, a.text, a.length);
        memcpy(text + a.length, b.text, b.length);
        return jinja_text(text, total);
    }
    jinja_value list = heed_jinja_sequence(run, jinja_is_list(a) ? JINJA_LIST : JINJA_TUPLE,
                                           a.sequence->count + b.sequence->count);
    if (list.kind != JINJA_SEQUENCE) return list;
    memcpy(list.sequence->items, a.sequence->items, a.sequence->count * sizeof a);
    memcpy(list.sequence->items + a.sequence->count, b.sequence->items,
           b.sequence->count * sizeof b);
    return list;
}

jinja_value heed_jinja_arithmetic(jinja_run *run, jinja_operator operation, jinja_value a,
                                  jinja_value b)
{
    static const char *const names[] = {
        [JINJA_ADD] = "+",    [JINJA_SUBTRACT] = "-",      [JINJA_MULTIPLY] = "*",
        [JINJA_DIVIDE] = "/", [JINJA_FLOOR_DIVIDE] = "//", [JINJA_REMAINDER] = "%",
        [JINJA_POWER] = "**"};
    int64_t i, j;
    double x, y;
    if (heed_jinja_failed(run)) return heed_jinja_undefined("");
    bool whole_a = heed_jinja_whole(a, &i), whole_b = heed_jinja_whole(b, &j);
    if (whole_a && whole_b) return whole_arithmetic(run, operation, i, j);
    if (heed_jinja_real(a, &x) && heed_jinja_real(b, &y))
        return real_arithmetic(run, operation, x, y);
    bool text_a = a.kind == JINJA_STRING, list_a = jinja_is_list(a), tuple_a = jinja_is_tuple(a);
    bool text_b = b.kind == JINJA_STRING, list_b = jinja_is_list(b), tuple_b = jinja_is_tuple(b);
    if (operation == JINJA_ADD &&
        ((text_a && text_b) || (list_a && list_b) || (tuple_a && tuple_b)))
        return join_two(run, a, b);
    if (operation == JINJA_MULTIPLY && (text_a || list_a || tuple_a) && whole_b)
        return repeat(run, a, j);
    if (operation == JINJA_MULTIPLY && whole_a && (text_b || list_b || tuple_b))
        return repeat(run, b, i);
    if (operation == JINJA_REMAINDER && text_a) {
        if (b.kind == JINJA_DICT) return heed_jinja_format(run, a, &b, 1, b.dict);
        return tuple_b ? heed_jinja_format(run, a, b.sequence->items, b.sequence->count, NULL)
                       : heed_jinja_format(run, a, &b, 1, NULL);
    }
    if (a.kind == JINJA_UNDEFINED || b.kind == JINJA_UNDEFINED)
        return heed_jinja_fail_use(run, "compute with", a.kind == JINJA_UNDEFINED ? a : b);
    return heed_jinja_fail(run, "%s %s %s has no meaning", heed_jinja_type(a), names[operation],
                           heed_jinja_type(b));
}

bool heed_jinja_compares(jinja_run *run, jinja_operator operation, jinja_value a, jinja_value b)
{
    if (operation == JINJA_EQUAL) return heed_jinja_equal(run, a, b);
    if (operation == JINJA_UNEQUAL) return !heed_jinja_equal(run, a, b);
    if (operation == JINJA_IN) return heed_jinja_contains(run, b, a);
    if (operation == JINJA_NOT_IN) return !heed_jinja_contains(run, b, a);
    int order = heed_jinja_compare(run, a, b);
    if (order == 2) return false;
    switch (operation) {
    case JINJA_LESS: return order < 0;
    case JINJA_LESS_EQUAL: return order <= 0;
    case JINJA_GREATER: return order > 0;
    default: return order >= 0;
    }
}

/* ---- attributes and items ---- */

/* Returns undefined for a name or key. */
static jinja_value undefined_of(jinja_run *run, jinja_value name)
{
    if (name.kind != JINJA_STRING) return heed_jinja_undefined("an item that is not there");
    (void)run;
    return (jinja_value){.kind = JINJA_UNDEFINED, .length = name.length, .text = name.text};
}

/* Returns a bound method, or undefined. */
static jinja_value method_of(jinja_run *run, jinja_value value, jinja_value name)
{
    jinja_value undefined = undefined_of(run, name);
    if (name.kind != JINJA_STRING) return undefined;
    if ((name.length && name.text[0] == '_') || heed_jinja_method_is_unsafe(value, name)) {
        undefined.unsafe = true;
        return undefined;
    }
    const jinja_builtin *builtin = heed_jinja_method(value, name);
    jinja_method *method = builtin ? heed_jinja_take(run, 1, sizeof *method) : NULL;
    if (!method) return undefined;
    *method = (jinja_method){.self = value, .builtin = builtin};
    return (jinja_value){.kind = JINJA_METHOD, .method = method};
}

/* Finds the element at an index, which may count from the end. */
static bool element(jinja_run *run, jinja_value value, int64_t index, jinja_value *found)
{
    int64_t count = (int64_t)heed_jinja_length(run, value);
    if (index < 0) index += count;
    if (heed_jinja_failed(run) || index < 0 || index >= count) return false;
    if (value.kind == JINJA_SEQUENCE) *found = value.sequence->items[index];
    else {
        size_t at = 0, step = 0;
        uint32_t c;
        for (int64_t i = 0; i <= index; i++, at += step)
            step = jinja_next(value.text, value.length, at, &c);
        *found = jinja_text(value.text + at - step, step);
    }
    return true;
}

/* Returns whether a value can be indexed by integers. */
static bool is_indexed(jinja_value value)
{
    return value.kind == JINJA_STRING ||
           (value.kind == JINJA_SEQUENCE && value.sequence->style != JINJA_GENERATOR &&
            value.sequence->style != JINJA_VIEW);
}

/* Looks up value[key] without falling back to attributes. */
static bool subscript(jinja_run *run, jinja_value value, jinja_value key, jinja_value *found)
{
    int64_t index;
    if (value.kind == JINJA_DICT) {
        const jinja_value *have = heed_jinja_get(run, value.dict, key);
        if (have) *found = *have;
        return have != NULL;
    }
    return is_indexed(value) && heed_jinja_whole(key, &index) && element(run, value, index, found);
}

jinja_value heed_jinja_attribute(jinja_run *run, jinja_value value, jinja_value name)
{
    jinja_value found;
    if (heed_jinja_failed(run)) return heed_jinja_undefined("");
    if (value.kind == JINJA_UNDEFINED)
        return heed_jinja_fail_use(run, "take an attribute of", value);
    if (value.kind == JINJA_NAMESPACE) {
        const jinja_value *have = heed_jinja_get(run, value.dict, name);
        return have ? *have : undefined_of(run, name);
    }
    if (value.kind == JINJA_SEQUENCE && value.sequence->style == JINJA_GROUP) {
        if (heed_jinja_is(name, "grouper")) return value.sequence->items[0];
        if (heed_jinja_is(name, "list")) return value.sequence->items[1];
    }
    if (value.kind == JINJA_CYCLER && heed_jinja_is(name, "current"))
        return value.cycle->items->items[value.cycle->at];
    jinja_value method = method_of(run, value, name);
    if (method.kind == JINJA_METHOD || method.unsafe) return method;
    return subscript(run, value, name, &found) ? found : undefined_of(run, name);
}

jinja_value heed_jinja_item(jinja_run *run, jinja_value value, jinja_value key)
{
    jinja_value found;
    if (heed_jinja_failed(run)) return heed_jinja_undefined("");
    if (value.kind == JINJA_UNDEFINED) return heed_jinja_fail_use(run, "take an item of", value);
    if (subscript(run, value, key, &found)) return found;
    return key.kind == JINJA_STRING ? heed_jinja_attribute(run, value, key)
                                    : undefined_of(run, key);
}

jinja_value heed_jinja_path(jinja_run *run, jinja_value value, jinja_value path)
{
    if (path.kind != JINJA_STRING) return heed_jinja_item(run, value, path);
    for (size_t at = 0; at <= path.length && !heed_jinja_failed(run);) {
        const char *dot = memchr(path.text + at, '.', path.length - at);
        size_t length = dot ? (size_t)(dot - path.text) - at : path.length - at;
        int64_t index;
        bool digits = length > 0 && strspn(path.text + at, "0123456789") >= length;
        if (digits && heed_jinja_read_integer(path.text + at, length, 10, &index))
            value = heed_jinja_item(run, value, jinja_integer(index));
        else value = heed_jinja_item(run, value, jinja_text(path.text + at, length));
        at += length + 1;
    }
    return value;
}

/* Computes where a slice of `count` elements begins and ends, as Python's slice.indices does. */
static bool slice_bounds(jinja_run *run, const jinja_value bounds[3], int64_t count, int64_t *begin,
                         int64_t *end, int64_t *step)
{
    int64_t given[3] = {0};
    for (int i = 0; i < 3; i++) {
        if (bounds[i].kind == JINJA_NONE || heed_jinja_whole(bounds[i], &given[i])) continue;
        heed_jinja_fail(run, "a slice needs integers, not %s", heed_jinja_type(bounds[i]));
        return false;
    }
    *step = bounds[2].kind == JINJA_NONE ? 1 : given[2];
    if (!*step) heed_jinja_fail(run, "a slice cannot have the step 0");
    const int64_t lowest = *step < 0 ? -1 : 0, highest = lowest + count;
    int64_t *places[2] = {begin, end};
    for (int i = 0; i < 2; i++) {
        int64_t place = given[i];
        if (bounds[i].kind == JINJA_NONE) place = (*step < 0) == (i == 0) ? highest : lowest;
        else {
            if (place < 0) place = place < -count ? lowest : place + count;
            if (place < lowest) place = lowest;
            if (place > highest) place = highest;
        }
        *places[i] = place;
    }
    return *step != 0;
}

jinja_value heed_jinja_slice(jinja_run *run, jinja_value value, const jinja_value bounds[3])
{
    if (heed_jinja_failed(run)) return heed_jinja_undefined("");
    if (!is_indexed(value)) return heed_jinja_fail_use(run, "slice", value);
    const jinja_sequence *items = heed_jinja_walk(run, value);
    int64_t begin = 0, end = 0, step = 1, count;
    if (!items || !slice_bounds(run, bounds, (int64_t)items->count, &begin, &end, &step))
        return heed_jinja_undefined("");
    const int64_t distance = step < 0 ? begin - end : end - begin;
    int64_t size = step;
    if (step < 0) size = step < -INT64_MAX ? INT64_MAX : -step;
    count = distance > 0 ? (distance - 1) / size + 1 : 0;
    if (value.kind == JINJA_STRING) {
        heed_buffer text = {0};
        for (int64_t i = 0; i < count; i++)
            heed_buffer_append(&text, items->items[begin + i * step].text,
                               items->items[begin + i * step].length);
        return heed_jinja_take_buffer(run, &text);
    }
    jinja_value part = heed_jinja_sequence(
        run, value.sequence->style == JINJA_GROUP ? JINJA_TUPLE : value.sequence->style,
        (size_t)count);
    for (int64_t i = 0; part.kind == JINJA_SEQUENCE && i < count; i++)
        part.sequence->items[i] = items->items[begin + i * step];
    return part;
}
