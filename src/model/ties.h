/* ties.h: tie_word_embeddings compared with what a file holds. If all copies of the embedding are
   equal, they are one tensor. If they differ, each is kept and the model is no longer tied. A
   tensor that the file lacks is filled from its copy. */
#ifndef HEED_MODEL_TIES_H
#define HEED_MODEL_TIES_H

#include "model/weights_internal.h"

/* Stored tensors that replace tied tensors which the file lacks; NULL: there is none. */
typedef struct heed_ties {
    const heed_stored_tensor *table; /* for the embedding and the output matrix */
    const heed_stored_tensor *bias;  /* for the bias of the output matrix */
    bool encoder;                    /* the encoder's embedding is the same table */
} heed_ties;

/* Compares the copies as numbers, whatever their types. If some differ, notes name them, and the
   configuration becomes that of an untied model. It needs the prefix of names and must run before
   tensors are listed. A model that is not tied has no ties. */
heed_status heed_ties_resolve(heed_ties *ties, heed_model *model, const heed_weights_file *file,
                              heed_error *error);
/* Returns the stored tensor that replaces one which the file lacks, or NULL. */
const heed_stored_tensor *heed_ties_source(const heed_ties *ties, const heed_tensor *tensor);

#endif
