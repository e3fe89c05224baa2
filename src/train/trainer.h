/* trainer.h: runs a training from its options to its last checkpoint, or resumes it from its newest
   one. A trainer belongs to one thread. */
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
/* Resumes from RUN's newest checkpoint, or from the beginning if there is none, with the options of
   RUN/run.json and those chosen in `changes` ({0}: none), which are borrowed for the call. Length,
   validation, saving and logging may change, and data may have moved. Errors: HEED_E_ARG names
   another option that differs; HEED_E_FORMAT if the data is not what it was. */
heed_status heed_trainer_resume(heed_trainer **trainer, const char *run,
                                const heed_train_options *changes, const heed_backend *backend,
                                const heed_train_watcher *watcher, heed_error *error);
void heed_trainer_free(heed_trainer *trainer); /* NULL is fine */

/* Trains to the end, to stop_at, or until the watcher stops it (HEED_E_CANCELLED, after a
   checkpoint). *report is filled in every case. Errors: HEED_E_ARG names the update whose loss or
   gradient is not finite; that update changes nothing, and nothing is saved. After any other error
   of an update or an evaluation, except HEED_E_NOMEM, the last finished update is saved too, and
   the message says so. */
heed_status heed_trainer_run(heed_trainer *trainer, heed_train_report *report, heed_error *error);

/* Make a trainer, new or resumed, run it and free it. */
heed_status heed_train_new(const heed_train_options *options, const heed_backend *backend,
                           const heed_train_watcher *watcher, heed_train_report *report,
                           heed_error *error);
heed_status heed_train_resume(const char *run, const heed_train_options *changes,
                              const heed_backend *backend, const heed_train_watcher *watcher,
                              heed_train_report *report, heed_error *error);

#endif
