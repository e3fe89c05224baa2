/* recipe.h: how the older forms of a tokenizer (vocab.json and merges.txt, vocab.txt, or nothing
   but a class name) become the tokenizer.json that transformers' class would make of them. One
   record per kind of class. */
#ifndef HEED_TEXT_RECIPE_H
#define HEED_TEXT_RECIPE_H

#include "base/json.h"
#include "text/tokenizer.h"

typedef enum heed_recipe_files {
    HEED_FILES_MERGES, /* vocab.json and merges.txt */
    HEED_FILES_LINES,  /* vocab.txt: a token a line */
    HEED_FILES_TABLE,  /* vocab.json */
    HEED_FILES_PAIR,   /* vocab-src.json, vocab-tgt.json and merges.txt: two languages */
    HEED_FILES_NONE
} heed_recipe_files;

/* The sections that differ from recipe to recipe; any of them may be NULL when memory is out. */
typedef struct heed_sections {
    json_t *normalizer, *pre_tokenizer, *post_processor, *decoder, *model;
} heed_sections;

typedef struct heed_recipe heed_recipe;
typedef struct heed_source {
    const json_t *config; /* tokenizer_config.json; NULL: the vocabulary came alone */
    const heed_recipe *recipe;
    json_t *vocabulary, *merges, *target; /* target: HEED_FILES_PAIR, when it differs */
    const char *where;
    heed_error *error;
} heed_source;

struct heed_recipe {
    heed_recipe_files files;
    /* special tokens of the class when its config names none */
    const char *specials[HEED_SPECIAL_COUNT];
    heed_special before, after; /* tokens around a text; HEED_SPECIAL_COUNT: none */
    bool after_if_absent;       /* `after` only where the text does not end with it */
    bool by_flags;              /* ... only if add_bos_token, add_eos_token say so */
    /* a token is special if a part, or "extra_special_tokens", names it: slow classes */
    bool named_only;
    bool mask_strips; /* the mask takes along the blanks before it */
    /* decoding without special tokens sees padding: the blank of CTC */
    bool keeps_pad;
    /* every token of the vocabulary is looked for in the text first */
    bool all_added;
    /* "<extra_id_0>" ... that a config without "added_tokens_decoder" implies */
    int extra_ids;
    heed_status (*vocabulary)(heed_source *source); /* HEED_FILES_NONE: makes source->vocabulary */
    heed_status (*build)(const heed_source *source, heed_sections *sections);
};
/* The special token that a class of transformers has for a part when its configuration names none;
   NULL: none, or not known. */
const char *heed_class_special(const char *name, heed_special part);

/* Whether transformers runs the class in Python, so that a tokenizer.json of it is of our own
   making. */
bool heed_class_is_slow(const char *name);

extern const heed_recipe heed_recipe_gpt2, heed_recipe_roberta, heed_recipe_qwen2, heed_recipe_clip,
    heed_recipe_bert;
/* recipe_plain.c */
extern const heed_recipe heed_recipe_byt5, heed_recipe_perceiver, heed_recipe_canine,
    heed_recipe_esm, heed_recipe_wav2vec2, heed_recipe_fsmt;

/* The spelling of a part's token; NULL: none. */
const char *heed_source_special(const heed_source *source, heed_special part);
bool heed_source_flag(const heed_source *source, const char *key, bool standard);
/* Whether a token stands before (place 0) or after (1) a text. */
bool heed_source_brackets(const heed_source *source, int place);
/* `before` A `after`, and the same for pairs: BERT's form when `before` is CLS, else each text in
   its own pair of brackets. */
json_t *heed_source_template(const heed_source *source);
/* ByteLevel, a pre-tokenizer and a decoder. */
json_t *heed_recipe_byte_level(bool add_prefix_space, bool trim_offsets, bool use_regex);

#endif
