/* pattern_translate.c: translates regular expressions from Oniguruma's syntax (Ruby) to PCRE2's.
   Shorthands and classes are spelled out, because their meaning in Unicode differs. Source:
   Oniguruma's RE manual; pcre2syntax(3). */
#include "text/pattern.h"

#include "base/buffer.h"
#include <string.h>

/* Oniguruma's \s, \w, \d and \h in Unicode, as members of a PCRE2 class. */
#define SPACES                                                                                  \
    "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}" \
    "\\x{205f}\\x{3000}"
#define WORDS                                                                   \
    "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{24b6}-\\x{24e9}\\x{1f130}-\\x{1f149}" \
    "\\x{1f150}-\\x{1f169}\\x{1f170}-\\x{1f189}"
/* Outside a class, \w and \b also count the superscripts and fractions of Latin-1 as word
   characters. */
#define WORDS_OUTSIDE WORDS "\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}"

#define W "[" WORDS_OUTSIDE "]"

/* A shorthand, its members, and the POSIX bracket with the same members. */
typedef struct {
    char letter;
    const char *members, *bracket;
} shorthand;
static const shorthand shorthands[] = {
    {'s', SPACES, "[:space:]"},       {'w', WORDS, "[:word:]"},
    {'d', "\\p{Nd}", "[:digit:]"},    {'h', "0-9a-fA-F", "[:xdigit:]"},
    {0, "\\p{P}\\p{S}", "[:punct:]"},
};

typedef struct {
    const char *text;
    size_t length, at;
    heed_buffer *out;
    const char *where;
    heed_error *error;
} translator;

/* Copies characters unchanged. */
static void copy(translator *t, size_t count)
{
    if (count > t->length - t->at) count = t->length - t->at;
    heed_buffer_append(t->out, t->text + t->at, count);
    t->at += count;
}

static heed_status refuse(const translator *t, const char *what)
{
    return heed_fail(t->error, HEED_E_UNSUPPORTED,
                     "%s: regular expression: %s at byte %zu is not supported", t->where, what,
                     t->at);
}

static const shorthand *find_shorthand(char letter)
{
    for (size_t i = 0; i < sizeof shorthands / sizeof *shorthands; i++)
        if (letter && shorthands[i].letter == letter) return &shorthands[i];
    return NULL;
}

/* Copies "[:name:]" inside a class. Its members are spelled out if PCRE2's differ. */
static void copy_bracket(translator *t, size_t length)
{
    for (size_t i = 0; i < sizeof shorthands / sizeof *shorthands; i++)
        if (strlen(shorthands[i].bracket) == length &&
            memcmp(shorthands[i].bracket, t->text + t->at, length) == 0) {
            heed_buffer_text(t->out, shorthands[i].members);
            t->at += length;
            return;
        }
    copy(t, length);
}

/* Copies an escape. \uHHHH becomes \x{HHHH}; other escapes are the same in both syntaxes. */
static void copy_escape(translator *t)
{
    if (t->length - t->at >= 6 && t->text[t->at + 1] == 'u') {
        heed_buffer_text(t->out, "\\x{");
        heed_buffer_append(t->out, t->text + t->at + 2, 4);
        heed_buffer_byte(t->out, '}');
        t->at += 6;
    } else copy(t, 2);
}

/* Translates an escape outside a class. */
static heed_status escape_outside(translator *t)
{
    char letter = t->at + 1 < t->length ? t->text[t->at + 1] : 0;
    bool negated = letter >= 'A' && letter <= 'Z';
    const shorthand *found = find_shorthand(negated ? (char)(letter + 32) : letter);
    if (found) {
        heed_buffer_text(t->out, negated ? "[^" : "[");
        heed_buffer_text(t->out, found->letter == 'w' ? WORDS_OUTSIDE : found->members);
        heed_buffer_byte(t->out, ']');
        t->at += 2;
    } else if (letter == 'b' || letter == 'B') { /* a boundary of the same word characters */
        heed_buffer_text(t->out, negated ? "(?:(?<=" W ")(?=" W ")|(?<!" W ")(?!" W "))"
                                         : "(?:(?<=" W ")(?!" W ")|(?<!" W ")(?=" W "))");
        t->at += 2;
    } else copy_escape(t);
    return HEED_OK;
}

/* Translates the members of a class up to its closing bracket. A class inside a class is a union,
   so its members are copied. */
static heed_status class_members(translator *t, int depth)
{
    bool first = true;
    for (; t->at < t->length; first = false) {
        char c = t->text[t->at], next = t->at + 1 < t->length ? t->text[t->at + 1] : 0;
        if (c == ']' && !first) {
            t->at++;
            return HEED_OK;
        }
        if (c == '&' && next == '&') return refuse(t, "an intersection of classes");
        if (c == '[' && next == ':') {
            const char *end = memchr(t->text + t->at + 2, ':', t->length - t->at - 2);
            if (end && (size_t)(end - t->text) + 1 < t->length && end[1] == ']') {
                copy_bracket(t, (size_t)(end - t->text) + 2 - t->at);
                continue;
            }
        }
        if (c == '[') {
            if (next == '^') return refuse(t, "a negated class inside a class");
            if (depth > 16) return refuse(t, "a class this deep inside classes");
            t->at++;
            HEED_TRY(class_members(t, depth + 1));
        } else if (c == '\\') {
            bool negated = next >= 'A' && next <= 'Z';
            const shorthand *found = find_shorthand(negated ? (char)(next + 32) : next);
            if (found && negated && next != 'S')
                return refuse(t, "a negated shorthand inside a class");
            if (found && !negated) {
                heed_buffer_text(t->out, found->members);
                t->at += 2;
            } else copy_escape(t);
        } else if (c == ']') {
            heed_buffer_text(t->out, "\\]");
            t->at++;
        } else copy(t, 1);
    }
    return refuse(t, "a class without its closing bracket");
}

/* Translates a class. */
static heed_status class_outside(translator *t)
{
    copy(t, 1);
    if (t->at < t->length && t->text[t->at] == '^') copy(t, 1);
    HEED_TRY(class_members(t, 0));
    heed_buffer_byte(t->out, ']');
    return HEED_OK;
}

/* Copies the options of a group, (?imx-imx:. In Ruby m lets the dot match line feeds, which is s in
   PCRE2. */
static void group_options(translator *t)
{
    copy(t, 2);
    while (t->at < t->length && strchr("imx-", t->text[t->at]) && t->text[t->at]) {
        heed_buffer_byte(t->out, t->text[t->at] == 'm' ? 's' : t->text[t->at]);
        t->at++;
    }
}

heed_status heed_pattern_translate(const char *text, size_t length, struct heed_buffer *out,
                                   const char *where, heed_error *error)
{
    translator t = {text, length, 0, out, where, error};
    while (t.at < length) {
        char c = text[t.at], next = t.at + 1 < length ? text[t.at + 1] : 0;
        if (c == '\\') HEED_TRY(escape_outside(&t));
        else if (c == '[') HEED_TRY(class_outside(&t));
        else if (c == '(' && next == '?') group_options(&t);
        else if (c == '{' && next == ',') { /* {,n} means {0,n} */ heed_buffer_text(out, "{0");
            t.at++;
        } else copy(&t, 1);
    }
    return out->failed ? heed_fail_memory(error, length, "a regular expression") : HEED_OK;
}
