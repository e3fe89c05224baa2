/* Mixtral (Jiang et al. 2024): Mistral with eight experts instead of the feed-forward; each token
   uses two of them. */
#include "model/family/experts.h"
#include "model/family/gguf.h"

static const heed_config preset = {
    HEED_LLAMA_PRESET,
    HEED_ROPE(1e6),
    .vocabulary = 32000,
    .d_model = 4096,
    .context = 131072,
    .decoder = {.layers = 32, .heads = 32, .kv_heads = 8, .d_ff = 14336},
    .norm_place = HEED_NORM_PRE,
    .norm_eps = 1e-5,
    .experts = 8,
    .experts_per_token = 2,
    .expert_step = 1,
    .router = HEED_ROUTER_SOFTMAX_TOP,
    .router_renormalized = true,
    .balance_weight = 0.001,
    .pad_id = -1,
    .bos_id = 1,
    .eos_id = 2};

static const heed_key keys[] = {
    HEED_LLAMA_KEYS,
    HEED_EXPERT_KEYS,
    HEED_KEY("num_local_experts", SIZE, experts),
    HEED_KEY("sliding_window", SPAN, window),
    HEED_KEY_SUPPORTS("router_jitter_noise", "0"),
    HEED_EVERY_WINDOW,
    HEED_CLASSIFIER_DROPOUT,
    HEED_KEY_ROTARY,
    {0},
};

static const heed_weight_name weights[] = {
    HEED_TENSOR(TOKEN_EMBEDDING, MODEL, "embed_tokens.weight"),
    HEED_NORM_AT(ATTENTION, NORM, "layers.{i}.input_layernorm"),
    HEED_LLAMA_ATTENTION,
    HEED_NORM_AT(FFN, NORM, "layers.{i}.post_attention_layernorm"),
    HEED_TENSOR(ROUTER_WEIGHT, DECODER, "layers.{i}.block_sparse_moe.gate.weight"),
    HEED_TENSOR(EXPERT_GATE_WEIGHT, DECODER, "layers.{i}.block_sparse_moe.experts.{j}.w1.weight"),
    HEED_TENSOR(EXPERT_DOWN_WEIGHT, DECODER, "layers.{i}.block_sparse_moe.experts.{j}.w2.weight"),
    HEED_TENSOR(EXPERT_UP_WEIGHT, DECODER, "layers.{i}.block_sparse_moe.experts.{j}.w3.weight"),
    HEED_NORM(FINAL_NORM, "norm"),
    HEED_TENSOR_HEAD(LM_WEIGHT, 0, "lm_head.weight"),
    HEED_HEADS_SCORE,
    {0}};

static const heed_architecture architectures[] = {HEED_CLASSES("Mixtral"), {0}};

static const heed_key gguf_keys[] = {HEED_GGUF_KEYS, HEED_GGUF_SCALE, HEED_GGUF_EXPERT_KEYS, {0}};

/* GGUF files use the architecture of Llama, with experts. */
static const heed_gguf_names gguf = {
    .architecture = "llama", .keys = gguf_keys, .weights = heed_gguf_paired_weights};

const heed_family heed_family_mixtral = {
    .name = "mixtral",
    .preset = &preset,
    .keys = keys,
    .weights = weights,
    .ignored = heed_llama_ignored,
    .prefixes = heed_llama_prefixes,
    .architectures = architectures,
    .gguf = &gguf,
    .d_ff_factor = 3.5,
    .d_ff_multiple = 32,
    .packs_positions = true,
};
