/* Falcon (Almazrouei et al. 2023) in its three forms: 7B has one key/value head and runs attention
   and feed-forward in parallel; 40B and 180B have groups of heads and a norm for each of the two;
   RW has ALiBi and runs them one after the other. */
#include "model/family/decoder_internal.h"
#include "model/family/gguf.h"

static const heed_config preset = {HEED_DECODER,
                                   HEED_ROPE(10000),
                                   .vocabulary = 65024,
                                   .d_model = 4544,
                                   .context = 2048,
                                   .decoder = {.layers = 32, .heads = 71, .d_ff = 18176},
                                   .norm = HEED_NORM_LAYER,
                                   .norm_place = HEED_NORM_PRE,
                                   .norm_eps = 1e-5,
                                   .norm_bias = true,
                                   .activation = HEED_UNARY_GELU,
                                   .scaled = true,
                                   .tied = true,
                                   .embedding_scale = 1,
                                   .classifier_dropout = 0.1,
                                   .initializer_range = 0.02,
                                   .pad_id = -1,
                                   .bos_id = 11,
                                   .eos_id = 11};

static const heed_key keys[] = {
    HEED_KEY("vocab_size", SIZE, vocabulary),
    HEED_KEY_READ("n_embed", SIZE, d_model),
    HEED_KEY("hidden_size", SIZE, d_model),
    HEED_KEY_READ("n_layer", COUNT, decoder.layers),
    HEED_KEY("num_hidden_layers", COUNT, decoder.layers),
    HEED_KEY_READ("n_head", SIZE, decoder.heads),
    HEED_KEY("num_attention_heads", SIZE, decoder.heads),
    HEED_KEY("ffn_hidden_size", COUNT, decoder.d_ff),
    HEED_KEY("activation", ACTIVATION, activation),
    HEED_KEY("max_position_embeddings", SIZE, context),
    HEED_KEY("layer_norm_epsilon", NUMBER, norm_eps),
    HEED_KEY("initializer_range", NUMBER, initializer_range),
    HEED_KEY("bias", FLAG, query_bias),
    HEED_KEY_DROPOUT("hidden_dropout", residual_dropout),
    HEED_KEY_DROPOUT("attention_dropout", attention_dropout),
    HEED_KEY_EITHER("alibi", HEED_POSITION_ROTARY, HEED_POSITION_ALIBI, position),
    HEED_KEY_READ("alibi", FLAG, alibi_scaled),
    HEED_KEY_READ("alibi", FLAG, alibi_bf16),
    HEED_KEY_READ("alibi", FLAG, counts_seen),
    HEED_KEY_OTHERS("new_decoder_architecture"),
    HEED_KEY_OTHERS("multi_query"),
    HEED_KEY_OTHERS("parallel_attn"),
    HEED_KEY_OTHERS("num_ln_in_parallel_attn"),
    HEED_KEY_OTHERS("n_head_kv"),
    HEED_KEY_OTHERS("num_kv_heads"),
    HEED_EQUALS(output_bias, query_bias),
    HEED_EQUALS(ffn_bias, query_bias),
    HEED_COMPUTED(decoder.head_width),
    HEED_CLASSIFIER_DROPOUT,
    HEED_KEY_ROTARY,
    {0},
};

static const heed_weight_name weights[] = {
    HEED_TENSOR(TOKEN_EMBEDDING, MODEL, "word_embeddings.weight"),
    HEED_TENSOR_AT(ATTENTION, NORM_GAIN, HEED_NAME_ONE_NORM, "h.{i}.input_layernorm.weight"),
    HEED_TENSOR_AT(ATTENTION, NORM_BIAS, HEED_NAME_ONE_NORM, "h.{i}.input_layernorm.bias"),
    HEED_TENSOR_AT(ATTENTION, NORM_GAIN, HEED_NAME_TWO_NORMS, "h.{i}.ln_attn.weight"),
    HEED_TENSOR_AT(ATTENTION, NORM_BIAS, HEED_NAME_TWO_NORMS, "h.{i}.ln_attn.bias"),
    HEED_TENSOR_AT(FFN, NORM_GAIN, HEED_NAME_TWO_NORMS, "h.{i}.ln_mlp.weight"),
    HEED_TENSOR_AT(FFN, NORM_BIAS, HEED_NAME_TWO_NORMS, "h.{i}.ln_mlp.bias"),
    HEED_TENSOR_FUSED(QUERY_WEIGHT, 3, HEED_NAME_GROUPED,
                      "h.{i}.self_attention.query_key_value.weight"),
    HEED_TENSOR_FUSED(QUERY_BIAS, 3, HEED_NAME_GROUPED,
                      "h.{i}.self_attention.query_key_value.bias"),
    HEED_LINEAR(OUTPUT, "h.{i}.self_attention.dense"),
    HEED_TENSOR_AT(FFN, NORM_GAIN, HEED_NAME_ONE_NORM, "h.{i}.post_attention_layernorm.weight"),
    HEED_TENSOR_AT(FFN, NORM_BIAS, HEED_NAME_ONE_NORM, "h.{i}.post_attention_layernorm.bias"),
    HEED_LINEAR(UP, "h.{i}.mlp.dense_h_to_4h"),
    HEED_LINEAR(DOWN, "h.{i}.mlp.dense_4h_to_h"),
    HEED_NORM(FINAL_NORM, "ln_f"),
    HEED_TENSOR_HEAD(LM_WEIGHT, 0, "lm_head.weight"),
    HEED_HEADS_CLASSIFIER,
    {0}};

static const char *const ignored[] = {"h.{i}.self_attention.rotary_emb.inv_freq", NULL};
static const char *const prefixes[] = {"transformer.", "", NULL};
static const heed_architecture architectures[] = {HEED_CLASSES("Falcon"), {0}};

static heed_status fix(heed_config *config, const json_t *json, const char *where,
                       heed_error *error)
{
    bool groups = false, one = true, parallel = true;
    int64_t norms = 0, kv_heads = config->decoder.heads;
    HEED_TRY(heed_json_boolean(json, "new_decoder_architecture", &groups, where, error));
    HEED_TRY(heed_json_boolean(json, "multi_query", &one, where, error));
    HEED_TRY(heed_json_boolean(json, "parallel_attn", &parallel, where, error));
    HEED_TRY(heed_json_integer(json, "num_ln_in_parallel_attn", &norms, where, error));
    HEED_TRY(heed_json_integer(json, "n_head_kv", &kv_heads, where, error));
    HEED_TRY(heed_json_integer(json, "num_kv_heads", &kv_heads, where, error));
    if (groups && !parallel)
        return heed_fail(
            error, HEED_E_UNSUPPORTED,
            "%s: new_decoder_architecture without parallel_attn; expected both, or neither", where);
    config->decoder.kv_heads = one ? 1 : config->decoder.heads;
    config->residual = parallel ? HEED_RESIDUAL_PARALLEL : HEED_RESIDUAL_SERIAL;
    if (groups) {
        config->decoder.kv_heads = kv_heads;
        if (norms != 1) config->residual = HEED_RESIDUAL_PARALLEL_TWO_NORMS;
    }
    return HEED_OK;
}

static bool write_config(const heed_config *config, json_t *json)
{
    const int64_t heads = config->decoder.heads, kv_heads = config->decoder.kv_heads;
    bool two_norms = config->residual == HEED_RESIDUAL_PARALLEL_TWO_NORMS;
    bool groups = two_norms || (kv_heads > 1 && kv_heads < heads);
    const int64_t norms = two_norms ? 2 : 1;
    struct {
        const char *key;
        bool value;
    } flags[] = {
        {"new_decoder_architecture", groups},
        {"multi_query", kv_heads == 1},
        {"parallel_attn", config->residual != HEED_RESIDUAL_SERIAL},
    };
    bool ok = json_object_set_new(json, "num_kv_heads", json_integer(kv_heads)) == 0 &&
              json_object_set_new(json, "num_ln_in_parallel_attn",
                                  groups ? json_integer(norms) : json_null()) == 0;
    for (size_t i = 0; ok && i < sizeof flags / sizeof *flags; i++)
        ok = json_object_set_new(json, flags[i].key, json_boolean(flags[i].value)) == 0;
    return ok;
}

/* If there are two norms, the one before attention is called the second. */
static const heed_weight_name gguf_weights[] = {
    HEED_GGUF_EMBEDDINGS,
    HEED_GGUF_NORM_AT(ATTENTION, NORM, HEED_NAME_ONE_NORM, "attn_norm"),
    HEED_GGUF_NORM_AT(ATTENTION, NORM, HEED_NAME_TWO_NORMS, "attn_norm_2"),
    HEED_GGUF_NORM_AT(FFN, NORM, HEED_NAME_TWO_NORMS, "attn_norm"),
    HEED_GGUF_FUSED,
    HEED_GGUF_ATTENTION(0),
    HEED_GGUF_FEED_FORWARD,
    HEED_GGUF_OUTPUT};

static const heed_key gguf_keys[] = {
    HEED_GGUF_KEYS, HEED_SETS(residual, HEED_RESIDUAL_PARALLEL), {0}};

static const heed_gguf_names gguf = {
    .architecture = "falcon",
    .keys = gguf_keys,
    .weights = gguf_weights,
};

const heed_family heed_family_falcon = {
    .name = "falcon",
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
    .fix = fix,
    .write = write_config,
};
