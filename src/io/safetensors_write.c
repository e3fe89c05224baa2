/* safetensors_write.c: writes safetensors files, single or in shards with an index. */
#include "base/buffer.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "io/stored.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEADER_LIMIT = 100000000 };

/* A tensor to write: its number in the set, its bytes, the shard it goes to. */
typedef struct {
    const heed_tensor_source *source;
    size_t index, bytes, shard;
} output_tensor;

/* The order of element types in a file. Larger elements come first, so that every tensor is
   aligned; the order of equal ones is that of the format's own library. */
static const unsigned char dtype_order[HEED_DTYPE_COUNT] = {
    [HEED_I64] = 0, [HEED_F64] = 1, [HEED_F32] = 2, [HEED_I32] = 3, [HEED_BF16] = 4,
    [HEED_F16] = 5, [HEED_I16] = 6, [HEED_I8] = 7,  [HEED_U8] = 8,  [HEED_BOOL] = 9};

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const output_tensor *)a)->source->name,
                  ((const output_tensor *)b)->source->name);
}

static int compare_given(const void *a, const void *b)
{
    size_t left = ((const output_tensor *)a)->index, right = ((const output_tensor *)b)->index;
    return left < right ? -1 : left > right;
}

static int compare_file_order(const void *a, const void *b)
{
    const output_tensor *left = a, *right = b;
    if (left->shard != right->shard) return left->shard < right->shard ? -1 : 1;
    int order = dtype_order[left->source->dtype] - dtype_order[right->source->dtype];
    return order ? order : compare_names(a, b);
}

/* Can a tensor have this name in a file? */
static bool valid_name(const char *name)
{
    size_t length = strlen(name);
    bool valid = strcmp(name, "__metadata__") != 0;
    for (size_t at = 0; valid && at < length;) {
        uint32_t point;
        at += heed_utf8_next(name + at, length - at, &point, &valid);
    }
    return valid;
}

/* Checks a tensor and computes its bytes. */
static heed_status measure(output_tensor *item, const heed_tensor_set *set, heed_error *error)
{
    const heed_tensor_source *source = item->source;
    if (!source->name || !valid_name(source->name))
        return heed_fail(
            error, HEED_E_ARG,
            "tensor %zu: the name \"%.128s\" cannot be written, expected UTF-8 other than "
            "__metadata__",
            item->index, source->name ? source->name : "");
    if (source->rank < 0 || (unsigned)source->dtype >= HEED_DTYPE_COUNT ||
        (!source->data && !set->produce))
        return heed_fail(error, HEED_E_ARG,
                         "tensor \"%.128s\": expected a rank, an element type and data",
                         source->name);
    if (!heed_dtypes[source->dtype].safetensors)
        return heed_fail(
            error, HEED_E_ARG,
            "tensor \"%.128s\": safetensors has no element type %s; write it as f32, f16 or bf16",
            source->name, heed_dtypes[source->dtype].name);
    size_t product = heed_dtypes[source->dtype].bytes;
    bool empty = false;
    for (int i = 0; i < source->rank; i++) {
        if (source->shape[i] < 0)
            return heed_fail(error, HEED_E_ARG, "tensor \"%.128s\": negative extent", source->name);
        if (source->shape[i] == 0) empty = true;
        else if (!heed_multiply_size(product, (size_t)source->shape[i], &product) ||
                 product > INT64_MAX)
            return heed_fail(error, HEED_E_SHAPE,
                             "tensor \"%.128s\": the product of its extents overflows 64 bits",
                             source->name);
    }
    item->bytes = empty ? 0 : product;
    return HEED_OK;
}

/* Makes a checked item for each tensor, in the order given; *total is the sum of their bytes. */
static heed_status plan_items(output_tensor **result, const heed_tensor_set *set, size_t *total,
                              heed_error *error)
{
    output_tensor *items = heed_allocate(set->count, sizeof *items);
    if (!items)
        return heed_fail_memory(error, set->count * sizeof *items, "the list of tensors to write");
    heed_status status = HEED_OK;
    *total = 0;
    for (size_t i = 0; i < set->count && status == HEED_OK; i++) {
        items[i] = (output_tensor){.source = &set->tensors[i], .index = i};
        status = measure(&items[i], set, error);
        if (status == HEED_OK &&
            (!heed_add_size(*total, items[i].bytes, total) || *total > INT64_MAX))
            status = heed_fail(error, HEED_E_SHAPE,
                               "tensor \"%.128s\": the sum of all sizes overflows 64 bits",
                               items[i].source->name);
    }
    if (status == HEED_OK) qsort(items, set->count, sizeof *items, compare_names);
    for (size_t i = 1; i < set->count && status == HEED_OK; i++)
        if (compare_names(&items[i - 1], &items[i]) == 0)
            status = heed_fail(error, HEED_E_ARG,
                               "tensor \"%.128s\" is given twice, expected different names",
                               items[i].source->name);
    if (status == HEED_OK) qsort(items, set->count, sizeof *items, compare_given);
    if (status == HEED_OK) *result = items;
    else free(items);
    return status;
}

/* Appends the header of a file, padded with blanks to a multiple of 8 bytes. */
static void put_header(heed_buffer *header, const heed_tensor_set *set, const output_tensor *items,
                       size_t count)
{
    static const char *const usual[] = {"format", "pt", NULL};
    const char *separator = "";
    heed_buffer_text(header, "{\"__metadata__\":{");
    for (const char *const *pair = set->metadata ? set->metadata : usual; pair[0];
         pair += 2, separator = ",") {
        heed_buffer_text(header, separator);
        heed_json_put_string(header, pair[0], strlen(pair[0]));
        heed_buffer_byte(header, ':');
        heed_json_put_string(header, pair[1], strlen(pair[1]));
    }
    heed_buffer_byte(header, '}');
    for (size_t i = 0, begin = 0; i < count; begin += items[i++].bytes) {
        const heed_tensor_source *source = items[i].source;
        heed_buffer_byte(header, ',');
        heed_json_put_string(header, source->name, strlen(source->name));
        heed_buffer_printf(header, ":{\"dtype\":\"%s\",\"shape\":[",
                           heed_dtypes[source->dtype].safetensors);
        for (int d = 0; d < source->rank; d++)
            heed_buffer_printf(header, "%s%lld", d ? "," : "", (long long)source->shape[d]);
        heed_buffer_printf(header, "],\"data_offsets\":[%zu,%zu]}", begin, begin + items[i].bytes);
    }
    heed_buffer_byte(header, '}');
    while (header->length % 8 && !header->failed) heed_buffer_byte(header, ' ');
}

/* Writes the bytes of the tensors one after the other. */
static heed_status put_tensors(heed_file_writer *writer, const heed_tensor_set *set,
                               const output_tensor *items, size_t count, heed_error *error)
{
    size_t largest = 0;
    for (size_t i = 0; i < count; i++)
        if (!items[i].source->data && items[i].bytes > largest) largest = items[i].bytes;
    void *scratch = largest ? heed_allocate_aligned(largest) : NULL;
    if (largest && !scratch) return heed_fail_memory(error, largest, "a tensor on its way to disk");
    heed_status status = HEED_OK;
    for (size_t i = 0; i < count && status == HEED_OK; i++) {
        const void *bytes = items[i].source->data;
        if (items[i].bytes == 0) continue;
        if (!bytes) {
            status = set->produce(set->context, items[i].index, items[i].source, scratch, error);
            bytes = scratch;
        }
        if (status == HEED_OK) status = heed_stored_put(writer, set, bytes, items[i].bytes, error);
    }
    heed_free_aligned(scratch);
    return status;
}

/* Writes one file with these tensors, in their order. */
static heed_status write_items(const char *path, const heed_tensor_set *set,
                               const output_tensor *items, size_t count, heed_error *error)
{
    heed_buffer header = {0};
    heed_file_writer writer = {.descriptor = -1};
    put_header(&header, set, items, count);
    heed_status status = HEED_OK;
    if (header.failed) status = heed_fail_memory(error, header.length, path);
    else if (header.length > HEADER_LIMIT)
        status = heed_fail(error, HEED_E_ARG,
                           "%s: the header would have %zu bytes, expected at most %d; write shards",
                           path, header.length, HEADER_LIMIT);
    else status = heed_file_writer_open(&writer, path, error);
    if (status == HEED_OK) {
        unsigned char prefix[8];
        for (int i = 0; i < 8; i++) prefix[i] = (unsigned char)((uint64_t)header.length >> 8 * i);
        status = heed_file_writer_put(&writer, prefix, sizeof prefix, error);
    }
    if (status == HEED_OK)
        status = heed_file_writer_put(&writer, header.data, header.length, error);
    if (status == HEED_OK) status = put_tensors(&writer, set, items, count, error);
    if (status == HEED_OK) status = heed_file_writer_finish(&writer, error);
    heed_file_writer_close(&writer);
    heed_buffer_free(&header);
    return status;
}

heed_status heed_safetensors_write(const char *path, const heed_tensor_set *set, heed_error *error)
{
    output_tensor *items = NULL;
    size_t total;
    HEED_TRY(plan_items(&items, set, &total, error));
    qsort(items, set->count, sizeof *items, compare_file_order);
    heed_status status = write_items(path, set, items, set->count, error);
    free(items);
    return status;
}

/* Assigns tensors to shards in the order given: a new shard begins when the next tensor would make
   one too large. Returns the number of shards. */
static size_t assign_shards(output_tensor *items, size_t count, size_t most)
{
    size_t shard = 0, filled = 0;
    for (size_t i = 0; i < count; i++) {
        size_t left = filled < most ? most - filled : 0;
        if (filled && items[i].bytes > left) {
            shard++;
            filled = 0;
        }
        filled += items[i].bytes;
        items[i].shard = shard;
    }
    return shard + 1;
}

static void shard_name(char name[64], size_t shard, size_t shards)
{
    snprintf(name, 64, "model-%05zu-of-%05zu.safetensors", shard + 1, shards);
}

/* Writes the index. The items are in the order of their names, as in the index files of other
   tools. */
static heed_status write_index(const char *folder, const output_tensor *items, size_t count,
                               size_t shards, size_t total, heed_error *error)
{
    heed_buffer index = {0};
    heed_buffer_printf(
        &index, "{\n  \"metadata\": {\n    \"total_size\": %zu\n  },\n  \"weight_map\": {", total);
    for (size_t i = 0; i < count; i++) {
        char file[64];
        shard_name(file, items[i].shard, shards);
        heed_buffer_text(&index, i ? ",\n    " : "\n    ");
        heed_json_put_string(&index, items[i].source->name, strlen(items[i].source->name));
        heed_buffer_printf(&index, ": \"%s\"", file);
    }
    heed_buffer_text(&index, "\n  }\n}\n");
    char *path = heed_path_join(folder, "model.safetensors.index.json");
    heed_status status;
    if (index.failed || !path) status = heed_fail_memory(error, index.length, folder);
    else status = heed_file_write(path, index.data, index.length, error);
    free(path);
    heed_buffer_free(&index);
    return status;
}

/* Writes the shards, then the index. */
static heed_status write_shards(const char *folder, const heed_tensor_set *set,
                                output_tensor *items, size_t shards, size_t total,
                                heed_error *error)
{
    heed_status status = HEED_OK;
    qsort(items, set->count, sizeof *items, compare_file_order);
    for (size_t first = 0, end = 0; first < set->count && status == HEED_OK; first = end) {
        char name[64];
        while (end < set->count && items[end].shard == items[first].shard) end++;
        shard_name(name, items[first].shard, shards);
        char *path = heed_path_join(folder, name);
        if (path) status = write_items(path, set, items + first, end - first, error);
        else status = heed_fail_memory(error, strlen(folder), folder);
        free(path);
    }
    if (status != HEED_OK) return status;
    qsort(items, set->count, sizeof *items, compare_names);
    return write_index(folder, items, set->count, shards, total, error);
}

heed_status heed_safetensors_write_folder(const char *folder, const heed_tensor_set *set,
                                          size_t max_shard_bytes, heed_error *error)
{
    output_tensor *items = NULL;
    size_t total = 0;
    HEED_TRY(plan_items(&items, set, &total, error));
    char *single = heed_path_join(folder, "model.safetensors");
    heed_status status;
    if (!single) status = heed_fail_memory(error, strlen(folder), folder);
    else if (max_shard_bytes == 0 || total <= max_shard_bytes) {
        qsort(items, set->count, sizeof *items, compare_file_order);
        status = write_items(single, set, items, set->count, error);
    } else {
        status = write_shards(folder, set, items, assign_shards(items, set->count, max_shard_bytes),
                              total, error);
        /* A reader would take an older single file instead of the new index. */
        if (status == HEED_OK) unlink(single);
    }
    free(single);
    free(items);
    return status;
}
