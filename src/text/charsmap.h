/* charsmap.h: the normalization table of SentencePiece, which tokenizer.json stores as
   "precompiled_charsmap" and .model files store as bytes. It maps strings to strings. */
#ifndef HEED_TEXT_CHARSMAP_H
#define HEED_TEXT_CHARSMAP_H

#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

typedef struct heed_charsmap heed_charsmap;

/* Reads a table: the bytes of a trie (u32), the trie, and the texts that replace strings, each
   ending in NUL. The trie is a double array of u32 units (Darts-clone); all numbers are little
   endian. HEED_E_FORMAT if it is truncated or its texts are not UTF-8. The caller frees it. */
heed_status heed_charsmap_new(heed_charsmap **charsmap, const char *bytes, size_t length,
                              const char *where, heed_error *error);
/* Finds the shortest or the longest string of the table with which text[0..length) begins. Returns
   the text that replaces it, which ends in NUL, and sets *size to the bytes of the string; NULL if
   there is none. */
const char *heed_charsmap_shortest(const heed_charsmap *charsmap, const char *text, size_t length,
                                   size_t *size);
const char *heed_charsmap_longest(const heed_charsmap *charsmap, const char *text, size_t length,
                                  size_t *size);
void heed_charsmap_free(heed_charsmap *charsmap);

#endif
