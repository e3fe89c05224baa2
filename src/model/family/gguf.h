/* gguf.h: pieces of the tables of names in GGUF files, from which families compose theirs. Source
   of names and keys: ggml's docs/gguf.md and the tables of gguf-py (constants.py,
   tensor_mapping.py). */
#ifndef HEED_MODEL_FAMILY_GGUF_H
#define HEED_MODEL_FAMILY_GGUF_H

#include "model/family/decoder_internal.h"

/* A tensor of the model; of a layer; of a layer with `count` weights in one; a linear layer with
   bias; a norm. */
/* clang-format off */
#define HEED_GGUF_ONE(symbol, in, text) HEED_WEIGHT(symbol, in, 0, text)
#define HEED_GGUF_LAYER(symbol, how, text) HEED_WEIGHT(symbol, DECODER, how, "blk.{i}." text)
#define HEED_GGUF_FUSED_AS(symbol, count, text) \
    {.role = HEED_ROLE_##symbol, .stack_id = HEED_STACK_DECODER, .fused = (count), \
     .name = "blk.{i}." text}
#define HEED_GGUF_LINEAR(symbol, how, text) \
    HEED_WEIGHT_LINEAR(symbol, DECODER, how, "blk.{i}." text)
#define HEED_GGUF_LAYER_AT(place, symbol, how, text) \
    HEED_WEIGHT_AT(place, symbol, DECODER, how, "blk.{i}." text)
#define HEED_GGUF_NORM_AT(place, symbol, how, text) \
    HEED_WEIGHT_NORM_AT(place, symbol, DECODER, how, "blk.{i}." text)
/* clang-format on */

/* clang-format off */
#define HEED_GGUF_EMBEDDINGS \
    HEED_GGUF_ONE(TOKEN_EMBEDDING, MODEL, "token_embd.weight"), \
    HEED_GGUF_ONE(POSITION_EMBEDDING, DECODER, "position_embd.weight"), \
    HEED_GGUF_ONE(EMBEDDING_NORM_GAIN, DECODER, "token_embd_norm.weight"), \
    HEED_GGUF_ONE(EMBEDDING_NORM_BIAS, DECODER, "token_embd_norm.bias")
#define HEED_GGUF_SEPARATE(how) \
    HEED_GGUF_LINEAR(QUERY, how, "attn_q"), HEED_GGUF_LINEAR(KEY, how, "attn_k"), \
    HEED_GGUF_LINEAR(VALUE, 0, "attn_v")
#define HEED_GGUF_FUSED \
    HEED_GGUF_FUSED_AS(QUERY_WEIGHT, 3, "attn_qkv.weight"), \
    HEED_GGUF_FUSED_AS(QUERY_BIAS, 3, "attn_qkv.bias")
#define HEED_GGUF_ATTENTION(how) \
    HEED_GGUF_LAYER(QUERY_NORM_GAIN, how, "attn_q_norm.weight"), \
    HEED_GGUF_LAYER(KEY_NORM_GAIN, how, "attn_k_norm.weight"), \
    HEED_GGUF_LAYER(SINKS, 0, "attn_sinks.weight"), HEED_GGUF_LINEAR(OUTPUT, 0, "attn_output")
/* clang-format on */
/* Norms before and after sublayers. */
/* clang-format off */
#define HEED_GGUF_NORMS \
    HEED_GGUF_NORM_AT(ATTENTION, NORM, 0, "attn_norm"), \
    HEED_GGUF_LAYER_AT(ATTENTION, POST_NORM_GAIN, 0, "post_attention_norm.weight"), \
    HEED_GGUF_NORM_AT(FFN, NORM, 0, "ffn_norm"), \
    HEED_GGUF_LAYER_AT(FFN, POST_NORM_GAIN, 0, "post_ffw_norm.weight")
#define HEED_GGUF_FEED_FORWARD \
    HEED_GGUF_LINEAR(GATE, 0, "ffn_gate"), HEED_GGUF_LINEAR(UP, 0, "ffn_up"), \
    HEED_GGUF_LINEAR(DOWN, 0, "ffn_down")
#define HEED_GGUF_EXPERTS \
    HEED_GGUF_LINEAR(ROUTER, 0, "ffn_gate_inp"), \
    HEED_GGUF_LINEAR(EXPERT_GATE, 0, "ffn_gate_exps"), \
    HEED_GGUF_LINEAR(EXPERT_UP, 0, "ffn_up_exps"), \
    HEED_GGUF_LINEAR(EXPERT_DOWN, 0, "ffn_down_exps"), \
    HEED_GGUF_LAYER(SHARED_ROUTER_WEIGHT, HEED_NAME_VECTOR, "ffn_gate_inp_shexp.weight"), \
    HEED_GGUF_LAYER(SHARED_GATE_WEIGHT, 0, "ffn_gate_shexp.weight"), \
    HEED_GGUF_LAYER(SHARED_UP_WEIGHT, 0, "ffn_up_shexp.weight"), \
    HEED_GGUF_LAYER(SHARED_DOWN_WEIGHT, 0, "ffn_down_shexp.weight")
/* clang-format on */
/* Last norm, output matrix and classifier; ends the table. */
/* clang-format off */
#define HEED_GGUF_OUTPUT \
    HEED_GGUF_ONE(FINAL_NORM_GAIN, DECODER, "output_norm.weight"), \
    HEED_GGUF_ONE(FINAL_NORM_BIAS, DECODER, "output_norm.bias"), \
    HEED_GGUF_ONE(LM_WEIGHT, MODEL, "output.weight"), \
    HEED_GGUF_ONE(LM_BIAS, MODEL, "output.bias"), \
    HEED_GGUF_ONE(CLASS_WEIGHT, MODEL, "cls.output.weight"), \
    HEED_GGUF_ONE(CLASS_BIAS, MODEL, "cls.output.bias"), \
    {0}
/* clang-format on */

/* Spellings in the order of heed_rope_kind. llama3 has none in these files: its stretching is in
   the tensor rope_freqs. */
extern const char *const heed_gguf_rope_names[];
/* Keys of every architecture. */
/* clang-format off */
#define HEED_GGUF_KEYS \
    HEED_KEY("context_length", SIZE, context), HEED_KEY("embedding_length", SIZE, d_model), \
    HEED_KEY("block_count", COUNT, decoder.layers), \
    HEED_KEY("feed_forward_length", COUNT, decoder.d_ff), \
    HEED_KEY("attention.head_count", SIZE, decoder.heads), \
    HEED_KEY("attention.head_count_kv", COUNT, decoder.kv_heads), \
    HEED_KEY("attention.key_length", COUNT, decoder.head_width), \
    HEED_KEY("attention.sliding_window", COUNT, window), \
    HEED_KEY("attention.layer_norm_epsilon", NUMBER, norm_eps), \
    HEED_KEY("attention.layer_norm_rms_epsilon", NUMBER, norm_eps), \
    HEED_KEY("rope.freq_base", NUMBER, rope.base), \
    HEED_KEY_NAMES("rope.scaling.type", heed_gguf_rope_names, rope.kind), \
    HEED_KEY("rope.scaling.factor", NUMBER, rope.factor), \
    HEED_KEY("rope.scaling.attn_factor", NUMBER, rope.attention_factor), \
    HEED_KEY("rope.scaling.original_context_length", COUNT, rope.original_context)
/* clang-format on */
#define HEED_GGUF_SCALE HEED_KEY("attention.scale", AMOUNT, attention_scale)
/* clang-format off */
#define HEED_GGUF_CAPS \
    HEED_KEY("attn_logit_softcapping", AMOUNT, attention_soft_cap), \
    HEED_KEY("final_logit_softcapping", AMOUNT, logit_soft_cap)
#define HEED_GGUF_EXPERT_KEYS \
    HEED_KEY("expert_count", COUNT, experts), HEED_KEY("expert_used_count", SIZE, experts_per_token)
/* clang-format on */

#endif
