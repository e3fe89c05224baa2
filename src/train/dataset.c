#include "train/dataset.h"

#include "base/memory.h"
#include "base/rng.h"
#include "train/shuffle.h"

#include <stdlib.h>

enum { SHIFT_STREAM = 0x5348 }; /* keeps the draws of shifts apart from other random numbers of one seed */

void heed_dataset_free(heed_dataset *dataset)
{
    if (dataset == NULL) return;
    heed_stream_free(&dataset->stream), heed_stream_free(&dataset->source);
    heed_packing_free(&dataset->packing);
    free(dataset->pieces);
    heed_data_close(dataset->data);
    free(dataset);
}

static heed_status report(const heed_dataset *d, size_t done, heed_error *error)
{
    if (d->options.progress != NULL && d->options.progress(d->options.context, done, heed_data_bytes(d->data)))
        return heed_fail(error, HEED_E_CANCELLED, "stopped while the data was being tokenised");
    return HEED_OK;
}

static heed_status tokenise_documents(heed_dataset *d, heed_encoding *scratch, heed_error *error)
{
    size_t done = 0;
    for (size_t i = 0, n = heed_data_count(d->data); i < n; i++) {
        heed_text text = heed_data_document(d->data, i);
        HEED_TRY(heed_stream_append(&d->stream, &d->text, text, scratch, error));
        done += text.length;
        if (i % 256 == 0 || i + 1 == n) HEED_TRY(report(d, done, error));
    }
    return HEED_OK;
}

static heed_status tokenise_pairs(heed_dataset *d, heed_encoding *scratch, heed_error *error)
{
    size_t done = 0;
    for (size_t i = 0, n = heed_data_count(d->data); i < n; i++) {
        heed_text_pair pair = heed_data_pair(d->data, i);
        HEED_TRY(heed_stream_append(&d->source, &d->text, pair.source, scratch, error));
        HEED_TRY(heed_stream_append(&d->stream, &d->text, pair.target, scratch, error));
        done += pair.source.length + pair.target.length;
        if (i % 256 == 0 || i + 1 == n) HEED_TRY(report(d, done, error));
    }
    return HEED_OK;
}

static heed_status tokenise(heed_dataset *d, heed_error *error)
{
    static const char *const kinds[] = {"documents", "pairs", "tokens"};
    heed_data_kind kind = heed_data_kind_of(d->data);
    if ((kind == HEED_DATA_PAIRS) != d->options.objective->pairs)
        return heed_fail(error, HEED_E_ARG, "objective %s trains on %s, the data holds %s", d->options.objective->name,
                         d->options.objective->pairs ? "pairs (.tsv, .jsonl with source and target, two files with --pairs)" : "documents or tokens",
                         kinds[kind]);
    if (kind == HEED_DATA_TOKENS)
        return heed_stream_open_shards(&d->stream, d->data, d->text.end, (uint32_t)d->options.config->vocabulary, error);
    if (d->text.tokenizer == NULL) return heed_fail(error, HEED_E_ARG, "texts need a tokenizer: give --tokenizer char or a folder that has one");
    if (heed_tokenizer_id_limit(d->text.tokenizer) > d->options.config->vocabulary)
        return heed_fail(error, HEED_E_ARG, "the tokenizer has ids up to %d, the model only %lld rows of embeddings: they do not belong together",
                         (int)heed_tokenizer_id_limit(d->text.tokenizer) - 1, (long long)d->options.config->vocabulary);
    heed_encoding scratch = {0};
    heed_status status = kind == HEED_DATA_PAIRS ? tokenise_pairs(d, &scratch, error) : tokenise_documents(d, &scratch, error);
    heed_encoding_free(&scratch);
    return status;
}

static heed_status build(heed_dataset *d, heed_error *error)
{
    if (d->options.length < 4) return heed_fail(error, HEED_E_ARG, "rows of %zu tokens: expected a context of at least 4", d->options.length);
    d->text = (heed_stream_options){.tokenizer = d->options.tokenizer, .special = true, .end = -1};
    d->packing = (heed_packing){.stream = &d->stream, .length = d->options.length};
    HEED_TRY(d->options.objective->prepare(d, error));
    HEED_TRY(tokenise(d, error));
    if (d->stream.count < 2) return heed_fail(error, HEED_E_ARG, "the data has %zu tokens: there is nothing to predict", d->stream.count);
    d->pieces = heed_allocate(d->options.length, sizeof *d->pieces);
    if (d->pieces == NULL) return heed_fail_memory(error, d->options.length * sizeof *d->pieces, "the pieces of a row");
    return heed_dataset_begin(d, 0, error);
}

heed_status heed_dataset_new(heed_dataset **dataset, heed_data *data, const heed_dataset_options *options, heed_error *error)
{
    *dataset = NULL;
    heed_dataset *d = heed_allocate(1, sizeof *d);
    if (d == NULL) {
        heed_data_close(data);
        return heed_fail_memory(error, sizeof *d, "a data set");
    }
    d->options = *options, d->data = data;
    heed_status status = build(d, error);
    if (status == HEED_OK) *dataset = d;
    else heed_dataset_free(d);
    return status;
}

heed_status heed_dataset_begin(heed_dataset *d, int64_t epoch, heed_error *error)
{
    d->epoch = epoch;
    if (d->options.objective->pairs) {
        d->units = d->stream.texts;
        return HEED_OK;
    }
    heed_rng rng = {d->options.seed, heed_mix(SHIFT_STREAM, (uint64_t)epoch), 0};
    size_t reach = d->options.length < d->stream.count ? d->options.length : d->stream.count;
    HEED_TRY(heed_packing_lay(&d->packing, d->options.shuffled ? (size_t)heed_rng_below(&rng, reach) : 0, error));
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

heed_status heed_dataset_collate(const heed_dataset *d, size_t first, size_t count, heed_batch *batch, heed_error *error)
{
    for (size_t i = first; i < d->units && i - first < count; i++) {
        size_t unit = d->options.shuffled ? (size_t)heed_shuffle_at(d->options.seed, (uint64_t)d->epoch, d->units, i) : i;
        HEED_TRY(d->options.objective->collate(d, unit, batch, error));
    }
    return HEED_OK;
}

uint64_t heed_dataset_fingerprint(const heed_dataset *dataset)
{
    uint64_t word = heed_stream_fingerprint(&dataset->stream);
    return dataset->source.texts > 0 ? heed_mix(word, heed_stream_fingerprint(&dataset->source)) : word;
}
