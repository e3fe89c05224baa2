/* A table of tensor names that has no row for a weight of the model is refused by name: without the
   weight a norm or a bias would be left out of what is computed. */
#include "model/weights_internal.h"
#include "support/test.h"

static const heed_backend reference = {.name = "reference"};

enum { MOST_ROWS = 512 };

/* A small model of a family. */
static heed_config small_config(const char *family)
{
    heed_config c;
    assert_ok(heed_config_preset(&c, family, &error));
    c.vocabulary = 64;
    c.d_model = 32;
    c.context = 48;
    c.pad_id = c.bos_id = c.eos_id = c.decoder_start_id = 0;
    if (c.arrangement != HEED_DECODER_ONLY) c.encoder = (heed_stack){.layers = 2, .heads = 4};
    if (c.arrangement != HEED_ENCODER_ONLY) c.decoder = (heed_stack){.layers = 2, .heads = 4};
    return c;
}

/* Copies the rows of a table except those of one role in one slot. Returns how many were left
   out. */
static int copy_without(heed_weight_name *rows, const heed_weight_name *table, heed_slot_id slot,
                        heed_role role)
{
    int count = 0, out = 0;
    for (; table->name; table++) {
        bool same = table->role == role && heed_weight_name_place(table, 0).slot == slot;
        assert_true(count < MOST_ROWS - 1);
        out += same;
        if (!same) rows[count++] = *table;
    }
    rows[count] = (heed_weight_name){0};
    return out;
}

/* Lists the tensors of a model whose files have the names of this table. */
static heed_status list_names(const heed_config *config, const heed_weight_name *names,
                              heed_error *error)
{
    heed_model *model = NULL;
    heed_status status = heed_model_create(&model, config, &(heed_model_options){0}, error);
    if (status != HEED_OK) return status;
    model->names = names;
    status = heed_weights_list(model, "", error);
    heed_model_release(model);
    return status;
}

static const struct {
    const char *family;
    heed_slot_id slot;
    heed_role role;
    const char *weight;
} cases[] = {
    {"llama", HEED_SLOT_ATTENTION, HEED_ROLE_NORM_GAIN,
     "layer 0 of the decoder has a weight attention.norm.gain"},
    {"llama", HEED_SLOT_FFN, HEED_ROLE_NORM_GAIN,
     "layer 0 of the decoder has a weight ffn.norm.gain"},
    {"llama", HEED_SLOT_NONE, HEED_ROLE_FINAL_NORM_GAIN,
     "the decoder has a weight final_norm.gain"},
    {"gpt2", HEED_SLOT_ATTENTION, HEED_ROLE_QUERY_BIAS,
     "layer 0 of the decoder has a weight attention.query.bias"},
    {"bert", HEED_SLOT_NONE, HEED_ROLE_EMBEDDING_NORM_BIAS,
     "the encoder has a weight embedding.norm.bias"},
    /* layer 0 has no such norm */
    {"modernbert", HEED_SLOT_ATTENTION, HEED_ROLE_NORM_GAIN,
     "layer 1 of the encoder has a weight attention.norm.gain"},
    {"bart", HEED_SLOT_CROSS, HEED_ROLE_NORM_GAIN,
     "layer 0 of the decoder has a weight cross.norm.gain"},
    {"bert", HEED_SLOT_NONE, HEED_ROLE_TRANSFORM_NORM_GAIN, "the model has a weight "},
    {"heed", HEED_SLOT_FFN, HEED_ROLE_NORM_GAIN,
     "layer 0 of the decoder has a weight ffn.norm.gain"},
};

static void new_models_need_a_name_for_every_weight(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        heed_weight_name rows[MOST_ROWS];
        heed_config c = small_config(cases[i].family);
        heed_family family = *c.family;
        heed_model *model = NULL;
        char expected[256];
        snprintf(expected, sizeof expected, "family %s: %s", cases[i].family, cases[i].weight);
        assert_true(copy_without(rows, family.weights, cases[i].slot, cases[i].role) > 0);
        c.family = &family;
        assert_ok(heed_config_size(&c, HEED_F32, &(heed_model_size){0}, &error));
        family.weights = rows;
        assert_fails(HEED_E_UNSUPPORTED, expected,
                     heed_model_new_random(&model, &c, &(heed_model_options){.backend = &reference},
                                           &error));
        assert_null(model);
    }
}

/* Loading and saving list the tensors of a complete configuration, by the table of a folder or of a
   GGUF file. */
static void files_need_a_name_for_every_weight(void **state)
{
    (void)state;
    heed_weight_name rows[MOST_ROWS];
    heed_config c = small_config("llama");
    assert_ok(heed_config_complete(&c, "llama", &error));
    heed_family family = *c.family;
    heed_gguf_names gguf = *family.gguf;
    c.family = &family;
    family.gguf = &gguf;
    assert_ok(list_names(&c, family.weights, &error));
    assert_ok(list_names(&c, gguf.weights, &error));
    assert_true(copy_without(rows, gguf.weights, HEED_SLOT_FFN, HEED_ROLE_NORM_GAIN) > 0);
    gguf.weights = rows;
    assert_fails(HEED_E_UNSUPPORTED, "ffn.norm.gain, but the family's table of GGUF tensor names",
                 list_names(&c, rows, &error));
    assert_true(copy_without(rows, family.weights, HEED_SLOT_FFN, HEED_ROLE_DOWN_WEIGHT) > 0);
    family.weights = rows;
    assert_fails(HEED_E_UNSUPPORTED, "ffn.down.weight, but the family's table of tensor names",
                 list_names(&c, rows, &error));
}

/* No graph reads a spare weight. */
static void spare_weights_need_no_name(void **state)
{
    (void)state;
    heed_weight_name rows[MOST_ROWS];
    heed_config c = small_config("bert");
    assert_ok(heed_config_complete(&c, "bert", &error));
    assert_true(copy_without(rows, c.family->weights, HEED_SLOT_NONE, HEED_ROLE_SPARE_BIAS) > 0);
    assert_ok(list_names(&c, rows, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_models_need_a_name_for_every_weight),
        cmocka_unit_test(files_need_a_name_for_every_weight),
        cmocka_unit_test(spare_weights_need_no_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
