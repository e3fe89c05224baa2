/* Keys and names that the GGUF files of many families share. */
#include "model/family/gguf.h"

const char *const heed_gguf_rope_names[] = {"none", "linear", "", "yarn", "", "longrope", NULL};

const heed_key heed_gguf_keys[] = {HEED_GGUF_KEYS, HEED_GGUF_SCALE, HEED_GGUF_CAPS, {0}};
const heed_key heed_gguf_plain_keys[] = {HEED_GGUF_KEYS, {0}};

const char *const heed_gguf_ignored[] = {"rope_freqs.weight", "rope_factors_short.weight",
                                         "rope_factors_long.weight", "blk.{i}.attn_rot_embd", NULL};

#define LAYERS                                                                          \
    HEED_GGUF_ATTENTION(0), HEED_GGUF_NORMS, HEED_GGUF_FEED_FORWARD, HEED_GGUF_EXPERTS, \
        HEED_GGUF_OUTPUT
const heed_weight_name heed_gguf_weights[] = {HEED_GGUF_EMBEDDINGS, HEED_GGUF_SEPARATE(0), LAYERS};
const heed_weight_name heed_gguf_paired_weights[] = {HEED_GGUF_EMBEDDINGS,
                                                     HEED_GGUF_SEPARATE(HEED_NAME_PAIRS), LAYERS};
const heed_weight_name heed_gguf_fused_weights[] = {HEED_GGUF_EMBEDDINGS, HEED_GGUF_FUSED, LAYERS};
