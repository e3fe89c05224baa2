/* Reads configurations: from config.json, from whatever a path names, from a family's preset. */
#include "model/head/head.h"
#include "base/file.h"
#include "base/foreign.h"
#include "io/gguf.h"
#include "io/weights.h"
#include "tensor/dtype.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what all families have: architectures, labels, dtype ---- */

heed_status heed_config_set_head(heed_config *config, heed_head head, const char *where,
                                 heed_error *error)
{
    const heed_config alone = {.heads = {(uint8_t)head}};
    const heed_architecture *known = heed_config_class_of(config, config->family, alone.heads);
    if (!known)
        return heed_fail(error, HEED_E_UNSUPPORTED, "%s: models of type %s have no head \"%s\"",
                         where, config->family->name, heed_head_at(&alone, 0)->name);
    heed_config_set_class(config, known);
    return HEED_OK;
}

/* Writes the names of a family's classes, cut to `room` bytes, and returns text. */
static const char *list_classes(const heed_family *family, char *text, size_t room)
{
    size_t at = 0;
    for (const heed_architecture *known = family->architectures; known->name && at < room;
         known++) {
        const char *before = known == family->architectures ? "" : ", ";
        at += (size_t)snprintf(text + at, room - at, "%s%s", before, known->name);
    }
    return text;
}

/* Finds the class that architectures names: the family's first one if there is no such key. */
static heed_status find_class(const heed_family *family, const json_t *json, const char *where,
                              const heed_architecture **known, heed_error *error)
{
    const json_t *list = json_object_get(json, "architectures");
    const char *name = json_string_value(json_array_get(list, 0));
    char classes[600];
    *known = family->architectures;
    if (!list || json_is_null(list) || (json_is_array(list) && json_array_size(list) == 0))
        return HEED_OK;
    if (!name || json_array_size(list) > 1)
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: architectures: expected a list with one class name", where);
    for (; (*known)->name; ++*known)
        if (strcmp((*known)->name, name) == 0) return HEED_OK;
    return heed_fail(error, HEED_E_UNSUPPORTED,
                     "%s: architectures is \"%s\"; family %s has the classes %s", where, name,
                     family->name, list_classes(family, classes, sizeof classes));
}

static heed_status read_heads(heed_config *config, const json_t *json, const char *where,
                              heed_error *error)
{
    const heed_architecture *known;
    HEED_TRY(find_class(config->family, json, where, &known, error));
    if (heed_config_is_decoder_alone(config) && !known->is_decoder_alone)
        return heed_fail(error, HEED_E_UNSUPPORTED,
                         "%s: is_encoder_decoder is false; only true is supported for %s", where,
                         known->name);
    heed_config_set_class(config, known);
    return HEED_OK;
}

static heed_status read_labels(heed_config *config, const json_t *json, const char *where,
                               heed_error *error)
{
    const char *const *problems = heed_problem_names;
    const char *problem = NULL;
    const json_t *names = json_object_get(json, "id2label");
    HEED_TRY(heed_json_integer(json, "num_labels", &config->labels, where, error));
    if (json_is_object(names) && json_object_size(names) > 0)
        config->labels = (int64_t)json_object_size(names);
    if (config->labels < 1 || config->labels > 1 << 20)
        return heed_fail(error, HEED_E_FORMAT, "%s: num_labels is %lld; expected 1 to %d", where,
                         (long long)config->labels, 1 << 20);
    HEED_TRY(heed_json_string(json, "problem_type", &problem, where, error));
    for (int64_t i = HEED_PROBLEM_REGRESSION; problem && i <= HEED_PROBLEM_MULTI; i++)
        if (strcmp(problem, problems[i]) == 0) config->problem = i;
    if (problem && config->problem == HEED_PROBLEM_UNKNOWN)
        return heed_fail(error, HEED_E_FORMAT, "%s: problem_type is \"%s\"; expected %s, %s or %s",
                         where, problem, problems[1], problems[2], problems[3]);
    return HEED_OK;
}

static heed_status read_common(heed_config *config, const json_t *json, const char *where,
                               heed_error *error)
{
    const char *dtype = NULL, *method = "no quant_method";
    const json_t *quantized = json_object_get(json, "quantization_config");
    heed_dtype kind = HEED_F32;
    if (config->labels == 0) config->labels = 2;
    if (json_is_object(quantized))
        HEED_TRY(heed_json_string(quantized, "quant_method", &method, where, error));
    if (quantized && !json_is_null(quantized))
        return heed_fail(error, HEED_E_UNSUPPORTED,
                         "%s: quantization_config (%s): quantized safetensors are not read; "
                         "expected f32, f16 or bf16 weights, or a GGUF file",
                         where, method);
    HEED_TRY(heed_config_read_keys(config, heed_common_keys, json, where, error));
    heed_config_read_ends(config, json);
    HEED_TRY(read_heads(config, json, where, error));
    HEED_TRY(read_labels(config, json, where, error));
    HEED_TRY(heed_json_string(json, "torch_dtype", &dtype, where, error));
    HEED_TRY(heed_json_string(json, "dtype", &dtype, where, error));
    if (dtype && heed_dtype_by_name(dtype, &kind) && (kind == HEED_F16 || kind == HEED_BF16))
        config->dtype = kind;
    return HEED_OK;
}

heed_status heed_config_read(heed_config *config, const json_t *json, const char *where,
                             heed_error *error)
{
    const char *type = NULL;
    char known[400];
    *config = (heed_config){0};
    if (!json_is_object(json))
        return heed_fail(error, HEED_E_FORMAT, "%s: expected a JSON object", where);
    HEED_TRY(heed_json_string(json, "model_type", &type, where, error));
    if (!type)
        return heed_fail(error, HEED_E_FORMAT,
                         "%s: model_type is missing; it names the family, for example \"llama\"",
                         where);
    const heed_family *family = heed_family_find(type);
    if (!family)
        return heed_fail(error, HEED_E_UNSUPPORTED, "%s: model_type is \"%s\"; known are %s", where,
                         type, heed_family_list(known, sizeof known));
    *config = *family->preset;
    config->family = family;
    /* Some keys are of some heads only. The class is read once more after the keys, because what it
       says takes precedence over them. */
    HEED_TRY(read_heads(config, json, where, error));
    HEED_TRY(heed_config_read_keys(config, family->keys, json, where, error));
    HEED_TRY(read_common(config, json, where, error));
    if (family->fix) HEED_TRY(family->fix(config, json, where, error));
    return heed_config_complete(config, where, error);
}

static heed_status load_gguf(heed_config *config, const char *path, heed_error *error)
{
    heed_gguf *file = NULL;
    HEED_TRY(heed_gguf_open(&file, path, error));
    heed_status status = heed_config_read_gguf(config, file, error);
    heed_gguf_close(file);
    return status;
}

/* For a folder without config.json: fails with the name of a GGUF file in it; HEED_OK if there is
   none. */
static heed_status check_gguf_inside(const char *folder, heed_error *error)
{
    DIR *stream = opendir(folder);
    heed_status status = HEED_OK;
    for (struct dirent *entry; stream && status == HEED_OK && (entry = readdir(stream));)
        if (heed_gguf_is_name(entry->d_name))
            status = heed_fail(
                error, HEED_E_IO,
                "%s: no config.json here; the model may be the file %s/%s: give its path", folder,
                folder, entry->d_name);
    if (stream) closedir(stream);
    return status;
}

/* Fails with the reason why a path is not a model: what the file is instead, or what the folder
   lacks. */
static heed_status fail_without_config(const char *path, const char *folder, heed_error *error)
{
    static const char files[] = "config.json (and tokenizer.json, to read and write text)";
    if (heed_path_is_directory(path)) return check_gguf_inside(path, error);
    if (heed_weights_is_name(path) && heed_path_exists(path))
        return heed_fail(error, HEED_E_IO,
                         "%s: weights alone are no model: put %s into %s, beside them", path, files,
                         folder);
    if (heed_gguf_is_name(path)) return heed_foreign_fail(path, "a GGUF file", error);
    return heed_foreign_fail(path, "a model folder, a GGUF file or a .safetensors file", error);
}

/* Does the path exist, or does its name look like that of a weights file? */
static bool is_model_name(const char *path)
{
    return heed_path_exists(path) || heed_gguf_is_name(path) || heed_weights_is_name(path);
}

heed_status heed_config_load(heed_config *config, const char *model, heed_error *error)
{
    *config = (heed_config){0};
    if (heed_gguf_is_file(model)) return load_gguf(config, model, error);
    char *folder = heed_weights_folder(model);
    char *path = folder ? heed_path_join(folder, "config.json") : NULL;
    json_t *json = NULL;
    heed_status status = HEED_OK;
    if (!path) status = heed_fail_memory(error, strlen(model) + 16, "a path");
    else if (is_model_name(model) && !heed_path_exists(path))
        status = fail_without_config(model, folder, error);
    if (status == HEED_OK) status = heed_json_read(&json, path, error);
    if (status == HEED_OK) status = heed_config_read(config, json, path, error);
    json_decref(json);
    free(path);
    free(folder);
    return status;
}

/* Returns a stack without sizes whose layers share weights as those of another do. */
static heed_stack sharing_of(const heed_stack *stack)
{
    return (heed_stack){.own_layers = stack->own_layers, .group_layers = stack->group_layers};
}

heed_status heed_config_preset(heed_config *config, const char *name, heed_error *error)
{
    const heed_family *family = heed_family_find(name);
    char known[400];
    *config = (heed_config){0};
    if (!family)
        return heed_fail(error, HEED_E_ARG, "no family is called \"%s\"; known are %s", name,
                         heed_family_list(known, sizeof known));
    *config = *family->preset;
    config->family = family;
    heed_config_set_class(config, family->architectures);
    if (config->labels == 0) config->labels = 2;
    config->vocabulary = config->d_model = config->context = 0;
    config->encoder = sharing_of(&family->preset->encoder);
    config->decoder = sharing_of(&family->preset->decoder);
    for (const heed_key *key = family->keys; key->name; key++)
        if (key->type == HEED_KEY_LAYER_TYPES) heed_layer_types_preset(config, key);
    return HEED_OK;
}
