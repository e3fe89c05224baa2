/* weights.h: the weights of a model under one namespace, whether they lie in one file, safetensors
   or GGUF, or in shards. */
#ifndef HEED_IO_WEIGHTS_H
#define HEED_IO_WEIGHTS_H

#include "base/error.h"
#include "io/gguf.h"
#include "io/safetensors.h"
#include <stddef.h>

typedef struct heed_weights_file heed_weights_file;

/* Opens `path`: a .safetensors file, a GGUF file, a *.safetensors.index.json, or a folder with
   model.safetensors or model.safetensors.index.json (the single file wins, as in transformers).
   Shard names hold no path; metadata.total_size is not compared, published files disagree with it.
   If several shards hold a tensor, the copy that the index names is taken. A tensor that the index
   does not name, or names where it is not, is taken if one shard alone holds it. Notes say so. An
   entry whose shard cannot be read is lost: heed_weights_file_check says why, and the other tensors
   can be read. Errors: those of heed_safetensors_open (if no shard can be read) and heed_gguf_open;
   HEED_E_UNSUPPORTED when only pickled weights are there; HEED_E_IO when there are none. */
heed_status heed_weights_file_open(heed_weights_file **file, const char *path, heed_error *error);
/* The folder with a model's other files: that of a .safetensors file or an index; any other path is
   it itself. A copy; NULL when memory is out. */
char *heed_weights_folder(const char *path);
/* Does this path name a .safetensors file or an index, and is it no GGUF file? */
bool heed_weights_is_name(const char *path);
void heed_weights_file_close(heed_weights_file *file); /* NULL is fine */

size_t heed_weights_file_count(const heed_weights_file *file);
/* shard by shard, in data order */
const heed_stored_tensor *heed_weights_file_at(const heed_weights_file *file, size_t index);
/* NULL when absent */
const heed_stored_tensor *heed_weights_file_find(const heed_weights_file *file, const char *name);
/* Does the index name this tensor where it is? true without an index. */
bool heed_weights_file_is_listed(const heed_weights_file *file, size_t index);
/* An error that says why a tensor that the index names cannot be read; HEED_OK if the index does
   not name it, or it can be read. */
heed_status heed_weights_file_check(const heed_weights_file *file, const char *name,
                                    heed_error *error);
/* Does heed_weights_file_check answer an error? */
bool heed_weights_file_is_lost(const heed_weights_file *file, const char *name);
/* Tensors that cannot be read: how many, and why. */
size_t heed_weights_file_lost_count(const heed_weights_file *file);
const char *heed_weights_file_lost(const heed_weights_file *file, size_t index);
size_t heed_weights_file_note_count(const heed_weights_file *file); /* what the user should know */
const char *heed_weights_file_note(const heed_weights_file *file, size_t index);
/* HEED_E_IO naming a file that another program has changed since it was opened. */
heed_status heed_weights_file_check_unchanged(const heed_weights_file *file, heed_error *error);
size_t heed_weights_file_bytes(const heed_weights_file *file); /* sum over the tensors */
/* NULL unless it is a GGUF file; borrowed */
const heed_gguf *heed_weights_file_gguf(const heed_weights_file *file);
/* what was opened, for messages */
const char *heed_weights_file_path(const heed_weights_file *file);

/* ---- names without wrappers ---- */

/* Takes components such as "_orig_mod." out of all names, wherever they stand, and notes it;
   *changed: there were some. HEED_E_FORMAT if two tensors would have one name. */
heed_status heed_weights_file_unwrap(heed_weights_file *file, bool *changed, heed_error *error);
/* A name, and how many of its first bytes all names, lost ones too, have in common. */
const char *heed_weights_file_common(const heed_weights_file *file, size_t *length);
/* All names lose `length` bytes that they have in common, and a note says so. */
heed_status heed_weights_file_strip(heed_weights_file *file, size_t length, heed_error *error);
/* The first name that is this one with something more before one of its components, which begins at
   *at; NULL when there is none. */
const char *heed_weights_file_find_wrapped(const heed_weights_file *file, const char *name,
                                           size_t *at);

#endif
