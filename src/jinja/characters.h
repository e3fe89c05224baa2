/* characters.h: what Python's str knows of characters, and reading numbers as Python writes
   them. */
#ifndef HEED_JINJA_CHARACTERS_H
#define HEED_JINJA_CHARACTERS_H

#include "base/buffer.h"
#include "base/utf8.h"
#include <stdbool.h>

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
unsigned heed_jinja_class(uint32_t c);
typedef enum jinja_case { JINJA_TO_LOWER, JINJA_TO_UPPER, JINJA_TO_TITLE } jinja_case;
/* Appends a text in another case, by the full mappings of Unicode. */
void heed_jinja_put_case(heed_buffer *out, const char *text, size_t length, jinja_case wanted);
void heed_jinja_put_character(heed_buffer *out, uint32_t c);
/* The code point at `at`, and the step to the next; the text is valid. */
static inline size_t jinja_next(const char *text, size_t length, size_t at, uint32_t *c)
{
    return heed_utf8_next(text + at, length - at, c, NULL);
}
/* The first (or last) place of `part` in a text, by rolling hashes (Karp & Rabin 1987), so that no
   text makes it quadratic; NULL: none. */
const char *heed_jinja_search(const char *text, size_t length, const char *part, size_t part_length,
                              bool last);
/* float(text) and int(text, base) of Python; false when the text is none, or does not fit. */
bool heed_jinja_read_number(const char *text, size_t length, double *number);
bool heed_jinja_read_integer(const char *text, size_t length, int base, int64_t *integer);

#endif
