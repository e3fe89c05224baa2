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
    /* each text of a pair may fill half of what the marks leave */
    if (d->pairs) d->text.limit = (d->options.length - d->packing.around - 1) / 2;
    return HEED_OK;
}

/* Returns the id that the model sees for the token at place `at` of a stream; *hidden becomes
   whether it must predict it. The draw depends on (seed, epoch, place) alone, not on batches or
   rows; evaluation always draws the same. */
static int32_t shown(const heed_dataset *d, uint64_t at, int32_t id, bool *hidden)
{
    const bool training = d->options.shuffled;
    const uint64_t seed = training ? d->options.seed : 0;
    const uint64_t epoch = training ? (uint64_t)d->epoch : UINT64_MAX;
    uint64_t key = heed_mix(heed_mix(seed, MASK_STREAM), epoch);
    uint32_t draw[4];
    heed_philox((const uint32_t[4]){(uint32_t)at, (uint32_t)(at >> 32), 0, 0},
                (const uint32_t[2]){(uint32_t)key, (uint32_t)(key >> 32)}, draw);
    *hidden = heed_unit_float(draw[0]) < predicted &&
              !heed_tokenizer_is_special(d->options.tokenizer, id);
    if (!*hidden) return id;
    float way = heed_unit_float(draw[1]);
    if (way < masked) return d->mask;
    if (way >= replaced) return id;
    return (int32_t)((uint64_t)draw[2] * (uint64_t)d->options.config->vocabulary >> 32);
}

/* Tokens of a stream that stand together in a sequence. */
typedef struct {
    const heed_stream *stream;
    size_t begin, count;
    uint64_t place; /* by which it is drawn whether its first token is hidden; others follow it */
} span;

/* Copies a span to rows `row` and the following of a batch, whose ids are at `ids`, and hides some
   of its tokens. */
static heed_status put_span(const heed_dataset *d, const span *from, heed_batch *batch, int64_t row,
                            int32_t *ids, heed_error *error)
{
    HEED_TRY(heed_stream_read(from->stream, from->begin, from->count, ids, error));
    for (size_t i = 0; i < from->count; i++) {
        bool hidden;
        int32_t id = ids[i];
        ids[i] = shown(d, from->place + i, id, &hidden);
        if (hidden) HEED_TRY(heed_batch_label(batch, row + (int64_t)i, id, error));
    }
    return HEED_OK;
}

/* [CLS] piece [SEP] for each piece of a packed row. */
static heed_status collate_row(const heed_dataset *d, size_t unit, heed_batch *batch,
                               heed_error *error)
{
    size_t pieces = heed_packing_row(&d->packing, unit, d->pieces, d->options.length);
    size_t before = d->prefix >= 0;
    for (size_t p = 0; p < pieces; p++) {
        const span piece = {&d->stream, d->pieces[p].begin, d->pieces[p].count, d->pieces[p].begin};
        heed_batch_rows rows;
        HEED_TRY(heed_batch_sequence(batch, HEED_MAIN_STACK,
                                     (int64_t)(piece.count + d->packing.around), &rows, error));
        if (d->prefix >= 0) rows.ids[0] = d->prefix;
        if (d->suffix >= 0) rows.ids[before + piece.count] = d->suffix;
        HEED_TRY(
            put_span(d, &piece, batch, rows.first + (int64_t)before, rows.ids + before, error));
    }
    return HEED_OK;
}

/* Returns text `unit` of a stream. Places of the first texts of pairs are told from those of the
   second by their highest bit. */
static span text_of(const heed_dataset *d, const heed_stream *stream, size_t unit)
{
    size_t begin = stream->starts[unit];
    uint64_t place = stream == &d->source ? begin | UINT64_C(1) << 63 : begin;
    return (span){stream, begin, stream->starts[unit + 1] - begin, place};
}

/* [CLS] first [SEP] second [SEP], where the rows after the first [SEP] have token type 1, if the
   model has token types. */
static heed_status collate_pair(const heed_dataset *d, size_t unit, heed_batch *batch,
                                heed_error *error)
{
    const span first = text_of(d, &d->source, unit), second = text_of(d, &d->stream, unit);
    const size_t before = d->prefix >= 0, after = d->suffix >= 0;
    const size_t middle = before + first.count + after;
    const size_t count = middle + second.count + after;
    heed_batch_rows rows;
    int32_t *types;
    HEED_TRY(heed_batch_sequence(batch, HEED_MAIN_STACK, (int64_t)count, &rows, error));
    if (d->prefix >= 0) rows.ids[0] = d->prefix;
    if (d->suffix >= 0) rows.ids[middle - 1] = rows.ids[count - 1] = d->suffix;
    HEED_TRY(heed_batch_ints(batch, "types", (int64_t)count, 0, &types, error));
    for (size_t i = middle; i < count; i++) types[i] = d->options.config->token_types > 1;
    HEED_TRY(put_span(d, &first, batch, rows.first + (int64_t)before, rows.ids + before, error));
    return put_span(d, &second, batch, rows.first + (int64_t)middle, rows.ids + middle, error);
}

static heed_status collate(const heed_dataset *d, size_t unit, heed_batch *batch, heed_error *error)
{
    return d->pairs ? collate_pair(d, unit, batch, error) : collate_row(d, unit, batch, error);
}

/* Masked language modeling. loss = mean over the hidden tokens of -log p(x | what is shown), in
   nats. Texts are cut into pieces of at most T - 2 tokens between [CLS] and [SEP]. Pairs become
   [CLS] first [SEP] second [SEP] with token types 0 and 1; each text is cut to (T - 3) / 2 tokens.
   There is no next-sentence task. Source: Devlin et al. 2019, section 3.1; Liu et al. 2019. */
const heed_objective heed_objective_mlm = {.name = "mlm",
                                           .what = "predict hidden tokens",
                                           .arrangement = HEED_ENCODER_ONLY,
                                           .head = HEED_HEAD_MASKED_LM,
                                           .pairs_too = true,
                                           .prepare = prepare,
                                           .collate = collate};
