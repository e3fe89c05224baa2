/* moses.c: the normalizer Moses, which splits text into words (moses.h). The text is rewritten by
   tables of rules and by functions for what rules cannot express. Source: tokenizer.perl and
   normalize-punctuation.perl of Moses, as sacremoses applies them. */
#include "text/moses.h"

#include "base/utf8.h"
#include "base/unicode.h"
#include <stdlib.h>
#include <string.h>

/* ---- rules, in the order in which they are applied ---- */

static const heed_moses_rule plain_signs[] = {
    {"，", ","},
    {"。\\s*", ". "},
    {"、", ","},
    {"”", "\""},
    {"“", "\""},
    {"∶", ":"},
    {"：", ":"},
    {"？", "?"},
    {"《", "\""},
    {"》", "\""},
    {"）", ")"},
    {"！", "!"},
    {"（", "("},
    {"；", ";"},
    {"１", "1"},
    {"」", "\""},
    {"「", "\""},
    {"０", "0"},
    {"３", "3"},
    {"２", "2"},
    {"５", "5"},
    {"６", "6"},
    {"９", "9"},
    {"７", "7"},
    {"８", "8"},
    {"４", "4"},
    {"．\\s*", ". "},
    {"～", "~"},
    {"’", "'"},
    {"…", "..."},
    {"━", "-"},
    {"〈", "<"},
    {"〉", ">"},
    {"【", "["},
    {"】", "]"},
    {"％", "%"},
    /* spaces around brackets and before signs */
    {"\r", ""},
    {"(", " ("},
    {")", ") "},
    {" +", " "},
    {") \\p", ")\\1"},
    {"( ", "("},
    {" )", ")"},
    {"\\d %", "\\1%"},
    {" :", ":"},
    {" ;", ";"},
    /* quotation marks and dashes */
    {"`", "'"},
    {"''", " \" "},
    {"„", "\""},
    {"–", "-"},
    {"—", " - "},
    {" +", " "},
    {"´", "'"},
    {"‘", "'"},
    {"‚", "'"},
    {"''", "\""},
    {"\u00A0«\u00A0", "\""},
    {"«\u00A0", "\""},
    {"«", "\""},
    {"\u00A0»\u00A0", "\""},
    {"\u00A0»", "\""},
    {"»", "\""},
    /* no-break spaces */
    {"\u00A0%", "%"},
    {"nº\u00A0", "nº "},
    {"\u00A0:", ":"},
    {"\u00A0ºC", " ºC"},
    {"\u00A0cm", " cm"},
    {"\u00A0?", "?"},
    {"\u00A0!", "!"},
    {"\u00A0;", ";"},
    {",\u00A0", ", "},
    {" +", " "},
    {NULL, NULL},
};

static const heed_moses_rule plain_english[] = {
    {"\"\\q+", "\\1\""}, {"\\d\u00A0\\d", "\\1.\\2"}, {NULL, NULL}};
static const heed_moses_rule plain_german[] = {
    {",\"", "\","}, {".+\"\\e", "\"\\1\\2"}, {"\\d\u00A0\\d", "\\1,\\2"}, {NULL, NULL}};
static const heed_moses_rule plain_russian[] = {{"\\d\u00A0\\d", "\\1.\\2"}, {NULL, NULL}};

/* Characters that no word contains become words of their own, and hyphens inside words are
   marked. */
static const heed_moses_rule loose_signs[] = {
    {"\\s+", " "}, {"\\o", " \\1 "}, {"\\w-\\W", "\\1 @-@ "}, {NULL, NULL}};
static const heed_moses_rule commas[] = {
    {"\\n,", "\\1 , "}, {",\\n", " , \\1"}, {"\\N,\\$", "\\1 , "}, {NULL, NULL}};
static const heed_moses_rule apostrophes_english[] = {
    {"\\b'\\b", "\\1 ' \\2"}, {"\\c'\\a", "\\1 ' \\2"}, {"\\a'\\b", "\\1 ' \\2"},
    {"\\a'\\a", "\\1 '\\2"},  {"\\N's", "\\1 's"},      {NULL, NULL}};
static const heed_moses_rule apostrophes[] = {{"'", " ' "}, {NULL, NULL}};
static const heed_moses_rule last_period[] = {{".'\\$", " . ' "}, {NULL, NULL}};
static const heed_moses_rule escapes[] = {
    {"&", "&amp;"},   {"|", "&#124;"}, {"<", "&lt;"},  {">", "&gt;"}, {"'", "&apos;"},
    {"\"", "&quot;"}, {"[", "&#91;"},  {"]", "&#93;"}, {NULL, NULL},
};

/* ---- steps that rules cannot express ---- */

static heed_status fail_text(const heed_moses_text *text, heed_error *error)
{
    return heed_fail_memory(error, text->count * sizeof *text->points, "a text");
}

static void swap(heed_moses_text text[2])
{
    heed_moses_text first = text[0];
    text[0] = text[1];
    text[1] = first;
}

/* Removes white space at both ends. */
static void strip(heed_moses_text *text)
{
    size_t begin = 0;
    while (text->count && heed_char_is_python_space(text->points[text->count - 1])) text->count--;
    while (begin < text->count && heed_char_is_python_space(text->points[begin])) begin++;
    text->count -= begin;
    if (!begin) return;
    memmove(text->points, text->points + begin, text->count * sizeof *text->points);
    memmove(text->places, text->places + begin, text->count * sizeof *text->places);
}

/* Drops characters of category C. */
static void drop_unprinted(heed_moses_text *text)
{
    size_t kept = 0;
    for (size_t i = 0; i < text->count; i++)
        if (!heed_char_is_other(text->points[i])) {
            text->points[kept] = text->points[i];
            text->places[kept++] = text->places[i];
        }
    text->count = kept;
}

/* Replaces each run of two or more dots by one code point, which counts as a letter, with spaces
   around it. */
static heed_status join_dots(heed_moses_text text[2], heed_error *error)
{
    heed_moses_text *in = &text[0], *out = &text[1];
    bool done = true;
    out->count = 0;
    for (size_t i = 0; i < in->count && done;) {
        size_t end = i;
        while (end < in->count && in->points[end] == '.') end++;
        if (end - i < 2) {
            done = heed_moses_put(out, in->points[i], in->places[i]);
            i++;
            continue;
        }
        done = heed_moses_put(out, ' ', in->places[i]) &&
               heed_moses_put(out, HEED_MOSES_DOTS + (uint32_t)(end - i), in->places[i]);
        i = end;
        if (i < in->count) done = done && heed_moses_put(out, ' ', in->places[i]);
    }
    if (!done) return fail_text(in, error);
    swap(text);
    return HEED_OK;
}

/* Replaces the code points of join_dots by their dots. */
static heed_status part_dots(heed_moses_text text[2], heed_error *error)
{
    heed_moses_text *in = &text[0], *out = &text[1];
    bool done = true;
    out->count = 0;
    for (size_t i = 0; i < in->count && done; i++) {
        if (in->points[i] < HEED_MOSES_DOTS) {
            done = heed_moses_put(out, in->points[i], in->places[i]);
            continue;
        }
        for (uint32_t dot = in->points[i] - HEED_MOSES_DOTS; dot && done; dot--)
            done = heed_moses_put(out, '.', in->places[i]);
    }
    if (!done) return fail_text(in, error);
    swap(text);
    return HEED_OK;
}

/* Returns whether the period after the word [begin, end) belongs to it. */
static bool keeps_period(const heed_moses_text *text, size_t begin, size_t end,
                         const char *language)
{
    enum { LONGEST = 64 }; /* bytes of the longest abbreviation */
    char word[LONGEST + 4];
    size_t length = 0, next = end + 2;
    bool dotted = false, letter = false;
    for (size_t i = begin; i < end; i++) {
        dotted |= text->points[i] == '.';
        letter |= text->points[i] >= HEED_MOSES_DOTS ||
                  heed_moses_class(text->points[i]) & (HEED_MOSES_LETTER | HEED_MOSES_MARK);
    }
    if (dotted && letter) return true;
    if (next < text->count && heed_moses_class(text->points[next]) & HEED_MOSES_LOWER) return true;
    for (size_t i = begin; i < end; i++) {
        if (text->points[i] >= HEED_MOSES_DOTS || length >= LONGEST) return false;
        length += heed_utf8_put(text->points[i], word + length);
    }
    heed_moses_period period = heed_moses_abbreviation(language, word, length);
    return period == HEED_MOSES_STAYS ||
           (period == HEED_MOSES_BEFORE_NUMBERS && next < text->count &&
            text->points[next] >= '0' && text->points[next] <= '9');
}

/* Separates the period that ends a sentence from the word before it. The only white space of the
   text are single spaces between words. */
static heed_status part_periods(heed_moses_text text[2], const char *language, heed_error *error)
{
    heed_moses_text *in = &text[0], *out = &text[1];
    bool done = true;
    out->count = 0;
    for (size_t begin = 0, end; begin < in->count && done; begin = end + 1) {
        for (end = begin; end < in->count && in->points[end] != ' '; end++) {
        }
        bool parts = end - begin > 1 && in->points[end - 1] == '.' &&
                     !keeps_period(in, begin, end - 1, language);
        for (size_t i = begin; i < end && done; i++) {
            if (parts && i == end - 1) done = heed_moses_put(out, ' ', in->places[i]);
            done = done && heed_moses_put(out, in->points[i], in->places[i]);
        }
        if (end < in->count) done = done && heed_moses_put(out, ' ', in->places[end]);
    }
    if (!done) return fail_text(in, error);
    swap(text);
    return HEED_OK;
}

/* ---- splitting into words ---- */

static const heed_moses_rule *plain_rules(const char *language)
{
    if (!strcmp(language, "en")) return plain_english;
    return !strcmp(language, "de") ? plain_german : plain_russian;
}

/* The steps of normalize-punctuation.perl. */
static heed_status normalize(heed_moses_text text[2], const char *language, heed_error *error)
{
    HEED_TRY(heed_moses_apply(plain_signs, text, error));
    HEED_TRY(heed_moses_apply(plain_rules(language), text, error));
    strip(&text[0]);
    drop_unprinted(&text[0]);
    return HEED_OK;
}

/* The steps of tokenizer.perl. */
static heed_status cut_words(heed_moses_text text[2], const char *language, heed_error *error)
{
    static const heed_moses_rule single_blanks[] = {{"\\s+", " "}, {NULL, NULL}};
    bool english = !strcmp(language, "en");
    strip(&text[0]);
    HEED_TRY(heed_moses_apply(loose_signs, text, error));
    HEED_TRY(join_dots(text, error));
    HEED_TRY(heed_moses_apply(commas, text, error));
    HEED_TRY(heed_moses_apply(english ? apostrophes_english : apostrophes, text, error));
    HEED_TRY(heed_moses_apply(single_blanks, text, error));
    strip(&text[0]);
    HEED_TRY(part_periods(text, language, error));
    HEED_TRY(heed_moses_apply(last_period, text, error));
    strip(&text[0]);
    HEED_TRY(part_dots(text, error));
    return heed_moses_apply(escapes, text, error);
}

/* Passes the result to the rewriter: a character replaces the one at its place, and further
   characters of the same place are inserted. */
static void write_back(const heed_moses_text *text, heed_rewriter *rewriter)
{
    for (size_t i = 0; i < text->count; i++) {
        if (text->places[i] < rewriter->cursor) {
            heed_rewriter_insert(rewriter, text->points[i]);
            continue;
        }
        heed_rewriter_skip(rewriter, text->places[i] - rewriter->cursor);
        heed_rewriter_replace(rewriter, text->points[i]);
    }
    heed_rewriter_skip(rewriter, rewriter->length - rewriter->cursor);
}

/* Rewrites a piece. */
static heed_status cut(const void *stage_pointer, heed_rewriter *rewriter, heed_error *error)
{
    const heed_stage *stage = stage_pointer;
    heed_moses_text text[2] = {{0}, {0}};
    heed_status status = HEED_OK;
    for (size_t at = 0, size; at < rewriter->length && status == HEED_OK; at += size) {
        uint32_t point = heed_utf8_at(rewriter->bytes, at, &size);
        if (!heed_moses_put(&text[0], point, (uint32_t)at)) status = fail_text(&text[0], error);
    }
    if (status == HEED_OK) status = normalize(text, stage->text, error);
    if (status == HEED_OK) status = cut_words(text, stage->text, error);
    if (status == HEED_OK) write_back(&text[0], rewriter);
    for (int i = 0; i < 2; i++) {
        free(text[i].points);
        free(text[i].places);
    }
    return status;
}

heed_status heed_moses_cut(const heed_stage *stage, heed_pieces *pieces, heed_error *error)
{
    return heed_pieces_rewrite(pieces, cut, stage, error);
}

heed_status heed_moses_read(heed_stage *stage, const json_t *json, const char *where,
                            heed_error *error)
{
    HEED_TRY(heed_stage_read_text(stage, json, "language", where, error));
    if (heed_moses_speaks(stage->text)) return HEED_OK;
    return heed_fail(error, HEED_E_UNSUPPORTED,
                     "%s: Moses: the language is \"%.40s\"; known are en, de, ru", where,
                     stage->text);
}
