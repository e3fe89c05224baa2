/* model.h: the model stage of a tokenizer, which turns pieces of text into tokens. The kinds are
   BPE, Unigram, WordPiece, WordLevel and CodePoints, each in a file of its own. */
#ifndef HEED_TEXT_MODEL_H
#define HEED_TEXT_MODEL_H

#include "base/cancel.h"
#include "base/error.h"
#include "base/json.h"
#include "base/lines.h"
#include "text/trie.h"
#include "text/vocabulary.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The tokens found so far, with their places in the working text (text/pieces.h). */
typedef struct heed_found_token {
    int32_t id;
    uint32_t begin, end;
    bool added; /* it is an added token and was not found by the model */
} heed_found_token;
typedef struct heed_found_tokens {
    heed_found_token *tokens;
    size_t count, capacity;
    uint32_t base; /* begin of the current piece in the working text */
    bool failed;   /* out of memory */
} heed_found_tokens;
/* Adds a token of the current piece. [begin, end) counts from the beginning of the piece. A failed
   allocation sets found->failed. */
void heed_found_add(heed_found_tokens *found, int32_t id, size_t begin, size_t end);

/* BPE: the merge of the symbols `left` and `right` into `joined`. The merge with the smallest rank
   comes first, and among equals the leftmost. */
typedef struct heed_merge {
    int32_t left, right, joined;
    uint32_t rank;
} heed_merge;
/* One slot of the hash table of merges. */
typedef struct heed_merge_slot {
    uint64_t pair;
    uint32_t rank;
    int32_t joined;
} heed_merge_slot;
/* All merges of a model and a hash table that finds a merge by its pair. */
typedef struct heed_merge_table {
    heed_merge *merges;
    size_t count, capacity;
    /* hash table with open addressing by pair; joined is -1 in free slots */
    heed_merge_slot *slots;
    size_t slot_count;
} heed_merge_table;

/* Characters below this have their ids in a table. The byte-level alphabet lies below it. */
enum { HEED_DIRECT_CHARACTERS = 0x180 };
/* Ids from here on are hidden symbols, which occur in merges and not in the vocabulary. */
enum { HEED_HIDDEN_SYMBOLS = 0x40000000 };

typedef struct heed_unigram heed_unigram;
typedef struct heed_tokenizer_model_kind heed_tokenizer_model_kind;
/* A model. The fields marked BPE are used by that kind only. */
typedef struct heed_tokenizer_model {
    const heed_tokenizer_model_kind *kind;
    heed_vocabulary vocabulary;
    char *unk_token;              /* unknown token, NULL if there is none */
    int32_t unk_id;               /* -1 if there is none or the vocabulary lacks it */
    char *prefix;                 /* prefix of tokens that continue a word, NULL for none */
    char *suffix;                 /* BPE: suffix of tokens that end a word, NULL for none */
    bool byte_fallback;           /* BPE and Unigram: unknown characters become "<0xE4>" */
    bool fuse_unk, ignore_merges; /* BPE */
    /* WordPiece: longer words become the unknown token */
    int64_t max_word_characters;
    heed_merge_table merges; /* BPE */
    /* BPE: merges may use hidden symbols; one that is left after merging becomes the unknown
       token */
    bool hidden_merges;
    heed_vocabulary hidden; /* BPE: the hidden symbols, with ids from HEED_HIDDEN_SYMBOLS on */
    /* BPE: the vocabulary for decoding, if the target language has its own */
    heed_vocabulary target;
    /* BPE: strings that become one token before merging and are never merged; the values are ids */
    heed_trie whole;
    int32_t direct_ids[HEED_DIRECT_CHARACTERS]; /* BPE: ids of single characters */
    int32_t byte_ids[256];                      /* ids of "<0x00>" to "<0xFF>" for byte_fallback */
    heed_unigram *unigram;                      /* Unigram: scores and a trie, unigram.c */
} heed_tokenizer_model;

/* Characters or merges of a piece between two checks for cancellation. */
enum { HEED_STEPS_UNASKED = 4096 };

/* Memory that tokenizing reuses from piece to piece. The caller zeroes it at first. */
typedef struct heed_tokenizer_model_scratch {
    struct heed_symbol *symbols;
    uint64_t *heap;
    char *word;
    struct heed_lattice_node *lattice; /* Unigram: the best segmentation up to each byte */
    size_t lattice_capacity;
    size_t symbol_count, symbol_capacity, heap_count, heap_capacity, word_capacity;
    heed_cancel cancel; /* checked within long pieces */
} heed_tokenizer_model_scratch;
void heed_tokenizer_model_scratch_free(heed_tokenizer_model_scratch *scratch);

/* One kind of model. */
struct heed_tokenizer_model_kind {
    /* the value of "type" */
    const char *name;
    /* Reads the "model" section into a model that is zeroed but for `kind` and unk_id = -1. */
    heed_status (*read)(heed_tokenizer_model *model, const json_t *json, const char *where,
                        heed_error *error);
    /* Adds the tokens of a piece, text[0..length) with length > 0, to `found`. */
    heed_status (*tokenize)(const heed_tokenizer_model *model,
                            heed_tokenizer_model_scratch *scratch, const char *text, size_t length,
                            heed_found_tokens *found, heed_error *error);
    /* Writes all members except "type" and, unless own_vocabulary is set, "vocab". */
    heed_status (*write)(const heed_tokenizer_model *model, json_t *json, heed_error *error);
    /* the kind defines its vocabulary, or `write` writes it: no object of ids is written as
       "vocab" */
    bool own_vocabulary;
};
extern const heed_tokenizer_model_kind heed_tokenizer_model_bpe, heed_tokenizer_model_unigram,
    heed_tokenizer_model_wordpiece, heed_tokenizer_model_wordlevel,
    heed_tokenizer_model_code_points;

/* Reads the "model" section. HEED_E_UNSUPPORTED names a kind that is not supported. */
heed_status heed_tokenizer_model_read(heed_tokenizer_model *model, const json_t *json,
                                      const char *where, heed_error *error);
/* Writes the section back. *json is a new reference. */
heed_status heed_tokenizer_model_write(const heed_tokenizer_model *model, json_t **json,
                                       heed_error *error);
void heed_tokenizer_model_free(heed_tokenizer_model *model);

/* ---- functions for the kinds ---- */
/* Reads the member "vocab" into model->vocabulary. */
heed_status heed_tokenizer_model_read_vocabulary(heed_tokenizer_model *model, const json_t *json,
                                                 const char *where, heed_error *error);
/* Reads an object {"<token>": id} and seals the vocabulary. */
heed_status heed_vocabulary_read(heed_vocabulary *vocabulary, const json_t *ids, const char *where,
                                 heed_error *error);
/* Returns a new object {"<token>": id}, NULL if out of memory. */
json_t *heed_vocabulary_write(const heed_vocabulary *vocabulary);
/* Copies a string member to *text, which the caller frees. *text stays as it is if the member is
   absent or null or, with `empty_is_none`, "". */
heed_status heed_tokenizer_model_read_text(char **text, const json_t *json, const char *key,
                                           bool empty_is_none, const char *where,
                                           heed_error *error);
/* Fills model->byte_ids. */
void heed_tokenizer_model_find_bytes(heed_tokenizer_model *model);
/* Returns whether each of these bytes has a token "<0xE4>". */
bool heed_tokenizer_model_has_bytes(const heed_tokenizer_model *model, heed_text text);
/* Fails because the text needs the unknown token and the vocabulary lacks it. */
heed_status heed_tokenizer_model_unknown(const heed_tokenizer_model *model, heed_error *error);
/* Unigram: builds the model of a SentencePiece file after its vocabulary is sealed and unk_id and
   byte_fallback are set. scores and types (io/sentencepiece.h; NULL: all are normal) have one
   element for each token. */
heed_status heed_unigram_build(heed_tokenizer_model *model, const float *scores,
                               const int32_t *types, heed_error *error);
void heed_unigram_free(heed_unigram *unigram);
/* BPE: the following build the merges after vocabulary, prefix, suffix and flags are set. This one
   adds a merge of two strings, whose rank follows those so far. */
heed_status heed_bpe_add_merge(heed_tokenizer_model *model, heed_text left, heed_text right,
                               const char *where, heed_error *error);
/* Adds a merge written as "left right". */
heed_status heed_bpe_add_merge_line(heed_tokenizer_model *model, const char *line, size_t length,
                                    const char *where, heed_error *error);
/* Adds a merge of known ids and rank. */
heed_status heed_bpe_add_merge_ids(heed_tokenizer_model *model, heed_merge merge,
                                   heed_error *error);
/* Builds the lookup tables after the last merge. */
heed_status heed_bpe_seal(heed_tokenizer_model *model, heed_error *error);

/* bpe_merge.c: a symbol of a word while it is being merged: its id, its bytes in the piece (0 after
   it was merged into its left neighbor), and its neighbors (-1 for none). */
typedef struct heed_symbol {
    int32_t id;
    uint32_t length;
    int32_t previous, next;
} heed_symbol;
/* Returns the key of a pair of symbols. */
static inline uint64_t heed_merge_pair(int32_t left, int32_t right)
{
    return (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
}
/* Returns the slot at which the search for a pair begins. */
static inline size_t heed_merge_home(const heed_merge_table *table, uint64_t pair)
{
    return (size_t)((pair * 0x9E3779B97F4A7C15u) >> 32) & (table->slot_count - 1);
}
/* Returns the merge of a pair, NULL if there is none. */
const heed_merge_slot *heed_merge_find(const heed_merge_table *table, int32_t left, int32_t right);
/* Merges scratch->symbols[0..symbol_count) in order of rank, leftmost first, as the library does.
   The remaining symbols are moved to the front, and symbol_count becomes their number. Takes O(n
   log n). Source: Sennrich, Haddow & Birch 2016. */
heed_status heed_bpe_merge(const heed_merge_table *table, heed_tokenizer_model_scratch *scratch,
                           heed_error *error);

#endif
