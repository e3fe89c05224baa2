/* choices.c: multiple choice for the public interface. It reads a file of questions line by line.
   */
#include "api/transformer.h"

#include "base/clock.h"
#include "base/lines.h"
#include "base/memory.h"
#include "evaluate/choices.h"
#include <stdlib.h>

/* The counts so far. */
typedef struct tally {
    /* right: answers that are best by sum, by sum / characters and by sum / bytes */
    int64_t questions, right[3];
    heed_choice_notes notes;
} tally;

/* The state of one call of heed_transformer_choose. */
typedef struct judge {
    heed_session *session;
    const heed_tokenizer *tokenizer;
    const heed_choice_task *task;
    tally all;
} judge;

/* Scores the choices of a question, counts the verdict and calls task->question. */
static heed_status judge_question(judge *j, const heed_question *question, heed_error *error)
{
    const heed_choice_task *task = j->task;
    heed_choice_options options = {
        .delimiter = task->delimiter, .special = task->special, .notes = &j->all.notes};
    double *sums = heed_allocate(question->count, sizeof *sums);
    if (!sums) return heed_fail_memory(error, question->count * sizeof *sums, "a question");
    heed_status status = heed_score_choices(j->session, j->tokenizer, question, &options, sums,
                                            error);
    if (status == HEED_OK) {
        heed_verdict verdict = heed_question_judge(question, sums);
        size_t number = (size_t)j->all.questions++;
        j->all.right[0] += verdict.plain == question->answer;
        j->all.right[1] += verdict.by_characters == question->answer;
        j->all.right[2] += verdict.by_bytes == question->answer;
        if (task->question)
            task->question(task->argument, number, sums, question->count, question->answer);
    }
    free(sums);
    return status;
}

/* Reads and judges the question in a line of the file. */
static heed_status judge_line(judge *j, heed_text text, size_t line, heed_error *error)
{
    json_t *json = NULL;
    char where[512];
    heed_question question;
    snprintf(where, sizeof where, "%.480s, line %zu", j->task->file, line);
    HEED_TRY(heed_json_parse(&json, text.bytes, text.length, where, error));
    heed_status status = heed_question_read(&question, json, j->task->file, line, error);
    if (status == HEED_OK) status = judge_question(j, &question, error);
    json_decref(json);
    return status;
}

/* Judges all lines that are not blank. HEED_E_FORMAT if there are none; HEED_E_CANCELLED. */
static heed_status judge_lines(judge *j, heed_line_file *file, const heed_hooks *hooks,
                               heed_error *error)
{
    heed_cancel cancel = heed_hooks_cancel(hooks);
    for (;;) {
        heed_text line;
        bool found = false;
        if (hooks && hooks->progress)
            hooks->progress(hooks->argument, (int64_t)heed_line_file_done(file),
                            (int64_t)heed_line_file_bytes(file));
        if (heed_cancelled(cancel))
            return heed_fail(error, HEED_E_CANCELLED, "stopped while scoring");
        HEED_TRY(heed_line_file_next(file, &line, &found, error));
        if (!found) break;
        if (heed_line_is_blank(line)) continue;
        HEED_TRY(judge_line(j, line, heed_line_file_number(file), error));
    }
    if (j->all.questions) return HEED_OK;
    return heed_fail(
        error, HEED_E_FORMAT,
        "%s: no questions: expected objects with context, choices and answer, one a line",
        j->task->file);
}

/* Opens what the judging needs and judges the whole file. */
static heed_status judge_file(judge *j, heed_transformer *t, const heed_hooks *hooks,
                              heed_error *error)
{
    heed_line_file *file = NULL;
    if (!j->task->file) return heed_fail(error, HEED_E_ARG, "no questions: name their file");
    j->tokenizer = heed_transformer_tokenizer(t, error);
    if (!j->tokenizer) return t->tokenizer_problem.status;
    HEED_TRY(heed_line_file_open(&file, j->task->file, error));
    heed_status status = heed_transformer_session(t, 2, 0, hooks, &j->session, error);
    if (status == HEED_OK) status = judge_lines(j, file, hooks, error);
    heed_session_free(j->session);
    heed_line_file_close(file);
    return status;
}

heed_status heed_transformer_choose(heed_transformer *t, const heed_choice_task *task,
                                    const heed_hooks *hooks, heed_choice_score *score,
                                    heed_error *error)
{
    double start = heed_clock_seconds();
    judge j = {.task = task};
    *score = (heed_choice_score){0};
    pthread_mutex_lock(&t->turn);
    heed_status status = judge_file(&j, t, hooks, error);
    pthread_mutex_unlock(&t->turn);
    const tally all = j.all;
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
