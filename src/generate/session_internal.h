/* session_internal.h: what session.c (sequences), session_rows.c (inputs of runs), session_encode.c
   and session_step.c (runs) share. */
#ifndef HEED_GENERATE_SESSION_INTERNAL_H
#define HEED_GENERATE_SESSION_INTERNAL_H

#include "cache/cache.h"
#include "generate/session.h"

/* the caches: of the sequences themselves; of their sources */
enum { HEED_SESSION_SELF, HEED_SESSION_CROSS };

/* What a session keeps of one sequence. If the model has an original context (LongRoPE: all rotary
   frequencies change when a sequence grows past it), the slot also keeps the ids; when the sequence
   grows past that length or shrinks within it, all of it is recomputed from them. */
typedef struct heed_sequence_slot {
    bool used;
    bool past_original; /* its keys were made with the frequencies of longer sequences */
    int64_t in[2];      /* its number in each cache */
    int32_t *ids;
    size_t ids_capacity;
} heed_sequence_slot;

/* What a run takes of an item: ids[begin .. begin+count), logits wanted from `want` on. */
typedef struct heed_session_piece {
    int64_t item, begin, count, want;
} heed_session_piece;

struct heed_session {
    heed_engine *engine;
    /* of the sequences themselves and, for encoder-decoders, of their sources */
    heed_cache *caches[2];
    int64_t context, chunk, capacity, vocabulary;
    int64_t gathered;              /* rows of logits in one run at most */
    heed_sequence_slot *sequences; /* (capacity) */
    int64_t original_context;      /* past it all rotary frequencies change; 0: none */
    /* (capacity) the items of a step; that of a recomputed sequence begins with its earlier ids */
    heed_step_item *items;
    int64_t *recomputed;        /* (capacity) how many earlier ids each item begins with */
    int64_t *done;              /* (capacity) ids of each item that are fed */
    heed_cache_growth *growth;  /* (capacity) */
    heed_session_piece *pieces; /* (chunk) */
    heed_logits_row *rows;      /* (gathered) */
};

/* The slot of a sequence; NULL if the session holds no such sequence. */
heed_sequence_slot *heed_session_find(const heed_session *session, int64_t sequence);
heed_status heed_session_fail_unknown(int64_t sequence, heed_error *error);
/* Records in the slot which ids the keys of a sequence stand for, from position `first` on. */
heed_status heed_session_emit(heed_session *session, int64_t sequence, int64_t first,
                              const int32_t *ids, int64_t count, heed_error *error);
/* Adds an empty sequence, with or without an encoder. */
heed_status heed_session_add_any(heed_session *session, int64_t *sequence, heed_error *error);

/* Pages of the session's cache of this kind; 0: there is none. */
int64_t heed_session_cache_pages(const heed_session *session, int which);
/* HEED_E_ARG if an id is not in the vocabulary; `what` begins the message. */
heed_status heed_session_check_ids(const heed_session *session, const int32_t *ids, int64_t count,
                                   const char *what, heed_error *error);

/* The inputs of a run that have a row for each token, at the next row to fill. NULL: the model has
   no such input. */
typedef struct heed_session_rows {
    int32_t *ids, *positions;
    int32_t *cache_rows; /* where a token's keys and values are kept */
    float *frequencies;
} heed_session_rows;

/* Fills `count` rows, which begin at `position` of a sequence of the cache, and moves on. */
void heed_session_put_rows(heed_session_rows *to, const heed_cache *cache, int64_t sequence,
                           int64_t position, const int32_t *ids, int64_t count);
/* Fills the rotary frequencies of `count` rows, where they depend on the length of the sequence,
   and moves on. */
void heed_session_put_frequencies(heed_session_rows *to, const heed_session *session, bool source,
                                  int64_t length, int64_t count);
/* Fills the fields of one sequence of a run: `count` rows from row `start` on, the first of them at
   position `first` of the sequence, attend to `keys` keys through a row of the page table. */
void heed_session_fill_sequence(int32_t *fields, int64_t start, int64_t count, int64_t keys,
                                int64_t first, int64_t table_row);

#endif
