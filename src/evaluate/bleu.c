/* bleu.c: the 13a tokenizer, and clipped matches of n-grams. */
#include "evaluate/bleu.h"
#include "base/memory.h"
#include "base/utf8.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the 13a tokenizer ---- */

/* Text as code points. Rules look one character back or ahead. */
typedef struct points {
    uint32_t *at;
    size_t count, capacity;
    bool failed;
} points;

static void put(points *out, uint32_t point)
{
    if (out->failed || !heed_grow(&out->at, &out->capacity, out->count + 1, sizeof *out->at)) {
        out->failed = true;
        return;
    }
    out->at[out->count++] = point;
}

/* Appends a character between two blanks. */
static void put_apart(points *out, uint32_t point)
{
    put(out, ' ');
    put(out, point);
    put(out, ' ');
}

static bool is_digit(uint32_t point)
{
    return point >= '0' && point <= '9';
}

/* Is this a full stop or a comma? */
static bool is_stop(uint32_t point)
{
    return point == '.' || point == ',';
}

/* Is this an ASCII sign that always stands alone? These are all but letters, digits, apostrophe,
   comma, hyphen and full stop. */
static bool is_sign(uint32_t point)
{
    return (point >= '{' && point <= '~') || (point >= '[' && point <= '`') ||
           (point >= ' ' && point <= '&') || (point >= '(' && point <= '+') ||
           (point >= ':' && point <= '@') || point == '/';
}

/* Is this white space for str.split() in Python? */
static bool is_space(uint32_t point)
{
    return (point >= 9 && point <= 13) || (point >= 28 && point <= 32) || point == 0x85 ||
           point == 0xA0 || point == 0x1680 || (point >= 0x2000 && point <= 0x200A) ||
           point == 0x2028 || point == 0x2029 || point == 0x202F || point == 0x205F ||
           point == 0x3000;
}

/* Puts signs apart. */
static void rule_signs(const points *in, points *out)
{
    for (size_t i = 0; i < in->count; i++) {
        if (is_sign(in->at[i])) put_apart(out, in->at[i]);
        else put(out, in->at[i]);
    }
}

/* Puts a full stop or comma apart from the character before it, unless that is a digit. */
static void rule_after_non_digit(const points *in, points *out)
{
    for (size_t i = 0; i < in->count; i++) {
        put(out, in->at[i]);
        if (!is_digit(in->at[i]) && i + 1 < in->count && is_stop(in->at[i + 1]))
            put_apart(out, in->at[++i]);
    }
}

/* Puts a full stop or comma apart from the character after it, unless that is a digit. */
static void rule_before_non_digit(const points *in, points *out)
{
    for (size_t i = 0; i < in->count; i++) {
        if (!is_stop(in->at[i]) || i + 1 == in->count || is_digit(in->at[i + 1])) {
            put(out, in->at[i]);
        } else {
            put_apart(out, in->at[i]);
            put(out, in->at[++i]);
        }
    }
}

/* Puts a hyphen apart from a digit before it. */
static void rule_hyphen(const points *in, points *out)
{
    for (size_t i = 0; i < in->count; i++) {
        put(out, in->at[i]);
        if (is_digit(in->at[i]) && i + 1 < in->count && in->at[i + 1] == '-')
            put_apart(out, in->at[++i]);
    }
}

/* Rules of the tokenizer in the order in which they are applied. */
typedef void tokenize_rule(const points *in, points *out);
static tokenize_rule *const rules[] = {rule_signs, rule_after_non_digit, rule_before_non_digit,
                                       rule_hyphen};

typedef struct replacement {
    const char *from, *to;
} replacement;

/* Appends a text with every occurrence of rule->from replaced by rule->to. */
static void replace(const heed_buffer *in, const replacement *rule, heed_buffer *out)
{
    size_t length = strlen(rule->from);
    for (size_t i = 0; i < in->length;) {
        bool here = in->length - i >= length && memcmp(in->data + i, rule->from, length) == 0;
        if (here) heed_buffer_text(out, rule->to);
        else heed_buffer_byte(out, in->data[i]);
        i += here ? length : 1;
    }
}

/* Removes white space at the end, replaces entities by characters and puts a blank at either end.
   Returns false if memory is out. */
static bool prepare(const char *text, size_t length, points *out)
{
    static const replacement replacements[] = {
        {"<skipped>", ""}, {"-\n", ""},   {"\n", " "},   {"&quot;", "\""},
        {"&amp;", "&"},    {"&lt;", "<"}, {"&gt;", ">"},
    };
    heed_buffer buffers[2] = {{0}};
    size_t end = 0, at = 0, now = 0;
    while (at < length) {
        uint32_t point;
        at += heed_utf8_next(text + at, length - at, &point, NULL);
        if (!is_space(point)) end = at;
    }
    heed_buffer_append(&buffers[0], text, end);
    for (size_t i = 0; i < sizeof replacements / sizeof replacements[0]; i++, now = 1 - now) {
        heed_buffer_clear(&buffers[1 - now]);
        replace(&buffers[now], &replacements[i], &buffers[1 - now]);
    }
    put(out, ' ');
    for (at = 0; at < buffers[now].length;) {
        uint32_t point;
        at += heed_utf8_next(buffers[now].data + at, buffers[now].length - at, &point, NULL);
        put(out, point);
    }
    put(out, ' ');
    bool good = !buffers[0].failed && !buffers[1].failed && !out->failed;
    heed_buffer_free(&buffers[0]);
    heed_buffer_free(&buffers[1]);
    return good;
}

/* Applies all rules; the caller frees result->at. Returns false if memory is out. */
static bool tokenize_points(const char *text, size_t length, points *result)
{
    points in = {0}, out = {0};
    bool good = prepare(text, length, &in);
    for (size_t i = 0; good && i < sizeof rules / sizeof rules[0]; i++) {
        out.count = 0;
        rules[i](&in, &out);
        good = !out.failed;
        points swap = in;
        in = out;
        out = swap;
    }
    free(out.at);
    *result = in;
    return good;
}

void heed_bleu_tokenize_13a(const char *text, size_t length, heed_buffer *out)
{
    points tokens;
    if (!tokenize_points(text, length, &tokens)) out->failed = true;
    bool pending = false, first = true;
    for (size_t i = 0; i < tokens.count; i++) {
        if (is_space(tokens.at[i])) {
            pending = true;
            continue;
        }
        if (pending && !first) heed_buffer_byte(out, ' ');
        char bytes[4];
        heed_buffer_append(out, bytes, heed_utf8_put(tokens.at[i], bytes));
        pending = first = false;
    }
    free(tokens.at);
}

/* ---- n-grams ---- */

/* A segment's tokens. Equal tokens have equal ids. */
typedef struct token {
    const char *text;
    size_t length;
} token;
typedef struct segment {
    heed_buffer text;
    token *tokens;
    int32_t *ids;
    size_t count, capacity;
} segment;

/* Tokenizes a segment. Returns false if memory is out. */
static bool segment_make(segment *segment, const char *text, size_t length)
{
    heed_bleu_tokenize_13a(text, length, &segment->text);
    if (segment->text.failed) return false;
    size_t at = 0;
    while (at < segment->text.length) {
        const char *begin = segment->text.data + at,
                   *end = memchr(begin, ' ', segment->text.length - at);
        size_t count = end ? (size_t)(end - begin) : segment->text.length - at;
        if (!heed_grow(&segment->tokens, &segment->capacity, segment->count + 1,
                       sizeof *segment->tokens))
            return false;
        segment->tokens[segment->count++] = (token){begin, count};
        at += count + 1;
    }
    return true;
}

static void segment_free(segment *segment)
{
    heed_buffer_free(&segment->text);
    free(segment->tokens);
    free(segment->ids);
}

/* A token and the place of its id. */
typedef struct numbered {
    const token *token;
    int32_t *id;
} numbered;

static int compare_tokens(const void *a, const void *b)
{
    const token *x = ((const numbered *)a)->token, *y = ((const numbered *)b)->token;
    int order = memcmp(x->text, y->text, x->length < y->length ? x->length : y->length);
    return order ? order : (x->length > y->length) - (x->length < y->length);
}

/* Gives the tokens of both segments their ids. Returns false if memory is out. */
static bool number_tokens(segment *a, segment *b)
{
    size_t count = a->count + b->count;
    numbered *all = heed_allocate(count + 1, sizeof *all);
    a->ids = heed_allocate(a->count + 1, sizeof(int32_t));
    b->ids = heed_allocate(b->count + 1, sizeof(int32_t));
    bool good = all && a->ids && b->ids;
    if (good) {
        for (size_t i = 0; i < a->count; i++) all[i] = (numbered){&a->tokens[i], &a->ids[i]};
        for (size_t i = 0; i < b->count; i++)
            all[a->count + i] = (numbered){&b->tokens[i], &b->ids[i]};
        qsort(all, count, sizeof *all, compare_tokens);
        int32_t id = 0;
        for (size_t i = 0; i < count; i++)
            *all[i].id = i && compare_tokens(&all[i - 1], &all[i]) ? ++id : id;
    }
    free(all);
    return good;
}

typedef struct ngram {
    int32_t ids[HEED_BLEU_ORDER];
} ngram;

static int compare_ngrams(const void *a, const void *b)
{
    const ngram *x = a, *y = b;
    for (int i = 0; i < HEED_BLEU_ORDER; i++)
        if (x->ids[i] != y->ids[i]) return x->ids[i] < y->ids[i] ? -1 : 1;
    return 0;
}

/* Writes the n-grams of a segment to `out` in sorted order; places after the n-th are -1. Returns
   their number. */
static size_t sorted_ngrams(const segment *segment, size_t n, ngram *out)
{
    size_t count = segment->count < n ? 0 : segment->count - n + 1;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < HEED_BLEU_ORDER; k++)
            out[i].ids[k] = k < n ? segment->ids[i + k] : -1;
    qsort(out, count, sizeof *out, compare_ngrams);
    return count;
}

/* Counts matches in two sorted lists: an n-gram matches as often as both lists hold it. */
static int64_t count_matches(const ngram *a, size_t a_count, const ngram *b, size_t b_count)
{
    int64_t matches = 0;
    for (size_t i = 0, j = 0; i < a_count && j < b_count;) {
        int order = compare_ngrams(&a[i], &b[j]);
        matches += order == 0;
        i += order <= 0;
        j += order >= 0;
    }
    return matches;
}

heed_status heed_bleu_add(heed_bleu *bleu, const char *hypothesis, size_t hypothesis_length,
                          const char *reference, size_t reference_length, heed_error *error)
{
    segment ours = {0}, theirs = {0};
    ngram *our_ngrams = NULL, *their_ngrams = NULL;
    bool good = segment_make(&ours, hypothesis, hypothesis_length) &&
                segment_make(&theirs, reference, reference_length) &&
                number_tokens(&ours, &theirs) &&
                (our_ngrams = heed_allocate(ours.count + 1, sizeof(ngram))) &&
                (their_ngrams = heed_allocate(theirs.count + 1, sizeof(ngram)));
    for (size_t n = 1; good && n <= HEED_BLEU_ORDER; n++) {
        size_t our_count = sorted_ngrams(&ours, n, our_ngrams),
               their_count = sorted_ngrams(&theirs, n, their_ngrams);
        bleu->total[n - 1] += (int64_t)our_count;
        bleu->matches[n - 1] += count_matches(our_ngrams, our_count, their_ngrams, their_count);
    }
    if (good) {
        bleu->hypothesis_length += (int64_t)ours.count;
        bleu->reference_length += (int64_t)theirs.count;
    }
    segment_free(&ours);
    segment_free(&theirs);
    free(our_ngrams);
    free(their_ngrams);
    return good ? HEED_OK
                : heed_fail_memory(error, hypothesis_length + reference_length, "counting n-grams");
}

double heed_bleu_finish(heed_bleu *bleu)
{
    double ours = (double)bleu->hypothesis_length, theirs = (double)bleu->reference_length, sum = 0,
           smooth = 1;
    bleu->brevity = 1;
    if (ours < theirs) bleu->brevity = ours > 0 ? exp(1 - theirs / ours) : 0;
    bool any = false, complete = true;
    for (int n = 0; n < HEED_BLEU_ORDER; n++) {
        any |= bleu->matches[n] > 0;
        bleu->precision[n] = 0;
    }
    for (int n = 0; any && n < HEED_BLEU_ORDER; n++) {
        complete &= bleu->total[n] > 0;
        if (!complete) break;
        if (bleu->matches[n] == 0) smooth *= 2;
        bleu->precision[n] = bleu->matches[n]
                                 ? 100. * (double)bleu->matches[n] / (double)bleu->total[n]
                                 : 100. / (smooth * (double)bleu->total[n]);
        sum += log(bleu->precision[n]);
    }
    bleu->score = any && complete ? bleu->brevity * exp(sum / HEED_BLEU_ORDER) : 0;
    return bleu->score;
}
