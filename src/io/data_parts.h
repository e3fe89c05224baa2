/* data_parts.h: inside of heed_data, shared by data.c (opening, access) and data_read.c (one reader per format). */
#ifndef HEED_IO_DATA_PARTS_H
#define HEED_IO_DATA_PARTS_H

#include "base/file.h"
#include "base/memory.h"
#include "io/data.h"

struct heed_data {
    heed_data_kind kind;   /* of the first file; every other must agree */
    const char *kind_from; /* that file; NULL before any was read */
    heed_arena *arena;     /* paths, and text that had to change */
    heed_file_map *maps;
    size_t map_count, map_capacity;
    heed_text *documents;
    struct { const char *path; size_t line; } *places; /* of conversations */
    size_t place_capacity;
    heed_text_pair *pairs;
    heed_token_shard *shards;
    size_t count, capacity, bytes;
};

/* Reads one file into `data`; `path` lives as long as data does. */
typedef heed_status heed_data_reader(heed_data *data, const char *path, heed_error *error);
/* The reader for a file of this name, NULL with an error for formats known but not read. Names of unknown formats are read as
   text. */
heed_data_reader *heed_data_reader_for(const char *path, heed_error *error);
bool heed_data_in_folder(const char *name); /* whether a folder given as data stands for this file */
heed_status heed_data_read_pairs(heed_data *data, const char *source_path, const char *target_path, heed_error *error);

#endif
