/* checkpoint.h: the run folder of a training. RUN/checkpoint-STEP/ is a complete model directory
   plus training state; it appears as a whole or not at all. RUN/last and RUN/best are relative
   links. RUN/config.json and others are links through last, so that RUN itself loads as a model. */
#ifndef HEED_TRAIN_CHECKPOINT_H
#define HEED_TRAIN_CHECKPOINT_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes every file of a checkpoint into `folder`, which exists and is empty. Files need not be
   synced. */
typedef heed_status heed_checkpoint_fill(void *context, const char *folder, heed_error *error);

typedef struct heed_checkpoint_options {
    bool best; /* RUN/best is pointed to this checkpoint */
    int keep;  /* how many of the newest checkpoints are kept beside best and last; 0: all */
    /* files of the training state, which get no link in RUN; NULL ends the list; NULL: none */
    const char *const *private_files;
} heed_checkpoint_options;

/* Writes a checkpoint in these steps: fill a temporary folder; add checkpoint.json with the step
   and the size of every file; sync each file and the folder; rename it to RUN/checkpoint-STEP,
   where it replaces an older one of that step; point last, best and the links in RUN to it; prune.
   If any of this is interrupted, an older checkpoint and the targets of the links still load. A
   regular file in RUN is never replaced by a link. */
heed_status heed_checkpoint_write(const char *run, int64_t step, heed_checkpoint_fill *fill,
                                  void *context, const heed_checkpoint_options *options,
                                  heed_error *error);

/* Writes RUN/NAME, a model folder that is not a checkpoint, in the same way: as a whole or not at
   all. */
heed_status heed_checkpoint_write_model(const char *run, const char *name,
                                        heed_checkpoint_fill *fill, void *context,
                                        heed_error *error);

/* Prepares RUN at the start of a training: makes it if needed, removes what an interrupted training
   left under temporary names, and points last and the links in RUN to the newest complete
   checkpoint. private_files as above. */
heed_status heed_checkpoint_prepare(const char *run, const char *const *private_files,
                                    heed_error *error);

/* Checks that a new training may use `run`, which may be absent. Returns HEED_E_ARG with the name
   of the first entry that heed did not make. `training` says that heed began a training there
   before, so that files and folders of a run are its own too. It changes nothing. */
heed_status heed_checkpoint_check_run(const char *run, bool training, heed_error *error);

/* Checks the links of RUN before a training is resumed; files may have taken the place of links to
   files of `checkpoint`. Returns HEED_E_ARG if such a file says what the model is or has its
   weights. Else it writes the name of the last such file, or "", to found[size]. */
heed_status heed_checkpoint_check_links(const char *run, const char *checkpoint,
                                        const char *const *private_files, char *found, size_t size,
                                        heed_error *error);

/* Finds the newest complete checkpoint (checkpoint.json is there, and every file has its size): its
   path, which the caller frees, and its step. If there is none, *path is NULL and the status
   HEED_OK. */
heed_status heed_checkpoint_newest(const char *run, char **path, int64_t *step, heed_error *error);

/* Returns HEED_OK if `folder` is a complete checkpoint, else HEED_E_FORMAT with what is missing. */
heed_status heed_checkpoint_check(const char *folder, int64_t *step, heed_error *error);

#endif
