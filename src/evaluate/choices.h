/* choices.h: multiple choice: how likely a model finds each of several continuations of a context,
   counted as lm-evaluation-harness counts. */
#ifndef HEED_EVALUATE_CHOICES_H
#define HEED_EVALUATE_CHOICES_H

#include "base/json.h"
#include "generate/session.h"
#include "base/lines.h"
#include "text/tokenizer.h"

/* A question, borrowed from its line of JSON. */
typedef struct heed_question {
    const char *context;
    size_t context_length;
    const json_t *choices; /* array of strings, at least two */
    size_t count, answer;
    const char *path; /* where it stands, for messages */
    size_t line;
} heed_question;

/* {"context", "choices": [...], "answer": index or one of the choices}. HEED_E_FORMAT naming file
   and line. */
heed_status heed_question_read(heed_question *question, const json_t *line, const char *path,
                               size_t number, heed_error *error);

/* Choices that are counted as the harness counts them, of which a user should know; added up. */
typedef struct heed_choice_notes {
    int64_t cut;    /* context and choice exceed the model's context: the beginning is left out */
    int64_t joined; /* a token reaches from the context into the choice: that part is not scored */
} heed_choice_notes;

typedef struct heed_choice_options {
    const char *delimiter;    /* between context and choice; NULL: one blank */
    bool special;             /* let the tokenizer add its special tokens in front of the context */
    heed_choice_notes *notes; /* NULL: none */
} heed_choice_options;

/* log_likelihoods[i] = sum over the tokens of choice i of ln p(token | context, tokens before),
   nats. The ids of a choice are those of context, delimiter and choice together after as many as
   the context alone has; blanks at the end of the context belong to the choices. A context without
   tokens is the tokenizer's beginning (or end) of text, and a choice that begins with this token
   does not repeat it. What exceeds the model's context loses its beginning. The session holds no
   sequence, before and after, and has room for two. HEED_E_ARG, with path and line: a choice
   without ids of its own, or one that is longer than the model's context; a context without tokens
   and no such token. Decoders only. Source: lm-evaluation-harness 0.4.13, TemplateLM.loglikelihood
   and HFLM._loglikelihood_tokens. */
heed_status heed_score_choices(heed_session *session, const heed_tokenizer *tokenizer,
                               const heed_question *question, const heed_choice_options *options,
                               double *log_likelihoods, heed_error *error);

/* Which choice is best: by the sum, by sum / characters, by sum / bytes (of the choice, without
   delimiter). The first of equals. */
typedef struct heed_verdict {
    size_t plain, by_characters, by_bytes;
} heed_verdict;
heed_verdict heed_question_judge(const heed_question *question, const double *log_likelihoods);

#endif
