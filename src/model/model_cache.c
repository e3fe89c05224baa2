/* The KV caches of a model: how many layers they have, the type of a row, and its width. */
#include "model/engine.h"
#include "model/weights_internal.h"
#include "tensor/scaled_rows.h"

int64_t heed_model_cache_layers(const heed_model *model)
{
    return heed_stack_runs(heed_config_main(&model->config));
}

heed_dtype heed_model_cache_dtype(const heed_model *model)
{
    return model->cache;
}

int64_t heed_model_cache_columns(const heed_model *model)
{
    const heed_stack *stack = heed_config_main(&model->config);
    return model->cache == HEED_I8 ? heed_scaled_row_bytes(stack->kv_heads, stack->head_width)
                                   : stack->kv_heads * stack->head_width;
}

int64_t heed_model_cache_width(const heed_model *model)
{
    const heed_stack *stack = heed_config_main(&model->config);
    return stack->kv_heads * stack->head_width;
}

void heed_model_cache_widen(const heed_model *model, const void *row, float *values)
{
    const heed_stack *stack = heed_config_main(&model->config);
    int64_t width = stack->head_width;
    if (model->cache == HEED_I8)
        for (int64_t head = 0; head < stack->kv_heads; head++)
            heed_scaled_run_decode(row, stack->kv_heads, width, head, values + head * width);
    else heed_convert(values, HEED_F32, row, model->cache, (size_t)(stack->kv_heads * width));
}
