/* folder.h: an output folder that is written as a whole or not at all, and never over files of
   others.

   heed takes a folder if it is absent, empty, or holds only what heed itself wrote there:
   OUT/.heed.json lists those files with size and fingerprint. New files are written to
   OUT/.heed-incomplete. The commit lists them there, removes the old files and moves the new ones
   up. The key file, without which the folder does not load, is removed first and moved last. If the
   process is killed, the old folder is left, or the new one, or one that does not load; the next
   writer completes the commit. */
#ifndef HEED_IO_FOLDER_H
#define HEED_IO_FOLDER_H

#include "base/lock.h"
#include <stdbool.h>
#include <stddef.h>

#define HEED_FOLDER_MANIFEST ".heed.json"
#define HEED_FOLDER_INCOMPLETE ".heed-incomplete"

typedef enum heed_folder_kind { HEED_FOLDER_MODEL, HEED_FOLDER_TOKENIZER } heed_folder_kind;

typedef struct heed_folder {
    heed_folder_kind kind;
    bool shared;    /* files of others may stay beside those of heed */
    char *path;     /* OUT */
    char *inside;   /* OUT/.heed-incomplete: files are written here until the commit */
    size_t existed; /* bytes of `path` up to the last folder that existed before */
    heed_lock lock; /* held while this writer has the folder */
    bool began;     /* `inside` belongs to this writer */
    bool moving;    /* the commit has begun to replace files */
} heed_folder;

/* Takes `path` for writing; existing files stay untouched. Close the folder in every case.
   Errors: HEED_E_ARG names the first entry that heed did not write (unless the folder is shared), a
   folder of another kind, a file of that name, a run folder above it, or another process that
   writes there; HEED_E_IO; HEED_E_NOMEM. */
heed_status heed_folder_open(heed_folder *folder, const char *path, heed_folder_kind kind,
                             bool shared, heed_error *error);
/* Moves the files of folder->inside to OUT in place of those of an older commit. HEED_E_ARG names a
   file of others that is in the way. */
heed_status heed_folder_commit(heed_folder *folder, heed_error *error);
/* Gives the folder up. Without a commit, OUT is as it was before. A folder of zeros is allowed. */
void heed_folder_close(heed_folder *folder);

/* Returns HEED_E_ARG if `path` cannot be the name of a folder: "-", a file, a link to nothing. */
heed_status heed_folder_check_name(const char *path, heed_error *error);
/* Returns HEED_E_ARG if `path`, which need not exist, is a run folder or below one. A run folder
   belongs to its training with everything in it. */
heed_status heed_folder_check_above(const char *path, heed_error *error);

#endif
