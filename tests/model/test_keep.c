/* What layers keep between steps: which arrays, of which sequence, how wide, and of which type. */
#include "model/keep.h"
#include "support/fixtures.h"
#include "tensor/scaled_rows.h"

static heed_model *load(const char *fixture, heed_dtype cache)
{
    static heed_backend reference = {.name = "reference"};
    char path[512];
    heed_model *model = NULL;
    fixture_path(path, fixture, "");
    assert_ok(heed_model_load(
        &model, path, &(heed_model_options){.backend = &reference, .cache = cache}, &error));
    return model;
}

/* Keys and values of each layer, in this order, as wide as the heads. */
static void assert_keys_and_values(const heed_model *model, heed_keep_side side)
{
    const heed_stack *stack = &heed_model_config(model)->decoder;
    size_t count;
    const heed_kept *kept = heed_model_keeps(model, side, &count);
    assert_int_equal(count, 2 * stack->layers);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(kept[i].what->name, i % 2 ? "value" : "key");
        assert_int_equal(kept[i].what->side, side);
        assert_int_equal(kept[i].layer, i / 2);
        assert_int_equal(kept[i].width.runs, stack->kv_heads);
        assert_int_equal(kept[i].width.columns, stack->head_width);
    }
}

static void decoders_keep_keys_and_values(void **state)
{
    (void)state;
    size_t count;
    heed_model *model = load("llama", HEED_F32);
    assert_keys_and_values(model, HEED_KEEP_SELF);
    heed_model_keeps(model, HEED_KEEP_SOURCE, &count);
    assert_int_equal(count, 0);
    heed_model_release(model);
}

static void cross_attention_keeps_those_of_the_source(void **state)
{
    (void)state;
    heed_model *model = load("marian", HEED_F32);
    assert_keys_and_values(model, HEED_KEEP_SELF);
    assert_keys_and_values(model, HEED_KEEP_SOURCE);
    heed_model_release(model);
}

static void encoders_keep_nothing(void **state)
{
    (void)state;
    size_t count;
    heed_model *model = load("bert", HEED_F32);
    for (int side = 0; side < HEED_KEEP_SIDES; side++) {
        heed_model_keeps(model, (heed_keep_side)side, &count);
        assert_int_equal(count, 0);
    }
    heed_model_release(model);
}

static void rows_have_the_type_of_the_caches(void **state)
{
    (void)state;
    static const heed_dtype types[] = {HEED_F32, HEED_F16, HEED_BF16, HEED_I8};
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        heed_model *model = load("llama", types[t]);
        size_t count;
        const heed_kept *kept = heed_model_keeps(model, HEED_KEEP_SELF, &count);
        int64_t values = kept->width.runs * kept->width.columns, columns = values;
        if (types[t] == HEED_I8)
            columns = heed_scaled_row_bytes(kept->width.runs, kept->width.columns);
        assert_int_equal(kept->dtype, types[t]);
        assert_int_equal(kept->columns, columns);
        float *row = calloc((size_t)columns, sizeof *row), *wide = calloc((size_t)values, 4);
        wide[0] = 1;
        heed_kept_widen(kept, row, wide);
        for (int64_t i = 0; i < values; i++) assert_true(wide[i] == 0);
        free(row);
        free(wide);
        heed_model_release(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decoders_keep_keys_and_values),
        cmocka_unit_test(cross_attention_keeps_those_of_the_source),
        cmocka_unit_test(encoders_keep_nothing),
        cmocka_unit_test(rows_have_the_type_of_the_caches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
