/* data_parts.h: inside of heed_data, shared by data.c (opening, access) and data_read.c (one reader
   per format). */
#ifndef HEED_IO_DATA_INTERNAL_H
#define HEED_IO_DATA_INTERNAL_H

#include "base/file.h"
#include "base/memory.h"
#include "io/data.h"

/* A token file. The first SHARDS_HELD stay open, as long as the data does; the others are opened
   for each reading, so that data may have more files than a process may open. */
enum { SHARDS_HELD = 200 };
typedef struct heed_shard_file {
    heed_file_reader reader;
    size_t offset; /* of its first token */
    heed_token_shard shard;
} heed_shard_file;

struct heed_data {
    heed_data_kind kind;   /* of the first file; every other must agree */
    const char *kind_from; /* that file; NULL before any was read */
    heed_arena *arena;     /* paths, and texts of lines */
    char **files;          /* documents that are whole files */
    size_t file_count, file_capacity;
    heed_text *documents;
    struct {
        const char *path;
        size_t line;
    } * places; /* of conversations */
    size_t place_capacity;
    heed_text_pair *pairs;
    heed_shard_file *shards;
    size_t count, capacity, bytes;
    heed_cancel cancel; /* while files are read */
};

/* Reads one file into `data`; `path` lives as long as data does. */
typedef heed_status heed_data_reader(heed_data *data, const char *path, heed_error *error);
/* The reader for a file of this name, NULL with an error for formats known but not read. Names of
   unknown formats are read as text. */
heed_data_reader *heed_data_reader_for(const char *path, heed_error *error);
/* whether a folder given as data stands for this file */
bool heed_data_in_folder(const char *name);
heed_status heed_data_read_pairs(heed_data *data, const char *source_path, const char *target_path,
                                 heed_error *error);

#endif
