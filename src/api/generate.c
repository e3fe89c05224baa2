/* generate.c: generation for the public interface. Prompts become ids, options become settings, and
   results become structs that own their memory. */
#include "api/transformer.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/output.h"
#include "generate/generate.h"
#include <stdlib.h>
#include <string.h>

enum { SEQUENCES_AT_ONCE = 16 };

/* The state of one call of heed_transformer_generate. */
typedef struct call {
    heed_transformer *transformer;
    const heed_generation_options *options;
    const heed_hooks *hooks;  /* may be NULL */
    heed_encoding *encodings; /* (count) ids of prompts that are text; empty for the others */
    heed_ids *ids;            /* (count) of encodings, or of the caller; borrowed */
    size_t count;             /* number of prompts */
    heed_generation_settings settings;
    heed_session *session;
    heed_generation generation;
} call;

static void on_text(void *argument, size_t prompt, size_t number, const char *text, size_t length)
{
    const heed_hooks *hooks = argument;
    if (hooks->text) hooks->text(hooks->argument, prompt, number, text, length);
}

static bool on_cancelled(void *argument)
{
    const heed_hooks *hooks = argument;
    return hooks->cancelled && hooks->cancelled(hooks->argument);
}

/* ---- prompts ---- */

/* Sets ids[i], and encodes the prompt if it is text. */
static heed_status encode_prompt(call *c, size_t i, const heed_prompt *prompt, heed_error *error)
{
    if (!prompt->text) {
        c->ids[i] = (heed_ids){prompt->ids, (int64_t)prompt->count};
        return HEED_OK;
    }
    const heed_tokenizer *tokenizer = heed_transformer_tokenizer(c->transformer, error);
    if (!tokenizer) return c->transformer->tokenizer_problem.status;
    heed_encoding *encoding = &c->encodings[i];
    encoding->cancel = heed_hooks_cancel(c->hooks);
    HEED_TRY(heed_tokenizer_encode(tokenizer, prompt->text, prompt->length, HEED_ENCODE_SPECIAL,
                                   encoding, error));
    c->ids[i] = (heed_ids){encoding->ids, (int64_t)encoding->count};
    return HEED_OK;
}

/* Sets the ids of all prompts. */
static heed_status take_prompts(call *c, const heed_prompts *prompts, heed_error *error)
{
    c->ids = heed_allocate(prompts->count, sizeof *c->ids);
    c->encodings = heed_allocate(prompts->count, sizeof *c->encodings);
    if (!c->ids || !c->encodings)
        return heed_fail_memory(error, prompts->count * sizeof *c->encodings, "the prompts");
    c->count = prompts->count;
    for (size_t i = 0; i < c->count; i++) HEED_TRY(encode_prompt(c, i, &prompts->items[i], error));
    return HEED_OK;
}

/* ---- results ---- */

/* Copies `count` candidates. *to stays NULL if `from` is NULL, which means that none were asked
   for. */
static heed_status copy_candidates(const heed_token_score *from, size_t count, heed_candidate **to,
                                   heed_error *error)
{
    if (!from) return HEED_OK;
    *to = heed_allocate(count, sizeof **to);
    if (!*to) return heed_fail_memory(error, count * sizeof **to, "the results");
    for (size_t i = 0; i < count; i++)
        if (from[i].id >= 0) (*to)[i] = (heed_candidate){true, from[i].id, from[i].log_probability};
    return HEED_OK;
}

/* Returns the number of candidates at each place. */
static size_t row_length(const call *c)
{
    int64_t count = c->settings.log_probabilities;
    return count > 0 ? (size_t)count : 0;
}

/* Moves a sequence into its public form. */
static heed_status take_result(const call *c, heed_generated *from, heed_result *to,
                               heed_error *error)
{
    bool scored = c->settings.beams > 1 || c->settings.log_probabilities >= 0;
    *to = (heed_result){
        .prompt = from->prompt,
        .number = from->number,
        .ids = from->ids,
        .count = from->count,
        .text = from->text,
        .text_length = from->text_length,
        .finish = heed_finish_name(from->finish),
        .log_probabilities = from->log_probabilities,
    };
    from->ids = NULL;
    from->text = NULL;
    from->log_probabilities = NULL;
    if (scored) to->score = heed_real(from->score);
    return copy_candidates(from->likely, to->count * row_length(c), &to->likely, error);
}

/* Moves the report of prompt i into its public form. Its log-probabilities and candidates begin
   with the second id, because nothing predicts the first. */
static heed_status take_prompt(const call *c, size_t i, heed_prompt_result *to, heed_error *error)
{
    heed_prompt_report *from = &c->generation.prompts[i];
    size_t rest = from->count > 0 ? from->count - 1 : 0, row = row_length(c);
    *to = (heed_prompt_result){
        .cut = from->cut, .count = from->count, .log_probabilities = from->log_probabilities};
    from->log_probabilities = NULL;
    to->ids = heed_allocate(to->count, sizeof *to->ids);
    if (!to->ids) return heed_fail_memory(error, to->count * sizeof *to->ids, "the results");
    if (to->count) memcpy(to->ids, c->ids[i].ids + to->cut, to->count * sizeof *to->ids);
    if (to->log_probabilities)
        memmove(to->log_probabilities, to->log_probabilities + 1,
                rest * sizeof *to->log_probabilities);
    const heed_token_score *likely = from->likely ? from->likely + row : NULL;
    return copy_candidates(likely, rest * row, &to->likely, error);
}

/* Moves what the module `generate` returned into its public form. If the generation failed, only
   the sequences before the first incomplete one are taken, so that a list of results has no gaps.
   */
static heed_status take_results(call *c, heed_results *results, heed_error *error)
{
    heed_generation *generation = &c->generation;
    if (!generation->items) return HEED_OK;
    results->items = heed_allocate(generation->count, sizeof *results->items);
    results->prompts = heed_allocate(generation->prompt_count, sizeof *results->prompts);
    if (!results->items || !results->prompts)
        return heed_fail_memory(error, generation->count * sizeof *results->items, "the results");
    for (size_t i = 0; i < generation->count && generation->items[i].finished; i++)
        HEED_TRY(take_result(c, &generation->items[i], &results->items[results->count++], error));
    for (size_t i = 0; i < generation->prompt_count; i++)
        HEED_TRY(take_prompt(c, i, &results->prompts[results->prompt_count++], error));
    return HEED_OK;
}

void heed_results_free(heed_results *results)
{
    for (size_t i = 0; i < results->count; i++) {
        free(results->items[i].ids);
        free(results->items[i].text);
        free(results->items[i].log_probabilities);
        free(results->items[i].likely);
    }
    for (size_t i = 0; i < results->prompt_count; i++) {
        free(results->prompts[i].ids);
        free(results->prompts[i].log_probabilities);
        free(results->prompts[i].likely);
    }
    free(results->items);
    free(results->prompts);
    *results = (heed_results){0};
}

/* ---- the generation ---- */

/* Returns how many sequences the session needs: those that are written at once, and one more for
   the common beginning of several prompts or for the prompt cache. */
static int64_t count_sequences(const call *c)
{
    int64_t beams = c->settings.beams, returned = c->settings.returned;
    int64_t each = heed_generate_sequences(&c->settings); /* needed for one prompt */
    if (beams > 1) each = 2 * beams;
    int64_t wanted = (int64_t)c->count * (returned > 0 ? returned : 1);
    if (beams > 1) wanted *= beams;
    if (wanted > SEQUENCES_AT_ONCE) wanted = SEQUENCES_AT_ONCE;
    bool shares = c->count > 1 || c->options->prompt_cache;
    return (wanted < each ? each : wanted) + shares;
}

/* Checks that the options allow a prompt cache, if one is asked for, and that it can be written. */
static heed_status check_prompt_cache(const call *c, heed_error *error)
{
    const char *path = c->options->prompt_cache;
    if (!path) return HEED_OK;
    if (c->count != 1 || c->settings.beams > 1 || c->settings.log_probabilities >= 0)
        return heed_fail(error, HEED_E_ARG,
                         "a prompt cache is for one prompt, without beams and log-probabilities of "
                         "the prompt");
    return heed_path_check_output(path, error);
}

/* Generates with a prompt cache: loads it if its file exists, and saves it afterwards. *saved is
   the status of saving. Its error is recorded too, but the results of the generation remain valid.
   */
static heed_status write_cached(call *c, const heed_generator *generator,
                                const heed_generation_events *events, heed_status *saved,
                                heed_error *error)
{
    heed_prefix prefix;
    const char *path = c->options->prompt_cache;
    heed_prefix_begin(&prefix, c->session);
    bool kept = heed_path_is_regular(path); /* pipes and devices are written and not read */
    heed_status status = kept ? heed_prefix_load(&prefix, path, error) : HEED_OK;
    if (status == HEED_OK)
        status = heed_generate_from(generator, &prefix, c->ids, events, &c->generation, error);
    if (status == HEED_OK) *saved = heed_prefix_save(&prefix, path, error);
    heed_prefix_free(&prefix);
    return status;
}

/* Runs the generation; *saved is as in write_cached. */
static heed_status write(call *c, const heed_tokenizer *tokenizer, heed_status *saved,
                         heed_error *error)
{
    heed_generator generator = {c->session, tokenizer, &c->settings};
    heed_generation_events forward = {
        .text = on_text, .cancelled = on_cancelled, .argument = (void *)c->hooks};
    const heed_generation_events *events = c->hooks ? &forward : NULL;
    if (c->options->prompt_cache) return write_cached(c, &generator, events, saved, error);
    return heed_generate(&generator, c->ids, c->count, events, &c->generation, error);
}

/* Makes settings and session, runs the generation and takes its results. */
static heed_status generate(call *c, heed_results *results, heed_error *error)
{
    heed_transformer *t = c->transformer;
    heed_status saved = HEED_OK;
    const heed_tokenizer *tokenizer = NULL;
    if (!c->options->ids_only) {
        tokenizer = heed_transformer_tokenizer(t, error);
        if (!tokenizer) return t->tokenizer_problem.status;
    }
    HEED_TRY(heed_transformer_settings(t, c->options, &c->settings, error));
    HEED_TRY(check_prompt_cache(c, error));
    HEED_TRY(heed_transformer_session(t, count_sequences(c), c->options->context, c->hooks,
                                      &c->session, error));
    heed_status status = write(c, tokenizer, &saved, error);
    heed_status taken = take_results(c, results, error);
    if (taken != HEED_OK) heed_results_free(results);
    if (status == HEED_OK) status = taken;
    return status == HEED_OK ? saved : status;
}

heed_status heed_transformer_generate(heed_transformer *t, const heed_prompts *prompts,
                                      const heed_generation_options *options,
                                      const heed_hooks *hooks, heed_results *results,
                                      heed_error *error)
{
    call c = {
        .transformer = t, .options = heed_generation_options_or_default(options), .hooks = hooks};
    *results = (heed_results){0};
    heed_generation_settings_default(&c.settings);
    pthread_mutex_lock(&t->turn);
    heed_status status = take_prompts(&c, prompts, error);
    if (status == HEED_OK) status = generate(&c, results, error);
    pthread_mutex_unlock(&t->turn);
    heed_generation_free(&c.generation);
    heed_session_free(c.session);
    heed_generation_settings_free(&c.settings);
    for (size_t i = 0; i < c.count; i++) heed_encoding_free(&c.encodings[i]);
    free(c.encodings);
    free(c.ids);
    return status;
}
