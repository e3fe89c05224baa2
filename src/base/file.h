/* file.h: reading files whole or by position, writing files that are complete or do not appear,
   folders, links. */
#ifndef HEED_BASE_FILE_H
#define HEED_BASE_FILE_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/path.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- reading ---- */

/* A regular file that is read by position. */
typedef struct heed_file_reader {
    char *path;
    int descriptor; /* -1: none */
    size_t size;    /* when it was opened, as is the rest */
    int64_t changed_seconds, changed_nanoseconds;
} heed_file_reader;
heed_status heed_file_reader_open(heed_file_reader *reader, const char *path, heed_error *error);
/* Reads `count` bytes from `offset`. HEED_E_IO naming the file when fewer are there. */
heed_status heed_file_reader_get(const heed_file_reader *reader, size_t offset, void *bytes,
                                 size_t count, heed_error *error);
/* HEED_E_IO naming the file when another program has changed it since it was opened. */
heed_status heed_file_reader_check(const heed_file_reader *reader, heed_error *error);
void heed_file_reader_close(heed_file_reader *reader); /* a second close is fine */

/* The whole of a file, *size bytes and a NUL after them; free(*bytes). Pipes and devices are read
   to their end; "-" is standard input. HEED_E_IO also when a regular file changes meanwhile;
   HEED_E_CANCELLED when a signal comes while a pipe has nothing to read. */
heed_status heed_file_read_whole(const char *path, char **bytes, size_t *size, heed_error *error);

/* Appends a whole file to `buffer`; HEED_E_FORMAT when it is larger than `limit` bytes. */
heed_status heed_file_read(const char *path, size_t limit, heed_buffer *buffer, heed_error *error);

/* ---- writing ---- */

/* Writes one file, piece by piece. What `path` is decides how:
   - nothing, or a regular file: the bytes go to a file without a name in the same folder, which
     takes the name `path` when heed_file_writer_finish has brought it to the disk. Until then the
     old file stands, and a process that is killed leaves nothing. Where a file system has no files
     without names, the bytes go to a file with a temporary name, which is locked while it is
     written; if its writer was killed, the next writer in that folder removes it. The new file
     keeps the permissions of the old one, and owner and group where the system allows it. Other
     names of the old file (hard links) keep the old bytes. A read-only file is refused.
   - a symbolic link: the same for the file at the end of all links, which need not exist. The link
     stays.
   - "-", /dev/stdout, /dev/fd/N, /proc/self/fd/N: the open descriptor, at its own position. What
     stdio holds for stdout is written first.
   - anything else (pipe, terminal, device): it is opened and written through.
   Messages name `path`. */
typedef struct heed_file_writer {
    char *path;
    char *target;    /* the file to be replaced; NULL when the bytes are written through */
    char *temporary; /* the name of the file while it is written; NULL when it has none */
    int descriptor;
    size_t written;
} heed_file_writer;
heed_status heed_file_writer_open(heed_file_writer *writer, const char *path, heed_error *error);
heed_status heed_file_writer_put(heed_file_writer *writer, const void *bytes, size_t count,
                                 heed_error *error);
heed_status heed_file_writer_finish(heed_file_writer *writer, heed_error *error);
/* gives up an unfinished file; a second close is fine */
void heed_file_writer_close(heed_file_writer *writer);

/* The same for bytes that are all there. */
heed_status heed_file_write(const char *path, const void *bytes, size_t count, heed_error *error);

/* ---- temporary names ---- */

/* Temporary files, folders and links are called ".heed-", 16 hexadecimal digits, ".tmp". */
enum { HEED_TEMPORARY_NAME = 6 + 16 + 4 + 1 };
bool heed_temporary_is_name(const char *name);
/* folder/NAME with a new random name, to be created exclusively; caller frees; NULL when memory is
   out. */
char *heed_temporary_path(const char *folder);
/* Makes an empty folder of such a name in `parent`; caller frees *path. */
heed_status heed_temporary_directory(const char *parent, char **path, heed_error *error);
/* Removes a regular file of a temporary name unless its writer still holds it. Errors are
   ignored. */
void heed_temporary_remove_abandoned(const char *path);

/* ---- folders and links ---- */

/* with parents; an existing one is fine */
heed_status heed_directory_make(const char *path, heed_error *error);
/* Removes a folder with everything in it; an absent one is fine. Symbolic links in it are removed,
   not followed; HEED_E_IO when `path` itself is one. */
heed_status heed_directory_remove(const char *path, heed_error *error);
/* fsync of a file or folder */
heed_status heed_path_sync(const char *path, heed_error *error);
/* Makes `link` a symbolic link to `target`, replacing an older link by rename, so that readers see
   the old or the new one. */
heed_status heed_link_replace(const char *target, const char *link, heed_error *error);

#endif
