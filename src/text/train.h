/* train.h: what the files that train tokenizers share. A trainer counts strings while it is fed and
   builds the vocabulary when it finishes. */
#ifndef HEED_TEXT_TRAIN_H
#define HEED_TEXT_TRAIN_H

#include "base/json.h"
#include "text/model.h"
#include "text/tokenizer.h"
#include "text/vocabulary.h"

/* Strings (words or characters) and how often each occurred. */
typedef struct heed_counts {
    heed_vocabulary strings; /* the ids are indices into `counts` */
    uint64_t *counts;
    size_t capacity;
} heed_counts;
/* Counts one occurrence of a string. */
heed_status heed_counts_add(heed_counts *counts, const char *string, size_t length,
                            heed_error *error);
void heed_counts_free(heed_counts *counts);

/* One kind of trainer. */
typedef struct heed_trainer_kind {
    const char *name;
    /* Counts the strings of one text in valid UTF-8. NULL if the kind cannot be trained. */
    heed_status (*feed)(heed_tokenizer_trainer *trainer, const char *text, size_t length,
                        heed_error *error);
    /* Builds a tokenizer.json without added tokens and post-processor. *json is a new reference. */
    heed_status (*finish)(const heed_tokenizer_trainer *trainer, json_t **json, heed_error *error);
} heed_trainer_kind;
extern const heed_trainer_kind heed_trainer_bpe, heed_trainer_char;

struct heed_tokenizer_trainer {
    const heed_trainer_kind *kind;
    size_t vocab_size;
    uint64_t min_frequency;
    heed_special_token *special; /* the contents are owned */
    int special_count;
    bool add_bos, add_eos;
    heed_cancel cancel;
    heed_counts counted;
    struct heed_pattern *words; /* "bpe": the pattern that splits text into words */
};

/* Adds the special tokens with ids from 0 on, each content once. */
heed_status heed_trainer_add_special(const heed_tokenizer_trainer *trainer,
                                     heed_vocabulary *vocabulary, heed_error *error);
/* Returns an object {"<token>": id}, NULL if out of memory. */
json_t *heed_trainer_vocabulary_json(const heed_vocabulary *vocabulary);

#endif
