/* transformer.h: a loaded model with its tokenizer and sidecar, and the helpers that tasks share.
   */
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
    heed_tokenizer *tokenizer; /* NULL if it could not be read; tokenizer_problem says why */
    heed_error tokenizer_problem;
    /* settings of generation; NULL if they could not be read; sidecar_problem says why */
    heed_sidecar *sidecar;
    heed_error sidecar_problem;
    char *folder;         /* of the model's files */
    pthread_mutex_t turn; /* held during a task, so that one task runs at a time */
};

/* Translates the public options into options of a model. HEED_E_ARG for an unknown type. */
heed_status heed_load_options_read(const heed_load_options *options, heed_model_options *how,
                                   heed_error *error);
/* Passes the notes of a loaded model that the user should see at once to options->note. */
void heed_load_emit_warnings(const heed_load_options *options, const heed_model *model);

/* Returns the cancel function of the hooks. With NULL, the task is never cancelled. */
heed_cancel heed_hooks_cancel(const heed_hooks *hooks);
/* Makes a session that can hold `sequences` sequences; free it with heed_session_free. The hooks
   may cancel what it computes; they may be NULL. context: positions of a sequence; 0: the model's.
   */
heed_status heed_transformer_session(heed_transformer *transformer, int64_t sequences,
                                     int64_t context, const heed_hooks *hooks,
                                     heed_session **session, heed_error *error);
/* Returns the options, or the defaults if they are NULL. */
const heed_generation_options *
heed_generation_options_or_default(const heed_generation_options *options);
/* Makes the settings of a generation (settings.c): those of the model's files, changed by the
   options, and checks them. options may be NULL. Free the settings in every case. HEED_E_ARG names
   the option or setting. */
heed_status heed_transformer_settings(heed_transformer *transformer,
                                      const heed_generation_options *options,
                                      heed_generation_settings *settings, heed_error *error);
/* Writes the numbers of the settings into the options. max_new_tokens and seed stay as they are. */
void heed_generation_settings_show(const heed_generation_settings *settings,
                                   heed_generation_options *options);

#endif
