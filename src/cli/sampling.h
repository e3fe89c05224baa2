/* sampling.h: the options of generate, chat, translate and eval --pairs that choose tokens. */
#ifndef HEED_CLI_SAMPLING_H
#define HEED_CLI_SAMPLING_H

#include "options.h"
#include "text.h"

#include <heed/heed.h>

typedef struct heed_cli_sampling_options {
    heed_generation_options how;     /* numbers and flags */
    heed_cli_option_list logit_bias; /* texts of --logit-bias */
    const char *bad_words;           /* path of --bad-words; NULL if it was not given */
} heed_cli_sampling_options;

/* The rows of an option table for a struct that has the member `sampling`. The table is in
   shared.c. */
#define HEED_CLI_SAMPLING_ROWS(type)                                                               \
    HEED_CLI_OPTION(                                                                               \
        type, sampling.how.temperature, "temp", 0, HEED_CLI_AMOUNT, "X",                           \
        "Temperature; 0 (default, unless do_sample is set) takes the most likely token "           \
        "each time."),                                                                             \
        HEED_CLI_OPTION(                                                                           \
            type, sampling.how.top_k, "top-k", 0, HEED_CLI_NATURAL, "K",                           \
            "Sample among the K most likely tokens; 0 (default) is off (transformers: 50)."),      \
        HEED_CLI_OPTION(type, sampling.how.top_p, "top-p", 0, HEED_CLI_AMOUNT, "P",                \
                        "Sample among the fewest tokens with total probability P."),               \
        HEED_CLI_OPTION(type, sampling.how.min_p, "min-p", 0, HEED_CLI_AMOUNT, "P",                \
                        "Leave out tokens less likely than P times the likeliest."),               \
        HEED_CLI_OPTION(type, sampling.how.typical_p, "typical-p", 0, HEED_CLI_AMOUNT, "P",        \
                        "Sample among the most typical tokens with total probability P."),         \
        HEED_CLI_OPTION(type, sampling.how.epsilon_cutoff, "epsilon-cutoff", 0, HEED_CLI_AMOUNT,   \
                        "P", "Leave out tokens less likely than P."),                              \
        HEED_CLI_OPTION(type, sampling.how.eta_cutoff, "eta-cutoff", 0, HEED_CLI_AMOUNT, "P",      \
                        "The same with a bound that falls with the entropy."),                     \
        HEED_CLI_OPTION(                                                                           \
            type, sampling.how.presence_penalty, "presence-penalty", 0, HEED_CLI_NUMBER, "X",      \
            "Subtract X from the scores of tokens that were written, not the prompt's."),          \
        HEED_CLI_OPTION(type, sampling.how.frequency_penalty, "frequency-penalty", 0,              \
                        HEED_CLI_NUMBER, "X",                                                      \
                        "Subtract X for each time that a token was written."),                     \
        HEED_CLI_OPTION(type, sampling.logit_bias, "logit-bias", 0, HEED_CLI_LIST, "ID=X",         \
                        "Add X to the score of a token id, as in 15=-2.5."),                       \
        HEED_CLI_OPTION(type, sampling.how.repeat_penalty, "repeat-penalty", 0, HEED_CLI_AMOUNT,   \
                        "X",                                                                       \
                        "Above 1: make tokens that occurred, in the prompt too, less likely."),    \
        HEED_CLI_OPTION(type, sampling.how.no_repeat_ngram, "no-repeat-ngram", 0,                  \
                        HEED_CLI_NATURAL, "N", "No N tokens in a row occur twice; 0 is off."),     \
        HEED_CLI_OPTION(type, sampling.how.min_new_tokens, "min-new-tokens", 0, HEED_CLI_NATURAL,  \
                        "N", "The end of sequence cannot come before N new tokens."),              \
        HEED_CLI_OPTION(type, sampling.bad_words, "bad-words", 0, HEED_CLI_TEXT, "FILE",           \
                        "Texts that must not be written, one a line: whatever tokens spell them, " \
                        "within words too, in any case (or a JSON array of ids)."),                \
        HEED_CLI_OPTION(type, sampling.how.beams, "beams", 0, HEED_CLI_POSITIVE, "K",              \
                        "Beam search over K hypotheses."),                                         \
        HEED_CLI_OPTION(type, sampling.how.length_penalty, "length-penalty", 0, HEED_CLI_NUMBER,   \
                        "X", "Beams: exponent of the length that scores are divided by."),         \
        HEED_CLI_OPTION(                                                                           \
            type, sampling.how.early_stopping, "early-stopping", 0, HEED_CLI_FLAG, NULL,           \
            "Beams: stop as soon as K hypotheses have ended (default: when none can become "       \
            "better)."),                                                                           \
        HEED_CLI_OPTION(                                                                           \
            type, sampling.how.seed, "seed", 0, HEED_CLI_NATURAL, "S",                             \
            "Random numbers: the same seed gives the same text (default: the clock, in "           \
            "seconds)."),                                                                          \
        HEED_CLI_OPTION(                                                                           \
            type, sampling.how.truncate, "truncate", 0, HEED_CLI_FLAG, NULL,                       \
            "A prompt longer than the context keeps its end instead of being an error.")

/* The lists that the library's options borrow. Starts as {0}. */
typedef struct heed_cli_sampling_words {
    bool read;       /* --bad-words has been read */
    int32_t **ids;   /* (count) bad words that are given as ids */
    size_t *lengths; /* (count) their lengths */
    size_t count, capacity;
    heed_cli_text_list texts; /* bad words that are given as text */
    int32_t *bias_ids;        /* --logit-bias */
    float *bias_values;
} heed_cli_sampling_words;
/* Translates the options of the command line into those of the library, which borrow `words`. Reads
   the file of --bad-words at the first call. Free `words` with heed_cli_sampling_free. */
heed_status heed_cli_sampling_apply(const heed_cli_sampling_options *sampling,
                                    heed_generation_options *options,
                                    heed_cli_sampling_words *words, heed_error *error);
void heed_cli_sampling_free(heed_cli_sampling_words *words);

#endif
