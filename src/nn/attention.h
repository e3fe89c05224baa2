/* attention.h: builds the attention sublayer as a graph, from the residual stream to what is added
   to it. */
#ifndef HEED_NN_ATTENTION_H
#define HEED_NN_ATTENTION_H

#include "nn/block_internal.h"

/* Multi-head attention with projections. Queries are made of x. Keys and values are made of x (self
   attention) or of `memory` (cross-attention), or they are already in caches. x (N,D), memory
   (S,D), result (N,D). Sources: Vaswani et al. 2017, section 3.2; Ainslie et al. 2023 (grouped
   heads). */
typedef struct heed_attention_layer {
    heed_nn_linear query, key, value, output; /* (H*E,D) (K*E,D) (K*E,D) (D,H*E) */
    float clip;                               /* if > 0, q, k and v are clamped to [-clip,clip] */
    heed_qk_norm qk_norm;
    heed_nn_norm query_norm, key_norm;
    heed_value rotary_query, rotary_key; /* tables of heed_rotary_table, or HEED_NONE */
    bool rotary_interleaved;
    heed_value memory;                 /* HEED_NONE for self attention */
    heed_value key_cache, value_cache; /* states (pages*64,K*E), or HEED_NONE */
    /* (N) the rows of the caches to write; HEED_NONE if the caches are only read */
    heed_value slots;
    heed_attention_inputs inputs;
    heed_attention_options options;
} heed_attention_layer;

/* Builds the sublayer and returns its output (N,D). If options.want_weights is set and `weights` is
   not NULL, *weights receives the softmax weights (B,H,T,S). */
heed_value heed_attention_build(heed_graph *graph, heed_value x, const heed_attention_layer *layer,
                                heed_value *weights);

/* Writes keys and values of `memory` to the caches. An encoder leaves them there for the decoder's
   cross-attention. */
void heed_attention_fill_cache(heed_graph *graph, const heed_attention_layer *layer);

#endif
