/* Opening and writing weights with each allocation failing in turn. */
#include "io/weights.h"
#include "support/fail_alloc.h"
#include "support/work.h"

static heed_status open_path(void *path, heed_error *error)
{
    heed_weights_file *file = NULL;
    heed_status status = heed_weights_file_open(&file, path, error);
    heed_weights_file_close(file);
    return status;
}

static heed_status fill_zero(void *context, size_t index, const heed_tensor_source *tensor,
                             void *bytes, heed_error *error)
{
    (void)context;
    (void)index;
    (void)tensor;
    (void)error;
    memset(bytes, 0, 8);
    return HEED_OK;
}

static heed_status write_folder(void *shard_bytes, heed_error *error)
{
    const int64_t two[] = {2};
    const heed_tensor_source tensors[] = {
        {"a", HEED_F32, 1, two, "12345678"},
        {"b", HEED_F32, 1, two, NULL},
        {"c", HEED_F32, 1, two, "abcdefgh"},
    };
    const heed_tensor_set set = {.tensors = tensors, .count = 3, .produce = fill_zero};
    return heed_safetensors_write_folder(work.folder, &set, *(size_t *)shard_bytes, error);
}

static void opening_survives_each_failure(void **state)
{
    (void)state;
    assert_true(fail_alloc_each(open_path, HEED_FIXTURES "/gpt2") > 50);
    assert_true(fail_alloc_each(open_path, HEED_FIXTURES "/llama-bf16-sharded") > 50);
}

static void writing_survives_each_failure(void **state)
{
    (void)state;
    for (size_t shard = 0; shard <= 8; shard += 8) {
        assert_true(fail_alloc_each(write_folder, &shard) > 5);
        assert_ok(open_path(work.folder, &error));
        assert_false(heed_path_exists(scratch_path(&work, "model.safetensors.tmp")));
    }
}

int main(void)
{
    fail_alloc_cover_jansson();
    const struct CMUnitTest tests[] = {cmocka_unit_test(opening_survives_each_failure),
                                       cmocka_unit_test(writing_survives_each_failure)};
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
