/* prompt_group.c: turns a prompt into the ids that its sequences begin with and decides how long
   they may get. */
#include "base/memory.h"
#include "generate/generate_internal.h"
#include <math.h>

/* Cuts a prompt that is longer than the context. Its end stays. For decoders it leaves room for the
   new tokens, but at most half of the context. HEED_E_ARG unless settings->truncate. */
static heed_status fit_prompt(const heed_job *job, size_t index, heed_ids *ids, heed_error *error)
{
    const heed_generation_settings *settings = job->settings;
    int64_t context = heed_session_context(job->session);
    int64_t room = settings->max_new_tokens ? settings->max_new_tokens : context;
    bool has_source = heed_session_has_source(job->session);
    if (ids->count <= context) return HEED_OK;
    if (!settings->truncate)
        return heed_fail(error, HEED_E_ARG,
                         "prompt %zu has %lld tokens, but the context has %lld positions: shorten "
                         "it, or cut its beginning off (--truncate)",
                         index + 1, (long long)ids->count, (long long)context);
    if (room > context / 2) room = context / 2;
    int64_t kept = has_source ? context : context - room;
    job->generation->prompts[index].cut = (size_t)(ids->count - kept);
    *ids = (heed_ids){ids->ids + ids->count - kept, kept};
    return HEED_OK;
}

/* Returns the most ids of a sequence by the settings, before the context limits it. */
static int64_t wanted_length(const heed_generation_settings *settings, int64_t given)
{
    if (settings->max_new_tokens) return given + settings->max_new_tokens;
    if (settings->max_length) return settings->max_length;
    return INT64_MAX;
}

/* Sets max_length and limit. HEED_E_ARG if the prompt is already as long as max_length allows. */
static heed_status set_lengths(const heed_job *job, heed_prompt_group *group, heed_error *error)
{
    int64_t context = heed_session_context(job->session), given = group->given.count;
    int64_t wanted = wanted_length(job->settings, given);
    if (given >= wanted)
        return heed_fail(error, HEED_E_ARG,
                         "prompt %zu has %lld tokens, but max_length allows %lld with the new "
                         "ones: ask for a number of new tokens instead",
                         group->prompt + 1, (long long)given, (long long)wanted);
    group->limit = wanted > context ? HEED_FINISH_CONTEXT : HEED_FINISH_LENGTH;
    group->max_length = wanted > context ? context : wanted;
    return HEED_OK;
}

heed_status heed_prompt_group_begin(heed_prompt_group *group, heed_job *job, size_t index,
                                    const heed_ids *prompt, heed_error *error)
{
    heed_ids ids = *prompt;
    bool has_source = heed_session_has_source(job->session);
    *group = (heed_prompt_group){.prompt = index, .sequence = -1};
    if (ids.count == 0 && (has_source || job->bos < 0))
        return heed_fail(error, HEED_E_ARG, "prompt %zu is empty: expected at least one token",
                         index + 1);
    if (ids.count == 0) ids = (heed_ids){&job->bos, 1};
    HEED_TRY(fit_prompt(job, index, &ids, error));
    if (has_source) {
        group->source = ids;
        group->given = (heed_ids){&job->start, 1};
    } else {
        group->given = ids;
    }
    job->generation->prompts[index].count = (size_t)ids.count;
    return set_lengths(job, group, error);
}

heed_status heed_prompt_group_report(const heed_prompt_group *group, heed_job *job,
                                     heed_error *error)
{
    heed_prompt_report *report = &job->generation->prompts[group->prompt];
    int64_t likely = job->settings->log_probabilities;
    if (likely < 0 || heed_session_has_source(job->session)) return HEED_OK;
    report->log_probabilities = heed_allocate(report->count, sizeof *report->log_probabilities);
    if (likely)
        report->likely = heed_allocate(report->count * (size_t)likely, sizeof *report->likely);
    if (!report->log_probabilities || (likely && !report->likely))
        return heed_fail_memory(error,
                                report->count * (size_t)(likely + 1) * sizeof *report->likely,
                                "log-probabilities of a prompt");
    report->log_probabilities[0] = NAN;
    for (int64_t i = 0; i < likely; i++) report->likely[i] = (heed_token_score){-1, NAN};
    return HEED_OK;
}
