/* ELECTRA (Clark et al. 2020): BERT with an embedding of its own width, trained to tell which
   tokens a small generator, a masked language model of the same family, has replaced. */
#include "model/family/bert.h"

static const heed_config preset = {
    HEED_BERT_PRESET,
    .vocabulary = 30522,
    .d_model = 256,
    .embedding_width = 128,
    .embedding_order = HEED_EMBEDDING_PROJECTED_LAST,
    .projection_bias = true,
    .context = 512,
    .token_types = 2,
    .encoder = {.layers = 12, .heads = 4, .d_ff = 1024},
    .lm_transform = {.dense = true,
                     .bias = true,
                     .norm = true,
                     .own_activation = true,
                     .activation = HEED_UNARY_GELU},
    .pad_id = 0,
    .bos_id = -1,
    .eos_id = -1,
};

enum {
    SEQUENCE = 1 << HEED_HEAD_SEQUENCE_CLASS,
    CHOICE = 1 << HEED_HEAD_CHOICE,
    REPLACED = 1 << HEED_HEAD_REPLACED_TOKEN,
    TOKENS = 1 << HEED_HEAD_MASKED_LM | 1 << HEED_HEAD_CAUSAL_LM,
    TAGS = 1 << HEED_HEAD_TOKEN_CLASS
};
static const heed_key keys[] = {
    HEED_BERT_KEYS,
    HEED_KEY("max_position_embeddings", SIZE, context),
    HEED_KEY("embedding_size", SIZE, embedding_width),
    HEED_KEY_SUPPORTS("summary_type", "first"),
    HEED_KEY_SUPPORTS("summary_use_proj", "true"),
    HEED_KEY_SUPPORTS("summary_activation", "gelu"),
    HEED_KEY_DROPOUT_OF(CHOICE, "summary_last_dropout", 0, classifier_dropout),
    HEED_KEY_DROPOUT_OF(SEQUENCE | TAGS, "classifier_dropout", HEED_KEY_WRITE_ONLY,
                        classifier_dropout),
    {0},
};

static const heed_weight_name weights[] = {
    HEED_BERT_EMBEDDINGS,
    HEED_LINEAR_IN(ENCODER, EMBEDDING_PROJECTION, "embeddings_project"),
    HEED_BERT_LAYERS,
    HEED_LINEAR_OF(TRANSFORM, TOKENS, 0, "generator_predictions.dense"),
    HEED_BERT_NORM(NONE, TRANSFORM_NORM, MODEL, 0, "generator_predictions.LayerNorm"),
    HEED_WEIGHT_LINEAR(LM, MODEL, 0, "generator_lm_head"),
    HEED_LINEAR_OF(TRANSFORM, REPLACED, 0, "discriminator_predictions.dense"),
    HEED_LINEAR_OF(CLASS, REPLACED, 0, "discriminator_predictions.dense_prediction"),
    HEED_LINEAR_OF(POOLER, SEQUENCE, 0, "classifier.dense"),
    HEED_LINEAR_OF(POOLER, CHOICE, 0, "sequence_summary.summary"),
    HEED_LINEAR_OF(CLASS, SEQUENCE, 0, "classifier.out_proj"),
    HEED_LINEAR_OF(CLASS, TAGS | CHOICE, 0, "classifier"),
    HEED_WEIGHT_LINEAR(SPAN, MODEL, 0, "qa_outputs"),
    {0},
};

static const char *const prefixes[] = {"electra.", "", NULL};
/* clang-format off */
#define DENSE_GELU \
    .dense = true, .bias = true, .own_activation = true, .activation = HEED_UNARY_GELU
/* clang-format on */
static const heed_transform none = {0}, summary = {DENSE_GELU},
                            class_layer = {DENSE_GELU, .dropout = true};
static const heed_architecture architectures[] = {
    HEED_CLASS("ElectraForPreTraining", REPLACED_TOKEN),
    HEED_CLASS("ElectraForMaskedLM", MASKED_LM),
    HEED_CLASS("ElectraForCausalLM", CAUSAL_LM),
    HEED_CLASS_POOLED("ElectraModel", BARE, &none),
    HEED_CLASS_POOLED("ElectraForSequenceClassification", SEQUENCE_CLASS, &class_layer),
    HEED_CLASS("ElectraForTokenClassification", TOKEN_CLASS),
    HEED_CLASS("ElectraForQuestionAnswering", QUESTION),
    HEED_CLASS_POOLED("ElectraForMultipleChoice", CHOICE, &summary),
    {0},
};

const heed_family heed_family_electra = {
    .name = "electra",
    .preset = &preset,
    .keys = keys,
    .weights = weights,
    .ignored = heed_bert_ignored,
    .prefixes = prefixes,
    .architectures = architectures,
    .d_ff_factor = 4,
    .d_ff_multiple = 1,
};
