/* name_table.c: a hash table of names with linear probing. */
#include "graph/name_table.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static uint64_t hash_name(const char *name)
{
    uint64_t hash = 0xCBF29CE484222325u; /* FNV-1a */
    for (; *name; name++) hash = (hash ^ (unsigned char)*name) * 0x100000001B3u;
    return hash;
}

/* The slot of the name, or the free one where it would go. The table has a free slot. */
static heed_name_slot *slot_of(const heed_name_table *table, const char *name)
{
    size_t at = hash_name(name) & (table->capacity - 1);
    while (table->slots[at].name && strcmp(table->slots[at].name, name) != 0)
        at = (at + 1) & (table->capacity - 1);
    return &table->slots[at];
}

int32_t heed_name_table_find(const heed_name_table *table, const char *name)
{
    if (table->count == 0) return -1;
    const heed_name_slot *slot = slot_of(table, name);
    return slot->name ? slot->number : -1;
}

/* Makes room for twice as many names. */
static bool grow(heed_name_table *table)
{
    heed_name_table larger = {.count = table->count,
                              .capacity = table->capacity ? 2 * table->capacity : 16};
    larger.slots = heed_allocate(larger.capacity, sizeof *larger.slots);
    if (!larger.slots) return false;
    for (size_t i = 0; i < table->capacity; i++)
        if (table->slots[i].name) *slot_of(&larger, table->slots[i].name) = table->slots[i];
    free(table->slots);
    *table = larger;
    return true;
}

bool heed_name_table_add(heed_name_table *table, const char *name, int32_t number)
{
    if (2 * (table->count + 1) > table->capacity && !grow(table)) return false;
    *slot_of(table, name) = (heed_name_slot){name, number};
    table->count++;
    return true;
}

void heed_name_table_free(heed_name_table *table)
{
    free(table->slots);
    *table = (heed_name_table){0};
}
