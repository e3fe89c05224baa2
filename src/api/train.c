/* Training for the public interface: the trainer on the context's backend. */
#include "api/api.h"

#include "train/trainer.h"

heed_status heed_train(heed_context *context, const heed_train_options *options,
                       const heed_train_watcher *watcher, heed_train_report *report,
                       heed_error *error)
{
    heed_train_report unused;
    return heed_train_new(options, context->backend, watcher, report ? report : &unused, error);
}

heed_status heed_resume_training(heed_context *context, const char *run, int64_t stop_at,
                                 const heed_train_watcher *watcher, heed_train_report *report,
                                 heed_error *error)
{
    heed_train_report unused;
    return heed_train_resume(run, stop_at, context->backend, watcher, report ? report : &unused,
                             error);
}

heed_status heed_resume_training_with(heed_context *context, const char *run,
                                      const heed_train_options *changes,
                                      const heed_train_watcher *watcher, heed_train_report *report,
                                      heed_error *error)
{
    heed_train_report unused;
    return heed_train_resume_with(run, changes, context->backend, watcher,
                                  report ? report : &unused, error);
}
