/* gguf_internal.h: the reader from inside, for gguf.c (tensors), gguf_entries.c (metadata) and
   gguf_split.c. */
#ifndef HEED_IO_GGUF_INTERNAL_H
#define HEED_IO_GGUF_INTERNAL_H

#include "base/file.h"
#include "base/memory.h"
#include "io/gguf.h"

struct heed_gguf {
    heed_file_reader reader; /* of a file that is read by position */
    heed_arena *arena;
    const char *where;
    const unsigned char *bytes; /* of the file: the first `loaded` of `size` */
    size_t loaded, size;
    size_t wanted;        /* bytes without which reading cannot go on; 0: all were there */
    unsigned char *owned; /* `bytes`, unless they are the caller's */
    bool has_data;        /* tensors have data */
    heed_gguf_entry *entries, **by_key;
    size_t entry_count;
    heed_stored_tensor *tensors, **by_name;
    size_t count;
    size_t alignment;
    heed_gguf **parts; /* of the first part of a split model: the others */
    size_t part_count;
};

/* Opens one file, whether or not it is a part of a split model. */
heed_status heed_gguf_open_file(heed_gguf **file, const char *path, heed_error *error);

/* Where reading stands. Nothing after file->loaded is touched. */
typedef struct heed_gguf_cursor {
    heed_gguf *file;
    size_t at;
    heed_error *error;
} heed_gguf_cursor;

static inline size_t heed_gguf_left(const heed_gguf_cursor *cursor)
{
    return cursor->file->size - cursor->at;
}

/* Are `count` bytes from here on, which are inside the file, in memory? If not, reading begins
   again with more of the file. */
static inline bool heed_gguf_reach(heed_gguf_cursor *cursor, size_t count)
{
    if (cursor->at + count <= cursor->file->loaded) return true;
    cursor->file->wanted = cursor->at + count;
    return false;
}

static inline uint64_t heed_gguf_bits(const unsigned char *bytes, int count)
{
    uint64_t value = 0;
    for (int i = count - 1; i >= 0; i--) value = value << 8 | bytes[i];
    return value;
}

/* Integers of 4 and 8 bytes; `what` names the field when the file ends before it. */
heed_status heed_gguf_read_u32(heed_gguf_cursor *cursor, const char *what, uint32_t *value);
heed_status heed_gguf_read_u64(heed_gguf_cursor *cursor, const char *what, uint64_t *value);
/* A key or a name: a string without U+0000, copied into the arena. */
heed_status heed_gguf_read_name(heed_gguf_cursor *cursor, const char *what, const char **name);
/* Reads `count` entries and orders them by key. */
heed_status heed_gguf_read_entries(heed_gguf_cursor *cursor, uint64_t count);

#endif
