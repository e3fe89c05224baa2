/* heed/train.h: training and fine-tuning: what can be asked for, and what is told on the way. The
   functions stand in heed.h. */
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

/* Every choice of a training, named as its flag (learning_rate: --learning-rate). What is NULL, 0
   or not set is chosen as the comment beside it says, so that {0} with `data` and `out` trains. A
   plain number is one for which 0 would be no choice. All strings are borrowed for the call. */
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
    /* the present, for templates that ask, in seconds since 1970; not set: when the
       training begins */
    heed_optional_int template_time;
    const char *objective; /* clm, mlm, seq2seq; NULL: as the model's arrangement asks */
    /* model: one of init, config, family */
    const char *init; /* model folder to go on from */
    /* config.json of a new model; its vocabulary must hold the tokenizer's */
    const char *config;
    /* heed, gpt2, llama, bert, transformer; NULL: heed, transformer for seq2seq, bert for mlm */
    const char *family;
    /* of a family; 0: 4, 128, d_model / 32, heads, the family's rule */
    int64_t layers, d_model, heads, kv_heads, d_ff;
    int64_t context; /* T; 0: 256, or what init or config say */
    /* length of the training */
    const char *max_steps; /* "2000" updates, "3e" epochs, "2000000t" tokens; NULL: "1e" */
    /* packed rows of T tokens, or pairs, in one run of the model; 0: 16 rows, 32 pairs */
    int64_t batch_size;
    int64_t gradient_accumulation_steps; /* runs in one update; 0: 1 */
    /* finish after this update, with a checkpoint, as if interrupted; not set: never */
    heed_optional_int stop_at;
    /* update rule */
    const char *optimizer;            /* adamw, adam, sgd; NULL: adamw */
    heed_optional_real learning_rate; /* 1e-3 (init: 5e-5) for adamw and adam, 0.1 for sgd */
    heed_optional_real weight_decay;  /* 0.1 for adamw, else 0 */
    bool decay_all;                   /* biases and norms decay too */
    heed_optional_real adam_beta1;    /* 0.9 */
    heed_optional_real adam_beta2;    /* 0.95 for clm, else 0.999 */
    heed_optional_real adam_epsilon;  /* 1e-8 */
    heed_optional_real momentum;      /* of sgd: 0 */
    bool nesterov, amsgrad;
    heed_optional_real max_grad_norm; /* 1; 0 is no clipping */
    /* schedule */
    const char *lr_scheduler_type;   /* NULL: cosine with 5 % warm-up */
    heed_optional_int warmup_steps;  /* warmup_ratio of all steps */
    heed_optional_real warmup_ratio; /* 0.05 without lr_scheduler_type, else 0 */
    heed_optional_int decay_steps;   /* warmup_stable_decay; a fifth of all steps */
    /* lowest rate as a share of the highest; 0.1 for cosine_with_min_lr, 0 for
       warmup_stable_decay */
    heed_optional_real min_lr_rate;
    /* regularization and precision */
    heed_optional_real dropout;         /* not set: as the configuration says */
    heed_optional_real label_smoothing; /* 0 */
    /* matmuls read bf16 operands; weights, sums and everything else stay f32, and a bf16 working
       copy takes 4 bytes more a weight */
    bool bf16;
    bool gradient_checkpointing; /* keep only the ends of layers, compute the rest again */
    heed_optional_int seed;      /* 1 */
    /* what is written when; counted in updates */
    heed_optional_int eval_steps; /* ten times in all; 0 is at the end only */
    /* at each evaluation (or ten times in all); 0 is at the end only */
    heed_optional_int save_steps;
    int64_t logging_steps; /* 0: 1 */
    /* checkpoints kept beside best and last; all if save_steps is set, else 2 or average_last; 0 is
       all */
    heed_optional_int save_total_limit;
    /* K above 1: RUN/average is the mean of the last K checkpoints; not set: none */
    heed_optional_int average_last;
} heed_train_options;

/* Known before the first update. */
typedef struct heed_train_summary {
    const char *model_type, *objective;
    size_t parameters;       /* numbers */
    size_t parameter_bytes;  /* weights, gradients and optimizer state */
    size_t activation_bytes; /* what one run needs beside them */
    /* memory that this machine (or container) has left; not set: unknown */
    heed_optional_int free_bytes;
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
    /* nats per label of this update, its learning rate, the gradient's norm before clipping; not
       set if an evaluation was all there was to do */
    heed_optional_real loss, learning_rate, grad_norm;
    double tokens_per_second; /* read by the model, over the last seconds */
    double seconds_left;
    /* nats per label over all of the validation data, if this update was evaluated */
    heed_optional_real eval_loss;
    heed_optional_real best_eval_loss; /* if there was an evaluation at all */
    const char *saved;                 /* checkpoint just written, or NULL */
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
    /* Not set where nothing was measured; loss is the mean of the last tenth of this call's
       updates. */
    heed_optional_real loss, eval_loss, best_eval_loss;
    heed_optional_int best_step;       /* the update of best_eval_loss */
    double seconds, tokens_per_second; /* of this call */
} heed_train_report;

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
