/* characters.h: character classes and case mappings of Python's str, and Python's reading of
   numbers. */
#ifndef HEED_JINJA_CHARACTERS_H
#define HEED_JINJA_CHARACTERS_H

#include "base/buffer.h"
#include "base/utf8.h"
#include <stdbool.h>

/* The classes of a character, as bits. Each is what the method of Python's str with this name
   tests. */
typedef enum jinja_class {
    JINJA_ALPHABETIC = 1,
    JINJA_DECIMAL = 2,
    JINJA_DIGIT = 4,
    JINJA_NUMERIC = 8,
    JINJA_LOWER = 16,
    JINJA_UPPER = 32,
    JINJA_TITLE = 64,
    JINJA_PRINTABLE = 128
} jinja_class;
/* Returns the classes of a character. */
unsigned heed_jinja_class(uint32_t c);
typedef enum jinja_case { JINJA_TO_LOWER, JINJA_TO_UPPER, JINJA_TO_TITLE } jinja_case;
/* Appends a text in another case, with the full case mappings of Unicode. */
void heed_jinja_put_case(heed_buffer *out, const char *text, size_t length, jinja_case wanted);
/* Appends a code point as UTF-8. */
void heed_jinja_put_character(heed_buffer *out, uint32_t c);
/* Reads the code point at `at` and returns its bytes. The text is valid UTF-8. */
static inline size_t jinja_next(const char *text, size_t length, size_t at, uint32_t *c)
{
    return heed_utf8_next(text + at, length - at, c, NULL);
}
/* Returns the first (or last) occurrence of `part` in a text, NULL if there is none. It compares
   rolling hashes, so that no text takes quadratic time. Source: Karp & Rabin 1987. */
const char *heed_jinja_search(const char *text, size_t length, const char *part, size_t part_length,
                              bool last);
/* Python's float(text) and int(text, base). Return false if the text is not a number or does not
   fit. */
bool heed_jinja_read_number(const char *text, size_t length, double *number);
bool heed_jinja_read_integer(const char *text, size_t length, int base, int64_t *integer);

#endif
