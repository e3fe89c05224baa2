/* support.h: a fixture's model with a backend, settings and sessions of it. */
#ifndef HEED_TESTS_GENERATE_SUPPORT_H
#define HEED_TESTS_GENERATE_SUPPORT_H

#include "cpu/backend.h"
#include "generate/generate.h"
#include "support/oracle.h"

typedef struct fixture {
    oracle oracle;
    heed_backend *backend;
    heed_model *model;
    heed_generation_settings settings; /* of its generation_config.json */
} fixture;

static inline fixture fixture_open(const char *name, int threads)
{
    fixture f = {.oracle = oracle_open(name)};
    heed_isa isa;
    assert_ok(heed_isa_choose(&isa, &error));
    assert_ok(heed_cpu_backend_new(&f.backend, threads, isa, &error));
    assert_ok(heed_model_load(&f.model, f.oracle.folder,
                              &(heed_model_options){.backend = f.backend}, &error));
    assert_ok(heed_generation_settings_load(&f.settings, f.oracle.folder,
                                            heed_model_config(f.model), &error));
    return f;
}

static inline void fixture_close(fixture *f)
{
    heed_generation_settings_free(&f->settings);
    heed_model_release(f->model);
    heed_cpu_backend_free(f->backend);
    oracle_close(&f->oracle);
}

static inline heed_session *fixture_session(const fixture *f, const heed_session_options *options)
{
    heed_session *session = NULL;
    assert_ok(heed_session_new(&session, f->model, f->backend, options, &error));
    return session;
}

#endif
