/* Completes a configuration, and checks it as a whole before anything is allocated for it. */
#include "model/head/head.h"
#include "model/sublayer/sublayer.h"

#include <math.h>
#include <string.h>

static void complete_stack(const heed_config *config, heed_stack *stack)
{
    if (stack->heads == 0) return;
    if (stack->kv_heads == 0) stack->kv_heads = stack->heads;
    int64_t width = heed_stack_width(config, stack);
    if (stack->head_width == 0) stack->head_width = width / stack->heads;
    if (stack->d_ff == 0) {
        double exact = config->family->d_ff_factor * (double)width;
        int64_t least = (int64_t)ceil(exact - 1e-9), multiple = config->family->d_ff_multiple;
        stack->d_ff = (least + multiple - 1) / multiple * multiple;
    }
}

static heed_status check_range(const char *where, const char *what, int64_t value, int64_t least,
                               int64_t most, heed_error *error)
{
    if (value >= least && value <= most) return HEED_OK;
    return heed_fail(error, HEED_E_FORMAT, "%s: %s is %lld; expected %lld to %lld", where, what,
                     (long long)value, (long long)least, (long long)most);
}

/* Checks that rotary positions rotate no more channels than a head has, and only as many as the
   family allows. */
static heed_status check_rotated(const heed_config *config, const heed_rope *rope, int64_t width,
                                 const char *where, heed_error *error)
{
    int64_t asked = heed_rope_asked(rope, width), rotated = heed_rope_channels(rope, width);
    heed_rotary_coverage coverage = config->family->rotary_coverage;
    if (asked < 1)
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: heads are %lld wide and partial_rotary_factor is %g: no channel "
                         "would be rotated; expected one or more",
                         where, (long long)width, rope->fraction);
    if (rotated > width)
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: heads are %lld wide; rotary positions rotate pairs of channels and "
                         "need an even width",
                         where, (long long)width);
    if (coverage == HEED_ROTARY_ALL && rotated != width)
        return heed_fail(
            error, HEED_E_UNSUPPORTED,
            "%s: rotary positions on %lld of %lld channels; family %s rotates all of them", where,
            (long long)asked, (long long)width, config->family->name);
    if (asked % 2 == 0) return HEED_OK;
    const char *kind = NULL;
    if (rope->kind == HEED_ROPE_YARN) kind = "yarn";
    if (coverage == HEED_ROTARY_PAIRS) kind = config->family->name;
    if (!kind) return HEED_OK;
    return heed_fail(error, HEED_E_UNSUPPORTED,
                     "%s: rotary positions on %lld of %lld channels; %s rotates pairs and expects "
                     "an even number",
                     where, (long long)asked, (long long)width, kind);
}

/* Checks that the heads divide the width, for families that have no key for the width of a head. */
static heed_status check_division(const heed_config *config, const heed_stack *stack,
                                  const char *where, heed_error *error)
{
    int64_t width = heed_stack_width(config, stack);
    if (stack->heads > 0 && stack->head_width * stack->heads != width &&
        stack->head_width == width / stack->heads)
        return heed_fail(error, HEED_E_FORMAT, "%s: the width %lld does not divide by %lld heads",
                         where, (long long)width, (long long)stack->heads);
    return HEED_OK;
}

/* Checks layers that share weights. */
static heed_status check_shared_layers(const heed_stack *stack, const char *where,
                                       heed_error *error)
{
    HEED_TRY(check_range(where, "the number of layers with weights of their own", stack->own_layers,
                         0, stack->layers, error));
    return check_range(where, "the number of layers in a group", stack->group_layers, 0,
                       HEED_MAX_LAYERS / stack->layers, error);
}

static heed_status check_stack(const heed_config *config, const heed_stack *stack,
                               const char *where, heed_error *error)
{
    HEED_TRY(check_division(config, stack, where, error));
    HEED_TRY(check_range(where, "the number of layers", stack->layers, 1, HEED_MAX_LAYERS, error));
    HEED_TRY(check_shared_layers(stack, where, error));
    HEED_TRY(check_range(where, "the width of a stack", heed_stack_width(config, stack), 1, 1 << 20,
                         error));
    HEED_TRY(check_range(where, "the number of heads", stack->heads, 1, 1 << 14, error));
    HEED_TRY(
        check_range(where, "the number of key/value heads", stack->kv_heads, 1, 1 << 14, error));
    HEED_TRY(check_range(where, "the width of a head", stack->head_width, 1, 1 << 14, error));
    HEED_TRY(check_range(where, "the width of the feed-forward", stack->d_ff, 1, 1 << 24, error));
    if (stack->heads % stack->kv_heads)
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: %lld heads and %lld key/value heads; expected heads to be a multiple",
                         where, (long long)stack->heads, (long long)stack->kv_heads);
    HEED_TRY(check_range(where, "heads times head width", stack->heads * stack->head_width, 1,
                         1 << 24, error));
    if (config->position != HEED_POSITION_ROTARY) return HEED_OK;
    HEED_TRY(check_rotated(config, &config->rope, stack->head_width, where, error));
    if (!(config->rope_local.base > 0)) return HEED_OK;
    return check_rotated(config, &config->rope_local, stack->head_width, where, error);
}

static heed_status check_rope(const heed_rope *rope, const char *where, heed_error *error)
{
    bool stretched = rope->kind != HEED_ROPE_DEFAULT;
    if (!(isfinite(rope->base) && rope->base > 1))
        return heed_fail(error, HEED_E_FORMAT, "%s: rope_theta is %g; expected a number above 1",
                         where, rope->base);
    if (!(rope->fraction > 0 && rope->fraction <= 1))
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: partial_rotary_factor is %g; expected above 0, at most 1", where,
                         rope->fraction);
    if (stretched && !(isfinite(rope->factor) && rope->factor > 0))
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: the factor of %s rotary positions is %g; expected a positive number",
                         where, heed_rope_name(rope->kind), rope->factor);
    if (!isfinite(rope->attention_factor))
        return heed_fail(
            error, HEED_E_FORMAT,
            "%s: the attention factor of rotary positions is %g; expected a finite number", where,
            rope->attention_factor);
    if (rope->kind != HEED_ROPE_DEFAULT && rope->kind != HEED_ROPE_LINEAR &&
        rope->original_context < 1)
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: original_max_position_embeddings is %lld; expected a positive number",
                         where, (long long)rope->original_context);
    if (rope->kind == HEED_ROPE_LLAMA3 &&
        !(rope->low_frequency_factor > 0 &&
          rope->high_frequency_factor > rope->low_frequency_factor))
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: llama3 rotary positions: low_freq_factor %g and high_freq_factor %g; "
                         "expected 0 < low < high",
                         where, rope->low_frequency_factor, rope->high_frequency_factor);
    return HEED_OK;
}

/* Checks that there is a short and a long factor for every pair of channels of each stack. */
static heed_status check_longrope(const heed_config *config, const char *where, heed_error *error)
{
    const heed_rope *rope = &config->rope;
    const heed_stack *const stacks[] = {&config->encoder, &config->decoder};
    if (rope->original_context < 2)
        return heed_fail(
            error, HEED_E_FORMAT,
            "%s: original_max_position_embeddings is %lld; longrope expects at least 2", where,
            (long long)rope->original_context);
    for (int i = 0; i < 2; i++) {
        int64_t pairs = heed_rope_channels(rope, stacks[i]->head_width) / 2;
        if (stacks[i]->heads > 0 && (rope->short_factors != pairs || rope->long_factors != pairs))
            return heed_fail(error, HEED_E_FORMAT,
                             "%s: short_factor and long_factor have %lld and %lld numbers; "
                             "expected %lld, one for each pair of channels",
                             where, (long long)rope->short_factors, (long long)rope->long_factors,
                             (long long)pairs);
    }
    return HEED_OK;
}

static heed_status check_sizes(const heed_config *config, const char *where, heed_error *error)
{
    HEED_TRY(check_range(where, "the width", config->d_model, 1, 1 << 20, error));
    HEED_TRY(check_range(where, "the width of the embedding", config->embedding_width, 0, 1 << 20,
                         error));
    HEED_TRY(check_range(where, "the number of positions", config->context, 1, INT32_MAX, error));
    if (!config->float_inputs)
        HEED_TRY(check_range(where, "the vocabulary", config->vocabulary, 1, 1 << 26, error));
    HEED_TRY(
        check_range(where, "the source vocabulary", config->source_vocabulary, 0, 1 << 26, error));
    HEED_TRY(
        check_range(where, "the number of token types", config->token_types, 0, 1 << 20, error));
    HEED_TRY(check_range(where, "the window", config->window, 0, INT32_MAX, error));
    /* Tables of positions are built or read as a whole, so their size is bounded. */
    int64_t most = 0;
    if (config->position == HEED_POSITION_LEARNED) most = (int64_t)1 << 34;
    if (config->position == HEED_POSITION_SINUSOIDAL) most = (int64_t)1 << 28;
    if (most == 0) return HEED_OK;
    return check_range(where, "positions times width", config->context * config->d_model, 1, most,
                       error);
}

/* Checks the number of experts before a name is allocated for each expert of each layer. */
static heed_status check_experts(const heed_config *config, const char *where, heed_error *error)
{
    if (config->experts == 0) return HEED_OK;
    HEED_TRY(
        check_range(where, "the number of experts", config->experts, 1, HEED_MAX_EXPERTS, error));
    HEED_TRY(check_range(where, "layers times experts", config->decoder.layers * config->experts, 0,
                         1 << 17, error));
    HEED_TRY(check_range(where, "the number of experts that a token chooses",
                         config->experts_per_token, 1, config->experts, error));
    HEED_TRY(check_range(where, "the width of an expert", config->expert_d_ff, 1, 1 << 24, error));
    HEED_TRY(check_range(where, "the width of the shared expert", config->shared_d_ff, 0, 1 << 24,
                         error));
    HEED_TRY(check_range(where, "the step from one layer with experts to the next",
                         config->expert_step, 1, HEED_MAX_LAYERS, error));
    if (!isfinite(config->balance_weight) || !isfinite(config->swiglu_alpha) ||
        !(config->swiglu_limit >= 0))
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: router_aux_loss_coef %g, swiglu_alpha %g, swiglu_limit %g; expected "
                         "finite numbers and a limit of at least 0",
                         where, config->balance_weight, config->swiglu_alpha, config->swiglu_limit);
    return HEED_OK;
}

static heed_status check_rotary(const heed_config *config, const char *where, heed_error *error)
{
    bool rotary = config->position == HEED_POSITION_ROTARY;
    if (rotary) HEED_TRY(check_rope(&config->rope, where, error));
    if (config->family->preset->rope_local.base > 0 && !(config->rope_local.base > 0))
        return heed_fail(
            error, HEED_E_FORMAT,
            "%s: the rotary base of layers with a window is %g; expected a number above 1", where,
            config->rope_local.base);
    if (!rotary) return HEED_OK;
    if (config->rope_local.base > 0) {
        HEED_TRY(check_rope(&config->rope_local, where, error));
        if (heed_rope_varies(&config->rope_local))
            return heed_fail(error, HEED_E_UNSUPPORTED,
                             "%s: rotary positions of kind \"%s\" for layers with a window; "
                             "expected default, linear, llama3 or yarn",
                             where, heed_rope_name(config->rope_local.kind));
    }
    if (config->rope.kind == HEED_ROPE_LONGROPE) return check_longrope(config, where, error);
    return HEED_OK;
}

/* Refuses an encoder whose result no layer of the decoder reads. */
static heed_status check_encoder_is_read(const heed_config *config, const char *where,
                                         heed_error *error)
{
    if (config->arrangement != HEED_ENCODER_DECODER) return HEED_OK;
    if (heed_layers_read(config, HEED_STACK_DECODER) & HEED_READS(CROSS_SEQUENCES)) return HEED_OK;
    return heed_fail(error, HEED_E_UNSUPPORTED,
                     "%s: residual is \"%s\", and layers of this order have no cross-attention: "
                     "the decoder would never read the encoder; expected another order or a "
                     "single stack",
                     where, heed_residual_names[config->residual]);
}

/* Refuses kinds that cannot be combined. */
static heed_status check_combinations(const heed_config *config, const char *where,
                                      heed_error *error)
{
    bool parallel = config->residual == HEED_RESIDUAL_PARALLEL ||
                    config->residual == HEED_RESIDUAL_PARALLEL_TWO_NORMS;
    if (parallel && config->norm_place != HEED_NORM_PRE)
        return heed_fail(error, HEED_E_UNSUPPORTED,
                         "%s: parallel attention and feed-forward go with norms before them",
                         where);
    if (config->first_norm_absent && config->norm_place != HEED_NORM_PRE)
        return heed_fail(error, HEED_E_UNSUPPORTED,
                         "%s: first_norm_absent is true; it goes with norms before sublayers",
                         where);
    return HEED_OK;
}

/* Refuses fronts that cannot be built. */
static heed_status check_front(const heed_config *config, const char *where, heed_error *error)
{
    bool last = config->embedding_order == HEED_EMBEDDING_PROJECTED_LAST;
    if (config->counts_tokens && !config->float_inputs)
        HEED_TRY(
            check_range(where, "pad_token_id", config->pad_id, 0, config->vocabulary - 1, error));
    if (config->contacts && (config->arrangement != HEED_ENCODER_ONLY || config->float_inputs))
        return heed_fail(error, HEED_E_UNSUPPORTED,
                         "%s: contact_head is true; it goes with an encoder that reads tokens",
                         where);
    if (config->mask_scaling && config->float_inputs)
        return heed_fail(error, HEED_E_UNSUPPORTED,
                         "%s: scaling by masks is of models that read tokens, and this one reads "
                         "vectors",
                         where);
    if (config->mask_scaling)
        HEED_TRY(
            check_range(where, "mask_token_id", config->mask_id, 1, config->vocabulary - 1, error));
    if (last && !config->lm_transform.dense && heed_head_any(config, HEED_TRAIT_PREDICTS_TOKENS) &&
        config->embedding_width != config->d_model)
        return heed_fail(
            error, HEED_E_UNSUPPORTED,
            "%s: hidden states are %lld wide and token rows %lld, which are projected last; then "
            "the output matrix needs lm_head_transform before it",
            where, (long long)config->d_model, (long long)config->embedding_width);
    return HEED_OK;
}

/* Sets fields that follow from others. Sizes must be checked before. */
static void derive(heed_config *config)
{
    heed_config_follow(config, config->family->keys);
    if (config->arrangement == HEED_DECODER_ONLY) {
        config->encoder = (heed_stack){0};
        config->source_vocabulary = 0;
    }
    if (config->arrangement == HEED_ENCODER_ONLY) config->decoder = (heed_stack){0};
    complete_stack(config, &config->encoder);
    complete_stack(config, &config->decoder);
    if (config->experts > 0 && config->expert_d_ff == 0) config->expert_d_ff = config->decoder.d_ff;
    if (!config->lm_transform.dense) config->lm_transform = (heed_transform){0};
    if (!config->pooler.dense) config->pooler = (heed_transform){0};
    if (config->embedding_width == 0) config->embedding_width = config->d_model;
    if (config->counts_tokens) config->position_offset = config->pad_id + 1;
    if (config->mask_id < 0) config->mask_id = 0;
    if (config->rope.original_context == 0) config->rope.original_context = config->context;
    if (config->rope_local.original_context == 0)
        config->rope_local.original_context = config->context;
}

heed_status heed_config_complete(heed_config *config, const char *where, heed_error *error)
{
    memcpy(config->model_type, config->family->name, strlen(config->family->name) + 1);
    if (heed_config_main(config)->width > 0) config->d_model = heed_config_main(config)->width;
    HEED_TRY(check_sizes(config, where, error));
    derive(config);
    HEED_TRY(check_rotary(config, where, error));
    if (!(config->norm_eps > 0))
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: the norms' epsilon is %g; expected a positive number", where,
                         config->norm_eps);
    if (config->arrangement != HEED_DECODER_ONLY)
        HEED_TRY(check_stack(config, &config->encoder, where, error));
    if (config->arrangement != HEED_ENCODER_ONLY)
        HEED_TRY(check_stack(config, &config->decoder, where, error));
    HEED_TRY(check_experts(config, where, error));
    HEED_TRY(check_front(config, where, error));
    HEED_TRY(check_encoder_is_read(config, where, error));
    return check_combinations(config, where, error);
}
