/* heed: a family for research, whose config.json may combine all kinds. Its names are those of
   Llama for what Llama has. */
#include "model/family/decoder_internal.h"

static const char *const arrangement_names[] = {"decoder", "encoder", "encoder-decoder", NULL};
static const char *const order_names[] = {"halves", "interleaved", NULL};
static const char *const pooled_row_names[] = {"usual", "first", "last", "end", "mean", NULL};
static const char *const qk_norm_names[] = {"none", "head", "all", "head_gains", NULL};

static const char *const embedding_order_names[] = {"projected_first", "projected_last", NULL};

static const heed_config preset = {
    .arrangement = HEED_DECODER_ONLY,
    .vocabulary = 32000,
    .d_model = 512,
    .context = 1024,
    .norm = HEED_NORM_RMS,
    .norm_place = HEED_NORM_PRE,
    .norm_eps = 1e-5,
    .final_norm = true,
    .activation = HEED_UNARY_SILU,
    .gated = true,
    .position = HEED_POSITION_ROTARY,
    .rope = {.base = 10000, .fraction = 1, .truncate = true},
    .causal = true,
    .scaled = true,
    .lm_transform = {.bias = true, .norm = true},
    .pooler = {.bias = true, .own_activation = true, .activation = HEED_UNARY_TANH},
    .embedding_scale = 1,
    .initializer_range = 0.02,
    .pad_id = -1,
    .bos_id = -1,
    .eos_id = -1,
    .decoder_start_id = -1,
    .use_cache = true,
};

static const heed_key keys[] = {
    HEED_KEY_NAMES("arrangement", arrangement_names, arrangement),
    HEED_KEY("vocab_size", SIZE, vocabulary),
    HEED_KEY("source_vocab_size", COUNT, source_vocabulary),
    HEED_KEY("hidden_size", SIZE, d_model),
    HEED_KEY("max_position_embeddings", SIZE, context),
    HEED_KEY("type_vocab_size", COUNT, token_types),
    HEED_KEY("encoder_layers", COUNT, encoder.layers),
    HEED_KEY_AS("encoder_own_layers", COUNT, HEED_KEY_SPARSE, encoder.own_layers),
    HEED_KEY_AS("encoder_group_layers", COUNT, HEED_KEY_SPARSE, encoder.group_layers),
    HEED_KEY_AS("encoder_hidden_size", COUNT, HEED_KEY_SPARSE, encoder.width),
    HEED_KEY("encoder_attention_heads", COUNT, encoder.heads),
    HEED_KEY("encoder_key_value_heads", COUNT, encoder.kv_heads),
    HEED_KEY("encoder_head_dim", COUNT, encoder.head_width),
    HEED_KEY("encoder_intermediate_size", COUNT, encoder.d_ff),
    HEED_KEY("decoder_layers", COUNT, decoder.layers),
    HEED_KEY_AS("decoder_own_layers", COUNT, HEED_KEY_SPARSE, decoder.own_layers),
    HEED_KEY_AS("decoder_group_layers", COUNT, HEED_KEY_SPARSE, decoder.group_layers),
    HEED_KEY_AS("decoder_hidden_size", COUNT, HEED_KEY_SPARSE, decoder.width),
    HEED_KEY("decoder_attention_heads", COUNT, decoder.heads),
    HEED_KEY("decoder_key_value_heads", COUNT, decoder.kv_heads),
    HEED_KEY("decoder_head_dim", COUNT, decoder.head_width),
    HEED_KEY("decoder_intermediate_size", COUNT, decoder.d_ff),
    HEED_KEY_NAMES("norm", heed_norm_names, norm),
    HEED_KEY_NAMES("norm_place", heed_norm_place_names, norm_place),
    HEED_KEY_NAMES("residual", heed_residual_names, residual),
    HEED_KEY_NAMES("query_key_norm", qk_norm_names, qk_norm),
    HEED_KEY("query_key_norm_bias", FLAG, qk_norm_bias),
    HEED_KEY("norm_eps", NUMBER, norm_eps),
    HEED_KEY("norm_offset", NUMBER, norm_offset),
    HEED_KEY("norm_bias", FLAG, norm_bias),
    HEED_KEY("embedding_norm", FLAG, embedding_norm),
    HEED_KEY("final_norm", FLAG, final_norm),
    HEED_KEY("activation", ACTIVATION, activation),
    HEED_KEY("gated", FLAG, gated),
    HEED_KEY_NAMES("position", heed_position_names, position),
    HEED_KEY_NAMES("sinusoid_order", order_names, sinusoid_order),
    HEED_KEY("rotary_interleaved", FLAG, rope.interleaved),
    HEED_KEY("causal", FLAG, causal),
    HEED_KEY("scale_attention", FLAG, scaled),
    HEED_KEY("attention_scale", NUMBER, attention_scale),
    HEED_KEY("attention_scale_width", COUNT, scale_width),
    HEED_KEY("scale_attention_by_layer", FLAG, scale_by_layer),
    HEED_KEY_WINDOW("sliding_window"),
    HEED_KEY("qkv_clip", NUMBER, qkv_clip),
    HEED_KEY("attention_soft_cap", NUMBER, attention_soft_cap),
    HEED_KEY("logit_soft_cap", NUMBER, logit_soft_cap),
    HEED_KEY("logit_scale", NUMBER, logit_scale),
    HEED_KEY("residual_scale", NUMBER, residual_scale),
    HEED_KEY("embedding_width", COUNT, embedding_width),
    {.name = "embedding_order",
     .type = HEED_KEY_KIND,
     .flags = HEED_KEY_SPARSE,
     .field = HEED_PLACE(embedding_order),
     .names = embedding_order_names},
    HEED_KEY_AS("embedding_projected", FLAG, HEED_KEY_SPARSE, embedding_projected),
    HEED_KEY_AS("embedding_projection_bias", FLAG, HEED_KEY_SPARSE, projection_bias),
    HEED_KEY_AS("first_norm_absent", FLAG, HEED_KEY_SPARSE, first_norm_absent),
    HEED_KEY_AS("mask_scaling", FLAG, HEED_KEY_SPARSE, mask_scaling),
    HEED_KEY_AS("mask_token_id", COUNT, HEED_KEY_SPARSE, mask_id),
    HEED_KEY("alibi_bias_max", NUMBER, alibi_most),
    HEED_KEY("alibi_scaled", FLAG, alibi_scaled),
    HEED_KEY("alibi_rounded", FLAG, alibi_bf16),
    HEED_KEY("attention_bias", FLAG, query_bias),
    HEED_KEY("attention_output_bias", FLAG, output_bias),
    HEED_KEY("mlp_bias", FLAG, ffn_bias),
    HEED_KEY("lm_head_bias", FLAG, lm_bias),
    HEED_KEY("lm_head_transform", FLAG, lm_transform.dense),
    HEED_KEY("lm_head_transform_bias", FLAG, lm_transform.bias),
    HEED_KEY("lm_head_transform_norm", FLAG, lm_transform.norm),
    HEED_KEY("lm_head_own_activation", FLAG, lm_transform.own_activation),
    HEED_KEY("lm_head_activation", ACTIVATION, lm_transform.activation),
    HEED_KEY_NAMES("pooled_row", pooled_row_names, pooled_row),
    HEED_KEY("pooler", FLAG, pooler.dense),
    HEED_KEY("pooler_bias", FLAG, pooler.bias),
    HEED_KEY("pooler_norm", FLAG, pooler.norm),
    HEED_KEY("pooler_dropout", FLAG, pooler.dropout),
    HEED_KEY("pooler_every_row", FLAG, pooler.every_row),
    HEED_KEY("pooler_own_activation", FLAG, pooler.own_activation),
    HEED_KEY("pooler_activation", ACTIVATION, pooler.activation),
    HEED_KEY("embedding_scale", NUMBER, embedding_scale),
    HEED_KEY("logits_bias", FLAG, logits_bias),
    HEED_KEY_DROPOUT("embedding_dropout", embedding_dropout),
    HEED_KEY_DROPOUT("attention_dropout", attention_dropout),
    HEED_KEY_DROPOUT("residual_dropout", residual_dropout),
    HEED_KEY_DROPOUT("activation_dropout", activation_dropout),
    HEED_KEY_DROPOUT("classifier_dropout", classifier_dropout),
    HEED_KEY("initializer_range", NUMBER, initializer_range),
    HEED_KEY("decoder_start_token_id", ID, decoder_start_id),
    HEED_EVERY_WINDOW,
    HEED_KEY_ROTARY,
    {0},
};

/* clang-format off */
#define STACK(in, stem) \
    HEED_WEIGHT(TOKEN_EMBEDDING, in, 0, stem ".embed_tokens.weight"), \
    HEED_WEIGHT_LINEAR(EMBEDDING_PROJECTION, in, 0, stem ".project_in"), \
    HEED_WEIGHT(POSITION_EMBEDDING, in, 0, stem ".embed_positions.weight"), \
    HEED_WEIGHT(TYPE_EMBEDDING, in, 0, stem ".embed_types.weight"), \
    HEED_WEIGHT_NORM(EMBEDDING_NORM, in, 0, stem ".embed_norm"), \
    HEED_WEIGHT_NORM_AT(FFN_BEFORE, NORM, in, 0, stem ".layers.{i}.mlp_before_norm"), \
    HEED_WEIGHT_NORM_AT(FFN_BEFORE, POST_NORM, in, 0, stem ".layers.{i}.mlp_before_post_norm"), \
    HEED_WEIGHT_LINEAR_AT(FFN_BEFORE, GATE, in, 0, stem ".layers.{i}.mlp_before.gate_proj"), \
    HEED_WEIGHT_LINEAR_AT(FFN_BEFORE, UP, in, 0, stem ".layers.{i}.mlp_before.up_proj"), \
    HEED_WEIGHT_LINEAR_AT(FFN_BEFORE, DOWN, in, 0, stem ".layers.{i}.mlp_before.down_proj"), \
    HEED_WEIGHT_NORM_AT(ATTENTION, NORM, in, 0, stem ".layers.{i}.attention_norm"), \
    HEED_WEIGHT_NORM_AT(ATTENTION, POST_NORM, in, 0, stem ".layers.{i}.attention_post_norm"), \
    HEED_WEIGHT_LINEAR(QUERY, in, 0, stem ".layers.{i}.self_attn.q_proj"), \
    HEED_WEIGHT_LINEAR(KEY, in, 0, stem ".layers.{i}.self_attn.k_proj"), \
    HEED_WEIGHT_LINEAR(VALUE, in, 0, stem ".layers.{i}.self_attn.v_proj"), \
    HEED_WEIGHT_NORM(QUERY_NORM, in, 0, stem ".layers.{i}.self_attn.q_norm"), \
    HEED_WEIGHT_NORM(KEY_NORM, in, 0, stem ".layers.{i}.self_attn.k_norm"), \
    HEED_WEIGHT_LINEAR(OUTPUT, in, 0, stem ".layers.{i}.self_attn.o_proj"), \
    HEED_WEIGHT_NORM_AT(FFN, NORM, in, 0, stem ".layers.{i}.mlp_norm"), \
    HEED_WEIGHT_NORM_AT(FFN, POST_NORM, in, 0, stem ".layers.{i}.mlp_post_norm"), \
    HEED_WEIGHT_LINEAR(GATE, in, 0, stem ".layers.{i}.mlp.gate_proj"), \
    HEED_WEIGHT_LINEAR(UP, in, 0, stem ".layers.{i}.mlp.up_proj"), \
    HEED_WEIGHT_LINEAR(DOWN, in, 0, stem ".layers.{i}.mlp.down_proj"), \
    HEED_WEIGHT_NORM(FINAL_NORM, in, 0, stem ".norm"), \
    HEED_WEIGHT(OUTPUT_PROJECTION, in, 0, stem ".project_out.weight")
static const heed_weight_name weights[] = {
    HEED_WEIGHT(TOKEN_EMBEDDING, MODEL, 0, "embed_tokens.weight"),
    STACK(ENCODER, "encoder"),
    STACK(DECODER, "decoder"),
    HEED_WEIGHT_NORM_AT(CROSS, NORM, DECODER, 0, "decoder.layers.{i}.cross_norm"),
    HEED_WEIGHT_NORM_AT(CROSS, POST_NORM, DECODER, 0, "decoder.layers.{i}.cross_post_norm"),
    HEED_WEIGHT_LINEAR_AT(CROSS, QUERY, DECODER, 0, "decoder.layers.{i}.cross_attn.q_proj"),
    HEED_WEIGHT_LINEAR_AT(CROSS, KEY, DECODER, 0, "decoder.layers.{i}.cross_attn.k_proj"),
    HEED_WEIGHT_LINEAR_AT(CROSS, VALUE, DECODER, 0, "decoder.layers.{i}.cross_attn.v_proj"),
    HEED_WEIGHT_LINEAR_AT(CROSS, OUTPUT, DECODER, 0, "decoder.layers.{i}.cross_attn.o_proj"),
    HEED_WEIGHT_LINEAR(POOLER, MODEL, 0, "pooler"),
    HEED_WEIGHT_NORM(POOLER_NORM, MODEL, 0, "pooler_norm"),
    HEED_WEIGHT_LINEAR(TRANSFORM, MODEL, 0, "lm_transform.dense"),
    HEED_WEIGHT_NORM(TRANSFORM_NORM, MODEL, 0, "lm_transform.norm"),
    HEED_WEIGHT_LINEAR(LM, MODEL, 0, "lm_head"),
    HEED_WEIGHT(LOGITS_BIAS, MODEL, HEED_NAME_BUFFER | HEED_NAME_OPTIONAL, "logits_bias"),
    HEED_WEIGHT_LINEAR(RELATION, MODEL, 0, "relation"),
    HEED_WEIGHT_LINEAR(CLASS, MODEL, 0, "classifier"),
    HEED_WEIGHT_LINEAR(SPAN, MODEL, 0, "qa_outputs"),
    {0},
};
/* clang-format on */

static const char *const ignored[] = {NULL};
static const char *const prefixes[] = {"", NULL};
static const heed_architecture architectures[] = {
    HEED_CLASS("HeedForCausalLM", CAUSAL_LM),
    HEED_CLASS("HeedForMaskedLM", MASKED_LM),
    HEED_CLASS("HeedModel", BARE),
    HEED_CLASS_OF("HeedForPreTraining", HEED_HEAD_MASKED_LM, HEED_HEAD_NEXT_SENTENCE),
    HEED_CLASS("HeedForNextSentencePrediction", NEXT_SENTENCE),
    HEED_CLASS_OF("HeedForOrderPreTraining", HEED_HEAD_MASKED_LM, HEED_HEAD_SENTENCE_ORDER),
    HEED_CLASS("HeedForSentenceOrderPrediction", SENTENCE_ORDER),
    HEED_CLASS("HeedForReplacedTokenDetection", REPLACED_TOKEN),
    HEED_CLASS("HeedForSequenceClassification", SEQUENCE_CLASS),
    HEED_CLASS("HeedForTokenClassification", TOKEN_CLASS),
    HEED_CLASS("HeedForQuestionAnswering", QUESTION),
    HEED_CLASS("HeedForMultipleChoice", CHOICE),
    {0}};

const heed_family heed_family_heed = {
    .name = "heed",
    .preset = &preset,
    .keys = keys,
    .weights = weights,
    .ignored = ignored,
    .prefixes = prefixes,
    .architectures = architectures,
    .d_ff_factor = 8.0 / 3,
    .d_ff_multiple = 32,
    .initial = HEED_INITIAL_SCALED_RESIDUAL,
    .rotary_coverage = HEED_ROTARY_ROUNDED_UP,
    .trains_padding = true,
    .packs_positions = true,
};
