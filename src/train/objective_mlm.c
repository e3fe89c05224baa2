#include "train/dataset.h"

#include "base/rng.h"

/* BERT's shares: 15 % of all tokens are predicted; 80 % of these are shown as the mask token, 10 %
   as a random token, 10 % as they are. */
static const float predicted = 0.15f, masked = 0.8f, replaced = 0.9f;
enum { MASK_STREAM = 0x4D4C };

static int32_t special_or(const heed_tokenizer *tokenizer, heed_special wanted, heed_special other)
{
    int32_t id = heed_tokenizer_special(tokenizer, wanted);
    return id >= 0 ? id : heed_tokenizer_special(tokenizer, other);
}

static heed_status prepare(heed_dataset *d, heed_error *error)
{
    if (d->options.tokenizer == NULL)
        return heed_fail(error, HEED_E_ARG,
                         "objective mlm needs the tokenizer, for its mask token: give --tokenizer");
    d->mask = heed_tokenizer_special(d->options.tokenizer, HEED_MASK);
    if (d->mask < 0)
        return heed_fail(
            error, HEED_E_ARG,
            "objective mlm needs a tokenizer with a mask token ([MASK]), this %s one has none",
            heed_tokenizer_kind(d->options.tokenizer));
    d->prefix = special_or(d->options.tokenizer, HEED_CLS, HEED_BOS);
    d->suffix = special_or(d->options.tokenizer, HEED_SEP, HEED_EOS);
    d->packing.around = (size_t)(d->prefix >= 0) + (size_t)(d->suffix >= 0);
    d->text.special = false;
    return HEED_OK;
}

/* Returns the id that the model sees for the token at place `at` of the stream; *hidden becomes
   whether it must predict it. The draw depends on (seed, epoch, place) alone, not on batches or
   rows; evaluation always draws the same. */
static int32_t shown(const heed_dataset *d, size_t at, int32_t id, bool *hidden)
{
    const bool training = d->options.shuffled;
    const uint64_t seed = training ? d->options.seed : 0;
    const uint64_t epoch = training ? (uint64_t)d->epoch : UINT64_MAX;
    uint64_t key = heed_mix(heed_mix(seed, MASK_STREAM), epoch);
    uint32_t draw[4];
    heed_philox((const uint32_t[4]){(uint32_t)at, (uint32_t)((uint64_t)at >> 32), 0, 0},
                (const uint32_t[2]){(uint32_t)key, (uint32_t)(key >> 32)}, draw);
    *hidden = heed_unit_float(draw[0]) < predicted &&
              !heed_tokenizer_is_special(d->options.tokenizer, id);
    if (!*hidden) return id;
    float way = heed_unit_float(draw[1]);
    if (way < masked) return d->mask;
    if (way >= replaced) return id;
    return (int32_t)((uint64_t)draw[2] * (uint64_t)d->options.config->vocabulary >> 32);
}

static heed_status collate(const heed_dataset *d, size_t unit, heed_batch *batch, heed_error *error)
{
    size_t pieces = heed_packing_row(&d->packing, unit, d->pieces, d->options.length);
    size_t before = d->prefix >= 0;
    for (size_t p = 0; p < pieces; p++) {
        size_t begin = d->pieces[p].begin, count = d->pieces[p].count;
        heed_batch_rows piece;
        HEED_TRY(heed_batch_sequence(batch, HEED_MAIN_STACK, (int64_t)(count + d->packing.around),
                                     &piece, error));
        if (d->prefix >= 0) piece.ids[0] = d->prefix;
        if (d->suffix >= 0) piece.ids[before + count] = d->suffix;
        int32_t *ids = piece.ids + before;
        HEED_TRY(heed_stream_read(&d->stream, begin, count, ids, error));
        for (size_t i = 0; i < count; i++) {
            bool hidden;
            int32_t id = ids[i];
            ids[i] = shown(d, begin + i, id, &hidden);
            int64_t row = piece.first + (int64_t)(before + i);
            if (hidden) HEED_TRY(heed_batch_label(batch, row, id, error));
        }
    }
    return HEED_OK;
}

/* Masked language modeling. loss = mean over the hidden tokens of -log p(x | what is shown), in
   nats. Texts are cut into pieces of at most T - 2 tokens between [CLS] and [SEP]. There is no
   next-sentence task. Source: Devlin et al. 2019, section 3.1; Liu et al. 2019. */
const heed_objective heed_objective_mlm = {.name = "mlm",
                                           .what = "predict hidden tokens",
                                           .arrangement = HEED_ENCODER_ONLY,
                                           .head = HEED_HEAD_MASKED_LM,
                                           .prepare = prepare,
                                           .collate = collate};
