/* gguf.c: reads and checks the header and the tensors of GGUF files. */
#include "base/foreign.h"
#include "io/gguf_internal.h"
#include "io/stored.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { LEAST_TENSOR = 8 + 1 + 4 + 4 + 8, MAX_RANK = 4, DEFAULT_ALIGNMENT = 32 };
enum { MOST_ALIGNMENT = 1 << 30, FIRST_PART = 1 << 20 };

/* ---- one tensor ---- */

/* Returns HEED_E_FORMAT with a value of a tensor and what was expected. */
static heed_status fail_tensor(const heed_gguf_cursor *cursor, const heed_stored_tensor *tensor,
                               const char *problem, uint64_t value, const char *expected)
{
    return heed_fail(cursor->error, HEED_E_FORMAT,
                     "%s: before byte %zu: tensor \"%.128s\" has %s %llu, expected %s",
                     cursor->file->where, cursor->at, tensor->name, problem,
                     (unsigned long long)value, expected);
}

/* Reads an element type. HEED_E_UNSUPPORTED for types of GGUF that heed does not read. */
static heed_status read_dtype(heed_gguf_cursor *cursor, heed_stored_tensor *tensor)
{
    static const struct {
        uint8_t number;
        const char *name;
    } others[] = {
        {9, "Q8_1"},   {15, "Q8_K"},  {16, "IQ2_XXS"}, {17, "IQ2_XS"}, {18, "IQ3_XXS"},
        {19, "IQ1_S"}, {21, "IQ3_S"}, {22, "IQ2_S"},   {29, "IQ1_M"},  {40, "NVFP4"},
    };
    uint32_t number = 0;
    HEED_TRY(heed_gguf_read_u32(cursor, "the element type of a tensor", &number));
    if (heed_dtype_by_gguf(number, &tensor->dtype)) return HEED_OK;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (others[i].number == number)
            return heed_fail(
                cursor->error, HEED_E_UNSUPPORTED,
                "%s: tensor \"%.128s\" has element type %s; heed reads F32, F16, BF16, Q4_0 to "
                "Q8_0, "
                "Q2_K to Q6_K, IQ4_NL, IQ4_XS, TQ1_0, TQ2_0 and MXFP4: take a file in one of these",
                cursor->file->where, tensor->name, others[i].name);
    return fail_tensor(cursor, tensor, "element type", number,
                       "one of the numbers 0 to 39 that GGUF defines");
}

/* Reads the extents, which the file has innermost first, into tensor->shape. */
static heed_status read_shape(heed_gguf_cursor *cursor, heed_stored_tensor *tensor)
{
    uint32_t rank = 0;
    HEED_TRY(heed_gguf_read_u32(cursor, "the rank of a tensor", &rank));
    if (rank > MAX_RANK) return fail_tensor(cursor, tensor, "rank", rank, "0 to 4");
    int64_t *shape = heed_arena_take(cursor->file->arena, rank ? rank : 1, sizeof *shape);
    if (!shape) return heed_fail_memory(cursor->error, rank * sizeof *shape, cursor->file->where);
    for (uint32_t i = 0; i < rank; i++) {
        uint64_t extent = 0;
        HEED_TRY(heed_gguf_read_u64(cursor, "an extent of a tensor", &extent));
        if (extent > INT64_MAX)
            return fail_tensor(cursor, tensor, "an extent of", extent, "less than 2^63");
        shape[rank - 1 - i] = (int64_t)extent;
    }
    tensor->rank = (int)rank;
    tensor->shape = shape;
    return HEED_OK;
}

/* Computes the bytes of a tensor from its shape and type and checks that rows are whole qblocks. */
static heed_status measure(heed_gguf_cursor *cursor, heed_stored_tensor *tensor)
{
    const heed_dtype_info *type = &heed_dtypes[tensor->dtype];
    size_t elements = 1;
    bool empty = false;
    for (int i = 0; i < tensor->rank; i++) {
        if (tensor->shape[i] == 0) empty = true;
        else if (!heed_multiply_size(elements, (size_t)tensor->shape[i], &elements) ||
                 elements > INT64_MAX)
            return heed_fail(cursor->error, HEED_E_FORMAT,
                             "%s: tensor \"%.128s\": the product of its extents overflows 63 bits",
                             cursor->file->where, tensor->name);
    }
    int64_t row = tensor->rank ? tensor->shape[tensor->rank - 1] : 1;
    if ((size_t)row % type->qblock)
        return heed_fail(cursor->error, HEED_E_FORMAT,
                         "%s: tensor \"%.128s\" has rows of %lld elements, expected a multiple of "
                         "%zu, the block of %s",
                         cursor->file->where, tensor->name, (long long)row, type->qblock,
                         type->name);
    if (empty) elements = 0;
    if (!heed_multiply_size(elements / type->qblock, type->bytes, &tensor->bytes) ||
        tensor->bytes > INT64_MAX)
        return heed_fail(cursor->error, HEED_E_FORMAT,
                         "%s: tensor \"%.128s\": its bytes overflow 63 bits", cursor->file->where,
                         tensor->name);
    return HEED_OK;
}

/* Reads one tensor. Its offset is counted from the beginning of the data until that is known. */
static heed_status read_tensor(heed_gguf_cursor *cursor, heed_stored_tensor *tensor)
{
    uint64_t place = 0;
    tensor->file = cursor->file->where;
    HEED_TRY(heed_gguf_read_name(cursor, "the name of a tensor", &tensor->name));
    HEED_TRY(read_shape(cursor, tensor));
    HEED_TRY(read_dtype(cursor, tensor));
    HEED_TRY(measure(cursor, tensor));
    HEED_TRY(heed_gguf_read_u64(cursor, "the place of a tensor", &place));
    if (place % cursor->file->alignment)
        return fail_tensor(cursor, tensor, "place", place, "a multiple of general.alignment");
    if (place > cursor->file->size || tensor->bytes > cursor->file->size - place)
        return heed_fail(cursor->error, HEED_E_FORMAT,
                         "%s: tensor \"%.128s\" has %zu bytes from %llu on, expected them inside "
                         "the file's %zu: cut short or damaged",
                         cursor->file->where, tensor->name, tensor->bytes,
                         (unsigned long long)place, cursor->file->size);
    tensor->offset = (size_t)place;
    return HEED_OK;
}

/* ---- all tensors ---- */

/* Sorts the tensors by place, checks that they are inside the file and do not overlap, makes their
   offsets those of the file, and checks that each name occurs once. */
static heed_status place_tensors(heed_gguf_cursor *cursor)
{
    heed_gguf *file = cursor->file;
    size_t data = cursor->at, end = 0;
    if (file->count && (!heed_add_size(data, file->alignment - 1, &data) ||
                        (data -= data % file->alignment) > file->size))
        return heed_fail(
            cursor->error, HEED_E_FORMAT,
            "%s: byte %zu: the data begins past the end of the file: cut short or damaged",
            file->where, cursor->at);
    heed_stored_sort(file->tensors, file->count);
    for (size_t i = 0; i < file->count; i++) {
        heed_stored_tensor *tensor = &file->tensors[i];
        if (tensor->offset < end)
            return heed_fail(cursor->error, HEED_E_FORMAT,
                             "%s: tensor \"%.128s\" begins at byte %zu of the data, expected %zu "
                             "or more: it overlaps \"%.128s\"",
                             file->where, tensor->name, tensor->offset, end,
                             file->tensors[i - 1].name);
        end = tensor->bytes ? tensor->offset + tensor->bytes : end;
        if (tensor->offset > file->size - data ||
            tensor->bytes > file->size - data - tensor->offset)
            return heed_fail(cursor->error, HEED_E_FORMAT,
                             "%s: tensor \"%.128s\" has %zu bytes from %zu of the data on, "
                             "expected them inside its %zu: cut short or damaged",
                             file->where, tensor->name, tensor->bytes, tensor->offset,
                             file->size - data);
    }
    for (size_t i = 0; i < file->count; i++) {
        heed_stored_tensor *tensor = &file->tensors[i];
        tensor->offset += data;
        if (file->has_data) tensor->data = file->bytes + tensor->offset;
        else tensor->reader = &file->reader;
    }
    heed_stored_index(file->by_name, file->tensors, file->count);
    for (size_t i = 1; i < file->count; i++)
        if (strcmp(file->by_name[i - 1]->name, file->by_name[i]->name) == 0)
            return heed_fail(cursor->error, HEED_E_FORMAT,
                             "%s: tensor \"%.128s\" is there twice, expected once", file->where,
                             file->by_name[i]->name);
    return HEED_OK;
}

/* Reads general.alignment, a power of two. */
static heed_status read_alignment(heed_gguf_cursor *cursor)
{
    int64_t alignment = DEFAULT_ALIGNMENT;
    HEED_TRY(heed_gguf_integer(cursor->file, "general.alignment", &alignment, cursor->error));
    if (alignment < 1 || alignment > MOST_ALIGNMENT || (alignment & (alignment - 1)))
        return heed_fail(cursor->error, HEED_E_FORMAT,
                         "%s: general.alignment is %lld, expected a power of two up to 2^30",
                         cursor->file->where, (long long)alignment);
    cursor->file->alignment = (size_t)alignment;
    return HEED_OK;
}

/* Reads magic and version. The errors name what other files are. */
static heed_status read_version(heed_gguf_cursor *cursor)
{
    uint32_t version = 0;
    const heed_gguf *file = cursor->file;
    bool gguf = file->loaded >= 4 && !memcmp(file->bytes, "GGUF", 4);
    if (!gguf)
        HEED_TRY(heed_foreign_check(file->where, file->bytes, file->loaded,
                                    "a GGUF file, which begins with \"GGUF\"", cursor->error));
    if (!gguf)
        return heed_fail(cursor->error, HEED_E_FORMAT,
                         "%s: byte 0: expected a GGUF file, which begins with \"GGUF\"",
                         file->where);
    cursor->at = 4;
    HEED_TRY(heed_gguf_read_u32(cursor, "the version", &version));
    if (version == 2 || version == 3) return HEED_OK;
    if (version == 1)
        return heed_fail(cursor->error, HEED_E_UNSUPPORTED,
                         "%s: byte 4: GGUF version 1; heed reads 2 and 3: convert the file again",
                         file->where);
    if (version == 2u << 24 || version == 3u << 24)
        return heed_fail(cursor->error, HEED_E_UNSUPPORTED,
                         "%s: byte 4: a big-endian GGUF file; heed reads little-endian ones",
                         file->where);
    return heed_fail(cursor->error, HEED_E_FORMAT, "%s: byte 4: GGUF version %u, expected 2 or 3",
                     file->where, (unsigned)version);
}

/* Reads header, entries and tensors. */
static heed_status read_file(heed_gguf_cursor *cursor)
{
    heed_gguf *file = cursor->file;
    uint64_t tensors = 0, entries = 0;
    HEED_TRY(read_version(cursor));
    HEED_TRY(heed_gguf_read_u64(cursor, "the number of tensors", &tensors));
    HEED_TRY(heed_gguf_read_u64(cursor, "the number of entries", &entries));
    if (tensors > heed_gguf_left(cursor) / LEAST_TENSOR)
        return heed_fail(cursor->error, HEED_E_FORMAT,
                         "%s: byte 8: %llu tensors, expected at most the %zu that fit in the rest "
                         "of the file: it is cut short or damaged",
                         file->where, (unsigned long long)tensors,
                         heed_gguf_left(cursor) / LEAST_TENSOR);
    HEED_TRY(heed_gguf_read_entries(cursor, entries));
    HEED_TRY(read_alignment(cursor));
    file->tensors = heed_allocate((size_t)tensors, sizeof *file->tensors);
    file->by_name = heed_allocate((size_t)tensors, sizeof *file->by_name);
    if (!file->tensors || !file->by_name)
        return heed_fail_memory(cursor->error, (size_t)tensors * sizeof *file->tensors,
                                file->where);
    for (; file->count < tensors; file->count++)
        HEED_TRY(read_tensor(cursor, &file->tensors[file->count]));
    return place_tensors(cursor);
}

static heed_status file_new(heed_gguf **file, const char *where, heed_error *error)
{
    *file = heed_allocate(1, sizeof **file);
    if (!*file) return heed_fail_memory(error, sizeof **file, where);
    **file = (heed_gguf){.arena = heed_arena_new(), .reader.descriptor = -1};
    if ((*file)->arena) (*file)->where = heed_arena_string((*file)->arena, where);
    return (*file)->where ? HEED_OK : heed_fail_memory(error, strlen(where) + 1, where);
}

/* Returns the file, or closes it after a failure. */
static heed_status finish(heed_gguf **result, heed_gguf *file, heed_status status)
{
    *result = status == HEED_OK ? file : NULL;
    if (status != HEED_OK) heed_gguf_close(file);
    return status;
}

/* Reads a file from its first `loaded` bytes. If these are too few, *wanted is the number
   needed. */
static heed_status open_part(heed_gguf **result, const char *path, size_t loaded, size_t *wanted,
                             heed_error *error)
{
    heed_gguf *file = NULL;
    heed_status status = file_new(&file, path, error);
    if (status == HEED_OK) status = heed_file_reader_open(&file->reader, path, error);
    if (status == HEED_OK) {
        file->size = file->reader.size;
        file->loaded = loaded < file->size ? loaded : file->size;
        file->bytes = file->owned = malloc(file->loaded + 1);
        if (!file->owned) status = heed_fail_memory(error, file->loaded, path);
    }
    if (status == HEED_OK)
        status = heed_file_reader_get(&file->reader, 0, file->owned, file->loaded, error);
    if (status == HEED_OK) status = read_file(&(heed_gguf_cursor){.file = file, .error = error});
    *wanted = file ? file->wanted : 0;
    return finish(result, file, status);
}

heed_status heed_gguf_open_file(heed_gguf **file, const char *path, heed_error *error)
{
    size_t wanted = 0, loaded = FIRST_PART;
    heed_status status = open_part(file, path, loaded, &wanted, error);
    while (status != HEED_OK && wanted > loaded) {
        loaded = wanted > loaded * 4 ? wanted : loaded * 4;
        status = open_part(file, path, loaded, &wanted, error);
    }
    return status;
}

heed_status heed_gguf_open_whole(heed_gguf **result, const char *path, heed_error *error)
{
    char *bytes = NULL;
    size_t size = 0;
    *result = NULL;
    HEED_TRY(heed_file_read_whole(path, &bytes, &size, error));
    heed_status status = heed_gguf_open_memory(result, bytes, size, path, error);
    if (status == HEED_OK) (*result)->owned = (unsigned char *)bytes;
    else free(bytes);
    return status;
}

heed_status heed_gguf_open_memory(heed_gguf **result, const void *bytes, size_t count,
                                  const char *where, heed_error *error)
{
    heed_gguf *file = NULL;
    heed_status status = file_new(&file, where, error);
    if (status == HEED_OK) {
        file->bytes = bytes;
        file->loaded = file->size = count;
        file->has_data = true;
        status = read_file(&(heed_gguf_cursor){.file = file, .error = error});
    }
    return finish(result, file, status);
}

void heed_gguf_close(heed_gguf *file)
{
    if (!file) return;
    for (size_t i = 0; i < file->part_count; i++) heed_gguf_close(file->parts[i]);
    free(file->parts);
    heed_file_reader_close(&file->reader);
    heed_arena_free(file->arena);
    free(file->owned);
    free(file->entries);
    free(file->by_key);
    free(file->tensors);
    free(file->by_name);
    free(file);
}

bool heed_gguf_is_file(const char *path)
{
    char magic[4];
    int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) return false;
    bool found = read(descriptor, magic, sizeof magic) == (ssize_t)sizeof magic &&
                 memcmp(magic, "GGUF", sizeof magic) == 0;
    close(descriptor);
    return found;
}

bool heed_gguf_is_name(const char *path)
{
    size_t length = strlen(path);
    return length >= 5 && strcasecmp(path + length - 5, ".gguf") == 0;
}

size_t heed_gguf_count(const heed_gguf *file)
{
    return file->count;
}

const heed_stored_tensor *heed_gguf_at(const heed_gguf *file, size_t index)
{
    return &file->tensors[index];
}

const heed_stored_tensor *heed_gguf_find(const heed_gguf *file, const char *name)
{
    return heed_stored_find(file->by_name, file->count, name);
}

heed_status heed_gguf_check_unchanged(const heed_gguf *file, heed_error *error)
{
    for (size_t i = 0; i < file->part_count; i++)
        HEED_TRY(heed_gguf_check_unchanged(file->parts[i], error));
    return file->reader.path ? heed_file_reader_check(&file->reader, error) : HEED_OK;
}

const char *heed_gguf_where(const heed_gguf *file)
{
    return file->where;
}
