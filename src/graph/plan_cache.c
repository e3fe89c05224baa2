/* plan_cache.c: plans by key; the least recently used one makes room for a new one. */
#include "graph/plan.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    void *key;
    size_t key_bytes;
    heed_plan *plan;
    uint64_t used;
} entry;
struct heed_plan_cache {
    entry *entries;
    size_t count, capacity;
    uint64_t clock;
};

heed_plan_cache *heed_plan_cache_new(size_t capacity)
{
    heed_plan_cache *cache = heed_allocate(1, sizeof *cache);
    if (!cache) return NULL;
    cache->capacity = capacity < 1 ? 1 : capacity;
    cache->entries = heed_allocate(cache->capacity, sizeof *cache->entries);
    if (cache->entries) return cache;
    free(cache);
    return NULL;
}

static void entry_free(entry *e)
{
    heed_plan_free(e->plan);
    free(e->key);
    *e = (entry){0};
}

void heed_plan_cache_free(heed_plan_cache *cache)
{
    if (!cache) return;
    for (size_t i = 0; i < cache->count; i++) entry_free(&cache->entries[i]);
    free(cache->entries);
    free(cache);
}

heed_plan *heed_plan_cache_find(heed_plan_cache *cache, const void *key, size_t key_bytes)
{
    for (size_t i = 0; i < cache->count; i++)
        if (cache->entries[i].key_bytes == key_bytes &&
            !memcmp(cache->entries[i].key, key, key_bytes)) {
            cache->entries[i].used = ++cache->clock;
            return cache->entries[i].plan;
        }
    return NULL;
}

heed_status heed_plan_cache_add(heed_plan_cache *cache, const void *key, size_t key_bytes,
                                heed_plan *plan, heed_error *error)
{
    void *copy = malloc(key_bytes ? key_bytes : 1);
    if (!copy) {
        heed_plan_free(plan);
        return heed_fail_memory(error, key_bytes, "the plan cache");
    }
    memcpy(copy, key, key_bytes);
    size_t at = cache->count;
    if (at == cache->capacity) {
        at = 0;
        for (size_t i = 1; i < cache->count; i++)
            if (cache->entries[i].used < cache->entries[at].used) at = i;
        entry_free(&cache->entries[at]);
    } else cache->count++;
    cache->entries[at] = (entry){copy, key_bytes, plan, ++cache->clock};
    return HEED_OK;
}

int64_t heed_bucket(int64_t count)
{
    int64_t bucket = 1;
    while (bucket < count && bucket < INT64_MAX / 2) bucket *= 2;
    return bucket;
}
