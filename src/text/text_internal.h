/* text_internal.h: the fields of a tokenizer and the functions that the files of this module
   share. */
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
    /* whether the file has a decoder; even one without stages joins tokens without spaces */
    bool has_decoder;
    /* see heed_tokenizer_plain_flags */
    unsigned plain_flags;
    bool tracks_always; /* a stage needs to know where in the input a piece began */
    bool repairs_bytes; /* a stage wants HEED_PIECES_REPAIR_BYTES */
    int32_t special[HEED_SPECIAL_COUNT];
    /* tokenizer.json without model and added tokens, as it will be written */
    json_t *sections;
    json_t *config;          /* tokenizer_config.json, NULL if there is none */
    heed_buffer notes;       /* notes for the user, one per line */
    json_t *templates;       /* chat templates, an object {name: text} */
    bool templates_in_files; /* some came from .jinja files, so all are saved as files too */
};

/* chat_templates.c: reads the templates that tokenizer->config contains (false if out of memory),
   reads those in files of a folder, and writes these files. */
bool heed_templates_read(heed_tokenizer *tokenizer);
heed_status heed_templates_read_folder(heed_tokenizer *tokenizer, const char *folder,
                                       heed_error *error);
heed_status heed_templates_save(const heed_tokenizer *tokenizer, const char *folder,
                                heed_error *error);

/* Builds a tokenizer from a parsed tokenizer.json and a parsed tokenizer_config.json, which may be
   NULL. It keeps references to the configuration and to the sections that are written back, which
   must not change afterwards. */
heed_status heed_tokenizer_build(heed_tokenizer **tokenizer, const json_t *json, json_t *config,
                                 const char *where, heed_error *error);

/* Builds a tokenizer from a model and the other sections in `json`. The tokenizer takes over the
   model, which is freed on failure. */
heed_status heed_tokenizer_assemble(heed_tokenizer **tokenizer, heed_tokenizer_model *model,
                                    const json_t *json, json_t *config, const char *where,
                                    heed_error *error);

/* Returns the spelling of an id for decoding, which comes from the target language's vocabulary if
   there is one. NULL if there is none. */
const char *heed_tokenizer_decoded_token(const heed_tokenizer *tokenizer, int32_t id,
                                         size_t *length);

/* decode_bytes.c: appends the bytes for which a token of byte-level BPE stands. */
void heed_byte_level_append(heed_buffer *bytes, const char *token, size_t length);
/* Returns the byte for which "<0xE4>" stands, -1 for a token of another form. */
int heed_fallback_byte(const char *token, size_t length);

/* gguf_pre.c: what a name under "tokenizer.ggml.pre" means: how a text is split into words before
   BPE merges, and options that come with the name. */
enum { HEED_GGUF_PRE_NAMES = 16, HEED_GGUF_PRE_SPLITS = 5 };
typedef struct heed_gguf_pre {
    /* all names of this entry; the first is the one that is written */
    const char *names[HEED_GGUF_PRE_NAMES];
    /* regular expressions, applied one after the other; each match is a word of its own */
    const char *splits[HEED_GGUF_PRE_SPLITS];
    bool nfc;         /* the model's own tokenizer has the normalizer NFC */
    bool whole_words; /* a word that is a token is not merged (ignore_merges) */
    bool bos;         /* adds BOS unless the file says otherwise */
    /* RoBERTa's template: <s> A </s>, <s> A </s></s> B </s>; the mask token has lstrip */
    bool roberta;
} heed_gguf_pre;
/* Finds the entry of a name (NULL is ""). HEED_E_UNSUPPORTED, with the known names, if there is
   none. */
heed_status heed_gguf_pre_find(const heed_gguf_pre **pre, const char *name, const char *where,
                               heed_error *error);
/* Returns the name for how this tokenizer splits a text into words, NULL if there is none. */
const char *heed_gguf_pre_name(const heed_tokenizer *tokenizer);
/* read_gguf.c: loads a tokenizer from the vocabulary of a GGUF file. */
heed_status heed_tokenizer_load_gguf(heed_tokenizer **tokenizer, const char *path,
                                     heed_error *error);

/* load_sentencepiece.c: loads a .model file alone, which adds no special tokens to a text. Such a
   tokenizer computes the ids that SentencePiece computes. */
heed_status heed_tokenizer_load_sentencepiece(heed_tokenizer **tokenizer, const char *path,
                                              heed_error *error);

/* load_tiktoken.c: returns whether a path ends in ".tiktoken", and loads such a file. */
bool heed_tiktoken_is_name(const char *path);
heed_status heed_tokenizer_load_tiktoken(heed_tokenizer **tokenizer, const char *path,
                                         heed_error *error);

/* load_files.c: builds a tokenizer.json from vocab.json and merges.txt, from vocab.txt, or from a
   class name that needs no file; *json is a new reference. The special tokens of the class are
   added to *config, the tokenizer_config.json, which may be NULL. */
heed_status heed_tokenizer_json_from_files(json_t **json, const char *folder, json_t **config,
                                           heed_error *error);

/* load_json.c: the key of tokenizer_config.json for ids whose string a greater id has too.
   transformers ignores it. */
extern const char *const heed_shared_tokens;

/* special.c: the keys of tokenizer_config.json for the roles of tokens: "bos_token" and so on. */
extern const char *const heed_special_names[HEED_SPECIAL_COUNT];
/* Returns the token of a role as a configuration spells it, in a string or in an object with
   "content". NULL if it names none. */
const char *heed_special_content(const json_t *config, heed_special part);
/* Finds the ids of all roles: from the configuration, from the model's unknown token, or else by
   the usual names. */
void heed_special_resolve(heed_tokenizer *tokenizer);
/* Builds a configuration for a tokenizer that came without one: its special tokens by role. A new
   reference; NULL if out of memory. */
json_t *heed_tokenizer_make_config(const heed_tokenizer *tokenizer);

#endif
