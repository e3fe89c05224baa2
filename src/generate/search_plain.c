/* search_plain.c: writes one token after the other, the likeliest or a drawn one. The returned
   sequences of a prompt share its pages in the cache. */
#include "base/memory.h"
#include "generate/generate_internal.h"
#include "generate/text_stream.h"
#include <stdlib.h>
#include <string.h>

/* Where a sequence is written: its draft, and what the search keeps beside it. When the sequence is
   finished, the next one takes its place. */
typedef struct writing {
    heed_draft draft;
    heed_text_stream text;
    heed_rng rng;
    int64_t number;   /* its number among the sequences of its prompt */
    int64_t sequence; /* its sequence of the session; -1 while it has none */
    bool open;        /* true while it is written; if false, another sequence may be written here */
    bool ended;
    heed_finish finish;
} writing;

/* The search of one prompt. At most AT_ONCE of its sequences are written at a time. */
typedef struct plain_search {
    writing *writings;    /* (count) */
    int64_t *fed;         /* (count) the writing that each item of the step belongs to */
    int64_t count, begun; /* writings; sequences begun so far */
    /* The session's sequence that holds the prompt; -1 once every writing has a sequence. */
    int64_t prompt_sequence;
    bool taken; /* a writing goes on in that sequence */
    /* (V) logits after the prompt, for sequences that begin later; NULL if none do */
    float *scores;
    bool kept_first; /* sequence 0 was handed over to the job's prefix, or dropped */
} plain_search;

enum { AT_ONCE = 256 };

static int64_t sequences(const heed_generation_settings *settings)
{
    return settings->returned > AT_ONCE ? AT_ONCE + 1 : settings->returned;
}

/* Returns random numbers that depend only on the seed, the ids given and the number of the returned
   sequence. */
static heed_rng stream_of(const heed_job *job, const heed_prompt_group *group, int64_t number)
{
    uint64_t stream = (uint64_t)number;
    for (int64_t i = 0; i < group->given.count; i++)
        stream = heed_mix(stream, (uint64_t)group->given.ids[i]);
    for (int64_t i = 0; i < group->source.count; i++)
        stream = heed_mix(stream, (uint64_t)group->source.ids[i]);
    return (heed_rng){.seed = job->settings->seed, .stream = stream};
}

/* Allocates the search. */
static heed_status begin(heed_job *job, heed_prompt_group *group, heed_error *error)
{
    plain_search *state = heed_allocate(1, sizeof *state);
    int64_t returned = job->settings->returned;
    if (!state) return heed_fail_memory(error, sizeof *state, "a search");
    group->state = state;
    state->prompt_sequence = -1;
    state->count = returned > AT_ONCE ? AT_ONCE : returned;
    state->writings = heed_allocate((size_t)state->count, sizeof *state->writings);
    state->fed = heed_allocate((size_t)state->count, sizeof *state->fed);
    if (returned > AT_ONCE)
        state->scores = heed_allocate((size_t)job->vocabulary, sizeof *state->scores);
    if (state->writings && state->fed && (state->scores || returned <= AT_ONCE)) return HEED_OK;
    return heed_fail_memory(error, (size_t)state->count * sizeof *state->writings,
                            "returned sequences");
}

/* Gives a piece of text to the caller's events. */
static void give_text(const heed_job *job, const heed_prompt_group *group, int64_t number,
                      const char *piece, size_t length)
{
    if (length && job->events->text)
        job->events->text(job->events->argument, group->prompt, (size_t)number, piece, length);
}

static void end_writing(writing *w, heed_finish finish)
{
    w->ended = true;
    w->finish = finish;
}

/* Chooses the next id of a sequence, adds it to the draft and ends the writing if it was the
   last. */
static heed_status choose(heed_job *job, heed_prompt_group *group, writing *w, const float *logits,
                          heed_error *error)
{
    const float *scores = heed_job_scores(job, group, &w->draft, logits);
    int32_t id = 0;
    if (!job->samples) {
        HEED_TRY(heed_choose_greedy(scores, job->vocabulary, &id, error));
        HEED_TRY(heed_draft_add(&w->draft, job, scores, id, error));
    } else {
        /* The scores before the cuts are reported; the cuts work in place, on a copy if needed. */
        heed_logits_context context = {
            .ids = w->draft.ids, .count = w->draft.count, .prompt = group->given.count};
        bool keeps = job->settings->log_probabilities >= 0 && job->sampling_chain.count > 0;
        float *cut = keeps ? job->scores + job->vocabulary : job->scores;
        if (scores != cut) memcpy(cut, scores, (size_t)job->vocabulary * sizeof *cut);
        heed_logits_chain_apply(&job->sampling_chain, job->settings, &context, cut, &job->scratch);
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
        give_text(job, group, w->number, piece, length);
    }
    if (w->text.stopped) end_writing(w, HEED_FINISH_STOP);
    else if (w->draft.count >= group->max_length) end_writing(w, group->limit);
    return HEED_OK;
}

/* Begins the next sequence in a free writing and chooses its first id. */
static heed_status begin_writing(heed_job *job, heed_prompt_group *group, writing *w,
                                 const float *logits, heed_error *error)
{
    plain_search *state = group->state;
    *w = (writing){.number = state->begun++, .sequence = -1, .open = true};
    w->rng = stream_of(job, group, w->number);
    HEED_TRY(heed_draft_begin(&w->draft, &group->given, error));
    if (job->tokenizer)
        HEED_TRY(heed_text_stream_begin(&w->text, job->tokenizer, job->settings, error));
    return choose(job, group, w, logits, error);
}

static heed_status first(heed_job *job, heed_prompt_group *group, const float *logits,
                         heed_error *error)
{
    plain_search *state = group->state;
    if (state->scores) memcpy(state->scores, logits, (size_t)job->vocabulary * sizeof *logits);
    for (int64_t i = 0; i < state->count; i++)
        HEED_TRY(begin_writing(job, group, &state->writings[i], logits, error));
    return HEED_OK;
}

/* Feeds the last id of every writing that goes on. */
static int64_t feed(const heed_prompt_group *group, heed_step_item *items)
{
    const plain_search *state = group->state;
    int64_t count = 0;
    for (int64_t i = 0; i < state->count; i++) {
        const writing *w = &state->writings[i];
        if (!w->open || w->ended || w->sequence < 0) continue;
        state->fed[count] = i;
        items[count++] = (heed_step_item){w->sequence, w->draft.ids + w->draft.count - 1, 1, 0};
    }
    return count;
}

static heed_status next(heed_job *job, heed_prompt_group *group, int64_t item, const float *logits,
                        heed_error *error)
{
    const plain_search *state = group->state;
    return choose(job, group, &state->writings[state->fed[item]], logits, error);
}

static void free_writing(writing *w)
{
    heed_draft_free(&w->draft);
    heed_text_stream_free(&w->text);
    w->open = false;
}

/* Completes a returned sequence: its text, ids and reports. */
static heed_status return_item(heed_job *job, heed_prompt_group *group, writing *w,
                               heed_error *error)
{
    heed_generated *item = heed_job_item(job, group, w->number);
    const char *piece = "";
    size_t length = 0;
    if (job->tokenizer) {
        HEED_TRY(heed_text_stream_finish(&w->text, &piece, &length, error));
        give_text(job, group, w->number, piece, length);
        if (w->text.stopped) w->finish = HEED_FINISH_STOP;
        HEED_TRY(heed_job_set_text(item, &w->text.text, error));
    }
    heed_draft_finish(&w->draft, item, w->finish);
    heed_job_finished(job, item);
    return HEED_OK;
}

/* Ends a writing. Its sequence of the session and the writing itself are free afterwards. */
static heed_status finish_writing(heed_job *job, heed_prompt_group *group, writing *w,
                                  heed_error *error)
{
    plain_search *state = group->state;
    if (w->sequence >= 0) {
        state->kept_first = state->kept_first || w->number == 0;
        HEED_TRY(heed_job_release(job, w->number, w->sequence, w->draft.ids, error));
    }
    w->sequence = -1;
    HEED_TRY(return_item(job, group, w, error));
    free_writing(w);
    return HEED_OK;
}

/* Gives a writing a sequence of the session that holds the prompt: a fork of the prompt's sequence,
   or that sequence itself if no other writing will need it. */
static heed_status give_sequence(heed_job *job, heed_prompt_group *group, writing *w,
                                 heed_error *error)
{
    plain_search *state = group->state;
    if (state->taken || state->begun < job->settings->returned)
        return heed_session_fork(job->session, state->prompt_sequence, group->given.count,
                                 &w->sequence, error);
    w->sequence = state->prompt_sequence;
    state->taken = true;
    return HEED_OK;
}

/* Finishes and begins sequences in a writing until one goes on, or no more are to begin. */
static heed_status renew_writing(heed_job *job, heed_prompt_group *group, writing *w,
                                 heed_error *error)
{
    plain_search *state = group->state;
    for (;;) {
        bool goes_on = w->open && !w->ended;
        if (goes_on && w->sequence < 0) return give_sequence(job, group, w, error);
        if (goes_on) return HEED_OK;
        if (w->open) HEED_TRY(finish_writing(job, group, w, error));
        if (state->begun == job->settings->returned) return HEED_OK;
        HEED_TRY(begin_writing(job, group, w, state->scores, error));
    }
}

/* Finishes what ended and begins what is next. Gives up the prompt's sequence when no writing will
   need it. */
static heed_status advance(heed_job *job, heed_prompt_group *group, heed_error *error)
{
    plain_search *state = group->state;
    if (group->sequence >= 0) {
        state->prompt_sequence = group->sequence;
        group->sequence = -1;
    }
    group->done = true;
    for (int64_t i = 0; i < state->count; i++) {
        HEED_TRY(renew_writing(job, group, &state->writings[i], error));
        if (state->writings[i].open) group->done = false;
    }
    if (state->prompt_sequence < 0 || state->begun < job->settings->returned) return HEED_OK;
    int64_t sequence = state->prompt_sequence;
    state->prompt_sequence = -1;
    if (state->taken) return HEED_OK;
    return heed_job_release(job, state->kept_first, sequence, group->given.ids, error);
}

static void end(heed_job *job, heed_prompt_group *group)
{
    plain_search *state = group->state;
    (void)job;
    if (!state) return;
    for (int64_t i = 0; state->writings && i < state->count; i++) free_writing(&state->writings[i]);
    free(state->writings);
    free(state->fed);
    free(state->scores);
    free(state);
    group->state = NULL;
}

const heed_search heed_search_plain = {sequences, begin, first, feed, next, advance, end};
