/* trie.h: a set of strings, each with a value, that finds the longest one a text begins with.
   Children by hash of (node, byte). */
#ifndef HEED_TEXT_TRIE_H
#define HEED_TEXT_TRIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct heed_trie_slot {
    uint32_t parent, child;
    uint8_t byte;
} heed_trie_slot;
typedef struct heed_trie {
    heed_trie_slot *slots; /* open addressing; child 0 = free */
    size_t slot_count;
    int32_t *values; /* by node: value of the string that ends there, -1; node 0 is the root */
    size_t node_count, node_capacity;
} heed_trie;

/* If strings are equal, the first one counts; empty ones are never found. False without memory. */
bool heed_trie_add(heed_trie *trie, const char *text, size_t length, int32_t value);
/* The longest string that text[0..length) begins with, among those that `takes` accepts (NULL:
   all): its value, its bytes in *size; -1 when there is none. Only for a trie with nodes. */
typedef bool heed_trie_filter(const void *context, int32_t value);
int32_t heed_trie_match(const heed_trie *trie, const char *text, size_t length,
                        heed_trie_filter *takes, const void *context, size_t *size);
void heed_trie_free(heed_trie *trie);

#endif
