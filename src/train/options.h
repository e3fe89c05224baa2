/* options.h: the public options from inside: their JSON form (RUN/run.json), checks, lengths like
   "3e". */
#ifndef HEED_TRAIN_OPTIONS_H
#define HEED_TRAIN_OPTIONS_H

#include "base/json.h"
#include "base/memory.h"
#include <heed/train.h>

/* What --max-steps counts. */
typedef enum heed_length_unit {
    HEED_LENGTH_STEPS,
    HEED_LENGTH_EPOCHS,
    HEED_LENGTH_TOKENS
} heed_length_unit;
typedef struct heed_length {
    double value;
    heed_length_unit unit;
} heed_length;
/* "2000", "1.5e" (epochs), "2000000t" (tokens). HEED_E_ARG for anything else. */
heed_status heed_length_parse(heed_length *length, const char *text, heed_error *error);

/* The options of a run as RUN/run.json spells them: a number for every choice. The members are
   those of heed_train_options; -1 is what the trainer still has to choose. */
typedef struct heed_run_options {
    const char *const *data;
    size_t data_count;
    const char *const *valid;
    size_t valid_count;
    bool pairs;
    const char *out, *tokenizer, *template_file;
    int64_t template_time;
    const char *objective, *init, *config, *family;
    int64_t layers, d_model, heads, kv_heads, d_ff, context;
    const char *max_steps;
    int64_t batch_size, gradient_accumulation_steps, stop_at;
    const char *optimizer;
    double learning_rate, weight_decay;
    bool decay_all;
    double adam_beta1, adam_beta2, adam_epsilon, momentum;
    bool nesterov, amsgrad;
    double max_grad_norm;
    const char *lr_scheduler_type;
    int64_t warmup_steps;
    double warmup_ratio;
    int64_t decay_steps;
    double min_lr_rate, dropout, label_smoothing;
    bool bf16, gradient_checkpointing;
    int64_t seed, eval_steps, save_steps, logging_steps, save_total_limit, average_last;
} heed_run_options;

/* What somebody chose over the defaults: the one place where public options become those of a run.
   Strings stay where they are. HEED_E_ARG naming a number that is out of range. */
heed_status heed_run_options_from(heed_run_options *run, const heed_train_options *options,
                                  heed_error *error);
/* A copy whose strings live in the arena. */
heed_status heed_run_options_copy(heed_run_options *copy, const heed_run_options *options,
                                  heed_arena *arena, heed_error *error);
/* Ranges and contradictions, before any file is opened. */
heed_status heed_run_options_check(const heed_run_options *options, heed_error *error);
/* Every option but `out` and `stop_at`, file names made absolute. */
heed_status heed_run_options_write(const heed_run_options *options, const char *path,
                                   heed_error *error);
/* What write wrote; strings live in the arena. HEED_E_FORMAT naming the member that is missing or
   of another type. */
heed_status heed_run_options_read(heed_run_options *options, const char *path, heed_arena *arena,
                                  heed_error *error);

/* How a training that goes on differs from what it was started with. */
typedef struct heed_train_extension {
    bool any, data, valid, length; /* something; these options */
    const char *max_steps;         /* as the run was started with */
    const char *template_file;     /* to be held against the template that the run keeps; or NULL */
} heed_train_extension;
/* Puts what was chosen in `changes` into the options of a run, where it differs and may. HEED_E_ARG
   naming an option that may not, with what the run was started with. Strings stay where they
   are. */
heed_status heed_run_options_extend(heed_run_options *run, const heed_train_options *changes,
                                    heed_train_extension *extension, heed_error *error);

#endif
