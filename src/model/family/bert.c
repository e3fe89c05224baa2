/* BERT (Devlin et al. 2018): post-norm encoder, learned positions, token types, pooler, masked
   words and next sentence. */
#include "model/family.h"

#include <string.h>

static const heed_config preset = {
    .arrangement = HEED_ENCODER_ONLY,
    .vocabulary = 30522,
    .d_model = 768,
    .context = 512,
    .token_types = 2,
    .encoder = {.layers = 12, .heads = 12, .d_ff = 3072},
    .norm = HEED_NORM_LAYER,
    .norm_place = HEED_NORM_POST,
    .norm_eps = 1e-12,
    .norm_bias = true,
    .embedding_norm = true,
    .activation = HEED_UNARY_GELU,
    .position = HEED_POSITION_LEARNED,
    .scaled = true,
    .query_bias = true,
    .output_bias = true,
    .ffn_bias = true,
    .lm_bias = true,
    .lm_transform = true,
    .pooler = true,
    .embedding_scale = 1,
    .tied = true,
    .embedding_dropout = 0.1,
    .attention_dropout = 0.1,
    .residual_dropout = 0.1,
    .classifier_dropout = 0.1,
    .initializer_range = 0.02,
    .pad_id = 0,
    .bos_id = -1,
    .eos_id = -1,
    .decoder_start_id = -1,
    .use_cache = true,
};

static const heed_key keys[] = {
    HEED_KEY("vocab_size", SIZE, vocabulary),
    HEED_KEY("hidden_size", SIZE, d_model),
    HEED_KEY("num_hidden_layers", COUNT, encoder.layers),
    HEED_KEY("num_attention_heads", SIZE, encoder.heads),
    HEED_KEY("intermediate_size", COUNT, encoder.d_ff),
    HEED_KEY("hidden_act", ACTIVATION, activation),
    HEED_KEY_DROPOUT("hidden_dropout_prob", residual_dropout),
    HEED_KEY_DROPOUT("attention_probs_dropout_prob", attention_dropout),
    HEED_KEY("max_position_embeddings", SIZE, context),
    HEED_KEY("type_vocab_size", COUNT, token_types),
    HEED_KEY("initializer_range", NUMBER, initializer_range),
    HEED_KEY("layer_norm_eps", NUMBER, norm_eps),
    HEED_KEY("is_decoder", FLAG, causal),
    {0},
};

/* clang-format off */
#define LAYER(symbol, suffix) \
    {.role = HEED_ROLE_##symbol, .stack_id = HEED_STACK_ENCODER, .flags = HEED_NAME_BASE, \
     .name = "encoder.layer.{i}." suffix}
/* clang-format on */
/* Norms under their names of today, and of the files that were converted from TensorFlow. */
#define NORM(symbol, stem)                                                    \
    LAYER(symbol##_GAIN, stem ".weight"), LAYER(symbol##_BIAS, stem ".bias"), \
        OLD(symbol##_GAIN, stem ".gamma"), OLD(symbol##_BIAS, stem ".beta")
/* clang-format off */
#define OLD(symbol, suffix) \
    {.role = HEED_ROLE_##symbol, .stack_id = HEED_STACK_ENCODER, \
     .flags = HEED_NAME_BASE | HEED_NAME_ALIAS, .name = "encoder.layer.{i}." suffix}
#define BASE(symbol, in, flag, text) \
    {.role = HEED_ROLE_##symbol, .stack_id = HEED_STACK_##in, .flags = HEED_NAME_BASE | (flag), \
     .name = text}
#define HEAD(symbol, flag, text) \
    {.role = HEED_ROLE_##symbol, .stack_id = HEED_STACK_MODEL, .flags = (flag), .name = text}
/* clang-format on */
static const heed_weight_name weights[] = {
    BASE(TOKEN_EMBEDDING, MODEL, 0, "embeddings.word_embeddings.weight"),
    BASE(POSITION_EMBEDDING, ENCODER, 0, "embeddings.position_embeddings.weight"),
    BASE(TYPE_EMBEDDING, ENCODER, 0, "embeddings.token_type_embeddings.weight"),
    BASE(EMBEDDING_NORM_GAIN, ENCODER, 0, "embeddings.LayerNorm.weight"),
    BASE(EMBEDDING_NORM_BIAS, ENCODER, 0, "embeddings.LayerNorm.bias"),
    BASE(EMBEDDING_NORM_GAIN, ENCODER, HEED_NAME_ALIAS, "embeddings.LayerNorm.gamma"),
    BASE(EMBEDDING_NORM_BIAS, ENCODER, HEED_NAME_ALIAS, "embeddings.LayerNorm.beta"),
    LAYER(QUERY_WEIGHT, "attention.self.query.weight"),
    LAYER(QUERY_BIAS, "attention.self.query.bias"),
    LAYER(KEY_WEIGHT, "attention.self.key.weight"),
    LAYER(KEY_BIAS, "attention.self.key.bias"),
    LAYER(VALUE_WEIGHT, "attention.self.value.weight"),
    LAYER(VALUE_BIAS, "attention.self.value.bias"),
    LAYER(OUTPUT_WEIGHT, "attention.output.dense.weight"),
    LAYER(OUTPUT_BIAS, "attention.output.dense.bias"),
    NORM(ATTENTION_NORM, "attention.output.LayerNorm"),
    LAYER(UP_WEIGHT, "intermediate.dense.weight"),
    LAYER(UP_BIAS, "intermediate.dense.bias"),
    LAYER(DOWN_WEIGHT, "output.dense.weight"),
    LAYER(DOWN_BIAS, "output.dense.bias"),
    NORM(FFN_NORM, "output.LayerNorm"),
    BASE(POOLER_WEIGHT, MODEL, HEED_NAME_HEAD, "pooler.dense.weight"),
    BASE(POOLER_BIAS, MODEL, HEED_NAME_HEAD, "pooler.dense.bias"),
    HEAD(TRANSFORM_WEIGHT, 0, "cls.predictions.transform.dense.weight"),
    HEAD(TRANSFORM_BIAS, 0, "cls.predictions.transform.dense.bias"),
    HEAD(TRANSFORM_NORM_GAIN, 0, "cls.predictions.transform.LayerNorm.weight"),
    HEAD(TRANSFORM_NORM_BIAS, 0, "cls.predictions.transform.LayerNorm.bias"),
    HEAD(TRANSFORM_NORM_GAIN, HEED_NAME_ALIAS, "cls.predictions.transform.LayerNorm.gamma"),
    HEAD(TRANSFORM_NORM_BIAS, HEED_NAME_ALIAS, "cls.predictions.transform.LayerNorm.beta"),
    HEAD(LM_WEIGHT, 0, "cls.predictions.decoder.weight"),
    HEAD(LM_BIAS, HEED_NAME_TIED, "cls.predictions.bias"),
    HEAD(LM_BIAS, HEED_NAME_UNTIED, "cls.predictions.decoder.bias"),
    HEAD(LM_BIAS, HEED_NAME_ALIAS, "cls.predictions.decoder.bias"),
    HEAD(SPARE_BIAS, HEED_NAME_OPTIONAL, "cls.predictions.bias"),
    HEAD(RELATION_WEIGHT, 0, "cls.seq_relationship.weight"),
    HEAD(RELATION_BIAS, 0, "cls.seq_relationship.bias"),
    HEAD(CLASS_WEIGHT, 0, "classifier.weight"),
    HEAD(CLASS_BIAS, 0, "classifier.bias"),
    HEAD(SPAN_WEIGHT, 0, "qa_outputs.weight"),
    HEAD(SPAN_BIAS, 0, "qa_outputs.bias"),
    {0}};

static const char *const ignored[] = {"embeddings.position_ids", "embeddings.token_type_ids", NULL};
static const char *const prefixes[] = {"bert.", "", NULL};
static const heed_architecture architectures[] = {
    {"BertForPreTraining", HEED_HEAD_PRETRAINING},
    {"BertForMaskedLM", HEED_HEAD_MASKED_LM},
    {"BertForNextSentencePrediction", HEED_HEAD_NEXT_SENTENCE},
    {"BertModel", HEED_HEAD_NONE},
    {"BertLMHeadModel", HEED_HEAD_CAUSAL_LM},
    {"BertForSequenceClassification", HEED_HEAD_SEQUENCE_CLASS},
    {"BertForTokenClassification", HEED_HEAD_TOKEN_CLASS},
    {"BertForQuestionAnswering", HEED_HEAD_QUESTION},
    {"BertForMultipleChoice", HEED_HEAD_CHOICE},
    {0}};

static void derive(heed_config *config)
{
    config->encoder.kv_heads = config->encoder.heads;
    config->encoder.head_width = 0;
    config->embedding_dropout = config->residual_dropout;
}

static heed_status fix(heed_config *config, const json_t *json, const char *where,
                       heed_error *error)
{
    const char *positions = "absolute";
    bool cross = false;
    HEED_TRY(heed_json_string(json, "position_embedding_type", &positions, where, error));
    if (strcmp(positions, "absolute") != 0)
        return heed_fail(error, HEED_E_UNSUPPORTED,
                         "%s: position_embedding_type is \"%s\"; only \"absolute\" is supported",
                         where, positions);
    HEED_TRY(heed_json_boolean(json, "add_cross_attention", &cross, where, error));
    if (cross)
        return heed_fail(
            error, HEED_E_UNSUPPORTED,
            "%s: add_cross_attention is true; only BERT without cross attention is supported",
            where);
    config->classifier_dropout = config->residual_dropout;
    return heed_json_number(json, "classifier_dropout", &config->classifier_dropout, where, error);
}

const heed_family heed_family_bert = {
    .name = "bert",
    .preset = &preset,
    .keys = keys,
    .weights = weights,
    .ignored = ignored,
    .prefixes = prefixes,
    .architectures = architectures,
    .d_ff_factor = 4,
    .d_ff_multiple = 1,
    .is_published = true,
    .derive = derive,
    .fix = fix,
};
