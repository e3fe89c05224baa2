/* entries.h: what is in a folder, entry by entry. */
#ifndef HEED_BASE_ENTRIES_H
#define HEED_BASE_ENTRIES_H

#include "base/error.h"
#include <sys/stat.h>

/* `path` is folder/name; `information` is that of the entry itself, also of a link. */
typedef heed_status heed_entry_visit(void *context, const char *folder, const char *name,
                                     const char *path, const struct stat *information,
                                     heed_error *error);
/* Calls visit for every entry in the order of their names, until it fails. All names are read
   before the first call, so that visits may rename and remove. */
heed_status heed_for_each_entry(const char *folder, heed_entry_visit *visit, void *context,
                                heed_error *error);

#endif
