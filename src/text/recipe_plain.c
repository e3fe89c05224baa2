/* recipe_plain.c: the recipes of classes that split text into bytes, code points, characters or
   Moses's words (recipe.h). Source: the classes of transformers. */
#include "text/recipe.h"

#include "base/memory.h"
#include "base/utf8.h"
#include "text/text_internal.h"
#include <string.h>

static json_t *plain(const char *type)
{
    return json_pack("{s:s}", "type", type);
}

/* ---- bytes: BPE over the byte alphabet without merges ---- */

/* Builds the vocabulary: special tokens in this order, ended by HEED_SPECIAL_COUNT, then the 256
   bytes. */
static heed_status byte_vocabulary(heed_source *s, const heed_special *first)
{
    json_int_t id = 0;
    int failed = !(s->vocabulary = json_object());
    for (; *first != HEED_SPECIAL_COUNT; first++)
        failed |= json_object_set_new(s->vocabulary, heed_source_special(s, *first),
                                      json_integer(id++));
    for (unsigned byte = 0; byte < 256; byte++) {
        char spelled[4];
        size_t size = heed_utf8_put(heed_byte_character((unsigned char)byte), spelled);
        failed |= json_object_setn_new(s->vocabulary, spelled, size, json_integer(id++));
    }
    return failed ? heed_fail_memory(s->error, 256 * 32, "the vocabulary") : HEED_OK;
}

static heed_status byt5_vocabulary(heed_source *s)
{
    static const heed_special first[] = {HEED_PAD, HEED_EOS, HEED_UNK, HEED_SPECIAL_COUNT};
    return byte_vocabulary(s, first);
}

static heed_status perceiver_vocabulary(heed_source *s)
{
    static const heed_special first[] = {HEED_PAD, HEED_BOS, HEED_EOS,          HEED_MASK,
                                         HEED_CLS, HEED_SEP, HEED_SPECIAL_COUNT};
    return byte_vocabulary(s, first);
}

static heed_status build_bytes(const heed_source *s, heed_sections *made)
{
    /* ByT5 drops invalid bytes, Perceiver writes U+FFFD */
    bool byt5 = s->recipe == &heed_recipe_byt5;
    made->normalizer = json_null();
    made->pre_tokenizer = heed_recipe_byte_level(false, true, false);
    made->post_processor = heed_source_template(s);
    made->decoder = json_pack("{s:s, s:s}", "type", "ByteLevel", "errors",
                              byt5 ? "ignore" : "replace");
    made->model = json_pack("{s:s, s:O, s:[]}", "type", "BPE", "vocab", s->vocabulary, "merges");
    return HEED_OK;
}

/* ---- code points ---- */

static heed_status code_point_vocabulary(heed_source *s)
{
    int failed = !(s->vocabulary = json_object());
    for (int part = 0; part < HEED_SPECIAL_COUNT; part++) {
        const char *content = heed_source_special(s, (heed_special)part);
        uint32_t point = 0;
        if (content && *content) {
            heed_utf8_next(content, strlen(content), &point, NULL);
            failed |= json_object_set_new(s->vocabulary, content, json_integer(point));
        }
    }
    return failed ? heed_fail_memory(s->error, 1024, "the vocabulary") : HEED_OK;
}

static heed_status build_code_points(const heed_source *s, heed_sections *made)
{
    made->normalizer = json_null();
    made->pre_tokenizer = json_null();
    made->post_processor = heed_source_template(s);
    made->decoder = plain("Fuse");
    made->model = plain("CodePoints");
    return HEED_OK;
}

/* ---- characters ---- */

/* ESM: one token per letter of a protein. Any other text between white space is one unknown
   token. */
static heed_status build_esm(const heed_source *s, heed_sections *made)
{
    made->normalizer = json_null();
    made->pre_tokenizer = plain("WhitespaceSplit");
    made->post_processor = heed_source_template(s);
    made->decoder = json_null();
    made->model = json_pack("{s:s, s:O, s:s}", "type", "WordLevel", "vocab", s->vocabulary,
                            "unk_token", heed_source_special(s, HEED_UNK));
    return HEED_OK;
}

/* wav2vec 2.0: one token per letter, with a delimiter for the space between words. Decoding is that
   of CTC (Graves et al. 2006): repeated tokens are merged and padding is dropped. */
static heed_status build_wav2vec2(const heed_source *s, heed_sections *made)
{
    const char *delimiter = json_string_value(json_object_get(s->config, "word_delimiter_token"));
    if (!delimiter) delimiter = "|";
    if (heed_source_flag(s, "do_lower_case", false))
        return heed_fail(s->error, HEED_E_UNSUPPORTED,
                         "%s: \"do_lower_case\" of a Wav2Vec2CTCTokenizer is not supported",
                         s->where);
    made->normalizer = json_pack("{s:s, s:{s:s}, s:s}", "type", "Replace", "pattern", "String", " ",
                                 "content", delimiter);
    made->pre_tokenizer = json_null();
    made->post_processor = json_null();
    made->decoder = json_pack("{s:s, s:[{s:s, s:s, s:s, s:b}, {s:s}, {s:s, s:s, s:i, s:i}]}",
                              "type", "Sequence", "decoders", "type", "CTC", "pad_token",
                              heed_source_special(s, HEED_PAD), "word_delimiter_token", delimiter,
                              "cleanup", true, "type", "Fuse", "type", "Strip", "content", " ",
                              "start", INT32_MAX, "stop", INT32_MAX);
    made->model = json_pack("{s:s, s:O, s:[], s:s}", "type", "BPE", "vocab", s->vocabulary,
                            "merges", "unk_token", heed_source_special(s, HEED_UNK));
    return HEED_OK;
}

/* ---- words of Moses ---- */

/* FSMT: fairseq's models that translate from one language to another. */
static heed_status build_fsmt(const heed_source *s, heed_sections *made)
{
    const json_t *languages = json_object_get(s->config, "langs");
    const char *from = json_string_value(json_array_get(languages, 0)),
               *to = json_string_value(json_array_get(languages, 1));
    if (json_array_size(languages) != 2 || !from || !to)
        return heed_fail(
            s->error, HEED_E_FORMAT,
            "%s: tokenizer_config.json: \"langs\": expected two languages, as [\"en\", \"de\"]",
            s->where);
    json_t *moses = json_pack("{s:s, s:s}", "type", "Moses", "language", from);
    made->normalizer = heed_source_flag(s, "do_lower_case", false)
                           ? json_pack("{s:s, s:[{s:s}, o]}", "type", "Sequence", "normalizers",
                                       "type", "Lowercase", moses)
                           : moses;
    made->pre_tokenizer = plain("WhitespaceSplit");
    made->post_processor = heed_source_template(s);
    made->decoder = json_pack("{s:s, s:s}", "type", "Moses", "language", to);
    made->model = json_pack("{s:s, s:O, s:O, s:s, s:s, s:b, s:O*}", "type", "BPE", "vocab",
                            s->vocabulary, "merges", s->merges, "end_of_word_suffix", "</w>",
                            "unk_token", heed_source_special(s, HEED_UNK), "hidden_merges", 1,
                            "target_vocab", s->target);
    return HEED_OK;
}

const heed_recipe heed_recipe_fsmt = {
    .files = HEED_FILES_PAIR,
    .specials =
        {[HEED_BOS] = "<s>", [HEED_SEP] = "</s>", [HEED_UNK] = "<unk>", [HEED_PAD] = "<pad>"},
    .before = HEED_SPECIAL_COUNT,
    .after = HEED_SEP,
    .named_only = true,
    .build = build_fsmt};
const heed_recipe heed_recipe_byt5 = {
    .files = HEED_FILES_NONE,
    .specials = {[HEED_PAD] = "<pad>", [HEED_EOS] = "</s>", [HEED_UNK] = "<unk>"},
    .before = HEED_SPECIAL_COUNT,
    .after = HEED_EOS,
    .after_if_absent = true,
    .named_only = true,
    .extra_ids = 125,
    .vocabulary = byt5_vocabulary,
    .build = build_bytes};
const heed_recipe heed_recipe_perceiver = {
    .files = HEED_FILES_NONE,
    .specials = {[HEED_PAD] = "[PAD]",
                 [HEED_BOS] = "[BOS]",
                 [HEED_EOS] = "[EOS]",
                 [HEED_MASK] = "[MASK]",
                 [HEED_CLS] = "[CLS]",
                 [HEED_SEP] = "[SEP]"},
    .before = HEED_CLS,
    .after = HEED_SEP,
    .named_only = true,
    .vocabulary = perceiver_vocabulary,
    .build = build_bytes,
};
const heed_recipe heed_recipe_canine = {
    .files = HEED_FILES_NONE,
    .specials = {[HEED_BOS] = "\uE000",
                 [HEED_EOS] = "\uE001",
                 [HEED_SEP] = "\uE001",
                 [HEED_CLS] = "\uE000",
                 [HEED_MASK] = "\uE003"},
    .before = HEED_CLS,
    .after = HEED_SEP,
    .named_only = true,
    .vocabulary = code_point_vocabulary,
    .build = build_code_points,
};
const heed_recipe heed_recipe_esm = {
    .files = HEED_FILES_LINES,
    .specials = {[HEED_UNK] = "<unk>",
                 [HEED_CLS] = "<cls>",
                 [HEED_PAD] = "<pad>",
                 [HEED_MASK] = "<mask>",
                 [HEED_EOS] = "<eos>"},
    .before = HEED_CLS,
    .after = HEED_EOS,
    .named_only = true,
    .all_added = true,
    .build = build_esm,
};
const heed_recipe heed_recipe_wav2vec2 = {
    .files = HEED_FILES_TABLE,
    .specials =
        {[HEED_BOS] = "<s>", [HEED_EOS] = "</s>", [HEED_UNK] = "<unk>", [HEED_PAD] = "<pad>"},
    .before = HEED_SPECIAL_COUNT,
    .after = HEED_SPECIAL_COUNT,
    .named_only = true,
    .keeps_pad = true,
    .build = build_wav2vec2};
