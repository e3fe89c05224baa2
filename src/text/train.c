/* train.c: trains tokenizers: options, feeding, special tokens and post-processor (tokenizer.h).
   The kinds are in train_bpe.c and train_char.c. */
#include "text/train.h"

#include "base/memory.h"
#include "text/text_internal.h"
#include "text/pattern.h"
#include "text/pieces.h"
#include <stdlib.h>
#include <string.h>

static const heed_trainer_kind trainer_wordpiece = {.name = "wordpiece"},
                               trainer_unigram = {.name = "unigram"};
static const heed_trainer_kind *const kinds[] = {&heed_trainer_bpe, &heed_trainer_char,
                                                 &trainer_wordpiece, &trainer_unigram};

void heed_tokenizer_training_special(heed_tokenizer_training *training, heed_special_set set)
{
    static const heed_special_token ends[] = {
        {"<pad>", HEED_PAD}, {"</s>", HEED_EOS}, {"<unk>", HEED_UNK}};
    static const heed_special_token masking[] = {
        {"[PAD]", HEED_PAD}, {"[UNK]", HEED_UNK},   {"[CLS]", HEED_CLS},
        {"[SEP]", HEED_SEP}, {"[MASK]", HEED_MASK},
    };
    static const struct {
        const heed_special_token *tokens;
        int count;
        bool before, after;
    } sets[HEED_SPECIAL_SETS] = {[HEED_SPECIAL_ENDS] = {ends, 3, false, true},
                                 [HEED_SPECIAL_MASKING] = {masking, 5, true, true}};
    training->special = sets[set].tokens;
    training->special_count = sets[set].count;
    training->add_bos = sets[set].before;
    training->add_eos = sets[set].after;
}

void heed_tokenizer_trainer_free(heed_tokenizer_trainer *trainer)
{
    if (!trainer) return;
    for (int i = 0; i < trainer->special_count; i++) free((char *)trainer->special[i].content);
    free(trainer->special);
    heed_counts_free(&trainer->counted);
    heed_pattern_free(trainer->words);
    free(trainer);
}

/* Returns the special token of a role, NULL if there is none. */
static const char *content_of(const heed_tokenizer_trainer *trainer, heed_special part)
{
    for (int i = 0; i < trainer->special_count; i++)
        if (trainer->special[i].part == part) return trainer->special[i].content;
    return NULL;
}

/* Returns the token before a text, BOS or else CLS, or the token after it, EOS or else SEP. */
static const char *bracket(const heed_tokenizer_trainer *trainer, bool after)
{
    static const heed_special parts[2][2] = {{HEED_BOS, HEED_CLS}, {HEED_EOS, HEED_SEP}};
    const char *content = content_of(trainer, parts[after][0]);
    return content ? content : content_of(trainer, parts[after][1]);
}

static heed_status add_special(heed_tokenizer_trainer *trainer, const char *content,
                               heed_special part, heed_error *error)
{
    if (!content || !*content || part >= HEED_SPECIAL_COUNT)
        return heed_fail(error, HEED_E_ARG,
                         "special token %d: expected a string that is not empty, and a part",
                         trainer->special_count);
    char *copy = heed_string_copy(content);
    if (!copy) return heed_fail_memory(error, strlen(content), "the special tokens");
    trainer->special[trainer->special_count++] = (heed_special_token){copy, part};
    return HEED_OK;
}

/* Checks the options and copies the special tokens. */
static heed_status check_options(heed_tokenizer_trainer *trainer,
                                 const heed_tokenizer_training *training, heed_error *error)
{
    if (training->special_count < 0 || training->special_count > 1000)
        return heed_fail(error, HEED_E_ARG, "%d special tokens, expected 0 to 1000",
                         training->special_count);
    trainer->special = heed_allocate((size_t)training->special_count + 1, sizeof *trainer->special);
    if (!trainer->special)
        return heed_fail_memory(error, 1000 * sizeof *trainer->special, "the special tokens");
    for (int i = 0; i < training->special_count; i++)
        HEED_TRY(
            add_special(trainer, training->special[i].content, training->special[i].part, error));
    if (trainer->kind == &heed_trainer_char && !content_of(trainer, HEED_UNK))
        HEED_TRY(add_special(trainer, "<unk>", HEED_UNK, error));
    if (training->add_bos && !bracket(trainer, false))
        return heed_fail(
            error, HEED_E_ARG,
            "a beginning-of-sequence token is to be added, but none is among the special tokens");
    if (training->add_eos && !bracket(trainer, true))
        return heed_fail(
            error, HEED_E_ARG,
            "an end-of-sequence token is to be added, but none is among the special tokens");
    if (trainer->kind != &heed_trainer_bpe) return HEED_OK;
    if (training->vocab_size < 256 + (size_t)trainer->special_count)
        return heed_fail(
            error, HEED_E_ARG,
            "a vocabulary of %zu tokens, expected at least 256 bytes and %d special tokens",
            training->vocab_size, trainer->special_count);
    return heed_pattern_new(&trainer->words, heed_gpt2_pattern, strlen(heed_gpt2_pattern), true,
                            "bpe", error);
}

heed_status heed_tokenizer_trainer_new(heed_tokenizer_trainer **result, const char *kind,
                                       const heed_tokenizer_training *training, heed_error *error)
{
    *result = NULL;
    heed_tokenizer_trainer *trainer = heed_allocate(1, sizeof *trainer);
    if (!trainer) return heed_fail_memory(error, sizeof *trainer, "a tokenizer trainer");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kinds[i]->name, kind)) trainer->kind = kinds[i];
    trainer->vocab_size = training->vocab_size;
    trainer->min_frequency = training->min_frequency;
    trainer->add_bos = training->add_bos;
    trainer->add_eos = training->add_eos;
    trainer->cancel = training->cancel;
    heed_status status = HEED_OK;
    if (!trainer->kind || !trainer->kind->feed)
        status = heed_fail(error, HEED_E_UNSUPPORTED,
                           "a tokenizer of kind \"%.80s\" cannot be trained, expected bpe or char",
                           kind);
    if (status == HEED_OK) status = check_options(trainer, training, error);
    if (status == HEED_OK) *result = trainer;
    else heed_tokenizer_trainer_free(trainer);
    return status;
}

heed_status heed_tokenizer_trainer_feed(heed_tokenizer_trainer *trainer, const char *text,
                                        size_t length, heed_error *error)
{
    heed_pieces pieces; /* replaces invalid UTF-8 */
    heed_status status = heed_pieces_init(&pieces, text, length, 0, error);
    if (status == HEED_OK)
        status = trainer->kind->feed(trainer, pieces.bytes, pieces.length, error);
    heed_pieces_free(&pieces);
    return status;
}

heed_status heed_tokenizer_trainer_feed_lines(heed_tokenizer_trainer *trainer, const char *text,
                                              size_t length, heed_error *error)
{
    for (size_t at = 0; at < length;) {
        const char *end = memchr(text + at, '\n', length - at);
        size_t size = end ? (size_t)(end - text) + 1 - at : length - at;
        HEED_TRY(heed_tokenizer_trainer_feed(trainer, text + at, size, error));
        at += size;
    }
    return HEED_OK;
}

static int append_bracket(json_t *list, const char *content, int type_id)
{
    return json_array_append_new(
        list, json_pack("{s:{s:s, s:i}}", "SpecialToken", "id", content, "type_id", type_id));
}

/* Builds the post-processor: [BOS] A [EOS], for pairs [BOS] A [EOS] B [EOS], with type id 1 for the
   second text. */
static json_t *make_template(const heed_tokenizer_trainer *trainer, const json_t *vocabulary)
{
    const char *before = trainer->add_bos ? bracket(trainer, false) : NULL;
    const char *after = trainer->add_eos ? bracket(trainer, true) : NULL;
    json_t *single = json_array(), *pair = json_array(), *tokens = json_object();
    int failed = 0;
    for (int text = 0; text < 2; text++) {
        json_t *piece = json_pack("{s:{s:s, s:i}}", "Sequence", "id", text ? "B" : "A", "type_id",
                                  text);
        if (before && !text)
            failed |= append_bracket(pair, before, 0) | append_bracket(single, before, 0);
        failed |= json_array_append(pair, piece);
        if (!text) failed |= json_array_append(single, piece);
        if (after) failed |= append_bracket(pair, after, text);
        if (after && !text) failed |= append_bracket(single, after, 0);
        json_decref(piece);
    }
    for (int i = 0; i < 2; i++) {
        const char *content = i ? after : before;
        if (content)
            failed |= json_object_set_new(tokens, content,
                                          json_pack("{s:s, s:[O], s:[s]}", "id", content, "ids",
                                                    json_object_get(vocabulary, content), "tokens",
                                                    content));
    }
    if (!failed)
        return json_pack("{s:s, s:o, s:o, s:o}", "type", "TemplateProcessing", "single", single,
                         "pair", pair, "special_tokens", tokens);
    json_decref(single);
    json_decref(pair);
    json_decref(tokens);
    return NULL;
}

/* Adds to `json` what all kinds share: special tokens and post-processor. */
static int complete(const heed_tokenizer_trainer *trainer, json_t *json)
{
    const json_t *vocabulary = json_object_get(json_object_get(json, "model"), "vocab");
    json_t *added = json_object_get(json, "added_tokens");
    int failed = 0;
    if (!added) {
        failed |= json_object_set_new(json, "added_tokens", json_array());
        added = json_object_get(json, "added_tokens");
    }
    for (int i = trainer->special_count - 1; i >= 0; i--)
        failed |= json_array_insert_new(added, 0,
                                        json_pack("{s:s, s:b, s:b}", "content",
                                                  trainer->special[i].content, "special", 1,
                                                  "normalized", 0));
    if (trainer->add_bos || trainer->add_eos)
        failed |= json_object_set_new(json, "post_processor", make_template(trainer, vocabulary));
    return failed;
}

static json_t *make_config(const heed_tokenizer_trainer *trainer)
{
    json_t *config = json_pack("{s:s, s:b}", "tokenizer_class", "PreTrainedTokenizerFast",
                               "clean_up_tokenization_spaces", 0);
    int failed = 0;
    for (int i = 0; i < trainer->special_count; i++)
        failed |= json_object_set_new(config, heed_special_names[trainer->special[i].part],
                                      json_string(trainer->special[i].content));
    if (!failed) return config;
    json_decref(config);
    return NULL;
}

heed_status heed_tokenizer_trainer_finish(heed_tokenizer_trainer *trainer,
                                          heed_tokenizer **tokenizer, heed_error *error)
{
    json_t *json = NULL;
    *tokenizer = NULL;
    HEED_TRY(trainer->kind->finish(trainer, &json, error));
    json_t *config = make_config(trainer);
    heed_status status = config && !complete(trainer, json)
                             ? heed_tokenizer_build(tokenizer, json, config,
                                                    "the trained tokenizer", error)
                             : heed_fail_memory(error, 1 << 16, "the trained tokenizer");
    json_decref(json);
    json_decref(config);
    return status;
}
