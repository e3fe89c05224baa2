/* Llama (Touvron et al. 2023): pre-norm decoder, RMS norms, rotary positions, SwiGLU, grouped heads. Mistral and Qwen2 share its names. */
#include "model/family/llama.h"

static const heed_config preset = {
    .arrangement = HEED_DECODER_ONLY, .vocabulary = 32000, .width = 4096, .context = 2048,
    .decoder = {.layers = 32, .heads = 32, .inner = 11008},
    .norm = HEED_NORM_RMS, .norm_place = HEED_NORM_PRE, .norm_eps = 1e-6, .final_norm = true,
    .activation = HEED_UNARY_SILU, .gated = true, .position = HEED_POSITION_ROTARY, .rope = {.base = 10000, .fraction = 1, .truncate = true},
    .causal = true, .scaled = true, .embedding_scale = 1, .classifier_dropout = 0.1, .initializer_range = 0.02,
    .pad_id = -1, .bos_id = 1, .eos_id = 2, .decoder_start_id = -1, .use_cache = true};

static const heed_key keys[] = {
    HEED_LLAMA_KEYS,
    HEED_KEY("attention_bias", FLAG, query_bias),
    HEED_KEY("mlp_bias", FLAG, ffn_bias),
    {0}};

#define LAYER(symbol, suffix) {.role = HEED_ROLE_##symbol, .part = HEED_PART_DECODER, .flags = HEED_NAME_BASE, .name = "layers.{i}." suffix}
#define BASE(symbol, in, text) {.role = HEED_ROLE_##symbol, .part = HEED_PART_##in, .flags = HEED_NAME_BASE, .name = text}
#define HEAD(symbol, text) {.role = HEED_ROLE_##symbol, .part = HEED_PART_MODEL, .name = text}
const heed_weight_name heed_llama_weights[] = {
    BASE(TOKEN_EMBEDDING, MODEL, "embed_tokens.weight"),
    LAYER(ATTENTION_NORM_GAIN, "input_layernorm.weight"),
    LAYER(QUERY_WEIGHT, "self_attn.q_proj.weight"),
    LAYER(QUERY_BIAS, "self_attn.q_proj.bias"),
    LAYER(KEY_WEIGHT, "self_attn.k_proj.weight"),
    LAYER(KEY_BIAS, "self_attn.k_proj.bias"),
    LAYER(VALUE_WEIGHT, "self_attn.v_proj.weight"),
    LAYER(VALUE_BIAS, "self_attn.v_proj.bias"),
    LAYER(OUTPUT_WEIGHT, "self_attn.o_proj.weight"),
    LAYER(OUTPUT_BIAS, "self_attn.o_proj.bias"),
    LAYER(FFN_NORM_GAIN, "post_attention_layernorm.weight"),
    LAYER(GATE_WEIGHT, "mlp.gate_proj.weight"),
    LAYER(GATE_BIAS, "mlp.gate_proj.bias"),
    LAYER(UP_WEIGHT, "mlp.up_proj.weight"),
    LAYER(UP_BIAS, "mlp.up_proj.bias"),
    LAYER(DOWN_WEIGHT, "mlp.down_proj.weight"),
    LAYER(DOWN_BIAS, "mlp.down_proj.bias"),
    BASE(FINAL_NORM_GAIN, DECODER, "norm.weight"),
    HEAD(LM_WEIGHT, "lm_head.weight"),
    HEAD(CLASS_WEIGHT, "score.weight"),
    HEAD(CLASS_BIAS, "score.bias"),
    HEAD(SPAN_WEIGHT, "qa_outputs.weight"),
    HEAD(SPAN_BIAS, "qa_outputs.bias"),
    {0}};
const char *const heed_llama_ignored[] = {"layers.{i}.self_attn.rotary_emb.inv_freq", "rotary_emb.inv_freq", NULL};
const char *const heed_llama_prefixes[] = {"model.", "transformer.", "", NULL};

static const heed_architecture architectures[] = {
    {"LlamaForCausalLM", HEED_HEAD_CAUSAL_LM}, {"LlamaModel", HEED_HEAD_NONE}, {"LlamaForSequenceClassification", HEED_HEAD_SEQUENCE_CLASS},
    {"LlamaForTokenClassification", HEED_HEAD_TOKEN_CLASS}, {"LlamaForQuestionAnswering", HEED_HEAD_QUESTION}, {0}};

static void derive(heed_config *config)
{
    config->output_bias = config->query_bias;
}

heed_status heed_llama_fix(heed_config *config, const json_t *json, const char *where, heed_error *error)
{
    HEED_TRY(heed_json_number(json, "hidden_dropout", &config->classifier_dropout, where, error));
    HEED_TRY(heed_json_number(json, "classifier_dropout", &config->classifier_dropout, where, error));
    return heed_rope_read(config, json, where, error);
}

const heed_family heed_family_llama = {
    .name = "llama", .preset = &preset, .keys = keys, .weights = heed_llama_weights, .ignored = heed_llama_ignored,
    .prefixes = heed_llama_prefixes, .architectures = architectures, .inner_factor = 8.0 / 3, .inner_multiple = 32,
    .packs_positions = true, .is_published = true, .derive = derive, .fix = heed_llama_fix, .write = heed_rope_write};
