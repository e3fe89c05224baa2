/* methods_find.c: the methods of Python's strings that search: find, index, count, startswith,
   endswith, replace. */
#include "base/utf8.h"
#include "jinja/characters.h"
#include "jinja/methods.h"

#include <string.h>

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
static bool search_range(jinja_run *run, jinja_value self, const jinja_value *a, size_t *begin,
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
    if (!heed_jinja_needs_text(run, a[0], "find") || !search_range(run, self, a, &begin, &end))
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
    if (!heed_jinja_needs_text(run, a[0], "count") || !search_range(run, self, a, &begin, &end))
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
    if (!search_range(run, self, a, &begin, &end)) return self;
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

const jinja_builtin heed_jinja_find_methods[] = {
    {"count", "sub start end", 1, count},
    {"endswith", "suffix start end", 1, ends_with},
    {"find", "sub start end", 1, find},
    {"index", "sub start end", 1, index_of},
    {"replace", "old new count", 2, replace},
    {"rfind", "sub start end", 1, find_right},
    {"rindex", "sub start end", 1, index_right},
    {"startswith", "prefix start end", 1, starts_with},
    {0},
};
