/* GPT-BigCode (Ben Allal et al. 2023; StarCoder): GPT-2 with one key/value head for all queries, or
   one per head. */
#include "model/family/gpt2.h"

static const heed_config preset = {HEED_DECODER,
                                   .position = HEED_POSITION_LEARNED,
                                   .vocabulary = 50257,
                                   .d_model = 768,
                                   .context = 1024,
                                   .decoder = {.layers = 12, .heads = 12},
                                   .norm = HEED_NORM_LAYER,
                                   .norm_place = HEED_NORM_PRE,
                                   .norm_eps = 1e-5,
                                   .norm_bias = true,
                                   .activation = HEED_UNARY_GELU_TANH,
                                   .scaled = true,
                                   .query_bias = true,
                                   .output_bias = true,
                                   .ffn_bias = true,
                                   .tied = true,
                                   .embedding_scale = 1,
                                   .embedding_dropout = 0.1,
                                   .attention_dropout = 0.1,
                                   .residual_dropout = 0.1,
                                   .classifier_dropout = 0.1,
                                   .initializer_range = 0.02,
                                   .pad_id = -1,
                                   .bos_id = 50256,
                                   .eos_id = 50256};

static const heed_key keys[] = {
    HEED_GPT2_KEYS,
    HEED_KEY("scale_attn_weights", FLAG, scaled),
    HEED_KEY_EITHER_ABSENT("multi_query", 0, 1, 1, decoder.kv_heads),
    HEED_KEY_OTHERS("num_key_value_heads"), /* follows from multi_query */
    HEED_KEY_SUPPORTS("add_cross_attention", "false"),
    HEED_CLASSIFIER_DROPOUT,
    {0},
};

static const heed_weight_name weights[] = {
    HEED_TENSOR(TOKEN_EMBEDDING, MODEL, "wte.weight"),
    HEED_TENSOR(POSITION_EMBEDDING, DECODER, "wpe.weight"),
    HEED_NORM_AT(ATTENTION, NORM, "h.{i}.ln_1"),
    HEED_TENSOR_FUSED(QUERY_WEIGHT, 3, HEED_NAME_GROUPED, "h.{i}.attn.c_attn.weight"),
    HEED_TENSOR_FUSED(QUERY_BIAS, 3, HEED_NAME_GROUPED, "h.{i}.attn.c_attn.bias"),
    HEED_LINEAR(OUTPUT, "h.{i}.attn.c_proj"),
    HEED_NORM_AT(FFN, NORM, "h.{i}.ln_2"),
    HEED_LINEAR(UP, "h.{i}.mlp.c_fc"),
    HEED_LINEAR(DOWN, "h.{i}.mlp.c_proj"),
    HEED_NORM(FINAL_NORM, "ln_f"),
    HEED_TENSOR_HEAD(LM_WEIGHT, 0, "lm_head.weight"),
    HEED_HEADS_CLASSIFIER,
    {0}};

static const char *const ignored[] = {"h.{i}.attn.bias", "h.{i}.attn.masked_bias", NULL};
static const char *const prefixes[] = {"transformer.", "", NULL};
static const heed_architecture architectures[] = {HEED_CLASSES_BUT_QUESTION("GPTBigCode"), {0}};

static const heed_gguf_names gguf = {
    .architecture = "starcoder", .keys = heed_gguf_plain_keys, .weights = heed_gguf_fused_weights};

const heed_family heed_family_gpt_bigcode = {
    .name = "gpt_bigcode",
    .preset = &preset,
    .keys = keys,
    .weights = weights,
    .ignored = ignored,
    .prefixes = prefixes,
    .architectures = architectures,
    .gguf = &gguf,
    .d_ff_factor = 4,
    .d_ff_multiple = 1,
    .trains_padding = true,
    .packs_positions = true,
};
