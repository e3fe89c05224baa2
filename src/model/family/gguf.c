/* Keys and names that GGUF files have in common, whatever the family. Source: ggml's docs/gguf.md. */
#include "model/family.h"

/* In the order of heed_rope_kind; llama3 is no kind of these files: its stretching stands in the tensor rope_freqs. */
static const char *const rope_names[] = {"none", "linear", "", "yarn", NULL};

const heed_key heed_gguf_keys[] = {
    HEED_KEY("context_length", SIZE, context),
    HEED_KEY("embedding_length", SIZE, width),
    HEED_KEY("block_count", COUNT, decoder.layers),
    HEED_KEY("feed_forward_length", COUNT, decoder.inner),
    HEED_KEY("attention.head_count", SIZE, decoder.heads),
    HEED_KEY("attention.head_count_kv", COUNT, decoder.kv_heads),
    HEED_KEY("attention.key_length", COUNT, decoder.head_width),
    HEED_KEY("attention.sliding_window", COUNT, window),
    HEED_KEY("attention.layer_norm_epsilon", NUMBER, norm_eps),
    HEED_KEY("attention.layer_norm_rms_epsilon", NUMBER, norm_eps),
    HEED_KEY("attention.scale", NUMBER, attention_scale),
    HEED_KEY("attn_logit_softcapping", NUMBER, attention_soft_cap),
    HEED_KEY("final_logit_softcapping", NUMBER, logit_soft_cap),
    HEED_KEY("rope.freq_base", NUMBER, rope.base),
    HEED_KEY_NAMES("rope.scaling.type", rope_names, rope.kind),
    HEED_KEY("rope.scaling.factor", NUMBER, rope.factor),
    HEED_KEY("rope.scaling.original_context_length", COUNT, rope.original_context),
    {0}};

#define ONE(symbol, in, text) {.role = HEED_ROLE_##symbol, .part = HEED_PART_##in, .name = text}
#define LAYER(symbol, text) {.role = HEED_ROLE_##symbol, .part = HEED_PART_DECODER, .name = "blk.{i}." text}
#define TURNED(symbol, flag, text) {.role = HEED_ROLE_##symbol, .part = HEED_PART_DECODER, .flags = (flag), .name = "blk.{i}." text}
#define FUSED(symbol, text) {.role = HEED_ROLE_##symbol, .part = HEED_PART_DECODER, .parts = 3, .name = "blk.{i}." text}

#define EMBEDDINGS                                                         \
    ONE(TOKEN_EMBEDDING, MODEL, "token_embd.weight"),                      \
    ONE(POSITION_EMBEDDING, DECODER, "position_embd.weight"),              \
    ONE(EMBEDDING_NORM_GAIN, DECODER, "token_embd_norm.weight"),           \
    ONE(EMBEDDING_NORM_BIAS, DECODER, "token_embd_norm.bias"),             \
    LAYER(ATTENTION_NORM_GAIN, "attn_norm.weight"),                        \
    LAYER(ATTENTION_NORM_BIAS, "attn_norm.bias")
#define SEPARATE(flag)                                                     \
    TURNED(QUERY_WEIGHT, flag, "attn_q.weight"),                           \
    TURNED(QUERY_BIAS, flag, "attn_q.bias"),                               \
    TURNED(KEY_WEIGHT, flag, "attn_k.weight"),                             \
    TURNED(KEY_BIAS, flag, "attn_k.bias"),                                 \
    LAYER(VALUE_WEIGHT, "attn_v.weight"),                                  \
    LAYER(VALUE_BIAS, "attn_v.bias")
#define REST                                                               \
    LAYER(QUERY_NORM_GAIN, "attn_q_norm.weight"),                          \
    LAYER(KEY_NORM_GAIN, "attn_k_norm.weight"),                            \
    LAYER(OUTPUT_WEIGHT, "attn_output.weight"),                            \
    LAYER(OUTPUT_BIAS, "attn_output.bias"),                                \
    LAYER(ATTENTION_POST_NORM_GAIN, "post_attention_norm.weight"),         \
    LAYER(FFN_NORM_GAIN, "ffn_norm.weight"),                               \
    LAYER(FFN_NORM_BIAS, "ffn_norm.bias"),                                 \
    LAYER(GATE_WEIGHT, "ffn_gate.weight"),                                 \
    LAYER(GATE_BIAS, "ffn_gate.bias"),                                     \
    LAYER(UP_WEIGHT, "ffn_up.weight"),                                     \
    LAYER(UP_BIAS, "ffn_up.bias"),                                         \
    LAYER(DOWN_WEIGHT, "ffn_down.weight"),                                 \
    LAYER(DOWN_BIAS, "ffn_down.bias"),                                     \
    LAYER(FFN_POST_NORM_GAIN, "post_ffw_norm.weight"),                     \
    ONE(FINAL_NORM_GAIN, DECODER, "output_norm.weight"),                   \
    ONE(FINAL_NORM_BIAS, DECODER, "output_norm.bias"),                     \
    ONE(LM_WEIGHT, MODEL, "output.weight"),                                \
    ONE(LM_BIAS, MODEL, "output.bias"),                                    \
    ONE(CLASS_WEIGHT, MODEL, "cls.output.weight"),                         \
    ONE(CLASS_BIAS, MODEL, "cls.output.bias"),                             \
    {0}

const char *const heed_gguf_ignored[] = {"rope_freqs.weight", "blk.{i}.attn_rot_embd", NULL};

const heed_weight_name heed_gguf_weights[] = {EMBEDDINGS, SEPARATE(0), REST};
const heed_weight_name heed_gguf_paired_weights[] = {EMBEDDINGS, SEPARATE(HEED_NAME_PAIRS), REST};
const heed_weight_name heed_gguf_fused_weights[] = {EMBEDDINGS, FUSED(QUERY_WEIGHT, "attn_qkv.weight"), FUSED(QUERY_BIAS, "attn_qkv.bias"), REST};
