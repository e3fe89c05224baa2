/* sidecar_internal.h: what the files sidecar*.c share. */
#ifndef HEED_GENERATE_SIDECAR_INTERNAL_H
#define HEED_GENERATE_SIDECAR_INTERNAL_H

#include "generate/sidecar.h"

struct heed_sidecar {
    heed_sidecar_file *files;
    size_t count, capacity;
};

extern const char heed_generation_file[]; /* "generation_config.json" */

/* Adds a file and takes `text` over, also on failure. */
heed_status heed_sidecar_add(heed_sidecar *sidecar, const char *name, const char *where,
                             heed_buffer *text, heed_error *error);
/* Does the file say what no entry of a GGUF file says? */
bool heed_sidecar_is_for_folders(const char *name);
heed_status heed_sidecar_read_gguf(heed_sidecar *sidecar, const char *path, heed_error *error);
/* Members of `from` that are settings of generation, into `to`, where `to` has none or null. */
bool heed_generation_collect(json_t *to, const json_t *from);

#endif
