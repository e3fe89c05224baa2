#include "train/options_internal.h"

#include "base/file.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double longest = 9e15; /* integers up to here are exact in JSON readers too */

heed_status heed_length_parse(heed_length *length, const char *text, heed_error *error)
{
    char *end = NULL;
    *length = (heed_length){0, HEED_LENGTH_STEPS};
    length->value = strtod(text, &end);
    if (strcmp(end, "e") == 0) length->unit = HEED_LENGTH_EPOCHS;
    if (strcmp(end, "t") == 0) length->unit = HEED_LENGTH_TOKENS;
    bool has_unit = length->unit != HEED_LENGTH_STEPS;
    bool is_number = end != text && (has_unit || *end == '\0');
    bool in_range = length->value > 0 && length->value < longest;
    if (is_number && in_range && (has_unit || length->value == floor(length->value)))
        return HEED_OK;
    return heed_fail(error, HEED_E_ARG,
                     "max_steps '%s': expected updates (2000), epochs (3e) or tokens (2000000t), "
                     "more than 0",
                     text);
}

heed_status heed_run_options_copy(heed_run_options *copy, const heed_run_options *options,
                                  heed_arena *arena, heed_error *error)
{
    *copy = *options;
    copy->out = options->out != NULL ? heed_arena_string(arena, options->out) : NULL;
    bool ok = options->out == NULL || copy->out != NULL;
    for (size_t i = 0; i < heed_train_field_count; i++) {
        char *at = (char *)copy + heed_train_fields[i].offset;
        if (heed_train_fields[i].kind == HEED_FIELD_TEXT ||
            heed_train_fields[i].kind == HEED_FIELD_PATH) {
            const char **text = (const char **)at;
            if (*text != NULL) ok &= (*text = heed_arena_string(arena, *text)) != NULL;
        } else if (heed_train_fields[i].kind == HEED_FIELD_PATHS) {
            const char *const **list = (const char *const **)at;
            size_t count = *(size_t *)((char *)copy + heed_train_fields[i].count_offset);
            const char **own = heed_arena_take(arena, count + 1, sizeof *own);
            ok &= own != NULL;
            for (size_t k = 0; ok && k < count; k++)
                ok &= (own[k] = heed_arena_string(arena, (*list)[k])) != NULL;
            *list = own;
        }
    }
    return ok ? HEED_OK : heed_fail_memory(error, 4096, "the options");
}

/* Checks the range of a number, unless the trainer still has to choose it. */
static heed_status check_number(const heed_train_field *field, double value, heed_error *error)
{
    if (field->preset < 0 && value < 0) return HEED_OK;
    return heed_train_field_check(field, value, error);
}

static bool is_whole(const heed_train_field *field)
{
    return field->kind == HEED_FIELD_COUNT || field->kind == HEED_FIELD_INTEGER;
}

heed_status heed_run_options_check(const heed_run_options *o, heed_error *error)
{
    for (size_t i = 0; i < heed_train_field_count; i++) {
        const heed_train_field *field = &heed_train_fields[i];
        const void *at = (const char *)o + field->offset;
        if (is_whole(field)) HEED_TRY(check_number(field, (double)*(const int64_t *)at, error));
        if (field->kind == HEED_FIELD_REAL)
            HEED_TRY(check_number(field, *(const double *)at, error));
    }
    if (o->data_count == 0) return heed_fail(error, HEED_E_ARG, "no data: give --data FILE...");
    if (o->out == NULL || *o->out == '\0')
        return heed_fail(error, HEED_E_ARG, "no place for the results: give --out RUN");
    if (o->pairs && (o->data_count != 2 || (o->valid_count != 0 && o->valid_count != 2)))
        return heed_fail(
            error, HEED_E_ARG,
            "pairs: expected two files, one with the sources and one with the targets");
    if ((o->init != NULL) + (o->config != NULL) + (o->family != NULL) > 1)
        return heed_fail(error, HEED_E_ARG,
                         "init, config and family each say what the model is: give one of them");
    bool sizes = o->layers >= 0 || o->d_model >= 0 || o->heads >= 0 || o->kv_heads >= 0 ||
                 o->d_ff >= 0;
    if (sizes && (o->init != NULL || o->config != NULL))
        return heed_fail(
            error, HEED_E_ARG,
            "layers, d_model, heads, kv_heads and d_ff belong to a family; %s has its own",
            o->init != NULL ? "the model of init" : "the config");
    if (o->average_last > 1 && o->save_total_limit > 0 && o->average_last > o->save_total_limit)
        return heed_fail(
            error, HEED_E_ARG,
            "average_last %lld needs at least as many checkpoints: raise save_total_limit %lld",
            (long long)o->average_last, (long long)o->save_total_limit);
    if (o->max_steps == NULL || o->optimizer == NULL)
        return heed_fail(
            error, HEED_E_ARG,
            "%s is not given: say how long to train, as in 2000 or 3e, and with adamw, adam or sgd",
            o->max_steps == NULL ? "max_steps" : "optimizer");
    heed_length length;
    return heed_length_parse(&length, o->max_steps, error);
}

/* ---- run.json ---- */

static void put_path(heed_buffer *out, const char *path)
{
    errno = 0;
    /* names of a tokenizer and of no template, not paths */
    bool word = strcmp(path, "char") == 0 || strcmp(path, "none") == 0;
    char *ok = word ? NULL : realpath(path, NULL);
    if (ok == NULL && errno == ENOMEM) out->failed = true;
    const char *text = ok != NULL ? ok : path;
    heed_json_put_string(out, text, strlen(text));
    free(ok);
}

static void put_text(heed_buffer *out, const char *text, heed_field_kind kind)
{
    if (text == NULL) heed_buffer_text(out, "null");
    else if (kind == HEED_FIELD_PATH) put_path(out, text);
    else heed_json_put_string(out, text, strlen(text));
}

static void put_paths(heed_buffer *out, const char *const *paths, size_t count)
{
    heed_buffer_byte(out, '[');
    for (size_t i = 0; i < count; i++) {
        if (i > 0) heed_buffer_text(out, ", ");
        put_path(out, paths[i]);
    }
    heed_buffer_byte(out, ']');
}

static void put_field(heed_buffer *out, const heed_train_field *f, const heed_run_options *o)
{
    const char *at = (const char *)o + f->offset;
    switch (f->kind) {
    case HEED_FIELD_TEXT:
    case HEED_FIELD_PATH: put_text(out, *(const char *const *)at, f->kind); break;
    case HEED_FIELD_PATHS:
        put_paths(out, *(const char *const *const *)at,
                  *(const size_t *)((const char *)o + f->count_offset));
        break;
    case HEED_FIELD_FLAG: heed_buffer_text(out, *(const bool *)at ? "true" : "false"); break;
    case HEED_FIELD_COUNT:
    case HEED_FIELD_INTEGER:
        heed_buffer_printf(out, "%lld", (long long)*(const int64_t *)at);
        break;
    case HEED_FIELD_REAL: heed_json_put_number(out, *(const double *)at); break;
    }
}

heed_status heed_run_options_write(const heed_run_options *options, const char *path,
                                   heed_error *error)
{
    heed_buffer out = {0};
    for (size_t i = 0; i < heed_train_field_count; i++) {
        heed_buffer_printf(&out, "%s  \"%s\": ", i == 0 ? "{\n" : ",\n", heed_train_fields[i].name);
        put_field(&out, &heed_train_fields[i], options);
    }
    heed_buffer_text(&out, "\n}\n");
    heed_status status = out.failed ? heed_fail_memory(error, out.length, "run.json")
                                    : heed_file_write(path, out.data, out.length, error);
    heed_buffer_free(&out);
    return status;
}

static heed_status read_paths(const heed_train_field *f, const json_t *member, heed_run_options *o,
                              const char *where, heed_arena *arena, heed_error *error)
{
    if (!json_is_array(member))
        return heed_fail(error, HEED_E_FORMAT, "%s: %s: expected a list of files", where, f->name);
    size_t count = json_array_size(member);
    const char **list = heed_arena_take(arena, count + 1, sizeof *list);
    if (list == NULL) return heed_fail_memory(error, count * sizeof *list, "run.json");
    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_array_get(member, i));
        if (text == NULL)
            return heed_fail(error, HEED_E_FORMAT, "%s: %s[%zu]: expected the name of a file",
                             where, f->name, i);
        if ((list[i] = heed_arena_string(arena, text)) == NULL)
            return heed_fail_memory(error, strlen(text), "run.json");
    }
    *(const char *const **)((char *)o + f->offset) = list;
    *(size_t *)((char *)o + f->count_offset) = count;
    return HEED_OK;
}

static heed_status read_field(const heed_train_field *f, const json_t *json, heed_run_options *o,
                              const char *where, heed_arena *arena, heed_error *error)
{
    char *at = (char *)o + f->offset;
    const json_t *member = json_object_get(json, f->name);
    if (member == NULL) return heed_fail(error, HEED_E_FORMAT, "%s: %s is missing", where, f->name);
    switch (f->kind) {
    case HEED_FIELD_TEXT:
    case HEED_FIELD_PATH:
        *(const char **)at = NULL;
        HEED_TRY(heed_json_string(json, f->name, (const char **)at, where, error));
        if (*(const char **)at != NULL &&
            (*(const char **)at = heed_arena_string(arena, *(const char **)at)) == NULL)
            return heed_fail_memory(error, 256, "run.json");
        return HEED_OK;
    case HEED_FIELD_PATHS: return read_paths(f, member, o, where, arena, error);
    case HEED_FIELD_FLAG: return heed_json_boolean(json, f->name, (bool *)at, where, error);
    case HEED_FIELD_COUNT:
    case HEED_FIELD_INTEGER: return heed_json_integer(json, f->name, (int64_t *)at, where, error);
    case HEED_FIELD_REAL: return heed_json_number(json, f->name, (double *)at, where, error);
    }
    return HEED_OK;
}

heed_status heed_run_options_read(heed_run_options *options, const char *path, heed_arena *arena,
                                  heed_error *error)
{
    json_t *json = NULL;
    *options = heed_run_options_default();
    HEED_TRY(heed_json_read(&json, path, error));
    heed_status status = HEED_OK;
    if (!json_is_object(json))
        status = heed_fail(error, HEED_E_FORMAT, "%s: expected an object", path);
    for (size_t i = 0; i < heed_train_field_count && status == HEED_OK; i++)
        status = read_field(&heed_train_fields[i], json, options, path, arena, error);
    json_decref(json);
    return status;
}
