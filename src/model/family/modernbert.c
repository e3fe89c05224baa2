/* ModernBERT (Warner et al. 2024): pre-norm encoder with rotary positions and gated feed-forwards.
   Some layers see a window to either side, with a rotary base of their own; layer 0 has no norm
   before attention, because the embedding has one. Every head begins with the same dense layer,
   activation and norm. */
#include "model/family/decoder_internal.h"

/* The beginning of all heads; config.json may give it a bias and another activation. */
/* clang-format off */
#define HEAD(...) \
    {.dense = true, .norm = true, .own_activation = true, .activation = HEED_UNARY_GELU, \
     __VA_ARGS__}
/* clang-format on */

static const heed_config preset = {
    .arrangement = HEED_ENCODER_ONLY,
    HEED_ROPE(160000),
    .rope_local = {.base = 10000, .fraction = 1, .truncate = true},
    .vocabulary = 50368,
    .d_model = 768,
    .context = 8192,
    .encoder = {.layers = 22, .heads = 12, .d_ff = 1152},
    .norm = HEED_NORM_LAYER,
    .norm_place = HEED_NORM_PRE,
    .norm_eps = 1e-5,
    .embedding_norm = true,
    .first_norm_absent = true,
    .final_norm = true,
    .activation = HEED_UNARY_GELU,
    .gated = true,
    .scaled = true,
    .window = 65,
    .lm_bias = true,
    .lm_transform = HEAD(.bias = false),
    .pooled_row = HEED_POOLED_FIRST,
    .pooler = HEAD(.every_row = true),
    .embedding_scale = 1,
    .tied = true,
    .initializer_range = 0.02,
    .pad_id = 50283,
    .bos_id = 50281,
    .eos_id = 50282,
    .decoder_start_id = -1,
    .use_cache = true,
};

static const char *const pooling_names[] = {"", "cls", "", "", "mean", NULL};
static const char *const periods[] = {"global_attn_every_n_layers", NULL};
static const heed_key keys[] = {
    HEED_KEY("vocab_size", SIZE, vocabulary),
    HEED_KEY("hidden_size", SIZE, d_model),
    HEED_KEY("num_hidden_layers", COUNT, encoder.layers),
    HEED_KEY("num_attention_heads", SIZE, encoder.heads),
    HEED_KEY("intermediate_size", SIZE, encoder.d_ff),
    HEED_KEY("hidden_activation", ACTIVATION, activation),
    HEED_KEY("max_position_embeddings", SIZE, context),
    HEED_KEY("initializer_range", NUMBER, initializer_range),
    HEED_KEY("norm_eps", NUMBER, norm_eps),
    HEED_KEY("norm_bias", FLAG, norm_bias),
    HEED_KEY("attention_bias", FLAG, query_bias),
    HEED_KEY("mlp_bias", FLAG, ffn_bias),
    HEED_KEY("decoder_bias", FLAG, lm_bias),
    HEED_KEY_READ("classifier_bias", FLAG, lm_transform.bias),
    HEED_KEY("classifier_bias", FLAG, pooler.bias),
    HEED_KEY_READ("classifier_activation", ACTIVATION, lm_transform.activation),
    HEED_KEY("classifier_activation", ACTIVATION, pooler.activation),
    HEED_KEY_NAMES("classifier_pooling", pooling_names, pooled_row),
    HEED_KEY_DROPOUT("embedding_dropout", embedding_dropout),
    HEED_KEY_DROPOUT("attention_dropout", attention_dropout),
    HEED_KEY_DROPOUT("mlp_dropout", activation_dropout),
    HEED_KEY_DROPOUT("classifier_dropout", classifier_dropout),
    HEED_KEY_WRITTEN("cls_token_id", ID, bos_id),
    HEED_KEY_WRITTEN("sep_token_id", ID, eos_id),
    HEED_KEY_WINDOW_ABOUT("local_attention"),
    HEED_KEY_LAYERS(BUT_FIRST_OF_N, periods, 3),
    HEED_KEY_READ("global_rope_theta", NUMBER, rope.base),
    HEED_KEY_READ("local_rope_theta", NUMBER, rope_local.base),
    HEED_KEY_ROTARY,
    HEED_KEY_OTHERS("initializer_cutoff_factor"),
    HEED_KEY_OTHERS("sparse_pred_ignore_index"),
    HEED_EQUALS(output_bias, query_bias),
    HEED_EQUALS(encoder.kv_heads, encoder.heads),
    HEED_COMPUTED(encoder.head_width),
    {0},
};

/* clang-format off */
#define FUSED(symbol, count, text) \
    {.role = HEED_ROLE_##symbol, .stack_id = HEED_STACK_ENCODER, .fused = (count), \
     .flags = HEED_NAME_BASE, .name = text}
/* clang-format on */
#define QUESTION (1 << HEED_HEAD_QUESTION)
static const heed_weight_name weights[] = {
    HEED_TENSOR(TOKEN_EMBEDDING, MODEL, "embeddings.tok_embeddings.weight"),
    HEED_NORM_IN(ENCODER, EMBEDDING_NORM, "embeddings.norm"),
    HEED_WEIGHT_NORM_AT(ATTENTION, NORM, ENCODER, HEED_NAME_BASE, "layers.{i}.attn_norm"),
    FUSED(QUERY_WEIGHT, 3, "layers.{i}.attn.Wqkv.weight"),
    FUSED(QUERY_BIAS, 3, "layers.{i}.attn.Wqkv.bias"),
    HEED_LINEAR_IN(ENCODER, OUTPUT, "layers.{i}.attn.Wo"),
    HEED_WEIGHT_NORM_AT(FFN, NORM, ENCODER, HEED_NAME_BASE, "layers.{i}.mlp_norm"),
    FUSED(GATE_WEIGHT, 2, "layers.{i}.mlp.Wi.weight"),
    FUSED(GATE_BIAS, 2, "layers.{i}.mlp.Wi.bias"),
    HEED_LINEAR_IN(ENCODER, DOWN, "layers.{i}.mlp.Wo"),
    HEED_NORM_IN(ENCODER, FINAL_NORM, "final_norm"),
    HEED_WEIGHT_LINEAR(TRANSFORM, MODEL, 0, "head.dense"),
    HEED_WEIGHT_NORM(TRANSFORM_NORM, MODEL, 0, "head.norm"),
    HEED_WEIGHT_LINEAR(LM, MODEL, 0, "decoder"),
    HEED_WEIGHT_LINEAR(POOLER, MODEL, 0, "head.dense"),
    HEED_WEIGHT_NORM(POOLER_NORM, MODEL, 0, "head.norm"),
    HEED_WEIGHT_LINEAR(CLASS, MODEL, 0, "classifier"),
    HEED_WEIGHT_LINEAR(SPAN, MODEL, 0, "classifier"),
    {0}};

static const char *const ignored[] = {NULL};
static const char *const prefixes[] = {"model.", "", NULL};
static const heed_architecture architectures[] = {
    HEED_CLASS("ModernBertForMaskedLM", MASKED_LM),
    HEED_CLASS("ModernBertModel", BARE),
    HEED_CLASS("ModernBertForSequenceClassification", SEQUENCE_CLASS),
    HEED_CLASS("ModernBertForTokenClassification", TOKEN_CLASS),
    HEED_CLASS("ModernBertForQuestionAnswering", QUESTION),
    HEED_CLASS("ModernBertForMultipleChoice", CHOICE),
    {0}};

const heed_family heed_family_modernbert = {
    .name = "modernbert",
    .preset = &preset,
    .keys = keys,
    .weights = weights,
    .ignored = ignored,
    .prefixes = prefixes,
    .architectures = architectures,
    .d_ff_factor = 1.5,
    .d_ff_multiple = 1,
    .initial = HEED_INITIAL_SCALED_RESIDUAL,
};
