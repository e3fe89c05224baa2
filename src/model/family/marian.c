/* Marian (Junczys-Dowmunt et al. 2018): the encoder-decoder of Vaswani et al. 2017, post-norm, with
   sinusoidal positions and one embedding. */
#include "model/family/bart.h"

static const heed_config preset = {
    HEED_BART_PRESET,
    .vocabulary = 58101,
    .norm_place = HEED_NORM_POST,
    .activation = HEED_UNARY_GELU,
    .position = HEED_POSITION_SINUSOIDAL,
    .sinusoid_order = HEED_SINUSOID_HALVES,
    .embedding_scale = 1,
    .tied = true,
    .logits_bias = true,
    .pad_id = 58100,
    .bos_id = -1,
    .eos_id = 0,
    .decoder_start_id = 58100,
};

static const heed_key keys[] = {
    HEED_KEY("vocab_size", SIZE, vocabulary),
    HEED_BART_KEYS,
    /* transformers computes the positions whatever it says */
    HEED_KEY_WRITTEN_ALWAYS("static_position_embeddings", "true"),
    HEED_KEY_OTHERS("decoder_vocab_size"),
    HEED_KEY_OTHERS("share_encoder_decoder_embeddings"),
    {0},
};

static const heed_weight_name weights[] = {
    HEED_BART_EMBEDDINGS,
    HEED_BART_LAYER(ENCODER, "encoder"),
    HEED_BART_LAYER(DECODER, "decoder"),
    HEED_BART_CROSS,
    HEED_BART_HEAD,
    {0},
};

static const char *const ignored[] = {"encoder.embed_positions.weight",
                                      "decoder.embed_positions.weight", NULL};
static const char *const prefixes[] = {"model.", "", NULL};
static const heed_architecture architectures[] = {
    HEED_CLASS("MarianMTModel", CAUSAL_LM),
    HEED_CLASS("MarianModel", BARE),
    HEED_CLASS_ALONE("MarianForCausalLM", CAUSAL_LM),
    {0},
};

/* A model with an embedding for each stack has two vocabularies. Untied models have two as well. */
static heed_status fix(heed_config *config, const json_t *json, const char *where,
                       heed_error *error)
{
    bool shared = true;
    int64_t vocabulary = config->vocabulary;
    HEED_TRY(heed_json_boolean(json, "share_encoder_decoder_embeddings", &shared, where, error));
    HEED_TRY(heed_json_integer(json, "decoder_vocab_size", &vocabulary, where, error));
    if (shared && config->tied) return HEED_OK;
    config->source_vocabulary = config->vocabulary;
    config->vocabulary = vocabulary;
    return HEED_OK;
}

static bool write_config(const heed_config *config, json_t *json)
{
    int64_t source = heed_config_source_vocabulary(config);
    return json_object_set_new(json, "vocab_size", json_integer(source)) == 0 &&
           json_object_set_new(json, "decoder_vocab_size", json_integer(config->vocabulary)) == 0 &&
           json_object_set_new(json, "share_encoder_decoder_embeddings",
                               json_boolean(config->source_vocabulary == 0)) == 0;
}

const heed_family heed_family_marian = {
    .name = "marian",
    .preset = &preset,
    .keys = keys,
    .weights = weights,
    .ignored = ignored,
    .prefixes = prefixes,
    .architectures = architectures,
    .d_ff_factor = 4,
    .d_ff_multiple = 1,
    .is_published = true,
    .fix = fix,
    .write = write_config,
};
