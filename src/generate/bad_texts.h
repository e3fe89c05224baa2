/* bad_texts.h: forbids texts, whatever tokens spell them: a token is forbidden where its bytes
   would complete a text. Each text is forbidden as it is given and in lower case, UPPER case, with
   a Capital and with a Capital In Each Word. The case of the letters A to Z never matters. */
#ifndef HEED_GENERATE_BAD_TEXTS_H
#define HEED_GENERATE_BAD_TEXTS_H

#include "text/token_bytes.h"

typedef struct heed_bad_texts heed_bad_texts;

/* Prepares `text_count` texts for a vocabulary of `count` ids; an empty text forbids nothing.
   *result is NULL on failure. HEED_E_NOMEM. */
heed_status heed_bad_texts_new(heed_bad_texts **result, const heed_tokenizer *tokenizer,
                               size_t count, const char *const *texts, size_t text_count,
                               heed_error *error);
void heed_bad_texts_free(heed_bad_texts *bad); /* NULL is allowed */

/* Sets the scores (vocabulary) of forbidden tokens to minus infinity. The next token follows ids
   (count), of which the first `prompt` were given. A text may begin in the prompt, but not before a
   special token of the prompt. Special tokens that were written count as empty. */
void heed_bad_texts_forbid(const heed_bad_texts *bad, const int32_t *ids, int64_t count,
                           int64_t prompt, float *scores, int64_t vocabulary);

#endif
