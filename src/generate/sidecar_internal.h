/* sidecar_internal.h: declares what the files sidecar*.c share. sidecar.c (files in memory) calls
   none of the others. settings_load.c uses the files that read, and sidecar_gguf_write.c uses
   settings_load.c. */
#ifndef HEED_GENERATE_SIDECAR_INTERNAL_H
#define HEED_GENERATE_SIDECAR_INTERNAL_H

#include "generate/sidecar.h"

/* The files of a sidecar, in memory. */
struct heed_sidecar {
    heed_sidecar_file *files;
    size_t count, capacity;
};

extern const char heed_sidecar_generation_name[]; /* "generation_config.json" */
extern const char heed_sidecar_config_name[];     /* "config.json" */
extern const char heed_sidecar_template_folder[]; /* "additional_chat_templates" */

/* A file that a model hands on to a model that is made from it. */
typedef struct heed_sidecar_carried_file {
    const char *name;
    bool is_settings; /* it has settings of generation */
    bool is_written;  /* heed writes its own version if it could read the tokenizer */
    bool is_held;     /* entries of GGUF files hold what it says */
} heed_sidecar_carried_file;
extern const heed_sidecar_carried_file heed_sidecar_carried[];
extern const size_t heed_sidecar_carried_count;

/* A setting of generation that GGUF has a key for, and that key. */
typedef struct heed_sidecar_sampling_key {
    const char *member, *key;
    heed_gguf_type type;
} heed_sidecar_sampling_key;
extern const heed_sidecar_sampling_key heed_sidecar_sampling_keys[];
extern const size_t heed_sidecar_sampling_key_count;
extern const char heed_sidecar_gguf_key[]; /* "heed.generation_config" */

/* Adds a file. It takes over `text`, also on failure. HEED_E_NOMEM. */
heed_status heed_sidecar_add(heed_sidecar *sidecar, const char *name, const char *where,
                             heed_buffer *text, heed_error *error);
/* Parses the file as a JSON object, which the caller frees with json_decref. HEED_E_FORMAT. */
heed_status heed_sidecar_parse(const heed_sidecar_file *file, json_t **json, heed_error *error);
/* Does the file say something that no entry of a GGUF file says? */
bool heed_sidecar_is_for_folders(const char *name);
/* Reads the settings of a GGUF file into the sidecar. Errors of heed_gguf_open; HEED_E_NOMEM. */
heed_status heed_sidecar_read_gguf(heed_sidecar *sidecar, const char *path, heed_error *error);
/* Copies the members of `from` that are settings of generation into `to`, if `to` does not have
   them or has null. Returns false if memory is out. */
bool heed_sidecar_collect(json_t *to, const json_t *from);

/* Appends JSON as it is written into files: indented over lines, with a line feed at the end. */
void heed_sidecar_put_json(heed_buffer *text, const json_t *json);

#endif
