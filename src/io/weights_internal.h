/* weights_internal.h: declares what the files of heed_weights_file share. weights.c opens weights
   and calls weights_index.c, which reads shards under an index. Both call weights_members.c, as
   weights_names.c does. */
#ifndef HEED_IO_WEIGHTS_INTERNAL_H
#define HEED_IO_WEIGHTS_INTERNAL_H

#include "base/memory.h"
#include "io/weights.h"

/* One file of the model. Either `file` or `gguf` is set; both are NULL if it cannot be read. */
typedef struct heed_shard {
    const char *name; /* its name in the index; NULL when the index is closed */
    heed_safetensors *file;
    heed_gguf *gguf;
    heed_status status;  /* the reason why it cannot be read, */
    const char *problem; /* and its message */
} heed_shard;

/* A tensor of the set and the shard that holds it. */
typedef struct heed_member {
    heed_stored_tensor tensor; /* its name may be shorter than in the file */
    size_t shard;
    bool listed; /* the index names it in this shard; true without an index */
} heed_member;

/* A tensor that the index names and that no shard gives. */
typedef struct heed_lost_tensor {
    const char *name;
    heed_status status;
    const char *problem;
} heed_lost_tensor;

struct heed_weights_file {
    heed_arena *arena;
    const char *path;
    heed_shard *shards;
    size_t shard_count;
    heed_member *members; /* shard by shard, in the order of the data */
    heed_member **by_name;
    size_t count, bytes;
    heed_lost_tensor *lost;
    size_t lost_count;
    const char **notes; /* what the user should know about these files */
    size_t note_count;
};

/* ---- weights_index.c ---- */

/* Reads an index, opens its shards and chooses the tensors. */
heed_status heed_weights_open_index(heed_weights_file *file, const char *path, heed_error *error);
/* Finds an index beside a .safetensors file: *index is its path, which the caller frees; *named
   tells that it exists and names that file as a shard. */
heed_status heed_weights_index_of(const char *path, char **index, bool *named, heed_error *error);

/* ---- weights_members.c ---- */

/* Returns the number of tensors of a file; 0 if it cannot be read. */
size_t heed_shard_size(const heed_shard *shard);
const heed_stored_tensor *heed_shard_at(const heed_shard *shard, size_t index);
/* Indexes the members by name, for heed_weights_file_find, and sums their bytes. */
heed_status heed_weights_order(heed_weights_file *file, heed_error *error);
/* Sorts the lost tensors by name, for heed_weights_file_check. */
void heed_weights_sort_lost(heed_weights_file *file);
/* Adds a note, which `file` keeps. Only the first few are kept. */
heed_status heed_weights_note(heed_weights_file *file, heed_error *error, const char *format, ...)
    HEED_PRINTF(3, 4);

#endif
