/* moses.h: splits text into words and joins words to text as the Moses scripts for machine
   translation do, in the variant of their Python port sacremoses, which FSMT's tokenizer uses. The
   languages are en, de and ru. Source: Koehn et al. 2007 (Moses): tokenizer.perl,
   normalize-punctuation.perl, detokenizer.perl. */
#ifndef HEED_TEXT_MOSES_H
#define HEED_TEXT_MOSES_H

#include "text/stage.h"

/* The normalizer "Moses", which only heed has. It replaces unusual punctuation by plain
   punctuation, drops unprintable characters, separates words by single spaces and escapes &<>'"[]|
   as in XML. Its options: {"type": "Moses", "language": "en"}. HEED_E_UNSUPPORTED for another
   language. */
heed_status heed_moses_read(heed_stage *stage, const json_t *json, const char *where,
                            heed_error *error);
heed_status heed_moses_cut(const heed_stage *stage, heed_pieces *pieces, heed_error *error);
/* The decoder: appends to `text` the sentence that the words make, which are separated by single
   spaces. */
heed_status heed_moses_join(const char *words, size_t length, const char *language,
                            heed_buffer *text, heed_error *error);

/* ---- parts ---- */

/* A text while it is rewritten: code points, and the place of each in the piece it comes from, in
   ascending order. A run of two or more dots is one code point, HEED_MOSES_DOTS plus their
   number. */
enum { HEED_MOSES_DOTS = 0x40000000 }; /* plus the number of dots */
typedef struct heed_moses_text {
    uint32_t *points, *places;
    size_t count, capacity;
} heed_moses_text;
/* Appends a code point; false if out of memory. */
bool heed_moses_put(heed_moses_text *text, uint32_t point, uint32_t place);

/* moses_rules.c: a rewriting rule, which is applied to all matches from left to right. `from`
   consists of characters and of these classes:
     \d digit                 \n not a number   \N number
     \a letter                \b not a letter   \c neither letter nor number
     \w letter or number      \W a letter or number that stays
     \o a character that no word contains
     \s white space           \e white space and then any character but <
     \p one of .!:?;,         \q , or .
     \$ the end of the text
   `+` and `*` repeat the character or class before them. \1, \2 and so on in `to` stand for what
   the classes and repetitions of `from` matched. */
typedef struct heed_moses_rule {
    const char *from, *to;
} heed_moses_rule;
/* Applies rules in order until one whose `from` is NULL. text[0] is the text; text[1] is memory for
   results, with which text[0] is swapped. */
heed_status heed_moses_apply(const heed_moses_rule *rules, heed_moses_text text[2],
                             heed_error *error);

/* moses_characters.c: the classes of a character, as a set of these bits. */
enum {
    HEED_MOSES_LETTER = 1,
    HEED_MOSES_MARK = 2,
    HEED_MOSES_DIGIT = 4,
    HEED_MOSES_NUMBER = 8,
    HEED_MOSES_LOWER = 16,
    HEED_MOSES_CURRENCY = 32
};
unsigned heed_moses_class(uint32_t c);

/* moses_abbreviations.c: returns whether a language is supported. */
bool heed_moses_speaks(const char *language);
/* What the period after a word is. */
typedef enum heed_moses_period {
    /* the end of a sentence */
    HEED_MOSES_ENDS,
    /* part of the word if a number follows */
    HEED_MOSES_BEFORE_NUMBERS,
    /* part of the word */
    HEED_MOSES_STAYS
} heed_moses_period;
/* Returns what the period after `word` is. */
heed_moses_period heed_moses_abbreviation(const char *language, const char *word, size_t length);

#endif
