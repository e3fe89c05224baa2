/* added_tokens.h: added tokens, which are searched for in the text before the model sees it:
   special tokens and tokens that a user added. The leftmost match wins, and at one place the
   longest. The search takes O(bytes x longest added token). Source: AddedVocabulary of the
   `tokenizers` library. */
#ifndef HEED_TEXT_ADDED_TOKENS_H
#define HEED_TEXT_ADDED_TOKENS_H

#include "base/json.h"
#include "text/model.h"
#include "text/pieces.h"
#include "text/stage.h"
#include "text/trie.h"

typedef struct heed_added_token {
    char *content; /* followed by a NUL */
    size_t length;
    int32_t id;
    bool single_word;    /* matches only if no word character is on either side */
    bool lstrip, rstrip; /* matches include the white space on that side */
    /* It is searched for in the normalized text, in its own normalized form. Otherwise it is
       searched for in the text before normalization. */
    bool normalized;
    bool special;
    /* What decoding writes: the normalized form if `normalized` is set, else the content. It is
       followed by a NUL, and owned unless it is `content`. */
    char *spelled;
    size_t spelled_length;
    /* decode(skip_special) drops it: `spelled` is the content of a special token */
    bool skipped;
} heed_added_token;

struct heed_added_id {
    int32_t id;
    uint32_t index; /* index of the token in `tokens` */
};

/* The added tokens of a tokenizer, and the tables that find them. */
typedef struct heed_added_tokens {
    heed_added_token *tokens;
    size_t count, capacity;
    heed_vocabulary by_content;  /* maps a content to the index of its token */
    struct heed_added_id *by_id; /* sorted by id */
    heed_trie plain, normalized;
} heed_added_tokens;

/* Reads the "added_tokens" section. Ids are assigned as the library does: if the model's vocabulary
   contains the content, the token has the model's id, otherwise the next free id. `normalizer`
   computes the normalized forms. On success the caller frees `added`. */
heed_status heed_added_read(heed_added_tokens *added, const json_t *json,
                            const heed_tokenizer_model *model, const heed_pipeline *normalizer,
                            const char *where, heed_error *error);
/* Writes the section back. *json is a new reference. */
heed_status heed_added_write(const heed_added_tokens *added, json_t **json, heed_error *error);
/* Frees all memory of `added` and zeroes it. */
void heed_added_free(heed_added_tokens *added);

/* Find an added token by its id, or by its content. NULL if there is none. */
const heed_added_token *heed_added_find(const heed_added_tokens *added, int32_t id);
const heed_added_token *heed_added_find_content(const heed_added_tokens *added, const char *content,
                                                size_t length);

/* Splits the pieces at the added tokens: those with `normalized` set, or the others. With `literal`
   special tokens are not searched for. */
heed_status heed_added_cut(const heed_added_tokens *added, bool normalized, bool literal,
                           heed_pieces *pieces, heed_error *error);

#endif
