/* dataset_internal.h: what dataset.c uses of dataset_tokenize.c. */
#ifndef HEED_TRAIN_DATASET_INTERNAL_H
#define HEED_TRAIN_DATASET_INTERNAL_H

#include "train/dataset.h"

/* Fills the streams with the tokens of d->data. HEED_E_ARG for data that the objective does not
   read, or without the tokenizer that it needs. */
heed_status heed_dataset_tokenize(heed_dataset *d, heed_error *error);

#endif
