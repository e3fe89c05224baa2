#include "io/safetensors.h"

#include "support/work.h"
#include <stdbool.h>
#include <sys/resource.h>
#include <signal.h>

static size_t file_bytes(const char *path, heed_buffer *buffer)
{
    heed_buffer_clear(buffer);
    assert_ok(heed_file_read(path, (size_t)1 << 30, buffer, &error));
    return buffer->length;
}

static float f32_at(const heed_stored_tensor *tensor, size_t index)
{
    float value;
    heed_convert(&value, HEED_F32,
                 (const char *)tensor->data + index * heed_dtypes[tensor->dtype].bytes,
                 tensor->dtype, 1);
    return value;
}

/* Whatever a file says, an open one must describe memory that is there. */
static void check_consistent(const heed_safetensors *file, const void *bytes, size_t count)
{
    const char *low = bytes, *high = low + count;
    for (size_t i = 0; i < heed_safetensors_count(file); i++) {
        const heed_stored_tensor *tensor = heed_safetensors_at(file, i);
        size_t product = heed_dtypes[tensor->dtype].bytes;
        for (int d = 0; d < tensor->rank; d++) product *= (size_t)tensor->shape[d];
        assert_int_equal(product, tensor->bytes);
        assert_true((const char *)tensor->data >= low &&
                    (const char *)tensor->data + tensor->bytes <= high);
        assert_ptr_equal(heed_safetensors_find(file, tensor->name), tensor);
    }
}

/* Opens bytes that may be anything: either an error with a message, or a consistent file. Returns
   the status. */
static heed_status open_anything(const void *bytes, size_t count)
{
    heed_error error = {0};
    heed_safetensors *file = NULL;
    /* its own block, so that a sanitizer sees a read past the end */
    char *copy = malloc(count ? count : 1);
    assert_non_null(copy);
    if (count) memcpy(copy, bytes, count);
    heed_status status = heed_safetensors_open_memory(&file, copy, count, "hostile", &error);
    if (status == HEED_OK) check_consistent(file, copy, count);
    else {
        assert_null(file);
        assert_true(status == HEED_E_FORMAT || status == HEED_E_UNSUPPORTED);
        assert_int_equal(error.status, status);
        assert_memory_equal(error.message, "hostile: ", 9);
    }
    heed_safetensors_close(file);
    free(copy);
    return status;
}

/* A file from a header text and `count` zero bytes of data. */
static size_t assemble(unsigned char *out, const char *header, size_t count)
{
    size_t length = strlen(header);
    for (int i = 0; i < 8; i++) out[i] = (unsigned char)((uint64_t)length >> 8 * i);
    memcpy(out + 8, header, length);
    memset(out + 8 + length, 0, count);
    return 8 + length + count;
}

static heed_status open_header(const char *header, size_t count, heed_error *error)
{
    unsigned char bytes[4096];
    assert_true(strlen(header) + count + 8 < sizeof bytes);
    heed_safetensors *file = NULL;
    size_t size = assemble(bytes, header, count);
    heed_status status = heed_safetensors_open_memory(&file, bytes, size, "mem", error);
    if (status == HEED_OK) check_consistent(file, bytes, size);
    heed_safetensors_close(file);
    return status;
}

static void reads_files_of_the_library(void **state)
{
    (void)state;
    heed_safetensors *file = NULL;
    assert_ok(heed_safetensors_open_whole(&file, HEED_FIXTURES "/gpt2/model.safetensors", &error));
    assert_int_equal(heed_safetensors_count(file), 30);
    assert_string_equal(heed_safetensors_metadata(file, "format"), "pt");
    assert_null(heed_safetensors_metadata(file, "absent"));
    const heed_stored_tensor *tensor = heed_safetensors_find(file, "h.0.attn.c_attn.weight");
    assert_non_null(tensor);
    assert_true(tensor->dtype == HEED_F32 && tensor->rank == 2 && tensor->shape[0] == 32 &&
                tensor->shape[1] == 96);
    assert_true(f32_at(tensor, 0) == 0.6159160137176514f &&
                f32_at(tensor, 32 * 96 - 1) == -0.054482944309711456f);
    double sum = 0;
    for (size_t i = 0; i < 32 * 96; i++) sum += f32_at(tensor, i);
    assert_true(sum > 4.6460350 && sum < 4.6460351);
    assert_null(heed_safetensors_find(file, "h.0.attn.c_attn"));
    heed_safetensors_close(file);
    assert_ok(heed_safetensors_open_whole(&file, HEED_FIXTURES "/gpt2/oracle.safetensors", &error));
    assert_int_equal(heed_safetensors_count(file), 67);
    tensor = heed_safetensors_find(file, "gen.0.beam4");
    int64_t first;
    memcpy(&first, tensor->data, 8);
    assert_true(tensor->dtype == HEED_I64 && first == 317);
    heed_safetensors_close(file);
}

static const int64_t two_by_three[] = {2, 3}, two[] = {2}, zero_by_four[] = {0, 4};

/* The tensors of fixtures/safetensors/make.py, in another order. */
static heed_status write_all_types(const char *path, heed_error *error)
{
    enum { PLAIN_TYPES = HEED_BOOL + 1 };
    static const int values[6] = {0, 1, 1, 1, 0, 1};
    static const float pair[2] = {0.5f, -2}, scalar = 1.5f;
    static unsigned char storage[PLAIN_TYPES][48];
    heed_tensor_source tensors[PLAIN_TYPES + 3];
    for (int i = 0; i < PLAIN_TYPES; i++) {
        heed_convert(storage[i], (heed_dtype)i, values, HEED_I32, 6);
        tensors[i] = (heed_tensor_source){heed_dtypes[i].name, (heed_dtype)i, 2, two_by_three,
                                          storage[i]};
    }
    tensors[PLAIN_TYPES] = (heed_tensor_source){"scalar", HEED_F32, 0, NULL, &scalar};
    tensors[PLAIN_TYPES + 1] = (heed_tensor_source){"empty", HEED_F32, 2, zero_by_four, ""};
    tensors[PLAIN_TYPES + 2] = (heed_tensor_source){"quoted \"\\\n\x01\xC3\xA9", HEED_F32, 1, two,
                                                    pair};
    return heed_safetensors_write(
        path, &(heed_tensor_set){.tensors = tensors, .count = PLAIN_TYPES + 3}, error);
}

static void writes_the_bytes_of_the_library(void **state)
{
    (void)state;
    heed_buffer ours = {0}, theirs = {0};
    const char *path = scratch_path(&work, "all.safetensors");
    assert_ok(write_all_types(path, &error));
    file_bytes(path, &ours);
    file_bytes(HEED_FIXTURES "/safetensors/all-types.safetensors", &theirs);
    assert_int_equal(ours.length, theirs.length);
    assert_memory_equal(ours.data, theirs.data, ours.length);
    assert_int_equal(open_anything(ours.data, ours.length), HEED_OK);
    heed_buffer_free(&ours);
    heed_buffer_free(&theirs);
    assert_ok(heed_safetensors_write(path, &(heed_tensor_set){0}, &error));
    heed_safetensors *file = NULL;
    assert_ok(heed_safetensors_open_whole(&file, path, &error));
    assert_int_equal(heed_safetensors_count(file), 0);
    assert_null(heed_safetensors_find(file, "x"));
    heed_safetensors_close(file);
}

static heed_status produce_counter(void *context, size_t index, const heed_tensor_source *tensor,
                                   void *bytes, heed_error *error)
{
    if (index == (size_t) * (int *)context)
        return heed_fail(error, HEED_E_CANCELLED, "stopped at %s", tensor->name);
    for (int i = 0; i < 6; i++) ((int32_t *)bytes)[i] = (int32_t)(100 * index) + i;
    return HEED_OK;
}

static void tensors_are_produced_one_by_one(void **state)
{
    (void)state;
    int stop = -1;
    const heed_tensor_source tensors[] = {
        {"b", HEED_I32, 2, two_by_three, NULL},
        {"a", HEED_I32, 2, two_by_three, NULL},
    };
    const char *const metadata[] = {"format", "heed", "note", "x\"y", NULL};
    const heed_tensor_set set = {
        .tensors = tensors,
        .count = 2,
        .produce = produce_counter,
        .context = &stop,
        .metadata = metadata,
    };
    const char *path = scratch_path(&work, "produced.safetensors");
    assert_ok(heed_safetensors_write(path, &set, &error));
    heed_safetensors *file = NULL;
    for (stop = 0; stop < 2; stop++)
        assert_fails(HEED_E_CANCELLED, "stopped at", heed_safetensors_write(path, &set, &error));
    /* the interrupted writes left the first file alone */
    assert_ok(heed_safetensors_open_whole(&file, path, &error));
    assert_string_equal(heed_safetensors_metadata(file, "note"), "x\"y");
    const int32_t *a = heed_safetensors_find(file, "a")->data,
                  *b = heed_safetensors_find(file, "b")->data;
    assert_true(a[5] == 105 && b[0] == 0);
    heed_safetensors_close(file);
    assert_false(heed_path_exists(scratch_path(&work, "produced.safetensors.tmp")));
}

static void refuses_what_it_should_not_write(void **state)
{
    (void)state;
    const char *path = scratch_path(&work, "refused.safetensors");
    const int64_t negative[] = {-1}, huge[] = {INT64_MAX, INT64_MAX}, half[] = {INT64_MAX / 4 + 1};
    const struct {
        heed_tensor_source tensors[2];
        size_t count;
        heed_status status;
        const char *part;
    } cases[] = {
        {{{"x", HEED_U8, 1, two, "ab"}, {"x", HEED_F32, 0, NULL, "abcd"}},
         2,
         HEED_E_ARG,
         "given twice"},
        {{{"__metadata__", HEED_U8, 1, two, "ab"}}, 1, HEED_E_ARG, "cannot be written"},
        {{{"\xFF", HEED_U8, 1, two, "ab"}}, 1, HEED_E_ARG, "cannot be written"},
        {{{NULL, HEED_U8, 1, two, "ab"}}, 1, HEED_E_ARG, "cannot be written"},
        {{{"x", HEED_U8, 1, negative, "ab"}}, 1, HEED_E_ARG, "negative extent"},
        {{{"x", HEED_U8, 1, two, NULL}}, 1, HEED_E_ARG, "data"},
        {{{"x", HEED_DTYPE_COUNT, 1, two, "ab"}}, 1, HEED_E_ARG, "element type"},
        {{{"x", HEED_Q8_0, 1, two, "ab"}}, 1, HEED_E_ARG, "no element type q8_0"},
        {{{"x", HEED_U8, -1, two, "ab"}}, 1, HEED_E_ARG, "rank"},
        {{{"x", HEED_U8, 2, huge, "ab"}}, 1, HEED_E_SHAPE, "overflows"},
        {{{"x", HEED_F16, 1, half, "ab"}, {"y", HEED_F16, 1, half, "ab"}},
         2,
         HEED_E_SHAPE,
         "sum of all sizes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const heed_tensor_set set = {.tensors = cases[i].tensors, .count = cases[i].count};
        assert_fails(cases[i].status, cases[i].part, heed_safetensors_write(path, &set, &error));
        assert_false(heed_path_exists(path));
    }
    assert_fails(
        HEED_E_IO, "check the path",
        heed_safetensors_write("/nonexistent/x.safetensors", &(heed_tensor_set){0}, &error));
}

#define T(name, dtype, shape, offsets) \
    "\"" name "\":{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}"

/* Headers, the bytes of data after them, and what is said of the file. */
static const struct {
    const char *header;
    size_t data;
    heed_status status;
    const char *part;
} headers[] = {
    {"{" T("a", "\"F32\"", "[2]", "[0,8]") "}", 8, HEED_OK, ""},
    {"{" T("a", "\"F32\"", "[]", "[0,4]") "}", 4, HEED_OK, ""},
    {"{" T("z", "\"F32\"", "[0,7]", "[4,4]") "," T("a", "\"F32\"", "[1]", "[0,4]") "}   ", 4,
     HEED_OK, ""},
    {"{\"__metadata__\":{\"a\":\"b\"}}", 0, HEED_OK, ""},
    {"{}", 0, HEED_OK, ""},
    {"{}", 1, HEED_E_FORMAT, "the tensors end at byte 10, expected the end of the file, 11"},
    {"", 0, HEED_E_FORMAT, "byte 8"},
    {"[]", 0, HEED_E_FORMAT, "byte 8"},
    {" {}", 0, HEED_E_FORMAT, "byte 8"},
    {"{", 0, HEED_E_FORMAT, "column"},
    {"{}x", 0, HEED_E_FORMAT, "column"},
    {"{\"a\":1}", 0, HEED_E_FORMAT, "tensor \"a\": the entry is no object"},
    {"{\"__metadata__\":[]}", 0, HEED_E_FORMAT, "__metadata__ is no object"},
    {"{\"__metadata__\":{\"a\":1}}", 0, HEED_E_FORMAT, "__metadata__ \"a\" is no string"},
    {"{" T("a", "\"F32\"", "[1]", "[0,4]") "," T("a", "\"F32\"", "[1]", "[4,8]") "}", 8,
     HEED_E_FORMAT, "duplicate"},
    {"{" T("a", "\"F32\"", "[1]", "[0,4]") "," T("b", "\"F32\"", "[2]", "[0,8]") "}", 8,
     HEED_E_FORMAT, "tensor \"b\" begins at byte"},
    {"{" T("a", "\"F32\"", "[2]", "[0,8]") "," T("b", "\"F32\"", "[1]", "[4,8]") "}", 8,
     HEED_E_FORMAT, "overlaps"},
    {"{" T("a", "\"F32\"", "[1]", "[0,4]") "," T("b", "\"F32\"", "[1]", "[8,12]") "}", 12,
     HEED_E_FORMAT, "belong to no tensor"},
    {"{" T("a", "\"F32\"", "[1]", "[4,8]") "}", 8, HEED_E_FORMAT, "belong to no tensor"},
    {"{" T("a", "\"F32\"", "[2]", "[0,8]") "}", 7, HEED_E_FORMAT,
     "ends at byte 8 of the data, expected at most 7"},
    {"{" T("a", "\"F32\"", "[2]", "[0,8]") "}", 9, HEED_E_FORMAT, "end of the file"},
    {"{" T("a", "\"F32\"", "[3]", "[0,8]") "}", 8, HEED_E_FORMAT, "span 8 bytes, expected 12"},
    {"{" T("a", "\"F32\"", "[2]", "[8,0]") "}", 8, HEED_E_FORMAT, "0 <= begin <= end"},
    {"{" T("a", "\"F32\"", "[2]", "[-8,0]") "}", 8, HEED_E_FORMAT, "0 <= begin <= end"},
    {"{" T("a", "\"F32\"", "[2]", "[0]") "}", 8, HEED_E_FORMAT, "data_offsets"},
    {"{" T("a", "\"F32\"", "[2]", "[0,8,8]") "}", 8, HEED_E_FORMAT, "data_offsets"},
    {"{" T("a", "\"F32\"", "[2]", "[0,8.0]") "}", 8, HEED_E_FORMAT, "data_offsets"},
    {"{" T("a", "\"F32\"", "[2]", "null") "}", 8, HEED_E_FORMAT, "data_offsets"},
    {"{" T("a", "\"F32\"", "2", "[0,8]") "}", 8, HEED_E_FORMAT, "\"shape\" is missing or no array"},
    {"{" T("a", "\"F32\"", "[2.0]", "[0,8]") "}", 8, HEED_E_FORMAT, "no integer"},
    {"{" T("a", "\"F32\"", "[-2]", "[0,8]") "}", 8, HEED_E_FORMAT, "negative"},
    {"{" T("a", "\"F32\"", "[-2,-1]", "[0,8]") "}", 8, HEED_E_FORMAT, "negative"},
    {"{" T("a", "\"F32\"", "[4611686018427387904,4]", "[0,0]") "}", 0, HEED_E_FORMAT, "overflows"},
    {"{" T("a", "\"U8\"", "[4294967296,4294967296]", "[0,0]") "}", 0, HEED_E_FORMAT, "overflows"},
    {"{" T("a", "\"U8\"", "[0,4294967296,4294967296]", "[0,0]") "}", 0, HEED_E_FORMAT, "overflows"},
    {"{" T("a", "\"U8\"", "[4294967296,4294967296,0]", "[0,0]") "}", 0, HEED_E_FORMAT, "overflows"},
    {"{" T("a", "\"U8\"", "[18446744073709551616]", "[0,0]") "}", 0, HEED_E_FORMAT, "no integer"},
    {"{" T("a", "7", "[2]", "[0,8]") "}", 8, HEED_E_FORMAT, "\"dtype\" is missing or no string"},
    {"{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8, HEED_E_FORMAT, "\"dtype\" is missing"},
    {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", 8, HEED_E_FORMAT,
     "\"shape\" is missing"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, HEED_E_FORMAT, "\"data_offsets\" is missing"},
    {"{" T("w", "\"F8_E4M3\"", "[8]", "[0,8]") "}", 8, HEED_E_UNSUPPORTED,
     "tensor \"w\" has element type \"F8_E4M3\""},
    {"{" T("w", "\"U16\"", "[4]", "[0,8]") "}", 8, HEED_E_UNSUPPORTED, "\"U16\""},
    {"{" T("w", "\"U64\"", "[1]", "[0,8]") "}", 8, HEED_E_UNSUPPORTED, "\"U64\""},
    {"{" T("w", "\"f32\"", "[2]", "[0,8]") "}", 8, HEED_E_UNSUPPORTED, "\"f32\""},
    {"{" T("a\\u0000b", "\"F32\"", "[2]", "[0,8]") "}", 8, HEED_E_FORMAT, "column"},
    {"{" T("a\\u001b[31m", "\"F32\"", "[9]", "[0,8]") "}", 8, HEED_E_FORMAT, "tensor \"a?[31m\""},
    {"{" T("a\xFF", "\"F32\"", "[2]", "[0,8]") "}", 8, HEED_E_FORMAT, "0xFF"},
};

static void bad_headers_are_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        if (headers[i].status == HEED_OK)
            assert_ok(open_header(headers[i].header, headers[i].data, &error));
        else
            assert_fails(headers[i].status, headers[i].part,
                         open_header(headers[i].header, headers[i].data, &error));
    }
}

static void every_truncation_and_extension_is_an_error(void **state)
{
    (void)state;
    heed_buffer whole = {0};
    size_t size = file_bytes(HEED_FIXTURES "/safetensors/all-types.safetensors", &whole);
    for (size_t cut = 0; cut < size; cut++)
        assert_int_equal(open_anything(whole.data, cut), HEED_E_FORMAT);
    heed_buffer_byte(&whole, 0);
    assert_int_equal(open_anything(whole.data, whole.length), HEED_E_FORMAT);
    heed_buffer_free(&whole);
}

static void every_bit_flip_of_the_header_is_survived(void **state)
{
    (void)state;
    heed_buffer whole = {0};
    size_t size = file_bytes(HEED_FIXTURES "/safetensors/all-types.safetensors", &whole),
           survived = 0;
    size_t header = 8 + (unsigned char)whole.data[0] + 256 * (size_t)(unsigned char)whole.data[1];
    for (size_t bit = 0; bit < 8 * header; bit++) {
        whole.data[bit / 8] ^= (char)(1 << bit % 8);
        survived += open_anything(whole.data, size) == HEED_OK;
        whole.data[bit / 8] ^= (char)(1 << bit % 8);
    }
    /* flips inside names load, flips of numbers do not */
    assert_true(survived > 0 && survived < header * 4);
    heed_buffer_free(&whole);
}

static void every_number_may_be_anything(void **state)
{
    (void)state;
    static const char *const numbers[] = {"0",
                                          "1",
                                          "-1",
                                          "2147483647",
                                          "2147483648",
                                          "4294967296",
                                          "9223372036854775807",
                                          "9223372036854775808",
                                          "18446744073709551615"};
    char header[512];
    unsigned char bytes[1024];
    for (int field = 0; field < 8; field++)
        for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++) {
            const char *value[8] = {"2", "3", "0", "24", "4", "1", "24", "28"};
            value[field] = numbers[n];
            snprintf(header, sizeof header,
                     "{\"a\":{\"dtype\":\"F32\",\"shape\":[%s,%s],\"data_offsets\":[%s,%s]},"
                     "\"b\":{\"dtype\":\"U8\",\"shape\":[%s,%s],\"data_offsets\":[%s,%s]}}",
                     value[0], value[1], value[2], value[3], value[4], value[5], value[6],
                     value[7]);
            bool same = (field == 5 && n == 1) || (field == 2 && n == 0);
            assert_int_equal(open_anything(bytes, assemble(bytes, header, 28)),
                             same ? HEED_OK : HEED_E_FORMAT);
        }
    const uint64_t lengths[] = {0,
                                1,
                                UINT64_MAX,
                                INT32_MAX,
                                (uint64_t)1 << 31,
                                (uint64_t)1 << 32,
                                INT64_MAX,
                                (uint64_t)1 << 63,
                                100000001};
    size_t size = assemble(bytes, "{}", 0);
    for (size_t n = 0; n < sizeof lengths / sizeof *lengths; n++) {
        for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)(lengths[n] >> 8 * i);
        assert_int_equal(open_anything(bytes, size), HEED_E_FORMAT);
    }
}

static void deep_nesting_is_an_error(void **state)
{
    (void)state;
    size_t depth = 100000;
    unsigned char *bytes = malloc(2 * depth + 64);
    char *header = malloc(depth + 16);
    assert_true(bytes && header);
    const char *const openings[] = {"[", "{\"a\":"};
    for (int kind = 0; kind < 2; kind++) {
        size_t length = (size_t)sprintf(header, "{\"a\":");
        while (length + 8 < depth) length += (size_t)sprintf(header + length, "%s", openings[kind]);
        assert_int_equal(open_anything(bytes, assemble(bytes, header, 0)), HEED_E_FORMAT);
    }
    free(bytes);
    free(header);
}

/* A file size limit stands in for a full disk: write(2) fails half-way with EFBIG instead of
   ENOSPC, on any machine. */
static void full_disk_leaves_the_old_file(void **state)
{
    (void)state;
    const int64_t large[] = {1 << 20};
    const char *path = scratch_path(&work, "full.safetensors");
    char *data = calloc(1, 1 << 20);
    assert_non_null(data);
    const heed_tensor_source tensor = {"large", HEED_U8, 1, large, data};
    assert_ok(write_all_types(path, &error));
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = (struct rlimit){.rlim_cur = 100000, .rlim_max = before.rlim_max};
    void (*old)(int) = signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    heed_error error = {0};
    heed_status status = heed_safetensors_write(
        path, &(heed_tensor_set){.tensors = &tensor, .count = 1}, &error);
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, old);
    free(data);
    assert_int_equal(status, HEED_E_IO);
    assert_non_null(strstr(error.message, "nothing that was there before is lost"));
    heed_buffer ours = {0}, theirs = {0};
    file_bytes(path, &ours);
    file_bytes(HEED_FIXTURES "/safetensors/all-types.safetensors", &theirs);
    assert_int_equal(ours.length, theirs.length);
    assert_memory_equal(ours.data, theirs.data, ours.length);
    heed_buffer_free(&ours);
    heed_buffer_free(&theirs);
    assert_false(heed_path_exists(scratch_path(&work, "full.safetensors.tmp")));
}

static void files_that_are_none(void **state)
{
    (void)state;
    heed_safetensors *file = NULL;
    assert_fails(HEED_E_IO, "check the path",
                 heed_safetensors_open_whole(&file, "/nonexistent.safetensors", &error));
    assert_fails(HEED_E_IO, "found a folder", heed_safetensors_open_whole(&file, "/tmp", &error));
    assert_fails(HEED_E_FORMAT, "0 bytes",
                 heed_safetensors_open_whole(&file, scratch_file(&work, "empty", "", 0), &error));
    assert_null(file);
    heed_safetensors_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads_files_of_the_library),
                                       cmocka_unit_test(writes_the_bytes_of_the_library),
                                       cmocka_unit_test(tensors_are_produced_one_by_one),
                                       cmocka_unit_test(refuses_what_it_should_not_write),
                                       cmocka_unit_test(bad_headers_are_named),
                                       cmocka_unit_test(every_truncation_and_extension_is_an_error),
                                       cmocka_unit_test(every_bit_flip_of_the_header_is_survived),
                                       cmocka_unit_test(every_number_may_be_anything),
                                       cmocka_unit_test(deep_nesting_is_an_error),
                                       cmocka_unit_test(full_disk_leaves_the_old_file),
                                       cmocka_unit_test(files_that_are_none)};
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
