/* added_tokens.h: tokens that are looked for in the text before the model sees it: special tokens
   and those a user added. Matching is leftmost, longest first; O(bytes x longest added token). */
#ifndef HEED_TEXT_ADDED_TOKENS_H
#define HEED_TEXT_ADDED_TOKENS_H

#include "base/json.h"
#include "text/model.h"
#include "text/pieces.h"
#include "text/stage.h"
#include "text/trie.h"

typedef struct heed_added_token {
    char *content; /* NUL-terminated after `length` */
    size_t length;
    int32_t id;
    bool single_word;    /* only when no word character stands on either side */
    bool lstrip, rstrip; /* takes along the blanks on that side */
    /* looked for in the normalized text, in its own normalized form; else in the text as it is */
    bool normalized;
    bool special;
    /* what decoding writes: the normalized form when `normalized`; NUL-terminated, owned unless it
       is `content` */
    char *spelled;
    size_t spelled_length;
    /* dropped by decode(skip_special): `spelled` is the content of a special token */
    bool skipped;
} heed_added_token;

struct heed_added_id {
    int32_t id;
    uint32_t index; /* of the token */
};

typedef struct heed_added_tokens {
    heed_added_token *tokens;
    size_t count, capacity;
    heed_vocabulary by_content;  /* content -> index of the token */
    struct heed_added_id *by_id; /* in order of id */
    heed_trie plain, normalized;
} heed_added_tokens;

/* Reads the "added_tokens" section and settles ids as the library does: a content that the model
   knows keeps the model's id, others are numbered on. */
heed_status heed_added_read(heed_added_tokens *added, const json_t *json,
                            const heed_tokenizer_model *model, const heed_pipeline *normalizer,
                            const char *where, heed_error *error);
/* The section again, a new reference. */
heed_status heed_added_write(const heed_added_tokens *added, json_t **json, heed_error *error);
void heed_added_free(heed_added_tokens *added);

/* NULL when the id, or the content, is no added token's. */
const heed_added_token *heed_added_find(const heed_added_tokens *added, int32_t id);
const heed_added_token *heed_added_find_content(const heed_added_tokens *added, const char *content,
                                                size_t length);

/* Cuts the pieces at the added tokens of one of the tries; `literal`: not at special ones. */
heed_status heed_added_cut(const heed_added_tokens *added, bool normalized, bool literal,
                           heed_pieces *pieces, heed_error *error);

#endif
