/* GPT-2 (Radford et al. 2019): pre-norm decoder, learned positions, matrices stored (I,O), one
   tensor for q, k and v. */
#include "model/family.h"

static const heed_config preset = {
    .arrangement = HEED_DECODER_ONLY,
    .vocabulary = 50257,
    .d_model = 768,
    .context = 1024,
    .decoder = {.layers = 12, .heads = 12},
    .norm = HEED_NORM_LAYER,
    .norm_place = HEED_NORM_PRE,
    .norm_eps = 1e-5,
    .norm_bias = true,
    .final_norm = true,
    .activation = HEED_UNARY_GELU_TANH,
    .position = HEED_POSITION_LEARNED,
    .causal = true,
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
    .eos_id = 50256,
    .decoder_start_id = -1,
    .use_cache = true,
};

static const heed_key keys[] = {
    HEED_KEY("vocab_size", SIZE, vocabulary),
    HEED_KEY("n_positions", SIZE, context),
    HEED_KEY("n_embd", SIZE, d_model),
    HEED_KEY("n_layer", COUNT, decoder.layers),
    HEED_KEY("n_head", SIZE, decoder.heads),
    HEED_KEY("n_inner", COUNT, decoder.d_ff),
    HEED_KEY("activation_function", ACTIVATION, activation),
    HEED_KEY_DROPOUT("resid_pdrop", residual_dropout),
    HEED_KEY_DROPOUT("embd_pdrop", embedding_dropout),
    HEED_KEY_DROPOUT("attn_pdrop", attention_dropout),
    HEED_KEY("layer_norm_epsilon", NUMBER, norm_eps),
    HEED_KEY("initializer_range", NUMBER, initializer_range),
    HEED_KEY("scale_attn_weights", FLAG, scaled),
    HEED_KEY("scale_attn_by_inverse_layer_idx", FLAG, scale_by_layer),
    {0},
};

/* clang-format off */
#define LAYER(symbol, flag, suffix) \
    {.role = HEED_ROLE_##symbol, .stack_id = HEED_STACK_DECODER, .flags = HEED_NAME_BASE | (flag), \
     .name = "h.{i}." suffix}
#define SPLIT(symbol, flag, suffix) \
    {.role = HEED_ROLE_##symbol, .stack_id = HEED_STACK_DECODER, .fused = 3, \
     .flags = HEED_NAME_BASE | (flag), .name = "h.{i}." suffix}
#define BASE(symbol, in, text) \
    {.role = HEED_ROLE_##symbol, .stack_id = HEED_STACK_##in, .flags = HEED_NAME_BASE, .name = text}
#define HEAD(symbol, kinds, text) \
    {.role = HEED_ROLE_##symbol, .stack_id = HEED_STACK_MODEL, .heads = (kinds), .name = text}
/* clang-format on */
static const heed_weight_name weights[] = {
    BASE(TOKEN_EMBEDDING, MODEL, "wte.weight"),
    BASE(POSITION_EMBEDDING, DECODER, "wpe.weight"),
    LAYER(ATTENTION_NORM_GAIN, 0, "ln_1.weight"),
    LAYER(ATTENTION_NORM_BIAS, 0, "ln_1.bias"),
    SPLIT(QUERY_WEIGHT, HEED_NAME_INPUT_FIRST, "attn.c_attn.weight"),
    SPLIT(QUERY_BIAS, 0, "attn.c_attn.bias"),
    LAYER(OUTPUT_WEIGHT, HEED_NAME_INPUT_FIRST, "attn.c_proj.weight"),
    LAYER(OUTPUT_BIAS, 0, "attn.c_proj.bias"),
    LAYER(FFN_NORM_GAIN, 0, "ln_2.weight"),
    LAYER(FFN_NORM_BIAS, 0, "ln_2.bias"),
    LAYER(UP_WEIGHT, HEED_NAME_INPUT_FIRST, "mlp.c_fc.weight"),
    LAYER(UP_BIAS, 0, "mlp.c_fc.bias"),
    LAYER(DOWN_WEIGHT, HEED_NAME_INPUT_FIRST, "mlp.c_proj.weight"),
    LAYER(DOWN_BIAS, 0, "mlp.c_proj.bias"),
    BASE(FINAL_NORM_GAIN, DECODER, "ln_f.weight"),
    BASE(FINAL_NORM_BIAS, DECODER, "ln_f.bias"),
    HEAD(LM_WEIGHT, 0, "lm_head.weight"),
    HEAD(CLASS_WEIGHT, 1 << HEED_HEAD_SEQUENCE_CLASS, "score.weight"),
    HEAD(CLASS_WEIGHT, 1 << HEED_HEAD_TOKEN_CLASS, "classifier.weight"),
    HEAD(CLASS_BIAS, 1 << HEED_HEAD_TOKEN_CLASS, "classifier.bias"),
    HEAD(SPAN_WEIGHT, 0, "qa_outputs.weight"),
    HEAD(SPAN_BIAS, 0, "qa_outputs.bias"),
    {0}};

static const char *const ignored[] = {"h.{i}.attn.bias", "h.{i}.attn.masked_bias",
                                      "multiple_choice_head.summary.weight",
                                      "multiple_choice_head.summary.bias", NULL};
static const char *const prefixes[] = {"transformer.", "", NULL};
static const heed_architecture architectures[] = {
    {"GPT2LMHeadModel", HEED_HEAD_CAUSAL_LM},
    {"GPT2Model", HEED_HEAD_NONE},
    {"GPT2ForSequenceClassification", HEED_HEAD_SEQUENCE_CLASS},
    {"GPT2ForTokenClassification", HEED_HEAD_TOKEN_CLASS},
    {"GPT2ForQuestionAnswering", HEED_HEAD_QUESTION},
    {0}};

static void derive(heed_config *config)
{
    config->decoder.kv_heads = config->decoder.heads;
    config->decoder.head_width = 0;
}

static heed_status fix(heed_config *config, const json_t *json, const char *where,
                       heed_error *error)
{
    bool cross = false;
    HEED_TRY(heed_json_boolean(json, "add_cross_attention", &cross, where, error));
    if (cross)
        return heed_fail(
            error, HEED_E_UNSUPPORTED,
            "%s: add_cross_attention is true; only GPT-2 without cross attention is supported",
            where);
    /* Token classification drops by classifier_dropout, else by hidden_dropout, else by 0.1. */
    HEED_TRY(heed_json_number(json, "hidden_dropout", &config->classifier_dropout, where, error));
    return heed_json_number(json, "classifier_dropout", &config->classifier_dropout, where, error);
}

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
    .derive = derive,
    .fix = fix,
};
