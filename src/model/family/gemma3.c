/* Gemma 3, text (Gemma Team 2025): Gemma 2 without caps on scores. It has norms on the queries and
   keys of each head, and two bases of rotary positions: one for layers with a window, one for the
   others. */
#include "model/family/gemma.h"
#include "model/family/gguf.h"

static const heed_config preset = {
    HEED_GEMMA,
    HEED_ROPE(1000000),
    .rope_local = {.base = 10000, .fraction = 1, .truncate = true},
    .vocabulary = 262208,
    .d_model = 2304,
    .context = 131072,
    .norm_place = HEED_NORM_SANDWICH,
    .decoder = {.layers = 26, .heads = 8, .kv_heads = 4, .head_width = 256, .d_ff = 9216},
    .qk_norm = HEED_QK_NORM_HEAD,
    .scale_width = 256,
    .window = 4096};

/* Without a list, every layer except each sliding_window_pattern-th has the window. */
static const char *const patterns[] = {"sliding_window_pattern", "_sliding_window_pattern", NULL};
static const heed_key keys[] = {
    HEED_LLAMA_KEYS,
    HEED_KEY("hidden_activation", ACTIVATION, activation),
    HEED_KEY("attention_bias", FLAG, query_bias),
    HEED_KEY("query_pre_attn_scalar", SIZE, scale_width),
    HEED_KEY("sliding_window", SPAN, window),
    HEED_KEY("final_logit_softcapping", AMOUNT, logit_soft_cap),
    HEED_KEY_READ("rope_local_base_freq", NUMBER, rope_local.base),
    HEED_KEY_OTHERS("attn_logit_softcapping"), /* as in transformers */
    HEED_KEY_LAYERS(BUT_LAST_OF_N, patterns, 6),
    HEED_GEMMA_RULES,
    {0},
};

static const heed_architecture architectures[] = {
    HEED_CLASS("Gemma3ForCausalLM", CAUSAL_LM),
    HEED_CLASS("Gemma3TextModel", BARE),
    HEED_CLASS("Gemma3TextForSequenceClassification", SEQUENCE_CLASS),
    {0}};

static const heed_key gguf_keys[] = {HEED_GGUF_KEYS,
                                     HEED_KEY("final_logit_softcapping", AMOUNT, logit_soft_cap),
                                     HEED_KEY("rope.freq_base_swa", NUMBER, rope_local.base),
                                     {0}};

static void derive_gguf(heed_config *config)
{
    heed_gemma_derive_gguf(config, 62); /* layers of the 27B model */
}

static const heed_gguf_names gguf = {
    .architecture = "gemma3",
    .keys = gguf_keys,
    .weights = heed_gguf_weights,
    .window_step = 6,
    .derive = derive_gguf,
};

const heed_family heed_family_gemma3 = {
    .name = "gemma3_text",
    .preset = &preset,
    .keys = keys,
    .weights = heed_gemma_weights,
    .ignored = heed_llama_ignored,
    .prefixes = heed_llama_prefixes,
    .architectures = architectures,
    .gguf = &gguf,
    .d_ff_factor = 4,
    .d_ff_multiple = 1,
    .packs_positions = true,
};
