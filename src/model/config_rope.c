/* Keys of rotary positions: rope_parameters, or rope_theta and rope_scaling, with the settings of
   both styles of config.json; and a number of channels that rotate. */
#include "model/family.h"

#include <math.h>
#include <string.h>

/* ---- reading ---- */

static heed_status rope_kind_by_name(const char *name, heed_rope_kind *kind, const char *where,
                                     heed_error *error)
{
    for (int64_t i = 0; i < HEED_ROPE_KINDS; i++)
        if (strcmp(name, heed_rope_name(i)) == 0) {
            *kind = (heed_rope_kind)i;
            return HEED_OK;
        }
    return heed_fail(error, HEED_E_UNSUPPORTED,
                     "%s: rotary positions of kind \"%s\"; known are default, linear, llama3, "
                     "yarn, dynamic, longrope",
                     where, name);
}

/* Reads a list of divisors, one per pair of channels. */
static heed_status read_factors(const json_t *scaling, const char *key, float *factors,
                                int64_t *count, const char *where, heed_error *error)
{
    const json_t *list = json_object_get(scaling, key);
    if (!list || json_is_null(list)) return HEED_OK;
    if (!json_is_array(list) || json_array_size(list) > HEED_ROPE_FACTORS)
        return heed_fail(error, HEED_E_FORMAT, "%s: %s: expected a list of at most %d numbers",
                         where, key, HEED_ROPE_FACTORS);
    *count = (int64_t)json_array_size(list);
    for (int64_t i = 0; i < *count; i++) {
        factors[i] = (float)json_number_value(json_array_get(list, (size_t)i));
        if (!(isfinite(factors[i]) && factors[i] > 0))
            return heed_fail(error, HEED_E_FORMAT, "%s: %s[%lld]: expected a positive number",
                             where, key, (long long)i);
    }
    return HEED_OK;
}

static heed_status read_scaling(heed_rope *rope, const json_t *scaling, const char *where,
                                heed_error *error)
{
    const char *name = "default";
    if (!json_is_object(scaling))
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: rope_scaling or rope_parameters: expected an object or null", where);
    HEED_TRY(heed_json_string(scaling, "type", &name, where, error));
    HEED_TRY(heed_json_string(scaling, "rope_type", &name, where, error));
    HEED_TRY(rope_kind_by_name(name, &rope->kind, where, error));
    struct {
        const char *key;
        double *value;
    } numbers[] = {
        {"rope_theta", &rope->base},
        {"factor", &rope->factor},
        {"partial_rotary_factor", &rope->fraction},
        {"low_freq_factor", &rope->low_frequency_factor},
        {"high_freq_factor", &rope->high_frequency_factor},
        {"attention_factor", &rope->attention_factor},
        {"beta_fast", &rope->beta_fast},
        {"beta_slow", &rope->beta_slow},
        {"mscale", &rope->mscale},
        {"mscale_all_dim", &rope->mscale_all_dim},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        HEED_TRY(heed_json_number(scaling, numbers[i].key, numbers[i].value, where, error));
    HEED_TRY(heed_json_integer(scaling, "original_max_position_embeddings", &rope->original_context,
                               where, error));
    HEED_TRY(read_factors(scaling, "short_factor", rope->short_factor, &rope->short_factors, where,
                          error));
    HEED_TRY(
        read_factors(scaling, "long_factor", rope->long_factor, &rope->long_factors, where, error));
    return heed_json_boolean(scaling, "truncate", &rope->truncate, where, error);
}

/* Reads settings for both kinds of layers, named as in layer_types. Those of layers without a
   window become the main ones. */
static heed_status read_by_layer(heed_config *config, const json_t *scaling, bool *found,
                                 const char *where, heed_error *error)
{
    const json_t *full = json_object_get(scaling, "full_attention");
    const json_t *local = json_object_get(scaling, "sliding_attention");
    const char *key;
    json_t *member;
    *found = full || local;
    json_object_foreach((json_t *)scaling, key, member)
    {
        if (json_is_object(member) && member != full && member != local)
            return heed_fail(error, HEED_E_UNSUPPORTED,
                             "%s: rope_parameters.%s: known kinds of layers are full_attention and "
                             "sliding_attention",
                             where, key);
    }
    if (local && config->rope_local.base <= 0) config->rope_local = config->rope;
    if (full) HEED_TRY(read_scaling(&config->rope, full, where, error));
    return local ? read_scaling(&config->rope_local, local, where, error) : HEED_OK;
}

/* Returns the object that says how rotary positions are stretched; NULL if there is none. */
static const json_t *scaling_of(const json_t *json)
{
    const json_t *scaling = json_object_get(json, "rope_scaling"); /* the older name */
    bool empty = json_is_object(scaling) && json_object_size(scaling) == 0;
    if (!scaling || json_is_null(scaling) || empty)
        scaling = json_object_get(json, "rope_parameters");
    return json_is_null(scaling) ? NULL : scaling;
}

heed_status heed_rope_read(heed_config *config, const json_t *json, const char *where,
                           heed_error *error)
{
    heed_rope *rope = &config->rope;
    HEED_TRY(heed_json_number(json, "rope_theta", &rope->base, where, error));
    HEED_TRY(heed_json_number(json, "partial_rotary_factor", &rope->fraction, where, error));
    const json_t *scaling = scaling_of(json);
    bool by_layer = false;
    if (scaling) HEED_TRY(read_by_layer(config, scaling, &by_layer, where, error));
    if (scaling && !by_layer) HEED_TRY(read_scaling(rope, scaling, where, error));
    /* Some files have the key outside the object, and then that value counts. Dynamic stretching
       begins at the context, whatever the object says. */
    if (rope->kind != HEED_ROPE_DYNAMIC)
        HEED_TRY(heed_json_integer(json, "original_max_position_embeddings",
                                   &rope->original_context, where, error));
    if (rope->original_context == 0 || rope->kind == HEED_ROPE_DYNAMIC)
        rope->original_context = config->context;
    /* If a family rotates whole heads, transformers ignores partial_rotary_factor for the plain
       kind. */
    for (int i = 0; i < 2 && config->family->rotary_coverage == HEED_ROTARY_ALL; i++) {
        heed_rope *of = i ? &config->rope_local : rope;
        if (of->kind == HEED_ROPE_DEFAULT && of->fraction > 0 && of->fraction < 1) of->fraction = 1;
    }
    if (rope->kind == HEED_ROPE_LONGROPE && rope->factor == 0 && rope->original_context > 0)
        rope->factor = (double)config->context / (double)rope->original_context;
    return HEED_OK;
}

/* ---- writing ---- */

static bool write_factors(json_t *object, const char *key, const float *factors, int64_t count)
{
    json_t *list = json_array();
    bool ok = list != NULL;
    for (int64_t i = 0; ok && i < count; i++)
        ok = json_array_append_new(list, json_real((double)factors[i])) == 0;
    return json_object_set_new(object, key, list) == 0 && ok;
}

/* Makes the object for one kind of layers; NULL if memory is out. Families that may rotate only
   some channels of a head have different defaults, so they always write the share. */
static json_t *rope_object(const heed_config *config, const heed_rope *rope)
{
    json_t *object = json_pack("{s:f, s:s}", "rope_theta", rope->base, "rope_type",
                               heed_rope_name(rope->kind));
    bool ok = object != NULL;
    struct {
        const char *key;
        double value;
    } numbers[] = {
        {"factor", rope->factor},
        {"low_freq_factor", rope->low_frequency_factor},
        {"high_freq_factor", rope->high_frequency_factor},
        {"attention_factor", rope->attention_factor},
        {"beta_fast", rope->beta_fast},
        {"beta_slow", rope->beta_slow},
        {"mscale", rope->mscale},
        {"mscale_all_dim", rope->mscale_all_dim},
    };
    bool stretched = rope->kind != HEED_ROPE_DEFAULT;
    for (size_t i = 0; ok && stretched && i < sizeof numbers / sizeof *numbers; i++)
        if (numbers[i].value > 0)
            ok = json_object_set_new(object, numbers[i].key, json_real(numbers[i].value)) == 0;
    if (ok && rope->kind == HEED_ROPE_LONGROPE)
        ok = write_factors(object, "short_factor", rope->short_factor, rope->short_factors) &&
             write_factors(object, "long_factor", rope->long_factor, rope->long_factors);
    if (ok && (rope->kind == HEED_ROPE_LLAMA3 || rope->kind == HEED_ROPE_YARN ||
               rope->kind == HEED_ROPE_LONGROPE))
        ok = json_object_set_new(object, "original_max_position_embeddings",
                                 json_integer(rope->original_context)) == 0;
    if (ok && rope->kind == HEED_ROPE_YARN && !rope->truncate)
        ok = json_object_set_new(object, "truncate", json_false()) == 0;
    if (ok && (rope->fraction != 1 || config->family->rotary_coverage != HEED_ROTARY_ALL))
        ok = json_object_set_new(object, "partial_rotary_factor", json_real(rope->fraction)) == 0;
    if (ok) return object;
    json_decref(object);
    return NULL;
}

bool heed_rope_write(const heed_config *config, json_t *json)
{
    bool by_layer = config->rope_local.base > 0;
    json_t *object = by_layer ? json_object() : rope_object(config, &config->rope);
    bool ok = object != NULL;
    if (ok && by_layer)
        ok = json_object_set_new(object, "full_attention", rope_object(config, &config->rope)) ==
                 0 &&
             json_object_set_new(object, "sliding_attention",
                                 rope_object(config, &config->rope_local)) == 0;
    /* rope_theta is also written at the top level, where readers of the older style look for it. */
    ok = ok && json_object_set(json, "rope_parameters", object) == 0 &&
         json_object_set_new(json, "rope_theta", json_real(config->rope.base)) == 0;
    json_decref(object);
    return ok;
}

/* ---- a number of channels ---- */

double heed_rope_share(int64_t channels, int64_t head_width)
{
    double share = (double)channels / (double)head_width;
    while ((int64_t)((double)head_width * share) < channels) share = nextafter(share, 2);
    return share;
}

heed_status heed_rope_channels_read(heed_config *config, const heed_key *key, const json_t *json,
                                    const char *where, heed_error *error)
{
    const json_t *member = json_object_get(json, key->name);
    const int64_t width = config->d_model / heed_config_main(config)->heads;
    int64_t channels = key->absent;
    HEED_TRY(heed_json_integer(json, key->name, &channels, where, error));
    if (json_is_null(member)) channels = width;
    if (channels < 2 || channels > width || channels % 2)
        return heed_fail(
            error, HEED_E_FORMAT,
            "%s: %s is %lld; expected an even number from 2 to the width of a head, %lld", where,
            key->name, (long long)channels, (long long)width);
    config->rope.fraction = heed_rope_share(channels, width);
    return HEED_OK;
}
