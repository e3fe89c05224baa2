/* weights.h: presents the tensors of a model as one set, whether they are in one file (safetensors
   or GGUF) or in shards. */
#ifndef HEED_IO_WEIGHTS_H
#define HEED_IO_WEIGHTS_H

#include "base/error.h"
#include "io/gguf.h"
#include "io/safetensors.h"
#include <stddef.h>

typedef struct heed_weights_file heed_weights_file;

/* Opens `path`: a .safetensors file, a GGUF file, a *.safetensors.index.json, or a folder with
   model.safetensors or model.safetensors.index.json (the single file wins, as in transformers).

   With an index: names of shards have no path; metadata.total_size is not compared, since published
   files contradict it. If several shards hold a tensor, the copy that the index names is taken. A
   tensor that the index does not name, or names in another shard, is taken if only one shard holds
   it. Notes tell of both. If the shard of an entry cannot be read, the tensor is lost:
   heed_weights_file_check tells why, and the other tensors can be read.

   Errors: those of heed_safetensors_open (if no shard can be read) and heed_gguf_open;
   HEED_E_UNSUPPORTED if there are only pickled weights; HEED_E_IO if there are none. */
heed_status heed_weights_file_open(heed_weights_file **file, const char *path, heed_error *error);
/* Returns the folder with a model's other files: that of a .safetensors file or an index; any other
   path is returned itself. The caller frees the copy; NULL if memory is out. */
char *heed_weights_folder(const char *path);
/* Does this path name a .safetensors file or an index that is not a GGUF file? */
bool heed_weights_is_name(const char *path);
void heed_weights_file_close(heed_weights_file *file); /* NULL is allowed */

size_t heed_weights_file_count(const heed_weights_file *file);
/* Returns tensor `index`: shard by shard, in the order of the data. */
const heed_stored_tensor *heed_weights_file_at(const heed_weights_file *file, size_t index);
/* Returns the tensor of a name; NULL if there is none. */
const heed_stored_tensor *heed_weights_file_find(const heed_weights_file *file, const char *name);
/* Does the index name this tensor in the shard that holds it? true without an index. */
bool heed_weights_file_is_listed(const heed_weights_file *file, size_t index);
/* Returns an error that tells why a tensor that the index names cannot be read; HEED_OK if it can
   be read or the index does not name it. */
heed_status heed_weights_file_check(const heed_weights_file *file, const char *name,
                                    heed_error *error);
/* Does heed_weights_file_check return an error? */
bool heed_weights_file_is_lost(const heed_weights_file *file, const char *name);
/* The number of tensors that cannot be read, and the reason for each. */
size_t heed_weights_file_lost_count(const heed_weights_file *file);
const char *heed_weights_file_lost(const heed_weights_file *file, size_t index);
size_t heed_weights_file_note_count(const heed_weights_file *file); /* for the user */
const char *heed_weights_file_note(const heed_weights_file *file, size_t index);
/* Returns HEED_E_IO, which names a file, if another program has changed it since it was opened. */
heed_status heed_weights_file_check_unchanged(const heed_weights_file *file, heed_error *error);
size_t heed_weights_file_bytes(const heed_weights_file *file); /* of all tensors */
/* Returns the GGUF file, borrowed; NULL for other weights. */
const heed_gguf *heed_weights_file_gguf(const heed_weights_file *file);
/* Returns the path that was opened, for messages. */
const char *heed_weights_file_path(const heed_weights_file *file);

/* ---- names without wrappers ---- */

/* Removes components such as "_orig_mod." from all names, wherever they occur, and adds a note.
   *changed: a name had one. HEED_E_FORMAT if two tensors would have one name. */
heed_status heed_weights_file_unwrap(heed_weights_file *file, bool *changed, heed_error *error);
/* Returns a name; *length is how many of its first bytes all names, lost ones too, have in
   common. */
const char *heed_weights_file_common(const heed_weights_file *file, size_t *length);
/* Removes `length` bytes from the beginning of all names, which must have them in common, and adds
   a note. */
heed_status heed_weights_file_strip(heed_weights_file *file, size_t length, heed_error *error);
/* Returns the first name that is `name` with something more before one of its components, which
   begins at *at; NULL if there is none. */
const char *heed_weights_file_find_wrapped(const heed_weights_file *file, const char *name,
                                           size_t *at);

#endif
