/* trie.h: a set of strings with values that finds the longest string, or all strings, with which a
   text begins. The edges are in one hash table, keyed by (node, byte). */
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
    heed_trie_slot *slots; /* hash table with open addressing; child is 0 in free slots */
    size_t slot_count;
    /* by node: value of the string that ends there, -1 for none; node 0 is the root */
    int32_t *values;
    size_t node_count, node_capacity;
} heed_trie;

/* Adds a string. If it is present, its old value stays; an empty string is never found. False if
   out of memory. */
bool heed_trie_add(heed_trie *trie, const char *text, size_t length, int32_t value);
/* Finds the longest string with which text[0..length) begins, among those whose value `takes`
   accepts (NULL accepts all). Returns its value and sets *size to its bytes, or returns -1. The
   trie must not be empty. */
typedef bool heed_trie_filter(const void *context, int32_t value);
int32_t heed_trie_match(const heed_trie *trie, const char *text, size_t length,
                        heed_trie_filter *takes, const void *context, size_t *size);
/* Follows the edge of `byte` from a node, the root being 0. Returns false if there is none, else
   moves *node; trie->values[*node] is then the value of the string that ends there, -1 for none.
   A walk that begins at the root finds all strings with which a text begins, the shortest first. */
bool heed_trie_step(const heed_trie *trie, uint32_t *node, char byte);
void heed_trie_free(heed_trie *trie);

#endif
