/* added_config.h: adds to a tokenizer.json the added tokens that the folder's other files define,
   and notes the keys of its configuration that heed ignores. Source: AutoTokenizer of transformers
   5.24. */
#ifndef HEED_TEXT_ADDED_CONFIG_H
#define HEED_TEXT_ADDED_CONFIG_H

#include "base/json.h"

/* The parsed files beside tokenizer.json, or beside a vocabulary in an older form. Each may be
   NULL. */
typedef struct heed_folder_config {
    json_t *config; /* tokenizer_config.json */
    json_t *map;    /* special_tokens_map.json */
    json_t *added;  /* added_tokens.json, an object {"<token>": id} */
    json_t *model;  /* config.json, which names the model type */
} heed_folder_config;

/* Merges tokenizer_config.json and special_tokens_map.json into one configuration. The map has
   precedence. If tokenizer_config.json has "added_tokens_decoder", the map only names special
   tokens (bos_token and so on) that the configuration does not name and that are among those
   tokens. *merged is a new reference, or NULL without both files. */
heed_status heed_folder_config_merge(const heed_folder_config *files, json_t **merged,
                                     heed_error *error);

/* Adds tokens to "added_tokens" of `json`, a tokenizer.json, in the order in which AutoTokenizer
   numbers them:
   - first those of "added_tokens_decoder" by id, or those of added_tokens.json; their flags replace
   the flags in tokenizer.json;
   - then the named special tokens and the additional special tokens that are not added tokens yet.
   `from_files` says that `json` was made from older files and already contains the tokens of the
   configuration. Notes for the user are appended to `notes`, one per line. */
heed_status heed_folder_config_add(const heed_folder_config *files, const json_t *merged,
                                   bool from_files, json_t *json, heed_buffer *notes,
                                   heed_error *error);

/* Appends a line to `notes` for each key of the configuration that changes ids in transformers and
   not in heed. `model` is the folder's config.json or NULL. `json` is the tokenizer.json that came
   with the configuration, NULL if it was made from older files. */
void heed_folder_config_note(const json_t *config, const json_t *model, const json_t *json,
                             heed_buffer *notes);

#endif
