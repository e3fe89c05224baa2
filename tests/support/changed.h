/* changed.h: makes models with random weights and the changed configuration of a fixture. */
#ifndef HEED_TESTS_SUPPORT_CHANGED_H
#define HEED_TESTS_SUPPORT_CHANGED_H

#include "model/model.h"
#include "support/fixtures.h"

/* Returns a model with random weights and the config.json of a fixture, in which the members of
   `changes`, a JSON object, are replaced. The caller releases it. */
static inline heed_model *changed_model(const char *fixture, const char *changes)
{
    char path[512];
    heed_config config;
    heed_model *model = NULL;
    fixture_path(path, fixture, "config.json");
    json_t *json = json_load_file(path, 0, NULL), *more = json_loads(changes, 0, NULL);
    assert_true(json && more && json_object_update(json, more) == 0);
    assert_ok(heed_config_read(&config, json, fixture, &error));
    config.initializer_range = 0.3;
    assert_ok(heed_model_new_random(&model, &config, &(heed_model_options){.seed = 3}, &error));
    json_decref(json);
    json_decref(more);
    return model;
}

#endif
