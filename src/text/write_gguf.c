/* write_gguf.c: writes a tokenizer as entries of a GGUF file (heed_tokenizer_put_gguf): byte-level
   BPE as kind "gpt2", BPE with byte fallback as kind "llama". */
#include "io/gguf.h"
#include "text/text_internal.h"

#include "base/memory.h"
#include "io/sentencepiece.h"
#include <stdlib.h>
#include <string.h>

static bool is_byte(const char *token, size_t length)
{
    return length == 6 && !memcmp(token, "<0x", 3) && token[5] == '>';
}

static int type_of(const heed_tokenizer *tokenizer, int32_t id, const char *token, size_t length)
{
    const heed_added_token *added = heed_added_find(&tokenizer->added, id);
    if (!token) return HEED_PIECE_UNUSED;
    if (tokenizer->model.byte_fallback && id == tokenizer->model.unk_id) return HEED_PIECE_UNKNOWN;
    if (added) return added->special ? HEED_PIECE_CONTROL : HEED_PIECE_USER_DEFINED;
    return tokenizer->model.byte_fallback && is_byte(token, length) ? HEED_PIECE_BYTE
                                                                    : HEED_PIECE_NORMAL;
}

/* Writes the tokens and their types. Ids without a token become "[PAD<id>]". */
static void put_tokens(const heed_tokenizer *tokenizer, size_t count, heed_gguf_entries *entries)
{
    size_t length;
    heed_gguf_put_array(entries, "tokenizer.ggml.tokens", HEED_GGUF_STRING, count);
    for (size_t id = 0; id < count; id++) {
        char unused[32];
        const char *token = heed_tokenizer_token(tokenizer, (int32_t)id, &length);
        if (!token) length = (size_t)snprintf(unused, sizeof unused, "[PAD%zu]", id);
        heed_gguf_put_text(entries, token ? token : unused, length);
    }
    heed_gguf_put_array(entries, "tokenizer.ggml.token_type", HEED_GGUF_I32, count);
    for (size_t id = 0; id < count; id++) {
        const char *token = heed_tokenizer_token(tokenizer, (int32_t)id, &length);
        heed_gguf_put_element(entries, HEED_GGUF_I32,
                              type_of(tokenizer, (int32_t)id, token, length));
    }
}

static void put_merges(const heed_tokenizer *tokenizer, heed_gguf_entries *entries)
{
    const heed_merge_table *merges = &tokenizer->model.merges;
    heed_gguf_put_array(entries, "tokenizer.ggml.merges", HEED_GGUF_STRING, merges->count);
    for (size_t i = 0; i < merges->count; i++) {
        size_t left, right;
        const char *first = heed_tokenizer_token(tokenizer, merges->merges[i].left, &left);
        const char *second = heed_tokenizer_token(tokenizer, merges->merges[i].right, &right);
        heed_buffer line = {0};
        heed_buffer_append(&line, first ? first : "", left);
        heed_buffer_byte(&line, ' ');
        heed_buffer_append(&line, second ? second : "", right);
        entries->bytes.failed |= line.failed;
        if (!line.failed) heed_gguf_put_text(entries, line.data, line.length);
        heed_buffer_free(&line);
    }
}

/* Writes the scores: results of earlier merges have greater scores. */
static heed_status put_scores(const heed_tokenizer *tokenizer, size_t count,
                              heed_gguf_entries *entries, heed_error *error)
{
    const heed_merge_table *merges = &tokenizer->model.merges;
    float *scores = heed_allocate(count, sizeof *scores);
    if (!scores) return heed_fail_memory(error, count * sizeof *scores, "the scores of tokens");
    for (size_t i = merges->count; i-- > 0;)
        if (merges->merges[i].joined >= 0 && (size_t)merges->merges[i].joined < count)
            scores[merges->merges[i].joined] = -(float)merges->merges[i].rank;
    heed_gguf_put_array(entries, "tokenizer.ggml.scores", HEED_GGUF_F32, count);
    for (size_t i = 0; i < count; i++) heed_gguf_put_element(entries, HEED_GGUF_F32, scores[i]);
    free(scores);
    return HEED_OK;
}

/* Writes the default template under its own key, the others by name, and an array of their
   names. */
static void put_templates(const heed_tokenizer *tokenizer, heed_gguf_entries *entries)
{
    size_t length, named = heed_tokenizer_template_count(tokenizer);
    const char *chat = heed_tokenizer_chat_template(tokenizer, &length), *name;
    if (chat) heed_gguf_put_string(entries, "tokenizer.chat_template", chat, length);
    if (chat) named--;
    if (named) heed_gguf_put_array(entries, "tokenizer.chat_templates", HEED_GGUF_STRING, named);
    for (size_t i = 0; named && (name = heed_tokenizer_template_name(tokenizer, i)); i++)
        if (strcmp(name, "default") != 0) heed_gguf_put_text(entries, name, strlen(name));
    for (size_t i = 0; named && (name = heed_tokenizer_template_name(tokenizer, i)); i++) {
        heed_buffer key = {0};
        const char *text = heed_tokenizer_find_template(tokenizer, name, &length);
        heed_buffer_printf(&key, "tokenizer.chat_template.%s", name);
        entries->bytes.failed |= key.failed;
        bool is_default = strcmp(name, "default") == 0;
        if (!key.failed && !is_default) heed_gguf_put_string(entries, key.data, text, length);
        heed_buffer_free(&key);
    }
}

static void put_specials(const heed_tokenizer *tokenizer, size_t count, heed_gguf_entries *entries)
{
    static const char *const names[HEED_SPECIAL_COUNT] = {
        [HEED_BOS] = "bos", [HEED_EOS] = "eos", [HEED_PAD] = "padding", [HEED_UNK] = "unknown"};
    for (int i = 0; i < HEED_SPECIAL_COUNT; i++) {
        char key[64];
        if (!names[i] || tokenizer->special[i] < 0 || (size_t)tokenizer->special[i] >= count)
            continue;
        snprintf(key, sizeof key, "tokenizer.ggml.%s_token_id", names[i]);
        heed_gguf_put_u32(entries, key, (uint32_t)tokenizer->special[i]);
    }
    put_templates(tokenizer, entries);
}

/* Returns whether encoding puts this token before (after) a text. */
static bool is_added(const heed_tokenizer *tokenizer, heed_special part, bool after)
{
    heed_encoding encoding = {0};
    heed_error ignored = {0};
    bool found = false;
    if (heed_tokenizer_encode(tokenizer, "a", 1, HEED_ENCODE_SPECIAL, &encoding, &ignored) ==
            HEED_OK &&
        encoding.count) {
        const size_t at = after ? encoding.count - 1 : 0;
        found = tokenizer->special[part] >= 0 && encoding.special_mask[at] &&
                encoding.ids[at] == tokenizer->special[part];
    }
    heed_encoding_free(&encoding);
    return found;
}

heed_status heed_tokenizer_put_gguf(const heed_tokenizer *tokenizer, size_t count,
                                    heed_gguf_entries *entries, heed_error *error)
{
    bool pairs = tokenizer->model.kind == &heed_tokenizer_model_bpe,
         fallback = pairs && tokenizer->model.byte_fallback;
    const char *pre = pairs && !fallback ? heed_gguf_pre_name(tokenizer) : "default";
    if (!pairs || !pre)
        return heed_fail(error, HEED_E_UNSUPPORTED,
                         "GGUF has no %s for this tokenizer (kind %s); byte-level BPE with a known "
                         "split into words and BPE with "
                         "byte fallback can be written",
                         pairs ? "pre-tokenizer name" : "kind", heed_tokenizer_kind(tokenizer));
    if ((size_t)heed_tokenizer_base_limit(tokenizer) > count)
        return heed_fail(error, HEED_E_UNSUPPORTED,
                         "the tokenizer has ids up to %d, the model %zu rows for them",
                         heed_tokenizer_base_limit(tokenizer) - 1, count);
    const char *kind = fallback ? "llama" : "gpt2";
    heed_gguf_put_string(entries, "tokenizer.ggml.model", kind, strlen(kind));
    heed_gguf_put_string(entries, "tokenizer.ggml.pre", pre, strlen(pre));
    put_tokens(tokenizer, count, entries);
    if (fallback) HEED_TRY(put_scores(tokenizer, count, entries, error));
    else put_merges(tokenizer, entries);
    put_specials(tokenizer, count, entries);
    heed_gguf_put_boolean(entries, "tokenizer.ggml.add_bos_token",
                          is_added(tokenizer, HEED_BOS, false));
    heed_gguf_put_boolean(entries, "tokenizer.ggml.add_eos_token",
                          is_added(tokenizer, HEED_EOS, true));
    if (fallback) {
        bool prefix = json_is_object(json_object_get(tokenizer->sections, "normalizer")) ||
                      json_is_object(json_object_get(tokenizer->sections, "pre_tokenizer"));
        heed_gguf_put_boolean(entries, "tokenizer.ggml.add_space_prefix", prefix);
    }
    return HEED_OK;
}
