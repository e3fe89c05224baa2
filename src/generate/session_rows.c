/* session_rows.c: fills the inputs that runs of the encoder and runs of the decoder both have. */
#include "generate/session_internal.h"
#include <string.h>

int64_t heed_session_cache_pages(const heed_session *session, int which)
{
    return session->caches[which] ? heed_cache_pages(session->caches[which]) : 0;
}

heed_status heed_session_check_ids(const heed_session *session, const int32_t *ids, int64_t count,
                                   const char *what, heed_error *error)
{
    for (int64_t i = 0; i < count; i++)
        if (ids[i] < 0 || ids[i] >= session->vocabulary)
            return heed_fail(
                error, HEED_E_ARG,
                "%s: id %d at place %lld, but the model's vocabulary has the ids 0 to %lld", what,
                ids[i], (long long)i, (long long)session->vocabulary - 1);
    return HEED_OK;
}

void heed_session_put_rows(heed_session_rows *to, const heed_cache *cache, int64_t sequence,
                           int64_t position, const int32_t *ids, int64_t count)
{
    memcpy(to->ids, ids, (size_t)count * sizeof *ids);
    for (int64_t i = 0; i < count; i++) {
        if (to->positions) to->positions[i] = (int32_t)(position + i);
        to->slots[i] = (int32_t)heed_cache_row(cache, sequence, position + i);
    }
    to->ids += count;
    to->slots += count;
    if (to->positions) to->positions += count;
}

void heed_session_put_frequencies(heed_session_rows *to, const heed_session *session, bool source,
                                  int64_t length, int64_t count)
{
    const heed_model *model = heed_engine_model(session->engine);
    heed_model_rotary_fill(model, source, length, count, to->frequencies);
    if (to->frequencies) to->frequencies += count * heed_model_rotary_pairs(model, source);
}

void heed_session_fill_sequence(int32_t *fields, int64_t start, int64_t count, int64_t keys,
                                int64_t first, int64_t table_row)
{
    memset(fields, 0, HEED_SEQUENCE_FIELDS * sizeof *fields);
    fields[HEED_SEQUENCE_QUERY_START] = (int32_t)start;
    fields[HEED_SEQUENCE_QUERY_LENGTH] = (int32_t)count;
    fields[HEED_SEQUENCE_KEY_LENGTH] = (int32_t)keys;
    fields[HEED_SEQUENCE_FIRST_INDEX] = (int32_t)first;
    fields[HEED_SEQUENCE_TABLE_ROW] = (int32_t)table_row;
}
