/* Generation for the public interface: prompts to ids, settings, results that own themselves. */
#include "api/transformer.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/output.h"
#include "generate/generate.h"
#include <stdlib.h>
#include <string.h>

enum { SEQUENCES_AT_ONCE = 16 };

typedef struct {
    const heed_hooks *hooks;
} forward_hooks;

static void on_text(void *argument, size_t prompt, size_t number, const char *text, size_t length)
{
    const heed_hooks *hooks = ((forward_hooks *)argument)->hooks;
    if (hooks->text) hooks->text(hooks->argument, prompt, number, text, length);
}

static bool on_cancelled(void *argument)
{
    const heed_hooks *hooks = ((forward_hooks *)argument)->hooks;
    return hooks->cancelled && hooks->cancelled(hooks->argument);
}

static heed_status encode_prompts(heed_transformer *t, const heed_prompt *prompts, size_t count,
                                  const heed_hooks *hooks, heed_ids *ids, heed_encoding *encodings,
                                  heed_error *error)
{
    for (size_t i = 0; i < count; i++) {
        if (!prompts[i].text) {
            ids[i] = (heed_ids){prompts[i].ids, (int64_t)prompts[i].count};
            continue;
        }
        const heed_tokenizer *tokenizer = heed_transformer_tokenizer(t, error);
        if (!tokenizer) return error ? error->status : HEED_E_UNSUPPORTED;
        encodings[i].cancel = heed_hooks_cancel(hooks);
        HEED_TRY(heed_tokenizer_encode(tokenizer, prompts[i].text, prompts[i].length,
                                       HEED_ENCODE_SPECIAL, &encodings[i], error));
        ids[i] = (heed_ids){encodings[i].ids, (int64_t)encodings[i].count};
    }
    return HEED_OK;
}

/* Moves what the module generate made into the public form; both own the same memory for a moment.
   Of a generation that failed those are taken that were complete, up to the first that was not:
   lines of output then are those of the prompts. */
static heed_status take_results(heed_generation *generation, const heed_ids *ids,
                                heed_results *results, heed_error *error)
{
    _Static_assert(sizeof(heed_candidate) == sizeof(heed_token_score),
                   "candidates are handed over as they are");
    results->items = heed_allocate(generation->count, sizeof *results->items);
    results->prompts = heed_allocate(generation->prompt_count, sizeof *results->prompts);
    if (!results->items || !results->prompts)
        return heed_fail_memory(error, generation->count * sizeof *results->items, "the results");
    for (size_t i = 0; i < generation->count && generation->items[i].finished; i++) {
        heed_generated *g = &generation->items[i];
        results->items[results->count++] = (heed_result){
            .prompt = g->prompt,
            .number = g->number,
            .ids = g->ids,
            .count = g->count,
            .text = g->text,
            .text_length = g->text_length,
            .finish = heed_finish_name(g->finish),
            .log_probabilities = g->log_probabilities,
            .likely = (heed_candidate *)g->likely,
            .score = g->score,
        };
        g->ids = NULL, g->text = NULL, g->log_probabilities = NULL, g->likely = NULL;
    }
    for (size_t i = 0; i < generation->prompt_count; i++) {
        heed_prompt_report *p = &generation->prompts[i];
        heed_prompt_result *to = &results->prompts[results->prompt_count++];
        *to = (heed_prompt_result){
            .cut = p->cut,
            .count = p->count,
            .log_probabilities = p->log_probabilities,
            .likely = (heed_candidate *)p->likely,
        };
        p->log_probabilities = NULL, p->likely = NULL;
        to->ids = heed_allocate(p->count, sizeof *to->ids);
        if (!to->ids) return heed_fail_memory(error, p->count * sizeof *to->ids, "the results");
        if (p->count) memcpy(to->ids, ids[i].ids + p->cut, p->count * sizeof *to->ids);
    }
    return HEED_OK;
}

void heed_results_free(heed_results *results)
{
    for (size_t i = 0; i < results->count; i++) {
        free(results->items[i].ids), free(results->items[i].text);
        free(results->items[i].log_probabilities), free(results->items[i].likely);
    }
    for (size_t i = 0; i < results->prompt_count; i++)
        free(results->prompts[i].ids), free(results->prompts[i].log_probabilities),
            free(results->prompts[i].likely);
    free(results->items);
    free(results->prompts);
    *results = (heed_results){0};
}

/* With what a file keeps of earlier prompts, and what it shall keep of this one. *saved is the
   status of writing the file, whose error is recorded too; it is no failure of the generation. */
static heed_status generate_cached(heed_session *session, const char *path,
                                   const heed_tokenizer *tokenizer,
                                   const heed_generation_settings *settings, const heed_ids *prompt,
                                   const heed_generation_events *events,
                                   heed_generation *generation, heed_status *saved,
                                   heed_error *error)
{
    heed_prefix prefix;
    heed_prefix_begin(&prefix, session);
    bool kept = heed_path_is_regular(path); /* pipes and devices only take what is written */
    heed_status status = kept ? heed_prefix_load(&prefix, path, error) : HEED_OK;
    if (status == HEED_OK)
        status = heed_generate_from(&(heed_generator){session, tokenizer, settings}, &prefix,
                                    prompt, events, generation, error);
    if (status == HEED_OK) *saved = heed_prefix_save(&prefix, path, error);
    heed_prefix_free(&prefix);
    return status;
}

static heed_status generate(heed_transformer *t, const heed_ids *ids, size_t count,
                            const heed_generation_options *options, const heed_hooks *hooks,
                            heed_results *results, heed_error *error)
{
    heed_generation_settings settings;
    heed_generation generation = {0};
    heed_session *session = NULL;
    heed_status saved = HEED_OK;
    const heed_tokenizer *tokenizer = options->ids_only ? NULL
                                                        : heed_transformer_tokenizer(t, error);
    if (!tokenizer && !options->ids_only) return t->tokenizer_problem.status;
    heed_status status = heed_transformer_settings(t, options, &settings, error);
    if (status == HEED_OK) {
        int64_t wanted = (int64_t)count * (settings.returned > 0 ? settings.returned : 1) *
                         (settings.beams > 1 ? settings.beams : 1);
        int64_t least = settings.beams > 1
                            ? 2 * settings.beams
                            : heed_generate_sequences(&settings); /* of one prompt, at once */
        /* for what is shared */
        int64_t sequences = wanted > SEQUENCES_AT_ONCE ? SEQUENCES_AT_ONCE : wanted,
                spare = count > 1 || options->prompt_cache;
        if (options->prompt_cache &&
            (count != 1 || settings.beams > 1 || settings.log_probabilities >= 0))
            status = heed_fail(error, HEED_E_ARG,
                               "a prompt cache is for one prompt, without beams and "
                               "log-probabilities of the prompt");
        if (status == HEED_OK && options->prompt_cache)
            status = heed_path_check_output(options->prompt_cache, error);
        if (status == HEED_OK)
            status = heed_transformer_session(t, (sequences < least ? least : sequences) + spare,
                                              options->context, hooks, &session, error);
    }
    if (status == HEED_OK) {
        forward_hooks forward = {hooks};
        heed_generation_events events = {
            .text = on_text, .cancelled = on_cancelled, .argument = &forward};
        status = options->prompt_cache
                     ? generate_cached(session, options->prompt_cache, tokenizer, &settings, ids,
                                       hooks ? &events : NULL, &generation, &saved, error)
                     : heed_generate(&(heed_generator){session, tokenizer, &settings}, ids, count,
                                     hooks ? &events : NULL, &generation, error);
    }
    heed_status taken = generation.items ? take_results(&generation, ids, results, error) : HEED_OK;
    if (taken != HEED_OK) heed_results_free(results);
    if (status == HEED_OK) status = taken;
    heed_generation_free(&generation);
    heed_session_free(session);
    heed_generation_settings_free(&settings);
    return status == HEED_OK ? saved : status;
}

heed_status heed_transformer_generate(heed_transformer *t, const heed_prompt *prompts, size_t count,
                                      const heed_generation_options *options,
                                      const heed_hooks *hooks, heed_results *results,
                                      heed_error *error)
{
    *results = (heed_results){0};
    heed_ids *ids = heed_allocate(count, sizeof *ids);
    heed_encoding *encodings = heed_allocate(count, sizeof *encodings);
    heed_status status = ids && encodings
                             ? HEED_OK
                             : heed_fail_memory(error, count * sizeof *encodings, "the prompts");
    pthread_mutex_lock(&t->turn);
    if (status == HEED_OK) status = encode_prompts(t, prompts, count, hooks, ids, encodings, error);
    if (status == HEED_OK) status = generate(t, ids, count, options, hooks, results, error);
    pthread_mutex_unlock(&t->turn);
    for (size_t i = 0; encodings && i < count; i++) heed_encoding_free(&encodings[i]);
    free(encodings);
    free(ids);
    return status;
}
