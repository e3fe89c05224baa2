/* heed/train.h: training and fine-tuning: what can be asked for, and what is told on the way. The
   functions stand in heed.h. */
#ifndef HEED_TRAIN_H
#define HEED_TRAIN_H

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

/* Every choice of a training, named as its flag (learning_rate: --learning-rate). Begin with
   heed_train_defaults(); a number below 0 (a text NULL) means "choose": the rule stands beside it.
   All strings are borrowed for the call. */
typedef struct heed_train_options {
    /* data */
    /* .txt .jsonl .tsv .bin files, or folders; .jsonl holds texts, pairs or conversations */
    const char *const *data;
    size_t data_count;
    const char *const *valid; /* the same, to measure eval_loss on */
    size_t valid_count;
    /* data (and valid) are two aligned files: line i of the second translates line i of the
       first */
    bool pairs;
    const char *out; /* RUN: log.jsonl, loss.svg, checkpoint-STEP/, last, best */
    /* "char", or a folder or tokenizer.json; NULL: that of init, else char (none for .bin) */
    const char *tokenizer;
    /* How conversations become text: a Jinja file, the name of one of the tokenizer's templates, or
       "none": prompts and completions as they are. NULL: the tokenizer's default, and its
       "tool_use" for conversations with tools. */
    const char *template_file;
    /* the present, for templates that ask: seconds since 1970; < 0: when the training begins */
    int64_t template_time;
    const char *objective; /* clm, mlm, seq2seq; NULL: as the model's arrangement asks */
    /* model: one of init, config, family */
    const char *init; /* model folder to go on from */
    /* config.json of a new model; its vocabulary must hold the tokenizer's */
    const char *config;
    /* heed, gpt2, llama, bert, transformer; NULL: heed, transformer for seq2seq, bert for mlm */
    const char *family;
    /* of a family; < 0: 4, 128, d_model / 32, heads, the family's rule */
    int64_t layers, d_model, heads, kv_heads, d_ff;
    int64_t context; /* T; < 0: 256, or what init or config say */
    /* length of the training */
    const char *max_steps; /* "2000" updates, "3e" epochs, "2000000t" tokens; NULL: "1e" */
    /* packed rows of T tokens, or pairs, in one run of the model; < 0: 16 rows, 32 pairs */
    int64_t batch_size;
    int64_t gradient_accumulation_steps; /* runs in one update */
    /* finish after this update, with a checkpoint, as if interrupted; < 0: never */
    int64_t stop_at;
    /* update rule */
    const char *optimizer; /* adamw, adam, sgd */
    double learning_rate;  /* < 0: 1e-3 (init: 5e-5) for adamw and adam, 0.1 for sgd */
    double weight_decay;   /* < 0: 0.1 for adamw, else 0 */
    bool decay_all;        /* biases and norms decay too */
    double adam_beta1, adam_beta2, adam_epsilon; /* beta2 < 0: 0.95 for clm, else 0.999 */
    double momentum;                             /* sgd */
    bool nesterov, amsgrad;
    double max_grad_norm; /* 0: no clipping */
    /* schedule */
    const char *lr_scheduler_type; /* NULL: cosine with 5 % warm-up */
    int64_t warmup_steps;          /* < 0: warmup_ratio of all steps */
    double warmup_ratio;           /* < 0: 0.05 without lr_scheduler_type, else 0 */
    int64_t decay_steps;           /* warmup_stable_decay; < 0: a fifth of all steps */
    /* cosine_with_min_lr, warmup_stable_decay: lowest rate as a share of the highest; < 0: 0.1 and
       0 */
    double min_lr_rate;
    /* regularization and precision */
    double dropout; /* < 0: as the configuration says */
    double label_smoothing;
    /* products read operands rounded to bf16; weights, sums and everything else stay f32, and 4
       bytes more a weight hold it rounded */
    bool bf16;
    bool gradient_checkpointing; /* keep only the ends of layers, compute the rest again */
    int64_t seed;
    /* what is written when; counted in updates */
    int64_t eval_steps; /* < 0: ten times in all; 0: at the end only */
    /* < 0: at each evaluation (or ten times in all); 0: at the end only */
    int64_t save_steps;
    int64_t logging_steps;
    int64_t save_total_limit; /* checkpoints kept beside best and last; 0: all */
    int64_t average_last;     /* K > 1: RUN/average is the mean of the last K checkpoints */
    /* The flags that somebody gave, as "learning-rate". What differs from heed_train_defaults() is
       chosen in every case; this list is for choices that do not. */
    const char *const *given;
    size_t given_count;
} heed_train_options;

heed_train_options heed_train_defaults(void);

/* Known before the first update. */
typedef struct heed_train_summary {
    const char *model_type, *objective;
    size_t parameters;         /* numbers */
    size_t parameter_bytes;    /* weights, gradients and optimizer state */
    size_t activation_bytes;   /* what one run needs beside them */
    size_t free_bytes;         /* memory that this machine (or container) has left; 0: unknown */
    int64_t steps, first_step; /* updates of the whole training, and how many were done before */
    int64_t tokens_per_epoch, valid_tokens;
    double epochs;
    bool conversations;       /* answers are learned, as a chat template lays them out */
    const char *const *notes; /* sentences for the user */
    size_t note_count;
} heed_train_summary;

typedef struct heed_train_progress {
    int64_t step, steps; /* finished updates, of */
    double epoch;
    double loss; /* nats per label, of this update; NaN where an evaluation alone was made up for */
    double learning_rate, grad_norm; /* norm before clipping */
    double tokens_per_second;        /* read by the model, over the last seconds */
    double seconds_left;
    /* nats per label over all of the validation data; NaN when this update has none */
    double eval_loss;
    double best_eval_loss; /* NaN when there is none yet */
    const char *saved;     /* checkpoint just written, or NULL */
} heed_train_progress;

/* All may be NULL. They are called on the caller's thread. */
typedef struct heed_train_watcher {
    void *context;
    void (*tokenizing)(void *context, size_t done, size_t total);
    void (*begun)(void *context, const heed_train_summary *summary);
    void (*step)(void *context, const heed_train_progress *progress);
    void (*evaluating)(void *context, size_t done, size_t total);
    /* Asked very often, within runs and while the training is set up, so it has to be cheap. True:
       a checkpoint of the last finished update is written, then HEED_E_CANCELLED. */
    bool (*should_stop)(void *context);
    /* A sentence about what went wrong without ending the training. */
    void (*trouble)(void *context, const char *text);
} heed_train_watcher;

typedef struct heed_train_report {
    int64_t steps; /* finished updates */
    /* NaN where there is none; loss is the mean of the last tenth of this call's updates */
    double loss, eval_loss, best_eval_loss;
    int64_t best_step;
    double seconds, tokens_per_second; /* of this call */
} heed_train_report;

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
