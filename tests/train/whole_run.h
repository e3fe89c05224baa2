/* whole_run.h: trainings from beginning to end in the scratch folder of the program. */
#ifndef HEED_TESTS_TRAIN_WHOLE_RUN_H
#define HEED_TESTS_TRAIN_WHOLE_RUN_H

#include "support/work.h"
#include "train/run.h"

/* A path in the scratch folder; to be freed. */
static inline char *in_work(const char *name)
{
    return strdup(scratch_path(&work, name));
}

/* A new run that must succeed. */
static inline heed_train_report train(const heed_train_options *options, int threads)
{
    heed_backend *backend = backend_of(threads);
    heed_train_report report;
    assert_ok(heed_train_new(options, backend, NULL, &report, &error));
    heed_cpu_backend_free(backend);
    return report;
}

/* Goes on with a run, up to update `stop_at` or, with -1, to its end. */
static inline heed_train_report resume(const char *run, int64_t stop_at, int threads)
{
    heed_backend *backend = backend_of(threads);
    heed_train_report report;
    heed_train_options changes = {0};
    if (stop_at >= 0) changes.stop_at = heed_int(stop_at);
    assert_ok(heed_train_resume(run, &changes, backend, NULL, &report, &error));
    heed_cpu_backend_free(backend);
    return report;
}

/* The folder of the last checkpoint of a run. */
static inline void last_of(const char *run, char path[600])
{
    snprintf(path, 600, "%.500s/last", run);
}

/* A kind of training: data file, architecture, objective. */
typedef struct objective_case {
    const char *file, *family, *objective;
    int64_t layers;
    double limit;
} objective_case;

/* Whatever must survive an interruption: accumulation, dropout, clipping, label smoothing. */
static inline void bits_options(heed_train_options *o)
{
    o->gradient_accumulation_steps = 2;
    o->dropout = heed_real(0.1);
    o->save_steps = heed_int(4);
    o->max_grad_norm = heed_real(0.5);
    o->label_smoothing = heed_real(0.1);
}

#endif
