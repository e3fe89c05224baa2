/* sidecar_internal.h: what the files sidecar*.c share. sidecar.c (files in memory) is the lowest;
   reading stands below settings_load.c, which writing GGUF files needs. */
#ifndef HEED_GENERATE_SIDECAR_INTERNAL_H
#define HEED_GENERATE_SIDECAR_INTERNAL_H

#include "generate/sidecar.h"

struct heed_sidecar {
    heed_sidecar_file *files;
    size_t count, capacity;
};

extern const char heed_sidecar_generation_name[]; /* "generation_config.json" */
extern const char heed_sidecar_config_name[];     /* "config.json" */
extern const char heed_sidecar_template_folder[]; /* "additional_chat_templates" */

/* The files that are handed on from a model to one that is made from it. */
typedef struct heed_sidecar_carried_file {
    const char *name;
    bool is_settings; /* decides about generation */
    bool is_written;  /* heed writes it itself, if it could read the tokenizer */
    bool is_held;     /* entries of GGUF files say what it says */
} heed_sidecar_carried_file;
extern const heed_sidecar_carried_file heed_sidecar_carried[];
extern const size_t heed_sidecar_carried_count;

/* Settings of generation that GGUF has a key for, and the key. */
typedef struct heed_sidecar_sampling_key {
    const char *member, *key;
    heed_gguf_type type;
} heed_sidecar_sampling_key;
extern const heed_sidecar_sampling_key heed_sidecar_sampling_keys[];
extern const size_t heed_sidecar_sampling_key_count;
extern const char heed_sidecar_gguf_key[]; /* "heed.generation_config" */

/* Adds a file and takes `text` over, also on failure. */
heed_status heed_sidecar_add(heed_sidecar *sidecar, const char *name, const char *where,
                             heed_buffer *text, heed_error *error);
/* The file as a JSON object. HEED_E_FORMAT. */
heed_status heed_sidecar_parse(const heed_sidecar_file *file, json_t **json, heed_error *error);
/* Does the file say what no entry of a GGUF file says? */
bool heed_sidecar_is_for_folders(const char *name);
heed_status heed_sidecar_read_gguf(heed_sidecar *sidecar, const char *path, heed_error *error);
/* Members of `from` that are settings of generation, into `to`, where `to` has none or null. */
bool heed_sidecar_collect(json_t *to, const json_t *from);

/* JSON as it is written into files: on lines of their own, with a line feed at the end. */
void heed_sidecar_put_json(heed_buffer *text, const json_t *json);

#endif
