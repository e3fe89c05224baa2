/* sidecar.h: what comes with a model beside its architecture and its weights: the settings of
   generation, named in generation_config.json or, in older folders, in config.json; files that
   heed hands on as they are; members of config.json that mean nothing to heed. It is read once,
   and written by everything that writes a model: convert, training, checkpoints. */
#ifndef HEED_GENERATE_SIDECAR_H
#define HEED_GENERATE_SIDECAR_H

#include "base/buffer.h"
#include "io/gguf.h"
#include "model/config.h"
#include "text/tokenizer.h"

typedef struct heed_sidecar heed_sidecar;

typedef enum heed_sidecar_scope {
    HEED_SIDECAR_SETTINGS, /* what decides about generation */
    HEED_SIDECAR_ALL       /* everything, to be written again */
} heed_sidecar_scope;

/* One file as it was read. `where` begins messages about it. */
typedef struct heed_sidecar_file {
    char *name, *where;
    heed_buffer text;
} heed_sidecar_file;

/* Reads what a model folder or a GGUF file has. The caller frees *sidecar. Contents are not
   looked at. HEED_E_IO for a file that is there but cannot be read. */
heed_status heed_sidecar_load(heed_sidecar **sidecar, const char *model, heed_sidecar_scope scope,
                              heed_error *error);
/* The same from a configuration alone, for models that are made from it. */
heed_status heed_sidecar_from_config(heed_sidecar **sidecar, const char *path, heed_error *error);
void heed_sidecar_free(heed_sidecar *sidecar); /* NULL is fine */

/* "generation_config.json" (of a GGUF file: what its entries say, in the same words) and
   "config.json"; NULL if the model has none. */
const heed_sidecar_file *heed_sidecar_find(const heed_sidecar *sidecar, const char *name);
/* Are there files of a tokenizer? */
bool heed_sidecar_has_tokenizer(const heed_sidecar *sidecar);
/* The settings of generation that are in force, as one object: generation_config.json, else
   what config.json has of its members. *json is NULL if there are none, else the caller frees it
   with json_decref. *where, borrowed, begins messages. HEED_E_FORMAT. */
heed_status heed_sidecar_generation(const heed_sidecar *sidecar, json_t **json, const char **where,
                                    heed_error *error);

/* Adds to a folder that holds config.json already. wrote_tokenizer: heed wrote the tokenizer and
   its templates; else their files are handed on as they were. NULL is fine. */
heed_status heed_sidecar_save(const heed_sidecar *sidecar, const char *folder, bool wrote_tokenizer,
                              heed_error *error);

/* What a GGUF file's entries are made from, beside tensors, sizes and tokenizer. */
typedef struct heed_sidecar_gguf_source {
    const heed_sidecar *sidecar; /* NULL: there is none */
    const heed_config *config;
    const heed_tokenizer *tokenizer; /* its entries are there already; NULL: there are none */
} heed_sidecar_gguf_source;
/* Appends the entries; what other programs will not see there becomes lines of `notes`. */
heed_status heed_sidecar_put_gguf(const heed_sidecar_gguf_source *source,
                                  heed_gguf_entries *entries, heed_buffer *notes,
                                  heed_error *error);
/* The entries of a GGUF file that another one takes over as they are: names and licenses,
   tokenizer, templates, settings. */
bool heed_sidecar_keeps_entry(const char *key);

#endif
