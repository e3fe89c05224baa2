/* methods_split.c: the methods of Python's strings that take text apart or together: strip, split,
   partition, join. */
#include "jinja/characters.h"
#include "jinja/methods.h"
#include "base/unicode.h"

#include <string.h>

bool heed_jinja_needs_text(jinja_run *run, jinja_value value, const char *what)
{
    if (value.kind == JINJA_STRING) return true;
    if (value.kind == JINJA_UNDEFINED) heed_jinja_fail_use(run, what, value);
    else heed_jinja_fail(run, "%s needs a string, not %s", what, heed_jinja_type(value));
    return false;
}

bool heed_jinja_needs_whole(jinja_run *run, jinja_value value, const char *what, int64_t *whole)
{
    if (heed_jinja_whole(value, whole)) return true;
    heed_jinja_fail(run, "%s needs an integer, not %s", what, heed_jinja_type(value));
    return false;
}

/* ---- strip ---- */

/* Returns whether a character is in the set, or white space if no set was given. */
static bool is_among(jinja_value set, const char *text, size_t step)
{
    if (!jinja_given(set)) {
        uint32_t c;
        jinja_next(text, step, 0, &c);
        return heed_char_is_python_space(c);
    }
    uint32_t c;
    for (size_t at = 0, width; at < set.length; at += width) {
        width = jinja_next(set.text, set.length, at, &c);
        if (width == step && memcmp(set.text + at, text, step) == 0) return true;
    }
    return false;
}

/* strip, lstrip and rstrip. */
static jinja_value strip_sides(jinja_run *run, jinja_value self, jinja_value set, bool left,
                               bool right)
{
    const char *text = self.text;
    size_t begin = 0, end = self.length,
           work = 1 + (jinja_given(set) && set.kind == JINJA_STRING ? set.length / 8 : 0);
    uint32_t c;
    if (jinja_given(set) && !heed_jinja_needs_text(run, set, "strip")) return self;
    while (left && begin < end && heed_jinja_spend(run, work)) {
        size_t step = jinja_next(text, end, begin, &c);
        if (!is_among(set, text + begin, step)) break;
        begin += step;
    }
    while (right && begin < end && heed_jinja_spend(run, work)) {
        size_t at = heed_utf8_before(text, end);
        if (!is_among(set, text + at, end - at)) break;
        end = at;
    }
    return jinja_text(text + begin, end - begin);
}

static jinja_value strip(jinja_run *run, jinja_value self, const jinja_value *a,
                         const jinja_call *call)
{
    (void)call;
    return strip_sides(run, self, a[0], true, true);
}

static jinja_value strip_left(jinja_run *run, jinja_value self, const jinja_value *a,
                              const jinja_call *call)
{
    (void)call;
    return strip_sides(run, self, a[0], true, false);
}

static jinja_value strip_right(jinja_run *run, jinja_value self, const jinja_value *a,
                               const jinja_call *call)
{
    (void)call;
    return strip_sides(run, self, a[0], false, true);
}

static jinja_value remove_affix(jinja_run *run, jinja_value self, jinja_value affix, bool front)
{
    if (!heed_jinja_needs_text(run, affix, "removeprefix") || affix.length > self.length)
        return self;
    size_t at = front ? 0 : self.length - affix.length;
    if (memcmp(self.text + at, affix.text, affix.length) != 0) return self;
    return jinja_text(self.text + (front ? affix.length : 0), self.length - affix.length);
}

static jinja_value remove_prefix(jinja_run *run, jinja_value self, const jinja_value *a,
                                 const jinja_call *call)
{
    (void)call;
    return remove_affix(run, self, a[0], true);
}

static jinja_value remove_suffix(jinja_run *run, jinja_value self, const jinja_value *a,
                                 const jinja_call *call)
{
    (void)call;
    return remove_affix(run, self, a[0], false);
}

/* ---- split and join ---- */

/* Appends to a list, whose memory doubles at powers of two. */
static void append(jinja_run *run, jinja_value *list, jinja_value item)
{
    jinja_sequence *sequence = list->sequence;
    if (list->kind != JINJA_SEQUENCE || heed_jinja_failed(run)) return;
    /* the list is full at powers of two */
    if (sequence->count && (sequence->count & (sequence->count - 1)) == 0) {
        jinja_value *grown = heed_jinja_take(run, sequence->count * 2, sizeof *grown);
        if (!grown) return;
        memcpy(grown, sequence->items, sequence->count * sizeof *grown);
        sequence->items = grown;
    }
    sequence->items[sequence->count++] = item;
}

static void reverse_items(jinja_value list)
{
    if (list.kind != JINJA_SEQUENCE) return;
    for (size_t i = 0, j = list.sequence->count; i + 1 < j; i++, j--) {
        jinja_value swap = list.sequence->items[i];
        list.sequence->items[i] = list.sequence->items[j - 1];
        list.sequence->items[j - 1] = swap;
    }
}

/* split() and rsplit() at white space, at most `most` times. */
static jinja_value split_spaces(jinja_run *run, jinja_value self, int64_t most, bool from_right)
{
    jinja_value list = heed_jinja_sequence(run, JINJA_LIST, 0);
    const char *text = self.text;
    size_t length = self.length;
    uint32_t c;
    for (;;) {
        if (from_right) heed_strip_right(text, &length);
        else heed_strip_left(&text, &length);
        if (!length || !heed_jinja_spend(run, 1)) break;
        if (most-- == 0) {
            append(run, &list, jinja_text(text, length));
            break;
        }
        size_t word = 0, at = from_right ? length : 0, step;
        while (word < length) {
            size_t place = from_right ? heed_utf8_before(text, at) : at;
            step = jinja_next(text, length, place, &c);
            if (heed_char_is_python_space(c)) break;
            word += step;
            at = from_right ? place : at + step;
        }
        append(run, &list, jinja_text(from_right ? text + length - word : text, word));
        if (!from_right) text += word;
        length -= word;
    }
    if (from_right) reverse_items(list);
    return list;
}

/* split and rsplit. */
static jinja_value split_at(jinja_run *run, jinja_value self, const jinja_value *a, bool from_right)
{
    int64_t most = -1;
    if (a[1].kind != JINJA_MISSING && !heed_jinja_needs_whole(run, a[1], "split", &most))
        return self;
    if (!jinja_given(a[0])) return split_spaces(run, self, most, from_right);
    if (!heed_jinja_needs_text(run, a[0], "split") || !heed_jinja_spend(run, self.length / 8))
        return self;
    if (!a[0].length) return heed_jinja_fail(run, "split needs a separator that is not empty");
    jinja_value list = heed_jinja_sequence(run, JINJA_LIST, 0);
    const char *text = self.text;
    size_t length = self.length;
    while (most-- != 0 && heed_jinja_spend(run, 1)) {
        const char *found = heed_jinja_search(text, length, a[0].text, a[0].length, from_right);
        if (!found) break;
        const char *rest = found + a[0].length;
        size_t before = (size_t)(found - text), after = length - before - a[0].length;
        append(run, &list, from_right ? jinja_text(rest, after) : jinja_text(text, before));
        if (!from_right) text = rest;
        length = from_right ? before : after;
    }
    append(run, &list, jinja_text(text, length));
    if (from_right) reverse_items(list);
    return list;
}

static jinja_value split(jinja_run *run, jinja_value self, const jinja_value *a,
                         const jinja_call *call)
{
    (void)call;
    return split_at(run, self, a, false);
}

static jinja_value split_right(jinja_run *run, jinja_value self, const jinja_value *a,
                               const jinja_call *call)
{
    (void)call;
    return split_at(run, self, a, true);
}

/* Returns whether a character ends a line for splitlines. */
static bool ends_line(uint32_t c)
{
    return (c >= 0x0A && c <= 0x0D) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 ||
           c == 0x2029;
}

static jinja_value split_lines(jinja_run *run, jinja_value self, const jinja_value *a,
                               const jinja_call *call)
{
    bool keep = a[0].kind != JINJA_MISSING && heed_jinja_truth(a[0]);
    jinja_value list = heed_jinja_sequence(run, JINJA_LIST, 0);
    size_t begin = 0;
    uint32_t c;
    (void)call;
    for (size_t at = 0, step; at < self.length && heed_jinja_spend(run, 1); at += step) {
        step = jinja_next(self.text, self.length, at, &c);
        if (!ends_line(c)) continue;
        size_t end = at + step;
        if (c == '\r' && end < self.length && self.text[end] == '\n') end++;
        append(run, &list, jinja_text(self.text + begin, (keep ? end : at) - begin));
        step = end - at;
        begin = end;
    }
    if (begin < self.length) append(run, &list, jinja_text(self.text + begin, self.length - begin));
    return list;
}

/* partition and rpartition. */
static jinja_value partition_at(jinja_run *run, jinja_value self, jinja_value part, bool last)
{
    if (!heed_jinja_needs_text(run, part, "partition") || !heed_jinja_spend(run, self.length / 8))
        return self;
    if (!part.length) return heed_jinja_fail(run, "partition needs a separator that is not empty");
    const char *found = heed_jinja_search(self.text, self.length, part.text, part.length, last);
    jinja_value three = heed_jinja_sequence(run, JINJA_TUPLE, 3), empty = jinja_text("", 0);
    if (three.kind != JINJA_SEQUENCE) return three;
    jinja_value *items = three.sequence->items;
    items[0] = last ? empty : self;
    items[1] = empty;
    items[2] = last ? self : empty;
    if (!found) return three;
    const size_t before = (size_t)(found - self.text);
    items[0] = jinja_text(self.text, before);
    items[1] = part;
    items[2] = jinja_text(found + part.length, self.length - before - part.length);
    return three;
}

static jinja_value partition(jinja_run *run, jinja_value self, const jinja_value *a,
                             const jinja_call *call)
{
    (void)call;
    return partition_at(run, self, a[0], false);
}

static jinja_value partition_right(jinja_run *run, jinja_value self, const jinja_value *a,
                                   const jinja_call *call)
{
    (void)call;
    return partition_at(run, self, a[0], true);
}

static jinja_value join(jinja_run *run, jinja_value self, const jinja_value *a,
                        const jinja_call *call)
{
    const jinja_sequence *items = heed_jinja_walk(run, a[0]);
    heed_buffer text = {0};
    (void)call;
    for (size_t i = 0; items && i < items->count && heed_jinja_fits(run, &text); i++) {
        if (i) heed_buffer_append(&text, self.text, self.length);
        if (heed_jinja_needs_text(run, items->items[i], "join"))
            heed_buffer_append(&text, items->items[i].text, items->items[i].length);
    }
    return heed_jinja_take_buffer(run, &text);
}

const jinja_builtin heed_jinja_split_methods[] = {
    {"join", "iterable", 1, join},
    {"lstrip", "chars", 0, strip_left},
    {"partition", "sep", 1, partition},
    {"removeprefix", "prefix", 1, remove_prefix},
    {"removesuffix", "suffix", 1, remove_suffix},
    {"rpartition", "sep", 1, partition_right},
    {"rsplit", "sep maxsplit", 0, split_right},
    {"rstrip", "chars", 0, strip_right},
    {"split", "sep maxsplit", 0, split},
    {"splitlines", "keepends", 0, split_lines},
    {"strip", "chars", 0, strip},
    {0},
};
