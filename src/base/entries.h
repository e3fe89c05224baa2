/* entries.h: visits the entries of a folder. */
#ifndef HEED_BASE_ENTRIES_H
#define HEED_BASE_ENTRIES_H

#include "base/error.h"
#include <sys/stat.h>

/* Called for one entry. `path` is "folder/name". `information` is the result of lstat: for a
   symbolic link it describes the link. */
typedef heed_status heed_entry_visit(void *context, const char *folder, const char *name,
                                     const char *path, const struct stat *information,
                                     heed_error *error);
/* Calls `visit` for every entry except "." and ".." in the order of their names, until one call
   fails, and returns its status. All names are read before the first call, so `visit` may rename
   and remove entries. HEED_E_IO if the folder cannot be opened. */
heed_status heed_for_each_entry(const char *folder, heed_entry_visit *visit, void *context,
                                heed_error *error);

#endif
