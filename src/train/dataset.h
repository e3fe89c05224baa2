/* dataset.h: tokenized data, cut into units (packed rows of T tokens, or pairs) in the order of an
   epoch. The order of an epoch follows from (seed, epoch), so a training can be resumed at any
   unit. A dataset belongs to one thread. */
#ifndef HEED_TRAIN_DATASET_H
#define HEED_TRAIN_DATASET_H

#include "text/chat.h"
#include "train/objective.h"
#include "train/packing.h"

typedef struct heed_dataset_options {
    const heed_objective *objective;
    const heed_config *config;       /* borrowed: vocabulary and special ids */
    const heed_tokenizer *tokenizer; /* borrowed; NULL only for token files */
    /* template of conversations, borrowed while the data set is made; NULL: prompt and completion
       are plain texts */
    const heed_chat_template *chat;
    int64_t now; /* current time for templates that ask for it, in seconds since 1970 */
    /* T: tokens of a packed row, or at most of each side of a pair */
    size_t length;
    uint64_t seed;
    /* false: units come in the order of the data, and rows begin at its first token */
    bool shuffled;
    /* Called from time to time while texts are tokenized; true stops with HEED_E_CANCELLED. May be
       NULL. */
    bool (*progress)(void *context, size_t done, size_t total);
    void *context;
    heed_cancel cancel; /* may end the tokenizing; asked within texts too */
} heed_dataset_options;

struct heed_dataset {
    heed_dataset_options options;
    heed_data *data;            /* owned */
    heed_stream stream, source; /* stream: documents or targets; source: sources */
    heed_stream_options text;   /* how texts are tokenized; the objective chooses */
    heed_packing packing;       /* rows of the current epoch */
    heed_packed_piece *pieces;  /* buffer for the pieces of one row */
    /* mlm: the ids around a piece, and the one in place of a hidden token */
    int32_t prefix, suffix, mask;
    int32_t start; /* seq2seq: first id that the decoder reads */
    int64_t epoch;
    bool pairs;   /* a unit is a pair; else a packed row */
    size_t units; /* units of the current epoch */
    /* records with an answer that begins inside a token (border.h) */
    size_t split;
    char split_place[300]; /* place of the first of them: "file, line 7" */
    /* conversations that are left out: they have no answer to learn within T tokens */
    size_t silent;
};

/* Tokenizes `data` and takes ownership of it, also if it fails. The caller frees the data set.
   Errors: HEED_E_ARG for data of the wrong kind, for a tokenizer with more tokens than the model,
   and for texts without a token to predict; also those of tokenizing. */
heed_status heed_dataset_new(heed_dataset **dataset, heed_data *data,
                             const heed_dataset_options *options, heed_error *error);
void heed_dataset_free(heed_dataset *dataset); /* NULL is fine */

/* Makes `epoch`, which counts from 0, the current one. Errors: HEED_E_NOMEM. */
heed_status heed_dataset_begin(heed_dataset *dataset, int64_t epoch, heed_error *error);
size_t heed_dataset_units(const heed_dataset *dataset); /* units of the current epoch */
/* tokens of one epoch, with those of sources */
size_t heed_dataset_tokens(const heed_dataset *dataset);
/* Adds units first .. first + count - 1 of the current epoch's order to the batch, or fewer at its
   end. */
heed_status heed_dataset_collate(const heed_dataset *dataset, size_t first, size_t count,
                                 heed_batch *batch, heed_error *error);
/* Returns the number of texts (also sides of pairs, and conversations) that were cut because they
   were longer than the limit. */
size_t heed_dataset_cut(const heed_dataset *dataset);
/* Writes a number that changes with the tokens and with the boundaries of texts. */
heed_status heed_dataset_fingerprint(const heed_dataset *dataset, uint64_t *fingerprint,
                                     heed_error *error);

#endif
