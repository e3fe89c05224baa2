/* heed/train.h: the options, callbacks and report of a training. The functions, heed_train and
   heed_resume_training, are in heed.h. */
#ifndef HEED_TRAIN_H
#define HEED_TRAIN_H

#include <heed/optional.h>
#include <heed/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default) /* what the shared library exports */
#endif

/* The options of a training. Each is named as its flag of `heed train` (learning_rate:
   --learning-rate). `data` and `out` must be given. Any other option that is NULL, 0 or not set
   takes the default that stands in its comment. All strings and arrays are borrowed for the
   call. */
typedef struct heed_train_options {
    /* data */
    /* (data_count) .txt, .jsonl, .tsv or .bin files, or folders of them; a .jsonl file holds texts,
       pairs or conversations */
    const char *const *data;
    size_t data_count;
    const char *const *valid; /* (valid_count) files on which eval_loss is measured; NULL: none */
    size_t valid_count;
    /* data, and valid if given, name two files each: line i of the second is the translation of
       line i of the first; for mlm it is the second text of a pair (token type 1) */
    bool pairs;
    /* the run folder, which receives log.jsonl, loss.svg, checkpoint-STEP/, last and best; it must
       not hold a training already */
    const char *out;
    /* "char", a folder with a tokenizer, or a tokenizer.json. NULL: the tokenizer of `init`, else
       "char"; for .bin data none. */
    const char *tokenizer;
    /* How conversations become text: a Jinja file, the name of one of the tokenizer's templates, or
       "none", which takes prompts and completions as they are. NULL: the tokenizer's default, or
       its "tool_use" for conversations with tools. */
    const char *template_file;
    /* the present time for templates that ask for it, in seconds since 1970; not set: the time when
       the training begins */
    heed_optional_int template_time;
    /* "clm", "mlm" or "seq2seq"; NULL: as the model's arrangement asks */
    const char *objective;
    /* model: at most one of init, config and family */
    const char *init; /* a model to fine-tune */
    /* config.json of a new model; its vocabulary must be as large as the tokenizer's */
    const char *config;
    /* architecture of a new model: "heed", "gpt2", "llama", "bert" or "transformer"; NULL: "heed",
       for seq2seq "transformer", for mlm "bert" */
    const char *family;
    /* sizes of a new model of a family; the defaults are 4, 128, d_model / 32, as many as heads,
       and what the family computes from d_model */
    int64_t layers, d_model, heads, kv_heads, d_ff;
    /* T, the tokens of a row; 0: 256, or what init or config say, but at most 1024 for
       conversations */
    int64_t context;
    /* length of the training */
    const char *max_steps; /* "2000" updates, "3e" epochs or "2000000t" tokens; NULL: "1e" */
    /* packed rows of T tokens, or pairs, in one run of the model; 0: 16 rows, or 32 pairs */
    int64_t batch_size;
    int64_t gradient_accumulation_steps; /* runs of the model in one update; 0: 1 */
    /* write a checkpoint after this update and end, as if interrupted; not set: never */
    heed_optional_int stop_at;
    /* update rule */
    const char *optimizer; /* "adamw", "adam" or "sgd"; NULL: "adamw" */
    /* the highest rate; default 1e-3 for adamw and adam (5e-5 with init), 0.1 for sgd */
    heed_optional_real learning_rate;
    heed_optional_real weight_decay;  /* default 0.1 for adamw, else 0 */
    bool decay_all;                   /* biases and norms decay too */
    heed_optional_real adam_beta1;    /* default 0.9 */
    heed_optional_real adam_beta2;    /* default 0.95 for clm, else 0.999 */
    heed_optional_real adam_epsilon;  /* default 1e-8 */
    heed_optional_real momentum;      /* sgd only; default 0 */
    bool nesterov, amsgrad;           /* variants of sgd with momentum, and of adam and adamw */
    heed_optional_real max_grad_norm; /* gradients are clipped to this norm; default 1; 0: never */
    /* schedule, by update */
    const char *lr_scheduler_type;   /* a name of transformers; NULL: cosine with 5 % warm-up */
    heed_optional_int warmup_steps;  /* updates of the warm-up; default warmup_ratio of all */
    heed_optional_real warmup_ratio; /* default 0.05 without lr_scheduler_type, else 0 */
    /* updates in which the rate falls; warmup_stable_decay only; default a fifth of all */
    heed_optional_int decay_steps;
    /* lowest rate as a share of the highest; default 0.1 for cosine_with_min_lr, 0 for
       warmup_stable_decay */
    heed_optional_real min_lr_rate;
    /* regularization and precision */
    heed_optional_real dropout;         /* rate; not set: as the configuration says */
    heed_optional_real label_smoothing; /* default 0 */
    /* Matmuls read bf16 operands. Weights, sums and everything else stay f32. The bf16 working copy
       takes 4 more bytes per weight. */
    bool bf16;
    /* keep only the ends of layers for the backward pass, and compute the other values again */
    bool gradient_checkpointing;
    heed_optional_int seed; /* of weights, order of data and dropout; default 1 */
    /* what is written when, counted in updates */
    /* updates from one evaluation to the next; default a tenth of all; 0: only at the end */
    heed_optional_int eval_steps;
    /* updates from one checkpoint to the next; default as evaluations, or a tenth of all without
       `valid`; 0: only at the end */
    heed_optional_int save_steps;
    int64_t logging_steps; /* updates from one line of the log to the next; 0: 1 */
    /* checkpoints that are kept besides best and last; 0: all. Default: all if save_steps is set,
       else the larger of 2 and average_last. */
    heed_optional_int save_total_limit;
    /* K above 1: the run folder gets `average`, the mean of the last K checkpoints; not set:
       none */
    heed_optional_int average_last;
} heed_train_options;

/* What is known before the first update. Strings are borrowed for the callback. */
typedef struct heed_train_summary {
    const char *model_type, *objective;
    size_t parameters;       /* numbers in all weights */
    size_t parameter_bytes;  /* memory of weights, gradients and optimizer state */
    size_t activation_bytes; /* memory that one run of the model needs besides */
    /* memory that this machine or container has left; not set: unknown */
    heed_optional_int free_bytes;
    int64_t steps, first_step; /* updates of the whole training; updates done before this call */
    int64_t tokens_per_epoch, valid_tokens; /* tokens of the training and the validation data */
    double epochs;                          /* of the whole training */
    bool conversations;       /* the data are conversations that a chat template lays out */
    const char *const *notes; /* (note_count) sentences for the user */
    size_t note_count;
} heed_train_summary;

/* Where the training stands after an update. */
typedef struct heed_train_progress {
    int64_t step, steps; /* finished updates; updates of the whole training */
    double epoch;        /* finished epochs, with the part of the current one */
    /* Loss of this update in nats per label, its learning rate, and the norm of its gradient before
       clipping. Not set if a resumed training only made up for an evaluation. */
    heed_optional_real loss, learning_rate, grad_norm;
    double tokens_per_second; /* tokens that the model read, averaged over recent updates */
    double seconds_left;      /* estimate until the end of this call */
    /* loss in nats per label over all validation data; set if this update was evaluated */
    heed_optional_real eval_loss;
    heed_optional_real best_eval_loss; /* the lowest so far; set after the first evaluation */
    const char *saved;                 /* not NULL if a checkpoint was written after this update */
} heed_train_progress;

/* The callbacks of a training. Any may be NULL. They are called on the caller's thread. */
typedef struct heed_train_watcher {
    void *context; /* first argument of the callbacks */
    /* Called while texts are tokenized; done and total count bytes. */
    void (*tokenizing)(void *context, size_t done, size_t total);
    /* Called once before the first update. */
    void (*begun)(void *context, const heed_train_summary *summary);
    /* Called after each update. */
    void (*step)(void *context, const heed_train_progress *progress);
    /* Called during an evaluation; done and total count packed rows, or pairs. */
    void (*evaluating)(void *context, size_t done, size_t total);
    /* Returns whether to stop. The training then writes a checkpoint of the last finished update
       and fails with HEED_E_CANCELLED. It is called very often, within runs and while the training
       is set up, and has to be cheap. */
    bool (*should_stop)(void *context);
    /* Receives a sentence about a failure that does not end the training; borrowed. */
    void (*trouble)(void *context, const char *text);
} heed_train_watcher;

/* The result of a training. A number is not set if it was not measured. */
typedef struct heed_train_report {
    int64_t steps; /* finished updates of the whole training */
    /* losses in nats per label: mean of the last tenth of this call's updates; last and lowest
       evaluation */
    heed_optional_real loss, eval_loss, best_eval_loss;
    heed_optional_int best_step;       /* the update of best_eval_loss */
    double seconds, tokens_per_second; /* duration and mean speed of this call */
} heed_train_report;

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
