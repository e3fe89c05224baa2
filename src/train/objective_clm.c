#include "train/dataset.h"

static heed_status prepare(heed_dataset *d, heed_error *error)
{
    (void)error;
    if (d->options.tokenizer != NULL)
        d->text.end = heed_tokenizer_special(d->options.tokenizer, HEED_EOS);
    else d->text.end = (int32_t)d->options.config->eos_id;
    return HEED_OK;
}

/* Makes a sequence from each piece of a row. Every token except the last one of a text is read and
   predicts the token after it, also across the end of a row. */
static heed_status collate(const heed_dataset *d, size_t unit, heed_batch *batch, heed_error *error)
{
    size_t pieces = heed_packing_row(&d->packing, unit, d->pieces, d->options.length);
    for (size_t p = 0; p < pieces; p++) {
        size_t begin = d->pieces[p].begin;
        size_t count = d->pieces[p].count - d->pieces[p].ends_text;
        if (count == 0) continue;
        heed_batch_rows text;
        int32_t last;
        HEED_TRY(heed_batch_sequence(batch, HEED_MAIN_STACK, (int64_t)count, &text, error));
        HEED_TRY(heed_stream_read(&d->stream, begin, count, text.ids, error));
        HEED_TRY(heed_stream_read(&d->stream, begin + count, 1, &last, error));
        for (size_t i = 0; i < count; i++) {
            int32_t next = i + 1 < count ? text.ids[i + 1] : last;
            if (heed_stream_predicts(&d->stream, begin + i + 1))
                HEED_TRY(heed_batch_label(batch, text.first + (int64_t)i, next, error));
        }
    }
    return HEED_OK;
}

/* Causal language modeling. loss = mean over tokens t of -log p(x[t+1] | x[<=t]), in nats. The
   tokenizer's end-of-text token, if it has one, follows each text, and texts are packed into rows
   of T tokens. In conversations only the answers are predicted, and each conversation stays whole.
   Source: Radford et al. 2018, eq. 1. */
const heed_objective heed_objective_clm = {.name = "clm",
                                           .what = "predict the next token",
                                           .arrangement = HEED_DECODER_ONLY,
                                           .head = HEED_HEAD_CAUSAL_LM,
                                           .prepare = prepare,
                                           .collate = collate};
