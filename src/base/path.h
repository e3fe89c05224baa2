/* path.h: questions about paths, whose last components may not exist yet. */
#ifndef HEED_BASE_PATH_H
#define HEED_BASE_PATH_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>

/* These follow symbolic links. They return false if the path does not exist or cannot be
   inspected. */
bool heed_path_exists(const char *path);
bool heed_path_is_directory(const char *path);
bool heed_path_is_regular(const char *path);
/* Returns "folder/name"; the caller frees it. NULL if out of memory. */
char *heed_path_join(const char *folder, const char *name);
/* Returns the folder that contains `path`, "." if `path` has no slash; the caller frees it. NULL if
   out of memory. */
char *heed_path_folder(const char *path);
/* Returns the longest leading part of `path` that exists, "" if no part of a relative path exists;
   the caller frees it. *length becomes its length in bytes. NULL if out of memory. */
char *heed_path_existing(const char *path, size_t *length);
/* Resolves symbolic links, "." and ".." in the part of `path` that exists. The caller frees *real.
   HEED_E_IO if the system cannot resolve it. */
heed_status heed_path_resolve(char **real, const char *path, heed_error *error);
/* Returns whether the resolved path `real` is the resolved folder or lies in it. */
bool heed_path_is_inside(const char *real, const char *folder);
/* Removes the last folder of `path`, then its parents, as long as they are empty and lie after the
   first `existed` bytes. `path` is shortened to what is left. */
void heed_directory_unmake(char *path, size_t existed);

#endif
