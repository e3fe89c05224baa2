/* DistilBERT (Sanh et al. 2019): half the layers of BERT, without token types and without the
   pooler; a dense layer of its own before classes. */
#include "model/family/bert.h"

static const heed_config preset = {
    HEED_BERT_PRESET,
    .vocabulary = 30522,
    .d_model = 768,
    .context = 512,
    .encoder = {.layers = 6, .heads = 12, .d_ff = 3072},
    .lm_transform = {.dense = true, .bias = true, .norm = true},
    .pad_id = 0,
    .bos_id = -1,
    .eos_id = -1,
};

enum {
    TOKENS = 1 << HEED_HEAD_TOKEN_CLASS,
    ANSWERS = 1 << HEED_HEAD_QUESTION,
    OTHERS = ~(TOKENS | ANSWERS)
};
static const heed_key keys[] = {
    HEED_KEY("vocab_size", SIZE, vocabulary),
    HEED_KEY("max_position_embeddings", SIZE, context),
    HEED_KEY("dim", SIZE, d_model),
    HEED_KEY("n_layers", COUNT, encoder.layers),
    HEED_KEY("n_heads", SIZE, encoder.heads),
    HEED_KEY("hidden_dim", COUNT, encoder.d_ff),
    HEED_KEY("activation", ACTIVATION, activation),
    HEED_KEY("initializer_range", NUMBER, initializer_range),
    HEED_KEY_DROPOUT("dropout", residual_dropout),
    HEED_KEY_DROPOUT("attention_dropout", attention_dropout),
    HEED_KEY_DROPOUT_OF((uint32_t)OTHERS, "seq_classif_dropout", 0, classifier_dropout),
    HEED_KEY_DROPOUT_OF(TOKENS, "dropout", HEED_KEY_READ_ONLY, classifier_dropout),
    HEED_KEY_DROPOUT_OF(ANSWERS, "qa_dropout", 0, classifier_dropout),
    HEED_KEY_OTHERS("sinusoidal_pos_embds"), /* how the stored table of positions began */
    HEED_KEY_OTHERS("tie_weights_"),
    HEED_EQUALS(encoder.kv_heads, encoder.heads),
    HEED_COMPUTED(encoder.head_width),
    HEED_EQUALS(embedding_dropout, residual_dropout),
    {0},
};

static const heed_weight_name weights[] = {
    HEED_BERT_EMBEDDINGS,
    HEED_LINEAR_IN(ENCODER, QUERY, "transformer.layer.{i}.attention.q_lin"),
    HEED_LINEAR_IN(ENCODER, KEY, "transformer.layer.{i}.attention.k_lin"),
    HEED_LINEAR_IN(ENCODER, VALUE, "transformer.layer.{i}.attention.v_lin"),
    HEED_LINEAR_IN(ENCODER, OUTPUT, "transformer.layer.{i}.attention.out_lin"),
    HEED_BERT_NORM(ATTENTION, NORM, ENCODER, HEED_NAME_BASE, "transformer.layer.{i}.sa_layer_norm"),
    HEED_LINEAR_IN(ENCODER, UP, "transformer.layer.{i}.ffn.lin1"),
    HEED_LINEAR_IN(ENCODER, DOWN, "transformer.layer.{i}.ffn.lin2"),
    HEED_BERT_NORM(FFN, NORM, ENCODER, HEED_NAME_BASE, "transformer.layer.{i}.output_layer_norm"),
    HEED_WEIGHT_LINEAR(TRANSFORM, MODEL, 0, "vocab_transform"),
    HEED_BERT_NORM(NONE, TRANSFORM_NORM, MODEL, 0, "vocab_layer_norm"),
    HEED_WEIGHT_LINEAR(LM, MODEL, 0, "vocab_projector"),
    HEED_WEIGHT_LINEAR(POOLER, MODEL, 0, "pre_classifier"),
    HEED_WEIGHT_LINEAR(CLASS, MODEL, 0, "classifier"),
    HEED_WEIGHT_LINEAR(SPAN, MODEL, 0, "qa_outputs"),
    {0},
};

static const char *const prefixes[] = {"distilbert.", "", NULL};
static const heed_transform none = {0}, class_layer = {.dense = true,
                                                       .bias = true,
                                                       .own_activation = true,
                                                       .activation = HEED_UNARY_RELU};
static const heed_architecture architectures[] = {
    HEED_CLASS("DistilBertForMaskedLM", MASKED_LM),
    HEED_CLASS_POOLED("DistilBertModel", BARE, &none),
    HEED_CLASS_POOLED("DistilBertForSequenceClassification", SEQUENCE_CLASS, &class_layer),
    HEED_CLASS("DistilBertForTokenClassification", TOKEN_CLASS),
    HEED_CLASS("DistilBertForQuestionAnswering", QUESTION),
    HEED_CLASS_POOLED("DistilBertForMultipleChoice", CHOICE, &class_layer),
    {0},
};

const heed_family heed_family_distilbert = {
    .name = "distilbert",
    .preset = &preset,
    .keys = keys,
    .weights = weights,
    .ignored = heed_bert_ignored,
    .prefixes = prefixes,
    .architectures = architectures,
    .d_ff_factor = 4,
    .d_ff_multiple = 1,
};
