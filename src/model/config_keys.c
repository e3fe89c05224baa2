/* Reads the fields of a configuration by a table of keys. */
#include "model/family.h"
#include "base/foreign.h"

#include <math.h>
#include <string.h>

static void *field_of(heed_config *config, const heed_key *key)
{
    return (char *)config + key->offset;
}

static heed_status read_integer(const heed_key *key, const json_t *json, int64_t *field,
                                const char *where, heed_error *error)
{
    int64_t least = key->type == HEED_KEY_SIZE;
    HEED_TRY(heed_json_integer(json, key->name, field, where, error));
    if (*field < least || *field > INT32_MAX)
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: %s is %lld; expected an integer from %lld to %d", where, key->name,
                         (long long)*field, (long long)least, INT32_MAX);
    return HEED_OK;
}

static heed_status read_id(const heed_key *key, const json_t *json, int64_t *field,
                           const char *where, heed_error *error)
{
    const json_t *member = json_object_get(json, key->name);
    if (json_is_array(member)) member = json_array_get(member, 0);
    if (!member || json_is_null(member)) return HEED_OK;
    if (!json_is_integer(member) || json_integer_value(member) < -1 ||
        json_integer_value(member) > INT32_MAX) {
        heed_buffer found = {0};
        heed_json_put_found(&found, member);
        heed_fail(error, HEED_E_FORMAT,
                  "%s: %s is %.60s: expected a token id, a list of ids or null", where, key->name,
                  found.data ? found.data : "");
        heed_buffer_free(&found);
        return HEED_E_FORMAT;
    }
    *field = json_integer_value(member);
    return HEED_OK;
}

static heed_status read_number(const heed_key *key, const json_t *json, double *field,
                               const char *where, heed_error *error)
{
    HEED_TRY(heed_json_number(json, key->name, field, where, error));
    bool valid = isfinite(*field);
    const char *expected = "a finite number";
    if (key->type == HEED_KEY_AMOUNT) {
        valid = valid && *field >= 0;
        expected = "a number of at least 0, or null";
    }
    if (key->type == HEED_KEY_RATE) {
        valid = valid && *field >= 0 && *field < 1;
        expected = "a rate from 0 to below 1";
    }
    if (valid) return HEED_OK;
    return heed_fail(error, HEED_E_FORMAT, "%s: %s is %g; expected %s", where, key->name, *field,
                     expected);
}

static heed_status read_name(const heed_key *key, const json_t *json, int64_t *field,
                             const char *where, heed_error *error)
{
    const char *name = NULL;
    HEED_TRY(heed_json_string(json, key->name, &name, where, error));
    if (!name) return HEED_OK;
    if (key->type == HEED_KEY_ACTIVATION) {
        if (heed_activation_by_name(name, field)) return HEED_OK;
        return heed_fail(error, HEED_E_UNSUPPORTED,
                         "%s: %s is \"%s\"; expected an activation without parameters such as "
                         "gelu, gelu_new, silu, relu",
                         where, key->name, name);
    }
    for (int64_t i = 0; key->names[i]; i++)
        if (*name && strcmp(key->names[i], name) == 0) { /* an empty name is not a spelling */
            *field = i;
            return HEED_OK;
        }
    return heed_fail(error, HEED_E_UNSUPPORTED, "%s: %s is \"%s\"; expected one of %s, %s%s ...",
                     where, key->name, name, key->names[0], key->names[1],
                     key->names[1] && key->names[2] ? ", " : "");
}

static heed_status read_choice(const heed_key *key, const json_t *json, int64_t *field,
                               const char *where, heed_error *error)
{
    bool yes = *field == key->yes;
    HEED_TRY(heed_json_boolean(json, key->name, &yes, where, error));
    *field = yes ? key->yes : key->no;
    return HEED_OK;
}

static heed_status read_key(heed_config *config, const heed_key *key, const json_t *json,
                            const char *where, heed_error *error)
{
    const json_t *member = json_object_get(json, key->name);
    if (!member) return HEED_OK;
    void *field = field_of(config, key);
    if (json_is_null(member)) { /* null means none if the key has such a value, else the default */
        if (key->type == HEED_KEY_COUNT) *(int64_t *)field = 0;
        if (key->type == HEED_KEY_ID) *(int64_t *)field = -1;
        if (key->type == HEED_KEY_AMOUNT) *(double *)field = 0;
        return HEED_OK;
    }
    switch ((heed_key_type)key->type) {
    case HEED_KEY_SIZE:
    case HEED_KEY_COUNT: return read_integer(key, json, field, where, error);
    case HEED_KEY_ID: return read_id(key, json, field, where, error);
    case HEED_KEY_NUMBER:
    case HEED_KEY_AMOUNT:
    case HEED_KEY_RATE: return read_number(key, json, field, where, error);
    case HEED_KEY_FLAG: return heed_json_boolean(json, key->name, field, where, error);
    case HEED_KEY_ACTIVATION:
    case HEED_KEY_KIND: return read_name(key, json, field, where, error);
    case HEED_KEY_CHOICE: return read_choice(key, json, field, where, error);
    }
    return HEED_OK;
}

heed_status heed_config_read_keys(heed_config *config, const heed_key *keys, const json_t *json,
                                  const char *where, heed_error *error)
{
    for (; keys->name; keys++) HEED_TRY(read_key(config, keys, json, where, error));
    return HEED_OK;
}
