/* file.h: reads files as a whole or by position, writes files that appear complete or not at all,
   and handles folders and symbolic links. Failures of the system are HEED_E_IO, failed allocations
   HEED_E_NOMEM. */
#ifndef HEED_BASE_FILE_H
#define HEED_BASE_FILE_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/path.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- reading ---- */

/* A regular file that is open for reading by position. */
typedef struct heed_file_reader {
    char *path;
    int descriptor; /* -1 if closed */
    size_t size;    /* bytes when it was opened, as is its modification time */
    int64_t changed_seconds, changed_nanoseconds;
} heed_file_reader;
/* Opens a regular file. HEED_E_IO if it cannot be opened or is not a regular file. The caller
   closes the reader. */
heed_status heed_file_reader_open(heed_file_reader *reader, const char *path, heed_error *error);
/* Reads `count` bytes from `offset`. HEED_E_IO if the file ends before that. */
heed_status heed_file_reader_get(const heed_file_reader *reader, size_t offset, void *bytes,
                                 size_t count, heed_error *error);
/* Fails with HEED_E_IO if size or modification time have changed since the file was opened. */
heed_status heed_file_reader_check(const heed_file_reader *reader, heed_error *error);
void heed_file_reader_close(heed_file_reader *reader); /* A second call is allowed. */

/* Reads a whole file and appends a NUL that *size does not count. The caller frees *bytes. "-" is
   standard input; pipes and devices are read to their end. HEED_E_IO if a regular file changes
   while it is read. HEED_E_CANCELLED if a signal arrives while reading from a pipe or device. */
heed_status heed_file_read_whole(const char *path, char **bytes, size_t *size, heed_error *error);

/* Appends a whole regular file to `buffer`. HEED_E_FORMAT if it is larger than `limit` bytes. */
heed_status heed_file_read(const char *path, size_t limit, heed_buffer *buffer, heed_error *error);

/* ---- writing ---- */

/* Writes one file in pieces. What `path` names decides how:
   - Nothing, or a regular file: the bytes go to an unnamed file (O_TMPFILE) in the same folder,
     which
   heed_file_writer_finish syncs to disk and renames to `path`. Until then the old file stays in
   place, and a killed process leaves nothing. If the file system lacks unnamed files, the bytes go
   to a locked file with a temporary name; if its writer was killed, the next writer in that folder
   removes it. The new file keeps the permissions of the old one, and owner and group if the system
   allows it. Other hard links of the old file keep the old bytes. A read-only file is refused.
   - A symbolic link: the same happens to the file at the end of all links, which need not exist.
     The
   link stays.
   - "-", /dev/stdout, /dev/fd/N or /proc/self/fd/N: the bytes go to the open descriptor at its
     current
   position. For stdout, the bytes buffered by stdio are flushed first.
   - Anything else, such as a pipe, a terminal or a device: it is opened and written directly.
   Messages name `path`. */
typedef struct heed_file_writer {
    char *path;
    char *target;    /* the file to create or replace, NULL if the bytes are written directly */
    char *temporary; /* the temporary name of the file, NULL if it is unnamed */
    int descriptor;
    size_t written;
} heed_file_writer;
/* Opens `path` for writing. */
heed_status heed_file_writer_open(heed_file_writer *writer, const char *path, heed_error *error);
/* Writes `count` bytes. */
heed_status heed_file_writer_put(heed_file_writer *writer, const void *bytes, size_t count,
                                 heed_error *error);
/* Syncs the file to disk and gives it its name. The caller still closes the writer. */
heed_status heed_file_writer_finish(heed_file_writer *writer, heed_error *error);
/* Frees the writer and discards a file that is not finished. A second call is allowed. */
void heed_file_writer_close(heed_file_writer *writer);

/* Writes a whole file in one call. */
heed_status heed_file_write(const char *path, const void *bytes, size_t count, heed_error *error);

/* ---- temporary names ---- */

/* Temporary files, folders and links are named ".heed-", 16 hexadecimal digits, ".tmp". The
   constant counts the NUL too. */
enum { HEED_TEMPORARY_NAME = 6 + 16 + 4 + 1 };
/* Returns whether `name` has that form. */
bool heed_temporary_is_name(const char *name);
/* Returns "folder/NAME" with a new random temporary name; the caller creates it exclusively and
   frees the string. NULL if out of memory. */
char *heed_temporary_path(const char *folder);
/* Makes an empty folder with a temporary name in `parent`. The caller frees *path. */
heed_status heed_temporary_directory(const char *parent, char **path, heed_error *error);
/* Removes a regular file with a temporary name unless its writer still holds the lock. Errors are
   ignored. */
void heed_temporary_remove_abandoned(const char *path);

/* ---- folders and links ---- */

/* Makes a folder and its missing parents. HEED_OK if it exists. */
heed_status heed_directory_make(const char *path, heed_error *error);
/* Removes a folder with everything in it. HEED_OK if it does not exist. Symbolic links in it are
   removed, not followed. HEED_E_IO if `path` itself is a symbolic link. */
heed_status heed_directory_remove(const char *path, heed_error *error);
/* Calls fsync on a file or a folder. */
heed_status heed_path_sync(const char *path, heed_error *error);
/* Makes `link` a symbolic link to `target`. An older link is replaced by rename, so that readers
   see either the old one or the new one. */
heed_status heed_link_replace(const char *target, const char *link, heed_error *error);

#endif
