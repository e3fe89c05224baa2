/* file_internal.h: what the files of base that write files share. */
#ifndef HEED_BASE_FILE_INTERNAL_H
#define HEED_BASE_FILE_INTERNAL_H

#include "base/file.h"

/* heed_file_writer_open with a choice: `unnamed` uses an unnamed file if the file system has
   those. */
heed_status heed_file_writer_begin(heed_file_writer *writer, const char *path, bool unnamed,
                                   heed_error *error);
/* Removes the temporary files in `folder` whose writers have ended. Errors are ignored. */
void heed_temporary_clean(const char *folder);
/* Calls fsync on the folder that contains `path`. */
heed_status heed_path_sync_folder_of(const char *path, heed_error *error);

#endif
