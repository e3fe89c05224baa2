/* RoBERTa (Liu et al. 2019): BERT whose positions count the tokens that are not padding and stand
   after that of padding, with a head of its own for classes of sequences. */
#include "model/family/bert.h"

static const heed_config preset = {
    HEED_BERT_PRESET,
    .vocabulary = 50265,
    .d_model = 768,
    .context = 510,
    .token_types = 2,
    .encoder = {.layers = 12, .heads = 12, .d_ff = 3072},
    .counts_tokens = true,
    .lm_transform = {.dense = true,
                     .bias = true,
                     .norm = true,
                     .own_activation = true,
                     .activation = HEED_UNARY_GELU},
    .pooler = HEED_BERT_POOLER,
    .pad_id = 1,
    .bos_id = 0,
    .eos_id = 2,
};

enum {
    SEQUENCE = 1 << HEED_HEAD_SEQUENCE_CLASS,
    TAGS = 1 << HEED_HEAD_TOKEN_CLASS,
    CHOICE = 1 << HEED_HEAD_CHOICE,
    BARE = 1 << HEED_HEAD_BARE
};
static const heed_key keys[] = {
    HEED_BERT_KEYS,
    HEED_KEY_DROPOUT_OF(CHOICE, "hidden_dropout_prob", HEED_KEY_READ_ONLY, classifier_dropout),
    HEED_KEY_DROPOUT_OF(SEQUENCE | TAGS, "classifier_dropout", HEED_KEY_WRITE_ONLY,
                        classifier_dropout),
    HEED_KEY_READ("pad_token_id", ID, pad_id),
    HEED_KEY_TABLE("max_position_embeddings", 512, context),
    {0},
};

static const heed_weight_name weights[] = {
    HEED_BERT_EMBEDDINGS,
    HEED_BERT_LAYERS,
    HEED_LINEAR_OF(POOLER, BARE | CHOICE, HEED_NAME_BASE | HEED_NAME_HEAD, "pooler.dense"),
    HEED_LINEAR_OF(POOLER, SEQUENCE, 0, "classifier.dense"),
    HEED_WEIGHT_LINEAR(TRANSFORM, MODEL, 0, "lm_head.dense"),
    HEED_WEIGHT_NORM(TRANSFORM_NORM, MODEL, 0, "lm_head.layer_norm"),
    HEED_WEIGHT(LM_WEIGHT, MODEL, 0, "lm_head.decoder.weight"),
    HEED_BERT_LM_BIAS("lm_head"),
    HEED_LINEAR_OF(CLASS, SEQUENCE, 0, "classifier.out_proj"),
    HEED_LINEAR_OF(CLASS, TAGS | CHOICE, 0, "classifier"),
    HEED_WEIGHT_LINEAR(SPAN, MODEL, 0, "qa_outputs"),
    {0},
};

static const char *const prefixes[] = {"roberta.", "", NULL};
static const heed_transform usual = HEED_BERT_POOLER, class_layer = {.dense = true,
                                                                     .bias = true,
                                                                     .dropout = true,
                                                                     .own_activation = true,
                                                                     .activation = HEED_UNARY_TANH};
static const heed_architecture architectures[] = {
    HEED_CLASS("RobertaForMaskedLM", MASKED_LM),
    HEED_CLASS("RobertaForCausalLM", CAUSAL_LM),
    HEED_CLASS_POOLED("RobertaModel", BARE, &usual),
    HEED_CLASS_POOLED("RobertaForSequenceClassification", SEQUENCE_CLASS, &class_layer),
    HEED_CLASS("RobertaForTokenClassification", TOKEN_CLASS),
    HEED_CLASS("RobertaForQuestionAnswering", QUESTION),
    HEED_CLASS_POOLED("RobertaForMultipleChoice", CHOICE, &usual),
    {0},
};

const heed_family heed_family_roberta = {
    .name = "roberta",
    .preset = &preset,
    .keys = keys,
    .weights = weights,
    .ignored = heed_bert_ignored,
    .prefixes = prefixes,
    .architectures = architectures,
    .d_ff_factor = 4,
    .d_ff_multiple = 1,
};
