/* path.h: what a path names, and where one leads that may not be there yet. */
#ifndef HEED_BASE_PATH_H
#define HEED_BASE_PATH_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>

bool heed_path_exists(const char *path);
bool heed_path_is_directory(const char *path);
bool heed_path_is_regular(const char *path); /* a regular file, or a link to one */
/* "folder/name"; caller frees; NULL when memory is out. */
char *heed_path_join(const char *folder, const char *name);
/* The folder that `path` is in, "." without a slash; caller frees; NULL when memory is out. */
char *heed_path_folder(const char *path);
/* The part of `path` that is there already, "" for none of a relative path; its length, in bytes of
   `path`, goes to *length. Caller frees; NULL if memory is out. */
char *heed_path_existing(const char *path, size_t *length);
/* `path` without links, "." and ".." in the part that is there; caller frees *real. */
heed_status heed_path_resolve(char **real, const char *path, heed_error *error);
/* Whether a resolved path is the resolved `folder` or below it. */
bool heed_path_is_inside(const char *real, const char *folder);
/* Removes the empty folders of `path` that begin after its first `existed` bytes, from the last one
   up. `path` is cut to what is left. */
void heed_directory_unmake(char *path, size_t existed);

#endif
