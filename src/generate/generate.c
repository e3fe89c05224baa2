/* generate.c: the loop over prompts. It opens groups while the session has sequences for them,
   feeds all of them in each step and hands the logits to their search. */
#include "generate/generate.h"
#include "base/memory.h"
#include "cache/cache.h"
#include "generate/generate_internal.h"
#include <stdlib.h>

/* The state of the loop. Groups are opened in the order of the prompts. */
typedef struct loop {
    heed_job job;
    const heed_ids *prompts;
    size_t count, opened;      /* prompts; groups opened so far */
    heed_prompt_group *groups; /* (open_limit) the open ones first */
    int64_t open, open_limit;
    int64_t group_sequences; /* the sequences of the session that each group takes */
    heed_step_item *items;   /* (capacity) items of the step */
    struct item_owner {
        int64_t group, item; /* item is -1 for the group's prompt */
    } * owners;              /* (capacity) the group that each item of the step belongs to */
    heed_ids *sources;       /* (open_limit) */
    int64_t *sequences;      /* (open_limit) */
} loop;

/* ---- opening and closing groups ---- */

/* Returns how many of the prompt's first ids are taken from the prefix. The last id is always fed,
   because its logits are needed. If log-probabilities are reported, all ids are fed. */
static int64_t kept_of(const heed_job *job, const heed_prompt_group *group)
{
    const heed_prompt_report *report = &job->generation->prompts[group->prompt];
    if (!job->prefix || report->log_probabilities) return 0;
    return heed_prefix_shared(job->prefix, group->given.ids, group->given.count - 1);
}

/* Adds a sequence to the session for a group; it begins with what the prefix holds of the
   prompt. */
static heed_status begin_sequence(loop *l, heed_prompt_group *group, heed_error *error)
{
    const heed_job *job = &l->job;
    group->kept = kept_of(job, group);
    job->generation->prompts[group->prompt].kept = (size_t)group->kept;
    if (!group->kept) return heed_session_add(job->session, &group->sequence, error);
    return heed_session_fork(job->session, job->prefix->sequence, group->kept, &group->sequence,
                             error);
}

/* Opens as many groups as the session has sequences for. Their sources are encoded here; their
   prompts are fed in the coming step. */
static heed_status open_groups(loop *l, heed_error *error)
{
    int64_t first = l->open;
    heed_job *job = &l->job;
    for (; l->opened < l->count && l->open < l->open_limit; l->opened++, l->open++) {
        heed_prompt_group *group = &l->groups[l->open];
        heed_status status = heed_prompt_group_begin(group, job, l->opened, &l->prompts[l->opened],
                                                     error);
        if (status == HEED_OK) status = heed_prompt_group_report(group, job, error);
        if (status == HEED_OK) status = job->search->begin(job, group, error);
        if (status != HEED_OK) {
            job->search->end(job, group);
            return status;
        }
    }
    bool has_source = heed_session_has_source(job->session);
    for (int64_t i = first; i < l->open; i++) {
        l->sources[i - first] = l->groups[i].source;
        if (!has_source) HEED_TRY(begin_sequence(l, &l->groups[i], error));
    }
    if (!has_source || l->open == first) return HEED_OK;
    HEED_TRY(heed_session_encode(job->session, l->sources, l->open - first, l->sequences, error));
    for (int64_t i = first; i < l->open; i++) l->groups[i].sequence = l->sequences[i - first];
    return HEED_OK;
}

static void close_group(loop *l, int64_t index)
{
    l->job.search->end(&l->job, &l->groups[index]);
    for (int64_t i = index; i + 1 < l->open; i++) l->groups[i] = l->groups[i + 1];
    l->open--;
}

/* ---- a step ---- */

/* Returns the step item that feeds a prompt. Logits are wanted after its last id, or after every id
   if log-probabilities are reported. */
static heed_step_item prompt_item(const loop *l, const heed_prompt_group *group)
{
    bool all = l->job.generation->prompts[group->prompt].log_probabilities != NULL;
    int64_t count = group->given.count - group->kept;
    return (heed_step_item){
        .sequence = group->sequence,
        .ids = group->given.ids + group->kept,
        .count = count,
        .want = all ? 0 : count - 1,
    };
}

/* Fills l->items and l->owners for the coming step; returns the number of items. */
static int64_t gather_items(loop *l)
{
    int64_t count = 0;
    for (int64_t i = 0; i < l->open; i++) {
        heed_prompt_group *group = &l->groups[i];
        int64_t before = count;
        if (group->read) count += l->job.search->feed(group, l->items + count);
        else l->items[count++] = prompt_item(l, group);
        for (int64_t k = before; k < count; k++)
            l->owners[k] = (struct item_owner){i, group->read ? k - before : -1};
    }
    return count;
}

/* Reports a token of the prompt from the logits after the token before it. */
static void report_prompt(loop *l, const heed_prompt_group *group, int64_t token,
                          const float *logits)
{
    heed_prompt_report *report = &l->job.generation->prompts[group->prompt];
    int64_t likely = l->job.settings->log_probabilities;
    if (!report->log_probabilities || token + 1 >= group->given.count) return;
    double log_sum = heed_logits_log_sum_exp(logits, l->job.vocabulary);
    report->log_probabilities[token + 1] = (float)((double)logits[group->given.ids[token + 1]] -
                                                   log_sum);
    if (likely)
        heed_job_likely(&l->job, logits, log_sum, likely, report->likely + (token + 1) * likely);
}

/* Hands each row of logits to the search of its group, or to the group's prompt if that was fed. */
static heed_status visit(void *argument, const heed_logits_row *rows, int64_t count,
                         heed_error *error)
{
    loop *l = argument;
    for (int64_t i = 0; i < count; i++) {
        struct item_owner owner = l->owners[rows[i].item];
        heed_prompt_group *group = &l->groups[owner.group];
        if (owner.item >= 0) {
            HEED_TRY(l->job.search->next(&l->job, group, owner.item, rows[i].logits, error));
            continue;
        }
        report_prompt(l, group, rows[i].token, rows[i].logits);
        if (group->kept + rows[i].token + 1 < group->given.count) continue;
        if (group->max_length > group->given.count)
            HEED_TRY(l->job.search->first(&l->job, group, rows[i].logits, error));
        group->read = true;
    }
    return HEED_OK;
}

/* Returns empty sequences for a prompt that leaves no room for new tokens. */
static heed_status return_nothing(loop *l, heed_prompt_group *group, heed_error *error)
{
    for (int64_t i = 0; i < l->job.settings->returned; i++) {
        heed_generated *item = heed_job_item(&l->job, group, i);
        item->finish = group->limit;
        heed_job_finished(&l->job, item);
    }
    group->done = true;
    return heed_job_release(&l->job, 0, group->sequence, group->given.ids, error);
}

/* Opens groups, feeds all open ones, lets their searches advance and closes those that are done. */
static heed_status step(loop *l, heed_error *error)
{
    heed_job *job = &l->job;
    if (job->events->cancelled && job->events->cancelled(job->events->argument))
        return heed_fail(error, HEED_E_CANCELLED, "stopped while writing");
    HEED_TRY(open_groups(l, error));
    HEED_TRY(heed_session_step(job->session, l->items, gather_items(l), visit, l, error));
    for (int64_t i = 0; i < l->open; i++) {
        heed_prompt_group *group = &l->groups[i];
        if (group->max_length <= group->given.count) HEED_TRY(return_nothing(l, group, error));
        else HEED_TRY(job->search->advance(job, group, error));
    }
    for (int64_t i = l->open; i-- > 0;)
        if (l->groups[i].done) close_group(l, i);
    return HEED_OK;
}

/* ---- a generation ---- */

/* Returns an error if the settings ask for something that the session, the model or the search
   cannot do. */
static heed_status check_request(const heed_job *job, heed_error *error)
{
    const heed_generation_settings *settings = job->settings;
    const heed_config *config = heed_model_config(heed_session_model(job->session));
    HEED_TRY(heed_generation_settings_check(settings, config, error));
    int64_t kept = job->prefix && job->prefix->sequence >= 0;
    if (heed_session_held(job->session) > kept)
        return heed_fail(error, HEED_E_ARG,
                         "the session holds sequences: drop them before generating");
    if (settings->stop_count && !job->tokenizer)
        return heed_fail(error, HEED_E_ARG, "stop strings need a tokenizer");
    if (settings->beams > 1 && job->samples)
        return heed_fail(error, HEED_E_UNSUPPORTED,
                         "drawing tokens in beam search is not supported: ask for temperature 0 "
                         "or one beam");
    if (settings->beams > 1 && settings->log_probabilities > 0)
        return heed_fail(error, HEED_E_UNSUPPORTED,
                         "likely tokens are not reported for beams: ask for 0 of them, or for one "
                         "beam");
    return HEED_OK;
}

/* Decides how many groups may be open and allocates what a step of all of them needs. */
static heed_status allocate_step(loop *l, heed_error *error)
{
    heed_job *job = &l->job;
    int64_t capacity = heed_session_capacity(job->session);
    l->group_sequences = job->search->sequences(job->settings);
    if (job->keeps) capacity--;
    if (l->group_sequences > capacity)
        return heed_fail(error, HEED_E_ARG,
                         "%lld sequences at once are needed for one prompt, but the session was "
                         "made for %lld",
                         (long long)l->group_sequences, (long long)capacity);
    l->open_limit = capacity / l->group_sequences;
    size_t open_limit = (size_t)l->open_limit, vocabulary = (size_t)job->vocabulary;
    l->groups = heed_allocate(open_limit, sizeof *l->groups);
    l->items = heed_allocate((size_t)capacity, sizeof *l->items);
    l->owners = heed_allocate((size_t)capacity, sizeof *l->owners);
    l->sources = heed_allocate(open_limit, sizeof *l->sources);
    l->sequences = heed_allocate(open_limit, sizeof *l->sequences);
    job->scores = heed_allocate(2 * vocabulary, sizeof *job->scores);
    if (!l->groups || !l->items || !l->owners || !l->sources || !l->sequences || !job->scores)
        return heed_fail_memory(error, 2 * vocabulary * sizeof *job->scores, "generation");
    return heed_logits_scratch_new(&job->scratch, job->vocabulary, error);
}

/* Checks the request and allocates results and working memory. */
static heed_status prepare(loop *l, heed_error *error)
{
    heed_job *job = &l->job;
    HEED_TRY(check_request(job, error));
    HEED_TRY(allocate_step(l, error));
    HEED_TRY(heed_generation_allocate(job->generation, l->count, (size_t)job->settings->returned,
                                      error));
    /* Check all prompts before the first is answered: answers may take hours. */
    for (size_t i = 0; i < l->count; i++) {
        heed_prompt_group group;
        HEED_TRY(heed_prompt_group_begin(&group, job, i, &l->prompts[i], error));
    }
    return HEED_OK;
}

/* Returns how many first ids all prompts have in common. The last id of each prompt does not count:
   its logits are needed. */
static int64_t common_beginning(const heed_ids *prompts, size_t count)
{
    int64_t common = prompts[0].count - 1;
    for (size_t i = 1; i < count; i++) {
        int64_t same = 0;
        while (same < common && same < prompts[i].count - 1 &&
               prompts[i].ids[same] == prompts[0].ids[same])
            same++;
        common = same;
    }
    return common;
}

/* Reads the common beginning of all prompts into `shared`, if it fills a page of the cache and the
   session has a sequence to spare for it. */
static heed_status read_shared(loop *l, heed_prefix *shared, heed_error *error)
{
    const heed_job *job = &l->job;
    int64_t capacity = heed_session_capacity(job->session);
    bool wanted = l->count > 1 && !heed_session_has_source(job->session) &&
                  job->settings->log_probabilities < 0 && capacity > l->group_sequences;
    if (!wanted || job->prefix) return HEED_OK;
    int64_t common = common_beginning(l->prompts, l->count);
    if (common < HEED_PAGE_POSITIONS || common >= heed_session_context(job->session))
        return HEED_OK;
    heed_prefix_begin(shared, job->session);
    l->job.prefix = shared;
    l->open_limit = (capacity - 1) / l->group_sequences;
    return heed_prefix_feed(shared, l->prompts[0].ids, common, error);
}

static const heed_search *search_of(const heed_generation_settings *settings)
{
    return settings->beams > 1 ? &heed_search_beam : &heed_search_plain;
}

int64_t heed_generate_sequences(const heed_generation_settings *settings)
{
    return search_of(settings)->sequences(settings);
}

/* Returns the state for a call, without memory of its own. */
static loop make_loop(const heed_generator *generator, const heed_ids *prompts, size_t count,
                      const heed_generation_events *events, heed_generation *generation)
{
    static const heed_generation_events none = {0};
    const heed_generation_settings *settings = generator->settings;
    loop l = {.prompts = prompts, .count = count};
    l.job = (heed_job){
        .session = generator->session,
        .tokenizer = generator->tokenizer,
        .settings = settings,
        .events = events ? events : &none,
        .search = search_of(settings),
        .generation = generation,
        .vocabulary = heed_session_vocabulary(generator->session),
        .start = (int32_t)settings->decoder_start,
        .bos = (int32_t)settings->bos,
        .samples = settings->sample && settings->temperature > 0,
    };
    heed_logits_chain_make(&l.job.always_chain, settings, HEED_LOGITS_ALWAYS);
    if (l.job.samples)
        heed_logits_chain_make(&l.job.sampling_chain, settings, HEED_LOGITS_SAMPLING);
    return l;
}

static void free_loop(loop *l)
{
    heed_logits_scratch_free(&l->job.scratch);
    free(l->job.scores);
    free(l->groups);
    free(l->items);
    free(l->owners);
    free(l->sources);
    free(l->sequences);
}

/* Drops the sequences of the session except the caller's prefix. */
static void drop_sequences(heed_session *session, const heed_prefix *prefix)
{
    for (int64_t i = 0; i < heed_session_capacity(session); i++)
        if (!prefix || i != prefix->sequence) heed_session_drop(session, i);
}

/* Runs a generation from its checks to the last prompt. */
static heed_status run(loop *l, heed_error *error)
{
    /* the caller's prefix; read_shared may set another one */
    const heed_prefix *prefix = l->job.prefix;
    heed_prefix shared = {0};
    *l->job.generation = (heed_generation){0};
    heed_status status = prepare(l, error);
    bool prepared = status == HEED_OK;
    if (prepared) status = read_shared(l, &shared, error);
    while (status == HEED_OK && (l->open > 0 || l->opened < l->count)) status = step(l, error);
    while (l->open > 0) close_group(l, l->open - 1);
    heed_prefix_free(&shared);
    if (prepared) drop_sequences(l->job.session, prefix);
    free_loop(l);
    return status;
}

heed_status heed_generate(const heed_generator *generator, const heed_ids *prompts, size_t count,
                          const heed_generation_events *events, heed_generation *generation,
                          heed_error *error)
{
    loop l = make_loop(generator, prompts, count, events, generation);
    return run(&l, error);
}

heed_status heed_generate_from(const heed_generator *generator, heed_prefix *prefix,
                               const heed_ids *prompt, const heed_generation_events *events,
                               heed_generation *generation, heed_error *error)
{
    loop l = make_loop(generator, prompt, 1, events, generation);
    l.job.prefix = prefix;
    l.job.keeps = generator->settings->beams <= 1;
    return run(&l, error);
}
