/* generate.h: prompts in, new tokens and text out. Prompts share ragged batches; what is written
   for one does not depend on the others (random numbers come from the seed, the prompt's ids and
   the number of the returned sequence). */
#ifndef HEED_GENERATE_GENERATE_H
#define HEED_GENERATE_GENERATE_H

#include "generate/prefix.h"
#include "generate/settings.h"
#include "text/tokenizer.h"

typedef enum heed_finish {
    HEED_FINISH_EOS,     /* an end-of-sequence id; the last of ids */
    HEED_FINISH_STOP,    /* a stop string */
    HEED_FINISH_LENGTH,  /* as many tokens as were asked for */
    HEED_FINISH_CONTEXT, /* the model has no more positions */
    HEED_FINISHES
} heed_finish;
const char *heed_finish_name(heed_finish finish); /* "eos", "stop", "length", "context" */

typedef struct heed_token_score {
    int32_t id;
    float log_probability;
} heed_token_score; /* nats */

/* One returned sequence. Log-probabilities are those of the scores after all processors but
   temperature and cuts. */
typedef struct heed_generated {
    size_t prompt, number; /* index of the prompt; 0, 1 ... among its sequences */
    int32_t *ids;          /* new ids, without prompt, decoder start and padding */
    size_t count;
    /* without special tokens, stop strings and what follows them; NULL without a tokenizer */
    char *text;
    size_t text_length;
    heed_finish finish;
    float *log_probabilities; /* (count); NULL unless asked for */
    /* (count, settings->log_probabilities), the most likely first; id -1 beyond the vocabulary */
    heed_token_score *likely;
    /* beams: sum of log-probabilities / length ^ length_penalty; else the sum, when asked for */
    double score;
    bool finished; /* false: the generation failed or was cancelled before this one was complete */
} heed_generated;

/* What is known of a prompt. */
typedef struct heed_prompt_report {
    size_t cut;   /* ids left out at its beginning */
    size_t count; /* ids used */
    size_t kept;  /* of them, at the beginning, were kept from before */
    /* (count) of a decoder's prompt ids, the first is NaN; NULL unless asked for */
    float *log_probabilities;
    heed_token_score *likely; /* (count, settings->log_probabilities) */
} heed_prompt_report;

typedef struct heed_generation {
    heed_generated *items; /* (prompts, settings->returned) */
    size_t count;
    heed_prompt_report *prompts;
    size_t prompt_count;
} heed_generation;
void heed_generation_free(heed_generation *generation);

/* Called while tokens come. Text is complete UTF-8 and never part of a stop string. Beams give
   their text at the end. Any may be NULL. */
typedef struct heed_generation_events {
    void (*text)(void *argument, size_t prompt, size_t number, const char *text, size_t length);
    void (*finished)(void *argument, const heed_generated *item);
    bool (*cancelled)(void *argument); /* asked once a step; true ends with HEED_E_CANCELLED */
    void *argument;
} heed_generation_events;

/* What writes, and how. Borrowed. */
typedef struct heed_generator {
    heed_session *session;
    const heed_tokenizer *tokenizer; /* NULL: no text; stop strings then are HEED_E_ARG */
    const heed_generation_settings *settings;
} heed_generator;

/* Sequences of the session that one prompt takes at most. The more sequences the session has, the
   more prompts are answered at once. */
int64_t heed_generate_sequences(const heed_generation_settings *settings);

/* Writes settings->returned sequences for each of `count` prompts; events may be NULL. The
   session's sequences decide how many are written at once. The session must hold none when called
   and holds none afterwards. If the prompts of a decoder begin alike, what they share is read once,
   provided that it fills a page of the cache and that the session has a sequence to spare.
   *generation is zeroed first. Free it in every case: on failure it holds what was finished before.
   HEED_E_ARG: a prompt that is empty or, unless settings->truncate, longer than the context. */
heed_status heed_generate(const heed_generator *generator, const heed_ids *prompts, size_t count,
                          const heed_generation_events *events, heed_generation *generation,
                          heed_error *error);
/* The same for one prompt of a decoder that may begin with what `prefix` keeps: only the rest is
   read. Afterwards the prefix keeps the prompt and the first sequence written, as far as they were
   read; with beams it stays as it was. The session needs one sequence for the prefix besides those
   for writing. */
heed_status heed_generate_from(const heed_generator *generator, heed_prefix *prefix,
                               const heed_ids *prompt, const heed_generation_events *events,
                               heed_generation *generation, heed_error *error);

#endif
