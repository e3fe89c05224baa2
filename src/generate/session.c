/* session.c: makes sessions and adds, forks, shortens and drops their sequences. */
#include "generate/session_internal.h"
#include "base/memory.h"
#include "model/head/head.h"
#include "tensor/dtype.h"
#include <stdlib.h>
#include <string.h>

/* The most bytes of logits in one run. It keeps the workspace of a large vocabulary small: a limit
   of memory, not of speed, the same on all backends. The rows of a run change no bit. */
enum { LOGITS_BYTES = 128 << 20 };

/* ---- making ---- */

/* Returns HEED_E_UNSUPPORTED for models that cannot write tokens. */
static heed_status check_model(const heed_config *config, heed_error *error)
{
    if (config->float_inputs)
        return heed_fail(
            error, HEED_E_UNSUPPORTED,
            "model type %s has no vocabulary: its inputs are vectors, it cannot write tokens",
            config->model_type);
    if (config->arrangement == HEED_ENCODER_ONLY)
        return heed_fail(
            error, HEED_E_UNSUPPORTED,
            "model type %s is an encoder: it cannot write tokens or score text; a decoder or an "
            "encoder-decoder is needed",
            config->model_type);
    if (!heed_head_any(config, HEED_TRAIT_GENERATES))
        return heed_fail(error, HEED_E_UNSUPPORTED,
                         "this %s model has no language-modelling head: it cannot write tokens",
                         config->model_type);
    return HEED_OK;
}

/* Takes the sizes from the options or the configuration and checks them. The rows of logits in a
   run are a power of two that LOGITS_BYTES allow, or the chunk if that is less. */
static heed_status set_sizes(heed_session *session, const heed_config *config,
                             const heed_session_options *options, heed_error *error)
{
    bool table = config->position == HEED_POSITION_LEARNED ||
                 config->position == HEED_POSITION_SINUSOIDAL;
    session->context = options->context ? options->context : heed_config_reach(config);
    session->capacity = options->sequences ? options->sequences : 1;
    session->chunk = options->chunk ? options->chunk : HEED_SESSION_CHUNK;
    session->vocabulary = config->vocabulary;
    bool long_rope = config->position == HEED_POSITION_ROTARY &&
                     config->rope.kind == HEED_ROPE_LONGROPE;
    session->original_context = long_rope ? config->rope.original_context : 0;
    if (session->context < 1 || session->context > INT32_MAX / 2)
        return heed_fail(error, HEED_E_ARG, "a context of %lld positions: expected 1 to %d",
                         (long long)session->context, INT32_MAX / 2);
    if (table && session->context > config->context)
        return heed_fail(error, HEED_E_ARG,
                         "a context of %lld positions, but the model's table has %lld",
                         (long long)session->context, (long long)config->context);
    if (session->capacity < 1 || session->capacity > 1 << 20 || session->chunk < 1 ||
        session->chunk > 1 << 20)
        return heed_fail(error, HEED_E_ARG,
                         "%lld sequences in runs of %lld rows: expected 1 to %d of each",
                         (long long)session->capacity, (long long)session->chunk, 1 << 20);
    int64_t rows = LOGITS_BYTES / (int64_t)sizeof(float) / session->vocabulary, most = 1;
    while (most * 2 <= rows && most < session->chunk) most *= 2;
    session->gathered = most < session->chunk ? most : session->chunk;
    return HEED_OK;
}

/* Makes the cache of one side and binds its arrays, those of heed_model_keeps, to the engine. */
static heed_status make_cache(heed_session *session, heed_keep_side side, size_t budget,
                              heed_error *error)
{
    size_t count;
    const heed_kept *kept = heed_model_keeps(heed_session_model(session), side, &count);
    heed_cache_array_kind *arrays = heed_allocate(count, sizeof *arrays);
    if (!arrays) return heed_fail_memory(error, count * sizeof *arrays, "a session");
    for (size_t i = 0; i < count; i++)
        arrays[i] = (heed_cache_array_kind){.columns = kept[i].columns,
                                            .element = heed_dtypes[kept[i].dtype].bytes,
                                            .per_page = kept[i].what->per_page};
    heed_cache_options options = {
        .arrays = arrays,
        .array_count = (int64_t)count,
        .sequences = session->capacity,
        .positions = session->context,
        .budget = budget,
    };
    heed_status status = heed_cache_new(&session->caches[side], &options, error);
    free(arrays);
    for (size_t i = 0; i < count && status == HEED_OK; i++)
        heed_engine_bind_kept(session->engine, side, i,
                              heed_cache_array(session->caches[side], (int64_t)i));
    return status;
}

/* Makes everything that a session owns. An encoder-decoder has two caches, which share the
   budget. */
static heed_status make(heed_session *session, heed_model *model, const heed_backend *backend,
                        const heed_session_options *options, heed_error *error)
{
    const heed_config *config = heed_model_config(model);
    HEED_TRY(check_model(config, error));
    HEED_TRY(set_sizes(session, config, options, error));
    HEED_TRY(heed_engine_new(&session->engine, model, backend, error));
    session->sequences = heed_allocate((size_t)session->capacity, sizeof *session->sequences);
    session->done = heed_allocate((size_t)session->capacity, sizeof *session->done);
    session->named = heed_allocate((size_t)session->capacity, sizeof *session->named);
    session->items = heed_allocate((size_t)session->capacity, sizeof *session->items);
    session->recomputed = heed_allocate((size_t)session->capacity, sizeof *session->recomputed);
    session->growth = heed_allocate((size_t)session->capacity, sizeof *session->growth);
    session->pieces = heed_allocate((size_t)session->chunk, sizeof *session->pieces);
    session->rows = heed_allocate((size_t)session->gathered, sizeof *session->rows);
    if (!session->sequences || !session->done || !session->named || !session->items ||
        !session->recomputed || !session->growth || !session->pieces || !session->rows)
        return heed_fail_memory(error, (size_t)session->capacity * sizeof *session->sequences,
                                "the tables of a session");
    if (config->arrangement != HEED_ENCODER_DECODER)
        return make_cache(session, HEED_KEEP_SELF, options->cache_budget, error);
    HEED_TRY(make_cache(session, HEED_KEEP_SELF, options->cache_budget / 2, error));
    return make_cache(session, HEED_KEEP_SOURCE, options->cache_budget / 2, error);
}

heed_status heed_session_new(heed_session **result, heed_model *model, const heed_backend *backend,
                             const heed_session_options *options, heed_error *error)
{
    *result = NULL;
    heed_session *session = heed_allocate(1, sizeof *session);
    if (!session) return heed_fail_memory(error, sizeof *session, "a session");
    heed_status status = make(session, model, backend,
                              options ? options : &(heed_session_options){0}, error);
    if (status == HEED_OK) *result = session;
    else heed_session_free(session);
    return status;
}

void heed_session_free(heed_session *session)
{
    if (!session) return;
    heed_engine_free(session->engine);
    heed_cache_free(session->caches[HEED_SESSION_SELF]);
    heed_cache_free(session->caches[HEED_SESSION_CROSS]);
    for (int64_t i = 0; i < session->capacity && session->sequences; i++)
        free(session->sequences[i].ids);
    free(session->sequences);
    free(session->done);
    free(session->named);
    free(session->items);
    free(session->recomputed);
    free(session->growth);
    free(session->pieces);
    free(session->rows);
    heed_batch_free(&session->batch);
    free(session);
}

void heed_session_set_cancel(heed_session *session, heed_cancel cancel)
{
    heed_engine_set_cancel(session->engine, cancel);
    for (int i = 0; i < 2; i++)
        if (session->caches[i]) heed_cache_set_cancel(session->caches[i], cancel);
}

const heed_model *heed_session_model(const heed_session *session)
{
    return heed_engine_model(session->engine);
}

int64_t heed_session_context(const heed_session *session)
{
    return session->context;
}

int64_t heed_session_capacity(const heed_session *session)
{
    return session->capacity;
}

int64_t heed_session_held(const heed_session *session)
{
    int64_t count = 0;
    for (int64_t i = 0; i < session->capacity; i++) count += session->sequences[i].used;
    return count;
}

int64_t heed_session_vocabulary(const heed_session *session)
{
    return session->vocabulary;
}

bool heed_session_has_source(const heed_session *session)
{
    return session->caches[HEED_SESSION_CROSS] != NULL;
}

size_t heed_session_cache_bytes(const heed_session *session)
{
    size_t bytes = 0;
    for (int i = 0; i < 2; i++)
        bytes += session->caches[i] ? heed_cache_committed(session->caches[i]) : 0;
    return bytes;
}

size_t heed_session_position_bytes(const heed_session *session)
{
    return heed_cache_position_bytes(session->caches[HEED_SESSION_SELF]);
}

/* ---- sequences ---- */

heed_sequence_slot *heed_session_find(const heed_session *session, int64_t sequence)
{
    bool held = sequence >= 0 && sequence < session->capacity && session->sequences[sequence].used;
    return held ? &session->sequences[sequence] : NULL;
}

heed_status heed_session_fail_unknown(int64_t sequence, heed_error *error)
{
    return heed_fail(error, HEED_E_ARG, "sequence %lld is not held by this session",
                     (long long)sequence);
}

/* Finds an unused slot; HEED_E_ARG if there is none. */
static heed_status find_slot(const heed_session *session, int64_t *sequence, heed_error *error)
{
    for (*sequence = 0; *sequence < session->capacity; ++*sequence)
        if (!session->sequences[*sequence].used) return HEED_OK;
    return heed_fail(error, HEED_E_ARG,
                     "the session holds %lld sequences already, as many as it was made for",
                     (long long)session->capacity);
}

heed_status heed_session_add_any(heed_session *session, int64_t *sequence, heed_error *error)
{
    HEED_TRY(find_slot(session, sequence, error));
    heed_sequence_slot *slot = &session->sequences[*sequence];
    for (int i = 0; i < 2; i++) {
        if (!session->caches[i]) continue;
        heed_status status = heed_cache_add(session->caches[i], &slot->cache_sequence[i], error);
        if (status == HEED_OK) continue;
        if (i == HEED_SESSION_CROSS)
            heed_cache_drop(session->caches[HEED_SESSION_SELF],
                            slot->cache_sequence[HEED_SESSION_SELF]);
        return status;
    }
    slot->used = true;
    slot->past_original = false;
    return HEED_OK;
}

heed_status heed_session_emit(heed_session *session, int64_t sequence, int64_t first,
                              const int32_t *ids, int64_t count, heed_error *error)
{
    heed_sequence_slot *slot = &session->sequences[sequence];
    size_t needed = (size_t)(first + count);
    if (!heed_grow(&slot->ids, &slot->ids_capacity, needed, sizeof *ids))
        return heed_fail_memory(error, needed * sizeof *ids, "the ids of a sequence");
    if (count) memcpy(slot->ids + first, ids, (size_t)count * sizeof *ids);
    return HEED_OK;
}

heed_status heed_session_add(heed_session *session, int64_t *sequence, heed_error *error)
{
    if (session->caches[HEED_SESSION_CROSS])
        return heed_fail(error, HEED_E_ARG,
                         "an encoder-decoder's sequences begin with a source: encode it");
    return heed_session_add_any(session, sequence, error);
}

heed_status heed_session_fork(heed_session *session, int64_t sequence, int64_t length,
                              int64_t *fork, heed_error *error)
{
    const heed_sequence_slot *from = heed_session_find(session, sequence);
    if (!from) return heed_session_fail_unknown(sequence, error);
    HEED_TRY(find_slot(session, fork, error));
    heed_sequence_slot *to = &session->sequences[*fork];
    HEED_TRY(heed_cache_fork(session->caches[HEED_SESSION_SELF],
                             from->cache_sequence[HEED_SESSION_SELF], length,
                             &to->cache_sequence[HEED_SESSION_SELF], error));
    if (session->caches[HEED_SESSION_CROSS]) {
        int64_t source = heed_cache_length(session->caches[HEED_SESSION_CROSS],
                                           from->cache_sequence[HEED_SESSION_CROSS]);
        heed_status status = heed_cache_fork(session->caches[HEED_SESSION_CROSS],
                                             from->cache_sequence[HEED_SESSION_CROSS], source,
                                             &to->cache_sequence[HEED_SESSION_CROSS], error);
        if (status != HEED_OK)
            heed_cache_drop(session->caches[HEED_SESSION_SELF],
                            to->cache_sequence[HEED_SESSION_SELF]);
        HEED_TRY(status);
    }
    to->past_original = from->past_original;
    to->used = true;
    if (!session->original_context) return HEED_OK;
    heed_status status = heed_session_emit(session, *fork, 0, from->ids, length, error);
    if (status != HEED_OK) heed_session_drop(session, *fork);
    return status;
}

void heed_session_truncate(heed_session *session, int64_t sequence, int64_t length)
{
    const heed_sequence_slot *slot = heed_session_find(session, sequence);
    if (slot)
        heed_cache_truncate(session->caches[HEED_SESSION_SELF],
                            slot->cache_sequence[HEED_SESSION_SELF], length);
}

void heed_session_drop(heed_session *session, int64_t sequence)
{
    heed_sequence_slot *slot = heed_session_find(session, sequence);
    if (!slot) return;
    for (int i = 0; i < 2; i++)
        if (session->caches[i]) heed_cache_drop(session->caches[i], slot->cache_sequence[i]);
    slot->used = false;
}

void heed_session_clear(heed_session *session)
{
    for (int64_t i = 0; i < session->capacity; i++) heed_session_drop(session, i);
}

int64_t heed_session_length(const heed_session *session, int64_t sequence)
{
    const heed_sequence_slot *slot = heed_session_find(session, sequence);
    return slot ? heed_cache_length(session->caches[HEED_SESSION_SELF],
                                    slot->cache_sequence[HEED_SESSION_SELF])
                : 0;
}
