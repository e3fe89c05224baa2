/* Frozen tensors: they have no gradients and stay as they are for inference, and what is trained
   beside them gets the bits that it gets when all is trained. */
#include "cpu/backend.h"
#include "model/engine.h"
#include "model/weights_internal.h"
#include "support/fixtures.h"

enum { SEQUENCES = 2, LENGTH = 6, ROWS = SEQUENCES * LENGTH, UPDATES = 3 };

static heed_backend *cpu;

static int make_backend(void **state)
{
    (void)state;
    heed_error error = {0};
    return heed_cpu_backend_new(&cpu, 2, heed_isa_detect(), &error) != HEED_OK;
}

static int free_backend(void **state)
{
    (void)state;
    heed_cpu_backend_free(cpu);
    return 0;
}

static heed_status load(heed_model **model, const char *path, const char *const *frozen, bool bf16,
                        heed_error *error)
{
    char folder[512];
    bool bert = strcmp(path, "bert") == 0;
    fixture_path(folder, path, "");
    return heed_model_load(
        model, folder,
        &(heed_model_options){.backend = cpu,
                              .training = true,
                              .frozen = frozen,
                              .head = bert ? HEED_HEAD_MASKED_LM : HEED_HEAD_NONE,
                              .bf16 = bf16},
        error);
}

/* Returns the tensor of this name. */
static const heed_tensor *tensor_of(const heed_model *model, const char *name)
{
    for (size_t i = 0; i < model->n_tensors; i++)
        if (strcmp(model->tensors[i].listed, name) == 0) return &model->tensors[i];
    fail_msg("there is no tensor %s", name);
    return NULL;
}

/* Adds the gradients of a batch in which every token has a label. */
static void add_gradients(heed_engine *engine, const heed_model *model)
{
    bool both = heed_model_config(model)->arrangement == HEED_ENCODER_DECODER;
    heed_program_spec spec = {.purpose = HEED_PURPOSE_TRAIN,
                              .rows = ROWS,
                              .source_rows = both ? ROWS : 0,
                              .sequences = SEQUENCES,
                              .gathered = ROWS};
    heed_runtime runtime = {0};
    heed_batch batch = {0};
    for (int stack = 0; stack < 1 + both; stack++)
        for (int s = 0; s < SEQUENCES; s++) {
            heed_batch_rows text;
            assert_ok(heed_batch_sequence(&batch, (heed_input_stack)stack, LENGTH, &text, &error));
            for (int i = 0; i < LENGTH; i++) text.ids[i] = 5 + (7 * i + 3 * s + stack) % 40;
        }
    for (int row = 0; row < ROWS; row++)
        assert_ok(heed_batch_label(&batch, row, 5 + 11 * row % 40, &error));
    batch.term_counts[0] = ROWS;
    assert_ok(heed_engine_prepare(engine, &spec, &error));
    assert_ok(heed_engine_feed(engine, &batch, &runtime, &error));
    assert_ok(heed_engine_run(engine, &runtime, &error));
    heed_batch_free(&batch);
}

/* Trains by plain descent; parameters that `masked` does not name keep their values. */
static void train(heed_model *model, const heed_model *masked)
{
    heed_engine *engine = NULL;
    assert_ok(heed_engine_new(&engine, model, cpu, &error));
    assert_ok(heed_model_allocate_gradients(model, &error));
    for (int update = 0; update < UPDATES; update++) {
        heed_model_clear_gradients(model);
        add_gradients(engine, model);
        for (size_t i = 0; i < heed_model_parameter_count(model); i++) {
            heed_parameter_info info = heed_model_parameter(model, i);
            if (masked && !tensor_of(masked, info.name)->trained) continue;
            for (size_t at = 0; at < info.elements; at++) info.rows[at] -= 0.5f * info.gradient[at];
            heed_weights_write_bf16(model, tensor_of(model, info.name));
        }
    }
    heed_engine_free(engine);
}

/* Compares gradients and values of what is trained. */
static void compare(const heed_model *some, const heed_model *all)
{
    size_t compared = 0;
    for (size_t i = 0; i < heed_model_parameter_count(all); i++) {
        heed_parameter_info info = heed_model_parameter(all, i);
        const heed_tensor *tensor = tensor_of(some, info.name);
        if (!tensor->trained) {
            assert_null(tensor->gradient);
            continue;
        }
        compared++;
        if (memcmp(tensor->values, info.rows, info.elements * sizeof(float)) != 0 ||
            memcmp(tensor->gradient, info.gradient, info.elements * sizeof(float)) != 0)
            fail_msg("%s differs", info.name);
    }
    assert_int_equal(compared, heed_model_parameter_count(some));
    assert_true(compared > 0 && compared < heed_model_parameter_count(all));
}

static void the_rest_is_trained_as_with_masked_gradients(void **state)
{
    (void)state;
    static const struct {
        bool bf16;
        const char *fixture, *frozen[3];
    } cases[] = {
        {false, "llama", {"model.layers.0.*", "model.embed_tokens.weight"}},
        {false, "llama", {"*norm*", "*.mlp.*"}},
        {false, "llama-bf16-sharded", {"model.layers.1.*"}},
        {false, "gpt2", {"*.weight"}},
        {false, "gpt2", {"*wte.weight"}},
        {false, "bert", {"*attention*", "*embeddings*"}},
        {false, "falcon", {"*query_key_value*"}},
        {false, "mixtral", {"*.experts.*"}},
        {false, "marian", {"model.encoder.*", "model.shared.weight"}},
        {false, "marian", {"model.decoder.*"}},
        {true, "llama", {"model.layers.0.*", "*norm*"}},
        {true, "gpt2", {"h.1.*"}},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        heed_model *some = NULL, *all = NULL;
        assert_ok(load(&some, cases[c].fixture, cases[c].frozen, cases[c].bf16, &error));
        assert_ok(load(&all, cases[c].fixture, NULL, cases[c].bf16, &error));
        train(some, NULL);
        train(all, some);
        print_message("%s without %s\n", cases[c].fixture, cases[c].frozen[0]);
        compare(some, all);
        heed_model_release(some);
        heed_model_release(all);
    }
}

static void frozen_matrices_lie_as_for_inference(void **state)
{
    (void)state;
    heed_model *model = NULL;
    assert_ok(load(&model, "llama-bf16-sharded", (const char *const[]){"model.layers.0.*", NULL},
                   false, &error));
    for (size_t i = 0; i < model->n_tensors; i++) {
        const heed_tensor *tensor = &model->tensors[i];
        const heed_weight *weight = &model->weights[tensor->first_weight];
        bool frozen = strstr(tensor->listed, "layers.0.") != NULL, matrix = weight->columns > 0;
        assert_int_equal(tensor->trained, !frozen);
        assert_true((tensor->values != NULL) == !frozen);
        assert_int_equal(weight->dtype, frozen && matrix ? HEED_BF16 : HEED_F32);
        assert_int_equal(weight->layout == HEED_LAYOUT_PANELS, frozen && matrix);
    }
    heed_model_release(model);
}

/* Weights in qblocks stay so unless a gradient has to pass them. */
static void quantized_weights_stay_where_no_gradient_passes(void **state)
{
    (void)state;
    static const struct {
        const char *frozen[3];
        heed_dtype kept;
    } cases[] = {
        {{"blk.*", "token_embd.weight"}, HEED_Q8_0},
        {{"blk.*"}, HEED_F32},
        {{"blk.0.ffn*"}, HEED_F32},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        heed_model *model = NULL;
        assert_ok(load(&model, "gguf-llama-q8_0/model.gguf", cases[c].frozen, false, &error));
        const heed_tensor *up = tensor_of(model, "blk.0.ffn_up.weight");
        assert_int_equal(model->weights[up->first_weight].dtype, cases[c].kept);
        train(model, NULL);
        for (size_t i = 0; i < heed_model_parameter_count(model); i++) {
            heed_parameter_info info = heed_model_parameter(model, i);
            double sum = 0;
            for (size_t at = 0; at < info.elements; at++) sum += fabs((double)info.gradient[at]);
            if (!(sum > 0) || !isfinite(sum)) fail_msg("%s has the gradient %g", info.name, sum);
        }
        heed_model_release(model);
    }
}

static void frozen_tensors_are_written_as_they_were(void **state)
{
    (void)state;
    scratch s;
    heed_model *model = NULL, *back = NULL;
    scratch_make(&s);
    assert_ok(load(&model, "llama-bf16-sharded", (const char *const[]){"model.layers.0.*", NULL},
                   false, &error));
    train(model, NULL);
    assert_ok(heed_model_save(model, s.folder, HEED_DTYPE_COUNT, &error));
    assert_ok(heed_model_load(&back, s.folder, &(heed_model_options){.backend = cpu}, &error));
    for (size_t i = 0; i < model->n_tensors; i++)
        assert_int_equal(back->tensors[i].stored, model->tensors[i].trained ? HEED_F32 : HEED_BF16);
    heed_model_release(model);
    heed_model_release(back);
    scratch_remove(&s);
}

static void wrong_patterns_are_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *fixture;
        const char *frozen[3];
        const char *part;
    } cases[] = {
        {"llama", {"model.layer.0.*"}, "nothing is frozen by \"model.layer.0.*\""},
        {"llama", {"*norm*", ""}, "nothing is frozen by \"\""},
        {"llama", {"*e*e*e*e*e*e*e*e*e*e*e*e*e*e*!"}, "nothing is frozen by \"*e*e"},
        {"llama", {"*"}, "all tensors of the model are frozen"},
        {"mixtral", {"*.experts.1.*"}, "are experts of one layer"},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        heed_model *model = NULL;
        assert_fails(HEED_E_ARG, cases[c].part,
                     load(&model, cases[c].fixture, cases[c].frozen, false, &error));
        assert_null(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rest_is_trained_as_with_masked_gradients),
        cmocka_unit_test(frozen_matrices_lie_as_for_inference),
        cmocka_unit_test(quantized_weights_stay_where_no_gradient_passes),
        cmocka_unit_test(frozen_tensors_are_written_as_they_were),
        cmocka_unit_test(wrong_patterns_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, make_backend, free_backend);
}
