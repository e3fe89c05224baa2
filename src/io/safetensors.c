#include "io/safetensors.h"
#include "base/foreign.h"
#include "io/stored.h"

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The format's own library has the same limit, so that a lying length cannot make a reader parse a whole model as JSON. */
enum { HEADER_LIMIT = 100000000, PREFIX = 8 };

struct heed_safetensors {
    heed_file_map map;   /* .size is 0 for bytes that the caller owns */
    heed_arena *arena;   /* names, shapes, metadata */
    const char *where;
    const unsigned char *data; /* first byte behind the header */
    size_t data_offset, data_size;
    heed_stored_tensor *tensors;  /* in the order of their data */
    heed_stored_tensor **by_name;
    size_t count;
    const char **metadata; /* key, value, key, value ... */
    size_t metadata_count;
};

static heed_status fail_tensor(heed_error *error, const heed_stored_tensor *tensor, const char *problem, const char *expected)
{
    return heed_fail(error, HEED_E_FORMAT, "%s: tensor \"%.128s\": %s, expected %s", tensor->file, tensor->name, problem, expected);
}

static heed_status read_dtype(heed_stored_tensor *tensor, const json_t *entry, heed_error *error)
{
    const char *name = json_string_value(json_object_get(entry, "dtype"));
    if (!name) return fail_tensor(error, tensor, "\"dtype\" is missing or no string", "a name such as \"F32\"");
    for (int i = 0; i < HEED_DTYPE_COUNT; i++)
        if (heed_dtypes[i].safetensors && !strcmp(name, heed_dtypes[i].safetensors)) {
            tensor->dtype = (heed_dtype)i;
            return HEED_OK;
        }
    return heed_fail(error, HEED_E_UNSUPPORTED, "%s: tensor \"%.128s\" has element type \"%.32s\"; heed reads F64, F32, F16, BF16, "
                     "I64, I32, I16, I8, U8 and BOOL: save the model in one of these", tensor->file, tensor->name, name);
}

/* The number of bytes that dtype and shape stand for. A zero extent does not excuse the others: all strides must fit as well. */
static heed_status read_shape(heed_safetensors *file, heed_stored_tensor *tensor, const json_t *entry, size_t *bytes,
                              heed_error *error)
{
    const json_t *list = json_object_get(entry, "shape");
    if (!json_is_array(list)) return fail_tensor(error, tensor, "\"shape\" is missing or no array", "an array of extents");
    size_t rank = json_array_size(list), product = heed_dtypes[tensor->dtype].bytes;
    int64_t *shape = heed_arena_take(file->arena, rank, sizeof *shape);
    if (!shape) return heed_fail_memory(error, rank * sizeof *shape, file->where);
    bool empty = false;
    for (size_t i = 0; i < rank; i++) {
        const json_t *extent = json_array_get(list, i);
        if (!json_is_integer(extent) || json_integer_value(extent) < 0)
            return fail_tensor(error, tensor, "an extent of \"shape\" is negative or no integer", "integers >= 0");
        shape[i] = json_integer_value(extent);
        if (shape[i] == 0) empty = true;
        else if (!heed_multiply_size(product, (size_t)shape[i], &product) || product > INT64_MAX)
            return fail_tensor(error, tensor, "the product of \"shape\" overflows 64 bits", "a shape that fits the file");
    }
    tensor->shape = shape;
    tensor->rank = (int)rank;
    *bytes = empty ? 0 : product;
    return HEED_OK;
}

static heed_status read_offsets(heed_safetensors *file, heed_stored_tensor *tensor, const json_t *entry, size_t bytes,
                                heed_error *error)
{
    const json_t *list = json_object_get(entry, "data_offsets");
    const json_t *first = json_array_get(list, 0), *last = json_array_get(list, 1);
    if (json_array_size(list) != 2 || !json_is_integer(first) || !json_is_integer(last) || json_integer_value(first) < 0 ||
        json_integer_value(last) < json_integer_value(first))
        return fail_tensor(error, tensor, "\"data_offsets\" is missing or malformed", "[begin, end] with 0 <= begin <= end");
    size_t begin = (size_t)json_integer_value(first), end = (size_t)json_integer_value(last);
    if (end > file->data_size)
        return heed_fail(error, HEED_E_FORMAT, "%s: tensor \"%.128s\" ends at byte %zu of the data, expected at most %zu: the "
                         "file is cut "
                         "short or its header is wrong; fetch it again", tensor->file, tensor->name, end, file->data_size);
    if (end - begin != bytes)
        return heed_fail(error, HEED_E_FORMAT, "%s: tensor \"%.128s\": data_offsets span %zu bytes, expected %zu for its shape of %s",
                         tensor->file, tensor->name, end - begin, bytes, heed_dtypes[tensor->dtype].safetensors);
    tensor->data = file->data + begin;
    tensor->bytes = bytes;
    tensor->offset = file->data_offset + begin;
    return HEED_OK;
}

static heed_status read_tensor(heed_safetensors *file, heed_stored_tensor *tensor, const char *name, const json_t *entry,
                               heed_error *error)
{
    size_t bytes = 0;
    tensor->file = file->where;
    tensor->name = heed_arena_string(file->arena, name);
    if (!tensor->name) return heed_fail_memory(error, strlen(name) + 1, file->where);
    if (!json_is_object(entry)) return fail_tensor(error, tensor, "the entry is no object", "dtype, shape and data_offsets");
    HEED_TRY(read_dtype(tensor, entry, error));
    HEED_TRY(read_shape(file, tensor, entry, &bytes, error));
    return read_offsets(file, tensor, entry, bytes, error);
}

static heed_status read_metadata(heed_safetensors *file, json_t *object, heed_error *error)
{
    if (!json_is_object(object))
        return heed_fail(error, HEED_E_FORMAT, "%s: __metadata__ is no object, expected strings by name", file->where);
    size_t entries = json_object_size(object);
    file->metadata = heed_arena_take(file->arena, 2 * entries, sizeof *file->metadata);
    if (!file->metadata) return heed_fail_memory(error, 2 * entries * sizeof *file->metadata, file->where);
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) {
        if (!json_is_string(value))
            return heed_fail(error, HEED_E_FORMAT, "%s: __metadata__ \"%.128s\" is no string, expected strings only", file->where,
                             key);
        const char **slot = file->metadata + 2 * file->metadata_count++;
        slot[0] = heed_arena_string(file->arena, key);
        slot[1] = heed_arena_string(file->arena, json_string_value(value));
        if (!slot[0] || !slot[1]) return heed_fail_memory(error, json_string_length(value), file->where);
    }
    return HEED_OK;
}

/* The tensors, sorted by place, must follow each other from the first byte of the data to the last. */
static heed_status check_cover(const heed_safetensors *file, heed_error *error)
{
    size_t expected = file->data_offset, end = file->data_offset + file->data_size;
    for (size_t i = 0; i < file->count; i++) {
        const heed_stored_tensor *tensor = &file->tensors[i];
        if (tensor->offset != expected)
            return heed_fail(error, HEED_E_FORMAT, "%s: tensor \"%.128s\" begins at byte %zu, expected %zu: %s", file->where,
                             tensor->name, tensor->offset, expected,
                             tensor->offset < expected ? "it overlaps the one before" : "bytes belong to no tensor");
        expected += tensor->bytes;
    }
    if (expected != end)
        return heed_fail(error, HEED_E_FORMAT, "%s: the tensors end at byte %zu, expected the end of the file, %zu", file->where,
                         expected, end);
    return HEED_OK;
}

static heed_status read_entries(heed_safetensors *file, json_t *header, heed_error *error)
{
    size_t most = json_object_size(header);
    file->tensors = heed_allocate(most, sizeof *file->tensors);
    file->by_name = heed_allocate(most, sizeof *file->by_name);
    if (!file->tensors || !file->by_name) return heed_fail_memory(error, most * sizeof *file->tensors, file->where);
    const char *key;
    json_t *value;
    json_object_foreach(header, key, value) {
        if (!strcmp(key, "__metadata__")) HEED_TRY(read_metadata(file, value, error));
        else HEED_TRY(read_tensor(file, &file->tensors[file->count++], key, value, error));
    }
    heed_stored_sort(file->tensors, file->count);
    heed_stored_index(file->by_name, file->tensors, file->count);
    return check_cover(file, error);
}

static heed_status read_header(heed_safetensors *file, const unsigned char *bytes, size_t count, heed_error *error)
{
    uint64_t length = 0;
    for (int i = PREFIX - 1; i >= 0 && count >= PREFIX; i--) length = length << 8 | bytes[i];
    bool fits = count > PREFIX && length > 0 && length <= HEADER_LIMIT &&
                length <= count - PREFIX && bytes[PREFIX] == '{';
    if (!fits) HEED_TRY(heed_foreign_check(file->where, bytes, count, "a safetensors file", error));
    if (count < PREFIX)
        return heed_fail(error, HEED_E_FORMAT, "%s: %zu bytes, expected a safetensors file (8 bytes of header length come first)",
                         file->where, count);
    if (length > HEADER_LIMIT || length > count - PREFIX)
        return heed_fail(error, HEED_E_FORMAT, "%s: byte 0: header length %llu, expected at most %zu: no safetensors file, or "
                         "cut short",
                         file->where, (unsigned long long)length, count - PREFIX < HEADER_LIMIT ? count - PREFIX : HEADER_LIMIT);
    if (length == 0 || bytes[PREFIX] != '{')
        return heed_fail(error, HEED_E_FORMAT, "%s: byte 8: the header is no JSON object, expected '{'", file->where);
    file->data_offset = PREFIX + (size_t)length;
    file->data_size = count - file->data_offset;
    file->data = bytes + file->data_offset;
    json_t *header = NULL;
    HEED_TRY(heed_json_parse_strict(&header, (const char *)bytes + PREFIX, (size_t)length, file->where, error));
    heed_status status = read_entries(file, header, error);
    json_decref(header);
    return status;
}

/* On failure the map is closed with the rest. */
static heed_status open_bytes(heed_safetensors **result, heed_file_map map, const void *bytes, size_t count, const char *where,
                              heed_error *error)
{
    heed_safetensors *file = heed_allocate(1, sizeof *file);
    if (!file) {
        heed_file_map_close(&map);
        return heed_fail_memory(error, sizeof *file, where);
    }
    file->map = map;
    file->arena = heed_arena_new();
    if (file->arena) file->where = heed_arena_string(file->arena, where);
    heed_status status = file->where ? read_header(file, bytes, count, error) : heed_fail_memory(error, strlen(where) + 1, where);
    if (status == HEED_OK) *result = file;
    else heed_safetensors_close(file);
    return status;
}

heed_status heed_safetensors_open(heed_safetensors **file, const char *path, heed_error *error)
{
    heed_file_map map;
    *file = NULL;
    HEED_TRY(heed_file_map_open(&map, path, error));
    return open_bytes(file, map, map.data, map.size, path, error);
}

heed_status heed_safetensors_open_memory(heed_safetensors **file, const void *bytes, size_t count, const char *where,
                                         heed_error *error)
{
    *file = NULL;
    return open_bytes(file, (heed_file_map){0}, bytes, count, where, error);
}

void heed_safetensors_close(heed_safetensors *file)
{
    if (!file) return;
    heed_file_map_close(&file->map);
    heed_arena_free(file->arena);
    free(file->tensors);
    free(file->by_name);
    free(file);
}

size_t heed_safetensors_count(const heed_safetensors *file)
{
    return file->count;
}

const heed_stored_tensor *heed_safetensors_at(const heed_safetensors *file, size_t index)
{
    return &file->tensors[index];
}

const heed_stored_tensor *heed_safetensors_find(const heed_safetensors *file, const char *name)
{
    return heed_stored_find(file->by_name, file->count, name);
}

const char *heed_safetensors_metadata(const heed_safetensors *file, const char *key)
{
    for (size_t i = 0; i < file->metadata_count; i++)
        if (!strcmp(file->metadata[2 * i], key)) return file->metadata[2 * i + 1];
    return NULL;
}

void heed_safetensors_release(const heed_safetensors *file, const heed_stored_tensor *tensor)
{
    heed_file_map_release(&file->map, tensor->offset, tensor->bytes);
}
