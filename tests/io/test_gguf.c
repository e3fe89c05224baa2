#include "io/gguf.h"
#include "base/memory.h"
#include "support/test.h"

/* ---- files made here, field by field ---- */

enum { MOST = 4096, FIELDS = 256 };

/* Bytes of a file, and where its integer fields stand. */
typedef struct {
    unsigned char bytes[MOST];
    size_t length;
    struct {
        size_t at;
        int width;
    } fields[FIELDS];
    int count;
} maker;

static void put(maker *m, uint64_t value, int width)
{
    assert_true(m->length + 8 <= MOST && m->count < FIELDS);
    m->fields[m->count].at = m->length;
    m->fields[m->count++].width = width;
    for (int i = 0; i < width; i++) m->bytes[m->length++] = (unsigned char)(value >> 8 * i);
}

static void put_string(maker *m, const char *text)
{
    put(m, strlen(text), 8);
    assert_true(m->length + strlen(text) <= MOST);
    memcpy(m->bytes + m->length, text, strlen(text));
    m->length += strlen(text);
}

static void put_tensor(maker *m, const char *name, uint64_t inner, uint64_t outer, uint32_t type,
                       uint64_t place)
{
    put_string(m, name);
    put(m, 2, 4);
    put(m, inner, 8);
    put(m, outer, 8);
    put(m, type, 4);
    put(m, place, 8);
}

/* Two tensors (f32 and q8_0) and one entry of each kind. */
static maker sample(void)
{
    maker m = {.bytes = "GGUF", .length = 4};
    put(&m, 3, 4);
    put(&m, 2, 8);
    put(&m, 6, 8);
    put_string(&m, "general.alignment");
    put(&m, HEED_GGUF_U32, 4);
    put(&m, 64, 4);
    put_string(&m, "text");
    put(&m, HEED_GGUF_STRING, 4);
    put_string(&m, "words");
    put_string(&m, "truth");
    put(&m, HEED_GGUF_BOOL, 4);
    m.bytes[m.length++] = 1;
    put_string(&m, "list");
    put(&m, HEED_GGUF_ARRAY, 4);
    put(&m, HEED_GGUF_I16, 4);
    put(&m, 3, 8);
    put(&m, 7, 2);
    put(&m, 0xFFFE, 2);
    put(&m, 9, 2);
    put_string(&m, "lines");
    put(&m, HEED_GGUF_ARRAY, 4);
    put(&m, HEED_GGUF_STRING, 4);
    put(&m, 2, 8);
    put_string(&m, "one");
    put_string(&m, "");
    put_string(&m, "half");
    put(&m, HEED_GGUF_F64, 4);
    put(&m, 0x3FE0000000000000, 8);
    put_tensor(&m, "b", 32, 2, 8, 64);
    put_tensor(&m, "a", 5, 3, 0, 0);
    while (m.length % 64) m.length++;
    for (int i = 0; i < 64 + 68; i++) m.bytes[m.length++] = (unsigned char)i;
    return m;
}

static void a_file_is_read_as_it_was_made(void **state)
{
    (void)state;
    maker m = sample();
    heed_gguf *file;
    assert_ok(heed_gguf_open_memory(&file, m.bytes, m.length, "sample", &error));
    assert_int_equal(heed_gguf_count(file), 2);
    const heed_stored_tensor *a = heed_gguf_find(file, "a"), *b = heed_gguf_find(file, "b");
    assert_ptr_equal(heed_gguf_at(file, 0), a);
    assert_true(a->dtype == HEED_F32 && a->rank == 2 && a->shape[0] == 3 && a->shape[1] == 5 &&
                a->bytes == 60);
    assert_true(b->dtype == HEED_Q8_0 && b->shape[0] == 2 && b->shape[1] == 32 && b->bytes == 68 &&
                *(const unsigned char *)b->data == 64);
    int64_t integer = -1;
    bool truth = false;
    const char *text;
    size_t length;
    assert_ok(heed_gguf_integer(file, "general.alignment", &integer, &error));
    assert_int_equal(integer, 64);
    assert_ok(heed_gguf_integer(file, "absent", &integer, &error));
    assert_int_equal(integer, 64);
    assert_ok(heed_gguf_boolean(file, "truth", &truth, &error));
    assert_true(truth);
    assert_ok(heed_gguf_text(file, "text", &text, &length, &error));
    assert_true(length == 5 && memcmp(text, "words", 5) == 0);
    const heed_gguf_entry *list = heed_gguf_entry_find(file, "list"),
                          *lines = heed_gguf_entry_find(file, "lines");
    assert_true(list->count == 3 && heed_gguf_integer_at(list, 1) == -2 &&
                heed_gguf_number_at(list, 2) == 9);
    assert_true(lines->count == 2 &&
                memcmp(heed_gguf_string_at(lines, 0, &length), "one", 3) == 0 && length == 3);
    heed_gguf_string_at(lines, 1, &length);
    assert_int_equal(length, 0);
    assert_true(heed_gguf_number_at(heed_gguf_entry_find(file, "half"), 0) == 0.5);
    assert_fails(HEED_E_FORMAT, "a string", heed_gguf_text(file, "truth", &text, &length, &error));
    assert_fails(HEED_E_FORMAT, "an integer", heed_gguf_integer(file, "list", &integer, &error));
    heed_gguf_close(file);
}

/* Opens hostile bytes from a heap block of exactly their size, so that sanitizers see a read past
   it. */
static heed_status open_copy(const unsigned char *bytes, size_t count, heed_error *error)
{
    unsigned char *copy = malloc(count ? count : 1);
    heed_gguf *file = NULL;
    assert_non_null(copy);
    memcpy(copy, bytes, count);
    heed_status status = heed_gguf_open_memory(&file, copy, count, "hostile", error);
    assert_true((status == HEED_OK) == (file != NULL) && status == error->status &&
                (status == HEED_OK || error->message[0]));
    heed_gguf_close(file);
    free(copy);
    return status;
}

static void every_field_with_every_limit_is_refused_or_read(void **state)
{
    (void)state;
    static const uint64_t limits[] = {0,          1,          UINT64_MAX, 0x7FFFFFFF,
                                      0x80000000, 0xFFFFFFFF, INT64_MAX,  (uint64_t)1 << 63};
    const maker good = sample();
    int refused = 0;
    for (int f = 0; f < good.count; f++)
        for (size_t l = 0; l < sizeof limits / sizeof *limits; l++) {
            maker m = good;
            heed_error error = {0};
            for (int i = 0; i < m.fields[f].width; i++)
                m.bytes[m.fields[f].at + (size_t)i] = (unsigned char)(limits[l] >> 8 * i);
            refused += open_copy(m.bytes, m.length, &error) != HEED_OK;
        }
    assert_true(refused > good.count * 3);
}

static void every_cut_is_refused(void **state)
{
    (void)state;
    const maker m = sample();
    for (size_t i = 0; i < m.length; i++) {
        heed_error error = {0};
        assert_true(open_copy(m.bytes, i, &error) != HEED_OK);
    }
    heed_buffer file = {0};
    assert_ok(heed_file_read(HEED_FIXTURES "/gguf-llama-f32/model.gguf", 1 << 20, &file, &error));
    for (size_t i = 0; i < 4096; i++) {
        heed_error error = {0};
        assert_true(open_copy((const unsigned char *)file.data, i, &error) != HEED_OK);
    }
    heed_buffer_free(&file);
}

static void problems_are_named(void **state)
{
    (void)state;
    struct {
        size_t field;
        uint64_t value;
        heed_status status;
        const char *part;
    } cases[] = {
        {0, 1, HEED_E_UNSUPPORTED, "version 1"},         {0, 4, HEED_E_FORMAT, "expected 2 or 3"},
        {0, 3u << 24, HEED_E_UNSUPPORTED, "big-endian"}, {1, 1000, HEED_E_FORMAT, "1000 tensors"},
        {2, 1000, HEED_E_FORMAT, "1000 entries"},        {5, 48, HEED_E_FORMAT, "power of two"},
        {4, 99, HEED_E_FORMAT, "has type 99"},           {4, 9, HEED_E_FORMAT, ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        maker m = sample();
        for (int j = 0; j < m.fields[cases[i].field].width; j++)
            m.bytes[m.fields[cases[i].field].at + (size_t)j] = (unsigned char)(cases[i].value >>
                                                                               8 * j);
        assert_fails(cases[i].status, cases[i].part, open_copy(m.bytes, m.length, &error));
    }
    struct {
        uint64_t inner, outer;
        uint32_t type;
        uint64_t place;
        const char *name;
        heed_status status;
        const char *part;
    } tensors[] = {
        {32, 1, 16, 64, "b", HEED_E_UNSUPPORTED, "IQ2_XXS"},
        {32, 1, 31, 64, "b", HEED_E_FORMAT, "element type 31"},
        {33, 1, 8, 64, "b", HEED_E_FORMAT, "multiple of 32"},
        {32, 1, 8, 48, "b", HEED_E_FORMAT, "place 48"},
        {32, 1, 8, 0, "b", HEED_E_FORMAT, "overlaps"},
        {32, 3, 8, 64, "b", HEED_E_FORMAT, "cut"},
        {32, 1, 8, 64, "a", HEED_E_FORMAT, "twice"},
        {(uint64_t)1 << 40, (uint64_t)1 << 40, 8, 64, "b", HEED_E_FORMAT, "overflows"},
    };
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) {
        maker m = {.bytes = "GGUF", .length = 4};
        put(&m, 2, 4);
        put(&m, 2, 8);
        put(&m, 0, 8);
        put_tensor(&m, "a", 5, 3, 0, 0);
        put_tensor(&m, tensors[i].name, tensors[i].inner, tensors[i].outer, tensors[i].type,
                   tensors[i].place);
        m.length = (m.length + 31) / 32 * 32 + 64 + 68;
        assert_fails(tensors[i].status, tensors[i].part, open_copy(m.bytes, m.length, &error));
    }
    maker twice = {.bytes = "GGUF", .length = 4};
    put(&twice, 3, 4);
    put(&twice, 0, 8);
    put(&twice, 2, 8);
    for (int i = 0; i < 2; i++) {
        put_string(&twice, "key");
        put(&twice, HEED_GGUF_U8, 4);
        put(&twice, 1, 1);
    }
    assert_fails(HEED_E_FORMAT, "\"key\" is there twice",
                 open_copy(twice.bytes, twice.length, &error));
    assert_fails(HEED_E_FORMAT, "begins with \"GGUF\"",
                 open_copy((const unsigned char *)"GGML....", 8, &error));
}

/* ---- writing ---- */

static heed_status produce(void *context, size_t index, const heed_tensor_source *tensor,
                           void *bytes, heed_error *error)
{
    (void)error;
    memset(bytes, (int)index + *(int *)context, heed_dtype_bytes(tensor->dtype, 64));
    return HEED_OK;
}

static void what_is_written_is_read_again(void **state)
{
    (void)state;
    static const int64_t vector[] = {3}, matrix[] = {2, 32};
    static const float three[] = {1, 2, 3};
    int context = 5;
    const heed_tensor_source tensors[] = {
        {"v", HEED_F32, 1, vector, three},
        {"m", HEED_Q4_0, 2, matrix, NULL},
    };
    heed_gguf_entries entries = {0};
    scratch s;
    scratch_make(&s);
    const char *path = scratch_path(&s, "x.gguf");
    heed_gguf_put_u32(&entries, "u", 7);
    heed_gguf_put_f32(&entries, "f", 0.25f);
    heed_gguf_put_boolean(&entries, "b", true);
    heed_gguf_put_string(&entries, "s", "text", 4);
    heed_gguf_put_array(&entries, "i", HEED_GGUF_I32, 2);
    heed_gguf_put_element(&entries, HEED_GGUF_I32, -3);
    heed_gguf_put_element(&entries, HEED_GGUF_I32, 4);
    heed_gguf_put_array(&entries, "t", HEED_GGUF_STRING, 1);
    heed_gguf_put_text(&entries, "x", 1);
    assert_ok(heed_gguf_write(
        path, &entries,
        &(heed_tensor_set){.tensors = tensors, .count = 2, .produce = produce, .context = &context},
        &error));
    heed_gguf *file;
    assert_true(heed_gguf_is_file(path));
    assert_ok(heed_gguf_open_whole(&file, path, &error));
    assert_int_equal(heed_gguf_entry_count(file), 6);
    assert_int_equal(heed_gguf_integer_at(heed_gguf_entry_find(file, "i"), 0), -3);
    assert_true(heed_gguf_number_at(heed_gguf_entry_find(file, "f"), 0) == 0.25);
    assert_memory_equal(heed_gguf_find(file, "v")->data, three, sizeof three);
    assert_true(heed_gguf_find(file, "m")->bytes == 36 &&
                *(const unsigned char *)heed_gguf_find(file, "m")->data == 6);
    heed_gguf_entries again = {0};
    for (size_t i = 0; i < heed_gguf_entry_count(file); i++)
        heed_gguf_put_entry(&again, heed_gguf_entry_at(file, i));
    assert_int_equal(again.bytes.length, entries.bytes.length);
    assert_memory_equal(again.bytes.data, entries.bytes.data, entries.bytes.length);
    heed_gguf_close(file);
    heed_buffer_free(&entries.bytes);
    heed_buffer_free(&again.bytes);
    scratch_remove(&s);
}

static void what_cannot_be_written_is_refused(void **state)
{
    (void)state;
    static const int64_t odd[] = {2, 33}, negative[] = {-1};
    static const char data[4] = "";
    const struct {
        heed_tensor_source tensors[2];
        size_t count;
        heed_status status;
        const char *part;
    } cases[] = {
        {{{"x", HEED_F32, 0, NULL, data}, {"x", HEED_F32, 0, NULL, data}},
         2,
         HEED_E_ARG,
         "given twice"},
        {{{"", HEED_F32, 0, NULL, data}}, 1, HEED_E_ARG, "its name"},
        {{{"x", HEED_BOOL, 0, NULL, data}}, 1, HEED_E_ARG, "element type"},
        {{{"x", HEED_Q8_0, 2, odd, data}}, 1, HEED_E_SHAPE, "multiple of 32"},
        {{{"x", HEED_F32, 1, negative, data}}, 1, HEED_E_SHAPE, "negative"},
        {{{"x", HEED_F32, 5, odd, data}}, 1, HEED_E_ARG, "rank 5"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_fails(cases[i].status, cases[i].part,
                     heed_gguf_write(
                         "/nonexistent/x.gguf", &(heed_gguf_entries){0},
                         &(heed_tensor_set){.tensors = cases[i].tensors, .count = cases[i].count},
                         &error));
    assert_fails(HEED_E_IO, "check the path",
                 heed_gguf_write("/nonexistent/x.gguf", &(heed_gguf_entries){0},
                                 &(heed_tensor_set){0}, &error));
}

/* Lists that end after the part of the file that is read first, and what follows them. */
static void metadata_may_be_large(void **state)
{
    (void)state;
    enum { LINES = 150000, NUMBERS = 600000 };
    static const int64_t extent[] = {3};
    static const float values[] = {1, 2, 3};
    const heed_tensor_source tensor = {"x", HEED_F32, 1, extent, values};
    scratch s;
    heed_gguf_entries entries = {0};
    heed_gguf *file = NULL;
    char text[32];
    scratch_make(&s);
    heed_gguf_put_array(&entries, "lines", HEED_GGUF_STRING, LINES);
    for (int i = 0; i < LINES; i++)
        heed_gguf_put_text(&entries, text, (size_t)snprintf(text, sizeof text, "line %d", i));
    heed_gguf_put_array(&entries, "numbers", HEED_GGUF_I32, NUMBERS);
    for (int i = 0; i < NUMBERS; i++) heed_gguf_put_element(&entries, HEED_GGUF_I32, i);
    heed_gguf_put_u32(&entries, "last", 7);
    const char *path = scratch_path(&s, "large.gguf");
    assert_ok(heed_gguf_write(path, &entries, &(heed_tensor_set){.tensors = &tensor, .count = 1},
                              &error));
    assert_ok(heed_gguf_open(&file, path, &error));
    const heed_gguf_entry *lines = heed_gguf_entry_find(file, "lines");
    const heed_gguf_entry *numbers = heed_gguf_entry_find(file, "numbers");
    int64_t last = 0;
    assert_true(lines->count == LINES && numbers->count == NUMBERS);
    for (int i = 0; i < LINES; i += 997) {
        size_t length = 0;
        const char *line = heed_gguf_string_at(lines, (size_t)i, &length);
        snprintf(text, sizeof text, "line %d", i);
        assert_true(length == strlen(text) && memcmp(line, text, length) == 0);
    }
    for (int i = 0; i < NUMBERS; i += 997)
        assert_int_equal(heed_gguf_integer_at(numbers, (size_t)i), i);
    assert_ok(heed_gguf_integer(file, "last", &last, &error));
    assert_int_equal(last, 7);
    const heed_stored_tensor *found = heed_gguf_find(file, "x");
    float read[3];
    assert_null(found->data);
    assert_ok(heed_stored_read(found, 0, read, sizeof read, &error));
    assert_memory_equal(read, values, sizeof read);
    heed_gguf_close(file);
    assert_int_equal(truncate(path, 1500000), 0);
    assert_fails(HEED_E_FORMAT, "cut short or damaged", heed_gguf_open(&file, path, &error));
    assert_null(file);
    heed_buffer_free(&entries.bytes);
    scratch_remove(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_read_as_it_was_made),
        cmocka_unit_test(every_field_with_every_limit_is_refused_or_read),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(problems_are_named),
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(what_cannot_be_written_is_refused),
        cmocka_unit_test(metadata_may_be_large)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
