/* llama.h: the names of Llama, which most later decoders use too. */
#ifndef HEED_MODEL_FAMILY_LLAMA_H
#define HEED_MODEL_FAMILY_LLAMA_H

#include "model/family/decoder_internal.h"

/* Settings of the presets of Llama and of families with the same layers. */
/* clang-format off */
#define HEED_LLAMA_PRESET \
    HEED_DECODER, .norm = HEED_NORM_RMS, .activation = HEED_UNARY_SILU, .gated = true, \
    .scaled = true, .embedding_scale = 1, .classifier_dropout = 0.1, \
    .initializer_range = 0.02
/* clang-format on */

#define HEED_LLAMA_KEYS HEED_LLAMA_SIZES, HEED_KEY("rms_norm_eps", NUMBER, norm_eps)
/* clang-format off */
#define HEED_LLAMA_SIZES \
    HEED_KEY("vocab_size", SIZE, vocabulary), HEED_KEY("hidden_size", SIZE, d_model), \
    HEED_KEY("intermediate_size", COUNT, decoder.d_ff), \
    HEED_KEY("num_hidden_layers", COUNT, decoder.layers), \
    HEED_KEY("num_attention_heads", SIZE, decoder.heads), \
    HEED_KEY("num_key_value_heads", COUNT, decoder.kv_heads), \
    HEED_KEY("head_dim", COUNT, decoder.head_width), \
    HEED_KEY("hidden_act", ACTIVATION, activation), \
    HEED_KEY("max_position_embeddings", SIZE, context), \
    HEED_KEY("initializer_range", NUMBER, initializer_range), \
    HEED_KEY_DROPOUT("attention_dropout", attention_dropout)
/* clang-format on */

extern const heed_weight_name heed_llama_weights[];
extern const char *const heed_llama_ignored[], *const heed_llama_prefixes[];
/* The projections of a layer. Later families combine them with other norms. */
/* clang-format off */
#define HEED_LLAMA_ATTENTION \
    HEED_LINEAR(QUERY, "layers.{i}.self_attn.q_proj"), \
    HEED_LINEAR(KEY, "layers.{i}.self_attn.k_proj"), \
    HEED_LINEAR(VALUE, "layers.{i}.self_attn.v_proj"), \
    HEED_LINEAR(OUTPUT, "layers.{i}.self_attn.o_proj"), \
    HEED_TENSOR(QUERY_NORM_GAIN, DECODER, "layers.{i}.self_attn.q_norm.weight"), \
    HEED_TENSOR(KEY_NORM_GAIN, DECODER, "layers.{i}.self_attn.k_norm.weight")
#define HEED_LLAMA_FEED_FORWARD \
    HEED_LINEAR(GATE, "layers.{i}.mlp.gate_proj"), HEED_LINEAR(UP, "layers.{i}.mlp.up_proj"), \
    HEED_LINEAR(DOWN, "layers.{i}.mlp.down_proj")
/* clang-format on */
/* Qwen's window: it counts only if use_sliding_window is true. */
#define HEED_QWEN_WINDOW HEED_KEY_SWITCHED_WINDOW("sliding_window", 4096, "use_sliding_window")
/* The key that says from which layer on, or up to which layer, layers have the window. */
extern const char *const heed_qwen_bounds[];

#endif
