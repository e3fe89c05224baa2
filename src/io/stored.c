#include "io/stored.h"

#include <stdlib.h>
#include <string.h>

static int compare_places(const void *a, const void *b)
{
    const heed_stored_tensor *left = a, *right = b;
    if (left->offset != right->offset) return left->offset < right->offset ? -1 : 1;
    if (left->bytes != right->bytes) return left->bytes < right->bytes ? -1 : 1;
    return strcmp(left->name, right->name);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(heed_stored_tensor *const *)a)->name, (*(heed_stored_tensor *const *)b)->name);
}

void heed_stored_sort(heed_stored_tensor *tensors, size_t count)
{
    if (count) qsort(tensors, count, sizeof *tensors, compare_places);
}

void heed_stored_index(heed_stored_tensor **by_name, heed_stored_tensor *tensors, size_t count)
{
    for (size_t i = 0; i < count; i++) by_name[i] = &tensors[i];
    if (count) qsort(by_name, count, sizeof *by_name, compare_names);
}

const heed_stored_tensor *heed_stored_find(heed_stored_tensor *const *by_name, size_t count, const char *name)
{
    const heed_stored_tensor wanted = {.name = name}, *key = &wanted;
    if (!count) return NULL;
    heed_stored_tensor *const *found = bsearch(&key, by_name, count, sizeof *by_name, compare_names);
    return found ? *found : NULL;
}
