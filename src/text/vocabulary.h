/* vocabulary.h: token strings and their ids. Built once, then immutable. Ids may have gaps; strings
   may hold NUL. */
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
    char *strings; /* NUL-terminated, one after the other */
    size_t strings_length, strings_capacity;
    heed_vocabulary_entry *entries; /* in order of id once sealed */
    size_t count, capacity;
    uint32_t *slots; /* open addressing: entry + 1, 0 = free; a power of two */
    size_t slot_count;
    uint32_t longest; /* bytes of the longest token */
    size_t shared;    /* entries whose string a later one has too */
} heed_vocabulary;

void heed_vocabulary_free(heed_vocabulary *vocabulary);
/* HEED_E_NOMEM, HEED_E_FORMAT for an id outside [0, 2^31 - 2]. A string that is there already takes
   the new id. */
heed_status heed_vocabulary_add(heed_vocabulary *vocabulary, const char *token, size_t length,
                                int64_t id, const char *where, heed_error *error);
/* The same for vocabularies by id: a string that is there already becomes that of one more id.
   Looking for it finds the greatest id, as llama.cpp does, whose table by string is filled in the
   order of ids. */
heed_status heed_vocabulary_add_id(heed_vocabulary *vocabulary, const char *token, size_t length,
                                   int64_t id, const char *where, heed_error *error);
/* Ends building: sorts by id; HEED_E_FORMAT when two tokens share one. */
heed_status heed_vocabulary_seal(heed_vocabulary *vocabulary, const char *where, heed_error *error);

/* id, -1 when absent */
int32_t heed_vocabulary_find(const heed_vocabulary *vocabulary, const char *token, size_t length);
/* NULL when absent; sealed only */
const heed_vocabulary_entry *heed_vocabulary_entry_of(const heed_vocabulary *vocabulary,
                                                      int32_t id);
static inline const char *heed_vocabulary_string(const heed_vocabulary *vocabulary,
                                                 const heed_vocabulary_entry *entry)
{
    return vocabulary->strings + entry->offset;
}
int32_t heed_vocabulary_id_limit(const heed_vocabulary *vocabulary); /* greatest id + 1 */

/* The hash of the table, a byte at a time, so that all prefixes of a text can be looked up in one
   pass. */
static const uint64_t heed_hash_start = 0xCBF29CE484222325u;
static inline uint64_t heed_hash_byte(uint64_t hash, char byte)
{
    return (hash ^ (unsigned char)byte) * 0x100000001B3u;
}
int32_t heed_vocabulary_find_hashed(const heed_vocabulary *vocabulary, const char *token,
                                    size_t length, uint64_t hash);

#endif
