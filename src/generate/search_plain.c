/* One token after the other: the likeliest, or drawn. A prompt's returned sequences share its blocks in the cache. */
#include "base/memory.h"
#include "generate/generate_internal.h"
#include "generate/text_stream.h"
#include <stdlib.h>
#include <string.h>

typedef struct writing {
    heed_draft draft;
    heed_text_stream text;
    heed_rng rng;
    int64_t sequence; /* of the session, -1 while it has none */
    bool ended, returned;
    heed_finish finish;
} writing;

typedef struct plain { writing *writings; int64_t count; } plain;

static int64_t sequences(const heed_generation_settings *settings)
{
    return settings->returned;
}

/* Numbers that depend on nothing but the seed, the ids given and the number of the returned sequence. */
static heed_rng stream_of(const heed_job *job, const heed_group *group, int64_t number)
{
    uint64_t stream = (uint64_t)number;
    for (int64_t i = 0; i < group->given.count; i++) stream = heed_mix(stream, (uint64_t)group->given.ids[i]);
    for (int64_t i = 0; i < group->source.count; i++) stream = heed_mix(stream, (uint64_t)group->source.ids[i]);
    return (heed_rng){.seed = job->settings->seed, .stream = stream};
}

static heed_status begin(heed_job *job, heed_group *group, heed_error *error)
{
    plain *state = heed_allocate(1, sizeof *state);
    int64_t count = job->settings->returned;
    if (!state) return heed_fail_memory(error, sizeof *state, "a search");
    group->state = state;
    state->writings = heed_allocate((size_t)count, sizeof *state->writings);
    if (!state->writings) return heed_fail_memory(error, (size_t)count * sizeof *state->writings, "returned sequences");
    state->count = count;
    for (int64_t i = 0; i < count; i++) {
        writing *w = &state->writings[i];
        w->sequence = -1;
        w->rng = stream_of(job, group, i);
        HEED_TRY(heed_draft_begin(&w->draft, &group->given, error));
        if (job->tokenizer) HEED_TRY(heed_text_stream_begin(&w->text, job->tokenizer, job->settings, error));
    }
    return HEED_OK;
}

static void give_text(const heed_job *job, const heed_group *group, int64_t number, const char *piece, size_t length)
{
    if (length && job->events->text) job->events->text(job->events->argument, group->prompt, (size_t)number, piece, length);
}

static void end_writing(writing *w, heed_finish finish)
{
    w->ended = true;
    w->finish = finish;
}

/* Chooses the next id of a sequence and says whether it was the last. */
static heed_status choose(heed_job *job, heed_group *group, int64_t number, const float *logits, heed_error *error)
{
    writing *w = &((plain *)group->state)->writings[number];
    const float *scores = heed_job_scores(job, group, &w->draft, logits);
    int32_t id = 0;
    if (!job->samples) {
        HEED_TRY(heed_choose_greedy(scores, job->vocabulary, &id, error));
        HEED_TRY(heed_draft_add(&w->draft, job, scores, id, error));
    } else {
        /* What is reported are the scores before the cuts, which work in place. */
        heed_logits_context context = {.ids = w->draft.ids, .count = w->draft.count, .prompt = group->given.count};
        bool keeps = job->settings->log_probabilities >= 0 && job->sampling.count > 0;
        float *cut = keeps ? job->scores + job->vocabulary : job->scores;
        if (scores != cut) memcpy(cut, scores, (size_t)job->vocabulary * sizeof *cut);
        heed_logits_chain_apply(&job->sampling, job->settings, &context, cut, &job->scratch);
        HEED_TRY(heed_choose_sample(cut, job->vocabulary, &w->rng, &id, error));
        HEED_TRY(heed_draft_add(&w->draft, job, keeps ? scores : cut, id, error));
    }
    if (heed_job_is_end(job, id)) {
        end_writing(w, HEED_FINISH_EOS);
        return HEED_OK;
    }
    if (job->tokenizer) {
        const char *piece;
        size_t length;
        HEED_TRY(heed_text_stream_push(&w->text, id, &piece, &length, error));
        give_text(job, group, number, piece, length);
    }
    if (w->text.stopped) end_writing(w, HEED_FINISH_STOP);
    else if (w->draft.count >= group->max_length) end_writing(w, group->limit);
    return HEED_OK;
}

static heed_status first(heed_job *job, heed_group *group, const float *logits, heed_error *error)
{
    plain *state = group->state;
    for (int64_t i = 0; i < state->count; i++) HEED_TRY(choose(job, group, i, logits, error));
    return HEED_OK;
}

static bool is_fed(const writing *w)
{
    return !w->ended && w->sequence >= 0;
}

static int64_t feed(const heed_group *group, heed_step_item *items)
{
    const plain *state = group->state;
    int64_t count = 0;
    for (int64_t i = 0; i < state->count; i++) {
        const writing *w = &state->writings[i];
        if (is_fed(w)) items[count++] = (heed_step_item){w->sequence, w->draft.ids + w->draft.count - 1, 1, 0};
    }
    return count;
}

static heed_status next(heed_job *job, heed_group *group, int64_t item, const float *logits, heed_error *error)
{
    /* The k-th item fed: sequences before it that end in this very step were fed too. */
    const plain *state = group->state;
    for (int64_t i = 0; i < state->count; i++)
        if (state->writings[i].sequence >= 0 && item-- == 0) return choose(job, group, i, logits, error);
    return HEED_OK;
}

static heed_status return_item(heed_job *job, heed_group *group, int64_t number, heed_error *error)
{
    writing *w = &((plain *)group->state)->writings[number];
    heed_generated *item = heed_job_item(job, group, number);
    const char *piece = "";
    size_t length = 0;
    if (job->tokenizer) {
        HEED_TRY(heed_text_stream_finish(&w->text, &piece, &length, error));
        give_text(job, group, number, piece, length);
        if (w->text.stopped) w->finish = HEED_FINISH_STOP;
        HEED_TRY(heed_job_set_text(item, &w->text.text, error));
    }
    heed_draft_finish(&w->draft, item, w->finish);
    w->returned = true;
    if (job->events->finished) job->events->finished(job->events->argument, item);
    return HEED_OK;
}

/* Behind the first choice every sequence that goes on gets a sequence of the session: the prompt's own, or a fork of it. */
static heed_status give_sequences(heed_job *job, heed_group *group, heed_error *error)
{
    plain *state = group->state;
    int64_t owner = -1;
    for (int64_t i = 0; i < state->count; i++) {
        writing *w = &state->writings[i];
        if (w->ended) continue;
        if (owner < 0) owner = i, w->sequence = group->sequence;
        else HEED_TRY(heed_session_fork(job->session, group->sequence, group->given.count, &w->sequence, error));
    }
    if (owner < 0) HEED_TRY(heed_job_release(job, 0, group->sequence, group->given.ids, error));
    group->sequence = -1;
    return HEED_OK;
}

static heed_status advance(heed_job *job, heed_group *group, heed_error *error)
{
    plain *state = group->state;
    if (group->sequence >= 0) HEED_TRY(give_sequences(job, group, error));
    group->done = true;
    for (int64_t i = 0; i < state->count; i++) {
        writing *w = &state->writings[i];
        if (!w->ended) group->done = false;
        if (!w->ended || w->returned) continue;
        if (w->sequence >= 0) HEED_TRY(heed_job_release(job, i, w->sequence, w->draft.ids, error));
        w->sequence = -1;
        HEED_TRY(return_item(job, group, i, error));
    }
    return HEED_OK;
}

static void end(heed_job *job, heed_group *group)
{
    plain *state = group->state;
    (void)job;
    if (!state) return;
    for (int64_t i = 0; i < state->count; i++) {
        heed_draft_free(&state->writings[i].draft);
        heed_text_stream_free(&state->writings[i].text);
    }
    free(state->writings);
    free(state);
    group->state = NULL;
}

const heed_search heed_search_plain = {sequences, begin, first, feed, next, advance, end};
