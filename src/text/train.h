/* train.h: training of tokenizers; for the files of this module only. A trainer counts while it is
   fed and works when it finishes. */
#ifndef HEED_TEXT_TRAIN_H
#define HEED_TEXT_TRAIN_H

#include "base/json.h"
#include "text/model.h"
#include "text/tokenizer.h"
#include "text/vocabulary.h"

/* What a kind counts: strings (words, characters) and how often each occurred. */
typedef struct heed_counts {
    heed_vocabulary strings; /* the ids are indices into `counts` */
    uint64_t *counts;
    size_t capacity;
} heed_counts;
heed_status heed_counts_add(heed_counts *counts, const char *string, size_t length,
                            heed_error *error);
void heed_counts_free(heed_counts *counts);

typedef struct heed_trainer_kind {
    const char *name;
    /* Counts one text of valid UTF-8. NULL: the kind cannot be trained. */
    heed_status (*feed)(heed_tokenizer_trainer *trainer, const char *text, size_t length,
                        heed_error *error);
    /* A tokenizer.json without added tokens and post-processor; a new reference. */
    heed_status (*finish)(const heed_tokenizer_trainer *trainer, json_t **json, heed_error *error);
} heed_trainer_kind;
extern const heed_trainer_kind heed_trainer_bpe, heed_trainer_char;

struct heed_tokenizer_trainer {
    const heed_trainer_kind *kind;
    size_t vocab_size;
    uint64_t min_frequency;
    heed_special_token *special; /* contents are owned */
    int special_count;
    bool add_bos, add_eos;
    heed_cancel cancel;
    heed_counts counted;
    struct heed_pattern *words; /* "bpe": the split into words */
};

/* Adds the special tokens, each content once, with ids from 0 on. */
heed_status heed_trainer_add_special(const heed_tokenizer_trainer *trainer,
                                     heed_vocabulary *vocabulary, heed_error *error);
/* An object of all tokens and their ids; NULL when memory is out. */
json_t *heed_trainer_vocabulary_json(const heed_vocabulary *vocabulary);

#endif
