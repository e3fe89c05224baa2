/* ties.h: tie_word_embeddings against what a file holds. Copies of the embedding that are equal are
   one tensor. If they differ, each is kept and the model is no longer tied. A tensor that the file
   lacks is filled from its copy. */
#ifndef HEED_MODEL_TIES_H
#define HEED_MODEL_TIES_H

#include "model/weights_internal.h"

/* What stands in for tied tensors that the file lacks; NULL: nothing does. */
typedef struct heed_ties {
    const heed_stored_tensor *table; /* of the embedding and the output matrix */
    const heed_stored_tensor *bias;  /* of the output matrix */
    bool encoder;                    /* the encoder's embedding is the same table */
} heed_ties;

/* Compares the copies as numbers, whatever their types. If some differ, notes name them, and the
   model's configuration becomes that of an untied model. Needs the prefix of names; comes before
   tensors are listed. A model that is not tied has no ties. */
heed_status heed_ties_resolve(heed_ties *ties, heed_model *model, const heed_weights_file *file,
                              heed_error *error);
/* The stored tensor that stands in for one that the file lacks; NULL: none. */
const heed_stored_tensor *heed_ties_source(const heed_ties *ties, const heed_tensor *tensor);

#endif
