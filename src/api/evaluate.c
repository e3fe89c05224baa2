/* evaluate.c: perplexity, translation and BLEU for the public interface. */
#include "api/transformer.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/output.h"
#include "evaluate/bleu.h"
#include "evaluate/score.h"
#include "generate/translate.h"
#include "io/data.h"
#include <stdlib.h>
#include <string.h>

enum { WINDOWS_AT_ONCE = 8, LINES_AT_ONCE = 64 };

static void on_progress(void *argument, int64_t done, int64_t total)
{
    const heed_hooks *hooks = argument;
    if (hooks && hooks->progress) hooks->progress(hooks->argument, done, total);
}

static void on_lines(void *argument, size_t done, size_t total)
{
    on_progress(argument, (int64_t)done, (int64_t)total);
}

static bool on_cancelled(void *argument)
{
    return heed_cancelled(heed_hooks_cancel(argument));
}

/* ---- how well a model predicts ---- */

/* Writes a score into the public evaluation. */
static void take_score(const heed_score *score, heed_evaluation *evaluation)
{
    evaluation->tokens = score->tokens;
    if (!score->tokens) return;
    evaluation->nll = heed_real(heed_score_nll(score));
    evaluation->perplexity = heed_real(heed_score_perplexity(score));
}

/* Joins all documents of the files to one text. HEED_E_ARG if the files do not hold documents. */
static heed_status join_files(const heed_score_task *task, heed_buffer *text, heed_error *error)
{
    heed_data *data = NULL;
    HEED_TRY(heed_data_open(&data, task->files, task->file_count, error));
    heed_status status = HEED_OK;
    if (heed_data_kind_of(data) != HEED_DATA_DOCUMENTS)
        status = heed_fail(error, HEED_E_ARG,
                           "%s: expected text files (.txt, .jsonl with \"text\")", task->files[0]);
    for (size_t i = 0; status == HEED_OK && i < heed_data_count(data); i++) {
        heed_text document = heed_data_document(data, i);
        heed_buffer_append(text, document.bytes, document.length);
    }
    if (text->failed) status = heed_fail_memory(error, heed_data_bytes(data), "the text");
    heed_data_close(data);
    return status;
}

heed_status heed_transformer_score(heed_transformer *t, const heed_score_task *task,
                                   const heed_hooks *hooks, heed_evaluation *evaluation,
                                   heed_error *error)
{
    *evaluation = (heed_evaluation){0};
    const heed_tokenizer *tokenizer = heed_transformer_tokenizer(t, error);
    if (!tokenizer) return t->tokenizer_problem.status;
    if (!task->file_count) return heed_fail(error, HEED_E_ARG, "no text to score: name files");
    heed_buffer text = {0};
    heed_session *session = NULL;
    heed_score score = {0};
    double start = heed_clock_seconds();
    heed_score_options options = {
        .context = task->context,
        .max_tokens = task->max_tokens,
        .progress = on_progress,
        .cancelled = on_cancelled,
        .argument = (void *)hooks,
    };
    pthread_mutex_lock(&t->turn);
    heed_status status = join_files(task, &text, error);
    if (status == HEED_OK)
        status = heed_transformer_session(t, WINDOWS_AT_ONCE, 0, hooks, &session, error);
    if (status == HEED_OK)
        status = heed_score_text(session, tokenizer, (heed_text){text.data, text.length}, &options,
                                 &score, error);
    pthread_mutex_unlock(&t->turn);
    heed_session_free(session);
    heed_buffer_free(&text);
    take_score(&score, evaluation);
    evaluation->seconds = heed_clock_seconds() - start;
    return status;
}

/* ---- translation ---- */

/* What a translation needs besides its lines. */
typedef struct translator {
    heed_transformer *transformer;
    const heed_hooks *hooks; /* may be NULL */
    heed_generation_settings settings;
    heed_session *session;
} translator;

/* Makes settings and session. The caller calls translator_close, after a failure too. */
static heed_status translator_open(translator *tr, const heed_generation_options *options,
                                   heed_error *error)
{
    heed_transformer *t = tr->transformer;
    options = heed_generation_options_or_default(options);
    HEED_TRY(heed_transformer_settings(t, options, &tr->settings, error));
    int64_t beams = tr->settings.beams > 1 ? tr->settings.beams : 1;
    return heed_transformer_session(t, LINES_AT_ONCE * beams, options->context, tr->hooks,
                                    &tr->session, error);
}

static void translator_close(translator *tr)
{
    heed_session_free(tr->session);
    heed_generation_settings_free(&tr->settings);
}

static heed_generator generator_of(const translator *tr)
{
    return (heed_generator){tr->session, tr->transformer->tokenizer, &tr->settings};
}

static heed_translation_events events_of(const translator *tr)
{
    return (heed_translation_events){
        .progress = on_lines, .cancelled = on_cancelled, .argument = (void *)tr->hooks};
}

heed_status heed_transformer_translate(heed_transformer *t, const char *in_path,
                                       const char *out_path, const heed_generation_options *options,
                                       const heed_hooks *hooks, heed_error *error)
{
    if (!in_path || !out_path)
        return heed_fail(error, HEED_E_ARG, "no file to translate: name it, and that to write");
    HEED_TRY(heed_path_check_output(out_path, error));
    if (!heed_transformer_tokenizer(t, error)) return t->tokenizer_problem.status;
    translator tr = {.transformer = t, .hooks = hooks};
    heed_translation translation = {0};
    heed_translation_events events = events_of(&tr);
    heed_generation_settings_default(&tr.settings);
    pthread_mutex_lock(&t->turn);
    heed_status status = translator_open(&tr, options, error);
    heed_generator generator = generator_of(&tr);
    if (status == HEED_OK)
        status = heed_translate_file(&generator, in_path, out_path, &events, &translation, error);
    pthread_mutex_unlock(&t->turn);
    heed_translation_free(&translation);
    translator_close(&tr);
    return status;
}

/* Translates every source and sets the BLEU of the translations against the references. */
static heed_status translate_and_compare(const translator *tr, const heed_data *pairs,
                                         heed_evaluation *evaluation, heed_error *error)
{
    size_t count = heed_data_count(pairs);
    heed_text *sources = heed_allocate(count, sizeof *sources);
    heed_translation translation = {0};
    heed_translation_events events = events_of(tr);
    heed_generator generator = generator_of(tr);
    heed_bleu bleu = {0};
    heed_status status = sources ? HEED_OK
                                 : heed_fail_memory(error, count * sizeof *sources, "the sources");
    for (size_t i = 0; status == HEED_OK && i < count; i++)
        sources[i] = heed_data_pair(pairs, i).source;
    if (status == HEED_OK)
        status = heed_translate_lines(&generator, sources, count, &events, &translation, error);
    for (size_t i = 0; status == HEED_OK && i < count; i++) {
        heed_text reference = heed_data_pair(pairs, i).target;
        status = heed_bleu_add(&bleu, translation.lines[i], strlen(translation.lines[i]),
                               reference.bytes, reference.length, error);
    }
    if (status == HEED_OK && count > 0) evaluation->bleu = heed_real(heed_bleu_finish(&bleu));
    heed_translation_free(&translation);
    free(sources);
    return status;
}

/* Measures how well an encoder-decoder predicts the references. */
static heed_status score_references(const translator *tr, const heed_data *pairs,
                                    heed_evaluation *evaluation, heed_error *error)
{
    const heed_tokenizer *tokenizer = tr->transformer->tokenizer;
    size_t count = heed_data_count(pairs);
    heed_encoding *encodings = heed_allocate(2 * count, sizeof *encodings);
    heed_ids *ids = heed_allocate(2 * count, sizeof *ids);
    heed_score score = {0};
    heed_status status = encodings && ids
                             ? HEED_OK
                             : heed_fail_memory(error, 2 * count * sizeof *encodings, "the pairs");
    for (size_t i = 0; status == HEED_OK && i < 2 * count; i++) {
        heed_text_pair pair = heed_data_pair(pairs, i % count);
        heed_text text = i < count ? pair.source : pair.target;
        status = heed_tokenizer_encode(tokenizer, text.bytes, text.length, HEED_ENCODE_SPECIAL,
                                       &encodings[i], error);
        ids[i] = (heed_ids){encodings[i].ids, (int64_t)encodings[i].count};
    }
    if (status == HEED_OK)
        status = heed_score_pairs(tr->session, &tr->settings,
                                  &(heed_id_pairs){ids, ids + count, count}, NULL, &score, error);
    take_score(&score, evaluation);
    for (size_t i = 0; encodings && i < 2 * count; i++) heed_encoding_free(&encodings[i]);
    free(encodings);
    free(ids);
    return status;
}

heed_status heed_transformer_bleu(heed_transformer *t, const heed_bleu_task *task,
                                  const heed_hooks *hooks, heed_evaluation *evaluation,
                                  heed_error *error)
{
    *evaluation = (heed_evaluation){0};
    if (!task->source || !task->reference)
        return heed_fail(error, HEED_E_ARG, "no pairs: name the sources and the references");
    if (!heed_transformer_tokenizer(t, error)) return t->tokenizer_problem.status;
    translator tr = {.transformer = t, .hooks = hooks};
    heed_data *pairs = NULL;
    double start = heed_clock_seconds();
    heed_generation_settings_default(&tr.settings);
    pthread_mutex_lock(&t->turn);
    heed_status status = heed_data_open_pairs(&pairs, task->source, task->reference, error);
    if (status == HEED_OK) status = translator_open(&tr, task->generation, error);
    if (status == HEED_OK) status = translate_and_compare(&tr, pairs, evaluation, error);
    if (status == HEED_OK && heed_transformer_has_source(t))
        status = score_references(&tr, pairs, evaluation, error);
    pthread_mutex_unlock(&t->turn);
    translator_close(&tr);
    heed_data_close(pairs);
    evaluation->seconds = heed_clock_seconds() - start;
    return status;
}
