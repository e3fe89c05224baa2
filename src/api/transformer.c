#include "api/transformer.h"

#include "base/memory.h"
#include "io/weights.h"
#include "tensor/dtype.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

void heed_load_tell(const heed_load_options *options, const heed_model *model)
{
    for (size_t i = 0; options->note && i < heed_model_note_count(model); i++)
        if (heed_model_note_is_aloud(model, i))
            options->note(options->note_argument, heed_model_note(model, i));
}

/* Settings that cannot be read are in the way of generation alone. */
static heed_status load_settings(heed_transformer *t, heed_error *error)
{
    heed_error *problem = &t->sidecar_problem;
    heed_sidecar_load(&t->sidecar, t->folder, HEED_SIDECAR_SETTINGS, problem);
    if (problem->status != HEED_E_NOMEM) return HEED_OK;
    return heed_fail(error, HEED_E_NOMEM, "%s", problem->message);
}

/* What the tokenizer's files say, as the notes of the model. */
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
                                  const char *folder, heed_error *error)
{
    return heed_transformer_load_with(result, context, folder, &(heed_load_options){0}, error);
}

heed_status heed_transformer_load_with(heed_transformer **result, heed_context *context,
                                       const char *folder, const heed_load_options *options,
                                       heed_error *error)
{
    heed_model_options how = {.backend = context->backend};
    *result = NULL;
    HEED_TRY(heed_load_options_read(options, &how, error));
    heed_transformer *t = heed_allocate(1, sizeof *t);
    if (!t) return heed_fail_memory(error, sizeof *t, "the model");
    pthread_mutex_init(&t->turn, NULL);
    t->context = context;
    t->folder = heed_weights_folder(folder);
    heed_status status = t->folder ? HEED_OK : heed_fail_memory(error, strlen(folder), "the model");
    if (status == HEED_OK) status = heed_model_load(&t->model, folder, &how, error);
    if (status == HEED_OK) heed_load_tell(options, t->model);
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

void heed_generation_preset(heed_generation_options *options)
{
    *options = (heed_generation_options){
        .max_new_tokens = -1,
        .min_new_tokens = -1,
        .temperature = NAN,
        .top_p = NAN,
        .min_p = NAN,
        .repeat_penalty = NAN,
        .length_penalty = NAN,
        .typical_p = NAN,
        .epsilon_cutoff = NAN,
        .eta_cutoff = NAN,
        .presence_penalty = NAN,
        .frequency_penalty = NAN,
        .top_k = -1,
        .no_repeat_ngram = -1,
        .beams = -1,
        .returned = -1,
        .log_probabilities = -1,
        .seed = -1,
    };
}

/* The options that were given, over what the files say. */
static void overlay(const heed_generation_options *options, heed_generation_settings *settings)
{
    if (options->max_new_tokens >= 0)
        settings->max_new_tokens = options->max_new_tokens, settings->max_length = 0;
    if (options->min_new_tokens >= 0) settings->min_new_tokens = options->min_new_tokens;
    if (!isnan(options->temperature)) {
        settings->sample = options->temperature > 0;
        if (options->temperature > 0) settings->temperature = options->temperature;
    }
    if (!isnan(options->top_p)) settings->top_p = options->top_p;
    if (!isnan(options->min_p)) settings->min_p = options->min_p;
    if (!isnan(options->repeat_penalty)) settings->repetition_penalty = options->repeat_penalty;
    if (!isnan(options->length_penalty)) settings->length_penalty = options->length_penalty;
    if (!isnan(options->typical_p)) settings->typical_p = options->typical_p;
    if (!isnan(options->epsilon_cutoff)) settings->epsilon_cutoff = options->epsilon_cutoff;
    if (!isnan(options->eta_cutoff)) settings->eta_cutoff = options->eta_cutoff;
    if (!isnan(options->presence_penalty)) settings->presence_penalty = options->presence_penalty;
    if (!isnan(options->frequency_penalty))
        settings->frequency_penalty = options->frequency_penalty;
    if (options->top_k >= 0) settings->top_k = options->top_k;
    if (options->no_repeat_ngram >= 0) settings->no_repeat_ngram = options->no_repeat_ngram;
    if (options->beams >= 0) settings->beams = options->beams;
    if (options->returned >= 0) settings->returned = options->returned;
    if (options->early_stopping) settings->early_stopping = HEED_EARLY_ALWAYS;
    settings->log_probabilities = options->log_probabilities;
    settings->truncate = options->truncate;
    settings->seed = options->seed >= 0 ? (uint64_t)options->seed : (uint64_t)time(NULL);
}

/* The text as ids too: special tokens have no text. Ids that the model cannot write need no
   forbidding. */
static heed_status forbid_ids(const heed_tokenizer *tokenizer, const char *text, int64_t vocabulary,
                              heed_generation_settings *settings, heed_error *error)
{
    heed_encoding ids = {0};
    heed_status status = heed_tokenizer_encode(tokenizer, text, strlen(text),
                                               heed_tokenizer_plain_flags(tokenizer), &ids, error);
    bool writable = ids.count > 0;
    for (size_t i = 0; i < ids.count; i++) writable &= ids.ids[i] < vocabulary;
    if (status == HEED_OK && writable &&
        !heed_id_table_add(&settings->bad_words, ids.ids, ids.count, 0))
        status = heed_fail_memory(error, ids.count * sizeof *ids.ids, "the bad words");
    heed_encoding_free(&ids);
    return status;
}

static heed_status forbid_texts(const heed_transformer *t, const heed_generation_options *options,
                                heed_generation_settings *settings, heed_error *error)
{
    const heed_tokenizer *tokenizer = heed_transformer_tokenizer(t, error);
    int64_t vocabulary = heed_model_config(t->model)->vocabulary;
    if (!tokenizer) return t->tokenizer_problem.status;
    for (size_t i = 0; i < options->bad_text_count; i++)
        HEED_TRY(forbid_ids(tokenizer, options->bad_texts[i], vocabulary, settings, error));
    return heed_bad_texts_new(&settings->bad_texts, tokenizer, (size_t)vocabulary,
                              options->bad_texts, options->bad_text_count, error);
}

heed_status heed_transformer_settings(heed_transformer *t, const heed_generation_options *options,
                                      heed_generation_settings *settings, heed_error *error)
{
    heed_generation_settings_default(settings);
    if (options->temperature < 0 || isinf(options->temperature))
        return heed_fail(error, HEED_E_ARG,
                         "temperature %g: expected a finite number, 0 (the likeliest token each "
                         "time) or more",
                         options->temperature);
    if (options->max_new_tokens == 0)
        return heed_fail(
            error, HEED_E_ARG,
            "0 new tokens: expected at least 1, or -1 for as many as the context holds");
    if (!t->sidecar)
        return heed_fail(error, t->sidecar_problem.status, "%s", t->sidecar_problem.message);
    HEED_TRY(
        heed_generation_settings_from(settings, t->sidecar, heed_model_config(t->model), error));
    overlay(options, settings);
    for (size_t i = 0; i < options->stop_count; i++)
        HEED_TRY(heed_generation_settings_add_stop(settings, options->stop[i], error));
    for (size_t i = 0; i < options->bias_count; i++)
        if (!heed_id_table_add(&settings->sequence_bias, &options->bias_ids[i], 1,
                               options->bias_values[i]))
            return heed_fail_memory(error, sizeof(int32_t), "the logit bias");
    for (size_t i = 0; i < options->bad_word_count; i++)
        if (!heed_id_table_add(&settings->bad_words, options->bad_words[i],
                               options->bad_word_lengths[i], 0))
            return heed_fail_memory(error, options->bad_word_lengths[i] * sizeof(int32_t),
                                    "the bad words");
    if (options->bad_text_count) HEED_TRY(forbid_texts(t, options, settings, error));
    return heed_generation_settings_check(settings, heed_model_config(t->model), error);
}
