#include "train/stream.h"

#include "base/memory.h"
#include "base/rng.h"

#include <stdlib.h>
#include <string.h>

enum { SHARD_CHUNK = 1 << 14 }; /* tokens of a file that are read at once */

void heed_stream_free(heed_stream *stream)
{
    free(stream->ids);
    free(stream->predicted);
    free(stream->starts);
    free(stream->shard_starts);
    *stream = (heed_stream){0};
}

static heed_status memory_failed(const heed_stream *stream, heed_error *error)
{
    return heed_fail_memory(error,
                            (stream->count + 1) * (stream->width ? (size_t)stream->width : 2),
                            "the tokens of the data");
}

/* Records that a text begins at `at`. */
static heed_status begin_text(heed_stream *stream, size_t at, heed_error *error)
{
    if (!heed_grow(&stream->starts, &stream->starts_capacity, stream->texts + 2,
                   sizeof *stream->starts))
        return memory_failed(stream, error);
    stream->starts[stream->texts++] = at;
    return HEED_OK;
}

/* Copies 16-bit ids into 32 bits, once, when the first wide id comes. */
static heed_status widen(heed_stream *stream, heed_error *error)
{
    uint32_t *wide = heed_allocate(stream->capacity > 0 ? stream->capacity : 1, sizeof *wide);
    if (wide == NULL) return memory_failed(stream, error);
    for (size_t i = 0; i < stream->count; i++) wide[i] = ((uint16_t *)stream->ids)[i];
    free(stream->ids);
    stream->ids = wide;
    stream->width = 4;
    if (stream->capacity == 0) stream->capacity = 1;
    return HEED_OK;
}

static heed_status append_ids(heed_stream *stream, const int32_t *ids, size_t count,
                              heed_error *error)
{
    if (stream->width == 0) stream->width = 2;
    for (size_t i = 0; i < count && stream->width == 2; i++)
        if (ids[i] > UINT16_MAX) HEED_TRY(widen(stream, error));
    if (!heed_grow(&stream->ids, &stream->capacity, stream->count + count, (size_t)stream->width))
        return memory_failed(stream, error);
    for (size_t i = 0; i < count; i++) {
        if (stream->width == 2) ((uint16_t *)stream->ids)[stream->count + i] = (uint16_t)ids[i];
        else ((uint32_t *)stream->ids)[stream->count + i] = (uint32_t)ids[i];
    }
    stream->count += count;
    return HEED_OK;
}

heed_status heed_stream_append(heed_stream *stream, const heed_stream_options *o, heed_text text,
                               heed_encoding *scratch, heed_error *error)
{
    HEED_TRY(heed_tokenizer_encode(o->tokenizer, text.bytes, text.length,
                                   o->special ? HEED_ENCODE_SPECIAL : 0, scratch, error));
    HEED_TRY(begin_text(stream, stream->count, error));
    size_t count = scratch->count;
    bool ends = o->end >= 0 && count > 0 && scratch->ids[count - 1] == o->end;
    if (ends) count--; /* it is put back after the limit is applied */
    size_t room = o->limit > 0 ? o->limit - (o->end >= 0) : SIZE_MAX;
    bool cut = count > room;
    HEED_TRY(append_ids(stream, scratch->ids, cut ? room : count, error));
    if (o->end >= 0) HEED_TRY(append_ids(stream, &o->end, 1, error));
    stream->starts[stream->texts] = stream->count;
    stream->cut += cut;
    return HEED_OK;
}

heed_status heed_stream_append_marked(heed_stream *stream, const int32_t *ids,
                                      const uint8_t *predicted, size_t count, heed_error *error)
{
    HEED_TRY(begin_text(stream, stream->count, error));
    if (!heed_grow(&stream->predicted, &stream->predicted_capacity, stream->count + count, 1))
        return memory_failed(stream, error);
    memcpy(stream->predicted + stream->count, predicted, count);
    HEED_TRY(append_ids(stream, ids, count, error));
    stream->starts[stream->texts] = stream->count;
    return HEED_OK;
}

/* Records where the texts of a shard begin, and checks each of its tokens. */
static heed_status split_shard(heed_stream *stream, size_t shard, int32_t end, int32_t *ids,
                               heed_error *error)
{
    const size_t base = stream->count, count = heed_data_shard(stream->shards, shard).count;
    bool ends_texts = true; /* true: `end` ends a text; false: it begins one */
    int32_t before = -1;
    HEED_TRY(begin_text(stream, base, error));
    heed_token_range range = {.shard = shard, .vocabulary = stream->vocabulary};
    for (; range.from < count; range.from += range.count) {
        range.count = count - range.from < SHARD_CHUNK ? count - range.from : SHARD_CHUNK;
        HEED_TRY(heed_data_read_tokens(stream->shards, range, ids, error));
        if (range.from == 0) ends_texts = ids[0] != end;
        for (size_t i = 0; i < range.count && end >= 0; i++) {
            size_t at = range.from + i;
            bool begins = (ends_texts ? before : ids[i]) == end && at > 0;
            if (begins) HEED_TRY(begin_text(stream, base + at, error));
            before = ids[i];
        }
    }
    return HEED_OK;
}

heed_status heed_stream_open_shards(heed_stream *stream, const heed_data *data, int32_t end,
                                    uint32_t vocabulary, heed_error *error)
{
    stream->shards = data;
    stream->shard_count = heed_data_count(data);
    stream->vocabulary = vocabulary;
    stream->shard_starts = heed_allocate(stream->shard_count + 1, sizeof *stream->shard_starts);
    int32_t *ids = heed_allocate(SHARD_CHUNK, sizeof *ids);
    heed_status status = stream->shard_starts && ids ? HEED_OK : memory_failed(stream, error);
    for (size_t s = 0; s < stream->shard_count && status == HEED_OK; s++) {
        status = split_shard(stream, s, end, ids, error);
        stream->shard_starts[s] = stream->count;
        stream->count += heed_data_shard(data, s).count;
    }
    free(ids);
    HEED_TRY(status);
    stream->shard_starts[stream->shard_count] = stream->count;
    stream->starts[stream->texts] = stream->count;
    return HEED_OK;
}

/* Returns the index of the last of n ascending places that is not above `at`; places[0] is 0. */
static size_t last_not_above(const size_t *places, size_t n, size_t at)
{
    size_t low = 0, high = n;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (places[middle] <= at) low = middle;
        else high = middle;
    }
    return low;
}

static heed_status read_shards(const heed_stream *stream, size_t begin, size_t count, int32_t *ids,
                               heed_error *error)
{
    size_t s = last_not_above(stream->shard_starts, stream->shard_count, begin);
    for (size_t done = 0; done < count; s++) {
        size_t from = begin + done - stream->shard_starts[s];
        size_t n = heed_data_shard(stream->shards, s).count - from;
        if (n > count - done) n = count - done;
        heed_token_range range = {s, from, n, stream->vocabulary};
        HEED_TRY(heed_data_read_tokens(stream->shards, range, ids + done, error));
        done += n;
    }
    return HEED_OK;
}

heed_status heed_stream_read(const heed_stream *stream, size_t begin, size_t count, int32_t *ids,
                             heed_error *error)
{
    if (stream->shards != NULL) return read_shards(stream, begin, count, ids, error);
    if (stream->width == 2) {
        for (size_t i = 0; i < count; i++) ids[i] = ((const uint16_t *)stream->ids)[begin + i];
    } else {
        for (size_t i = 0; i < count; i++)
            ids[i] = (int32_t)((const uint32_t *)stream->ids)[begin + i];
    }
    return HEED_OK;
}

size_t heed_stream_text_at(const heed_stream *stream, size_t at)
{
    return last_not_above(stream->starts, stream->texts, at);
}

heed_status heed_stream_fingerprint(const heed_stream *stream, uint64_t *fingerprint,
                                    heed_error *error)
{
    enum { CHUNK = 1024 };
    int32_t ids[CHUNK];
    uint64_t word = heed_mix(stream->count, stream->texts);
    for (size_t at = 0; at < stream->count; at += CHUNK) {
        size_t n = stream->count - at < CHUNK ? stream->count - at : CHUNK;
        HEED_TRY(heed_stream_read(stream, at, n, ids, error));
        for (size_t i = 0; i < n; i++) word = (word ^ (uint32_t)ids[i]) * 0x100000001B3u;
        for (size_t i = 0; i < n && stream->predicted != NULL; i++)
            word = (word ^ stream->predicted[at + i]) * 0x100000001B3u;
        word = heed_mix(word, at);
    }
    for (size_t t = 0; t < stream->texts; t++) word = heed_mix(word, stream->starts[t]);
    *fingerprint = word;
    return HEED_OK;
}
