/* Phi-3 (Abdin et al. 2024): Llama with q, k and v in one tensor, gate and up in another. */
#include "model/family/llama.h"
#include "model/family/gguf.h"

static const heed_config preset = {
    HEED_LLAMA_PRESET,
    HEED_ROPE(10000),
    .vocabulary = 32064,
    .d_model = 3072,
    .context = 4096,
    .decoder = {.layers = 32, .heads = 32, .kv_heads = 32, .d_ff = 8192},
    .norm_place = HEED_NORM_PRE,
    .norm_eps = 1e-5,
    .pad_id = 32000,
    .bos_id = 1,
    .eos_id = 32000};

static const heed_key keys[] = {
    HEED_LLAMA_KEYS,
    HEED_KEY("sliding_window", SPAN, window),
    HEED_KEY_DROPOUT("resid_pdrop", residual_dropout),
    HEED_KEY_WRITTEN("original_max_position_embeddings", COUNT, rope.original_context),
    HEED_EVERY_WINDOW,
    HEED_CLASSIFIER_DROPOUT,
    HEED_KEY_ROTARY,
    {0},
};

static const heed_weight_name weights[] = {
    HEED_TENSOR(TOKEN_EMBEDDING, MODEL, "embed_tokens.weight"),
    HEED_NORM_AT(ATTENTION, NORM, "layers.{i}.input_layernorm"),
    HEED_TENSOR_FUSED(QUERY_WEIGHT, 3, 0, "layers.{i}.self_attn.qkv_proj.weight"),
    HEED_LINEAR(OUTPUT, "layers.{i}.self_attn.o_proj"),
    HEED_NORM_AT(FFN, NORM, "layers.{i}.post_attention_layernorm"),
    HEED_TENSOR_FUSED(GATE_WEIGHT, 2, 0, "layers.{i}.mlp.gate_up_proj.weight"),
    HEED_LINEAR(DOWN, "layers.{i}.mlp.down_proj"),
    HEED_NORM(FINAL_NORM, "norm"),
    HEED_TENSOR_HEAD(LM_WEIGHT, 0, "lm_head.weight"),
    HEED_HEADS_SCORE,
    {0}};

static const heed_architecture architectures[] = {HEED_CLASSES_BUT_QUESTION("Phi3"), {0}};

static const heed_weight_name gguf_weights[] = {HEED_GGUF_EMBEDDINGS,
                                                HEED_GGUF_NORMS,
                                                HEED_GGUF_FUSED,
                                                HEED_GGUF_ATTENTION(0),
                                                HEED_GGUF_FUSED_AS(GATE_WEIGHT, 2, "ffn_up.weight"),
                                                HEED_GGUF_LINEAR(DOWN, 0, "ffn_down"),
                                                HEED_GGUF_OUTPUT};

static const heed_gguf_names gguf = {
    .architecture = "phi3", .keys = heed_gguf_plain_keys, .weights = gguf_weights};

const heed_family heed_family_phi3 = {
    .name = "phi3",
    .preset = &preset,
    .keys = keys,
    .weights = weights,
    .ignored = heed_llama_ignored,
    .prefixes = heed_llama_prefixes,
    .architectures = architectures,
    .gguf = &gguf,
    .d_ff_factor = 8.0 / 3,
    .d_ff_multiple = 32,
    .rotary_coverage = HEED_ROTARY_ROUNDED_UP,
    .packs_positions = true,
};
