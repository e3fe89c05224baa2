/* settings.h: everything that decides how tokens are chosen and when writing ends. Built-in values,
   then generation_config.json over them, then the caller's fields (flags). Names and meanings are
   those of transformers' GenerationConfig. */
#ifndef HEED_GENERATE_SETTINGS_H
#define HEED_GENERATE_SETTINGS_H

#include "base/buffer.h"
#include "generate/bad_texts.h"
#include "model/config.h"

typedef struct heed_id_list {
    int32_t *ids;
    size_t count;
} heed_id_list;

/* Sequences of ids laid end to end: sequence i is ids[ends[i-1] .. ends[i]); weights[i] only where
   they have a meaning. */
typedef struct heed_id_table {
    int32_t *ids;
    size_t *ends;
    float *weights;
    size_t count, id_capacity, end_capacity, weight_capacity;
} heed_id_table;
/* false: out of memory */
bool heed_id_table_add(heed_id_table *table, const int32_t *ids, size_t count, float weight);
void heed_id_table_free(heed_id_table *table);

typedef enum heed_early_stopping {
    HEED_EARLY_HEURISTIC,
    HEED_EARLY_ALWAYS,
    HEED_EARLY_NEVER
} heed_early_stopping;

typedef struct heed_generation_settings {
    /* length, in tokens */
    int64_t max_new_tokens; /* 0: by max_length */
    /* with the prompt, or the decoder start; 0: as long as the context allows */
    int64_t max_length;
    int64_t min_new_tokens, min_length;
    /* how the next token is chosen */
    bool sample; /* else the most likely token */
    uint64_t seed;
    double temperature;
    int64_t top_k;                     /* 0: off */
    double top_p;                      /* 1: off */
    double min_p;                      /* 0: off */
    double top_h;                      /* 0: off */
    double typical_p;                  /* 1: off */
    double epsilon_cutoff, eta_cutoff; /* 0: off */
    /* what is made less or more likely, or forbidden */
    double repetition_penalty, encoder_repetition_penalty; /* 1: off */
    /* 0: off; subtracted once, or for each time, that a token was written */
    double presence_penalty, frequency_penalty;
    int64_t no_repeat_ngram, encoder_no_repeat_ngram; /* 0: off */
    heed_id_table bad_words;
    heed_bad_texts *bad_texts;   /* owned; NULL: none */
    heed_id_table sequence_bias; /* weights are added to the last token of each sequence */
    heed_id_list suppress, begin_suppress;
    int64_t forced_bos;      /* -1: none */
    heed_id_list forced_eos; /* written as the last token that the length allows */
    bool remove_invalid;     /* NaN and infinities become numbers */
    bool renormalize;
    int64_t decay_start; /* exponential decay length penalty; -1: off */
    double decay_factor;
    /* beams */
    int64_t beams; /* 1: none */
    double length_penalty;
    heed_early_stopping early_stopping;
    /* what is returned */
    int64_t returned; /* sequences for each prompt */
    /* most likely tokens reported at each place; 0: of the tokens alone; -1: none */
    int64_t log_probabilities;
    /* a prompt longer than the context keeps its end, else it is an error */
    bool truncate;
    /* strings that end a sequence; they and what follows are not part of the text */
    char **stop;
    size_t stop_count;
    /* ids with a part; -1: none */
    int64_t bos, pad, decoder_start;
    heed_id_list eos;
    heed_buffer notes; /* lines about values of the file that have no effect here */
} heed_generation_settings;

/* Built-in values: greedy, nothing penalized, no length but the context's. Free with
   heed_generation_settings_free in every case. */
void heed_generation_settings_default(heed_generation_settings *settings);
void heed_generation_settings_free(heed_generation_settings *settings);

/* Built-in values, then folder/generation_config.json, or without one what config.json says; ids
   that neither names come from `config`. HEED_E_FORMAT and HEED_E_UNSUPPORTED name file, field,
   value and what is expected. */
heed_status heed_generation_settings_load(heed_generation_settings *settings, const char *folder,
                                          const heed_config *config, heed_error *error);
/* The same from what was read before; NULL: from `config` alone. */
typedef struct heed_sidecar heed_sidecar;
heed_status heed_generation_settings_from(heed_generation_settings *settings,
                                          const heed_sidecar *sidecar, const heed_config *config,
                                          heed_error *error);
/* Is this a member of transformers' GenerationConfig, and one that bears on what is written? */
bool heed_generation_has_key(const char *key);
bool heed_generation_has_effect(const char *key);
/* The same from a parsed object over what `settings` holds; `where` begins the messages. */
heed_status heed_generation_settings_read(heed_generation_settings *settings, const json_t *json,
                                          const char *where, heed_error *error);
/* Ranges and combinations, against a vocabulary of V tokens. HEED_E_ARG or HEED_E_UNSUPPORTED
   naming the setting. */
heed_status heed_generation_settings_check(const heed_generation_settings *settings,
                                           const heed_config *config, heed_error *error);
/* Adds to lists. HEED_E_NOMEM. */
heed_status heed_generation_settings_add_stop(heed_generation_settings *settings, const char *text,
                                              heed_error *error);
heed_status heed_id_list_set(heed_id_list *list, const int32_t *ids, size_t count,
                             heed_error *error);
bool heed_id_list_has(const heed_id_list *list, int64_t id);

#endif
