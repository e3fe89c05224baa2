/* unigram.c: the model Unigram. Every token has a score, the logarithm of its probability, and a
   piece is split into the tokens whose scores have the largest sum. The best segmentation up to
   each byte is found from left to right (Viterbi): from every character on, all tokens with which
   the rest of the piece begins are tried. A character that is no token is tried as the unknown
   token, at the smallest score of the vocabulary less 10. Neighboring unknown tokens become one.
   Options: vocab (a list of [token, score]; the index is the id), unk_id, byte_fallback. Only heed
   has types, the types of the pieces of a .model file; such a model computes what SentencePiece
   computes: sums are rounded to float, only normal and user-defined pieces are found in a text, and
   user-defined ones before all others.
   Source: Kudo 2018, "Subword regularization"; Unigram of the `tokenizers` library and of
   SentencePiece. */
#include "text/model.h"

#include "base/memory.h"
#include "io/sentencepiece.h"
#include "text/pieces.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>

struct heed_unigram {
    double *scores; /* by id, as they are added up */
    double *given;  /* by id, as the file has them */
    int32_t *types; /* by id; NULL unless the model came from SentencePiece */
    size_t count;
    double unknown_score;
    heed_trie tokens; /* the values are ids */
};

/* The best segmentation of the bytes before a place. */
typedef struct heed_lattice_node {
    double score;
    int32_t id;     /* its last token */
    uint32_t begin; /* where that token begins; UNREACHED if there is no segmentation */
} heed_lattice_node;

static const uint32_t UNREACHED = UINT32_MAX;
/* How much less an unknown character scores than the worst token; the library's value. */
static const double UNKNOWN_PENALTY = 10;

void heed_unigram_free(heed_unigram *unigram)
{
    if (!unigram) return;
    free(unigram->scores);
    free(unigram->given);
    free(unigram->types);
    heed_trie_free(&unigram->tokens);
    free(unigram);
}

/* ---- reading ---- */

static heed_status make_unigram(heed_tokenizer_model *model, size_t count, bool typed,
                                heed_error *error)
{
    heed_unigram *unigram = model->unigram = heed_allocate(1, sizeof *unigram);
    if (!unigram) return heed_fail_memory(error, sizeof *unigram, "the model");
    unigram->count = count;
    unigram->given = heed_allocate(count, sizeof *unigram->given);
    unigram->scores = heed_allocate(count, sizeof *unigram->scores);
    if (typed) unigram->types = heed_allocate(count, sizeof *unigram->types);
    return unigram->given && unigram->scores && (!typed || unigram->types)
               ? HEED_OK
               : heed_fail_memory(error, count * sizeof(double), "the scores");
}

static bool is_findable(const heed_unigram *unigram, size_t id)
{
    return !unigram->types || unigram->types[id] == HEED_PIECE_NORMAL ||
           unigram->types[id] == HEED_PIECE_USER_DEFINED;
}

static bool counts_for_range(const heed_unigram *unigram, size_t id)
{
    return !unigram->types || unigram->types[id] == HEED_PIECE_NORMAL;
}

/* Computes the score of the unknown token, and those of user-defined pieces: more than any sum of
   normal pieces that could stand in their place. */
static void settle_scores(heed_tokenizer_model *model)
{
    heed_unigram *unigram = model->unigram;
    double least = unigram->types ? FLT_MAX : INFINITY, greatest = FLT_MIN;
    for (size_t id = 0; id < unigram->count; id++) {
        const double score = unigram->scores[id] = unigram->given[id];
        if (counts_for_range(unigram, id) && score < least) least = score;
        if (counts_for_range(unigram, id) && score > greatest) greatest = score;
    }
    unigram->unknown_score = least - UNKNOWN_PENALTY;
    if (!unigram->types) return;
    unigram->unknown_score = (float)unigram->unknown_score;
    for (size_t id = 0; id < unigram->count; id++) {
        const heed_vocabulary_entry *entry = heed_vocabulary_entry_of(&model->vocabulary,
                                                                      (int32_t)id);
        if (unigram->types[id] == HEED_PIECE_USER_DEFINED)
            unigram->scores[id] = (float)((float)entry->length * (float)greatest) - 0.1;
    }
}

/* Fills the trie. Of tokens that are equal the last one counts, in the trie as in the
   vocabulary. */
static heed_status seal(heed_tokenizer_model *model, heed_error *error)
{
    heed_unigram *unigram = model->unigram;
    settle_scores(model);
    for (size_t id = unigram->count; id-- > 0;) {
        const heed_vocabulary_entry *entry = heed_vocabulary_entry_of(&model->vocabulary,
                                                                      (int32_t)id);
        if (is_findable(unigram, id) &&
            !heed_trie_add(&unigram->tokens, heed_vocabulary_string(&model->vocabulary, entry),
                           entry->length, (int32_t)id))
            return heed_fail_memory(error, model->vocabulary.strings_length, "the tokens");
    }
    heed_tokenizer_model_find_bytes(model);
    return HEED_OK;
}

heed_status heed_unigram_build(heed_tokenizer_model *model, const float *scores,
                               const int32_t *types, heed_error *error)
{
    const size_t count = model->vocabulary.count;
    HEED_TRY(make_unigram(model, count, true, error));
    for (size_t id = 0; id < count; id++) {
        model->unigram->given[id] = scores[id];
        model->unigram->types[id] = types ? types[id] : HEED_PIECE_NORMAL;
    }
    return seal(model, error);
}

/* Reads an element [token, score] of "vocab". */
static heed_status read_token(heed_tokenizer_model *model, const json_t *json, size_t id,
                              const char *where, heed_error *error)
{
    const json_t *token = json_array_get(json, 0), *score = json_array_get(json, 1);
    if (json_array_size(json) != 2 || !json_is_string(token) || !json_is_number(score))
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: model: vocab: element %zu: expected [\"token\", score]", where, id);
    model->unigram->given[id] = json_number_value(score);
    return heed_vocabulary_add_id(&model->vocabulary, json_string_value(token),
                                  json_string_length(token), (int64_t)id, where, error);
}

static heed_status read_types(heed_unigram *unigram, const json_t *types, const char *where,
                              heed_error *error)
{
    for (size_t i = 0; i < unigram->count; i++) {
        const json_t *type = json_array_get(types, i);
        if (!json_is_integer(type) || json_array_size(types) != unigram->count)
            return heed_fail(error, HEED_E_FORMAT,
                             "%s: model: \"types\": expected an integer for each of %zu tokens",
                             where, unigram->count);
        unigram->types[i] = (int32_t)json_integer_value(type);
    }
    return HEED_OK;
}

static heed_status read_tokens(heed_tokenizer_model *model, const json_t *json, const char *where,
                               heed_error *error)
{
    const json_t *list = json_object_get(json, "vocab"), *types = json_object_get(json, "types");
    const size_t count = json_array_size(list);
    if (!json_is_array(list) || !count)
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: model: \"vocab\": expected a list of [\"token\", score]", where);
    HEED_TRY(make_unigram(model, count, types != NULL, error));
    for (size_t i = 0; i < count; i++)
        HEED_TRY(read_token(model, json_array_get(list, i), i, where, error));
    if (types) HEED_TRY(read_types(model->unigram, types, where, error));
    return heed_vocabulary_seal(&model->vocabulary, where, error);
}

static heed_status read_unknown(heed_tokenizer_model *model, const json_t *json, const char *where,
                                heed_error *error)
{
    int64_t id = -1;
    HEED_TRY(heed_json_integer(json, "unk_id", &id, where, error));
    if (id < -1 || id >= (int64_t)model->unigram->count)
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: model: \"unk_id\" is %lld, expected 0 to %zu or null", where,
                         (long long)id, model->unigram->count - 1);
    model->unk_id = (int32_t)id;
    if (id < 0) return HEED_OK;
    const heed_vocabulary_entry *entry = heed_vocabulary_entry_of(&model->vocabulary,
                                                                  model->unk_id);
    model->unk_token = heed_string_copy(heed_vocabulary_string(&model->vocabulary, entry));
    return model->unk_token ? HEED_OK : heed_fail_memory(error, entry->length, "the model");
}

static heed_status read_unigram(heed_tokenizer_model *model, const json_t *json, const char *where,
                                heed_error *error)
{
    HEED_TRY(read_tokens(model, json, where, error));
    HEED_TRY(read_unknown(model, json, where, error));
    HEED_TRY(heed_json_boolean(json, "byte_fallback", &model->byte_fallback, where, error));
    return seal(model, error);
}

/* ---- tokenizing ---- */

/* Takes a token for the bytes before `end` if that is better than what was found so far. */
static void offer(const heed_unigram *unigram, heed_lattice_node *end, double score, int32_t id,
                  size_t begin)
{
    if (unigram->types) score = (float)score;
    if (end->begin != UNREACHED && score <= end->score) return;
    *end = (heed_lattice_node){.score = score, .id = id, .begin = (uint32_t)begin};
}

/* Tries all tokens that begin at byte `at`. Returns whether the character there, of `size` bytes,
   is a token by itself. */
static bool offer_tokens(const heed_unigram *unigram, heed_lattice_node *lattice, heed_text text,
                         size_t at, size_t size)
{
    const double before = lattice[at].score;
    uint32_t node = 0;
    bool single = false;
    for (size_t i = at; i < text.length; i++) {
        if (!heed_trie_step(&unigram->tokens, &node, text.bytes[i])) break;
        const int32_t id = unigram->tokens.values[node];
        if (id < 0) continue;
        offer(unigram, &lattice[i + 1], before + unigram->scores[id], id, at);
        single |= i + 1 - at == size;
    }
    return single;
}

/* Fills the lattice: its node i is the best segmentation of the first i bytes. */
static heed_status fill_lattice(const heed_tokenizer_model *model,
                                heed_tokenizer_model_scratch *scratch, heed_text text,
                                heed_error *error)
{
    if (!heed_grow(&scratch->lattice, &scratch->lattice_capacity, text.length + 1,
                   sizeof *scratch->lattice))
        return heed_fail_memory(error, text.length * sizeof *scratch->lattice, "a word");
    heed_lattice_node *lattice = scratch->lattice;
    lattice[0].score = 0;
    for (size_t i = 1; i <= text.length; i++) lattice[i].begin = UNREACHED;
    for (size_t at = 0, size, step = 1; at < text.length; at += size, step++) {
        size = heed_utf8_size(text.bytes[at]);
        if (step % HEED_STEPS_UNASKED == 0)
            HEED_TRY(heed_cancel_check(scratch->cancel, "tokenizing", error));
        if (offer_tokens(model->unigram, lattice, text, at, size)) continue;
        double score = lattice[at].score + model->unigram->unknown_score;
        if (model->unigram->types) score = (float)score;
        if (lattice[at + size].begin != UNREACHED && score <= lattice[at + size].score) continue;
        if (model->unk_id < 0)
            return heed_fail(error, HEED_E_FORMAT,
                             "the text needs the unknown token, which the tokenizer lacks: its "
                             "model has no \"unk_id\"");
        offer(model->unigram, &lattice[at + size], score, model->unk_id, at);
    }
    return HEED_OK;
}

/* Turns the links of the best segmentation around: the node where a token begins then holds its id
   and, in `begin`, where it ends. */
static void turn_links(heed_lattice_node *lattice, size_t length)
{
    heed_lattice_node last = lattice[length];
    for (size_t end = length; end > 0;) {
        const size_t begin = last.begin;
        const heed_lattice_node before = lattice[begin];
        lattice[begin].id = last.id;
        lattice[begin].begin = (uint32_t)end;
        last = before;
        end = begin;
    }
}

/* Adds the tokens of an unknown stretch text[begin..end): the token that it happens to be (not in a
   model of SentencePiece), its bytes, or the unknown token. */
static void add_unknown(const heed_tokenizer_model *model, heed_text text, size_t begin, size_t end,
                        heed_found_tokens *found)
{
    const heed_text stretch = {text.bytes + begin, end - begin};
    const bool typed = model->unigram->types != NULL;
    int32_t id = -1;
    if (!typed) id = heed_vocabulary_find(&model->vocabulary, stretch.bytes, stretch.length);
    if (id < 0 && model->byte_fallback && heed_tokenizer_model_has_bytes(model, stretch)) {
        for (size_t i = 0; i < stretch.length; i++)
            heed_found_add(found, model->byte_ids[(unsigned char)stretch.bytes[i]], begin, end);
        return;
    }
    heed_found_add(found, id < 0 ? model->unk_id : id, begin, end);
}

static heed_status tokenize_unigram(const heed_tokenizer_model *model,
                                    heed_tokenizer_model_scratch *scratch, const char *text,
                                    size_t length, heed_found_tokens *found, heed_error *error)
{
    const heed_text piece = {text, length};
    HEED_TRY(fill_lattice(model, scratch, piece, error));
    const heed_lattice_node *lattice = scratch->lattice;
    turn_links(scratch->lattice, length);
    for (size_t at = 0, end; at < length; at = end) {
        end = lattice[at].begin;
        if (lattice[at].id != model->unk_id) {
            heed_found_add(found, lattice[at].id, at, end);
            continue;
        }
        while (end < length && lattice[end].id == model->unk_id) end = lattice[end].begin;
        add_unknown(model, piece, at, end, found);
    }
    return HEED_OK;
}

/* ---- writing ---- */

static heed_status write_unigram(const heed_tokenizer_model *model, json_t *json, heed_error *error)
{
    json_t *list = json_array();
    int failed = json_object_set_new(json, "unk_id",
                                     model->unk_id < 0 ? json_null() : json_integer(model->unk_id));
    for (size_t i = 0; i < model->unigram->count && !failed; i++) {
        const heed_vocabulary_entry *entry = heed_vocabulary_entry_of(&model->vocabulary,
                                                                      (int32_t)i);
        json_t *pair = json_array();
        const char *token = heed_vocabulary_string(&model->vocabulary, entry);
        failed |= json_array_append_new(pair, json_stringn(token, entry->length));
        failed |= json_array_append_new(pair, json_real(model->unigram->given[i]));
        failed |= json_array_append_new(list, pair);
    }
    failed |= json_object_set_new(json, "vocab", list);
    if (model->unigram->types) {
        json_t *types = json_array();
        for (size_t i = 0; i < model->unigram->count && !failed; i++)
            failed |= json_array_append_new(types, json_integer(model->unigram->types[i]));
        failed |= json_object_set_new(json, "types", types);
    }
    failed |= json_object_set_new(json, "byte_fallback", json_boolean(model->byte_fallback));
    return failed ? heed_fail_memory(error, model->unigram->count * 64, "writing the vocabulary")
                  : HEED_OK;
}

const heed_tokenizer_model_kind heed_tokenizer_model_unigram = {
    "Unigram", read_unigram, tokenize_unigram, write_unigram, true};
