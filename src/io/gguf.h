/* gguf.h: the GGUF file format, versions 2 and 3, little-endian, read by position, written in one
   pass.
   Layout:
     "GGUF", u32 version, u64 number of tensors, u64 number of entries
     the entries: key, u32 type, value
     the tensors: name, u32 rank, u64 extents (innermost first), u32 element type, u64 place
     filling up to a multiple of general.alignment (32 if absent)
     the data, places counted from here
   A string is a u64 length and as many bytes.
   Source: ggml's docs/gguf.md. */
#ifndef HEED_IO_GGUF_H
#define HEED_IO_GGUF_H

#include "base/buffer.h"
#include "io/safetensors.h"

/* Types of values, with their numbers in the file. */
typedef enum heed_gguf_type {
    HEED_GGUF_U8,
    HEED_GGUF_I8,
    HEED_GGUF_U16,
    HEED_GGUF_I16,
    HEED_GGUF_U32,
    HEED_GGUF_I32,
    HEED_GGUF_F32,
    HEED_GGUF_BOOL,
    HEED_GGUF_STRING,
    HEED_GGUF_ARRAY,
    HEED_GGUF_U64,
    HEED_GGUF_I64,
    HEED_GGUF_F64,
    HEED_GGUF_TYPES
} heed_gguf_type;

/* One entry of the metadata; all of it is borrowed until the file is closed. */
typedef struct heed_gguf_entry {
    const char *key;
    heed_gguf_type type; /* of the value, or of the elements of an array, then never ARRAY */
    bool is_array;
    size_t count;              /* elements of an array, else 1 */
    const unsigned char *data; /* the elements as they lie in the file, unaligned */
    const size_t *strings;     /* of strings: byte of each in data, where its length stands */
    size_t bytes;              /* of data */
} heed_gguf_entry;

typedef struct heed_gguf heed_gguf;

/* Reads and checks the metadata and the list of tensors of a file, which stays open:
   - counts are bounded by the bytes that are left before anything is allocated for them;
   - types, strings, ranks, extents and places are inside the file and do not wrap;
   - keys and names of tensors are there once;
   - tensors are aligned, whole and do not overlap.
   Errors: HEED_E_FORMAT (file, byte, field, what was expected); HEED_E_UNSUPPORTED for version 1,
   big-endian files, arrays of arrays and element types that heed does not read (by name);
   HEED_E_IO, HEED_E_NOMEM. */
/* Any part of a split model (split.count > 1) opens all of them: NAME-00001-of-0000N.gguf ... in
   one folder, with the entries of the first; an error names a part that is missing or of another
   model. A file that has all of split.tensors.count stands for itself. */
heed_status heed_gguf_open(heed_gguf **file, const char *path, heed_error *error);
/* The same with the whole file in memory, so that tensors have data. */
heed_status heed_gguf_open_whole(heed_gguf **file, const char *path, heed_error *error);
/* The same on bytes in memory, borrowed until the file is closed. `where` is copied and begins
   every message. */
heed_status heed_gguf_open_memory(heed_gguf **file, const void *bytes, size_t count,
                                  const char *where, heed_error *error);
void heed_gguf_close(heed_gguf *file); /* NULL is fine */
/* Does this path name a regular file that begins with "GGUF"? */
bool heed_gguf_is_file(const char *path);
/* Does this name end in .gguf, in small letters or capitals? Then a model is written there as a
   GGUF file. */
bool heed_gguf_is_name(const char *path);

size_t heed_gguf_count(const heed_gguf *file);
/* in the order of their data; shapes outermost first */
const heed_stored_tensor *heed_gguf_at(const heed_gguf *file, size_t index);
/* NULL when absent */
const heed_stored_tensor *heed_gguf_find(const heed_gguf *file, const char *name);
/* HEED_E_IO naming the file when another program has changed it since it was opened. */
heed_status heed_gguf_check_unchanged(const heed_gguf *file, heed_error *error);
const char *heed_gguf_where(const heed_gguf *file);

/* ---- metadata ---- */
size_t heed_gguf_entry_count(const heed_gguf *file);
/* in the order of the file */
const heed_gguf_entry *heed_gguf_entry_at(const heed_gguf *file, size_t index);
/* NULL when absent */
const heed_gguf_entry *heed_gguf_entry_find(const heed_gguf *file, const char *key);
/* Element `index` < count of an entry. A number that is not an integer of 63 bits gives 0: look
   at the type first. */
int64_t heed_gguf_integer_at(const heed_gguf_entry *entry, size_t index);
double heed_gguf_number_at(const heed_gguf_entry *entry, size_t index);
/* not NUL-terminated */
const char *heed_gguf_string_at(const heed_gguf_entry *entry, size_t index, size_t *length);
bool heed_gguf_type_is_integer(heed_gguf_type type); /* BOOL is none */
/* of one element; 0 for those without a fixed size, and for no type */
size_t heed_gguf_type_bytes(heed_gguf_type type);
/* Single values. An absent key leaves *value untouched and is HEED_OK; another type, or an array,
   is HEED_E_FORMAT. */
heed_status heed_gguf_integer(const heed_gguf *file, const char *key, int64_t *value,
                              heed_error *error);
heed_status heed_gguf_boolean(const heed_gguf *file, const char *key, bool *value,
                              heed_error *error);
/* not NUL-terminated */
heed_status heed_gguf_text(const heed_gguf *file, const char *key, const char **value,
                           size_t *length, heed_error *error);

/* ---- writing ---- */

/* Entries to be written; zero-initialize. Keys are not compared: the caller names each once. */
typedef struct heed_gguf_entries {
    heed_buffer bytes;
    uint64_t count;
} heed_gguf_entries;
/* After what is there, all of another set. */
void heed_gguf_put_entries(heed_gguf_entries *entries, const heed_gguf_entries *more);
void heed_gguf_put_u32(heed_gguf_entries *entries, const char *key, uint32_t value);
void heed_gguf_put_f32(heed_gguf_entries *entries, const char *key, float value);
void heed_gguf_put_boolean(heed_gguf_entries *entries, const char *key, bool value);
void heed_gguf_put_string(heed_gguf_entries *entries, const char *key, const char *text,
                          size_t length);
/* An array: its head here, then `count` elements by heed_gguf_put_element or heed_gguf_put_text. */
void heed_gguf_put_array(heed_gguf_entries *entries, const char *key, heed_gguf_type type,
                         uint64_t count);
/* numbers; I32, U32, F32, BOOL ... */
void heed_gguf_put_element(heed_gguf_entries *entries, heed_gguf_type type, double value);
void heed_gguf_put_text(heed_gguf_entries *entries, const char *text, size_t length);
/* as another file has it */
void heed_gguf_put_entry(heed_gguf_entries *entries, const heed_gguf_entry *entry);

/* Writes version 3 under a temporary name, syncs it and renames it into place, tensors in the order
   given, aligned to 32 bytes. Errors: HEED_E_ARG for names that repeat or are longer than 63 bytes,
   ranks beyond 4, element types that GGUF lacks; HEED_E_SHAPE if rows are not a multiple of the
   type's qblock or sizes overflow; HEED_E_IO; what `produce` answers. */
heed_status heed_gguf_write(const char *path, const heed_gguf_entries *entries,
                            const heed_tensor_set *set, heed_error *error);

#endif
