/* objective.h: what a model is trained to do: how data becomes sequences and labels. One row of a
   table and one file each. */
#ifndef HEED_TRAIN_OBJECTIVE_H
#define HEED_TRAIN_OBJECTIVE_H

#include "train/batch.h"

typedef struct heed_dataset heed_dataset;

typedef struct heed_objective {
    const char *name, *what;
    heed_arrangement arrangement; /* of the models it trains when nothing else is said */
    heed_head head;               /* that those models get */
    bool pairs;                   /* reads pairs, else documents or token files */
    /* Finds the special ids that it needs and how texts are tokenized. HEED_E_ARG naming a part
       that the tokenizer or model lacks. */
    heed_status (*prepare)(heed_dataset *, heed_error *);
    /* Adds one unit, a packed row or a pair, to a batch. */
    heed_status (*collate)(const heed_dataset *, size_t unit, heed_batch *, heed_error *);
} heed_objective;

extern const heed_objective heed_objective_clm, heed_objective_mlm, heed_objective_seq2seq;

/* HEED_E_ARG naming the known ones. */
heed_status heed_objective_by_name(const heed_objective **objective, const char *name,
                                   heed_error *error);
/* The objective that trains models of this arrangement and head when nothing else is said. */
const heed_objective *heed_objective_of(const heed_config *config);
/* HEED_E_ARG when a model of this configuration cannot be trained so. */
heed_status heed_objective_check(const heed_objective *objective, const heed_config *config,
                                 heed_error *error);

#endif
