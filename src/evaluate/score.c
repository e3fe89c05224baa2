/* score.c: feeds windows or pairs in rounds and adds up their log-probabilities. */
#include "evaluate/score.h"
#include "base/memory.h"
#include "generate/choose.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

double heed_score_nll(const heed_score *score)
{
    return score->tokens ? score->sum / (double)score->tokens : NAN;
}

double heed_score_perplexity(const heed_score *score)
{
    return exp(heed_score_nll(score));
}

/* A window: the ids that are fed, and the label after each of them. */
typedef struct window {
    const int32_t *ids, *labels;
    int64_t count;
} window;

/* Windows that run together. Each has its own sum. These are added in order, so that the total does
   not depend on how the windows were packed into runs. */
typedef struct round_of_windows {
    const window *windows;
    double *sums;
    int64_t vocabulary;
} round_of_windows;

/* Adds the -ln p of each label to its window's sum. */
static heed_status score_rows(void *argument, const heed_logits_row *rows, int64_t count,
                              heed_error *error)
{
    round_of_windows *r = argument;
    for (int64_t i = 0; i < count; i++) {
        const window *w = &r->windows[rows[i].item];
        double log_p;
        int32_t label = w->labels[rows[i].token];
        HEED_TRY(heed_logits_log_probability(rows[i].logits, r->vocabulary, label, &log_p, error));
        r->sums[rows[i].item] -= log_p;
    }
    return HEED_OK;
}

/* Returns HEED_E_ARG if a label is not in the vocabulary. */
static heed_status check_labels(const heed_session *session, const int32_t *labels, int64_t count,
                                heed_error *error)
{
    for (int64_t i = 0; i < count; i++)
        if (labels[i] < 0 || labels[i] >= heed_session_vocabulary(session))
            return heed_fail(error, HEED_E_ARG,
                             "id %d at place %lld cannot be scored: the model's vocabulary has the "
                             "ids 0 to %lld",
                             labels[i], (long long)i,
                             (long long)heed_session_vocabulary(session) - 1);
    return HEED_OK;
}

/* The state of one call, with memory for rounds of as many windows as the session has sequences. */
typedef struct scorer {
    heed_session *session;
    const heed_score_options *options; /* may be NULL */
    heed_score *score;
    window *windows;
    int64_t *sequences;
    heed_step_item *items;
    double *sums;
    int64_t capacity;
    int32_t *shifted; /* decoder inputs of a round's targets, laid end to end */
    size_t shifted_capacity;
} scorer;

static void scorer_free(scorer *s)
{
    free(s->windows);
    free(s->sequences);
    free(s->items);
    free(s->sums);
    free(s->shifted);
}

/* Allocates the tables of a scorer. */
static heed_status scorer_make(scorer *s, heed_session *session, const heed_score_options *options,
                               heed_score *score, heed_error *error)
{
    size_t capacity = (size_t)heed_session_capacity(session);
    *s = (scorer){
        .session = session,
        .options = options,
        .score = score,
        .windows = heed_allocate(capacity, sizeof *s->windows),
        .sequences = heed_allocate(capacity, sizeof *s->sequences),
        .items = heed_allocate(capacity, sizeof *s->items),
        .sums = heed_allocate(capacity, sizeof *s->sums),
        .capacity = (int64_t)capacity,
    };
    if (s->windows && s->sequences && s->items && s->sums) return HEED_OK;
    scorer_free(s);
    return heed_fail_memory(error, capacity * sizeof *s->items, "windows to score");
}

/* Reports that `done` of `total` ids or pairs are scored. HEED_E_CANCELLED if the caller wants to
   stop. */
static heed_status begin_round(const scorer *s, int64_t done, int64_t total, heed_error *error)
{
    const heed_score_options *options = s->options;
    if (options && options->progress) options->progress(options->argument, done, total);
    if (options && options->cancelled && options->cancelled(options->argument))
        return heed_fail(error, HEED_E_CANCELLED, "stopped while scoring");
    return HEED_OK;
}

/* Feeds `count` windows, one into each sequence, adds their scores and drops the sequences. */
static heed_status score_round(scorer *s, int64_t count, heed_error *error)
{
    round_of_windows r = {s->windows, s->sums, heed_session_vocabulary(s->session)};
    for (int64_t i = 0; i < count; i++) {
        const window *w = &s->windows[i];
        HEED_TRY(check_labels(s->session, w->labels, w->count, error));
        s->items[i] = (heed_step_item){s->sequences[i], w->ids, w->count, 0};
        s->sums[i] = 0;
    }
    HEED_TRY(heed_session_step(s->session, s->items, count, score_rows, &r, error));
    for (int64_t i = 0; i < count; i++) {
        s->score->sum += s->sums[i];
        s->score->tokens += s->windows[i].count;
        s->score->windows++;
    }
    heed_session_clear(s->session);
    return HEED_OK;
}

/* ---- text ---- */

/* Cuts ids into windows and scores them round by round. The rest is a shorter window. */
static heed_status run_windows(scorer *s, const int32_t *ids, int64_t count, int64_t context,
                               heed_error *error)
{
    for (int64_t at = 0; at + 1 < count;) {
        int64_t n = 0;
        HEED_TRY(begin_round(s, at, count, error));
        for (; n < s->capacity && at + 1 < count; n++) {
            int64_t length = count - at < context ? count - at : context;
            s->windows[n] = (window){ids + at, ids + at + 1, length - 1};
            HEED_TRY(heed_session_add(s->session, &s->sequences[n], error));
            at += length;
        }
        HEED_TRY(score_round(s, n, error));
    }
    return begin_round(s, count, count, error);
}

/* Returns an error if the session holds sequences or its model is of the other arrangement. */
static heed_status check_session(const heed_session *session, bool wants_source, heed_error *error)
{
    if (heed_session_held(session))
        return heed_fail(error, HEED_E_ARG,
                         "the session holds sequences: drop them before scoring");
    if (heed_session_has_source(session) == wants_source) return HEED_OK;
    if (wants_source)
        return heed_fail(error, HEED_E_UNSUPPORTED,
                         "this model has no encoder: pairs are scored with an encoder-decoder");
    return heed_fail(error, HEED_E_UNSUPPORTED,
                     "an encoder-decoder scores targets given their sources: it needs pairs, not "
                     "text");
}

heed_status heed_score_ids(heed_session *session, const int32_t *ids, size_t count,
                           const heed_score_options *options, heed_score *score, heed_error *error)
{
    int64_t context = heed_session_context(session);
    if (options && options->context) context = options->context;
    HEED_TRY(check_session(session, false, error));
    if (context < 2 || context > heed_session_context(session))
        return heed_fail(error, HEED_E_ARG, "windows of %lld ids: expected 2 to %lld, the context",
                         (long long)context, (long long)heed_session_context(session));
    if (count > INT64_MAX / 2)
        return heed_fail(error, HEED_E_ARG, "%zu ids are too many to score", count);
    scorer s;
    HEED_TRY(scorer_make(&s, session, options, score, error));
    heed_status status = run_windows(&s, ids, (int64_t)count, context, error);
    heed_session_clear(session);
    scorer_free(&s);
    return status;
}

heed_status heed_score_text(heed_session *session, const heed_tokenizer *tokenizer, heed_text text,
                            const heed_score_options *options, heed_score *score, heed_error *error)
{
    heed_encoding encoding = {0};
    if (options) encoding.cancel = (heed_cancel){options->cancelled, options->argument};
    heed_status status = heed_tokenizer_encode(tokenizer, text.bytes, text.length,
                                               HEED_ENCODE_SPECIAL, &encoding, error);
    size_t count = encoding.count;
    if (options && options->max_tokens > 0 && (size_t)options->max_tokens < count)
        count = (size_t)options->max_tokens;
    if (status == HEED_OK)
        status = heed_score_ids(session, encoding.ids, count, options, score, error);
    heed_encoding_free(&encoding);
    return status;
}

/* ---- pairs ---- */

/* Makes the windows of a round. A decoder's input is the start id and all but the last id of a
   target. */
static heed_status shift_targets(scorer *s, const heed_ids *targets, int64_t count, int32_t start,
                                 heed_error *error)
{
    size_t total = 0;
    for (int64_t i = 0; i < count; i++) total += (size_t)targets[i].count;
    if (!heed_grow(&s->shifted, &s->shifted_capacity, total + 1, sizeof *s->shifted))
        return heed_fail_memory(error, (total + 1) * sizeof *s->shifted, "targets");
    int32_t *to = s->shifted;
    for (int64_t i = 0; i < count; i++) {
        int64_t length = targets[i].count;
        s->windows[i] = (window){to, targets[i].ids, length};
        if (length) {
            to[0] = start;
            memcpy(to + 1, targets[i].ids, (size_t)(length - 1) * sizeof *to);
        }
        to += length;
    }
    return HEED_OK;
}

/* Scores pairs round by round. */
static heed_status run_pairs(scorer *s, const heed_id_pairs *pairs, int32_t start,
                             heed_error *error)
{
    int64_t count = (int64_t)pairs->count;
    for (int64_t at = 0, n; at < count; at += n) {
        n = count - at < s->capacity ? count - at : s->capacity;
        HEED_TRY(begin_round(s, at, count, error));
        HEED_TRY(shift_targets(s, pairs->targets + at, n, start, error));
        HEED_TRY(heed_session_encode(s->session, pairs->sources + at, n, s->sequences, error));
        HEED_TRY(score_round(s, n, error));
    }
    return begin_round(s, count, count, error);
}

heed_status heed_score_pairs(heed_session *session, const heed_generation_settings *settings,
                             const heed_id_pairs *pairs, const heed_score_options *options,
                             heed_score *score, heed_error *error)
{
    HEED_TRY(check_session(session, true, error));
    HEED_TRY(heed_generation_settings_check(settings,
                                            heed_model_config(heed_session_model(session)), error));
    scorer s;
    HEED_TRY(scorer_make(&s, session, options, score, error));
    heed_status status = run_pairs(&s, pairs, (int32_t)settings->decoder_start, error);
    heed_session_clear(session);
    scorer_free(&s);
    return status;
}
