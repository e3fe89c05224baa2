/* attention_internal.h: what self-attention and cross-attention share. */
#ifndef HEED_MODEL_ATTENTION_INTERNAL_H
#define HEED_MODEL_ATTENTION_INTERNAL_H

#include "model/sublayer/sublayer.h"

/* Conditions of roles: whether there are biases of q, k and v; of the projection after them. */
bool heed_attention_has_query_bias(const heed_config *config, const heed_weight_place *place);
bool heed_attention_has_output_bias(const heed_config *config, const heed_weight_place *place);

/* Returns the width of keys and of values in the caches: a run for each head. */
heed_keep_width heed_attention_kept_width(const heed_config *config);
/* Returns the options of attention in the layer at this place; `cross`: its keys are not its
   queries' rows, all of them are seen, and no window holds. */
heed_attention_options heed_attention_options_at(const heed_build *b,
                                                 const heed_weight_place *place, bool cross);
/* Builds attention over x; its weights become the output `name` of the layer if they are wanted. */
heed_value heed_attention_at(heed_build *b, const heed_weight_place *place, heed_value x,
                             const heed_attention_layer *attention, const char *name);

#endif
