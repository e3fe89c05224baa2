/* gpt-oss (OpenAI 2025): attention sinks, a window in every other layer, YaRN positions, biases
   everywhere. Its experts have a clamped SwiGLU; rows of their gate and up projections alternate in
   one tensor. */
#include "model/family/experts.h"
#include "model/family/gguf.h"

static const heed_config preset = {
    HEED_LLAMA_PRESET,
    .position = HEED_POSITION_ROTARY,
    .rope = {.base = 150000,
             .fraction = 1,
             .kind = HEED_ROPE_YARN,
             .factor = 32,
             .beta_fast = 32,
             .beta_slow = 1,
             .original_context = 4096},
    .vocabulary = 201088,
    .d_model = 2880,
    .context = 131072,
    .decoder = {.layers = 36, .heads = 64, .kv_heads = 8, .head_width = 64, .d_ff = 2880},
    .norm_place = HEED_NORM_PRE,
    .norm_eps = 1e-5,
    .window = 128,
    .query_bias = true,
    .sinks = true,
    .experts = 128,
    .experts_per_token = 4,
    .expert_step = 1,
    .router = HEED_ROUTER_TOP_SOFTMAX,
    .router_bias = true,
    .expert_bias = true,
    .swiglu_alpha = 1.702,
    .swiglu_limit = 7,
    .balance_weight = 0.001,
    .pad_id = -1,
    .bos_id = -1,
    .eos_id = -1};

static const heed_key keys[] = {
    HEED_LLAMA_KEYS,
    HEED_EXPERT_KEYS,
    HEED_KEY("num_local_experts", SIZE, experts),
    HEED_KEY("sliding_window", SPAN, window),
    HEED_KEY("attention_bias", FLAG, query_bias),
    HEED_KEY("swiglu_alpha", NUMBER, swiglu_alpha),
    HEED_KEY("swiglu_limit", NUMBER, swiglu_limit),
    HEED_KEY_LAYERS(EVEN, NULL, 0),
    HEED_EQUALS(output_bias, query_bias),
    HEED_CLASSIFIER_DROPOUT,
    HEED_KEY_ROTARY,
    {0},
};

static const heed_weight_name weights[] = {
    HEED_TENSOR(TOKEN_EMBEDDING, MODEL, "embed_tokens.weight"),
    HEED_NORM_AT(ATTENTION, NORM, "layers.{i}.input_layernorm"),
    HEED_LLAMA_ATTENTION,
    HEED_TENSOR(SINKS, DECODER, "layers.{i}.self_attn.sinks"),
    HEED_NORM_AT(FFN, NORM, "layers.{i}.post_attention_layernorm"),
    HEED_LINEAR(ROUTER, "layers.{i}.mlp.router"),
    HEED_TENSOR_FUSED(EXPERT_GATE_WEIGHT, 2, HEED_NAME_INPUT_FIRST | HEED_NAME_INTERLEAVED,
                      "layers.{i}.mlp.experts.gate_up_proj"),
    HEED_TENSOR_FUSED(EXPERT_GATE_BIAS, 2, HEED_NAME_INTERLEAVED,
                      "layers.{i}.mlp.experts.gate_up_proj_bias"),
    HEED_TENSOR_FUSED(EXPERT_DOWN_WEIGHT, 1, HEED_NAME_INPUT_FIRST,
                      "layers.{i}.mlp.experts.down_proj"),
    HEED_TENSOR(EXPERT_DOWN_BIAS, DECODER, "layers.{i}.mlp.experts.down_proj_bias"),
    HEED_NORM(FINAL_NORM, "norm"),
    HEED_TENSOR_HEAD(LM_WEIGHT, 0, "lm_head.weight"),
    HEED_HEADS_SCORE,
    {0}};

static const heed_architecture architectures[] = {HEED_CLASSES_BUT_QUESTION("GptOss"), {0}};

static const heed_key gguf_keys[] = {HEED_GGUF_KEYS,
                                     HEED_GGUF_EXPERT_KEYS,
                                     HEED_KEY("expert_feed_forward_length", SIZE, expert_d_ff),
                                     {0}};

static const heed_weight_name gguf_weights[] = {
    HEED_GGUF_EMBEDDINGS,
    HEED_GGUF_NORM_AT(ATTENTION, NORM, 0, "attn_norm"),
    HEED_GGUF_SEPARATE(0),
    HEED_GGUF_ATTENTION(0),
    HEED_GGUF_NORM_AT(FFN, NORM, 0, "post_attention_norm"),
    HEED_GGUF_EXPERTS,
    HEED_GGUF_OUTPUT};

static const heed_gguf_names gguf = {
    .architecture = "gpt-oss", .keys = gguf_keys, .weights = gguf_weights, .window_step = 2};

const heed_family heed_family_gpt_oss = {
    .name = "gpt_oss",
    .preset = &preset,
    .keys = keys,
    .weights = weights,
    .ignored = heed_llama_ignored,
    .prefixes = heed_llama_prefixes,
    .architectures = architectures,
    .gguf = &gguf,
    .d_ff_factor = 1,
    .d_ff_multiple = 32,
};
