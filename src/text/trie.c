/* trie.c: a set of strings that finds those with which a text begins (trie.h). */
#include "text/trie.h"

#include "base/memory.h"
#include <stdlib.h>

/* Returns the slot of an edge, or the free slot where it belongs. */
static size_t child_slot(const heed_trie *trie, uint32_t parent, uint8_t byte)
{
    uint64_t hash = ((uint64_t)parent << 8 | byte) * 0x9E3779B97F4A7C15u;
    size_t slot = (size_t)(hash >> 32) & (trie->slot_count - 1);
    while (trie->slots[slot].child &&
           (trie->slots[slot].parent != parent || trie->slots[slot].byte != byte))
        slot = (slot + 1) & (trie->slot_count - 1);
    return slot;
}

static bool grow_slots(heed_trie *trie)
{
    heed_trie old = *trie;
    size_t count = old.slot_count ? old.slot_count * 2 : 256;
    trie->slots = heed_allocate(count, sizeof *trie->slots);
    if (!trie->slots) {
        trie->slots = old.slots;
        return false;
    }
    trie->slot_count = count;
    for (size_t i = 0; i < old.slot_count; i++)
        if (old.slots[i].child)
            trie->slots[child_slot(trie, old.slots[i].parent, old.slots[i].byte)] = old.slots[i];
    free(old.slots);
    return true;
}

static bool add_node(heed_trie *trie)
{
    if (trie->node_count >= INT32_MAX ||
        !heed_grow(&trie->values, &trie->node_capacity, trie->node_count + 1, sizeof *trie->values))
        return false;
    trie->values[trie->node_count++] = -1;
    return true;
}

bool heed_trie_add(heed_trie *trie, const char *text, size_t length, int32_t value)
{
    uint32_t node = 0;
    if (!length) return true;
    if (!trie->node_count && !add_node(trie)) return false;
    for (size_t i = 0; i < length; i++) {
        if ((trie->node_count + 1) * 2 > trie->slot_count && !grow_slots(trie)) return false;
        size_t slot = child_slot(trie, node, (uint8_t)text[i]);
        if (!trie->slots[slot].child) {
            if (!add_node(trie)) return false;
            trie->slots[slot] = (heed_trie_slot){node, (uint32_t)trie->node_count - 1,
                                                 (uint8_t)text[i]};
        }
        node = trie->slots[slot].child;
    }
    if (trie->values[node] < 0) trie->values[node] = value;
    return true;
}

int32_t heed_trie_match(const heed_trie *trie, const char *text, size_t length,
                        heed_trie_filter *takes, const void *context, size_t *size)
{
    int32_t found = -1;
    uint32_t node = 0;
    for (size_t i = 0; i < length; i++) {
        node = trie->slots[child_slot(trie, node, (uint8_t)text[i])].child;
        if (!node) break;
        if (trie->values[node] < 0 || (takes && !takes(context, trie->values[node]))) continue;
        found = trie->values[node];
        *size = i + 1;
    }
    return found;
}

bool heed_trie_step(const heed_trie *trie, uint32_t *node, char byte)
{
    uint32_t child = trie->slots[child_slot(trie, *node, (uint8_t)byte)].child;
    if (child) *node = child;
    return child != 0;
}

void heed_trie_free(heed_trie *trie)
{
    free(trie->slots);
    free(trie->values);
    *trie = (heed_trie){0};
}
