/* forward.c: runs one plan for the outputs and one for the loss and its gradients. */
#include "forward/forward_internal.h"
#include "graph/plan.h"
#include "model/feed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A plan, its memory and its weights. */
typedef struct {
    heed_plan *plan;
    heed_workspace *workspace;
    heed_batch batch;
    void **binding;
    size_t bound;
} program;

static void program_free(program *p)
{
    heed_plan_free(p->plan);
    heed_workspace_free(p->workspace);
    heed_batch_free(&p->batch);
    free(p->binding);
}

/* Builds a plan, binds its weights and reserves its memory. Free the program in every case. */
static heed_status program_open(program *p, const heed_forward_call *call,
                                const heed_backend *backend, const heed_program_spec *spec,
                                const char *const *cotangents, heed_error *error)
{
    HEED_TRY(heed_build_plan(call->model, backend, spec, cotangents, &p->plan, error));
    p->workspace = heed_workspace_new();
    p->bound = heed_build_external_count(call->model, spec);
    p->binding = heed_allocate(p->bound + 1, sizeof *p->binding);
    if (!p->workspace || !p->binding)
        return heed_fail_memory(error, p->bound * sizeof *p->binding, "the table of weights");
    heed_build_bind(call->model, spec, (void *const *const[HEED_KEEP_SIDES]){0}, p->binding);
    return heed_workspace_reserve(p->workspace, p->plan, error);
}

/* Fills and runs a plan. A batch without rows runs nothing. */
static heed_status program_run(program *p, const heed_forward_call *call, heed_error *error)
{
    heed_batch *batch = &p->batch;
    heed_runtime runtime = {0};
    if (call->main.rows.count == 0) return HEED_OK;
    HEED_TRY(heed_forward_put(call, batch, error));
    if (heed_plan_has_output(p->plan, "loss"))
        HEED_TRY(heed_forward_put_cotangents(call, p->plan, batch, error));
    HEED_TRY(heed_program_feed(call->model, p->plan, p->workspace, batch, error));
    memcpy(runtime.count, batch->count, sizeof runtime.count);
    return heed_plan_run(p->plan, p->workspace, &(heed_binding){p->binding, p->bound}, &runtime,
                         NULL, error);
}

/* Runs the plan of the outputs and adds them. */
static heed_status run_outputs(const heed_forward_call *call, const heed_backend *backend,
                               const heed_forward_options *options, heed_tensor_list *outputs,
                               heed_error *error)
{
    heed_program_spec spec = heed_forward_spec(call, HEED_PURPOSE_FORWARD);
    spec.hidden_states = true;
    spec.attentions = options->attentions;
    spec.no_passes = options->no_passes;
    program p = {0};
    heed_status status = program_open(&p, call, backend, &spec, NULL, error);
    if (status == HEED_OK) status = program_run(&p, call, error);
    if (status == HEED_OK)
        status = heed_forward_restore(call, p.plan, p.workspace, call->main.rows.count > 0, outputs,
                                      error);
    program_free(&p);
    return status;
}

/* Adds the gradient of every parameter to the outputs. */
static heed_status add_gradients(const heed_model *model, heed_tensor_list *outputs,
                                 heed_error *error)
{
    for (size_t i = 0; i < heed_model_parameter_count(model); i++) {
        heed_parameter_info info = heed_model_parameter(model, i);
        float *values = NULL;
        HEED_TRY(heed_tensor_list_add(outputs, "grad.", info.name,
                                      heed_shape_of(info.rank, info.shape), &values, error));
        heed_model_parameter_read(model, i, true, values);
    }
    return HEED_OK;
}

/* Runs the plan of the loss, with gradients if they are asked for, and adds "loss" to the
   outputs. */
static heed_status run_loss(const heed_forward_call *call, const heed_backend *backend,
                            const heed_forward_options *options, heed_tensor_list *outputs,
                            heed_error *error)
{
    heed_program_spec spec = heed_forward_spec(call, options->gradients ? HEED_PURPOSE_TRAIN
                                                                        : HEED_PURPOSE_LOSS);
    spec.hidden_states = call->n_cotangents > 0;
    spec.no_passes = options->no_passes;
    program p = {0};
    float *loss = NULL;
    if (options->gradients) {
        HEED_TRY(heed_model_allocate_gradients(call->model, error));
        heed_model_clear_gradients(call->model);
    }
    heed_status status = program_open(&p, call, backend, &spec,
                                      call->n_cotangents ? call->cotangents : NULL, error);
    if (status == HEED_OK) status = program_run(&p, call, error);
    if (status == HEED_OK)
        status = heed_tensor_list_add(outputs, "", "loss", heed_shape_1(1), &loss, error);
    heed_operand value = {0};
    if (status == HEED_OK && call->main.rows.count > 0)
        status = heed_plan_output(p.plan, p.workspace, "loss", &value, error);
    if (status == HEED_OK && value.present) *loss = *(const float *)value.data;
    if (status == HEED_OK && heed_forward_is_empty(call)) *loss = NAN;
    if (status == HEED_OK && options->gradients)
        status = add_gradients(call->model, outputs, error);
    program_free(&p);
    return status;
}

heed_status heed_forward(heed_model *model, const heed_backend *backend,
                         const heed_forward_inputs *inputs, const heed_forward_options *options,
                         heed_tensor_list *outputs, heed_error *error)
{
    heed_forward_call call = {.model = model, .config = heed_model_config(model), .inputs = inputs};
    *outputs = (heed_tensor_list){0};
    heed_status status = heed_forward_open(&call, error);
    if (status == HEED_OK && options->gradients && !heed_model_is_training(model))
        status = heed_fail(error, HEED_E_ARG,
                           "gradients need a model that was opened for training");
    if (status == HEED_OK) heed_forward_tell_unused(&call, options);
    if (status == HEED_OK) status = run_outputs(&call, backend, options, outputs, error);
    if (status == HEED_OK && (call.scored || call.n_cotangents))
        status = run_loss(&call, backend, options, outputs, error);
    heed_forward_close(&call);
    if (status != HEED_OK) heed_tensor_list_free(outputs);
    return status;
}
