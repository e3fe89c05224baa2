/* checkpoint.h: the run folder of a training. RUN/checkpoint-STEP/ is a whole model directory
   plus training state; it appears complete or not at all. RUN/last and RUN/best are relative links;
   RUN/config.json ... are links through last, so that RUN itself loads. */
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
    bool best; /* RUN/best shall point to this one */
    int keep;  /* newest checkpoints kept beside best and last; 0 keeps all */
    /* names ending in NULL (training state) that get no link in RUN; NULL: none */
    const char *const *private_files;
} heed_checkpoint_options;

/* Fills a temporary folder, adds checkpoint.json (step, and the size of every file), syncs each
   file and the folder, renames it to RUN/checkpoint-STEP (an older one of that step is replaced),
   then points last, best and the links in RUN to it and prunes. Whatever interrupts this, an older
   checkpoint and what the links say stay loadable. Regular files in RUN are never replaced by
   links. */
heed_status heed_checkpoint_write(const char *run, int64_t step, heed_checkpoint_fill *fill,
                                  void *context, const heed_checkpoint_options *options,
                                  heed_error *error);

/* Fills RUN/NAME, a model folder that is not a checkpoint, in the same way: whole or not at all. */
heed_status heed_checkpoint_write_model(const char *run, const char *name,
                                        heed_checkpoint_fill *fill, void *context,
                                        heed_error *error);

/* At the start of a training: makes RUN if need be, removes what an interrupted one left under
   temporary names, points last and the links in RUN to the newest complete checkpoint.
   private_files as above. */
heed_status heed_checkpoint_prepare(const char *run, const char *const *private_files,
                                    heed_error *error);

/* For a new training in `run`, which may be absent: HEED_E_ARG naming the first entry that is not
   heed's own. `training`: heed began a training there before, so that the files and folders of a
   run are its own too. Nothing is changed. */
heed_status heed_checkpoint_check_run(const char *run, bool training, heed_error *error);

/* For going on: RUN's links to the files of `checkpoint` may have been replaced by files.
   HEED_E_ARG when one of these says what the model is or has its weights; else the name of the last
   of them, or "", is put into found[size]. */
heed_status heed_checkpoint_check_links(const char *run, const char *checkpoint,
                                        const char *const *private_files, char *found, size_t size,
                                        heed_error *error);

/* The newest checkpoint that is complete (checkpoint.json present, every file there with its size):
   its path, to be freed, and step. *path is NULL and the status HEED_OK when there is none. */
heed_status heed_checkpoint_newest(const char *run, char **path, int64_t *step, heed_error *error);

/* HEED_OK when `folder` is complete, else HEED_E_FORMAT saying what is missing. */
heed_status heed_checkpoint_check(const char *folder, int64_t *step, heed_error *error);

#endif
