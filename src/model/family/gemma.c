/* Gemma (Gemma Team 2024): Llama with gains stored as g - 1, embeddings times sqrt(d_model), and a
   tied output matrix. */
#include "model/family/gemma.h"

#include <math.h>

static const heed_config preset = {
    HEED_GEMMA,
    HEED_ROPE(10000),
    .vocabulary = 256000,
    .d_model = 3072,
    .context = 8192,
    .norm_place = HEED_NORM_PRE,
    .decoder = {.layers = 28, .heads = 16, .kv_heads = 16, .head_width = 256, .d_ff = 24576}};

static const heed_key keys[] = {HEED_LLAMA_KEYS, HEED_KEY("attention_bias", FLAG, query_bias), {0}};

static const heed_architecture architectures[] = {HEED_CLASSES("Gemma"), {0}};

void heed_gemma_derive(heed_config *config)
{
    config->embedding_scale = (double)sqrtf((float)config->d_model);
    heed_llama_derive(config);
}

void heed_gemma_derive_gguf(heed_config *config, int64_t largest)
{
    const heed_stack *stack = &config->decoder;
    config->scale_width = stack->head_width;
    if (stack->layers == largest || stack->head_width == 0)
        config->scale_width = config->d_model / stack->heads;
}

heed_status heed_gemma_fix(heed_config *config, const json_t *json, const char *where,
                           heed_error *error)
{
    bool both_ways = false;
    HEED_TRY(heed_json_boolean(json, "use_bidirectional_attention", &both_ways, where, error));
    if (both_ways)
        return heed_fail(
            error, HEED_E_UNSUPPORTED,
            "%s: use_bidirectional_attention is true; only causal Gemma models are supported",
            where);
    return heed_llama_fix(config, json, where, error);
}

/* The first files name "gelu" and mean its tanh form. */
static heed_status fix(heed_config *config, const json_t *json, const char *where,
                       heed_error *error)
{
    if (config->activation == HEED_UNARY_GELU) config->activation = HEED_UNARY_GELU_TANH;
    return heed_gemma_fix(config, json, where, error);
}

static const heed_gguf_names gguf = {
    .architecture = "gemma", .keys = heed_gguf_plain_keys, .weights = heed_gguf_weights};

const heed_family heed_family_gemma = {
    .name = "gemma",
    .preset = &preset,
    .keys = keys,
    .weights = heed_llama_weights,
    .ignored = heed_llama_ignored,
    .prefixes = heed_llama_prefixes,
    .architectures = architectures,
    .gguf = &gguf,
    .d_ff_factor = 8,
    .d_ff_multiple = 1,
    .packs_positions = true,
    .is_published = true,
    .derive = heed_gemma_derive,
    .fix = fix,
    .write = heed_rope_write,
};
