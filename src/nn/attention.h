/* attention.h: the attention sublayer, from the stream to the stream. */
#ifndef HEED_NN_ATTENTION_H
#define HEED_NN_ATTENTION_H

#include "nn/block_internal.h"

/* Multi-head attention with projections. Queries come from x; keys and values from x too (self),
   from `memory` (cross), or lie in caches already. x (N,D), memory (S,D), result (N,D). Sources:
   Vaswani et al. 2017, section 3.2; Ainslie et al. 2023 (grouped heads). */
typedef struct heed_attention_layer {
    heed_nn_linear query, key, value, output; /* (H*E,D) (K*E,D) (K*E,D) (D,H*E) */
    float clip;                               /* > 0: q, k and v are kept within it */
    heed_qk_norm qk_norm;
    heed_nn_norm query_norm, key_norm;
    heed_value rotary_query, rotary_key; /* tables of heed_rotary_table, or HEED_NONE */
    bool rotary_interleaved;
    heed_value memory;                 /* HEED_NONE: self attention */
    heed_value key_cache, value_cache; /* states (pages*64,K*E), or HEED_NONE */
    /* (N) rows of the caches to write; HEED_NONE: the caches are only read */
    heed_value slots;
    heed_attention_inputs inputs;
    heed_attention_options options;
} heed_attention_layer;

/* weights, if not NULL, receives (B,H,T,S) when options.want_weights is set. */
heed_value heed_attention_build(heed_graph *graph, heed_value x, const heed_attention_layer *layer,
                                heed_value *weights);

/* Keys and values of `memory` written to caches: what an encoder leaves for the decoder's
   cross attention. */
void heed_attention_fill_cache(heed_graph *graph, const heed_attention_layer *layer);

#endif
