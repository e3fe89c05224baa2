#include "base/json.h"

#include "base/buffer.h"
#include "base/file.h"
#include <math.h>

enum { JSON_FILE_LIMIT = 256 << 20 };

heed_status heed_json_parse(json_t **json, const char *text, size_t length, const char *where, heed_error *error)
{
    json_error_t problem;
    *json = json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &problem);
    if (*json) return HEED_OK;
    if (json_error_code(&problem) == json_error_out_of_memory) return heed_fail_memory(error, length, where);
    return heed_fail(error, HEED_E_FORMAT, "%s: line %d, column %d (byte %d): %s; expected valid JSON without duplicate keys",
                     where, problem.line, problem.column, problem.position, problem.text);
}

heed_status heed_json_read(json_t **json, const char *path, heed_error *error)
{
    heed_buffer text = {0};
    heed_status status = heed_file_read(path, JSON_FILE_LIMIT, &text, error);
    if (status == HEED_OK) status = heed_json_parse(json, text.data, text.length, path, error);
    heed_buffer_free(&text);
    return status;
}

static const char *type_name(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return "an array";
    case JSON_STRING: return "a string";
    case JSON_INTEGER: return "an integer";
    case JSON_REAL: return "a number";
    case JSON_TRUE: case JSON_FALSE: return "a boolean";
    case JSON_NULL: break;
    }
    return "null";
}

static heed_status fail_type(heed_error *error, const char *where, const char *key, const json_t *found, const char *expected)
{
    return heed_fail(error, HEED_E_FORMAT, "%s: \"%s\" is %s, expected %s", where, key, type_name(found), expected);
}

heed_status heed_json_integer(const json_t *object, const char *key, int64_t *value, const char *where, heed_error *error)
{
    const json_t *member = json_object_get(object, key);
    if (!member || json_is_null(member)) return HEED_OK;
    if (json_is_integer(member)) *value = json_integer_value(member);
    else if (json_is_real(member) && fabs(json_real_value(member)) < 0x1p53 && floor(json_real_value(member)) == json_real_value(member))
        *value = (int64_t)json_real_value(member);
    else return fail_type(error, where, key, member, "an integer");
    return HEED_OK;
}

heed_status heed_json_number(const json_t *object, const char *key, double *value, const char *where, heed_error *error)
{
    const json_t *member = json_object_get(object, key);
    if (!member || json_is_null(member)) return HEED_OK;
    if (!json_is_number(member)) return fail_type(error, where, key, member, "a number");
    *value = json_number_value(member);
    return HEED_OK;
}

heed_status heed_json_boolean(const json_t *object, const char *key, bool *value, const char *where, heed_error *error)
{
    const json_t *member = json_object_get(object, key);
    if (!member || json_is_null(member)) return HEED_OK;
    if (!json_is_boolean(member)) return fail_type(error, where, key, member, "true or false");
    *value = json_is_true(member);
    return HEED_OK;
}

heed_status heed_json_string(const json_t *object, const char *key, const char **value, const char *where, heed_error *error)
{
    const json_t *member = json_object_get(object, key);
    if (!member || json_is_null(member)) return HEED_OK;
    if (!json_is_string(member)) return fail_type(error, where, key, member, "a string");
    *value = json_string_value(member);
    return HEED_OK;
}
