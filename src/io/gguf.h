/* gguf.h: the GGUF file format, versions 2 and 3, little-endian, read by position and written in
   one pass.
   Layout:
     "GGUF", u32 version, u64 number of tensors, u64 number of entries
     the entries: key, u32 type, value
     the tensors: name, u32 rank, u64 extents (innermost first), u32 element type, u64 place
     padding to a multiple of general.alignment (32 if absent)
     the data, from which places are counted
   A string is a u64 length and as many bytes. Source: ggml's docs/gguf.md. */
#ifndef HEED_IO_GGUF_H
#define HEED_IO_GGUF_H

#include "base/buffer.h"
#include "io/safetensors.h"

/* Types of values; the numbers are those of the file. */
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

/* One entry of the metadata, borrowed until the file is closed. */
typedef struct heed_gguf_entry {
    const char *key;
    heed_gguf_type type; /* type of the value, or of the elements of an array (never ARRAY) */
    bool is_array;
    size_t count;              /* elements of an array; else 1 */
    const unsigned char *data; /* the elements as they are in the file, unaligned */
    /* for strings: (count) where in `data` the length of each begins; else NULL */
    const size_t *strings;
    size_t bytes; /* bytes of `data` */
} heed_gguf_entry;

typedef struct heed_gguf heed_gguf;

/* Reads and checks the metadata and the list of tensors of a file, which stays open:
   - counts are bounded by the bytes left in the file before anything is allocated for them;
   - types, strings, ranks, extents and places are inside the file and do not overflow;
   - keys and names of tensors occur once;
   - tensors are aligned, complete and do not overlap.
   *file is NULL on failure.
   Errors: HEED_E_FORMAT (file, byte, field, what was expected); HEED_E_UNSUPPORTED for version 1,
   big-endian files, arrays of arrays and element types that heed does not read (by name);
   HEED_E_IO; HEED_E_NOMEM.

   If the file is a part of a split model (split.count > 1), all parts NAME-00001-of-0000N.gguf ...
   of its folder are opened, with the entries of the first. An error names a part that is missing or
   belongs to another model. A file with all of split.tensors.count tensors is opened alone. */
heed_status heed_gguf_open(heed_gguf **file, const char *path, heed_error *error);
/* Does the same for a single file and keeps it in memory, so that tensors have data. */
heed_status heed_gguf_open_whole(heed_gguf **file, const char *path, heed_error *error);
/* Does the same for bytes in memory, which are borrowed until the file is closed. `where` is copied
   and begins every message. */
heed_status heed_gguf_open_memory(heed_gguf **file, const void *bytes, size_t count,
                                  const char *where, heed_error *error);
void heed_gguf_close(heed_gguf *file); /* NULL is allowed */
/* Does this path name a regular file that begins with "GGUF"? */
bool heed_gguf_is_file(const char *path);
/* Does this name end in .gguf, in any case? A model written to such a name becomes a GGUF file. */
bool heed_gguf_is_name(const char *path);

size_t heed_gguf_count(const heed_gguf *file);
/* Returns tensor `index`, in the order of the data; shapes are outermost first. */
const heed_stored_tensor *heed_gguf_at(const heed_gguf *file, size_t index);
/* Returns the one of this name; NULL if there is none. */
const heed_stored_tensor *heed_gguf_find(const heed_gguf *file, const char *name);
/* Returns HEED_E_IO, which names the file, if another program has changed it since it was
   opened. */
heed_status heed_gguf_check_unchanged(const heed_gguf *file, heed_error *error);
const char *heed_gguf_where(const heed_gguf *file);

/* ---- metadata ---- */
size_t heed_gguf_entry_count(const heed_gguf *file);
/* Returns entry `index`, in the order of the file. */
const heed_gguf_entry *heed_gguf_entry_at(const heed_gguf *file, size_t index);
/* Returns the one of this name; NULL if there is none. */
const heed_gguf_entry *heed_gguf_entry_find(const heed_gguf *file, const char *key);
/* Return element `index` < count of an entry. A number that is not an integer of 63 bits gives 0,
   so callers check the type first. */
int64_t heed_gguf_integer_at(const heed_gguf_entry *entry, size_t index);
double heed_gguf_number_at(const heed_gguf_entry *entry, size_t index);
/* not NUL-terminated */
const char *heed_gguf_string_at(const heed_gguf_entry *entry, size_t index, size_t *length);
bool heed_gguf_type_is_integer(heed_gguf_type type); /* BOOL is not one */
/* Returns the bytes of an element; 0 for strings, arrays and numbers that are not a type. */
size_t heed_gguf_type_bytes(heed_gguf_type type);
/* Read single values. An absent key leaves *value unchanged and returns HEED_OK. Another type, or
   an array, returns HEED_E_FORMAT. */
heed_status heed_gguf_integer(const heed_gguf *file, const char *key, int64_t *value,
                              heed_error *error);
heed_status heed_gguf_boolean(const heed_gguf *file, const char *key, bool *value,
                              heed_error *error);
/* not NUL-terminated */
heed_status heed_gguf_text(const heed_gguf *file, const char *key, const char **value,
                           size_t *length, heed_error *error);

/* ---- writing ---- */

/* Entries to write; zero-initialize. Keys are not compared: the caller must name each once.
   Failures are kept in `bytes` and reported by heed_gguf_write. */
typedef struct heed_gguf_entries {
    heed_buffer bytes;
    uint64_t count;
} heed_gguf_entries;
/* Appends all entries of another set. */
void heed_gguf_put_entries(heed_gguf_entries *entries, const heed_gguf_entries *more);
void heed_gguf_put_u32(heed_gguf_entries *entries, const char *key, uint32_t value);
void heed_gguf_put_f32(heed_gguf_entries *entries, const char *key, float value);
void heed_gguf_put_boolean(heed_gguf_entries *entries, const char *key, bool value);
void heed_gguf_put_string(heed_gguf_entries *entries, const char *key, const char *text,
                          size_t length);
/* Begins an array. `count` calls of heed_gguf_put_element or heed_gguf_put_text must follow. */
void heed_gguf_put_array(heed_gguf_entries *entries, const char *key, heed_gguf_type type,
                         uint64_t count);
/* Appends a number as an element of the type. */
void heed_gguf_put_element(heed_gguf_entries *entries, heed_gguf_type type, double value);
void heed_gguf_put_text(heed_gguf_entries *entries, const char *text, size_t length);
/* Appends an entry of another file unchanged. */
void heed_gguf_put_entry(heed_gguf_entries *entries, const heed_gguf_entry *entry);

/* Writes version 3 under a temporary name, syncs it and renames it into place. Tensors come in the
   order given, aligned to 32 bytes.
   Errors: HEED_E_ARG for names that repeat or are longer than 63 bytes, ranks beyond 4, and element
   types that GGUF lacks; HEED_E_SHAPE if rows are not a multiple of the type's qblock or sizes
   overflow; HEED_E_IO; HEED_E_CANCELLED; errors of `produce`. */
heed_status heed_gguf_write(const char *path, const heed_gguf_entries *entries,
                            const heed_tensor_set *set, heed_error *error);

#endif
