/* Loading, saving, running forward with gradients, and engines, with each allocation failing in
   turn. */
#include "model/engine.h"
#include "support/fail_alloc.h"
#include "support/fixtures.h"

static const heed_backend reference = {.name = "reference"};
static scratch work;

static heed_status load_and_free(void *fixture, heed_error *error)
{
    char path[512];
    heed_model *model = NULL;
    fixture_path(path, fixture, "");
    heed_status status = heed_model_load(&model, path, &(heed_model_options){.backend = &reference},
                                         error);
    heed_model_release(model);
    return status;
}

static heed_status save_again(void *model, heed_error *error)
{
    return heed_model_save(model, work.folder, HEED_F16, error);
}

typedef struct {
    heed_model *model;
    const oracle *oracle;
} forward_case;

static heed_status forward_with_gradients(void *context, heed_error *error)
{
    const forward_case *c = context;
    heed_tensor_list outputs = {0};
    heed_forward_options options = {.gradients = true, .attentions = true};
    heed_status status = heed_forward(
        c->model, &reference, &(heed_forward_inputs){c->oracle->inputs, c->oracle->n_inputs},
        &options, &outputs, error);
    heed_tensor_list_free(&outputs);
    return status;
}

static heed_status use_engine(void *model, heed_error *error)
{
    heed_engine *engine = NULL;
    HEED_TRY(heed_engine_new(&engine, model, &reference, error));
    size_t bytes = 0;
    heed_program_spec spec = {
        .purpose = HEED_PURPOSE_LOSS, .rows = 4, .gathered = 4, .sequences = 1, .source_rows = 4};
    heed_status status = heed_engine_bytes(engine, &spec, &bytes, error);
    if (status == HEED_OK) status = heed_engine_prepare(engine, &spec, error);
    heed_engine_free(engine);
    return status;
}

static heed_status make_new(void *family, heed_error *error)
{
    heed_config config;
    heed_model *model = NULL;
    HEED_TRY(heed_config_preset(&config, family, error));
    config.vocabulary = 20;
    config.d_model = 16;
    config.context = 8;
    config.pad_id = config.bos_id = config.eos_id = config.decoder_start_id = 0;
    if (config.arrangement != HEED_DECODER_ONLY) {
        config.encoder.layers = 1;
        config.encoder.heads = 2;
    }
    if (config.arrangement != HEED_ENCODER_ONLY) {
        config.decoder.layers = 1;
        config.decoder.heads = 2;
    }
    heed_status status = heed_model_new_random(
        &model, &config, &(heed_model_options){.backend = &reference, .training = true}, error);
    heed_model_release(model);
    return status;
}

static void loading_survives_each_failure(void **state)
{
    (void)state;
    assert_true(fail_alloc_each(load_and_free, "gpt2") > 50);
    assert_true(fail_alloc_each(load_and_free, "marian") > 50);
    assert_true(fail_alloc_each(load_and_free, "llama-bf16-sharded") > 50);
}

static void new_models_survive_each_failure(void **state)
{
    (void)state;
    assert_true(fail_alloc_each(make_new, "heed") > 20);
    assert_true(fail_alloc_each(make_new, "marian") > 20);
}

static void everything_else_survives_each_failure(void **state)
{
    (void)state;
    static const char *const fixtures[] = {"gpt2-seqcls", "torch-transformer", "bert-qa"};
    for (size_t i = 0; i < sizeof fixtures / sizeof *fixtures; i++) {
        char path[512];
        heed_model *model = NULL;
        oracle o = oracle_open(fixtures[i]);
        fixture_path(path, fixtures[i], "");
        assert_ok(heed_model_load(
            &model, path, &(heed_model_options){.backend = &reference, .training = true}, &error));
        /* what a failed run leaves in the model stays there */
        assert_ok(heed_model_allocate_gradients(model, &error));
        forward_case c = {model, &o};
        assert_true(fail_alloc_each(save_again, model) > 20);
        assert_true(fail_alloc_each(forward_with_gradients, &c) > 100);
        /* the bare transformer has no loss */
        if (i != 1) assert_true(fail_alloc_each(use_engine, model) > 20);
        heed_model_release(model);
        oracle_close(&o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(loading_survives_each_failure),
                                       cmocka_unit_test(new_models_survive_each_failure),
                                       cmocka_unit_test(everything_else_survives_each_failure)};
    fail_alloc_cover_jansson();
    scratch_make(&work);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    scratch_remove(&work);
    return failed;
}
