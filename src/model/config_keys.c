/* Reads the fields of a configuration by a table of keys, and applies the table's rules. */
#include "base/foreign.h"
#include "model/key_internal.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- fields ---- */

static const char *at(const heed_config *config, heed_config_place place)
{
    return (const char *)config + place.offset;
}

int64_t heed_config_integer(const heed_config *config, heed_config_place place)
{
    int64_t wide = 0;
    int32_t narrow = 0;
    bool flag = false;
    if (place.bytes == sizeof flag) {
        memcpy(&flag, at(config, place), sizeof flag);
        return flag;
    }
    if (place.bytes == sizeof narrow) {
        memcpy(&narrow, at(config, place), sizeof narrow);
        return narrow;
    }
    memcpy(&wide, at(config, place), sizeof wide);
    return wide;
}

void heed_config_set_integer(heed_config *config, heed_config_place place, int64_t value)
{
    char *field = (char *)config + place.offset;
    const int32_t narrow = (int32_t)value;
    const bool flag = value != 0;
    if (place.bytes == sizeof flag) memcpy(field, &flag, sizeof flag);
    else if (place.bytes == sizeof narrow) memcpy(field, &narrow, sizeof narrow);
    else memcpy(field, &value, sizeof value);
}

double heed_config_real(const heed_config *config, heed_config_place place)
{
    double value;
    memcpy(&value, at(config, place), sizeof value);
    return value;
}

void heed_config_set_real(heed_config *config, heed_config_place place, double value)
{
    memcpy((char *)config + place.offset, &value, sizeof value);
}

void heed_config_copy_field(heed_config *to, const heed_config *from, heed_config_place place)
{
    memcpy((char *)to + place.offset, at(from, place), place.bytes);
}

bool heed_config_fields_equal(const heed_config *a, const heed_config *b, heed_config_place place)
{
    return memcmp(at(a, place), at(b, place), place.bytes) == 0;
}

bool heed_key_applies(const heed_config *config, const heed_key *key)
{
    bool applies = key->heads == 0;
    for (int at = 0; at < HEED_MAX_HEADS && config->heads[at]; at++)
        applies = applies || key->heads >> config->heads[at] & 1;
    return applies;
}

bool heed_key_is_named(const heed_key *key)
{
    return *key->name != '\0';
}

bool heed_key_has_field(const heed_key *key)
{
    return heed_key_is_named(key) && key->field.bytes > 0;
}

/* ---- one key ---- */

/* A member of a JSON object: the object that holds it, its name there, and how messages begin. */
typedef struct json_member {
    const json_t *owner;
    const char *name;
    const char *where;
    char inner[200]; /* `where` of a member of a nested object */
} json_member;

/* Finds the object that a path such as "attn_config.alibi" leads to. The keys of GGUF files are
   not nested, although their names have dots. */
static heed_status find_member(const heed_key *key, const json_t *json, json_member *found,
                               const char *where, heed_error *error)
{
    char outer[64];
    const char *dot = strchr(key->name, '.');
    *found = (json_member){.owner = json, .name = key->name, .where = where};
    if (!dot || json_object_get(json, key->name)) return HEED_OK;
    snprintf(outer, sizeof outer, "%.*s", (int)(dot - key->name), key->name);
    snprintf(found->inner, sizeof found->inner, "%s: %s", where, outer);
    found->owner = json_object_get(json, outer);
    found->name = dot + 1;
    found->where = found->inner;
    if (!found->owner || json_is_null(found->owner) || json_is_object(found->owner)) return HEED_OK;
    return heed_fail(error, HEED_E_FORMAT, "%s is %s; expected an object or null", found->where,
                     heed_json_type(found->owner));
}

static heed_status read_integer(heed_config *config, const heed_key *key, const json_member *in,
                                heed_error *error)
{
    const bool may_be_0 = key->type == HEED_KEY_COUNT || key->type == HEED_KEY_SPAN ||
                          key->type == HEED_KEY_ABOUT;
    int64_t least = may_be_0 ? 0 : 1, value = 0;
    HEED_TRY(heed_json_integer(in->owner, in->name, &value, in->where, error));
    if (value < least || value > INT32_MAX)
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: %s is %lld; expected an integer from %lld to %d", in->where, in->name,
                         (long long)value, (long long)least, INT32_MAX);
    if (key->type == HEED_KEY_ABOUT) value = value / 2 + 1;
    heed_config_set_integer(config, key->field, value);
    return HEED_OK;
}

/* Fails with the value that was found. */
static heed_status fail_found(heed_status status, const json_member *in, const char *expected,
                              heed_error *error)
{
    heed_buffer found = {0};
    heed_json_put_found(&found, json_object_get(in->owner, in->name));
    heed_fail(error, status, "%s: %s is %.60s; %s", in->where, in->name,
              found.data ? found.data : "", expected);
    heed_buffer_free(&found);
    return status;
}

static heed_status read_id(heed_config *config, const heed_key *key, const json_member *in,
                           heed_error *error)
{
    const json_t *member = json_object_get(in->owner, in->name);
    if (json_is_array(member)) member = json_array_get(member, 0);
    if (!member || json_is_null(member)) return HEED_OK;
    if (!json_is_integer(member) || json_integer_value(member) < -1 ||
        json_integer_value(member) > INT32_MAX)
        return fail_found(HEED_E_FORMAT, in, "expected a token id, a list of ids or null", error);
    heed_config_set_integer(config, key->field, json_integer_value(member));
    return HEED_OK;
}

static heed_status read_number(heed_config *config, const heed_key *key, const json_member *in,
                               heed_error *error)
{
    double value = 0;
    HEED_TRY(heed_json_number(in->owner, in->name, &value, in->where, error));
    bool valid = isfinite(value);
    const char *expected = "a finite number";
    if (key->type == HEED_KEY_AMOUNT) {
        valid = valid && value >= 0;
        expected = "a number of at least 0, or null";
    }
    if (key->type == HEED_KEY_RATE) {
        valid = valid && value >= 0 && value < 1;
        expected = "a rate from 0 to below 1";
    }
    if (key->type == HEED_KEY_FACTOR || key->type == HEED_KEY_DIVISOR) {
        valid = valid && value >= DBL_MIN;
        expected = "a number above 0";
    }
    if (!valid)
        return heed_fail(error, HEED_E_FORMAT, "%s: %s is %g; expected %s", in->where, in->name,
                         value, expected);
    if (key->type == HEED_KEY_DIVISOR) value = 1 / value;
    heed_config_set_real(config, key->field, value);
    return HEED_OK;
}

static heed_status read_activation(heed_config *config, const heed_key *key, const json_member *in,
                                   heed_error *error)
{
    const char *name = NULL;
    heed_unary_kind kind;
    HEED_TRY(heed_json_string(in->owner, in->name, &name, in->where, error));
    if (!name) return HEED_OK;
    if (!heed_activation_by_name(name, &kind))
        return heed_fail(error, HEED_E_UNSUPPORTED,
                         "%s: %s is \"%s\"; expected an activation without parameters such as "
                         "gelu, gelu_new, silu, relu",
                         in->where, in->name, name);
    heed_config_set_integer(config, key->field, kind);
    return HEED_OK;
}

static heed_status read_kind(heed_config *config, const heed_key *key, const json_member *in,
                             heed_error *error)
{
    const char *name = NULL;
    HEED_TRY(heed_json_string(in->owner, in->name, &name, in->where, error));
    if (!name) return HEED_OK;
    for (int64_t i = 0; key->names[i]; i++) {
        bool spelled = *key->names[i] != '\0'; /* a value without a spelling has "" */
        if (!spelled || strcmp(key->names[i], name) != 0) continue;
        heed_config_set_integer(config, key->field, i);
        return HEED_OK;
    }
    heed_buffer known = {0};
    for (int64_t i = 0; key->names[i]; i++)
        if (*key->names[i])
            heed_buffer_printf(&known, "%s%s", known.length ? ", " : "", key->names[i]);
    heed_fail(error, HEED_E_UNSUPPORTED, "%s: %s is \"%s\"; expected one of %s", in->where,
              in->name, name, known.data ? known.data : "");
    heed_buffer_free(&known);
    return HEED_E_UNSUPPORTED;
}

static heed_status read_flag(heed_config *config, const heed_key *key, const json_member *in,
                             heed_error *error)
{
    bool yes = false;
    HEED_TRY(heed_json_boolean(in->owner, in->name, &yes, in->where, error));
    switch ((heed_key_type)key->type) {
    case HEED_KEY_FLAG: heed_config_set_integer(config, key->field, yes); break;
    case HEED_KEY_CHOICE:
        heed_config_set_integer(config, key->field, yes ? key->yes : key->no);
        break;
    case HEED_KEY_ROOT:
        heed_config_set_real(config, key->field, yes ? sqrt((double)config->d_model) : 1);
        break;
    default: break;
    }
    return HEED_OK;
}

/* Refuses every value of a key but one. */
static heed_status check_only(const heed_key *key, const json_member *in, heed_error *error)
{
    char expected[96];
    const char *text = "";
    double number = 0;
    bool flag = false, is_flag = strcmp(key->only, "true") == 0 || strcmp(key->only, "false") == 0;
    bool is_number = *key->only >= '0' && *key->only <= '9', same;
    snprintf(expected, sizeof expected,
             is_flag || is_number ? "only %s is supported" : "only \"%s\" is supported", key->only);
    if (is_flag) {
        HEED_TRY(heed_json_boolean(in->owner, in->name, &flag, in->where, error));
        same = flag == (strcmp(key->only, "true") == 0);
    } else if (is_number) {
        HEED_TRY(heed_json_number(in->owner, in->name, &number, in->where, error));
        same = number == strtod(key->only, NULL);
    } else {
        HEED_TRY(heed_json_string(in->owner, in->name, &text, in->where, error));
        same = strcmp(text, key->only) == 0;
    }
    return same ? HEED_OK : fail_found(HEED_E_UNSUPPORTED, in, expected, error);
}

/* Sets what null means: none, if the key has such a value, else the default. */
static void read_null(heed_config *config, const heed_key *key)
{
    const heed_key_type type = (heed_key_type)key->type;
    if (type == HEED_KEY_COUNT || type == HEED_KEY_SPAN || type == HEED_KEY_SWITCHED)
        heed_config_set_integer(config, key->field, 0);
    if (key->type == HEED_KEY_ID) heed_config_set_integer(config, key->field, -1);
    if (key->type == HEED_KEY_AMOUNT) heed_config_set_real(config, key->field, 0);
}

static heed_status read_value(heed_config *config, const heed_key *key, const json_member *in,
                              heed_error *error)
{
    switch ((heed_key_type)key->type) {
    case HEED_KEY_SIZE:
    case HEED_KEY_SPAN:
    case HEED_KEY_SWITCHED:
    case HEED_KEY_ABOUT:
    case HEED_KEY_COUNT: return read_integer(config, key, in, error);
    case HEED_KEY_ID: return read_id(config, key, in, error);
    case HEED_KEY_NUMBER:
    case HEED_KEY_AMOUNT:
    case HEED_KEY_FACTOR:
    case HEED_KEY_DIVISOR:
    case HEED_KEY_RATE: return read_number(config, key, in, error);
    case HEED_KEY_ACTIVATION: return read_activation(config, key, in, error);
    case HEED_KEY_KIND: return read_kind(config, key, in, error);
    case HEED_KEY_FLAG:
    case HEED_KEY_CHOICE:
    case HEED_KEY_ROOT: return read_flag(config, key, in, error);
    case HEED_KEY_ONLY: return check_only(key, in, error);
    case HEED_KEY_LAYER_LIST: return heed_layer_list_read(config, key, in->owner, in->where, error);
    default: return HEED_OK;
    }
}

/* Reads a key that fills one field, or says what null or its absence means. */
static heed_status read_one(heed_config *config, const heed_key *key, const json_t *json,
                            const char *where, heed_error *error)
{
    json_member in;
    HEED_TRY(find_member(key, json, &in, where, error));
    const json_t *member = json_object_get(in.owner, in.name);
    const bool given = member && !json_is_null(member);
    if (given) return read_value(config, key, &in, error);
    if (key->flags & HEED_KEY_HAS_ABSENT) heed_config_set_integer(config, key->field, key->absent);
    if (member) read_null(config, key);
    return HEED_OK;
}

static heed_status read_switched(heed_config *config, const heed_key *key, const json_t *json,
                                 const char *where, heed_error *error)
{
    bool counts = false;
    HEED_TRY(heed_json_boolean(json, key->only, &counts, where, error));
    if (counts) return read_one(config, key, json, where, error);
    heed_config_set_integer(config, key->field, 0);
    return HEED_OK;
}

static heed_status read_table_rows(heed_config *config, const heed_key *key, const json_t *json,
                                   const char *where, heed_error *error)
{
    int64_t rows = key->absent, before = config->pad_id + 1;
    HEED_TRY(heed_json_integer(json, key->name, &rows, where, error));
    if (rows <= before || rows > INT32_MAX)
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: %s is %lld; expected an integer from %lld to %d, because positions "
                         "begin after pad_token_id",
                         where, key->name, (long long)rows, (long long)before + 1, INT32_MAX);
    heed_config_set_integer(config, key->field, rows - before);
    return HEED_OK;
}

static heed_status read_key(heed_config *config, const heed_key *key, const json_t *json,
                            const char *where, heed_error *error)
{
    if (key->type == HEED_KEY_SETS) heed_config_set_integer(config, key->field, key->yes);
    if (!heed_key_is_named(key) || (key->flags & HEED_KEY_WRITE_ONLY)) return HEED_OK;
    if (!heed_key_applies(config, key)) return HEED_OK;
    switch ((heed_key_type)key->type) {
    case HEED_KEY_ROPE: return heed_rope_read(config, json, where, error);
    case HEED_KEY_LAYER_TYPES: return heed_layer_types_read(config, key, json, where, error);
    case HEED_KEY_CHANNELS: return heed_rope_channels_read(config, key, json, where, error);
    case HEED_KEY_SWITCHED: return read_switched(config, key, json, where, error);
    case HEED_KEY_TABLE_ROWS: return read_table_rows(config, key, json, where, error);
    default: return read_one(config, key, json, where, error);
    }
}

heed_status heed_config_read_keys(heed_config *config, const heed_key *keys, const json_t *json,
                                  const char *where, heed_error *error)
{
    for (; keys->name; keys++) HEED_TRY(read_key(config, keys, json, where, error));
    return HEED_OK;
}

/* ---- rules ---- */

static void apply_rule(heed_config *config, const heed_key *key)
{
    switch ((heed_key_type)key->type) {
    case HEED_KEY_EQUALS:
        memcpy((char *)config + key->field.offset, at(config, key->other), key->field.bytes);
        break;
    case HEED_KEY_EQUALS_UNTIED:
        heed_config_set_integer(config, key->field,
                                config->tied ? 0 : heed_config_integer(config, key->other));
        break;
    case HEED_KEY_COMPUTED: heed_config_set_integer(config, key->field, 0); break;
    case HEED_KEY_MEANS:
        if (heed_config_integer(config, key->field) == key->no)
            heed_config_set_integer(config, key->field, key->yes);
        break;
    case HEED_KEY_EQUALS_ROOT:
        heed_config_set_real(config, key->field, (double)sqrtf((float)config->d_model));
        break;
    case HEED_KEY_ROOT: /* the width may be another than when the flag was read */
        if (heed_config_real(config, key->field) != 1)
            heed_config_set_real(config, key->field, sqrt((double)config->d_model));
        break;
    case HEED_KEY_EVERY_WINDOW: heed_config_window_all(config); break;
    default: break;
    }
}

void heed_config_follow(heed_config *config, const heed_key *keys)
{
    for (; keys->name; keys++) apply_rule(config, keys);
}
