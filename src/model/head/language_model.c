/* The heads of causal and masked language models: [dense layer, activation, norm,] output
   matrix. */
#include "model/head/head_internal.h"
#include "tensor/dtype.h"

/* ---- weights ---- */

static bool has_transform(const heed_config *config, const heed_weight_place *place)
{
    (void)place;
    return config->lm_transform.dense;
}

static bool has_transform_bias(const heed_config *config, const heed_weight_place *place)
{
    return has_transform(config, place) && config->lm_transform.bias;
}

static bool has_transform_norm(const heed_config *config, const heed_weight_place *place)
{
    return has_transform(config, place) && config->lm_transform.norm;
}

static bool has_transform_norm_bias(const heed_config *config, const heed_weight_place *place)
{
    return has_transform_norm(config, place) && heed_norm_has_bias(config, place);
}

static bool has_matrix(const heed_config *config, const heed_weight_place *place)
{
    (void)place;
    return !config->tied;
}

static bool has_bias(const heed_config *config, const heed_weight_place *place)
{
    (void)place;
    return config->lm_bias;
}

static bool has_spare_bias(const heed_config *config, const heed_weight_place *place)
{
    (void)place;
    return config->lm_bias && !config->tied;
}

static bool has_logits_bias(const heed_config *config, const heed_weight_place *place)
{
    (void)place;
    return config->logits_bias && !heed_config_is_decoder_alone(config);
}

static const heed_role_use roles[] = {
    HEED_USE_MATRIX(TRANSFORM_WEIGHT, "head.transform.weight", EMBEDDING, OUTPUT, NORMAL,
                    has_transform),
    HEED_USE_VECTOR(TRANSFORM_BIAS, "head.transform.bias", EMBEDDING, ZERO, has_transform_bias),
    HEED_USE_VECTOR(TRANSFORM_NORM_GAIN, "head.transform.norm.gain", EMBEDDING, ONE,
                    has_transform_norm),
    HEED_USE_VECTOR(TRANSFORM_NORM_BIAS, "head.transform.norm.bias", EMBEDDING, ZERO,
                    has_transform_norm_bias),
    HEED_USE_MATRIX(LM_WEIGHT, "head.lm.weight", VOCABULARY, EMBEDDING, NORMAL, has_matrix),
    HEED_USE_VECTOR(LM_BIAS, "head.lm.bias", VOCABULARY, ZERO, has_bias),
    HEED_USE_AS(HEED_USE_SPARE, SPARE_BIAS, "head.spare_bias", VOCABULARY, NONE, ZERO,
                has_spare_bias),
    HEED_USE_VECTOR(LOGITS_BIAS, "head.logits_bias", VOCABULARY, ZERO, has_logits_bias),
    {0},
};

/* ---- graph ---- */

/* Can the losses be computed without storing the logits? Then the output matrix and the loss are
   one op. */
static bool needs_no_logits(const heed_build *b, const heed_nn_linear *matrix, heed_value bias)
{
    bool plain = b->config->logit_scale == 0 && b->config->logit_soft_cap <= 0 &&
                 (matrix->bias == HEED_NONE || bias == HEED_NONE);
    return b->spec->losses_only && heed_head_is_scored(b) && !b->cotangents && plain &&
           matrix->weight > 0 &&
           !heed_dtype_is_quantized(heed_value_dtype(b->graph, matrix->weight));
}

static heed_nn_linear output_matrix(const heed_build *b)
{
    heed_nn_linear matrix = heed_build_linear(b, HEED_STACK_MODEL, HEED_ROLE_LM_WEIGHT,
                                              HEED_ROLE_LM_BIAS);
    if (b->config->tied) matrix.weight = heed_build_token_table(b, b->main.stack_id);
    return matrix;
}

static void build(heed_build *b, const heed_head_kind *head, heed_value x)
{
    const heed_config *config = b->config;
    heed_scope(b->graph, "head.words");
    x = heed_head_transform(b, heed_head_gather(b, x), &config->lm_transform,
                            HEED_ROLE_TRANSFORM_WEIGHT);
    heed_nn_linear matrix = output_matrix(b);
    heed_value bias = heed_build_weight(b, HEED_STACK_MODEL, HEED_ROLE_LOGITS_BIAS);
    if (needs_no_logits(b, &matrix, bias)) {
        heed_value labels = heed_head_labels(b, x, "labels");
        heed_value own = bias != HEED_NONE ? bias : matrix.bias;
        heed_head_add_losses(b,
                             heed_linear_cross_entropy(b->graph, x, matrix.weight, own, labels,
                                                       b->spec->label_smoothing),
                             "nll");
        return;
    }
    heed_value logits = heed_nn_apply(b->graph, x, &matrix);
    if (bias != HEED_NONE) logits = heed_add(b->graph, logits, bias);
    if (config->logit_scale != 0) logits = heed_scale(b->graph, logits, config->logit_scale, 0);
    logits = heed_nn_soft_cap(b->graph, logits, config->logit_soft_cap);
    heed_build_publish(b, logits, "%s", heed_head_output(config, head));
    heed_head_score_tokens(b, logits);
}

/* ---- losses ---- */

static int64_t vocabulary(const heed_config *config)
{
    return config->vocabulary;
}

static const heed_label_use labels_causal = {
    .column = "labels",
    .kind = HEED_LABEL_TOKEN,
    .next = true,
    .name = "labels",
    .name_beside = "labels",
    .classes = vocabulary,
};
static const heed_loss_term terms_causal[] = {
    {.name = "tokens", .weight = 1, .labels = &labels_causal},
    {0},
};

static const heed_label_use labels_masked = {
    .column = "labels",
    .kind = HEED_LABEL_TOKEN,
    .name = "labels",
    .name_beside = "labels",
    .classes = vocabulary,
};
static const heed_loss_term terms_masked[] = {
    {.name = "tokens", .weight = 1, .labels = &labels_masked},
    {0},
};

const heed_head_kind heed_head_causal_lm = {
    .name = "causal language model",
    .traits = HEED_TRAIT_PREDICTS_TOKENS | HEED_TRAIT_GENERATES,
    .roles = roles,
    .output = "logits",
    .output_beside = "prediction_logits",
    .terms = terms_causal,
    .build = build,
};

const heed_head_kind heed_head_masked_lm = {
    .name = "masked language model",
    .traits = HEED_TRAIT_PREDICTS_TOKENS,
    .roles = roles,
    .output = "logits",
    .output_beside = "prediction_logits",
    .terms = terms_masked,
    .build = build,
};
