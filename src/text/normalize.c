/* normalize.c: the normalizers of tokenizer.json. Source: the `tokenizers` library. Kinds and
   options:
     NFC NFD NFKC NFKD  Unicode normal forms (normalize_forms.c)
     Lowercase          lower case of each character
     StripAccents       removes marks (category M)
     Strip              removes white space at the ends of each piece (strip_left, strip_right)
     Replace            replaces matches of `pattern` by `content`
     Prepend            puts the string `prepend` before each piece
     ByteLevel          replaces each byte by a printable character
     Precompiled        SentencePiece's table of replacements (precompiled.c)
     SentencePiece      as a .model file says (sentencepiece.c)
     Nmt                SentencePiece's nmt_nfkc rules for control characters and white space
     Moses              word splitting of Moses (moses.h), `language`
     BertNormalizer     clean_text, handle_chinese_chars, strip_accents, lowercase */
#include "text/normalize.h"

#include "text/moses.h"
#include "base/unicode.h"

/* Copies the ASCII characters at the cursor for which `quiet` returns true, in one go. Returns
   whether anything was copied. */
static bool copy_ascii(heed_rewriter *rewriter, bool (*quiet)(char c))
{
    size_t end = rewriter->cursor;
    while (end < rewriter->length && (unsigned char)rewriter->bytes[end] < 0x80 &&
           quiet(rewriter->bytes[end]))
        end++;
    size_t count = end - rewriter->cursor;
    if (count) heed_rewriter_copy(rewriter, count);
    return count > 0;
}

static bool is_printable(char c)
{
    return c >= ' ' && c <= '~';
}

static bool is_not_capital(char c)
{
    return c < 'A' || c > 'Z';
}

static bool is_any(char c)
{
    (void)c;
    return true;
}

/* NFC, NFD, NFKC and NFKD. */
static heed_status run_normal_form(const heed_stage *stage, heed_pieces *pieces, heed_error *error)
{
    return heed_pieces_rewrite(pieces, heed_normal_form, stage, error);
}

/* Rewrites a piece: drops the characters for which `drop` returns true (NULL for none) and, with
   `lowercase`, replaces the others by their lower case. */
static heed_status drop_and_lower(heed_rewriter *rewriter, bool (*drop)(uint32_t c), bool lowercase)
{
    while (rewriter->cursor < rewriter->length) {
        size_t size;
        if (copy_ascii(rewriter, lowercase ? is_not_capital : is_any)) continue;
        uint32_t c = heed_utf8_at(rewriter->bytes, rewriter->cursor, &size), lower[3] = {c};
        if (drop && drop(c)) {
            heed_rewriter_skip(rewriter, size);
            continue;
        }
        size_t count = lowercase ? heed_char_lower(c, lower) : 1;
        heed_rewriter_replace(rewriter, lower[0]);
        for (size_t i = 1; i < count; i++) heed_rewriter_insert(rewriter, lower[i]);
    }
    return HEED_OK;
}

static heed_status lowercase(const void *stage, heed_rewriter *rewriter, heed_error *error)
{
    (void)stage, (void)error;
    return drop_and_lower(rewriter, NULL, true);
}

static heed_status run_lowercase(const heed_stage *stage, heed_pieces *pieces, heed_error *error)
{
    return heed_pieces_rewrite(pieces, lowercase, stage, error);
}

static heed_status strip_accents(const void *stage, heed_rewriter *rewriter, heed_error *error)
{
    (void)stage, (void)error;
    return drop_and_lower(rewriter, heed_char_is_mark, false);
}

static heed_status run_strip_accents(const heed_stage *stage, heed_pieces *pieces,
                                     heed_error *error)
{
    return heed_pieces_rewrite(pieces, strip_accents, stage, error);
}

/* Strip: removes white space at the ends of each piece. */
static heed_status strip(const void *stage_pointer, heed_rewriter *rewriter, heed_error *error)
{
    (void)error;
    const heed_stage *stage = stage_pointer;
    size_t begin = 0, end = rewriter->length, size;
    while (stage->left && begin < end &&
           heed_char_is_space(heed_utf8_at(rewriter->bytes, begin, &size)))
        begin += size;
    while (stage->right && end > begin) {
        size_t before = heed_utf8_before(rewriter->bytes, end);
        if (!heed_char_is_space(heed_utf8_at(rewriter->bytes, before, &size))) break;
        end = before;
    }
    heed_rewriter_skip(rewriter, begin);
    heed_rewriter_copy(rewriter, end - begin);
    return HEED_OK;
}

static heed_status run_strip(const heed_stage *stage, heed_pieces *pieces, heed_error *error)
{
    return heed_pieces_rewrite(pieces, strip, stage, error);
}

static heed_status read_strip(heed_stage *stage, const json_t *json, const char *where,
                              heed_error *error)
{
    stage->left = stage->right = true;
    HEED_TRY(heed_json_boolean(json, "strip_left", &stage->left, where, error));
    return heed_json_boolean(json, "strip_right", &stage->right, where, error);
}

static void insert_text(heed_rewriter *rewriter, const char *text, size_t length)
{
    for (size_t at = 0, size; at < length; at += size)
        heed_rewriter_insert(rewriter, heed_utf8_at(text, at, &size));
}

/* Replace: matches of a pattern are replaced by `content`. */
typedef struct {
    const heed_stage *stage;
    heed_rewriter *rewriter;
} replacement;

static void replace_match(void *context, size_t begin, size_t end, bool is_match)
{
    const replacement *r = context;
    if (!is_match) {
        heed_rewriter_copy(r->rewriter, end - begin);
        return;
    }
    heed_rewriter_skip(r->rewriter, end - begin);
    insert_text(r->rewriter, r->stage->text, r->stage->length);
}

static heed_status replace(const void *stage, heed_rewriter *rewriter, heed_error *error)
{
    replacement r = {stage, rewriter};
    return heed_pattern_scan(r.stage->pattern, rewriter->bytes, rewriter->length, replace_match, &r,
                             error);
}

static heed_status run_replace(const heed_stage *stage, heed_pieces *pieces, heed_error *error)
{
    return heed_pieces_rewrite(pieces, replace, stage, error);
}

static heed_status read_replace(heed_stage *stage, const json_t *json, const char *where,
                                heed_error *error)
{
    HEED_TRY(heed_stage_read_pattern(stage, json, where, error));
    return heed_stage_read_text(stage, json, "content", where, error);
}

/* Prepend: puts a string before each piece. Its characters have the input range of the first
   character. */
static heed_status prepend(const void *stage_pointer, heed_rewriter *rewriter, heed_error *error)
{
    (void)error;
    const heed_stage *stage = stage_pointer;
    size_t size, first_size;
    if (stage->length) {
        uint32_t first = heed_utf8_at(rewriter->bytes, 0, &first_size);
        heed_rewriter_replace(rewriter, heed_utf8_at(stage->text, 0, &size));
        insert_text(rewriter, stage->text + size, stage->length - size);
        heed_rewriter_insert(rewriter, first);
    }
    heed_rewriter_copy(rewriter, rewriter->length - rewriter->cursor);
    return HEED_OK;
}

static heed_status run_prepend(const heed_stage *stage, heed_pieces *pieces, heed_error *error)
{
    return heed_pieces_rewrite(pieces, prepend, stage, error);
}

static heed_status read_prepend(heed_stage *stage, const json_t *json, const char *where,
                                heed_error *error)
{
    return heed_stage_read_text(stage, json, "prepend", where, error);
}

static heed_status run_byte_level(const heed_stage *stage, heed_pieces *pieces, heed_error *error)
{
    (void)stage;
    return heed_byte_level_rewrite(pieces, error);
}

/* Nmt: drops control characters and replaces uncommon white space and U+FFFD by spaces. Source:
   SentencePiece's nmt_nfkc rules. */
static heed_status nmt(const void *stage, heed_rewriter *rewriter, heed_error *error)
{
    (void)stage, (void)error;
    while (rewriter->cursor < rewriter->length) {
        size_t size;
        if (copy_ascii(rewriter, is_printable)) continue;
        uint32_t c = heed_utf8_at(rewriter->bytes, rewriter->cursor, &size);
        if (c == '\t' || c == '\n' || c == '\f' || c == '\r' || c == 0x1680 ||
            (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 || c == 0x2581 ||
            c == 0xFEFF || c == 0xFFFD)
            heed_rewriter_replace(rewriter, ' ');
        else if ((c && c < ' ') || c == 0x7F || c == 0x8F || c == 0x9F)
            heed_rewriter_skip(rewriter, size);
        else heed_rewriter_copy(rewriter, size);
    }
    return HEED_OK;
}

static heed_status run_nmt(const heed_stage *stage, heed_pieces *pieces, heed_error *error)
{
    return heed_pieces_rewrite(pieces, nmt, stage, error);
}

/* BertNormalizer, first pass: drops control characters, replaces white space by spaces and puts
   spaces around ideographs. Source: Devlin et al. 2019, BasicTokenizer. */
static heed_status bert_clean(const void *stage_pointer, heed_rewriter *rewriter, heed_error *error)
{
    (void)error;
    const heed_stage *stage = stage_pointer;
    while (rewriter->cursor < rewriter->length) {
        size_t size;
        if (copy_ascii(rewriter, stage->clean_text ? is_printable : is_any)) continue;
        uint32_t c = heed_utf8_at(rewriter->bytes, rewriter->cursor, &size);
        if (stage->clean_text && (c == 0 || c == 0xFFFD || heed_char_is_control(c)))
            heed_rewriter_skip(rewriter, size);
        else if (stage->clean_text && heed_char_is_space(c)) heed_rewriter_replace(rewriter, ' ');
        else if (stage->chinese_chars && heed_char_is_chinese(c)) {
            heed_rewriter_replace(rewriter, ' ');
            heed_rewriter_insert(rewriter, c);
            heed_rewriter_insert(rewriter, ' ');
        } else heed_rewriter_copy(rewriter, size);
    }
    return HEED_OK;
}

/* BertNormalizer, last pass: drops nonspacing marks, since the text is decomposed by then, and
   replaces the rest by its lower case. */
static heed_status bert_fold(const void *stage_pointer, heed_rewriter *rewriter, heed_error *error)
{
    (void)error;
    const heed_stage *stage = stage_pointer;
    return drop_and_lower(rewriter, stage->strip_accents ? heed_char_is_accent : NULL,
                          stage->lowercase);
}

static heed_status run_bert(const heed_stage *stage, heed_pieces *pieces, heed_error *error)
{
    if (stage->clean_text || stage->chinese_chars)
        HEED_TRY(heed_pieces_rewrite(pieces, bert_clean, stage, error));
    /* decompose before marks are dropped */
    if (stage->strip_accents) HEED_TRY(heed_pieces_rewrite(pieces, heed_normal_form, stage, error));
    if (stage->strip_accents || stage->lowercase)
        HEED_TRY(heed_pieces_rewrite(pieces, bert_fold, stage, error));
    return HEED_OK;
}

static heed_status read_bert(heed_stage *stage, const json_t *json, const char *where,
                             heed_error *error)
{
    stage->clean_text = stage->chinese_chars = stage->lowercase = true;
    HEED_TRY(heed_json_boolean(json, "clean_text", &stage->clean_text, where, error));
    HEED_TRY(heed_json_boolean(json, "handle_chinese_chars", &stage->chinese_chars, where, error));
    HEED_TRY(heed_json_boolean(json, "lowercase", &stage->lowercase, where, error));
    stage->strip_accents = stage->lowercase; /* null means the value of lowercase */
    return heed_json_boolean(json, "strip_accents", &stage->strip_accents, where, error);
}

static const heed_stage_kind kinds[] = {
    {.name = "NFC", .run = run_normal_form, .compose = true},
    {.name = "NFD", .run = run_normal_form},
    {.name = "NFKC", .run = run_normal_form, .compatible = true, .compose = true},
    {.name = "NFKD", .run = run_normal_form, .compatible = true},
    {.name = "Lowercase", .run = run_lowercase},
    {.name = "StripAccents", .run = run_strip_accents},
    {.name = "Strip", .read = read_strip, .run = run_strip},
    {.name = "Replace", .read = read_replace, .run = run_replace},
    {.name = "Prepend", .read = read_prepend, .run = run_prepend},
    {.name = "ByteLevel", .run = run_byte_level},
    {.name = "Precompiled", .read = heed_precompiled_read, .run = heed_precompiled_run},
    {.name = "SentencePiece",
     .read = heed_sentencepiece_stage_read,
     .run = heed_sentencepiece_stage_run,
     .repairs_bytes = true},
    {.name = "Nmt", .run = run_nmt},
    {.name = "Moses", .read = heed_moses_read, .run = heed_moses_cut},
    {.name = "BertNormalizer", .read = read_bert, .run = run_bert},
    {.name = NULL}};

const heed_stage_section heed_normalizer_section = {
    .name = "normalizer", .members = "normalizers", .kinds = kinds};
