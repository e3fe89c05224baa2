/* data_add.c: adds documents, pairs, conversations or token shards to data, always of one kind. */
#include "io/data_internal.h"
#include <string.h>

heed_status heed_data_expect_kind(heed_data *data, heed_data_kind kind, const char *path,
                                  heed_error *error)
{
    static const char *const names[] = {[HEED_DATA_DOCUMENTS] = "documents",
                                        [HEED_DATA_PAIRS] = "pairs",
                                        [HEED_DATA_CONVERSATIONS] = "conversations",
                                        [HEED_DATA_TOKENS] = "token shards"};
    if (!data->kind_from) {
        data->kind = kind;
        data->kind_from = path;
    }
    if (data->kind == kind) return HEED_OK;
    return heed_fail(error, HEED_E_ARG, "%s holds %s, but %s holds %s: give files of one kind",
                     path, names[kind], data->kind_from, names[data->kind]);
}

heed_status heed_data_copy(heed_data *data, heed_text from, heed_text *text, const char *path,
                           heed_error *error)
{
    char *copy = heed_arena_take(data->arena, from.length, 1);
    if (!copy) return heed_fail_memory(error, from.length, path);
    if (from.length) memcpy(copy, from.bytes, from.length);
    *text = (heed_text){copy, from.length};
    return HEED_OK;
}

heed_status heed_data_add_document(heed_data *data, heed_text text, const char *path,
                                   heed_error *error)
{
    HEED_TRY(heed_data_expect_kind(data, HEED_DATA_DOCUMENTS, path, error));
    if (!heed_grow(&data->documents, &data->capacity, data->count + 1, sizeof *data->documents))
        return heed_fail_memory(error, (data->count + 1) * sizeof *data->documents, path);
    data->documents[data->count++] = text;
    data->bytes += text.length;
    return HEED_OK;
}

heed_status heed_data_add_pair(heed_data *data, heed_text_pair pair, const char *path,
                               heed_error *error)
{
    HEED_TRY(heed_data_expect_kind(data, HEED_DATA_PAIRS, path, error));
    if (!heed_grow(&data->pairs, &data->capacity, data->count + 1, sizeof *data->pairs))
        return heed_fail_memory(error, (data->count + 1) * sizeof *data->pairs, path);
    data->pairs[data->count++] = pair;
    data->bytes += pair.source.length + pair.target.length;
    return HEED_OK;
}

heed_status heed_data_add_conversation(heed_data *data, heed_text line, heed_data_origin at,
                                       heed_error *error)
{
    HEED_TRY(heed_data_expect_kind(data, HEED_DATA_CONVERSATIONS, at.path, error));
    if (!heed_grow(&data->documents, &data->capacity, data->count + 1, sizeof *data->documents) ||
        !heed_grow(&data->origins, &data->origin_capacity, data->count + 1, sizeof *data->origins))
        return heed_fail_memory(error, (data->count + 1) * sizeof *data->documents, at.path);
    HEED_TRY(heed_data_copy(data, line, &data->documents[data->count], at.path, error));
    data->origins[data->count++] = at;
    data->bytes += line.length;
    return HEED_OK;
}

heed_status heed_data_add_shard(heed_data *data, const heed_shard_file *file, heed_error *error)
{
    const char *path = file->shard.file;
    HEED_TRY(heed_data_expect_kind(data, HEED_DATA_TOKENS, path, error));
    if (!heed_grow(&data->shards, &data->capacity, data->count + 1, sizeof *data->shards))
        return heed_fail_memory(error, (data->count + 1) * sizeof *data->shards, path);
    data->shards[data->count++] = *file;
    data->bytes += file->shard.count * (size_t)file->shard.width;
    return HEED_OK;
}
