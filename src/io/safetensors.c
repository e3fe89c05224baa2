/* safetensors.c: reads and checks safetensors files. */
#include "io/safetensors.h"
#include "base/foreign.h"
#include "io/stored.h"

#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* The format's own library has the same limit. It keeps a wrong length from making a reader parse a
   whole model as JSON. */
enum { HEADER_LIMIT = 100000000, PREFIX = 8 };

struct heed_safetensors {
    heed_file_reader reader; /* for a file that is read by position */
    char *whole;             /* the bytes of a file that was read as a whole; else NULL */
    heed_arena *arena;       /* owns names, shapes and metadata */
    const char *where;
    const unsigned char *data; /* first byte after the header; NULL with `reader` */
    size_t data_offset, data_size;
    heed_stored_tensor *tensors; /* in the order of their data */
    heed_stored_tensor **by_name;
    size_t count;
    const char **metadata; /* key, value, key, value ... */
    size_t metadata_count;
};

/* Returns HEED_E_FORMAT with the problem of a tensor. */
static heed_status fail_tensor(heed_error *error, const heed_stored_tensor *tensor,
                               const char *problem, const char *expected)
{
    return heed_fail(error, HEED_E_FORMAT, "%s: tensor \"%.128s\": %s, expected %s", tensor->file,
                     tensor->name, problem, expected);
}

/* Reads the element type. HEED_E_UNSUPPORTED for types that heed does not read. */
static heed_status read_dtype(heed_stored_tensor *tensor, const json_t *entry, heed_error *error)
{
    const char *name = json_string_value(json_object_get(entry, "dtype"));
    if (!name)
        return fail_tensor(error, tensor, "\"dtype\" is missing or no string",
                           "a name such as \"F32\"");
    for (int i = 0; i < HEED_DTYPE_COUNT; i++)
        if (heed_dtypes[i].safetensors && !strcmp(name, heed_dtypes[i].safetensors)) {
            tensor->dtype = (heed_dtype)i;
            return HEED_OK;
        }
    return heed_fail(
        error, HEED_E_UNSUPPORTED,
        "%s: tensor \"%.128s\" has element type \"%.32s\"; heed reads F64, F32, F16, BF16, "
        "I64, I32, I16, I8, U8 and BOOL: save the model in one of these",
        tensor->file, tensor->name, name);
}

/* Reads the shape; *bytes is the size of the tensor. If one extent is zero, the product of the
   others must still fit, because strides are made of them. */
static heed_status read_shape(heed_safetensors *file, heed_stored_tensor *tensor,
                              const json_t *entry, size_t *bytes, heed_error *error)
{
    const json_t *list = json_object_get(entry, "shape");
    if (!json_is_array(list))
        return fail_tensor(error, tensor, "\"shape\" is missing or no array",
                           "an array of extents");
    size_t rank = json_array_size(list), product = heed_dtypes[tensor->dtype].bytes;
    int64_t *shape = heed_arena_take(file->arena, rank, sizeof *shape);
    if (!shape) return heed_fail_memory(error, rank * sizeof *shape, file->where);
    bool empty = false;
    for (size_t i = 0; i < rank; i++) {
        const json_t *extent = json_array_get(list, i);
        if (!json_is_integer(extent) || json_integer_value(extent) < 0)
            return fail_tensor(error, tensor, "an extent of \"shape\" is negative or no integer",
                               "integers >= 0");
        shape[i] = json_integer_value(extent);
        if (shape[i] == 0) empty = true;
        else if (!heed_multiply_size(product, (size_t)shape[i], &product) || product > INT64_MAX)
            return fail_tensor(error, tensor, "the product of \"shape\" overflows 64 bits",
                               "a shape that fits the file");
    }
    tensor->shape = shape;
    tensor->rank = (int)rank;
    *bytes = empty ? 0 : product;
    return HEED_OK;
}

/* Reads the place of a tensor and checks it against its size and the file. */
static heed_status read_offsets(heed_safetensors *file, heed_stored_tensor *tensor,
                                const json_t *entry, size_t bytes, heed_error *error)
{
    const json_t *list = json_object_get(entry, "data_offsets");
    const json_t *first = json_array_get(list, 0), *last = json_array_get(list, 1);
    if (json_array_size(list) != 2 || !json_is_integer(first) || !json_is_integer(last) ||
        json_integer_value(first) < 0 || json_integer_value(last) < json_integer_value(first))
        return fail_tensor(error, tensor, "\"data_offsets\" is missing or malformed",
                           "[begin, end] with 0 <= begin <= end");
    size_t begin = (size_t)json_integer_value(first), end = (size_t)json_integer_value(last);
    if (end > file->data_size)
        return heed_fail(
            error, HEED_E_FORMAT,
            "%s: tensor \"%.128s\" ends at byte %zu of the data, expected at most %zu: the file "
            "is cut short or its header is wrong; fetch it again",
            tensor->file, tensor->name, end, file->data_size);
    if (end - begin != bytes)
        return heed_fail(
            error, HEED_E_FORMAT,
            "%s: tensor \"%.128s\": data_offsets span %zu bytes, expected %zu for its shape of %s",
            tensor->file, tensor->name, end - begin, bytes, heed_dtypes[tensor->dtype].safetensors);
    if (file->data) tensor->data = file->data + begin;
    else tensor->reader = &file->reader;
    tensor->bytes = bytes;
    tensor->offset = file->data_offset + begin;
    return HEED_OK;
}

/* Reads one entry of the header. */
static heed_status read_tensor(heed_safetensors *file, heed_stored_tensor *tensor, const char *name,
                               const json_t *entry, heed_error *error)
{
    size_t bytes = 0;
    tensor->file = file->where;
    tensor->name = heed_arena_string(file->arena, name);
    if (!tensor->name) return heed_fail_memory(error, strlen(name) + 1, file->where);
    if (!json_is_object(entry))
        return fail_tensor(error, tensor, "the entry is no object",
                           "dtype, shape and data_offsets");
    HEED_TRY(read_dtype(tensor, entry, error));
    HEED_TRY(read_shape(file, tensor, entry, &bytes, error));
    return read_offsets(file, tensor, entry, bytes, error);
}

/* Reads __metadata__, an object of strings. */
static heed_status read_metadata(heed_safetensors *file, json_t *object, heed_error *error)
{
    if (!json_is_object(object))
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: __metadata__ is no object, expected strings by name", file->where);
    size_t entries = json_object_size(object);
    file->metadata = heed_arena_take(file->arena, 2 * entries, sizeof *file->metadata);
    if (!file->metadata)
        return heed_fail_memory(error, 2 * entries * sizeof *file->metadata, file->where);
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        if (!json_is_string(value))
            return heed_fail(error, HEED_E_FORMAT,
                             "%s: __metadata__ \"%.128s\" is no string, expected strings only",
                             file->where, key);
        const char **slot = file->metadata + 2 * file->metadata_count++;
        slot[0] = heed_arena_string(file->arena, key);
        slot[1] = heed_arena_string(file->arena, json_string_value(value));
        if (!slot[0] || !slot[1])
            return heed_fail_memory(error, json_string_length(value), file->where);
    }
    return HEED_OK;
}

/* Checks that the tensors, sorted by place, follow each other from the first byte of the data to
   the last. */
static heed_status check_cover(const heed_safetensors *file, heed_error *error)
{
    size_t expected = file->data_offset, end = file->data_offset + file->data_size;
    for (size_t i = 0; i < file->count; i++) {
        const heed_stored_tensor *tensor = &file->tensors[i];
        if (tensor->offset != expected)
            return heed_fail(error, HEED_E_FORMAT,
                             "%s: tensor \"%.128s\" begins at byte %zu, expected %zu: %s",
                             file->where, tensor->name, tensor->offset, expected,
                             tensor->offset < expected ? "it overlaps the one before"
                                                       : "bytes belong to no tensor");
        expected += tensor->bytes;
    }
    if (expected != end)
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: the tensors end at byte %zu, expected the end of the file, %zu",
                         file->where, expected, end);
    return HEED_OK;
}

/* Reads all entries of the header, then orders and checks the tensors. */
static heed_status read_entries(heed_safetensors *file, json_t *header, heed_error *error)
{
    size_t most = json_object_size(header);
    file->tensors = heed_allocate(most, sizeof *file->tensors);
    file->by_name = heed_allocate(most, sizeof *file->by_name);
    if (!file->tensors || !file->by_name)
        return heed_fail_memory(error, most * sizeof *file->tensors, file->where);
    const char *key;
    json_t *value;
    json_object_foreach(header, key, value)
    {
        if (!strcmp(key, "__metadata__")) HEED_TRY(read_metadata(file, value, error));
        else HEED_TRY(read_tensor(file, &file->tensors[file->count++], key, value, error));
    }
    heed_stored_sort(file->tensors, file->count);
    heed_stored_index(file->by_name, file->tensors, file->count);
    return check_cover(file, error);
}

/* Reads the length of the header of a file of `count` bytes. `bytes` holds the first
   HEED_FOREIGN_BYTES of them, or all if there are fewer. */
static heed_status read_prefix(heed_safetensors *file, const unsigned char *bytes, size_t count,
                               heed_error *error)
{
    size_t held = count < HEED_FOREIGN_BYTES ? count : HEED_FOREIGN_BYTES;
    uint64_t length = 0;
    for (int i = PREFIX - 1; i >= 0 && count >= PREFIX; i--) length = length << 8 | bytes[i];
    bool fits = count > PREFIX && length > 0 && length <= HEADER_LIMIT &&
                length <= count - PREFIX && bytes[PREFIX] == '{';
    if (!fits) HEED_TRY(heed_foreign_check(file->where, bytes, held, "a safetensors file", error));
    if (count < PREFIX)
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: %zu bytes, expected a safetensors file (8 bytes of header length "
                         "come first)",
                         file->where, count);
    size_t most = count - PREFIX < HEADER_LIMIT ? count - PREFIX : HEADER_LIMIT;
    if (length > most)
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: byte 0: header length %llu, expected at most %zu: no safetensors "
                         "file, or cut short",
                         file->where, (unsigned long long)length, most);
    if (length == 0 || bytes[PREFIX] != '{')
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: byte 8: the header is no JSON object, expected '{'", file->where);
    file->data_offset = PREFIX + (size_t)length;
    file->data_size = count - file->data_offset;
    return HEED_OK;
}

static heed_status parse_header(heed_safetensors *file, const char *text, heed_error *error)
{
    json_t *header = NULL;
    size_t length = file->data_offset - PREFIX;
    HEED_TRY(heed_json_parse_strict(&header, text, length, file->where, error));
    heed_status status = read_entries(file, header, error);
    json_decref(header);
    return status;
}

/* Reads a file whose bytes are all in memory. */
static heed_status read_memory(heed_safetensors *file, const void *bytes, size_t count,
                               heed_error *error)
{
    HEED_TRY(read_prefix(file, bytes, count, error));
    file->data = (const unsigned char *)bytes + file->data_offset;
    return parse_header(file, (const char *)bytes + PREFIX, error);
}

/* Reads the header of an open file by position. */
static heed_status read_file(heed_safetensors *file, heed_error *error)
{
    unsigned char prefix[HEED_FOREIGN_BYTES] = {0};
    size_t size = file->reader.size;
    size_t most = size < sizeof prefix ? size : sizeof prefix;
    HEED_TRY(heed_file_reader_get(&file->reader, 0, prefix, most, error));
    HEED_TRY(read_prefix(file, prefix, size, error));
    size_t length = file->data_offset - PREFIX;
    char *text = malloc(length);
    if (!text) return heed_fail_memory(error, length, file->where);
    heed_status status = heed_file_reader_get(&file->reader, PREFIX, text, length, error);
    if (status == HEED_OK) status = parse_header(file, text, error);
    free(text);
    return status;
}

static heed_status file_new(heed_safetensors **file, const char *where, heed_error *error)
{
    *file = heed_allocate(1, sizeof **file);
    if (!*file) return heed_fail_memory(error, sizeof **file, where);
    (*file)->reader.descriptor = -1;
    (*file)->arena = heed_arena_new();
    if ((*file)->arena) (*file)->where = heed_arena_string((*file)->arena, where);
    return (*file)->where ? HEED_OK : heed_fail_memory(error, strlen(where) + 1, where);
}

/* Returns the file, or closes it after a failure. */
static heed_status finish(heed_safetensors **result, heed_safetensors *file, heed_status status)
{
    *result = status == HEED_OK ? file : NULL;
    if (status != HEED_OK) heed_safetensors_close(file);
    return status;
}

heed_status heed_safetensors_open(heed_safetensors **result, const char *path, heed_error *error)
{
    heed_safetensors *file = NULL;
    heed_status status = file_new(&file, path, error);
    if (status == HEED_OK) status = heed_file_reader_open(&file->reader, path, error);
    if (status == HEED_OK) status = read_file(file, error);
    return finish(result, file, status);
}

heed_status heed_safetensors_open_whole(heed_safetensors **result, const char *path,
                                        heed_error *error)
{
    heed_safetensors *file = NULL;
    heed_status status = file_new(&file, path, error);
    size_t size = 0;
    if (status == HEED_OK) status = heed_file_read_whole(path, &file->whole, &size, error);
    if (status == HEED_OK) status = read_memory(file, file->whole, size, error);
    return finish(result, file, status);
}

heed_status heed_safetensors_open_memory(heed_safetensors **result, const void *bytes, size_t count,
                                         const char *where, heed_error *error)
{
    heed_safetensors *file = NULL;
    heed_status status = file_new(&file, where, error);
    if (status == HEED_OK) status = read_memory(file, bytes, count, error);
    return finish(result, file, status);
}

void heed_safetensors_close(heed_safetensors *file)
{
    if (!file) return;
    heed_file_reader_close(&file->reader);
    heed_arena_free(file->arena);
    free(file->whole);
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

heed_status heed_safetensors_check_unchanged(const heed_safetensors *file, heed_error *error)
{
    return file->reader.path ? heed_file_reader_check(&file->reader, error) : HEED_OK;
}
