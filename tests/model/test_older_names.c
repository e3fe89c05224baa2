/* Names that older files have: they are read as the current ones, and what repeats another tensor
   is passed over. */
#include "model/model.h"
#include "support/copy.h"

static const heed_backend reference = {.name = "reference"};
enum { ROOM = 128 };
static char names[MAX_TENSORS][ROOM];

/* A text in names, and what older files have in its place. */
typedef struct {
    const char *fixture, *current, *older;
} spelling;

/* Renames every tensor whose name ends with the current text. Returns how many there were. */
static size_t rename_ends(copy *c, const spelling *s)
{
    size_t found = 0, length = strlen(s->current);
    for (size_t i = 0; i < c->count; i++) {
        const char *name = c->items[i].name;
        size_t all = strlen(name);
        if (all < length || strcmp(name + all - length, s->current) != 0) continue;
        snprintf(names[i], ROOM, "%.*s%s", (int)(all - length), name, s->older);
        c->items[i].name = names[i];
        found++;
    }
    return found;
}

/* The folder has the parameters of the fixture, in names and values. */
static void assert_loads_as(const char *folder, const char *fixture)
{
    char path[512];
    heed_model *plain = NULL, *model = NULL;
    const heed_model_options how = {.backend = &reference, .training = true};
    fixture_path(path, fixture, "");
    assert_ok(heed_model_load(&plain, path, &how, &error));
    assert_ok(heed_model_load(&model, folder, &how, &error));
    assert_int_equal(heed_model_parameter_count(model), heed_model_parameter_count(plain));
    for (size_t i = 0; i < heed_model_parameter_count(model); i++) {
        const size_t count = heed_model_parameter(plain, i).elements;
        float *found = malloc(2 * count * sizeof *found), *expected = found + count;
        assert_non_null(found);
        assert_int_equal(heed_model_parameter(model, i).elements, count);
        heed_model_parameter_read(model, i, false, found);
        heed_model_parameter_read(plain, i, false, expected);
        assert_memory_equal(found, expected, count * sizeof *found);
        free(found);
    }
    heed_model_release(model);
    heed_model_release(plain);
}

static void older_spellings_are_read(void **state)
{
    (void)state;
    static const spelling spellings[] = {
        {"bert", ".LayerNorm.weight", ".LayerNorm.gamma"},
        {"bert", ".LayerNorm.bias", ".LayerNorm.beta"},
        {"roberta", ".LayerNorm.weight", ".LayerNorm.gamma"},
        {"roberta", ".LayerNorm.bias", ".LayerNorm.beta"},
        {"roberta", "lm_head.bias", "lm_head.decoder.bias"},
        {"distilbert", "sa_layer_norm.weight", "sa_layer_norm.gamma"},
        {"electra", ".LayerNorm.weight", ".LayerNorm.gamma"},
        {"albert", ".LayerNorm.bias", ".LayerNorm.beta"},
        {"albert", "predictions.bias", "predictions.decoder.bias"},
    };
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        copy c = copy_open(spellings[i].fixture);
        assert_true(rename_ends(&c, &spellings[i]) > 0);
        assert_loads_as(copy_write(&c), spellings[i].fixture);
        copy_close(&c);
    }
}

static void what_repeats_another_tensor_is_passed_over(void **state)
{
    (void)state;
    static const struct {
        const char *fixture, *tensor, *again, *buffer;
    } cases[] = {
        {"roberta", "roberta.embeddings.word_embeddings.weight", "lm_head.decoder.weight",
         "roberta.embeddings.position_ids"},
        {"distilbert", "distilbert.embeddings.word_embeddings.weight", "vocab_projector.weight",
         "distilbert.embeddings.position_ids"},
        {"albert", "albert.embeddings.word_embeddings.weight", "predictions.decoder.weight",
         "albert.embeddings.position_ids"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        copy c = copy_open(cases[i].fixture);
        const heed_tensor_source *from = item(&c, cases[i].tensor);
        heed_tensor_source again = *from, buffer = *from;
        int64_t count[] = {8};
        again.name = cases[i].again;
        buffer.name = cases[i].buffer;
        buffer.rank = 1;
        buffer.shape = count;
        c.items[c.count++] = again;
        c.items[c.count++] = buffer;
        assert_loads_as(copy_write(&c), cases[i].fixture);
        copy_close(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(older_spellings_are_read),
        cmocka_unit_test(what_repeats_another_tensor_is_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
