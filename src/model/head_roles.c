/* The weights of heads. */
#include "model/head/head.h"

#include <string.h>

static bool has(const heed_config *config, heed_head head)
{
    return memchr(config->heads, head, sizeof config->heads) != NULL;
}

static bool predicts_words(const heed_config *config, const heed_weight_place *place)
{
    (void)place;
    return heed_head_any(config, HEED_TRAIT_PREDICTS_TOKENS);
}

static bool has_transform(const heed_config *config, const heed_weight_place *place)
{
    return predicts_words(config, place) && config->lm_transform;
}

static bool has_transform_bias(const heed_config *config, const heed_weight_place *place)
{
    return has_transform(config, place) && heed_norm_has_bias(config, place);
}

static bool has_matrix(const heed_config *config, const heed_weight_place *place)
{
    return predicts_words(config, place) && !config->tied;
}

static bool has_lm_bias(const heed_config *config, const heed_weight_place *place)
{
    return predicts_words(config, place) && config->lm_bias;
}

static bool has_spare_bias(const heed_config *config, const heed_weight_place *place)
{
    return has_lm_bias(config, place) && !config->tied;
}

static bool has_logits_bias(const heed_config *config, const heed_weight_place *place)
{
    return predicts_words(config, place) && config->logits_bias;
}

static bool relates(const heed_config *config, const heed_weight_place *place)
{
    (void)place;
    return has(config, HEED_HEAD_NEXT_SENTENCE);
}

static bool has_pooler(const heed_config *config, const heed_weight_place *place)
{
    (void)place;
    return config->pooler && heed_head_any(config, HEED_TRAIT_POOLS | HEED_TRAIT_BARE);
}

static bool classifies(const heed_config *config, const heed_weight_place *place)
{
    (void)place;
    return has(config, HEED_HEAD_SEQUENCE_CLASS) || has(config, HEED_HEAD_TOKEN_CLASS) ||
           has(config, HEED_HEAD_CHOICE);
}

/* The sequence classifier of a decoder has no bias. */
static bool has_class_bias(const heed_config *config, const heed_weight_place *place)
{
    bool sequences = has(config, HEED_HEAD_SEQUENCE_CLASS);
    return classifies(config, place) && (!sequences || config->arrangement == HEED_ENCODER_ONLY);
}

static bool finds_spans(const heed_config *config, const heed_weight_place *place)
{
    (void)place;
    return has(config, HEED_HEAD_QUESTION);
}

const heed_role_use heed_head_roles[] = {
    HEED_USE_MATRIX(TRANSFORM_WEIGHT, "head.transform.weight", EMBEDDING, OUTPUT, NORMAL,
                    has_transform),
    HEED_USE_VECTOR(TRANSFORM_BIAS, "head.transform.bias", EMBEDDING, ZERO, has_transform),
    HEED_USE_VECTOR(TRANSFORM_NORM_GAIN, "head.transform.norm.gain", EMBEDDING, ONE, has_transform),
    HEED_USE_VECTOR(TRANSFORM_NORM_BIAS, "head.transform.norm.bias", EMBEDDING, ZERO,
                    has_transform_bias),
    HEED_USE_MATRIX(LM_WEIGHT, "head.lm.weight", VOCABULARY, EMBEDDING, NORMAL, has_matrix),
    HEED_USE_VECTOR(LM_BIAS, "head.lm.bias", VOCABULARY, ZERO, has_lm_bias),
    HEED_USE_AS(HEED_USE_SPARE, SPARE_BIAS, "head.spare_bias", VOCABULARY, NONE, ZERO,
                has_spare_bias),
    HEED_USE_VECTOR(LOGITS_BIAS, "head.logits_bias", VOCABULARY, ZERO, has_logits_bias),
    HEED_USE_MATRIX(POOLER_WEIGHT, "head.pooler.weight", OUTPUT, OUTPUT, NORMAL, has_pooler),
    HEED_USE_VECTOR(POOLER_BIAS, "head.pooler.bias", OUTPUT, ZERO, has_pooler),
    HEED_USE_MATRIX(RELATION_WEIGHT, "head.relation.weight", TWO, OUTPUT, NORMAL, relates),
    HEED_USE_VECTOR(RELATION_BIAS, "head.relation.bias", TWO, ZERO, relates),
    HEED_USE_MATRIX(CLASS_WEIGHT, "head.class.weight", LABELS, OUTPUT, NORMAL, classifies),
    HEED_USE_VECTOR(CLASS_BIAS, "head.class.bias", LABELS, ZERO, has_class_bias),
    HEED_USE_MATRIX(SPAN_WEIGHT, "head.span.weight", TWO, OUTPUT, NORMAL, finds_spans),
    HEED_USE_VECTOR(SPAN_BIAS, "head.span.bias", TWO, ZERO, finds_spans),
    {0},
};
