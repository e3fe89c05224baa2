/* folder.h: an output folder that is written whole or not at all, and never over what somebody else
   put there.

   A folder is taken if it is absent, empty, or consists of what heed itself wrote there:
   OUT/.heed.json lists those files with size and fingerprint. New files are gathered in
   OUT/.heed-incomplete. The commit lists them there, removes the old ones and moves the new ones
   up. The file without which the folder does not load goes first and comes last. A kill at any
   moment leaves the old folder, the new one, or one that does not load; the next writer finishes
   what was begun. */
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
    bool shared;    /* files of others may stand beside those of heed */
    char *path;     /* OUT */
    char *inside;   /* where the files are written until the commit */
    size_t existed; /* bytes of `path` up to the last folder that was there before */
    heed_lock lock; /* one writer at a time */
    bool began;     /* `inside` is this writer's */
    bool moving;    /* the commit has begun to replace files */
} heed_folder;

/* Takes `path` for writing. HEED_E_ARG naming the first entry that heed did not write (if the
   folder is not shared), a folder of another kind or a file in its place, a run folder above it,
   another process that writes there. Nothing that was there is touched. */
heed_status heed_folder_open(heed_folder *folder, const char *path, heed_folder_kind kind,
                             bool shared, heed_error *error);
/* The files in folder->inside become OUT's, in place of those of an older commit. HEED_E_ARG naming
   a file of others that is in the way. */
heed_status heed_folder_commit(heed_folder *folder, heed_error *error);
/* Without a commit OUT is as it was before. A folder that is all zeros is fine. */
void heed_folder_close(heed_folder *folder);

/* HEED_E_ARG if `path` cannot be the name of a folder: "-", a file, a link to nothing. */
heed_status heed_folder_check_name(const char *path, heed_error *error);
/* HEED_E_ARG if `path`, which need not be there, is a run folder or below one: a run folder belongs
   to its training, with all that is in it. */
heed_status heed_folder_check_above(const char *path, heed_error *error);

#endif
