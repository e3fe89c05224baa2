/* checkpoint_internal.h: what the checkpoint files share: names in a run folder, its links, its
   list of steps. */
#ifndef HEED_TRAIN_CHECKPOINT_INTERNAL_H
#define HEED_TRAIN_CHECKPOINT_INTERNAL_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#define HEED_CHECKPOINT_MANIFEST "checkpoint.json"

/* Returns STEP of "checkpoint-STEP" followed by `ending`; -1 for any other name, also for leading
   zeros and for numbers beyond 64 bits. */
int64_t heed_checkpoint_step_of(const char *name, const char *ending);
/* Returns whether `path` is a link that heed makes in a run: to checkpoint-STEP, or through
   last. */
bool heed_checkpoint_is_link(const char *path, const struct stat *information);
/* Makes RUN/name a link to checkpoint-STEP. */
heed_status heed_checkpoint_point(const char *run, const char *name, int64_t step,
                                  heed_error *error);
/* Makes RUN/FILE a link to last/FILE for each file of checkpoint-STEP that is not private; then
   makes last a link to checkpoint-STEP; then removes links to files that it does not have. From the
   moment last exists, RUN loads. */
heed_status heed_checkpoint_show(const char *run, int64_t step, const char *const *private_files,
                                 heed_error *error);
/* Removes all checkpoints except the newest `keep` and those that last and best point to. */
heed_status heed_checkpoint_prune(const char *run, size_t keep, heed_error *error);

#endif
