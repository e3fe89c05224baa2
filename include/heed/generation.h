/* heed/generation.h: what can be asked of a generation, what goes in and what comes out. The
   functions stand in heed.h. */
#ifndef HEED_GENERATION_H
#define HEED_GENERATION_H

#include <heed/optional.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is 0 or not set is what generation_config.json says, else what the comment says. */
typedef struct heed_generation_options {
    heed_optional_int max_new_tokens; /* at least 1; else to the end of the context */
    heed_optional_int min_new_tokens; /* 0 */
    int64_t context;                  /* positions that a sequence can have; 0: the model's */
    heed_optional_real temperature; /* 0 takes the likeliest token each time, and is the default */
    heed_optional_real top_p, typical_p;                  /* 1: off */
    heed_optional_real min_p, epsilon_cutoff, eta_cutoff; /* 0: off */
    heed_optional_int top_k, no_repeat_ngram;             /* 0: off */
    heed_optional_real repeat_penalty, length_penalty;    /* 1 */
    /* subtracted once, or for each time, that a token was written; 0 */
    heed_optional_real presence_penalty, frequency_penalty;
    /* logit bias: bias_values[i] is added to the score of bias_ids[i] */
    const int32_t *bias_ids;
    const float *bias_values;
    size_t bias_count;
    int64_t beams;    /* 0: 1, which is none */
    int64_t returned; /* sequences for each prompt; 0: 1 */
    /* truncate: an over-long prompt keeps its end instead of being an error */
    bool early_stopping, truncate;
    /* report log-probabilities, and at each place those of so many of the likeliest tokens; not
       set: none */
    heed_optional_int log_probabilities;
    heed_optional_int seed;  /* not set: from the clock, in seconds */
    const char *const *stop; /* strings that end a text */
    size_t stop_count;
    const int32_t *const *bad_words; /* id sequences that must not be written */
    const size_t *bad_word_lengths;
    size_t bad_word_count;
    /* Texts that must not be written, whatever tokens spell them; also in lower case, in UPPER
       case and with Capitals. They may begin in the prompt. */
    const char *const *bad_texts;
    size_t bad_text_count;
    bool ids_only; /* no text is made; stop strings are refused */
    /* a file that keeps what was read and written: a prompt that begins alike is not read again;
       NULL: none. One prompt of a decoder */
    const char *prompt_cache;
} heed_generation_options;

/* A prompt as text (with the model's special tokens) or, when text is NULL, as ids. */
typedef struct heed_prompt {
    const char *text;
    size_t length;
    const int32_t *ids;
    size_t count;
} heed_prompt;
typedef struct heed_prompts {
    const heed_prompt *items;
    size_t count;
} heed_prompts;
/* One of the likeliest tokens in a place. Fewer tokens than were asked for can be written where the
   options forbid others: the rest of the row is not set. */
typedef struct heed_candidate {
    bool set;
    int32_t id;
    float log_probability; /* nats */
} heed_candidate;

typedef struct heed_result {
    size_t prompt, number; /* which prompt; 0, 1 ... among its sequences */
    int32_t *ids;          /* new ids, the end-of-sequence id included if it came */
    size_t count;
    char *text; /* NULL with ids_only */
    size_t text_length;
    const char *finish;       /* "eos", "stop", "length", "context" */
    float *log_probabilities; /* (count), NULL unless asked for */
    heed_candidate *likely;   /* (count, log_probabilities of the options) */
    /* of beams: the sum of log-probabilities / length ^ length_penalty; else the sum, if
       log-probabilities were asked for */
    heed_optional_real score;
} heed_result;
typedef struct heed_prompt_result {
    size_t cut, count; /* ids left out at the beginning; ids used */
    int32_t *ids;      /* (count) */
    /* (count - 1), of ids[1] and those that follow, for nothing predicts the first; decoders only,
       NULL unless asked for */
    float *log_probabilities;
    heed_candidate *likely; /* (count - 1, log_probabilities of the options), in the same places */
} heed_prompt_result;
typedef struct heed_results {
    heed_result *items;
    size_t count;
    heed_prompt_result *prompts;
    size_t prompt_count;
} heed_results;

/* Callbacks of long tasks, on the thread that made the call; any may be NULL. cancelled is asked
   very often, between the parts of a step too, and has to be cheap: true ends the task with
   HEED_E_CANCELLED. */
typedef struct heed_hooks {
    /* complete UTF-8, as it comes */
    void (*text)(void *argument, size_t prompt, size_t number, const char *text, size_t length);
    void (*progress)(void *argument, int64_t done, int64_t total);
    bool (*cancelled)(void *argument);
    void *argument;
} heed_hooks;

#endif
