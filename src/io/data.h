/* data.h: reads text and token files for training and evaluation. Opening reads texts into memory;
   tokens are read on demand. Text is valid UTF-8. A byte order mark at the beginning of a file is
   not part of its text. */
#ifndef HEED_IO_DATA_H
#define HEED_IO_DATA_H

#include "base/cancel.h"
#include "base/error.h"
#include "base/lines.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the files hold. A heed_data holds one kind. */
typedef enum heed_data_kind {
    /* .txt and unknown extensions: the whole file; .jsonl: one object a line, with "text" */
    HEED_DATA_DOCUMENTS,
    /* .tsv: source, tab, target, no header; .jsonl: objects with "source" and "target"; two aligned
       files */
    HEED_DATA_PAIRS,
    /* .jsonl: objects with a list "messages", or with "prompt" and "completion" (both texts or both
       lists of messages) */
    HEED_DATA_CONVERSATIONS,
    /* .bin: llm.c shards (uint16 or uint32 after a header) and nanoGPT's raw uint16 */
    HEED_DATA_TOKENS
} heed_data_kind;

/* A pair of texts, borrowed until heed_data_close, as documents are. */
typedef struct heed_text_pair {
    heed_text source, target;
} heed_text_pair;

/* A token shard: `count` little-endian integers of `width` bytes (2 or 4). */
typedef struct heed_token_shard {
    size_t count;
    int width;
    const char *file;
} heed_token_shard;

typedef struct heed_data heed_data;

/* Reads files by extension. A folder stands for the .txt, .md, .jsonl, .tsv and .bin files in it
   and below it, in the order of their names. CRLF line ends become LF. *data is NULL on failure.
   Errors:
   - HEED_E_FORMAT with file and line for an empty file, bytes that are not valid UTF-8, a line that
     is not what its kind requires, a token file whose header contradicts its size;
   - HEED_E_ARG for files of different kinds;
   - HEED_E_UNSUPPORTED for .parquet, .gz and the like;
   - HEED_E_IO, HEED_E_NOMEM. */
heed_status heed_data_open(heed_data **data, const char *const *paths, size_t count,
                           heed_error *error);
/* Reads two files; line i of one translates line i of the other. HEED_E_FORMAT with both counts if
   the numbers of lines differ. */
heed_status heed_data_open_pairs(heed_data **data, const char *source_path, const char *target_path,
                                 heed_error *error);
/* The files to read, and who may cancel. */
typedef struct heed_data_files {
    const char *const *paths;
    size_t count;
    bool pairs; /* the paths are two files for heed_data_open_pairs */
    /* May cancel the reading (HEED_E_CANCELLED); asked every few hundred lines. */
    heed_cancel cancel;
} heed_data_files;
/* Does what heed_data_open or heed_data_open_pairs does, and can be cancelled. */
heed_status heed_data_open_files(heed_data **data, const heed_data_files *files, heed_error *error);
void heed_data_close(heed_data *data); /* NULL is allowed */

heed_data_kind heed_data_kind_of(const heed_data *data);
/* The number of documents, pairs, conversations or shards; at least 1. */
size_t heed_data_count(const heed_data *data);
size_t heed_data_bytes(const heed_data *data); /* bytes of text, or of tokens */
/* A document, or the object of a conversation as its line has it. */
heed_text heed_data_document(const heed_data *data, size_t index);
/* Writes the place of a conversation, "file, line 7", to place (size). */
void heed_data_place(const heed_data *data, size_t index, char *place, size_t size);
heed_text_pair heed_data_pair(const heed_data *data, size_t index);
heed_token_shard heed_data_shard(const heed_data *data, size_t index);

/* The tokens [from, from + count) of a shard. Each must be below `vocabulary`, which is at most
   2^31. */
typedef struct heed_token_range {
    size_t shard, from, count;
    uint32_t vocabulary;
} heed_token_range;
/* Copies tokens to ids (range.count). HEED_E_FORMAT names file, place and value of the first token
   that is not below range.vocabulary; HEED_E_IO if the file has become shorter. */
heed_status heed_data_read_tokens(const heed_data *data, heed_token_range range, int32_t *ids,
                                  heed_error *error);

#endif
