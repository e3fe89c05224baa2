#include "text/moses.h"
#include "base/unicode.h"
#include "text/vocabulary.h"
#include <string.h>

/* ---- what escapes stand for ---- */

static const struct {
    const char *from, *to;
} escaped[] = {
    {"&bar;", "|"}, {"&#124;", "|"}, {"&lt;", "<"},    {"&gt;", ">"},
    {"&bra;", "["}, {"&ket;", "]"},  {"&quot;", "\""}, {"&apos;", "'"},
    {"&#91;", "["}, {"&#93;", "]"},  {"&amp;", "&"},   {" @-@ ", "-"},
};

/* Bytes of the escape at the beginning of text; 0 when there is none. */
static size_t read_escape(const char *text, size_t length, const char **to)
{
    for (size_t i = 0; i < sizeof escaped / sizeof *escaped; i++) {
        size_t size = strlen(escaped[i].from);
        *to = escaped[i].to;
        if (size <= length && !memcmp(text, escaped[i].from, size)) return size;
    }
    return 0;
}

static void unescape(const char *words, size_t length, heed_buffer *out)
{
    const char *to;
    for (size_t at = 0; at < length;) {
        size_t size = words[at] == '&' || words[at] == ' '
                          ? read_escape(words + at, length - at, &to)
                          : 0;
        if (size) heed_buffer_append(out, to, strlen(to));
        else heed_buffer_append(out, words + at, 1);
        at += size ? size : 1;
    }
}

/* ---- words ---- */

typedef struct {
    const char *text;
    size_t length;
} word;

static bool consists_of(const word *w, const char *ascii, const uint32_t *others)
{
    for (size_t at = 0, size; at < w->length; at += size) {
        uint32_t c = heed_utf8_at(w->text, at, &size);
        bool listed = c && c < 0x80 && strchr(ascii, (int)c);
        for (const uint32_t *other = others; *other && !listed; other++) listed = c == *other;
        if (!listed) return false;
    }
    return true;
}

static bool is_currency(const word *w)
{
    for (size_t at = 0, size; at < w->length; at += size) {
        uint32_t c = heed_utf8_at(w->text, at, &size);
        if (!(heed_moses_class(c) & HEED_MOSES_CURRENCY) &&
            !(c && c < 0x80 && strchr("([{", (int)c)) && c != 0xBF && c != 0xA1)
            return false;
    }
    return true;
}

/* Chinese, Japanese, Korean: written without blanks. */
static bool is_ideograph(uint32_t c)
{
    static const uint32_t ranges[][2] = {
        {0x1100, 0x11FF},   {0x2E80, 0xA4CF},   {0xA840, 0xA87F},   {0xAC00, 0xD7AF},
        {0xF900, 0xFAFF},   {0xFE30, 0xFE4F},   {0xFF65, 0xFFDC},   {0x17000, 0x18AFF},
        {0x1B000, 0x1B12F}, {0x1B170, 0x1B2FF}, {0x20000, 0x2FFFF},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (c <= ranges[i][1]) return c >= ranges[i][0];
    return false;
}

static bool is_contraction(const word *w)
{
    size_t size;
    return w->length > 1 && w->text[0] == '\'' &&
           heed_moses_class(heed_utf8_at(w->text, 1, &size)) & HEED_MOSES_LETTER;
}

/* Where a word stands: apart from the one before it, right after it; and whether the next one
   follows right after. */
typedef struct {
    bool apart, opens;
} place;

/* The first mark of a kind opens a quotation, the second one closes it. `seen` holds the kinds, 1:
   open. */
static heed_status place_quote(const word *w, const word *before, bool english,
                               heed_vocabulary *seen, bool apart, place *found, heed_error *error)
{
    static const uint32_t curved[] = {0x201E, 0x201C, 0x201D, 0};
    word kind = consists_of(w, "", curved) ? (word){"\"", 1} : *w;
    bool open = heed_vocabulary_find(seen, kind.text, kind.length) == 1;
    *found = (place){.apart = !open && apart, .opens = !open};
    if (!open && english && w->length == 1 && w->text[0] == '\'' && before &&
        before->text[before->length - 1] == 's') {
        *found = (place){false, false}; /* the genitive of a plural */
        return HEED_OK;
    }
    return heed_vocabulary_add(seen, kind.text, kind.length, !open, "quotation marks", error);
}

static heed_status place_word(const word *w, const word *before, bool english,
                              heed_vocabulary *seen, bool apart, place *found, heed_error *error)
{
    static const uint32_t none[] = {0}, curved[] = {0x201E, 0x201C, 0};
    size_t size;
    *found = (place){apart, false};
    if (is_ideograph(heed_utf8_at(w->text, 0, &size))) {
        if (before && is_ideograph(heed_utf8_at(
                          before->text, heed_utf8_before(before->text, before->length), &size)))
            found->apart = false;
    } else if (is_currency(w)) found->opens = true;
    else if (consists_of(w, ",.?!:;\\%}])", none)) found->apart = false;
    else if (english && before && is_contraction(w)) found->apart = false;
    else if (consists_of(w, "'\"`", curved))
        return place_quote(w, before, english, seen, apart, found, error);
    return HEED_OK;
}

static bool next_word(const char *text, size_t length, size_t *at, word *w)
{
    size_t size, end;
    while (*at < length && heed_char_is_python_space(heed_utf8_at(text, *at, &size))) *at += size;
    for (end = *at; end < length && !heed_char_is_python_space(heed_utf8_at(text, end, &size));)
        end += size;
    *w = (word){text + *at, end - *at};
    *at = end;
    return w->length > 0;
}

heed_status heed_moses_join(const char *words, size_t length, const char *language,
                            heed_buffer *text, heed_error *error)
{
    heed_buffer plain = {0};
    heed_vocabulary seen = {0};
    heed_status status = HEED_OK;
    word before = {0}, w;
    bool apart = false, first = true; /* the first word stands at the beginning in any case */
    heed_buffer_append(&plain, " ", 1);
    heed_buffer_append(&plain, words, length);
    heed_buffer_append(&plain, " ", 1);
    heed_buffer spelled = {0};
    if (!plain.failed) unescape(plain.data, plain.length, &spelled);
    if (plain.failed || spelled.failed) status = heed_fail_memory(error, length, "decoding");
    for (size_t at = 0; status == HEED_OK && next_word(spelled.data, spelled.length, &at, &w);
         before = w, first = false) {
        place found;
        status = place_word(&w, first ? NULL : &before, !strcmp(language, "en"), &seen, apart,
                            &found, error);
        if (status == HEED_OK && found.apart) heed_buffer_append(text, " ", 1);
        if (status == HEED_OK) heed_buffer_append(text, w.text, w.length);
        apart = !found.opens;
    }
    heed_vocabulary_free(&seen);
    heed_buffer_free(&plain);
    heed_buffer_free(&spelled);
    return status == HEED_OK && text->failed ? heed_fail_memory(error, length, "decoding") : status;
}
