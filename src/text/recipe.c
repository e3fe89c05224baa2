/* recipe.c: the recipes for byte-level BPE and for BERT, and what all recipes share (recipe.h).
   Source: the classes of transformers. */
#include "text/recipe.h"

#include "text/text_internal.h"

const char *heed_source_special(const heed_source *s, heed_special part)
{
    const char *named = heed_special_content(s->config, part);
    bool optional = (part == HEED_PAD || part == HEED_MASK) && !s->recipe->named_only;
    if (optional && json_is_null(json_object_get(s->config, heed_special_names[part])))
        return NULL; /* null says that there is none */
    return named ? named : s->recipe->specials[part];
}

bool heed_source_flag(const heed_source *s, const char *key, bool standard)
{
    const json_t *flag = json_object_get(s->config, key);
    return json_is_boolean(flag) ? json_is_true(flag) : standard;
}

/* Returns {"id": "[CLS]", "ids": [101], "tokens": ["[CLS]"]}, NULL if the vocabulary lacks the
   token. */
static json_t *special_entry(const heed_source *s, heed_special part)
{
    const char *content = heed_source_special(s, part);
    const json_t *id = content ? json_object_get(s->vocabulary, content) : NULL;
    return id ? json_pack("{s:s, s:[I], s:[s]}", "id", content, "ids", json_integer_value(id),
                          "tokens", content)
              : NULL;
}

bool heed_source_brackets(const heed_source *s, int place)
{
    static const char *const flags[] = {"add_bos_token", "add_eos_token"};
    heed_special part = place ? s->recipe->after : s->recipe->before;
    return part != HEED_SPECIAL_COUNT &&
           (!s->recipe->by_flags || heed_source_flag(s, flags[place], false));
}

json_t *heed_source_template(const heed_source *s)
{
    json_t *single = json_array(), *pair = json_array(), *specials = json_object();
    const struct {
        heed_special part;
        bool used;
    } ends[2] = {
        {s->recipe->before, heed_source_brackets(s, 0)},
        {s->recipe->after, heed_source_brackets(s, 1)},
    };
    bool bert = ends[0].part == HEED_CLS;
    int failed = 0;
    for (int text = 0; text < 2; text++) {
        for (int place = 0; place < 3; place++) {
            json_t *piece;
            if (place == 1)
                piece = json_pack("{s:{s:s, s:i}}", "Sequence", "id", text ? "B" : "A", "type_id",
                                  text);
            else if (!ends[place / 2].used || (bert && text && place == 0)) continue;
            else
                piece = json_pack("{s:{s:s, s:i}}", "SpecialToken", "id",
                                  heed_source_special(s, ends[place / 2].part), "type_id", text);
            if (place == 2 && s->recipe->after_if_absent)
                failed |= json_object_set_new(json_object_get(piece, "SpecialToken"), "if_absent",
                                              json_true());
            failed |= json_array_append(pair, piece);
            if (!text) failed |= json_array_append(single, piece);
            json_decref(piece);
        }
    }
    for (int i = 0; i < 2; i++)
        if (ends[i].used)
            failed |= json_object_set_new(specials, heed_source_special(s, ends[i].part),
                                          special_entry(s, ends[i].part));
    return failed ? (json_decref(single), json_decref(pair), json_decref(specials), NULL)
                  : json_pack("{s:s, s:o, s:o, s:o}", "type", "TemplateProcessing", "single",
                              single, "pair", pair, "special_tokens", specials);
}

json_t *heed_recipe_byte_level(bool add_prefix_space, bool trim_offsets, bool use_regex)
{
    return json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space",
                     add_prefix_space, "trim_offsets", trim_offsets, "use_regex", use_regex);
}

/* Builds the pre-tokenizer Split. */
static json_t *split(const char *regex, const char *behavior, bool invert)
{
    return json_pack("{s:s, s:{s:s}, s:s, s:b}", "type", "Split", "pattern", "Regex", regex,
                     "behavior", behavior, "invert", invert);
}

/* Builds RoBERTa's and CLIP's post-processor, which trims offsets too. */
static json_t *roberta_post(const heed_source *s, bool add_prefix_space, bool trim)
{
    const char *before = heed_source_special(s, s->recipe->before),
               *after = heed_source_special(s, s->recipe->after);
    return json_pack("{s:s, s:[s, O?], s:[s, O?], s:b, s:b}", "type", "RobertaProcessing", "sep",
                     after, json_object_get(s->vocabulary, after), "cls", before,
                     json_object_get(s->vocabulary, before), "trim_offsets", trim,
                     "add_prefix_space", add_prefix_space);
}

/* Builds a BPE model from vocabulary and merges. */
static json_t *byte_pairs(const heed_source *s)
{
    return json_pack("{s:s, s:O, s:O}", "type", "BPE", "vocab", s->vocabulary, "merges", s->merges);
}

static heed_status build_gpt2(const heed_source *s, heed_sections *made)
{
    json_t *plain = heed_recipe_byte_level(true, false, true);
    bool brackets = heed_source_brackets(s, 0) || heed_source_brackets(s, 1);
    made->normalizer = json_null();
    made->pre_tokenizer = heed_recipe_byte_level(heed_source_flag(s, "add_prefix_space", false),
                                                 true, true);
    made->post_processor = brackets ? json_pack("{s:s, s:[o, o]}", "type", "Sequence", "processors",
                                                plain, heed_source_template(s))
                                    : plain;
    made->decoder = heed_recipe_byte_level(true, true, true);
    made->model = byte_pairs(s);
    return HEED_OK;
}

static heed_status build_roberta(const heed_source *s, heed_sections *made)
{
    bool prefix = heed_source_flag(s, "add_prefix_space", false);
    made->normalizer = json_null();
    made->pre_tokenizer = heed_recipe_byte_level(prefix, true, true);
    made->post_processor = roberta_post(s, prefix, true);
    made->decoder = heed_recipe_byte_level(true, true, true);
    made->model = byte_pairs(s);
    return HEED_OK;
}

static heed_status build_qwen2(const heed_source *s, heed_sections *made)
{
    static const char words[] = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|"
                                " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|"
                                "\\s+(?!\\S)|\\s+";
    made->normalizer = json_pack("{s:s}", "type", "NFC");
    made->pre_tokenizer = json_pack(
        "{s:s, s:[o, o]}", "type", "Sequence", "pretokenizers", split(words, "Isolated", false),
        heed_recipe_byte_level(heed_source_flag(s, "add_prefix_space", false), false, false));
    made->post_processor = heed_recipe_byte_level(false, false, false);
    made->decoder = heed_recipe_byte_level(true, true, true);
    made->model = byte_pairs(s);
    return HEED_OK;
}

static heed_status build_clip(const heed_source *s, heed_sections *made)
{
    static const char words[] = "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+";
    made->normalizer = json_pack("{s:s, s:[{s:s}, {s:s, s:{s:s}, s:s}, {s:s}]}", "type", "Sequence",
                                 "normalizers", "type", "NFC", "type", "Replace", "pattern",
                                 "Regex", "\\s+", "content", " ", "type", "Lowercase");
    made->pre_tokenizer = json_pack("{s:s, s:[o, o]}", "type", "Sequence", "pretokenizers",
                                    split(words, "Removed", true),
                                    heed_recipe_byte_level(false, true, true));
    made->post_processor = roberta_post(s, false, false);
    made->decoder = heed_recipe_byte_level(true, true, true);
    made->model = json_pack("{s:s, s:O, s:O, s:s, s:s}", "type", "BPE", "vocab", s->vocabulary,
                            "merges", s->merges, "end_of_word_suffix", "</w>", "unk_token",
                            heed_source_special(s, HEED_UNK));
    return HEED_OK;
}

/* Returns whether a vocab.txt without configuration was made from lower-cased text: no token has a
   capital letter, except for those in brackets. */
static bool looks_lowered(const heed_source *s)
{
    const char *token;
    json_t *id;
    json_object_foreach(s->vocabulary, token,
                        id) if (token[0] != '[') for (const char *c = token; *c;
                                                      c++) if (*c >= 'A' && *c <= 'Z') return false;
    return true;
}

static heed_status build_bert(const heed_source *s, heed_sections *made)
{
    bool lower = heed_source_flag(s, "do_lower_case", s->config ? true : looks_lowered(s));
    const json_t *accents = json_object_get(s->config, "strip_accents");
    made->normalizer = json_pack("{s:s, s:b, s:b, s:O?, s:b}", "type", "BertNormalizer",
                                 "clean_text", 1, "handle_chinese_chars",
                                 heed_source_flag(s, "tokenize_chinese_chars", true),
                                 "strip_accents", accents, "lowercase", lower);
    made->pre_tokenizer = json_pack("{s:s}", "type", "BertPreTokenizer");
    made->post_processor = heed_source_template(s);
    made->decoder = json_pack("{s:s, s:s, s:b}", "type", "WordPiece", "prefix", "##", "cleanup", 1);
    made->model = json_pack("{s:s, s:s, s:s, s:i, s:O}", "type", "WordPiece", "unk_token",
                            heed_source_special(s, HEED_UNK), "continuing_subword_prefix", "##",
                            "max_input_chars_per_word", 100, "vocab", s->vocabulary);
    return HEED_OK;
}

const heed_recipe heed_recipe_gpt2 = {
    .files = HEED_FILES_MERGES,
    .specials =
        {[HEED_BOS] = "<|endoftext|>", [HEED_EOS] = "<|endoftext|>", [HEED_UNK] = "<|endoftext|>"},
    .before = HEED_BOS,
    .after = HEED_EOS,
    .by_flags = true,
    .build = build_gpt2};
const heed_recipe heed_recipe_roberta = {
    .files = HEED_FILES_MERGES,
    .specials = {[HEED_BOS] = "<s>",
                 [HEED_EOS] = "</s>",
                 [HEED_PAD] = "<pad>",
                 [HEED_UNK] = "<unk>",
                 [HEED_CLS] = "<s>",
                 [HEED_SEP] = "</s>",
                 [HEED_MASK] = "<mask>"},
    .before = HEED_CLS,
    .after = HEED_SEP,
    .mask_strips = true,
    .build = build_roberta,
};
const heed_recipe heed_recipe_qwen2 = {
    .files = HEED_FILES_MERGES,
    .specials =
        {[HEED_EOS] = "<|endoftext|>", [HEED_PAD] = "<|endoftext|>", [HEED_UNK] = "<|endoftext|>"},
    .before = HEED_SPECIAL_COUNT,
    .after = HEED_SPECIAL_COUNT,
    .build = build_qwen2};
const heed_recipe heed_recipe_clip = {
    .files = HEED_FILES_MERGES,
    .specials = {[HEED_BOS] = "<|startoftext|>",
                 [HEED_EOS] = "<|endoftext|>",
                 [HEED_PAD] = "<|endoftext|>",
                 [HEED_UNK] = "<|endoftext|>"},
    .before = HEED_BOS,
    .after = HEED_EOS,
    .build = build_clip,
};
const heed_recipe heed_recipe_bert = {
    .files = HEED_FILES_LINES,
    .specials = {[HEED_PAD] = "[PAD]",
                 [HEED_UNK] = "[UNK]",
                 [HEED_CLS] = "[CLS]",
                 [HEED_SEP] = "[SEP]",
                 [HEED_MASK] = "[MASK]"},
    .before = HEED_CLS,
    .after = HEED_SEP,
    .build = build_bert,
};
