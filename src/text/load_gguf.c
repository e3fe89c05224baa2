#include "text/text_internal.h"

#include "base/memory.h"
#include "base/utf8.h"
#include "text/pattern.h"
#include <stdlib.h>
#include <string.h>

/* The vocabulary inside a GGUF file. The model is made from the arrays, the other sections as the
   tokenizer.json that says the same. */

enum { NORMAL = 1, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE }; /* types of tokens */

/* "tokenizer.ggml.pre": how a text is cut into words before byte pairs are merged, and what else
   comes with the name. */
enum { MOST_NAMES = 16, MOST_SPLITS = 5 };
typedef struct {
    const char *names[MOST_NAMES];
    /* regular expressions, one after the other; each match is a word of its own */
    const char *splits[MOST_SPLITS];
    bool nfc;         /* the model's own tokenizer normalizes */
    bool whole_words; /* a word that is a token is not merged */
    bool bos;         /* unless the file says otherwise */
    /* <s> A </s>, <s> A </s></s> B </s>; the mask takes along blanks */
    bool roberta;
} pre_tokenizer;

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define BLANKS "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define SIGNS "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" BLANKS
#define LLAMA3 CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}" SIGNS
#define QWEN2 CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}" SIGNS
#define QWEN35                                                     \
    CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| " \
                 "?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*" BLANKS
#define CAPITALS "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define SMALL "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define ANY_PREFIX "[^\\r\\n\\p{L}\\p{N}]?"
#define PATH_SIGNS "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" BLANKS
#define GPT4O                                                                         \
    ANY_PREFIX CAPITALS "*" SMALL "+" CONTRACTIONS "?|" ANY_PREFIX CAPITALS "+" SMALL \
                        "*" CONTRACTIONS "?|\\p{N}{1,3}" PATH_SIGNS
#define TEKKEN \
    ANY_PREFIX CAPITALS "*" SMALL "+|" ANY_PREFIX CAPITALS "+" SMALL "*|\\p{N}" PATH_SIGNS
#define BLOOM " ?[^(\\s|[.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c])]+"
#define DEEPSEEK3                                                                    \
    "[!\"#$%&'()*+,\\-./"                                                            \
    ":;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| " \
    "?[\\p{P}\\p{S}]+[\r\n]*" BLANKS

static const pre_tokenizer pre_tokenizers[] = {
    {.names = {"gpt-2", "phi-2", "mpt", "olmo", "jais", "jina-es", "jina-de", "jina-v2-es",
               "jina-v2-de", "mellum", "modern-bert", "exaone4", "trillion", "granite-docling"},
     .splits = {GPT2}},
    {.names = {"roberta-bpe", "jina-v1-en", "jina-v2-code"}, .splits = {GPT2}, .roberta = true},
    {.names = {"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"},
     .splits = {"\\p{N}", GPT2}},
    {.names = {"llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "lfm2"},
     .splits = {LLAMA3},
     .whole_words = true,
     .bos = true},
    {.names = {"dbrx", "smaug-bpe", "chatglm-bpe"}, .splits = {LLAMA3}},
    {.names = {"glm4"}, .splits = {LLAMA3}, .whole_words = true},
    {.names = {"qwen2", "deepseek-r1-qwen"}, .splits = {QWEN2}, .nfc = true},
    {.names = {"qwen35"}, .splits = {QWEN35}, .nfc = true},
    {.names = {"stablelm2", "hunyuan", "megrez", "grok-2"}, .splits = {QWEN2}},
    {.names = {"gpt-4o", "llama4"}, .splits = {GPT4O}, .whole_words = true},
    {.names = {"tekken"}, .splits = {TEKKEN}, .whole_words = true, .bos = true},
    {.names = {"bloom", "poro-chat", "gpt3-finnish"}, .splits = {BLOOM}},
    {.names = {"viking"}, .splits = {BLOOM, "\\p{N}"}},
    {.names = {"falcon"}, .splits = {"[\\p{P}\\$\\+<=>\\^~\\|`]+", GPT2, "[0-9][0-9][0-9]"}},
    {.names = {"deepseek-coder"},
     .splits = {"[\r\n]", "\\s?\\p{L}+", "\\s?\\p{P}+",
                "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+", "\\p{N}"}},
    {.names = {"deepseek-v3", "hunyuan-dense"},
     .splits = {"\\p{N}{1,3}", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+", DEEPSEEK3}},
    /* What the first GGUF files meant, which name none. */
    {.names = {"default", ""},
     .splits = {"[\\p{P}\\$\\+<=>\\^~\\|]+", GPT2, "\\p{N}+", "[0-9][0-9][0-9]"}}};

typedef struct {
    const heed_gguf_vocabulary *given;
    heed_tokenizer_model model;
    int64_t special[HEED_SPECIAL_COUNT];
    bool add_bos, add_eos, roberta;
    json_t *normalizer, *pre_tokenizer, *decoder;
    int failed; /* jansson ran out of memory */
    const char *where;
    heed_error *error;
} source;

static const heed_gguf_string no_string = {"", 0};

static int type_of(const source *s, size_t id)
{
    return s->given->types ? s->given->types[id] : NORMAL;
}

/* Whether pieces may be merged to this token, and from it. */
static bool is_piece(const source *s, size_t id)
{
    int type = type_of(s, id);
    return type == NORMAL || type == USER_DEFINED || type == UNUSED;
}

static heed_status read_tokens(source *s)
{
    const heed_gguf_vocabulary *given = s->given;
    if (!given->token_count || given->token_count >= INT32_MAX)
        return heed_fail(s->error, HEED_E_FORMAT,
                         "%s: tokenizer.ggml.tokens: %zu tokens, expected 1 to 2147483646",
                         s->where, given->token_count);
    for (size_t id = 0; id < given->token_count; id++) {
        heed_gguf_string token = given->tokens[id].length ? given->tokens[id] : no_string;
        if (!heed_utf8_valid(token.bytes, token.length))
            return heed_fail(s->error, HEED_E_FORMAT,
                             "%s: tokenizer.ggml.tokens[%zu]: expected UTF-8 text", s->where, id);
        HEED_TRY(heed_vocabulary_add_id(&s->model.vocabulary, token.bytes, token.length,
                                        (int64_t)id, s->where, s->error));
    }
    return heed_vocabulary_seal(&s->model.vocabulary, s->where, s->error);
}

/* ---- kind "gpt2": byte-level BPE ---- */

static heed_status find_pre_tokenizer(const source *s, const pre_tokenizer **found)
{
    enum { KNOWN = sizeof pre_tokenizers / sizeof *pre_tokenizers };
    const char *name = s->given->pre ? s->given->pre : "";
    heed_buffer list = {0};
    for (size_t i = 0; i < KNOWN; i++)
        for (size_t j = 0; j < MOST_NAMES && pre_tokenizers[i].names[j]; j++)
            if (!strcmp(pre_tokenizers[i].names[j], name)) {
                *found = &pre_tokenizers[i];
                return HEED_OK;
            }
    for (size_t i = 0; i < KNOWN; i++)
        heed_buffer_printf(&list, "%s%s", i ? ", " : "", pre_tokenizers[i].names[0]);
    heed_status status = heed_fail(
        s->error, HEED_E_UNSUPPORTED,
        "%s: tokenizer.ggml.pre is \"%.60s\", a pre-tokenizer that is not known (known are %s and "
        "their "
        "like); give ids instead of text, or a folder with the model's tokenizer.json",
        s->where, name, list.data ? list.data : "");
    heed_buffer_free(&list);
    return status;
}

static json_t *byte_level(bool add_prefix_space)
{
    return json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space",
                     add_prefix_space, "trim_offsets", true, "use_regex", false);
}

static heed_status build_gpt2(source *s)
{
    const pre_tokenizer *pre = NULL;
    json_t *stages = json_array();
    heed_status status = find_pre_tokenizer(s, &pre);
    if (status != HEED_OK) {
        json_decref(stages);
        return status;
    }
    for (size_t i = 0; i < MOST_SPLITS && pre->splits[i]; i++)
        s->failed |= json_array_append_new(
            stages, json_pack("{s:s, s:{s:s}, s:s, s:b}", "type", "Split", "pattern", "Regex",
                              pre->splits[i], "behavior", "Isolated", "invert", false));
    s->failed |= json_array_append_new(stages, byte_level(s->given->add_space_prefix == 1));
    s->pre_tokenizer = json_pack("{s:s, s:o}", "type", "Sequence", "pretokenizers", stages);
    s->normalizer = pre->nfc ? json_pack("{s:s}", "type", "NFC") : json_null();
    s->decoder = byte_level(true);
    s->roberta = pre->roberta;
    s->add_bos = s->given->add_bos < 0 ? pre->bos || pre->roberta : s->given->add_bos;
    s->add_eos = s->given->add_eos < 0 ? pre->roberta : s->given->add_eos;
    s->model.ignore_merges = pre->whole_words;
    for (size_t i = 0; i < s->given->merge_count; i++) {
        heed_gguf_string merge = s->given->merges[i];
        HEED_TRY(heed_bpe_add_merge_line(&s->model, merge.bytes, merge.length, s->where, s->error));
    }
    return HEED_OK;
}

/* ---- kind "llama": SentencePiece's BPE ---- */

typedef struct {
    float score;
    int32_t id;
} scored;

static int compare_scores(const void *a, const void *b)
{
    const scored *x = a, *y = b;
    return x->score > y->score ? -1 : x->score < y->score ? 1 : x->id < y->id ? -1 : x->id > y->id;
}

/* Every way to cut a piece into two pieces is a merge. The highest score is merged first, the
   leftmost place of equal scores: pieces of one score share a rank. Source: Kudo & Richardson
   2018. */
static heed_status add_cuts(source *s, int32_t id, uint32_t rank)
{
    const heed_vocabulary *vocabulary = &s->model.vocabulary;
    const heed_vocabulary_entry *entry = heed_vocabulary_entry_of(vocabulary, id);
    const char *piece = entry ? heed_vocabulary_string(vocabulary, entry) : "";
    size_t length = entry ? entry->length : 0;
    uint64_t hash = heed_hash_start;
    /* a later id has the string too */
    if (heed_vocabulary_find(vocabulary, piece, length) != id) return HEED_OK;
    for (size_t at = 0; at < length;) {
        for (size_t end = at + heed_utf8_size(piece[at]); at < end; at++)
            hash = heed_hash_byte(hash, piece[at]);
        int32_t left = at < length ? heed_vocabulary_find_hashed(vocabulary, piece, at, hash) : -1;
        int32_t right = left >= 0 ? heed_vocabulary_find(vocabulary, piece + at, length - at) : -1;
        if (right >= 0 && is_piece(s, (size_t)left) && is_piece(s, (size_t)right))
            HEED_TRY(
                heed_bpe_add_merge_ids(&s->model, (heed_merge){left, right, id, rank}, s->error));
    }
    return HEED_OK;
}

static heed_status add_merges(source *s)
{
    size_t count = 0, total = s->given->token_count;
    scored *pieces = heed_allocate(total, sizeof *pieces);
    if (!pieces) return heed_fail_memory(s->error, total * sizeof *pieces, "the merges");
    heed_status status = HEED_OK;
    for (size_t id = 0; id < total && status == HEED_OK; id++) {
        float score = s->given->scores[id];
        if (score != score)
            status = heed_fail(s->error, HEED_E_FORMAT,
                               "%s: tokenizer.ggml.scores[%zu] is not a number", s->where, id);
        else if (is_piece(s, id)) pieces[count++] = (scored){score, (int32_t)id};
    }
    if (status == HEED_OK && count) qsort(pieces, count, sizeof *pieces, compare_scores);
    uint32_t rank = 0;
    for (size_t i = 0; i < count && status == HEED_OK; i++) {
        if (i && pieces[i].score != pieces[i - 1].score) rank++;
        status = add_cuts(s, pieces[i].id, rank);
    }
    free(pieces);
    return status;
}

static bool has_space_sign(heed_gguf_string token)
{
    for (size_t at = 0; at + 3 <= token.length; at++)
        if (!memcmp(token.bytes + at, "\u2581", 3)) return true;
    return false;
}

/* A user-defined piece with blanks in it shows only once blanks are signs: the model looks for
   it. */
static heed_status add_whole_pieces(source *s)
{
    for (size_t id = 0; id < s->given->token_count; id++) {
        heed_gguf_string token = s->given->tokens[id];
        if (type_of(s, id) == USER_DEFINED && has_space_sign(token) &&
            !heed_trie_add(&s->model.whole, token.bytes, token.length, (int32_t)id))
            return heed_fail_memory(s->error, token.length, "the vocabulary");
    }
    return HEED_OK;
}

/* Characters without a token become bytes, or this; byte-level BPE drops them. */
static heed_status set_unknown(source *s)
{
    int64_t unknown = s->special[HEED_UNK];
    const heed_vocabulary_entry *entry = unknown >= 0 ? heed_vocabulary_entry_of(
                                                            &s->model.vocabulary, (int32_t)unknown)
                                                      : NULL;
    if (entry && !(s->model.unk_token = heed_string_copy(
                       heed_vocabulary_string(&s->model.vocabulary, entry))))
        return heed_fail_memory(s->error, entry->length, "the unknown token");
    return HEED_OK;
}

static heed_status build_llama(source *s)
{
    static const struct {
        heed_special part;
        int id;
    } standard[] = {{HEED_UNK, 0}, {HEED_BOS, 1}, {HEED_EOS, 2}};
    bool prefixed = s->given->add_space_prefix != 0;
    if (!s->given->scores)
        return heed_fail(s->error, HEED_E_FORMAT,
                         "%s: a vocabulary of kind \"llama\" without tokenizer.ggml.scores",
                         s->where);
    for (int i = 0; i < 3; i++)
        if (s->special[standard[i].part] < 0 && (size_t)standard[i].id < s->given->token_count)
            s->special[standard[i].part] = standard[i].id;
    s->add_bos = s->given->add_bos != 0;
    s->add_eos = s->given->add_eos == 1;
    s->model.fuse_unk = s->model.byte_fallback = true;
    s->pre_tokenizer = json_null();
    json_t *marks = json_pack("{s:s, s:{s:s}, s:s}", "type", "Replace", "pattern", "String", " ",
                              "content", "\u2581");
    json_t *spaces = json_pack("{s:s, s:{s:s}, s:s}", "type", "Replace", "pattern", "String",
                               "\u2581", "content", " ");
    s->normalizer = !prefixed
                        ? marks
                        : json_pack("{s:s, s:[{s:s, s:s}, o]}", "type", "Sequence", "normalizers",
                                    "type", "Prepend", "prepend", "\u2581", marks);
    s->decoder = json_pack("{s:s, s:[o, {s:s}, {s:s}, {s:s, s:s, s:i, s:i}]}", "type", "Sequence",
                           "decoders", spaces, "type", "ByteFallback", "type", "Fuse", "type",
                           "Strip", "content", " ", "start", prefixed, "stop", 0);
    HEED_TRY(set_unknown(s));
    HEED_TRY(add_merges(s));
    return add_whole_pieces(s);
}

/* ---- what the kinds share ---- */

static json_t *token_json(const source *s, int64_t id)
{
    return json_stringn(s->given->tokens[id].bytes ? s->given->tokens[id].bytes : "",
                        s->given->tokens[id].length);
}

/* Control and unknown tokens, and those that play a part, are special; user-defined ones are only
   looked for first. RoBERTa's mask takes along the blanks before it. */
static json_t *added_tokens(source *s)
{
    json_t *list = json_array();
    for (size_t id = 0; id < s->given->token_count; id++) {
        int type = type_of(s, id);
        bool special = type == UNKNOWN || type == CONTROL;
        for (int part = 0; part < HEED_SPECIAL_COUNT; part++)
            special |= s->special[part] == (int64_t)id;
        if (special || (type == USER_DEFINED &&
                        !(s->model.whole.node_count && has_space_sign(s->given->tokens[id]))))
            s->failed |= json_array_append_new(
                list, json_pack("{s:I, s:o, s:b, s:b, s:b}", "id", (json_int_t)id, "content",
                                token_json(s, (int64_t)id), "special", special, "normalized", false,
                                "lstrip", s->roberta && s->special[HEED_MASK] == (int64_t)id));
    }
    return list;
}

static void put_special(source *s, json_t *template, heed_special part, int type_id)
{
    s->failed |= json_array_append_new(template,
                                       json_pack("{s:{s:s, s:i}}", "SpecialToken", "id",
                                                 heed_special_names[part], "type_id", type_id));
}

static void put_text(source *s, json_t *template, int text, int type_id)
{
    s->failed |= json_array_append_new(template, json_pack("{s:{s:s, s:i}}", "Sequence", "id",
                                                           text ? "B" : "A", "type_id", type_id));
}

/* bos A eos, and a second text in brackets of its own, or in RoBERTa's way. */
static json_t *post_processor(source *s)
{
    bool bos = s->add_bos && s->special[HEED_BOS] >= 0,
         eos = s->add_eos && s->special[HEED_EOS] >= 0;
    json_t *templates[2] = {json_array(), json_array()}, *tokens = json_object();
    for (int pair = 0; pair < 2; pair++)
        for (int text = 0; text <= pair; text++) {
            int type_id = s->roberta ? 0 : text;
            if (bos && !(s->roberta && text)) put_special(s, templates[pair], HEED_BOS, type_id);
            if (eos && s->roberta && text) put_special(s, templates[pair], HEED_EOS, type_id);
            put_text(s, templates[pair], text, type_id);
            if (eos) put_special(s, templates[pair], HEED_EOS, type_id);
        }
    for (int i = 0; i < 2; i++) {
        heed_special part = i ? HEED_EOS : HEED_BOS;
        if (!(i ? eos : bos)) continue;
        s->failed |= json_object_set_new(
            tokens, heed_special_names[part],
            json_pack("{s:s, s:[I], s:[o]}", "id", heed_special_names[part], "ids",
                      (json_int_t)s->special[part], "tokens", token_json(s, s->special[part])));
    }
    return json_pack("{s:s, s:o, s:o, s:o}", "type", "TemplateProcessing", "single", templates[0],
                     "pair", templates[1], "special_tokens", tokens);
}

static void put_template(source *s, json_t *list, const char *name, heed_gguf_string text)
{
    json_t *one = json_object();
    if (!heed_utf8_valid(text.bytes, text.length) || !heed_utf8_valid(name, strlen(name))) {
        json_decref(one);
        return;
    }
    s->failed |= json_object_set_new(one, "name", json_string(name));
    s->failed |= json_object_set_new(one, "template", json_stringn(text.bytes, text.length));
    s->failed |= json_array_append_new(list, one);
}

/* The default alone is a text, several are a list. */
static void put_templates(source *s, json_t *config)
{
    const char *text = s->given->chat_template;
    heed_gguf_string whole = {text ? text : "", text ? strlen(text) : 0};
    if (s->given->template_count == 0) {
        if (text && heed_utf8_valid(text, whole.length))
            s->failed |= json_object_set_new(config, "chat_template", json_string(text));
        return;
    }
    json_t *list = json_array();
    if (text) put_template(s, list, "default", whole);
    for (size_t i = 0; i < s->given->template_count; i++)
        put_template(s, list, s->given->templates[i].name, s->given->templates[i].text);
    s->failed |= json_object_set_new(config, "chat_template", list);
}

static json_t *config_of(source *s)
{
    json_t *config = json_object();
    s->failed |= json_object_set_new(config, "tokenizer_class",
                                     json_string("PreTrainedTokenizerFast"));
    s->failed |= json_object_set_new(config, "clean_up_tokenization_spaces", json_false());
    for (int part = 0; part < HEED_SPECIAL_COUNT; part++)
        if (s->special[part] >= 0)
            s->failed |= json_object_set_new(config, heed_special_names[part],
                                             token_json(s, s->special[part]));
    put_templates(s, config);
    return config;
}

static heed_status check_special(const source *s)
{
    for (int part = 0; part < HEED_SPECIAL_COUNT; part++)
        if (s->special[part] < -1 || s->special[part] >= (int64_t)s->given->token_count)
            return heed_fail(s->error, HEED_E_FORMAT,
                             "%s: the id of the %s is %lld, expected one of %zu tokens", s->where,
                             heed_special_names[part], (long long)s->special[part],
                             s->given->token_count);
    return HEED_OK;
}

static heed_status assemble(source *s, heed_tokenizer **tokenizer)
{
    HEED_TRY(heed_bpe_seal(&s->model, s->error));
    json_t *config = config_of(s), *added = added_tokens(s), *post = post_processor(s);
    json_t *json = json_pack("{s:s, s:n, s:n, s:o, s:O, s:O, s:o, s:O}", "version", "1.0",
                             "truncation", "padding", "added_tokens", added, "normalizer",
                             s->normalizer, "pre_tokenizer", s->pre_tokenizer, "post_processor",
                             post, "decoder", s->decoder);
    heed_status status = json && config && !s->failed
                             ? heed_tokenizer_assemble(tokenizer, &s->model, json, config, s->where,
                                                       s->error)
                             : heed_fail_memory(s->error, 1 << 16, "the tokenizer");
    json_decref(json);
    json_decref(config);
    if (status != HEED_OK) return status;
    (*tokenizer)->plain_flags = HEED_ENCODE_LITERAL;
    /* the id itself, where two have one string */
    for (int part = 0; part < HEED_SPECIAL_COUNT; part++)
        if (s->special[part] >= 0) (*tokenizer)->special[part] = (int32_t)s->special[part];
    return HEED_OK;
}

heed_status heed_tokenizer_from_gguf(heed_tokenizer **tokenizer,
                                     const heed_gguf_vocabulary *vocabulary, const char *where,
                                     heed_error *error)
{
    static const struct {
        const char *name;
        heed_status (*build)(source *);
    } kinds[] = {{"gpt2", build_gpt2}, {"llama", build_llama}};
    source s = {.given = vocabulary,
                .model = {.kind = &heed_tokenizer_model_bpe, .unk_id = -1},
                .where = where,
                .error = error};
    const char *name = vocabulary->model ? vocabulary->model : "";
    size_t kind = 0;
    *tokenizer = NULL;
    memcpy(s.special, vocabulary->special, sizeof s.special);
    while (kind < 2 && strcmp(kinds[kind].name, name)) kind++;
    if (kind == 2)
        return heed_fail(error, HEED_E_UNSUPPORTED,
                         "%s: tokenizer.ggml.model is \"%.60s\", expected gpt2 or llama; give ids "
                         "instead of text",
                         where, name);
    heed_status status = read_tokens(&s);
    if (status == HEED_OK) status = check_special(&s);
    if (status == HEED_OK) status = kinds[kind].build(&s);
    if (status == HEED_OK) status = assemble(&s, tokenizer);
    json_decref(s.normalizer);
    json_decref(s.pre_tokenizer);
    json_decref(s.decoder);
    heed_tokenizer_model_free(&s.model);
    return status;
}

/* ---- the way back: which name means this way of cutting ---- */

/* Regular expressions of a pre-tokenizer's stages, in order; false for a stage that GGUF has no
   name for. */
static bool list_splits(const json_t *stage, const char *splits[MOST_SPLITS], size_t *count)
{
    const char *type = json_string_value(json_object_get(stage, "type"));
    const json_t *pattern = json_object_get(stage, "pattern"),
                 *stages = json_object_get(stage, "pretokenizers");
    if (!type || *count == MOST_SPLITS) return false;
    if (!strcmp(type, "Sequence")) {
        for (size_t i = 0; i < json_array_size(stages); i++)
            if (!list_splits(json_array_get(stages, i), splits, count)) return false;
        return true;
    }
    if (!strcmp(type, "ByteLevel")) {
        if (json_is_true(json_object_get(stage, "add_prefix_space"))) return false;
        if (!json_is_false(json_object_get(stage, "use_regex"))) splits[(*count)++] = GPT2;
        return true;
    }
    if (!strcmp(type, "Digits") && json_is_true(json_object_get(stage, "individual_digits")))
        return splits[(*count)++] = "\\p{N}", true;
    const char *expression = json_string_value(json_object_get(pattern, "Regex"));
    if (strcmp(type, "Split") || !expression) return false;
    splits[(*count)++] = expression;
    return true;
}

const char *heed_gguf_pre_name(const heed_tokenizer *tokenizer)
{
    const char *splits[MOST_SPLITS] = {0};
    size_t count = 0;
    const json_t *normalizer = json_object_get(tokenizer->sections, "normalizer");
    const char *normal = json_string_value(json_object_get(normalizer, "type"));
    if (!list_splits(json_object_get(tokenizer->sections, "pre_tokenizer"), splits, &count))
        return NULL;
    for (size_t i = 0; i < sizeof pre_tokenizers / sizeof *pre_tokenizers; i++) {
        const pre_tokenizer *pre = &pre_tokenizers[i];
        bool same = !pre->roberta && pre->whole_words == tokenizer->model.ignore_merges &&
                    (pre->nfc ? normal && !strcmp(normal, "NFC") : !normal);
        for (size_t j = 0; j < MOST_SPLITS && same; j++)
            same = !splits[j] == !pre->splits[j] &&
                   (!splits[j] || !strcmp(splits[j], pre->splits[j]));
        if (same) return pre->names[0];
    }
    return NULL;
}
