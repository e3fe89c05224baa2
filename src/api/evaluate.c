/* Scoring and translation for the public interface. */
#include "api/transformer.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/output.h"
#include "evaluate/bleu.h"
#include "evaluate/choices.h"
#include "evaluate/score.h"
#include "generate/translate.h"
#include "io/data.h"
#include "base/lines.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOWS_AT_ONCE = 8, LINES_AT_ONCE = 64 };

typedef struct {
    const heed_hooks *hooks;
} forward_hooks;

static void on_progress(void *argument, int64_t done, int64_t total)
{
    const heed_hooks *hooks = ((forward_hooks *)argument)->hooks;
    if (hooks && hooks->progress) hooks->progress(hooks->argument, done, total);
}

static void on_lines(void *argument, size_t done, size_t total)
{
    on_progress(argument, (int64_t)done, (int64_t)total);
}

static bool on_cancelled(void *argument)
{
    const heed_hooks *hooks = ((forward_hooks *)argument)->hooks;
    return hooks && hooks->cancelled && hooks->cancelled(hooks->argument);
}

/* All documents of the files as one text. */
static heed_status join_files(const char *const *files, size_t count, heed_buffer *text,
                              heed_error *error)
{
    heed_data *data = NULL;
    HEED_TRY(heed_data_open(&data, files, count, error));
    heed_status status = HEED_OK;
    if (heed_data_kind_of(data) != HEED_DATA_DOCUMENTS)
        status = heed_fail(error, HEED_E_ARG,
                           "%s: expected text files (.txt, .jsonl with \"text\")", files[0]);
    for (size_t i = 0; status == HEED_OK && i < heed_data_count(data); i++) {
        heed_text document = heed_data_document(data, i);
        heed_buffer_append(text, document.bytes, document.length);
    }
    if (text->failed) status = heed_fail_memory(error, heed_data_bytes(data), "the text");
    heed_data_close(data);
    return status;
}

heed_status heed_transformer_score(heed_transformer *t, const char *const *files, size_t count,
                                   int64_t max_tokens, int64_t context, const heed_hooks *hooks,
                                   heed_evaluation *evaluation, heed_error *error)
{
    *evaluation = (heed_evaluation){.bleu = NAN};
    const heed_tokenizer *tokenizer = heed_transformer_tokenizer(t, error);
    if (!tokenizer) return t->tokenizer_problem.status;
    heed_buffer text = {0};
    heed_session *session = NULL;
    heed_score score = {0};
    forward_hooks forward = {hooks};
    double start = heed_clock_seconds();
    pthread_mutex_lock(&t->turn);
    heed_status status = join_files(files, count, &text, error);
    if (status == HEED_OK)
        status = heed_transformer_session(t, WINDOWS_AT_ONCE, 0, hooks, &session, error);
    heed_score_options options = {
        .context = context,
        .max_tokens = max_tokens,
        .progress = on_progress,
        .cancelled = on_cancelled,
        .argument = &forward,
    };
    if (status == HEED_OK)
        status = heed_score_text(session, tokenizer, (heed_text){text.data, text.length}, &options,
                                 &score, error);
    pthread_mutex_unlock(&t->turn);
    heed_session_free(session);
    heed_buffer_free(&text);
    evaluation->tokens = score.tokens;
    evaluation->nll = heed_score_nll(&score);
    evaluation->perplexity = heed_score_perplexity(&score);
    evaluation->seconds = heed_clock_seconds() - start;
    return status;
}

/* Questions so far: how many, how many of them right by each measure, what is to be said of them.
 */
typedef struct tally {
    int64_t questions, right[3];
    heed_choice_notes notes;
} tally;

/* One line of the file: its likelihoods, and what they say. */
static heed_status judge_line(heed_session *session, const heed_tokenizer *tokenizer,
                              const heed_choice_task *task, heed_text text, size_t line, tally *all,
                              heed_error *error)
{
    json_t *json = NULL;
    char where[512];
    heed_question question;
    snprintf(where, sizeof where, "%.480s, line %zu", task->file, line);
    HEED_TRY(heed_json_parse(&json, text.bytes, text.length, where, error));
    heed_status status = heed_question_read(&question, json, task->file, line, error);
    double *sums = status == HEED_OK ? heed_allocate(question.count, sizeof *sums) : NULL;
    if (status == HEED_OK && !sums)
        status = heed_fail_memory(error, question.count * sizeof *sums, "a question");
    heed_choice_options options = {
        .delimiter = task->delimiter, .special = task->special, .notes = &all->notes};
    if (status == HEED_OK)
        status = heed_score_choices(session, tokenizer, &question, &options, sums, error);
    if (status == HEED_OK) {
        heed_verdict verdict = heed_question_judge(&question, sums);
        size_t number = (size_t)all->questions++;
        all->right[0] += verdict.plain == question.answer;
        all->right[1] += verdict.by_characters == question.answer;
        all->right[2] += verdict.by_bytes == question.answer;
        if (task->question)
            task->question(task->argument, number, sums, question.count, question.answer);
    }
    free(sums);
    json_decref(json);
    return status;
}

static heed_status judge_file(heed_transformer *t, const heed_choice_task *task,
                              const heed_hooks *hooks, tally *all, heed_error *error)
{
    const heed_tokenizer *tokenizer = heed_transformer_tokenizer(t, error);
    if (!tokenizer) return t->tokenizer_problem.status;
    heed_line_file *file = NULL;
    heed_session *session = NULL;
    HEED_TRY(heed_line_file_open(&file, task->file, error));
    heed_status status = heed_transformer_session(t, 2, 0, hooks, &session, error);
    for (bool found = true; status == HEED_OK && found;) {
        heed_text line;
        int64_t done = (int64_t)heed_line_file_done(file),
                bytes = (int64_t)heed_line_file_bytes(file);
        if (hooks && hooks->progress) hooks->progress(hooks->argument, done, bytes);
        if (hooks && hooks->cancelled && hooks->cancelled(hooks->argument))
            status = heed_fail(error, HEED_E_CANCELLED, "stopped while scoring");
        else status = heed_line_file_next(file, &line, &found, error);
        if (status == HEED_OK && found &&
            !heed_line_is_blank(line)) /* blank lines are no questions */
            status = judge_line(session, tokenizer, task, line, heed_line_file_number(file), all,
                                error);
    }
    if (status == HEED_OK && !all->questions)
        status = heed_fail(
            error, HEED_E_FORMAT,
            "%s: no questions: expected objects with context, choices and answer, one a line",
            task->file);
    heed_session_free(session);
    heed_line_file_close(file);
    return status;
}

heed_status heed_transformer_choose(heed_transformer *t, const heed_choice_task *task,
                                    const heed_hooks *hooks, heed_choice_score *score,
                                    heed_error *error)
{
    double start = heed_clock_seconds();
    tally all = {0};
    *score = (heed_choice_score){0};
    pthread_mutex_lock(&t->turn);
    heed_status status = judge_file(t, task, hooks, &all, error);
    pthread_mutex_unlock(&t->turn);
    double count = all.questions ? (double)all.questions : 1;
    score->questions = all.questions;
    score->cut = all.notes.cut;
    score->joined = all.notes.joined;
    score->accuracy = (double)all.right[0] / count;
    score->accuracy_characters = (double)all.right[1] / count;
    score->accuracy_bytes = (double)all.right[2] / count;
    score->seconds = heed_clock_seconds() - start;
    return status;
}

heed_status heed_transformer_translate(heed_transformer *t, const char *in_path,
                                       const char *out_path, const heed_generation_options *options,
                                       const heed_hooks *hooks, heed_error *error)
{
    HEED_TRY(heed_path_check_output(out_path, error));
    const heed_tokenizer *tokenizer = heed_transformer_tokenizer(t, error);
    if (!tokenizer) return t->tokenizer_problem.status;
    heed_generation_settings settings;
    heed_session *session = NULL;
    heed_translation translation = {0};
    forward_hooks forward = {hooks};
    heed_translation_events events = {
        .progress = on_lines, .cancelled = on_cancelled, .argument = &forward};
    pthread_mutex_lock(&t->turn);
    heed_status status = heed_transformer_settings(t, options, &settings, error);
    if (status == HEED_OK)
        status = heed_transformer_session(t,
                                          LINES_AT_ONCE * (settings.beams > 1 ? settings.beams : 1),
                                          options->context, hooks, &session, error);
    if (status == HEED_OK)
        status = heed_translate_file(&(heed_generator){session, tokenizer, &settings}, in_path,
                                     out_path, &events, &translation, error);
    pthread_mutex_unlock(&t->turn);
    heed_translation_free(&translation);
    heed_session_free(session);
    heed_generation_settings_free(&settings);
    return status;
}

/* Translates every source, scores against its reference; also the nll of the references. */
static heed_status translate_and_compare(heed_transformer *t, const heed_data *pairs,
                                         const heed_generation_settings *settings,
                                         heed_session *session, forward_hooks *forward,
                                         heed_evaluation *evaluation, heed_error *error)
{
    size_t count = heed_data_count(pairs);
    heed_text *sources = heed_allocate(count, sizeof *sources);
    heed_translation translation = {0};
    heed_translation_events events = {
        .progress = on_lines, .cancelled = on_cancelled, .argument = forward};
    heed_bleu bleu = {0};
    heed_status status = sources ? HEED_OK
                                 : heed_fail_memory(error, count * sizeof *sources, "the sources");
    for (size_t i = 0; status == HEED_OK && i < count; i++)
        sources[i] = heed_data_pair(pairs, i).source;
    if (status == HEED_OK)
        status = heed_translate_lines(&(heed_generator){session, t->tokenizer, settings}, sources,
                                      count, &events, &translation, error);
    for (size_t i = 0; status == HEED_OK && i < count; i++) {
        heed_text reference = heed_data_pair(pairs, i).target;
        status = heed_bleu_add(&bleu, translation.lines[i], strlen(translation.lines[i]),
                               reference.bytes, reference.length, error);
    }
    if (status == HEED_OK) evaluation->bleu = heed_bleu_finish(&bleu);
    heed_translation_free(&translation);
    free(sources);
    return status;
}

static heed_status score_references(heed_transformer *t, const heed_data *pairs,
                                    const heed_generation_settings *settings, heed_session *session,
                                    heed_evaluation *evaluation, heed_error *error)
{
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
        status = heed_tokenizer_encode(t->tokenizer, text.bytes, text.length, HEED_ENCODE_SPECIAL,
                                       &encodings[i], error);
        ids[i] = (heed_ids){encodings[i].ids, (int64_t)encodings[i].count};
    }
    if (status == HEED_OK)
        status = heed_score_pairs(session, settings, &(heed_id_pairs){ids, ids + count, count},
                                  NULL, &score, error);
    evaluation->tokens = score.tokens;
    evaluation->nll = heed_score_nll(&score);
    evaluation->perplexity = heed_score_perplexity(&score);
    for (size_t i = 0; encodings && i < 2 * count; i++) heed_encoding_free(&encodings[i]);
    free(encodings);
    free(ids);
    return status;
}

heed_status heed_transformer_bleu(heed_transformer *t, const char *source, const char *reference,
                                  const heed_generation_options *options, const heed_hooks *hooks,
                                  heed_evaluation *evaluation, heed_error *error)
{
    *evaluation = (heed_evaluation){.nll = NAN, .perplexity = NAN, .bleu = NAN};
    if (!heed_transformer_tokenizer(t, error)) return t->tokenizer_problem.status;
    heed_generation_settings settings;
    heed_data *pairs = NULL;
    heed_session *session = NULL;
    forward_hooks forward = {hooks};
    double start = heed_clock_seconds();
    pthread_mutex_lock(&t->turn);
    heed_status status = heed_transformer_settings(t, options, &settings, error);
    if (status == HEED_OK) status = heed_data_open_pairs(&pairs, source, reference, error);
    if (status == HEED_OK)
        status = heed_transformer_session(t,
                                          LINES_AT_ONCE * (settings.beams > 1 ? settings.beams : 1),
                                          options->context, hooks, &session, error);
    if (status == HEED_OK)
        status = translate_and_compare(t, pairs, &settings, session, &forward, evaluation, error);
    if (status == HEED_OK && heed_transformer_has_source(t))
        status = score_references(t, pairs, &settings, session, evaluation, error);
    pthread_mutex_unlock(&t->turn);
    heed_session_free(session);
    heed_data_close(pairs);
    heed_generation_settings_free(&settings);
    evaluation->seconds = heed_clock_seconds() - start;
    return status;
}
