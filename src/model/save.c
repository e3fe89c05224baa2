/* Writing a model directory that transformers loads: config.json and safetensors, in the names of the family it is written as. */
#include "base/file.h"
#include "model/weights.h"
#include "tensor/dtype.h"

#include <stdlib.h>
#include <string.h>

enum { SHARD_BYTES_LOG2 = 32 }; /* files of at most 4 GiB */

/* The model, the same model listed in the written family's terms, and which of its tensors are written. */
typedef struct { const heed_model *model; heed_model *written; const size_t *tensors; } save_state;

static heed_status read_tensor(const save_state *state, const heed_tensor *tensor, float *values, heed_error *error)
{
    for (int32_t i = 0; i < tensor->weights; i++) {
        const heed_weight *target = &state->written->weights[tensor->first_weight + i];
        int32_t own = heed_weights_find(state->model, (heed_part)target->part, (heed_role)target->role, tensor->layer);
        if (own < 0) continue;
        HEED_TRY(heed_weights_read(state->model, &state->model->weights[own], tensor, target->first_row, values, error));
    }
    return HEED_OK;
}

static heed_status produce(void *context, size_t index, const heed_tensor_source *target, void *bytes, heed_error *error)
{
    const save_state *state = context;
    const heed_tensor *tensor = &state->written->tensors[state->tensors[index]];
    float *values = heed_allocate(tensor->elements + 1, sizeof *values);
    if (!values) return heed_fail_memory(error, tensor->elements * sizeof *values, tensor->name);
    heed_status status = read_tensor(state, tensor, values, error);
    if (status == HEED_OK) heed_convert(bytes, target->dtype, values, HEED_F32, tensor->elements);
    free(values);
    return status;
}

static heed_status write_config(const heed_model *model, const char *folder, heed_dtype dtype, heed_error *error)
{
    heed_config config = model->config;
    json_t *json = NULL;
    if (dtype != HEED_DTYPE_COUNT) config.dtype = dtype;
    else if (model->training) config.dtype = HEED_F32;
    HEED_TRY(heed_config_write(&config, &json, error));
    char *path = heed_path_join(folder, "config.json");
    heed_buffer text = {0};
    heed_json_put(&text, json, JSON_INDENT(2) | JSON_SORT_KEYS);
    heed_status status = path && !text.failed ? heed_file_write(path, text.data, text.length, error) : heed_fail_memory(error, 4096, "config.json");
    free(path);
    heed_buffer_free(&text);
    json_decref(json);
    return status;
}

/* The written tensors that this model has values for. */
static void list_sources(const save_state *state, heed_dtype dtype, heed_tensor_source *sources, size_t *tensors, size_t *count)
{
    for (size_t i = 0; i < state->written->n_tensors; i++) {
        const heed_tensor *tensor = &state->written->tensors[i];
        const heed_weight *first = &state->written->weights[tensor->first_weight];
        int32_t own = heed_weights_find(state->model, (heed_part)first->part, (heed_role)first->role, tensor->layer);
        if (own < 0) continue;
        heed_dtype stored = state->model->training ? HEED_F32 : state->model->tensors[state->model->weights[own].tensor].stored;
        sources[*count] = (heed_tensor_source){.name = tensor->name, .dtype = dtype != HEED_DTYPE_COUNT ? dtype : stored, .rank = tensor->rank,
                                               .shape = tensor->shape};
        tensors[(*count)++] = i;
    }
}

static heed_status write_tensors(save_state *state, const char *folder, heed_dtype dtype, heed_error *error)
{
    size_t room = state->written->n_tensors + 1, count = 0;
    heed_tensor_source *sources = heed_allocate(room, sizeof *sources);
    size_t *tensors = heed_allocate(room, sizeof *tensors);
    heed_status status = sources && tensors ? HEED_OK : heed_fail_memory(error, room * sizeof *sources, "the list of tensors");
    if (status == HEED_OK) {
        list_sources(state, dtype, sources, tensors, &count);
        state->tensors = tensors;
        heed_tensor_set set = {.tensors = sources, .count = count, .produce = produce, .context = state};
        status = heed_safetensors_write_folder(folder, &set, (size_t)1 << SHARD_BYTES_LOG2, error);
    }
    free(tensors);
    free(sources);
    return status;
}

heed_status heed_model_save(const heed_model *model, const char *folder, heed_dtype dtype, heed_error *error)
{
    if (dtype != HEED_F32 && dtype != HEED_F16 && dtype != HEED_BF16 && dtype != HEED_DTYPE_COUNT)
        return heed_fail(error, HEED_E_ARG, "weights are written as f32, f16 or bf16");
    heed_config as;
    save_state state = {.model = model};
    const heed_family *family = heed_config_written_family(&model->config, &as);
    bool own_names = family == model->config.family && model->names == family->weights;
    const char *prefix = own_names ? model->prefix : heed_family_prefix(family, as.head);
    HEED_TRY(heed_model_create(&state.written, &as, &(heed_model_options){0}, error));
    heed_status status = heed_weights_list(state.written, prefix, error);
    if (status == HEED_OK) status = write_tensors(&state, folder, dtype, error);
    if (status == HEED_OK) status = write_config(model, folder, dtype, error);
    heed_model_release(state.written);
    return status;
}
