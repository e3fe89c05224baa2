/* MPT (MosaicML 2023): ALiBi, layer norms without bias, no biases elsewhere, q, k and v in one
   tensor. */
#include "model/family/decoder_internal.h"
#include "model/family/gguf.h"

#include <math.h>

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

static const heed_key keys[] = {
    HEED_KEY("vocab_size", SIZE, vocabulary),
    HEED_KEY("d_model", SIZE, d_model),
    HEED_KEY("n_layers", COUNT, decoder.layers),
    HEED_KEY("n_heads", SIZE, decoder.heads),
    HEED_KEY("max_seq_len", SIZE, context),
    HEED_KEY("layer_norm_epsilon", NUMBER, norm_eps),
    HEED_KEY("initializer_range", NUMBER, initializer_range),
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

static void derive(heed_config *config)
{
    heed_multi_head_derive(config);
    config->decoder.d_ff = 0;
}

/* An object of its own has the settings of attention. Its dropout also holds for the sublayers. */
static heed_status fix(heed_config *config, const json_t *json, const char *where,
                       heed_error *error)
{
    const json_t *attention = json_object_get(json, "attn_config");
    bool alibi = true, normed = false;
    HEED_TRY(heed_classifier_dropout_read(config, json, where, error));
    if (!json_is_object(attention)) return HEED_OK;
    HEED_TRY(heed_json_boolean(attention, "alibi", &alibi, where, error));
    HEED_TRY(heed_json_boolean(attention, "qk_ln", &normed, where, error));
    HEED_TRY(heed_json_number(attention, "clip_qkv", &config->qkv_clip, where, error));
    HEED_TRY(heed_json_number(attention, "alibi_bias_max", &config->alibi_most, where, error));
    HEED_TRY(heed_json_number(attention, "softmax_scale", &config->attention_scale, where, error));
    HEED_TRY(heed_json_number(attention, "attn_pdrop", &config->attention_dropout, where, error));
    if (!alibi || normed)
        return heed_fail(error, HEED_E_UNSUPPORTED,
                         "%s: attn_config: only MPT with alibi and without qk_ln is supported",
                         where);
    if (!(config->qkv_clip >= 0))
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: attn_config: clip_qkv is %g; expected a positive number or null",
                         where, config->qkv_clip);
    if (!(config->attention_dropout >= 0 && config->attention_dropout < 1) ||
        !(config->attention_scale >= 0))
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: attn_config: attn_pdrop is %g, softmax_scale %g; expected a rate "
                         "from 0 to below 1, a positive number or null",
                         where, config->attention_dropout, config->attention_scale);
    config->residual_dropout = config->attention_dropout;
    return HEED_OK;
}

/* Returns an integer if the number is integral, because transformers then accepts nothing else for
   these two keys. */
static json_t *number(double x)
{
    bool integral = fabs(x) < 0x1p53 && x == (double)(json_int_t)x;
    return integral ? json_integer((json_int_t)x) : json_real(x);
}

static bool write_config(const heed_config *config, json_t *json)
{
    json_t *attention = json_pack("{s:b, s:o, s:o}", "alibi", 1, "alibi_bias_max",
                                  number(config->alibi_most), "attn_pdrop",
                                  number(config->attention_dropout));
    bool ok = attention != NULL;
    if (ok && config->qkv_clip > 0)
        ok = json_object_set_new(attention, "clip_qkv", json_real(config->qkv_clip)) == 0;
    json_t *scale = config->attention_scale > 0 ? json_real(config->attention_scale) : json_null();
    ok = ok && json_object_set_new(attention, "softmax_scale", scale) == 0 &&
         json_object_set(json, "attn_config", attention) == 0;
    json_decref(attention);
    return ok;
}

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
    .derive = derive,
    .fix = fix,
    .write = write_config,
};
