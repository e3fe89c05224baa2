/* trainer_internal.h: the trainer from inside. trainer_resume.c goes on with a training, trainer.c
   begins and runs it. Each file calls only those after it in this list:
     trainer_resume.c
     trainer.c
     trainer_folder.c  the run folder: whose it is, who writes there
     trainer_setup.c   makes a trainer ready
     trainer_model.c   tokenizer, configuration, model
     trainer_data.c    data sets
     trainer_memory.c  whether it fits into memory
     trainer_choose.c  what follows from model, data and length
     trainer_step.c    one update, one evaluation
     trainer_save.c    checkpoints, their mean, the picture of the losses
     trainer_notes.c   what the caller is asked and told */
#ifndef HEED_TRAIN_TRAINER_INTERNAL_H
#define HEED_TRAIN_TRAINER_INTERNAL_H

#include "base/cancel.h"
#include "base/lock.h"
#include "generate/sidecar.h"
#include "train/log.h"
#include "train/dataset.h"
#include "train/optimizer.h"
#include "train/schedule.h"
#include "train/trainer.h"

/* Where a training stands: all that a checkpoint holds beside weights and optimizer state. */
typedef struct heed_train_place {
    int64_t step; /* finished updates */
    int64_t epoch;
    size_t unit;      /* next unit of that epoch */
    uint64_t tokens;  /* read so far */
    double best_loss; /* NaN: never evaluated */
    int64_t best_step;
    double pending_loss; /* since the last line of the log: nats */
    uint64_t pending_labels;
    /* The evaluation after this update was cancelled; the training that goes on makes up for it. */
    bool unevaluated;
} heed_train_place;

struct heed_trainer {
    heed_arena *arena;              /* of the options' strings */
    heed_run_options options;       /* with every choice made */
    heed_train_extension extension; /* of a training that goes on */
    const heed_backend *backend;
    heed_train_watcher watcher;
    const heed_objective *objective;
    heed_config config;
    heed_tokenizer *tokenizer;
    heed_sidecar *sidecar; /* what came with --init, or with the checkpoint; NULL: nothing */
    heed_model *model;
    heed_engine *engine;
    heed_optimizer *optimizer;
    heed_schedule schedule;
    heed_schedule begun_schedule; /* of the length that the run was begun with, if it changes */
    heed_dataset *data, *valid;
    heed_batch *batches; /* one for each run of an update */
    heed_batch eval_batch;
    float balance_weight;              /* of the balance of experts; 0: none */
    heed_program_spec spec, eval_spec; /* extents: what any batch needs */
    heed_train_place place;
    int64_t steps, first_step;
    uint64_t fingerprint;  /* of the training data */
    const char *notes[16]; /* for the user */
    size_t note_count;
    size_t parameter_bytes, activation_bytes, free_bytes;
    heed_lock lock; /* on RUN */
    size_t existed; /* bytes of RUN's path up to the last folder that was there before */
    heed_log *log;
    bool log_troubled, plot_troubled; /* told that it cannot be written */
    /* What ended the training speaks against a checkpoint: values that are not finite, or a
       checkpoint that could not be written. */
    bool unsavable;
    double seconds_window, tokens_window; /* EMA of recent updates, for their speed */
    double line_seconds, line_tokens;     /* of the updates after the last line of log.jsonl */
    double loss, grad_norm, rate;         /* of the last update */
};

/* ---- trainer_folder.c ---- */

/* Takes RUN for a new training: makes it, locks it, sees that it is heed's own. */
heed_status heed_trainer_take_folder(heed_trainer *t, heed_error *error);
/* A training that did not begin removes the folder that it made. */
void heed_trainer_leave_folder(heed_trainer *t);
/* Going on: RUN must show what is trained. HEED_E_ARG when files stand in place of its links; a
   note about those that do not decide which model RUN is. */
heed_status heed_trainer_check_links(heed_trainer *t, const char *checkpoint, heed_error *error);
/* Locks RUN before anything in it is touched. */
heed_status heed_trainer_lock(heed_trainer *t, heed_error *error);

/* ---- trainer.c ---- */

heed_status heed_trainer_allocate(heed_trainer **trainer, const heed_backend *backend,
                                  const heed_train_watcher *watcher, heed_error *error);
/* Opens the log with the lines up to the step reached. */
heed_status heed_trainer_open_log(heed_trainer *t, heed_error *error);
/* Writes RUN/run.json. */
heed_status heed_trainer_write_options(heed_trainer *t, heed_error *error);

/* ---- trainer_setup.c ---- */

/* Everything up to the first update; `checkpoint` is a folder, NULL for a new training. */
heed_status heed_trainer_prepare(heed_trainer *t, const char *checkpoint, heed_error *error);

/* ---- trainer_model.c ---- */

/* Opens what is trained, from a checkpoint or, if that is NULL, as the options say. */
heed_status heed_trainer_open_model(heed_trainer *t, const heed_data *data, const char *checkpoint,
                                    heed_error *error);

/* ---- trainer_data.c ---- */

/* Makes the data sets of training, from `data`, which it takes in every case, and validation. */
heed_status heed_trainer_open_data(heed_trainer *t, heed_data *data, heed_error *error);

/* ---- trainer_memory.c ---- */

/* Fills the specs' extents and the sizes; HEED_E_NOMEM when they do not fit. */
heed_status heed_trainer_measure(heed_trainer *t, heed_error *error);

/* ---- trainer_choose.c ---- */

/* Chooses what nobody chose and does not depend on how long the training is. */
heed_status heed_trainer_choose(heed_trainer *t, const heed_data *data, heed_error *error);
/* Counts the updates, and chooses what depends on their number. */
heed_status heed_trainer_choose_by_steps(heed_trainer *t, heed_error *error);
/* The optimizer that the options name, with their numbers. */
heed_status heed_trainer_rule(const heed_trainer *t, heed_optimizer_options *rule,
                              heed_error *error);

/* ---- trainer_step.c ---- */

heed_status heed_trainer_update(heed_trainer *t, heed_error *error);
/* Mean nats per label over the whole validation data. HEED_E_CANCELLED when the watcher stops
   it. */
heed_status heed_trainer_evaluate(heed_trainer *t, double *loss, heed_error *error);

/* ---- trainer_save.c ---- */

extern const char *const heed_trainer_private_files[];
heed_status heed_trainer_save(heed_trainer *t, bool best, heed_error *error);
heed_status heed_trainer_load_state(heed_trainer *t, const char *checkpoint, heed_error *error);
/* RUN/average from the newest `average_last` checkpoints. */
heed_status heed_trainer_average(heed_trainer *t, heed_error *error);
/* RUN/loss.svg from the log. A picture that cannot be drawn is told of; the next one tries again.
   HEED_E_NOMEM. */
heed_status heed_trainer_plot(heed_trainer *t, heed_error *error);

/* ---- trainer_notes.c ---- */

/* Does somebody want the training to stop? */
bool heed_trainer_stopped(const heed_trainer *t);
/* The same question, for what the trainer calls. */
heed_cancel heed_trainer_cancel(const heed_trainer *t);
/* Tells the watcher of a failure that the training survives: once, until the same thing has
   succeeded. HEED_E_NOMEM, which it does not survive, is returned. */
heed_status heed_trainer_tell(const heed_trainer *t, bool *told, const heed_error *problem,
                              heed_error *error);
/* Adds a sentence for the user; it is copied. */
heed_status heed_trainer_note(heed_trainer *t, const char *text, heed_error *error);
/* Notes about the options that somebody chose and that have no effect. */
heed_status heed_trainer_note_idle(heed_trainer *t, const heed_train_options *chosen,
                                   heed_error *error);
/* What to do about values that are not finite; `also` follows the learning rate. */
void heed_trainer_finite_remedy(const heed_trainer *t, const char *also, char *text, size_t size);

#endif
