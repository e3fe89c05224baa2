/* score.h: measures how well a model predicts text: negative log-likelihood and perplexity. */
#ifndef HEED_EVALUATE_SCORE_H
#define HEED_EVALUATE_SCORE_H

#include "base/lines.h"
#include "generate/session.h"
#include "generate/settings.h"
#include "text/tokenizer.h"

/* Zero-initialize; scores are added to it. */
typedef struct heed_score {
    int64_t tokens;  /* tokens scored */
    int64_t windows; /* windows of text, or pairs */
    double sum;      /* sum of -ln p, in nats */
} heed_score;
/* Returns the mean negative log-likelihood in nats a token; NaN if nothing was scored. */
double heed_score_nll(const heed_score *score);
double heed_score_perplexity(const heed_score *score); /* exp(heed_score_nll) */

typedef struct heed_score_options {
    int64_t context;    /* ids in a window; 0: the session's context */
    int64_t max_tokens; /* the most ids of a text that are used; 0: all */
    void (*progress)(void *argument, int64_t done, int64_t total); /* counts ids; may be NULL */
    bool (*cancelled)(void *argument);                             /* may be NULL */
    void *argument;
} heed_score_options;

/* Cuts ids (count) into disjoint windows and adds their scores. The first id of each window is
   context only. As many windows run at once as the session has sequences; it must hold none.
   options may be NULL.
   Errors: HEED_E_UNSUPPORTED for encoder-decoders; HEED_E_ARG for a window longer than the context,
   an id outside the vocabulary or a session that holds sequences; HEED_E_CANCELLED;
   HEED_E_NOMEM. */
heed_status heed_score_ids(heed_session *session, const int32_t *ids, size_t count,
                           const heed_score_options *options, heed_score *score, heed_error *error);
/* Encodes a text with special tokens, takes the first options->max_tokens ids and scores them. */
heed_status heed_score_text(heed_session *session, const heed_tokenizer *tokenizer, heed_text text,
                            const heed_score_options *options, heed_score *score,
                            heed_error *error);

/* Targets of an encoder-decoder and the source of each at the same index; borrowed. */
typedef struct heed_id_pairs {
    const heed_ids *sources, *targets;
    size_t count;
} heed_id_pairs;
/* Scores every target id given its source and the earlier ids. The first id follows the settings'
   decoder start.
   Errors: HEED_E_UNSUPPORTED for decoder-only models; HEED_E_ARG for a pair longer than the
   context. */
heed_status heed_score_pairs(heed_session *session, const heed_generation_settings *settings,
                             const heed_id_pairs *pairs, const heed_score_options *options,
                             heed_score *score, heed_error *error);

#endif
