/* settings.c: makes the settings of a generation from the model's files and the public options. */
#include "api/transformer.h"

#include <math.h>
#include <string.h>
#include <time.h>

const heed_generation_options *
heed_generation_options_or_default(const heed_generation_options *options)
{
    static const heed_generation_options defaults = {0};
    return options ? options : &defaults;
}

/* ---- numbers ---- */

static void take_int(heed_optional_int option, int64_t *setting)
{
    if (option.set) *setting = option.value;
}

static void take_real(heed_optional_real option, double *setting)
{
    if (option.set) *setting = option.value;
}

/* Takes the temperature. 0 means that tokens are not drawn; the temperature of the model's files
   then stays in the settings. */
static void take_temperature(heed_optional_real option, heed_generation_settings *settings)
{
    if (!option.set) return;
    settings->sample = option.value > 0;
    if (settings->sample) settings->temperature = option.value;
}

/* Takes the lengths. max_new_tokens replaces the max_length of the model's files. */
static void take_lengths(const heed_generation_options *options, heed_generation_settings *settings)
{
    take_int(options->min_new_tokens, &settings->min_new_tokens);
    if (!options->max_new_tokens.set) return;
    settings->max_new_tokens = options->max_new_tokens.value;
    settings->max_length = 0;
}

/* Copies the numbers of the public options into the settings. No other place does this. */
static void take_options(const heed_generation_options *options, heed_generation_settings *settings)
{
    take_lengths(options, settings);
    take_temperature(options->temperature, settings);
    take_real(options->top_p, &settings->top_p);
    take_real(options->min_p, &settings->min_p);
    take_real(options->typical_p, &settings->typical_p);
    take_real(options->epsilon_cutoff, &settings->epsilon_cutoff);
    take_real(options->eta_cutoff, &settings->eta_cutoff);
    take_real(options->repeat_penalty, &settings->repetition_penalty);
    take_real(options->length_penalty, &settings->length_penalty);
    take_real(options->presence_penalty, &settings->presence_penalty);
    take_real(options->frequency_penalty, &settings->frequency_penalty);
    take_int(options->top_k, &settings->top_k);
    take_int(options->no_repeat_ngram, &settings->no_repeat_ngram);
    if (options->beams) settings->beams = options->beams;
    if (options->returned) settings->returned = options->returned;
    if (options->early_stopping) settings->early_stopping = HEED_EARLY_ALWAYS;
    settings->log_probabilities = heed_int_or(options->log_probabilities, -1);
    settings->truncate = options->truncate;
    settings->seed = (uint64_t)heed_int_or(options->seed, (int64_t)time(NULL));
}

/* Checks those ranges of options that heed_generation_settings_check does not see. HEED_E_ARG. */
static heed_status check_options(const heed_generation_options *options, heed_error *error)
{
    heed_optional_real temperature = options->temperature;
    if (temperature.set && !(temperature.value >= 0 && isfinite(temperature.value)))
        return heed_fail(error, HEED_E_ARG,
                         "temperature %g: expected a finite number, 0 (the likeliest token each "
                         "time) or more",
                         temperature.value);
    if (options->max_new_tokens.set && options->max_new_tokens.value < 1)
        return heed_fail(error, HEED_E_ARG,
                         "%lld new tokens: expected at least 1; left out, as many as the context "
                         "holds",
                         (long long)options->max_new_tokens.value);
    if (heed_int_or(options->seed, 0) < 0)
        return heed_fail(error, HEED_E_ARG, "seed %lld: expected 0 or more",
                         (long long)options->seed.value);
    if (heed_int_or(options->log_probabilities, 0) < 0)
        return heed_fail(error, HEED_E_ARG, "log-probabilities of %lld tokens: expected 0 or more",
                         (long long)options->log_probabilities.value);
    return HEED_OK;
}

void heed_generation_settings_show(const heed_generation_settings *settings,
                                   heed_generation_options *options)
{
    options->temperature = heed_real(settings->sample ? settings->temperature : 0);
    options->top_p = heed_real(settings->top_p);
    options->min_p = heed_real(settings->min_p);
    options->typical_p = heed_real(settings->typical_p);
    options->epsilon_cutoff = heed_real(settings->epsilon_cutoff);
    options->eta_cutoff = heed_real(settings->eta_cutoff);
    options->repeat_penalty = heed_real(settings->repetition_penalty);
    options->length_penalty = heed_real(settings->length_penalty);
    options->presence_penalty = heed_real(settings->presence_penalty);
    options->frequency_penalty = heed_real(settings->frequency_penalty);
    options->top_k = heed_int(settings->top_k);
    options->no_repeat_ngram = heed_int(settings->no_repeat_ngram);
    options->beams = settings->beams;
    options->min_new_tokens = heed_int(settings->min_new_tokens);
}

/* ---- lists ---- */

/* Forbids the ids of a text too, because the text of special tokens is empty for bad_texts. Ids
   outside the model's vocabulary are skipped, because the model cannot write them. */
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

/* Forbids options->bad_texts, as text and as ids. Needs the tokenizer. */
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

/* Copies stop strings, logit bias and bad words into the settings. */
static heed_status take_lists(const heed_generation_options *options,
                              heed_generation_settings *settings, heed_error *error)
{
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
    return HEED_OK;
}

heed_status heed_transformer_settings(heed_transformer *t, const heed_generation_options *options,
                                      heed_generation_settings *settings, heed_error *error)
{
    heed_generation_settings_default(settings);
    options = heed_generation_options_or_default(options);
    HEED_TRY(check_options(options, error));
    if (!t->sidecar)
        return heed_fail(error, t->sidecar_problem.status, "%s", t->sidecar_problem.message);
    HEED_TRY(
        heed_generation_settings_from(settings, t->sidecar, heed_model_config(t->model), error));
    take_options(options, settings);
    HEED_TRY(take_lists(options, settings, error));
    if (options->bad_text_count) HEED_TRY(forbid_texts(t, options, settings, error));
    return heed_generation_settings_check(settings, heed_model_config(t->model), error);
}
