/* Models in GGUF files: the fixtures of transformers and llama.cpp, files written here, and what
   they cannot say. */
#include "cpu/backend.h"
#include "io/weights.h"
#include "support/changed.h"

static heed_backend *cpu;

static int make_backend(void **state)
{
    (void)state;
    heed_error error = {0};
    return heed_cpu_backend_new(&cpu, 2, heed_isa_detect(), &error);
}

static int free_backend(void **state)
{
    (void)state;
    heed_cpu_backend_free(cpu);
    return 0;
}

typedef struct {
    double largest, rms, scale;
} distance;

/* How far the logits of a model are from a tensor of the oracle. */
static distance logits_from(const oracle *o, const char *path, const heed_backend *backend,
                            bool training, const char *wanted)
{
    heed_model *model = NULL;
    heed_tensor_list outputs = {0};
    distance d = {0};
    assert_ok(heed_model_load(
        &model, path, &(heed_model_options){.backend = backend, .training = training}, &error));
    assert_ok(heed_forward(model, backend, &(heed_forward_inputs){o->inputs, o->n_inputs},
                           &(heed_forward_options){0}, &outputs, &error));
    const heed_stored_tensor *want = heed_safetensors_find(o->file, wanted);
    const heed_named_tensor *have = named(&outputs, "out.logits");
    assert_true(want && have);
    size_t count = want->bytes / sizeof(float);
    for (size_t i = 0; i < count; i++) {
        if (!is_compared(o, "out.logits", want, i)) continue; /* padding */
        double value = ((const float *)want->data)[i],
               difference = fabs(((const float *)have->data)[i] - value);
        d.largest = fmax(d.largest, difference);
        d.scale = fmax(d.scale, fabs(value));
        d.rms += difference * difference / (double)count;
    }
    d.rms = sqrt(d.rms);
    heed_tensor_list_free(&outputs);
    heed_model_release(model);
    return d;
}

/* Between two tensors of the oracle. */
static distance oracle_distance(const oracle *o, const char *one, const char *other)
{
    const heed_stored_tensor *a = heed_safetensors_find(o->file, one),
                             *b = heed_safetensors_find(o->file, other);
    distance d = {0};
    size_t count = a->bytes / sizeof(float);
    for (size_t i = 0; i < count; i++) {
        double difference = fabs(((const float *)a->data)[i] - (double)((const float *)b->data)[i]);
        d.largest = fmax(d.largest, difference);
        d.rms += difference * difference / (double)count;
    }
    d.rms = sqrt(d.rms);
    return d;
}

/* Decoded weights give the logits of transformers; rounded activations stay as near to them as
   llama.cpp's do. */
static void fixtures_of_llama_cpp(void **state)
{
    (void)state;
    static const char *const names[] = {"gguf-llama-f32", "gguf-llama-q8_0", "gguf-llama-q4_k_m"};
    static const heed_backend reference = {.name = "reference", .isa = HEED_ISA_GENERIC};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        oracle o = oracle_open(names[i]);
        char path[512];
        fixture_path(path, names[i], "model.gguf");
        distance theirs = oracle_distance(&o, "out.llama_cpp_logits", "out.logits");
        distance decoded = logits_from(&o, path, cpu, true, "out.logits"),
                 own = logits_from(&o, path, cpu, false, "out.logits");
        distance defined = logits_from(&o, path, &reference, false, "out.logits");
        print_message("%-18s decoded %.2g, rounded activations rms %.4f largest %.4f (llama.cpp "
                      "%.4f, %.4f)\n",
                      names[i], decoded.largest, own.rms, own.largest, theirs.rms, theirs.largest);
        assert_true(decoded.largest <= 3e-6 * decoded.scale);
        assert_true(own.rms <= fmax(1.1 * theirs.rms, 1e-6) &&
                    defined.rms <= fmax(1.1 * theirs.rms, 1e-6));
        oracle_close(&o);
    }
}

static void resident_weights_are_as_large_as_the_file(void **state)
{
    (void)state;
    static const char *const names[] = {"gguf-llama-q8_0", "gguf-llama-q4_k_m"};
    for (size_t i = 0; i < 2; i++) {
        char path[512];
        heed_model *model = NULL;
        heed_weights_file *file = NULL;
        fixture_path(path, names[i], "model.gguf");
        assert_ok(heed_model_load(&model, path, &(heed_model_options){.backend = cpu}, &error));
        assert_ok(heed_weights_file_open(&file, path, &error));
        double ratio = (double)heed_model_bytes(model) / (double)heed_weights_file_bytes(file);
        print_message("%s: %.3f of the file's tensors\n", names[i], ratio);
        assert_true(ratio < 1.05);
        heed_weights_file_close(file);
        heed_model_release(model);
    }
}

/* Folder to GGUF in f32: the same logits to the bit. */
static void what_is_written_loads_as_the_same_model(void **state)
{
    (void)state;
    static const char *const names[] = {"llama",
                                        "llama-mha-bias",
                                        "llama-rope-linear",
                                        "llama-rope-yarn",
                                        "qwen2",
                                        "qwen3",
                                        "mistral",
                                        "gpt2",
                                        "smollm2",
                                        "gemma",
                                        "gemma2",
                                        "gemma3",
                                        "phi3",
                                        "phi3-longrope",
                                        "mixtral",
                                        "qwen3_moe",
                                        "olmo2",
                                        "gpt_oss",
                                        "cohere",
                                        "cohere-qk-norm",
                                        "starcoder2",
                                        "gpt_bigcode",
                                        "falcon",
                                        "falcon-groups",
                                        "bloom",
                                        "mpt-clip",
                                        "gpt_neox"};
    scratch s;
    scratch_make(&s);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        oracle o = oracle_open(names[i]);
        char path[512];
        heed_model *model = NULL;
        fixture_path(path, names[i], "");
        assert_ok(heed_model_load(&model, path, &(heed_model_options){0}, &error));
        assert_ok(heed_model_save_gguf(model, scratch_path(&s, "x.gguf"), HEED_F32, NULL, &error));
        distance folder = logits_from(&o, path, cpu, false, "out.logits"),
                 file = logits_from(&o, scratch_path(&s, "x.gguf"), cpu, false, "out.logits");
        if (folder.largest != file.largest || folder.rms != file.rms)
            fail_msg("%s: %g in a folder, %g as GGUF", names[i], folder.largest, file.largest);
        heed_model_release(model);
        /* And back: where gains are stored as g - 1, they were rounded as g. */
        assert_ok(
            heed_model_load(&model, scratch_path(&s, "x.gguf"), &(heed_model_options){0}, &error));
        assert_ok(heed_model_save(model, s.folder, HEED_F32, &error));
        distance back = logits_from(&o, s.folder, cpu, false, "out.logits");
        if (fabs(back.largest - file.largest) > 1e-6 * file.scale)
            fail_msg("%s: %g as GGUF, %g in a folder again", names[i], file.largest, back.largest);
        heed_model_release(model);
        oracle_close(&o);
    }
    scratch_remove(&s);
}

/* ---- configurations of fixtures, changed ---- */

/* What no fixture has: the same model in a folder and as a GGUF file, to the bit. */
static void changed_models_are_the_same_in_both(void **state)
{
    (void)state;
    static const struct {
        const char *fixture, *changes;
    } cases[] = {
        {"qwen2_moe", "{\"mlp_only_layers\": []}"},
        {"qwen2_moe", "{\"mlp_only_layers\": [], \"tie_word_embeddings\": true}"},
        {"phi", "{\"qk_layernorm\": false}"},
        {"gpt_neox", "{\"use_parallel_residual\": false}"},
        {"starcoder2", "{\"use_bias\": false}"},
        {"gemma3",
         "{\"num_hidden_layers\": 7, \"layer_types\": null, \"rope_local_base_freq\": 300}"},
        {"gemma3",
         "{\"layer_types\": [\"full_attention\", \"full_attention\", \"full_attention\"]}"},
        {"bloom", "{\"n_head\": 2}"},
        {"mpt", "{\"attn_config\": {\"alibi_bias_max\": 6}}"},
        {"gpt_bigcode", "{\"multi_query\": false}"}};
    scratch s;
    scratch_make(&s);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        heed_model *model = changed_model(cases[i].fixture, cases[i].changes);
        oracle o = oracle_open(cases[i].fixture);
        const char *path = scratch_path(&s, "x.gguf");
        assert_ok(heed_model_save(model, s.folder, HEED_F32, &error));
        assert_ok(heed_model_save_gguf(model, path, HEED_F32, NULL, &error));
        distance folder = logits_from(&o, s.folder, cpu, false, "out.logits"),
                 file = logits_from(&o, path, cpu, false, "out.logits");
        if (folder.largest != file.largest || folder.rms != file.rms || folder.largest == 0)
            fail_msg("%s %s: %g in a folder, %g as GGUF", cases[i].fixture, cases[i].changes,
                     folder.largest, file.largest);
        heed_model_release(model);
        oracle_close(&o);
    }
    scratch_remove(&s);
}

/* What an architecture has no words for is refused by name, not written as another model. */
static void what_files_cannot_say_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *fixture, *changes, *what;
    } cases[] = {
        {"qwen2_moe", "{}", "layers without experts"},
        {"phi", "{}", "norm of queries and keys"},
        {"mpt", "{}", "scale of scores"},
        {"bloom", "{\"apply_residual_connection_post_layernorm\": true}", "place of norms"},
        {"falcon-alibi", "{}", "order of sublayers"},
        {"falcon", "{\"alibi\": true}", "kind of positions"},
        {"gemma2", "{\"query_pre_attn_scalar\": 5}", "query_pre_attn_scalar"},
        {"gemma", "{\"hidden_act\": \"relu\"}", "activation"},
        {"gpt_oss", "{\"swiglu_limit\": 5.0}", "swiglu_limit"},
        {"qwen3_moe", "{\"norm_topk_prob\": false}", "norm_topk_prob"},
        {"gpt2", "{\"scale_attn_weights\": false}", "scaling of scores"},
        {"gpt_oss", "{\"layer_types\": [\"full_attention\", \"sliding_attention\"]}",
         "layers without a window"},
        {"qwen2",
         "{\"use_sliding_window\": true, \"sliding_window\": 4, \"max_window_layers\": 1, "
         "\"layer_types\": null}",
         "layers without a window"},
        {"gpt_neox",
         "{\"rope_parameters\": {\"rope_theta\": 100.0, \"partial_rotary_factor\": 0.4}}",
         "odd number of rotary channels"},
        {"gptj", "{}", "no place in GGUF files"}};
    scratch s;
    scratch_make(&s);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        heed_model *model = changed_model(cases[i].fixture, cases[i].changes);
        heed_error problem = {0};
        heed_status status = heed_model_save_gguf(model, scratch_path(&s, "x.gguf"), HEED_F32, NULL,
                                                  &problem);
        if (status != HEED_E_UNSUPPORTED || !strstr(problem.message, cases[i].what))
            fail_msg("%s %s: status %d, \"%s\"", cases[i].fixture, cases[i].changes, status,
                     problem.message);
        heed_model_release(model);
    }
    scratch_remove(&s);
}

/* Which layers have the window may be listed, and experts tell Mixtral from Llama. */
static void windows_by_a_list_and_experts_by_their_number(void **state)
{
    (void)state;
    static const char *const names[] = {"gemma3", "mixtral"};
    static const bool windows[] = {false, true, true};
    scratch s;
    scratch_make(&s);
    for (size_t i = 0; i < 2; i++) {
        heed_model *model = changed_model(names[i], "{}");
        heed_gguf *file = NULL;
        heed_gguf_entries entries = {0};
        heed_config config;
        assert_ok(heed_model_save_gguf(model, scratch_path(&s, "x.gguf"), HEED_F32, NULL, &error));
        assert_ok(heed_gguf_open_whole(&file, scratch_path(&s, "x.gguf"), &error));
        for (size_t e = 0; e < heed_gguf_entry_count(file); e++)
            if (!strstr(heed_gguf_entry_at(file, e)->key, "sliding_window_pattern"))
                heed_gguf_put_entry(&entries, heed_gguf_entry_at(file, e));
        heed_gguf_put_array(&entries, "gemma3.attention.sliding_window_pattern", HEED_GGUF_BOOL, 3);
        for (int k = 0; k < 3; k++) heed_gguf_put_element(&entries, HEED_GGUF_BOOL, windows[k]);
        heed_tensor_source *sources = calloc(heed_gguf_count(file), sizeof *sources);
        assert_non_null(sources);
        for (size_t t = 0; t < heed_gguf_count(file); t++) {
            const heed_stored_tensor *from = heed_gguf_at(file, t);
            sources[t] = (heed_tensor_source){
                .name = from->name,
                .dtype = from->dtype,
                .rank = from->rank,
                .shape = from->shape,
                .data = from->data,
            };
        }
        heed_tensor_set set = {.tensors = sources, .count = heed_gguf_count(file)};
        assert_ok(heed_gguf_write(scratch_path(&s, "y.gguf"), &entries, &set, &error));
        assert_ok(heed_config_load(&config, scratch_path(&s, "y.gguf"), &error));
        assert_string_equal(config.model_type, heed_model_config(model)->model_type);
        for (int k = 0; i == 0 && k < 3; k++)
            assert_int_equal(heed_config_windowed(&config, k), windows[k]);
        assert_int_equal(config.experts, i == 1 ? 4 : 0);
        heed_gguf_close(file);
        heed_buffer_free(&entries.bytes);
        free(sources);
        heed_model_release(model);
    }
    scratch_remove(&s);
}

/* The frequencies that llama3 stretches are divided as f32: nearly the same. */
static void stretched_frequencies_go_along(void **state)
{
    (void)state;
    oracle o = oracle_open("llama-rope-llama3");
    char path[512];
    heed_model *model = NULL;
    scratch s;
    scratch_make(&s);
    fixture_path(path, "llama-rope-llama3", "");
    assert_ok(heed_model_load(&model, path, &(heed_model_options){0}, &error));
    assert_ok(heed_model_save_gguf(model, scratch_path(&s, "x.gguf"), HEED_F32, NULL, &error));
    distance d = logits_from(&o, scratch_path(&s, "x.gguf"), cpu, false, "out.logits");
    assert_true(d.largest < 2e-5 * d.scale);
    heed_model_release(model);
    oracle_close(&o);
    scratch_remove(&s);
}

static void blocks_are_copied_bit_by_bit(void **state)
{
    (void)state;
    static const char *const names[] = {"gguf-llama-q8_0", "gguf-llama-q4_k_m"};
    scratch s;
    scratch_make(&s);
    for (size_t i = 0; i < 2; i++) {
        char path[512];
        heed_model *model = NULL;
        heed_gguf *from = NULL, *to = NULL;
        fixture_path(path, names[i], "model.gguf");
        assert_ok(heed_model_load(&model, path, &(heed_model_options){0}, &error));
        assert_ok(heed_model_save_gguf(model, scratch_path(&s, "x.gguf"), HEED_DTYPE_COUNT, NULL,
                                       &error));
        assert_ok(heed_gguf_open_whole(&from, path, &error));
        assert_ok(heed_gguf_open_whole(&to, scratch_path(&s, "x.gguf"), &error));
        assert_int_equal(heed_gguf_count(from), heed_gguf_count(to));
        for (size_t t = 0; t < heed_gguf_count(from); t++) {
            const heed_stored_tensor *a = heed_gguf_at(from, t), *b = heed_gguf_find(to, a->name);
            assert_true(b && a->dtype == b->dtype && a->bytes == b->bytes);
            assert_memory_equal(a->data, b->data, a->bytes);
        }
        heed_gguf_close(from);
        heed_gguf_close(to);
        heed_model_release(model);
    }
    scratch_remove(&s);
}

/* GGUF to a folder and back; and every type that can be made. */
static void folders_and_types(void **state)
{
    (void)state;
    oracle o = oracle_open("gguf-llama-f32");
    char path[512];
    heed_model *model = NULL;
    scratch s;
    scratch_make(&s);
    fixture_path(path, "gguf-llama-f32", "model.gguf");
    assert_ok(heed_model_load(&model, path, &(heed_model_options){0}, &error));
    assert_ok(heed_model_save(model, s.folder, HEED_DTYPE_COUNT, &error));
    distance file = logits_from(&o, path, cpu, false, "out.logits"),
             folder = logits_from(&o, s.folder, cpu, false, "out.logits");
    assert_true(file.largest == folder.largest && file.rms == folder.rms);
    for (int dtype = 0; dtype < HEED_DTYPE_COUNT; dtype++) {
        bool written = dtype == HEED_F32 || dtype == HEED_F16 || dtype == HEED_BF16 ||
                       heed_dtypes[dtype].encode;
        if (!written) {
            assert_fails(HEED_E_ARG, "cannot be written",
                         heed_model_save_gguf(model, scratch_path(&s, "x.gguf"), (heed_dtype)dtype,
                                              NULL, &error));
            continue;
        }
        assert_ok(heed_model_save_gguf(model, scratch_path(&s, "x.gguf"), (heed_dtype)dtype, NULL,
                                       &error));
        distance d = logits_from(&o, scratch_path(&s, "x.gguf"), cpu, false, "out.logits");
        print_message("%-7s logits off by rms %.4f\n", heed_dtypes[dtype].name, d.rms);
        double limit = 0.6;
        if (dtype == HEED_Q3_K || dtype == HEED_IQ4_NL) limit = 1;
        if (dtype == HEED_Q2_K) limit = 3;
        assert_true(d.rms < limit);
    }
    heed_model_release(model);
    oracle_close(&o);
    scratch_remove(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixtures_of_llama_cpp),
        cmocka_unit_test(resident_weights_are_as_large_as_the_file),
        cmocka_unit_test(what_is_written_loads_as_the_same_model),
        cmocka_unit_test(changed_models_are_the_same_in_both),
        cmocka_unit_test(what_files_cannot_say_is_refused),
        cmocka_unit_test(windows_by_a_list_and_experts_by_their_number),
        cmocka_unit_test(stretched_frequencies_go_along),
        cmocka_unit_test(blocks_are_copied_bit_by_bit),
        cmocka_unit_test(folders_and_types)};
    return cmocka_run_group_tests(tests, make_backend, free_backend);
}
