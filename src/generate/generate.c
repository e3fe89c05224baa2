#include "generate/generate.h"
#include "base/memory.h"
#include "generate/generate_internal.h"
#include "cache/cache.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *heed_finish_name(heed_finish finish)
{
    static const char *const names[HEED_FINISHES] = {"eos", "stop", "length", "context"};
    return names[finish];
}

void heed_generation_free(heed_generation *generation)
{
    for (size_t i = 0; generation->items && i < generation->count; i++) {
        heed_generated *item = &generation->items[i];
        free(item->ids);
        free(item->text);
        free(item->log_probabilities);
        free(item->likely);
    }
    for (size_t i = 0; generation->prompts && i < generation->prompt_count; i++) {
        free(generation->prompts[i].log_probabilities);
        free(generation->prompts[i].likely);
    }
    free(generation->items);
    free(generation->prompts);
    *generation = (heed_generation){0};
}

/* The loop over prompts: groups are opened in order while the session has room, and all of them
   share each step. */
typedef struct loop {
    heed_job job;
    const heed_ids *prompts;
    size_t count, opened;      /* prompts; groups opened so far */
    heed_prompt_group *groups; /* (open_limit), open ones first */
    int64_t open, open_limit;
    int64_t group_sequences; /* of the session, for each group */
    heed_step_item *items;   /* (capacity) of the step */
    /* (capacity) whose item it is; item -1: the prompt */
    struct place {
        int64_t group, item;
    } * places;
    heed_ids *sources;  /* (open_limit) */
    int64_t *sequences; /* (open_limit) */
    /* decoder start of an encoder-decoder; what stands for an empty prompt */
    int32_t start, bos;
} loop;

/* ---- prompts ---- */

/* What is left of a prompt that is longer than the context: its end, and room for new tokens up to
   half of the context. */
static heed_status fit_prompt(loop *l, size_t index, heed_ids *ids, heed_error *error)
{
    const heed_generation_settings *settings = l->job.settings;
    int64_t context = heed_session_context(l->job.session),
            room = settings->max_new_tokens ? settings->max_new_tokens : context;
    bool has_source = heed_session_has_source(l->job.session);
    if (ids->count <= context) return HEED_OK;
    if (!settings->truncate)
        return heed_fail(error, HEED_E_ARG,
                         "prompt %zu has %lld tokens, but the context has %lld positions: shorten "
                         "it, or cut its "
                         "beginning off (--truncate)",
                         index + 1, (long long)ids->count, (long long)context);
    if (room > context / 2) room = context / 2;
    int64_t kept = has_source ? context : context - room;
    l->job.generation->prompts[index].cut = (size_t)(ids->count - kept);
    *ids = (heed_ids){ids->ids + ids->count - kept, kept};
    return HEED_OK;
}

static heed_status set_lengths(const loop *l, heed_prompt_group *group, heed_error *error)
{
    const heed_generation_settings *settings = l->job.settings;
    int64_t context = heed_session_context(l->job.session), given = group->given.count;
    int64_t wanted = settings->max_new_tokens ? given + settings->max_new_tokens
                     : settings->max_length   ? settings->max_length
                                              : INT64_MAX;
    if (given >= wanted)
        return heed_fail(error, HEED_E_ARG,
                         "prompt %zu has %lld tokens, but max_length allows %lld with the new "
                         "ones: ask for a number of "
                         "new tokens instead",
                         group->prompt + 1, (long long)given, (long long)wanted);
    group->limit = wanted > context ? HEED_FINISH_CONTEXT : HEED_FINISH_LENGTH;
    group->max_length = wanted > context ? context : wanted;
    return HEED_OK;
}

/* What a prompt becomes: its ids, and how long its sequences may be. */
static heed_status shape_group(loop *l, size_t index, heed_prompt_group *group, heed_error *error)
{
    heed_ids ids = l->prompts[index];
    *group = (heed_prompt_group){.prompt = index, .sequence = -1};
    bool has_source = heed_session_has_source(l->job.session);
    if (ids.count == 0 && (has_source || l->bos < 0))
        return heed_fail(error, HEED_E_ARG, "prompt %zu is empty: expected at least one token",
                         index + 1);
    if (ids.count == 0) ids = (heed_ids){&l->bos, 1};
    HEED_TRY(fit_prompt(l, index, &ids, error));
    if (has_source) group->source = ids, group->given = (heed_ids){&l->start, 1};
    else group->given = ids;
    l->job.generation->prompts[index].count = (size_t)ids.count;
    return set_lengths(l, group, error);
}

/* A prompt that cannot be answered is told before any other is: that may take hours. */
static heed_status check_prompts(loop *l, heed_error *error)
{
    heed_prompt_group group;
    for (size_t i = 0; i < l->count; i++) HEED_TRY(shape_group(l, i, &group, error));
    return HEED_OK;
}

static heed_status prepare_group(loop *l, size_t index, heed_prompt_group *group, heed_error *error)
{
    HEED_TRY(shape_group(l, index, group, error));
    heed_prompt_report *report = &l->job.generation->prompts[index];
    int64_t likely = l->job.settings->log_probabilities;
    if (likely < 0 || heed_session_has_source(l->job.session)) return HEED_OK;
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

/* ---- opening and closing groups ---- */

/* A new sequence of the session, with what the prefix keeps of the prompt. The last id is always
   read: its logits are wanted. */
static heed_status begin_sequence(loop *l, heed_prompt_group *group, heed_error *error)
{
    const heed_job *job = &l->job;
    heed_prompt_report *report = &job->generation->prompts[group->prompt];
    int64_t kept = job->prefix && !report->log_probabilities
                       ? heed_prefix_shared(job->prefix, group->given.ids, group->given.count - 1)
                       : 0;
    group->kept = kept;
    report->kept = (size_t)kept;
    if (kept)
        return heed_session_fork(job->session, job->prefix->sequence, kept, &group->sequence,
                                 error);
    return heed_session_add(job->session, &group->sequence, error);
}

/* Every group that finds room: its prompt is fed, or its source encoded, in the coming step. */
static heed_status open_groups(loop *l, heed_error *error)
{
    int64_t first = l->open;
    heed_job *job = &l->job;
    for (; l->opened < l->count && l->open < l->open_limit; l->opened++, l->open++) {
        heed_prompt_group *group = &l->groups[l->open];
        heed_status status = prepare_group(l, l->opened, group, error);
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

static int64_t gather_items(loop *l)
{
    int64_t count = 0;
    for (int64_t i = 0; i < l->open; i++) {
        heed_prompt_group *group = &l->groups[i];
        int64_t before = count;
        bool all = l->job.generation->prompts[group->prompt].log_probabilities != NULL;
        int64_t rest = group->given.count - group->kept;
        if (!group->read)
            l->items[count++] = (heed_step_item){group->sequence, group->given.ids + group->kept,
                                                 rest, all ? 0 : rest - 1};
        else count += l->job.search->feed(group, l->items + count);
        for (int64_t k = before; k < count; k++)
            l->places[k] = (struct place){i, group->read ? k - before : -1};
    }
    return count;
}

/* The logits after a token of the prompt say how likely the token after it was. */
static void report_prompt(loop *l, const heed_prompt_group *group, int64_t token,
                          const float *logits)
{
    heed_prompt_report *report = &l->job.generation->prompts[group->prompt];
    int64_t likely = l->job.settings->log_probabilities;
    if (!report->log_probabilities || token + 1 >= group->given.count) return;
    double log_sum = heed_log_sum(logits, l->job.vocabulary);
    report->log_probabilities[token + 1] = (float)((double)logits[group->given.ids[token + 1]] -
                                                   log_sum);
    if (likely)
        heed_job_likely(&l->job, logits, log_sum, likely, report->likely + (token + 1) * likely);
}

static heed_status visit(void *argument, const heed_logits_row *rows, int64_t count,
                         heed_error *error)
{
    loop *l = argument;
    for (int64_t i = 0; i < count; i++) {
        struct place place = l->places[rows[i].item];
        heed_prompt_group *group = &l->groups[place.group];
        if (place.item >= 0) {
            HEED_TRY(l->job.search->next(&l->job, group, place.item, rows[i].logits, error));
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

/* A prompt that fills the context leaves no room for an answer. */
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

/* ---- the whole ---- */

static heed_status allocate_results(loop *l, heed_error *error)
{
    heed_generation *generation = l->job.generation;
    size_t returned = (size_t)l->job.settings->returned, count;
    if (!heed_multiply_size(l->count, returned, &count))
        count = SIZE_MAX / sizeof *generation->items;
    generation->items = heed_allocate(count + 1, sizeof *generation->items);
    generation->prompts = heed_allocate(l->count + 1, sizeof *generation->prompts);
    if (!generation->items || !generation->prompts)
        return heed_fail_memory(error, (count + 1) * sizeof *generation->items, "results");
    generation->count = count;
    generation->prompt_count = l->count;
    for (size_t i = 0; i < count; i++)
        generation->items[i].prompt = i / returned, generation->items[i].number = i % returned;
    return HEED_OK;
}

static heed_status prepare(loop *l, heed_error *error)
{
    heed_job *job = &l->job;
    const heed_generation_settings *settings = job->settings;
    int64_t capacity = heed_session_capacity(job->session);
    HEED_TRY(heed_generation_settings_check(
        settings, heed_model_config(heed_session_model(job->session)), error));
    int64_t kept = job->prefix && job->prefix->sequence >= 0;
    if (heed_session_held(job->session) > kept)
        return heed_fail(error, HEED_E_ARG,
                         "the session holds sequences: drop them before generating");
    if (settings->stop_count && !job->tokenizer)
        return heed_fail(error, HEED_E_ARG, "stop strings need a tokenizer");
    if (settings->beams > 1 && job->samples)
        return heed_fail(error, HEED_E_UNSUPPORTED,
                         "drawing tokens in beam search is not supported: ask "
                         "for temperature 0 or one beam");
    if (settings->beams > 1 && settings->log_probabilities > 0)
        return heed_fail(
            error, HEED_E_UNSUPPORTED,
            "likely tokens are not reported for beams: ask for 0 of them, or for one beam");
    l->group_sequences = job->search->sequences(settings);
    if (job->keeps) capacity--;
    if (l->group_sequences > capacity)
        return heed_fail(
            error, HEED_E_ARG,
            "%lld sequences at once are needed for one prompt, but the session was made for %lld",
            (long long)l->group_sequences, (long long)capacity);
    l->open_limit = capacity / l->group_sequences;
    size_t open_limit = (size_t)l->open_limit, vocabulary = (size_t)job->vocabulary;
    l->groups = heed_allocate(open_limit, sizeof *l->groups);
    l->items = heed_allocate((size_t)capacity, sizeof *l->items);
    l->places = heed_allocate((size_t)capacity, sizeof *l->places);
    l->sources = heed_allocate(open_limit, sizeof *l->sources);
    l->sequences = heed_allocate(open_limit, sizeof *l->sequences);
    job->scores = heed_allocate(2 * vocabulary, sizeof *job->scores);
    if (!l->groups || !l->items || !l->places || !l->sources || !l->sequences || !job->scores)
        return heed_fail_memory(error, 2 * vocabulary * sizeof *job->scores, "generation");
    HEED_TRY(heed_logits_scratch_new(&job->scratch, job->vocabulary, error));
    HEED_TRY(allocate_results(l, error));
    return check_prompts(l, error);
}

/* Prompts that begin alike: what they share is read once, if it fills a block and one place of the
   session stays free for it. The longest prompt is no obstacle: a prompt's last id is read for
   itself. */
static heed_status read_shared(loop *l, heed_prefix *shared, heed_error *error)
{
    const heed_job *job = &l->job;
    const heed_ids *prompts = l->prompts;
    bool wanted = l->count > 1 && !heed_session_has_source(job->session) &&
                  job->settings->log_probabilities < 0 &&
                  heed_session_capacity(job->session) > l->group_sequences;
    if (!wanted || job->prefix) return HEED_OK;
    int64_t common = prompts[0].count - 1;
    for (size_t i = 1; i < l->count; i++) {
        int64_t same = 0;
        while (same < common && same < prompts[i].count - 1 &&
               prompts[i].ids[same] == prompts[0].ids[same])
            same++;
        common = same;
    }
    if (common < HEED_PAGE_POSITIONS || common >= heed_session_context(job->session))
        return HEED_OK;
    heed_prefix_begin(shared, job->session);
    l->job.prefix = shared;
    l->open_limit = (heed_session_capacity(job->session) - 1) / l->group_sequences;
    return heed_prefix_feed(shared, prompts[0].ids, common, error);
}

static const heed_search *search_of(const heed_generation_settings *settings)
{
    return settings->beams > 1 ? &heed_search_beam : &heed_search_plain;
}

int64_t heed_generate_sequences(const heed_generation_settings *settings)
{
    return search_of(settings)->sequences(settings);
}

static loop make_loop(const heed_generator *generator, const heed_ids *prompts, size_t count,
                      const heed_generation_events *events, heed_generation *generation)
{
    static const heed_generation_events none = {0};
    const heed_generation_settings *settings = generator->settings;
    loop l = {
        .prompts = prompts,
        .count = count,
        .start = (int32_t)settings->decoder_start,
        .bos = (int32_t)settings->bos,
    };
    l.job = (heed_job){
        .session = generator->session,
        .tokenizer = generator->tokenizer,
        .settings = settings,
        .events = events ? events : &none,
        .search = search_of(settings),
        .generation = generation,
        .vocabulary = heed_session_vocabulary(generator->session),
        .samples = settings->sample && settings->temperature > 0,
    };
    heed_logits_chain_make(&l.job.always, settings, HEED_LOGITS_ALWAYS);
    if (l.job.samples) heed_logits_chain_make(&l.job.sampling, settings, HEED_LOGITS_SAMPLING);
    return l;
}

static void free_loop(loop *l)
{
    heed_logits_scratch_free(&l->job.scratch);
    free(l->job.scores);
    free(l->groups);
    free(l->items);
    free(l->places);
    free(l->sources);
    free(l->sequences);
}

/* Drops what the session holds, but not the caller's prefix. */
static void drop_sequences(heed_session *session, const heed_prefix *prefix)
{
    for (int64_t i = 0; i < heed_session_capacity(session); i++)
        if (!prefix || i != prefix->sequence) heed_session_drop(session, i);
}

static heed_status run(loop *l, heed_error *error)
{
    const heed_prefix *prefix = l->job.prefix; /* the caller's */
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
