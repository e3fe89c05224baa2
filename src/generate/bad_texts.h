/* bad_texts.h: texts that must not be written, whatever tokens spell them: a token is forbidden
   where its bytes would complete one. Each text is forbidden as it is given and in lower case,
   UPPER case, with a Capital and with a Capital In Each Word; the case of the letters A to Z never
   matters. */
#ifndef HEED_GENERATE_BAD_TEXTS_H
#define HEED_GENERATE_BAD_TEXTS_H

#include "text/token_bytes.h"

typedef struct heed_bad_texts heed_bad_texts;

/* For a vocabulary of `count` ids. Empty texts forbid nothing. */
heed_status heed_bad_texts_new(heed_bad_texts **result, const heed_tokenizer *tokenizer,
                               size_t count, const char *const *texts, size_t text_count,
                               heed_error *error);
void heed_bad_texts_free(heed_bad_texts *bad); /* NULL is fine */

/* Sets the scores (vocabulary) of forbidden tokens to minus infinity, after ids of which the first
   `prompt` were given. A text may begin in the prompt; special tokens of the prompt end what stands
   before them, written ones are no text. */
void heed_bad_texts_forbid(const heed_bad_texts *bad, const int32_t *ids, int64_t count,
                           int64_t prompt, float *scores, int64_t vocabulary);

#endif
