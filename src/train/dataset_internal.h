/* dataset_internal.h: the function of dataset_tokenize.c that dataset.c calls. */
#ifndef HEED_TRAIN_DATASET_INTERNAL_H
#define HEED_TRAIN_DATASET_INTERNAL_H

#include "train/dataset.h"

/* Fills the streams with the tokens of d->data. Errors: HEED_E_ARG for data that the objective does
   not read, or if the tokenizer that it needs is missing. */
heed_status heed_dataset_tokenize(heed_dataset *d, heed_error *error);

#endif
