/* vocabulary.h: token strings and their ids. A vocabulary is built, sealed and then immutable. Ids
   may have gaps, and strings may contain NUL. */
#ifndef HEED_TEXT_VOCABULARY_H
#define HEED_TEXT_VOCABULARY_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct heed_vocabulary_entry {
    uint32_t offset, length;
    int32_t id;
} heed_vocabulary_entry;

typedef struct heed_vocabulary {
    char *strings; /* the strings, each followed by a NUL */
    size_t strings_length, strings_capacity;
    heed_vocabulary_entry *entries; /* sorted by id after sealing */
    size_t count, capacity;
    /* hash table with open addressing: index of the entry + 1, 0 for free; a power of two */
    uint32_t *slots;
    size_t slot_count;
    uint32_t longest; /* bytes of the longest token */
    size_t shared;    /* number of entries whose string a later entry has too */
} heed_vocabulary;

void heed_vocabulary_free(heed_vocabulary *vocabulary);
/* Adds a token. A string that is present takes the new id. HEED_E_FORMAT if the id lies outside [0,
   2^31 - 2] or the string is not valid UTF-8. `where` begins messages. */
heed_status heed_vocabulary_add(heed_vocabulary *vocabulary, const char *token, size_t length,
                                int64_t id, const char *where, heed_error *error);
/* Adds a token to a vocabulary in which several ids may have the same string. The search by string
   then finds the greatest id, as llama.cpp does, which fills its table by string in the order of
   ids. */
heed_status heed_vocabulary_add_id(heed_vocabulary *vocabulary, const char *token, size_t length,
                                   int64_t id, const char *where, heed_error *error);
/* Ends building and sorts by id. HEED_E_FORMAT if two tokens have the same id. */
heed_status heed_vocabulary_seal(heed_vocabulary *vocabulary, const char *where, heed_error *error);

/* Returns the id of a token, -1 if there is none. */
int32_t heed_vocabulary_find(const heed_vocabulary *vocabulary, const char *token, size_t length);
/* Returns the entry of an id, NULL if there is none. Only after sealing. */
const heed_vocabulary_entry *heed_vocabulary_entry_of(const heed_vocabulary *vocabulary,
                                                      int32_t id);
/* Returns the string of an entry. */
static inline const char *heed_vocabulary_string(const heed_vocabulary *vocabulary,
                                                 const heed_vocabulary_entry *entry)
{
    return vocabulary->strings + entry->offset;
}
/* greatest id + 1, only after sealing */
int32_t heed_vocabulary_id_limit(const heed_vocabulary *vocabulary);

/* The hash of the table (FNV-1a). It grows by one byte at a time, so that all prefixes of a text
   can be looked up in one pass. */
static const uint64_t heed_hash_start = 0xCBF29CE484222325u;
static inline uint64_t heed_hash_byte(uint64_t hash, char byte)
{
    return (hash ^ (unsigned char)byte) * 0x100000001B3u;
}
/* heed_vocabulary_find for a token whose hash is known. */
int32_t heed_vocabulary_find_hashed(const heed_vocabulary *vocabulary, const char *token,
                                    size_t length, uint64_t hash);

#endif
