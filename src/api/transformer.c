/* transformer.c: loads a model with its tokenizer and sidecar (transformer.h, heed/heed.h). */
#include "api/transformer.h"

#include "base/memory.h"
#include "io/weights.h"
#include "tensor/dtype.h"
#include <stdlib.h>
#include <string.h>

heed_cancel heed_hooks_cancel(const heed_hooks *hooks)
{
    return hooks ? (heed_cancel){hooks->cancelled, hooks->argument} : (heed_cancel){0};
}

heed_status heed_load_options_read(const heed_load_options *options, heed_model_options *how,
                                   heed_error *error)
{
    if (options->cache &&
        (!heed_dtype_by_name(options->cache, &how->cache) || !heed_dtype_keeps_keys(how->cache)))
        return heed_fail(error, HEED_E_ARG,
                         "a cache of type \"%.40s\"; expected f32, f16, bf16 or i8",
                         options->cache);
    how->bf16 = options->compute && !strcmp(options->compute, "bf16");
    if (options->compute && !how->bf16 && strcmp(options->compute, "f32"))
        return heed_fail(error, HEED_E_ARG, "matmuls of type \"%.40s\"; expected f32 or bf16",
                         options->compute);
    how->cancel = heed_hooks_cancel(options->hooks);
    how->narrows = options->weights != NULL;
    return how->narrows ? heed_weight_type_read(options->weights, &how->narrow_dtype, error)
                        : HEED_OK;
}

void heed_load_emit_warnings(const heed_load_options *options, const heed_model *model)
{
    for (size_t i = 0; options->note && i < heed_model_note_count(model); i++)
        if (heed_model_note_is_warning(model, i))
            options->note(options->note_argument, heed_model_note(model, i));
}

heed_status heed_weight_type_read(const char *name, heed_dtype *dtype, heed_error *error)
{
    bool known = heed_dtype_by_name(name, dtype);
    if (known && (*dtype == HEED_F32 || *dtype == HEED_F16 || *dtype == HEED_BF16 ||
                  heed_dtypes[*dtype].encode))
        return HEED_OK;
    return heed_fail(error, HEED_E_ARG,
                     "weights cannot be rounded to \"%.40s\"; expected f32, f16, bf16, q4_0, q4_1, "
                     "q5_0, q5_1, q8_0, q2_k, q3_k, q4_k, q5_k, q6_k or iq4_nl",
                     name);
}

/* Reads the settings of generation. If they cannot be read, the model loads all the same, since
   only generation needs them. HEED_E_NOMEM. */
static heed_status load_settings(heed_transformer *t, heed_error *error)
{
    heed_error *problem = &t->sidecar_problem;
    heed_sidecar_load(&t->sidecar, t->folder, HEED_SIDECAR_SETTINGS, problem);
    if (problem->status != HEED_E_NOMEM) return HEED_OK;
    return heed_fail(error, HEED_E_NOMEM, "%s", problem->message);
}

/* Passes the tokenizer's notes to options->note. HEED_E_NOMEM. */
static heed_status note_tokenizer(const heed_load_options *options, const heed_tokenizer *tokenizer,
                                  heed_error *error)
{
    const char *line;
    size_t length;
    for (size_t i = 0;
         options->note && tokenizer && heed_tokenizer_note(tokenizer, i, &line, &length); i++) {
        heed_buffer text = {0};
        heed_buffer_append(&text, line, length);
        if (text.failed) return heed_fail_memory(error, length, "a note");
        options->note(options->note_argument, text.data);
        heed_buffer_free(&text);
    }
    return HEED_OK;
}

heed_status heed_transformer_load(heed_transformer **result, heed_context *context,
                                  const char *folder, const heed_load_options *options,
                                  heed_error *error)
{
    static const heed_load_options defaults = {0};
    heed_model_options how = {.backend = context->backend};
    *result = NULL;
    if (!options) options = &defaults;
    if (!folder) return heed_fail(error, HEED_E_ARG, "no model: name its folder or file");
    HEED_TRY(heed_load_options_read(options, &how, error));
    heed_transformer *t = heed_allocate(1, sizeof *t);
    if (!t) return heed_fail_memory(error, sizeof *t, "the model");
    pthread_mutex_init(&t->turn, NULL);
    t->context = context;
    t->folder = heed_weights_folder(folder);
    heed_status status = t->folder ? HEED_OK : heed_fail_memory(error, strlen(folder), "the model");
    if (status == HEED_OK) status = heed_model_load(&t->model, folder, &how, error);
    if (status == HEED_OK) heed_load_emit_warnings(options, t->model);
    if (status == HEED_OK &&
        heed_tokenizer_load(&t->tokenizer, folder, &t->tokenizer_problem) != HEED_OK) {
        t->tokenizer = NULL;
        if (t->tokenizer_problem.status == HEED_E_NOMEM)
            status = heed_fail(error, HEED_E_NOMEM, "%s", t->tokenizer_problem.message);
    }
    if (status == HEED_OK) status = load_settings(t, error);
    if (status == HEED_OK) status = note_tokenizer(options, t->tokenizer, error);
    if (status == HEED_OK) *result = t;
    else heed_transformer_free(t);
    return status;
}

void heed_transformer_free(heed_transformer *t)
{
    if (!t) return;
    heed_model_release(t->model);
    heed_tokenizer_free(t->tokenizer);
    heed_sidecar_free(t->sidecar);
    pthread_mutex_destroy(&t->turn);
    free(t->folder);
    free(t);
}

const heed_tokenizer *heed_transformer_tokenizer(const heed_transformer *t, heed_error *error)
{
    if (!t->tokenizer)
        heed_fail(error, t->tokenizer_problem.status, "%s", t->tokenizer_problem.message);
    return t->tokenizer;
}

bool heed_transformer_has_source(const heed_transformer *t)
{
    return heed_model_config(t->model)->arrangement == HEED_ENCODER_DECODER;
}

heed_status heed_transformer_session(heed_transformer *t, int64_t sequences, int64_t context,
                                     const heed_hooks *hooks, heed_session **session,
                                     heed_error *error)
{
    heed_session_options options = {.sequences = sequences, .context = context};
    HEED_TRY(heed_session_new(session, t->model, t->context->backend, &options, error));
    heed_session_set_cancel(*session, heed_hooks_cancel(hooks));
    return HEED_OK;
}
