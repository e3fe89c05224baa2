/* Builds the graph of a purpose: externals, inputs, stacks, head, loss, gradients. */
#include "model/front/front.h"
#include "model/sublayer/sublayer.h"
#include "graph/plan.h"
#include "tensor/dtype.h"

#include <stdio.h>

/* ---- externals ---- */

/* Is the weight there? A weight is absent if the file lacks its optional tensor. */
static bool is_present(const heed_model *model, size_t index)
{
    int32_t tensor = model->weights[index].tensor;
    return tensor < 0 || !model->tensors[tensor].absent;
}

static bool has_gradient(const heed_model *model, const heed_program_spec *spec, size_t index)
{
    return spec->purpose == HEED_PURPOSE_TRAIN && model->weights[index].parameter &&
           is_present(model, index);
}

static bool reads_bf16(const heed_model *model, const heed_program_spec *spec)
{
    return spec->bf16 || model->bf16;
}

/* Does this program read or write what layers keep of this side? */
static bool has_side(const heed_program_spec *spec, heed_keep_side side)
{
    if (spec->purpose == HEED_PURPOSE_DECODE) return true;
    return spec->purpose == HEED_PURPOSE_ENCODE && side == HEED_KEEP_SOURCE;
}

size_t heed_build_external_count(const heed_model *model, const heed_program_spec *spec)
{
    size_t count = 0;
    for (size_t i = 0; i < model->n_weights; i++)
        count += (size_t)is_present(model, i) + (model->weights[i].copy != NULL) +
                 has_gradient(model, spec, i);
    for (int side = 0; side < HEED_KEEP_SIDES; side++)
        if (has_side(spec, (heed_keep_side)side)) count += model->n_kept[side];
    return count;
}

/* Returns the rows of a weight that graphs see: those after the hidden rows. */
static void *visible_rows(const heed_weight *weight)
{
    size_t hidden = (size_t)(weight->hidden_rows * weight->columns);
    if (hidden == 0) return weight->data;
    return (char *)weight->data + heed_dtype_bytes(weight->dtype, hidden);
}

/* Returns the gradient of the rows that graphs see, or NULL if no gradients are allocated. */
static float *visible_gradient(const heed_model *model, const heed_weight *weight)
{
    float *gradient = model->tensors[weight->tensor].gradient;
    int64_t width = weight->columns ? weight->columns : 1;
    if (!gradient) return NULL;
    return gradient + (weight->first_row + weight->hidden_rows) * width;
}

void heed_build_bind(const heed_model *model, const heed_program_spec *spec,
                     void *const *const kept[HEED_KEEP_SIDES], void **data)
{
    for (size_t i = 0; i < model->n_weights; i++) {
        if (is_present(model, i)) *data++ = visible_rows(&model->weights[i]);
    }
    for (size_t i = 0; i < model->n_weights; i++)
        if (model->weights[i].copy) *data++ = model->weights[i].copy;
    for (size_t i = 0; i < model->n_weights; i++) {
        if (has_gradient(model, spec, i)) *data++ = visible_gradient(model, &model->weights[i]);
    }
    for (int side = 0; side < HEED_KEEP_SIDES; side++) {
        if (!has_side(spec, (heed_keep_side)side)) continue;
        for (size_t i = 0; i < model->n_kept[side]; i++) *data++ = kept[side][i];
    }
}

static heed_shape weight_shape(const heed_weight *weight)
{
    int64_t rows = weight->rows - weight->hidden_rows;
    if (!weight->experts)
        return weight->columns ? heed_shape_2(rows, weight->columns) : heed_shape_1(rows);
    int64_t each = rows / weight->experts;
    if (!weight->columns) return heed_shape_2(weight->experts, each);
    return heed_shape_of(3, (int64_t[]){weight->experts, each, weight->columns});
}

static void declare_weights(heed_build *b)
{
    for (size_t i = 0; i < b->model->n_weights; i++) {
        const heed_weight *weight = &b->model->weights[i];
        b->weights[i] = b->gradients[i] = HEED_NONE;
        if (!is_present(b->model, i)) continue;
        heed_shape shape = weight_shape(weight);
        if (b->model->training && weight->parameter)
            b->weights[i] = heed_parameter(b->graph, weight->name, weight->dtype, shape);
        else b->weights[i] = heed_constant(b->graph, weight->name, weight->dtype, shape);
        if (weight->layout != HEED_LAYOUT_ROWS && b->weights[i] > 0)
            heed_value_set_layout(b->graph, b->weights[i], weight->layout);
    }
    for (size_t i = 0; i < b->model->n_weights; i++)
        if (b->model->weights[i].copy)
            heed_bf16_copy(b->graph, b->weights[i], HEED_LAYOUT_PANELS_BOTH);
    for (size_t i = 0; i < b->model->n_weights; i++) {
        char name[160];
        snprintf(name, sizeof name, "gradient.%s", b->model->weights[i].name);
        if (has_gradient(b->model, b->spec, i))
            b->gradients[i] = heed_state(b->graph, name, HEED_F32,
                                         weight_shape(&b->model->weights[i]));
    }
}

/* Declares the states in which layers keep what heed_model_keeps lists. */
static void declare_kept(heed_build *b)
{
    for (int side = 0; side < HEED_KEEP_SIDES; side++) {
        if (!has_side(b->spec, (heed_keep_side)side)) continue;
        int64_t pages = side == HEED_KEEP_SOURCE ? b->spec->cross_pages : b->spec->cache_pages;
        for (size_t i = 0; i < b->model->n_kept[side]; i++) {
            const heed_kept *kept = &b->model->kept[side][i];
            int64_t rows = kept->what->per_page ? pages : pages * HEED_PAGE_POSITIONS;
            char name[96];
            snprintf(name, sizeof name, "cache.%lld.%s.%s", (long long)kept->layer, kept->slot_name,
                     kept->what->name);
            b->kept[side][i] = heed_state(b->graph, name, kept->dtype,
                                          heed_shape_2(rows, kept->columns));
        }
    }
}

/* ---- inputs of the stacks ---- */

static void declare_rotary(heed_build *b, heed_stack_inputs *inputs)
{
    const heed_rope *rope = &b->config->rope;
    const heed_weight *table = &b->model->weights[b->model->rotary[inputs->stack_id]];
    heed_value frequencies = heed_rope_varies(rope)
                                 ? heed_build_input(b, inputs, HEED_INPUT_FREQUENCIES, table->rows)
                                 : b->weights[b->model->rotary[inputs->stack_id]];
    inputs->rotary = inputs->rotary_local = heed_rotary_table(
        b->graph, inputs->positions, frequencies, heed_rope_table_factor(rope));
    int32_t local = b->model->rotary_local[inputs->stack_id];
    if (local >= 0)
        inputs->rotary_local = heed_rotary_table(b->graph, inputs->positions, b->weights[local],
                                                 heed_rope_table_factor(&b->config->rope_local));
}

/* Returns which inputs of program.def the front and the layers of a stack read (HEED_READS). */
static uint64_t inputs_read(const heed_config *config, heed_stack_id stack_id)
{
    return heed_front_of(config)->inputs | heed_layers_read(config, stack_id);
}

static void declare_inputs(heed_build *b, heed_stack_inputs *inputs)
{
    const heed_position_kind position = (heed_position_kind)b->config->position;
    uint64_t read = inputs_read(b->config, inputs->stack_id);
    bool placed = position != HEED_POSITION_NONE && position != HEED_POSITION_ALIBI;
    if (read & HEED_READS(SEQUENCES))
        inputs->sequences = heed_build_input(b, inputs, HEED_INPUT_SEQUENCES, 0);
    if ((read & HEED_READS(QUERY_INDEX)) && b->spec->indexed)
        inputs->query_index = heed_build_input(b, inputs, HEED_INPUT_QUERY_INDEX, 0);
    if ((read & HEED_READS(KEY_INDEX)) && b->spec->indexed)
        inputs->key_index = heed_build_input(b, inputs, HEED_INPUT_KEY_INDEX, 0);
    if (heed_build_drops(b)) inputs->samples = heed_build_input(b, inputs, HEED_INPUT_SAMPLES, 0);
    if ((read & HEED_READS(POSITIONS)) && placed)
        inputs->positions = heed_build_input(b, inputs, HEED_INPUT_POSITIONS, 0);
    int32_t slopes = b->model->slopes[inputs->stack_id];
    if (slopes >= 0) inputs->slopes = b->weights[slopes];
    if (b->model->rotary[inputs->stack_id] >= 0) declare_rotary(b, inputs);
}

static void declare_stack_inputs(heed_build *b)
{
    const heed_config *config = b->config;
    bool both = config->arrangement == HEED_ENCODER_DECODER;
    bool decodes = b->spec->purpose == HEED_PURPOSE_DECODE;
    b->main = (heed_stack_inputs){
        .stack_id = HEED_STACK_DECODER,
        .stack = HEED_MAIN_STACK,
        .causal = config->causal,
        .last = "last_hidden_state",
        .hidden = "hidden_states",
        .attentions = "attentions",
    };
    if (config->arrangement == HEED_ENCODER_ONLY) b->main.stack_id = HEED_STACK_ENCODER;
    if (both) {
        b->main.hidden = "decoder_hidden_states";
        b->main.attentions = "decoder_attentions";
    }
    b->source = (heed_stack_inputs){
        .stack_id = HEED_STACK_ENCODER,
        .stack = HEED_SOURCE_STACK,
        .hidden = "encoder_hidden_states",
        .attentions = "encoder_attentions",
        .last = config->float_inputs ? "memory" : "encoder_last_hidden_state",
    };
    if (both && !decodes) declare_inputs(b, &b->source);
    if (b->spec->purpose != HEED_PURPOSE_ENCODE) declare_inputs(b, &b->main);
    bool crosses = inputs_read(config, b->main.stack_id) & HEED_READS(CROSS_SEQUENCES);
    if (crosses && b->spec->purpose != HEED_PURPOSE_ENCODE)
        b->cross_sequences = heed_build_input(b, NULL, HEED_INPUT_CROSS_SEQUENCES, 0);
    if (decodes) {
        heed_shape table = heed_shape_2(b->spec->table_rows, b->spec->table_columns);
        b->slots = heed_build_input(b, NULL, HEED_INPUT_SLOTS, 0);
        b->page_table = heed_build_input_shaped(b, "page_table", table);
        if (both) b->cross_page_table = heed_build_input_shaped(b, "cross_page_table", table);
    }
    if (both && b->spec->purpose == HEED_PURPOSE_ENCODE)
        b->cross_slots = heed_build_input(b, NULL, HEED_INPUT_CROSS_SLOTS, 0);
}

/* Appends the backward pass to the graph and accumulates the gradient of every parameter into its
   gradient memory. */
static heed_status append_gradients(heed_build *b, heed_value loss, heed_error *error)
{
    size_t count = 0;
    heed_value *wrt = heed_arena_take(b->graph->arena, b->model->n_weights + 1, sizeof *wrt);
    heed_value *dwrt = heed_arena_take(b->graph->arena, b->model->n_weights + 1, sizeof *dwrt);
    if (!wrt || !dwrt)
        return heed_fail_memory(error, b->model->n_weights * sizeof *wrt, "the list of gradients");
    for (size_t i = 0; i < b->model->n_weights; i++)
        if (b->gradients[i] > 0) wrt[count++] = b->weights[i];
    HEED_TRY(heed_graph_gradient(b->graph, loss, wrt, (int)count, dwrt, error));
    count = 0;
    for (size_t i = 0; i < b->model->n_weights; i++) {
        if (b->gradients[i] <= 0) continue;
        heed_value d = dwrt[count++];
        if (d > 0) heed_accumulate(b->graph, b->gradients[i], d);
    }
    return heed_graph_status(b->graph, error);
}

/* Adds up the terms of the loss, chooses the operands' precision, and appends gradients for
   TRAIN. */
static heed_status finish_loss(heed_build *b, heed_error *error)
{
    if (b->n_terms == 0)
        return heed_fail(error, HEED_E_ARG,
                         "this model has no head that is scored: there is no loss");
    heed_scope(b->graph, "loss");
    heed_value loss = b->terms[0];
    for (int i = 1; i < b->n_terms; i++) loss = heed_add(b->graph, loss, b->terms[i]);
    heed_output(b->graph, "loss", loss);
    if (b->n_sums > 0)
        heed_output(b->graph, "loss_terms", heed_concatenate(b->graph, b->sums, b->n_sums));
    HEED_TRY(heed_graph_status(b->graph, error));
    if (reads_bf16(b->model, b->spec)) HEED_TRY(heed_pass_precision(b->graph, error));
    return b->spec->purpose == HEED_PURPOSE_TRAIN ? append_gradients(b, loss, error) : HEED_OK;
}

static heed_status check_spec(const heed_model *model, const heed_program_spec *spec,
                              heed_error *error)
{
    bool both = model->config.arrangement == HEED_ENCODER_DECODER;
    if (spec->purpose == HEED_PURPOSE_TRAIN && !model->training)
        return heed_fail(error, HEED_E_ARG, "the model was not opened for training");
    if (spec->purpose == HEED_PURPOSE_ENCODE && !both)
        return heed_fail(error, HEED_E_ARG, "only encoder-decoders encode on their own");
    bool generates = heed_head_any(&model->config, HEED_TRAIT_GENERATES) &&
                     model->config.arrangement != HEED_ENCODER_ONLY;
    if (spec->purpose == HEED_PURPOSE_DECODE && !generates)
        return heed_fail(
            error, HEED_E_UNSUPPORTED,
            "model type %s with this head does not generate: it needs a causal language model",
            model->config.model_type);
    return HEED_OK;
}

heed_status heed_build_graph(heed_graph *graph, const heed_model *model,
                             const heed_program_spec *spec, const char *const *cotangents,
                             heed_error *error)
{
    HEED_TRY(check_spec(model, spec, error));
    heed_build build = {.graph = graph,
                        .model = model,
                        .config = &model->config,
                        .spec = spec,
                        .cotangents = cotangents};
    heed_build *b = &build;
    b->weights = heed_arena_take(graph->arena, model->n_weights + 1, sizeof *b->weights);
    b->gradients = heed_arena_take(graph->arena, model->n_weights + 1, sizeof *b->gradients);
    bool ok = b->weights && b->gradients;
    for (int side = 0; side < HEED_KEEP_SIDES; side++) {
        b->kept[side] = heed_arena_take(graph->arena, model->n_kept[side] + 1, sizeof **b->kept);
        ok = ok && b->kept[side];
    }
    if (spec->attentions && model->config.contacts) {
        size_t runs = (size_t)heed_stack_runs(heed_config_main(&model->config));
        b->attention_weights = heed_arena_take(graph->arena, runs, sizeof *b->attention_weights);
        ok = ok && b->attention_weights;
    }
    if (!ok) return heed_fail_memory(error, model->n_weights * sizeof(heed_value), "a graph");
    declare_weights(b);
    declare_kept(b);
    declare_stack_inputs(b);
    bool both = model->config.arrangement == HEED_ENCODER_DECODER;
    bool scored = spec->purpose == HEED_PURPOSE_LOSS || spec->purpose == HEED_PURPOSE_TRAIN;
    if (both && spec->purpose != HEED_PURPOSE_DECODE) b->memory = heed_build_stack(b, &b->source);
    if (spec->purpose == HEED_PURPOSE_ENCODE) heed_build_fill(b);
    else heed_build_head(b, heed_build_stack(b, &b->main));
    HEED_TRY(heed_graph_status(graph, error));
    if (scored) return finish_loss(b, error);
    return reads_bf16(model, spec) ? heed_pass_precision(graph, error) : HEED_OK;
}

static uint32_t passes_of(const heed_program_spec *spec)
{
    if (spec->no_passes) return HEED_PASS_NONE;
    return HEED_PASS_DEFAULT | (spec->checkpointing ? HEED_PASS_RECOMPUTE : 0);
}

heed_status heed_build_plan(const heed_model *model, const heed_backend *backend,
                            const heed_program_spec *spec, const char *const *cotangents,
                            heed_plan **plan, heed_error *error)
{
    *plan = NULL;
    heed_graph *graph = heed_graph_new();
    if (!graph) return heed_fail_memory(error, sizeof graph, "a graph");
    heed_plan_options options = {.passes = passes_of(spec)};
    heed_status status = heed_build_graph(graph, model, spec, cotangents, error);
    if (status == HEED_OK) status = heed_plan_new(graph, backend, &options, plan, error);
    heed_graph_free(graph);
    return status;
}
