/* utf8.h: decoding that never reads past the end and never fails: invalid bytes become U+FFFD one
   maximal part at a time (Unicode 15, section 3.9, "U+FFFD substitution of maximal subparts"), as
   Python and Rust do. */
#ifndef HEED_BASE_UTF8_H
#define HEED_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HEED_REPLACEMENT = 0xFFFD };

/* Reads one code point from text[0..length), length > 0; returns the bytes consumed (1 to 4).
   *valid is false for U+FFFD standing for broken bytes; NULL allowed. */
size_t heed_utf8_next(const char *text, size_t length, uint32_t *code_point, bool *valid);
/* Writes a code point (1 to 4 bytes) and returns its length; surrogates and values above U+10FFFF
   become U+FFFD. */
size_t heed_utf8_put(uint32_t code_point, char out[4]);
/* Bytes at the end of text that may be the beginning of a character still to be completed (0 to
   3). */
size_t heed_utf8_incomplete(const char *text, size_t length);
/* Whether all of the text is valid. */
bool heed_utf8_valid(const char *text, size_t length);
/* Bytes before the first broken part; `length` if all of the text is valid. */
size_t heed_utf8_valid_bytes(const char *text, size_t length);
/* Code points in text, broken parts counted as one each. */
size_t heed_utf8_count(const char *text, size_t length);

/* ---- for text that is known to be valid ---- */

/* Bytes of the character that begins with this byte. */
static inline size_t heed_utf8_size(char first)
{
    unsigned char c = (unsigned char)first;
    if (c < 0x80) return 1;
    if (c < 0xE0) return 2;
    return c < 0xF0 ? 3 : 4;
}
/* The code point at text[at]; *size gets its bytes. */
uint32_t heed_utf8_at(const char *text, size_t at, size_t *size);
/* Where the character before text[at] begins; at > 0. */
size_t heed_utf8_before(const char *text, size_t at);

#endif
