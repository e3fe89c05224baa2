/* Qwen1.5 and Qwen2 with experts (Yang et al. 2024): biases on q, k and v, and a shared expert that
   every token uses beside the chosen ones. */
#include "model/family/experts.h"
#include "model/family/gguf.h"

static const heed_config preset = {
    HEED_LLAMA_PRESET,
    HEED_ROPE(10000),
    .vocabulary = 151936,
    .d_model = 2048,
    .context = 32768,
    .decoder = {.layers = 24, .heads = 16, .kv_heads = 16, .d_ff = 5632},
    .norm_place = HEED_NORM_PRE,
    .norm_eps = 1e-6,
    .query_bias = true,
    .experts = 60,
    .experts_per_token = 4,
    .expert_d_ff = 1408,
    .shared_d_ff = 5632,
    .expert_step = 1,
    .router = HEED_ROUTER_SOFTMAX_TOP,
    .balance_weight = 0.001,
    .pad_id = -1,
    .bos_id = -1,
    .eos_id = -1};

static const heed_key keys[] = {
    HEED_LLAMA_KEYS,
    HEED_QWEN_EXPERT_KEYS,
    HEED_KEY("shared_expert_intermediate_size", SIZE, shared_d_ff),
    HEED_KEY("num_experts", SIZE, experts),
    HEED_KEY("qkv_bias", FLAG, query_bias),
    HEED_QWEN_WINDOW,
    HEED_KEY_LAYERS(EVEN_BELOW, heed_qwen_bounds, 28),
    HEED_KEY("mlp_only_layers", LAYER_LIST, dense),
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
    HEED_TENSOR(SHARED_GATE_WEIGHT, DECODER, "layers.{i}.mlp.shared_expert.gate_proj.weight"),
    HEED_TENSOR(SHARED_UP_WEIGHT, DECODER, "layers.{i}.mlp.shared_expert.up_proj.weight"),
    HEED_TENSOR(SHARED_DOWN_WEIGHT, DECODER, "layers.{i}.mlp.shared_expert.down_proj.weight"),
    HEED_TENSOR(SHARED_ROUTER_WEIGHT, DECODER, "layers.{i}.mlp.shared_expert_gate.weight"),
    HEED_NORM(FINAL_NORM, "norm"),
    HEED_TENSOR_HEAD(LM_WEIGHT, 0, "lm_head.weight"),
    HEED_HEADS_SCORE,
    {0}};

static const heed_architecture architectures[] = {HEED_CLASSES("Qwen2Moe"), {0}};

static const heed_key gguf_keys[] = {
    HEED_GGUF_KEYS,
    HEED_GGUF_EXPERT_KEYS,
    HEED_KEY("expert_feed_forward_length", SIZE, expert_d_ff),
    HEED_KEY("expert_shared_feed_forward_length", SIZE, shared_d_ff),
    {0}};

static const heed_gguf_names gguf = {
    .architecture = "qwen2moe", .keys = gguf_keys, .weights = heed_gguf_weights};

const heed_family heed_family_qwen2_moe = {
    .name = "qwen2_moe",
    .preset = &preset,
    .keys = keys,
    .weights = weights,
    .ignored = heed_llama_ignored,
    .prefixes = heed_llama_prefixes,
    .architectures = architectures,
    .gguf = &gguf,
    .d_ff_factor = 2.75,
    .d_ff_multiple = 32,
    .packs_positions = true,
};
