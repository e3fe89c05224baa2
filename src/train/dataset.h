/* dataset.h: tokenized data cut into units (packed rows of T tokens, or pairs) in the order of an
   epoch. Everything about an epoch follows from (seed, epoch), so training goes on from any place
   of it. A dataset belongs to one thread. */
#ifndef HEED_TRAIN_DATASET_H
#define HEED_TRAIN_DATASET_H

#include "text/chat.h"
#include "train/objective.h"
#include "train/packing.h"

typedef struct heed_dataset_options {
    const heed_objective *objective;
    const heed_config *config;       /* borrowed: vocabulary and special ids */
    const heed_tokenizer *tokenizer; /* borrowed; NULL only for token files */
    /* of conversations, borrowed while the data set is made; NULL: prompts and completions are
       texts */
    const heed_chat_template *chat;
    int64_t now; /* the present, for templates that ask: seconds since 1970 */
    /* T: tokens of a packed row; of each side of a pair at most */
    size_t length;
    uint64_t seed;
    /* else units come in the order of the data and rows begin at its first token */
    bool shuffled;
    /* Called now and then while texts are tokenized; true stops with HEED_E_CANCELLED. May be
       NULL. */
    bool (*progress)(void *context, size_t done, size_t total);
    void *context;
    heed_cancel cancel; /* who may end the tokenizing, asked within texts too */
} heed_dataset_options;

struct heed_dataset {
    heed_dataset_options options;
    heed_data *data;              /* owned */
    heed_stream stream, source;   /* documents, or targets and sources */
    heed_stream_options text;     /* how texts are tokenized: objective's choice */
    heed_packing packing;         /* of the epoch begun last */
    heed_packed_piece *pieces;    /* room for those of one row */
    int32_t prefix, suffix, mask; /* mlm: ids around a piece and in place of a hidden token */
    int32_t start;                /* seq2seq: what the decoder begins with */
    int64_t epoch;
    size_t units; /* of the epoch begun last */
    /* records with an answer that begins inside a token (border.h) */
    size_t split;
    char split_place[300]; /* the first of them: "file, line 7" */
    /* conversations without an answer to learn (within T tokens): left out */
    size_t silent;
};

/* Tokenizes `data`, of which it takes ownership in every case. Errors: HEED_E_ARG for data of the
   wrong kind, a tokenizer with more tokens than the model, texts without a token to predict; those
   of tokenizing. */
heed_status heed_dataset_new(heed_dataset **dataset, heed_data *data,
                             const heed_dataset_options *options, heed_error *error);
void heed_dataset_free(heed_dataset *dataset); /* NULL is fine */

/* Makes `epoch`, from 0, the current one. */
heed_status heed_dataset_begin(heed_dataset *dataset, int64_t epoch, heed_error *error);
size_t heed_dataset_units(const heed_dataset *dataset);  /* of the current epoch */
size_t heed_dataset_tokens(const heed_dataset *dataset); /* of one epoch, sources included */
/* Adds units first .. first + count - 1 of the current epoch's order to the batch; fewer at its
   end. */
heed_status heed_dataset_collate(const heed_dataset *dataset, size_t first, size_t count,
                                 heed_batch *batch, heed_error *error);
/* Texts that were longer than the limit and lost their ends, pairs' sides and conversations. */
size_t heed_dataset_cut(const heed_dataset *dataset);
/* Changes with the tokens and their boundaries. */
heed_status heed_dataset_fingerprint(const heed_dataset *dataset, uint64_t *fingerprint,
                                     heed_error *error);

#endif
