/* heed: a family for research, whose config.json may combine all kinds. Its names are those of
   Llama for what Llama has. */
#include "model/family/decoder_internal.h"

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
    HEED_WEIGHT(CONTACT_WEIGHT, MODEL, HEED_NAME_BUFFER, "contacts.weight"),
    HEED_WEIGHT(CONTACT_BIAS, MODEL, HEED_NAME_BUFFER, "contacts.bias"),
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
    .keys = heed_field_keys,
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
    .is_general = true,
};
