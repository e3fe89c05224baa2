/* pattern_words.c: hand-written matchers for the regular expressions of published models. They take
   linear time on any text and match exactly what the regular expressions match. */
#include "text/pattern.h"

#include "text/pieces.h"
#include "base/unicode.h"
#include <stdint.h>
#include <string.h>

/* The known regular expressions form one family: alternatives for contractions, letters, numbers,
   other signs and white space, tried in this order. The record says how they differ. X stands for a
   letter, and other signs are characters that are neither letters nor numbers nor white space. */
typedef enum {
    NO_CONTRACTIONS,
    EXACT_CONTRACTIONS,
    CONTRACTIONS,
    CONTRACTIONS_AFTER_WORDS
} contractions_kind;
typedef enum {
    BARE,        /* X+ */
    AFTER_SPACE, /* " ?X+" */
    AFTER_ANY,   /* [^\r\n\p{L}\p{N}]?X+ */
    /* AFTER_ANY with words by case: [capitals]*[small]+ or [capitals]+[small]*. Marks and letters
       without case belong to both classes. */
    BY_CASE
} letters_kind;

struct heed_word_rules {
    const char *pattern;
    const char *literals[2];        /* literal strings that are tried first */
    contractions_kind contractions; /* CONTRACTIONS_AFTER_WORDS only with BY_CASE */
    letters_kind letters;
    /* digits of a match; 0 for any number of them, after an optional space */
    int number_max;
    bool sign_after_space; /* an optional space belongs to other signs */
    const char *tail;      /* characters that may follow other signs in the same match */
    bool line_ends;        /* has the alternative \s*[\r\n]+ */
    bool blanks;           /* has the alternatives \s+(?!\S)|\s+ */
    /* BLOOM: a match consists of all characters but white space and these; there are no other
       alternatives */
    const char *apart;
};

#define GPT2_WORDS " ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define ANY_CASE_CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define TAILED_SIGNS_AND_BLANKS " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define CLIP_WORDS "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+"
#define CAPITALS "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define SMALL "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define ANY_PREFIX "[^\\r\\n\\p{L}\\p{N}]?"

static const heed_word_rules shipped[] = {
    /* GPT-2, RoBERTa, Whisper and others */
    {.pattern = "'s|'t|'re|'ve|'m|'ll|'d|" GPT2_WORDS,
     .contractions = EXACT_CONTRACTIONS,
     .letters = AFTER_SPACE,
     .sign_after_space = true,
     .blanks = true},
    {.pattern = "'(?:[sdmt]|ll|ve|re)|" GPT2_WORDS,
     .contractions = EXACT_CONTRACTIONS,
     .letters = AFTER_SPACE,
     .sign_after_space = true,
     .blanks = true},
    /* Llama 3, cl100k */
    {.pattern = ANY_CASE_CONTRACTIONS "|" ANY_PREFIX "\\p{L}+|\\p{N}{1,3}|" TAILED_SIGNS_AND_BLANKS,
     .contractions = CONTRACTIONS,
     .letters = AFTER_ANY,
     .number_max = 3,
     .sign_after_space = true,
     .tail = "\r\n",
     .line_ends = true,
     .blanks = true},
    /* Qwen 2 and 3 */
    {.pattern = ANY_CASE_CONTRACTIONS "|" ANY_PREFIX "\\p{L}+|\\p{N}|" TAILED_SIGNS_AND_BLANKS,
     .contractions = CONTRACTIONS,
     .letters = AFTER_ANY,
     .number_max = 1,
     .sign_after_space = true,
     .tail = "\r\n",
     .line_ends = true,
     .blanks = true},
    /* GPT-4o, gpt-oss */
    {.pattern = ANY_PREFIX CAPITALS
     "*" SMALL "+" ANY_CASE_CONTRACTIONS "?|" ANY_PREFIX CAPITALS "+" SMALL
     "*" ANY_CASE_CONTRACTIONS
     "?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
     .contractions = CONTRACTIONS_AFTER_WORDS,
     .letters = BY_CASE,
     .number_max = 3,
     .sign_after_space = true,
     .tail = "\r\n/",
     .line_ends = true,
     .blanks = true},
    /* Mistral's tekken */
    {.pattern = ANY_PREFIX CAPITALS "*" SMALL "+|" ANY_PREFIX CAPITALS "+" SMALL
                                    "*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|"
                                    "\\s+(?!\\S)|\\s+",
     .letters = BY_CASE,
     .number_max = 1,
     .sign_after_space = true,
     .tail = "\r\n/",
     .line_ends = true,
     .blanks = true},
    /* CLIP */
    {.pattern = CLIP_WORDS, .contractions = EXACT_CONTRACTIONS, .letters = BARE, .number_max = 1},
    {.pattern = "<\\|startoftext\\|>|<\\|endoftext\\|>|" CLIP_WORDS,
     .literals = {"<|startoftext|>", "<|endoftext|>"},
     .contractions = EXACT_CONTRACTIONS,
     .letters = BARE,
     .number_max = 1},
    /* BLOOM */
    {.pattern = " ?[^(\\s|[.,!?\u2026\u3002,\u3001\u0964\u06d4\u060c])]+",
     .apart = "(|.,!?\u2026\u3002\u3001\u0964\u06d4\u060c)"},
    {.pattern = " ?[^(\\s|[.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c])]+",
     .apart = "(|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)"},
};

const heed_word_rules *heed_word_rules_find(const char *pattern, size_t length)
{
    for (size_t i = 0; i < sizeof shipped / sizeof *shipped; i++)
        if (strlen(shipped[i].pattern) == length &&
            memcmp(shipped[i].pattern, pattern, length) == 0)
            return &shipped[i];
    return NULL;
}

/* Other signs have none of these bits. */
enum { SIGN = HEED_CHAR_LETTER | HEED_CHAR_NUMBER | HEED_CHAR_SPACE };

/* Returns the end of the run from `at` of characters that have one of the bits, or with `has` false
   none of them. */
static size_t run_end(const char *text, size_t at, size_t length, unsigned bits, bool has)
{
    while (at < length) {
        size_t size;
        if (((heed_char_class(heed_utf8_at(text, at, &size)) & bits) != 0) != has) break;
        at += size;
    }
    return at;
}

/* Returns the class of the character at `at`; the end of the text counts as white space. */
static unsigned class_at(const char *text, size_t at, size_t length)
{
    size_t size;
    return at < length ? heed_char_class(heed_utf8_at(text, at, &size)) : HEED_CHAR_SPACE;
}

/* Returns the length of a contraction such as 's at `at`, 0 if there is none. */
static size_t contraction(const char *text, size_t at, size_t length, bool any_case)
{
    static const char *const endings[] = {"s", "t", "re", "ve", "m", "ll", "d"};
    if (at >= length || text[at] != '\'') return 0;
    /* The long s folds to s. */
    if (any_case && length - at > 2 && memcmp(text + at + 1, "\u017f", 2) == 0) return 3;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t size = strlen(endings[i]), same = 0;
        if (length - at - 1 < size) continue;
        while (same < size &&
               (char)(text[at + 1 + same] | (any_case ? 0x20 : 0)) == endings[i][same])
            same++;
        if (same == size) return 1 + size;
    }
    return 0;
}

/* Returns the end of [capitals]*[small]+ from `at`. If that does not match, and unless
   `small_needed` is set, returns the end of [capitals]+[small]*. Returns `at` if nothing matches.
   Letters without case and marks belong to both classes: if nothing small follows the capitals, the
   match ends after the last such character. */
static size_t cased_word_end(const char *text, size_t at, size_t length, bool small_needed)
{
    enum { BOTH = HEED_CHAR_CASELESS | HEED_CHAR_MARK };
    size_t end = at, last_small_end = at;
    while (end < length) {
        size_t size;
        unsigned class = heed_char_class(heed_utf8_at(text, end, &size));
        if (!(class & (HEED_CHAR_UPPER | BOTH))) break;
        end += size;
        if (class & BOTH) last_small_end = end;
    }
    size_t small_end = run_end(text, end, length, HEED_CHAR_LOWER | BOTH, true);
    if (small_end > end) return small_end;
    return last_small_end > at || small_needed ? last_small_end : end;
}

/* Matches the two alternatives of BY_CASE after an optional prefix. It tries the first alternative
   with and then without the prefix, then the second alternative with the prefix. */
static size_t match_cased(const heed_word_rules *rules, const char *text, size_t at, size_t prefix,
                          size_t length)
{
    bool contracted = rules->contractions == CONTRACTIONS_AFTER_WORDS;
    const struct {
        size_t begin;
        bool small_needed;
    } tries[] = {{at + prefix, true}, {at, true}, {at + prefix, false}};
    /* Without a prefix the last attempt covers both alternatives. */
    for (size_t i = prefix ? 0 : 2; i < 3; i++) {
        size_t end = cased_word_end(text, tries[i].begin, length, tries[i].small_needed);
        if (end > tries[i].begin)
            return end + (contracted ? contraction(text, end, length, true) : 0) - at;
    }
    return 0;
}

static size_t match_letters(const heed_word_rules *rules, const char *text, size_t at,
                            size_t length)
{
    size_t size;
    uint32_t first = heed_utf8_at(text, at, &size);
    bool prefix = rules->letters == AFTER_SPACE
                      ? first == ' '
                      : rules->letters != BARE && first != '\r' && first != '\n' &&
                            !(heed_char_class(first) & (HEED_CHAR_LETTER | HEED_CHAR_NUMBER));
    if (rules->letters == BY_CASE) return match_cased(rules, text, at, prefix ? size : 0, length);
    size_t begin = prefix ? at + size : at,
           end = run_end(text, begin, length, HEED_CHAR_LETTER, true);
    return end > begin ? end - at : 0;
}

/* Matches up to number_max digits, or any number of them after an optional space. */
static size_t match_number(const heed_word_rules *rules, const char *text, size_t at, size_t length)
{
    size_t begin = at, size;
    if (rules->number_max == 0) {
        if (text[at] == ' ') begin++;
        size_t end = run_end(text, begin, length, HEED_CHAR_NUMBER, true);
        return end > begin ? end - at : 0;
    }
    size_t end = at;
    for (int i = 0; i < rules->number_max && (class_at(text, end, length) & HEED_CHAR_NUMBER);
         i++) {
        heed_utf8_at(text, end, &size);
        end += size;
    }
    return end - at;
}

static size_t match_signs(const heed_word_rules *rules, const char *text, size_t at, size_t length)
{
    size_t begin = at + (rules->sign_after_space && text[at] == ' ');
    size_t end = run_end(text, begin, length, SIGN, false);
    if (end == begin) return 0;
    while (rules->tail && end < length && text[end] && strchr(rules->tail, text[end])) end++;
    return end - at;
}

/* Matches the alternatives for white space. */
static size_t match_blanks(const heed_word_rules *rules, const char *text, size_t at, size_t length)
{
    /* `last` is where the last white space begins */
    size_t end = at, last = at, after_line_end = 0;
    while (end < length) {
        size_t size;
        if (!heed_char_is_space(heed_utf8_at(text, end, &size))) break;
        last = end;
        end += size;
        if (text[last] == '\r' || text[last] == '\n') after_line_end = end;
    }
    if (rules->line_ends && after_line_end) return after_line_end - at;
    if (!rules->blanks) return 0;
    /* \s+(?!\S) leaves the last white space before a word to the word. */
    return (end == length || last == at ? end : last) - at;
}

/* Matches BLOOM's pattern. */
static size_t match_apart(const char *apart, const char *text, size_t at, size_t length)
{
    size_t end = at + (text[at] == ' '), begin = end;
    while (end < length) {
        size_t size;
        if (heed_char_is_space(heed_utf8_at(text, end, &size))) break;
        bool stands_apart = false;
        for (const char *sign = apart; *sign && !stands_apart; sign += heed_utf8_size(*sign))
            stands_apart = heed_utf8_size(*sign) == size && memcmp(sign, text + end, size) == 0;
        if (stands_apart) break;
        end += size;
    }
    return end > begin ? end - at : 0;
}

size_t heed_word_match(const heed_word_rules *rules, const char *text, size_t at, size_t length)
{
    if (rules->apart) return match_apart(rules->apart, text, at, length);
    for (size_t i = 0; i < 2 && rules->literals[i]; i++) {
        size_t size = strlen(rules->literals[i]);
        if (length - at >= size && memcmp(text + at, rules->literals[i], size) == 0) return size;
    }
    size_t matched = 0;
    if (rules->contractions == EXACT_CONTRACTIONS || rules->contractions == CONTRACTIONS)
        matched = contraction(text, at, length, rules->contractions == CONTRACTIONS);
    if (!matched) matched = match_letters(rules, text, at, length);
    if (!matched) matched = match_number(rules, text, at, length);
    if (!matched) matched = match_signs(rules, text, at, length);
    if (!matched) matched = match_blanks(rules, text, at, length);
    return matched;
}
