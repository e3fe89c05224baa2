/* What a configuration says about its layers and stacks: experts, windows, how long a text may
   be. */
#include "model/family.h"

#include <string.h>

bool heed_config_has_experts(const heed_config *config, int64_t layer)
{
    return config->experts > 0 && (layer + 1) % config->expert_step == 0 &&
           !(config->dense[layer / 8] >> (layer % 8) & 1);
}

bool heed_config_windowed(const heed_config *config, int64_t layer)
{
    return config->window > 0 && (config->windowed[layer / 8] >> (layer % 8) & 1);
}

int64_t heed_config_reach(const heed_config *config)
{
    bool grows = config->position == HEED_POSITION_ROTARY &&
                 config->rope.kind == HEED_ROPE_DYNAMIC && config->rope.factor > 1;
    double reach = grows ? (double)config->context * config->rope.factor : (double)config->context;
    return reach < INT32_MAX / 2 ? (int64_t)reach : config->context;
}

const heed_stack *heed_config_main(const heed_config *config)
{
    return config->arrangement == HEED_ENCODER_ONLY ? &config->encoder : &config->decoder;
}

int64_t heed_stack_width(const heed_config *config, const heed_stack *stack)
{
    return stack->width > 0 ? stack->width : config->d_model;
}

/* ---- layers that share weights ---- */

static int64_t group_layers(const heed_stack *stack)
{
    return stack->group_layers > 0 ? stack->group_layers : 1;
}

int64_t heed_stack_runs(const heed_stack *stack)
{
    return stack->layers * group_layers(stack);
}

int64_t heed_stack_own_layers(const heed_stack *stack)
{
    return (stack->own_layers > 0 ? stack->own_layers : stack->layers) * group_layers(stack);
}

int64_t heed_stack_layer_of(const heed_stack *stack, int64_t run)
{
    if (stack->own_layers == 0) return run;
    int64_t layer = run / group_layers(stack), in_group = run % group_layers(stack);
    /* in floating point, as the published code divides */
    double each = (double)stack->layers / (double)stack->own_layers;
    return (int64_t)((double)layer / each) * group_layers(stack) + in_group;
}

/* ---- layers with a window ---- */

void heed_config_window_all(heed_config *config)
{
    memset(config->windowed, config->window > 0 ? 0xFF : 0, sizeof config->windowed);
}

void heed_config_window_layer(heed_config *config, int64_t layer)
{
    config->windowed[layer / 8] |= (uint8_t)(1u << (layer % 8));
}

void heed_config_window_step(heed_config *config, int64_t step)
{
    memset(config->windowed, 0, sizeof config->windowed);
    for (int64_t i = 0; config->window > 0 && i < HEED_MAX_LAYERS; i++)
        if (step == 0 || (i + 1) % step != 0) heed_config_window_layer(config, i);
}
