/* session_internal.h: what session.c (sequences) and session_step.c (runs) share. */
#ifndef HEED_GENERATE_SESSION_INTERNAL_H
#define HEED_GENERATE_SESSION_INTERNAL_H

#include "cache/cache.h"
#include "generate/session.h"

/* the caches: of the sequences themselves; of their sources */
enum { HEED_SESSION_SELF, HEED_SESSION_CROSS };

/* A sequence: its numbers in both caches. Where rotary frequencies are others beyond a length
   (LongRoPE), the ids as well, and whether its keys were made for a text beyond: when the text
   grows or shrinks across that length, all of it is recomputed. */
typedef struct heed_sequence_slot {
    bool used, past_original;
    int64_t in[2];
    int32_t *ids;
    size_t ids_capacity;
} heed_sequence_slot;

/* Part of an item that goes into a run: ids[begin .. begin+count), logits wanted from `want` on. */
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
    /* the length beyond which all rotary frequencies are others; 0: none */
    int64_t original_context;
    /* (capacity) the items of a step, with the ids before them where a sequence is recomputed */
    heed_step_item *items;
    int64_t *again;             /* (capacity) how many those are */
    int64_t *done;              /* (capacity) ids of each item that are fed */
    heed_cache_growth *growth;  /* (capacity) */
    heed_session_piece *pieces; /* (chunk) */
    heed_logits_row *rows;      /* (gathered) */
};

/* The place of a sequence, NULL when it is not held. */
heed_sequence_slot *heed_session_find(const heed_session *session, int64_t sequence);
heed_status heed_session_fail_unknown(int64_t sequence, heed_error *error);
/* Tells which ids the keys of a sequence stand for, from place `first` on. */
heed_status heed_session_emit(heed_session *session, int64_t sequence, int64_t first,
                              const int32_t *ids, int64_t count, heed_error *error);
/* An empty sequence, whatever the model. */
heed_status heed_session_add_any(heed_session *session, int64_t *sequence, heed_error *error);

#endif
