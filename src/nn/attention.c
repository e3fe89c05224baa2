/* attention.c: scaled dot-product attention with its projections: self and cross, dense and over
   caches. */
#include "nn/attention.h"

/* Normalizes queries or keys as the layer says. To normalize each head by itself, the last axis of
   (N,heads,E) is normalized. If every head has its own gains, they are multiplied in afterwards. */
static heed_value normalize_heads(heed_graph *graph, heed_value x,
                                  const heed_attention_layer *layer, const heed_nn_norm *norm,
                                  int heads)
{
    if (layer->qk_norm == HEED_QK_NORM_NONE) return x;
    if (layer->qk_norm == HEED_QK_NORM_ALL) return heed_nn_normalize(graph, x, norm);
    heed_nn_norm one = *norm;
    if (layer->qk_norm == HEED_QK_NORM_HEAD_GAINS) one.gain = one.bias = HEED_NONE;
    heed_shape row = heed_value_shape(graph, x);
    heed_shape by_head = heed_shape_of(3,
                                       (int64_t[]){row.dim[0], heads, layer->options.head_width});
    by_head.extent = row.extent;
    x = heed_nn_normalize(graph, heed_reshape(graph, x, by_head), &one);
    x = heed_reshape(graph, x, row);
    return layer->qk_norm == HEED_QK_NORM_HEAD_GAINS ? heed_multiply(graph, x, norm->gain) : x;
}

/* Applies rotary positions, if there is a table. */
static heed_value rotate(heed_graph *graph, heed_value x, heed_value table, int heads,
                         bool interleaved)
{
    return table == HEED_NONE ? x : heed_rotary(graph, x, table, heads, interleaved);
}

/* Returns a projection of x, clamped to the layer's limit if it has one. */
static heed_value project(heed_graph *graph, heed_value x, const heed_attention_layer *layer,
                          const heed_nn_linear *linear)
{
    heed_value y = heed_nn_apply(graph, x, linear);
    return layer->clip > 0 ? heed_clamp(graph, y, layer->clip) : y;
}

/* Returns the keys of a source: projected, normalized and rotated. */
static heed_value keys_of(heed_graph *graph, heed_value source, const heed_attention_layer *layer)
{
    heed_value k = project(graph, source, layer, &layer->key);
    k = normalize_heads(graph, k, layer, &layer->key_norm, layer->options.kv_heads);
    return rotate(graph, k, layer->rotary_key, layer->options.kv_heads, layer->rotary_interleaved);
}

heed_value heed_attention_build(heed_graph *graph, heed_value x, const heed_attention_layer *layer,
                                heed_value *weights)
{
    bool cached = layer->key_cache != HEED_NONE;
    bool written = !cached || layer->slots != HEED_NONE;
    heed_value k = layer->key_cache, v = layer->value_cache;
    heed_value q = project(graph, x, layer, &layer->query);
    q = normalize_heads(graph, q, layer, &layer->query_norm, layer->options.heads);
    q = rotate(graph, q, layer->rotary_query, layer->options.heads, layer->rotary_interleaved);
    if (written) {
        heed_value source = layer->memory == HEED_NONE ? x : layer->memory;
        k = keys_of(graph, source, layer);
        v = project(graph, source, layer, &layer->value);
    }
    if (cached && written) {
        k = heed_cache_write(graph, layer->key_cache, k, layer->slots);
        v = heed_cache_write(graph, layer->value_cache, v, layer->slots);
    }
    heed_attention_inputs inputs = layer->inputs;
    inputs.q = q;
    inputs.k = k;
    inputs.v = v;
    heed_value y = heed_attention(graph, &inputs, &layer->options, weights);
    return heed_nn_apply(graph, y, &layer->output);
}

void heed_attention_fill_cache(heed_graph *graph, const heed_attention_layer *layer)
{
    heed_cache_write(graph, layer->key_cache, keys_of(graph, layer->memory, layer), layer->slots);
    heed_cache_write(graph, layer->value_cache, project(graph, layer->memory, layer, &layer->value),
                     layer->slots);
}
