/* Names that a wrapper has changed: read if that is the same for all of them, else an error. */
#include "cpu/backend.h"
#include "model/model.h"
#include "support/copy.h"

static const heed_backend reference = {.name = "reference"};
enum { ROOM = 128 };
static char names[MAX_TENSORS][ROOM];

/* Puts `text` before the names, or after the first `after` where that is in them. */
static void rename_all(copy *c, const char *text, const char *after)
{
    for (size_t i = 0; i < c->count; i++) {
        const char *name = c->items[i].name;
        const char *at = *after ? strstr(name, after) : name;
        size_t before = at ? (size_t)(at - name) + strlen(after) : strlen(name);
        snprintf(names[i], ROOM, "%.*s%s%s", (int)before, name, at ? text : "", name + before);
        c->items[i].name = names[i];
    }
}

static heed_status load_renamed(const char *fixture, const char *text, const char *after,
                                heed_model **model, heed_error *error)
{
    copy c = copy_open(fixture);
    rename_all(&c, text, after);
    const heed_model_options how = {.backend = &reference};
    heed_status status = heed_model_load(model, copy_write(&c), &how, error);
    copy_close(&c);
    return status;
}

static void wrappers_of_all_names_are_read_through(void **state)
{
    (void)state;
    static const struct {
        const char *fixture, *text, *after;
    } cases[] = {
        {"llama", "_orig_mod.", ""},
        {"llama", "module.", ""},
        {"llama", "model.", ""},
        {"llama", "base_model.model.", ""},
        {"llama", "module._orig_mod.", ""},
        {"llama", "_orig_mod.module.", ""},
        {"llama", "any.other.wrapper.", ""},
        {"llama", "_orig_mod.", "model."},
        {"llama", "_orig_mod.", "layers.1."},
        {"llama", "_fsdp_wrapped_module._checkpoint_wrapped_module.", "layers.0."},
        {"gpt2", "module.", ""},
        {"bert", "module.", ""},
        {"marian", "module.", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[512];
        heed_model *plain = NULL;
        heed_model *model = NULL;
        const heed_model_options how = {.backend = &reference};
        fixture_path(path, cases[i].fixture, "");
        assert_ok(heed_model_load(&plain, path, &how, &error));
        assert_ok(load_renamed(cases[i].fixture, cases[i].text, cases[i].after, &model, &error));
        assert_int_equal(heed_model_parameter_count(model), heed_model_parameter_count(plain));
        size_t warnings = 0;
        for (size_t j = 0; j < heed_model_note_count(model); j++)
            warnings += heed_model_note_is_warning(model, j);
        assert_in_range(warnings, 1, 2);
        for (size_t j = 0; j < heed_model_parameter_count(model); j++)
            assert_string_equal(heed_model_parameter(model, j).name,
                                heed_model_parameter(plain, j).name);
        heed_model_release(model);
        heed_model_release(plain);
    }
}

static void wrappers_of_some_names_are_named(void **state)
{
    (void)state;
    heed_model *model = NULL;
    assert_fails(HEED_E_FORMAT,
                 "tensor \"model.layers.1.input_layernorm.weight\" is missing, but "
                 "\"model.layers.1.module.input_layernorm.weight\" is there: a wrapper has put "
                 "\"module.\" into some",
                 load_renamed("llama", "module.", "layers.1.", &model, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(wrappers_of_all_names_are_read_through),
                                       cmocka_unit_test(wrappers_of_some_names_are_named)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
