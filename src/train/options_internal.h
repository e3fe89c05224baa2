/* options_internal.h: the options as a table, for options*.c and the trainer. */
#ifndef HEED_TRAIN_OPTIONS_INTERNAL_H
#define HEED_TRAIN_OPTIONS_INTERNAL_H

#include "train/options.h"

typedef enum heed_field_kind {
    HEED_FIELD_TEXT,
    HEED_FIELD_PATH,
    HEED_FIELD_PATHS,
    HEED_FIELD_FLAG,
    HEED_FIELD_INTEGER,
    HEED_FIELD_NUMBER
} heed_field_kind;

/* One option: where it lies, and for HEED_FIELD_PATHS where its count lies. Numbers must be within
   [low, high], or below 0 where `chosen`. */
typedef struct heed_train_field {
    const char *name;
    heed_field_kind kind;
    size_t offset, count_offset;
    double low, high;
    bool chosen;
} heed_train_field;

extern const heed_train_field heed_train_fields[];
extern const size_t heed_train_field_count;

/* Whether somebody chose this option: it is among options->given, or differs from its default. */
bool heed_train_options_chosen(const heed_train_options *options, const heed_train_field *field);
/* "--learning-rate" for learning_rate. */
void heed_train_option_spell(const char *name, char *text, size_t size);

/* ---- options without effect ---- */

/* What decides whether some options have an effect. */
typedef enum heed_train_cause {
    HEED_BY_OPTIMIZER, /* the fact is its name */
    HEED_BY_SCHEDULE,  /* its name */
    HEED_BY_FAMILY,    /* its name */
    HEED_BY_DECAY,     /* "decay", or "none" without weight decay */
    HEED_BY_DATA,      /* "conversations" or "none" */
    HEED_BY_VALID,     /* "valid" or "none" */
    HEED_CAUSES
} heed_train_cause;
typedef struct heed_train_facts {
    const char *words[HEED_CAUSES];
} heed_train_facts;
/* Puts a sentence about the next chosen option that has no effect into text[size]; false at the
   end. *next is 0 before the first call. */
bool heed_train_options_idle(const heed_train_options *options, const heed_train_facts *facts,
                             size_t *next, char *text, size_t size);

#endif
