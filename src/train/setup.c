#include "train/setup.h"

#include "base/file.h"

#include <math.h>
#include <string.h>

heed_status heed_setup_data(heed_data **data, const heed_run_options *o, bool valid,
                            heed_cancel cancel, heed_error *error)
{
    heed_data_files files = {.paths = o->data, .count = o->data_count, .pairs = o->pairs};
    if (valid) {
        files.paths = o->valid;
        files.count = o->valid_count;
    }
    files.cancel = cancel;
    return heed_data_open_files(data, &files, error);
}

/* ---- tokenizer ---- */

static const heed_special_token clm_special[] = {{"<|endoftext|>", HEED_EOS}};

static heed_status feed_all(heed_tokenizer_trainer *trainer, const heed_data *data,
                            heed_error *error)
{
    for (size_t i = 0; i < heed_data_count(data); i++) {
        if (heed_data_kind_of(data) == HEED_DATA_PAIRS) {
            heed_text_pair pair = heed_data_pair(data, i);
            HEED_TRY(
                heed_tokenizer_trainer_feed(trainer, pair.source.bytes, pair.source.length, error));
            HEED_TRY(
                heed_tokenizer_trainer_feed(trainer, pair.target.bytes, pair.target.length, error));
        } else {
            heed_text text = heed_data_document(data, i);
            HEED_TRY(heed_tokenizer_trainer_feed(trainer, text.bytes, text.length, error));
        }
    }
    return HEED_OK;
}

static heed_status train_characters(heed_tokenizer **tokenizer, const heed_data *data,
                                    const heed_objective *objective, heed_cancel cancel,
                                    heed_error *error)
{
    heed_tokenizer_training training = {.cancel = cancel};
    if (objective == &heed_objective_mlm) {
        heed_tokenizer_training_special(&training, HEED_SPECIAL_MASKING);
    } else if (objective == &heed_objective_seq2seq) {
        heed_tokenizer_training_special(&training, HEED_SPECIAL_ENDS);
    } else if (heed_data_count(data) > 1) { /* a single text has no end, several need a mark */
        training.special = clm_special;
        training.special_count = 1;
    }
    heed_tokenizer_trainer *trainer = NULL;
    HEED_TRY(heed_tokenizer_trainer_new(&trainer, "char", &training, error));
    heed_status status = feed_all(trainer, data, error);
    if (status == HEED_OK) status = heed_tokenizer_trainer_finish(trainer, tokenizer, error);
    heed_tokenizer_trainer_free(trainer);
    return status;
}

/* Checks that the tokenizer has the ids for which the model of `init` was trained: an id that both
   tokenizers have must be the same token in both. */
static heed_status check_ids(const heed_run_options *o, const heed_tokenizer *tokenizer,
                             heed_error *error)
{
    heed_tokenizer *own = NULL;
    heed_error none = {0};
    heed_status status = heed_tokenizer_load(&own, o->init, &none);
    if (status == HEED_E_NOMEM) return heed_fail(error, status, "%s", none.message);
    if (status != HEED_OK) return HEED_OK; /* the model has no tokenizer */
    int32_t limit = heed_tokenizer_id_limit(own);
    if (heed_tokenizer_id_limit(tokenizer) < limit) limit = heed_tokenizer_id_limit(tokenizer);
    for (int32_t id = 0; id < limit && status == HEED_OK; id++) {
        size_t left = 0, right = 0;
        const char *a = heed_tokenizer_token(own, id, &left);
        const char *b = heed_tokenizer_token(tokenizer, id, &right);
        if (a == NULL || b == NULL || (left == right && memcmp(a, b, left) == 0)) continue;
        status = heed_fail(
            error, HEED_E_ARG,
            "--tokenizer %s: the id %d is \"%.40s\" there and \"%.40s\" in %s, whose weights were "
            "trained for that: leave --tokenizer out, or train a new model without --init",
            o->tokenizer, (int)id, b, a, o->init);
    }
    heed_tokenizer_free(own);
    return status;
}

static heed_status open_tokenizer(heed_tokenizer **tokenizer, const heed_run_options *o,
                                  const heed_data *data, const heed_objective *objective,
                                  heed_cancel cancel, heed_error *error)
{
    *tokenizer = NULL;
    bool tokens = heed_data_kind_of(data) == HEED_DATA_TOKENS;
    const char *from = o->tokenizer != NULL ? o->tokenizer : o->init;
    if (from == NULL && tokens) return HEED_OK;
    if (from != NULL && strcmp(from, "char") != 0) {
        heed_error own = {0};
        heed_status status = heed_tokenizer_load(tokenizer, from, &own);
        /* Token files need no tokenizer: a model without one, or with one that heed cannot read,
           can still be trained on them. */
        bool needless = tokens && o->tokenizer == NULL &&
                        (status == HEED_E_IO || status == HEED_E_UNSUPPORTED);
        if (status == HEED_OK || needless) return HEED_OK;
        return heed_fail(error, status, "%s", own.message);
    }
    if (heed_data_kind_of(data) == HEED_DATA_CONVERSATIONS)
        return heed_fail(error, HEED_E_ARG,
                         "conversations need the tokenizer of a chat model: give --init MODEL or "
                         "--tokenizer DIR");
    if (tokens)
        return heed_fail(
            error, HEED_E_ARG,
            "token files hold ids already: give the tokenizer that made them, not 'char'");
    return train_characters(tokenizer, data, objective, cancel, error);
}

heed_status heed_setup_tokenizer(heed_tokenizer **tokenizer, const heed_run_options *o,
                                 const heed_data *data, const heed_objective *objective,
                                 heed_cancel cancel, heed_error *error)
{
    HEED_TRY(open_tokenizer(tokenizer, o, data, objective, cancel, error));
    if (*tokenizer == NULL || o->tokenizer == NULL || o->init == NULL) return HEED_OK;
    return check_ids(o, *tokenizer, error);
}

/* Takes a template from a file, or the tokenizer's template of that name. The tokenizer is saved
   with it as its default, so that the tuned model answers in the form it was trained with. */
static heed_status take_template(heed_chat_template **chat, const char *choice, const char *where,
                                 heed_tokenizer *tokenizer, heed_error *error)
{
    HEED_TRY(heed_chat_template_open(chat, choice, where, tokenizer, error));
    heed_status status;
    if (heed_path_exists(choice))
        status = heed_tokenizer_read_chat_template(tokenizer, choice, error);
    else status = heed_tokenizer_use_template(tokenizer, choice, error);
    if (status == HEED_OK) return HEED_OK;
    heed_chat_template_free(*chat);
    *chat = NULL;
    return status;
}

heed_status heed_setup_chat(heed_chat_template **chat, const heed_run_options *o,
                            const heed_data *data, heed_tokenizer *tokenizer, heed_error *error)
{
    *chat = NULL;
    if (heed_data_kind_of(data) != HEED_DATA_CONVERSATIONS || tokenizer == NULL) return HEED_OK;
    if (o->template_file != NULL && strcmp(o->template_file, "none") == 0) return HEED_OK;
    const char *where = o->init != NULL ? o->init : o->out;
    if (o->template_file != NULL)
        return take_template(chat, o->template_file, where, tokenizer, error);
    if (heed_tokenizer_template_count(tokenizer) == 0) return HEED_OK;
    return heed_chat_template_load(chat, where, tokenizer, error);
}

/* ---- objective ---- */

/* The family "transformer", the encoder-decoder of Vaswani et al. 2017, is Marian with the paper's
   activation and with embeddings times sqrt(D). */
static heed_status preset_of(heed_config *config, const char *family, heed_error *error)
{
    if (strcmp(family, "transformer") != 0) return heed_config_preset(config, family, error);
    HEED_TRY(heed_config_preset(config, "marian", error));
    config->activation = HEED_UNARY_RELU;
    return HEED_OK;
}

static heed_status read_config(heed_config *config, const char *path, heed_error *error)
{
    json_t *json = NULL;
    HEED_TRY(heed_json_read(&json, path, error));
    heed_status status = heed_config_read(config, json, path, error);
    json_decref(json);
    return status;
}

heed_status heed_setup_objective(const heed_objective **objective, const heed_run_options *o,
                                 const heed_config *init, const heed_data *data, heed_error *error)
{
    heed_config config;
    if (o->objective != NULL) {
        HEED_TRY(heed_objective_by_name(objective, o->objective, error));
    } else if (init != NULL) {
        *objective = heed_objective_of(init);
    } else if (o->family != NULL) {
        HEED_TRY(preset_of(&config, o->family, error));
        *objective = heed_objective_of(&config);
    } else if (o->config != NULL) {
        HEED_TRY(read_config(&config, o->config, error));
        *objective = heed_objective_of(&config);
    } else {
        bool pairs = heed_data_kind_of(data) == HEED_DATA_PAIRS;
        *objective = pairs ? &heed_objective_seq2seq : &heed_objective_clm;
    }
    return init != NULL ? heed_objective_check(*objective, init, error) : HEED_OK;
}

/* ---- configuration ---- */

static heed_status find_largest_token(const heed_data *data, int32_t *largest, heed_error *error)
{
    enum { CHUNK = 1 << 12 };
    int32_t ids[CHUNK];
    heed_token_range range = {.vocabulary = (uint32_t)INT32_MAX};
    for (; range.shard < heed_data_count(data); range.shard++) {
        size_t count = heed_data_shard(data, range.shard).count;
        for (range.from = 0; range.from < count; range.from += range.count) {
            range.count = count - range.from < CHUNK ? count - range.from : CHUNK;
            HEED_TRY(heed_data_read_tokens(data, range, ids, error));
            for (size_t i = 0; i < range.count; i++)
                if (ids[i] > *largest) *largest = ids[i];
        }
    }
    return HEED_OK;
}

static heed_status set_vocabulary(heed_config *config, const heed_tokenizer *tokenizer,
                                  const heed_data *data, heed_error *error)
{
    if (tokenizer == NULL) {
        int32_t largest = 0;
        HEED_TRY(find_largest_token(data, &largest, error));
        config->vocabulary = (int64_t)largest + 1;
        config->pad_id = config->bos_id = config->eos_id = config->decoder_start_id = -1;
        return HEED_OK;
    }
    config->vocabulary = heed_tokenizer_id_limit(tokenizer);
    if (config->source_vocabulary > 0) config->source_vocabulary = config->vocabulary;
    config->pad_id = heed_tokenizer_special(tokenizer, HEED_PAD);
    config->bos_id = heed_tokenizer_special(tokenizer, HEED_BOS);
    config->eos_id = heed_tokenizer_special(tokenizer, HEED_EOS);
    if (config->eos_id < 0 && config->arrangement == HEED_ENCODER_DECODER)
        config->eos_id = heed_tokenizer_special(tokenizer, HEED_SEP);
    config->decoder_start_id = -1;
    if (config->arrangement == HEED_ENCODER_DECODER)
        config->decoder_start_id = config->pad_id >= 0 ? config->pad_id : config->bos_id;
    if (config->starts_with_end) config->decoder_start_id = config->eos_id;
    return HEED_OK;
}

static int64_t chosen(int64_t value, int64_t otherwise)
{
    return value >= 0 ? value : otherwise;
}

static heed_status set_sizes(heed_config *config, const heed_run_options *o, heed_error *error)
{
    config->d_model = chosen(o->d_model, 128);
    int64_t heads = chosen(o->heads, config->d_model >= 64 ? config->d_model / 32 : 1);
    if (config->d_model % heads != 0)
        return heed_fail(error, HEED_E_ARG, "d_model %lld is not divisible by %lld heads",
                         (long long)config->d_model, (long long)heads);
    heed_stack stack = {.layers = chosen(o->layers, 4),
                        .heads = heads,
                        .kv_heads = chosen(o->kv_heads, 0),
                        .d_ff = chosen(o->d_ff, 0)};
    config->encoder = config->arrangement != HEED_DECODER_ONLY ? stack : (heed_stack){0};
    config->decoder = config->arrangement != HEED_ENCODER_ONLY ? stack : (heed_stack){0};
    config->context = chosen(o->context, 256);
    return HEED_OK;
}

static heed_status from_family(heed_config *config, const heed_run_options *o,
                               const heed_objective *objective, const heed_tokenizer *tokenizer,
                               const heed_data *data, heed_error *error)
{
    static const char *const usual[HEED_ARRANGEMENTS] = {[HEED_DECODER_ONLY] = "heed",
                                                         [HEED_ENCODER_ONLY] = "bert",
                                                         [HEED_ENCODER_DECODER] = "transformer"};
    const char *family = o->family != NULL ? o->family : usual[objective->arrangement];
    HEED_TRY(preset_of(config, family, error));
    HEED_TRY(heed_objective_check(objective, config, error));
    HEED_TRY(set_sizes(config, o, error));
    if (strcmp(family, "transformer") == 0) config->embedding_scale = sqrt((double)config->d_model);
    return set_vocabulary(config, tokenizer, data, error);
}

static heed_status from_file(heed_config *config, const heed_run_options *o,
                             const heed_objective *objective, const heed_tokenizer *tokenizer,
                             heed_error *error)
{
    HEED_TRY(read_config(config, o->config, error));
    HEED_TRY(heed_objective_check(objective, config, error));
    if (tokenizer == NULL) return HEED_OK;
    if (heed_tokenizer_base_limit(tokenizer) > config->vocabulary)
        return heed_fail(
            error, HEED_E_ARG,
            "%s: vocabulary of %lld, but the tokenizer has ids up to %d: raise vocab_size",
            o->config, (long long)config->vocabulary,
            (int)heed_tokenizer_base_limit(tokenizer) - 1);
    return HEED_OK;
}

heed_status heed_setup_config(heed_config *config, const heed_run_options *o,
                              const heed_objective *objective, const heed_tokenizer *tokenizer,
                              const heed_data *data, heed_error *error)
{
    if (o->config != NULL) HEED_TRY(from_file(config, o, objective, tokenizer, error));
    else HEED_TRY(from_family(config, o, objective, tokenizer, data, error));
    const char *where = o->config != NULL ? o->config : "the model's sizes";
    HEED_TRY(heed_config_set_head(config, objective->head, where, error));
    config->dtype = HEED_F32;
    return heed_config_complete(config, where, error);
}
