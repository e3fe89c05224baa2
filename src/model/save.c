/* Writes a model directory that transformers loads (config.json and safetensors, in the names of
   the family it is written as), and GGUF files. */
#include "base/file.h"
#include "io/gguf.h"
#include "model/weights_internal.h"
#include "model/weights_range.h"
#include "tensor/dtype.h"

#include <stdlib.h>
#include <string.h>

enum { SHARD_BYTES_LOG2 = 32 }; /* a shard has at most 4 GiB */

/* The model, the same model with the tensor names of the written family, and which of its tensors
   are written. */
typedef struct {
    const heed_model *model;
    heed_model *written;
    const size_t *tensors;
    float gain_shift; /* added to the gains of norms when they are written */
} save_state;

static heed_status read_tensor(const save_state *state, const heed_tensor *tensor, float *values,
                               heed_error *error)
{
    for (int32_t i = 0; i < tensor->weights; i++) {
        const heed_weight *target = &state->written->weights[tensor->first_weight + i];
        int32_t own = heed_weights_find(state->model, &target->place, (heed_role)target->use->role);
        if (own < 0) continue;
        HEED_TRY(heed_weights_read(state->model, &state->model->weights[own], tensor,
                                   target->first_row, values, error));
    }
    bool gain = tensor->use->initial == HEED_INITIAL_ONE;
    for (size_t i = 0; gain && state->gain_shift != 0 && i < tensor->elements; i++)
        values[i] += state->gain_shift;
    return HEED_OK;
}

/* Copies a tensor from weights that already have its type and order. Returns false if it has to be
   converted. */
static bool copy_tensor(const save_state *state, const heed_tensor *tensor, heed_dtype dtype,
                        void *bytes)
{
    if (tensor->use->initial == HEED_INITIAL_ONE && state->gain_shift != 0) return false;
    for (int32_t i = 0; i < tensor->weights; i++) {
        const heed_weight *target = &state->written->weights[tensor->first_weight + i];
        int32_t own = heed_weights_find(state->model, &target->place, (heed_role)target->use->role);
        if (own < 0 || !heed_weights_copy(&state->model->weights[own], tensor, target->first_row,
                                          dtype, bytes))
            return false;
    }
    return true;
}

/* Returns how many elements from `at` on are converted before the next check for cancellation:
   whole qblocks. */
static size_t elements_at_once(const heed_tensor *tensor, size_t at)
{
    enum { AT_ONCE = 1 << 18 };
    return tensor->elements - at < AT_ONCE ? tensor->elements - at : AT_ONCE;
}

static heed_status produce(void *context, size_t index, const heed_tensor_source *target,
                           void *bytes, heed_error *error)
{
    const save_state *state = context;
    const heed_tensor *tensor = &state->written->tensors[state->tensors[index]];
    if (copy_tensor(state, tensor, target->dtype, bytes)) return HEED_OK;
    float *values = heed_allocate(tensor->elements + 1, sizeof *values);
    if (!values) return heed_fail_memory(error, tensor->elements * sizeof *values, tensor->name);
    heed_status status = read_tensor(state, tensor, values, error);
    for (size_t at = 0, some; at < tensor->elements && status == HEED_OK; at += some) {
        some = elements_at_once(tensor, at);
        heed_convert((char *)bytes + heed_dtype_bytes(target->dtype, at), target->dtype,
                     values + at, HEED_F32, some);
        status = heed_cancel_check(state->model->cancel, "converting tensors", error);
    }
    free(values);
    return status;
}

/* Can a weight of the model, in its resident type, hold numbers that are too large for this
   type? */
static bool may_overflow(const save_state *state, const heed_tensor *tensor, heed_dtype dtype)
{
    if (tensor->use->initial == HEED_INITIAL_ONE && state->gain_shift != 0)
        return dtype != HEED_F32;
    for (int32_t i = 0; i < tensor->weights; i++) {
        const heed_weight *target = &state->written->weights[tensor->first_weight + i];
        int32_t own = heed_weights_find(state->model, &target->place, (heed_role)target->use->role);
        if (own >= 0 && heed_dtype_may_overflow(dtype, state->model->weights[own].dtype))
            return true;
    }
    return false;
}

/* Checks, before anything is written, that every value fits the type of its tensor. */
static heed_status check_values(const save_state *state, const char *path,
                                const heed_tensor_set *set, bool may_quantize, heed_error *error)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->tensors[i].data) continue;
        const heed_tensor *tensor = &state->written->tensors[state->tensors[i]];
        const heed_value_target target = {
            .where = path,
            .name = tensor->name,
            .option = "--dtype",
            .dtype = set->tensors[i].dtype,
            .columns = tensor->rank > 1 ? tensor->shape[tensor->rank - 1] : 0,
            .may_quantize = may_quantize};
        if (!may_overflow(state, tensor, target.dtype)) continue;
        float *values = heed_allocate(tensor->elements + 1, sizeof *values);
        if (!values)
            return heed_fail_memory(error, tensor->elements * sizeof *values, tensor->name);
        heed_status status = read_tensor(state, tensor, values, error);
        for (size_t at = 0, some; at < tensor->elements && status == HEED_OK; at += some) {
            some = elements_at_once(tensor, at);
            status = heed_values_fit(&target, values + at, some, (heed_element_place){at, 1},
                                     error);
            if (status == HEED_OK)
                status = heed_cancel_check(state->model->cancel, "checking tensors", error);
        }
        free(values);
        HEED_TRY(status);
    }
    return HEED_OK;
}

static heed_status write_config(const heed_model *model, const char *folder, heed_dtype dtype,
                                double offset, heed_error *error)
{
    heed_config config = model->config;
    json_t *json = NULL;
    config.norm_offset = offset;
    if (dtype != HEED_DTYPE_COUNT) config.dtype = dtype;
    else if (model->training) config.dtype = HEED_F32;
    HEED_TRY(heed_config_write(&config, &json, error));
    if (!heed_class_names_write(&config, model->class_names, json)) {
        json_decref(json);
        return heed_fail_memory(error, 4096, "the names of classes");
    }
    char *path = heed_path_join(folder, "config.json");
    heed_buffer text = {0};
    heed_json_put(&text, json, JSON_INDENT(2) | JSON_SORT_KEYS);
    heed_status status = path && !text.failed ? heed_file_write(path, text.data, text.length, error)
                                              : heed_fail_memory(error, 4096, "config.json");
    free(path);
    heed_buffer_free(&text);
    json_decref(json);
    return status;
}

/* Lists the written tensors for which this model has values. */
static void list_sources(const save_state *state, heed_dtype dtype, heed_tensor_source *sources,
                         size_t *tensors, size_t *count)
{
    for (size_t i = 0; i < state->written->n_tensors; i++) {
        const heed_tensor *tensor = &state->written->tensors[i];
        const heed_weight *first = &state->written->weights[tensor->first_weight];
        int32_t own = heed_weights_find(state->model, &first->place, (heed_role)first->use->role);
        if (own < 0) continue;
        const heed_tensor *source = &state->model->tensors[state->model->weights[own].tensor];
        heed_dtype stored = source->trained ? HEED_F32 : source->stored;
        if (heed_dtype_is_quantized(stored) &&
            state->written->names == state->written->config.family->weights)
            stored = HEED_F32;
        sources[*count] = (heed_tensor_source){
            .name = tensor->name,
            .dtype = dtype != HEED_DTYPE_COUNT ? dtype : stored,
            .rank = tensor->rank,
            .shape = tensor->shape,
        };
        tensors[(*count)++] = i;
    }
}

static heed_status write_tensors(save_state *state, const char *folder, heed_dtype dtype,
                                 heed_error *error)
{
    size_t room = state->written->n_tensors + 1, count = 0;
    heed_tensor_source *sources = heed_allocate(room, sizeof *sources);
    size_t *tensors = heed_allocate(room, sizeof *tensors);
    heed_status status = sources && tensors ? HEED_OK
                                            : heed_fail_memory(error, room * sizeof *sources,
                                                               "the list of tensors");
    if (status == HEED_OK) {
        list_sources(state, dtype, sources, tensors, &count);
        state->tensors = tensors;
        heed_tensor_set set = {
            .tensors = sources,
            .count = count,
            .produce = produce,
            .context = state,
            .cancel = state->model->cancel,
        };
        status = check_values(state, NULL, &set, false, error);
        if (status == HEED_OK)
            status = heed_safetensors_write_folder(folder, &set, (size_t)1 << SHARD_BYTES_LOG2,
                                                   error);
    }
    free(tensors);
    free(sources);
    return status;
}

void heed_model_set_cancel(heed_model *model, heed_cancel cancel)
{
    model->cancel = cancel;
}

heed_status heed_model_save(const heed_model *model, const char *folder, heed_dtype dtype,
                            heed_error *error)
{
    if (dtype != HEED_F32 && dtype != HEED_F16 && dtype != HEED_BF16 && dtype != HEED_DTYPE_COUNT)
        return heed_fail(error, HEED_E_ARG,
                         "%s: a folder holds weights as f32, f16 or bf16; quantized types need a "
                         "name that ends in "
                         ".gguf",
                         folder);
    heed_config as;
    save_state state = {.model = model};
    const heed_family *family = heed_config_written_family(&model->config, &as);
    bool own_names = family == model->config.family && model->names == family->weights;
    const char *prefix = own_names ? model->prefix : heed_family_prefix(family, &as);
    /* GGUF files store the gains of norms without an offset. */
    if (family == model->config.family && !own_names) as.norm_offset = family->preset->norm_offset;
    state.gain_shift = (float)(model->config.norm_offset - as.norm_offset);
    HEED_TRY(heed_model_create(&state.written, &as, &(heed_model_options){0}, error));
    heed_status status = heed_weights_list(state.written, prefix, error);
    if (status == HEED_OK) status = write_tensors(&state, folder, dtype, error);
    if (status == HEED_OK) status = write_config(model, folder, dtype, as.norm_offset, error);
    heed_model_release(state.written);
    return status;
}

/* ---- GGUF ---- */

static heed_dtype gguf_dtype(const heed_tensor *tensor, heed_dtype stored, heed_dtype wanted)
{
    bool table = tensor->use->role == HEED_ROLE_POSITION_EMBEDDING ||
                 tensor->use->role == HEED_ROLE_TYPE_EMBEDDING;
    if (tensor->columns == 0 || tensor->rank == 1 || table) return HEED_F32;
    return heed_dtype_fit(wanted == HEED_DTYPE_COUNT ? stored : wanted, tensor->columns);
}

/* The entries come first: they refuse what such files cannot say, whose tensors have no names. */
static heed_status write_gguf(save_state *state, const char *path, heed_dtype dtype,
                              const heed_gguf_entries *tokenizer, heed_error *error)
{
    heed_gguf_factors factors = {0};
    heed_gguf_entries entries = {0};
    heed_status status = heed_config_put_gguf(&state->written->config, dtype, &entries, &factors,
                                              error);
    if (status == HEED_OK) status = heed_weights_list(state->written, "", error);
    size_t room = state->written->n_tensors + 3, count = 0;
    heed_tensor_source *sources = heed_allocate(room, sizeof *sources);
    size_t *tensors = heed_allocate(room, sizeof *tensors);
    if (status == HEED_OK && !(sources && tensors))
        status = heed_fail_memory(error, room * sizeof *sources, "the list of tensors");
    if (status == HEED_OK) {
        list_sources(state, HEED_DTYPE_COUNT, sources, tensors, &count);
        for (size_t i = 0; i < count; i++)
            sources[i].dtype = gguf_dtype(&state->written->tensors[tensors[i]], sources[i].dtype,
                                          dtype);
        for (int i = 0; i < factors.sets; i++)
            sources[count++] = (heed_tensor_source){
                .name = factors.names[i],
                .dtype = HEED_F32,
                .rank = 1,
                .shape = &factors.pairs,
                .data = factors.values[i],
            };
        if (tokenizer) heed_gguf_put_entries(&entries, tokenizer);
        state->tensors = tensors;
        heed_tensor_set set = {
            .tensors = sources,
            .count = count,
            .produce = produce,
            .context = state,
            .cancel = state->model->cancel,
        };
        status = check_values(state, path, &set, true, error);
        if (status == HEED_OK) status = heed_gguf_write(path, &entries, &set, error);
    }
    heed_buffer_free(&entries.bytes);
    free(tensors);
    free(sources);
    return status;
}

heed_status heed_model_save_gguf(const heed_model *model, const char *path, heed_dtype dtype,
                                 const heed_gguf_entries *tokenizer, heed_error *error)
{
    heed_config as;
    save_state state = {.model = model};
    const heed_family *family = heed_config_written_family(&model->config, &as);
    if (!family->gguf)
        return heed_fail(
            error, HEED_E_UNSUPPORTED,
            "%s: models of family %s have no place in GGUF files; write a folder instead", path,
            family->name);
    if (dtype != HEED_DTYPE_COUNT && dtype != HEED_F32 && dtype != HEED_F16 && dtype != HEED_BF16 &&
        !heed_dtypes[dtype].encode)
        return heed_fail(error, HEED_E_ARG, "%s: weights cannot be written as %s", path,
                         heed_dtypes[dtype].name);
    as.family = family;
    as.norm_offset = 0;
    state.gain_shift = (float)model->config.norm_offset;
    HEED_TRY(heed_model_create(&state.written, &as, &(heed_model_options){0}, error));
    state.written->names = family->gguf->weights;
    heed_status status = write_gguf(&state, path, dtype, tokenizer, error);
    heed_model_release(state.written);
    return status;
}
