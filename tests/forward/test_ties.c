/* tie_word_embeddings with a head of its own in the file: equal copies are tied, copies that differ
   are all kept. */
#include "cpu/backend.h"
#include "model/model.h"
#include "support/copy.h"

static const heed_backend reference = {.name = "reference"};
static const char tied[] = "{\"tie_word_embeddings\":true}";
static const char untied[] = "{\"tie_word_embeddings\":false}";

static heed_model *load_folder(const char *folder, bool training)
{
    heed_model *model = NULL;
    const heed_model_options how = {.backend = &reference, .training = training};
    assert_ok(heed_model_load(&model, folder, &how, &error));
    return model;
}

/* Removes a tensor from what a copy writes. */
static void drop(copy *c, const char *name)
{
    heed_tensor_source *dropped = item(c, name);
    *dropped = c->items[--c->count];
}

/* Adds a tensor like another, with other data unless that is NULL. */
static void add(copy *c, const char *name, const char *like, const void *data)
{
    heed_tensor_source source = *item(c, like);
    source.name = name;
    if (data) source.data = data;
    c->items[c->count++] = source;
}

static size_t count_warnings(const heed_model *model, const char *part)
{
    size_t found = 0;
    for (size_t i = 0; i < heed_model_note_count(model); i++)
        if (heed_model_note_is_warning(model, i) && strstr(heed_model_note(model, i), part))
            found++;
    return found;
}

static void assert_same_outputs(heed_model *model, heed_model *other, const char *fixture)
{
    oracle o = oracle_open(fixture);
    heed_tensor_list outputs = {0};
    heed_tensor_list expected = {0};
    heed_forward_options options = {0};
    assert_ok(heed_forward(model, &reference, &(heed_forward_inputs){o.inputs, o.n_inputs},
                           &options, &outputs, &error));
    assert_ok(heed_forward(other, &reference, &(heed_forward_inputs){o.inputs, o.n_inputs},
                           &options, &expected, &error));
    const heed_named_tensor *a = named(&outputs, "out.logits");
    const heed_named_tensor *b = named(&expected, "out.logits");
    assert_true(a && b);
    size_t count = 1;
    for (int i = 0; i < b->rank; i++) count *= (size_t)b->shape[i];
    assert_memory_equal(a->data, b->data, count * sizeof(float));
    heed_tensor_list_free(&outputs);
    heed_tensor_list_free(&expected);
    oracle_close(&o);
}

/* What is written is not tied, and gives the same outputs. */
static void assert_written_alike(heed_model *model, const char *fixture)
{
    scratch work;
    scratch_make(&work);
    assert_ok(heed_model_save(model, work.folder, HEED_DTYPE_COUNT, &error));
    heed_model *again = load_folder(work.folder, false);
    assert_false(heed_model_config(again)->tied);
    assert_int_equal(count_warnings(again, ""), 0);
    assert_same_outputs(again, model, fixture);
    heed_model_release(again);
    scratch_remove(&work);
}

static void a_head_of_its_own_is_kept(void **state)
{
    (void)state;
    copy c = copy_open("llama");
    copy_config(&c, "llama", untied);
    heed_model *plain = load_folder(copy_write(&c), false);
    heed_model *training = load_folder(copy_write(&c), true);
    size_t parameters = heed_model_parameter_count(training);
    heed_model_release(training);
    copy_config(&c, "llama", tied);
    heed_model *model = load_folder(copy_write(&c), false);
    assert_false(heed_model_config(model)->tied);
    assert_int_equal(
        count_warnings(model, "\"lm_head.weight\" differ from element 0 on: both are kept"), 1);
    assert_same_outputs(model, plain, "llama");
    assert_written_alike(model, "llama");
    training = load_folder(c.scratch.folder, true);
    assert_int_equal(heed_model_parameter_count(training), parameters);
    heed_model_release(training);
    heed_model_release(model);
    heed_model_release(plain);
    copy_close(&c);
}

static void a_copy_is_tied_whatever_its_type(void **state)
{
    (void)state;
    static const char embedding[] = "model.embed_tokens.weight";
    copy c = copy_open("llama");
    copy_config(&c, "llama", tied);
    drop(&c, "lm_head.weight");
    float *values = copy_values(&c, embedding);
    uint16_t *rounded = malloc(440 * 32 * sizeof *rounded);
    assert_non_null(rounded);
    heed_convert(rounded, HEED_BF16, values, HEED_F32, 440 * 32);
    heed_convert(values, HEED_F32, rounded, HEED_BF16, 440 * 32);
    heed_model *plain = load_folder(copy_write(&c), false);
    add(&c, "lm_head.weight", embedding, rounded);
    item(&c, "lm_head.weight")->dtype = HEED_BF16;
    heed_model *model = load_folder(copy_write(&c), false);
    assert_true(heed_model_config(model)->tied);
    assert_int_equal(count_warnings(model, ""), 0);
    assert_same_outputs(model, plain, "llama");
    heed_model_release(model);
    rounded[440 * 32 - 1] ^= 1;
    model = load_folder(copy_write(&c), false);
    assert_false(heed_model_config(model)->tied);
    assert_int_equal(count_warnings(model, "differ from element 14079 on"), 1);
    heed_model_release(model);
    heed_model_release(plain);
    free(rounded);
    free(values);
    copy_close(&c);
}

static void the_head_alone_is_the_embedding_too(void **state)
{
    (void)state;
    copy c = copy_open("llama");
    copy_config(&c, "llama", tied);
    drop(&c, "lm_head.weight");
    heed_model *plain = load_folder(copy_write(&c), false);
    item(&c, "model.embed_tokens.weight")->name = "lm_head.weight";
    heed_model *model = load_folder(copy_write(&c), false);
    assert_true(heed_model_config(model)->tied);
    assert_same_outputs(model, plain, "llama");
    copy_config(&c, "llama", untied);
    heed_model *none = NULL;
    assert_fails(HEED_E_FORMAT, "\"model.embed_tokens.weight\" is missing",
                 heed_model_load(&none, copy_write(&c), &(heed_model_options){0}, &error));
    heed_model_release(model);
    heed_model_release(plain);
    copy_close(&c);
}

/* The decoder's matrix, its bias, or both differ; what is missing is what it is tied to. */
static void decoders_of_masked_models_are_kept(void **state)
{
    (void)state;
    static const char embedding[] = "bert.embeddings.word_embeddings.weight";
    static const char matrix[] = "cls.predictions.decoder.weight";
    static const char bias[] = "cls.predictions.decoder.bias";
    for (int kept = 1; kept < 4; kept++) {
        copy c = copy_open("bert");
        float *weights = copy_values(&c, embedding);
        float *biases = copy_values(&c, "cls.predictions.bias");
        add(&c, matrix, embedding, NULL);
        add(&c, bias, "cls.predictions.bias", NULL);
        float *own_weights = copy_values(&c, matrix);
        float *own_biases = copy_values(&c, bias);
        if (kept & 1) own_weights[5] += 1;
        if (kept & 2) own_biases[7] += 1;
        copy_config(&c, "bert", untied);
        heed_model *plain = load_folder(copy_write(&c), false);
        copy_config(&c, "bert", "{}");
        if (kept == 1) drop(&c, bias);
        if (kept == 2) drop(&c, matrix);
        heed_model *model = load_folder(copy_write(&c), false);
        assert_int_equal(count_warnings(model, "differ from element"), kept == 3 ? 2 : 1);
        assert_false(heed_model_config(model)->tied);
        oracle o = oracle_open("bert");
        heed_tensor_list outputs[2] = {0};
        heed_model *models[] = {model, plain};
        for (int i = 0; i < 2; i++)
            assert_ok(heed_forward(models[i], &reference,
                                   &(heed_forward_inputs){o.inputs, o.n_inputs},
                                   &(heed_forward_options){0}, &outputs[i], &error));
        const heed_named_tensor *a = named(&outputs[0], "out.prediction_logits");
        const heed_named_tensor *b = named(&outputs[1], "out.prediction_logits");
        assert_true(a && b);
        size_t count = (size_t)(b->shape[0] * b->shape[1] * b->shape[2]);
        assert_memory_equal(a->data, b->data, count * sizeof(float));
        for (int i = 0; i < 2; i++) heed_tensor_list_free(&outputs[i]);
        oracle_close(&o);
        heed_model_release(model);
        heed_model_release(plain);
        free(weights);
        free(biases);
        free(own_weights);
        free(own_biases);
        copy_close(&c);
    }
}

/* An encoder-decoder whose embeddings or head differ from the shared table has a table for each. */
static void shared_embeddings_that_differ_are_kept(void **state)
{
    (void)state;
    static const char *const names[] = {"model.encoder.embed_tokens.weight",
                                        "model.decoder.embed_tokens.weight", "lm_head.weight"};
    for (int kept = 0; kept < 3; kept++) {
        copy c = copy_open("marian");
        float *shared = copy_values(&c, "model.shared.weight");
        for (int i = 0; i < 3; i++) add(&c, names[i], "model.shared.weight", NULL);
        float *own = copy_values(&c, names[kept]);
        own[11] += 1;
        copy_config(&c, "marian", untied);
        heed_model *plain = load_folder(copy_write(&c), false);
        copy_config(&c, "marian", "{}");
        for (int i = 0; i < 3; i++)
            if (i != kept) drop(&c, names[i]);
        heed_model *model = load_folder(copy_write(&c), false);
        assert_false(heed_model_config(model)->tied);
        assert_int_equal(count_warnings(model, names[kept]), 1);
        assert_same_outputs(model, plain, "marian");
        assert_written_alike(model, "marian");
        heed_model_release(model);
        heed_model_release(plain);
        free(own);
        free(shared);
        copy_close(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_head_of_its_own_is_kept),
                                       cmocka_unit_test(a_copy_is_tied_whatever_its_type),
                                       cmocka_unit_test(the_head_alone_is_the_embedding_too),
                                       cmocka_unit_test(decoders_of_masked_models_are_kept),
                                       cmocka_unit_test(shared_embeddings_that_differ_are_kept)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
