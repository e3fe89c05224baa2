/* Gemma (Gemma Team 2024): Llama with gains stored as g - 1, embeddings times sqrt(d_model), and a
   tied output matrix. */
#include "model/family/gemma.h"

static const heed_config preset = {
    HEED_GEMMA,
    HEED_ROPE(10000),
    .vocabulary = 256000,
    .d_model = 3072,
    .context = 8192,
    .norm_place = HEED_NORM_PRE,
    .decoder = {.layers = 28, .heads = 16, .kv_heads = 16, .head_width = 256, .d_ff = 24576}};

/* The first files name "gelu" and mean its tanh form. */
static const heed_key keys[] = {
    HEED_LLAMA_KEYS,
    HEED_KEY("attention_bias", FLAG, query_bias),
    HEED_GEMMA_RULES,
    HEED_MEANS(activation, HEED_UNARY_GELU, HEED_UNARY_GELU_TANH),
    {0},
};

static const heed_architecture architectures[] = {HEED_CLASSES("Gemma"), {0}};

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
};
