/* pattern.c: literal strings and regular expressions (pattern.h). */
#define _GNU_SOURCE /* memmem, which takes linear time */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "text/pattern.h"

#include "base/buffer.h"
#include "base/memory.h"
#include "text/pieces.h"
#include <pcre2.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

const char heed_gpt2_pattern[] =
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

enum {
    LONGEST_PATTERN = 1 << 16,
    MATCH_LIMIT = 50000000,
    DEPTH_LIMIT = 100000,
    HEAP_LIMIT_KIB = 64 << 10
};

struct heed_pattern {
    const heed_word_rules *rules; /* a hand-written matcher, NULL for none */
    pcre2_code *code;             /* else a compiled regular expression */
    char *literal;                /* else a literal string, never empty */
    size_t length;
};

/* Translates and compiles a regular expression. */
static heed_status compile(heed_pattern *pattern, const char *text, size_t length,
                           const char *where, heed_error *error)
{
    heed_buffer translated = {0};
    heed_buffer_append(&translated, "", 0);
    heed_status status = heed_pattern_translate(text, length, &translated, where, error);
    pcre2_compile_context *context = status == HEED_OK ? pcre2_compile_context_create(NULL) : NULL;
    if (status == HEED_OK && !context)
        status = heed_fail_memory(error, length, "a regular expression");
    if (status == HEED_OK) {
        int code = 0;
        PCRE2_SIZE offset = 0;
        pcre2_set_parens_nest_limit(context, 100);
        pattern->code = pcre2_compile((PCRE2_SPTR)translated.data, translated.length,
                                      PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE |
                                          PCRE2_NEVER_BACKSLASH_C,
                                      &code, &offset, context);
        if (!pattern->code) {
            PCRE2_UCHAR message[128] = "";
            pcre2_get_error_message(code, message, sizeof message);
            status = heed_fail(
                error, HEED_E_UNSUPPORTED,
                "%s: regular expression \"%.100s\": %s (PCRE2, byte %zu of its form of it)", where,
                text, (const char *)message, (size_t)offset);
        }
    }
    pcre2_compile_context_free(context);
    heed_buffer_free(&translated);
    return status;
}

heed_status heed_pattern_new(heed_pattern **result, const char *text, size_t length, bool is_regex,
                             const char *where, heed_error *error)
{
    *result = NULL;
    if (length > LONGEST_PATTERN)
        return heed_fail(error, HEED_E_UNSUPPORTED,
                         "%s: a pattern of %zu bytes, expected at most %d", where, length,
                         (int)LONGEST_PATTERN);
    heed_pattern *pattern = heed_allocate(1, sizeof *pattern);
    if (!pattern) return heed_fail_memory(error, sizeof *pattern, "a pattern");
    heed_status status = HEED_OK;
    pattern->length = length;
    if (is_regex) pattern->rules = heed_word_rules_find(text, length);
    if (!is_regex && length) {
        pattern->literal = heed_allocate(length, 1);
        if (pattern->literal) memcpy(pattern->literal, text, length);
        else status = heed_fail_memory(error, length, "a pattern");
    } else if (!pattern->rules) status = compile(pattern, text, length, where, error);
    if (status == HEED_OK) *result = pattern;
    else heed_pattern_free(pattern);
    return status;
}

void heed_pattern_free(heed_pattern *pattern)
{
    if (!pattern) return;
    pcre2_code_free(pattern->code);
    free(pattern->literal);
    free(pattern);
}

size_t heed_pattern_literal_length(const heed_pattern *pattern)
{
    return pattern->literal ? pattern->length : 0;
}

/* The state of a search. */
typedef struct {
    const heed_pattern *pattern;
    const char *text;
    size_t length;
    heed_match_sink *sink;
    void *context;
    size_t previous; /* where the last match ended */
} scan;

/* Passes on the text before a match, then the match. */
static void emit(scan *s, size_t begin, size_t end)
{
    if (s->previous != begin) s->sink(s->context, s->previous, begin, false);
    s->sink(s->context, begin, end, true);
    s->previous = end;
}

static void scan_words(scan *s)
{
    for (size_t at = 0; at < s->length;) {
        size_t matched = heed_word_match(s->pattern->rules, s->text, at, s->length);
        if (matched) emit(s, at, at + matched);
        at += matched ? matched : heed_utf8_size(s->text[at]);
    }
}

static void scan_literal(scan *s)
{
    const heed_pattern *pattern = s->pattern;
    const char *end = s->text + s->length, *at = s->text;
    while ((at = memmem(at, (size_t)(end - at), pattern->literal, pattern->length))) {
        size_t begin = (size_t)(at - s->text);
        emit(s, begin, begin + pattern->length);
        at += pattern->length;
    }
}

static heed_status fail_match(int code, heed_error *error)
{
    PCRE2_UCHAR message[128] = "";
    pcre2_get_error_message(code, message, sizeof message);
    if (code == PCRE2_ERROR_NOMEMORY)
        return heed_fail_memory(error, HEAP_LIMIT_KIB * 1024u, "matching a regular expression");
    return heed_fail(error, HEED_E_UNSUPPORTED,
                     "the tokenizer's regular expression cannot be matched against this text "
                     "(PCRE2: %s); shorten the text's lines",
                     (const char *)message);
}

/* Finds all matches with PCRE2. After an empty match the search continues at the next character. */
static heed_status match_all(scan *s, pcre2_match_data *data, pcre2_match_context *limits,
                             heed_error *error)
{
    bool any = false;
    for (size_t at = 0; at <= s->length;) {
        int found = pcre2_match(s->pattern->code, (PCRE2_SPTR)s->text, s->length, at,
                                PCRE2_NO_UTF_CHECK, data, limits);
        if (found == PCRE2_ERROR_NOMATCH) break;
        if (found < 0) return fail_match(found, error);
        const PCRE2_SIZE *place = pcre2_get_ovector_pointer(data);
        size_t begin = place[0], end = place[1];
        /* only \K in a lookaround leads here */
        if (begin > end || begin < s->previous) return fail_match(PCRE2_ERROR_INTERNAL, error);
        bool empty = begin == end;
        /* An empty match directly after a match is ignored, as in the library. */
        if (!empty || !any || begin != s->previous) emit(s, begin, end);
        any = true;
        at = end;
        if (!empty) continue;
        if (end == s->length) break;
        at += heed_utf8_size(s->text[end]);
    }
    return HEED_OK;
}

static heed_status scan_regex(scan *s, heed_error *error)
{
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    pcre2_match_context *limits = pcre2_match_context_create(NULL);
    heed_status status = HEED_OK;
    if (data && limits) {
        pcre2_set_match_limit(limits, MATCH_LIMIT);
        pcre2_set_depth_limit(limits, DEPTH_LIMIT);
        pcre2_set_heap_limit(limits, HEAP_LIMIT_KIB);
        status = match_all(s, data, limits, error);
    } else status = heed_fail_memory(error, s->length, "matching a regular expression");
    pcre2_match_context_free(limits);
    pcre2_match_data_free(data);
    return status;
}

heed_status heed_pattern_scan(const heed_pattern *pattern, const char *text, size_t length,
                              heed_match_sink *sink, void *context, heed_error *error)
{
    scan s = {pattern, text, length, sink, context, 0};
    if (!length) return HEED_OK;
    if (pattern->rules) scan_words(&s);
    else if (pattern->literal) scan_literal(&s);
    else HEED_TRY(scan_regex(&s, error));
    if (s.previous != length) sink(context, s.previous, length, false);
    return HEED_OK;
}
