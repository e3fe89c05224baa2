/* oracle.h: reads the tensors and the JSON that an oracle left in a fixture. */
#ifndef HEED_TESTS_ORACLE_H
#define HEED_TESTS_ORACLE_H

#include "base/json.h"
#include "io/safetensors.h"
#include "support/test.h"

typedef struct oracle {
    heed_safetensors *tensors;
    json_t *json;
    char folder[512];
} oracle;

static inline oracle oracle_open(const char *fixture)
{
    oracle o = {0};
    char path[600];
    snprintf(o.folder, sizeof o.folder, "%s/%s", HEED_FIXTURES, fixture);
    snprintf(path, sizeof path, "%s/oracle.safetensors", o.folder);
    assert_ok(heed_safetensors_open_whole(&o.tensors, path, &error));
    snprintf(path, sizeof path, "%s/oracle.json", o.folder);
    assert_ok(heed_json_read(&o.json, path, &error));
    return o;
}

static inline void oracle_close(oracle *o)
{
    heed_safetensors_close(o->tensors);
    json_decref(o->json);
}

/* Returns the tensor of this name; fails the test if there is none. */
static inline const heed_stored_tensor *oracle_tensor(const oracle *o, const char *name)
{
    const heed_stored_tensor *tensor = heed_safetensors_find(o->tensors, name);
    if (!tensor) fail_msg("%s has no tensor %s", o->folder, name);
    return tensor;
}

static inline size_t oracle_elements(const heed_stored_tensor *tensor)
{
    size_t count = 1;
    for (int i = 0; i < tensor->rank; i++) count *= (size_t)tensor->shape[i];
    return count;
}

/* Return a copy of a tensor's elements, which the caller frees. */
static inline float *oracle_floats(const oracle *o, const char *name)
{
    const heed_stored_tensor *tensor = oracle_tensor(o, name);
    size_t count = oracle_elements(tensor);
    float *values = malloc((count + 1) * sizeof *values);
    assert_non_null(values);
    heed_convert(values, HEED_F32, tensor->data, tensor->dtype, count);
    return values;
}

static inline int32_t *oracle_ids(const oracle *o, const char *name)
{
    const heed_stored_tensor *tensor = oracle_tensor(o, name);
    size_t count = oracle_elements(tensor);
    int32_t *ids = malloc((count + 1) * sizeof *ids);
    assert_non_null(ids);
    assert_int_equal(tensor->dtype, HEED_I64);
    for (size_t i = 0; i < count; i++) {
        int64_t id;
        memcpy(&id, (const char *)tensor->data + i * sizeof id, sizeof id);
        ids[i] = (int32_t)id;
    }
    return ids;
}

#endif
