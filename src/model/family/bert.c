/* BERT (Devlin et al. 2018): post-norm encoder, learned positions, token types, pooler, heads for
   masked tokens and next sentence. */
#include "model/family/bert.h"

static const heed_config preset = {
    HEED_BERT_PRESET,
    .vocabulary = 30522,
    .d_model = 768,
    .context = 512,
    .token_types = 2,
    .encoder = {.layers = 12, .heads = 12, .d_ff = 3072},
    .lm_transform = {.dense = true, .bias = true, .norm = true},
    .pooler = HEED_BERT_POOLER,
    .pad_id = 0,
    .bos_id = -1,
    .eos_id = -1,
};

static const heed_key keys[] = {
    HEED_BERT_KEYS,
    HEED_KEY("max_position_embeddings", SIZE, context),
    {0},
};

static const heed_weight_name weights[] = {
    HEED_BERT_EMBEDDINGS,
    HEED_BERT_LAYERS,
    HEED_WEIGHT_LINEAR(POOLER, MODEL, HEED_NAME_BASE | HEED_NAME_HEAD, "pooler.dense"),
    HEED_WEIGHT_LINEAR(TRANSFORM, MODEL, 0, "cls.predictions.transform.dense"),
    HEED_BERT_NORM(NONE, TRANSFORM_NORM, MODEL, 0, "cls.predictions.transform.LayerNorm"),
    HEED_WEIGHT(LM_WEIGHT, MODEL, 0, "cls.predictions.decoder.weight"),
    HEED_BERT_LM_BIAS("cls.predictions"),
    HEED_WEIGHT_LINEAR(RELATION, MODEL, 0, "cls.seq_relationship"),
    HEED_WEIGHT_LINEAR(CLASS, MODEL, 0, "classifier"),
    HEED_WEIGHT_LINEAR(SPAN, MODEL, 0, "qa_outputs"),
    {0}};

const char *const heed_bert_ignored[] = {"embeddings.position_ids", "embeddings.token_type_ids",
                                         NULL};
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
    .ignored = heed_bert_ignored,
    .prefixes = prefixes,
    .architectures = architectures,
    .d_ff_factor = 4,
    .d_ff_multiple = 1,
    .is_published = true,
};
