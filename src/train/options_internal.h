/* options_internal.h: the options as a table (options_table.c), for options*.c and the trainer. */
#ifndef HEED_TRAIN_OPTIONS_INTERNAL_H
#define HEED_TRAIN_OPTIONS_INTERNAL_H

#include "train/options.h"

typedef enum heed_field_kind {
    HEED_FIELD_TEXT,    /* the same type in both structs; NULL: the default */
    HEED_FIELD_PATH,    /* like TEXT */
    HEED_FIELD_PATHS,   /* a list and its count */
    HEED_FIELD_FLAG,    /* bool */
    HEED_FIELD_COUNT,   /* int64_t in both; 0 in heed_train_options: the default */
    HEED_FIELD_INTEGER, /* heed_optional_int, and int64_t in heed_run_options */
    HEED_FIELD_REAL     /* heed_optional_real, and double in heed_run_options */
} heed_field_kind;

/* One option: its offset in heed_train_options (given) and in heed_run_options; for
   HEED_FIELD_PATHS also those of the counts. Numbers are within [low, high]; `preset` is the
   default, or -1 if the trainer chooses it. */
typedef struct heed_train_field {
    const char *name;
    heed_field_kind kind;
    size_t given, offset, given_count, count_offset;
    double low, high, preset;
} heed_train_field;

extern const heed_train_field heed_train_fields[];
extern const size_t heed_train_field_count;

heed_run_options heed_run_options_default(void);
/* Returns whether somebody chose this option. */
bool heed_train_options_chosen(const heed_train_options *options, const heed_train_field *field);
/* Returns HEED_E_ARG for a number out of the option's range. */
heed_status heed_train_field_check(const heed_train_field *field, double value, heed_error *error);
/* Writes "--learning-rate" for learning_rate. */
void heed_train_option_spell(const char *name, char *text, size_t size);

/* ---- options without effect ---- */

/* The kind of fact that decides whether some options have an effect. */
typedef enum heed_train_cause {
    HEED_BY_OPTIMIZER, /* the name of the optimizer */
    HEED_BY_SCHEDULE,  /* the name of the schedule */
    HEED_BY_FAMILY,    /* the name of the family */
    HEED_BY_DECAY,     /* "decay", or "none" without weight decay */
    HEED_BY_DATA,      /* "conversations" or "none" */
    HEED_BY_VALID,     /* "valid" or "none" */
    HEED_CAUSES
} heed_train_cause;
typedef struct heed_train_facts {
    const char *words[HEED_CAUSES];
} heed_train_facts;
/* Writes a sentence about the next chosen option that has no effect to text[size]; returns false if
   there is none left. *next is 0 before the first call. */
bool heed_train_options_idle(const heed_train_options *options, const heed_train_facts *facts,
                             size_t *next, char *text, size_t size);

#endif
