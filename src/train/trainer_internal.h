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
#include "model/engine.h"
#include "train/log.h"
#include "train/dataset.h"
#include "train/optimizer.h"
#include "train/schedule.h"
#include "train/trainer.h"

/* Sums of the losses of each term, in nats, and how many labels (or rows) they are of. */
typedef struct heed_term_sums {
    double sum[HEED_MAX_LOSS_TERMS];
    int64_t count[HEED_MAX_LOSS_TERMS];
} heed_term_sums;

/* The progress of a training: all that a checkpoint holds beside weights and optimizer state. */
typedef struct heed_train_place {
    int64_t step; /* finished updates */
    int64_t epoch;
    size_t unit;      /* next unit of the epoch */
    uint64_t tokens;  /* tokens read so far */
    double best_loss; /* NaN: never evaluated */
    int64_t best_step;
    heed_term_sums pending; /* sums since the last line of the log */
    /* The evaluation after this update was cancelled; the resumed training does it first. */
    bool unevaluated;
} heed_train_place;

struct heed_trainer {
    heed_arena *arena;              /* memory of the options' strings */
    heed_run_options options;       /* the options with every choice made */
    heed_train_extension extension; /* how a resumed training differs */
    const heed_backend *backend;
    heed_train_watcher watcher;
    const heed_objective *objective;
    heed_config config;
    heed_tokenizer *tokenizer;
    heed_sidecar *sidecar; /* what came with --init or with the checkpoint; NULL: nothing */
    heed_model *model;
    heed_engine *engine;
    heed_optimizer *optimizer;
    heed_schedule schedule;
    /* schedule for the length that the run was begun with, if the length changes */
    heed_schedule begun_schedule;
    heed_dataset *data, *valid;
    heed_batch *batches; /* one per micro-batch of an update */
    heed_batch eval_batch;
    heed_loss_terms terms;             /* terms of the loss */
    heed_term_sums evaluated;          /* sums of the last evaluation */
    heed_program_spec spec, eval_spec; /* specs with extents for any batch */
    heed_train_place place;
    int64_t steps, first_step;
    uint64_t fingerprint;  /* fingerprint of the training data */
    const char *notes[16]; /* shown to the user */
    size_t note_count;
    size_t parameter_bytes, activation_bytes, free_bytes;
    heed_lock lock; /* lock on RUN */
    size_t existed; /* bytes of RUN's path up to the last folder that existed before */
    heed_log *log;
    bool log_troubled, plot_troubled; /* the user was told that it cannot be written */
    /* No checkpoint may be written: values are not finite, or an earlier checkpoint could not be
       written. */
    bool unsavable;
    /* EMA over recent updates, from which the speed is computed */
    double seconds_window, tokens_window;
    double line_seconds, line_tokens; /* since the last line of log.jsonl */
    double loss, grad_norm, rate;     /* values of the last update */
};

/* ---- trainer_folder.c ---- */

/* Takes RUN for a new training: makes it, locks it, and checks that its entries are heed's own. */
heed_status heed_trainer_take_folder(heed_trainer *t, heed_error *error);
/* Removes the folder that a training made which did not begin. */
void heed_trainer_leave_folder(heed_trainer *t);
/* Checks, for a resumed training, that RUN shows the model that is trained. Returns HEED_E_ARG if
   files are in the place of its links; adds a note about those that do not decide which model RUN
   is. */
heed_status heed_trainer_check_links(heed_trainer *t, const char *checkpoint, heed_error *error);
/* Locks RUN before anything in it is touched. */
heed_status heed_trainer_lock(heed_trainer *t, heed_error *error);

/* ---- trainer.c ---- */

heed_status heed_trainer_allocate(heed_trainer **trainer, const heed_backend *backend,
                                  const heed_train_watcher *watcher, heed_error *error);
/* Opens the log and keeps its lines up to the step reached. */
heed_status heed_trainer_open_log(heed_trainer *t, heed_error *error);
/* Writes RUN/run.json. */
heed_status heed_trainer_write_options(heed_trainer *t, heed_error *error);

/* ---- trainer_setup.c ---- */

/* Does everything up to the first update; `checkpoint` is a folder, or NULL for a new training. */
heed_status heed_trainer_prepare(heed_trainer *t, const char *checkpoint, heed_error *error);

/* ---- trainer_model.c ---- */

/* Opens tokenizer, configuration and model from a checkpoint, or as the options say if it is
   NULL. */
heed_status heed_trainer_open_model(heed_trainer *t, const heed_data *data, const char *checkpoint,
                                    heed_error *error);

/* ---- trainer_data.c ---- */

/* Makes the training data set from `data`, which it takes in every case, and the validation data
   set. */
heed_status heed_trainer_open_data(heed_trainer *t, heed_data *data, heed_error *error);

/* ---- trainer_memory.c ---- */

/* Fills the extents of the specs and the sizes. Errors: HEED_E_NOMEM if they do not fit into
   memory. */
heed_status heed_trainer_measure(heed_trainer *t, heed_error *error);

/* ---- trainer_choose.c ---- */

/* Chooses options that nobody chose and that do not depend on the length of the training. */
heed_status heed_trainer_choose(heed_trainer *t, const heed_data *data, heed_error *error);
/* Counts the updates, and chooses options that depend on their number. */
heed_status heed_trainer_choose_by_steps(heed_trainer *t, heed_error *error);
/* Fills `rule` with the optimizer that the options name and its numbers. */
heed_status heed_trainer_rule(const heed_trainer *t, heed_optimizer_options *rule,
                              heed_error *error);

/* ---- trainer_step.c ---- */

heed_status heed_trainer_update(heed_trainer *t, heed_error *error);
/* Returns the loss: each term's mean times its weight, without the experts' load balance; `none`
   without labels. */
double heed_trainer_loss(const heed_trainer *t, const heed_term_sums *sums, double none);
/* Writes the mean loss in nats per label over all validation data. Errors: HEED_E_CANCELLED if the
   watcher stops it. */
heed_status heed_trainer_evaluate(heed_trainer *t, double *loss, heed_error *error);

/* ---- trainer_save.c ---- */

extern const char *const heed_trainer_private_files[];
heed_status heed_trainer_save(heed_trainer *t, bool best, heed_error *error);
heed_status heed_trainer_load_state(heed_trainer *t, const char *checkpoint, heed_error *error);
/* Writes RUN/average, the mean of the newest `average_last` checkpoints. */
heed_status heed_trainer_average(heed_trainer *t, heed_error *error);
/* Draws RUN/loss.svg from the log. If it cannot be drawn, the user is told and the next call tries
   again. Errors: HEED_E_NOMEM. */
heed_status heed_trainer_plot(heed_trainer *t, heed_error *error);

/* ---- trainer_notes.c ---- */

/* Returns whether the watcher wants the training to stop. */
bool heed_trainer_stopped(const heed_trainer *t);
/* Returns a function that asks the same, for what the trainer calls. */
heed_cancel heed_trainer_cancel(const heed_trainer *t);
/* Tells the watcher about a failure that the training survives: once, until the same thing has
   succeeded. HEED_E_NOMEM is returned instead, because the training does not survive it. */
heed_status heed_trainer_tell(const heed_trainer *t, bool *told, const heed_error *problem,
                              heed_error *error);
/* Adds a note, which is copied. */
heed_status heed_trainer_note(heed_trainer *t, const char *text, heed_error *error);
/* Adds notes about options that somebody chose and that have no effect. */
heed_status heed_trainer_note_idle(heed_trainer *t, const heed_train_options *chosen,
                                   heed_error *error);
/* Writes what to do about values that are not finite; `also` follows the advice on the learning
   rate. */
void heed_trainer_finite_remedy(const heed_trainer *t, const char *also, char *text, size_t size);

#endif
