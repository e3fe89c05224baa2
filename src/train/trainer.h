/* trainer.h: a training from its options to its last checkpoint, and on from any of them. A trainer
   belongs to one thread. */
#ifndef HEED_TRAIN_TRAINER_H
#define HEED_TRAIN_TRAINER_H

#include "graph/backend.h"
#include "train/options.h"

typedef struct heed_trainer heed_trainer;

/* Opens data, tokenizer and model, makes RUN and writes RUN/run.json. backend and watcher are
   borrowed, options copied.
   Errors:
   - HEED_E_ARG for options that do not fit, or a RUN that holds a training already, or in which one
     runs now;
   - HEED_E_NOMEM if parameters and one run do not fit into the memory that is free, with a batch
     size that would;
   - those of reading data, tokenizer and model. */
heed_status heed_trainer_new(heed_trainer **trainer, const heed_train_options *options,
                             const heed_backend *backend, const heed_train_watcher *watcher,
                             heed_error *error);
/* Goes on from RUN's newest checkpoint (from the beginning when there is none) with the options of
   RUN/run.json and what is chosen in `changes` ({0}: nothing), which are borrowed for the call:
   length, validation, saving and logging may change, and data may have moved. HEED_E_ARG naming
   another option that differs; HEED_E_FORMAT when the data is not what it was. */
heed_status heed_trainer_resume(heed_trainer **trainer, const char *run,
                                const heed_train_options *changes, const heed_backend *backend,
                                const heed_train_watcher *watcher, heed_error *error);
void heed_trainer_free(heed_trainer *trainer); /* NULL is fine */

/* Trains to the end, to stop_at or until the watcher stops it (HEED_E_CANCELLED, after a
   checkpoint). *report is filled in every case. HEED_E_ARG naming the update when loss or gradient
   are no longer finite: nothing is changed by that update, nothing is saved. After any other error
   of an update or an evaluation but HEED_E_NOMEM the last finished update is saved too, and the
   message says so. */
heed_status heed_trainer_run(heed_trainer *trainer, heed_train_report *report, heed_error *error);

/* new or resume, run, free. */
heed_status heed_train_new(const heed_train_options *options, const heed_backend *backend,
                           const heed_train_watcher *watcher, heed_train_report *report,
                           heed_error *error);
heed_status heed_train_resume(const char *run, const heed_train_options *changes,
                              const heed_backend *backend, const heed_train_watcher *watcher,
                              heed_train_report *report, heed_error *error);

#endif
