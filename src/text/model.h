/* model.h: the middle of a tokenizer, which turns a piece of text into tokens. One table row per
   kind: BPE, WordPiece, WordLevel, CodePoints. */
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

/* What models write to: the tokens found so far, with their places in the working text. */
typedef struct heed_found_token {
    int32_t id;
    uint32_t begin, end;
    bool added; /* found as an added token, not by the model */
} heed_found_token;
typedef struct heed_found_tokens {
    heed_found_token *tokens;
    size_t count, capacity;
    uint32_t base; /* where the piece that is being tokenized begins in the working text */
    bool failed;   /* memory ran out */
} heed_found_tokens;
/* Adds a token of the current piece; its place [begin, end) counts from the piece's beginning. */
void heed_found_add(heed_found_tokens *found, int32_t id, size_t begin, size_t end);

/* BPE: merge (left, right) -> joined; the smallest rank first, the leftmost place of equals. */
typedef struct heed_merge {
    int32_t left, right, joined;
    uint32_t rank;
} heed_merge;
typedef struct heed_merge_slot {
    uint64_t pair;
    uint32_t rank;
    int32_t joined;
} heed_merge_slot;
typedef struct heed_merge_table {
    heed_merge *merges;
    size_t count, capacity;
    heed_merge_slot *slots; /* open addressing by pair; a power of two */
    size_t slot_count;
} heed_merge_table;

/* Characters below this have their ids in a table: all of the byte-level alphabet. */
enum { HEED_DIRECT_CHARACTERS = 0x180 };
/* Ids from here on are symbols that only merges know. */
enum { HEED_HIDDEN_SYMBOLS = 0x40000000 };

typedef struct heed_tokenizer_model_kind heed_tokenizer_model_kind;
typedef struct heed_tokenizer_model {
    const heed_tokenizer_model_kind *kind;
    heed_vocabulary vocabulary;
    char *unk_token; /* NULL: none */
    int32_t unk_id;  /* -1: none, or not in the vocabulary */
    char *prefix;    /* tokens that continue a word begin with it; NULL: none */
    char *suffix;    /* BPE: tokens that end a word end with it; NULL: none */
    bool fuse_unk, byte_fallback, ignore_merges; /* BPE */
    int64_t max_word_characters;                 /* WordPiece: longer words are unknown */
    heed_merge_table merges;                     /* BPE */
    /* BPE: symbols that only merges know exist too; what is left of them is unknown */
    bool hidden_merges;
    heed_vocabulary hidden; /* BPE: those symbols, by HEED_HIDDEN_SYMBOLS and up */
    /* BPE: what ids are decoded by, when the target language has a vocabulary of its own */
    heed_vocabulary target;
    /* BPE: pieces that are found in the text first and never merged; the values are ids */
    heed_trie whole;
    int32_t direct_ids[HEED_DIRECT_CHARACTERS]; /* BPE: ids of single characters */
    int32_t byte_ids[256];                      /* BPE: ids of "<0x00>" to "<0xFF>" */
} heed_tokenizer_model;

/* Characters or merges of a piece between two questions whether to go on. */
enum { HEED_STEPS_UNASKED = 4096 };

/* Memory that tokenizing reuses from piece to piece; zero-initialize. */
typedef struct heed_tokenizer_model_scratch {
    struct heed_symbol *symbols;
    uint64_t *heap;
    char *word;
    size_t symbol_count, symbol_capacity, heap_count, heap_capacity, word_capacity;
    heed_cancel cancel; /* asked within long pieces */
} heed_tokenizer_model_scratch;
void heed_tokenizer_model_scratch_free(heed_tokenizer_model_scratch *scratch);

struct heed_tokenizer_model_kind {
    const char *name;
    heed_status (*read)(heed_tokenizer_model *model, const json_t *json, const char *where,
                        heed_error *error);
    /* Adds the tokens of text[0..length), length > 0, the piece at found->base. */
    heed_status (*tokenize)(const heed_tokenizer_model *model,
                            heed_tokenizer_model_scratch *scratch, const char *text, size_t length,
                            heed_found_tokens *found, heed_error *error);
    /* all but "type" and "vocab" */
    heed_status (*write)(const heed_tokenizer_model *model, json_t *json, heed_error *error);
    bool implied; /* the kind says what its vocabulary is: no file holds it */
};
extern const heed_tokenizer_model_kind heed_tokenizer_model_bpe, heed_tokenizer_model_wordpiece,
    heed_tokenizer_model_wordlevel, heed_tokenizer_model_code_points;

/* Reads the "model" section. HEED_E_UNSUPPORTED names the kind when it is none of the table. */
heed_status heed_tokenizer_model_read(heed_tokenizer_model *model, const json_t *json,
                                      const char *where, heed_error *error);
/* The section again, a new reference. */
heed_status heed_tokenizer_model_write(const heed_tokenizer_model *model, json_t **json,
                                       heed_error *error);
void heed_tokenizer_model_free(heed_tokenizer_model *model);

/* ---- for the kinds ---- */
heed_status heed_tokenizer_model_read_vocabulary(heed_tokenizer_model *model, const json_t *json,
                                                 const char *where, heed_error *error);
heed_status heed_vocabulary_read(heed_vocabulary *vocabulary, const json_t *ids, const char *where,
                                 heed_error *error);
/* an object of ids; NULL without memory */
json_t *heed_vocabulary_write(const heed_vocabulary *vocabulary);
/* A string member as a copy; absent, null and, when `empty_is_none`, "" leave *text NULL. */
heed_status heed_tokenizer_model_read_text(char **text, const json_t *json, const char *key,
                                           bool empty_is_none, const char *where,
                                           heed_error *error);
/* the vocabulary lacks its unknown token */
heed_status heed_tokenizer_model_unknown(const heed_tokenizer_model *model, heed_error *error);
/* BPE: after vocabulary, prefix, suffix and flags are set, adds a merge of two strings, which ranks
   after all so far ... */
heed_status heed_bpe_add_merge(heed_tokenizer_model *model, heed_text left, heed_text right,
                               const char *where, heed_error *error);
/* ... or "left right" ... */
heed_status heed_bpe_add_merge_line(heed_tokenizer_model *model, const char *line, size_t length,
                                    const char *where, heed_error *error);
/* ... or one of ids whose result and rank are known; then seals the tables. */
heed_status heed_bpe_add_merge_ids(heed_tokenizer_model *model, heed_merge merge,
                                   heed_error *error);
heed_status heed_bpe_seal(heed_tokenizer_model *model, heed_error *error);

/* bpe_merge.c: symbols of one word, merged in order of rank, leftmost first, as the library does.
   Source: Sennrich, Haddow & Birch 2016. O(n log n). */
typedef struct heed_symbol {
    int32_t id;
    uint32_t length;
    int32_t previous, next;
} heed_symbol;
static inline uint64_t heed_merge_pair(int32_t left, int32_t right)
{
    return (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
}
/* The slot where looking for a pair begins. */
static inline size_t heed_merge_home(const heed_merge_table *table, uint64_t pair)
{
    return (size_t)((pair * 0x9E3779B97F4A7C15u) >> 32) & (table->slot_count - 1);
}
/* NULL: no such merge */
const heed_merge_slot *heed_merge_find(const heed_merge_table *table, int32_t left, int32_t right);
/* Merges scratch->symbols[0..symbol_count); survivors are moved to the front and counted. */
heed_status heed_bpe_merge(const heed_merge_table *table, heed_tokenizer_model_scratch *scratch,
                           heed_error *error);

#endif
