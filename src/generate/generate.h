/* generate.h: continues prompts with new tokens and returns ids and text. Prompts share ragged
   batches, but the result for one prompt does not depend on the others: random numbers depend on
   the seed, the prompt's ids and the number of the returned sequence alone. */
#ifndef HEED_GENERATE_GENERATE_H
#define HEED_GENERATE_GENERATE_H

#include "generate/prefix.h"
#include "generate/settings.h"
#include "text/tokenizer.h"

/* Why a sequence ended. */
typedef enum heed_finish {
    HEED_FINISH_EOS,     /* an end-of-sequence id was chosen; it is the last of ids */
    HEED_FINISH_STOP,    /* the text holds a stop string */
    HEED_FINISH_LENGTH,  /* it has as many tokens as were asked for */
    HEED_FINISH_CONTEXT, /* the model has no more positions */
    HEED_FINISHES
} heed_finish;
const char *heed_finish_name(heed_finish finish); /* "eos", "stop", "length", "context" */

/* A token and its log-probability in nats. */
typedef struct heed_token_score {
    int32_t id;
    float log_probability;
} heed_token_score;

/* One returned sequence. Its log-probabilities are taken after all processors but temperature and
   cuts. */
typedef struct heed_generated {
    size_t prompt, number; /* index of the prompt; number among its sequences, from 0 */
    int32_t *ids;          /* (count) new ids, without prompt, decoder start and padding */
    size_t count;
    /* the text without special tokens; it ends before a stop string. NULL without a tokenizer */
    char *text;
    size_t text_length;
    heed_finish finish;
    float *log_probabilities; /* (count) of the new ids; NULL unless asked for */
    /* (count,settings->log_probabilities) the likeliest tokens of each place, the likeliest first;
       id -1 where the vocabulary has no more */
    heed_token_score *likely;
    /* with beams: sum of log-probabilities / length ^ length_penalty; else the sum if
       log-probabilities are asked for */
    double score;
    /* false if the generation failed or was cancelled before this sequence was complete */
    bool finished;
} heed_generated;

/* What is reported of a prompt. */
typedef struct heed_prompt_report {
    size_t cut;   /* ids that were cut off at its beginning */
    size_t count; /* ids that were used */
    size_t kept;  /* how many of these, from the first on, a prefix already held */
    /* (count) log-probabilities of the ids of a decoder's prompt; the first is NaN. NULL unless
       asked for */
    float *log_probabilities;
    heed_token_score *likely; /* (count,settings->log_probabilities) */
} heed_prompt_report;

typedef struct heed_generation {
    heed_generated *items; /* (prompts,settings->returned) */
    size_t count;
    heed_prompt_report *prompts;
    size_t prompt_count;
} heed_generation;
void heed_generation_free(heed_generation *generation);

/* Functions that are called while tokens are written; any may be NULL. Text comes in pieces of
   complete UTF-8 that are no part of a stop string. Beams give their text at the end. */
typedef struct heed_generation_events {
    void (*text)(void *argument, size_t prompt, size_t number, const char *text, size_t length);
    void (*finished)(void *argument, const heed_generated *item);
    bool (*cancelled)(void *argument); /* asked before each step; true ends with HEED_E_CANCELLED */
    void *argument;
} heed_generation_events;

/* The session, tokenizer and settings of a generation, all borrowed. */
typedef struct heed_generator {
    heed_session *session;
    /* NULL: no text is returned, and stop strings are HEED_E_ARG */
    const heed_tokenizer *tokenizer;
    const heed_generation_settings *settings;
} heed_generator;

/* The most sequences of the session that one prompt takes. A session with several times as many
   answers several prompts at once. */
int64_t heed_generate_sequences(const heed_generation_settings *settings);

/* Writes settings->returned sequences for each of `count` prompts; events may be NULL. The session
   must hold no sequences and holds none afterwards. How many it can hold decides how many prompts
   are answered at once. If the prompts of a decoder begin alike, the common beginning is read once,
   provided that it fills a page of the cache and the session has a sequence to spare. *generation
   is zeroed first. Free it in every case: after a failure it holds what was finished.
   Errors: HEED_E_ARG for a prompt that is empty or, unless settings->truncate, longer than the
   context, for settings that contradict each other or the model, and for a session with too few
   sequences; HEED_E_UNSUPPORTED for beams with sampling or with likely tokens; HEED_E_NOMEM;
   HEED_E_CANCELLED. */
heed_status heed_generate(const heed_generator *generator, const heed_ids *prompts, size_t count,
                          const heed_generation_events *events, heed_generation *generation,
                          heed_error *error);
/* Does the same for one prompt of a decoder that may begin with the ids of `prefix`: only the rest
   is read. Afterwards the prefix holds the prompt and the first sequence written, as far as they
   were read; with beams it stays as it was. The session needs one sequence for the prefix besides
   those for writing. */
heed_status heed_generate_from(const heed_generator *generator, heed_prefix *prefix,
                               const heed_ids *prompt, const heed_generation_events *events,
                               heed_generation *generation, heed_error *error);

#endif
