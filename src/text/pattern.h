/* pattern.h: what Split, Replace and ByteLevel search for. Three ways: a literal string; a
   hand-written matcher for the regular expressions that published models ship, linear on any text;
   PCRE2 for all others, in Oniguruma's meaning (the library's engine), under match, depth and heap
   limits. Immutable once made. */
#ifndef HEED_TEXT_PATTERN_H
#define HEED_TEXT_PATTERN_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>

typedef struct heed_pattern heed_pattern;

/* `text` is a regular expression or a literal string. HEED_E_UNSUPPORTED when PCRE2 cannot express
   or compile it. */
heed_status heed_pattern_new(heed_pattern **pattern, const char *text, size_t length, bool is_regex,
                             const char *where, heed_error *error);
void heed_pattern_free(heed_pattern *pattern); /* NULL is fine */

/* Called in order for contiguous parts that cover the text: matches, and what lies between them.
   Matches may be empty. */
typedef void heed_match_sink(void *context, size_t begin, size_t end, bool is_match);
/* HEED_E_UNSUPPORTED when PCRE2 exceeds its limits on this text. */
heed_status heed_pattern_scan(const heed_pattern *pattern, const char *text, size_t length,
                              heed_match_sink *sink, void *context, heed_error *error);

/* Bytes of a literal string; 0 for a regular expression. */
size_t heed_pattern_literal_length(const heed_pattern *pattern);

/* GPT-2's split into words, the one that ByteLevel applies. */
extern const char heed_gpt2_pattern[];

/* ---- parts ---- */

/* pattern_words.c: length of the match at text[at], 0 when there is none there. */
typedef struct heed_word_rules heed_word_rules;
/* NULL: not a shipped pattern */
const heed_word_rules *heed_word_rules_find(const char *pattern, size_t length);
size_t heed_word_match(const heed_word_rules *rules, const char *text, size_t at, size_t length);

/* pattern_translate.c: Oniguruma's syntax (Ruby) to PCRE2's. Appends to `out`. */
struct heed_buffer;
heed_status heed_pattern_translate(const char *text, size_t length, struct heed_buffer *out,
                                   const char *where, heed_error *error);

#endif
