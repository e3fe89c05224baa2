/* moses.h: words and blanks as the Moses scripts for machine translation cut and join them, in the
   way of their Python port sacremoses, which FSMT's tokenizer uses. Languages: en, de, ru. Source:
   Koehn et al. 2007 (Moses), tokenizer.perl, normalize-punctuation.perl, detokenizer.perl. */
#ifndef HEED_TEXT_MOSES_H
#define HEED_TEXT_MOSES_H

#include "text/stage.h"

/* Normalizer: unusual punctuation becomes plain, what is not printed goes, words are cut by single
   blanks, &<>'"[]| are escaped as in XML. {"type": "Moses", "language": "en"}; HEED_E_UNSUPPORTED
   for another language. */
heed_status heed_moses_read(heed_stage *stage, const json_t *json, const char *where,
                            heed_error *error);
heed_status heed_moses_cut(const heed_stage *stage, heed_pieces *pieces, heed_error *error);
/* Decoder: words, with single blanks between them, as a sentence. */
heed_status heed_moses_join(const char *words, size_t length, const char *language,
                            heed_buffer *text, heed_error *error);

/* ---- parts ---- */

/* A text at work: code points, and where in the piece each of them comes from, ascending. A run of
   several dots is one point. */
enum { HEED_MOSES_DOTS = 0x40000000 }; /* + how many */
typedef struct heed_moses_text {
    uint32_t *points, *places;
    size_t count, capacity;
} heed_moses_text;
bool heed_moses_put(heed_moses_text *text, uint32_t point, uint32_t place); /* false: no memory */

/* moses_rules.c: a rewriting, applied from left to right. `from` is made of characters and of
   classes:
     \d digit                 \n not a number   \N number
     \a letter                \b not a letter   \c neither letter nor number
     \w letter or number      \W one that is kept
     \o what words are not made of
     \s blank                 \e blanks and one more, not <
     \p one of .!:?;,         \q , or .
     \$ the end
   `+` and `*` after a character or class repeat it. \1 \2 ... in `to` are the classes and
   repetitions of `from`. */
typedef struct heed_moses_rule {
    const char *from, *to;
} heed_moses_rule;
/* Two texts: what is rewritten, and memory for the result, which is swapped with it. `rules` ends
   with NULL. */
heed_status heed_moses_apply(const heed_moses_rule *rules, heed_moses_text text[2],
                             heed_error *error);

/* moses_characters.c */
enum {
    HEED_MOSES_LETTER = 1,
    HEED_MOSES_MARK = 2,
    HEED_MOSES_DIGIT = 4,
    HEED_MOSES_NUMBER = 8,
    HEED_MOSES_LOWER = 16,
    HEED_MOSES_CURRENCY = 32
};
unsigned heed_moses_class(uint32_t c);

/* moses_abbreviations.c: whether a period after this word is part of it: always, or before a
   number. */
bool heed_moses_speaks(const char *language);
typedef enum heed_moses_period {
    HEED_MOSES_ENDS,
    HEED_MOSES_BEFORE_NUMBERS,
    HEED_MOSES_STAYS
} heed_moses_period;
heed_moses_period heed_moses_abbreviation(const char *language, const char *word, size_t length);

#endif
