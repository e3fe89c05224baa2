/* recipe.h: builds the tokenizer.json that transformers would build from the older forms of a
   tokenizer: vocab.json and merges.txt, vocab.txt, or only a class name. Each kind of class has one
   record, its recipe. */
#ifndef HEED_TEXT_RECIPE_H
#define HEED_TEXT_RECIPE_H

#include "base/json.h"
#include "text/tokenizer.h"

/* The files that a class reads. */
typedef enum heed_recipe_files {
    HEED_FILES_MERGES, /* vocab.json and merges.txt */
    HEED_FILES_LINES,  /* vocab.txt with one token per line */
    HEED_FILES_TABLE,  /* vocab.json */
    HEED_FILES_PAIR,   /* vocab-src.json, vocab-tgt.json and merges.txt for two languages */
    /* none; the class defines its vocabulary */
    HEED_FILES_NONE
} heed_recipe_files;

/* The sections of tokenizer.json that a recipe builds. Any of them may be NULL if out of memory. */
typedef struct heed_sections {
    json_t *normalizer, *pre_tokenizer, *post_processor, *decoder, *model;
} heed_sections;

typedef struct heed_recipe heed_recipe;
/* What a recipe builds from. */
typedef struct heed_source {
    const json_t *config; /* tokenizer_config.json, NULL if the vocabulary came without it */
    const heed_recipe *recipe;
    /* `target` is set for HEED_FILES_PAIR if the languages have different vocabularies */
    json_t *vocabulary, *merges, *target;
    const char *where;
    heed_error *error;
} heed_source;

struct heed_recipe {
    heed_recipe_files files;
    /* the class's special tokens for roles that the configuration does not name */
    const char *specials[HEED_SPECIAL_COUNT];
    /* special tokens before and after a text, HEED_SPECIAL_COUNT for none */
    heed_special before, after;
    bool after_if_absent; /* `after` is omitted if the text ends with it */
    /* add_bos_token and add_eos_token decide about `before` and `after` */
    bool by_flags;
    /* slow classes: a token is special only if a role or "extra_special_tokens" names it */
    bool named_only;
    bool mask_strips; /* the mask token includes the white space before it */
    /* padding stays when special tokens are skipped, because it is the blank of CTC */
    bool keeps_pad;
    /* every token of the vocabulary is an added token */
    bool all_added;
    /* number of tokens "<extra_id_0>" and so on that a configuration without "added_tokens_decoder"
       implies */
    int extra_ids;
    heed_status (*vocabulary)(heed_source *source); /* HEED_FILES_NONE: builds source->vocabulary */
    /* Builds the sections. */
    heed_status (*build)(const heed_source *source, heed_sections *sections);
};
/* Returns the special token that a class of transformers has for a role which its configuration
   does not name. NULL if there is none, or the class is unknown. */
const char *heed_class_special(const char *name, heed_special part);

/* Returns whether transformers implements the class in Python, so that a tokenizer.json for it was
   written by heed. */
bool heed_class_is_slow(const char *name);

extern const heed_recipe heed_recipe_gpt2, heed_recipe_roberta, heed_recipe_qwen2, heed_recipe_clip,
    heed_recipe_bert;
/* in recipe_plain.c */
extern const heed_recipe heed_recipe_byt5, heed_recipe_perceiver, heed_recipe_canine,
    heed_recipe_esm, heed_recipe_wav2vec2, heed_recipe_fsmt;

/* Returns the token of a role, NULL if there is none. */
const char *heed_source_special(const heed_source *source, heed_special part);
/* Returns a boolean of the configuration, `standard` if it is absent. */
bool heed_source_flag(const heed_source *source, const char *key, bool standard);
/* Returns whether a special token stands before (place 0) or after (place 1) a text. */
bool heed_source_brackets(const heed_source *source, int place);
/* Returns a TemplateProcessing section: `before` A `after`. For pairs it is BERT's form if `before`
   is CLS, otherwise each text has its own special tokens around it. */
json_t *heed_source_template(const heed_source *source);
/* Returns a ByteLevel section, which serves as pre-tokenizer and decoder. */
json_t *heed_recipe_byte_level(bool add_prefix_space, bool trim_offsets, bool use_regex);

#endif
