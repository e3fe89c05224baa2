/* session_encode.c: runs the encoder over sources and leaves their keys and values for
   cross-attention in a cache. */
#include "generate/session_internal.h"

/* The number of sources, from the first on, that go into one run: at least one, and as many as have
   room in the rows of a chunk together. *rows is their tokens. */
static int64_t sources_in_run(const heed_session *session, const heed_ids *sources, int64_t count,
                              int64_t *rows)
{
    int64_t taken = 0;
    *rows = 0;
    while (taken < count && taken < session->chunk &&
           (taken == 0 || *rows + sources[taken].count <= session->chunk))
        *rows += sources[taken++].count;
    return taken;
}

/* Encodes `count` sources of `rows` tokens in all in one run, end to end. */
static heed_status encode_run(heed_session *session, const heed_ids *sources, int64_t count,
                              int64_t rows, const int64_t *sequences, heed_error *error)
{
    heed_program_spec spec = {
        .purpose = HEED_PURPOSE_ENCODE,
        .source_rows = rows,
        .sequences = count,
        .cache_pages = heed_session_cache_pages(session, HEED_SESSION_SELF),
        .cross_pages = heed_session_cache_pages(session, HEED_SESSION_CROSS),
    };
    heed_runtime runtime = {0};
    if (rows == 0) return HEED_OK;
    heed_batch_clear(&session->batch, 0);
    for (int64_t i = 0; i < count; i++) {
        const heed_sequence_slot *slot = &session->sequences[sequences[i]];
        const heed_session_span span = {slot->cache_sequence[HEED_SESSION_CROSS], 0,
                                        sources[i].count, sources[i].count};
        HEED_TRY(heed_session_put(session, HEED_SOURCE_STACK, &span, sources[i].ids, error));
    }
    HEED_TRY(heed_engine_prepare(session->engine, &spec, error));
    HEED_TRY(heed_engine_feed(session->engine, &session->batch, &runtime, error));
    return heed_engine_run(session->engine, &runtime, error);
}

/* Makes room for the keys and values of all sources, then encodes them run by run. */
static heed_status encode_all(heed_session *session, const heed_ids *sources, int64_t count,
                              const int64_t *sequences, heed_error *error)
{
    for (int64_t i = 0; i < count; i++)
        session->growth[i] = (heed_cache_growth){
            session->sequences[sequences[i]].cache_sequence[HEED_SESSION_CROSS], sources[i].count};
    HEED_TRY(heed_cache_extend(session->caches[HEED_SESSION_CROSS], session->growth, count, error));
    for (int64_t at = 0, taken, rows; at < count; at += taken) {
        taken = sources_in_run(session, sources + at, count - at, &rows);
        HEED_TRY(encode_run(session, sources + at, taken, rows, sequences + at, error));
    }
    return HEED_OK;
}

heed_status heed_session_encode(heed_session *session, const heed_ids *sources, int64_t count,
                                int64_t *sequences, heed_error *error)
{
    if (!session->caches[HEED_SESSION_CROSS])
        return heed_fail(error, HEED_E_ARG,
                         "this model has no encoder: add sequences without a source");
    for (int64_t i = 0; i < count; i++) {
        HEED_TRY(heed_session_check_ids(session, HEED_SOURCE_STACK, sources[i].ids,
                                        sources[i].count, error));
        if (sources[i].count > session->context)
            return heed_fail(error, HEED_E_ARG,
                             "a source of %lld tokens is longer than the context of %lld",
                             (long long)sources[i].count, (long long)session->context);
    }
    heed_status status = HEED_OK;
    int64_t added = 0;
    for (; added < count && status == HEED_OK; added++)
        status = heed_session_add_any(session, &sequences[added], error);
    if (status != HEED_OK) added--;
    else status = encode_all(session, sources, count, sequences, error);
    if (status == HEED_OK) return HEED_OK;
    while (added-- > 0) heed_session_drop(session, sequences[added]);
    return status;
}
