/* What a configuration says about its layers and stacks: experts, windows, how long a text may be;
   and the keys of config.json that list layers. */
#include "model/family.h"

#include <string.h>

bool heed_config_has_experts(const heed_config *config, int64_t layer)
{
    return config->experts > 0 && (layer + 1) % config->expert_step == 0 &&
           !(config->dense[layer / 8] >> (layer % 8) & 1);
}

bool heed_config_windowed(const heed_config *config, int64_t layer)
{
    return config->window > 0 && (config->windowed[layer / 8] >> (layer % 8) & 1);
}

int64_t heed_config_reach(const heed_config *config)
{
    bool grows = config->position == HEED_POSITION_ROTARY &&
                 config->rope.kind == HEED_ROPE_DYNAMIC && config->rope.factor > 1;
    double reach = grows ? (double)config->context * config->rope.factor : (double)config->context;
    return reach < INT32_MAX / 2 ? (int64_t)reach : config->context;
}

const heed_stack *heed_config_main(const heed_config *config)
{
    return config->arrangement == HEED_ENCODER_ONLY ? &config->encoder : &config->decoder;
}

int64_t heed_config_source_vocabulary(const heed_config *config)
{
    return config->source_vocabulary > 0 ? config->source_vocabulary : config->vocabulary;
}

int64_t heed_stack_width(const heed_config *config, const heed_stack *stack)
{
    return stack->width > 0 ? stack->width : config->d_model;
}

/* ---- layers that share weights ---- */

static int64_t group_layers(const heed_stack *stack)
{
    return stack->group_layers > 0 ? stack->group_layers : 1;
}

int64_t heed_stack_runs(const heed_stack *stack)
{
    return stack->layers * group_layers(stack);
}

int64_t heed_stack_own_layers(const heed_stack *stack)
{
    return (stack->own_layers > 0 ? stack->own_layers : stack->layers) * group_layers(stack);
}

int64_t heed_stack_layer_of(const heed_stack *stack, int64_t run)
{
    if (stack->own_layers == 0) return run;
    int64_t layer = run / group_layers(stack), in_group = run % group_layers(stack);
    /* in floating point, as the published code divides */
    double each = (double)stack->layers / (double)stack->own_layers;
    return (int64_t)((double)layer / each) * group_layers(stack) + in_group;
}

/* ---- layers with a window ---- */

void heed_config_window_all(heed_config *config)
{
    memset(config->windowed, config->window > 0 ? 0xFF : 0, sizeof config->windowed);
}

void heed_config_window_layer(heed_config *config, int64_t layer)
{
    config->windowed[layer / 8] |= (uint8_t)(1u << (layer % 8));
}

void heed_config_window_step(heed_config *config, int64_t step)
{
    memset(config->windowed, 0, sizeof config->windowed);
    for (int64_t i = 0; config->window > 0 && i < HEED_MAX_LAYERS; i++)
        if (step == 0 || (i + 1) % step != 0) heed_config_window_layer(config, i);
}

/* ---- layer_types ---- */

/* Reads the number n of a rule for layers. */
static heed_status read_number(const heed_key *key, const json_t *json, int64_t *n,
                               const char *where, heed_error *error)
{
    bool period = key->rule == HEED_LAYERS_BUT_LAST_OF_N || key->rule == HEED_LAYERS_BUT_FIRST_OF_N;
    *n = key->absent;
    for (const char *const *name = key->names; name && *name; name++) {
        HEED_TRY(heed_json_integer(json, *name, n, where, error));
        if (period && *n < 1)
            return heed_fail(error, HEED_E_FORMAT, "%s: %s is %lld; expected a positive number",
                             where, *name, (long long)*n);
    }
    return HEED_OK;
}

static bool rule_says(heed_layer_rule rule, int64_t layer, int64_t n)
{
    switch (rule) {
    case HEED_LAYERS_EVEN: return layer % 2 == 0;
    case HEED_LAYERS_EVEN_BELOW: return layer % 2 == 0 && layer < n;
    case HEED_LAYERS_FROM: return layer >= n;
    case HEED_LAYERS_BUT_LAST_OF_N: return (layer + 1) % n != 0;
    case HEED_LAYERS_BUT_FIRST_OF_N: return layer % n != 0;
    }
    return false;
}

void heed_layer_types_preset(heed_config *config, const heed_key *key)
{
    for (int64_t i = 0; config->window > 0 && i < HEED_MAX_LAYERS; i++)
        if (rule_says((heed_layer_rule)key->rule, i, key->absent))
            heed_config_window_layer(config, i);
}

static heed_status read_types(heed_config *config, const json_t *types, const char *where,
                              heed_error *error)
{
    const int64_t layers = heed_config_main(config)->layers;
    if ((int64_t)json_array_size(types) != layers)
        return heed_fail(
            error, HEED_E_FORMAT,
            "%s: layer_types has %zu entries; expected one for each of num_hidden_layers = %lld",
            where, json_array_size(types), (long long)layers);
    for (int64_t i = 0; i < layers; i++) {
        const char *type = json_string_value(json_array_get(types, (size_t)i));
        if (type && strcmp(type, "sliding_attention") == 0) heed_config_window_layer(config, i);
        else if (!type || strcmp(type, "full_attention") != 0)
            return heed_fail(
                error, HEED_E_UNSUPPORTED,
                "%s: layer_types[%lld] is \"%s\"; expected full_attention or sliding_attention",
                where, (long long)i, type ? type : "no string");
    }
    return HEED_OK;
}

heed_status heed_layer_types_read(heed_config *config, const heed_key *key, const json_t *json,
                                  const char *where, heed_error *error)
{
    const json_t *types = json_object_get(json, key->name);
    const int64_t layers = heed_config_main(config)->layers;
    int64_t n;
    HEED_TRY(read_number(key, json, &n, where, error));
    if (layers > HEED_MAX_LAYERS) return HEED_OK; /* the general checks refuse it */
    if (json_is_array(types)) return read_types(config, types, where, error);
    if (types && !json_is_null(types))
        return heed_fail(error, HEED_E_FORMAT, "%s: %s is %s; expected a list of types of layers",
                         where, key->name, heed_json_type(types));
    for (int64_t i = 0; i < layers; i++)
        if (config->window > 0 && rule_says((heed_layer_rule)key->rule, i, n))
            heed_config_window_layer(config, i);
    return HEED_OK;
}

bool heed_layer_types_write(const heed_config *config, const heed_key *key, json_t *json)
{
    const int64_t layers = heed_config_main(config)->layers;
    json_t *types = json_array();
    bool ok = types != NULL;
    for (int64_t i = 0; ok && i < layers; i++) {
        bool windowed = heed_config_windowed(config, i);
        json_t *type = json_string(windowed ? "sliding_attention" : "full_attention");
        ok = json_array_append_new(types, type) == 0;
    }
    ok = ok && json_object_set(json, key->name, types) == 0;
    json_decref(types);
    bool bounded = key->rule == HEED_LAYERS_FROM || key->rule == HEED_LAYERS_EVEN_BELOW;
    if (!ok || !bounded) return ok;
    json_t *bound = json_integer(config->window > 0 ? 0 : layers);
    return json_object_set_new(json, key->names[0], bound) == 0;
}

/* ---- lists of layers ---- */

heed_status heed_layer_list_read(heed_config *config, const heed_key *key, const json_t *json,
                                 const char *where, heed_error *error)
{
    uint8_t *bits = (uint8_t *)config + key->field.offset;
    const json_t *list = json_object_get(json, key->name);
    if (!json_is_array(list))
        return heed_fail(error, HEED_E_FORMAT, "%s: %s is %s; expected a list of layers", where,
                         key->name, heed_json_type(list));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *layer = json_array_get(list, i);
        if (!json_is_integer(layer) || json_integer_value(layer) < 0)
            return heed_fail(error, HEED_E_FORMAT,
                             "%s: %s[%zu]: expected the number of a layer, from 0 on", where,
                             key->name, i);
        json_int_t index = json_integer_value(layer);
        if (index >= HEED_MAX_LAYERS) continue; /* the model has no such layer */
        bits[index / 8] |= (uint8_t)(1u << (index % 8));
    }
    return HEED_OK;
}

bool heed_layer_list_write(const heed_config *config, const heed_key *key, json_t *json)
{
    const uint8_t *bits = (const uint8_t *)config + key->field.offset;
    json_t *list = json_array();
    bool ok = list != NULL;
    for (int64_t i = 0; ok && i < heed_config_main(config)->layers; i++)
        if (bits[i / 8] >> (i % 8) & 1) ok = json_array_append_new(list, json_integer(i)) == 0;
    ok = ok && json_object_set(json, key->name, list) == 0;
    json_decref(list);
    return ok;
}
