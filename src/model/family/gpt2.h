/* gpt2.h: the keys of GPT-2's configuration, which its descendants kept. */
#ifndef HEED_MODEL_FAMILY_GPT2_H
#define HEED_MODEL_FAMILY_GPT2_H

#include "model/family/decoder_internal.h"

/* clang-format off */
#define HEED_GPT2_KEYS \
    HEED_KEY("vocab_size", SIZE, vocabulary), \
    HEED_KEY("n_positions", SIZE, context), \
    HEED_KEY("n_embd", SIZE, d_model), \
    HEED_KEY("n_layer", COUNT, decoder.layers), \
    HEED_KEY("n_head", SIZE, decoder.heads), \
    HEED_KEY("n_inner", COUNT, decoder.d_ff), \
    HEED_KEY("activation_function", ACTIVATION, activation), \
    HEED_KEY("layer_norm_epsilon", NUMBER, norm_eps), \
    HEED_KEY("initializer_range", NUMBER, initializer_range), \
    HEED_KEY_DROPOUT("resid_pdrop", residual_dropout), \
    HEED_KEY_DROPOUT("embd_pdrop", embedding_dropout), \
    HEED_KEY_DROPOUT("attn_pdrop", attention_dropout)
/* clang-format on */

#endif
