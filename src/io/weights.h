/* weights.h: the weights of a model under one namespace, whether they lie in one file, safetensors or GGUF, or in shards. */
#ifndef HEED_IO_WEIGHTS_H
#define HEED_IO_WEIGHTS_H

#include "base/error.h"
#include "io/gguf.h"
#include "io/safetensors.h"
#include <stddef.h>

typedef struct heed_weights_file heed_weights_file;

/* Opens `path`: a .safetensors file, a GGUF file, a *.safetensors.index.json, or a folder with model.safetensors or model.safetensors.index.json
   (the single file wins, as in transformers). Of an index every named tensor must be in the shard named for it, every tensor of a
   shard must be named, shard names hold no path; metadata.total_size is not compared, published files disagree with it. Errors:
   those of heed_safetensors_open and heed_gguf_open; HEED_E_UNSUPPORTED when only pickled weights are there; HEED_E_IO when there are none. */
heed_status heed_weights_file_open(heed_weights_file **file, const char *path, heed_error *error);
void heed_weights_file_close(heed_weights_file *file); /* NULL is fine */

size_t heed_weights_file_count(const heed_weights_file *file);
const heed_stored_tensor *heed_weights_file_at(const heed_weights_file *file, size_t index); /* shard by shard, in data order */
const heed_stored_tensor *heed_weights_file_find(const heed_weights_file *file, const char *name); /* NULL when absent */
void heed_weights_file_release(const heed_weights_file *file, const heed_stored_tensor *tensor);
size_t heed_weights_file_bytes(const heed_weights_file *file); /* sum over the tensors */
const heed_gguf *heed_weights_file_gguf(const heed_weights_file *file); /* NULL unless it is a GGUF file; borrowed */
const char *heed_weights_file_path(const heed_weights_file *file); /* what was opened, for messages */

#endif
