/* The engine: a cache of plans by bucket, one workspace, pointers to bound memory. */
#include "model/build.h"
#include "model/feed.h"
#include "graph/plan.h"

#include <stdlib.h>
#include <string.h>

enum { CACHED_PLANS = 32 };

struct heed_engine {
    heed_model *model;
    const heed_backend *backend;
    heed_plan_cache *plans;
    heed_workspace *workspace;
    heed_plan *current;           /* owned by the plan cache */
    heed_program_spec spec;       /* spec of the current plan, rounded up to its bucket */
    void **kept[HEED_KEEP_SIDES]; /* by index in heed_model_keeps */
    void **binding;
    size_t binding_capacity;
};

heed_status heed_engine_new(heed_engine **out, heed_model *model, const heed_backend *backend,
                            heed_error *error)
{
    *out = NULL;
    heed_engine *engine = heed_allocate(1, sizeof *engine);
    if (!engine) return heed_fail_memory(error, sizeof *engine, "an engine");
    engine->model = heed_model_retain(model);
    engine->backend = backend;
    engine->plans = heed_plan_cache_new(CACHED_PLANS);
    engine->workspace = heed_workspace_new();
    bool ok = engine->plans && engine->workspace;
    for (int side = 0; side < HEED_KEEP_SIDES; side++) {
        engine->kept[side] = heed_allocate(model->n_kept[side], sizeof **engine->kept);
        ok = ok && engine->kept[side];
    }
    if (ok) {
        *out = engine;
        return HEED_OK;
    }
    heed_engine_free(engine);
    return heed_fail_memory(error, sizeof *engine, "an engine");
}

void heed_engine_free(heed_engine *engine)
{
    if (!engine) return;
    heed_plan_cache_free(engine->plans);
    heed_workspace_free(engine->workspace);
    for (int side = 0; side < HEED_KEEP_SIDES; side++) free(engine->kept[side]);
    free(engine->binding);
    heed_model_release(engine->model);
    free(engine);
}

const heed_model *heed_engine_model(const heed_engine *engine)
{
    return engine->model;
}

void heed_engine_set_cancel(heed_engine *engine, heed_cancel cancel)
{
    heed_workspace_set_cancel(engine->workspace, cancel);
}

const heed_plan *heed_engine_plan(const heed_engine *engine)
{
    return engine->current;
}

/* Rounds maxima up to powers of two. Unused fields keep their values and padding bytes are zero, so
   equal needs give equal bytes. */
static void bucket_spec(const heed_program_spec *spec, heed_program_spec *key)
{
    memset(key, 0, sizeof *key);
    key->purpose = spec->purpose;
    key->problem = spec->problem;
    key->hidden_states = spec->hidden_states;
    key->attentions = spec->attentions;
    key->indexed = spec->indexed;
    key->masked_mean = spec->masked_mean;
    key->checkpointing = spec->checkpointing;
    key->losses_only = spec->losses_only;
    key->bf16 = spec->bf16;
    key->no_passes = spec->no_passes;
    key->dropout = spec->dropout;
    key->label_smoothing = spec->label_smoothing;
    key->rows = heed_bucket(spec->rows);
    key->source_rows = heed_bucket(spec->source_rows);
    key->sequences = heed_bucket(spec->sequences);
    key->gathered = heed_bucket(spec->gathered);
    key->queries = heed_bucket(spec->queries);
    key->keys = heed_bucket(spec->keys);
    key->cache_pages = spec->cache_pages;
    key->cross_pages = spec->cross_pages;
    key->table_rows = spec->table_rows;
    key->table_columns = spec->table_columns;
}

static heed_status check_spec(const heed_program_spec *spec, heed_error *error)
{
    const int64_t sizes[] = {
        spec->rows, spec->source_rows, spec->sequences,   spec->gathered,   spec->queries,
        spec->keys, spec->cache_pages, spec->cross_pages, spec->table_rows, spec->table_columns};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (sizes[i] < 0 || sizes[i] > 1 << 30)
            return heed_fail(error, HEED_E_ARG, "a run of %lld rows or pages; expected 0 to %d",
                             (long long)sizes[i], 1 << 30);
    if (!(spec->dropout < 1) || !(spec->label_smoothing >= 0 && spec->label_smoothing < 1))
        return heed_fail(error, HEED_E_ARG,
                         "dropout %g and label smoothing %g; expected rates below 1",
                         (double)spec->dropout, (double)spec->label_smoothing);
    return HEED_OK;
}

static heed_status find_plan(heed_engine *engine, const heed_program_spec *key, heed_plan **plan,
                             heed_error *error)
{
    *plan = heed_plan_cache_find(engine->plans, key, sizeof *key);
    if (*plan) return HEED_OK;
    HEED_TRY(heed_build_plan(engine->model, engine->backend, key, NULL, plan, error));
    heed_status status = heed_plan_cache_add(engine->plans, key, sizeof *key, *plan, error);
    if (status != HEED_OK) *plan = NULL;
    return status;
}

heed_status heed_engine_prepare(heed_engine *engine, const heed_program_spec *spec,
                                heed_error *error)
{
    heed_program_spec key;
    heed_plan *plan = NULL;
    HEED_TRY(check_spec(spec, error));
    bucket_spec(spec, &key);
    engine->current = NULL;
    HEED_TRY(find_plan(engine, &key, &plan, error));
    HEED_TRY(heed_workspace_reserve(engine->workspace, plan, error));
    if (!heed_grow(&engine->binding, &engine->binding_capacity,
                   heed_build_external_count(engine->model, &key) + 1, sizeof *engine->binding))
        return heed_fail_memory(error, engine->model->n_weights * sizeof *engine->binding,
                                "the table of weights");
    engine->current = plan;
    engine->spec = key;
    return HEED_OK;
}

heed_status heed_engine_bytes(heed_engine *engine, const heed_program_spec *spec, size_t *bytes,
                              heed_error *error)
{
    heed_program_spec key;
    heed_plan *plan = NULL;
    *bytes = 0;
    HEED_TRY(check_spec(spec, error));
    bucket_spec(spec, &key);
    engine->current = NULL; /* adding a plan may evict the current one */
    HEED_TRY(find_plan(engine, &key, &plan, error));
    *bytes = heed_plan_bytes(plan);
    return HEED_OK;
}

void heed_engine_loss_terms(const heed_model *model, heed_loss_terms *terms)
{
    heed_loss_terms_list(&model->config, HEED_PROBLEM_UNKNOWN, terms);
}

const void *heed_engine_fed(const heed_engine *engine, const char *name)
{
    return engine->current ? heed_plan_input(engine->current, engine->workspace, name) : NULL;
}

heed_status heed_engine_feed(heed_engine *engine, const heed_batch *batch, heed_runtime *runtime,
                             heed_error *error)
{
    if (!engine->current) return heed_fail(error, HEED_E_ARG, "nothing was prepared to run");
    memcpy(runtime->count, batch->count, sizeof runtime->count);
    return heed_program_feed(engine->model, engine->current, engine->workspace, batch, error);
}

heed_status heed_engine_run(heed_engine *engine, const heed_runtime *runtime, heed_error *error)
{
    if (!engine->current) return heed_fail(error, HEED_E_ARG, "nothing was prepared to run");
    heed_build_bind(engine->model, &engine->spec, (void *const *const *)engine->kept,
                    engine->binding);
    heed_binding binding = {engine->binding,
                            heed_build_external_count(engine->model, &engine->spec)};
    return heed_plan_run(engine->current, engine->workspace, &binding, runtime, NULL, error);
}

heed_status heed_engine_output(const heed_engine *engine, const char *name, heed_operand *output,
                               heed_error *error)
{
    if (!engine->current) return heed_fail(error, HEED_E_ARG, "nothing was run");
    return heed_plan_output(engine->current, engine->workspace, name, output, error);
}

bool heed_engine_has_output(const heed_engine *engine, const char *name)
{
    return engine->current && heed_plan_has_output(engine->current, name);
}

void heed_engine_bind_kept(heed_engine *engine, heed_keep_side side, size_t index, void *data)
{
    engine->kept[side][index] = data;
}
