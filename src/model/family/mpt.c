/* MPT (MosaicML 2023): ALiBi, layer norms without bias, no biases elsewhere, q, k and v in one
   tensor. */
#include "model/family/decoder_internal.h"
#include "model/family/gguf.h"

static const heed_config preset = {HEED_DECODER,
                                   .position = HEED_POSITION_ALIBI,
                                   .alibi_most = 8,
                                   .vocabulary = 50368,
                                   .d_model = 2048,
                                   .context = 2048,
                                   .decoder = {.layers = 24, .heads = 16},
                                   .norm = HEED_NORM_LAYER,
                                   .norm_place = HEED_NORM_PRE,
                                   .norm_eps = 1e-5,
                                   .activation = HEED_UNARY_GELU,
                                   .scaled = true,
                                   .tied = true,
                                   .embedding_scale = 1,
                                   .classifier_dropout = 0.1,
                                   .initializer_range = 0.02,
                                   .pad_id = -1,
                                   .bos_id = -1,
                                   .eos_id = -1};

/* An object of its own has the settings of attention. Its dropout also holds for the sublayers. */
static const heed_key keys[] = {
    HEED_KEY("vocab_size", SIZE, vocabulary),
    HEED_KEY("d_model", SIZE, d_model),
    HEED_KEY("n_layers", COUNT, decoder.layers),
    HEED_KEY("n_heads", SIZE, decoder.heads),
    HEED_KEY("max_seq_len", SIZE, context),
    HEED_KEY("layer_norm_epsilon", NUMBER, norm_eps),
    HEED_KEY("initializer_range", NUMBER, initializer_range),
    HEED_KEY_OTHERS("expansion_ratio"), /* transformers multiplies by 4 whatever it says */
    HEED_KEY_OTHERS("embedding_fraction"),
    HEED_KEY_OTHERS("emb_pdrop"),
    HEED_KEY_OTHERS("learned_pos_emb"),
    HEED_KEY_OTHERS("no_bias"),
    HEED_KEY_OTHERS("norm_type"),
    HEED_KEY_OTHERS("attn_config.attn_impl"),
    HEED_KEY_OTHERS("attn_config.attn_type"),
    HEED_KEY_FIXED("attn_config.alibi", "true"),
    HEED_KEY_SUPPORTS("attn_config.qk_ln", "false"),
    HEED_KEY_AS("attn_config.clip_qkv", AMOUNT, HEED_KEY_SPARSE, qkv_clip),
    HEED_KEY_AS("attn_config.alibi_bias_max", NUMBER, HEED_KEY_INTEGRAL, alibi_most),
    HEED_KEY("attn_config.softmax_scale", AMOUNT, attention_scale),
    HEED_KEY_AS("attn_config.attn_pdrop", RATE, HEED_KEY_INTEGRAL, attention_dropout),
    HEED_KEY_READ("attn_config.attn_pdrop", RATE, residual_dropout),
    HEED_MULTI_HEAD,
    HEED_COMPUTED(decoder.d_ff),
    HEED_CLASSIFIER_DROPOUT,
    {0},
};

static const heed_weight_name weights[] = {
    HEED_TENSOR(TOKEN_EMBEDDING, MODEL, "wte.weight"),
    HEED_NORM_AT(ATTENTION, NORM, "blocks.{i}.norm_1"),
    HEED_TENSOR_FUSED(QUERY_WEIGHT, 3, 0, "blocks.{i}.attn.Wqkv.weight"),
    HEED_LINEAR(OUTPUT, "blocks.{i}.attn.out_proj"),
    HEED_NORM_AT(FFN, NORM, "blocks.{i}.norm_2"),
    HEED_LINEAR(UP, "blocks.{i}.ffn.up_proj"),
    HEED_LINEAR(DOWN, "blocks.{i}.ffn.down_proj"),
    HEED_NORM(FINAL_NORM, "norm_f"),
    HEED_TENSOR_HEAD(LM_WEIGHT, 0, "lm_head.weight"),
    HEED_HEADS_CLASSIFIER,
    {0}};

static const char *const ignored[] = {NULL};
static const char *const prefixes[] = {"transformer.", "", NULL};
static const heed_architecture architectures[] = {HEED_CLASSES("Mpt"), {0}};

static const heed_key gguf_keys[] = {HEED_GGUF_KEYS,
                                     HEED_KEY("attention.max_alibi_bias", NUMBER, alibi_most),
                                     HEED_KEY("attention.clamp_kqv", AMOUNT, qkv_clip),
                                     {0}};

static const heed_gguf_names gguf = {
    .architecture = "mpt", .keys = gguf_keys, .weights = heed_gguf_fused_weights};

const heed_family heed_family_mpt = {
    .name = "mpt",
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
};
