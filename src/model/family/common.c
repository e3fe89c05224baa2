/* Keys that all families have. */
#include "model/family/decoder_internal.h"

const heed_key heed_common_keys[] = {
    HEED_KEY("bos_token_id", ID, bos_id),   HEED_KEY("eos_token_id", ID, eos_id),
    HEED_KEY("pad_token_id", ID, pad_id),   HEED_KEY("tie_word_embeddings", FLAG, tied),
    HEED_KEY("use_cache", FLAG, use_cache), {0}};
