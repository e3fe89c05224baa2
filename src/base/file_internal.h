/* file_internal.h: what the files of base share about writing. */
#ifndef HEED_BASE_FILE_INTERNAL_H
#define HEED_BASE_FILE_INTERNAL_H

#include "base/file.h"

/* heed_file_writer_open. unnamed: use a file without a name if the file system has those. */
heed_status heed_file_writer_begin(heed_file_writer *writer, const char *path, bool unnamed,
                                   heed_error *error);
/* Removes the abandoned files of temporary names in `folder`. Errors are ignored. */
void heed_temporary_clean(const char *folder);
/* fsync of the folder that `path` is in. */
heed_status heed_path_sync_folder_of(const char *path, heed_error *error);

#endif
