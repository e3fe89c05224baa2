/* settings.h: the settings that decide how tokens are chosen and when a sequence ends. They start
   from built-in values; generation_config.json changes these, and the caller's fields (flags) come
   last. Names and meanings are those of transformers' GenerationConfig. */
#ifndef HEED_GENERATE_SETTINGS_H
#define HEED_GENERATE_SETTINGS_H

#include "base/buffer.h"
#include "generate/bad_texts.h"
#include "model/config.h"

/* Token ids, owned. */
typedef struct heed_id_list {
    int32_t *ids;
    size_t count;
} heed_id_list;

/* Sequences of ids laid end to end: sequence i is ids[ends[i-1] .. ends[i]). weights[i] is its
   weight if the table has weights. */
typedef struct heed_id_table {
    int32_t *ids;
    size_t *ends;
    float *weights;
    size_t count, id_capacity, end_capacity, weight_capacity;
} heed_id_table;
/* Appends a sequence. Returns false if memory is out; the table is then as before. */
bool heed_id_table_add(heed_id_table *table, const int32_t *ids, size_t count, float weight);
void heed_id_table_free(heed_id_table *table);

/* When beam search ends although beams could go on, as transformers' early_stopping. */
typedef enum heed_early_stopping {
    /* false in transformers: when no running beam is likely to become better than the finished
       ones */
    HEED_EARLY_HEURISTIC,
    /* true: as soon as there are as many finished sequences as beams */
    HEED_EARLY_ALWAYS,
    /* "never": when no running beam can become better */
    HEED_EARLY_NEVER
} heed_early_stopping;

typedef struct heed_generation_settings {
    /* length, in tokens */
    int64_t max_new_tokens; /* 0: max_length decides */
    /* the most ids of a sequence, with the prompt or decoder start; 0: as many as the context
       allows */
    int64_t max_length;
    int64_t min_new_tokens, min_length;
    /* how the next token is chosen */
    bool sample; /* tokens are drawn; else the likeliest is taken */
    uint64_t seed;
    double temperature;
    int64_t top_k;                     /* 0: off */
    double top_p;                      /* 1: off */
    double min_p;                      /* 0: off */
    double top_h;                      /* 0: off */
    double typical_p;                  /* 1: off */
    double epsilon_cutoff, eta_cutoff; /* 0: off */
    /* tokens made less or more likely, or forbidden */
    double repetition_penalty, encoder_repetition_penalty; /* 1: off */
    /* 0: off. The first is subtracted once if a token was written, the second for each time. */
    double presence_penalty, frequency_penalty;
    int64_t no_repeat_ngram, encoder_no_repeat_ngram; /* 0: off */
    heed_id_table bad_words;
    heed_bad_texts *bad_texts;   /* owned; NULL for none */
    heed_id_table sequence_bias; /* weights are added to the last token of each sequence */
    heed_id_list suppress, begin_suppress;
    int64_t forced_bos;      /* -1 for none */
    heed_id_list forced_eos; /* forced as the last token that the length allows */
    bool remove_invalid;     /* NaN and infinities become finite numbers */
    bool renormalize;
    int64_t decay_start; /* exponential_decay_length_penalty; -1: off */
    double decay_factor;
    /* beams */
    int64_t beams; /* 1: no beam search */
    double length_penalty;
    heed_early_stopping early_stopping;
    /* what is returned */
    int64_t returned; /* sequences returned for each prompt */
    /* how many of the likeliest tokens are reported at each place; 0: the log-probability of the
       chosen token alone; -1: no log-probabilities */
    int64_t log_probabilities;
    /* a prompt longer than the context is cut to its end; else it is an error */
    bool truncate;
    /* strings that end a sequence; its text ends before them */
    char **stop;
    size_t stop_count;
    /* ids of special tokens; -1 for none */
    int64_t bos, pad, decoder_start;
    heed_id_list eos;
    heed_buffer notes; /* lines about members of the file that have no effect in heed */
} heed_generation_settings;

/* Sets the built-in values: greedy, nothing penalized, no length limit but the context. Free with
   heed_generation_settings_free in every case. */
void heed_generation_settings_default(heed_generation_settings *settings);
void heed_generation_settings_free(heed_generation_settings *settings);

/* Sets the built-in values, then those of folder/generation_config.json, or of config.json if the
   folder has no such file. Ids that neither names come from `config`.
   Errors: HEED_E_IO; HEED_E_FORMAT with file, field, value and what is expected; HEED_E_NOMEM. */
heed_status heed_generation_settings_load(heed_generation_settings *settings, const char *folder,
                                          const heed_config *config, heed_error *error);
/* Does the same from files that were read before; NULL: from `config` alone. */
typedef struct heed_sidecar heed_sidecar;
heed_status heed_generation_settings_from(heed_generation_settings *settings,
                                          const heed_sidecar *sidecar, const heed_config *config,
                                          heed_error *error);
/* Is this a member of transformers' GenerationConfig? And is it one that changes what is
   written? */
bool heed_generation_has_key(const char *key);
bool heed_generation_has_effect(const char *key);
/* Reads the members of a parsed object over the values of `settings`; `where` begins the messages.
   HEED_E_FORMAT. */
heed_status heed_generation_settings_read(heed_generation_settings *settings, const json_t *json,
                                          const char *where, heed_error *error);
/* Checks ranges, combinations and ids. HEED_E_ARG names the setting. */
heed_status heed_generation_settings_check(const heed_generation_settings *settings,
                                           const heed_config *config, heed_error *error);
/* Adds a stop string. HEED_E_ARG if it is empty or not valid UTF-8; HEED_E_NOMEM. */
heed_status heed_generation_settings_add_stop(heed_generation_settings *settings, const char *text,
                                              heed_error *error);
/* Replaces a list by a copy of ids (count). HEED_E_NOMEM. */
heed_status heed_id_list_set(heed_id_list *list, const int32_t *ids, size_t count,
                             heed_error *error);
bool heed_id_list_has(const heed_id_list *list, int64_t id);

#endif
