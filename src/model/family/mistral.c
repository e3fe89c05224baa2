/* Mistral (Jiang et al. 2023): Llama with a sliding window in every layer. */
#include "model/family/llama.h"

static const heed_config preset = {
    .arrangement = HEED_DECODER_ONLY,
    .vocabulary = 32000,
    .d_model = 4096,
    .context = 131072,
    .decoder = {.layers = 32, .heads = 32, .kv_heads = 8, .d_ff = 14336},
    .norm = HEED_NORM_RMS,
    .norm_place = HEED_NORM_PRE,
    .norm_eps = 1e-6,
    .final_norm = true,
    .activation = HEED_UNARY_SILU,
    .gated = true,
    .position = HEED_POSITION_ROTARY,
    .rope = {.base = 10000, .fraction = 1, .truncate = true},
    .causal = true,
    .scaled = true,
    .window = 4096,
    .embedding_scale = 1,
    .classifier_dropout = 0.1,
    .initializer_range = 0.02,
    .pad_id = -1,
    .bos_id = 1,
    .eos_id = 2,
    .decoder_start_id = -1,
    .use_cache = true};

static const heed_key keys[] = {HEED_LLAMA_KEYS, HEED_KEY("sliding_window", COUNT, window), {0}};

static const heed_architecture architectures[] = {
    {"MistralForCausalLM", HEED_HEAD_CAUSAL_LM},
    {"MistralModel", HEED_HEAD_NONE},
    {"MistralForSequenceClassification", HEED_HEAD_SEQUENCE_CLASS},
    {"MistralForTokenClassification", HEED_HEAD_TOKEN_CLASS},
    {"MistralForQuestionAnswering", HEED_HEAD_QUESTION},
    {0}};

static const heed_gguf_names gguf = {
    .architecture = "llama", .keys = heed_gguf_keys, .weights = heed_gguf_paired_weights};

const heed_family heed_family_mistral = {
    .name = "mistral",
    .preset = &preset,
    .keys = keys,
    .weights = heed_llama_weights,
    .ignored = heed_llama_ignored,
    .prefixes = heed_llama_prefixes,
    .architectures = architectures,
    .gguf = &gguf,
    .d_ff_factor = 3.5,
    .d_ff_multiple = 32,
    .packs_positions = true,
    .is_published = true,
    .derive = heed_config_window_all,
    .fix = heed_llama_fix,
    .write = heed_rope_write,
};
