/* file.h: mapped reading, whole-file reading, and writing that either is complete on disk or never happened. */
#ifndef HEED_BASE_FILE_H
#define HEED_BASE_FILE_H

#include "base/buffer.h"
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* HEED_E_IO (HEED_E_NOMEM for ENOMEM) from errno: "path: cannot doing: reason; remedy". */
heed_status heed_fail_system(heed_error *error, const char *doing, const char *path);

/* A read-only mapping of a regular file. An empty file maps to data = "" and size 0. */
typedef struct heed_file_map { const unsigned char *data; size_t size; } heed_file_map;
heed_status heed_file_map_open(heed_file_map *map, const char *path, heed_error *error);
void heed_file_map_close(heed_file_map *map);
/* Tells the kernel that bytes [offset, offset+count) are not needed again (law 8: source pages are released). */
void heed_file_map_release(const heed_file_map *map, size_t offset, size_t count);

/* Appends a whole file to `buffer`; HEED_E_FORMAT when it is larger than `limit` bytes. */
heed_status heed_file_read(const char *path, size_t limit, heed_buffer *buffer, heed_error *error);

/* Writes under a temporary name beside `path`, syncs, renames, syncs the folder. */
heed_status heed_file_write(const char *path, const void *bytes, size_t count, heed_error *error);

/* The same for a file written piece by piece. Nothing shows under `path` before heed_file_writer_finish, which replaces an older file
   as a whole; when it or a put fails the temporary file is removed and the old file stands. Close in every case. */
typedef struct heed_file_writer { char *path, *temporary; int descriptor; size_t written; } heed_file_writer;
heed_status heed_file_writer_open(heed_file_writer *writer, const char *path, heed_error *error);
heed_status heed_file_writer_put(heed_file_writer *writer, const void *bytes, size_t count, heed_error *error);
heed_status heed_file_writer_finish(heed_file_writer *writer, heed_error *error);
void heed_file_writer_close(heed_file_writer *writer); /* gives up an unfinished file; a second close is fine */

bool heed_path_exists(const char *path);
bool heed_path_is_directory(const char *path);
/* "folder/name"; caller frees; NULL when memory is out. */
char *heed_path_join(const char *folder, const char *name);
heed_status heed_directory_make(const char *path, heed_error *error);   /* with parents; an existing one is fine */
heed_status heed_directory_remove(const char *path, heed_error *error); /* with everything in it; an absent one is fine */
heed_status heed_path_sync(const char *path, heed_error *error);        /* fsync of a file or folder */
/* Makes `link` a symbolic link to `target`, replacing an older link by rename, so that readers see the old or the new one. */
heed_status heed_link_replace(const char *target, const char *link, heed_error *error);

#endif
