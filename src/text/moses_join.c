/* moses_join.c: joins words to a sentence (moses.h). Source: detokenizer.perl of Moses, as
   sacremoses applies it. */
#include "text/moses.h"
#include "base/unicode.h"
#include "text/vocabulary.h"
#include <string.h>

/* ---- escapes ---- */

static const struct {
    const char *from, *to;
} escaped[] = {
    {"&bar;", "|"}, {"&#124;", "|"}, {"&lt;", "<"},    {"&gt;", ">"},
    {"&bra;", "["}, {"&ket;", "]"},  {"&quot;", "\""}, {"&apos;", "'"},
    {"&#91;", "["}, {"&#93;", "]"},  {"&amp;", "&"},   {" @-@ ", "-"},
};

/* Returns the bytes of the escape with which text begins, 0 if there is none. *to becomes what it
   stands for. */
static size_t read_escape(const char *text, size_t length, const char **to)
{
    for (size_t i = 0; i < sizeof escaped / sizeof *escaped; i++) {
        size_t size = strlen(escaped[i].from);
        *to = escaped[i].to;
        if (size <= length && !memcmp(text, escaped[i].from, size)) return size;
    }
    return 0;
}

/* Appends the words with their escapes replaced. */
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

/* Returns whether a word consists of characters in `ascii` and `others` (0 at its end). */
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

/* Returns whether a word consists of currency signs and opening brackets and marks. */
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

/* Returns whether a character is of a script without spaces between words: Chinese, Japanese,
   Korean. */
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

/* Returns whether a word is an apostrophe followed by a letter, such as 's. */
static bool is_contraction(const word *w)
{
    size_t size;
    return w->length > 1 && w->text[0] == '\'' &&
           heed_moses_class(heed_utf8_at(w->text, 1, &size)) & HEED_MOSES_LETTER;
}

/* The state of joining words to a sentence. */
typedef struct {
    bool english;
    word before;          /* the last word written, empty before the first */
    bool apart;           /* whether a space precedes the next word, unless its kind decides */
    heed_vocabulary seen; /* maps each kind of quotation mark to 1 while one is open */
} joiner;

/* How a word is separated from its neighbors. */
typedef struct {
    bool apart; /* whether a space precedes it */
    bool opens; /* whether the next word follows without a space */
} place;

/* Returns whether a word is an apostrophe after an s: the genitive of a plural. */
static bool is_plural_genitive(const joiner *j, const word *w)
{
    return j->english && w->length == 1 && w->text[0] == '\'' && j->before.length &&
           j->before.text[j->before.length - 1] == 's';
}

/* Places a quotation mark. The first one of a kind opens a quotation, the second one closes it. */
static heed_status place_quote(joiner *j, const word *w, place *found, heed_error *error)
{
    static const uint32_t curved[] = {0x201E, 0x201C, 0x201D, 0};
    word kind = consists_of(w, "", curved) ? (word){"\"", 1} : *w;
    bool open = heed_vocabulary_find(&j->seen, kind.text, kind.length) == 1;
    *found = (place){.apart = !open && j->apart, .opens = !open};
    if (!open && is_plural_genitive(j, w)) {
        *found = (place){.apart = false, .opens = false};
        return HEED_OK;
    }
    return heed_vocabulary_add(&j->seen, kind.text, kind.length, !open, "quotation marks", error);
}

static bool ends_in_ideograph(const word *w)
{
    size_t size;
    return w->length &&
           is_ideograph(heed_utf8_at(w->text, heed_utf8_before(w->text, w->length), &size));
}

/* Places a word. */
static heed_status place_word(joiner *j, const word *w, place *found, heed_error *error)
{
    static const uint32_t none[] = {0}, curved[] = {0x201E, 0x201C, 0};
    size_t size;
    *found = (place){.apart = j->apart, .opens = false};
    if (is_ideograph(heed_utf8_at(w->text, 0, &size))) {
        if (ends_in_ideograph(&j->before)) found->apart = false;
    } else if (is_currency(w)) found->opens = true;
    else if (consists_of(w, ",.?!:;\\%}])", none)) found->apart = false;
    else if (j->english && j->before.length && is_contraction(w)) found->apart = false;
    else if (consists_of(w, "'\"`", curved)) return place_quote(j, w, found, error);
    return HEED_OK;
}

/* Reads the next word from *at on; false at the end. */
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

static heed_status join_words(joiner *j, const heed_buffer *words, heed_buffer *text,
                              heed_error *error)
{
    word w;
    for (size_t at = 0; next_word(words->data, words->length, &at, &w);) {
        place found;
        HEED_TRY(place_word(j, &w, &found, error));
        if (found.apart) heed_buffer_append(text, " ", 1);
        heed_buffer_append(text, w.text, w.length);
        j->apart = !found.opens;
        j->before = w;
    }
    return HEED_OK;
}

heed_status heed_moses_join(const char *words, size_t length, const char *language,
                            heed_buffer *text, heed_error *error)
{
    heed_buffer padded = {0}, plain = {0};
    joiner j = {.english = !strcmp(language, "en")};
    heed_status status = HEED_OK;
    /* Spaces around the text, so that " @-@ " is found at the ends too. */
    heed_buffer_append(&padded, " ", 1);
    heed_buffer_append(&padded, words, length);
    heed_buffer_append(&padded, " ", 1);
    if (!padded.failed) unescape(padded.data, padded.length, &plain);
    if (padded.failed || plain.failed) status = heed_fail_memory(error, length, "decoding");
    if (status == HEED_OK) status = join_words(&j, &plain, text, error);
    heed_vocabulary_free(&j.seen);
    heed_buffer_free(&padded);
    heed_buffer_free(&plain);
    return status == HEED_OK && text->failed ? heed_fail_memory(error, length, "decoding") : status;
}
