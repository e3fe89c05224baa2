/* Numbers that a type cannot hold: refused by name, before anything is written, and before anything
   is rounded in memory. */
#include "cpu/backend.h"
#include "io/gguf.h"
#include "model/model.h"
#include "support/copy.h"

static const heed_backend reference = {.name = "reference"};
static const float values[] = {65504, 65519.9f, 65520, 1e7f, -1e7f, 3.4028235e38f};
static const heed_dtype writable[] = {HEED_F32,  HEED_F16,  HEED_BF16, HEED_Q4_0,  HEED_Q4_1,
                                      HEED_Q5_0, HEED_Q5_1, HEED_Q8_0, HEED_Q2_K,  HEED_Q3_K,
                                      HEED_Q4_K, HEED_Q5_K, HEED_Q6_K, HEED_IQ4_NL};
enum { VALUES = sizeof values / sizeof *values, TYPES = sizeof writable / sizeof *writable };

static const char tensor_name[] = "model.layers.1.mlp.gate_proj.weight"; /* 56 rows of 32 */
enum { ROWS = 56, COLUMNS = 32, ELEMENTS = ROWS * COLUMNS };

static heed_model *load_copy(copy *c)
{
    heed_model *model = NULL;
    assert_ok(heed_model_load(&model, copy_write(c), &(heed_model_options){0}, &error));
    return model;
}

/* Does a tensor of the written file hold the value at this place, within what the type may lose? */
static void assert_held(const heed_stored_tensor *tensor, size_t at, float value)
{
    float row[ELEMENTS];
    heed_convert(row, HEED_F32, tensor->data, tensor->dtype, ELEMENTS);
    assert_true(fabsf(row[at] - value) <= 0.02f * fabsf(value));
}

static void check_gguf(const heed_model *model, scratch *work, heed_dtype dtype, size_t at,
                       float value)
{
    char place[64];
    const char *path = scratch_file(work, "out.gguf", "old", 3);
    heed_error problem = {0};
    heed_gguf *file = NULL;
    heed_buffer text = {0};
    if (heed_model_save_gguf(model, path, dtype, NULL, &problem) == HEED_OK) {
        assert_ok(heed_gguf_open_whole(&file, path, &error));
        assert_held(heed_gguf_find(file, "blk.1.ffn_gate.weight"), at, value);
        heed_gguf_close(file);
        return;
    }
    snprintf(place, sizeof place, "\": element %zu is %.9g", at, (double)value);
    assert_int_equal(problem.status, HEED_E_UNSUPPORTED);
    assert_non_null(strstr(problem.message, place));
    assert_non_null(strstr(problem.message, "\"blk.1.ffn_gate.weight\""));
    assert_non_null(strstr(problem.message, "f32"));
    assert_ok(heed_file_read(path, 64, &text, &error));
    assert_true(text.length == 3 && memcmp(text.data, "old", 3) == 0);
    heed_buffer_free(&text);
}

static void gguf_files_hold_what_is_written_or_stay_as_they_were(void **state)
{
    (void)state;
    static const size_t places[] = {COLUMNS * 30 + 7, ELEMENTS - 1};
    copy c = copy_open("llama");
    float *weights = copy_values(&c, tensor_name);
    scratch work;
    scratch_make(&work);
    for (int i = 0; i < 2 * VALUES; i++) {
        const size_t at = places[i % 2];
        const float kept = weights[at];
        weights[at] = values[i / 2];
        heed_model *model = load_copy(&c);
        for (int j = 0; j < TYPES; j++) check_gguf(model, &work, writable[j], at, values[i / 2]);
        heed_model_release(model);
        weights[at] = kept;
    }
    scratch_remove(&work);
    free(weights);
    copy_close(&c);
}

static void folders_keep_what_they_hold(void **state)
{
    (void)state;
    copy c = copy_open("llama");
    float *weights = copy_values(&c, tensor_name);
    scratch work;
    scratch_make(&work);
    scratch_file(&work, "model.safetensors", "old", 3);
    scratch_file(&work, "config.json", "old", 3);
    weights[ELEMENTS - 1] = -65520;
    heed_model *model = load_copy(&c);
    assert_fails(HEED_E_UNSUPPORTED,
                 "tensor \"model.layers.1.mlp.gate_proj.weight\": element 1791 is -65520, too "
                 "large for f16 (its "
                 "largest number is 65504); f32, bf16 hold it: choose with --dtype",
                 heed_model_save(model, work.folder, HEED_F16, &error));
    static const char *const names[] = {"model.safetensors", "config.json"};
    for (int i = 0; i < 2; i++) {
        heed_buffer text = {0};
        assert_ok(heed_file_read(scratch_path(&work, names[i]), 64, &text, &error));
        assert_true(text.length == 3);
        heed_buffer_free(&text);
    }
    assert_ok(heed_model_save(model, work.folder, HEED_BF16, &error));
    heed_model_release(model);
    scratch_remove(&work);
    free(weights);
    copy_close(&c);
}

/* Rounding while loading is refused alike, whichever way a tensor lies on disk. */
static void rounding_while_loading_names_the_element(void **state)
{
    (void)state;
    static const struct {
        const char *fixture, *tensor;
        size_t at;
        heed_dtype dtype;
        float value;
        const char *part;
    } cases[] = {
        {"llama", tensor_name, 967, HEED_F16, 65520, "element 967 is 65520, too large for f16"},
        {"llama", tensor_name, ELEMENTS - 1, HEED_Q8_0, 1e7f,
         "element 1791 is 10000000, too large for q8_0"},
        {"llama", tensor_name, 0, HEED_Q4_K, -1e7f, "element 0 is -10000000, too large for q5_0"},
        {"llama", tensor_name, 5, HEED_BF16, 3.4028235e38f, "too large for bf16"},
        {"gpt2", "h.0.mlp.c_fc.weight", 2051, HEED_Q4_0, 1e7f,
         "element 2051 is 10000000, too large for q4_0"},
        {"gpt2", "h.0.mlp.c_fc.weight", 4095, HEED_F16, 1e7f,
         "element 4095 is 10000000, too large for f16"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        copy c = copy_open(cases[i].fixture);
        float *weights = copy_values(&c, cases[i].tensor);
        weights[cases[i].at] = cases[i].value;
        const heed_model_options how = {
            .backend = &reference, .narrows = true, .narrow_dtype = cases[i].dtype};
        heed_model *model = NULL;
        assert_fails(HEED_E_UNSUPPORTED, cases[i].part,
                     heed_model_load(&model, copy_write(&c), &how, &error));
        free(weights);
        copy_close(&c);
    }
}

static void doubles_beyond_f32_are_refused(void **state)
{
    (void)state;
    copy c = copy_open("llama");
    heed_tensor_source *norm = item(&c, "model.norm.weight");
    double wide[32];
    heed_convert(wide, HEED_F64, norm->data, norm->dtype, 32);
    norm->data = wide;
    norm->dtype = HEED_F64;
    heed_model_release(load_copy(&c));
    wide[31] = -1e39;
    heed_model *model = NULL;
    assert_fails(HEED_E_UNSUPPORTED,
                 "tensor \"model.norm.weight\": element 31 is -1e+39, too large for f32",
                 heed_model_load(&model, copy_write(&c), &(heed_model_options){0}, &error));
    copy_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gguf_files_hold_what_is_written_or_stay_as_they_were),
        cmocka_unit_test(folders_keep_what_they_hold),
        cmocka_unit_test(rounding_while_loading_names_the_element),
        cmocka_unit_test(doubles_beyond_f32_are_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
