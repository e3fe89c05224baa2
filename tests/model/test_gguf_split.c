/* Split GGUF files: any part opens the whole model, a part that is missing or of another model is
   named. */
#include "cpu/backend.h"
#include "io/gguf.h"
#include "model/model.h"
#include "support/fixtures.h"
#include "support/work.h"

static const heed_backend reference = {.name = "reference"};
enum { PARTS = 3, MOST_TENSORS = 64 };

static const char *part_path(int no)
{
    char name[64];
    snprintf(name, sizeof name, "m-%05d-of-%05d.gguf", no + 1, PARTS);
    return scratch_path(&work, name);
}

static void put_integer(heed_gguf_entries *entries, const char *key, int value)
{
    heed_gguf_put_u32(entries, key, (uint32_t)value);
}

/* Writes part `no`: every third tensor, and the entries of the model in the first. */
static void write_part(const heed_gguf *file, int no, int count, int tensors)
{
    heed_tensor_source sources[MOST_TENSORS];
    heed_gguf_entries entries = {0};
    size_t wanted = 0;
    for (size_t i = 0; no == 0 && i < heed_gguf_entry_count(file); i++)
        heed_gguf_put_entry(&entries, heed_gguf_entry_at(file, i));
    put_integer(&entries, "split.no", no);
    put_integer(&entries, "split.count", count);
    put_integer(&entries, "split.tensors.count", tensors);
    for (size_t i = 0; i < heed_gguf_count(file); i++) {
        const heed_stored_tensor *t = heed_gguf_at(file, i);
        if ((int)i % PARTS != no) continue;
        sources[wanted++] = (heed_tensor_source){t->name, t->dtype, t->rank, t->shape, t->data};
    }
    heed_tensor_set set = {.tensors = sources, .count = wanted};
    assert_ok(heed_gguf_write(part_path(no), &entries, &set, &error));
    heed_buffer_free(&entries.bytes);
}

static heed_gguf *fixture_file(void)
{
    heed_gguf *file = NULL;
    assert_ok(heed_gguf_open_whole(&file, HEED_FIXTURES "/gguf-llama-f32/model.gguf", &error));
    assert_true(heed_gguf_count(file) < MOST_TENSORS);
    return file;
}

static void write_all(const heed_gguf *file)
{
    for (int i = 0; i < PARTS; i++) write_part(file, i, PARTS, (int)heed_gguf_count(file));
}

static void any_part_opens_the_whole_model(void **state)
{
    (void)state;
    heed_gguf *whole = fixture_file();
    write_all(whole);
    for (int no = 0; no < PARTS; no++) {
        heed_gguf *file = NULL;
        heed_model *model = NULL;
        assert_ok(heed_gguf_open(&file, part_path(no), &error));
        assert_int_equal(heed_gguf_count(file), heed_gguf_count(whole));
        assert_non_null(heed_gguf_entry_find(file, "general.architecture"));
        assert_string_equal(heed_gguf_where(file), part_path(0));
        for (size_t i = 0; i < heed_gguf_count(whole); i++) {
            const heed_stored_tensor *want = heed_gguf_at(whole, i);
            const heed_stored_tensor *found = heed_gguf_find(file, want->name);
            assert_non_null(found);
            assert_int_equal(found->bytes, want->bytes);
            char *bytes = malloc(found->bytes + 1);
            assert_ok(heed_stored_read(found, 0, bytes, found->bytes, &error));
            assert_memory_equal(bytes, want->data, want->bytes);
            free(bytes);
        }
        heed_gguf_close(file);
        const heed_model_options how = {.backend = &reference};
        assert_ok(heed_model_load(&model, part_path(no), &how, &error));
        heed_model_release(model);
    }
    heed_gguf_close(whole);
}

static void parts_that_are_missing_or_strange_are_named(void **state)
{
    (void)state;
    heed_gguf *whole = fixture_file();
    heed_gguf *file = NULL;
    int tensors = (int)heed_gguf_count(whole);
    for (int no = 0; no < PARTS; no++) {
        write_all(whole);
        assert_int_equal(unlink(part_path(no)), 0);
        for (int named = 0; named < PARTS; named++) {
            char missing[64];
            snprintf(missing, sizeof missing, "part %d of 3 of a split model", no + 1);
            if (named != no)
                assert_fails(HEED_E_IO, missing, heed_gguf_open(&file, part_path(named), &error));
        }
    }
    write_all(whole);
    write_part(whole, 2, PARTS, tensors + 1);
    assert_fails(HEED_E_FORMAT, "of different models", heed_gguf_open(&file, part_path(0), &error));
    write_part(whole, 2, PARTS + 1, tensors);
    assert_fails(HEED_E_FORMAT, "says part 3 of 4, expected part 3 of 3",
                 heed_gguf_open(&file, part_path(0), &error));
    for (int i = 0; i < PARTS; i++) write_part(whole, i, PARTS, tensors + 1);
    assert_fails(HEED_E_FORMAT, "of split.tensors.count",
                 heed_gguf_open(&file, part_path(1), &error));
    write_part(whole, 1, 1000000, tensors);
    assert_fails(HEED_E_FORMAT, "split.count is 1000000",
                 heed_gguf_open(&file, part_path(1), &error));
    write_all(whole);
    char renamed[512];
    snprintf(renamed, sizeof renamed, "%s/other.gguf", work.folder);
    assert_int_equal(rename(part_path(0), renamed), 0);
    assert_fails(HEED_E_FORMAT, "its name must end in \"-00001-of-00003.gguf\"",
                 heed_gguf_open(&file, renamed, &error));
    heed_gguf_close(whole);
}

/* Also under another name, and in capitals. */
static void a_file_with_all_tensors_stands_for_itself(void **state)
{
    (void)state;
    heed_gguf *whole = fixture_file();
    heed_gguf *file = NULL;
    char capitals[512];
    heed_gguf_entries entries = {0};
    put_integer(&entries, "split.no", 0);
    put_integer(&entries, "split.count", 2);
    put_integer(&entries, "split.tensors.count", 1);
    const heed_stored_tensor *t = heed_gguf_at(whole, 0);
    const heed_tensor_source source = {t->name, t->dtype, t->rank, t->shape, t->data};
    const heed_tensor_set set = {.tensors = &source, .count = 1};
    assert_ok(heed_gguf_write(scratch_path(&work, "merged.gguf"), &entries, &set, &error));
    heed_buffer_free(&entries.bytes);
    assert_ok(heed_gguf_open(&file, work.path, &error));
    heed_gguf_close(file);
    write_all(whole);
    for (int i = 0; i < PARTS; i++) {
        snprintf(capitals, sizeof capitals, "%s", part_path(i));
        memcpy(strrchr(capitals, '.'), ".GGUF", 5);
        assert_int_equal(rename(part_path(i), capitals), 0);
    }
    assert_ok(heed_gguf_open(&file, capitals, &error));
    assert_int_equal(heed_gguf_count(file), heed_gguf_count(whole));
    heed_gguf_close(file);
    heed_gguf_close(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_part_opens_the_whole_model),
        cmocka_unit_test(parts_that_are_missing_or_strange_are_named),
        cmocka_unit_test(a_file_with_all_tensors_stands_for_itself)};
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
