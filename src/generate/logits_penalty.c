/* logits_penalty.c: processors that make tokens less or more likely, forbid them or force them, in
   the order of transformers. To forbid a token is to set its score to -infinity. */
#include "generate/logits_internal.h"

typedef heed_generation_settings settings_t;
typedef heed_logits_context context_t;
typedef heed_logits_scratch scratch_t;

static void forbid(float *scores, const scratch_t *scratch, int64_t id)
{
    if (id >= 0 && id < scratch->vocabulary) scores[id] = -INFINITY;
}

static void forbid_list(float *scores, const scratch_t *scratch, const heed_id_list *list)
{
    for (size_t i = 0; i < list->count; i++) forbid(scores, scratch, list->ids[i]);
}

/* Forbids all tokens but those of a list, whose scores become 0. */
static void force_list(float *scores, const scratch_t *scratch, const int32_t *ids, size_t count)
{
    for (int64_t i = 0; i < scratch->vocabulary; i++) scores[i] = -INFINITY;
    for (size_t i = 0; i < count; i++) scores[ids[i]] = 0;
}

/* Divides positive scores of the ids of a list by the penalty and multiplies negative ones by it.
   Each id is changed once, even if the list holds it several times. */
static void penalize(float *scores, const int32_t *ids, int64_t count, double penalty,
                     const scratch_t *scratch)
{
    double factor = heed_logits_factor(penalty);
    for (int64_t i = 0; i < count; i++) {
        if (ids[i] >= scratch->vocabulary) continue;
        double score = (double)scores[ids[i]];
        double changed = score < 0 ? score * factor : score / factor;
        scratch->values[ids[i]] = heed_logits_changed(scores[ids[i]], changed);
    }
    for (int64_t i = 0; i < count; i++)
        if (ids[i] < scratch->vocabulary) scores[ids[i]] = scratch->values[ids[i]];
}

/* Penalizes all ids of the sequence, the prompt's included. Source: Keskar et al. 2019 (CTRL). */
static bool wants_repetition(const settings_t *s)
{
    return s->repetition_penalty != 1;
}
static void repetition(const settings_t *s, const context_t *c, float *scores,
                       const scratch_t *scratch)
{
    penalize(scores, c->ids, c->count, s->repetition_penalty, scratch);
}

/* Favors the ids of the source: the penalty is the inverse of the setting. */
static bool wants_encoder_repetition(const settings_t *s)
{
    return s->encoder_repetition_penalty != 1;
}
static void encoder_repetition(const settings_t *s, const context_t *c, float *scores,
                               const scratch_t *scratch)
{
    double penalty = fmin(1 / s->encoder_repetition_penalty, DBL_MAX);
    penalize(scores, c->source, c->source_count, penalty, scratch);
}

/* Lowers the scores of the new tokens, not of the prompt's: by presence_penalty once, by
   frequency_penalty for each time that the token was written. */
static bool wants_presence(const settings_t *s)
{
    return s->presence_penalty != 0 || s->frequency_penalty != 0;
}
static void presence(const settings_t *s, const context_t *c, float *scores,
                     const scratch_t *scratch)
{
    for (int64_t i = c->prompt; i < c->count; i++)
        if (c->ids[i] < scratch->vocabulary) scratch->order[c->ids[i]] = 0;
    for (int64_t i = c->prompt; i < c->count; i++) {
        if (c->ids[i] >= scratch->vocabulary) continue;
        float *score = &scores[c->ids[i]];
        float less = scratch->order[c->ids[i]]++ ? 0 : (float)s->presence_penalty;
        less += (float)s->frequency_penalty;
        *score = heed_logits_changed(*score, (double)*score - (double)less);
    }
}

/* Do `ids` end with `tail`? */
static bool ends_with(const int32_t *ids, int64_t count, const int32_t *tail, int64_t length)
{
    if (length > count) return false;
    for (int64_t i = 0; i < length; i++)
        if (ids[count - length + i] != tail[i]) return false;
    return true;
}

/* Forbids the ids that follow the last n - 1 ids of the sequence anywhere in `text`. */
static void forbid_ngrams(float *scores, const context_t *c, const int32_t *text, int64_t length,
                          int64_t n, const scratch_t *scratch)
{
    if (c->count < n - 1) return;
    for (int64_t i = 0; i + n <= length; i++)
        if (ends_with(c->ids, c->count, text + i, n - 1)) forbid(scores, scratch, text[i + n - 1]);
}

/* Forbids to repeat n ids of the sequence in a row. */
static bool wants_no_repeat(const settings_t *s)
{
    return s->no_repeat_ngram > 0;
}
static void no_repeat(const settings_t *s, const context_t *c, float *scores,
                      const scratch_t *scratch)
{
    forbid_ngrams(scores, c, c->ids, c->count, s->no_repeat_ngram, scratch);
}

/* Forbids to repeat n ids of the source in a row. */
static bool wants_encoder_no_repeat(const settings_t *s)
{
    return s->encoder_no_repeat_ngram > 0;
}
static void encoder_no_repeat(const settings_t *s, const context_t *c, float *scores,
                              const scratch_t *scratch)
{
    forbid_ngrams(scores, c, c->source, c->source_count, s->encoder_no_repeat_ngram, scratch);
}

/* Returns the ids of entry i of a table. */
static const int32_t *table_entry(const heed_id_table *table, size_t i, int64_t *length)
{
    size_t begin = i ? table->ends[i - 1] : 0;
    *length = (int64_t)(table->ends[i] - begin);
    return table->ids + begin;
}

/* Forbids the last id of a bad word if the sequence ends with its other ids. */
static bool wants_bad_words(const settings_t *s)
{
    return s->bad_words.count > 0;
}
static void bad_words(const settings_t *s, const context_t *c, float *scores,
                      const scratch_t *scratch)
{
    for (size_t i = 0; i < s->bad_words.count; i++) {
        int64_t length;
        const int32_t *word = table_entry(&s->bad_words, i, &length);
        /* An end-of-sequence id alone is not a bad word. */
        bool end = length == 1 && heed_id_list_has(&s->eos, word[0]);
        if (!end && ends_with(c->ids, c->count, word, length - 1))
            forbid(scores, scratch, word[length - 1]);
    }
}

static bool wants_bad_texts(const settings_t *s)
{
    return s->bad_texts != NULL;
}
static void bad_texts(const settings_t *s, const context_t *c, float *scores,
                      const scratch_t *scratch)
{
    heed_bad_texts_forbid(s->bad_texts, c->ids, c->count, c->prompt, scores, scratch->vocabulary);
}

/* Adds a weight to the score of a token. -infinity forbids the token, whatever its score. */
static void add_bias(float *scores, int32_t id, float bias)
{
    if (bias == -INFINITY) scores[id] = -INFINITY;
    else scores[id] = heed_logits_changed(scores[id], (double)scores[id] + (double)bias);
}

/* Adds to each token the weights of the sequences that it would complete: if several entries end
   with the token, their weights are summed first. If an entry of one token occurs several times,
   its last weight counts. The passes over the table: 0 clear the sums, 1 take the weights of single
   tokens, 2 add those of longer entries, 3 add the sums to the scores. */
static bool wants_bias(const settings_t *s)
{
    return s->sequence_bias.count > 0;
}
static void sequence_bias(const settings_t *s, const context_t *c, float *scores,
                          const scratch_t *scratch)
{
    const heed_id_table *table = &s->sequence_bias;
    for (int pass = 0; pass < 4; pass++)
        for (size_t i = 0; i < table->count; i++) {
            int64_t length;
            const int32_t *ids = table_entry(table, i, &length);
            int32_t last = ids[length - 1];
            float *sum = &scratch->values[last];
            if (pass == 0) *sum = 0;
            if (pass == 1 && length == 1) *sum = table->weights[i];
            if (pass == 2 && length > 1 && ends_with(c->ids, c->count, ids, length - 1))
                *sum += table->weights[i];
            if (pass == 3) {
                add_bias(scores, last, *sum);
                *sum = 0;
            }
        }
}

/* ---- beginning and end ---- */

/* Forbids the end before the sequence has min_length ids, the prompt included. */
static bool wants_min_length(const settings_t *s)
{
    return s->min_new_tokens == 0 && s->min_length > 0 && s->eos.count > 0;
}
static void min_length(const settings_t *s, const context_t *c, float *scores,
                       const scratch_t *scratch)
{
    if (c->count < s->min_length) forbid_list(scores, scratch, &s->eos);
}

/* Forbids the end before min_new_tokens new tokens. */
static bool wants_min_new(const settings_t *s)
{
    return s->min_new_tokens > 0 && s->eos.count > 0;
}
static void min_new(const settings_t *s, const context_t *c, float *scores,
                    const scratch_t *scratch)
{
    if (c->count - c->prompt < s->min_new_tokens) forbid_list(scores, scratch, &s->eos);
}

/* Forces forced_bos after the first id of the sequence, which is the decoder start. */
static bool wants_forced_bos(const settings_t *s)
{
    return s->forced_bos >= 0;
}
static void forced_bos(const settings_t *s, const context_t *c, float *scores,
                       const scratch_t *scratch)
{
    int32_t id = (int32_t)s->forced_bos;
    if (c->count == 1) force_list(scores, scratch, &id, 1);
}

/* Forces forced_eos as the last id that the length allows. */
static bool wants_forced_eos(const settings_t *s)
{
    return s->forced_eos.count > 0;
}
static void forced_eos(const settings_t *s, const context_t *c, float *scores,
                       const scratch_t *scratch)
{
    if (c->count == c->max_length - 1)
        force_list(scores, scratch, s->forced_eos.ids, s->forced_eos.count);
}

/* Replaces NaN by 0 and infinities by the largest floats. */
static bool wants_remove_invalid(const settings_t *s)
{
    return s->remove_invalid;
}
static void remove_invalid(const settings_t *s, const context_t *c, float *scores,
                           const scratch_t *scratch)
{
    (void)s;
    (void)c;
    for (int64_t i = 0; i < scratch->vocabulary; i++) {
        if (isnan(scores[i])) scores[i] = 0;
        else if (isinf(scores[i])) scores[i] = scores[i] > 0 ? FLT_MAX : -FLT_MAX;
    }
}

/* Makes the end likelier from decay_start on: n tokens later its score has grown by
   score| * (decay_factor^n - 1). */
static bool wants_decay(const settings_t *s)
{
    return s->decay_start >= 0 && s->eos.count > 0;
}
static void decay(const settings_t *s, const context_t *c, float *scores, const scratch_t *scratch)
{
    int64_t past = c->count - (s->decay_start + c->prompt);
    if (past <= 0) return;
    float gain = heed_logits_changed(0, pow(s->decay_factor, (double)past) - 1);
    for (size_t i = 0; i < s->eos.count; i++) {
        int32_t id = s->eos.ids[i];
        if (id >= scratch->vocabulary) continue;
        double more = (double)(fabsf(scores[id]) * gain);
        scores[id] = heed_logits_changed(scores[id], (double)scores[id] + more);
    }
}

/* Forbids tokens everywhere. */
static bool wants_suppress(const settings_t *s)
{
    return s->suppress.count > 0;
}
static void suppress(const settings_t *s, const context_t *c, float *scores,
                     const scratch_t *scratch)
{
    (void)c;
    forbid_list(scores, scratch, &s->suppress);
}

/* Forbids tokens as the first new one. After a lone decoder start, a forced first token does not
   count. */
static bool wants_begin_suppress(const settings_t *s)
{
    return s->begin_suppress.count > 0;
}
static void begin_suppress(const settings_t *s, const context_t *c, float *scores,
                           const scratch_t *scratch)
{
    int64_t begin = c->prompt > 1 || s->forced_bos < 0 ? c->prompt : c->prompt + 1;
    if (c->count == begin) forbid_list(scores, scratch, &s->begin_suppress);
}

const heed_logits_processor heed_logits_penalties[] = {
    {"sequence_bias", false, wants_bias, sequence_bias},
    {"encoder_repetition_penalty", false, wants_encoder_repetition, encoder_repetition},
    {"repetition_penalty", false, wants_repetition, repetition},
    {"presence_penalty", false, wants_presence, presence},
    {"no_repeat_ngram_size", false, wants_no_repeat, no_repeat},
    {"encoder_no_repeat_ngram_size", false, wants_encoder_no_repeat, encoder_no_repeat},
    {"bad_words_ids", false, wants_bad_words, bad_words},
    {"bad texts", false, wants_bad_texts, bad_texts},
    {"min_length", false, wants_min_length, min_length},
    {"min_new_tokens", false, wants_min_new, min_new},
    {"forced_bos_token_id", false, wants_forced_bos, forced_bos},
    {"forced_eos_token_id", false, wants_forced_eos, forced_eos},
    {"remove_invalid_values", false, wants_remove_invalid, remove_invalid},
    {"exponential_decay_length_penalty", false, wants_decay, decay},
    {"suppress_tokens", false, wants_suppress, suppress},
    {"begin_suppress_tokens", false, wants_begin_suppress, begin_suppress},
};
const size_t heed_logits_penalty_count = sizeof heed_logits_penalties /
                                         sizeof *heed_logits_penalties;
