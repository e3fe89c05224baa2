/* Lists the tensors and weights that a configuration wants, by its family's table of names. */
#include "model/weights_internal.h"
#include "tensor/dtype.h"

#include <stdio.h>
#include <string.h>

heed_name_numbers heed_weights_numbers(const heed_config *config, const heed_weight_place *place,
                                       int64_t expert)
{
    const heed_stack *stack = heed_stack_by_id(config, (heed_stack_id)place->stack_id);
    int64_t each = stack->group_layers > 0 ? stack->group_layers : 1;
    return (heed_name_numbers){
        .layer = place->layer,
        .expert = expert,
        .group = place->layer / each,
        .in_group = place->layer % each,
    };
}

/* Returns whether a pattern continues with a number, such as "{i}". */
static bool is_number(const char *pattern)
{
    return *pattern == '{' && pattern[1] && strchr("ijgk", pattern[1]) && pattern[2] == '}';
}

static int64_t number_of(heed_name_numbers numbers, char letter)
{
    if (letter == 'j') return numbers.expert;
    if (letter == 'g') return numbers.group;
    return letter == 'k' ? numbers.in_group : numbers.layer;
}

char *heed_weights_expand(heed_arena *arena, const char *prefix, const char *pattern,
                          heed_name_numbers numbers)
{
    size_t room = strlen(prefix) + strlen(pattern) + 48, at = strlen(prefix);
    char *name = heed_arena_take(arena, room, 1);
    if (!name) return NULL;
    memcpy(name, prefix, at);
    while (*pattern) {
        if (is_number(pattern)) {
            at += (size_t)snprintf(name + at, room - at, "%lld",
                                   (long long)number_of(numbers, pattern[1]));
            pattern += 3;
        } else {
            name[at++] = *pattern++;
        }
    }
    name[at] = 0;
    return name;
}

bool heed_weights_matches(const char *name, const char *prefix, const char *pattern)
{
    size_t length = strlen(prefix);
    if (strncmp(name, prefix, length) != 0) return false;
    for (name += length; *pattern; pattern++) {
        if (is_number(pattern)) {
            if (*name < '0' || *name > '9') return false;
            while (*name >= '0' && *name <= '9') name++;
            pattern += 2;
        } else if (*name++ != *pattern) {
            return false;
        }
    }
    return *name == 0;
}

bool heed_weight_is_multiplied(const heed_config *config, const heed_weight *weight)
{
    if (!weight->use || weight->columns == 0) return false;
    if (!(weight->use->flags & HEED_USE_LOOKED_UP)) return true;
    bool words = heed_head_any(config, HEED_TRAIT_PREDICTS_TOKENS);
    return weight->use->role == HEED_ROLE_TOKEN_EMBEDDING && config->tied && words &&
           weight->place.stack_id != HEED_STACK_ENCODER;
}

/* Returns the name of a weight in graphs, such as "decoder.3.attention.query.weight", in memory of
   the arena. `computed` is the name of a weight without a role. */
static const char *name_weight(const heed_model *model, const heed_weight *weight,
                               const char *computed)
{
    static const char *const stacks[HEED_STACK_IDS] = {"encoder", "decoder", "model"};
    char name[128], role[64];
    const heed_weight_place *place = &weight->place;
    const char *stack = stacks[place->stack_id];
    if (weight->use)
        computed = heed_role_name(&model->config, place, weight->use, role, sizeof role);
    if (place->slot == HEED_SLOT_NONE) snprintf(name, sizeof name, "%s.%s", stack, computed);
    else snprintf(name, sizeof name, "%s.%lld.%s", stack, (long long)place->layer, computed);
    return heed_arena_string(model->arena, name);
}

/* Adds a weight; `computed` names one that has no role. */
static heed_status add_weight(heed_model *model, heed_weight weight, const char *computed,
                              heed_error *error)
{
    const heed_weight_place *place = &weight.place;
    weight.name = name_weight(model, &weight, computed);
    if (!weight.name ||
        !heed_grow(&model->weights, &model->weights_capacity, model->n_weights + 1, sizeof weight))
        return heed_fail_memory(error, sizeof weight, "the list of weights");
    if (weight.use)
        model->index[place->stack_id][place->slot][weight.use->role][place->layer] =
            (int32_t)model->n_weights;
    model->weights[model->n_weights++] = weight;
    return HEED_OK;
}

/* Makes the index of a role for all layers of a slot, unless it is there. */
static heed_status add_index(heed_model *model, const heed_weight_place *place, heed_role role,
                             heed_error *error)
{
    bool layered = place->slot != HEED_SLOT_NONE;
    heed_stack_id stack_id = (heed_stack_id)place->stack_id;
    int64_t layers = layered ? heed_stack_layers(&model->config, stack_id) : 1;
    int32_t **found = &model->index[stack_id][place->slot][role];
    if (*found) return HEED_OK;
    int32_t *index = heed_arena_take(model->arena, (size_t)(layers + 1), sizeof *index);
    if (!index)
        return heed_fail_memory(error, (size_t)layers * sizeof *index, "the list of weights");
    for (int64_t i = 0; i <= layers; i++) index[i] = -1;
    *found = index;
    return HEED_OK;
}

static void append_dimension(heed_tensor *tensor, int64_t size)
{
    tensor->shape[tensor->rank++] = size;
}

/* Sets the shape on disk from the rows of all weights in the tensor and its columns. */
static void shape_tensor(heed_tensor *tensor, const heed_stack *stack)
{
    const unsigned flags = tensor->entry->flags;
    int64_t rows = tensor->rows, columns = tensor->columns;
    tensor->elements = (size_t)(rows * (columns ? columns : 1));
    tensor->rank = 0;
    if (tensor->experts) {
        rows /= tensor->experts;
        append_dimension(tensor, tensor->experts);
    }
    if (flags & HEED_NAME_VECTOR) {
        append_dimension(tensor, columns);
    } else if (flags & HEED_NAME_ROW) {
        append_dimension(tensor, 1);
        append_dimension(tensor, rows);
    } else if (flags & HEED_NAME_BY_HEAD) {
        append_dimension(tensor, rows / stack->head_width);
        append_dimension(tensor, stack->head_width);
    } else if (flags & HEED_NAME_INPUT_FIRST) {
        append_dimension(tensor, columns);
        append_dimension(tensor, rows);
    } else {
        append_dimension(tensor, rows);
        if (columns) append_dimension(tensor, columns);
    }
    if (flags & HEED_NAME_GROUPED) tensor->group = stack->heads / stack->kv_heads;
    if (flags & (HEED_NAME_GROUPED | HEED_NAME_PAIRS)) tensor->head_width = stack->head_width;
}

/* Adds the tensor of an expert other than the first. Its rows belong to the weight that the first
   expert's tensor added. */
static heed_status add_expert_tensor(heed_model *model, heed_tensor *tensor)
{
    const heed_config *config = &model->config;
    tensor->first_weight = heed_weights_find(model, &tensor->place, (heed_role)tensor->entry->role);
    heed_role_shape(config, &tensor->place, tensor->use, &tensor->rows, &tensor->columns);
    shape_tensor(tensor, heed_stack_by_id(config, (heed_stack_id)tensor->place.stack_id));
    model->tensors[model->n_tensors++] = *tensor;
    return HEED_OK;
}

/* Adds the weight of one role that the tensor holds; the tensor grows by its rows. */
static heed_status add_tensor_weight(heed_model *model, heed_tensor *tensor, heed_role role,
                                     heed_error *error)
{
    const heed_config *config = &model->config;
    heed_weight weight = {
        .place = tensor->place,
        .use = heed_role_find(config, &tensor->place, role),
        .tensor = (int32_t)model->n_tensors,
        .first_row = tensor->rows,
        .parameter = !(tensor->entry->flags & HEED_NAME_BUFFER) &&
                     !heed_weights_is_frozen(model, tensor->listed),
    };
    heed_role_shape(config, &weight.place, weight.use, &weight.rows, &weight.columns);
    HEED_TRY(add_index(model, &weight.place, role, error));
    if (weight.use->flags & HEED_USE_PER_EXPERT) weight.experts = config->experts;
    if (weight.experts && tensor->expert < 0) tensor->experts = weight.experts;
    tensor->rows += weight.rows * (tensor->experts ? tensor->experts : 1);
    tensor->columns = weight.columns;
    if (weight.experts) weight.rows *= weight.experts;
    if (role == HEED_ROLE_POSITION_EMBEDDING && !config->counts_tokens)
        weight.hidden_rows = config->position_offset;
    return add_weight(model, weight, NULL, error);
}

static heed_status add_tensor(heed_model *model, const heed_weight_name *entry,
                              const heed_weight_place *place, int64_t expert, heed_error *error)
{
    const heed_config *config = &model->config;
    int fused = entry->fused ? entry->fused : 1;
    heed_dtype stored = (heed_dtype)config->dtype;
    if (heed_dtype_is_quantized(stored)) stored = HEED_F32;
    heed_tensor tensor = {
        .entry = entry,
        .place = *place,
        .use = heed_role_find(config, place, (heed_role)entry->role),
        .expert = (int32_t)expert,
        .stored = stored,
        .weights = fused,
        .first_weight = (int32_t)model->n_weights,
    };
    const char *prefix = entry->flags & HEED_NAME_BASE ? model->prefix : "";
    tensor.name = heed_weights_expand(model->arena, prefix, entry->name,
                                      heed_weights_numbers(config, place, expert));
    if (!tensor.name ||
        !heed_grow(&model->tensors, &model->tensors_capacity, model->n_tensors + 1, sizeof tensor))
        return heed_fail_memory(error, sizeof tensor, "the list of tensors");
    tensor.listed = tensor.name;
    tensor.trained = model->training && !heed_weights_is_frozen(model, tensor.name);
    if (expert > 0) return add_expert_tensor(model, &tensor);
    tensor.absent = tensor.use->flags & HEED_USE_SPARE;
    for (int i = 0; i < fused; i++)
        HEED_TRY(add_tensor_weight(model, &tensor, (heed_role)(entry->role + i), error));
    shape_tensor(&tensor, heed_stack_by_id(config, (heed_stack_id)place->stack_id));
    model->tensors[model->n_tensors++] = tensor;
    return HEED_OK;
}

/* Adds one tensor, or one per expert, if the layer has the role. */
static heed_status add_tensors(heed_model *model, const heed_weight_name *entry, int64_t layer,
                               heed_error *error)
{
    heed_weight_place place = heed_weight_name_place(entry, layer);
    if (!heed_role_find(&model->config, &place, (heed_role)entry->role)) return HEED_OK;
    if (!strstr(entry->name, "{j}")) return add_tensor(model, entry, &place, -1, error);
    for (int64_t expert = 0; expert < model->config.experts; expert++)
        HEED_TRY(add_tensor(model, entry, &place, expert, error));
    return HEED_OK;
}

/* Is the name one of some head of the model? */
static bool names_head(const heed_config *config, const heed_weight_name *entry)
{
    for (int at = 0; at < HEED_MAX_HEADS && config->heads[at] != HEED_HEAD_NONE; at++)
        if (entry->heads >> config->heads[at] & 1) return true;
    return false;
}

bool heed_weight_name_is_used(const heed_config *config, const heed_weight_name *entry)
{
    bool two_norms = config->residual == HEED_RESIDUAL_PARALLEL_TWO_NORMS;
    bool two_stacks = config->arrangement == HEED_ENCODER_DECODER;
    int skipped = HEED_NAME_ALIAS;
    skipped |= config->tied ? HEED_NAME_UNTIED : HEED_NAME_TIED;
    skipped |= two_norms ? HEED_NAME_ONE_NORM : HEED_NAME_TWO_NORMS;
    skipped |= two_stacks ? HEED_NAME_ONE_STACK : HEED_NAME_TWO_STACKS;
    if (entry->flags & skipped) return false;
    return !entry->heads || names_head(config, entry);
}

/* Adds the tables that follow from the configuration: one weight each, which heed_weights_compute
   fills. */
static heed_status add_computed(heed_model *model, heed_error *error)
{
    const heed_config *config = &model->config;
    for (int stack_id = HEED_STACK_ENCODER; stack_id <= HEED_STACK_DECODER; stack_id++) {
        const heed_stack *stack = heed_stack_by_id(config, (heed_stack_id)stack_id);
        model->rotary[stack_id] = model->rotary_local[stack_id] = model->sinusoid[stack_id] =
            model->slopes[stack_id] = -1;
        if (stack->heads == 0) continue;
        heed_weight weight = {.place = {.stack_id = (uint8_t)stack_id}, .tensor = -1};
        const char *name = NULL;
        if (config->position == HEED_POSITION_ROTARY) {
            name = "rotary_frequencies";
            weight.rows = heed_rope_channels(&config->rope, stack->head_width) / 2;
            model->rotary[stack_id] = (int32_t)model->n_weights;
            if (config->rope_local.base > 0) { /* one more table, for the layers with a window */
                HEED_TRY(add_weight(model, weight, name, error));
                name = "rotary_frequencies_local";
                weight.rows = heed_rope_channels(&config->rope_local, stack->head_width) / 2;
                model->rotary_local[stack_id] = (int32_t)model->n_weights;
            }
        } else if (config->position == HEED_POSITION_SINUSOIDAL) {
            name = "sinusoids";
            weight.rows = config->context;
            weight.columns = heed_role_input_width(config, &weight.place);
            model->sinusoid[stack_id] = (int32_t)model->n_weights;
        } else if (config->position == HEED_POSITION_ALIBI) {
            name = "alibi_slopes";
            weight.rows = stack->heads;
            model->slopes[stack_id] = (int32_t)model->n_weights;
        } else {
            continue;
        }
        HEED_TRY(add_weight(model, weight, name, error));
    }
    return HEED_OK;
}

heed_status heed_weights_list_parameters(heed_model *model, heed_error *error)
{
    model->n_parameters = 0;
    model->parameters = heed_arena_take(model->arena, model->n_tensors + 1,
                                        sizeof *model->parameters);
    if (!model->parameters)
        return heed_fail_memory(error, model->n_tensors * sizeof *model->parameters,
                                "the list of parameters");
    for (size_t i = 0; i < model->n_tensors; i++) {
        const heed_tensor *tensor = &model->tensors[i];
        if (model->weights[tensor->first_weight].parameter && !tensor->absent)
            model->parameters[model->n_parameters++] = i;
    }
    return HEED_OK;
}

/* Returns whether every layer may have a tensor of this name. */
static bool is_layered(const heed_weight_name *entry)
{
    return heed_weight_name_place(entry, 0).slot != HEED_SLOT_NONE;
}

/* ---- roles that the table leaves out ---- */

static heed_status fail_unnamed(const heed_model *model, const heed_weight_place *place,
                                const heed_role_use *use, heed_error *error)
{
    static const char *const stacks[HEED_STACK_IDS] = {"the encoder", "the decoder", "the model"};
    const heed_family *family = model->config.family;
    bool gguf = model->names != family->weights;
    const char *table = gguf ? "GGUF tensor" : "tensor";
    const char *stack = stacks[place->stack_id];
    char role[64], where[64];
    heed_role_name(&model->config, place, use, role, sizeof role);
    if (place->slot == HEED_SLOT_NONE) snprintf(where, sizeof where, "%s", stack);
    else snprintf(where, sizeof where, "layer %lld of %s", (long long)place->layer, stack);
    return heed_fail(error, HEED_E_UNSUPPORTED,
                     "family %s: %s has a weight %s, but the family's table of %s names has no "
                     "row for it",
                     family->name, where, role, table);
}

/* Checks one place: a role without a row would be left out of the computation. */
static heed_status check_named_at(const heed_model *model, const heed_weight_place *place,
                                  heed_error *error)
{
    for (int role = 0; role < HEED_ROLE_COUNT; role++) {
        const heed_role_use *use = heed_role_find(&model->config, place, (heed_role)role);
        const int32_t *index = model->index[place->stack_id][place->slot][role];
        if (!use || use->flags & HEED_USE_SPARE) continue;
        if (!index || index[place->layer] < 0) return fail_unnamed(model, place, use, error);
    }
    return HEED_OK;
}

/* Checks that the table names every weight that the configuration has. */
static heed_status check_named(const heed_model *model, heed_error *error)
{
    for (int stack_id = 0; stack_id < HEED_STACK_IDS; stack_id++) {
        int64_t layers = heed_stack_layers(&model->config, (heed_stack_id)stack_id);
        for (int slot = HEED_SLOT_NONE; slot < HEED_SLOT_IDS; slot++) {
            int64_t places = slot == HEED_SLOT_NONE ? 1 : layers;
            for (int64_t layer = 0; layer < places; layer++) {
                heed_weight_place place = {(uint8_t)stack_id, (uint8_t)slot, layer, layer};
                HEED_TRY(check_named_at(model, &place, error));
            }
        }
    }
    return HEED_OK;
}

/* Tensors are listed layer by layer in the order of the table: adjacent entries that belong to
   layers of the same stack form one run. */
heed_status heed_weights_list(heed_model *model, const char *prefix, heed_error *error)
{
    const heed_config *config = &model->config;
    const heed_weight_name *entry = model->names;
    model->prefix = prefix;
    while (entry->name) {
        const heed_weight_name *end = entry + 1;
        bool layered = is_layered(entry);
        while (end->name && layered && is_layered(end) && end->stack_id == entry->stack_id) end++;
        int64_t layers = layered ? heed_stack_layers(config, (heed_stack_id)entry->stack_id) : 1;
        for (int64_t layer = 0; layer < layers; layer++)
            for (const heed_weight_name *one = entry; one < end; one++)
                if (heed_weight_name_is_used(config, one))
                    HEED_TRY(add_tensors(model, one, layer, error));
        entry = end;
    }
    HEED_TRY(check_named(model, error));
    HEED_TRY(add_computed(model, error));
    return heed_weights_check_frozen(model, error);
}

int32_t heed_weights_find(const heed_model *model, const heed_weight_place *place, heed_role role)
{
    const int32_t *index = model->index[place->stack_id][place->slot][role];
    if (!index || index[place->layer] < 0) return -1;
    int32_t tensor = model->weights[index[place->layer]].tensor;
    return tensor >= 0 && model->tensors[tensor].absent ? -1 : index[place->layer];
}
