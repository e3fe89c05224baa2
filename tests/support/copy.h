/* copy.h: copies a fixture's config.json and weights into a scratch folder, where a test changes
   tensors and settings. */
#ifndef HEED_TESTS_SUPPORT_COPY_H
#define HEED_TESTS_SUPPORT_COPY_H

#include "support/fixtures.h"

enum { MAX_TENSORS = 128 };
/* The tensors to write, which borrow from `file` until a test changes them. */
typedef struct {
    heed_tensor_source items[MAX_TENSORS];
    size_t count;
    heed_safetensors *file;
    scratch scratch;
} copy;

/* Writes config.json of a fixture, in which the members of `changes`, a JSON object, are replaced.
   */
static inline void copy_config(copy *c, const char *fixture, const char *changes)
{
    char path[512];
    fixture_path(path, fixture, "config.json");
    json_t *json = json_load_file(path, 0, NULL);
    json_t *more = json_loads(changes, 0, NULL);
    assert_true(json && more && json_object_update(json, more) == 0);
    char *text = json_dumps(json, JSON_INDENT(2));
    assert_non_null(text);
    scratch_file(&c->scratch, "config.json", text, strlen(text));
    free(text);
    json_decref(json);
    json_decref(more);
}

/* Opens the fixture and copies its config.json; the tensors are written by copy_write. */
static inline copy copy_open(const char *fixture)
{
    copy c = {0};
    char path[512];
    fixture_path(path, fixture, "model.safetensors");
    assert_ok(heed_safetensors_open_whole(&c.file, path, &error));
    for (size_t i = 0; i < heed_safetensors_count(c.file); i++) {
        const heed_stored_tensor *t = heed_safetensors_at(c.file, i);
        assert_true(c.count + 2 < MAX_TENSORS);
        c.items[c.count++] = (heed_tensor_source){
            .name = t->name,
            .dtype = t->dtype,
            .rank = t->rank,
            .shape = t->shape,
            .data = t->data,
        };
    }
    scratch_make(&c.scratch);
    copy_config(&c, fixture, "{}");
    return c;
}

static inline void copy_close(copy *c)
{
    heed_safetensors_close(c->file);
    scratch_remove(&c->scratch);
}

/* Returns the tensor of this name; fails the test if there is none. */
static inline heed_tensor_source *item(copy *c, const char *name)
{
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->items[i].name, name) == 0) return &c->items[i];
    fail_msg("no tensor %s", name);
    return NULL;
}

/* Writes model.safetensors. Returns the folder. */
static inline const char *copy_write(copy *c)
{
    char path[512];
    snprintf(path, sizeof path, "%s/model.safetensors", c->scratch.folder);
    heed_tensor_set set = {.tensors = c->items, .count = c->count};
    assert_ok(heed_safetensors_write(path, &set, &error));
    return c->scratch.folder;
}

/* Returns a tensor's values as f32, which a test may change. copy_write writes them in place of the
   fixture's. The caller frees them. */
static inline float *copy_values(copy *c, const char *name)
{
    heed_tensor_source *source = item(c, name);
    size_t count = 1;
    for (int i = 0; i < source->rank; i++) count *= (size_t)source->shape[i];
    float *values = malloc(count * sizeof *values);
    assert_non_null(values);
    heed_convert(values, HEED_F32, source->data, source->dtype, count);
    source->data = values;
    source->dtype = HEED_F32;
    return values;
}

#endif
