/* vocabulary.c: token strings and their ids (vocabulary.h). */
#include "text/vocabulary.h"

#include "base/memory.h"
#include "base/utf8.h"
#include <stdlib.h>
#include <string.h>

enum { FIRST_SLOTS = 1024 };

void heed_vocabulary_free(heed_vocabulary *vocabulary)
{
    free(vocabulary->strings);
    free(vocabulary->entries);
    free(vocabulary->slots);
    *vocabulary = (heed_vocabulary){0};
}

static uint64_t hash_of(const char *token, size_t length)
{
    uint64_t hash = heed_hash_start;
    for (size_t i = 0; i < length; i++) hash = heed_hash_byte(hash, token[i]);
    return hash;
}

/* Returns the slot at which the search for a hash begins. The low bits of the hash depend only on
   the low bits of the bytes, so the high bits are folded into them. */
static size_t slot_of(const heed_vocabulary *vocabulary, uint64_t hash)
{
    return (size_t)(hash ^ hash >> 29) & (vocabulary->slot_count - 1);
}

static bool is_token(const heed_vocabulary *vocabulary, uint32_t entry, const char *token,
                     size_t length)
{
    const heed_vocabulary_entry *candidate = &vocabulary->entries[entry];
    return candidate->length == length &&
           memcmp(vocabulary->strings + candidate->offset, token, length) == 0;
}

/* Returns the slot that contains the token, or the free slot where it belongs. */
static size_t probe(const heed_vocabulary *vocabulary, const char *token, size_t length,
                    uint64_t hash)
{
    size_t slot = slot_of(vocabulary, hash);
    while (vocabulary->slots[slot] &&
           !is_token(vocabulary, vocabulary->slots[slot] - 1, token, length))
        slot = (slot + 1) & (vocabulary->slot_count - 1);
    return slot;
}

/* Builds the hash table. If strings are equal, the later entry is found. */
static bool fill_slots(heed_vocabulary *vocabulary, size_t slot_count)
{
    uint32_t *slots = heed_allocate(slot_count, sizeof *slots);
    if (!slots) return false;
    free(vocabulary->slots);
    vocabulary->slots = slots;
    vocabulary->slot_count = slot_count;
    for (size_t i = 0; i < vocabulary->count; i++) {
        size_t length = vocabulary->entries[i].length;
        const char *string = vocabulary->strings + vocabulary->entries[i].offset;
        slots[probe(vocabulary, string, length, hash_of(string, length))] = (uint32_t)i + 1;
    }
    return true;
}

/* Makes room for one more entry of `length` bytes, and checks its id and its string. */
static heed_status make_room(heed_vocabulary *vocabulary, const char *token, size_t length,
                             int64_t id, const char *where, heed_error *error)
{
    if (id < 0 || id >= INT32_MAX)
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: token \"%.*s\" has id %lld, expected 0 to 2147483646", where,
                         length < 64 ? (int)length : 64, token, (long long)id);
    if (!heed_utf8_valid(token, length))
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: token %lld is not valid UTF-8 (half a surrogate pair, perhaps)",
                         where, (long long)id);
    size_t wanted = vocabulary->strings_length + length + 1;
    if (wanted > UINT32_MAX || vocabulary->count >= INT32_MAX)
        return heed_fail(error, HEED_E_FORMAT, "%s: more than 4 GiB of tokens", where);
    bool full = (vocabulary->count + 1) * 2 > vocabulary->slot_count;
    if (!heed_grow(&vocabulary->strings, &vocabulary->strings_capacity, wanted, 1) ||
        !heed_grow(&vocabulary->entries, &vocabulary->capacity, vocabulary->count + 1,
                   sizeof *vocabulary->entries) ||
        (full && !fill_slots(vocabulary,
                             vocabulary->slot_count ? vocabulary->slot_count * 2 : FIRST_SLOTS)))
        return heed_fail_memory(error, wanted, "the vocabulary");
    return HEED_OK;
}

/* Appends an entry and points the slot at it. */
static void append(heed_vocabulary *vocabulary, const char *token, size_t length, int64_t id,
                   size_t slot)
{
    uint32_t offset = (uint32_t)vocabulary->strings_length;
    memcpy(vocabulary->strings + offset, token, length);
    vocabulary->strings[offset + length] = 0;
    vocabulary->strings_length += length + 1;
    vocabulary->entries[vocabulary->count++] = (heed_vocabulary_entry){offset, (uint32_t)length,
                                                                       (int32_t)id};
    vocabulary->slots[slot] = (uint32_t)vocabulary->count;
    if (length > vocabulary->longest) vocabulary->longest = (uint32_t)length;
}

heed_status heed_vocabulary_add(heed_vocabulary *vocabulary, const char *token, size_t length,
                                int64_t id, const char *where, heed_error *error)
{
    HEED_TRY(make_room(vocabulary, token, length, id, where, error));
    size_t slot = probe(vocabulary, token, length, hash_of(token, length));
    if (vocabulary->slots[slot]) vocabulary->entries[vocabulary->slots[slot] - 1].id = (int32_t)id;
    else append(vocabulary, token, length, id, slot);
    return HEED_OK;
}

heed_status heed_vocabulary_add_id(heed_vocabulary *vocabulary, const char *token, size_t length,
                                   int64_t id, const char *where, heed_error *error)
{
    HEED_TRY(make_room(vocabulary, token, length, id, where, error));
    size_t slot = probe(vocabulary, token, length, hash_of(token, length));
    if (vocabulary->slots[slot]) vocabulary->shared++;
    append(vocabulary, token, length, id, slot);
    return HEED_OK;
}

static int compare_ids(const void *a, const void *b)
{
    int32_t x = ((const heed_vocabulary_entry *)a)->id, y = ((const heed_vocabulary_entry *)b)->id;
    return x < y ? -1 : x > y;
}

heed_status heed_vocabulary_seal(heed_vocabulary *vocabulary, const char *where, heed_error *error)
{
    bool ordered = true;
    for (size_t i = 1; i < vocabulary->count; i++)
        ordered &= vocabulary->entries[i - 1].id <= vocabulary->entries[i].id;
    if (!ordered)
        qsort(vocabulary->entries, vocabulary->count, sizeof *vocabulary->entries, compare_ids);
    if (!ordered && !fill_slots(vocabulary, vocabulary->slot_count))
        return heed_fail_memory(error, vocabulary->slot_count * sizeof(uint32_t), "the vocabulary");
    for (size_t i = 1; i < vocabulary->count; i++)
        if (vocabulary->entries[i - 1].id == vocabulary->entries[i].id)
            return heed_fail(
                error, HEED_E_FORMAT,
                "%s: tokens \"%.64s\" and \"%.64s\" share id %d, expected one token for each id",
                where, heed_vocabulary_string(vocabulary, &vocabulary->entries[i - 1]),
                heed_vocabulary_string(vocabulary, &vocabulary->entries[i]),
                (int)vocabulary->entries[i].id);
    return HEED_OK;
}

int32_t heed_vocabulary_find_hashed(const heed_vocabulary *vocabulary, const char *token,
                                    size_t length, uint64_t hash)
{
    if (!vocabulary->count) return -1;
    size_t slot = probe(vocabulary, token, length, hash);
    return vocabulary->slots[slot] ? vocabulary->entries[vocabulary->slots[slot] - 1].id : -1;
}

int32_t heed_vocabulary_find(const heed_vocabulary *vocabulary, const char *token, size_t length)
{
    return heed_vocabulary_find_hashed(vocabulary, token, length, hash_of(token, length));
}

const heed_vocabulary_entry *heed_vocabulary_entry_of(const heed_vocabulary *vocabulary, int32_t id)
{
    if (id < 0 || !vocabulary->count) return NULL;
    /* If ids have no gaps, which is usual, an id is the index of its entry. */
    if ((size_t)id < vocabulary->count && vocabulary->entries[id].id == id)
        return &vocabulary->entries[id];
    size_t low = 0, high = vocabulary->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (vocabulary->entries[middle].id < id) low = middle + 1;
        else high = middle;
    }
    return low < vocabulary->count && vocabulary->entries[low].id == id ? &vocabulary->entries[low]
                                                                        : NULL;
}

int32_t heed_vocabulary_id_limit(const heed_vocabulary *vocabulary)
{
    return vocabulary->count ? vocabulary->entries[vocabulary->count - 1].id + 1 : 0;
}
