/* lock.h: one process at a time. The lock belongs to an open file (flock), so that it ends with its
   holder however that ends; a lock file that is left over means nothing. */
#ifndef HEED_BASE_LOCK_H
#define HEED_BASE_LOCK_H

#include "base/error.h"

typedef struct heed_lock {
    int descriptor; /* -1: none */
} heed_lock;

/* Takes the lock on `path`, which is made if need be and then names the holder's process.
   HEED_E_ARG saying "TAKEN by process N" when another holds it, in this process too, or when the
   file holds anything but that; HEED_E_IO, for a symbolic link too. Where a file system knows no
   locks, nothing is taken: HEED_OK. */
heed_status heed_lock_take(heed_lock *lock, const char *path, const char *taken, heed_error *error);
/* The same on a folder that is there: nothing is written into it. */
heed_status heed_lock_take_folder(heed_lock *lock, const char *folder, const char *taken,
                                  heed_error *error);
/* Gives the lock back, if one was taken; the file stays. */
void heed_lock_free(heed_lock *lock);

#endif
