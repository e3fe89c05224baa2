/* lock.h: locks that let one process work at a time. A lock belongs to an open file (flock) and
   ends with its holder, even if the holder is killed. A leftover lock file locks nothing. */
#ifndef HEED_BASE_LOCK_H
#define HEED_BASE_LOCK_H

#include "base/error.h"

typedef struct heed_lock {
    int descriptor; /* -1 if no lock is held */
} heed_lock;

/* Locks the file `path`, which is created if need be and receives the number of this process.
   `taken` begins the message if the lock is taken ("TAKEN by process N"). HEED_E_ARG if another
   holder has it, even in this process, or if the file contains anything but a process number.
   HEED_E_IO if it cannot be opened or is a symbolic link. HEED_OK without a lock if the file system
   has no locks. */
heed_status heed_lock_take(heed_lock *lock, const char *path, const char *taken, heed_error *error);
/* Locks an existing folder in the same way without writing into it. */
heed_status heed_lock_take_folder(heed_lock *lock, const char *folder, const char *taken,
                                  heed_error *error);
/* Releases the lock if one is held. The file stays. */
void heed_lock_free(heed_lock *lock);

#endif
