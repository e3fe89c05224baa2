/* pretokenize.c: the pre-tokenizers of tokenizer.json. Source: the `tokenizers` library. Kinds and
   options:
     ByteLevel           GPT-2's words (use_regex), each byte as a character; add_prefix_space
     Split               splits at matches of `pattern`; behavior, invert
     BertPreTokenizer    drops white space and isolates punctuation
     Whitespace          matches of \w+|[^\w\s]+
     WhitespaceSplit     drops white space
     Digits              isolates numbers; individual_digits
     Punctuation         splits at punctuation; behavior
     CharDelimiterSplit  splits at the character `delimiter` and drops it
     Metaspace           replaces spaces by `replacement`; prepend_scheme, split */
#include "text/stage.h"

#include "base/memory.h"
#include "base/unicode.h"
#include <stdlib.h>
#include <string.h>

/* Turns matches and the text between them into pieces, according to a split behavior. */
typedef struct {
    heed_pieces *pieces;
    uint32_t base; /* begin of the piece that is being split */
    heed_split_behavior behavior;
    bool invert, has_held, held_match;
    size_t held_begin, held_end; /* the part that may still be extended */
} cutter;

/* Adds the held part as a piece. */
static void release(cutter *c)
{
    if (c->has_held)
        heed_pieces_add(c->pieces, c->base + (uint32_t)c->held_begin,
                        c->base + (uint32_t)c->held_end, -1);
    c->has_held = false;
}

/* Returns whether a part is merged with the held part. */
static bool joins(const cutter *c, bool is_match)
{
    switch (c->behavior) {
    case HEED_SPLIT_REMOVED:
    case HEED_SPLIT_ISOLATED: return false;
    case HEED_SPLIT_CONTIGUOUS: return is_match == c->held_match;
    case HEED_SPLIT_MERGED_WITH_PREVIOUS: return is_match && !c->held_match;
    case HEED_SPLIT_MERGED_WITH_NEXT: return !is_match && c->held_match;
    }
    return false;
}

/* Receives the next part (a heed_match_sink). */
static void take_part(void *context, size_t begin, size_t end, bool is_match)
{
    cutter *c = context;
    is_match ^= c->invert;
    if (c->has_held && joins(c, is_match)) c->held_end = end;
    else {
        release(c);
        c->has_held = !(is_match && c->behavior == HEED_SPLIT_REMOVED);
        c->held_begin = begin;
        c->held_end = end;
    }
    c->held_match = is_match;
}

static heed_status cut_by_pattern(const void *stage_pointer, heed_pieces *pieces, uint32_t begin,
                                  uint32_t end, heed_error *error)
{
    const heed_stage *stage = stage_pointer;
    cutter c = {
        .pieces = pieces, .base = begin, .behavior = stage->behavior, .invert = stage->invert};
    HEED_TRY(heed_pattern_scan(stage->pattern, pieces->bytes + begin, end - begin, take_part, &c,
                               error));
    release(&c);
    return HEED_OK;
}

/* Returns whether a character is a match. */
typedef bool character_test(uint32_t c, const heed_stage *stage);

/* Splits a piece at single characters: each character that passes the test is a match. */
static void cut_by_character(const heed_stage *stage, character_test *test,
                             heed_split_behavior behavior, heed_pieces *pieces, uint32_t begin,
                             uint32_t end)
{
    const char *text = pieces->bytes + begin;
    size_t length = end - begin, previous = 0, size;
    cutter c = {.pieces = pieces, .base = begin, .behavior = behavior};
    for (size_t at = 0; at < length; at += size) {
        if (!test(heed_utf8_at(text, at, &size), stage)) continue;
        if (previous < at) take_part(&c, previous, at, false);
        take_part(&c, at, at + size, true);
        previous = at + size;
    }
    if (previous < length) take_part(&c, previous, length, false);
    release(&c);
}

static bool is_blank(uint32_t c, const heed_stage *stage)
{
    (void)stage;
    return heed_char_is_space(c);
}

static bool is_punctuation(uint32_t c, const heed_stage *stage)
{
    (void)stage;
    return heed_char_is_punctuation(c);
}

static bool is_digit(uint32_t c, const heed_stage *stage)
{
    (void)stage;
    return heed_char_is_numeric(c);
}

static bool is_delimiter(uint32_t c, const heed_stage *stage)
{
    return c == stage->code_point;
}

/* ---- Split ---- */

static heed_status run_split(const heed_stage *stage, heed_pieces *pieces, heed_error *error)
{
    return heed_pieces_cut(pieces, cut_by_pattern, stage, error);
}

static heed_status read_behavior(heed_stage *stage, const json_t *json, const char *where,
                                 heed_error *error)
{
    static const char *const names[] = {"Removed", "Isolated", "MergedWithPrevious",
                                        "MergedWithNext", "Contiguous"};
    const char *name = NULL;
    HEED_TRY(heed_json_string(json, "behavior", &name, where, error));
    for (int i = 0; name && i < 5; i++)
        if (!strcmp(name, names[i])) {
            stage->behavior = (heed_split_behavior)i;
            return HEED_OK;
        }
    if (!name) return HEED_OK;
    return heed_fail(error, HEED_E_FORMAT,
                     "%s: %s: \"behavior\" is \"%s\", expected Removed, Isolated, "
                     "MergedWithPrevious, MergedWithNext or Contiguous",
                     where, stage->kind->name, name);
}

static heed_status read_split(heed_stage *stage, const json_t *json, const char *where,
                              heed_error *error)
{
    if (!json_is_string(json_object_get(json, "behavior")))
        return heed_fail(error, HEED_E_FORMAT, "%s: Split: \"behavior\": expected a string", where);
    HEED_TRY(heed_stage_read_pattern(stage, json, where, error));
    HEED_TRY(heed_json_boolean(json, "invert", &stage->invert, where, error));
    return read_behavior(stage, json, where, error);
}

/* ---- ByteLevel: GPT-2's words, with each byte as one printable character ---- */

/* Puts a character before a piece. It has the input range of the piece's first character. */
static void prefix_piece(heed_rewriter *rewriter, uint32_t prefix)
{
    size_t size;
    uint32_t first = heed_utf8_at(rewriter->bytes, 0, &size);
    heed_rewriter_replace(rewriter, prefix);
    heed_rewriter_insert(rewriter, first);
}

static heed_status add_space(const void *stage, heed_rewriter *rewriter, heed_error *error)
{
    (void)stage, (void)error;
    if (rewriter->bytes[0] != ' ') prefix_piece(rewriter, ' ');
    heed_rewriter_copy(rewriter, rewriter->length - rewriter->cursor);
    return HEED_OK;
}

static heed_status run_byte_level(const heed_stage *stage, heed_pieces *pieces, heed_error *error)
{
    if (stage->add_prefix_space) HEED_TRY(heed_pieces_rewrite(pieces, add_space, stage, error));
    if (stage->pattern) HEED_TRY(heed_pieces_cut(pieces, cut_by_pattern, stage, error));
    return heed_byte_level_rewrite(pieces, error);
}

static heed_status read_byte_level(heed_stage *stage, const json_t *json, const char *where,
                                   heed_error *error)
{
    bool use_regex = true;
    stage->add_prefix_space = true;
    stage->behavior = HEED_SPLIT_ISOLATED;
    HEED_TRY(heed_json_boolean(json, "add_prefix_space", &stage->add_prefix_space, where, error));
    HEED_TRY(heed_json_boolean(json, "use_regex", &use_regex, where, error));
    if (!use_regex) return HEED_OK;
    return heed_pattern_new(&stage->pattern, heed_gpt2_pattern, strlen(heed_gpt2_pattern), true,
                            where, error);
}

/* ---- splitting at single characters ---- */

static heed_status cut_blanks(const void *stage, heed_pieces *pieces, uint32_t begin, uint32_t end,
                              heed_error *error)
{
    (void)error;
    cut_by_character(stage, is_blank, HEED_SPLIT_REMOVED, pieces, begin, end);
    return HEED_OK;
}

static heed_status run_whitespace_split(const heed_stage *stage, heed_pieces *pieces,
                                        heed_error *error)
{
    return heed_pieces_cut(pieces, cut_blanks, stage, error);
}

static heed_status cut_punctuation(const void *stage_pointer, heed_pieces *pieces, uint32_t begin,
                                   uint32_t end, heed_error *error)
{
    (void)error;
    const heed_stage *stage = stage_pointer;
    cut_by_character(stage, is_punctuation, stage->behavior, pieces, begin, end);
    return HEED_OK;
}

static heed_status run_punctuation(const heed_stage *stage, heed_pieces *pieces, heed_error *error)
{
    return heed_pieces_cut(pieces, cut_punctuation, stage, error);
}

static heed_status read_punctuation(heed_stage *stage, const json_t *json, const char *where,
                                    heed_error *error)
{
    stage->behavior = HEED_SPLIT_ISOLATED;
    return read_behavior(stage, json, where, error);
}

/* BertPreTokenizer drops white space and isolates punctuation. Source: Devlin et al. 2019. */
static heed_status run_bert(const heed_stage *stage, heed_pieces *pieces, heed_error *error)
{
    heed_stage isolated = *stage;
    isolated.behavior = HEED_SPLIT_ISOLATED;
    HEED_TRY(heed_pieces_cut(pieces, cut_blanks, stage, error));
    return heed_pieces_cut(pieces, cut_punctuation, &isolated, error);
}

static heed_status cut_digits(const void *stage_pointer, heed_pieces *pieces, uint32_t begin,
                              uint32_t end, heed_error *error)
{
    (void)error;
    const heed_stage *stage = stage_pointer;
    cut_by_character(stage, is_digit,
                     stage->individual ? HEED_SPLIT_ISOLATED : HEED_SPLIT_CONTIGUOUS, pieces, begin,
                     end);
    return HEED_OK;
}

static heed_status run_digits(const heed_stage *stage, heed_pieces *pieces, heed_error *error)
{
    return heed_pieces_cut(pieces, cut_digits, stage, error);
}

static heed_status read_digits(heed_stage *stage, const json_t *json, const char *where,
                               heed_error *error)
{
    return heed_json_boolean(json, "individual_digits", &stage->individual, where, error);
}

static heed_status cut_delimiter(const void *stage, heed_pieces *pieces, uint32_t begin,
                                 uint32_t end, heed_error *error)
{
    (void)error;
    cut_by_character(stage, is_delimiter, HEED_SPLIT_REMOVED, pieces, begin, end);
    return HEED_OK;
}

static heed_status run_delimiter(const heed_stage *stage, heed_pieces *pieces, heed_error *error)
{
    return heed_pieces_cut(pieces, cut_delimiter, stage, error);
}

static heed_status read_delimiter(heed_stage *stage, const json_t *json, const char *where,
                                  heed_error *error)
{
    if (!json_is_string(json_object_get(json, "delimiter")))
        return heed_fail(
            error, HEED_E_FORMAT,
            "%s: CharDelimiterSplit: \"delimiter\": expected a string of one character", where);
    return heed_stage_read_character(stage, json, "delimiter", where, error);
}

/* ---- Whitespace: \w+|[^\w\s]+ ---- */

/* Returns whether a character is part of a word, white space, or neither (0). */
static unsigned word_kind(uint32_t c)
{
    unsigned class = heed_char_class(c);
    return class & HEED_CHAR_WORD ? HEED_CHAR_WORD : class & HEED_CHAR_SPACE;
}

static heed_status cut_words(const void *stage, heed_pieces *pieces, uint32_t begin, uint32_t end,
                             heed_error *error)
{
    (void)stage, (void)error;
    for (size_t at = begin, run = begin; at < end; run = at) {
        size_t size;
        unsigned kind = word_kind(heed_utf8_at(pieces->bytes, at, &size));
        for (at += size; at < end && word_kind(heed_utf8_at(pieces->bytes, at, &size)) == kind;)
            at += size;
        if (kind != HEED_CHAR_SPACE) heed_pieces_add(pieces, (uint32_t)run, (uint32_t)at, -1);
    }
    return HEED_OK;
}

static heed_status run_whitespace(const heed_stage *stage, heed_pieces *pieces, heed_error *error)
{
    return heed_pieces_cut(pieces, cut_words, stage, error);
}

/* ---- Metaspace: replaces spaces by a visible character, at which pieces begin ---- */

/* Rewrites a piece: replaces its spaces, and puts the character before it if the scheme says so.
   Source: Kudo & Richardson 2018 (SentencePiece). */
static heed_status mark_spaces(const void *stage_pointer, heed_rewriter *rewriter,
                               heed_error *error)
{
    (void)error;
    const heed_stage *stage = stage_pointer;
    size_t size;
    uint32_t first = heed_utf8_at(rewriter->bytes, 0, &size);
    bool at_start = stage->prepend_scheme == HEED_PREPEND_FIRST &&
                    heed_pieces_origin(rewriter->pieces, (uint32_t)rewriter->base,
                                       (uint32_t)rewriter->base + 1)
                            .begin == 0;
    if ((at_start || stage->prepend_scheme == HEED_PREPEND_ALWAYS) && first != ' ' &&
        first != stage->code_point)
        prefix_piece(rewriter, stage->code_point);
    while (rewriter->cursor < rewriter->length) {
        const char *rest = rewriter->bytes + rewriter->cursor,
                   *space = memchr(rest, ' ', rewriter->length - rewriter->cursor);
        heed_rewriter_copy(rewriter,
                           space ? (size_t)(space - rest) : rewriter->length - rewriter->cursor);
        if (space) heed_rewriter_replace(rewriter, stage->code_point);
    }
    return HEED_OK;
}

static heed_status cut_marks(const void *stage, heed_pieces *pieces, uint32_t begin, uint32_t end,
                             heed_error *error)
{
    (void)error;
    cut_by_character(stage, is_delimiter, HEED_SPLIT_MERGED_WITH_NEXT, pieces, begin, end);
    return HEED_OK;
}

static heed_status run_metaspace(const heed_stage *stage, heed_pieces *pieces, heed_error *error)
{
    HEED_TRY(heed_pieces_rewrite(pieces, mark_spaces, stage, error));
    return stage->split ? heed_pieces_cut(pieces, cut_marks, stage, error) : HEED_OK;
}

static const heed_stage_kind kinds[] = {
    {.name = "ByteLevel", .read = read_byte_level, .run = run_byte_level},
    {.name = "Split", .read = read_split, .run = run_split},
    {.name = "BertPreTokenizer", .run = run_bert},
    {.name = "Whitespace", .run = run_whitespace},
    {.name = "WhitespaceSplit", .run = run_whitespace_split},
    {.name = "Digits", .read = read_digits, .run = run_digits},
    {.name = "Punctuation", .read = read_punctuation, .run = run_punctuation},
    {.name = "CharDelimiterSplit", .read = read_delimiter, .run = run_delimiter},
    {.name = "Metaspace", .read = heed_stage_read_metaspace, .run = run_metaspace},
    {.name = NULL}};

const heed_stage_section heed_pre_tokenizer_section = {
    .name = "pre_tokenizer", .members = "pretokenizers", .kinds = kinds};
