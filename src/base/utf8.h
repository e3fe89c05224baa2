/* utf8.h: UTF-8 decoding that never fails and never reads past the end. Invalid bytes become
   U+FFFD, one for each maximal subpart, as in Python and Rust. Source: Unicode 15, section 3.9,
   "U+FFFD Substitution of Maximal Subparts". */
#ifndef HEED_BASE_UTF8_H
#define HEED_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HEED_REPLACEMENT = 0xFFFD };

/* Decodes one code point from text[0..length), length > 0, and returns the bytes consumed (1 to 4).
   *valid becomes false if the bytes are invalid and U+FFFD stands for them; `valid` may be NULL. */
size_t heed_utf8_next(const char *text, size_t length, uint32_t *code_point, bool *valid);
/* Encodes a code point and returns its length (1 to 4 bytes). Surrogates and values above U+10FFFF
   become U+FFFD. */
size_t heed_utf8_put(uint32_t code_point, char out[4]);
/* Returns how many bytes at the end of the text may begin a character whose rest is still to come
   (0 to 3). */
size_t heed_utf8_incomplete(const char *text, size_t length);
/* Returns whether the whole text is valid. */
bool heed_utf8_valid(const char *text, size_t length);
/* Returns the bytes before the first invalid subpart, `length` if the whole text is valid. */
size_t heed_utf8_valid_bytes(const char *text, size_t length);
/* Returns the number of code points. Each invalid subpart counts as one. */
size_t heed_utf8_count(const char *text, size_t length);

/* ---- for text that is known to be valid UTF-8 ---- */

/* Returns the bytes of the character that begins with this byte. */
static inline size_t heed_utf8_size(char first)
{
    unsigned char c = (unsigned char)first;
    if (c < 0x80) return 1;
    if (c < 0xE0) return 2;
    return c < 0xF0 ? 3 : 4;
}
/* Returns the code point at text[at]. *size becomes its bytes. */
uint32_t heed_utf8_at(const char *text, size_t at, size_t *size);
/* Returns where the character before text[at] begins. Expects at > 0. */
size_t heed_utf8_before(const char *text, size_t at);

#endif
