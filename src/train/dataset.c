#include "train/dataset_internal.h"

#include "base/memory.h"
#include "base/rng.h"
#include "train/shuffle.h"

#include <stdlib.h>

/* random stream of the shifts, apart from the other random numbers of a seed */
enum { SHIFT_STREAM = 0x5348 };

void heed_dataset_free(heed_dataset *dataset)
{
    if (dataset == NULL) return;
    heed_stream_free(&dataset->stream);
    heed_stream_free(&dataset->source);
    heed_packing_free(&dataset->packing);
    free(dataset->pieces);
    heed_data_close(dataset->data);
    free(dataset);
}

/* Fails because an id is not below the model's vocabulary. Added tokens may lie beyond it as long
   as no text uses them. */
static heed_status fail_row(const heed_dataset *d, int32_t id, int64_t rows, heed_error *error)
{
    size_t length = 0;
    const char *token = heed_tokenizer_token(d->text.tokenizer, id, &length);
    heed_text shown = {"", 0};
    if (token) shown = (heed_text){token, length};
    return heed_fail(
        error, HEED_E_ARG,
        "the token \"%.*s\" has the id %d, the model only %lld rows of embeddings: leave it "
        "out of the data, or take a model with a row for it",
        (int)shown.length, shown.bytes, (int)id, (long long)rows);
}

static heed_status check_stream(const heed_dataset *d, const heed_stream *stream, int64_t rows,
                                heed_error *error)
{
    enum { CHUNK = 1024 };
    int32_t ids[CHUNK];
    for (size_t at = 0; at < stream->count; at += CHUNK) {
        size_t n = stream->count - at < CHUNK ? stream->count - at : CHUNK;
        HEED_TRY(heed_stream_read(stream, at, n, ids, error));
        for (size_t i = 0; i < n; i++)
            if (ids[i] >= rows) return fail_row(d, ids[i], rows, error);
    }
    return HEED_OK;
}

static heed_status check_rows(const heed_dataset *d, heed_error *error)
{
    const int32_t around[] = {d->prefix, d->suffix, d->mask, d->start, d->text.end};
    int64_t rows = d->options.config->vocabulary;
    int64_t source_rows = heed_config_source_vocabulary(d->options.config);
    int64_t least = rows < source_rows ? rows : source_rows;
    if (!d->text.tokenizer || heed_tokenizer_id_limit(d->text.tokenizer) <= least) return HEED_OK;
    for (size_t i = 0; i < sizeof around / sizeof *around; i++)
        if (around[i] >= rows) return fail_row(d, around[i], rows, error);
    HEED_TRY(check_stream(d, &d->stream, rows, error));
    return check_stream(d, &d->source, source_rows, error);
}

static heed_status build(heed_dataset *d, heed_error *error)
{
    if (d->options.length < 4)
        return heed_fail(error, HEED_E_ARG, "rows of %zu tokens: expected a context of at least 4",
                         d->options.length);
    d->text = (heed_stream_options){.tokenizer = d->options.tokenizer, .special = true, .end = -1};
    d->packing = (heed_packing){.stream = &d->stream, .length = d->options.length};
    d->pairs = heed_data_kind_of(d->data) == HEED_DATA_PAIRS;
    HEED_TRY(d->options.objective->prepare(d, error));
    HEED_TRY(heed_dataset_tokenize(d, error));
    if (heed_data_kind_of(d->data) != HEED_DATA_TOKENS) { /* the stream now has all texts */
        heed_data_close(d->data);
        d->data = NULL;
    }
    HEED_TRY(check_rows(d, error));
    if (d->stream.count < 2)
        return heed_fail(error, HEED_E_ARG, "the data has %zu tokens: there is nothing to predict",
                         d->stream.count);
    d->pieces = heed_allocate(d->options.length, sizeof *d->pieces);
    if (d->pieces == NULL)
        return heed_fail_memory(error, d->options.length * sizeof *d->pieces,
                                "the pieces of a row");
    return heed_dataset_begin(d, 0, error);
}

heed_status heed_dataset_new(heed_dataset **dataset, heed_data *data,
                             const heed_dataset_options *options, heed_error *error)
{
    *dataset = NULL;
    heed_dataset *d = heed_allocate(1, sizeof *d);
    if (d == NULL) {
        heed_data_close(data);
        return heed_fail_memory(error, sizeof *d, "a data set");
    }
    d->options = *options;
    d->data = data;
    heed_status status = build(d, error);
    if (status == HEED_OK) *dataset = d;
    else heed_dataset_free(d);
    return status;
}

heed_status heed_dataset_begin(heed_dataset *d, int64_t epoch, heed_error *error)
{
    d->epoch = epoch;
    if (d->pairs) {
        d->units = d->stream.texts;
        return HEED_OK;
    }
    heed_rng rng = {d->options.seed, heed_mix(SHIFT_STREAM, (uint64_t)epoch), 0};
    size_t reach = d->options.length < d->stream.count ? d->options.length : d->stream.count;
    size_t shift = d->options.shuffled ? (size_t)heed_rng_below(&rng, reach) : 0;
    HEED_TRY(heed_packing_lay(&d->packing, shift, error));
    d->units = d->packing.rows;
    return HEED_OK;
}

size_t heed_dataset_units(const heed_dataset *dataset)
{
    return dataset->units;
}

size_t heed_dataset_tokens(const heed_dataset *dataset)
{
    return dataset->stream.count + dataset->source.count;
}

heed_status heed_dataset_collate(const heed_dataset *d, size_t first, size_t count,
                                 heed_batch *batch, heed_error *error)
{
    for (size_t i = first; i < d->units && i - first < count; i++) {
        size_t unit = i;
        if (d->options.shuffled)
            unit = (size_t)heed_shuffle_at(d->options.seed, (uint64_t)d->epoch, d->units, i);
        HEED_TRY(d->options.objective->collate(d, unit, batch, error));
    }
    return HEED_OK;
}

size_t heed_dataset_cut(const heed_dataset *dataset)
{
    return dataset->stream.cut + dataset->source.cut;
}

heed_status heed_dataset_fingerprint(const heed_dataset *dataset, uint64_t *fingerprint,
                                     heed_error *error)
{
    uint64_t source = 0;
    HEED_TRY(heed_stream_fingerprint(&dataset->stream, fingerprint, error));
    if (dataset->source.texts == 0) return HEED_OK;
    HEED_TRY(heed_stream_fingerprint(&dataset->source, &source, error));
    *fingerprint = heed_mix(*fingerprint, source);
    return HEED_OK;
}
