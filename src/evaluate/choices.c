/* choices.c: reads questions and scores their choices. */
#include "evaluate/choices.h"

#include "base/memory.h"
#include "base/unicode.h"
#include "base/utf8.h"
#include "generate/choose.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Fails with HEED_E_FORMAT and shows what the line holds under `key`. */
static heed_status refuse(const heed_question *q, const json_t *line, const char *key,
                          const char *expected, heed_error *error)
{
    heed_buffer found = {0};
    const json_t *value = json_object_get(line, key);
    if (value) heed_json_put_found(&found, value);
    heed_status status = heed_fail(error, HEED_E_FORMAT,
                                   "%s: line %zu: expected \"%s\", %s, found %.80s", q->path,
                                   q->line, key, expected, found.data ? found.data : "none");
    heed_buffer_free(&found);
    return status;
}

/* Returns the index of the right choice; q->count if the line has none. */
static size_t read_answer(const heed_question *q, const json_t *answer)
{
    if (json_is_integer(answer) && json_integer_value(answer) >= 0)
        return (size_t)json_integer_value(answer);
    for (size_t i = 0; json_is_string(answer) && i < q->count; i++)
        if (json_equal(answer, json_array_get(q->choices, i))) return i;
    return q->count;
}

/* Returns HEED_E_FORMAT if the context or a choice is not valid text. */
static heed_status check_texts(const heed_question *q, const json_t *context, heed_error *error)
{
    for (size_t i = 0; i <= q->count; i++) {
        const json_t *text = i < q->count ? json_array_get(q->choices, i) : context;
        if (!heed_utf8_valid(json_string_value(text), json_string_length(text)))
            return heed_fail(
                error, HEED_E_FORMAT,
                "%s: line %zu: half a surrogate pair (\"\\ud83d\" "
                "without the other half, say) in the context or a choice, which is not "
                "text",
                q->path, q->line);
    }
    return HEED_OK;
}

heed_status heed_question_read(heed_question *q, const json_t *line, const char *path,
                               size_t number, heed_error *error)
{
    const json_t *context = json_object_get(line, "context"),
                 *choices = json_object_get(line, "choices");
    *q = (heed_question){
        .choices = choices, .count = json_array_size(choices), .path = path, .line = number};
    if (!json_is_string(context)) return refuse(q, line, "context", "a string", error);
    HEED_TRY(check_texts(q, context, error));
    bool strings = json_is_array(choices) && q->count > 1;
    for (size_t i = 0; i < q->count; i++)
        strings &= json_string_length(json_array_get(choices, i)) > 0;
    if (!strings) return refuse(q, line, "choices", "two strings or more, none empty", error);
    q->context = json_string_value(context);
    q->context_length = json_string_length(context);
    q->answer = read_answer(q, json_object_get(line, "answer"));
    if (q->answer < q->count) return HEED_OK;
    return refuse(q, line, "answer", "the index of a choice, from 0, or the text of a choice",
                  error);
}

heed_verdict heed_question_judge(const heed_question *q, const double *log_likelihoods)
{
    heed_verdict best = {0};
    double most[3] = {-INFINITY, -INFINITY, -INFINITY};
    size_t *indices[3] = {&best.plain, &best.by_characters, &best.by_bytes};
    for (size_t i = 0; i < q->count; i++) {
        const json_t *choice = json_array_get(q->choices, i);
        size_t bytes = json_string_length(choice),
               characters = heed_utf8_count(json_string_value(choice), bytes);
        double scores[3] = {log_likelihoods[i], log_likelihoods[i] / (double)characters,
                            log_likelihoods[i] / (double)bytes};
        for (int k = 0; k < 3; k++)
            if (scores[k] > most[k]) {
                most[k] = scores[k];
                *indices[k] = i;
            }
    }
    return best;
}

/* ---- ids ---- */

/* A question that is being scored. */
typedef struct scoring {
    heed_session *session;
    const heed_tokenizer *tokenizer;
    const heed_question *question;
    heed_text before; /* the context without the blanks at its end */
    const char *delimiter;
    unsigned flags;
    bool prefixed; /* the context is only the beginning of text */
    heed_encoding context, whole;
    heed_buffer text;
    int32_t *ids;                  /* ids of the context and of one choice */
    size_t capacity, count, first; /* first: the place of the choice's first id */
    int64_t shared; /* a sequence that holds the context without its last id; -1 if there is none */
    double sum;
    heed_choice_notes *notes;
} scoring;

/* Encodes a text and drops the special tokens that the tokenizer puts after it. */
static heed_status encode(const scoring *s, heed_text text, unsigned flags, heed_encoding *encoding,
                          heed_error *error)
{
    HEED_TRY(heed_tokenizer_encode(s->tokenizer, text.bytes, text.length, flags, encoding, error));
    while (encoding->count && encoding->special_mask[encoding->count - 1]) encoding->count--;
    return HEED_OK;
}

/* Encodes the context. If it has no tokens, it becomes the beginning of text. */
static heed_status encode_context(scoring *s, heed_error *error)
{
    if (s->before.length) HEED_TRY(encode(s, s->before, s->flags, &s->context, error));
    if (s->context.count) return HEED_OK;
    int32_t start = heed_tokenizer_special(s->tokenizer, HEED_BOS);
    if (start < 0) start = heed_tokenizer_special(s->tokenizer, HEED_EOS);
    if (start < 0)
        return heed_fail(error, HEED_E_ARG,
                         "%s: line %zu: an empty context needs a token for the "
                         "beginning or end of text, which this tokenizer does not have",
                         s->question->path, s->question->line);
    if (!s->context.ids) s->context.ids = heed_allocate(1, sizeof *s->context.ids);
    if (!s->context.ids) return heed_fail_memory(error, sizeof start, "a context");
    s->context.ids[0] = start;
    s->context.count = 1;
    s->prefixed = true;
    return HEED_OK;
}

/* Fills `whole` with the ids of context and choice, or of the choice alone if the context is the
   beginning of text. Returns in *from how many of these do not belong to the choice. */
static heed_status encode_whole(scoring *s, const json_t *choice, size_t *from, heed_error *error)
{
    const heed_question *q = s->question;
    heed_buffer_clear(&s->text);
    heed_buffer_append(&s->text, q->context, q->context_length);
    heed_buffer_text(&s->text, s->delimiter);
    heed_buffer_append(&s->text, json_string_value(choice), json_string_length(choice));
    if (s->text.failed) return heed_fail_memory(error, q->context_length, "a choice");
    heed_text text = {s->text.data, s->text.length};
    if (!s->prefixed) {
        HEED_TRY(encode(s, text, s->flags, &s->whole, error));
        *from = s->context.count;
        bool same = s->whole.count >= *from;
        for (size_t i = 0; same && i < *from; i++) same = s->whole.ids[i] == s->context.ids[i];
        s->notes->joined += !same;
        return HEED_OK;
    }
    HEED_TRY(encode(s, text, s->flags & ~(unsigned)HEED_ENCODE_SPECIAL, &s->whole, error));
    *from = s->whole.count && s->whole.ids[0] == s->context.ids[0];
    return HEED_OK;
}

/* Sets `ids` to those of the context and of a choice. HEED_E_ARG if the choice has none or does not
   fit. */
static heed_status encode_choice(scoring *s, size_t number, heed_error *error)
{
    const heed_question *q = s->question;
    const json_t *choice = json_array_get(q->choices, number);
    size_t from = 0, positions = (size_t)heed_session_context(s->session), held = s->context.count;
    HEED_TRY(encode_whole(s, choice, &from, error));
    size_t more = s->whole.count > from ? s->whole.count - from : 0;
    if (!more)
        return heed_fail(
            error, HEED_E_ARG,
            "%s: line %zu: choice %zu, \"%.40s\", has no tokens of its "
            "own: the tokenizer drops it or joins it with the end of the context; change "
            "the line or --delimiter",
            q->path, q->line, number, json_string_value(choice));
    if (more > positions)
        return heed_fail(error, HEED_E_ARG,
                         "%s: line %zu: choice %zu has %zu tokens, but the model's "
                         "context has %zu positions: shorten the choice",
                         q->path, q->line, number, more, positions);
    if (!heed_grow(&s->ids, &s->capacity, held + more, sizeof *s->ids))
        return heed_fail_memory(error, (held + more) * sizeof *s->ids, "a choice");
    memcpy(s->ids, s->context.ids, held * sizeof *s->ids);
    memcpy(s->ids + held, s->whole.ids + from, more * sizeof *s->ids);
    s->first = held;
    s->count = held + more;
    s->notes->cut += s->count > positions + 1;
    return HEED_OK;
}

/* ---- likelihoods ---- */

/* Adds the log-probabilities of the choice's ids from the logits of the tokens before them. */
static heed_status add_rows(void *argument, const heed_logits_row *rows, int64_t count,
                            heed_error *error)
{
    scoring *s = argument;
    int64_t vocabulary = heed_session_vocabulary(s->session);
    for (int64_t i = 0; i < count; i++) {
        /* s->first is here the id that the logits of the first fed token predict. */
        int32_t id = s->ids[(size_t)rows[i].token + s->first];
        double log_p;
        HEED_TRY(heed_logits_log_probability(rows[i].logits, vocabulary, id, &log_p, error));
        s->sum += log_p;
    }
    return HEED_OK;
}

/* Feeds all ids but the last, without the beginning that does not fit the context, and sums the
   log-probabilities of the choice. */
static heed_status run_choice(scoring *s, heed_error *error)
{
    size_t context = (size_t)heed_session_context(s->session),
           cut = s->count > context + 1 ? s->count - context - 1 : 0;
    size_t begin = s->shared >= 0 && !cut ? s->first - 1 : cut, choice = s->first;
    int64_t sequence;
    for (size_t i = cut; i < s->count; i++)
        if (s->ids[i] < 0 || s->ids[i] >= heed_session_vocabulary(s->session))
            return heed_fail(error, HEED_E_ARG, "id %d is beyond the model's vocabulary of %lld",
                             s->ids[i], (long long)heed_session_vocabulary(s->session));
    if (begin == cut) HEED_TRY(heed_session_add(s->session, &sequence, error));
    else HEED_TRY(heed_session_fork(s->session, s->shared, (int64_t)begin, &sequence, error));
    heed_step_item item = {
        .sequence = sequence,
        .ids = s->ids + begin,
        .count = (int64_t)(s->count - 1 - begin),
        .want = (int64_t)(choice - 1 - begin),
    };
    s->first = begin + 1;
    heed_status status = heed_session_step(s->session, &item, 1, add_rows, s, error);
    heed_session_drop(s->session, sequence);
    return status;
}

/* Feeds all ids of the context but the last, once for all choices. */
static heed_status read_context(scoring *s, heed_error *error)
{
    int64_t count = (int64_t)s->context.count - 1;
    if (count < 1 || count > heed_session_context(s->session)) return HEED_OK;
    HEED_TRY(heed_session_add(s->session, &s->shared, error));
    heed_step_item item = {
        .sequence = s->shared, .ids = s->context.ids, .count = count, .want = count};
    return heed_session_step(s->session, &item, 1, NULL, NULL, error);
}

heed_status heed_score_choices(heed_session *session, const heed_tokenizer *tokenizer,
                               const heed_question *q, const heed_choice_options *options,
                               double *log_likelihoods, heed_error *error)
{
    heed_choice_notes ignored = {0};
    if (heed_session_has_source(session))
        return heed_fail(error, HEED_E_UNSUPPORTED,
                         "choices are scored with a decoder, not an encoder-decoder");
    heed_text before = {q->context, q->context_length};
    heed_strip_right(before.bytes, &before.length);
    scoring s = {
        .session = session,
        .tokenizer = tokenizer,
        .question = q,
        .before = before,
        .delimiter = " ",
        .shared = -1,
        .flags = options->special ? HEED_ENCODE_SPECIAL : 0,
        .notes = &ignored,
    };
    if (options->delimiter) s.delimiter = options->delimiter;
    if (options->notes) s.notes = options->notes;
    heed_status status = encode_context(&s, error);
    if (status == HEED_OK) status = read_context(&s, error);
    for (size_t i = 0; i < q->count && status == HEED_OK; i++) {
        s.sum = 0;
        status = encode_choice(&s, i, error);
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
