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

/* One tensor of an open file; everything is borrowed until the file is closed. Its `bytes` bytes,
   row-major and little-endian, are read with heed_stored_read or a heed_stored_window (stored.h).
   `data` holds them where the whole file is in memory; it need not be aligned. */
typedef struct heed_stored_tensor {
    const char *name;
    heed_dtype dtype;
    int rank;             /* 0 for a scalar */
    const int64_t *shape; /* rank extents, outermost first, none negative; their product fits */
    const void *data;     /* NULL unless the whole file is in memory */
    size_t bytes;
    size_t offset;                  /* of the data in its file */
    const char *file;               /* path, for messages */
    const heed_file_reader *reader; /* NULL with data */
} heed_stored_tensor;

/* Reads `count` bytes of the tensor from byte `offset` on. HEED_E_IO naming the file when it ends
   before. */
heed_status heed_stored_read(const heed_stored_tensor *tensor, size_t offset, void *bytes,
                             size_t count, heed_error *error);

typedef struct heed_safetensors heed_safetensors;

/* Reads and checks the header of a file, which stays open:
   - the header is at most 100 MB, inside the file, and JSON without duplicate keys;
   - every entry has a known dtype, a shape without negative or overflowing extents, and offsets
     that agree with both;
   - the tensors cover the data exactly, without overlap or hole.
   Errors: HEED_E_FORMAT (file, byte or tensor, what was expected), HEED_E_UNSUPPORTED (element
   types such as F8_E4M3 or U16), HEED_E_IO, HEED_E_NOMEM. */
heed_status heed_safetensors_open(heed_safetensors **file, const char *path, heed_error *error);
/* The same with the whole file in memory, for files that are small or needed at once. */
heed_status heed_safetensors_open_whole(heed_safetensors **file, const char *path,
                                        heed_error *error);
/* The same on bytes in memory, borrowed until the file is closed. `where` is copied and begins
   every message. */
heed_status heed_safetensors_open_memory(heed_safetensors **file, const void *bytes, size_t count,
                                         const char *where, heed_error *error);
void heed_safetensors_close(heed_safetensors *file); /* NULL is fine */

size_t heed_safetensors_count(const heed_safetensors *file);
/* Tensors in the order of their data, index < count. */
const heed_stored_tensor *heed_safetensors_at(const heed_safetensors *file, size_t index);
/* NULL when absent */
const heed_stored_tensor *heed_safetensors_find(const heed_safetensors *file, const char *name);
/* A value of __metadata__; NULL when absent. */
const char *heed_safetensors_metadata(const heed_safetensors *file, const char *key);
/* HEED_E_IO naming the file when another program has changed it since it was opened. */
heed_status heed_safetensors_check_unchanged(const heed_safetensors *file, heed_error *error);

/* A tensor to be written. Its bytes come from `data`, or, when that is NULL, from the set's
   `produce`. */
typedef struct heed_tensor_source {
    const char *name;
    heed_dtype dtype;
    int rank;
    const int64_t *shape;
    const void *data;
} heed_tensor_source;

/* Fills `bytes` (dtype and shape of `tensor`, row-major) with the values of tensor `index` of the
   set, in the caller's numbering. */
typedef heed_status heed_tensor_produce(void *context, size_t index,
                                        const heed_tensor_source *tensor, void *bytes,
                                        heed_error *error);

typedef struct heed_tensor_set {
    const heed_tensor_source *tensors;
    size_t count;
    /* for tensors without data, unless they are empty: called once for each, in file order */
    heed_tensor_produce *produce;
    void *context;
    const char *const *metadata; /* key, value, key, value ... NULL; NULL means {"format": "pt"} */
    heed_cancel cancel;          /* who may end the writing; asked for every few megabytes */
} heed_tensor_set;

/* Writes one file under a temporary name, syncs it and renames it into place: `path` holds the old
   bytes or all of the new ones. Tensors are ordered by descending element size, then name, as the
   format's own library does, so equal tensors give equal bytes. Errors: HEED_E_ARG for names that
   repeat, are "__metadata__" or not UTF-8, and negative extents; HEED_E_SHAPE when sizes overflow;
   HEED_E_IO (full disk: the old file is whole); what `produce` answers. */
heed_status heed_safetensors_write(const char *path, const heed_tensor_set *set, heed_error *error);

/* Writes folder/model.safetensors, or, when the tensors exceed max_shard_bytes (0: never split),
   shards folder/model-00001-of-0000N.safetensors filled in the order given and
   folder/model.safetensors.index.json. The index comes last, and an older folder/model.safetensors,
   which would win over it, is removed. */
heed_status heed_safetensors_write_folder(const char *folder, const heed_tensor_set *set,
                                          size_t max_shard_bytes, heed_error *error);

#endif
