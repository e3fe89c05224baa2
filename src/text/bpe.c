/* bpe.c: the model BPE, byte-pair encoding. A piece is split into characters, and pairs of
   neighboring symbols are merged in the order of their ranks until no merge applies (bpe_merge.c).
   Options: unk_token; continuing_subword_prefix, end_of_word_suffix; fuse_unk (neighboring unknown
   characters become one unknown token); byte_fallback (unknown characters become tokens "<0xE4>");
   ignore_merges (a piece that is a token is not split); dropout must be null. Only heed has
   hidden_merges (merges may use symbols that are not in the vocabulary) and target_vocab (a
   vocabulary for decoding). Source: Sennrich, Haddow & Birch 2016; BPE of the `tokenizers`
   library. */
#include "text/model.h"

#include "base/memory.h"
#include "text/pieces.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- reading ---- */

heed_status heed_bpe_add_merge_ids(heed_tokenizer_model *model, heed_merge merge, heed_error *error)
{
    heed_merge_table *table = &model->merges;
    if (table->count >= INT32_MAX ||
        !heed_grow(&table->merges, &table->capacity, table->count + 1, sizeof merge))
        return heed_fail_memory(error, (table->count + 1) * sizeof merge, "the merges");
    table->merges[table->count++] = merge;
    return HEED_OK;
}

static heed_status fail_merge(const char *where, size_t rank, const char *token, size_t length,
                              heed_error *error)
{
    return heed_fail(error, HEED_E_FORMAT,
                     "%s: merge %zu needs the token \"%.*s\", which is not in the vocabulary",
                     where, rank, length < 80 ? (int)length : 80, token);
}

/* Returns the id of a symbol, -1 if it has none. Hidden symbols count if the model has them. */
static int32_t symbol_id(const heed_tokenizer_model *model, const char *symbol, size_t length)
{
    int32_t id = heed_vocabulary_find(&model->vocabulary, symbol, length);
    if (id >= 0 || !model->hidden_merges) return id;
    return heed_vocabulary_find(&model->hidden, symbol, length);
}

/* Finds the id of a symbol of a merge. A symbol that is not in the vocabulary becomes a hidden
   symbol if the model allows those. */
static heed_status part_of_merge(heed_tokenizer_model *model, const char *symbol, size_t length,
                                 int32_t *id, const char *where, heed_error *error)
{
    *id = symbol_id(model, symbol, length);
    if (*id >= 0) return HEED_OK;
    if (!model->hidden_merges) return fail_merge(where, model->merges.count, symbol, length, error);
    *id = HEED_HIDDEN_SYMBOLS + (int32_t)model->hidden.count;
    return heed_vocabulary_add(&model->hidden, symbol, length, *id, where, error);
}

heed_status heed_bpe_add_merge(heed_tokenizer_model *model, heed_text left, heed_text right,
                               const char *where, heed_error *error)
{
    size_t rank = model->merges.count, prefix = model->prefix ? strlen(model->prefix) : 0;
    heed_merge merge = {.rank = (uint32_t)rank};
    HEED_TRY(part_of_merge(model, left.bytes, left.length, &merge.left, where, error));
    HEED_TRY(part_of_merge(model, right.bytes, right.length, &merge.right, where, error));
    if (prefix > right.length)
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: merge %zu: \"%.80s\" is shorter than the prefix \"%.80s\"", where,
                         rank, right.bytes, model->prefix);
    size_t length = left.length + right.length - prefix;
    char local[256], *joined = length <= sizeof local ? local : malloc(length);
    if (!joined) return heed_fail_memory(error, length, "a merge");
    memcpy(joined, left.bytes, left.length);
    memcpy(joined + left.length, right.bytes + prefix, right.length - prefix);
    heed_status status = part_of_merge(model, joined, length, &merge.joined, where, error);
    if (status == HEED_OK) status = heed_bpe_add_merge_ids(model, merge, error);
    if (joined != local) free(joined);
    return status;
}

static heed_status fail_shape(const heed_tokenizer_model *model, const char *where,
                              heed_error *error)
{
    return heed_fail(error, HEED_E_FORMAT,
                     "%s: model: merge %zu: expected \"a b\" or [\"a\", \"b\"]", where,
                     model->merges.count);
}

heed_status heed_bpe_add_merge_line(heed_tokenizer_model *model, const char *line, size_t length,
                                    const char *where, heed_error *error)
{
    const char *space = length ? memchr(line, ' ', length) : NULL;
    size_t first = space ? (size_t)(space - line) : 0;
    if (!space || memchr(space + 1, ' ', length - first - 1))
        return fail_shape(model, where, error);
    return heed_bpe_add_merge(model, (heed_text){line, first},
                              (heed_text){space + 1, length - first - 1}, where, error);
}

static heed_text text_of(const json_t *string)
{
    return (heed_text){json_string_value(string), json_string_length(string)};
}

static heed_status read_merge(heed_tokenizer_model *model, const json_t *merge, const char *where,
                              heed_error *error)
{
    const json_t *left = json_array_get(merge, 0), *right = json_array_get(merge, 1);
    if (json_is_string(merge)) /* the older form "a b" */
        return heed_bpe_add_merge_line(model, json_string_value(merge), json_string_length(merge),
                                       where, error);
    if (json_array_size(merge) == 2 && json_is_string(left) && json_is_string(right))
        return heed_bpe_add_merge(model, text_of(left), text_of(right), where, error);
    return fail_shape(model, where, error);
}

/* Builds the hash table of merges by pair. If a pair occurs twice, the last merge counts. */
static bool fill_slots(heed_merge_table *table)
{
    table->slot_count = 16;
    while (table->slot_count < table->count * 2) table->slot_count *= 2;
    table->slots = heed_allocate(table->slot_count, sizeof *table->slots);
    if (!table->slots) return false;
    for (size_t i = 0; i < table->slot_count; i++) table->slots[i].joined = -1;
    for (size_t i = 0; i < table->count; i++) {
        const heed_merge *merge = &table->merges[i];
        const uint64_t pair = heed_merge_pair(merge->left, merge->right);
        size_t slot = heed_merge_home(table, pair);
        while (table->slots[slot].joined >= 0 && table->slots[slot].pair != pair)
            slot = (slot + 1) & (table->slot_count - 1);
        table->slots[slot] = (heed_merge_slot){pair, merge->rank, merge->joined};
    }
    return true;
}

/* Fills the tables of ids that tokenizing looks up without hashing: of low code points and of
   "<0x00>" to "<0xFF>". */
static void fill_direct_ids(heed_tokenizer_model *model)
{
    for (uint32_t c = 0; c < HEED_DIRECT_CHARACTERS; c++) {
        char encoded[4];
        const size_t size = heed_utf8_put(c, encoded);
        model->direct_ids[c] = heed_vocabulary_find(&model->vocabulary, encoded, size);
    }
    heed_tokenizer_model_find_bytes(model);
}

heed_status heed_bpe_seal(heed_tokenizer_model *model, heed_error *error)
{
    if (model->hidden.count) HEED_TRY(heed_vocabulary_seal(&model->hidden, "the merges", error));
    if (!fill_slots(&model->merges))
        return heed_fail_memory(error, model->merges.slot_count * sizeof *model->merges.slots,
                                "the merges");
    fill_direct_ids(model);
    model->unk_id = -1;
    if (model->unk_token)
        model->unk_id = heed_vocabulary_find(&model->vocabulary, model->unk_token,
                                             strlen(model->unk_token));
    return HEED_OK;
}

static heed_status read_bpe(heed_tokenizer_model *model, const json_t *json, const char *where,
                            heed_error *error)
{
    double dropout = 0;
    const json_t *merges = json_object_get(json, "merges");
    HEED_TRY(heed_tokenizer_model_read_vocabulary(model, json, where, error));
    HEED_TRY(heed_json_number(json, "dropout", &dropout, where, error));
    if (dropout != 0)
        return heed_fail(error, HEED_E_UNSUPPORTED,
                         "%s: model: dropout %g is not supported, expected null", where, dropout);
    HEED_TRY(
        heed_tokenizer_model_read_text(&model->unk_token, json, "unk_token", false, where, error));
    HEED_TRY(heed_tokenizer_model_read_text(&model->prefix, json, "continuing_subword_prefix", true,
                                            where, error));
    HEED_TRY(heed_tokenizer_model_read_text(&model->suffix, json, "end_of_word_suffix", true, where,
                                            error));
    HEED_TRY(heed_json_boolean(json, "fuse_unk", &model->fuse_unk, where, error));
    HEED_TRY(heed_json_boolean(json, "byte_fallback", &model->byte_fallback, where, error));
    HEED_TRY(heed_json_boolean(json, "ignore_merges", &model->ignore_merges, where, error));
    HEED_TRY(heed_json_boolean(json, "hidden_merges", &model->hidden_merges, where, error));
    if (json_object_get(json, "target_vocab"))
        HEED_TRY(heed_vocabulary_read(&model->target, json_object_get(json, "target_vocab"), where,
                                      error));
    if (!json_is_array(merges))
        return heed_fail(error, HEED_E_FORMAT, "%s: model: \"merges\": expected an array", where);
    for (size_t i = 0; i < json_array_size(merges); i++)
        HEED_TRY(read_merge(model, json_array_get(merges, i), where, error));
    return heed_bpe_seal(model, error);
}

/* ---- tokenizing ---- */

/* Splits a piece into the symbols with which merging begins, in scratch->symbols. */
typedef struct {
    const heed_tokenizer_model *model;
    heed_tokenizer_model_scratch *scratch;
    /* bytes of unknown characters that are not a symbol yet, because more may be fused with them; 0
       for none */
    uint32_t unknown;
} cutter;

/* A character of the piece. */
typedef struct {
    heed_text spelled; /* spelled with the model's affixes if it has some */
    uint32_t size;     /* its bytes in the piece */
    size_t rest;       /* bytes of the piece after it */
} character;

static bool reserve_symbols(heed_tokenizer_model_scratch *scratch, size_t more)
{
    return heed_grow(&scratch->symbols, &scratch->symbol_capacity, scratch->symbol_count + more,
                     sizeof *scratch->symbols);
}

static void add_symbol(heed_tokenizer_model_scratch *scratch, int32_t id, uint32_t length)
{
    scratch->symbols[scratch->symbol_count++] = (heed_symbol){id, length, -1, -1};
}

/* Adds the symbol of the unknown characters so far. */
static void flush_unknown(cutter *c)
{
    if (c->unknown) add_symbol(c->scratch, c->model->unk_id, c->unknown);
    c->unknown = 0;
}

/* Spells a character with the prefix unless it is the first one, and with the suffix if it is the
   last one. False if out of memory. */
static bool spell(const cutter *c, character *found, bool first, bool last)
{
    const heed_tokenizer_model *model = c->model;
    heed_tokenizer_model_scratch *scratch = c->scratch;
    const size_t size = found->spelled.length;
    const size_t prefix = model->prefix && !first ? strlen(model->prefix) : 0;
    const size_t suffix = model->suffix && last ? strlen(model->suffix) : 0;
    if (!heed_grow(&scratch->word, &scratch->word_capacity, prefix + size + suffix, 1))
        return false;
    if (prefix) memcpy(scratch->word, model->prefix, prefix);
    memcpy(scratch->word + prefix, found->spelled.bytes, size);
    if (suffix) memcpy(scratch->word + prefix + size, model->suffix, suffix);
    found->spelled = (heed_text){scratch->word, prefix + size + suffix};
    return true;
}

/* Handles a character without a token: it becomes its bytes, part of the unknown token, or
   nothing. */
static heed_status add_unknown(cutter *c, const character *found, heed_error *error)
{
    const heed_tokenizer_model *model = c->model;
    const heed_text spelled = found->spelled;
    if (model->byte_fallback && heed_tokenizer_model_has_bytes(model, spelled)) {
        /* at most one symbol for each byte that follows, and one for the unknown characters */
        if (!reserve_symbols(c->scratch, spelled.length + found->rest + 1))
            return heed_fail_memory(error, spelled.length * sizeof(heed_symbol), "a word");
        for (size_t i = 0; i < spelled.length; i++)
            add_symbol(c->scratch, model->byte_ids[(unsigned char)spelled.bytes[i]], 1);
        return HEED_OK;
    }
    if (!model->unk_token) return HEED_OK;
    if (model->unk_id < 0) return heed_tokenizer_model_unknown(model, error);
    if (!model->fuse_unk) flush_unknown(c);
    c->unknown += found->size;
    return HEED_OK;
}

/* If text[0..length) begins with a string that becomes one token before merging, adds its symbol
   and returns its bytes, else returns 0. The symbol is the complement of the id; no merge has a
   negative id, so it is never merged. */
static size_t take_whole(cutter *c, const char *text, size_t length)
{
    size_t size;
    if (!c->model->whole.node_count) return 0;
    int32_t id = heed_trie_match(&c->model->whole, text, length, NULL, NULL, &size);
    if (id < 0) return 0;
    flush_unknown(c);
    add_symbol(c->scratch, ~id, (uint32_t)size);
    return size;
}

/* Adds the symbol of the character at text[at]. *size becomes its bytes. */
static heed_status take_character(cutter *c, heed_text text, size_t at, size_t *size,
                                  heed_error *error)
{
    const heed_tokenizer_model *model = c->model;
    const uint32_t point = heed_utf8_at(text.bytes, at, size);
    const bool decorated = model->prefix || model->suffix;
    character found = {.spelled = {text.bytes + at, *size},
                       .size = (uint32_t)*size,
                       .rest = text.length - at - *size};
    if (decorated && !spell(c, &found, at == 0, found.rest == 0))
        return heed_fail_memory(error, *size, "a word");
    const int32_t id = !decorated && point < HEED_DIRECT_CHARACTERS
                           ? model->direct_ids[point]
                           : symbol_id(model, found.spelled.bytes, found.spelled.length);
    if (id < 0) return add_unknown(c, &found, error);
    flush_unknown(c);
    add_symbol(c->scratch, id, found.size);
    return HEED_OK;
}

/* Fills scratch->symbols with the symbols of a piece. */
static heed_status split_characters(const heed_tokenizer_model *model,
                                    heed_tokenizer_model_scratch *scratch, heed_text text,
                                    heed_error *error)
{
    cutter c = {.model = model, .scratch = scratch};
    scratch->symbol_count = 0;
    /* There is at most one symbol per byte. Only characters spelled with affixes need more;
       add_unknown makes room for those. */
    if (!reserve_symbols(scratch, text.length + 1))
        return heed_fail_memory(error, text.length * sizeof *scratch->symbols, "a word");
    for (size_t at = 0, size, step = 1; at < text.length; at += size, step++) {
        if (step % HEED_STEPS_UNASKED == 0)
            HEED_TRY(heed_cancel_check(scratch->cancel, "tokenizing", error));
        size = take_whole(&c, text.bytes + at, text.length - at);
        if (!size) HEED_TRY(take_character(&c, text, at, &size, error));
    }
    flush_unknown(&c);
    return HEED_OK;
}

/* Turns a piece into tokens: a whole token with ignore_merges, otherwise its merged symbols. */
static heed_status tokenize_bpe(const heed_tokenizer_model *model,
                                heed_tokenizer_model_scratch *scratch, const char *text,
                                size_t length, heed_found_tokens *found, heed_error *error)
{
    int32_t whole = -1;
    if (model->ignore_merges) whole = heed_vocabulary_find(&model->vocabulary, text, length);
    if (whole >= 0) {
        heed_found_add(found, whole, 0, length);
        return HEED_OK;
    }
    HEED_TRY(split_characters(model, scratch, (heed_text){text, length}, error));
    HEED_TRY(heed_bpe_merge(&model->merges, scratch, error));
    /* Places are sums of the symbols' lengths. Characters that became nothing therefore shift the
       places after them, as in the library. */
    size_t at = 0;
    for (size_t i = 0; i < scratch->symbol_count; i++) {
        if (i % HEED_STEPS_UNASKED == 0)
            HEED_TRY(heed_cancel_check(scratch->cancel, "tokenizing", error));
        size_t end = at + scratch->symbols[i].length;
        int32_t id = scratch->symbols[i].id;
        if (end > length) end = length;
        if (id >= HEED_HIDDEN_SYMBOLS && model->hidden.count) {
            if (model->unk_id < 0) return heed_tokenizer_model_unknown(model, error);
            id = model->unk_id;
        }
        heed_found_add(found, id < 0 ? ~id : id, at, end);
        at = end;
    }
    return HEED_OK;
}

/* ---- writing ---- */

/* Returns the string of a symbol, which may be hidden. */
static json_t *symbol_string(const heed_tokenizer_model *model, int32_t id)
{
    const bool hidden = id >= HEED_HIDDEN_SYMBOLS && model->hidden.count;
    const heed_vocabulary *vocabulary = hidden ? &model->hidden : &model->vocabulary;
    const heed_vocabulary_entry *entry = heed_vocabulary_entry_of(vocabulary, id);
    return json_stringn(heed_vocabulary_string(vocabulary, entry), entry->length);
}

static heed_status write_bpe(const heed_tokenizer_model *model, json_t *json, heed_error *error)
{
    json_t *merges = json_array();
    int failed = json_object_set_new(json, "dropout", json_null());
    failed |= json_object_set_new(json, "unk_token",
                                  model->unk_token ? json_string(model->unk_token) : json_null());
    failed |= json_object_set_new(json, "continuing_subword_prefix",
                                  model->prefix ? json_string(model->prefix) : json_null());
    failed |= json_object_set_new(json, "end_of_word_suffix",
                                  model->suffix ? json_string(model->suffix) : json_null());
    failed |= json_object_set_new(json, "fuse_unk", json_boolean(model->fuse_unk));
    failed |= json_object_set_new(json, "byte_fallback", json_boolean(model->byte_fallback));
    failed |= json_object_set_new(json, "ignore_merges", json_boolean(model->ignore_merges));
    if (model->hidden_merges) failed |= json_object_set_new(json, "hidden_merges", json_true());
    if (model->target.count)
        failed |= json_object_set_new(json, "target_vocab", heed_vocabulary_write(&model->target));
    for (size_t i = 0; i < model->merges.count && !failed; i++) {
        const heed_merge *merge = &model->merges.merges[i];
        json_t *pair = json_array();
        failed |= json_array_append_new(pair, symbol_string(model, merge->left));
        failed |= json_array_append_new(pair, symbol_string(model, merge->right));
        failed |= json_array_append_new(merges, pair);
    }
    failed |= json_object_set_new(json, "merges", merges);
    return failed ? heed_fail_memory(error, model->merges.count * 64, "writing the merges")
                  : HEED_OK;
}

const heed_tokenizer_model_kind heed_tokenizer_model_bpe = {"BPE", read_bpe, tokenize_bpe,
                                                            write_bpe, false};
