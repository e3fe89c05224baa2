/* session_rows.c: makes what runs of the encoder and runs of the decoder both have. */
#include "generate/session_internal.h"
#include <string.h>

int64_t heed_session_cache_pages(const heed_session *session, int which)
{
    return session->caches[which] ? heed_cache_pages(session->caches[which]) : 0;
}

heed_status heed_session_check_ids(const heed_session *session, heed_input_stack stack,
                                   const int32_t *ids, int64_t count, heed_error *error)
{
    const char *what = stack == HEED_SOURCE_STACK ? "source" : "tokens";
    int64_t vocabulary = session->vocabulary;
    if (stack == HEED_SOURCE_STACK)
        vocabulary = heed_config_source_vocabulary(heed_model_config(heed_session_model(session)));
    for (int64_t i = 0; i < count; i++)
        if (ids[i] < 0 || ids[i] >= vocabulary)
            return heed_fail(
                error, HEED_E_ARG,
                "%s: id %d at place %lld, but the model's vocabulary has the ids 0 to %lld", what,
                ids[i], (long long)i, (long long)vocabulary - 1);
    return HEED_OK;
}

heed_status heed_session_put(heed_session *session, heed_input_stack stack,
                             const heed_session_span *span, const int32_t *ids, heed_error *error)
{
    const bool source = stack == HEED_SOURCE_STACK;
    const heed_cache *cache = session->caches[source ? HEED_SESSION_CROSS : HEED_SESSION_SELF];
    const char *lengths = heed_input_name(HEED_INPUT_LENGTHS, stack);
    heed_batch *batch = &session->batch;
    heed_batch_rows rows;
    int32_t *slots, *length;
    HEED_TRY(heed_batch_sequence(batch, stack, span->count, &rows, error));
    HEED_TRY(
        heed_batch_ints(batch, source ? "cross_slots" : "slots", span->count, 0, &slots, error));
    HEED_TRY(heed_batch_ints(batch, lengths, 1, 0, &length, error));
    *length = (int32_t)span->length;
    if (span->count) memcpy(rows.ids, ids, (size_t)span->count * sizeof *ids);
    for (int64_t i = 0; i < span->count; i++)
        slots[i] = (int32_t)heed_cache_row(cache, span->sequence, span->first + i);
    rows.fields[HEED_SEQUENCE_KEY_LENGTH] = (int32_t)(span->first + span->count);
    rows.fields[HEED_SEQUENCE_FIRST_INDEX] = (int32_t)span->first;
    rows.fields[HEED_SEQUENCE_TABLE_ROW] = (int32_t)batch->count[HEED_EXTENT_SEQUENCES] - 1;
    return HEED_OK;
}
