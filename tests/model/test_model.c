/* Loading, saving, new models: every tensor used once, every error by name, what is written loads
   again with the same values. */
#include "cpu/backend.h"
#include "model/weights_internal.h"
#include "tensor/dtype.h"
#include "support/copy.h"
#include "support/fixtures.h"
#include "support/same_tensors.h"

static const heed_backend reference = {.name = "reference"};

/* ---- broken copies of a fixture ---- */

static heed_status load(const char *folder, const heed_model_options *options, heed_error *error)
{
    heed_model *model = NULL;
    heed_status status = heed_model_load(&model, folder, options, error);
    heed_model_release(model);
    return status;
}

static void wrong_files_are_refused_by_name(void **state)
{
    (void)state;
    const heed_model_options plain = {.backend = &reference}, training = {.backend = &reference,
                                                                          .training = true,
                                                                          .missing_head = true};
    copy c = copy_open("llama");
    heed_tensor_source *norm = item(&c, "model.norm.weight"), kept = *norm;
    static const int64_t wrong[] = {31}, square[] = {32, 1};
    static const int32_t integers[32] = {0};
    *norm = c.items[--c.count];
    assert_fails(HEED_E_FORMAT, "\"model.norm.weight\" is missing",
                 load(copy_write(&c), &plain, &error));
    c.items[c.count++] = *norm;
    *norm = kept;
    norm->shape = wrong;
    assert_fails(HEED_E_FORMAT, "\"model.norm.weight\" has shape (31); config.json makes it (32)",
                 load(copy_write(&c), &plain, &error));
    norm->rank = 2;
    norm->shape = square;
    assert_fails(HEED_E_FORMAT, "has shape (32,1)", load(copy_write(&c), &plain, &error));
    *norm = kept;
    norm->dtype = HEED_I32;
    norm->data = integers;
    assert_fails(HEED_E_FORMAT, "holds I32", load(copy_write(&c), &plain, &error));
    *norm = kept;
    c.items[c.count++] = (heed_tensor_source){
        .name = "model.layers.2.mlp.up_proj.weight",
        .dtype = HEED_F32,
        .rank = 1,
        .shape = wrong,
        .data = integers,
    };
    assert_fails(HEED_E_FORMAT, "\"model.layers.2.mlp.up_proj.weight\" has no place",
                 load(copy_write(&c), &plain, &error));
    /* config.json says that there are none */
    c.items[c.count - 1].name = "model.layers.0.self_attn.q_proj.bias";
    assert_fails(HEED_E_FORMAT, "q_proj.bias\" has no place", load(copy_write(&c), &plain, &error));
    c.items[c.count - 1].name = "model.layers.1.self_attn.rotary_emb.inv_freq";
    assert_ok(load(copy_write(&c), &plain, &error));
    c.items[c.count - 1].name = "score.weight"; /* another task's head */
    assert_ok(load(copy_write(&c), &plain, &error));
    heed_tensor_source *head = item(&c, "lm_head.weight");
    *head = c.items[--c.count];
    assert_fails(HEED_E_FORMAT,
                 "\"lm_head.weight\" is missing; config.json (model_type llama) needs it for the "
                 "head that architectures names (causal language model); only training initializes "
                 "a new head",
                 load(copy_write(&c), &plain, &error));
    heed_model *model = NULL;
    assert_ok(heed_model_load(&model, copy_write(&c), &training, &error));
    bool said = false;
    for (size_t i = 0; i < heed_model_note_count(model); i++)
        said = said || strstr(heed_model_note(model, i), "lm_head.weight is not in the file");
    assert_true(said);
    heed_model_release(model);
    copy_close(&c);
    assert_fails(HEED_E_IO, "config.json", load("/nonexistent/folder", &plain, &error));
}

static void weights_that_are_no_numbers_are_named(void **state)
{
    (void)state;
    copy c = copy_open("llama");
    heed_tensor_source *up = item(&c, "model.layers.1.mlp.up_proj.weight");
    float *values = malloc(56 * 32 * sizeof *values);
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    memcpy(values, up->data, 56 * 32 * sizeof *values);
    up->data = values;
    for (int i = 0; i < 3; i++) {
        float kept = values[77 * i];
        values[77 * i] = bad[i];
        char part[128];
        snprintf(part, sizeof part,
                 "\"model.layers.1.mlp.up_proj.weight\" holds NaN or infinity at element %d ",
                 77 * i);
        assert_fails(HEED_E_FORMAT, part,
                     load(copy_write(&c), &(heed_model_options){.backend = &reference}, &error));
        assert_ok(load(copy_write(&c),
                       &(heed_model_options){.backend = &reference, .allow_nonfinite = true},
                       &error));
        values[77 * i] = kept;
    }
    assert_ok(load(copy_write(&c), &(heed_model_options){.backend = &reference}, &error));
    free(values);
    copy_close(&c);
}

/* ---- values ---- */

static float *parameter_values(const heed_model *model, const char *name, size_t *elements)
{
    for (size_t i = 0; i < heed_model_parameter_count(model); i++) {
        heed_parameter_info info = heed_model_parameter(model, i);
        if (strcmp(info.name, name) != 0) continue;
        float *values = malloc(info.elements * sizeof *values);
        heed_model_parameter_read(model, i, false, values);
        *elements = info.elements;
        return values;
    }
    return NULL;
}

/* Opened for training or packed for inference, on either backend: the file comes back. */
static void what_was_loaded_is_what_is_saved(void **state)
{
    (void)state;
    /* clang-format off */
    static const struct {
        const char *fixture, *dropped;
    } fixtures[] = {
        {"gpt2", ".attn.bias"},
        {"llama", NULL},
        {"qwen2", NULL},
        {"bert", NULL},
        {"bert-base", NULL},
        {"torch-transformer", NULL},
        {"marian", NULL},
        {"gpt2-seqcls", NULL},
        {"qwen3", NULL},
        {"olmo2", NULL},
        {"gemma", NULL},
        {"gemma2", NULL},
        {"gemma3", NULL},
        {"gemma3-nested", NULL},
        {"phi", NULL},
        {"phi3", NULL},
        {"cohere", NULL},
        {"cohere-qk-norm", NULL},
        {"starcoder2", NULL},
        {"stablelm", NULL},
        {"granite", NULL},
        {"gpt_neo", NULL},
        {"gpt_neox", NULL},
        {"gpt_neox-serial", NULL},
        {"gptj", NULL},
        {"gptj-odd", NULL},
        {"gpt_bigcode", NULL},
        {"gpt_bigcode-mha", NULL},
        {"opt", NULL},
        {"opt-350m", NULL},
        {"bloom", NULL},
        {"bloom-6-heads", NULL},
        {"mpt", NULL},
        {"falcon", NULL},
        {"falcon-groups", NULL},
        {"falcon-alibi", NULL},
        {"roberta", NULL},
        {"roberta-seqcls", NULL},
        {"distilbert", NULL},
        {"distilbert-seqcls", NULL},
        {"electra", NULL},
        {"albert", NULL},
        {"bart", NULL},
        {"bart-seqcls", NULL},
        {"mbart", NULL},
        {"bart-causal", ".encoder_attn"},
        {"fsmt", NULL},
    };
    /* clang-format on */
    heed_backend *cpu = NULL;
    assert_ok(heed_cpu_backend_new(&cpu, 1, heed_isa_detect(), &error));
    for (size_t i = 0; i < sizeof fixtures / sizeof *fixtures; i++)
        for (int way = 0; way < 3; way++) {
            char path[512];
            scratch s;
            heed_model *model = NULL;
            fixture_path(path, fixtures[i].fixture, "");
            scratch_make(&s);
            heed_model_options options = {.backend = way == 0 ? &reference : cpu,
                                          .training = way == 2};
            assert_ok(heed_model_load(&model, path, &options, &error));
            assert_ok(heed_model_save(model, s.folder, HEED_DTYPE_COUNT, &error));
            /* GPT-2 has a causal mask in every layer, which is dropped by name. */
            assert_same_tensors(path, s.folder, fixtures[i].dropped);
            heed_config before = *heed_model_config(model), after;
            assert_ok(heed_config_load(&after, s.folder, &error));
            assert_true(before.family == after.family && before.d_model == after.d_model &&
                        heed_head_lists_equal(before.heads, after.heads));
            heed_model_release(model);
            scratch_remove(&s);
        }
    heed_cpu_backend_free(cpu);
}

static void half_precision_is_kept(void **state)
{
    (void)state;
    char path[512], file[600];
    scratch s;
    heed_model *model = NULL;
    heed_safetensors *saved = NULL;
    fixture_path(path, "llama-bf16-sharded", "");
    scratch_make(&s);
    assert_ok(heed_model_load(&model, path, &(heed_model_options){.backend = &reference}, &error));
    size_t elements = heed_model_element_count(model), bytes = heed_model_bytes(model);
    if (bytes > elements * 2 * 105 / 100 + 4096)
        fail_msg("%zu weights of two bytes lie in %zu bytes", elements, bytes);
    assert_ok(heed_model_save(model, s.folder, HEED_DTYPE_COUNT, &error));
    snprintf(file, sizeof file, "%s/model.safetensors", s.folder);
    assert_ok(heed_safetensors_open_whole(&saved, file, &error));
    for (size_t i = 0; i < heed_safetensors_count(saved); i++)
        assert_int_equal(heed_safetensors_at(saved, i)->dtype, HEED_BF16);
    heed_safetensors_close(saved);
    assert_ok(heed_model_save(model, s.folder, HEED_F16, &error));
    assert_fails(HEED_E_ARG, "f32, f16 or bf16", heed_model_save(model, s.folder, HEED_I8, &error));
    heed_model_release(model);
    scratch_remove(&s);
}

/* Panels fill up to whole tiles: at the size of a small model that is lost within the 5 %. */
static void resident_weights_are_as_large_as_the_file(void **state)
{
    (void)state;
    heed_backend *cpu = NULL;
    heed_config c;
    heed_model *model = NULL;
    scratch s;
    scratch_make(&s);
    assert_ok(heed_cpu_backend_new(&cpu, 1, heed_isa_detect(), &error));
    assert_ok(heed_config_preset(&c, "llama", &error));
    c.vocabulary = 1000;
    c.d_model = 192;
    c.context = 64;
    c.decoder.layers = 3;
    c.decoder.heads = 3;
    c.decoder.kv_heads = 1;
    c.tied = true;
    assert_ok(heed_model_new_random(
        &model, &c, &(heed_model_options){.backend = cpu, .training = true}, &error));
    static const heed_dtype types[] = {HEED_F32, HEED_F16, HEED_BF16};
    for (int i = 0; i < 3; i++) {
        heed_model *packed = NULL;
        heed_model_size size;
        assert_ok(heed_model_save(model, s.folder, types[i], &error));
        assert_ok(
            heed_model_load(&packed, s.folder, &(heed_model_options){.backend = cpu}, &error));
        size_t file = heed_model_element_count(packed) * heed_dtypes[types[i]].bytes;
        if (heed_model_bytes(packed) > file + file / 20)
            fail_msg("%zu bytes for a file of %zu", heed_model_bytes(packed), file);
        assert_ok(heed_config_size(heed_model_config(packed), types[i], &size, &error));
        assert_int_equal(size.parameters, heed_model_element_count(packed));
        assert_true(size.inference_bytes <= heed_model_bytes(packed) &&
                    heed_model_bytes(packed) <= size.inference_bytes + size.inference_bytes / 20);
        assert_int_equal(size.training_bytes, 16 * size.parameters);
        assert_int_equal(size.cache_bytes_per_position, 2 * 3 * 64 * 4);
        heed_model_release(packed);
    }
    heed_model_release(model);
    heed_cpu_backend_free(cpu);
    scratch_remove(&s);
}

/* ---- new models ---- */

static double deviation(const float *values, size_t count, double *mean)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        sum += (double)values[i];
        squares += (double)values[i] * (double)values[i];
    }
    *mean = sum / (double)count;
    return sqrt(squares / (double)count - *mean * *mean);
}

static void check_initial(const heed_model *model, const char *name, double want,
                          double mean_wanted)
{
    size_t count = 0;
    double mean, found;
    float *values = parameter_values(model, name, &count);
    if (!values) fail_msg("no parameter %s", name);
    found = deviation(values, count, &mean);
    if (fabs(found - want) > 0.06 * want + 1e-12 || fabs(mean - mean_wanted) > 0.2 * want + 1e-12)
        fail_msg("%s: mean %g, deviation %g; expected %g, %g", name, mean, found, mean_wanted,
                 want);
    free(values);
}

static void new_models_begin_as_their_family_does(void **state)
{
    (void)state;
    heed_config c;
    heed_model *model = NULL, *again = NULL, *other = NULL;
    assert_ok(heed_config_preset(&c, "gpt2", &error));
    c.vocabulary = 200;
    c.d_model = 64;
    c.context = 50;
    c.decoder.layers = 8;
    c.decoder.heads = 4;
    c.bos_id = c.eos_id = 1;
    heed_model_options options = {.backend = &reference, .training = true, .seed = 5};
    assert_ok(heed_model_new_random(&model, &c, &options, &error));
    check_initial(model, "transformer.wte.weight", 0.02, 0);
    check_initial(model, "transformer.h.3.attn.c_attn.weight", 0.02, 0);
    check_initial(model, "transformer.h.3.mlp.c_proj.weight", 0.02 / 4, 0);
    check_initial(model, "transformer.h.3.ln_1.weight", 0, 1);
    check_initial(model, "transformer.h.3.attn.c_attn.bias", 0, 0);
    assert_ok(heed_model_new_random(&again, &c, &options, &error));
    options.seed = 6;
    assert_ok(heed_model_new_random(&other, &c, &options, &error));
    size_t n = 0;
    float *a = parameter_values(model, "transformer.wpe.weight", &n),
          *b = parameter_values(again, "transformer.wpe.weight", &n),
          *d = parameter_values(other, "transformer.wpe.weight", &n);
    assert_memory_equal(a, b, n * sizeof *a);
    assert_memory_not_equal(a, d, n * sizeof *a);
    free(a);
    free(b);
    free(d);
    heed_model_release(model);
    heed_model_release(again);
    heed_model_release(other);
    assert_ok(heed_config_preset(&c, "marian", &error));
    c.vocabulary = 90;
    c.d_model = 64;
    c.context = 50;
    c.encoder.layers = c.decoder.layers = 1;
    c.encoder.heads = c.decoder.heads = 4;
    c.pad_id = c.decoder_start_id = 3;
    c.eos_id = 0;
    assert_ok(heed_model_new_random(&model, &c, &options, &error));
    float *shared = parameter_values(model, "model.shared.weight", &n);
    for (int i = 0; i < 64; i++) assert_true(shared[3 * 64 + i] == 0 && shared[4 * 64 + i] != 0);
    free(shared);
    heed_model_release(model);
}

/* A model of type heed whose kinds are another family's is written with that family's names, and
   loads as it. */
static void free_models_are_written_as_published_ones(void **state)
{
    (void)state;
    static const struct {
        const char *kinds, *tensor;
    } cases[] = {
        {"llama", "model.layers.1.mlp.gate_proj.weight"},
        {"gpt2", "transformer.h.1.attn.c_attn.weight"},
        {"bert", "bert.encoder.layer.1.output.LayerNorm.bias"},
        {"marian", "model.decoder.layers.1.encoder_attn.k_proj.weight"},
        {"mistral", "model.norm.weight"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        heed_config c;
        heed_model *model = NULL, *loaded = NULL;
        scratch s;
        scratch_make(&s);
        assert_ok(heed_config_preset(&c, cases[i].kinds, &error));
        c.family = heed_family_find("heed");
        c.vocabulary = 50;
        c.d_model = 32;
        c.context = 20;
        c.pad_id = c.bos_id = c.eos_id = 1;
        if (c.arrangement != HEED_DECODER_ONLY)
            c.encoder = (heed_stack){.layers = 2, .heads = 4, .d_ff = 128};
        if (c.arrangement != HEED_ENCODER_ONLY)
            c.decoder = (heed_stack){.layers = 2, .heads = 4, .d_ff = 128};
        if (c.arrangement == HEED_ENCODER_DECODER) c.decoder_start_id = 1;
        assert_ok(heed_model_new_random(
            &model, &c, &(heed_model_options){.backend = &reference, .training = true}, &error));
        assert_ok(heed_model_save(model, s.folder, HEED_F32, &error));
        assert_ok(heed_model_load(&loaded, s.folder,
                                  &(heed_model_options){.backend = &reference, .training = true},
                                  &error));
        assert_string_equal(heed_model_config(loaded)->family->name, cases[i].kinds);
        size_t n = 0;
        float *values = parameter_values(loaded, cases[i].tensor, &n);
        if (!values) fail_msg("%s: %s was not written", cases[i].kinds, cases[i].tensor);
        free(values);
        /* The same weights in the same roles. */
        for (size_t w = 0; w < model->n_weights; w++) {
            const heed_weight *own = &model->weights[w];
            if (own->tensor < 0) continue;
            int32_t at = heed_weights_find(loaded, &own->place, (heed_role)own->use->role);
            if (at < 0 || loaded->weights[at].bytes != own->bytes ||
                memcmp(loaded->weights[at].data, own->data, own->bytes) != 0)
                fail_msg("%s: %s differs", cases[i].kinds, own->name);
        }
        heed_model_release(model);
        heed_model_release(loaded);
        scratch_remove(&s);
    }
}

/* Weights of matmuls become the nearest of the type asked for, whatever their order on disk; what
   is narrower, or no weight of a matmul, stays. */
static void weights_are_rounded_when_asked_for(void **state)
{
    (void)state;
    static const char *const fixtures[] = {
        "gpt2", "llama", "gpt_neox", "bert", "mixtral", "llama-bf16-sharded", "gguf-llama-q4_k_m",
        "phi3"};
    static const heed_dtype types[] = {HEED_F16,  HEED_BF16,   HEED_Q8_0,
                                       HEED_Q4_0, HEED_IQ4_NL, HEED_Q4_K};
    heed_backend *cpu = NULL;
    size_t changed = 0;
    assert_ok(heed_cpu_backend_new(&cpu, 1, heed_isa_detect(), &error));
    for (size_t f = 0; f < sizeof fixtures / sizeof *fixtures; f++)
        for (size_t t = 0; t < 2 * (sizeof types / sizeof *types); t++) {
            char path[512];
            heed_model *plain = NULL, *rounded = NULL;
            fixture_path(path, fixtures[f], strncmp(fixtures[f], "gguf", 4) ? "" : "model.gguf");
            assert_ok(heed_model_load(&plain, path, &(heed_model_options){.backend = &reference},
                                      &error));
            heed_model_options how = {
                .backend = t % 2 ? cpu : &reference, .narrows = true, .narrow_dtype = types[t / 2]};
            assert_ok(heed_model_load(&rounded, path, &how, &error));
            for (size_t i = 0; i < plain->n_weights; i++) {
                const heed_weight *from = &plain->weights[i], *to = &rounded->weights[i];
                if (from->tensor < 0) continue;
                const size_t width = (size_t)(from->columns ? from->columns : 1);
                const int64_t height = to->rows / (to->experts ? to->experts : 1);
                float *wanted = malloc(8 * width * sizeof *wanted), *found = wanted + width;
                assert_true(heed_dtype_width(to->dtype) <= heed_dtype_width(from->dtype));
                changed += to->dtype != from->dtype;
                if (!from->columns) assert_int_equal(to->dtype, from->dtype);
                for (int64_t row = 0; row < from->rows; row++) {
                    heed_convert(wanted, HEED_F32,
                                 (const char *)from->data +
                                     heed_dtype_bytes(from->dtype, (size_t)row * width),
                                 from->dtype, width);
                    if (to->dtype != from->dtype) {
                        heed_convert(found, to->dtype, wanted, HEED_F32, width);
                        heed_convert(wanted, HEED_F32, found, to->dtype, width);
                    }
                    const char *matrix = (const char *)to->data +
                                         (to->experts
                                              ? row / height * (to->bytes / (size_t)to->experts)
                                              : 0);
                    const heed_packed_weight panels = {(void *)matrix, to->dtype, height,
                                                       to->columns};
                    if (to->layout == HEED_LAYOUT_PANELS)
                        cpu->packing->read_row(cpu, &panels, row % height, found);
                    else
                        heed_convert(found, HEED_F32,
                                     (const char *)to->data +
                                         heed_dtype_bytes(to->dtype, (size_t)row * width),
                                     to->dtype, width);
                    for (size_t j = 0; j < width; j++) /* -0 is 0 */
                        if (wanted[j] != found[j])
                            fail_msg("%s as %s: %s, row %d", fixtures[f],
                                     heed_dtypes[to->dtype].name, to->name, (int)row);
                }
                free(wanted);
            }
            heed_model_release(plain);
            heed_model_release(rounded);
        }
    assert_true(changed > 500);
    heed_cpu_backend_free(cpu);
}

/* ---- what config.json says beside the configuration ---- */

/* Names of classes and problem_type are saved as they were read, also by a model that trains. A key
   that the model does not use is a warning. */
static void names_of_classes_are_saved(void **state)
{
    (void)state;
    static const char changes[] =
        "{\"id2label\": {\"0\": \"good\", \"1\": \"bad\", \"2\": \"so so\"}, \"label2id\": "
        "{\"good\": 0, \"bad\": 1, \"so so\": 2}, \"problem_type\": "
        "\"single_label_classification\", \"mood\": 2}";
    copy c = copy_open("bert-seqcls");
    copy_config(&c, "bert-seqcls", changes);
    const char *folder = copy_write(&c);
    for (int training = 0; training < 2; training++) {
        heed_model *model = NULL;
        scratch s;
        char path[512];
        scratch_make(&s);
        assert_ok(heed_model_load(
            &model, folder, &(heed_model_options){.backend = &reference, .training = training},
            &error));
        assert_string_equal(heed_model_class_name(model, 2), "so so");
        assert_null(heed_model_class_name(model, 3));
        assert_string_equal(heed_model_unused_key(model, 0), "mood");
        assert_null(heed_model_unused_key(model, 1));
        assert_non_null(strstr(heed_model_note(model, 0), "not used: mood"));
        assert_true(heed_model_note_is_warning(model, 0));
        assert_ok(heed_model_save(model, s.folder, HEED_DTYPE_COUNT, &error));
        heed_model_release(model);
        snprintf(path, sizeof path, "%s/config.json", s.folder);
        json_t *saved = json_load_file(path, 0, NULL), *wanted = json_loads(changes, 0, NULL);
        static const char *const keys[] = {"id2label", "label2id", "problem_type"};
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
            assert_true(
                json_equal(json_object_get(saved, keys[i]), json_object_get(wanted, keys[i])));
        json_decref(saved);
        json_decref(wanted);
        scratch_remove(&s);
    }
    copy_config(&c, "bert-seqcls", "{\"id2label\": {\"0\": \"a\", \"2\": \"b\", \"3\": \"c\"}}");
    assert_fails(HEED_E_FORMAT, "id2label has no name for class 1; expected a text for each",
                 load(folder, &(heed_model_options){.backend = &reference}, &error));
    copy_config(&c, "bert-seqcls", "{\"id2label\": {\"0\": \"a\", \"1\": [], \"2\": \"c\"}}");
    assert_fails(HEED_E_FORMAT, "id2label has no name for class 1",
                 load(folder, &(heed_model_options){.backend = &reference}, &error));
    copy_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(wrong_files_are_refused_by_name),
                                       cmocka_unit_test(weights_that_are_no_numbers_are_named),
                                       cmocka_unit_test(what_was_loaded_is_what_is_saved),
                                       cmocka_unit_test(half_precision_is_kept),
                                       cmocka_unit_test(resident_weights_are_as_large_as_the_file),
                                       cmocka_unit_test(new_models_begin_as_their_family_does),
                                       cmocka_unit_test(free_models_are_written_as_published_ones),
                                       cmocka_unit_test(weights_are_rounded_when_asked_for),
                                       cmocka_unit_test(names_of_classes_are_saved)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
