/* score.h: how well a model predicts text: negative log-likelihood and perplexity. */
#ifndef HEED_EVALUATE_SCORE_H
#define HEED_EVALUATE_SCORE_H

#include "base/lines.h"
#include "generate/session.h"
#include "generate/settings.h"
#include "text/tokenizer.h"

/* Zero-initialize, add, read. */
typedef struct heed_score {
    int64_t tokens;  /* scored */
    int64_t windows; /* of text, or pairs */
    double sum;      /* of -ln p, nats */
} heed_score;
/* nats a token; NaN when nothing was scored */
double heed_score_nll(const heed_score *score);
double heed_score_perplexity(const heed_score *score); /* exp of it */

typedef struct heed_score_options {
    int64_t context;    /* ids in a window; 0: the session's context */
    int64_t max_tokens; /* of a text that are scored; 0: all */
    void (*progress)(void *argument, int64_t done, int64_t total); /* ids; NULL: none */
    bool (*cancelled)(void *argument);                             /* NULL: never */
    void *argument;
} heed_score_options;

/* Cuts ids into disjoint windows; the first id of each is context only. Decoders only
   (HEED_E_UNSUPPORTED). options may be NULL. The session must hold no sequence; as many windows run
   at once as it has sequences. */
heed_status heed_score_ids(heed_session *session, const int32_t *ids, size_t count,
                           const heed_score_options *options, heed_score *score, heed_error *error);
/* A text as the tokenizer's ids, special tokens included, cut to options->max_tokens. */
heed_status heed_score_text(heed_session *session, const heed_tokenizer *tokenizer, heed_text text,
                            const heed_score_options *options, heed_score *score,
                            heed_error *error);

/* Targets of an encoder-decoder and, at the same index, the source of each. Borrowed. */
typedef struct heed_id_pairs {
    const heed_ids *sources, *targets;
    size_t count;
} heed_id_pairs;
/* Scores every target id given its source; the first follows the settings' decoder start.
   HEED_E_ARG for a pair longer than the context. */
heed_status heed_score_pairs(heed_session *session, const heed_generation_settings *settings,
                             const heed_id_pairs *pairs, const heed_score_options *options,
                             heed_score *score, heed_error *error);

#endif
