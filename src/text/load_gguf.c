/* load_gguf.c: builds a tokenizer from the vocabulary of a GGUF file or of a SentencePiece model
   (heed_tokenizer_from_gguf). The model is built from the arrays, and the other sections as a
   tokenizer.json with the same meaning. */
#include "text/text_internal.h"

#include "base/base64.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "io/sentencepiece.h"
#include "text/pattern.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    heed_gguf_vocabulary *given;
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
    return s->given->types ? s->given->types[id] : HEED_PIECE_NORMAL;
}

/* Returns whether a token may be part or result of a merge. */
static bool is_piece(const source *s, size_t id)
{
    int type = type_of(s, id);
    return type == HEED_PIECE_NORMAL || type == HEED_PIECE_USER_DEFINED ||
           type == HEED_PIECE_UNUSED;
}

/* Builds the vocabulary. */
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

/* ---- kind "gpt2": byte-level BPE with merges ---- */

static json_t *byte_level(bool add_prefix_space)
{
    return json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space",
                     add_prefix_space, "trim_offsets", true, "use_regex", false);
}

/* Sets how a text is split into words. */
static heed_status set_words(source *s)
{
    const heed_gguf_pre *pre = NULL;
    HEED_TRY(heed_gguf_pre_find(&pre, s->given->pre, s->where, s->error));
    json_t *stages = json_array();
    for (size_t i = 0; i < HEED_GGUF_PRE_SPLITS && pre->splits[i]; i++)
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
    return HEED_OK;
}

static heed_status build_gpt2(source *s)
{
    HEED_TRY(set_words(s));
    for (size_t i = 0; i < s->given->merge_count; i++) {
        heed_gguf_string merge = s->given->merges[i];
        HEED_TRY(heed_bpe_add_merge_line(&s->model, merge.bytes, merge.length, s->where, s->error));
    }
    return HEED_OK;
}

/* ---- kind "llama": SentencePiece's BPE, whose merges follow from scores ---- */

typedef struct {
    float score;
    int32_t id;
} scored;

static int compare_scores(const void *a, const void *b)
{
    const scored *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Adds as merges all ways to split a token into two tokens. SentencePiece merges the pair whose
   result has the highest score first, and among equal scores the leftmost, so results of equal
   score share a rank. Source: Kudo & Richardson 2018. */
static heed_status add_cuts(source *s, int32_t id, uint32_t rank)
{
    const heed_vocabulary *vocabulary = &s->model.vocabulary;
    const heed_vocabulary_entry *entry = heed_vocabulary_entry_of(vocabulary, id);
    const char *piece = entry ? heed_vocabulary_string(vocabulary, entry) : "";
    size_t length = entry ? entry->length : 0;
    uint64_t hash = heed_hash_start;
    /* a later id with the same string has the merges */
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

/* Adds the merges of all tokens, ranked by score. */
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

/* Adds user-defined tokens with spaces to model->whole. They match only after spaces have become
   U+2581, so the model searches for them and not the added tokens. */
static heed_status add_whole_pieces(source *s)
{
    for (size_t id = 0; id < s->given->token_count; id++) {
        heed_gguf_string token = s->given->tokens[id];
        if (type_of(s, id) == HEED_PIECE_USER_DEFINED && has_space_sign(token) &&
            !heed_trie_add(&s->model.whole, token.bytes, token.length, (int32_t)id))
            return heed_fail_memory(s->error, token.length, "the vocabulary");
    }
    return HEED_OK;
}

/* Sets the unknown token, which characters without a token become unless they become bytes. */
static heed_status set_unknown(source *s)
{
    int64_t unknown = s->special[HEED_UNK];
    const heed_vocabulary *vocabulary = &s->model.vocabulary;
    if (unknown < 0) return HEED_OK;
    const heed_vocabulary_entry *entry = heed_vocabulary_entry_of(vocabulary, (int32_t)unknown);
    if (!entry) return HEED_OK;
    s->model.unk_token = heed_string_copy(heed_vocabulary_string(vocabulary, entry));
    return s->model.unk_token ? HEED_OK
                              : heed_fail_memory(s->error, entry->length, "the unknown token");
}

/* The normalizer of a model that says how it normalizes. */
static json_t *rules_json(source *s)
{
    const heed_sentencepiece_rules *rules = s->given->rules;
    heed_buffer charsmap = {0};
    heed_base64_put(&charsmap, rules->charsmap.bytes, rules->charsmap.length);
    json_t *defined = json_array();
    for (size_t id = 0; id < s->given->token_count; id++)
        if (type_of(s, id) == HEED_PIECE_USER_DEFINED)
            s->failed |= json_array_append_new(
                defined, json_stringn(s->given->tokens[id].bytes, s->given->tokens[id].length));
    json_t *json = json_pack(
        "{s:s, s:o, s:b, s:b, s:b, s:b, s:o}", "type", "SentencePiece", "precompiled_charsmap",
        charsmap.length ? json_stringn(charsmap.data, charsmap.length) : json_string(""),
        "add_dummy_prefix", rules->add_dummy_prefix, "remove_extra_whitespaces",
        rules->remove_extra_whitespaces, "escape_whitespaces", rules->escape_whitespaces,
        "treat_whitespace_as_suffix", rules->treat_whitespace_as_suffix, "user_defined", defined);
    s->failed |= charsmap.failed;
    heed_buffer_free(&charsmap);
    return json;
}

/* Sets the normalizer and the decoder: U+2581 stands for a space. */
static void set_spaces(source *s, bool prefixed)
{
    json_t *marks = json_pack("{s:s, s:{s:s}, s:s}", "type", "Replace", "pattern", "String", " ",
                              "content", "\u2581");
    json_t *spaces = json_pack("{s:s, s:{s:s}, s:s}", "type", "Replace", "pattern", "String",
                               "\u2581", "content", " ");
    if (s->given->rules) {
        json_decref(marks);
        s->normalizer = rules_json(s);
    } else if (!prefixed) s->normalizer = marks;
    else
        s->normalizer = json_pack("{s:s, s:[{s:s, s:s}, o]}", "type", "Sequence", "normalizers",
                                  "type", "Prepend", "prepend", "\u2581", marks);
    s->pre_tokenizer = json_null();
    s->decoder = json_pack("{s:s, s:[o, {s:s}, {s:s}, {s:s, s:s, s:i, s:i}]}", "type", "Sequence",
                           "decoders", spaces, "type", "ByteFallback", "type", "Fuse", "type",
                           "Strip", "content", " ", "start", prefixed, "stop", 0);
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
    set_spaces(s, prefixed);
    HEED_TRY(set_unknown(s));
    HEED_TRY(add_merges(s));
    return add_whole_pieces(s);
}

/* ---- kind "t5": Unigram ---- */

static heed_status build_t5(source *s)
{
    static const heed_sentencepiece_rules standard = {
        .add_dummy_prefix = true, .remove_extra_whitespaces = true, .escape_whitespaces = true};
    if (!s->given->scores)
        return heed_fail(s->error, HEED_E_FORMAT,
                         "%s: a vocabulary of kind \"t5\" without tokenizer.ggml.scores", s->where);
    for (size_t id = 0; id < s->given->token_count; id++)
        if (!isfinite(s->given->scores[id]))
            return heed_fail(s->error, HEED_E_FORMAT,
                             "%s: tokenizer.ggml.scores[%zu] is not a number", s->where, id);
    if (!s->given->rules) s->given->rules = &standard;
    s->model.kind = &heed_tokenizer_model_unigram;
    s->model.byte_fallback = s->given->byte_fallback;
    s->model.unk_id = (int32_t)s->special[HEED_UNK];
    s->add_bos = s->given->add_bos == 1;
    s->add_eos = s->given->add_eos == 1;
    set_spaces(s, s->given->rules->add_dummy_prefix);
    HEED_TRY(set_unknown(s));
    return heed_unigram_build(&s->model, s->given->scores, s->given->types, s->error);
}

/* ---- kind "tiktoken": byte-level BPE whose merges follow from ranks ---- */

static heed_status build_tiktoken(source *s)
{
    HEED_TRY(set_words(s));
    s->model.ignore_merges = true;
    return add_merges(s);
}

/* ---- what the kinds share ---- */

static json_t *token_json(const source *s, int64_t id)
{
    return json_stringn(s->given->tokens[id].bytes ? s->given->tokens[id].bytes : "",
                        s->given->tokens[id].length);
}

/* Builds the section "added_tokens". Control tokens, unknown tokens and tokens with a role are
   special. User-defined tokens are added tokens that are not special. RoBERTa's mask token has
   lstrip. */
static json_t *added_tokens(source *s)
{
    json_t *list = json_array();
    for (size_t id = 0; id < s->given->token_count; id++) {
        int type = type_of(s, id);
        bool special = type == HEED_PIECE_UNKNOWN || type == HEED_PIECE_CONTROL;
        for (int part = 0; part < HEED_SPECIAL_COUNT; part++)
            special |= s->special[part] == (int64_t)id;
        if (special || (type == HEED_PIECE_USER_DEFINED &&
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

/* Builds the post-processor: BOS A EOS, for pairs BOS A EOS BOS B EOS, or RoBERTa's template. */
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

/* Adds the chat templates to the configuration: a text for the default alone, a list for
   several. */
static void put_templates(source *s, json_t *config)
{
    const char *text = s->given->chat_template;
    if (s->given->template_count == 0) {
        if (text && heed_utf8_valid(text, strlen(text)))
            s->failed |= json_object_set_new(config, "chat_template", json_string(text));
        return;
    }
    json_t *list = json_array();
    if (text) put_template(s, list, "default", (heed_gguf_string){text, strlen(text)});
    for (size_t i = 0; i < s->given->template_count; i++)
        put_template(s, list, s->given->templates[i].name, s->given->templates[i].text);
    s->failed |= json_object_set_new(config, "chat_template", list);
}

/* Builds tokenizer_config.json. */
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

/* Builds the tokenizer from the model and the sections. */
static heed_status assemble(source *s, heed_tokenizer **tokenizer)
{
    if (s->model.kind == &heed_tokenizer_model_bpe) HEED_TRY(heed_bpe_seal(&s->model, s->error));
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
    /* the given id counts if two ids have one string */
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
    } kinds[] = {{"gpt2", build_gpt2},
                 {"llama", build_llama},
                 {"t5", build_t5},
                 {"tiktoken", build_tiktoken}};
    enum { KINDS = sizeof kinds / sizeof *kinds };
    heed_gguf_vocabulary given = *vocabulary;
    source s = {.given = &given,
                .model = {.kind = &heed_tokenizer_model_bpe, .unk_id = -1},
                .where = where,
                .error = error};
    const char *name = vocabulary->model ? vocabulary->model : "";
    size_t kind = 0;
    *tokenizer = NULL;
    memcpy(s.special, vocabulary->special, sizeof s.special);
    while (kind < KINDS && strcmp(kinds[kind].name, name)) kind++;
    if (kind == KINDS)
        return heed_fail(
            error, HEED_E_UNSUPPORTED,
            "%s: tokenizer.ggml.model is \"%.60s\", expected gpt2, llama or t5; give ids "
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
