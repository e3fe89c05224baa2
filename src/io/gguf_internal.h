/* gguf_internal.h: declares what the files of the reader share: gguf.c (tensors), gguf_entries.c
   (metadata) and gguf_split.c. */
#ifndef HEED_IO_GGUF_INTERNAL_H
#define HEED_IO_GGUF_INTERNAL_H

#include "base/file.h"
#include "base/memory.h"
#include "io/gguf.h"

struct heed_gguf {
    heed_file_reader reader; /* for a file that is read by position */
    heed_arena *arena;
    const char *where;
    const unsigned char *bytes; /* the first `loaded` of the `size` bytes of the file */
    size_t loaded, size;
    size_t wanted;        /* the bytes that reading needs to go on; 0 if enough were loaded */
    unsigned char *owned; /* `bytes`, unless they belong to the caller */
    bool has_data;        /* tensors have data in memory */
    heed_gguf_entry *entries, **by_key;
    size_t entry_count;
    heed_stored_tensor *tensors, **by_name;
    size_t count;
    size_t alignment;
    heed_gguf **parts; /* in the first part of a split model: the other parts */
    size_t part_count;
};

/* Opens one file alone, even if it is a part of a split model. */
heed_status heed_gguf_open_file(heed_gguf **file, const char *path, heed_error *error);

/* The place of reading. Bytes after file->loaded are not touched. */
typedef struct heed_gguf_cursor {
    heed_gguf *file;
    size_t at;
    heed_error *error;
} heed_gguf_cursor;

/* Returns the bytes of the file after the cursor. */
static inline size_t heed_gguf_left(const heed_gguf_cursor *cursor)
{
    return cursor->file->size - cursor->at;
}

/* Are the next `count` bytes, which are inside the file, loaded? If they are not, file->wanted is
   set and the file is read again with more bytes. */
static inline bool heed_gguf_reach(heed_gguf_cursor *cursor, size_t count)
{
    if (cursor->at + count <= cursor->file->loaded) return true;
    cursor->file->wanted = cursor->at + count;
    return false;
}

/* Returns `count` <= 8 little-endian bytes as an integer. */
static inline uint64_t heed_gguf_bits(const unsigned char *bytes, int count)
{
    uint64_t value = 0;
    for (int i = count - 1; i >= 0; i--) value = value << 8 | bytes[i];
    return value;
}

/* Read integers of 4 and 8 bytes. `what` names the field if the file ends before it. */
heed_status heed_gguf_read_u32(heed_gguf_cursor *cursor, const char *what, uint32_t *value);
heed_status heed_gguf_read_u64(heed_gguf_cursor *cursor, const char *what, uint64_t *value);
/* Reads a key or a name: a string without a zero byte, copied into the arena. */
heed_status heed_gguf_read_name(heed_gguf_cursor *cursor, const char *what, const char **name);
/* Reads `count` entries and indexes them by key. */
heed_status heed_gguf_read_entries(heed_gguf_cursor *cursor, uint64_t count);

#endif
