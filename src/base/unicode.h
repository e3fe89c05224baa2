/* unicode.h: character properties as the `tokenizers` library sees them. The parts of that library
   use different versions of the Unicode database: 16 for categories in regular expressions, 17 for
   case, 9 for marks and normalization, 8 for BERT's punctuation. Tables correct the answers of
   utf8proc, so that token ids do not depend on the installed version of utf8proc. */
#ifndef HEED_BASE_UNICODE_H
#define HEED_BASE_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Character classes that the known split patterns ask for, as bits. The comments list the Unicode
   general categories or properties in each. */
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
/* Returns the classes of a character as a set of these bits. */
unsigned heed_char_class(uint32_t c);

bool heed_char_is_space(uint32_t c); /* White_Space */
/* Returns what Python's str.isspace returns, which is also \s of Python's regular expressions. */
bool heed_char_is_python_space(uint32_t c);
/* Drop white space from the beginning, or the end, of valid UTF-8, as Python's lstrip and rstrip
   do. */
void heed_strip_left(const char **text, size_t *length);
void heed_strip_right(const char *text, size_t *length);
bool heed_char_is_numeric(uint32_t c); /* N */
bool heed_char_is_mark(uint32_t c);    /* M: the marks that the normalizer StripAccents removes */
bool heed_char_is_accent(uint32_t c);  /* Mn: the marks that BertNormalizer removes */
/* P and the ASCII symbols: where the pre-tokenizers BertPreTokenizer and Punctuation split. */
bool heed_char_is_punctuation(uint32_t c);
/* Cc, Cf and Co except tab, line feed and carriage return: the characters that BertNormalizer
   removes. */
bool heed_char_is_control(uint32_t c);
/* C (control, format, private use, surrogate, unassigned): the characters that Moses drops. */
bool heed_char_is_other(uint32_t c);
bool heed_char_is_chinese(uint32_t c); /* the CJK ideographs that BertNormalizer isolates */

/* The first field of each element of a table of code points. The elements are in ascending order
   and do not overlap. */
typedef struct heed_char_span {
    uint32_t first, last;
} heed_char_span;
/* Returns the element that contains c, by binary search, or NULL if there is none. */
const void *heed_char_find(const void *table, size_t count, size_t size, uint32_t c);
#define HEED_CHAR_FIND(table, c) \
    heed_char_find(table, sizeof(table) / sizeof *(table), sizeof *(table), c)

/* Writes the lower case of a character and returns its length, 1 or 2 code points. */
size_t heed_char_lower(uint32_t c, uint32_t lower[3]);

/* Returns whether a grapheme cluster ends between two characters that follow each other. *state is
   0 before the first pair of a text. Source: Unicode Standard Annex 29, extended clusters. */
bool heed_grapheme_ends(uint32_t before, uint32_t after, int32_t *state);

/* Normalization. Source: Unicode Standard Annex 15. */
enum { HEED_DECOMPOSITION_MAX = 18 };
unsigned heed_char_combining_class(uint32_t c);
/* Writes the full decomposition of a character, canonical or compatible, and returns its length, at
   most HEED_DECOMPOSITION_MAX code points. A character without one is its own decomposition. */
size_t heed_char_decompose(uint32_t c, bool compatible, uint32_t parts[HEED_DECOMPOSITION_MAX]);
/* Returns the primary composite of a pair, 0 if there is none. */
uint32_t heed_char_compose(uint32_t first, uint32_t second);

#endif
