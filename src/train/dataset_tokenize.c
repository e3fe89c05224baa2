/* Tokenizes data: documents, pairs, and conversations, of which the answers are learned. */
#include "train/dataset_internal.h"

#include "base/memory.h"
#include "train/border.h"
#include "train/conversation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static heed_status report(const heed_dataset *d, size_t done, heed_error *error)
{
    if (d->options.progress != NULL &&
        d->options.progress(d->options.context, done, heed_data_bytes(d->data)))
        return heed_fail(error, HEED_E_CANCELLED, "stopped while the data was being tokenized");
    return HEED_OK;
}

static heed_status tokenize_documents(heed_dataset *d, heed_encoding *scratch, heed_error *error)
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

static heed_status tokenize_pairs(heed_dataset *d, heed_encoding *scratch, heed_error *error)
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

/* A text of a conversation on its way into the stream. */
typedef struct laid {
    heed_dataset *dataset;
    heed_encoding encoding;
    int32_t *ids; /* ids of the encoding, and perhaps the end-of-text token */
    uint8_t *predicted;
    size_t count, ids_capacity, predicted_capacity;
    heed_border border;
    bool split; /* an answer of this record begins inside a token */
} laid;

static bool is_blank(const char *text, size_t length)
{
    while (length > 0 && strchr(" \t\r\n", text[length - 1])) length--;
    return length == 0;
}

/* Returns the first token after the one that ends the turn; `end` if none does. What stands there
   does not belong to the answer if it is blank. */
static size_t find_turn_end(const laid *l, size_t first, size_t end)
{
    size_t turn_end = end;
    while (turn_end > first &&
           !heed_tokenizer_is_special(l->dataset->options.tokenizer, l->ids[turn_end - 1]))
        turn_end--;
    return turn_end == first ? end : turn_end;
}

/* Marks the tokens that lie in the answer, wholly or in part. Blanks after a special token, which
   ends a turn, belong to the template. *from is the token at which the search begins, and becomes
   the one after the answer. Returns the first token of the answer. */
static size_t mark_answer(laid *l, const heed_conversation *c, heed_jinja_span answer, size_t *from)
{
    const heed_range *places = l->encoding.bytes;
    size_t first = *from, n = l->encoding.count;
    while (first < n && places[first].end <= answer.begin) first++;
    size_t end = first;
    for (; end < n && places[end].begin < answer.end; end++)
        l->predicted[end] = places[end].end > answer.begin;
    *from = end;
    size_t turn_end = c->marked || c->plain ? end : find_turn_end(l, first, end);
    if (turn_end < end &&
        is_blank(c->text.bytes + places[turn_end - 1].end, answer.end - places[turn_end - 1].end))
        memset(l->predicted + turn_end, 0, end - turn_end);
    return first;
}

/* Copies ids, with memory for one more, and clears the marks. */
static heed_status take_ids(laid *l, const int32_t *ids, size_t count, heed_error *error)
{
    l->count = count;
    if (!heed_grow(&l->ids, &l->ids_capacity, count + 1, sizeof *l->ids) ||
        !heed_grow(&l->predicted, &l->predicted_capacity, count + 1, 1))
        return heed_fail_memory(error, (count + 1) * sizeof *l->ids, "a conversation");
    if (count > 0) memcpy(l->ids, ids, count * sizeof *l->ids);
    memset(l->predicted, 0, count + 1);
    return HEED_OK;
}

static unsigned flags_of(const heed_conversation *c)
{
    return HEED_ENCODE_OFFSETS | (c->plain ? HEED_ENCODE_SPECIAL : 0);
}

static heed_status encode_conversation(laid *l, const heed_conversation *c, heed_error *error)
{
    HEED_TRY(heed_tokenizer_encode(l->dataset->options.tokenizer, c->text.bytes, c->text.length,
                                   flags_of(c), &l->encoding, error));
    return take_ids(l, l->encoding.ids, l->encoding.count, error);
}

/* Adds the token that ends texts, unless it is there, and marks it as learned: the model must write
   it after a completion. */
static void mark_end(laid *l, int32_t end)
{
    if (end < 0) return;
    if (l->count == 0 || l->ids[l->count - 1] != end) l->ids[l->count++] = end;
    l->predicted[l->count - 1] = 1;
}

/* Returns the number of tokens up to the last learned one among the first `count`. */
static size_t without_rest(const laid *l, size_t count)
{
    while (count > 0 && !l->predicted[count - 1]) count--;
    return count;
}

/* Appends the text to the stream, without the tokens after the last answer, and at most T tokens.
   The first token is never learned, because nothing comes before it. */
static heed_status append_laid(laid *l, const heed_conversation *c, heed_error *error)
{
    heed_dataset *d = l->dataset;
    if (c->plain) mark_end(l, d->text.end);
    size_t count = without_rest(l, l->count);
    if (count > d->options.length) {
        count = without_rest(l, d->options.length);
        d->stream.cut++;
    }
    if (count < 2) return HEED_OK;
    return heed_stream_append_marked(&d->stream, l->ids, l->predicted, count, error);
}

/* Adds the special tokens that the tokenizer puts after a text, taken from the end of the whole. */
static heed_status take_suffix(laid *own, const heed_encoding *whole, heed_error *error)
{
    size_t begin = whole->count;
    while (begin > 0 && whole->special_mask[begin - 1]) begin--;
    size_t count = own->count + whole->count - begin;
    if (!heed_grow(&own->ids, &own->ids_capacity, count + 1, sizeof *own->ids) ||
        !heed_grow(&own->predicted, &own->predicted_capacity, count + 1, 1))
        return heed_fail_memory(error, (count + 1) * sizeof *own->ids, "a conversation");
    for (; begin < whole->count; begin++) {
        own->predicted[own->count] = 0;
        own->ids[own->count++] = whole->ids[begin];
    }
    own->predicted[own->count] = 0;
    return HEED_OK;
}

/* Appends a text of its own for an answer that begins inside a token: the ids that the model will
   read, then the ids that it must write. */
static heed_status append_apart(laid *l, const heed_conversation *c, heed_error *error)
{
    const heed_border *border = &l->border;
    laid own = {.dataset = l->dataset};
    heed_status status = take_ids(&own, border->ids, border->count, error);
    size_t first = border->prompt, end = border->count;
    if (status == HEED_OK && c->plain) status = take_suffix(&own, &l->encoding, error);
    if (status == HEED_OK) memset(own.predicted + first, 1, end - first);
    size_t turn_end = end;
    if (status == HEED_OK && !c->marked && !c->plain) turn_end = find_turn_end(&own, first, end);
    heed_buffer rest = {0};
    if (turn_end < end)
        status = heed_tokenizer_decode(l->dataset->options.tokenizer, own.ids + turn_end,
                                       end - turn_end, false, &rest, error);
    if (status == HEED_OK && turn_end < end && is_blank(rest.data, rest.length))
        memset(own.predicted + turn_end, 0, end - turn_end);
    if (status == HEED_OK) status = append_laid(&own, c, error);
    heed_buffer_free(&rest);
    free(own.ids);
    free(own.predicted);
    return status;
}

/* Marks an answer if the ids of the whole begin with those of the prompt. If a token spans the
   beginning of the answer, the answer becomes a text of its own. If no ids after the prompt's have
   its text, the first token of the answer in the whole is not learned. */
static heed_status take_answer(laid *l, const heed_conversation *c, heed_jinja_span answer,
                               size_t *from, heed_error *error)
{
    const heed_border_place place = {c->text, answer.begin, answer.end, flags_of(c), &l->encoding};
    HEED_TRY(heed_border_read(&l->border, l->dataset->options.tokenizer, &place, error));
    size_t first = mark_answer(l, c, answer, from);
    l->split |= l->border.split;
    if (!l->border.split) return HEED_OK;
    if (!l->border.found) {
        if (first < *from) l->predicted[first] = 0;
        return HEED_OK;
    }
    memset(l->predicted + first, 0, *from - first);
    return append_apart(l, c, error);
}

static heed_status take_conversation(void *context, const heed_conversation *c, heed_error *error)
{
    laid *l = context;
    size_t from = 0;
    HEED_TRY(encode_conversation(l, c, error));
    for (size_t i = 0; i < c->count; i++) HEED_TRY(take_answer(l, c, c->answers[i], &from, error));
    bool apart = c->plain && l->border.split && l->border.found;
    return apart ? HEED_OK : append_laid(l, c, error);
}

/* Counts the record if one of its answers begins inside a token, and keeps the place of the first
   such record. */
static void count_split(heed_dataset *d, laid *l, const char *where)
{
    if (l->split && d->split++ == 0) snprintf(d->split_place, sizeof d->split_place, "%s", where);
    l->split = false;
}

static heed_status tokenize_conversations(heed_dataset *d, heed_error *error)
{
    laid l = {.dataset = d, .encoding.cancel = d->options.cancel};
    const heed_conversation_layout layout = {
        .chat = d->options.chat, .now = d->options.now, .sink = take_conversation, .context = &l};
    heed_status status = HEED_OK;
    size_t done = 0;
    d->packing.whole_texts = true;
    for (size_t i = 0, n = heed_data_count(d->data); i < n && status == HEED_OK; i++) {
        char where[300];
        size_t texts = d->stream.texts;
        heed_text object = heed_data_document(d->data, i);
        heed_data_place(d->data, i, where, sizeof where);
        status = heed_conversation_lay(&layout, object, where, error);
        if (texts == d->stream.texts) d->silent++;
        count_split(d, &l, where);
        done += object.length;
        if (status == HEED_OK && (i % 256 == 0 || i + 1 == n)) status = report(d, done, error);
    }
    heed_encoding_free(&l.encoding);
    heed_border_free(&l.border);
    free(l.ids);
    free(l.predicted);
    if (status == HEED_OK && d->stream.texts == 0)
        status = heed_fail(error, HEED_E_ARG,
                           "none of the %zu conversations has an answer to learn within %zu "
                           "tokens: expected messages of the role \"assistant\", or "
                           "a longer context",
                           heed_data_count(d->data), d->options.length);
    return status;
}

static heed_status check_kind(const heed_dataset *d, heed_data_kind kind, heed_error *error)
{
    static const char *const kinds[] = {[HEED_DATA_DOCUMENTS] = "documents",
                                        [HEED_DATA_PAIRS] = "pairs",
                                        [HEED_DATA_CONVERSATIONS] = "conversations",
                                        [HEED_DATA_TOKENS] = "tokens"};
    const heed_objective *objective = d->options.objective;
    bool is_clm = objective == &heed_objective_clm;
    bool fits = (kind == HEED_DATA_PAIRS) == objective->pairs;
    if (kind == HEED_DATA_PAIRS) fits = objective->pairs || objective->pairs_too;
    if (kind == HEED_DATA_CONVERSATIONS) fits = is_clm;
    if (fits) return HEED_OK;
    const char *wanted = "documents or tokens";
    if (is_clm) wanted = "documents, conversations or tokens";
    if (objective->pairs_too) wanted = "documents, pairs or tokens";
    if (objective->pairs)
        wanted = "pairs (.tsv, .jsonl with source and target, two files with --pairs)";
    return heed_fail(error, HEED_E_ARG, "objective %s trains on %s, the data holds %s",
                     objective->name, wanted, kinds[kind]);
}

heed_status heed_dataset_tokenize(heed_dataset *d, heed_error *error)
{
    heed_data_kind kind = heed_data_kind_of(d->data);
    HEED_TRY(check_kind(d, kind, error));
    if (kind == HEED_DATA_TOKENS)
        return heed_stream_open_shards(&d->stream, d->data, d->text.end,
                                       (uint32_t)d->options.config->vocabulary, error);
    if (d->text.tokenizer == NULL)
        return heed_fail(error, HEED_E_ARG,
                         "texts need a tokenizer: give --tokenizer char or a folder that has one");
    if (heed_tokenizer_base_limit(d->text.tokenizer) > d->options.config->vocabulary)
        return heed_fail(error, HEED_E_ARG,
                         "the tokenizer has ids up to %d, the model only %lld rows of embeddings: "
                         "they do not belong together",
                         (int)heed_tokenizer_base_limit(d->text.tokenizer) - 1,
                         (long long)d->options.config->vocabulary);
    if (kind == HEED_DATA_CONVERSATIONS) return tokenize_conversations(d, error);
    heed_encoding scratch = {.cancel = d->options.cancel};
    heed_status status;
    if (kind == HEED_DATA_PAIRS) status = tokenize_pairs(d, &scratch, error);
    else status = tokenize_documents(d, &scratch, error);
    heed_encoding_free(&scratch);
    return status;
}
