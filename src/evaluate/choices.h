/* choices.h: multiple choice. Computes how likely a model finds each of several continuations of a
   context, by the rules of lm-evaluation-harness. */
#ifndef HEED_EVALUATE_CHOICES_H
#define HEED_EVALUATE_CHOICES_H

#include "base/json.h"
#include "generate/session.h"
#include "base/lines.h"
#include "text/tokenizer.h"

/* A question; its texts are borrowed from its line of JSON. */
typedef struct heed_question {
    const char *context;
    size_t context_length;
    const json_t *choices; /* array of strings, at least two */
    size_t count, answer;
    const char *path; /* file and line, for messages */
    size_t line;
} heed_question;

/* Reads {"context", "choices": [...], "answer": index or one of the choices}. HEED_E_FORMAT names
   file and line. */
heed_status heed_question_read(heed_question *question, const json_t *line, const char *path,
                               size_t number, heed_error *error);

/* Counts of choices that the harness also scores but that a user should know about. */
typedef struct heed_choice_notes {
    int64_t cut;    /* context and choice exceed the model's context: the beginning is left out */
    int64_t joined; /* a token reaches from the context into the choice: that part is not scored */
} heed_choice_notes;

typedef struct heed_choice_options {
    const char *delimiter;    /* between context and choice; NULL: one blank */
    bool special;             /* the tokenizer adds its special tokens before the context */
    heed_choice_notes *notes; /* counts are added to it; may be NULL */
} heed_choice_options;

/* Computes log_likelihoods (question->count) in nats: entry i is the sum over the tokens of choice
   i of ln p(token | context, earlier tokens). Decoders only. The session holds no sequence before
   and after, and can hold two.

   The ids of a choice: context, delimiter and choice are encoded together, and the ids after as
   many as the context alone has belong to the choice. Blanks at the end of the context belong to
   the choices. If the context has no tokens, it becomes the tokenizer's beginning (or end) of text;
   a choice that begins with this token does not repeat it. If context and choice exceed the model's
   context, they lose their beginning.

   Errors: HEED_E_ARG, with path and line, for a choice without ids of its own or longer than the
   model's context, and for a context without tokens if the tokenizer has no beginning or end of
   text; HEED_E_UNSUPPORTED for an encoder-decoder.
   Source: lm-evaluation-harness 0.4.13, TemplateLM.loglikelihood and HFLM._loglikelihood_tokens. */
heed_status heed_score_choices(heed_session *session, const heed_tokenizer *tokenizer,
                               const heed_question *question, const heed_choice_options *options,
                               double *log_likelihoods, heed_error *error);

/* The best choice by sum, by sum / characters and by sum / bytes of the choice without delimiter.
   If choices are equal, the first is best. */
typedef struct heed_verdict {
    size_t plain, by_characters, by_bytes;
} heed_verdict;
heed_verdict heed_question_judge(const heed_question *question, const double *log_likelihoods);

#endif
