/* gemma.h: what the generations of Gemma share. */
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

/* Norms around each sublayer, as Gemma 2 and 3 have them. */
extern const heed_weight_name heed_gemma_weights[];
/* Embeddings times the root of the width; biases as Llama has them. */
void heed_gemma_derive(heed_config *config);
/* What GGUF files mean: scores are scaled by the width of a head; in the model with `largest`
   layers by the model's width for each head. */
void heed_gemma_derive_gguf(heed_config *config, int64_t largest);
/* What Llama reads; Gemma that looks both ways is refused. */
heed_status heed_gemma_fix(heed_config *config, const json_t *json, const char *where,
                           heed_error *error);

#endif
