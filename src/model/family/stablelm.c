/* StableLM (Bellagente et al. 2024): Llama with layer norms and rotary positions on some channels
   of each head; attention and feed-forward may read one norm. */
#include "model/family/llama.h"

static const heed_config preset = {HEED_DECODER,
                                   .position = HEED_POSITION_ROTARY,
                                   .rope = {.base = 10000, .fraction = 0.25, .truncate = true},
                                   .vocabulary = 50304,
                                   .d_model = 2560,
                                   .context = 4096,
                                   .decoder = {.layers = 32, .heads = 32, .d_ff = 6912},
                                   .norm = HEED_NORM_LAYER,
                                   .norm_place = HEED_NORM_PRE,
                                   .norm_eps = 1e-5,
                                   .norm_bias = true,
                                   .activation = HEED_UNARY_SILU,
                                   .gated = true,
                                   .scaled = true,
                                   .embedding_scale = 1,
                                   .classifier_dropout = 0.1,
                                   .initializer_range = 0.02,
                                   .pad_id = -1,
                                   .bos_id = 0,
                                   .eos_id = 0};

static const heed_key keys[] = {
    HEED_LLAMA_SIZES,
    HEED_KEY("layer_norm_eps", NUMBER, norm_eps),
    HEED_KEY("use_qkv_bias", FLAG, query_bias),
    HEED_KEY_EITHER("use_parallel_residual", HEED_RESIDUAL_SERIAL, HEED_RESIDUAL_PARALLEL,
                    residual),
    HEED_KEY_SUPPORTS("qk_layernorm", "false"),
    HEED_KEY_DROPOUT("hidden_dropout", residual_dropout),
    HEED_CLASSIFIER_DROPOUT,
    HEED_KEY_ROTARY,
    {0},
};

static const heed_architecture architectures[] = {HEED_CLASSES_BUT_QUESTION("StableLm"), {0}};

const heed_family heed_family_stablelm = {
    .name = "stablelm",
    .preset = &preset,
    .keys = keys,
    .weights = heed_llama_weights,
    .ignored = heed_llama_ignored,
    .prefixes = heed_llama_prefixes,
    .architectures = architectures,
    .d_ff_factor = 8.0 / 3,
    .d_ff_multiple = 32,
    .rotary_coverage = HEED_ROTARY_PAIRS,
    .packs_positions = true,
};
