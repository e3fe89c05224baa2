/* postprocess.h: what happens to the tokens of a text, or of a pair, before they are joined: blanks
   are trimmed from offsets, and a template puts special tokens around and between. BertProcessing
   and RobertaProcessing are templates too. */
#ifndef HEED_TEXT_POSTPROCESS_H
#define HEED_TEXT_POSTPROCESS_H

#include "base/json.h"
#include "text/tokenizer.h"

/* One place of a template: a text, or special tokens. */
typedef struct heed_template_piece {
    int sequence; /* 0: the first text, 1: the second, -1: the ids below */
    int32_t type_id;
    int32_t *ids;
    size_t count;
    /* the ids only if the text before them does not end with the first of them: ByT5's class */
    bool if_absent;
} heed_template_piece;

typedef struct heed_template {
    heed_template_piece *pieces;
    size_t count, capacity;
    size_t added; /* special ids in it */
} heed_template;

enum { HEED_MOST_TRIMS = 8 };
typedef struct heed_post_processor {
    heed_template single, pair; /* without a template in the file: the texts alone */
    bool has_template;
    bool trims[HEED_MOST_TRIMS]; /* offset trimming, in order; the value is its add_prefix_space */
    int trim_count;
} heed_post_processor;

/* Reads the "post_processor" section; NULL and null give the default. HEED_E_UNSUPPORTED for an
   unknown kind, by name. */
heed_status heed_post_read(heed_post_processor *post, const json_t *json, const char *where,
                           heed_error *error);
void heed_post_free(heed_post_processor *post);

/* Trims blanks from the offsets (code points) of the text's token number `index`, spelled
   token[0..length). */
void heed_post_trim(const heed_post_processor *post, size_t index, const char *token, size_t length,
                    heed_range *offsets);

#endif
