/* heed/generation.h: the options, prompts, results and callbacks of a generation. The functions
   are in heed.h. */
#ifndef HEED_GENERATION_H
#define HEED_GENERATION_H

#include <heed/optional.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How new tokens are chosen and when a sequence ends. Names and meanings are those of transformers'
   GenerationConfig. A number that is 0 or not set takes the value of the model's
   generation_config.json; if that file does not have it, it takes the default that stands in the
   comment. All pointers are borrowed for the call. */
typedef struct heed_generation_options {
    heed_optional_int max_new_tokens; /* at least 1; default: until the context is full */
    heed_optional_int min_new_tokens; /* default 0 */
    int64_t context; /* the most tokens of a sequence, with its prompt; 0: the model's context */
    /* 0 takes the most likely token each time and is the default; above 0, tokens are drawn */
    heed_optional_real temperature;
    heed_optional_real top_p, typical_p;                  /* default 1, which is off */
    heed_optional_real min_p, epsilon_cutoff, eta_cutoff; /* default 0, which is off */
    heed_optional_int top_k, no_repeat_ngram;             /* default 0, which is off */
    heed_optional_real repeat_penalty, length_penalty;    /* default 1 */
    /* Subtracted from the scores of tokens that were written: the first once, the second once for
       each time that the token was written. Default 0, which is off. */
    heed_optional_real presence_penalty, frequency_penalty;
    /* (bias_count) logit bias: bias_values[i] is added to the score of token bias_ids[i] */
    const int32_t *bias_ids;
    const float *bias_values;
    size_t bias_count;
    int64_t beams;    /* beams of beam search; default 1: no beam search */
    int64_t returned; /* sequences returned for each prompt; default 1 */
    /* early_stopping: beam search ends as soon as it has as many finished sequences as beams; if
       false, the model's generation_config.json decides.
       truncate: a prompt longer than the context loses its beginning instead of being an error. */
    bool early_stopping, truncate;
    /* How many of the most likely tokens are reported at each place, with their log-probabilities.
       0: the log-probability of the written token alone. Not set: no log-probabilities. */
    heed_optional_int log_probabilities;
    heed_optional_int seed;  /* of the random draws, 0 or more; not set: the clock, in seconds */
    const char *const *stop; /* (stop_count) strings that end a sequence; its text ends before */
    size_t stop_count;
    /* (bad_word_count) sequences of ids that must not be written, and their lengths */
    const int32_t *const *bad_words;
    const size_t *bad_word_lengths;
    size_t bad_word_count;
    /* (bad_text_count) Texts that must not be written, whatever tokens spell them. Lower case,
       upper case and capitalized words are forbidden too. A text may begin in the prompt. */
    const char *const *bad_texts;
    size_t bad_text_count;
    bool ids_only; /* return ids without text; stop strings are then HEED_E_ARG */
    /* Path of a file that keeps what was read and written, so that a later prompt which begins
       alike is not read again. The file is made if it does not exist. NULL: none. It needs a
       decoder, one prompt, no beams and no log-probabilities. */
    const char *prompt_cache;
} heed_generation_options;

/* A prompt as text or, if text is NULL, as ids. The tokenizer adds the model's special tokens to a
   text; ids are used as they are. Both are borrowed. */
typedef struct heed_prompt {
    const char *text;
    size_t length; /* bytes of text */
    const int32_t *ids;
    size_t count; /* number of ids */
} heed_prompt;
typedef struct heed_prompts {
    const heed_prompt *items; /* (count) */
    size_t count;
} heed_prompts;
/* One of the most likely tokens at a place. `set` is false in the rest of a row if the options
   allow fewer tokens than were asked for. */
typedef struct heed_candidate {
    bool set;
    int32_t id;
    float log_probability; /* nats */
} heed_candidate;

/* One returned sequence. J is log_probabilities of the options. */
typedef struct heed_result {
    size_t prompt, number; /* index of the prompt; number among its sequences, from 0 */
    int32_t *ids;          /* (count) new ids, with the end-of-sequence id if it was written */
    size_t count;
    char *text; /* ends with a NUL after text_length bytes; NULL with ids_only */
    size_t text_length;
    /* why it ended: "eos", "stop", "length" (as many tokens as asked for) or "context" (the context
       is full); static storage */
    const char *finish;
    float *log_probabilities; /* (count) in nats; NULL unless asked for */
    heed_candidate *likely;   /* (count,J), the most likely first; NULL if J is 0 or not set */
    /* With beams: sum of log-probabilities / length ^ length_penalty. Else the sum, set if
       log_probabilities is set. */
    heed_optional_real score;
} heed_result;
/* What is reported of a prompt. No number belongs to its first id, which nothing predicts. */
typedef struct heed_prompt_result {
    size_t cut, count; /* ids left out at the beginning; ids used */
    int32_t *ids;      /* (count) ids used */
    /* (count - 1) entry i belongs to ids[i + 1]; in nats. Decoders only; NULL unless asked for. */
    float *log_probabilities;
    heed_candidate *likely; /* (count - 1,J) in the same order */
} heed_prompt_result;
/* The results own their arrays and texts. Free them with heed_results_free. */
typedef struct heed_results {
    heed_result *items; /* (count) in the order of the prompts */
    size_t count;
    heed_prompt_result *prompts; /* (prompt_count) */
    size_t prompt_count;
} heed_results;

/* Callbacks of tasks that may take long. Any may be NULL. They run on the thread that made the
   call. */
typedef struct heed_hooks {
    /* Receives new text of sequence `number` of a prompt as it is written: `length` bytes of
       complete UTF-8, borrowed, not NUL-terminated. Generation and chat call it. */
    void (*text)(void *argument, size_t prompt, size_t number, const char *text, size_t length);
    /* Tells how much of the task is done. heed.h says at each function what is counted. */
    void (*progress)(void *argument, int64_t done, int64_t total);
    /* Returns whether to stop; the task then fails with HEED_E_CANCELLED. It is called very often,
       within steps too, and has to be cheap. */
    bool (*cancelled)(void *argument);
    void *argument; /* first argument of the callbacks */
} heed_hooks;

#endif
