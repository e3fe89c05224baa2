#include "text/internal.h"

#include "base/file.h"
#include "base/utf8.h"
#include <stdlib.h>
#include <string.h>

/* Vocabularies in the older forms are turned into the tokenizer.json that transformers' class would make of them. */

enum { FILE_LIMIT = 256 << 20 };

typedef enum { GPT2, ROBERTA, QWEN2, CLIP, BERT, NO_RECIPE } recipe;

/* tokenizer_class, without "Fast", and what it stands for. */
static const struct { const char *name; recipe recipe; } classes[] = {
    {"GPT2Tokenizer", GPT2}, {"CodeGenTokenizer", GPT2}, {"GPTNeoXTokenizer", GPT2}, {"WhisperTokenizer", GPT2},
    {"PreTrainedTokenizer", GPT2}, {"RobertaTokenizer", ROBERTA}, {"BartTokenizer", ROBERTA}, {"LongformerTokenizer", ROBERTA},
    {"LEDTokenizer", ROBERTA}, {"MvpTokenizer", ROBERTA}, {"Qwen2Tokenizer", QWEN2}, {"CLIPTokenizer", CLIP}, {"BertTokenizer", BERT},
    {"DistilBertTokenizer", BERT}, {"ElectraTokenizer", BERT}, {"MobileBertTokenizer", BERT}, {"ConvBertTokenizer", BERT},
    {"FunnelTokenizer", BERT}, {"LayoutLMTokenizer", BERT}, {"LxmertTokenizer", BERT}, {"SqueezeBertTokenizer", BERT}
};

/* Special tokens that a class has when its config names none. */
static const char *const class_specials[NO_RECIPE][HEED_SPECIAL_COUNT] = {
    [GPT2] = {[HEED_BOS] = "<|endoftext|>", [HEED_EOS] = "<|endoftext|>", [HEED_UNK] = "<|endoftext|>"},
    [ROBERTA] = {[HEED_BOS] = "<s>", [HEED_EOS] = "</s>", [HEED_PAD] = "<pad>", [HEED_UNK] = "<unk>", [HEED_CLS] = "<s>",
                 [HEED_SEP] = "</s>", [HEED_MASK] = "<mask>"},
    [QWEN2] = {[HEED_EOS] = "<|endoftext|>", [HEED_PAD] = "<|endoftext|>", [HEED_UNK] = "<|endoftext|>"},
    [CLIP] = {[HEED_BOS] = "<|startoftext|>", [HEED_EOS] = "<|endoftext|>", [HEED_PAD] = "<|endoftext|>", [HEED_UNK] = "<|endoftext|>"},
    [BERT] = {[HEED_PAD] = "[PAD]", [HEED_UNK] = "[UNK]", [HEED_CLS] = "[CLS]", [HEED_SEP] = "[SEP]", [HEED_MASK] = "[MASK]"}
};

typedef struct {
    const json_t *config; /* NULL: the vocabulary came alone */
    recipe recipe;
    json_t *vocabulary, *merges;
    const char *where;
    heed_error *error;
} source;

static heed_status find_recipe(source *s, recipe standard)
{
    const char *name = json_string_value(json_object_get(s->config, "tokenizer_class"));
    s->recipe = standard;
    if (!name) return HEED_OK;
    size_t length = strlen(name);
    if (length > 4 && !strcmp(name + length - 4, "Fast")) length -= 4;
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strlen(classes[i].name) == length && !memcmp(classes[i].name, name, length) &&
            (classes[i].recipe == BERT) == (standard == BERT)) {
            s->recipe = classes[i].recipe;
            return HEED_OK;
        }
    return heed_fail(s->error, HEED_E_UNSUPPORTED, "%s: a tokenizer of class \"%.80s\" is not supported without a tokenizer.json",
                     s->where, name);
}

/* ---- lines of text files ---- */

typedef heed_status line_reader(source *s, const char *line, size_t length, size_t number);

static heed_status read_lines(source *s, const char *path, line_reader *reader)
{
    heed_buffer text = {0};
    heed_status status = heed_file_read(path, FILE_LIMIT, &text, s->error);
    for (size_t at = 0, number = 0; status == HEED_OK && at < text.length; number++) {
        const char *line = text.data + at, *end = memchr(line, '\n', text.length - at);
        size_t length = end ? (size_t)(end - line) : text.length - at;
        at += length + 1;
        if (length && line[length - 1] == '\r') length--;
        bool valid = !memchr(line, 0, length);
        for (size_t i = 0; i < length && valid;) {
            uint32_t point;
            i += heed_utf8_next(line + i, length - i, &point, &valid);
        }
        if (valid) status = reader(s, line, length, number);
        else status = heed_fail(s->error, HEED_E_FORMAT, "%s: line %zu: expected UTF-8 text", path, number + 1);
    }
    heed_buffer_free(&text);
    return status;
}

static heed_status read_token_line(source *s, const char *line, size_t length, size_t number)
{
    if (json_object_setn_new(s->vocabulary, line, length, json_integer((json_int_t)number)))
        return heed_fail_memory(s->error, length, "the vocabulary");
    return HEED_OK;
}

static heed_status read_merge_line(source *s, const char *line, size_t length, size_t number)
{
    (void)number;
    if (length == 0 || (length >= 8 && !memcmp(line, "#version", 8))) return HEED_OK;
    return json_array_append_new(s->merges, json_stringn(line, length)) ? heed_fail_memory(s->error, length, "the merges") : HEED_OK;
}

/* ---- special tokens ---- */

static const char *special_content(const source *s, heed_special part)
{
    const char *named = heed_special_content(s->config, part);
    return named ? named : class_specials[s->recipe][part];
}

static int append_token(json_t *list, const json_t *described, const char *content, bool special, bool lstrip)
{
    json_t *token = json_object();
    int failed = json_is_object(described) ? json_object_update(token, (json_t *)described) : 0;
    failed |= json_object_set_new(token, "content", json_string(content));
    if (!json_object_get(token, "lstrip")) failed |= json_object_set_new(token, "lstrip", json_boolean(lstrip));
    if (!json_object_get(token, "special")) failed |= json_object_set_new(token, "special", json_boolean(special));
    json_object_del(token, "id");
    return failed | json_array_append_new(list, token);
}

/* added_tokens_decoder of the config: {"50257": {"content": ...}, ...}, in order of id. */
static int append_described(json_t *list, const json_t *described)
{
    int failed = 0;
    json_t *sorted = json_array();
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)described, key, value) {
        size_t at = json_array_size(sorted);
        while (at > 0 &&
               strtol(json_string_value(json_array_get(json_array_get(sorted, at - 1), 0)), NULL, 10) > strtol(key, NULL, 10))
            at--;
        failed |= json_array_insert_new(sorted, at, json_pack("[s, O]", key, value));
    }
    for (size_t i = 0; i < json_array_size(sorted); i++) {
        const json_t *token = json_array_get(json_array_get(sorted, i), 1);
        const char *content = json_string_value(json_object_get(token, "content"));
        if (content) failed |= append_token(list, token, content, false, false);
    }
    json_decref(sorted);
    return failed;
}

static json_t *make_added_tokens(const source *s)
{
    static const heed_special order[] = {HEED_BOS, HEED_EOS, HEED_UNK, HEED_SEP, HEED_PAD, HEED_CLS, HEED_MASK};
    json_t *list = json_array();
    int failed = !list;
    if (!s->config) return list; /* a vocabulary alone names no special tokens */
    const json_t *described = json_object_get(s->config, "added_tokens_decoder");
    if (json_is_object(described)) failed |= append_described(list, described);
    for (size_t i = 0; i < HEED_SPECIAL_COUNT && !failed; i++) {
        const char *content = special_content(s, order[i]);
        const json_t *named = json_object_get(s->config, heed_special_names[order[i]]);
        if (content) failed |= append_token(list, named, content, true, s->recipe == ROBERTA && order[i] == HEED_MASK);
    }
    if (!failed) return list;
    json_decref(list);
    return NULL;
}

/* ---- recipes ---- */

static bool config_flag(const source *s, const char *key, bool standard)
{
    const json_t *flag = json_object_get(s->config, key);
    return json_is_boolean(flag) ? json_is_true(flag) : standard;
}

/* {"id": "[CLS]", "ids": [101], "tokens": ["[CLS]"]}; NULL when the vocabulary lacks the token. */
static json_t *special_entry(const source *s, heed_special part)
{
    const char *content = special_content(s, part);
    const json_t *id = content ? json_object_get(s->vocabulary, content) : NULL;
    return id ? json_pack("{s:s, s:[I], s:[s]}", "id", content, "ids", json_integer_value(id), "tokens", content) : NULL;
}

/* `before` A `behind`, and the same for pairs: BERT's form when `before` is CLS, else each text in its own pair of brackets. */
static json_t *make_template(const source *s, heed_special before, heed_special behind, bool use_before, bool use_behind)
{
    bool bert = before == HEED_CLS;
    json_t *single = json_array(), *pair = json_array(), *specials = json_object();
    const struct { heed_special part; bool used; } ends[2] = {{before, use_before}, {behind, use_behind}};
    int failed = 0;
    for (int text = 0; text < 2; text++) {
        for (int place = 0; place < 3; place++) {
            json_t *piece;
            if (place == 1) piece = json_pack("{s:{s:s, s:i}}", "Sequence", "id", text ? "B" : "A", "type_id", text);
            else if (!ends[place / 2].used || (bert && text && place == 0)) continue;
            else piece = json_pack("{s:{s:s, s:i}}", "SpecialToken", "id", special_content(s, ends[place / 2].part), "type_id", text);
            failed |= json_array_append(pair, piece);
            if (!text) failed |= json_array_append(single, piece);
            json_decref(piece);
        }
    }
    for (int i = 0; i < 2; i++)
        if (ends[i].used) failed |= json_object_set_new(specials, special_content(s, ends[i].part), special_entry(s, ends[i].part));
    return failed ? (json_decref(single), json_decref(pair), json_decref(specials), NULL)
                  : json_pack("{s:s, s:o, s:o, s:o}", "type", "TemplateProcessing", "single", single, "pair", pair, "special_tokens",
                              specials);
}

static json_t *byte_level(bool add_prefix_space, bool trim_offsets, bool use_regex)
{
    return json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", add_prefix_space, "trim_offsets", trim_offsets,
                     "use_regex", use_regex);
}

static json_t *split(const char *regex, const char *behavior, bool invert)
{
    return json_pack("{s:s, s:{s:s}, s:s, s:b}", "type", "Split", "pattern", "Regex", regex, "behavior", behavior, "invert", invert);
}

static json_t *roberta_post(const source *s, bool add_prefix_space, bool trim)
{
    heed_special before = s->recipe == CLIP ? HEED_BOS : HEED_CLS, behind = s->recipe == CLIP ? HEED_EOS : HEED_SEP;
    const char *cls = special_content(s, before), *sep = special_content(s, behind);
    return json_pack("{s:s, s:[s, O?], s:[s, O?], s:b, s:b}", "type", "RobertaProcessing", "sep", sep,
                     json_object_get(s->vocabulary, sep), "cls", cls, json_object_get(s->vocabulary, cls), "trim_offsets", trim,
                     "add_prefix_space", add_prefix_space);
}

static json_t *gpt2_post(const source *s)
{
    bool bos = config_flag(s, "add_bos_token", false), eos = config_flag(s, "add_eos_token", false);
    json_t *plain = byte_level(true, false, true);
    if (!bos && !eos) return plain;
    return json_pack("{s:s, s:[o, o]}", "type", "Sequence", "processors", plain, make_template(s, HEED_BOS, HEED_EOS, bos, eos));
}

/* The sections that differ from recipe to recipe; any of them may be NULL when memory is out. */
typedef struct { json_t *normalizer, *pre_tokenizer, *post_processor, *decoder, *model; } sections;

static void byte_level_sections(const source *s, sections *made)
{
    static const char qwen2[] =
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|"
        "\\s+(?!\\S)|\\s+";
    static const char clip[] = "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+";
    bool prefix = config_flag(s, "add_prefix_space", false);
    made->decoder = byte_level(true, true, true);
    bool is_clip = s->recipe == CLIP;
    made->model = json_pack("{s:s, s:O, s:O, s:s?, s:s?}", "type", "BPE", "vocab", s->vocabulary, "merges", s->merges, "end_of_word_suffix",
                            is_clip ? "</w>" : NULL, "unk_token", is_clip ? special_content(s, HEED_UNK) : NULL);
    switch (s->recipe) {
    case QWEN2:
        made->normalizer = json_pack("{s:s}", "type", "NFC");
        made->pre_tokenizer = json_pack("{s:s, s:[o, o]}", "type", "Sequence", "pretokenizers", split(qwen2, "Isolated", false),
                                        byte_level(prefix, false, false));
        made->post_processor = byte_level(false, false, false);
        return;
    case CLIP:
        made->normalizer = json_pack("{s:s, s:[{s:s}, {s:s, s:{s:s}, s:s}, {s:s}]}", "type", "Sequence", "normalizers", "type", "NFC",
                                     "type", "Replace", "pattern", "Regex", "\\s+", "content", " ", "type", "Lowercase");
        made->pre_tokenizer = json_pack("{s:s, s:[o, o]}", "type", "Sequence", "pretokenizers", split(clip, "Removed", true),
                                        byte_level(false, true, true));
        made->post_processor = roberta_post(s, false, false);
        return;
    default:
        made->normalizer = json_null();
        made->pre_tokenizer = byte_level(prefix, true, true);
        made->post_processor = s->recipe == ROBERTA ? roberta_post(s, prefix, true) : gpt2_post(s);
    }
}

/* Whether a bare vocab.txt was made from lowered text: no token with a capital but the bracketed ones. */
static bool looks_lowered(const source *s)
{
    const char *token;
    json_t *id;
    json_object_foreach(s->vocabulary, token, id)
        if (token[0] != '[')
            for (const char *c = token; *c; c++)
                if (*c >= 'A' && *c <= 'Z') return false;
    return true;
}

static void bert_sections(const source *s, sections *made)
{
    bool lower = config_flag(s, "do_lower_case", s->config ? true : looks_lowered(s));
    const json_t *accents = json_object_get(s->config, "strip_accents");
    made->normalizer = json_pack("{s:s, s:b, s:b, s:O?, s:b}", "type", "BertNormalizer", "clean_text", 1, "handle_chinese_chars",
                                 config_flag(s, "tokenize_chinese_chars", true), "strip_accents", accents, "lowercase", lower);
    made->pre_tokenizer = json_pack("{s:s}", "type", "BertPreTokenizer");
    made->post_processor = make_template(s, HEED_CLS, HEED_SEP, true, true);
    made->decoder = json_pack("{s:s, s:s, s:b}", "type", "WordPiece", "prefix", "##", "cleanup", 1);
    made->model = json_pack("{s:s, s:s, s:s, s:i, s:O}", "type", "WordPiece", "unk_token", special_content(s, HEED_UNK),
                            "continuing_subword_prefix", "##", "max_input_chars_per_word", 100, "vocab", s->vocabulary);
}

/* Special tokens that the post-processor refers to have to be in the vocabulary. */
static heed_status check_specials(const source *s)
{
    bool bert = s->recipe == BERT || s->recipe == ROBERTA;
    heed_special needed[2] = {bert ? HEED_CLS : HEED_BOS, bert ? HEED_SEP : HEED_EOS};
    bool used[2] = {bert || s->recipe == CLIP, bert || s->recipe == CLIP};
    if (s->recipe == GPT2) used[0] = config_flag(s, "add_bos_token", false), used[1] = config_flag(s, "add_eos_token", false);
    for (int i = 0; i < 2; i++) {
        const char *content = special_content(s, needed[i]);
        if (used[i] && !(content && json_is_integer(json_object_get(s->vocabulary, content))))
            return heed_fail(s->error, HEED_E_FORMAT, "%s: the vocabulary lacks the special token \"%.80s\" (%s)", s->where,
                             content ? content : "", heed_special_names[needed[i]]);
    }
    return HEED_OK;
}

static heed_status assemble(const source *s, json_t **result)
{
    sections made = {0};
    HEED_TRY(check_specials(s));
    if (s->recipe == BERT) bert_sections(s, &made);
    else byte_level_sections(s, &made);
    json_t *added = make_added_tokens(s);
    /* json_pack gives up every "o" member when one of them is NULL. */
    *result = json_pack("{s:s, s:n, s:n, s:o, s:o, s:o, s:o, s:o, s:o}", "version", "1.0", "truncation", "padding", "added_tokens",
                        added, "normalizer", made.normalizer, "pre_tokenizer", made.pre_tokenizer, "post_processor",
                        made.post_processor, "decoder", made.decoder, "model", made.model);
    return *result ? HEED_OK : heed_fail_memory(s->error, 1 << 20, "the tokenizer");
}

static heed_status read_vocabulary(source *s, const char *vocab_json, const char *merges_txt, const char *vocab_txt)
{
    bool byte_pairs = heed_path_exists(vocab_json) && heed_path_exists(merges_txt);
    if (!byte_pairs && !heed_path_exists(vocab_txt))
        return heed_fail(s->error, HEED_E_IO,
                         "%s: no tokenizer here; expected tokenizer.json, or vocab.json and merges.txt, or vocab.txt", s->where);
    HEED_TRY(find_recipe(s, byte_pairs ? GPT2 : BERT));
    if (!byte_pairs) {
        s->vocabulary = json_object();
        return s->vocabulary ? read_lines(s, vocab_txt, read_token_line) : heed_fail_memory(s->error, 1024, "the vocabulary");
    }
    HEED_TRY(heed_json_read(&s->vocabulary, vocab_json, s->error));
    if (!json_is_object(s->vocabulary)) return heed_fail(s->error, HEED_E_FORMAT, "%s: expected an object of ids", vocab_json);
    s->merges = json_array();
    return s->merges ? read_lines(s, merges_txt, read_merge_line) : heed_fail_memory(s->error, 1024, "the merges");
}

heed_status heed_tokenizer_json_from_files(json_t **json, const char *folder, const json_t *config, heed_error *error)
{
    source s = {.config = config, .where = folder, .error = error};
    char *vocab_json = heed_path_join(folder, "vocab.json"), *merges_txt = heed_path_join(folder, "merges.txt");
    char *vocab_txt = heed_path_join(folder, "vocab.txt");
    heed_status status = vocab_json && merges_txt && vocab_txt ? read_vocabulary(&s, vocab_json, merges_txt, vocab_txt)
                                                               : heed_fail_memory(error, strlen(folder), "a path");
    if (status == HEED_OK) status = assemble(&s, json);
    json_decref(s.vocabulary);
    json_decref(s.merges);
    free(vocab_json);
    free(merges_txt);
    free(vocab_txt);
    return status;
}
