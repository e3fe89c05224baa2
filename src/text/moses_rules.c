/* moses_rules.c: applies the rewriting rules of Moses (moses.h). A small matcher without
   backtracking. */
#include "base/memory.h"
#include "text/moses.h"
#include "base/unicode.h"
#include <string.h>

enum { MOST_GROUPS = 4, AWAY = 0 /* no code point of a text */ };

bool heed_moses_put(heed_moses_text *text, uint32_t point, uint32_t place)
{
    if (text->count == text->capacity) {
        size_t points = text->capacity, places = text->capacity;
        if (!heed_grow(&text->points, &points, text->count + 1, sizeof *text->points)) return false;
        if (!heed_grow(&text->places, &places, text->count + 1, sizeof *text->places)) return false;
        text->capacity = points < places ? points : places;
    }
    if (text->count && place < text->places[text->count - 1]) place = text->places[text->count - 1];
    text->points[text->count] = point;
    text->places[text->count++] = place;
    return true;
}

/* One element of `from`: a class (`kind`) or, with kind 0, a character (`point`). */
typedef struct {
    char kind, repeat;
    uint32_t point;
} element;

/* Reads the next element and returns what follows it. */
static const char *read_element(const char *from, element *e)
{
    size_t size;
    *e = (element){0};
    if (*from == '\\') {
        e->kind = from[1];
        from += 2;
    } else {
        e->point = heed_utf8_at(from, 0, &size);
        from += size;
    }
    if (*from == '+' || *from == '*') e->repeat = *from++;
    return from;
}

/* Returns whether a code point matches an element. */
static bool belongs(const element *e, uint32_t c)
{
    enum { WORD = HEED_MOSES_LETTER | HEED_MOSES_MARK | HEED_MOSES_DIGIT };
    switch (e->kind) {
    case 0: return c == e->point;
    case 'd': return heed_moses_class(c) & HEED_MOSES_DIGIT;
    case 'n': return !(heed_moses_class(c) & HEED_MOSES_NUMBER);
    case 'N': return heed_moses_class(c) & HEED_MOSES_NUMBER;
    case 'a': return heed_moses_class(c) & (HEED_MOSES_LETTER | HEED_MOSES_MARK);
    case 'b': return !(heed_moses_class(c) & (HEED_MOSES_LETTER | HEED_MOSES_MARK));
    case 'c':
        return !(heed_moses_class(c) & (HEED_MOSES_LETTER | HEED_MOSES_MARK | HEED_MOSES_NUMBER));
    case 'w':
    case 'W': return heed_moses_class(c) & WORD;
    case 'o':
        return !(c < 0x80 && c && strchr(".'`,-", (int)c)) && !heed_char_is_python_space(c) &&
               !(heed_moses_class(c) & WORD);
    case 's': return heed_char_is_python_space(c);
    case 'p': return c < 0x80 && c && strchr(".!:?;,", (int)c);
    case 'q': return c == ',' || c == '.';
    }
    return false;
}

/* What the classes and repetitions matched, and the length of a repetition at the beginning. */
typedef struct {
    size_t begin[MOST_GROUPS], end[MOST_GROUPS], count, first_run;
} groups;

/* Returns whether a rule matches text[at..]. *end is the end of the match. A repetition takes as
   many characters as it can; there is no backtracking. */
static bool match(const char *from, const heed_moses_text *text, size_t at, size_t *end, groups *g)
{
    size_t start = at;
    g->count = g->first_run = 0;
    for (element e; *from;) {
        from = read_element(from, &e);
        size_t begin = at;
        if (e.kind == '$') {
            if (at != text->count) return false;
            continue;
        }
        if (e.kind == 'e') {
            while (at < text->count && heed_char_is_python_space(text->points[at])) at++;
            if (at < text->count && text->points[at] != '<') at++;
            if (at == begin) return false;
        } else {
            while (at < text->count && belongs(&e, text->points[at]) && (e.repeat || at == begin))
                at++;
            if (at == begin && e.repeat != '*') return false;
            if (e.kind == 'W') {
                at = begin;
                continue;
            }
        }
        if (begin == start && e.repeat) g->first_run = at - begin;
        if (e.kind || e.repeat) {
            g->begin[g->count] = begin;
            g->end[g->count++] = at;
        }
    }
    *end = at;
    return true;
}

/* Returns a character that every match contains at a fixed distance from its beginning, AWAY if
   there is none. It lets the search skip most places quickly. */
static uint32_t anchor_of(const char *from, size_t *distance)
{
    element e;
    *distance = 0;
    from = read_element(from, &e);
    if (e.kind && !e.repeat && *from) {
        read_element(from, &e);
        *distance = 1;
    }
    return e.kind || e.repeat == '*' ? AWAY : e.point;
}

/* Appends the replacement of a match that begins at `begin`. */
static bool put_replacement(heed_moses_text *out, const heed_moses_text *text, const char *to,
                            const groups *g, size_t begin)
{
    bool done = true;
    uint32_t place = text->places[begin];
    for (size_t size; *to && done;) {
        if (*to == '\\') {
            size_t group = (size_t)(to[1] - '1');
            for (size_t i = g->begin[group]; i < g->end[group] && done; i++)
                done = heed_moses_put(out, text->points[i], text->places[i]);
            to += 2;
            continue;
        }
        done = heed_moses_put(out, heed_utf8_at(to, 0, &size), place);
        to += size;
    }
    return done;
}

/* Applies one rule to the whole text. */
static heed_status apply(const heed_moses_rule *rule, heed_moses_text text[2], heed_error *error)
{
    heed_moses_text *in = &text[0], *out = &text[1];
    size_t distance, copied = 0, end = 0;
    uint32_t anchor = anchor_of(rule->from, &distance);
    bool done = true;
    groups g;
    out->count = 0;
    for (size_t at = 0; at < in->count && done;) {
        if (anchor != AWAY && (at + distance >= in->count || in->points[at + distance] != anchor)) {
            at++;
            continue;
        }
        if (!match(rule->from, in, at, &end, &g)) {
            /* If no match begins at a run, none begins inside it. */
            at += g.first_run ? g.first_run : 1;
            continue;
        }
        for (; copied < at && done; copied++)
            done = heed_moses_put(out, in->points[copied], in->places[copied]);
        done = done && put_replacement(out, in, rule->to, &g, at);
        copied = at = end;
    }
    /* Nothing matched, so text[0] is unchanged. */
    if (!copied)
        return done ? HEED_OK : heed_fail_memory(error, in->count * sizeof *in->points, "a text");
    for (; copied < in->count && done; copied++)
        done = heed_moses_put(out, in->points[copied], in->places[copied]);
    if (!done) return heed_fail_memory(error, in->count * sizeof *in->points, "a text");
    heed_moses_text swapped = text[0];
    text[0] = text[1];
    text[1] = swapped;
    return HEED_OK;
}

heed_status heed_moses_apply(const heed_moses_rule *rules, heed_moses_text text[2],
                             heed_error *error)
{
    for (; rules->from; rules++) HEED_TRY(apply(rules, text, error));
    return HEED_OK;
}
