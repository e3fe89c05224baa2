/* ESM (Rives et al. 2021; ESM-2: Lin et al. 2023): pre-norm encoder of proteins, with rotary
   positions, or with learned ones that count as RoBERTa's. Token rows are scaled by the share of
   masks in their sequence. */
#include "model/family/bert.h"

static const heed_config preset = {
    .arrangement = HEED_ENCODER_ONLY,
    .norm = HEED_NORM_LAYER,
    .norm_place = HEED_NORM_PRE,
    .norm_eps = 1e-12,
    .norm_bias = true,
    .final_norm = true,
    .activation = HEED_UNARY_GELU,
    .position = HEED_POSITION_LEARNED,
    .scaled = true,
    .query_bias = true,
    .output_bias = true,
    .ffn_bias = true,
    .lm_bias = true,
    .embedding_scale = 1,
    .tied = true,
    .vocabulary = 33,
    .d_model = 768,
    .context = 1024,
    .encoder = {.layers = 12, .heads = 12, .d_ff = 3072},
    .rope = {.base = 10000, .fraction = 1, .truncate = true},
    .counts_tokens = true,
    .zero_masked = true,
    .contacts = true,
    .lm_transform = {.dense = true, .bias = true, .norm = true},
    .attention_dropout = 0.1,
    .residual_dropout = 0.1,
    .classifier_dropout = 0.1,
    .initializer_range = 0.02,
    .pad_id = 1,
    .bos_id = -1,
    .eos_id = 2,
    .decoder_start_id = -1,
    .use_cache = true,
};

/* Learned positions count tokens, rotary ones do not. */
static const char *const position_names[] = {"", "absolute", "", "rotary", NULL};
static const char *const counting_names[] = {"rotary", "absolute", NULL};
/* clang-format off */
#define READ_NAMES(key, spellings, at) \
    {.name = (key), .type = HEED_KEY_KIND, .flags = HEED_KEY_READ_ONLY, \
     .field = HEED_PLACE(at), .names = (spellings)}
/* clang-format on */
static const heed_key keys[] = {
    HEED_KEY("vocab_size", SIZE, vocabulary),
    HEED_KEY("hidden_size", SIZE, d_model),
    HEED_KEY("num_hidden_layers", COUNT, encoder.layers),
    HEED_KEY("num_attention_heads", SIZE, encoder.heads),
    HEED_KEY("intermediate_size", SIZE, encoder.d_ff),
    HEED_KEY_NAMES("position_embedding_type", position_names, position),
    READ_NAMES("position_embedding_type", counting_names, counts_tokens),
    HEED_KEY_READ("pad_token_id", ID, pad_id),
    HEED_KEY_TABLE("max_position_embeddings", 1026, context),
    HEED_KEY("emb_layer_norm_before", FLAG, embedding_norm),
    HEED_KEY("token_dropout", FLAG, mask_scaling),
    HEED_KEY("mask_token_id", ID, mask_id),
    HEED_KEY_DROPOUT("hidden_dropout_prob", residual_dropout),
    HEED_KEY_READ("hidden_dropout_prob", RATE, classifier_dropout),
    HEED_KEY_DROPOUT("attention_probs_dropout_prob", attention_dropout),
    HEED_KEY("initializer_range", NUMBER, initializer_range),
    HEED_KEY("layer_norm_eps", NUMBER, norm_eps),
    HEED_KEY("is_decoder", FLAG, causal),
    HEED_KEY_SUPPORTS("add_cross_attention", "false"),
    HEED_KEY_SUPPORTS("is_folding_model", "false"),
    HEED_EQUALS(encoder.kv_heads, encoder.heads),
    HEED_COMPUTED(encoder.head_width),
    {0},
};

#define SEQUENCE (1 << HEED_HEAD_SEQUENCE_CLASS)
static const heed_weight_name weights[] = {
    HEED_TENSOR(TOKEN_EMBEDDING, MODEL, "embeddings.word_embeddings.weight"),
    HEED_TENSOR(POSITION_EMBEDDING, ENCODER, "embeddings.position_embeddings.weight"),
    HEED_BERT_NORM(NONE, EMBEDDING_NORM, ENCODER, HEED_NAME_BASE, "embeddings.layer_norm"),
    HEED_BERT_NORM(ATTENTION, NORM, ENCODER, HEED_NAME_BASE,
                   "encoder.layer.{i}.attention.LayerNorm"),
    HEED_LINEAR_IN(ENCODER, QUERY, "encoder.layer.{i}.attention.self.query"),
    HEED_LINEAR_IN(ENCODER, KEY, "encoder.layer.{i}.attention.self.key"),
    HEED_LINEAR_IN(ENCODER, VALUE, "encoder.layer.{i}.attention.self.value"),
    HEED_LINEAR_IN(ENCODER, OUTPUT, "encoder.layer.{i}.attention.output.dense"),
    HEED_BERT_NORM(FFN, NORM, ENCODER, HEED_NAME_BASE, "encoder.layer.{i}.LayerNorm"),
    HEED_LINEAR_IN(ENCODER, UP, "encoder.layer.{i}.intermediate.dense"),
    HEED_LINEAR_IN(ENCODER, DOWN, "encoder.layer.{i}.output.dense"),
    HEED_BERT_NORM(NONE, FINAL_NORM, ENCODER, HEED_NAME_BASE, "encoder.emb_layer_norm_after"),
    HEED_LINEAR_OF(POOLER, 1 << HEED_HEAD_BARE, HEED_NAME_BASE | HEED_NAME_HEAD, "pooler.dense"),
    HEED_LINEAR_OF(POOLER, SEQUENCE, 0, "classifier.dense"),
    HEED_LINEAR_OF(CLASS, SEQUENCE, 0, "classifier.out_proj"),
    HEED_LINEAR_OF(CLASS, 1 << HEED_HEAD_TOKEN_CLASS, 0, "classifier"),
    HEED_WEIGHT_LINEAR(TRANSFORM, MODEL, 0, "lm_head.dense"),
    HEED_WEIGHT_NORM(TRANSFORM_NORM, MODEL, 0, "lm_head.layer_norm"),
    HEED_WEIGHT(LM_WEIGHT, MODEL, 0, "lm_head.decoder.weight"),
    HEED_WEIGHT(LM_BIAS, MODEL, 0, "lm_head.bias"),
    HEED_TENSOR_AS(CONTACT_WEIGHT, MODEL, HEED_NAME_BUFFER | HEED_NAME_ROW | HEED_NAME_HEAD,
                   "contact_head.regression.weight"),
    HEED_TENSOR_AS(CONTACT_BIAS, MODEL, HEED_NAME_BUFFER | HEED_NAME_HEAD,
                   "contact_head.regression.bias"),
    {0},
};

/* The frequencies are those of base 10000, whatever rope_theta says. */
static const char *const ignored[] = {
    "embeddings.position_ids",
    "embeddings.position_embeddings.weight",
    "rotary_embeddings.inv_freq",
    "encoder.layer.{i}.attention.self.rotary_embeddings.inv_freq",
    "encoder.layer.*.attention.self.rotary_embeddings.inv_freq", /* as transformers 5 saves it */
    NULL,
};
static const char *const prefixes[] = {"esm.", "", NULL};
static const heed_transform usual = HEED_BERT_POOLER, class_layer = {.dense = true,
                                                                     .bias = true,
                                                                     .dropout = true,
                                                                     .own_activation = true,
                                                                     .activation = HEED_UNARY_TANH};
static const heed_architecture architectures[] = {
    HEED_CLASS("EsmForMaskedLM", MASKED_LM),
    HEED_CLASS_POOLED("EsmModel", BARE, &usual),
    HEED_CLASS_POOLED("EsmForSequenceClassification", SEQUENCE_CLASS, &class_layer),
    HEED_CLASS("EsmForTokenClassification", TOKEN_CLASS),
    {0},
};

const heed_family heed_family_esm = {
    .name = "esm",
    .preset = &preset,
    .keys = keys,
    .weights = weights,
    .ignored = ignored,
    .prefixes = prefixes,
    .architectures = architectures,
    .d_ff_factor = 4,
    .d_ff_multiple = 1,
};
