/* gguf_write.c: writes GGUF files. */
#include "base/file.h"
#include "base/memory.h"
#include "io/gguf.h"
#include "io/stored.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 32, VERSION = 3, MAX_RANK = 4, NAME_LIMIT = 63 };

/* ---- entries ---- */

/* Appends the low `bytes` bytes of a value, little-endian. */
static void put_bits(heed_buffer *buffer, uint64_t value, int bytes)
{
    unsigned char text[8];
    for (int i = 0; i < bytes; i++) text[i] = (unsigned char)(value >> 8 * i);
    heed_buffer_append(buffer, text, (size_t)bytes);
}

static void put_text(heed_buffer *buffer, const char *text, size_t length)
{
    put_bits(buffer, length, 8);
    heed_buffer_append(buffer, text, length);
}

/* Begins an entry with its key and type. */
static void put_head(heed_gguf_entries *entries, const char *key, heed_gguf_type type)
{
    put_text(&entries->bytes, key, strlen(key));
    put_bits(&entries->bytes, type, 4);
    entries->count++;
}

void heed_gguf_put_element(heed_gguf_entries *entries, heed_gguf_type type, double value)
{
    float single = (float)value;
    uint32_t narrow;
    uint64_t wide;
    memcpy(&narrow, &single, sizeof narrow);
    memcpy(&wide, &value, sizeof wide);
    switch (type) {
    case HEED_GGUF_F32: put_bits(&entries->bytes, narrow, 4); break;
    case HEED_GGUF_F64: put_bits(&entries->bytes, wide, 8); break;
    case HEED_GGUF_U8:
    case HEED_GGUF_I8:
    case HEED_GGUF_BOOL: put_bits(&entries->bytes, (uint64_t)(int64_t)value, 1); break;
    case HEED_GGUF_U16:
    case HEED_GGUF_I16: put_bits(&entries->bytes, (uint64_t)(int64_t)value, 2); break;
    case HEED_GGUF_U32:
    case HEED_GGUF_I32: put_bits(&entries->bytes, (uint64_t)(int64_t)value, 4); break;
    default: put_bits(&entries->bytes, (uint64_t)(int64_t)value, 8); break;
    }
}

void heed_gguf_put_text(heed_gguf_entries *entries, const char *text, size_t length)
{
    put_text(&entries->bytes, text, length);
}

void heed_gguf_put_u32(heed_gguf_entries *entries, const char *key, uint32_t value)
{
    put_head(entries, key, HEED_GGUF_U32);
    put_bits(&entries->bytes, value, 4);
}

void heed_gguf_put_f32(heed_gguf_entries *entries, const char *key, float value)
{
    put_head(entries, key, HEED_GGUF_F32);
    heed_gguf_put_element(entries, HEED_GGUF_F32, value);
}

void heed_gguf_put_boolean(heed_gguf_entries *entries, const char *key, bool value)
{
    put_head(entries, key, HEED_GGUF_BOOL);
    put_bits(&entries->bytes, value, 1);
}

void heed_gguf_put_string(heed_gguf_entries *entries, const char *key, const char *text,
                          size_t length)
{
    put_head(entries, key, HEED_GGUF_STRING);
    put_text(&entries->bytes, text, length);
}

void heed_gguf_put_array(heed_gguf_entries *entries, const char *key, heed_gguf_type type,
                         uint64_t count)
{
    put_head(entries, key, HEED_GGUF_ARRAY);
    put_bits(&entries->bytes, type, 4);
    put_bits(&entries->bytes, count, 8);
}

void heed_gguf_put_entry(heed_gguf_entries *entries, const heed_gguf_entry *entry)
{
    if (entry->is_array) heed_gguf_put_array(entries, entry->key, entry->type, entry->count);
    else put_head(entries, entry->key, entry->type);
    heed_buffer_append(&entries->bytes, entry->data, entry->bytes);
}

void heed_gguf_put_entries(heed_gguf_entries *entries, const heed_gguf_entries *more)
{
    entries->count += more->count;
    entries->bytes.failed |= more->bytes.failed;
    if (more->bytes.length)
        heed_buffer_append(&entries->bytes, more->bytes.data, more->bytes.length);
}

/* ---- tensors ---- */

/* Checks a tensor and computes its bytes. */
static heed_status measure(const heed_tensor_set *set, size_t index, size_t *bytes,
                           heed_error *error)
{
    const heed_tensor_source *source = &set->tensors[index];
    size_t length = source->name ? strlen(source->name) : 0, elements = 1;
    if (length < 1 || length > NAME_LIMIT)
        return heed_fail(error, HEED_E_ARG,
                         "tensor %zu: its name \"%.128s\" has %zu bytes, expected 1 to %d", index,
                         source->name ? source->name : "", length, NAME_LIMIT);
    if ((unsigned)source->dtype >= HEED_DTYPE_COUNT || heed_dtypes[source->dtype].gguf < 0 ||
        (!source->data && !set->produce))
        return heed_fail(error, HEED_E_ARG,
                         "tensor \"%s\": expected an element type of GGUF, and data", source->name);
    if (source->rank < 0 || source->rank > MAX_RANK)
        return heed_fail(error, HEED_E_ARG, "tensor \"%s\": rank %d, expected 0 to %d",
                         source->name, source->rank, MAX_RANK);
    for (int i = 0; i < source->rank; i++)
        if (source->shape[i] < 0 ||
            !heed_multiply_size(elements, (size_t)source->shape[i], &elements) ||
            elements > INT64_MAX / 8)
            return heed_fail(
                error, HEED_E_SHAPE,
                "tensor \"%s\": the product of its extents is negative or overflows 60 bits",
                source->name);
    const heed_dtype_info *type = &heed_dtypes[source->dtype];
    size_t row = source->rank ? (size_t)source->shape[source->rank - 1] : 1;
    if (row % type->qblock)
        return heed_fail(
            error, HEED_E_SHAPE,
            "tensor \"%s\": rows of %zu elements, expected a multiple of %zu, the block of %s",
            source->name, row, type->qblock, type->name);
    *bytes = heed_dtype_bytes(source->dtype, elements);
    return HEED_OK;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Returns HEED_E_ARG if two tensors have one name. */
static heed_status check_names(const heed_tensor_set *set, heed_error *error)
{
    const char **names = heed_allocate(set->count, sizeof *names);
    heed_status status = HEED_OK;
    if (!names) return heed_fail_memory(error, set->count * sizeof *names, "the names of tensors");
    for (size_t i = 0; i < set->count; i++) names[i] = set->tensors[i].name;
    if (set->count) qsort(names, set->count, sizeof *names, compare_names);
    for (size_t i = 1; i < set->count && status == HEED_OK; i++)
        if (!strcmp(names[i - 1], names[i]))
            status = heed_fail(error, HEED_E_ARG, "tensor \"%s\" is given twice", names[i]);
    free(names);
    return status;
}

/* Appends header, entries and tensor records, padded to where the data begins. *largest is the size
   of the largest tensor. */
static heed_status put_records(heed_buffer *out, const heed_gguf_entries *entries,
                               const heed_tensor_set *set, size_t *largest, heed_error *error)
{
    size_t place = 0, bytes = 0;
    heed_buffer_append(out, "GGUF", 4);
    put_bits(out, VERSION, 4);
    put_bits(out, set->count, 8);
    put_bits(out, entries->count, 8);
    if (entries->bytes.length) heed_buffer_append(out, entries->bytes.data, entries->bytes.length);
    for (size_t i = 0; i < set->count; i++) {
        const heed_tensor_source *source = &set->tensors[i];
        HEED_TRY(measure(set, i, &bytes, error));
        put_text(out, source->name, strlen(source->name));
        put_bits(out, (uint64_t)source->rank, 4);
        for (int d = source->rank - 1; d >= 0; d--) put_bits(out, (uint64_t)source->shape[d], 8);
        put_bits(out, (uint64_t)heed_dtypes[source->dtype].gguf, 4);
        put_bits(out, place, 8);
        *largest = bytes > *largest ? bytes : *largest;
        if (!heed_add_size(place, bytes + (ALIGNMENT - bytes % ALIGNMENT) % ALIGNMENT, &place) ||
            place > INT64_MAX)
            return heed_fail(error, HEED_E_SHAPE, "the sum of all sizes overflows 63 bits");
    }
    while (out->length % ALIGNMENT && !out->failed) heed_buffer_byte(out, 0);
    return HEED_OK;
}

/* Writes the bytes of all tensors, each padded to the alignment. */
static heed_status put_data(heed_file_writer *writer, const heed_tensor_set *set, size_t largest,
                            heed_error *error)
{
    static const unsigned char zeros[ALIGNMENT];
    heed_status status = HEED_OK;
    void *scratch = set->produce && largest ? heed_allocate_aligned(largest) : NULL;
    if (set->produce && largest && !scratch)
        return heed_fail_memory(error, largest, "a tensor on its way to disk");
    for (size_t i = 0; status == HEED_OK && i < set->count; i++) {
        size_t bytes = 0;
        const void *data = set->tensors[i].data;
        status = measure(set, i, &bytes, error);
        if (status == HEED_OK && bytes && !data)
            status = set->produce(set->context, i, &set->tensors[i], scratch, error);
        if (status == HEED_OK && bytes)
            status = heed_stored_put(writer, set, data ? data : scratch, bytes, error);
        if (status == HEED_OK && bytes % ALIGNMENT)
            status = heed_file_writer_put(writer, zeros, ALIGNMENT - bytes % ALIGNMENT, error);
    }
    heed_free_aligned(scratch);
    return status;
}

heed_status heed_gguf_write(const char *path, const heed_gguf_entries *entries,
                            const heed_tensor_set *set, heed_error *error)
{
    heed_buffer head = {0};
    heed_file_writer writer = {.descriptor = -1};
    size_t largest = 0;
    heed_status status = put_records(&head, entries, set, &largest, error);
    if (status == HEED_OK) status = check_names(set, error);
    if (status == HEED_OK && (head.failed || entries->bytes.failed))
        status = heed_fail_memory(error, head.length, path);
    if (status == HEED_OK) status = heed_file_writer_open(&writer, path, error);
    if (status == HEED_OK) status = heed_file_writer_put(&writer, head.data, head.length, error);
    if (status == HEED_OK) status = put_data(&writer, set, largest, error);
    if (status == HEED_OK) status = heed_file_writer_finish(&writer, error);
    heed_file_writer_close(&writer);
    heed_buffer_free(&head);
    return status;
}
