/* added_config.h: the tokens that a folder's other files add to its tokenizer, and the keys of its
   configuration that have no effect here, as transformers' AutoTokenizer (5.24) reads them. */
#ifndef HEED_TEXT_ADDED_CONFIG_H
#define HEED_TEXT_ADDED_CONFIG_H

#include "base/json.h"

/* The files beside tokenizer.json, or beside a vocabulary in an older form; each may be NULL. */
typedef struct heed_folder_config {
    json_t *config; /* tokenizer_config.json */
    json_t *map;    /* special_tokens_map.json */
    json_t *added;  /* added_tokens.json: {"<token>": id} */
    json_t *model;  /* config.json, which says for which model the tokenizer is */
} heed_folder_config;

/* What the tokenizer's configuration is: config, and the map, which goes before it; where config
   has "added_tokens_decoder", the map names parts of those tokens that config leaves open, and
   nothing else. A new reference; NULL without config and map. */
heed_status heed_folder_config_merge(const heed_folder_config *files, json_t **merged,
                                     heed_error *error);

/* Adds to "added_tokens" of `json` (a tokenizer.json) what the files add, in the order in which
   AutoTokenizer numbers tokens: added_tokens_decoder by id (or added_tokens.json), whose flags go
   before those of tokenizer.json; then the named tokens and additional special tokens that are not
   among the added tokens yet. from_files: `json` was made of older files, with config's tokens in
   it. Lines for the user go to `notes`. */
heed_status heed_folder_config_add(const heed_folder_config *files, const json_t *merged,
                                   bool from_files, json_t *json, heed_buffer *notes,
                                   heed_error *error);

/* Appends a line to `notes` for each key of the configuration that changes ids in transformers and
   not here. model: the folder's config.json, or NULL. json: a tokenizer.json that came with it;
   NULL: it was made of older files. */
void heed_folder_config_note(const json_t *config, const json_t *model, const json_t *json,
                             heed_buffer *notes);

#endif
