/* token_bytes.h: a table of the bytes that each token adds to a text when other tokens precede it,
   such as " cat", "ing" or half a character. Their concatenation is the decoded text, except for
   what decoders clean up. */
#ifndef HEED_TEXT_TOKEN_BYTES_H
#define HEED_TEXT_TOKEN_BYTES_H

#include "text/tokenizer.h"

typedef struct heed_token_bytes {
    char *bytes; /* the bytes of all tokens, concatenated */
    /* (count) Token i has bytes[ends[i - 1] .. ends[i]). Special tokens and ids without a token
       have none. */
    size_t *ends;
    size_t count;
    heed_buffer text; /* owns `bytes` */
} heed_token_bytes;

/* Fills the table for ids 0 to count - 1. The caller frees it with heed_token_bytes_free in every
   case. */
heed_status heed_token_bytes_make(heed_token_bytes *table, const heed_tokenizer *tokenizer,
                                  size_t count, heed_error *error);
void heed_token_bytes_free(heed_token_bytes *table);

/* Returns the bytes of an id and their number. */
static inline const char *heed_token_bytes_at(const heed_token_bytes *table, size_t id,
                                              size_t *length)
{
    size_t begin = id ? table->ends[id - 1] : 0;
    *length = table->ends[id] - begin;
    return table->bytes + begin;
}

#endif
