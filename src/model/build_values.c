/* Values that stacks and heads use: weights, inputs, dropout rates, outputs. */
#include "model/build.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

heed_value heed_build_weight_at(const heed_build *b, const heed_weight_place *place, heed_role role)
{
    int32_t index = heed_weights_find(b->model, place, role);
    return index < 0 ? HEED_NONE : b->weights[index];
}

heed_nn_linear heed_build_linear_at(const heed_build *b, const heed_weight_place *place,
                                    heed_role weight, heed_role bias)
{
    return (heed_nn_linear){heed_build_weight_at(b, place, weight),
                            heed_build_weight_at(b, place, bias)};
}

heed_nn_norm heed_build_norm_at(const heed_build *b, const heed_weight_place *place, heed_role gain)
{
    heed_value weight = heed_build_weight_at(b, place, gain);
    return (heed_nn_norm){
        .kind = (heed_norm_kind)b->config->norm,
        .gain = weight,
        .bias = heed_build_weight_at(b, place, (heed_role)(gain + 1)),
        .eps = (float)b->config->norm_eps,
        .offset = (float)b->config->norm_offset,
        .present = weight != HEED_NONE,
    };
}

heed_value heed_build_weight(const heed_build *b, heed_stack_id stack_id, heed_role role)
{
    heed_weight_place place = {.stack_id = (uint8_t)stack_id};
    return heed_build_weight_at(b, &place, role);
}

heed_nn_linear heed_build_linear(const heed_build *b, heed_stack_id stack_id, heed_role weight,
                                 heed_role bias)
{
    heed_weight_place place = {.stack_id = (uint8_t)stack_id};
    return heed_build_linear_at(b, &place, weight, bias);
}

heed_nn_norm heed_build_norm(const heed_build *b, heed_stack_id stack_id, heed_role gain)
{
    heed_weight_place place = {.stack_id = (uint8_t)stack_id};
    return heed_build_norm_at(b, &place, gain);
}

const heed_stack_inputs *heed_build_inputs_at(const heed_build *b, const heed_weight_place *place)
{
    return b->main.stack_id == place->stack_id ? &b->main : &b->source;
}

heed_value heed_build_token_table(const heed_build *b, heed_stack_id stack_id)
{
    heed_value own = heed_build_weight(b, stack_id, HEED_ROLE_TOKEN_EMBEDDING);
    if (own != HEED_NONE) return own;
    return heed_build_weight(b, HEED_STACK_MODEL, HEED_ROLE_TOKEN_EMBEDDING);
}

heed_value heed_build_kept(const heed_build *b, const heed_weight_place *place, heed_keep_side side,
                           const char *name)
{
    for (size_t i = 0; i < b->model->n_kept[side]; i++) {
        const heed_kept *kept = &b->model->kept[side][i];
        if (kept->layer == place->run && kept->slot == place->slot &&
            strcmp(kept->what->name, name) == 0)
            return b->kept[side][i];
    }
    return HEED_NONE;
}

/* Returns the extent of an input's rows, if `stack` reads it. */
static heed_extent extent_of(heed_input_id id, heed_input_stack stack)
{
    switch ((heed_input_extent)heed_input_kinds[id].extent) {
    case HEED_INPUT_OF_STACK_ROWS: return heed_stack_extent(stack);
    case HEED_INPUT_OF_ROWS: return HEED_EXTENT_ROWS;
    case HEED_INPUT_OF_SOURCE_ROWS: return HEED_EXTENT_SOURCE_ROWS;
    case HEED_INPUT_OF_GATHERED: return HEED_EXTENT_GATHERED;
    case HEED_INPUT_OF_STACK_SEQUENCES:
    case HEED_INPUT_OF_SEQUENCES: return HEED_EXTENT_SEQUENCES;
    case HEED_INPUT_OF_SHAPED: break;
    }
    return HEED_EXTENT_FIXED;
}

int64_t heed_build_rows(const heed_build *b, heed_extent extent)
{
    switch (extent) {
    case HEED_EXTENT_ROWS: return b->spec->rows;
    case HEED_EXTENT_SOURCE_ROWS: return b->spec->source_rows;
    case HEED_EXTENT_SEQUENCES: return b->spec->sequences;
    case HEED_EXTENT_GATHERED: return b->spec->gathered;
    default: return 0;
    }
}

heed_value heed_build_input(const heed_build *b, const heed_stack_inputs *inputs, heed_input_id id,
                            int64_t columns)
{
    const heed_input_kind *kind = &heed_input_kinds[id];
    heed_input_stack stack = inputs ? inputs->stack : HEED_MAIN_STACK;
    heed_extent extent = extent_of(id, stack);
    int64_t width = kind->columns == HEED_INPUT_ANY ? columns : kind->columns;
    return heed_input(b->graph, heed_input_name(id, stack), kind->dtype,
                      heed_shape_live(extent, heed_build_rows(b, extent), width));
}

heed_value heed_build_input_shaped(const heed_build *b, const char *name, heed_shape shape)
{
    heed_input_id id;
    heed_input_stack stack;
    if (!heed_input_find(name, &id, &stack))
        return heed_graph_fail(b->graph, HEED_E_ARG, "program.def has no input \"%s\"", name);
    return heed_input(b->graph, name, heed_input_kinds[id].dtype, shape);
}

double heed_build_rate(const heed_build *b, double rate, bool overridden)
{
    if (b->spec->purpose != HEED_PURPOSE_TRAIN || b->spec->dropout == 0) return 0;
    return b->spec->dropout < 0 || !overridden ? rate : (double)b->spec->dropout;
}

bool heed_build_drops(const heed_build *b)
{
    const heed_config *c = b->config;
    return heed_build_rate(b, c->embedding_dropout, true) > 0 ||
           heed_build_rate(b, c->residual_dropout, true) > 0 ||
           heed_build_rate(b, c->activation_dropout, false) > 0 ||
           heed_build_rate(b, c->classifier_dropout, true) > 0;
}

void heed_build_add_term(heed_build *b, heed_value term)
{
    if (b->n_terms == b->terms_capacity) {
        int capacity = 2 * b->terms_capacity + 8;
        heed_value *more = heed_arena_take(b->graph->arena, (size_t)capacity, sizeof *more);
        if (more == NULL) {
            heed_graph_fail(b->graph, HEED_E_NOMEM, "out of memory for the terms of a loss");
            return;
        }
        for (int i = 0; i < b->n_terms; i++) more[i] = b->terms[i];
        b->terms = more;
        b->terms_capacity = capacity;
    }
    b->terms[b->n_terms++] = term;
}

void heed_build_publish(heed_build *b, heed_value value, const char *format, ...)
{
    char name[96], cotangent[112];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    if (value <= 0) return;
    heed_output(b->graph, name, value);
    for (const char *const *wanted = b->cotangents; wanted && *wanted; wanted++) {
        if (strcmp(*wanted, name) != 0) continue;
        snprintf(cotangent, sizeof cotangent, "cotangent.%s", name);
        heed_value weight = heed_build_input_shaped(b, cotangent,
                                                    heed_value_shape(b->graph, value));
        heed_build_add_term(b, heed_nn_sum(b->graph, heed_multiply(b->graph, value, weight)));
    }
}
