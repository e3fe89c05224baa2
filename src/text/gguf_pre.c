/* gguf_pre.c: the pre-tokenizers that GGUF files name (heed_gguf_pre_find). Source: the table of
   "tokenizer.ggml.pre" in llama.cpp and the tokenizer.json of the models. */
#include "text/text_internal.h"

#include <string.h>

/* Parts that several regular expressions share, then the expressions themselves. */
/* clang-format off */
#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define ANY_PREFIX "[^\\r\\n\\p{L}\\p{N}]?"
#define CAPITALS "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define SMALL "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define BLANKS "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define SIGNS "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*" BLANKS
#define PATH_SIGNS "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" BLANKS
#define LLAMA3 CONTRACTIONS "|" ANY_PREFIX "\\p{L}+|\\p{N}{1,3}" SIGNS
#define QWEN2 CONTRACTIONS "|" ANY_PREFIX "\\p{L}+|\\p{N}" SIGNS
#define QWEN35                                              \
    CONTRACTIONS "|" ANY_PREFIX "[\\p{L}\\p{M}]+|\\p{N}"    \
    "| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*" BLANKS
#define GPT4O                                               \
    ANY_PREFIX CAPITALS "*" SMALL "+" CONTRACTIONS "?"      \
    "|" ANY_PREFIX CAPITALS "+" SMALL "*" CONTRACTIONS "?"  \
    "|\\p{N}{1,3}" PATH_SIGNS
#define TEKKEN                                              \
    ANY_PREFIX CAPITALS "*" SMALL "+"                       \
    "|" ANY_PREFIX CAPITALS "+" SMALL "*"                   \
    "|\\p{N}" PATH_SIGNS
#define BLOOM " ?[^(\\s|[.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c])]+"
#define DEEPSEEK3                                           \
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+" \
    "|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"            \
    "| ?[\\p{P}\\p{S}]+[\r\n]*" BLANKS
/* clang-format on */

static const heed_gguf_pre known[] = {
    {.names = {"gpt-2", "phi-2", "mpt", "olmo", "jais", "jina-es", "jina-de", "jina-v2-es",
               "jina-v2-de", "mellum", "modern-bert", "exaone4", "trillion", "granite-docling"},
     .splits = {heed_gpt2_pattern}},
    {.names = {"roberta-bpe", "jina-v1-en", "jina-v2-code"},
     .splits = {heed_gpt2_pattern},
     .roberta = true},
    {.names = {"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"},
     .splits = {"\\p{N}", heed_gpt2_pattern}},
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
    {.names = {"falcon"},
     .splits = {"[\\p{P}\\$\\+<=>\\^~\\|`]+", heed_gpt2_pattern, "[0-9][0-9][0-9]"}},
    {.names = {"deepseek-coder"},
     .splits = {"[\r\n]", "\\s?\\p{L}+", "\\s?\\p{P}+",
                "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+", "\\p{N}"}},
    {.names = {"deepseek-v3", "hunyuan-dense"},
     .splits = {"\\p{N}{1,3}", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+", DEEPSEEK3}},
    /* the default for the first GGUF files, which name no pre-tokenizer */
    {.names = {"default", ""},
     .splits = {"[\\p{P}\\$\\+<=>\\^~\\|]+", heed_gpt2_pattern, "\\p{N}+", "[0-9][0-9][0-9]"}}};
enum { KNOWN = sizeof known / sizeof *known };

heed_status heed_gguf_pre_find(const heed_gguf_pre **pre, const char *name, const char *where,
                               heed_error *error)
{
    if (!name) name = "";
    for (size_t i = 0; i < KNOWN; i++)
        for (size_t j = 0; j < HEED_GGUF_PRE_NAMES && known[i].names[j]; j++)
            if (!strcmp(known[i].names[j], name)) {
                *pre = &known[i];
                return HEED_OK;
            }
    heed_buffer list = {0};
    for (size_t i = 0; i < KNOWN; i++)
        heed_buffer_printf(&list, "%s%s", i ? ", " : "", known[i].names[0]);
    heed_status status = heed_fail(
        error, HEED_E_UNSUPPORTED,
        "%s: tokenizer.ggml.pre is \"%.60s\", a pre-tokenizer that is not known (known are %s and "
        "their like); give ids instead of text, or a folder with the model's tokenizer.json",
        where, name, list.data ? list.data : "");
    heed_buffer_free(&list);
    return status;
}

/* ---- from a tokenizer to a name ---- */

/* Lists the regular expressions of a pre-tokenizer's stages in order. Returns false for a stage
   without a counterpart in GGUF. */
static bool list_splits(const json_t *stage, const char *splits[HEED_GGUF_PRE_SPLITS],
                        size_t *count)
{
    const char *type = json_string_value(json_object_get(stage, "type"));
    const json_t *pattern = json_object_get(stage, "pattern"),
                 *stages = json_object_get(stage, "pretokenizers");
    if (!type || *count == HEED_GGUF_PRE_SPLITS) return false;
    if (!strcmp(type, "Sequence")) {
        for (size_t i = 0; i < json_array_size(stages); i++)
            if (!list_splits(json_array_get(stages, i), splits, count)) return false;
        return true;
    }
    if (!strcmp(type, "ByteLevel")) {
        if (json_is_true(json_object_get(stage, "add_prefix_space"))) return false;
        if (!json_is_false(json_object_get(stage, "use_regex")))
            splits[(*count)++] = heed_gpt2_pattern;
        return true;
    }
    if (!strcmp(type, "Digits") && json_is_true(json_object_get(stage, "individual_digits"))) {
        splits[(*count)++] = "\\p{N}";
        return true;
    }
    const char *expression = json_string_value(json_object_get(pattern, "Regex"));
    if (strcmp(type, "Split") || !expression) return false;
    splits[(*count)++] = expression;
    return true;
}

static bool same_splits(const char *const a[HEED_GGUF_PRE_SPLITS],
                        const char *const b[HEED_GGUF_PRE_SPLITS])
{
    for (size_t i = 0; i < HEED_GGUF_PRE_SPLITS; i++) {
        if (!a[i] || !b[i]) return a[i] == b[i];
        if (strcmp(a[i], b[i])) return false;
    }
    return true;
}

const char *heed_gguf_pre_name(const heed_tokenizer *tokenizer)
{
    const char *splits[HEED_GGUF_PRE_SPLITS] = {0};
    size_t count = 0;
    const json_t *normalizer = json_object_get(tokenizer->sections, "normalizer");
    const char *normal = json_string_value(json_object_get(normalizer, "type"));
    const bool nfc = normal && !strcmp(normal, "NFC");
    if (normal && !nfc) return NULL;
    if (!list_splits(json_object_get(tokenizer->sections, "pre_tokenizer"), splits, &count))
        return NULL;
    for (size_t i = 0; i < KNOWN; i++)
        if (!known[i].roberta && known[i].whole_words == tokenizer->model.ignore_merges &&
            known[i].nfc == nfc && same_splits(splits, known[i].splits))
            return known[i].names[0];
    return NULL;
}
