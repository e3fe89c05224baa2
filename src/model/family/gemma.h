/* gemma.h: what the versions of Gemma share. */
#ifndef HEED_MODEL_FAMILY_GEMMA_H
#define HEED_MODEL_FAMILY_GEMMA_H

#include "model/family/llama.h"

/* clang-format off */
#define HEED_GEMMA \
    HEED_DECODER, .norm = HEED_NORM_RMS, .norm_eps = 1e-6, .norm_offset = 1, \
    .activation = HEED_UNARY_GELU_TANH, .gated = true, .scaled = true, .tied = true, \
    .classifier_dropout = 0.1, .initializer_range = 0.02, .pad_id = 0, .bos_id = 2, \
    .eos_id = 1
/* clang-format on */

/* Names with norms before and after each sublayer, as in Gemma 2 and 3. */
extern const heed_weight_name heed_gemma_weights[];
/* Embeddings are multiplied by sqrt(d_model); the rest is Llama's. */
/* clang-format off */
#define HEED_GEMMA_RULES \
    HEED_KEY_SUPPORTS("use_bidirectional_attention", "false"), \
    HEED_EQUALS_ROOT(embedding_scale), HEED_EQUALS(output_bias, query_bias), \
    HEED_CLASSIFIER_DROPOUT, HEED_KEY_ROTARY
/* clang-format on */
/* Derives what GGUF files mean: scores are divided by the root of a head's width. In the model with
   `largest` layers the width is d_model / heads instead. */
void heed_gemma_derive_gguf(heed_config *config, int64_t largest);

#endif
