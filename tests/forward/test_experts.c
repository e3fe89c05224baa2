/* Models with experts: configurations that do not fit, files in both layouts, mixed types, the
   balance of experts in the loss. */
#include "cpu/backend.h"
#include "io/safetensors.h"
#include "forward/forward.h"
#include "model/weights_internal.h"
#include "support/fixtures.h"
#include "support/same_tensors.h"

static const heed_backend reference = {.name = "reference"};

/* config.json of a fixture with one key replaced (or removed, with NULL). */
static heed_status read_with(const char *fixture, const char *key, const char *value,
                             heed_config *config, heed_error *error)
{
    char path[512];
    fixture_path(path, fixture, "config.json");
    json_t *json = json_load_file(path, 0, NULL),
           *wrapped = value ? json_loads(value, JSON_DECODE_ANY, NULL) : NULL;
    assert_non_null(json);
    if (value) assert_int_equal(json_object_set_new(json, key, wrapped), 0);
    else json_object_del(json, key);
    heed_status status = heed_config_read(config, json, "config", error);
    json_decref(json);
    return status;
}

static void configurations_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *fixture, *key, *value, *part;
        heed_status status;
    } cases[] = {
        {"mixtral", "num_local_experts", "0", "num_local_experts is 0", HEED_E_FORMAT},
        {"mixtral", "num_local_experts", "5000", "the number of experts is 5000", HEED_E_FORMAT},
        {"mixtral", "num_experts_per_tok", "5", "that a token chooses is 5; expected 1 to 4",
         HEED_E_FORMAT},
        {"mixtral", "num_experts_per_tok", "-1", "num_experts_per_tok is -1", HEED_E_FORMAT},
        {"mixtral", "router_jitter_noise", "0.1", "router_jitter_noise is 0.1", HEED_E_UNSUPPORTED},
        {"mixtral", "router_aux_loss_coef", "\"much\"", "router_aux_loss_coef", HEED_E_FORMAT},
        {"qwen3_moe", "moe_intermediate_size", "16777217", "width of an expert", HEED_E_FORMAT},
        {"qwen3_moe", "decoder_sparse_step", "0", "decoder_sparse_step is 0", HEED_E_FORMAT},
        {"qwen3_moe", "decoder_sparse_step", "5000", "the step from one layer", HEED_E_FORMAT},
        {"qwen3_moe", "mlp_only_layers", "[0, -1]", "mlp_only_layers[1]", HEED_E_FORMAT},
        {"qwen3_moe", "mlp_only_layers", "[\"a\"]", "mlp_only_layers[0]", HEED_E_FORMAT},
        {"qwen3_moe", "mlp_only_layers", "3", "expected a list", HEED_E_FORMAT},
        {"gpt_oss", "swiglu_limit", "-1", "swiglu_limit -1", HEED_E_FORMAT},
        {"gpt_oss", "layer_types", "[\"full_attention\"]", "layer_types has 1 entries",
         HEED_E_FORMAT},
        {"gpt_oss", "quantization_config", "{\"quant_method\": \"mxfp4\"}", "mxfp4",
         HEED_E_UNSUPPORTED}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        heed_config config;
        assert_fails(cases[i].status, cases[i].part,
                     read_with(cases[i].fixture, cases[i].key, cases[i].value, &config, &error));
    }
}

static void layers_with_experts_follow_step_and_list(void **state)
{
    (void)state;
    heed_config config;
    assert_ok(read_with("qwen3_moe", "mlp_only_layers", "[1, 9000000]", &config, &error));
    assert_true(heed_config_has_experts(&config, 0) && !heed_config_has_experts(&config, 1));
    assert_ok(read_with("qwen3_moe", "decoder_sparse_step", "2", &config, &error));
    assert_true(!heed_config_has_experts(&config, 0) && heed_config_has_experts(&config, 1));
    assert_ok(read_with("qwen3_moe", "num_local_experts", NULL, &config, &error));
    assert_int_equal(config.experts, 128);
    assert_ok(read_with("gpt_oss", "layer_types", NULL, &config, &error));
    assert_true(heed_config_windowed(&config, 0) && !heed_config_windowed(&config, 1));
}

/* One tensor an expert, or one for all with gate and up in turns; packed, in rows, opened for
   training. */
static void experts_are_saved_as_they_were_loaded(void **state)
{
    (void)state;
    static const char *const fixtures[] = {"mixtral", "qwen2_moe", "qwen3_moe-step", "gpt_oss"};
    for (size_t i = 0; i < sizeof fixtures / sizeof *fixtures; i++)
        for (int way = 0; way < 2 + (int)heed_isa_detect() + 1; way++) {
            char path[512];
            scratch s;
            heed_model *model = NULL;
            heed_backend *cpu = NULL;
            fixture_path(path, fixtures[i], "");
            scratch_make(&s);
            if (way >= 2) assert_ok(heed_cpu_backend_new(&cpu, 1, (heed_isa)(way - 2), &error));
            assert_ok(heed_model_load(
                &model, path,
                &(heed_model_options){.backend = cpu ? cpu : &reference, .training = way == 1},
                &error));
            assert_ok(heed_model_save(model, s.folder, HEED_DTYPE_COUNT, &error));
            assert_same_tensors(path, s.folder, NULL);
            heed_config before = *heed_model_config(model), after;
            assert_ok(heed_config_load(&after, s.folder, &error));
            assert_true(before.family == after.family && before.experts == after.experts &&
                        before.experts_per_token == after.experts_per_token &&
                        before.expert_d_ff == after.expert_d_ff &&
                        before.expert_step == after.expert_step &&
                        before.router_renormalized == after.router_renormalized &&
                        before.window == after.window);
            assert_memory_equal(before.dense, after.dense, sizeof before.dense);
            heed_model_release(model);
            heed_cpu_backend_free(cpu);
            scratch_remove(&s);
        }
}

/* New models give every expert weights of its own. */
static void experts_begin_unlike_each_other(void **state)
{
    (void)state;
    char path[512];
    heed_config config;
    heed_model *model = NULL;
    fixture_path(path, "mixtral", "");
    assert_ok(heed_config_load(&config, path, &error));
    assert_ok(heed_model_new_random(
        &model, &config, &(heed_model_options){.backend = &reference, .training = true, .seed = 5},
        &error));
    const float *first = NULL;
    for (size_t i = 0; i < heed_model_parameter_count(model); i++) {
        heed_parameter_info info = heed_model_parameter(model, i);
        if (!strstr(info.name, "layers.1.block_sparse_moe.experts.") || !strstr(info.name, ".w1."))
            continue;
        if (first) assert_true(memcmp(first, info.rows, info.elements * sizeof(float)) != 0);
        first = info.rows;
    }
    assert_non_null(first);
    heed_model_release(model);
}

/* The last row's logits of a model whose experts are blocks; the same weights whatever the
   backend. */
static void run_in_blocks(const heed_config *config, heed_dtype type, const heed_backend *backend,
                          float *logits)
{
    enum { LENGTH = 29 };
    int64_t ids[LENGTH];
    heed_model *model = NULL;
    heed_tensor_list outputs = {0};
    for (int64_t i = 0; i < LENGTH; i++) ids[i] = (i * i + 3) % config->vocabulary;
    heed_model_options how = {
        .backend = backend, .seed = 11, .narrows = true, .narrow_dtype = type};
    assert_ok(heed_model_new_random(&model, config, &how, &error));
    for (size_t i = 0; i < model->n_weights; i++)
        if (model->weights[i].experts && model->weights[i].columns)
            assert_int_equal(model->weights[i].dtype, type);
    heed_named_tensor input = {
        .name = "in.input_ids", .dtype = HEED_I64, .rank = 2, .shape = {1, LENGTH}, .data = ids};
    assert_ok(heed_forward(model, backend, &(heed_forward_inputs){&input, 1},
                           &(heed_forward_options){0}, &outputs, &error));
    for (size_t i = 0; i < outputs.count; i++)
        if (!strcmp(outputs.items[i].name, "out.logits"))
            memcpy(logits, (const float *)outputs.items[i].data + (LENGTH - 1) * config->vocabulary,
                   (size_t)config->vocabulary * sizeof *logits);
    heed_tensor_list_free(&outputs);
    heed_model_release(model);
}

/* Experts stay blocks in memory, as large as in a file, and are multiplied as other blocks are:
   kernels agree with the reference. */
static void experts_are_multiplied_as_blocks(void **state)
{
    (void)state;
    /* the last: decoded as it is read */
    static const heed_dtype types[] = {HEED_Q8_0, HEED_Q4_1, HEED_IQ4_NL};
    char path[512];
    heed_config config;
    fixture_path(path, "mixtral", "");
    assert_ok(heed_config_load(&config, path, &error));
    config.d_model = config.embedding_width = 256;
    config.expert_d_ff = 96;
    config.decoder.layers = 1;
    config.vocabulary = 40;
    float *wanted = malloc(2 * (size_t)config.vocabulary * sizeof *wanted),
          *found = wanted + config.vocabulary;
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        run_in_blocks(&config, types[t], &reference, wanted);
        for (int isa = 0; isa <= (int)heed_isa_detect(); isa++) {
            heed_backend *cpu = NULL;
            assert_ok(heed_cpu_backend_new(&cpu, 1 + isa, (heed_isa)isa, &error));
            run_in_blocks(&config, types[t], cpu, found);
            float largest = 0, apart = 0;
            for (int64_t i = 0; i < config.vocabulary; i++) {
                float size = fabsf(wanted[i]), distance = fabsf(wanted[i] - found[i]);
                largest = size > largest ? size : largest;
                apart = distance > apart ? distance : apart;
            }
            /* A difference in the last bit of an activation may move its rounding by a step of
               1/127. */
            if (!(largest > 0 && apart <= 5e-3f * largest))
                fail_msg("%s, %s: %g apart, largest %g", heed_dtypes[types[t]].name,
                         heed_isa_name((heed_isa)isa), apart, largest);
            heed_cpu_backend_free(cpu);
        }
    }
    free(wanted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(configurations_that_do_not_fit_are_refused),
                                       cmocka_unit_test(layers_with_experts_follow_step_and_list),
                                       cmocka_unit_test(experts_are_saved_as_they_were_loaded),
                                       cmocka_unit_test(experts_begin_unlike_each_other),
                                       cmocka_unit_test(experts_are_multiplied_as_blocks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
