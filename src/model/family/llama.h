/* llama.h: the names of Llama, which most later decoders kept. */
#ifndef HEED_MODEL_FAMILY_LLAMA_H
#define HEED_MODEL_FAMILY_LLAMA_H

#include "model/family.h"

#define HEED_LLAMA_KEYS                                             \
    HEED_KEY("vocab_size", SIZE, vocabulary),                       \
    HEED_KEY("hidden_size", SIZE, width),                           \
    HEED_KEY("intermediate_size", COUNT, decoder.inner),            \
    HEED_KEY("num_hidden_layers", COUNT, decoder.layers),           \
    HEED_KEY("num_attention_heads", SIZE, decoder.heads),           \
    HEED_KEY("num_key_value_heads", COUNT, decoder.kv_heads),       \
    HEED_KEY("head_dim", COUNT, decoder.head_width),                \
    HEED_KEY("hidden_act", ACTIVATION, activation),                 \
    HEED_KEY("max_position_embeddings", SIZE, context),             \
    HEED_KEY("initializer_range", NUMBER, initializer_range),       \
    HEED_KEY("rms_norm_eps", NUMBER, norm_eps),                     \
    HEED_KEY_DROPOUT("attention_dropout", attention_dropout)

extern const heed_weight_name heed_llama_weights[];
extern const char *const heed_llama_ignored[], *const heed_llama_prefixes[];
/* Rotary settings and the classifier's dropout. */
heed_status heed_llama_fix(heed_config *config, const json_t *json, const char *where, heed_error *error);

#endif
