/* OLMo 2 (Team OLMo 2024): Llama with norms after the sublayers instead of before them, and norms
   over all queries and all keys of a token. */
#include "model/family/llama.h"
#include "model/family/gguf.h"

static const heed_config preset = {HEED_LLAMA_PRESET,
                                   HEED_ROPE(10000),
                                   .vocabulary = 50304,
                                   .d_model = 4096,
                                   .context = 2048,
                                   .decoder = {.layers = 32, .heads = 32, .d_ff = 11008},
                                   .norm_place = HEED_NORM_OUTPUT,
                                   .norm_eps = 1e-5,
                                   .qk_norm = HEED_QK_NORM_ALL,
                                   .pad_id = 1,
                                   .bos_id = -1,
                                   .eos_id = 50279};

static const heed_key keys[] = {
    HEED_LLAMA_KEYS,
    HEED_KEY("attention_bias", FLAG, query_bias),
    HEED_EQUALS(output_bias, query_bias),
    HEED_CLASSIFIER_DROPOUT,
    HEED_KEY_ROTARY,
    {0},
};

static const heed_weight_name weights[] = {
    HEED_TENSOR(TOKEN_EMBEDDING, MODEL, "embed_tokens.weight"),
    HEED_LLAMA_ATTENTION,
    HEED_NORM_AT(ATTENTION, NORM, "layers.{i}.post_attention_layernorm"),
    HEED_LLAMA_FEED_FORWARD,
    HEED_NORM_AT(FFN, NORM, "layers.{i}.post_feedforward_layernorm"),
    HEED_NORM(FINAL_NORM, "norm"),
    HEED_TENSOR_HEAD(LM_WEIGHT, 0, "lm_head.weight"),
    HEED_HEADS_SCORE,
    {0}};

static const heed_architecture architectures[] = {
    HEED_CLASS("Olmo2ForCausalLM", CAUSAL_LM),
    HEED_CLASS("Olmo2Model", BARE),
    HEED_CLASS("Olmo2ForSequenceClassification", SEQUENCE_CLASS),
    {0}};

static const heed_weight_name gguf_weights[] = {
    HEED_GGUF_EMBEDDINGS,
    HEED_GGUF_SEPARATE(0),
    HEED_GGUF_ATTENTION(0),
    HEED_GGUF_LAYER_AT(ATTENTION, NORM_GAIN, 0, "post_attention_norm.weight"),
    HEED_GGUF_FEED_FORWARD,
    HEED_GGUF_LAYER_AT(FFN, NORM_GAIN, 0, "post_ffw_norm.weight"),
    HEED_GGUF_OUTPUT};

static const heed_gguf_names gguf = {
    .architecture = "olmo2", .keys = heed_gguf_plain_keys, .weights = gguf_weights};

const heed_family heed_family_olmo2 = {
    .name = "olmo2",
    .preset = &preset,
    .keys = keys,
    .weights = weights,
    .ignored = heed_llama_ignored,
    .prefixes = heed_llama_prefixes,
    .architectures = architectures,
    .gguf = &gguf,
    .d_ff_factor = 8.0 / 3,
    .d_ff_multiple = 32,
    .packs_positions = true,
    .is_published = true,
};
