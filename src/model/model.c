/* Makes and frees models; their parameters, notes and sizes. */
#include "model/weights_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

heed_status heed_model_create(heed_model **out, const heed_config *config,
                              const heed_model_options *options, heed_error *error)
{
    *out = NULL;
    heed_model *model = heed_allocate(1, sizeof *model);
    if (model) model->arena = heed_arena_new();
    if (!model || !model->arena) {
        free(model);
        return heed_fail_memory(error, sizeof *model, "a model");
    }
    atomic_init(&model->references, 1);
    model->config = *config;
    model->backend = options->backend;
    model->training = options->training;
    model->frozen = options->training ? options->frozen : NULL;
    model->narrows = options->narrows;
    model->narrow_dtype = options->narrow_dtype;
    model->cache = options->cache;
    model->bf16 = options->bf16;
    model->names = config->family->weights;
    model->cancel = options->cancel;
    heed_status status = heed_keep_list(model, error);
    if (status == HEED_OK) *out = model;
    else heed_model_release(model);
    return status;
}

heed_model *heed_model_retain(heed_model *model)
{
    atomic_fetch_add(&model->references, 1);
    return model;
}

void heed_model_release(heed_model *model)
{
    if (!model || atomic_fetch_sub(&model->references, 1) != 1) return;
    heed_free_aligned(model->memory);
    heed_free_aligned(model->copies);
    for (size_t i = 0; i < model->n_tensors; i++) {
        /* its memory belongs to the first expert's tensor */
        if (model->tensors[i].expert > 0) continue;
        heed_free_aligned(model->tensors[i].values);
        heed_free_aligned(model->tensors[i].gradient);
    }
    json_decref(model->class_names);
    json_decref(model->unused_keys);
    for (size_t i = 0; i < model->n_notes; i++) free(model->notes[i].text);
    free(model->notes);
    free(model->weights);
    free(model->tensors);
    heed_arena_free(model->arena);
    free(model);
}

const heed_config *heed_model_config(const heed_model *model)
{
    return &model->config;
}

bool heed_model_is_training(const heed_model *model)
{
    return model->training;
}

size_t heed_model_bytes(const heed_model *model)
{
    size_t bytes = 0;
    for (size_t i = 0; i < model->n_weights; i++) bytes += model->weights[i].bytes;
    return bytes;
}

size_t heed_model_copy_bytes(const heed_model *model)
{
    return model->copies_bytes;
}

double heed_model_step_bytes(const heed_model *model, int64_t rows)
{
    double sum = 0;
    for (size_t i = 0; i < model->n_weights; i++) {
        const heed_weight *weight = &model->weights[i];
        const bool matrix = weight->columns > 0;
        if (weight->tensor < 0 || (matrix && !heed_weight_is_multiplied(&model->config, weight)))
            continue;
        const double routed = (double)(rows * model->config.experts_per_token);
        const double experts = (double)weight->experts;
        double share = 1;
        if (weight->experts && routed < experts) share = routed / experts;
        sum += (double)weight->bytes * share;
    }
    return sum;
}

/* ---- what config.json says besides ---- */

/* Warns of the keys that the model does not use, in one line. */
static heed_status warn_unused(heed_model *model, const char *where, heed_error *error)
{
    heed_buffer keys = {0};
    for (size_t i = 0; i < json_array_size(model->unused_keys); i++) {
        const char *key = json_string_value(json_array_get(model->unused_keys, i));
        heed_buffer_printf(&keys, "%s%s", i > 0 ? ", " : "", key);
    }
    heed_status status = HEED_OK;
    if (keys.failed) status = heed_fail_memory(error, 4096, "a warning");
    else if (keys.length > 0)
        status = heed_model_warning_add(model, error, "%s: not used: %s", where, keys.data);
    heed_buffer_free(&keys);
    return status;
}

heed_status heed_model_read_besides(heed_model *model, const char *path, heed_error *error)
{
    json_t *json = NULL;
    HEED_TRY(heed_json_read(&json, path, error));
    heed_status status = heed_class_names_read(&model->class_names, &model->config, json, path,
                                               error);
    if (status == HEED_OK) {
        model->unused_keys = heed_config_unused(&model->config, json);
        if (!model->unused_keys) status = heed_fail_memory(error, 4096, "the unused keys");
    }
    json_decref(json);
    return status == HEED_OK ? warn_unused(model, path, error) : status;
}

const char *heed_model_class_name(const heed_model *model, int64_t label)
{
    return json_string_value(json_array_get(model->class_names, (size_t)label));
}

const char *heed_model_unused_key(const heed_model *model, size_t index)
{
    return json_string_value(json_array_get(model->unused_keys, index));
}

/* ---- notes ---- */

static heed_status add_note(heed_model *model, bool warning, const char *text, heed_error *error)
{
    char *copy = heed_string_copy(text);
    if (!copy || !heed_grow(&model->notes, &model->notes_capacity, model->n_notes + 1,
                            sizeof *model->notes)) {
        free(copy);
        return heed_fail_memory(error, strlen(text) + 1, "a note");
    }
    model->notes[model->n_notes++] = (heed_model_message){copy, warning};
    return HEED_OK;
}

heed_status heed_model_note_add(heed_model *model, heed_error *error, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return add_note(model, false, text, error);
}

heed_status heed_model_warning_add(heed_model *model, heed_error *error, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return add_note(model, true, text, error);
}

size_t heed_model_note_count(const heed_model *model)
{
    return model->n_notes;
}

const char *heed_model_note(const heed_model *model, size_t index)
{
    return model->notes[index].text;
}

bool heed_model_note_is_warning(const heed_model *model, size_t index)
{
    return model->notes[index].warning;
}

/* ---- parameters ---- */

size_t heed_model_parameter_count(const heed_model *model)
{
    return model->n_parameters;
}

heed_parameter_info heed_model_parameter(const heed_model *model, size_t index)
{
    const heed_tensor *tensor = &model->tensors[model->parameters[index]];
    return (heed_parameter_info){
        .name = tensor->name,
        .rank = tensor->rank,
        .shape = tensor->shape,
        .elements = tensor->elements,
        .group = tensor->columns > 0 ? HEED_DECAY_MATRIX : HEED_DECAY_NONE,
        .rows = tensor->values,
        .gradient = tensor->gradient,
    };
}

size_t heed_model_copy_count(const heed_model *model, size_t index)
{
    return heed_weights_copy_count(model, &model->tensors[model->parameters[index]]);
}

heed_parameter_copy heed_model_copy(const heed_model *model, size_t index, size_t at)
{
    return heed_weights_bf16(model, &model->tensors[model->parameters[index]], at);
}

void heed_model_parameter_read(const heed_model *model, size_t index, bool gradient, float *values)
{
    heed_weights_read_training(&model->tensors[model->parameters[index]], gradient, values);
}

size_t heed_model_element_count(const heed_model *model)
{
    size_t count = 0;
    for (size_t i = 0; i < model->n_parameters; i++)
        count += model->tensors[model->parameters[i]].elements;
    return count;
}

heed_status heed_model_allocate_gradients(heed_model *model, heed_error *error)
{
    if (!model->training)
        return heed_fail(error, HEED_E_ARG,
                         "the model was not opened for training: it has no gradients");
    for (size_t i = 0; i < model->n_parameters; i++) {
        heed_tensor *tensor = &model->tensors[model->parameters[i]];
        if (tensor->gradient) continue;
        tensor->gradient = heed_weights_training_memory(model, tensor, true);
        if (!tensor->gradient)
            return heed_fail_memory(error, tensor->elements * sizeof(float), "gradients");
    }
    return HEED_OK;
}

void heed_model_clear_gradients(heed_model *model)
{
    for (size_t i = 0; i < model->n_parameters; i++) {
        heed_tensor *tensor = &model->tensors[model->parameters[i]];
        if (tensor->gradient) memset(tensor->gradient, 0, tensor->elements * sizeof(float));
    }
}

heed_status heed_model_new_random(heed_model **out, const heed_config *config,
                                  const heed_model_options *options, heed_error *error)
{
    heed_model *model = NULL;
    heed_config complete = *config;
    *out = NULL;
    if (options->head != HEED_HEAD_NONE)
        HEED_TRY(heed_config_set_head(&complete, options->head, "configuration", error));
    HEED_TRY(heed_config_complete(&complete, "configuration", error));
    HEED_TRY(heed_model_create(&model, &complete, options, error));
    heed_status status = heed_weights_list(model, heed_family_prefix(complete.family, &complete),
                                           error);
    if (status == HEED_OK) status = heed_weights_allocate(model, error);
    if (status == HEED_OK) heed_weights_compute(model);
    for (size_t i = 0; status == HEED_OK && i < model->n_tensors; i++)
        if (!model->tensors[i].absent)
            status = heed_weights_initialize(model, &model->tensors[i], options->seed, error);
    model->cancel = (heed_cancel){0};
    model->frozen = NULL;
    if (status == HEED_OK) *out = model;
    else heed_model_release(model);
    return status;
}

/* ---- sizes ---- */

/* Returns the resident bytes with matrices in `dtype`. Vectors and computed tables are f32. */
static size_t inference_bytes(const heed_model *model, heed_dtype dtype)
{
    bool kept = dtype == HEED_F16 || dtype == HEED_BF16 || heed_dtype_is_quantized(dtype);
    double matrix_width = heed_dtype_width(kept ? dtype : HEED_F32);
    size_t bytes = 0;
    for (size_t i = 0; i < model->n_weights; i++) {
        const heed_weight *weight = &model->weights[i];
        if (weight->tensor >= 0 && model->tensors[weight->tensor].absent) continue;
        bool matrix = weight->columns > 0 && weight->tensor >= 0;
        double elements = (double)weight->rows * (double)(weight->columns ? weight->columns : 1);
        bytes += (size_t)(elements * (matrix ? matrix_width : sizeof(float)));
    }
    return bytes;
}

/* Returns the bytes that the layers keep of one position of a sequence; what they keep of a page is
   shared out. */
static size_t position_bytes(const heed_model *model)
{
    size_t count, by_position = 0, by_page = 0;
    const heed_kept *kept = heed_model_keeps(model, HEED_KEEP_SELF, &count);
    for (size_t i = 0; i < count; i++) {
        size_t bytes = (size_t)kept[i].columns * heed_dtypes[kept[i].dtype].bytes;
        if (kept[i].what->per_page) by_page += bytes;
        else by_position += bytes;
    }
    return by_position + by_page / HEED_PAGE_POSITIONS;
}

heed_status heed_config_size(const heed_config *config, heed_dtype dtype, heed_model_size *size,
                             heed_error *error)
{
    heed_model *model = NULL;
    heed_config complete = *config;
    *size = (heed_model_size){0};
    HEED_TRY(heed_config_complete(&complete, "configuration", error));
    HEED_TRY(heed_model_create(&model, &complete, &(heed_model_options){0}, error));
    heed_status status = heed_weights_list(model, "", error);
    if (status == HEED_OK) status = heed_weights_list_parameters(model, error);
    if (status == HEED_OK) {
        size->parameters = heed_model_element_count(model);
        size->inference_bytes = inference_bytes(model, dtype);
        size->training_bytes = 4 * sizeof(float) * size->parameters;
        size->cache_bytes_per_position = position_bytes(model);
    }
    heed_model_release(model);
    return status;
}
