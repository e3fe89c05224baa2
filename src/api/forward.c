/* forward.c: runs a model once for the public interface, from a file of tensors to another. */
#include "api/transformer.h"

#include "base/memory.h"
#include "base/output.h"
#include "io/safetensors.h"
#include "forward/forward.h"
#include <stdlib.h>
#include <string.h>

/* Opens the file and lists its tensors whose names begin with "in.". Their data belongs to *file.
   The caller frees *tensors and closes *file, after a failure too. */
static heed_status read_inputs(const char *path, heed_safetensors **file,
                               heed_named_tensor **tensors, size_t *count, heed_error *error)
{
    HEED_TRY(heed_safetensors_open_whole(file, path, error));
    size_t all = heed_safetensors_count(*file);
    *tensors = heed_allocate(all, sizeof **tensors);
    if (!*tensors) return heed_fail_memory(error, all * sizeof **tensors, path);
    for (size_t i = 0; i < all; i++) {
        const heed_stored_tensor *stored = heed_safetensors_at(*file, i);
        if (strncmp(stored->name, "in.", 3)) continue;
        if (stored->rank > HEED_MAX_RANK)
            return heed_fail(error, HEED_E_SHAPE, "%s: %s has %d axes, expected at most %d", path,
                             stored->name, stored->rank, HEED_MAX_RANK);
        heed_named_tensor *tensor = &(*tensors)[(*count)++];
        *tensor = (heed_named_tensor){
            .name = (char *)stored->name,
            .dtype = stored->dtype,
            .rank = stored->rank,
            .data = stored->data,
        };
        if (stored->rank)
            memcpy(tensor->shape, stored->shape, (size_t)stored->rank * sizeof *stored->shape);
    }
    return HEED_OK;
}

/* Writes all tensors of the list to a safetensors file. */
static heed_status write_outputs(const char *path, const heed_tensor_list *list, heed_error *error)
{
    heed_tensor_source *sources = heed_allocate(list->count, sizeof *sources);
    if (!sources) return heed_fail_memory(error, list->count * sizeof *sources, path);
    for (size_t i = 0; i < list->count; i++)
        sources[i] = (heed_tensor_source){list->items[i].name, list->items[i].dtype,
                                          list->items[i].rank, list->items[i].shape,
                                          list->items[i].data};
    heed_status status = heed_safetensors_write(
        path, &(heed_tensor_set){.tensors = sources, .count = list->count}, error);
    free(sources);
    return status;
}

heed_status heed_forward_files(heed_context *context, const heed_forward_task *task,
                               heed_error *error)
{
    heed_safetensors *file = NULL;
    heed_named_tensor *tensors = NULL;
    heed_tensor_list outputs = {0};
    heed_model *model = NULL;
    size_t count = 0;
    heed_model_options load = {.backend = context->backend, .training = task->gradients};
    if (!task->model || !task->input || !task->output)
        return heed_fail(error, HEED_E_ARG, "nothing to run: name model, input and output");
    if (task->load.weights && task->gradients)
        return heed_fail(error, HEED_E_ARG,
                         "gradients are those of the weights as stored: leave out the type %s",
                         task->load.weights);
    HEED_TRY(heed_load_options_read(&task->load, &load, error));
    HEED_TRY(heed_path_check_output(task->output, error));
    heed_forward_options options = {
        .gradients = task->gradients,
        .attentions = true,
        .note = task->load.note,
        .note_argument = task->load.note_argument,
    };
    heed_status status = read_inputs(task->input, &file, &tensors, &count, error);
    if (status == HEED_OK) status = heed_model_load(&model, task->model, &load, error);
    if (status == HEED_OK) heed_load_emit_warnings(&task->load, model);
    if (status == HEED_OK)
        status = heed_forward(model, context->backend, &(heed_forward_inputs){tensors, count},
                              &options, &outputs, error);
    if (status == HEED_OK) status = write_outputs(task->output, &outputs, error);
    heed_tensor_list_free(&outputs);
    heed_model_release(model);
    free(tensors);
    heed_safetensors_close(file);
    return status;
}
