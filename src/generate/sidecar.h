/* sidecar.h: a sidecar is what comes with a model besides its architecture and its weights: the
   settings of generation, named in generation_config.json or, in older folders, in config.json;
   files that heed copies unchanged; members of config.json that heed does not use. A sidecar is
   read once and written by everything that writes a model: convert, training, checkpoints. */
#ifndef HEED_GENERATE_SIDECAR_H
#define HEED_GENERATE_SIDECAR_H

#include "base/buffer.h"
#include "io/gguf.h"
#include "model/config.h"
#include "text/tokenizer.h"

typedef struct heed_sidecar heed_sidecar;

typedef enum heed_sidecar_scope {
    HEED_SIDECAR_SETTINGS, /* only the settings of generation */
    HEED_SIDECAR_ALL       /* everything, to write it into another model */
} heed_sidecar_scope;

/* A file as it was read. `where` begins messages about it. */
typedef struct heed_sidecar_file {
    char *name, *where;
    heed_buffer text;
} heed_sidecar_file;

/* Reads the sidecar of a model folder or a GGUF file. The caller frees *sidecar; it is NULL on
   failure. The contents are not checked.
   Errors: HEED_E_IO for a file that exists but cannot be read; those of heed_gguf_open;
   HEED_E_NOMEM. */
heed_status heed_sidecar_load(heed_sidecar **sidecar, const char *model, heed_sidecar_scope scope,
                              heed_error *error);
/* Does the same from a config.json alone, for models that are made from it. */
heed_status heed_sidecar_from_config(heed_sidecar **sidecar, const char *path, heed_error *error);
void heed_sidecar_free(heed_sidecar *sidecar); /* NULL is allowed */

/* Returns "generation_config.json" or another file by its name; NULL if the model has none. For a
   GGUF file, "generation_config.json" holds the settings that its entries give. */
const heed_sidecar_file *heed_sidecar_find(const heed_sidecar *sidecar, const char *name);
/* Does the sidecar have files of a tokenizer? */
bool heed_sidecar_has_tokenizer(const heed_sidecar *sidecar);
/* Returns the settings of generation as one object: generation_config.json, or the members of
   config.json that are settings. *json is NULL if there are none; else the caller frees it with
   json_decref. *where, which is borrowed, begins messages. HEED_E_FORMAT. */
heed_status heed_sidecar_generation(const heed_sidecar *sidecar, json_t **json, const char **where,
                                    heed_error *error);

/* Adds the sidecar to a folder that already has config.json. wrote_tokenizer: heed wrote the
   tokenizer and its templates there; if it did not, their files are copied unchanged. `sidecar` may
   be NULL.
   Errors: HEED_E_IO; HEED_E_FORMAT; HEED_E_NOMEM. */
heed_status heed_sidecar_save(const heed_sidecar *sidecar, const char *folder, bool wrote_tokenizer,
                              heed_error *error);

/* Where the entries of a GGUF file come from, besides tensors, sizes and tokenizer. */
typedef struct heed_sidecar_gguf_source {
    const heed_sidecar *sidecar; /* NULL if the model has none */
    const heed_config *config;
    const heed_tokenizer *tokenizer; /* NULL, or the tokenizer whose entries the file already has */
} heed_sidecar_gguf_source;
/* Appends the entries of the sidecar. What other programs will not find there is told in lines of
   `notes`. */
heed_status heed_sidecar_put_gguf(const heed_sidecar_gguf_source *source,
                                  heed_gguf_entries *entries, heed_buffer *notes,
                                  heed_error *error);
/* Is this an entry that a GGUF file made from another one keeps unchanged: names and licenses,
   tokenizer, templates, settings? */
bool heed_sidecar_keeps_entry(const char *key);

#endif
