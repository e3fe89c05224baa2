/* search_beam.c: searches with beams as transformers 5.23 does (GenerationMixin._beam_search), one
   prompt by itself. There are K running beams and the K best finished sequences. The score of a
   finished sequence is its sum of log-probabilities divided by length ^ length_penalty. Scores are
   single precision, as in transformers. */
#include "base/memory.h"
#include "generate/generate_internal.h"
#include "generate/logits_internal.h"
#include "generate/text_stream.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const float WORST = -1e9f; /* marks a beam as "not finished" or "must not go on" */

typedef struct beam {
    heed_draft draft;
    float score; /* the sum of log-probabilities; if finished, the sum after the length penalty */
    float sum;   /* if finished: the sum before the length penalty */
    double magnitude; /* if finished: ln |score|, which orders scores that float cannot hold */
    int64_t sequence; /* of the session; -1 if the beam is finished */
    int64_t parent;   /* the running beam that it continues */
    heed_finish finish;
    bool finished;
    bool taken; /* a running beam: a continuation has its sequence of the session */
} beam;

/* A continuation: a running beam and a token. */
typedef struct candidate {
    int64_t beam;
    int32_t id;
    float score;
    bool ends, taken;
    heed_finish finish;
} candidate;

typedef struct search_state {
    int64_t beams, kept;      /* K; the number of continuations considered in a step */
    beam *running, *best;     /* (K) */
    beam *next;               /* (K + kept) scratch */
    float *log_probabilities; /* (K,V) log-probabilities of the step plus the scores of the beams */
    int32_t *order;           /* (K,V) scratch */
    candidate *candidates;    /* (kept) */
    bool hopeful;             /* a running beam may still become better than the finished ones */
} search_state;

/* Sets the score of a finished sequence, sum / length ^ exponent. */
static void finish_beam(beam *b, float sum, int64_t length, double exponent)
{
    b->finished = true;
    b->sum = sum;
    b->score = sum == 0 ? 0 : sum / (float)pow((double)length, exponent);
    b->magnitude = log(fabs((double)sum)) - exponent * log((double)length);
}

/* Has the sequence ended with tokens that can be chosen? A beam that stands for "nothing finished
   yet" has a sum of WORST or less. */
static bool has_ended(const beam *b)
{
    return b->finished && b->sum > WORST;
}

/* Is `a` better than `b`? Sequences that have ended come before others. Scores that became 0 or
   infinite are compared by sign and magnitude. */
static bool is_better(const beam *a, const beam *b)
{
    if (has_ended(a) != has_ended(b)) return has_ended(a);
    if (a->score != b->score || (a->score != 0 && !isinf(a->score))) return a->score > b->score;
    int sign = (a->sum > 0) - (a->sum < 0), other = (b->sum > 0) - (b->sum < 0);
    if (sign != other || !sign) return sign > other;
    return sign < 0 ? a->magnitude < b->magnitude : a->magnitude > b->magnitude;
}

static int64_t sequences(const heed_generation_settings *settings)
{
    return settings->beams;
}

/* Allocates the search and begins K running beams and K places for finished sequences. */
static heed_status begin(heed_job *job, heed_prompt_group *group, heed_error *error)
{
    search_state *s = heed_allocate(1, sizeof *s);
    if (!s) return heed_fail_memory(error, sizeof *s, "a beam search");
    group->state = s;
    int64_t ends = (int64_t)job->settings->eos.count;
    s->beams = job->settings->beams;
    s->kept = (ends > 1 ? ends + 1 : 2) * s->beams;
    if (s->kept > s->beams * job->vocabulary) s->kept = s->beams * job->vocabulary;
    size_t scores = (size_t)(s->beams * job->vocabulary);
    s->running = heed_allocate((size_t)s->beams, sizeof *s->running);
    s->best = heed_allocate((size_t)s->beams, sizeof *s->best);
    s->next = heed_allocate((size_t)(s->beams + s->kept), sizeof *s->next);
    s->candidates = heed_allocate((size_t)s->kept, sizeof *s->candidates);
    s->log_probabilities = heed_allocate(scores, sizeof *s->log_probabilities);
    s->order = heed_allocate(scores, sizeof *s->order);
    if (!s->running || !s->best || !s->next || !s->candidates || !s->log_probabilities || !s->order)
        return heed_fail_memory(error, scores * sizeof *s->log_probabilities, "a beam search");
    s->hopeful = true;
    for (int64_t i = 0; i < s->beams; i++) {
        HEED_TRY(heed_draft_begin(&s->running[i].draft, &group->given, error));
        /* A WORST score keeps equal beams from all taking the same token. */
        s->running[i].score = i ? WORST : 0;
        s->running[i].sequence = -1;
        /* This beam stands for "nothing finished yet". */
        HEED_TRY(heed_draft_begin(&s->best[i].draft, &group->given, error));
        s->best[i].score = WORST;
        s->best[i].finish = group->limit;
    }
    return HEED_OK;
}

/* Computes the log-probabilities of a beam's next token, applies the processors and adds the
   beam's score. */
static void score_beam(heed_job *job, heed_prompt_group *group, int64_t index, const float *logits)
{
    search_state *s = group->state;
    beam *b = &s->running[index];
    float *row = s->log_probabilities + index * job->vocabulary,
          *logs = job->scores + job->vocabulary;
    double log_sum = heed_logits_log_sum_exp(logits, job->vocabulary);
    for (int64_t i = 0; i < job->vocabulary; i++) logs[i] = (float)((double)logits[i] - log_sum);
    const float *scores = heed_job_scores(job, group, &b->draft, logs);
    for (int64_t i = 0; i < job->vocabulary; i++)
        row[i] = heed_logits_changed(scores[i], (double)scores[i] + (double)b->score);
}

static heed_status first(heed_job *job, heed_prompt_group *group, const float *logits,
                         heed_error *error)
{
    search_state *s = group->state;
    HEED_TRY(heed_logits_check(logits, job->vocabulary, error));
    for (int64_t i = 0; i < s->beams; i++) score_beam(job, group, i, logits);
    return HEED_OK;
}

static int64_t feed(const heed_prompt_group *group, heed_step_item *items)
{
    const search_state *s = group->state;
    for (int64_t i = 0; i < s->beams; i++)
        items[i] = (heed_step_item){s->running[i].sequence,
                                    s->running[i].draft.ids + s->running[i].draft.count - 1, 1, 0};
    return s->beams;
}

static heed_status next(heed_job *job, heed_prompt_group *group, int64_t item, const float *logits,
                        heed_error *error)
{
    HEED_TRY(heed_logits_check(logits, job->vocabulary, error));
    score_beam(job, group, item, logits);
    return HEED_OK;
}

/* ---- after a step ---- */

/* Sets *found if the text of a beam's new ids, the candidate's included, holds a stop string. */
static heed_status has_stop(heed_job *job, const heed_prompt_group *group, heed_draft *longer,
                            bool *found, heed_error *error)
{
    heed_buffer text = {0};
    const int32_t *ids = longer->ids + group->given.count;
    heed_status status = heed_tokenizer_decode(
        job->tokenizer, ids, (size_t)(longer->count - group->given.count), true, &text, error);
    for (size_t i = 0; status == HEED_OK && text.data && i < job->settings->stop_count; i++)
        *found |= strstr(text.data, job->settings->stop[i]) != NULL;
    heed_buffer_free(&text);
    return status;
}

/* Decides whether a candidate ends its sequence, and why. */
static heed_status candidate_ends(heed_job *job, const heed_prompt_group *group, candidate *c,
                                  heed_error *error)
{
    const heed_draft *draft = &((search_state *)group->state)->running[c->beam].draft;
    bool eos = heed_job_is_end(job, c->id), full = draft->count + 1 >= group->max_length,
         stops = false;
    if (job->settings->stop_count && !eos) {
        heed_draft longer = {0};
        /* The copy has room for one more id. */
        heed_status status = heed_draft_copy(&longer, draft, job, error);
        if (status == HEED_OK) {
            longer.ids[longer.count++] = c->id;
            status = has_stop(job, group, &longer, &stops, error);
        }
        heed_draft_free(&longer);
        HEED_TRY(status);
    }
    c->ends = eos || stops || full;
    c->finish = group->limit;
    if (stops) c->finish = HEED_FINISH_STOP;
    if (eos) c->finish = HEED_FINISH_EOS;
    return HEED_OK;
}

/* Finds the `kept` best continuations of all running beams, the best first. HEED_E_ARG if no token
   can be chosen. */
static heed_status find_candidates(heed_job *job, heed_prompt_group *group, heed_error *error)
{
    search_state *s = group->state;
    heed_logits_top(s->log_probabilities, s->beams * job->vocabulary, s->kept, s->order);
    for (int64_t i = 0; i < s->kept; i++) {
        int32_t index = s->order[i];
        s->candidates[i] = (candidate){.beam = index / job->vocabulary,
                                       .id = (int32_t)(index % job->vocabulary),
                                       .score = s->log_probabilities[index]};
        HEED_TRY(candidate_ends(job, group, &s->candidates[i], error));
    }
    if (!isinf(s->candidates[0].score)) return HEED_OK;
    return heed_logits_check(s->log_probabilities, s->beams * job->vocabulary, error);
}

/* Builds the beam of a candidate. It knows its parent but has no sequence of the session yet. */
static heed_status continue_beam(heed_job *job, const search_state *s, const candidate *c,
                                 float score, beam *to, heed_error *error)
{
    const beam *from = &s->running[c->beam];
    const float *row = s->log_probabilities + c->beam * job->vocabulary;
    *to = (beam){.score = score, .sequence = -1, .parent = c->beam, .finish = c->finish};
    HEED_TRY(heed_draft_copy(&to->draft, &from->draft, job, error));
    for (int64_t i = 0; job->settings->log_probabilities >= 0 && i < job->vocabulary; i++)
        job->scores[i] = row[i] - from->score;
    return heed_draft_add(&to->draft, job, job->scores, c->id, error);
}

/* Moves the k best of `count` beams to `to`, whose beams must be empty, and frees the rest. If
   beams are equal, the earlier one is better. */
static void keep_best(beam *from, int64_t count, beam *to, int64_t k)
{
    for (int64_t i = 0; i < k; i++) {
        int64_t best = -1;
        for (int64_t j = 0; j < count; j++)
            if (from[j].draft.ids && (best < 0 || is_better(&from[j], &from[best]))) best = j;
        if (best < 0) break;
        to[i] = from[best];
        from[best] = (beam){0};
    }
    for (int64_t j = 0; j < count; j++) heed_draft_free(&from[j].draft);
}

static bool all_finished(const search_state *s)
{
    bool all = true;
    for (int64_t i = 0; i < s->beams; i++) all &= s->best[i].finished;
    return all;
}

/* Adds newly finished sequences to the finished ones and keeps the K best. Only the K best
   continuations may finish. */
static heed_status update_best(heed_job *job, heed_prompt_group *group, heed_error *error)
{
    search_state *s = group->state;
    const heed_generation_settings *settings = job->settings;
    bool closed = (all_finished(s) && settings->early_stopping == HEED_EARLY_ALWAYS) || !s->hopeful;
    int64_t length = s->running[0].draft.count + 1 - group->given.count, count = s->beams;
    if (closed) return HEED_OK;
    heed_status status = HEED_OK;
    for (int64_t i = 0; i < s->beams; i++) {
        s->next[i] = s->best[i];
        s->best[i] = (beam){0};
    }
    for (int64_t i = 0; i < s->beams && status == HEED_OK; i++) {
        const candidate *c = &s->candidates[i];
        if (!c->ends) continue;
        status = continue_beam(job, s, c, c->score, &s->next[count], error);
        finish_beam(&s->next[count++], c->score, length, settings->length_penalty);
    }
    keep_best(s->next, count, s->best, s->beams);
    return status;
}

/* Gives each beam that goes on its parent's sequence of the session, or a fork of it if an earlier
   beam has taken that one. Sequences that no beam continues are dropped. */
static heed_status share_sequences(heed_job *job, search_state *s, int64_t length,
                                   heed_error *error)
{
    for (int64_t i = 0; i < s->beams; i++) {
        bool has_heir = false;
        for (int64_t j = 0; j < s->beams; j++) has_heir |= s->next[j].parent == i;
        if (!has_heir) heed_session_drop(job->session, s->running[i].sequence);
    }
    for (int64_t j = 0; j < s->beams; j++) {
        beam *parent = &s->running[s->next[j].parent];
        int64_t *sequence = &s->next[j].sequence;
        if (parent->taken)
            HEED_TRY(heed_session_fork(job->session, parent->sequence, length, sequence, error));
        else *sequence = parent->sequence;
        parent->taken = true;
    }
    return HEED_OK;
}

/* Replaces the running beams by the K best continuations. Continuations that end come after all
   others. */
static heed_status update_running(heed_job *job, heed_prompt_group *group, heed_error *error)
{
    search_state *s = group->state;
    int64_t length = s->running[0].draft.count;
    heed_status status = HEED_OK;
    for (int64_t i = 0; i < s->kept; i++)
        s->candidates[i].score += s->candidates[i].ends ? WORST : 0;
    for (int64_t i = 0; i < s->beams && status == HEED_OK; i++) {
        int64_t best = -1;
        for (int64_t j = 0; j < s->kept; j++)
            if (!s->candidates[j].taken &&
                (best < 0 || s->candidates[j].score > s->candidates[best].score))
                best = j;
        s->candidates[best].taken = true;
        status = continue_beam(job, s, &s->candidates[best], s->candidates[best].score, &s->next[i],
                               error);
    }
    if (status == HEED_OK) status = share_sequences(job, s, length, error);
    for (int64_t i = 0; i < s->beams; i++) {
        heed_draft_free(&s->running[i].draft);
        s->running[i] = s->next[i];
        s->next[i] = (beam){0};
    }
    return status;
}

/* Updates s->hopeful: can the best running beam still become better than the worst finished
   sequence? The answer is exact only if the length penalty cannot help. */
static void update_hope(const heed_job *job, const heed_prompt_group *group, search_state *s)
{
    const heed_generation_settings *settings = job->settings;
    bool longest = settings->early_stopping == HEED_EARLY_NEVER && settings->length_penalty > 0;
    int64_t length = (longest ? group->max_length : s->running[0].draft.count) - group->given.count;
    beam possible = {0}, *worst = &s->best[0];
    finish_beam(&possible, s->running[0].score, length, settings->length_penalty);
    for (int64_t i = 1; i < s->beams; i++)
        if (is_better(worst, &s->best[i])) worst = &s->best[i];
    if (worst->finished) s->hopeful &= is_better(&possible, worst);
    else s->hopeful &= possible.score > WORST || s->running[0].score > WORST;
}

/* Completes the returned sequences of a prompt from the best finished ones. */
static heed_status return_items(heed_job *job, heed_prompt_group *group, heed_error *error)
{
    search_state *s = group->state;
    for (int64_t number = 0; number < job->settings->returned; number++) {
        heed_generated *item = heed_job_item(job, group, number);
        beam *b = &s->best[number];
        float score = b->score;
        heed_finish finish = b->finish;
        heed_draft_finish(&b->draft, item, finish);
        item->score = (double)score;
        if (job->tokenizer) HEED_TRY(heed_job_make_text(job, item, error));
        if (job->events->text && item->text_length)
            job->events->text(job->events->argument, group->prompt, (size_t)number, item->text,
                              item->text_length);
        heed_job_finished(job, item);
    }
    return HEED_OK;
}

/* Chooses the continuations of all beams from the scores of the step, and returns the best
   sequences when the search is done. On the first call the prompt's sequence is forked for all
   beams. */
static heed_status advance(heed_job *job, heed_prompt_group *group, heed_error *error)
{
    search_state *s = group->state;
    if (group->sequence >= 0) {
        s->running[0].sequence = group->sequence;
        group->sequence = -1;
        for (int64_t i = 1; i < s->beams; i++)
            HEED_TRY(heed_session_fork(job->session, s->running[0].sequence, group->given.count,
                                       &s->running[i].sequence, error));
    }
    HEED_TRY(find_candidates(job, group, error));
    bool all_end = true;
    for (int64_t i = 0; i < s->kept; i++) all_end &= s->candidates[i].ends;
    HEED_TRY(update_best(job, group, error));
    HEED_TRY(update_running(job, group, error));
    update_hope(job, group, s);
    group->done = !s->hopeful || all_end ||
                  (all_finished(s) && job->settings->early_stopping == HEED_EARLY_ALWAYS);
    if (!group->done) return HEED_OK;
    for (int64_t i = 0; i < s->beams; i++) heed_session_drop(job->session, s->running[i].sequence);
    return return_items(job, group, error);
}

static void end(heed_job *job, heed_prompt_group *group)
{
    search_state *s = group->state;
    (void)job;
    if (!s) return;
    for (int64_t i = 0; i < s->beams; i++) {
        if (s->running) heed_draft_free(&s->running[i].draft);
        if (s->best) heed_draft_free(&s->best[i].draft);
    }
    for (int64_t i = 0; s->next && i < s->beams + s->kept; i++) heed_draft_free(&s->next[i].draft);
    free(s->running);
    free(s->best);
    free(s->next);
    free(s->candidates);
    free(s->log_probabilities);
    free(s->order);
    free(s);
    group->state = NULL;
}

const heed_search heed_search_beam = {sequences, begin, first, feed, next, advance, end};
