/* data_internal.h: declares what the files of heed_data share. Each calls only those after it:
     data.c         opens files and folders, gives access to what was read
     data_read.c    the formats by the endings of names; whole texts
     data_jsonl.c   objects
     data_pairs.c   pairs: .tsv, two aligned files
     data_tokens.c  token shards
     data_lines.c   files of lines
     data_add.c     adds what a reader has found */
#ifndef HEED_IO_DATA_INTERNAL_H
#define HEED_IO_DATA_INTERNAL_H

#include "base/file.h"
#include "base/memory.h"
#include "io/data.h"

/* A token file. The first SHARDS_HELD files stay open as long as the data. The others are opened
   for each reading, because data may have more files than a process may open. */
enum { SHARDS_HELD = 200 };
typedef struct heed_shard_file {
    heed_file_reader reader;
    size_t offset; /* byte of the first token */
    heed_token_shard shard;
} heed_shard_file;

/* The place of a line, for messages. */
typedef struct heed_data_origin {
    const char *path;
    size_t line; /* from 1 */
} heed_data_origin;

struct heed_data {
    heed_data_kind kind;   /* kind of the first file; all others must have it too */
    const char *kind_from; /* path of the first file; NULL before any was read */
    heed_arena *arena;     /* owns paths and the texts of lines */
    char **files;          /* bytes of documents that are whole files */
    size_t file_count, file_capacity;
    heed_text *documents;
    heed_data_origin *origins; /* (count) places of conversations */
    size_t origin_capacity;
    heed_text_pair *pairs;
    heed_shard_file *shards;
    size_t count, capacity, bytes;
    heed_cancel cancel; /* may cancel while files are read */
};

/* ---- data_read.c, data_jsonl.c, data_pairs.c, data_tokens.c: one reader per format ---- */

/* Reads one file into `data`. `path` lives as long as the data. */
typedef heed_status heed_data_reader(heed_data *data, const char *path, heed_error *error);
/* Returns the reader for a file of this name. NULL with HEED_E_UNSUPPORTED for formats that heed
   knows but does not read. Unknown formats are read as text. */
heed_data_reader *heed_data_reader_for(const char *path, heed_error *error);
/* Is a file of this name read if its folder is given as data? */
bool heed_data_in_folder(const char *name);

heed_data_reader heed_data_read_jsonl;
heed_data_reader heed_data_read_tsv;
heed_data_reader heed_data_read_shard;
/* Pairs line i of one file with line i of the other. HEED_E_FORMAT if the numbers of lines
   differ. */
heed_status heed_data_read_aligned(heed_data *data, const char *source_path,
                                   const char *target_path, heed_error *error);

/* ---- data_lines.c ---- */

/* Returns HEED_E_FORMAT with the message that the file is empty. */
heed_status heed_data_fail_empty(const char *path, heed_error *error);
/* Opens a file of lines, which the caller closes. HEED_E_FORMAT if it is empty. */
heed_status heed_data_open_lines(heed_line_file **lines, const char *path, heed_error *error);
/* Reads the next line; *found is false at the end. HEED_E_CANCELLED if the reading is cancelled. */
heed_status heed_data_next_line(const heed_data *data, heed_line_file *lines, heed_text *line,
                                bool *found, heed_error *error);
/* Reads one line, which is valid during the call. */
typedef heed_status heed_data_line_reader(heed_data *data, heed_text line, heed_data_origin at,
                                          heed_error *error);
/* Calls `read` with every line of a file, blank ones too, until a call fails. */
heed_status heed_data_for_each_line(heed_data *data, const char *path, heed_data_line_reader *read,
                                    heed_error *error);

/* ---- data_add.c ---- */

/* Returns HEED_E_ARG unless all files so far hold this kind. */
heed_status heed_data_expect_kind(heed_data *data, heed_data_kind kind, const char *path,
                                  heed_error *error);
/* Copies a text into memory that lives as long as the data. `text` may point to `from`. */
heed_status heed_data_copy(heed_data *data, heed_text from, heed_text *text, const char *path,
                           heed_error *error);
/* The next two keep the texts that they are given, which live as long as the data. */
heed_status heed_data_add_document(heed_data *data, heed_text text, const char *path,
                                   heed_error *error);
heed_status heed_data_add_pair(heed_data *data, heed_text_pair pair, const char *path,
                               heed_error *error);
/* Copies the line of a conversation and keeps the copy. */
heed_status heed_data_add_conversation(heed_data *data, heed_text line, heed_data_origin at,
                                       heed_error *error);
/* Adds an open token file, which the data closes. */
heed_status heed_data_add_shard(heed_data *data, const heed_shard_file *file, heed_error *error);

#endif
