/* border.h: where a prompt ends and its answer begins, in ids. A model that answers reads the ids
   of the prompt alone. If prompt and answer are tokenized together, a token may span the border:
   "The answer is " and "42" become "is", " 42", which the model would learn and could never
   write. */
#ifndef HEED_TRAIN_BORDER_H
#define HEED_TRAIN_BORDER_H

#include "base/lines.h"
#include "text/tokenizer.h"

/* Zero-initialize it; it may be reused; free it with heed_border_free. */
typedef struct heed_border {
    bool split;   /* the ids of prompt and answer together do not begin with those of the prompt */
    bool found;   /* it is split, and `ids` begin with the prompt's ids and have the text of both */
    int32_t *ids; /* ids of the prompt, then ids of the answer */
    size_t count;
    size_t prompt; /* number of ids of the prompt */
    size_t capacity;
    heed_encoding alone, whole, other; /* scratch */
    heed_buffer wanted, text, scratch;
} heed_border;
void heed_border_free(heed_border *border);

/* A prompt, text[0 .. begin), and its answer, text[begin .. end); `joint` are the ids of a text
   that begins with both, with offsets. */
typedef struct heed_border_place {
    heed_text text;
    size_t begin, end;
    unsigned flags;
    const heed_encoding *joint;
} heed_border_place;
/* Finds out whether a token spans the border, and if so, ids in which none does. Errors:
   HEED_E_NOMEM and those of tokenizing. */
heed_status heed_border_read(heed_border *border, const heed_tokenizer *tokenizer,
                             const heed_border_place *place, heed_error *error);

#endif
