/* transformer.h: a loaded model with what belongs to it. */
#ifndef HEED_API_TRANSFORMER_H
#define HEED_API_TRANSFORMER_H

#include "api/api_internal.h"
#include "base/cancel.h"
#include "generate/session.h"
#include "generate/settings.h"
#include "generate/sidecar.h"
#include "model/model.h"
#include "text/tokenizer.h"
#include <pthread.h>

struct heed_transformer {
    heed_context *context; /* borrowed */
    heed_model *model;
    heed_tokenizer *tokenizer; /* NULL: tokenizer_problem says why */
    heed_error tokenizer_problem;
    heed_sidecar *sidecar; /* settings of generation; NULL: sidecar_problem says why */
    heed_error sidecar_problem;
    char *folder;
    pthread_mutex_t turn; /* one task at a time */
};

/* What the public choices are as options of a model; HEED_E_ARG for a type that is none. */
heed_status heed_load_options_read(const heed_load_options *options, heed_model_options *how,
                                   heed_error *error);
/* Tells the caller what a loaded model has to tell at once. */
void heed_load_tell(const heed_load_options *options, const heed_model *model);

/* Who may cancel a task with these hooks; NULL: nobody. */
heed_cancel heed_hooks_cancel(const heed_hooks *hooks);
/* A session for `sequences` at once, whose computing the hooks (NULL: none) may cancel. */
heed_status heed_transformer_session(heed_transformer *transformer, int64_t sequences,
                                     int64_t context, const heed_hooks *hooks,
                                     heed_session **session, heed_error *error);
/* The options, or the defaults in place of NULL. */
const heed_generation_options *
heed_generation_options_or_default(const heed_generation_options *options);
/* settings.c: the settings of generation_config.json with the options (NULL: none) over them,
   checked. Free the settings in every case. */
heed_status heed_transformer_settings(heed_transformer *transformer,
                                      const heed_generation_options *options,
                                      heed_generation_settings *settings, heed_error *error);
/* The way back: all numbers that the settings hold, but the lengths and seeds that were chosen. */
void heed_generation_settings_show(const heed_generation_settings *settings,
                                   heed_generation_options *options);

#endif
