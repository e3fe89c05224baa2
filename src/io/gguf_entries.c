/* gguf_entries.c: reads and checks the metadata of a GGUF file and looks up entries. */
#include "io/gguf_internal.h"

#include <stdlib.h>
#include <string.h>

/* Bytes of an element by type; 0 for types without a fixed size. */
static const uint8_t widths[HEED_GGUF_TYPES] = {
    [HEED_GGUF_U8] = 1,  [HEED_GGUF_I8] = 1,  [HEED_GGUF_U16] = 2, [HEED_GGUF_I16] = 2,
    [HEED_GGUF_U32] = 4, [HEED_GGUF_I32] = 4, [HEED_GGUF_F32] = 4, [HEED_GGUF_BOOL] = 1,
    [HEED_GGUF_U64] = 8, [HEED_GGUF_I64] = 8, [HEED_GGUF_F64] = 8};

enum { NAME_LIMIT = 65535, LEAST_ENTRY = 8 + 4 + 1 };

/* ---- reading ---- */

/* Returns HEED_E_FORMAT: a field needs more bytes than the file has left. */
static heed_status fail_end(const heed_gguf_cursor *cursor, const char *what, uint64_t wanted)
{
    return heed_fail(cursor->error, HEED_E_FORMAT,
                     "%s: byte %zu: %s wants %llu bytes, expected at most the %zu that are left: "
                     "cut short or damaged",
                     cursor->file->where, cursor->at, what, (unsigned long long)wanted,
                     heed_gguf_left(cursor));
}

heed_status heed_gguf_read_u32(heed_gguf_cursor *cursor, const char *what, uint32_t *value)
{
    if (heed_gguf_left(cursor) < 4) return fail_end(cursor, what, 4);
    if (!heed_gguf_reach(cursor, 4)) return HEED_E_FORMAT;
    *value = (uint32_t)heed_gguf_bits(cursor->file->bytes + cursor->at, 4);
    cursor->at += 4;
    return HEED_OK;
}

heed_status heed_gguf_read_u64(heed_gguf_cursor *cursor, const char *what, uint64_t *value)
{
    *value = 0;
    if (heed_gguf_left(cursor) < 8) return fail_end(cursor, what, 8);
    if (!heed_gguf_reach(cursor, 8)) return HEED_E_FORMAT;
    *value = heed_gguf_bits(cursor->file->bytes + cursor->at, 8);
    cursor->at += 8;
    return HEED_OK;
}

/* Reads the length of a string and moves past it. */
static heed_status skip_string(heed_gguf_cursor *cursor, const char *what, uint64_t *length)
{
    HEED_TRY(heed_gguf_read_u64(cursor, what, length));
    if (*length > heed_gguf_left(cursor)) return fail_end(cursor, what, *length);
    if (!heed_gguf_reach(cursor, (size_t)*length)) return HEED_E_FORMAT;
    cursor->at += (size_t)*length;
    return HEED_OK;
}

heed_status heed_gguf_read_name(heed_gguf_cursor *cursor, const char *what, const char **name)
{
    uint64_t length = 0;
    const size_t start = cursor->at;
    HEED_TRY(skip_string(cursor, what, &length));
    const unsigned char *text = cursor->file->bytes + cursor->at - length;
    if (length == 0 || length > NAME_LIMIT || memchr(text, 0, (size_t)length))
        return heed_fail(cursor->error, HEED_E_FORMAT,
                         "%s: byte %zu: %s has %llu bytes, expected 1 to %d without a zero byte",
                         cursor->file->where, start, what, (unsigned long long)length, NAME_LIMIT);
    char *copy = heed_arena_take(cursor->file->arena, (size_t)length + 1, 1);
    if (!copy) return heed_fail_memory(cursor->error, (size_t)length + 1, cursor->file->where);
    memcpy(copy, text, (size_t)length);
    *name = copy;
    return HEED_OK;
}

/* Reads the type of a value or of the elements of an array. */
static heed_status read_type(heed_gguf_cursor *cursor, const heed_gguf_entry *entry,
                             heed_gguf_type *type)
{
    uint32_t number = 0;
    HEED_TRY(heed_gguf_read_u32(cursor, "the type of a value", &number));
    if (number >= HEED_GGUF_TYPES)
        return heed_fail(cursor->error, HEED_E_FORMAT,
                         "%s: byte %zu: entry \"%.128s\" has type %u, expected 0 to %d",
                         cursor->file->where, cursor->at - 4, entry->key, (unsigned)number,
                         HEED_GGUF_TYPES - 1);
    *type = (heed_gguf_type)number;
    return HEED_OK;
}

/* Reads the type and the length of an array and checks that its elements can fit the file. */
static heed_status read_array_head(heed_gguf_cursor *cursor, heed_gguf_entry *entry)
{
    uint64_t count = 0;
    entry->is_array = true;
    HEED_TRY(read_type(cursor, entry, &entry->type));
    if (entry->type == HEED_GGUF_ARRAY)
        return heed_fail(cursor->error, HEED_E_UNSUPPORTED,
                         "%s: byte %zu: entry \"%.128s\" is an array of arrays; heed reads arrays "
                         "of numbers and strings",
                         cursor->file->where, cursor->at - 4, entry->key);
    HEED_TRY(heed_gguf_read_u64(cursor, "the length of an array", &count));
    size_t least = entry->type == HEED_GGUF_STRING ? 8 : widths[entry->type];
    if (count > heed_gguf_left(cursor) / least)
        return heed_fail(cursor->error, HEED_E_FORMAT,
                         "%s: byte %zu: entry \"%.128s\" has %llu elements, expected at most the "
                         "%zu that fit in the rest of the file: it is cut short or damaged",
                         cursor->file->where, cursor->at - 8, entry->key, (unsigned long long)count,
                         heed_gguf_left(cursor) / least);
    entry->count = (size_t)count;
    return HEED_OK;
}

/* Records where each string of an entry begins. */
static heed_status read_strings(heed_gguf_cursor *cursor, heed_gguf_entry *entry)
{
    const size_t start = cursor->at;
    size_t *places = heed_arena_take(cursor->file->arena, entry->count ? entry->count : 1,
                                     sizeof *places);
    if (!places)
        return heed_fail_memory(cursor->error, entry->count * sizeof *places, cursor->file->where);
    for (size_t i = 0; i < entry->count; i++) {
        uint64_t length;
        places[i] = cursor->at - start;
        HEED_TRY(skip_string(cursor, "a string", &length));
    }
    entry->strings = places;
    return HEED_OK;
}

/* Reads an entry: its key, its type, and where its value is. */
static heed_status read_entry(heed_gguf_cursor *cursor, heed_gguf_entry *entry)
{
    HEED_TRY(heed_gguf_read_name(cursor, "the key of an entry", &entry->key));
    HEED_TRY(read_type(cursor, entry, &entry->type));
    entry->count = 1;
    if (entry->type == HEED_GGUF_ARRAY) HEED_TRY(read_array_head(cursor, entry));
    entry->data = cursor->file->bytes + cursor->at;
    if (entry->type == HEED_GGUF_STRING) HEED_TRY(read_strings(cursor, entry));
    else {
        /* The count of an array has been checked against the bytes left. */
        size_t bytes = entry->count * widths[entry->type];
        if (bytes > heed_gguf_left(cursor)) return fail_end(cursor, entry->key, bytes);
        if (!heed_gguf_reach(cursor, bytes)) return HEED_E_FORMAT;
        cursor->at += bytes;
    }
    entry->bytes = (size_t)(cursor->file->bytes + cursor->at - entry->data);
    for (size_t i = 0; entry->type == HEED_GGUF_BOOL && i < entry->count; i++)
        if (entry->data[i] > 1)
            return heed_fail(
                cursor->error, HEED_E_FORMAT,
                "%s: byte %zu: entry \"%.128s\" is %d, expected 0 or 1 for a truth value",
                cursor->file->where, (size_t)(entry->data - cursor->file->bytes) + i, entry->key,
                entry->data[i]);
    return HEED_OK;
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp((*(heed_gguf_entry *const *)a)->key, (*(heed_gguf_entry *const *)b)->key);
}

heed_status heed_gguf_read_entries(heed_gguf_cursor *cursor, uint64_t count)
{
    heed_gguf *file = cursor->file;
    if (count > heed_gguf_left(cursor) / LEAST_ENTRY)
        return heed_fail(cursor->error, HEED_E_FORMAT,
                         "%s: byte 16: %llu entries of metadata, expected at most the %zu that fit "
                         "in the rest of the file: it is cut short or damaged",
                         file->where, (unsigned long long)count,
                         heed_gguf_left(cursor) / LEAST_ENTRY);
    file->entries = heed_allocate((size_t)count, sizeof *file->entries);
    file->by_key = heed_allocate((size_t)count, sizeof *file->by_key);
    if (!file->entries || !file->by_key)
        return heed_fail_memory(cursor->error, (size_t)count * sizeof *file->entries, file->where);
    for (; file->entry_count < count; file->entry_count++) {
        HEED_TRY(read_entry(cursor, &file->entries[file->entry_count]));
        file->by_key[file->entry_count] = &file->entries[file->entry_count];
    }
    if (count) qsort(file->by_key, file->entry_count, sizeof *file->by_key, compare_keys);
    for (size_t i = 1; i < file->entry_count; i++)
        if (compare_keys(&file->by_key[i - 1], &file->by_key[i]) == 0)
            return heed_fail(cursor->error, HEED_E_FORMAT,
                             "%s: the key \"%.128s\" is there twice, expected once", file->where,
                             file->by_key[i]->key);
    return HEED_OK;
}

/* ---- looking entries up ---- */

size_t heed_gguf_entry_count(const heed_gguf *file)
{
    return file->entry_count;
}

const heed_gguf_entry *heed_gguf_entry_at(const heed_gguf *file, size_t index)
{
    return &file->entries[index];
}

const heed_gguf_entry *heed_gguf_entry_find(const heed_gguf *file, const char *key)
{
    const heed_gguf_entry wanted = {.key = key}, *pointer = &wanted;
    if (!file->entry_count) return NULL;
    heed_gguf_entry **found = bsearch(&pointer, file->by_key, file->entry_count,
                                      sizeof *file->by_key, compare_keys);
    return found ? *found : NULL;
}

size_t heed_gguf_type_bytes(heed_gguf_type type)
{
    return (unsigned)type < HEED_GGUF_TYPES ? widths[type] : 0;
}

bool heed_gguf_type_is_integer(heed_gguf_type type)
{
    return widths[type] && type != HEED_GGUF_F32 && type != HEED_GGUF_F64 && type != HEED_GGUF_BOOL;
}

int64_t heed_gguf_integer_at(const heed_gguf_entry *entry, size_t index)
{
    const int width = widths[entry->type];
    if (!heed_gguf_type_is_integer(entry->type) && entry->type != HEED_GGUF_BOOL) return 0;
    uint64_t bits = heed_gguf_bits(entry->data + index * (size_t)width, width);
    switch (entry->type) {
    case HEED_GGUF_I8: return (int8_t)bits;
    case HEED_GGUF_I16: return (int16_t)bits;
    case HEED_GGUF_I32: return (int32_t)bits;
    case HEED_GGUF_U64: return bits > INT64_MAX ? 0 : (int64_t)bits;
    default: return (int64_t)bits;
    }
}

double heed_gguf_number_at(const heed_gguf_entry *entry, size_t index)
{
    if (entry->type == HEED_GGUF_F32) {
        float value;
        memcpy(&value, entry->data + index * sizeof value, sizeof value);
        return value;
    }
    if (entry->type == HEED_GGUF_F64) {
        double value;
        memcpy(&value, entry->data + index * sizeof value, sizeof value);
        return value;
    }
    if (entry->type == HEED_GGUF_U64)
        return (double)heed_gguf_bits(entry->data + index * sizeof(uint64_t), sizeof(uint64_t));
    return (double)heed_gguf_integer_at(entry, index);
}

const char *heed_gguf_string_at(const heed_gguf_entry *entry, size_t index, size_t *length)
{
    const unsigned char *at = entry->data + entry->strings[index];
    *length = (size_t)heed_gguf_bits(at, 8);
    return (const char *)at + 8;
}

/* Returns HEED_E_FORMAT unless the entry `fits`. */
static heed_status check_single(const heed_gguf *file, const char *key, bool fits,
                                const char *expected, heed_error *error)
{
    if (fits) return HEED_OK;
    return heed_fail(error, HEED_E_FORMAT, "%s: entry \"%.128s\": expected %s", file->where, key,
                     expected);
}

heed_status heed_gguf_integer(const heed_gguf *file, const char *key, int64_t *value,
                              heed_error *error)
{
    const heed_gguf_entry *entry = heed_gguf_entry_find(file, key);
    if (!entry) return HEED_OK;
    bool huge = entry->type == HEED_GGUF_U64 && !entry->is_array &&
                heed_gguf_bits(entry->data, 8) > INT64_MAX;
    HEED_TRY(check_single(file, key,
                          !entry->is_array && heed_gguf_type_is_integer(entry->type) && !huge,
                          "an integer of 63 bits", error));
    *value = heed_gguf_integer_at(entry, 0);
    return HEED_OK;
}

heed_status heed_gguf_boolean(const heed_gguf *file, const char *key, bool *value,
                              heed_error *error)
{
    const heed_gguf_entry *entry = heed_gguf_entry_find(file, key);
    if (!entry) return HEED_OK;
    HEED_TRY(check_single(file, key, !entry->is_array && entry->type == HEED_GGUF_BOOL,
                          "true or false", error));
    *value = entry->data[0];
    return HEED_OK;
}

heed_status heed_gguf_text(const heed_gguf *file, const char *key, const char **value,
                           size_t *length, heed_error *error)
{
    const heed_gguf_entry *entry = heed_gguf_entry_find(file, key);
    if (!entry) return HEED_OK;
    HEED_TRY(check_single(file, key, !entry->is_array && entry->type == HEED_GGUF_STRING,
                          "a string", error));
    *value = heed_gguf_string_at(entry, 0, length);
    return HEED_OK;
}
