/* objective.h: what a model is trained to do: how data becomes sequences and labels. Each objective
   is a record in a file of its own. */
#ifndef HEED_TRAIN_OBJECTIVE_H
#define HEED_TRAIN_OBJECTIVE_H

#include "model/batch.h"
#include "model/config.h"

typedef struct heed_dataset heed_dataset;

typedef struct heed_objective {
    const char *name, *what;
    heed_arrangement arrangement; /* arrangement of the models that it trains by default */
    heed_head head;               /* head of those models */
    bool pairs;                   /* true: it reads pairs; false: documents or token files */
    bool pairs_too;               /* it reads pairs beside these */
    /* Finds the special ids that it needs and chooses how texts are tokenized. Errors: HEED_E_ARG
       names what the tokenizer or model lacks. */
    heed_status (*prepare)(heed_dataset *, heed_error *);
    /* Adds one unit, a packed row or a pair, to a batch. */
    heed_status (*collate)(const heed_dataset *, size_t unit, heed_batch *, heed_error *);
} heed_objective;

extern const heed_objective heed_objective_clm, heed_objective_mlm, heed_objective_seq2seq;

/* Errors: HEED_E_ARG lists the known names. */
heed_status heed_objective_by_name(const heed_objective **objective, const char *name,
                                   heed_error *error);
/* Returns the objective that trains models of this arrangement and head by default. */
const heed_objective *heed_objective_of(const heed_config *config);
/* Returns HEED_E_ARG if the objective cannot train a model of this configuration. */
heed_status heed_objective_check(const heed_objective *objective, const heed_config *config,
                                 heed_error *error);

#endif
