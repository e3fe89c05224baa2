/* Qwen3 with experts (Yang et al. 2025): norms on the queries and keys of each head; 128 small
   experts, of which each token uses eight. */
#include "model/family/experts.h"
#include "model/family/gguf.h"

static const heed_config preset = {
    HEED_LLAMA_PRESET,
    HEED_ROPE(10000),
    .vocabulary = 151936,
    .d_model = 2048,
    .context = 32768,
    .decoder = {.layers = 24, .heads = 32, .kv_heads = 4, .d_ff = 6144},
    .norm_place = HEED_NORM_PRE,
    .norm_eps = 1e-6,
    .qk_norm = HEED_QK_NORM_HEAD,
    .experts = 128,
    .experts_per_token = 8,
    .expert_d_ff = 768,
    .expert_step = 1,
    .router = HEED_ROUTER_SOFTMAX_TOP,
    .balance_weight = 0.001,
    .pad_id = -1,
    .bos_id = -1,
    .eos_id = -1};

/* The number of experts has two spellings. */
static const heed_key keys[] = {
    HEED_LLAMA_KEYS,
    HEED_QWEN_EXPERT_KEYS,
    HEED_KEY("num_local_experts", SIZE, experts),
    HEED_KEY("num_experts", SIZE, experts),
    HEED_KEY("attention_bias", FLAG, query_bias),
    HEED_KEY_OTHERS("max_window_layers"),
    HEED_QWEN_WINDOW,
    HEED_EVERY_WINDOW,
    HEED_KEY("mlp_only_layers", LAYER_LIST, dense),
    HEED_EQUALS(output_bias, query_bias),
    HEED_CLASSIFIER_DROPOUT,
    HEED_KEY_ROTARY,
    {0},
};

static const heed_weight_name weights[] = {
    HEED_TENSOR(TOKEN_EMBEDDING, MODEL, "embed_tokens.weight"),
    HEED_NORM_AT(ATTENTION, NORM, "layers.{i}.input_layernorm"),
    HEED_LLAMA_ATTENTION,
    HEED_NORM_AT(FFN, NORM, "layers.{i}.post_attention_layernorm"),
    HEED_LLAMA_FEED_FORWARD,
    HEED_QWEN_EXPERTS,
    HEED_NORM(FINAL_NORM, "norm"),
    HEED_TENSOR_HEAD(LM_WEIGHT, 0, "lm_head.weight"),
    HEED_HEADS_SCORE,
    {0}};

static const heed_architecture architectures[] = {HEED_CLASSES("Qwen3Moe"), {0}};

/* The configurations of the published models renormalize; their GGUF files do not say it. */
static const heed_key gguf_keys[] = {HEED_GGUF_KEYS,
                                     HEED_GGUF_EXPERT_KEYS,
                                     HEED_KEY("expert_feed_forward_length", SIZE, expert_d_ff),
                                     HEED_SETS(router_renormalized, true),
                                     {0}};

static const heed_gguf_names gguf = {
    .architecture = "qwen3moe",
    .keys = gguf_keys,
    .weights = heed_gguf_weights,
};

const heed_family heed_family_qwen3_moe = {
    .name = "qwen3_moe",
    .preset = &preset,
    .keys = keys,
    .weights = weights,
    .ignored = heed_llama_ignored,
    .prefixes = heed_llama_prefixes,
    .architectures = architectures,
    .gguf = &gguf,
    .d_ff_factor = 3,
    .d_ff_multiple = 32,
    .packs_positions = true,
};
