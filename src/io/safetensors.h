/* safetensors.h: the safetensors file format, read by position and written in one pass.
   Layout:
     u64 little-endian N
     N bytes of JSON: {"name": {"dtype", "shape", "data_offsets": [begin, end]},
       "__metadata__": {...}}
     the data
   Source: https://github.com/huggingface/safetensors, "Format". */
#ifndef HEED_IO_SAFETENSORS_H
#define HEED_IO_SAFETENSORS_H

#include "base/cancel.h"
#include "base/error.h"
#include "base/file.h"
#include "tensor/dtype.h"
#include <stddef.h>
#include <stdint.h>

/* One tensor of an open file; everything is borrowed until the file is closed. Its `bytes` bytes
   are row-major and little-endian; heed_stored_read or a heed_stored_window (stored.h) reads them.
   If the whole file is in memory, `data` points to them; they need not be aligned. */
typedef struct heed_stored_tensor {
    const char *name;
    heed_dtype dtype;
    int rank;             /* 0 for a scalar */
    const int64_t *shape; /* (rank) extents, outermost first, not negative; their product fits */
    const void *data;     /* NULL unless the whole file is in memory */
    size_t bytes;
    size_t offset;                  /* byte of the data in its file */
    const char *file;               /* path of the file, for messages */
    const heed_file_reader *reader; /* NULL if `data` is set */
} heed_stored_tensor;

/* Reads `count` bytes of the tensor from byte `offset` on. HEED_E_IO names the file if it ends
   before them. */
heed_status heed_stored_read(const heed_stored_tensor *tensor, size_t offset, void *bytes,
                             size_t count, heed_error *error);

typedef struct heed_safetensors heed_safetensors;

/* Reads and checks the header of a file, which stays open:
   - the header is at most 100 MB, inside the file, and JSON without duplicate keys;
   - every entry has a known dtype, a shape without negative or overflowing extents, and offsets
     that agree with both;
   - the tensors cover the data exactly, without overlap or hole.
   *file is NULL on failure.
   Errors: HEED_E_FORMAT (file, byte or tensor, what was expected); HEED_E_UNSUPPORTED (element
   types such as F8_E4M3 or U16); HEED_E_IO; HEED_E_NOMEM. */
heed_status heed_safetensors_open(heed_safetensors **file, const char *path, heed_error *error);
/* Does the same and keeps the whole file in memory, for files that are small or needed at once. */
heed_status heed_safetensors_open_whole(heed_safetensors **file, const char *path,
                                        heed_error *error);
/* Does the same for bytes in memory, which are borrowed until the file is closed. `where` is copied
   and begins every message. */
heed_status heed_safetensors_open_memory(heed_safetensors **file, const void *bytes, size_t count,
                                         const char *where, heed_error *error);
void heed_safetensors_close(heed_safetensors *file); /* NULL is allowed */

size_t heed_safetensors_count(const heed_safetensors *file);
/* Returns tensor `index` < count, in the order of the data. */
const heed_stored_tensor *heed_safetensors_at(const heed_safetensors *file, size_t index);
/* Returns the tensor of a name; NULL if there is none. */
const heed_stored_tensor *heed_safetensors_find(const heed_safetensors *file, const char *name);
/* Returns a value of __metadata__; NULL if there is none. */
const char *heed_safetensors_metadata(const heed_safetensors *file, const char *key);
/* Returns HEED_E_IO, which names the file, if another program has changed it since it was
   opened. */
heed_status heed_safetensors_check_unchanged(const heed_safetensors *file, heed_error *error);

/* A tensor to write. Its bytes come from `data`; if that is NULL, from the set's `produce`. */
typedef struct heed_tensor_source {
    const char *name;
    heed_dtype dtype;
    int rank;
    const int64_t *shape;
    const void *data;
} heed_tensor_source;

/* Fills `bytes` (dtype and shape of `tensor`, row-major) with the values of tensor `index` of the
   set, counted as the caller gave them. */
typedef heed_status heed_tensor_produce(void *context, size_t index,
                                        const heed_tensor_source *tensor, void *bytes,
                                        heed_error *error);

/* The tensors of a file to write. */
typedef struct heed_tensor_set {
    const heed_tensor_source *tensors;
    size_t count;
    /* called once, in file order, for each tensor without data that is not empty */
    heed_tensor_produce *produce;
    void *context;
    const char *const *metadata; /* key, value, key, value ..., NULL; NULL means {"format": "pt"} */
    heed_cancel cancel;          /* may cancel the writing; asked every few megabytes */
} heed_tensor_set;

/* Writes a file under a temporary name, syncs it and renames it into place: `path` has either the
   old bytes or all of the new ones. Tensors are ordered by descending element size, then by name,
   as in the format's own library, so that equal tensors give equal bytes.
   Errors: HEED_E_ARG for names that repeat, are "__metadata__" or not valid UTF-8, and for negative
   extents; HEED_E_SHAPE if sizes overflow; HEED_E_IO (after a full disk the old file is intact);
   HEED_E_CANCELLED; errors of `produce`. */
heed_status heed_safetensors_write(const char *path, const heed_tensor_set *set, heed_error *error);

/* Writes folder/model.safetensors. If the tensors exceed max_shard_bytes (0: no limit), writes
   instead the shards folder/model-00001-of-0000N.safetensors, filled in the order given, and then
   folder/model.safetensors.index.json; an older folder/model.safetensors, which would be read
   instead of the index, is removed. Errors as for heed_safetensors_write. */
heed_status heed_safetensors_write_folder(const char *folder, const heed_tensor_set *set,
                                          size_t max_shard_bytes, heed_error *error);

#endif
