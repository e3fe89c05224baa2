/* Recognizes the published family of a configuration, and writes config.json. */
#include "model/head/head.h"
#include "tensor/dtype.h"

static void copy_keys(heed_config *to, const heed_config *from, const heed_key *keys)
{
    for (; keys->name; keys++)
        if (heed_key_has_field(keys)) heed_config_copy_field(to, from, keys->field);
}

/* Copies what does not make another model: every family says it, or does without. */
static void copy_free_fields(heed_config *to, const heed_config *from)
{
    for (const heed_key *key = heed_field_keys; key->name; key++)
        if (key->use & HEED_FIELD_FREE) heed_config_copy_field(to, from, key->field);
}

/* Writes to *out how `family` would read the configuration back: its preset with every field that
   its keys can express. Returns whether that is the same model. */
static bool expressed_by(const heed_config *config, const heed_family *family, heed_config *out)
{
    const heed_architecture *known = heed_config_class_of(config, family, config->heads);
    if (!family->is_published || !known || family->preset->arrangement != config->arrangement)
        return false;
    heed_config as = *family->preset;
    heed_error ignored = {0};
    as.family = family;
    copy_keys(&as, config, family->keys);
    copy_keys(&as, config, heed_common_keys);
    /* Fields that the families' own functions read and write. */
    heed_config_set_class(&as, known);
    copy_free_fields(&as, config);
    as.rope = config->rope;
    as.rope.interleaved = family->preset->rope.interleaved;
    as.source_vocabulary = config->source_vocabulary;
    as.more_eos = config->more_eos;
    if (as.position != HEED_POSITION_ROTARY) as.rope = family->preset->rope;
    if (heed_config_complete(&as, "config", &ignored) != HEED_OK) return false;
    *out = as;
    return !heed_config_difference(&as, config, HEED_FIELD_MODEL | HEED_FIELD_PROPERTY);
}

const heed_family *heed_config_written_family(const heed_config *config, heed_config *as)
{
    *as = *config;
    if (!config->family->is_general) return config->family;
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
    if (config->problem != HEED_PROBLEM_UNKNOWN &&
        json_object_set_new(json, "problem_type",
                            json_string(heed_problem_names[config->problem])) != 0)
        return false;
    return heed_class_names_write(config, NULL, json);
}

static const char *architecture_of(const heed_config *config)
{
    const heed_architecture *known = heed_config_class_of(config, config->family, config->heads);
    return known ? known->name : config->family->architectures->name;
}

static const char *dtype_name(int64_t dtype)
{
    if (dtype == HEED_F16) return "float16";
    return dtype == HEED_BF16 ? "bfloat16" : "float32";
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
    const char *other = heed_config_difference(config, &back,
                                               HEED_FIELD_MODEL | HEED_FIELD_PROPERTY);
    for (int64_t i = 0; !other && i < config->decoder.layers; i++)
        if (heed_config_has_experts(config, i) != heed_config_has_experts(&back, i))
            other = "layers without experts";
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

json_t *heed_config_describe(const heed_config *config)
{
    json_t *all = json_object(), *said = json_object();
    bool ok = all && said && heed_config_write_keys(config, heed_field_keys, all);
    for (const heed_key *key = heed_field_keys; ok && key->name; key++) {
        json_t *value = json_object_get(all, key->name);
        bool off = !value || json_is_null(value) || json_is_false(value) ||
                   (json_is_number(value) && json_number_value(value) == 0);
        bool idle = key->use && heed_config_is_idle(config, key);
        if (!off && !idle) ok = json_object_set(said, key->name, value) == 0;
    }
    json_decref(all);
    if (ok) return said;
    json_decref(said);
    return NULL;
}
