/* options.h: the options of a run: their JSON form (RUN/run.json), checks, and lengths like
   "3e". */
#ifndef HEED_TRAIN_OPTIONS_H
#define HEED_TRAIN_OPTIONS_H

#include "base/json.h"
#include "base/memory.h"
#include <heed/train.h>

/* Unit of --max-steps. */
typedef enum heed_length_unit {
    HEED_LENGTH_STEPS,
    HEED_LENGTH_EPOCHS,
    HEED_LENGTH_TOKENS
} heed_length_unit;
typedef struct heed_length {
    double value;
    heed_length_unit unit;
} heed_length;
/* Reads "2000" (updates), "1.5e" (epochs) or "2000000t" (tokens). Errors: HEED_E_ARG for anything
   else. */
heed_status heed_length_parse(heed_length *length, const char *text, heed_error *error);

/* The options of a run as in RUN/run.json: every option has a value. The members are those of
   heed_train_options; -1 means that the trainer still has to choose. */
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

/* Merges the options that somebody chose with the defaults. Only this function turns public options
   into those of a run. Strings are borrowed. Errors: HEED_E_ARG names a number that is out of
   range. */
heed_status heed_run_options_from(heed_run_options *run, const heed_train_options *options,
                                  heed_error *error);
/* Copies options; the strings of the copy live in the arena. */
heed_status heed_run_options_copy(heed_run_options *copy, const heed_run_options *options,
                                  heed_arena *arena, heed_error *error);
/* Checks ranges and contradictions before any file is opened. Errors: HEED_E_ARG. */
heed_status heed_run_options_check(const heed_run_options *options, heed_error *error);
/* Writes every option except `out` and `stop_at`, with absolute file names. */
heed_status heed_run_options_write(const heed_run_options *options, const char *path,
                                   heed_error *error);
/* Reads what heed_run_options_write wrote; strings live in the arena. Errors: HEED_E_FORMAT names a
   member that is missing or has another type. */
heed_status heed_run_options_read(heed_run_options *options, const char *path, heed_arena *arena,
                                  heed_error *error);

/* How a resumed training differs from what it was started with. */
typedef struct heed_train_extension {
    bool any, data, valid, length; /* any: something differs; then which options */
    const char *max_steps;         /* value with which the run was started */
    /* to be compared with the template that the run keeps; NULL: nothing to compare */
    const char *template_file;
} heed_train_extension;
/* Copies options that were chosen in `changes` and may change into the options of a run. Errors:
   HEED_E_ARG names an option that may not change, and the value with which the run was started.
   Strings are borrowed. */
heed_status heed_run_options_extend(heed_run_options *run, const heed_train_options *changes,
                                    heed_train_extension *extension, heed_error *error);

#endif
