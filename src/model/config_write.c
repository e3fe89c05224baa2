/* Recognizes the published family of a configuration, and writes config.json. */
#include "model/head/head.h"
#include "tensor/dtype.h"

#include <string.h>

static void copy_keys(heed_config *to, const heed_config *from, const heed_key *keys)
{
    for (; keys->name; keys++)
        if (heed_key_has_field(keys)) heed_config_copy_field(to, from, keys->field);
}

/* Are both the same model? Dropout rates do not count. */
static bool same_model(const heed_config *a, const heed_config *b)
{
    for (const heed_key *key = heed_family_heed.keys; key->name; key++)
        if (key->type != HEED_KEY_RATE && heed_key_has_field(key) &&
            !heed_config_fields_equal(a, b, key->field))
            return false;
    if (a->experts != b->experts || a->sinks != b->sinks) return false;
    return a->rope.kind == b->rope.kind && a->rope.base == b->rope.base &&
           a->rope.fraction == b->rope.fraction &&
           (a->window == 0 || memcmp(a->windowed, b->windowed, sizeof a->windowed) == 0);
}

/* Returns the first class of a family that has these heads; NULL if there is none. */
static const heed_architecture *class_of(const heed_family *family, const uint8_t *heads)
{
    for (const heed_architecture *known = family->architectures; known->name; known++)
        if (heed_head_lists_equal(known->heads, heads)) return known;
    return NULL;
}

/* Writes to *out how `family` would read the configuration back: its preset with every field that
   its keys can express. Returns whether that is the same model. */
static bool expressed_by(const heed_config *config, const heed_family *family, heed_config *out)
{
    const heed_architecture *known = class_of(family, config->heads);
    if (!family->is_published || !known || family->preset->arrangement != config->arrangement)
        return false;
    heed_config as = *family->preset;
    heed_error ignored = {0};
    as.family = family;
    copy_keys(&as, config, family->keys);
    copy_keys(&as, config, heed_common_keys);
    /* Fields that the families' own functions read and write. */
    heed_config_set_class(&as, known);
    as.labels = config->labels;
    as.problem = config->problem;
    as.dtype = config->dtype;
    as.rope = config->rope;
    as.rope.interleaved = family->preset->rope.interleaved;
    as.source_vocabulary = config->source_vocabulary;
    /* only encoder-decoder families let a model choose it */
    if (as.arrangement == HEED_ENCODER_DECODER) as.embedding_scale = config->embedding_scale;
    as.initializer_range = config->initializer_range;
    as.embedding_dropout = config->embedding_dropout;
    as.classifier_dropout = config->classifier_dropout;
    as.decoder_start_id = config->decoder_start_id;
    as.more_eos = config->more_eos;
    if (as.position != HEED_POSITION_ROTARY) as.rope = family->preset->rope;
    if (heed_config_complete(&as, "config", &ignored) != HEED_OK) return false;
    heed_config of = *config;
    if (of.position != HEED_POSITION_ROTARY) of.rope = as.rope;
    *out = as;
    return same_model(&as, &of);
}

const heed_family *heed_config_written_family(const heed_config *config, heed_config *as)
{
    *as = *config;
    if (strcmp(config->family->name, "heed") != 0) return config->family;
    for (size_t i = 0; i < heed_family_count(); i++) {
        heed_config candidate;
        if (!expressed_by(config, heed_family_at(i), &candidate)) continue;
        *as = candidate;
        return heed_family_at(i);
    }
    return config->family;
}

const char *heed_config_written_as(const heed_config *config)
{
    heed_config as;
    return heed_config_written_family(config, &as)->name;
}

static bool write_labels(const heed_config *config, json_t *json)
{
    static const char *const problems[] = {NULL, "regression", "single_label_classification",
                                           "multi_label_classification"};
    if (config->problem != HEED_PROBLEM_UNKNOWN &&
        json_object_set_new(json, "problem_type", json_string(problems[config->problem])) != 0)
        return false;
    if (!heed_head_any(config, HEED_TRAIT_NAMES_CLASSES)) return true;
    json_t *names = json_object(), *ids = json_object();
    bool ok = names && ids;
    for (int64_t i = 0; ok && i < config->labels; i++) {
        char id[24], name[32];
        snprintf(id, sizeof id, "%lld", (long long)i);
        snprintf(name, sizeof name, "LABEL_%lld", (long long)i);
        ok = json_object_set_new(names, id, json_string(name)) == 0 &&
             json_object_set_new(ids, name, json_integer(i)) == 0;
    }
    ok = ok && json_object_set(json, "id2label", names) == 0 &&
         json_object_set(json, "label2id", ids) == 0;
    json_decref(names);
    json_decref(ids);
    return ok;
}

static const char *architecture_of(const heed_config *config)
{
    const heed_architecture *known = class_of(config->family, config->heads);
    return known ? known->name : config->family->architectures->name;
}

static const char *dtype_name(int64_t dtype)
{
    if (dtype == HEED_F16) return "float16";
    return dtype == HEED_BF16 ? "bfloat16" : "float32";
}

/* ---- what a file cannot say ---- */

/* clang-format off */
#define INTEGER(text, field) \
    {.what = (text), .bytes = sizeof(int64_t), .offset = offsetof(heed_config, field)}
#define REAL(text, field) \
    {.what = (text), .bytes = sizeof(double), .offset = offsetof(heed_config, field)}
#define FLAG(text, field) \
    {.what = (text), .bytes = sizeof(bool), .offset = offsetof(heed_config, field)}
/* clang-format on */
/* Properties that only some families have a key for. */
typedef struct property {
    const char *what;
    size_t bytes, offset;
} property;
static const property properties[] = {
    INTEGER("kind of norm", norm),
    INTEGER("place of norms", norm_place),
    INTEGER("order of sublayers", residual),
    INTEGER("norm of queries and keys", qk_norm),
    FLAG("biases of norms of queries and keys", qk_norm_bias),
    FLAG("biases of norms", norm_bias),
    FLAG("norm of the embedding", embedding_norm),
    FLAG("norm of the first layer", first_norm_absent),
    FLAG("scaling by the share of masks", mask_scaling),
    INTEGER("width of the encoder", encoder.width),
    INTEGER("layers that the encoder's layers share", encoder.own_layers),
    INTEGER("layers of the encoder's groups", encoder.group_layers),
    INTEGER("width of the decoder", decoder.width),
    INTEGER("layers that the decoder's layers share", decoder.own_layers),
    INTEGER("layers of the decoder's groups", decoder.group_layers),
    INTEGER("order of the embedding", embedding_order),
    FLAG("projection of the embedding", embedding_projected),
    FLAG("bias of the embedding's projection", projection_bias),
    REAL("norms' epsilon", norm_eps),
    REAL("scale of the embedding", embedding_scale),
    REAL("scale of sublayers", residual_scale),
    REAL("scale of logits", logit_scale),
    REAL("cap of logits", logit_soft_cap),
    REAL("cap of scores", attention_soft_cap),
    FLAG("scaling of scores", scaled),
    REAL("scale of scores", attention_scale),
    INTEGER("scale of scores (query_pre_attn_scalar)", scale_width),
    FLAG("scaling of scores by layer", scale_by_layer),
    REAL("limit of queries, keys and values", qkv_clip),
    FLAG("attention sinks", sinks),
    INTEGER("kind of positions", position),
    FLAG("order of rotary pairs", rope.interleaved),
    REAL("slopes of ALiBi", alibi_most),
    FLAG("scale of ALiBi", alibi_scaled),
    REAL("rotary base of layers with a window", rope_local.base),
    INTEGER("rotary kind of layers with a window", rope_local.kind),
    INTEGER("window", window),
    INTEGER("activation", activation),
    FLAG("gate of the feed-forward", gated),
    INTEGER("number of experts", experts),
    INTEGER("choice of experts", experts_per_token),
    INTEGER("router", router),
    FLAG("norm_topk_prob", router_renormalized),
    FLAG("biases of the router", router_bias),
    FLAG("biases of experts", expert_bias),
    INTEGER("width of experts", expert_d_ff),
    INTEGER("width of the shared expert", shared_d_ff),
    INTEGER("step between layers with experts", expert_step),
    REAL("swiglu_alpha", swiglu_alpha),
    REAL("swiglu_limit", swiglu_limit),
    INTEGER("key and value heads", decoder.kv_heads),
    INTEGER("width of heads", decoder.head_width),
    INTEGER("width of the feed-forward", decoder.d_ff)};
/* Properties that a GGUF file expresses by having a tensor or not. */
static const property by_tensors[] = {
    FLAG("biases of queries, keys and values", query_bias),
    FLAG("biases of attention's output", output_bias), FLAG("biases of the feed-forward", ffn_bias),
    FLAG("bias of the output matrix", lm_bias), FLAG("tied embedding", tied)};
/* Properties that GGUF files express with other keys. */
static const property rotary[] = {
    INTEGER("kind of rotary positions", rope.kind),
    REAL("rotary base", rope.base),
    REAL("share of rotary channels", rope.fraction),
};
#undef INTEGER
#undef REAL
#undef FLAG

static const char *first_difference(const heed_config *a, const heed_config *b,
                                    const property *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp((const char *)a + list[i].offset, (const char *)b + list[i].offset,
                   list[i].bytes) != 0)
            return list[i].what;
    return NULL;
}

const char *heed_config_difference(const heed_config *a, const heed_config *b)
{
    return first_difference(a, b, properties, sizeof properties / sizeof *properties);
}

/* Refuses to write a config.json that would be read as another model. A model from a GGUF file may
   have properties that the family's config.json cannot express. */
static heed_status check_said(const heed_config *config, const json_t *json, heed_error *error)
{
    heed_config back;
    heed_error problem = {0};
    if (heed_config_read(&back, json, "config.json", &problem) != HEED_OK)
        return heed_fail(error, problem.status == HEED_E_NOMEM ? HEED_E_NOMEM : HEED_E_UNSUPPORTED,
                         "the config.json of family %s cannot say this model: %s",
                         config->family->name, problem.message);
    const char *other = heed_config_difference(config, &back);
    if (!other)
        other = first_difference(config, &back, by_tensors, sizeof by_tensors / sizeof *by_tensors);
    if (!other && config->position == HEED_POSITION_ROTARY)
        other = first_difference(config, &back, rotary, sizeof rotary / sizeof *rotary);
    for (int64_t i = 0; !other && i < config->decoder.layers; i++) {
        if (heed_config_windowed(config, i) != heed_config_windowed(&back, i))
            other = "layers with a window";
        if (heed_config_has_experts(config, i) != heed_config_has_experts(&back, i))
            other = "layers without experts";
    }
    if (!other) return HEED_OK;
    return heed_fail(error, HEED_E_UNSUPPORTED,
                     "the config.json of family %s cannot say this model's %s",
                     config->family->name, other);
}

heed_status heed_config_write(const heed_config *config, json_t **json, heed_error *error)
{
    heed_config as;
    *json = json_object();
    const heed_family *family = heed_config_written_family(config, &as);
    as.family = family;
    json_t *object = *json;
    bool ok = object && json_object_set_new(object, "model_type", json_string(family->name)) == 0 &&
              json_object_set_new(object, "architectures",
                                  json_pack("[s]", architecture_of(&as))) == 0 &&
              heed_config_write_keys(&as, family->keys, object) &&
              heed_config_write_keys(&as, heed_common_keys, object) &&
              heed_config_write_ends(&as, object) && write_labels(&as, object) &&
              json_object_set_new(object, "torch_dtype", json_string(dtype_name(as.dtype))) == 0 &&
              (!family->write || family->write(&as, object));
    heed_status status = ok ? check_said(&as, object, error)
                            : heed_fail_memory(error, 4096, "config.json");
    if (status == HEED_OK) return HEED_OK;
    json_decref(object);
    *json = NULL;
    return status;
}
