/* train.c: training for the public interface. It runs the trainer on the context's backend. */
#include "api/api_internal.h"

#include "train/trainer.h"

heed_status heed_train(heed_context *context, const heed_train_options *options,
                       const heed_train_watcher *watcher, heed_train_report *report,
                       heed_error *error)
{
    heed_train_report unused;
    return heed_train_new(options, context->backend, watcher, report ? report : &unused, error);
}

heed_status heed_resume_training(heed_context *context, const char *run,
                                 const heed_train_options *changes,
                                 const heed_train_watcher *watcher, heed_train_report *report,
                                 heed_error *error)
{
    static const heed_train_options none = {0};
    heed_train_report unused;
    if (!run) return heed_fail(error, HEED_E_ARG, "no run to go on with: name its folder");
    if (!changes) changes = &none;
    if (!report) report = &unused;
    return heed_train_resume(run, changes, context->backend, watcher, report, error);
}
