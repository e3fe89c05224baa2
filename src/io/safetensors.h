/* safetensors.h: the safetensors file format, read through a map and written in one pass.
   Layout: u64 little-endian N; N bytes of JSON {"name": {"dtype", "shape", "data_offsets": [begin, end]}, "__metadata__": {...}};
   the data. Source: https://github.com/huggingface/safetensors, "Format". */
#ifndef HEED_IO_SAFETENSORS_H
#define HEED_IO_SAFETENSORS_H

#include "base/error.h"
#include "tensor/dtype.h"
#include <stddef.h>
#include <stdint.h>

/* One tensor of an open file; everything is borrowed until the file is closed. `data` holds `bytes` bytes, row-major,
   little-endian, and need not be aligned: read it through heed_convert or memcpy. */
typedef struct heed_stored_tensor {
    const char *name;
    heed_dtype dtype;
    int rank;              /* 0 for a scalar */
    const int64_t *shape;  /* rank extents, outermost first, none negative; their product fits */
    const void *data;
    size_t bytes;
    size_t offset;         /* of the data in its file, for messages */
    const char *file;      /* path, for messages */
} heed_stored_tensor;

typedef struct heed_safetensors heed_safetensors;

/* Opens and checks a whole file: the header is at most 100 MB and inside the file, is JSON without duplicate keys, every entry has
   a known dtype, a shape without negative or overflowing extents and offsets that agree with both; the tensors cover the data
   exactly, without overlap or hole. Errors: HEED_E_FORMAT (file, byte or tensor, what was expected), HEED_E_UNSUPPORTED (element
   types such as F8_E4M3 or U16), HEED_E_IO, HEED_E_NOMEM. */
heed_status heed_safetensors_open(heed_safetensors **file, const char *path, heed_error *error);
/* The same on bytes in memory, borrowed until the file is closed. `where` is copied and begins every message. */
heed_status heed_safetensors_open_memory(heed_safetensors **file, const void *bytes, size_t count, const char *where,
                                         heed_error *error);
void heed_safetensors_close(heed_safetensors *file); /* NULL is fine */

size_t heed_safetensors_count(const heed_safetensors *file);
/* Tensors in the order of their data, index < count. */
const heed_stored_tensor *heed_safetensors_at(const heed_safetensors *file, size_t index);
const heed_stored_tensor *heed_safetensors_find(const heed_safetensors *file, const char *name); /* NULL when absent */
/* A value of __metadata__; NULL when absent. */
const char *heed_safetensors_metadata(const heed_safetensors *file, const char *key);
/* Gives the pages of a tensor back after it was packed; its data stays readable (and is read from disk again). */
void heed_safetensors_release(const heed_safetensors *file, const heed_stored_tensor *tensor);

/* A tensor to be written. Its bytes come from `data`, or, when that is NULL, from the set's `produce`. */
typedef struct heed_tensor_source {
    const char *name;
    heed_dtype dtype;
    int rank;
    const int64_t *shape;
    const void *data;
} heed_tensor_source;

/* Fills `bytes` (dtype and shape of `tensor`, row-major) with the values of tensor `index` of the set, in the caller's
   numbering. */
typedef heed_status heed_tensor_produce(void *context, size_t index, const heed_tensor_source *tensor, void *bytes,
                                        heed_error *error);

typedef struct heed_tensor_set {
    const heed_tensor_source *tensors;
    size_t count;
    heed_tensor_produce *produce; /* for tensors without data, unless they are empty: called once for each, in file order */
    void *context;
    const char *const *metadata;  /* key, value, key, value ... NULL; NULL means {"format": "pt"} */
} heed_tensor_set;

/* Writes one file under a temporary name, syncs it and renames it into place: `path` holds the old bytes or all of the new ones.
   Tensors are ordered by descending element size, then name, as the format's own library does, so equal tensors give equal bytes.
   Errors: HEED_E_ARG for names that repeat, are "__metadata__" or not UTF-8, and negative extents; HEED_E_SHAPE when sizes
   overflow; HEED_E_IO (full disk: the old file is whole); what `produce` answers. */
heed_status heed_safetensors_write(const char *path, const heed_tensor_set *set, heed_error *error);

/* Writes folder/model.safetensors, or, when the tensors exceed max_shard_bytes (0: never split), shards
   folder/model-00001-of-0000N.safetensors filled in the order given and folder/model.safetensors.index.json. The index comes last,
   and an older folder/model.safetensors, which would win over it, is removed. */
heed_status heed_safetensors_write_folder(const char *folder, const heed_tensor_set *set, size_t max_shard_bytes,
                                          heed_error *error);

#endif
