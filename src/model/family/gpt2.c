/* GPT-2 (Radford et al. 2019): pre-norm decoder, learned positions, matrices stored (I,O), one
   tensor for q, k and v. */
#include "model/family/gpt2.h"

static const heed_config preset = {HEED_DECODER,
                                   .vocabulary = 50257,
                                   .d_model = 768,
                                   .context = 1024,
                                   .decoder = {.layers = 12, .heads = 12},
                                   .norm = HEED_NORM_LAYER,
                                   .norm_place = HEED_NORM_PRE,
                                   .norm_eps = 1e-5,
                                   .norm_bias = true,
                                   .activation = HEED_UNARY_GELU_TANH,
                                   .position = HEED_POSITION_LEARNED,
                                   .scaled = true,
                                   .query_bias = true,
                                   .output_bias = true,
                                   .ffn_bias = true,
                                   .embedding_scale = 1,
                                   .tied = true,
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
    HEED_KEY("scale_attn_by_inverse_layer_idx", FLAG, scale_by_layer),
    HEED_KEY_SUPPORTS("add_cross_attention", "false"),
    HEED_MULTI_HEAD,
    HEED_CLASSIFIER_DROPOUT,
    {0},
};

/* A linear layer whose matrix is stored (I,O), as GPT-2's Conv1D is. */
/* clang-format off */
#define CONV1D(symbol, stem) \
    HEED_TENSOR_AS(symbol##_WEIGHT, DECODER, HEED_NAME_INPUT_FIRST, stem ".weight"), \
    HEED_TENSOR(symbol##_BIAS, DECODER, stem ".bias")
/* clang-format on */
static const heed_weight_name weights[] = {
    HEED_TENSOR(TOKEN_EMBEDDING, MODEL, "wte.weight"),
    HEED_TENSOR(POSITION_EMBEDDING, DECODER, "wpe.weight"),
    HEED_NORM_AT(ATTENTION, NORM, "h.{i}.ln_1"),
    HEED_TENSOR_FUSED(QUERY_WEIGHT, 3, HEED_NAME_INPUT_FIRST, "h.{i}.attn.c_attn.weight"),
    HEED_TENSOR_FUSED(QUERY_BIAS, 3, 0, "h.{i}.attn.c_attn.bias"),
    CONV1D(OUTPUT, "h.{i}.attn.c_proj"),
    HEED_NORM_AT(FFN, NORM, "h.{i}.ln_2"),
    CONV1D(UP, "h.{i}.mlp.c_fc"),
    CONV1D(DOWN, "h.{i}.mlp.c_proj"),
    HEED_NORM(FINAL_NORM, "ln_f"),
    HEED_TENSOR_HEAD(LM_WEIGHT, 0, "lm_head.weight"),
    HEED_HEADS_CLASSIFIER,
    {0}};

static const char *const ignored[] = {"h.{i}.attn.bias", "h.{i}.attn.masked_bias",
                                      "multiple_choice_head.summary.weight",
                                      "multiple_choice_head.summary.bias", NULL};
static const char *const prefixes[] = {"transformer.", "", NULL};
static const heed_architecture architectures[] = {
    HEED_CLASS("GPT2LMHeadModel", CAUSAL_LM),
    HEED_CLASS("GPT2Model", BARE),
    HEED_CLASS("GPT2ForSequenceClassification", SEQUENCE_CLASS),
    HEED_CLASS("GPT2ForTokenClassification", TOKEN_CLASS),
    HEED_CLASS("GPT2ForQuestionAnswering", QUESTION),
    {0}};

static const heed_gguf_names gguf = {
    .architecture = "gpt2", .keys = heed_gguf_keys, .weights = heed_gguf_fused_weights};

const heed_family heed_family_gpt2 = {
    .name = "gpt2",
    .preset = &preset,
    .keys = keys,
    .weights = weights,
    .ignored = ignored,
    .prefixes = prefixes,
    .architectures = architectures,
    .gguf = &gguf,
    .d_ff_factor = 4,
    .d_ff_multiple = 1,
    .initial = HEED_INITIAL_SCALED_RESIDUAL,
    .trains_padding = true,
    .packs_positions = true,
    .is_published = true,
};
