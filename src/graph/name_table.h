/* name_table.h: finds numbers by name, in constant time: the inputs, weights, states and outputs of
   a graph. */
#ifndef HEED_GRAPH_NAME_TABLE_H
#define HEED_GRAPH_NAME_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct heed_name_slot {
    const char *name; /* NULL: the slot is free */
    int32_t number;
} heed_name_slot;

/* A hash table with linear probing. {0} is empty. */
typedef struct heed_name_table {
    heed_name_slot *slots;
    size_t count, capacity; /* capacity is 0 or a power of two */
} heed_name_table;

/* Returns the number of the name, or -1 if the table does not have it. */
int32_t heed_name_table_find(const heed_name_table *table, const char *name);
/* Adds a name that the table does not have, and borrows it. Returns false if out of memory. */
bool heed_name_table_add(heed_name_table *table, const char *name, int32_t number);
void heed_name_table_free(heed_name_table *table);

#endif
