/* Makes a trainer ready: data, model, choices, engine, optimizer, in this order. */
#include "train/setup.h"
#include "train/trainer_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- update rule ---- */

/* Lists all bf16 working copies, parameter by parameter, in the arena. */
static heed_status list_copies(heed_trainer *t, heed_parameter_copy **copies, heed_error *error)
{
    size_t total = 0, at = 0, count = heed_model_parameter_count(t->model);
    for (size_t i = 0; i < count; i++) total += heed_model_copy_count(t->model, i);
    *copies = heed_arena_take(t->arena, total + 1, sizeof **copies);
    if (*copies == NULL)
        return heed_fail_memory(error, total * sizeof **copies, "the list of bf16 copies");
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < heed_model_copy_count(t->model, i); k++)
            (*copies)[at++] = heed_model_copy(t->model, i, k);
    return HEED_OK;
}

/* Lists with one entry per parameter. The state of the optimizer is flat, with shape (elements),
   because the rows of the model may have another order on disk. */
typedef struct parameter_list {
    heed_optimizer_tensor *tensors;
    int64_t *sizes; /* the shapes, in the arena, which lives as long as the optimizer */
    size_t count;
} parameter_list;

static void fill_list(const heed_trainer *t, const parameter_list *list,
                      const heed_parameter_copy *copies)
{
    for (size_t i = 0; i < list->count; i++) {
        heed_parameter_info p = heed_model_parameter(t->model, i);
        list->sizes[i] = (int64_t)p.elements;
        list->tensors[i] = (heed_optimizer_tensor){
            .name = p.name,
            .rank = 1,
            .shape = &list->sizes[i],
            .value = p.rows,
            .gradient = p.gradient,
            .decay = t->options.decay_all || p.group == HEED_DECAY_MATRIX,
            .copies = copies,
            .copy_count = heed_model_copy_count(t->model, i),
        };
        copies += list->tensors[i].copy_count;
    }
}

static heed_status open_optimizer(heed_trainer *t, heed_error *error)
{
    heed_optimizer_options rule;
    HEED_TRY(heed_trainer_rule(t, &rule, error));
    HEED_TRY(heed_model_allocate_gradients(t->model, error));
    heed_parameter_copy *copies = NULL;
    HEED_TRY(list_copies(t, &copies, error));
    size_t count = heed_model_parameter_count(t->model);
    parameter_list list = {
        .tensors = heed_allocate(count, sizeof *list.tensors),
        .sizes = heed_arena_take(t->arena, count, sizeof *list.sizes),
        .count = count,
    };
    heed_status status = HEED_OK;
    if (list.tensors == NULL || list.sizes == NULL) {
        status = heed_fail_memory(error, count * sizeof *list.tensors, "the list of parameters");
    } else {
        fill_list(t, &list, copies);
        status = heed_optimizer_new(&t->optimizer, &rule, list.tensors, count, t->backend, error);
    }
    free(list.tensors);
    return status;
}

static heed_status open_engine(heed_trainer *t, heed_error *error)
{
    const heed_run_options *o = &t->options;
    HEED_TRY(heed_engine_new(&t->engine, t->model, t->backend, error));
    heed_engine_set_cancel(t->engine, heed_trainer_cancel(t));
    heed_engine_loss_terms(t->model, &t->terms);
    t->spec = (heed_program_spec){
        .purpose = HEED_PURPOSE_TRAIN,
        .losses_only = true,
        .checkpointing = o->gradient_checkpointing,
        .bf16 = o->bf16,
        .dropout = (float)o->dropout,
        .label_smoothing = (float)o->label_smoothing,
    };
    t->eval_spec = (heed_program_spec){
        .purpose = HEED_PURPOSE_LOSS, .losses_only = true, .bf16 = o->bf16};
    t->batches = heed_allocate((size_t)o->gradient_accumulation_steps, sizeof *t->batches);
    if (t->batches == NULL)
        return heed_fail_memory(error, (size_t)o->gradient_accumulation_steps * sizeof *t->batches,
                                "the batches of an update");
    return HEED_OK;
}

static heed_status may_go_on(const heed_trainer *t, heed_error *error)
{
    return heed_cancel_check(heed_trainer_cancel(t), "setting up the training", error);
}

heed_status heed_trainer_prepare(heed_trainer *t, const char *checkpoint, heed_error *error)
{
    heed_data *data = NULL;
    HEED_TRY(heed_run_options_check(&t->options, error));
    HEED_TRY(heed_setup_data(&data, &t->options, false, heed_trainer_cancel(t), error));
    heed_status status = may_go_on(t, error);
    if (status == HEED_OK) status = heed_trainer_open_model(t, data, checkpoint, error);
    if (status == HEED_OK) status = heed_trainer_choose(t, data, error);
    if (status != HEED_OK) {
        heed_data_close(data);
        return status;
    }
    HEED_TRY(heed_trainer_open_data(t, data, error));
    HEED_TRY(heed_trainer_choose_by_steps(t, error));
    HEED_TRY(open_engine(t, error));
    HEED_TRY(heed_trainer_measure(t, error));
    HEED_TRY(may_go_on(t, error));
    HEED_TRY(open_optimizer(t, error));
    HEED_TRY(may_go_on(t, error));
    t->place.best_loss = NAN;
    return checkpoint != NULL ? heed_trainer_load_state(t, checkpoint, error) : HEED_OK;
}
