#include "generate/choices.h"

#include "base/memory.h"
#include "base/utf8.h"
#include "generate/choose.h"
#include "text/jinja/characters.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

heed_status heed_question_read(heed_question *q, const json_t *line, const char *path, size_t number, heed_error *error)
{
    const json_t *context = json_object_get(line, "context"), *choices = json_object_get(line, "choices"), *answer = json_object_get(line, "answer");
    *q = (heed_question){.choices = choices, .count = json_array_size(choices)};
    bool strings = json_is_string(context) && json_is_array(choices) && q->count > 1;
    for (size_t i = 0; i < q->count; i++) strings &= json_is_string(json_array_get(choices, i)) && json_string_length(json_array_get(choices, i)) > 0;
    if (!strings)
        return heed_fail(error, HEED_E_FORMAT, "%s: line %zu: expected \"context\", a string, and \"choices\", two strings or more, none empty", path, number);
    q->context = json_string_value(context);
    q->context_length = json_string_length(context);
    q->answer = json_is_integer(answer) && json_integer_value(answer) >= 0 ? (size_t)json_integer_value(answer) : q->count;
    for (size_t i = q->count; json_is_string(answer) && i-- > 0;)
        if (json_equal(answer, json_array_get(choices, i))) q->answer = i;
    if (q->answer < q->count) return HEED_OK;
    return heed_fail(error, HEED_E_FORMAT, "%s: line %zu: expected \"answer\", the index of a choice (from 0) or its text", path, number);
}

heed_verdict heed_question_judge(const heed_question *q, const double *log_likelihoods)
{
    heed_verdict best = {0};
    double most[3] = {-INFINITY, -INFINITY, -INFINITY};
    size_t *places[3] = {&best.plain, &best.by_characters, &best.by_bytes};
    for (size_t i = 0; i < q->count; i++) {
        const json_t *choice = json_array_get(q->choices, i);
        size_t bytes = json_string_length(choice), characters = heed_utf8_count(json_string_value(choice), bytes);
        double scores[3] = {log_likelihoods[i], log_likelihoods[i] / (double)characters, log_likelihoods[i] / (double)bytes};
        for (int k = 0; k < 3; k++)
            if (scores[k] > most[k]) most[k] = scores[k], *places[k] = i;
    }
    return best;
}

/* ---- ids ---- */

/* A question at work: the ids of the context, and of context and choice. */
typedef struct scoring {
    heed_session *session;
    const heed_tokenizer *tokenizer;
    unsigned flags;
    heed_encoding context, whole;
    heed_buffer text;
    int32_t *ids;             /* of the context and one choice */
    size_t capacity, count, first; /* first: of the choice */
    int64_t shared;           /* sequence that holds the context, but its last id; -1: none */
    double sum;
} scoring;

static heed_status encode_context(scoring *s, const char *text, size_t length, heed_error *error)
{
    if (length) HEED_TRY(heed_tokenizer_encode(s->tokenizer, text, length, s->flags, &s->context, error));
    if (s->context.count) return HEED_OK;
    int32_t start = heed_tokenizer_special(s->tokenizer, HEED_BOS);
    if (start < 0) start = heed_tokenizer_special(s->tokenizer, HEED_EOS);
    if (start < 0) return heed_fail(error, HEED_E_ARG, "an empty context needs a beginning of text, which this tokenizer has not");
    if (!s->context.ids && !(s->context.ids = heed_allocate(1, sizeof *s->context.ids))) return heed_fail_memory(error, sizeof start, "a context");
    s->context.ids[0] = start;
    s->context.count = 1;
    return HEED_OK;
}

/* The ids of the context and, behind them, those that the choice adds. */
static heed_status encode_choice(scoring *s, const char *context, size_t length, size_t blanks, const char *delimiter, const json_t *choice, heed_error *error)
{
    heed_buffer_clear(&s->text);
    heed_buffer_append(&s->text, context, length + blanks);
    heed_buffer_text(&s->text, delimiter);
    heed_buffer_append(&s->text, json_string_value(choice), json_string_length(choice));
    if (s->text.failed) return heed_fail_memory(error, length, "a choice");
    HEED_TRY(heed_tokenizer_encode(s->tokenizer, s->text.data, s->text.length, s->flags, &s->whole, error));
    size_t from = length ? s->context.count : 0, more = s->whole.count > from ? s->whole.count - from : 0;
    if (!heed_grow(&s->ids, &s->capacity, s->context.count + more + 1, sizeof *s->ids)) return heed_fail_memory(error, s->whole.count * sizeof *s->ids, "a choice");
    memcpy(s->ids, s->context.ids, s->context.count * sizeof *s->ids);
    if (more) memcpy(s->ids + s->context.count, s->whole.ids + from, more * sizeof *s->ids);
    s->first = s->context.count;
    s->count = s->first + more;
    return HEED_OK;
}

/* ---- likelihoods ---- */

static heed_status add_rows(void *argument, const heed_logits_row *rows, int64_t count, heed_error *error)
{
    scoring *s = argument;
    int64_t vocabulary = heed_session_vocabulary(s->session);
    for (int64_t i = 0; i < count; i++) {
        int32_t id = s->ids[(size_t)rows[i].token + s->first]; /* first: of the ids fed, the one that row 0 predicts */
        double log_probability = (double)rows[i].logits[id] - heed_log_sum(rows[i].logits, vocabulary);
        if (isnan(log_probability)) return heed_fail(error, HEED_E_ARG, "the model's logits hold NaN: its weights or activations are not finite");
        s->sum += log_probability;
    }
    return HEED_OK;
}

/* Feeds ids[from .. count - 1) behind what the sequence holds, and adds up the choice's. */
static heed_status run_choice(scoring *s, heed_error *error)
{
    size_t context = (size_t)heed_session_context(s->session), cut = s->count > context + 1 ? s->count - context - 1 : 0;
    size_t begin = s->shared >= 0 && !cut ? s->first - 1 : cut, choice = s->first > cut ? s->first : cut + 1;
    int64_t sequence;
    if (choice >= s->count) return HEED_OK;
    for (size_t i = cut; i < s->count; i++)
        if (s->ids[i] < 0 || s->ids[i] >= heed_session_vocabulary(s->session))
            return heed_fail(error, HEED_E_ARG, "id %d is beyond the model's vocabulary of %lld", s->ids[i], (long long)heed_session_vocabulary(s->session));
    if (begin == cut) HEED_TRY(heed_session_add(s->session, &sequence, error));
    else HEED_TRY(heed_session_fork(s->session, s->shared, (int64_t)begin, &sequence, error));
    heed_step_item item = {.sequence = sequence, .ids = s->ids + begin, .count = (int64_t)(s->count - 1 - begin), .want = (int64_t)(choice - 1 - begin)};
    s->first = begin + 1;
    heed_status status = heed_session_step(s->session, &item, 1, add_rows, s, error);
    heed_session_drop(s->session, sequence);
    return status;
}

static heed_status discard(void *argument, const heed_logits_row *rows, int64_t count, heed_error *error)
{
    (void)argument, (void)rows, (void)count, (void)error;
    return HEED_OK;
}

/* All but the last id of the context, once for all choices. */
static heed_status read_context(scoring *s, heed_error *error)
{
    int64_t count = (int64_t)s->context.count - 1;
    if (count < 1 || count > heed_session_context(s->session)) return HEED_OK;
    HEED_TRY(heed_session_add(s->session, &s->shared, error));
    heed_step_item item = {.sequence = s->shared, .ids = s->context.ids, .count = count, .want = count};
    return heed_session_step(s->session, &item, 1, discard, NULL, error);
}

heed_status heed_score_choices(heed_session *session, const heed_tokenizer *tokenizer, const heed_question *q,
                               const heed_choice_options *options, double *log_likelihoods, heed_error *error)
{
    if (heed_session_has_source(session)) return heed_fail(error, HEED_E_UNSUPPORTED, "choices are scored with a decoder, not an encoder-decoder");
    const char *context = q->context, *delimiter = options->delimiter ? options->delimiter : " ";
    size_t length = q->context_length;
    heed_jinja_strip(&context, &length, false, true);
    scoring s = {.session = session, .tokenizer = tokenizer, .flags = options->special ? HEED_ENCODE_SPECIAL : 0, .shared = -1};
    heed_status status = encode_context(&s, context, length, error);
    if (status == HEED_OK) status = read_context(&s, error);
    for (size_t i = 0; i < q->count && status == HEED_OK; i++) {
        s.sum = 0;
        status = encode_choice(&s, context, length, q->context_length - length, delimiter, json_array_get(q->choices, i), error);
        if (status == HEED_OK) status = run_choice(&s, error);
        log_likelihoods[i] = s.sum;
    }
    heed_session_clear(session);
    heed_encoding_free(&s.context);
    heed_encoding_free(&s.whole);
    heed_buffer_free(&s.text);
    free(s.ids);
    return status;
}
