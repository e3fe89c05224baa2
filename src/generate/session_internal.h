/* session_internal.h: declares what session.c (sequences), session_rows.c (inputs of runs),
   session_encode.c (runs of the encoder) and session_step.c (runs of the decoder) share. */
#ifndef HEED_GENERATE_SESSION_INTERNAL_H
#define HEED_GENERATE_SESSION_INTERNAL_H

#include "cache/cache.h"
#include "generate/session.h"

/* The caches of a session: keys and values of the sequences themselves, and of their sources. */
enum { HEED_SESSION_SELF = HEED_KEEP_SELF, HEED_SESSION_CROSS = HEED_KEEP_SOURCE };

/* What a session keeps of one sequence. With LongRoPE all rotary frequencies change when a sequence
   grows past the original context. The slot of such a model also keeps the ids of the sequence, so
   that it can be recomputed when it grows past that length or was cut back within it. */
typedef struct heed_sequence_slot {
    bool used;
    bool past_original;        /* its keys were made with the frequencies for longer sequences */
    int64_t cache_sequence[2]; /* its number in each of the session's caches */
    /* the ids of its positions, if the model has an original context */
    int32_t *ids;
    size_t ids_capacity;
} heed_sequence_slot;

/* What a run takes of an item: its ids[begin .. begin+count). Logits are wanted from token `want`
   of the piece on. */
typedef struct heed_session_piece {
    int64_t item, begin, count, want;
} heed_session_piece;

struct heed_session {
    heed_engine *engine;
    /* HEED_SESSION_SELF, and HEED_SESSION_CROSS for encoder-decoders (else NULL) */
    heed_cache *caches[2];
    int64_t context, chunk, capacity, vocabulary;
    int64_t gathered;              /* the most rows of logits in one run */
    heed_sequence_slot *sequences; /* (capacity) */
    int64_t original_context;      /* LongRoPE's original context; 0 for other models */
    /* (capacity) the items of a step as they are fed: that of a recomputed sequence begins with the
       ids that the sequence already had */
    heed_step_item *items;
    int64_t *recomputed;        /* (capacity) the number of such earlier ids in each item */
    int64_t *done;              /* (capacity) the number of ids of each item that runs have fed */
    bool *named;                /* (capacity) scratch: the sequences that the items name */
    heed_cache_growth *growth;  /* (capacity) */
    heed_session_piece *pieces; /* (chunk) */
    heed_batch batch;           /* what a run reads */
    heed_logits_row *rows;      /* (gathered) */
};

/* Returns the slot of a sequence; NULL if the session holds no such sequence. */
heed_sequence_slot *heed_session_find(const heed_session *session, int64_t sequence);
/* Returns HEED_E_ARG with the message that the session does not hold the sequence. */
heed_status heed_session_fail_unknown(int64_t sequence, heed_error *error);
/* Records in the slot the ids of a sequence's positions from `first` on. HEED_E_NOMEM. */
heed_status heed_session_emit(heed_session *session, int64_t sequence, int64_t first,
                              const int32_t *ids, int64_t count, heed_error *error);
/* Adds an empty sequence to the session and to each of its caches. HEED_E_ARG if the session is
   full. */
heed_status heed_session_add_any(heed_session *session, int64_t *sequence, heed_error *error);

/* The pages of one of the session's caches; 0 if the session has no such cache. */
int64_t heed_session_cache_pages(const heed_session *session, int which);
/* Returns HEED_E_ARG if an id is not in the vocabulary of the stack that reads it. */
heed_status heed_session_check_ids(const heed_session *session, heed_input_stack stack,
                                   const int32_t *ids, int64_t count, heed_error *error);

/* What a piece of a run is: the positions [first, first + count) of a sequence of a cache, in a
   text of `length` tokens. */
typedef struct heed_session_span {
    int64_t sequence; /* its number in the cache */
    int64_t first, count, length;
} heed_session_span;

/* Appends the tokens of a span to the session's batch: their ids, the rows of the cache that take
   their keys and values, and a row of the sequence table. Their keys are all positions up to the
   last one. HEED_E_NOMEM. */
heed_status heed_session_put(heed_session *session, heed_input_stack stack,
                             const heed_session_span *span, const int32_t *ids, heed_error *error);

#endif
