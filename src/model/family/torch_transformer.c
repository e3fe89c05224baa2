/* torch.nn.Transformer: the encoder-decoder of Vaswani et al. 2017 without embeddings: its rows are
   vectors. q, k and v are in one tensor. */
#include "model/family/decoder_internal.h"

static const heed_config preset = {
    .arrangement = HEED_ENCODER_DECODER,
    .d_model = 512,
    .context = 1,
    .encoder = {.layers = 6, .heads = 8, .d_ff = 2048},
    .decoder = {.layers = 6, .heads = 8, .d_ff = 2048},
    .norm = HEED_NORM_LAYER,
    .norm_place = HEED_NORM_POST,
    .norm_eps = 1e-5,
    .norm_bias = true,
    .final_norm = true,
    .activation = HEED_UNARY_RELU,
    .position = HEED_POSITION_NONE,
    .causal = true,
    .scaled = true,
    .query_bias = true,
    .output_bias = true,
    .ffn_bias = true,
    .embedding_scale = 1,
    .float_inputs = true,
    .attention_dropout = 0.1,
    .residual_dropout = 0.1,
    .activation_dropout = 0.1,
    .initializer_range = 0.02,
    .pad_id = -1,
    .bos_id = -1,
    .eos_id = -1,
    .decoder_start_id = -1,
};

static const heed_key keys[] = {
    HEED_KEY("d_model", SIZE, d_model),
    HEED_KEY("nhead", SIZE, decoder.heads),
    HEED_KEY("num_encoder_layers", COUNT, encoder.layers),
    HEED_KEY("num_decoder_layers", COUNT, decoder.layers),
    HEED_KEY("dim_feedforward", COUNT, decoder.d_ff),
    HEED_KEY_DROPOUT("dropout", residual_dropout),
    HEED_KEY("activation", ACTIVATION, activation),
    HEED_KEY("layer_norm_eps", NUMBER, norm_eps),
    HEED_KEY("bias", FLAG, query_bias),
    HEED_KEY_EITHER("norm_first", HEED_NORM_POST, HEED_NORM_PRE, norm_place),
    HEED_KEY_FIXED("batch_first", "true"),
    HEED_MULTI_HEAD,
    HEED_EQUALS(encoder.heads, decoder.heads),
    HEED_EQUALS(encoder.kv_heads, decoder.heads),
    HEED_COMPUTED(encoder.head_width),
    HEED_EQUALS(encoder.d_ff, decoder.d_ff),
    HEED_EQUALS(output_bias, query_bias),
    HEED_EQUALS(ffn_bias, query_bias),
    HEED_EQUALS(norm_bias, query_bias),
    HEED_EQUALS(attention_dropout, residual_dropout),
    HEED_EQUALS(activation_dropout, residual_dropout),
    {0},
};

/* clang-format off */
#define JOINED(place, symbol, in, text) \
    {.role = HEED_ROLE_##symbol, .stack_id = HEED_STACK_##in, .slot = HEED_SLOT_##place, \
     .fused = 3, .name = text}
#define LAYER(in, stem) \
    JOINED(ATTENTION, QUERY_WEIGHT, in, stem ".layers.{i}.self_attn.in_proj_weight"), \
    JOINED(ATTENTION, QUERY_BIAS, in, stem ".layers.{i}.self_attn.in_proj_bias"), \
    HEED_WEIGHT_LINEAR(OUTPUT, in, 0, stem ".layers.{i}.self_attn.out_proj"), \
    HEED_WEIGHT_LINEAR(UP, in, 0, stem ".layers.{i}.linear1"), \
    HEED_WEIGHT_LINEAR(DOWN, in, 0, stem ".layers.{i}.linear2"), \
    HEED_WEIGHT_NORM_AT(ATTENTION, NORM, in, 0, stem ".layers.{i}.norm1")
/* clang-format on */
static const heed_weight_name weights[] = {
    LAYER(ENCODER, "encoder"),
    HEED_WEIGHT_NORM_AT(FFN, NORM, ENCODER, 0, "encoder.layers.{i}.norm2"),
    HEED_WEIGHT_NORM(FINAL_NORM, ENCODER, 0, "encoder.norm"),
    LAYER(DECODER, "decoder"),
    JOINED(CROSS, QUERY_WEIGHT, DECODER, "decoder.layers.{i}.multihead_attn.in_proj_weight"),
    JOINED(CROSS, QUERY_BIAS, DECODER, "decoder.layers.{i}.multihead_attn.in_proj_bias"),
    HEED_WEIGHT_LINEAR_AT(CROSS, OUTPUT, DECODER, 0, "decoder.layers.{i}.multihead_attn.out_proj"),
    HEED_WEIGHT_NORM_AT(CROSS, NORM, DECODER, 0, "decoder.layers.{i}.norm2"),
    HEED_WEIGHT_NORM_AT(FFN, NORM, DECODER, 0, "decoder.layers.{i}.norm3"),
    HEED_WEIGHT_NORM(FINAL_NORM, DECODER, 0, "decoder.norm"),
    {0}};

static const char *const ignored[] = {NULL};
static const char *const prefixes[] = {"", NULL};
static const heed_architecture architectures[] = {HEED_CLASS("Transformer", BARE), {0}};

const heed_family heed_family_torch_transformer = {
    .name = "torch-transformer",
    .preset = &preset,
    .keys = keys,
    .weights = weights,
    .ignored = ignored,
    .prefixes = prefixes,
    .architectures = architectures,
    .d_ff_factor = 4,
    .d_ff_multiple = 1,
    .initial = HEED_INITIAL_XAVIER,
};
