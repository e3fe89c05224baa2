#include "train/dataset.h"

static heed_status prepare(heed_dataset *d, heed_error *error)
{
    d->start = (int32_t)d->options.config->decoder_start_id;
    d->text.end = (int32_t)d->options.config->eos_id;
    d->text.limit = d->options.length;
    if (d->text.end < 0)
        return heed_fail(error, HEED_E_ARG,
                         "objective seq2seq needs an end-of-sequence token: train the tokenizer "
                         "with one, or set eos_token_id");
    if (d->start < 0 && !d->options.config->starts_with_end)
        return heed_fail(error, HEED_E_ARG,
                         "objective seq2seq needs a token that begins the target: train the "
                         "tokenizer with a padding token, or set decoder_start_token_id");
    return HEED_OK;
}

static heed_status collate(const heed_dataset *d, size_t unit, heed_batch *batch, heed_error *error)
{
    size_t source = d->source.starts[unit], target = d->stream.starts[unit];
    size_t source_count = d->source.starts[unit + 1] - source;
    size_t target_count = d->stream.starts[unit + 1] - target;
    heed_batch_rows text;
    int32_t last;
    HEED_TRY(heed_batch_sequence(batch, HEED_SOURCE_STACK, (int64_t)source_count, &text, error));
    HEED_TRY(heed_stream_read(&d->source, source, source_count, text.ids, error));
    HEED_TRY(heed_batch_sequence(batch, HEED_MAIN_STACK, (int64_t)target_count, &text, error));
    HEED_TRY(heed_stream_read(&d->stream, target, target_count - 1, text.ids + 1, error));
    HEED_TRY(heed_stream_read(&d->stream, target + target_count - 1, 1, &last, error));
    text.ids[0] = d->options.config->starts_with_end ? last : d->start;
    for (size_t i = 0; i < target_count; i++) {
        int32_t next = i + 1 < target_count ? text.ids[i + 1] : last;
        HEED_TRY(heed_batch_label(batch, text.first + (int64_t)i, next, error));
    }
    return HEED_OK;
}

/* Sequence to sequence. loss = mean over target tokens of -log p(y[t] | y[<t], source), in nats.
   Both sides end with the end-of-sequence token and are cut to T tokens. The decoder reads the
   start token, or the last token of the target (mBART), and then the target. Source: Vaswani et al.
   2017. */
const heed_objective heed_objective_seq2seq = {.name = "seq2seq",
                                               .what = "turn sources into targets",
                                               .arrangement = HEED_ENCODER_DECODER,
                                               .head = HEED_HEAD_CAUSAL_LM,
                                               .pairs = true,
                                               .prepare = prepare,
                                               .collate = collate};
