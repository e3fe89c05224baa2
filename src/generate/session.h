/* session.h: a session is one thread's work with a model that writes tokens: an engine, KV caches
   and many sequences at once. A step feeds new tokens of any number of sequences, prompts and
   single tokens mixed, and hands out rows of logits.

   A step cuts the new tokens of every sequence into pieces of at most heed_session_options.chunk
   tokens. A run of the engine takes as many whole pieces as have room in that many rows, at most
   one of each sequence, and lays them end to end without padding. How a sequence is cut does not
   depend on the other sequences, so its logits have the same bits in any company.

   Example: chunk = 8. Sequence A holds 70 positions and gets 11 new tokens, B holds 5 and gets 1, C
   is empty and gets 4. Each item wants the logits after its last token.

     run 1   row           0   1   2   3   4   5   6   7
             sequence      A   A   A   A   A   A   A   A
             position     70  71  72  73  74  75  76  77
             logits        -

     run 2   row           0   1   2   3   4   5   6   7
             sequence      A   A   A   B   C   C   C   C
             position     78  79  80   5   0   1   2   3
             logits                *   *               *

   Each run gets a row of the sequence table for each of its pieces. In run 2 these are:

              query start, length   key length   first index   page table
       A            0        3          81            78       pages of positions 0-63, 64-127
       B            3        1           6             5       page of positions 0-63
       C            4        4           4             0       page of positions 0-63

   For every row, the input `slots` says which row of the caches takes its key and value, and `rows`
   lists the rows whose logits are wanted (2, 3, 7). cache/cache.h draws the pages. */
#ifndef HEED_GENERATE_SESSION_H
#define HEED_GENERATE_SESSION_H

#include "model/engine.h"

enum { HEED_SESSION_CHUNK = 512 };

typedef struct heed_session heed_session;

typedef struct heed_session_options {
    int64_t sequences; /* the most sequences held at once; 0 means 1 */
    /* positions of a sequence; 0: as many as config.json says. Models with a table of positions
       allow no more than its rows. */
    int64_t context;
    int64_t chunk;       /* rows of one run; 0 means HEED_SESSION_CHUNK */
    size_t cache_budget; /* bytes that the caches may commit; 0: as many as the system can spare */
} heed_session_options;

/* Makes a session without sequences. It retains the model and borrows the backend; options may be
   NULL. *session is NULL on failure.
   Errors: HEED_E_UNSUPPORTED for a model that writes no tokens (an encoder, a classification head,
   float inputs); HEED_E_ARG for a context that the model has no positions for; HEED_E_NOMEM. */
heed_status heed_session_new(heed_session **session, heed_model *model, const heed_backend *backend,
                             const heed_session_options *options, heed_error *error);
void heed_session_free(heed_session *session); /* NULL is allowed */

/* Sets the function that may cancel steps and encodings. These then fail with HEED_E_CANCELLED, and
   every sequence has its previous length. */
void heed_session_set_cancel(heed_session *session, heed_cancel cancel);

const heed_model *heed_session_model(const heed_session *session);
/* the most positions of a sequence, and of a source */
int64_t heed_session_context(const heed_session *session);
int64_t heed_session_capacity(const heed_session *session);   /* the most sequences held at once */
int64_t heed_session_held(const heed_session *session);       /* sequences held now */
int64_t heed_session_vocabulary(const heed_session *session); /* V, the columns of the logits */
bool heed_session_has_source(const heed_session *session);    /* true for an encoder-decoder */
size_t heed_session_cache_bytes(const heed_session *session); /* bytes committed for caches */
/* The bytes that one position of a sequence takes in the cache of the decoder. */
size_t heed_session_position_bytes(const heed_session *session);

/* Token ids, borrowed. */
typedef struct heed_ids {
    const int32_t *ids;
    int64_t count;
} heed_ids;

/* Adds an empty sequence of a decoder-only model. HEED_E_ARG if the session holds as many sequences
   as it was made for, or if the model is an encoder-decoder. */
heed_status heed_session_add(heed_session *session, int64_t *sequence, heed_error *error);
/* Encodes `count` sources and adds an empty target sequence for each; sequences (count) receives
   their numbers. A source may be empty; its sequence then attends to nothing. On failure no
   sequence is added.
   Errors: HEED_E_ARG for a decoder-only model, an id outside the vocabulary, a source longer than
   the context, or too many sequences; HEED_E_NOMEM of caches and workspace. */
heed_status heed_session_encode(heed_session *session, const heed_ids *sources, int64_t count,
                                int64_t *sequences, heed_error *error);
/* Adds a sequence that begins with the first `length` positions of another and has the same source.
   The two share pages. HEED_E_ARG if the sequence is not held, if it is shorter than `length`, or
   if no more sequences can be held. */
heed_status heed_session_fork(heed_session *session, int64_t sequence, int64_t length,
                              int64_t *fork, heed_error *error);
/* Forgets the positions of a sequence from `length` on. A longer `length` or an unknown sequence
   changes nothing. */
void heed_session_truncate(heed_session *session, int64_t sequence, int64_t length);
/* Removes a sequence; an unknown one is ignored. */
void heed_session_drop(heed_session *session, int64_t sequence);
void heed_session_clear(heed_session *session); /* removes every sequence */
/* The number of positions of a sequence; 0 if it is not held. */
int64_t heed_session_length(const heed_session *session, int64_t sequence);

/* New tokens of one sequence. Logits are wanted after each of ids[want .. count): want = count - 1
   asks for the next token alone, want = count for none. */
typedef struct heed_step_item {
    int64_t sequence;
    const int32_t *ids;
    int64_t count, want;
} heed_step_item;

/* The logits (V) for the token that follows ids[token] of items[item]. */
typedef struct heed_logits_row {
    int64_t item, token;
    const float *logits;
} heed_logits_row;

/* Called after each run with its rows of logits, ordered by item and token within the run. The
   logits are borrowed until it returns. An error that it returns ends the step. */
typedef heed_status heed_logits_visitor(void *argument, const heed_logits_row *rows, int64_t count,
                                        heed_error *error);

/* Feeds the items, each of another sequence, and visits the logits wanted; visitor may be NULL. If
   the step fails, or the visitor does, every sequence has its previous length. LongRoPE is the
   exception: past the original context all its frequencies change. A sequence that grows past it,
   or that was cut back within it, is recomputed as a whole. If the step fails while it is
   recomputed, the sequence may be left shorter than before.
   Errors: HEED_E_ARG for an id outside the vocabulary, a sequence that is unknown or named twice, a
   sequence that would exceed the context, or NaN in logits when the caches are f16; HEED_E_NOMEM of
   caches and workspace; HEED_E_CANCELLED; the visitor's errors. */
heed_status heed_session_step(heed_session *session, const heed_step_item *items, int64_t count,
                              heed_logits_visitor *visitor, void *argument, heed_error *error);

#endif
