/* BERT (Devlin et al. 2018): post-norm encoder, learned positions, token types, pooler, heads for
   masked tokens and next sentence. */
#include "model/family/decoder_internal.h"

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
    .lm_transform = {.dense = true, .bias = true, .norm = true},
    .pooler = {.dense = true, .bias = true, .own_activation = true, .activation = HEED_UNARY_TANH},
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
    HEED_KEY_READ("hidden_dropout_prob", RATE, classifier_dropout),
    HEED_KEY_READ("classifier_dropout", RATE, classifier_dropout),
    HEED_KEY_SUPPORTS("position_embedding_type", "absolute"),
    HEED_KEY_SUPPORTS("add_cross_attention", "false"),
    HEED_FOLLOWS(encoder.kv_heads, encoder.heads),
    HEED_COMPUTED(encoder.head_width),
    HEED_FOLLOWS(embedding_dropout, residual_dropout),
    {0},
};

/* A norm under its current names, and under those of files that were converted from TensorFlow. */
/* clang-format off */
#define NORM(place, symbol, in, how, stem) \
    HEED_WEIGHT_NORM_AT(place, symbol, in, how, stem), \
    HEED_WEIGHT_AT(place, symbol##_GAIN, in, (how) | HEED_NAME_ALIAS, stem ".gamma"), \
    HEED_WEIGHT_AT(place, symbol##_BIAS, in, (how) | HEED_NAME_ALIAS, stem ".beta")
/* clang-format on */
static const heed_weight_name weights[] = {
    HEED_TENSOR(TOKEN_EMBEDDING, MODEL, "embeddings.word_embeddings.weight"),
    HEED_TENSOR(POSITION_EMBEDDING, ENCODER, "embeddings.position_embeddings.weight"),
    HEED_TENSOR(TYPE_EMBEDDING, ENCODER, "embeddings.token_type_embeddings.weight"),
    NORM(NONE, EMBEDDING_NORM, ENCODER, HEED_NAME_BASE, "embeddings.LayerNorm"),
    HEED_LINEAR_IN(ENCODER, QUERY, "encoder.layer.{i}.attention.self.query"),
    HEED_LINEAR_IN(ENCODER, KEY, "encoder.layer.{i}.attention.self.key"),
    HEED_LINEAR_IN(ENCODER, VALUE, "encoder.layer.{i}.attention.self.value"),
    HEED_LINEAR_IN(ENCODER, OUTPUT, "encoder.layer.{i}.attention.output.dense"),
    NORM(ATTENTION, NORM, ENCODER, HEED_NAME_BASE, "encoder.layer.{i}.attention.output.LayerNorm"),
    HEED_LINEAR_IN(ENCODER, UP, "encoder.layer.{i}.intermediate.dense"),
    HEED_LINEAR_IN(ENCODER, DOWN, "encoder.layer.{i}.output.dense"),
    NORM(FFN, NORM, ENCODER, HEED_NAME_BASE, "encoder.layer.{i}.output.LayerNorm"),
    HEED_WEIGHT_LINEAR(POOLER, MODEL, HEED_NAME_BASE | HEED_NAME_HEAD, "pooler.dense"),
    HEED_WEIGHT_LINEAR(TRANSFORM, MODEL, 0, "cls.predictions.transform.dense"),
    NORM(NONE, TRANSFORM_NORM, MODEL, 0, "cls.predictions.transform.LayerNorm"),
    HEED_WEIGHT(LM_WEIGHT, MODEL, 0, "cls.predictions.decoder.weight"),
    HEED_WEIGHT(LM_BIAS, MODEL, HEED_NAME_TIED, "cls.predictions.bias"),
    HEED_WEIGHT(LM_BIAS, MODEL, HEED_NAME_UNTIED, "cls.predictions.decoder.bias"),
    HEED_WEIGHT(LM_BIAS, MODEL, HEED_NAME_ALIAS, "cls.predictions.decoder.bias"),
    HEED_WEIGHT(SPARE_BIAS, MODEL, HEED_NAME_OPTIONAL, "cls.predictions.bias"),
    HEED_WEIGHT_LINEAR(RELATION, MODEL, 0, "cls.seq_relationship"),
    HEED_WEIGHT_LINEAR(CLASS, MODEL, 0, "classifier"),
    HEED_WEIGHT_LINEAR(SPAN, MODEL, 0, "qa_outputs"),
    {0}};

static const char *const ignored[] = {"embeddings.position_ids", "embeddings.token_type_ids", NULL};
static const char *const prefixes[] = {"bert.", "", NULL};
static const heed_architecture architectures[] = {
    HEED_CLASS_OF("BertForPreTraining", HEED_HEAD_MASKED_LM, HEED_HEAD_NEXT_SENTENCE),
    HEED_CLASS("BertForMaskedLM", MASKED_LM),
    HEED_CLASS("BertForNextSentencePrediction", NEXT_SENTENCE),
    HEED_CLASS("BertModel", BARE),
    HEED_CLASS("BertLMHeadModel", CAUSAL_LM),
    HEED_CLASS("BertForSequenceClassification", SEQUENCE_CLASS),
    HEED_CLASS("BertForTokenClassification", TOKEN_CLASS),
    HEED_CLASS("BertForQuestionAnswering", QUESTION),
    HEED_CLASS("BertForMultipleChoice", CHOICE),
    {0}};

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
};
