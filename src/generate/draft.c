/* draft.c: keeps sequences that are being written, scores their next token and completes them. */
#include "base/memory.h"
#include "generate/generate_internal.h"
#include "generate/text_stream.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Makes room for this many ids, log-probabilities and likely tokens. HEED_E_NOMEM. */
static heed_status reserve(heed_draft *draft, int64_t ids, int64_t probabilities, int64_t likely,
                           heed_error *error)
{
    if (heed_grow(&draft->ids, &draft->id_capacity, (size_t)ids, sizeof *draft->ids) &&
        heed_grow(&draft->log_probabilities, &draft->probability_capacity, (size_t)probabilities,
                  sizeof *draft->log_probabilities) &&
        heed_grow(&draft->likely, &draft->likely_capacity, (size_t)likely, sizeof *draft->likely))
        return HEED_OK;
    return heed_fail_memory(error, (size_t)ids * sizeof *draft->ids, "a sequence of ids");
}

heed_status heed_draft_begin(heed_draft *draft, const heed_ids *given, heed_error *error)
{
    HEED_TRY(reserve(draft, given->count + 1, 0, 0, error));
    memcpy(draft->ids, given->ids, (size_t)given->count * sizeof *draft->ids);
    draft->count = given->count;
    return HEED_OK;
}

/* Returns 1 if log-probabilities of new ids are reported, else 0. *likely receives the number of
   likely tokens that are reported with each. */
static int64_t reported(const heed_job *job, int64_t *likely)
{
    int64_t count = job->settings->log_probabilities;
    *likely = count > 0 ? count : 0;
    return count >= 0;
}

heed_status heed_draft_copy(heed_draft *draft, const heed_draft *from, const heed_job *job,
                            heed_error *error)
{
    int64_t likely, reports = reported(job, &likely), new_count = from->new_count;
    HEED_TRY(reserve(draft, from->count + 1, reports * new_count, likely * new_count, error));
    memcpy(draft->ids, from->ids, (size_t)from->count * sizeof *draft->ids);
    if (reports && new_count)
        memcpy(draft->log_probabilities, from->log_probabilities,
               (size_t)new_count * sizeof(float));
    if (likely && new_count)
        memcpy(draft->likely, from->likely, (size_t)(likely * new_count) * sizeof *draft->likely);
    draft->count = from->count;
    draft->new_count = new_count;
    draft->sum = from->sum;
    return HEED_OK;
}

heed_status heed_draft_add(heed_draft *draft, heed_job *job, const float *scores, int32_t id,
                           heed_error *error)
{
    int64_t likely, reports = reported(job, &likely), at = draft->new_count;
    HEED_TRY(reserve(draft, draft->count + 1, reports * (at + 1), likely * (at + 1), error));
    draft->ids[draft->count++] = id;
    draft->new_count++;
    if (!reports) return HEED_OK;
    double log_sum = heed_logits_log_sum_exp(scores, job->vocabulary),
           log_p = (double)scores[id] - log_sum;
    draft->log_probabilities[at] = (float)log_p;
    draft->sum += log_p;
    if (likely) heed_job_likely(job, scores, log_sum, likely, draft->likely + at * likely);
    return HEED_OK;
}

void heed_draft_finish(heed_draft *draft, heed_generated *item, heed_finish finish)
{
    int64_t given = draft->count - draft->new_count;
    if (draft->ids)
        memmove(draft->ids, draft->ids + given, (size_t)draft->new_count * sizeof *draft->ids);
    item->ids = draft->ids;
    item->count = (size_t)draft->new_count;
    item->log_probabilities = draft->log_probabilities;
    item->likely = draft->likely;
    item->score = draft->sum;
    item->finish = finish;
    *draft = (heed_draft){0};
}

void heed_draft_free(heed_draft *draft)
{
    free(draft->ids);
    free(draft->log_probabilities);
    free(draft->likely);
    *draft = (heed_draft){0};
}

const float *heed_job_scores(heed_job *job, const heed_prompt_group *group, const heed_draft *draft,
                             const float *logits)
{
    if (job->always_chain.count == 0) return logits;
    heed_logits_context context = {
        .ids = draft->ids,
        .count = draft->count,
        .prompt = group->given.count,
        .source = group->source.ids,
        .source_count = group->source.count,
        .max_length = group->max_length,
    };
    memcpy(job->scores, logits, (size_t)job->vocabulary * sizeof *logits);
    heed_logits_chain_apply(&job->always_chain, job->settings, &context, job->scores,
                            &job->scratch);
    return job->scores;
}

void heed_job_likely(heed_job *job, const float *scores, double log_sum, int64_t count,
                     heed_token_score *likely)
{
    int64_t found = heed_logits_top(scores, job->vocabulary, count, job->scratch.order);
    for (int64_t i = 0; i < count; i++) {
        likely[i] = (heed_token_score){-1, -INFINITY};
        if (i >= found) continue;
        int32_t id = job->scratch.order[i];
        likely[i] = (heed_token_score){id, (float)((double)scores[id] - log_sum)};
    }
}

heed_generated *heed_job_item(const heed_job *job, const heed_prompt_group *group, int64_t number)
{
    return &job->generation
                ->items[group->prompt * (size_t)job->settings->returned + (size_t)number];
}

void heed_job_finished(const heed_job *job, heed_generated *item)
{
    item->finished = true;
    if (job->events->finished) job->events->finished(job->events->argument, item);
}

heed_status heed_job_set_text(heed_generated *item, const heed_buffer *text, heed_error *error)
{
    item->text = heed_allocate(text->length + 1, 1);
    if (!item->text) return heed_fail_memory(error, text->length + 1, "text");
    if (text->length) memcpy(item->text, text->data, text->length);
    item->text_length = text->length;
    return HEED_OK;
}

heed_status heed_job_make_text(const heed_job *job, heed_generated *item, heed_error *error)
{
    heed_text_stream stream = {0};
    const char *piece;
    size_t length;
    heed_status status = heed_text_stream_begin(&stream, job->tokenizer, job->settings, error);
    for (size_t i = 0; i < item->count && status == HEED_OK && !heed_job_is_end(job, item->ids[i]);
         i++)
        status = heed_text_stream_push(&stream, item->ids[i], &piece, &length, error);
    if (status == HEED_OK) status = heed_text_stream_finish(&stream, &piece, &length, error);
    if (status == HEED_OK) status = heed_job_set_text(item, &stream.text, error);
    heed_text_stream_free(&stream);
    return status;
}

bool heed_job_is_end(const heed_job *job, int32_t id)
{
    return heed_id_list_has(&job->settings->eos, id);
}

heed_status heed_job_release(const heed_job *job, int64_t number, int64_t sequence,
                             const int32_t *ids, heed_error *error)
{
    if (job->keeps && number == 0) return heed_prefix_keep(job->prefix, sequence, ids, error);
    heed_session_drop(job->session, sequence);
    return HEED_OK;
}
