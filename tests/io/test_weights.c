#include "io/weights.h"

#include "support/work.h"

#define SHARDED HEED_FIXTURES "/llama-bf16-sharded"
#define FIRST "model-00001-of-00002.safetensors"
#define SECOND "model-00002-of-00002.safetensors"

static void opens_single_and_sharded_alike(void **state)
{
    (void)state;
    const char *const names[] = {HEED_FIXTURES "/gpt2", HEED_FIXTURES "/gpt2/model.safetensors",
                                 HEED_FIXTURES "/gpt2/"};
    heed_weights_file *file = NULL;
    for (int i = 0; i < 3; i++) {
        assert_ok(heed_weights_file_open(&file, names[i], &error));
        assert_int_equal(heed_weights_file_count(file), 30);
        assert_string_equal(heed_weights_file_path(file), names[i]);
        assert_non_null(heed_weights_file_find(file, "wte.weight"));
        heed_weights_file_close(file);
    }
    const char *const sharded[] = {SHARDED, SHARDED "/model.safetensors.index.json"};
    for (int i = 0; i < 2; i++) {
        assert_ok(heed_weights_file_open(&file, sharded[i], &error));
        assert_int_equal(heed_weights_file_count(file), 21);
        assert_int_equal(heed_weights_file_bytes(file), 49472);
        const heed_stored_tensor *head = heed_weights_file_find(file, "lm_head.weight");
        assert_true(head->dtype == HEED_BF16 && head->shape[0] == 120 && head->shape[1] == 32);
        assert_string_equal(head->file, SHARDED "/" SECOND);
        double sum = 0;
        for (int k = 0; k < 120 * 32; k++) {
            float value;
            uint16_t stored = 0;
            assert_ok(heed_stored_read(head, 2 * (size_t)k, &stored, 2, &error));
            heed_convert(&value, HEED_F32, &stored, HEED_BF16, 1);
            sum += value;
        }
        assert_true(sum > -4.10571325 && sum < -4.10571324);
        assert_ok(heed_weights_file_check_unchanged(file, &error));
        assert_null(heed_weights_file_find(file, "lm_head"));
        for (size_t k = 0; k < 21; k++) {
            const heed_stored_tensor *tensor = heed_weights_file_at(file, k);
            assert_ptr_equal(heed_weights_file_find(file, tensor->name), tensor);
        }
        heed_weights_file_close(file);
    }
    heed_weights_file_close(NULL);
}

/* A folder with two shards, a and b in the first and c in the second, and the given index text. */
static void make_folder(const char *index)
{
    const int64_t one[] = {1};
    const heed_tensor_source tensors[] = {
        {"a", HEED_U8, 1, one, "1"}, {"b", HEED_U8, 1, one, "2"}, {"c", HEED_U8, 1, one, "3"}};
    assert_ok(heed_safetensors_write(scratch_path(&work, FIRST),
                                     &(heed_tensor_set){.tensors = tensors, .count = 2}, &error));
    assert_ok(heed_safetensors_write(scratch_path(&work, SECOND),
                                     &(heed_tensor_set){.tensors = tensors + 2, .count = 1},
                                     &error));
    scratch_file(&work, "model.safetensors.index.json", index, strlen(index));
}

static void expect_values(const heed_weights_file *file, const char *name, const void *values,
                          size_t count)
{
    char found[256];
    const heed_stored_tensor *tensor = heed_weights_file_find(file, name);
    assert_true(tensor && tensor->bytes == count && count <= sizeof found);
    assert_ok(heed_stored_read(tensor, 0, found, count, &error));
    assert_memory_equal(found, values, count);
}

static heed_status open_folder(const char *index, heed_error *error)
{
    heed_weights_file *file = NULL;
    make_folder(index);
    heed_status status = heed_weights_file_open(&file, work.folder, error);
    assert_true((status == HEED_OK) == (file != NULL));
    heed_weights_file_close(file);
    return status;
}

static void indexes_that_lie_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *index;
        heed_status status;
        const char *part;
    } cases[] = {
        {"{\"weight_map\":{\"a\":\"" FIRST "\",\"b\":\"" FIRST "\",\"c\":\"" SECOND "\"}}", HEED_OK,
         ""},
        {"{\"weight_map\":{\"a\":\"./" FIRST "\",\"c\":\"./" SECOND "\"}}", HEED_OK, ""},
        {"{\"metadata\":{\"total_size\":-7},\"weight_map\":{\"a\":\"" FIRST "\",\"b\":\"" FIRST
         "\",\"c\":\"" SECOND "\"}}",
         HEED_OK, ""},
        {"{\"weight_map\":{\"a\":\"absent.safetensors\"}}", HEED_E_IO,
         "absent.safetensors: cannot open"},
        {"{\"weight_map\":{\"a\":\"../" FIRST "\"}}", HEED_E_FORMAT, "without a path"},
        {"{\"weight_map\":{\"a\":\"/etc/passwd\"}}", HEED_E_FORMAT, "without a path"},
        {"{\"weight_map\":{\"a\":\"..\\\\x\"}}", HEED_E_FORMAT, "without a path"},
        {"{\"weight_map\":{\"a\":\"..\"}}", HEED_E_FORMAT, "without a path"},
        {"{\"weight_map\":{\"a\":\".\"}}", HEED_E_FORMAT, "without a path"},
        {"{\"weight_map\":{\"a\":\"\"}}", HEED_E_FORMAT, "without a path"},
        {"{\"weight_map\":{\"a\":7}}", HEED_E_FORMAT, "no string"},
        {"{\"weight_map\":{}}", HEED_E_FORMAT, "weight_map is empty"},
        {"{\"weight_map\":[]}", HEED_E_FORMAT, "weight_map is missing or no object"},
        {"{}", HEED_E_FORMAT, "weight_map is missing or no object"},
        {"[]", HEED_E_FORMAT, "weight_map is missing or no object"},
        {"", HEED_E_FORMAT, "column"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (cases[i].status == HEED_OK) assert_ok(open_folder(cases[i].index, &error));
        else assert_fails(cases[i].status, cases[i].part, open_folder(cases[i].index, &error));
    }
}

static heed_weights_file *opened(const char *index)
{
    heed_weights_file *file = NULL;
    make_folder(index);
    assert_ok(heed_weights_file_open(&file, work.folder, &error));
    return file;
}

static char value_of(const heed_weights_file *file, const char *name)
{
    const heed_stored_tensor *tensor = heed_weights_file_find(file, name);
    char byte = 0;
    if (tensor) assert_ok(heed_stored_read(tensor, 0, &byte, 1, &error));
    return byte;
}

static void assert_note(const heed_weights_file *file, const char *part)
{
    assert_int_equal(heed_weights_file_note_count(file), 1);
    assert_non_null(strstr(heed_weights_file_note(file, 0), part));
}

/* The index decides where a tensor is; one that it does not name is read if it is there once. */
static void tensors_are_where_they_are_and_notes_tell(void **state)
{
    (void)state;
    heed_weights_file *file = opened("{\"weight_map\":{\"a\":\"" FIRST "\",\"c\":\"" SECOND "\"}}");
    assert_int_equal(heed_weights_file_count(file), 3);
    assert_int_equal(value_of(file, "b"), '2');
    assert_false(heed_weights_file_is_listed(file, 1));
    assert_true(heed_weights_file_is_listed(file, 0) && heed_weights_file_is_listed(file, 2));
    assert_note(file, "the index does not name 1 tensor of its shards, the first is \"b\"");
    heed_weights_file_close(file);
    file = opened("{\"weight_map\":{\"a\":\"" FIRST "\",\"b\":\"" SECOND "\",\"c\":\"" SECOND
                  "\"}}");
    assert_int_equal(value_of(file, "b"), '2');
    assert_note(file, "tensor \"b\" is not in the shard that the index names");
    assert_int_equal(heed_weights_file_lost_count(file), 0);
    heed_weights_file_close(file);
}

/* An entry that no shard gives is an error of the tensor alone. */
static void lost_tensors_are_missed_only_where_they_are_needed(void **state)
{
    (void)state;
    heed_weights_file *file = opened("{\"weight_map\":{\"a\":\"" FIRST "\",\"b\":\"" FIRST
                                     "\",\"c\":\"" SECOND "\",\"d\":\"" SECOND
                                     "\",\"e\":\"absent.safetensors\",\"f\":\"../x\"}}");
    assert_int_equal(heed_weights_file_count(file), 3);
    assert_int_equal(heed_weights_file_lost_count(file), 3);
    assert_fails(HEED_E_FORMAT, "without a path", heed_weights_file_check(file, "f", &error));
    assert_ok(heed_weights_file_check(file, "a", &error));
    assert_ok(heed_weights_file_check(file, "unheard of", &error));
    assert_fails(HEED_E_FORMAT, "tensor \"d\" is in " SECOND ", but it is not there",
                 heed_weights_file_check(file, "d", &error));
    assert_fails(HEED_E_IO, "absent.safetensors: cannot open",
                 heed_weights_file_check(file, "e", &error));
    assert_int_equal(heed_weights_file_note_count(file), 0);
    heed_weights_file_close(file);
    make_folder("{\"weight_map\":{\"a\":\"" FIRST "\",\"b\":\"" FIRST "\",\"c\":\"" SECOND "\"}}");
    assert_int_equal(truncate(scratch_path(&work, SECOND), 20), 0);
    assert_ok(heed_weights_file_open(&file, work.folder, &error));
    assert_null(heed_weights_file_find(file, "c"));
    assert_fails(HEED_E_FORMAT, SECOND, heed_weights_file_check(file, "c", &error));
    heed_weights_file_close(file);
}

static void the_copy_that_the_index_names_is_read(void **state)
{
    (void)state;
    const int64_t one[] = {1};
    const heed_tensor_source tensors[] = {{"a", HEED_U8, 1, one, "1"}, {"b", HEED_U8, 1, one, "x"}};
    const heed_tensor_set second = {.tensors = tensors, .count = 2};
    heed_weights_file *file = NULL;
    make_folder("{\"weight_map\":{\"a\":\"" SECOND "\",\"b\":\"" SECOND "\"}}");
    assert_ok(heed_safetensors_write(scratch_path(&work, SECOND), &second, &error));
    make_folder("{\"weight_map\":{\"a\":\"" FIRST "\",\"b\":\"" SECOND "\"}}");
    assert_ok(heed_safetensors_write(scratch_path(&work, SECOND), &second, &error));
    assert_ok(heed_weights_file_open(&file, work.folder, &error));
    assert_int_equal(heed_weights_file_count(file), 2);
    assert_int_equal(value_of(file, "b"), 'x');
    assert_note(file, "tensor \"a\" in");
    heed_weights_file_close(file);
    make_folder("{\"weight_map\":{\"a\":\"" FIRST "\",\"c\":\"" SECOND "\"}}");
    assert_ok(heed_safetensors_write(scratch_path(&work, SECOND), &second, &error));
    assert_ok(heed_weights_file_open(&file, work.folder, &error));
    assert_null(heed_weights_file_find(file, "b"));
    assert_fails(HEED_E_FORMAT, "\"b\" is in several shards, and the index names none of them",
                 heed_weights_file_check(file, "b", &error));
    heed_weights_file_close(file);
}

static void a_single_file_beside_an_index_is_read_and_told(void **state)
{
    (void)state;
    const int64_t one[] = {1};
    const heed_tensor_source tensor = {"a", HEED_U8, 1, one, "s"};
    const heed_tensor_set set = {.tensors = &tensor, .count = 1};
    heed_weights_file *file = NULL;
    make_folder("{\"weight_map\":{\"a\":\"" FIRST "\"}}");
    assert_ok(heed_safetensors_write(scratch_path(&work, "model.safetensors"), &set, &error));
    assert_ok(heed_weights_file_open(&file, work.folder, &error));
    assert_int_equal(value_of(file, "a"), 's');
    assert_note(file, "model.safetensors is read");
    heed_weights_file_close(file);
    assert_int_equal(unlink(scratch_path(&work, "model.safetensors")), 0);
}

static void a_shard_stands_for_all_of_them(void **state)
{
    (void)state;
    heed_weights_file *file = NULL;
    make_folder("{\"weight_map\":{\"a\":\"" FIRST "\",\"b\":\"" FIRST "\",\"c\":\"" SECOND "\"}}");
    assert_ok(heed_weights_file_open(&file, scratch_path(&work, SECOND), &error));
    assert_int_equal(heed_weights_file_count(file), 3);
    assert_note(file, "is one shard of a model");
    heed_weights_file_close(file);
    make_folder("{\"weight_map\":{\"c\":\"" SECOND "\"}}");
    assert_ok(heed_weights_file_open(&file, scratch_path(&work, FIRST), &error));
    assert_int_equal(heed_weights_file_count(file), 2);
    assert_int_equal(heed_weights_file_note_count(file), 0);
    heed_weights_file_close(file);
    char *folder = heed_weights_folder(scratch_path(&work, FIRST));
    assert_string_equal(folder, work.folder);
    free(folder);
    assert_true(heed_gguf_is_name("a.gguf") && heed_gguf_is_name("A.GGUF"));
    assert_false(heed_gguf_is_name("gguf") || heed_gguf_is_name("a.gguf/b"));
}

/* Writes a single file with tensors of these names and opens it. */
static heed_weights_file *with_names(const char *const *names, size_t count)
{
    const int64_t one[] = {1};
    heed_tensor_source tensors[4];
    heed_weights_file *file = NULL;
    for (size_t i = 0; i < count; i++)
        tensors[i] = (heed_tensor_source){names[i], HEED_U8, 1, one, "1"};
    const heed_tensor_set set = {.tensors = tensors, .count = count};
    const char *path = scratch_path(&work, "names.safetensors");
    assert_ok(heed_safetensors_write(path, &set, &error));
    assert_ok(heed_weights_file_open(&file, path, &error));
    return file;
}

static void names_lose_what_wrappers_put_into_them(void **state)
{
    (void)state;
    static const char *const compiled[] = {"_orig_mod.a", "b._orig_mod.c._orig_mod.d", "e"};
    static const char *const twice[] = {"a", "_orig_mod.a"};
    static const char *const before[] = {"module.x.a", "module.x.b.c"};
    bool changed = false;
    size_t length = 0;
    heed_weights_file *file = with_names(compiled, 3);
    assert_ok(heed_weights_file_unwrap(file, &changed, &error));
    assert_true(changed && value_of(file, "a") && value_of(file, "b.c.d") && value_of(file, "e"));
    assert_note(file, "\"_orig_mod.a\"");
    assert_ok(heed_weights_file_unwrap(file, &changed, &error));
    assert_false(changed);
    heed_weights_file_close(file);
    file = with_names(twice, 2);
    assert_fails(HEED_E_FORMAT, "tensor \"a\" is there with and without",
                 heed_weights_file_unwrap(file, &changed, &error));
    heed_weights_file_close(file);
    file = with_names(before, 2);
    assert_int_equal(strncmp(heed_weights_file_common(file, &length), "module.x.", 9), 0);
    assert_int_equal(length, 9);
    assert_string_equal(heed_weights_file_find_wrapped(file, "b.c", &length), "module.x.b.c");
    assert_int_equal(length, 0);
    assert_string_equal(heed_weights_file_find_wrapped(file, "module.b.c", &length),
                        "module.x.b.c");
    assert_int_equal(length, 7);
    assert_null(heed_weights_file_find_wrapped(file, "odule.b.c", &length));
    assert_null(heed_weights_file_find_wrapped(file, "module.x.b.c", &length));
    assert_ok(heed_weights_file_strip(file, 9, &error));
    assert_true(value_of(file, "a") && value_of(file, "b.c"));
    heed_weights_file_close(file);
}

static void truncated_indexes_are_errors(void **state)
{
    (void)state;
    const char *index = "{\"weight_map\":{\"a\":\"" FIRST "\",\"b\":\"" FIRST "\",\"c\":\"" SECOND
                        "\"}}";
    char part[256];
    for (size_t cut = 0; cut < strlen(index); cut++) {
        snprintf(part, sizeof part, "%.*s", (int)cut, index);
        assert_fails(HEED_E_FORMAT, "model.safetensors.index.json", open_folder(part, &error));
    }
}

static void folders_without_weights_say_what_they_hold(void **state)
{
    (void)state;
    heed_weights_file *file = NULL;
    scratch other;
    scratch_make(&other);
    assert_fails(HEED_E_IO, "expected model.safetensors",
                 heed_weights_file_open(&file, other.folder, &error));
    scratch_file(&other, "pytorch_model.bin", "PK", 2);
    scratch_file(&other, "weights.safetensors", "", 0);
    assert_fails(HEED_E_IO, "weights.safetensors holds the weights, give its path instead",
                 heed_weights_file_open(&file, other.folder, &error));
    assert_int_equal(unlink(other.path), 0);
    scratch_file(&other, FIRST, "", 0);
    assert_fails(HEED_E_IO, "model.safetensors.index.json, which names all of them, is missing",
                 heed_weights_file_open(&file, other.folder, &error));
    assert_int_equal(unlink(other.path), 0);
    scratch_file(&other, "adapter_model.safetensors", "", 0);
    assert_fails(HEED_E_UNSUPPORTED, "weights of an adapter",
                 heed_weights_file_open(&file, other.folder, &error));
    assert_int_equal(unlink(other.path), 0);
    assert_fails(HEED_E_UNSUPPORTED,
                 "only pickled weights (pytorch_model.bin); heed never reads those",
                 heed_weights_file_open(&file, other.folder, &error));
    assert_fails(HEED_E_IO, "cannot open", heed_weights_file_open(&file, "/nonexistent", &error));
    scratch_remove(&other);
}

static void shards_are_written_and_read_back(void **state)
{
    (void)state;
    static float values[40];
    for (int i = 0; i < 40; i++) values[i] = (float)i;
    const int64_t ten[] = {10}, forty[] = {40};
    const heed_tensor_source tensors[] = {
        {"z", HEED_F32, 1, ten, values},
        {"y", HEED_F32, 1, ten, values + 10},
        {"large", HEED_F32, 1, forty, values},
        {"a", HEED_F32, 1, ten, values + 20},
    };
    const heed_tensor_set set = {.tensors = tensors, .count = 4};
    scratch other;
    scratch_make(&other);
    heed_weights_file *file = NULL;
    assert_ok(heed_safetensors_write_folder(other.folder, &set, 280, &error));
    assert_ok(heed_weights_file_open(&file, other.folder, &error));
    assert_int_equal(heed_weights_file_count(file), 4);
    assert_string_equal(heed_weights_file_path(file), other.folder);
    expect_values(file, "large", values, 160);
    heed_weights_file_close(file);
    assert_ok(heed_safetensors_write_folder(other.folder, &set, 80, &error));
    assert_true(heed_path_exists(scratch_path(&other, "model-00003-of-00003.safetensors")));
    assert_false(heed_path_exists(scratch_path(&other, "model-00004-of-00003.safetensors")));
    /* the older single file no longer hides the index */
    assert_ok(heed_weights_file_open(&file, other.folder, &error));
    assert_string_equal(heed_weights_file_path(file),
                        scratch_path(&other, "model.safetensors.index.json"));
    expect_values(file, "large", values, 160);
    expect_values(file, "a", values + 20, 40);
    assert_non_null(strstr(heed_weights_file_find(file, "y")->file, "00001-of-00003"));
    assert_non_null(strstr(heed_weights_file_find(file, "large")->file, "00002-of-00003"));
    heed_weights_file_close(file);
    scratch_remove(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_single_and_sharded_alike),
        cmocka_unit_test(indexes_that_lie_are_named),
        cmocka_unit_test(tensors_are_where_they_are_and_notes_tell),
        cmocka_unit_test(lost_tensors_are_missed_only_where_they_are_needed),
        cmocka_unit_test(the_copy_that_the_index_names_is_read),
        cmocka_unit_test(a_single_file_beside_an_index_is_read_and_told),
        cmocka_unit_test(a_shard_stands_for_all_of_them),
        cmocka_unit_test(names_lose_what_wrappers_put_into_them),
        cmocka_unit_test(truncated_indexes_are_errors),
        cmocka_unit_test(folders_without_weights_say_what_they_hold),
        cmocka_unit_test(shards_are_written_and_read_back)};
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
