/* text_internal.h: what a tokenizer is made of; for the files of this module only. */
#ifndef HEED_TEXT_TEXT_INTERNAL_H
#define HEED_TEXT_TEXT_INTERNAL_H

#include "base/json.h"
#include "text/added_tokens.h"
#include "text/model.h"
#include "text/postprocess.h"
#include "text/stage.h"
#include "text/tokenizer.h"

struct heed_tokenizer {
    heed_added_tokens added;
    heed_pipeline normalizer, pre_tokenizer, decoder;
    heed_tokenizer_model model;
    heed_post_processor post;
    heed_truncation truncation;
    heed_padding padding;
    bool has_truncation, has_padding;
    bool has_decoder; /* even one without stages: it joins tokens without spaces */
    unsigned plain_flags;
    bool tracks_always; /* a stage asks where in the input a piece began */
    int32_t special[HEED_SPECIAL_COUNT];
    json_t *sections;        /* tokenizer.json without model and added tokens, to be written back */
    json_t *config;          /* tokenizer_config.json, NULL when there is none */
    heed_buffer notes;       /* lines for the user */
    json_t *templates;       /* chat templates: {name: text} */
    bool templates_in_files; /* some came from .jinja files, so all are saved as such too */
};

/* chat_templates.c: the templates that tokenizer->config names (false: out of memory), then those
   in files of a folder; writing these files again. */
bool heed_templates_read(heed_tokenizer *tokenizer);
heed_status heed_templates_read_folder(heed_tokenizer *tokenizer, const char *folder,
                                       heed_error *error);
heed_status heed_templates_save(const heed_tokenizer *tokenizer, const char *folder,
                                heed_error *error);

/* Builds a tokenizer from a parsed tokenizer.json and a parsed tokenizer_config.json (may be NULL).
   Keeps references to the config and to the sections that are written back; nobody may change them
   afterwards. */
heed_status heed_tokenizer_build(heed_tokenizer **tokenizer, const json_t *json, json_t *config,
                                 const char *where, heed_error *error);

/* The same around a model that is there already, with the other sections from `json`. The model is
   the tokenizer's from now on, also when this fails. */
heed_status heed_tokenizer_assemble(heed_tokenizer **tokenizer, heed_tokenizer_model *model,
                                    const json_t *json, json_t *config, const char *where,
                                    heed_error *error);

/* The spelling that decoding sees: of the target's vocabulary, where it has one of its own. NULL:
   none. */
const char *heed_tokenizer_decoded_token(const heed_tokenizer *tokenizer, int32_t id,
                                         size_t *length);

/* decode_bytes.c: appends the bytes that a token of byte-level BPE stands for. */
void heed_byte_level_append(heed_buffer *bytes, const char *token, size_t length);
/* The byte that "<0xE4>" stands for; -1: it is no such token. */
int heed_fallback_byte(const char *token, size_t length);

/* gguf_pre.c: what a name under "tokenizer.ggml.pre" means: how a text is cut into words before
   byte pairs are merged, and what else comes with the name. */
enum { HEED_GGUF_PRE_NAMES = 16, HEED_GGUF_PRE_SPLITS = 5 };
typedef struct heed_gguf_pre {
    const char *names[HEED_GGUF_PRE_NAMES]; /* the first one is written */
    /* regular expressions, one after the other; each match is a word of its own */
    const char *splits[HEED_GGUF_PRE_SPLITS];
    bool nfc;         /* the model's own tokenizer normalizes */
    bool whole_words; /* a word that is a token is not merged */
    bool bos;         /* unless the file says otherwise */
    bool roberta;     /* <s> A </s>, <s> A </s></s> B </s>; the mask takes along blanks */
} heed_gguf_pre;
/* HEED_E_UNSUPPORTED, with the names that are known, for a name (NULL: "") that is not. */
heed_status heed_gguf_pre_find(const heed_gguf_pre **pre, const char *name, const char *where,
                               heed_error *error);
/* The way back: the name for how this tokenizer cuts a text into words; NULL: none. */
const char *heed_gguf_pre_name(const heed_tokenizer *tokenizer);
/* read_gguf.c: the vocabulary inside a GGUF file, read out of it for heed_tokenizer_from_gguf. */
heed_status heed_tokenizer_load_gguf(heed_tokenizer **tokenizer, const char *path,
                                     heed_error *error);

/* load_files.c: a tokenizer.json made up from vocab.json and merges.txt, vocab.txt, or the name of
   a class that needs no file; a new reference. *config (tokenizer_config.json, may be NULL) is
   completed by the special tokens of the class. */
heed_status heed_tokenizer_json_from_files(json_t **json, const char *folder, json_t **config,
                                           heed_error *error);

/* load_json.c: the key of tokenizer_config.json for ids whose string a greater id has too, which
   transformers passes over. */
extern const char *const heed_shared_tokens;

/* special.c: the names of tokenizer_config.json for the parts of single tokens: "bos_token" ... */
extern const char *const heed_special_names[HEED_SPECIAL_COUNT];
/* A part's token as a config spells it: a string or an object with "content"; NULL when it names
   none. */
const char *heed_special_content(const json_t *config, heed_special part);
/* Finds the ids: from the config, from the model's unknown token, else by usual name. */
void heed_special_resolve(heed_tokenizer *tokenizer);
/* A configuration for a tokenizer that came without one, a new reference: its special
   tokens by part; NULL without memory. */
json_t *heed_tokenizer_make_config(const heed_tokenizer *tokenizer);

#endif
