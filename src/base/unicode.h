/* unicode.h: properties of characters as the `tokenizers` library sees them. Its parts were built
   with different versions of the Unicode database (categories of regular expressions: 16, case: 17,
   marks and normalization: 9, BERT's punctuation: 8), so utf8proc's answers are corrected by
   tables; ids must not depend on the version of utf8proc that is installed. */
#ifndef HEED_BASE_UNICODE_H
#define HEED_BASE_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* General categories as regular expressions know them, joined into the classes that the shipped
   patterns ask for. */
enum {
    HEED_CHAR_LETTER = 1,    /* L */
    HEED_CHAR_NUMBER = 2,    /* N */
    HEED_CHAR_MARK = 4,      /* M */
    HEED_CHAR_UPPER = 8,     /* Lu Lt */
    HEED_CHAR_LOWER = 16,    /* Ll */
    HEED_CHAR_CASELESS = 32, /* Lm Lo */
    HEED_CHAR_SPACE = 64,    /* White_Space */
    HEED_CHAR_WORD = 128     /* \w of Unicode: Alphabetic, M, Nd, Pc, Join_Control */
};
unsigned heed_char_class(uint32_t c);

bool heed_char_is_space(uint32_t c); /* White_Space */
/* str.isspace of Python, and \s of its regular expressions */
bool heed_char_is_python_space(uint32_t c);
/* Python's lstrip and rstrip: drop white space from the beginning, or the end, of valid UTF-8. */
void heed_strip_left(const char **text, size_t *length);
void heed_strip_right(const char *text, size_t *length);
bool heed_char_is_numeric(uint32_t c); /* N */
bool heed_char_is_mark(uint32_t c);    /* M: what StripAccents removes */
bool heed_char_is_accent(uint32_t c);  /* Mn: what BertNormalizer removes */
/* P and the ASCII symbols: where BertPreTokenizer and Punctuation split */
bool heed_char_is_punctuation(uint32_t c);
/* Cc Cf Co less tab, line feed, carriage return: what BertNormalizer removes */
bool heed_char_is_control(uint32_t c);
/* C: control, format, private, unassigned: what Moses drops */
bool heed_char_is_other(uint32_t c);
bool heed_char_is_chinese(uint32_t c); /* the CJK ideographs that BertNormalizer isolates */

/* Tables of code points: ascending elements that begin with a heed_char_span and do not overlap.
   The element that holds c; NULL: none does. */
typedef struct heed_char_span {
    uint32_t first, last;
} heed_char_span;
const void *heed_char_find(const void *table, size_t count, size_t size, uint32_t c);
#define HEED_CHAR_FIND(table, c) \
    heed_char_find(table, sizeof(table) / sizeof *(table), sizeof *(table), c)

/* Lower case of one character, 1 to 3 code points; returns how many. */
size_t heed_char_lower(uint32_t c, uint32_t lower[3]);

/* Normalization (Unicode Standard Annex 15). */
enum { HEED_DECOMPOSITION_MAX = 18 };
unsigned heed_char_combining_class(uint32_t c);
/* Full decomposition (canonical, or compatible), at most HEED_DECOMPOSITION_MAX code points; c
   itself when it has none. */
size_t heed_char_decompose(uint32_t c, bool compatible, uint32_t parts[HEED_DECOMPOSITION_MAX]);
/* The primary composite of a pair; 0 when there is none. */
uint32_t heed_char_compose(uint32_t first, uint32_t second);

#endif
