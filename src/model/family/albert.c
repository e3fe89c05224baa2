/* ALBERT (Lan et al. 2019): BERT whose layers share weights, with an embedding of its own width
   that is always projected; heads for masked tokens and the order of two texts. */
#include "model/family/bert.h"

static const heed_config preset = {
    HEED_BERT_KINDS,
    .vocabulary = 30000,
    .d_model = 4096,
    .embedding_width = 128,
    .embedding_order = HEED_EMBEDDING_PROJECTED_LAST,
    .embedding_projected = true,
    .projection_bias = true,
    .context = 512,
    .token_types = 2,
    .encoder = {.layers = 12, .own_layers = 1, .group_layers = 1, .heads = 64, .d_ff = 16384},
    .activation = HEED_UNARY_GELU_TANH,
    .lm_transform = {.dense = true, .bias = true, .norm = true},
    .pooler = HEED_BERT_POOLER,
    .pad_id = 0,
    .bos_id = 2,
    .eos_id = 3,
};

static const heed_key keys[] = {
    HEED_BERT_SIZES,
    HEED_BERT_FEATURES,
    HEED_KEY("max_position_embeddings", SIZE, context),
    HEED_KEY("embedding_size", SIZE, embedding_width),
    HEED_KEY("num_hidden_groups", SIZE, encoder.own_layers),
    HEED_KEY("inner_group_num", SIZE, encoder.group_layers),
    HEED_KEY_DROPOUT("classifier_dropout_prob", classifier_dropout),
    HEED_KEY_OTHERS("down_scale_factor"),
    HEED_KEY_OTHERS("gap_size"),
    HEED_KEY_OTHERS("net_structure_type"),
    HEED_KEY_OTHERS("num_memory_blocks"),
    {0},
};

/* clang-format off */
#define LAYER "encoder.albert_layer_groups.{g}.albert_layers.{k}."
/* clang-format on */
static const heed_weight_name weights[] = {
    HEED_BERT_EMBEDDINGS,
    HEED_LINEAR_IN(ENCODER, EMBEDDING_PROJECTION, "encoder.embedding_hidden_mapping_in"),
    HEED_LINEAR_IN(ENCODER, QUERY, LAYER "attention.query"),
    HEED_LINEAR_IN(ENCODER, KEY, LAYER "attention.key"),
    HEED_LINEAR_IN(ENCODER, VALUE, LAYER "attention.value"),
    HEED_LINEAR_IN(ENCODER, OUTPUT, LAYER "attention.dense"),
    HEED_BERT_NORM(ATTENTION, NORM, ENCODER, HEED_NAME_BASE, LAYER "attention.LayerNorm"),
    HEED_LINEAR_IN(ENCODER, UP, LAYER "ffn"),
    HEED_LINEAR_IN(ENCODER, DOWN, LAYER "ffn_output"),
    HEED_BERT_NORM(FFN, NORM, ENCODER, HEED_NAME_BASE, LAYER "full_layer_layer_norm"),
    HEED_WEIGHT_LINEAR(POOLER, MODEL, HEED_NAME_BASE | HEED_NAME_HEAD, "pooler"),
    HEED_WEIGHT_LINEAR(TRANSFORM, MODEL, 0, "predictions.dense"),
    HEED_BERT_NORM(NONE, TRANSFORM_NORM, MODEL, 0, "predictions.LayerNorm"),
    HEED_WEIGHT(LM_WEIGHT, MODEL, 0, "predictions.decoder.weight"),
    HEED_BERT_LM_BIAS("predictions"),
    HEED_WEIGHT_LINEAR(RELATION, MODEL, 0, "sop_classifier.classifier"),
    HEED_WEIGHT_LINEAR(CLASS, MODEL, 0, "classifier"),
    HEED_WEIGHT_LINEAR(SPAN, MODEL, 0, "qa_outputs"),
    {0},
};

static const char *const prefixes[] = {"albert.", "", NULL};
static const heed_architecture architectures[] = {
    HEED_CLASS_OF("AlbertForPreTraining", HEED_HEAD_MASKED_LM, HEED_HEAD_SENTENCE_ORDER),
    HEED_CLASS("AlbertForMaskedLM", MASKED_LM),
    HEED_CLASS("AlbertModel", BARE),
    HEED_CLASS("AlbertForSequenceClassification", SEQUENCE_CLASS),
    HEED_CLASS("AlbertForTokenClassification", TOKEN_CLASS),
    HEED_CLASS("AlbertForQuestionAnswering", QUESTION),
    HEED_CLASS("AlbertForMultipleChoice", CHOICE),
    {0},
};

const heed_family heed_family_albert = {
    .name = "albert",
    .preset = &preset,
    .keys = keys,
    .weights = weights,
    .ignored = heed_bert_ignored,
    .prefixes = prefixes,
    .architectures = architectures,
    .d_ff_factor = 4,
    .d_ff_multiple = 1,
};
