/* Writes the fields of a configuration as a table of keys says. */
#include "model/family.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Returns a number as JSON; as an integer if it is integral and the key wants that, because
   transformers accepts nothing else for some keys. */
static json_t *real_value(const heed_key *key, double number)
{
    bool integral = fabs(number) < 0x1p53 && number == (double)(json_int_t)number;
    if (integral && (key->flags & HEED_KEY_INTEGRAL)) return json_integer((json_int_t)number);
    return json_real(number);
}

/* Returns 1 / factor; if a number of at most 6 decimals has that reciprocal, this number, because
   1 / (1 / 49) is not 49. */
static double divisor_of(double factor)
{
    const double divisor = 1 / factor, decimal = round(divisor * 1e6) / 1e6;
    return 1 / decimal == factor ? decimal : divisor;
}

/* Returns the value `only`: a flag, a number or a text. */
static json_t *only_value(const char *only)
{
    if (strcmp(only, "true") == 0) return json_true();
    if (strcmp(only, "false") == 0) return json_false();
    if (*only >= '0' && *only <= '9') return json_integer(strtoll(only, NULL, 10));
    return json_string(only);
}

/* Returns the number of channels that rotate. */
static json_t *channels_value(const heed_config *config)
{
    const heed_stack *stack = heed_config_main(config);
    return json_integer(heed_rope_channels(&config->rope, stack->head_width));
}

static json_t *key_value(const heed_config *config, const heed_key *key)
{
    const int64_t integer = key->field.real ? 0 : heed_config_integer(config, key->field);
    const double number = key->field.real ? heed_config_real(config, key->field) : 0;
    switch ((heed_key_type)key->type) {
    case HEED_KEY_SIZE:
    case HEED_KEY_COUNT: return json_integer(integer);
    case HEED_KEY_SPAN:
    case HEED_KEY_SWITCHED: return integer > 0 ? json_integer(integer) : json_null();
    case HEED_KEY_ABOUT: return json_integer(2 * (integer - 1));
    case HEED_KEY_ID: return integer < 0 ? json_null() : json_integer(integer);
    case HEED_KEY_NUMBER:
    case HEED_KEY_FACTOR:
    case HEED_KEY_RATE: return real_value(key, number);
    case HEED_KEY_DIVISOR: return real_value(key, divisor_of(number));
    case HEED_KEY_AMOUNT: return number > 0 ? real_value(key, number) : json_null();
    case HEED_KEY_FLAG: return json_boolean(integer != 0);
    case HEED_KEY_ACTIVATION: return json_string(heed_activation_name((heed_unary_kind)integer));
    case HEED_KEY_KIND: return json_string(key->names[integer]);
    case HEED_KEY_CHOICE: return json_boolean(integer == key->yes);
    case HEED_KEY_ROOT: return json_boolean(number != 1);
    case HEED_KEY_TABLE_ROWS: return json_integer(integer + config->pad_id + 1);
    case HEED_KEY_CHANNELS: return channels_value(config);
    case HEED_KEY_ONLY: return only_value(key->only);
    default: return NULL;
    }
}

/* Sets a member whose name may be a path; the objects on it are made. Takes the value. */
static bool set_member(json_t *json, const char *name, json_t *value)
{
    char outer[64];
    const char *dot = strchr(name, '.');
    if (!dot) return json_object_set_new(json, name, value) == 0;
    snprintf(outer, sizeof outer, "%.*s", (int)(dot - name), name);
    if (!json_object_get(json, outer) && json_object_set_new(json, outer, json_object()) != 0) {
        json_decref(value);
        return false;
    }
    return json_object_set_new(json_object_get(json, outer), dot + 1, value) == 0;
}

/* Is the key of a family's encoder, and the model its decoder alone? */
static bool is_of_absent_encoder(const heed_config *config, const heed_key *key)
{
    size_t begin = offsetof(heed_config, encoder), end = begin + sizeof config->encoder;
    return heed_config_is_decoder_alone(config) && key->field.offset >= begin &&
           key->field.offset < end;
}

static bool write_value(const heed_config *config, const heed_key *key, json_t *json)
{
    const bool sparse = key->flags & HEED_KEY_SPARSE;
    if (sparse && key->type == HEED_KEY_ONLY) return true;
    if (is_of_absent_encoder(config, key)) return true;
    if (sparse && heed_config_fields_equal(config, config->family->preset, key->field)) return true;
    if (sparse && heed_config_is_idle(config, key)) return true;
    if (key->type == HEED_KEY_SWITCHED) {
        json_t *counts = json_boolean(heed_config_integer(config, key->field) > 0);
        if (!set_member(json, key->only, counts)) return false;
    }
    return set_member(json, key->name, key_value(config, key));
}

static bool write_key(const heed_config *config, const heed_key *key, json_t *json)
{
    if (!heed_key_is_named(key) || (key->flags & HEED_KEY_READ_ONLY)) return true;
    if (!heed_key_applies(config, key)) return true;
    switch ((heed_key_type)key->type) {
    case HEED_KEY_KNOWN: return true;
    case HEED_KEY_ROPE: return heed_rope_write(config, json);
    case HEED_KEY_LAYER_TYPES: return heed_layer_types_write(config, key, json);
    case HEED_KEY_LAYER_LIST: return heed_layer_list_write(config, key, json);
    default: return write_value(config, key, json);
    }
}

bool heed_config_write_keys(const heed_config *config, const heed_key *keys, json_t *json)
{
    for (; keys->name; keys++)
        if (!write_key(config, keys, json)) return false;
    return true;
}
