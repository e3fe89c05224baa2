/* session.h: one thread's work with a model that writes tokens: an engine, KV caches, and many
   sequences at once. A step takes new tokens for any number of sequences, prompts and single tokens
   mixed, and hands out rows of logits.

   Every sequence is cut into chunks by itself (HEED_SESSION_CHUNK rows of one step at most) and
   whole chunks are packed into runs, so that its bits do not depend on its neighbors. */
#ifndef HEED_GENERATE_SESSION_H
#define HEED_GENERATE_SESSION_H

#include "model/engine.h"

enum { HEED_SESSION_CHUNK = 512 };

typedef struct heed_session heed_session;

typedef struct heed_session_options {
    int64_t sequences; /* held at once; 0: 1 */
    /* positions of a sequence; 0: what config.json says. Beyond that only without a table of
       positions */
    int64_t context;
    int64_t chunk;       /* rows of one run; 0: HEED_SESSION_CHUNK */
    size_t cache_budget; /* bytes that the caches may commit; 0: what the system can spare */
} heed_session_options;

/* The model is retained, the backend borrowed; options may be NULL. HEED_E_UNSUPPORTED for a model
   that writes no tokens (encoder only, a classification head, float inputs); HEED_E_ARG for a
   context that the model has no positions for. */
heed_status heed_session_new(heed_session **session, heed_model *model, const heed_backend *backend,
                             const heed_session_options *options, heed_error *error);
void heed_session_free(heed_session *session); /* NULL is fine */

/* Who may end what the session computes: steps and encodings then fail with HEED_E_CANCELLED, and
   every sequence is as before. */
void heed_session_set_cancel(heed_session *session, heed_cancel cancel);

const heed_model *heed_session_model(const heed_session *session);
/* positions that a sequence, and a source, may have */
int64_t heed_session_context(const heed_session *session);
int64_t heed_session_capacity(const heed_session *session);   /* sequences that may be held */
int64_t heed_session_held(const heed_session *session);       /* sequences that are held */
int64_t heed_session_vocabulary(const heed_session *session); /* V: columns of the logits */
bool heed_session_has_source(const heed_session *session);    /* an encoder-decoder */
size_t heed_session_cache_bytes(const heed_session *session); /* committed */
/* of one position of one sequence */
size_t heed_session_position_bytes(const heed_session *session);

/* Token ids, borrowed. */
typedef struct heed_ids {
    const int32_t *ids;
    int64_t count;
} heed_ids;

/* A new, empty sequence of a decoder. HEED_E_ARG when the capacity is reached, or when the model
   wants sources. */
heed_status heed_session_add(heed_session *session, int64_t *sequence, heed_error *error);
/* Encodes sources and adds an empty target sequence for each. An empty source is allowed: nothing
   is attended to. */
heed_status heed_session_encode(heed_session *session, const heed_ids *sources, int64_t count,
                                int64_t *sequences, heed_error *error);
/* A sequence that begins with the first `length` positions of another, its source included; pages
   are shared. */
heed_status heed_session_fork(heed_session *session, int64_t sequence, int64_t length,
                              int64_t *fork, heed_error *error);
void heed_session_truncate(heed_session *session, int64_t sequence, int64_t length);
void heed_session_drop(heed_session *session, int64_t sequence);
void heed_session_clear(heed_session *session); /* drops every sequence */
int64_t heed_session_length(const heed_session *session, int64_t sequence);

/* New tokens of one sequence; logits are wanted after each of ids[want .. count): want = count - 1
   asks for the next token. */
typedef struct heed_step_item {
    int64_t sequence;
    const int32_t *ids;
    int64_t count, want;
} heed_step_item;

/* Logits (V) of the token that follows ids[token] of items[item]. */
typedef struct heed_logits_row {
    int64_t item, token;
    const float *logits;
} heed_logits_row;

/* Called after each run with the rows it gave, in order of item and token within the run; logits
   are borrowed until it returns. */
typedef heed_status heed_logits_visitor(void *argument, const heed_logits_row *rows, int64_t count,
                                        heed_error *error);

/* Feeds the items (different sequences) and visits the logits wanted; visitor may be NULL. On
   failure, of the visitor too, every sequence is as before. LongRoPE changes all frequencies past
   the original context: a sequence that grows past it is recomputed, all of it, and so is one that
   was cut back within it; if that fails inside a run, less than before may be left of it.
   Errors: HEED_E_ARG for an id outside the vocabulary or a sequence that would exceed the context;
   HEED_E_NOMEM of caches and workspace. */
heed_status heed_session_step(heed_session *session, const heed_step_item *items, int64_t count,
                              heed_logits_visitor *visitor, void *argument, heed_error *error);

#endif
