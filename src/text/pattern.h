/* pattern.h: the patterns that the stages Split, Replace and ByteLevel search for. A pattern is one
   of
   - a literal string;
   - a regular expression of a published model that a hand-written matcher implements in linear
     time;
   - any other regular expression, translated from the syntax of Oniguruma, the library's engine,
     and
   run by PCRE2 under limits for matches, depth and memory. A pattern is immutable once made. */
#ifndef HEED_TEXT_PATTERN_H
#define HEED_TEXT_PATTERN_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>

typedef struct heed_pattern heed_pattern;

/* Compiles a pattern: `text` is a regular expression or a literal string. HEED_E_UNSUPPORTED if it
   cannot be translated or PCRE2 cannot compile it. The caller frees *pattern. */
heed_status heed_pattern_new(heed_pattern **pattern, const char *text, size_t length, bool is_regex,
                             const char *where, heed_error *error);
void heed_pattern_free(heed_pattern *pattern); /* NULL is allowed */

/* Called for contiguous parts that cover the text, in order: matches, and the text between them. A
   match may be empty. */
typedef void heed_match_sink(void *context, size_t begin, size_t end, bool is_match);
/* Finds all matches in a text and passes its parts to `sink`. HEED_E_UNSUPPORTED if PCRE2 exceeds
   its limits on this text. */
heed_status heed_pattern_scan(const heed_pattern *pattern, const char *text, size_t length,
                              heed_match_sink *sink, void *context, heed_error *error);

/* Returns the bytes of a literal string, 0 for a regular expression. */
size_t heed_pattern_literal_length(const heed_pattern *pattern);

/* GPT-2's regular expression for words, which ByteLevel applies. */
extern const char heed_gpt2_pattern[];

/* ---- parts ---- */

/* pattern_words.c: the hand-written matchers. */
typedef struct heed_word_rules heed_word_rules;
/* Returns the matcher of a regular expression, NULL if there is none. */
const heed_word_rules *heed_word_rules_find(const char *pattern, size_t length);
/* Returns the length of the match that begins at text[at], 0 if there is none. */
size_t heed_word_match(const heed_word_rules *rules, const char *text, size_t at, size_t length);

/* pattern_translate.c: translates a regular expression from Oniguruma's syntax (Ruby) to PCRE2's
   and appends it to `out`. HEED_E_UNSUPPORTED for constructs without a counterpart. */
struct heed_buffer;
heed_status heed_pattern_translate(const char *text, size_t length, struct heed_buffer *out,
                                   const char *where, heed_error *error);

#endif
