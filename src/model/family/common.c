/* Shared by many families: spellings of kinds, and the keys that all of them have. */
#include "model/family/decoder_internal.h"

const char *const heed_norm_names[] = {"layer", "rms", NULL};
const char *const heed_norm_place_names[] = {"pre", "post", "sandwich", "output", "stream", NULL};
const char *const heed_residual_names[] = {
#define HEED_LAYER_ORDER(symbol, name, list) name,
#include "model/layer_orders.def"
#undef HEED_LAYER_ORDER
    NULL};
const char *const heed_position_names[] = {"none",   "learned", "sinusoidal",
                                           "rotary", "alibi",   NULL};

const heed_key heed_common_keys[] = {
    HEED_KEY("bos_token_id", ID, bos_id),   HEED_KEY("eos_token_id", ID, eos_id),
    HEED_KEY("pad_token_id", ID, pad_id),   HEED_KEY("tie_word_embeddings", FLAG, tied),
    HEED_KEY("use_cache", FLAG, use_cache), {0}};
