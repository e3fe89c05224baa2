/* postprocess.h: the post-processor, which trims white space from offsets and adds special tokens
   around and between the tokens of a text or of a pair of texts. BertProcessing and
   RobertaProcessing are read as templates. */
#ifndef HEED_TEXT_POSTPROCESS_H
#define HEED_TEXT_POSTPROCESS_H

#include "base/json.h"
#include "text/tokenizer.h"

/* One element of a template: a text, or special tokens. */
typedef struct heed_template_piece {
    int sequence; /* 0 for the first text, 1 for the second, -1 for the ids below */
    int32_t type_id;
    int32_t *ids;
    size_t count;
    /* The ids are omitted if the text before them ends with the first of them (ByT5). */
    bool if_absent;
} heed_template_piece;

typedef struct heed_template {
    heed_template_piece *pieces;
    size_t count, capacity;
    size_t added; /* number of special ids in the template */
} heed_template;

enum { HEED_MOST_TRIMS = 8 };
typedef struct heed_post_processor {
    heed_template single, pair; /* without a template in the file they contain only the texts */
    bool has_template;
    /* the stages that trim offsets, in order; the value is the stage's add_prefix_space */
    bool trims[HEED_MOST_TRIMS];
    int trim_count;
} heed_post_processor;

/* Reads the "post_processor" section; NULL and JSON null give the default. HEED_E_UNSUPPORTED names
   a kind that is not supported. */
heed_status heed_post_read(heed_post_processor *post, const json_t *json, const char *where,
                           heed_error *error);
void heed_post_free(heed_post_processor *post);

/* Trims white space from the offsets of token number `index` of the text, whose spelling is
   token[0..length). Offsets are in code points. */
void heed_post_trim(const heed_post_processor *post, size_t index, const char *token, size_t length,
                    heed_range *offsets);

#endif
